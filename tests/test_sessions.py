"""A tab costs next to nothing, and keeps what it was given."""

import gradio as gr
import pytest
from gradio import state_holder

from herbdemo.ui import app, sessions


@pytest.fixture(scope="module")
def demo() -> gr.Blocks:
    return app.build()


@pytest.fixture
def installed(monkeypatch) -> None:
    monkeypatch.setattr(state_holder, "SessionState", state_holder.SessionState)
    sessions.install()


def test_no_tab_keeps_a_copy_of_the_page(demo, installed):
    holder = state_holder.StateHolder()
    holder.set_blocks(demo)
    session = holder["a tab"]
    assert session.config_values == {}
    assert list(session.components) == []
    html = next(block for block in demo.blocks.values() if isinstance(block, gr.HTML))
    session._update_value_in_config(html._id, "all that was ever shown")
    assert session.config_values == {}


def test_no_tab_keeps_components_that_were_changed(demo, installed):
    session = state_holder.SessionState(demo)
    before = dict(session.blocks_config.blocks)
    for key, block in before.items():
        options = {**block.constructor_args, "render": False}
        session[key] = block.__class__(**options) if isinstance(block, gr.HTML) else block
    assert session.blocks_config.blocks == before
    assert session.config_values == {}


def test_no_component_of_the_page_lets_choices_change_what_it_takes(demo):
    """What Gradio checks a value against would be that of the page, not of the tab."""
    for block in demo.blocks.values():
        assert not hasattr(block, "choices"), block
        assert not hasattr(block, "maximum"), block


def test_gradio_still_keeps_one(demo):
    """Once it does not, `sessions` can go."""
    assert sessions.Session.__mro__[1](demo).config_values


def test_who_is_still_there_is_not_forgotten_for_those_who_left(demo):
    """By Gradio's own, the first would go; its stream, or its next event, asks for it."""
    kept = demo._queue.pending_messages_per_session
    assert isinstance(kept, sessions.Recent)
    kept = sessions.Recent(3)
    for tab in ("open", "idle", "left"):
        kept[tab] = tab
    assert kept["open"] == "open"
    assert "idle" in kept
    kept["new"] = "new"
    assert list(kept) == ["open", "idle", "new"]
    with pytest.raises(KeyError):
        kept["left"]


def test_a_tab_has_values_of_its_own(installed):
    with gr.Blocks() as demo:
        basket = gr.State([])
    holder = state_holder.StateHolder()
    holder.set_blocks(demo)
    one, other = holder["one"], holder["other"]
    one[basket._id].append("党参")
    assert (one[basket._id], other[basket._id]) == (["党参"], [])
    one[basket._id] = ["甘草"]
    assert one[basket._id] == ["甘草"]
    one.is_closed = True
    assert [value for _, value, _ in one.state_components] == [["甘草"]]
    holder.delete_state("one")
    assert basket._id not in one
    assert one.config_values == {}
