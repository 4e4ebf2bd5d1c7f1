"""What components of the page take: what the browser uploaded, and never an address.

Gradio fetches the address that stands where a file should be, in the value of any component that an
event reads, and reads all of it into memory, whatever its size. Only `remote.PhotoFile` may.
"""

import contextlib
import time
from pathlib import Path

import gradio as gr
from gradio_client.utils import is_http_url_like

from herbdemo.errors import HerbError
from herbdemo.ui import UPLOADS, texts
from herbdemo.ui.remote import spoken

KEPT = 2 * 3600  # seconds; Gradio deletes what this process knows of after one to two hours


class UploadsOnly:
    """Put before a component's own class: an address among its values is refused."""

    async def async_move_resource_to_block_cache(
        self, url_or_file_path: str | Path | None
    ) -> str | None:
        """As Gradio's own, but for addresses."""
        if is_http_url_like(str(url_or_file_path or "")):
            raise spoken(HerbError(*texts.NO_UPLOAD, hint="no-upload"))
        # The component's own class comes after this one.
        return await super().async_move_resource_to_block_cache(url_or_file_path)  # type: ignore[misc]


class Uploads(UploadsOnly, gr.HTML):
    """HTML of our own whose value is what the browser uploaded; it never gets one from here."""

    def postprocess(self, value: None) -> None:
        return None

    def get_block_name(self) -> str:
        return "html"


def make_folder() -> None:
    """Make the folder of uploads, which nobody else on this computer may look into."""
    with contextlib.suppress(OSError):  # Gradio will say so when the first photo comes
        UPLOADS.mkdir(mode=0o700, parents=True, exist_ok=True)


def empty(demo: gr.Blocks) -> None:
    """Delete all that visitors have uploaded to this process, which ends."""
    for files in demo.temp_file_sets:
        for path in map(Path, list(files)):
            with contextlib.suppress(OSError):  # the folder holds more, or Gradio was quicker
                path.unlink(missing_ok=True)
                path.parent.rmdir()


def sweep() -> None:
    """Delete uploads that a process which is gone has left: Gradio deletes only its own.

    Those from the future, from before the clock was set back, go as well.
    """
    for path in sorted(UPLOADS.rglob("*"), reverse=True):  # what is inside a folder comes first
        with contextlib.suppress(OSError):  # another server sweeps too, or the folder is not empty
            if abs(time.time() - path.lstat().st_ctime) > KEPT:
                path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
