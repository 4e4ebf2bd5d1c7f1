"""The Explain tab: a photo and any herb in, maps by several methods out, each put to the test."""

import logging
import queue
import secrets
import threading
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
import numpy as np

from herbdemo.errors import HerbError
from herbdemo.photo import open_photo
from herbdemo.ui import explain_view as view
from herbdemo.ui import model, texts
from herbdemo.ui import texts_explain as t
from herbdemo.ui.explain_view import Key, Map
from herbdemo.ui.gate import Visitor
from herbdemo.ui.lately import Lately
from herbdemo.ui.photo_input import PhotoInput, example_photos, script
from herbdemo.ui.pieces import Change, Piece, wire
from herbdemo.ui.result import error_html

if TYPE_CHECKING:  # importing it imports torch
    from herbdemo.explain import Explainer, Explanation, Seen

log = logging.getLogger(__name__)
# Beside the answers, not before them: of each kind one at a time for all visitors together.
SLOW_QUEUE = {"concurrency_id": "explain-slow", "concurrency_limit": 1}
TEST_QUEUE = {"concurrency_id": "explain-test", "concurrency_limit": 1}
SEEN = 4  # photos kept as the network saw them, 7 MB each
MAPS = 256  # raw maps kept, 12 kB each at most
TICK = 0.4  # seconds between two words on how far a slow map is


class Relay(gr.HTML):
    """Carries acts of `explain.js` to one handler each, and what it says back."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            html_template='<div class="relay" hidden></div>',
            js_on_load=script("relay.js"),
            apply_default_css=False,
            **options,
        )

    def get_block_name(self) -> str:
        return "html"


def build() -> None:
    """Lay the tab out inside the current Blocks."""
    examples = example_photos()
    photo = PhotoInput(examples, into="lens", takes="explain", elem_id="explain-photo")
    gr.HTML(
        html_template=view.lens_html(),
        js_on_load=script("explain.js"),
        apply_default_css=False,
        elem_id="lens",
    )
    desk, slow, test = (Relay(elem_id=f"lens-{name}") for name in ("desk", "slow", "test"))
    notice = Piece(elem_id="lens-notice")

    def opened(path: str | None, data: dict[str, str]) -> "Opened":
        return Opened(path, examples, data)

    def given(path: str | None, event: gr.EventData) -> str:
        data = event._data if isinstance(event._data, dict) else {}
        return look(path, examples, {str(k): str(v) for k, v in data.items() if k != "name"})

    def example(event: gr.EventData) -> str:
        data = event._data if isinstance(event._data, dict) else {}
        fields = {str(k): str(v) for k, v in data.items()}
        return look(None, examples, fields | {"example": fields.get("name", "")})

    def maps(path: str | None, data: dict[str, str], who: Visitor) -> Change:
        return {desk: quick_maps(opened(path, data), data.get("want", ""))}

    def work_out(path: str | None, data: dict[str, str], who: Visitor) -> Iterator[Change]:
        for html in slow_map(opened(path, data), data.get("key", ""), who.session, data.get("job")):
            yield {slow: html}

    def measure(path: str | None, data: dict[str, str], who: Visitor) -> Change:
        return {test: put_to_the_test(opened(path, data), data.get("key", ""))}

    def stop(path: str | None, data: dict[str, str], who: Visitor) -> Change:
        stop_slow(who.session, data.get("job"))
        return {}

    options: dict[str, Any] = {
        "outputs": desk,
        "show_progress": "hidden",
        "api_visibility": "private",
        "trigger_mode": "multiple",  # photo_input.js sends one at a time
    } | model.QUEUE
    no_answer = (
        '() => document.dispatchEvent(new CustomEvent("herb:failed", '
        '{ detail: { reason: "no-answer", into: "lens" } }))'
    )
    for event in (photo.photo(given, photo, **options), photo.example(example, None, **options)):
        event.failure(None, js=no_answer)
    stopper = Relay(elem_id="lens-stop")
    for source, name, handler, limits in (
        (desk, "maps", maps, model.QUEUE),
        (slow, "work-out", work_out, SLOW_QUEUE),
        (test, "measure", measure, TEST_QUEUE),
        (stopper, "stop", stop, {}),
    ):
        wire(
            source,
            {name: handler},
            inputs=[photo],
            outputs=[source],
            notice=notice,
            open_to_all=frozenset({name}),
            **limits,
        )


# What is looked at


class Opened:
    """The photo that a request is about, and the model's explainer."""

    def __init__(self, path: str | None, examples: dict[str, Path], data: dict[str, str]) -> None:
        name = data.get("example", "")
        chosen = examples.get(name) if name else path
        if chosen is None or not Path(chosen).is_file():
            raise HerbError(*t.GONE, hint="photo-gone")
        self.photo = open_photo(str(chosen))
        self.example = name
        if data.get("photo") not in (None, "", self.photo.sha256):
            raise HerbError(*t.GONE, hint="photo-gone")
        self.explainer = _explainer()

    @property
    def seen(self) -> "Seen":
        """The photo as the network sees it; the last few are kept."""
        key = (self.photo.sha256, self.explainer.checkpoint.sha256)
        return _seen.get(key, lambda: self.explainer.see(self.photo))

    def explanation(self, key: Key, **options: Any) -> "Explanation":
        """One map; those of late are kept, so that none is worked out twice."""
        which = (self.photo.sha256, self.explainer.checkpoint.sha256, *key)
        return _maps.get(
            which,
            lambda: self.explainer.explain(
                self.seen,
                key.herb,
                method=key.method,
                layer=key.layer,
                against=key.against or None,
                **options,
            ),
        )


_seen, _maps, _tests = Lately(SEEN), Lately(MAPS), Lately(MAPS)


