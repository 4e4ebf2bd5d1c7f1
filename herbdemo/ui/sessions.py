"""What Gradio keeps of each tab: its values of `gr.State` and the messages that wait for it.

Gradio 6.31 keeps for each of the last ten thousand tabs, and for each call of a program, what the
whole page looks like and all that was ever shown on it, for links to whole pages. `door` has closed
these: a result is shared in another way, see `share`. To note it took 20 ms of CPU at a tab's first
event, and 0.2 MB until ten thousand others had come.

It also makes a component anew whenever a handler changes it, and keeps that for the tab, so that
the next event knows of new choices or limits: 11 kB each. Of ours only the values change, and what
is seen, neither of which an event asks for.

Messages it keeps for two thousand, and forgets those first that came first. Whoever left the page
open while so many others came had the next answer broken off.
"""

from types import SimpleNamespace
from typing import Any

from gradio import queueing, state_holder
from gradio.blocks import Blocks
from gradio.components import State
from gradio.utils import LRUCache


class Session(state_holder.SessionState):
    """A tab's values of `gr.State`, without a copy of the page."""

    def __init__(self, blocks: Blocks) -> None:
        # The copy is of what is in `blocks`.
        super().__init__(SimpleNamespace(default_config=blocks.default_config, blocks={}))  # type: ignore[arg-type]

    def __setitem__(self, key: int, value: Any) -> None:
        if isinstance(self.blocks_config.blocks.get(key), State):
            super().__setitem__(key, value)
            self.config_values.clear()

    def _update_config(self, key: int) -> None:
        pass

    def _update_value_in_config(self, key: int, value: Any) -> None:
        pass


class Recent(LRUCache):
    """Forgets first what nobody has asked for longest; a stream asks every ten seconds."""

    def __contains__(self, key: object) -> bool:
        here = super().__contains__(key)
        if here:
            self.move_to_end(key)
        return here

    def __getitem__(self, key: Any) -> Any:
        self.move_to_end(key)
        return super().__getitem__(key)


def install() -> None:
    """Let Gradio make these, for pages that are built from now on; it has no option for it."""
    state_holder.SessionState = Session  # type: ignore[misc]
    queueing.LRUCache = Recent  # type: ignore[misc]
