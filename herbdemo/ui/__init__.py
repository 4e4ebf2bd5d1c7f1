"""The page: everything that knows Gradio, and nothing that knows torch."""