def _explainer() -> "Explainer":
    from herbdemo.explain import explainer  # importing torch takes seconds

    return explainer()


# What the handlers do


def look(path: str | None, examples: dict[str, Path], data: dict[str, str]) -> str:
    """The photo with all that can be asked about it; a sentence instead when there is none.

    Args:
        path: of the upload.
        data: "example" names an example instead; "herb" and "against" what is asked first.
    """
    if path is None and not data.get("example"):
        return error_html(texts.NO_UPLOAD)
    try:
        opened = Opened(path, examples, {"example": data.get("example", "")})
        herbs, odds = opened.explainer.herbs, opened.seen.probabilities
        chosen = data.get("herb", "")
        if chosen not in herbs:
            chosen = herbs[int(np.argmax(odds))]
        against = data.get("against", "")
        return view.desk_html(
            opened.photo.image,
            opened.photo.sha256,
            herbs,
            odds,
            chosen=chosen,
            against=against if against in herbs and against != chosen else "",
            example=opened.example,
        )
    except HerbError as error:
        return error_html(error)
    except Exception:  # nothing else may reach a visitor, least of all a path or a traceback
        log.exception("a photo was not looked at")
        return error_html(texts.FAILED)


def quick_maps(opened: Opened, want: str) -> str:
    """The maps that `want` names, a key on each line, as cards.

    Raises:
        HerbError: they are too many, or one is no map.
    """
    keys = [_key(line) for line in want.splitlines()]
    if len(keys) > view.MOST:
        raise HerbError(*t.TOO_MANY, hint="too-many-maps")
    return view.cards_html([_map(opened, key) for key in keys])


def slow_map(opened: Opened, want: str, session: str, job: str | None) -> Iterator[str]:
    """One map of a slow method: how far it is, now and then, and at last its card.

    It runs in a thread of its own, so that a stop, or a visitor who leaves, ends it at once.
    """
    from herbdemo.explain import Stopped

    key = _key(want, slow=True)
    stop = _begin(session, job)
    told: queue.SimpleQueue[float] = queue.SimpleQueue()
    ended: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()

    def run() -> None:
        try:
            opened.explanation(key, progress=told.put, stop=stop.is_set)
            ended.put(None)
        except Exception as error:
            ended.put(error)

    thread = threading.Thread(target=run, name="slow map", daemon=True)
    try:
        yield view.running_html(key, None)
        thread.start()
        share = None
        while thread.is_alive():
            thread.join(TICK)
            while not told.empty():
                share = told.get()
            yield view.running_html(key, share)
        error = ended.get()
        if isinstance(error, Stopped):
            yield view.stopped_html(key)
        elif error is not None:
            yield view.stopped_html(key)
            raise error
        else:
            yield view.cards_html([_map(opened, key)])
    finally:
        stop.set()
        _end(session, stop)


def put_to_the_test(opened: Opened, want: str) -> str:
    """How faithful the map that `want` names is.

    Raises:
        HerbError: the map is a slow one that is not kept any more, or is none.
    """
    key = _key(want, slow=None)
    if key.method == "contrast":
        return view.faith_html(key, t.FAITH_CONTRAST)
    which = (opened.photo.sha256, opened.explainer.checkpoint.sha256, *key)
    if key.method in view.SLOW and not _maps.has(which):
        raise HerbError(*t.GONE, hint="map-gone")
    found = opened.explanation(key)
    if not found.values.any():
        return view.faith_html(key, t.FAITH_EMPTY)
    from herbdemo.faithful import faithfulness

    result = _tests.get(
        which, lambda: faithfulness(opened.explainer, opened.seen, key.herb, found.values)
    )
    return view.faith_html(key, result)


def _key(line: str, *, slow: bool | None = False) -> Key:
    """The map that a line names; `slow` says which methods it may name, None all."""
    parts = line.split("|")
    key = Key(*parts) if len(parts) == 4 else Key("", "", "")
    known = key.method in t.METHODS and key.layer in t.LAYERS
    one_layer = key.method != "contrast" or key.layer == "layer4"
    allowed = slow is None or (key.method in view.SLOW) == slow
    if not (known and one_layer and allowed):
        raise HerbError(*texts.FAILED, hint="no-such-map")
    return key


def _map(opened: Opened, key: Key) -> Map:
    if key.method == "contrast":
        return Map(key, opened.explainer.contrast(opened.seen, key.herb, key.against))
    found = opened.explanation(key)
    low = max(0.0, float(found.raw.min())) / found.peak if found.peak else 0.0
    return Map(key, found.values, found.peak, low)


# One slow map for each visitor


_lock = threading.Lock()
_running: dict[str, tuple[str, threading.Event]] = {}  # session -> job and its stop
_refused: OrderedDict[tuple[str, str], None] = OrderedDict()  # stopped before they began


def _begin(session: str, job: str | None) -> threading.Event:
    job = job or secrets.token_hex(4)
    with _lock:
        if session in _running:
            raise HerbError(*t.ONE_SLOW, hint="one-slow-map")
        stop = threading.Event()
        if (session, job) in _refused:
            stop.set()
        _running[session] = job, stop
        return stop


def _end(session: str, stop: threading.Event) -> None:
    with _lock:
        if session in _running and _running[session][1] is stop:
            del _running[session]


def stop_slow(session: str, job: str | None = None) -> None:
    """Stop the slow map of a visitor, or the one named `job`, also before its turn has come."""
    with _lock:
        running = _running.get(session)
        if running and job in (None, "", running[0]):
            running[1].set()
        elif job:
            _refused[session, job] = None
            while len(_refused) > 100:
                _refused.popitem(last=False)
