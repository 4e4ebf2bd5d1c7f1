"""Herb Lens on Gradio: `python app.py`, then open http://127.0.0.1:7860.

GRADIO_SERVER_NAME and GRADIO_SERVER_PORT choose another address, HERBDEMO_EXAMPLES a folder of
photos to try, HERBDEMO_HOME where models and photos to learn from are kept, HERBDEMO_DATA a folder
of folders of photos to learn from, HERBDEMO_ADMIN_PASSWORD the password of who may teach,
HERBDEMO_MODEL the model to begin with, HERBDEMO_RATE how many requests a minute a visitor may make.
On Hugging Face: docs/spaces.md.
"""

from herbdemo.ui.app import build, serve

demo = build()

if __name__ == "__main__":
    serve(demo)
