"""Herb Lens on Gradio: `python app.py`, then open http://127.0.0.1:7860.

GRADIO_SERVER_NAME and GRADIO_SERVER_PORT choose another address, HERBDEMO_EXAMPLES a folder of
photos to try, HERBDEMO_HOME where models are kept.
"""

from herbdemo.ui.app import build, launch_options
from herbdemo.ui.model import wake

demo = build()

if __name__ == "__main__":
    wake()
    demo.launch(**launch_options())
