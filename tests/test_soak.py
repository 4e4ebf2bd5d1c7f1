"""The soak's judge: it lets rounding pass, and nothing else."""

import re

import numpy as np
import pytest
from toys import HERBS, herb_photo

from benchmarks.sameness import POINTS, differs, model_of, seen
from benchmarks.soak import REPORT, floor, grown, promises
from herbdemo.recognise import Recogniser
from herbdemo.ui.result import answer_html


@pytest.fixture(scope="module")
def page(toy_model) -> str:
    return answer_html(Recogniser(toy_model).recognise([herb_photo("党参", 1)])[0])


@pytest.mark.parametrize(
    ("got", "wanted"),
    [
        ({"p": 0.501, "zh": "党参"}, {"p": 0.5, "zh": "党参"}),
        (["a 12.3% b"], ["a 12.4% b"]),
        (np.full((7, 7), 0.51), np.full((7, 7), 0.5)),
        (None, None),
    ],
)
def test_rounding_passes(got, wanted):
    assert differs(got, wanted) == ""


@pytest.mark.parametrize(
    ("got", "wanted"),
    [
        ({"p": 0.5 + 2 * POINTS / 100}, {"p": 0.5}),
        ({"p": 0.5}, {"p": 0.5, "more": 1}),
        (["a 12.3% b"], ["a 14.3% b"]),
        (["a 12.3% b"], ["a 12.3% c"]),
        (["a 12.3% b"], ["a 12.3% b 1"]),
        (np.full((7, 7), 0.6), np.full((7, 7), 0.5)),
        (np.zeros((7, 7)), np.zeros((14, 14))),
        ("words", ["words"]),
        (None, ["words"]),
        (True, False),
    ],
)
def test_all_else_is_told(got, wanted):
    assert differs(got, wanted)


def test_a_page_is_read_as_it_is_seen(page, toy_model):
    assert differs(seen(page), seen(page)) == ""
    assert model_of(page) == toy_model.sha256
    words, *maps = seen(page)
    assert "党参" in words
    assert len(maps) == 10
    other = HERBS[0] if "金银花" in words else HERBS[2]
    assert differs(seen(page.replace("党参", other)), seen(page))
    assert differs(seen(re.sub('cells="[^"]{8}', 'cells="AAAAAAAA', page)), seen(page))


def test_growth_is_that_of_the_line_after_the_warming():
    own = [(t, 500 + t if t < 200 else 1000 + t / 10, 0) for t in range(0, 1000, 5)]
    share, first, last = grown(own, 200)
    assert (round(first), round(last)) == (1020, 1099)
    assert share == pytest.approx(0.078, abs=1e-3)


def test_what_stays_is_told_from_what_comes_and_goes():
    own = [(t, 1000 + 9 * (t % 100), 0) for t in range(0, 2000, 5)]  # given back every 100 seconds
    assert grown(floor(own), 400)[0] == pytest.approx(0, abs=1e-6)


def test_a_promise_that_was_broken_is_told():
    flat = [[second, 1000, 1500] for second in range(0, 60, 5)]
    kept = {
        "minutes": 1,
        "wrong": [],
        "tracebacks": 0,
        "memory": {"rests": flat},
        "left": {
            "temporary": [],
            "after the end": [],
            "half written in the home": [],
            "uploads after the end": 0,
        },
    }
    assert all(promise.kept for promise in promises(kept))
    rising = [[second, 1000 + 5 * second, 1500] for second in range(0, 60, 5)]
    left = kept["left"] | {"uploads after the end": 89}
    broken = kept | {"wrong": ["a mixture"], "memory": {"rests": rising}, "left": left}
    assert [promise.found for promise in promises(broken) if not promise.kept] == [
        "1",
        "89",
        "+27.5%, 1000 → 1275 MB",
    ]


NONE = (
    "wrong answers",
    "tracebacks in the log",
    "files left in the temporary folder while running",
    "files left in the temporary folder after the end",
    "half-written files",
    "uploads left after the end",
)


@pytest.mark.parametrize("what", NONE)
def test_the_last_soak_found_none(what):
    (found,) = re.findall(rf"^\| {what}[^|]* \| (\d+) \|", REPORT.read_text("utf-8"), re.MULTILINE)
    assert found == "0"
