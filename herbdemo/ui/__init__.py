"""The page: everything that knows Gradio, and nothing that knows torch."""

import getpass
import inspect
import os
import tempfile
from pathlib import Path
from typing import Any

from herbdemo.heap import lasting

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when Gradio is imported
# Before every event Gradio asks matplotlib, where that is installed, what it draws with. Unless it
# is told so, it imports a third of a second's worth of code to find out.
os.environ.setdefault("MPLBACKEND", "agg")
# Where uploads lie. A folder of this app and this user: the files of others are not ours to sweep.
_user = os.getuid() if hasattr(os, "getuid") else getpass.getuser()
UPLOADS = Path(tempfile.gettempdir(), f"herb-lens-{_user}").resolve()
os.environ.setdefault("GRADIO_TEMP_DIR", str(UPLOADS))

_file_of = inspect.getfile


def _file_of_no_component(thing: Any) -> str:
    if type(thing).__name__ == "ComponentMeta":
        raise OSError("Gradio writes no stub for a component that lies in no file")
    return _file_of(thing)


# Gradio 6.31 writes a stub for editors beside each of its components, and of ours, whenever it is
# imported: a third of its import. There is no option against it.
inspect.getfile = _file_of_no_component  # type: ignore[assignment]
try:
    with lasting():
        import gradio.component_meta
finally:
    inspect.getfile = _file_of
gradio.component_meta.create_or_modify_pyi = lambda *_: None
