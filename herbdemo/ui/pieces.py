"""Parts of the page that are drawn as HTML and whose buttons and forms reach a handler.

A button with `data-act="remove"` or a form with it sends what it holds; `wire` finds the handler of
that name, asks `gate` who is there, and sees to it that nothing but a sentence comes back when it
fails. What happens in the browser is in `piece.js`.
"""

import html
import logging
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import gradio as gr
from gradio.components import Component

from herbdemo.errors import HerbError, shortage
from herbdemo.ui import gate, texts, texts_learn
from herbdemo.ui.photo_input import script
from herbdemo.ui.text import Text

log = logging.getLogger(__name__)

Change = dict[Component, Any]
Handler = Callable[..., Change | Iterator[Change]]
LONGEST_FIELD = 500  # characters; no name, password or repository is longer


class Piece(gr.HTML):
    """HTML that a handler draws. Triggers `act`, with the name and the fields of what was used.

    Args:
        shows: name of the act sent when the piece comes into sight; "" for none.
        hears: id of its tab: what sends people there, `data-goto`, triggers the act "goto".
        keeps: name of what this browser remembers for the piece, once an element `data-keep` has
            said it, and sends along with every act and poll.
        polls: called every second or so while the piece is in sight, and gives its new HTML.
    """

    def __init__(
        self,
        *,
        shows: str = "",
        hears: str = "",
        keeps: str = "",
        polls: Callable[..., str] | None = None,
        **options: Any,
    ) -> None:
        waiting = '<span class="meter unknown"><i></i></span>' if shows else ""
        super().__init__(
            html_template=f'<div class="piece" data-shows="{shows}" data-hears="{hears}" '
            f'data-keeps="{keeps}">{waiting}</div>',
            js_on_load=script("piece.js"),
            server_functions=[polls] if polls else None,
            apply_default_css=False,
            **options,
        )

    def get_block_name(self) -> str:
        return "html"


def wire(
    source: gr.HTML,
    handlers: Mapping[str, Handler],
    *,
    notice: Piece,
    outputs: Sequence[Component],
    inputs: Sequence[Component] = (),
    open_to_all: frozenset[str] = frozenset(),
    **options: Any,
) -> Any:
    """Let `source`'s acts call their handlers; gives the event for what shall follow.

    A handler gets the values of `inputs`, the fields that were sent, and the `Visitor`; it returns,
    or yields, the new values of some outputs. All but those in `open_to_all` are the owner's.
    """

    def run(*values: Any) -> Iterator[Change]:
        *given, event, request = values
        data = event._data if isinstance(event._data, dict) else {}
        act = str(data.get("act"))
        try:
            who = gate.visitor(request, data.get("pass"))
            if act not in open_to_all:
                gate.demand_owner(who)
            if act not in handlers:
                raise HerbError(*texts.FAILED, hint="no-such-act")
            changes = handlers[act](*given, _fields(data), who)
            for change in [changes] if isinstance(changes, dict) else changes:
                yield change or {notice: gr.skip()}  # Gradio takes an empty one for a mistake
        except HerbError as error:
            yield {notice: notice_html(Text(error.zh, error.en), kind="trouble")}
        except Exception as error:  # nothing else may reach a visitor, least of all a path
            log.exception("“%s” failed", act[:40])
            short = shortage(error)
            said = Text(short.zh, short.en) if short else texts_learn.WENT_WRONG
            yield {notice: notice_html(said, kind="trouble")}

    def act(event: gr.EventData, request: gr.Request) -> Iterator[Change]:
        yield from run(event, request)

    def act_on(value: Any, event: gr.EventData, request: gr.Request) -> Iterator[Change]:
        yield from run(value, event, request)

    event = source.act(
        act_on if inputs else act,
        list(inputs) or None,
        list(dict.fromkeys([notice, *outputs])),
        **{
            "show_progress": "hidden",
            "api_visibility": "private",
            "trigger_mode": "multiple",
            "concurrency_limit": None,
        }
        | options,
    )
    detail = f'{{ detail: "{source.elem_id}" }}'
    done = f'() => document.dispatchEvent(new CustomEvent("herb:done", {detail}))'
    return event.then(None, js=done)


def notice_html(sentence: Text, *, kind: str = "done") -> str:
    """A sentence at the foot of the window: what was done, or why it was not ("trouble")."""
    role = "alert" if kind == "trouble" else "status"
    return (
        f'<div class="notice {kind}" role="{role}" data-id="{secrets.token_hex(4)}">'
        f"<p>{sentence.html}</p>"
        f'<button type="button" data-dismiss {texts.CLOSE.attribute("aria-label")}>×</button></div>'
    )


def saving_html(button_id: str) -> str:
    """Presses the download button `#id` once its file has arrived."""
    return f'<span hidden data-click="{button_id}" data-id="{secrets.token_hex(4)}"></span>'


def button(
    label: Text, act: str, *, kind: str = "", sure: Text | None = None, **fields: Any
) -> str:
    """A button that sends `act` and its fields; with `sure`, only when it is pressed twice."""
    data = "".join(
        f' data-{name.replace("_", "-")}="{html.escape(str(value))}"'
        for name, value in fields.items()
    )
    ask = f' data-sure="{html.escape(sure.html)}"' if sure else ""
    return (
        f'<button type="button" class="{kind}" data-act="{act}"{data}{ask}>'
        f"<span>{label.html}</span></button>"
    )


def _fields(data: Mapping[str, Any]) -> dict[str, str]:
    """What was sent, as short strings: anyone can send anything."""
    return {str(k): str(v)[:LONGEST_FIELD] for k, v in list(data.items())[:40] if k != "pass"}
