"""The page made small for its way: Gradio compresses by endings, and the page has none."""

from typing import Any

from gradio.brotli_middleware import BrotliMiddleware

PAGES = {"/", "/config"}  # 700 KB of text each, a sixth of that in Brotli, for 7 ms


class SmallPage(BrotliMiddleware):
    """Middleware that compresses the page and what clients ask instead of it."""

    def _is_compressible_file_type(self, scope: Any) -> bool:
        return scope.get("path") in PAGES
