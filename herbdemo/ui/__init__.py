"""The page: everything that knows Gradio, and nothing that knows torch."""

import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when Gradio is imported
