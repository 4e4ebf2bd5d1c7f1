"""What the soak asks the running app, and what one thread alone answers to the same.

A world is one model on one engine. In each, every question is put to the app's own handlers, in this
process and one after another. An answer of the server is right if it is that of one world as a whole:
all its words, its numbers within `POINTS`, its maps within `CELLS`. Where it names its model, only
that model's worlds count.
"""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.photos import photo, renamed
from benchmarks.sameness import POINTS, ROAD_POINTS, as_map, model_of, seen
from benchmarks.visitor import Visitor
from herbdemo.checkpoint import Checkpoint
from herbdemo.engine import Engine
from herbdemo.explain import Explainer
from herbdemo.photo import open_photo
from herbdemo.recognise import Recogniser
from herbdemo.ui import (
    api,
    explain,
    herbs_tab,
    identify,
    live,
    model,
    specimen,
    texts,
    texts_explain,
    texts_learn,
    texts_share,
    tray,
)
from herbdemo.ui.gate import Visitor as Who
from herbdemo.ui.lately import Lately
from herbdemo.ui.result import answer_html

PHOTOS = [photo((512, 384), number) for number in range(8)]
SIDES = (360, 270)  # of a frame of the live camera
SOMEONE = Who(False, "", "nobody")


@dataclass
class World:
    """One model on one engine."""

    checkpoint: Checkpoint
    engine: Engine
    recogniser: Recogniser = field(init=False)

    def __post_init__(self) -> None:
        self.recogniser = Recogniser(self.checkpoint, engine=self.engine)
        self.explainer = Explainer(self.checkpoint, engine=self.engine)

    @contextmanager
    def holds(self) -> Iterator[None]:
        """Meanwhile the app's handlers, called here, answer by it."""
        card = {**self.checkpoint.card, "herbs": self.checkpoint.herbs}
        with (
            mock.patch.object(model, "recogniser", return_value=self.recogniser),
            mock.patch.object(explain, "_explainer", return_value=self.explainer),
            mock.patch.object(herbs_tab, "active_card", return_value=card),
            # They go by the model, and would give one engine what another has found.
            mock.patch.multiple(explain, _seen=Lately(9), _maps=Lately(9), _tests=Lately(9)),
        ):
            yield


@dataclass(frozen=True)
class Question:
    """`ask` puts it to the server, `expect` to the handlers; both give JSON or HTML."""

    kind: str
    ask: Callable[[Visitor], Any]
    expect: Callable[[], Any]
    points: float = POINTS


# The questions


def questions(folder: Path) -> list[Question]:
    """All of them; their photos are put into `folder` for the handlers here."""
    paths = []
    for number, content in enumerate(PHOTOS):
        path = folder / str(number) / "photo.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        paths.append(str(path))
    frames = [photo(SIDES, number) for number in range(4)]
    made = [_listed("", None), _listed("jyh", "jyh"), _page("薄荷"), _page("niuzhi")]
    for number, path in enumerate(paths):
        made += [_recognised(number, path), _page_of_photo(number, path)]
    for number, path in enumerate(paths[:4]):
        made += [_explained(number, path), _compared(number, path), _frame(frames[number])]
        made += [_desk(number, path), _quick(number, path)]
    made += [_tray(number, paths[number]) for number in (0, 3)]
    made += [_specimen(numbers, [paths[n] for n in numbers]) for numbers in ((0, 4), (1, 2, 3))]
    return [*made, _slow(1, paths[1]), _measured(2, paths[2])]


def _new(visitor: Visitor, number: int) -> dict[str, Any]:
    """A photo that no answer is kept of, two times out of three."""
    tag = visitor.dice.randrange(10**9)
    return visitor.upload(renamed(PHOTOS[number], tag) if tag % 3 else PHOTOS[number])


def _listed(query: str, given: str | None) -> Question:
    return Question(
        "list_herbs", lambda v: v.call("list_herbs", given)[0], lambda: api.list_herbs(query)
    )


def _recognised(number: int, path: str) -> Question:
    def plain(said: dict) -> dict:
        return {key: said[key] for key in said if key not in ("ms", "stages")}

    return Question(
        "recognise_herb",
        lambda v: plain(v.call("recognise_herb", _new(v, number))[0]),
        lambda: plain(api.recognise_herb(path)),
    )


def _explained(number: int, path: str) -> Question:
    def ask(visitor: Visitor) -> Any:
        picture, said = visitor.call("explain_herb", _new(visitor, number), "月季花")
        return [_pixels(visitor.file(picture)), said]

    def expect() -> Any:
        picture, said = api.explain_herb(path, "月季花")
        return [_small(picture), said]

    return Question("explain_herb", ask, expect)


def _compared(number: int, path: str) -> Question:
    def ask(visitor: Visitor) -> Any:
        picture, said = visitor.call("compare_herbs", _new(visitor, number), "薄荷", "蒲公英")
        return [_pixels(visitor.file(picture)), said]

    def expect() -> Any:
        picture, said = api.compare_herbs(path, "薄荷", "蒲公英")
        return [_small(picture), said]

    return Question("compare_herbs", ask, expect)


def _pixels(content: bytes) -> np.ndarray:
    return _small(open_photo(content).image)


def _small(image: Any) -> np.ndarray:
    return np.asarray(image.convert("RGB").resize((64, 48)), np.float32) / 255


