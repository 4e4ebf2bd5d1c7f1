"""What Gradio keeps of each tab: its values of `gr.State`, and no more.

Gradio 6.31 keeps for each of the last ten thousand tabs, and for each call of a program, what the
whole page looks like and all that was ever shown on it, for links to whole pages. `door` has closed
these: a result is shared in another way, see `share`. To note it took 20 ms of CPU at a tab's first
event, and 0.2 MB until ten thousand others had come.
"""

from types import SimpleNamespace
from typing import Any

from gradio import state_holder
from gradio.blocks import Blocks


class Session(state_holder.SessionState):
    """A tab's state without a copy of the page."""

    def __init__(self, blocks: Blocks) -> None:
        # The copy is of what is in `blocks`.
        super().__init__(SimpleNamespace(default_config=blocks.default_config, blocks={}))  # type: ignore[arg-type]

    def _update_config(self, key: int) -> None:
        pass

    def _update_value_in_config(self, key: int, value: Any) -> None:
        pass


def install() -> None:
    """Let Gradio make these; it has no option for it."""
    state_holder.SessionState = Session  # type: ignore[misc]
