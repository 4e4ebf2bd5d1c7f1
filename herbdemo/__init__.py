"""Herb Lens: recognise Chinese herbal medicines in photos, and see where the evidence is."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"  # the one place that says it

_HOMES = {
    "HerbError": "errors",
    "Photo": "photo",
    "open_photo": "photo",
    "Answer": "recognise",
    "Recogniser": "recognise",
    "current": "recognise",
}
__all__ = ["Answer", "HerbError", "Photo", "Recogniser", "current", "open_photo"]


def __getattr__(name: str) -> Any:
    """Import a public name when it is asked for: the page must not wait for torch."""
    if name in _HOMES:
        return getattr(import_module(f"herbdemo.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'herbdemo' has no attribute {name!r}")