def _page_of_photo(number: int, path: str) -> Question:
    def ask(visitor: Visitor) -> Any:
        visitor.photo = _new(visitor, number)
        visitor.page = visitor.act("photo", "photo", {}, visitor.photo)["result"]
        return [model_of(visitor.page), *seen(visitor.page)]

    def expect() -> Any:
        page = identify.look(path, SOMEONE)
        return [model_of(page), *seen(page)]

    return Question("page: identify", ask, expect)


def _page(name: str) -> Question:
    return Question(
        "page: herb",
        lambda v: seen(v.act("herb-page", "act", {"act": "goto", "herb": name})["herb-page"]),
        lambda: seen(herbs_tab.page_of(name, SOMEONE)),
    )


def _frame(content: bytes) -> Question:
    given = "data:image/jpeg;base64," + base64.b64encode(content).decode()

    def plain(said: dict) -> list:
        return [*seen(said["html"]), *map(as_map, filter(None, [said.get("map")]))]

    return Question(
        "live", lambda v: plain(v.ask("live", "look", given)), lambda: plain(live.look(given))
    )


def _desk(number: int, path: str) -> Question:
    def ask(visitor: Visitor) -> Any:
        return seen(visitor.act("explain-photo", "photo", {}, _new(visitor, number))["lens-desk"])

    return Question("page: explain", ask, lambda: seen(explain.look(path, {}, {})))


def _quick(number: int, path: str) -> Question:
    want = "\n".join(
        ("grad-cam|layer4|月季花|", "layer-cam|layer3|月季花|", "contrast|layer4|月季花|薄荷")
    )

    def ask(visitor: Visitor) -> Any:
        fields = {"act": "maps", "want": want}
        return seen(_said(visitor, "lens-desk", fields, _new(visitor, number)))

    return Question(
        "explain: maps", ask, lambda: seen(explain.quick_maps(explain.Opened(path, {}, {}), want))
    )


def _slow(number: int, path: str) -> Question:
    key = "ablation-cam|layer4|月季花|"

    def ask(visitor: Visitor) -> Any:
        """Half of them are stopped; what was stopped says nothing that could be wrong."""
        given = visitor.upload(PHOTOS[number])
        fields = {"act": "work-out", "key": key, "job": f"{visitor.dice.random()}"}
        if visitor.dice.random() < 0.5:
            begun = visitor.begin("lens-slow", "act", fields, given)
            visitor.pause(1.5)
            visitor.cancel("lens-slow", "act", begun)
            stop = {"act": "stop", "job": fields["job"]}
            visitor.act("lens-stop", "act", stop, given)
            return None
        return seen(_said(visitor, "lens-slow", fields, given))

    def expect() -> Any:
        *_, last = explain.slow_map(explain.Opened(path, {}, {}), key, "reference", None)
        return seen(last)

    return Question("explain: slow map", ask, expect)


def _measured(number: int, path: str) -> Question:
    key = "grad-cam|layer4|月季花|"

    def ask(visitor: Visitor) -> Any:
        fields = {"act": "measure", "key": key}
        return seen(_said(visitor, "lens-test", fields, visitor.upload(PHOTOS[number])))

    return Question(
        "explain: test", ask,
        lambda: seen(explain.put_to_the_test(explain.Opened(path, {}, {}), key)), ROAD_POINTS,
    )  # fmt: skip


def _said(visitor: Visitor, source: str, fields: dict, *given: Any) -> str:
    """What an act draws; the sentence of its notice where it draws nothing."""
    found = visitor.act(source, "act", fields, *given)
    return found.get(source) or next(iter(found.values()), "")


def _tray(number: int, path: str) -> Question:
    return Question(
        "page: tray",
        lambda v: seen(v.act("tray-photo", "photo", {}, _new(v, number))["tray-found"]),
        lambda: seen(tray.look_at(path, "nobody")[1]),
    )


def _specimen(numbers: tuple[int, ...], paths: list[str]) -> Question:
    def ask(visitor: Visitor) -> Any:
        given = [_new(visitor, number) for number in numbers]
        found = visitor.act("specimen-photos", "act", {"act": "look"}, given)
        fused, one = found.get("specimen", ""), found.get("specimen-one", "")
        if not fused:
            return seen(found.get("specimen-notice", ""))
        return [model_of(one), *seen(fused + one)]

    def expect() -> Any:
        fused, one = specimen.look_at(paths, SOMEONE)
        return [model_of(one), *seen(fused + one)]

    return Question("page: specimen", ask, expect)


# What has no question of its own


def rows_expected(folder: Path) -> dict[str, dict[str, float]]:
    """For each photo of the pile its probabilities, by the world that holds."""
    return {
        f"{number}.jpg": {
            item["zh"]: item["probability"]
            for item in api.recognise_herb(str(folder / str(number) / "photo.jpg"))["candidates"]
        }
        for number in range(len(PHOTOS))
    }


def shared_expected(folder: Path) -> list[list]:
    """What a link shows of each photo, by the world that holds."""
    return [
        seen(answer_html(model.recognise(str(folder / str(n) / "photo.jpg")), shareable=True))
        for n in range(len(PHOTOS))
    ]


def refusal_in(answer: Any) -> str:
    """The sentence of an answer that says why there is none; "" for an answer."""
    said = json.dumps(answer, ensure_ascii=False, default=str)
    return next((words for words in REFUSALS if words in said), "")


REFUSALS = tuple(
    text.en
    for text in (
        texts.LIVE_BUSY,
        texts_explain.ONE_SLOW,
        texts_share.NO_LONGER,
        texts_share.TOO_MANY,
        texts_learn.BOX_GONE,
        texts_learn.BOX_NO_ROOM,
    )
)
