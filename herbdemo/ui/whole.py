"""Files that Gradio writes for its components: there whole, or not yet.

Gradio 6.31 names pictures and photos by their content and writes them in place. Two visitors who
look at the same photo at once write the same file, and whoever reads it meanwhile gets half.
"""

import functools
import inspect
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from gradio import processing_utils

WRITERS = ("save_pil_to_cache", "save_bytes_to_cache", "save_base64_to_cache")


def install() -> None:
    """Let Gradio write aside and then rename; it has no option for it."""
    for name in WRITERS:
        setattr(processing_utils, name, _aside(getattr(processing_utils, name)))


def _aside(save: Callable[..., str]) -> Callable[..., str]:
    signature = inspect.signature(save)

    @functools.wraps(save)
    def saved(*args: object, **options: object) -> str:
        given = signature.bind(*args, **options)
        cache = Path(given.arguments["cache_dir"]).resolve()
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".making-", dir=cache) as making:
            given.arguments["cache_dir"] = making
            made = Path(save(*given.args, **given.kwargs))
            target = cache / made.relative_to(making)
            target.parent.mkdir(exist_ok=True)
            os.replace(made, target)
        return str(target)

    return saved
