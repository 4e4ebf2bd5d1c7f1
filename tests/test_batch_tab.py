"""What the Batch tab draws and what it refuses: anyone can send anything."""

import re
from html.parser import HTMLParser

import gradio as gr
import pytest
from toys import herb_picture, refusal

from herbdemo.kept_piles import keep_photos
from herbdemo.ui import batch, pile_desk
from herbdemo.ui import texts_batch as t
from herbdemo.ui.batch_view import Progress, progress_html
from herbdemo.ui.gate import Visitor
from herbdemo.ui.pile_desk import View

EVIL = '"><img src=x onerror=alert(1)>.png'


def row(number: int, verdict: str = "certain", file: str = "") -> dict:
    herb = {"zh": "党参", "pinyin": "dǎng shēn", "latin": "", "en": "", "probability": 0.1}
    failed = verdict == "failed"
    error = {"error": {"zh": "打不开。", "en": "<b>No</b> photo.", "hint": ""}} if failed else {}
    return {"file": file or f"{number}.png", "verdict": verdict, "model": "toy", "sha256": "",
            "candidates": [] if failed else [herb] * 5, **error}  # fmt: skip


@pytest.fixture
def pile(tmp_path):
    herb_picture("党参", 1).save(tmp_path / "1.png")
    pile = keep_photos([tmp_path / "1.png"], None)
    pile.journal.append([row(n, "failed" if n % 3 == 0 else "certain") for n in range(120)])
    return pile


class Tags(HTMLParser):
    """The elements of some HTML, and the handlers of events in it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names, self.handlers, self.open = [], [], []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        if tag not in ("img", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_a_page_holds_fifty_rows_whatever_is_asked_for(pile):
    view = View()
    assert pile_desk.rows(pile, view).count("<li class=") == 50
    view.page = 10**7
    assert pile_desk.rows(pile, view).count('data-act="open"') == 14  # of the last twenty
    assert view.page == 2
    assert pile_desk.rows(pile, View("failed")).count('<li class="failed"') == 40
    assert "<ol" not in pile_desk.rows(pile, View("unknown"))


def test_names_and_reasons_are_words_and_no_html(pile):
    pile.journal.append([row(0, file=EVIL), row(0, "failed", file=EVIL)])
    tags = Tags(pile_desk.rows(pile, View("", 2)))
    assert not tags.handlers
    assert "b" in tags.names  # our own
    assert tags.names.count("img") == 0  # there are no thumbnails yet
    html, _ = pile_desk.opened(pile, 120)
    assert not Tags(html).handlers
    assert "<img" not in progress_html(Progress("0" * 32, EVIL, 3, 1, "running"))


@pytest.mark.parametrize("state", ["waiting", "running", "stopped", "interrupted", "done"])
def test_the_card_offers_what_can_be_done(state):
    done = 4 if state == "done" else 1
    html = progress_html(Progress("0" * 32, "a.zip", 4, done, state, ahead=2, seconds_left=300.0))
    Tags(html)
    acts = set(re.findall(r'data-act="([a-z]+)"', html))
    wanted = {"waiting": "stop", "running": "stop", "stopped": "resume", "interrupted": "resume"}
    assert acts == {"delete", wanted.get(state, "delete")}


def test_what_is_not_there_is_refused(pile, tmp_path):
    assert pile_desk.find("../piles") is None
    assert pile_desk.find("0" * 32) is None
    assert refusal(pile_desk.opened, pile, 120).hint == "no-such-row"
    for kind in ("", "exe", "../csv", "CSV"):
        assert refusal(pile_desk.file_of, pile, kind, tmp_path / "shelf").hint == "no-such-file"
    assert "<h2>" in pile_desk.result(pile, "../1.png")  # a sentence
    for kind in (*t.FILES, "pdf"):
        file = pile_desk.file_of(pile, kind, tmp_path / "shelf")
        assert file.suffix == f".{kind}"
        assert len(file.parent.name) == 32


def test_no_address_takes_all_the_room(tmp_path, monkeypatch):
    monkeypatch.setattr(batch, "MOST_EACH", 2)
    monkeypatch.setattr(pile_desk, "begin", lambda pile: None)  # nothing is recognised
    herb_picture("党参", 1).save(tmp_path / "1.png")
    with gr.Blocks():
        tab = batch.Batch()

    def give(host: str, *, owner: bool = False) -> str:
        made = tab.photos([str(tmp_path / "1.png")], {}, Visitor(owner, "", "", host=host))
        return re.search('data-keep="([0-9a-f]{32})"', made[tab.pile]).group(1)

    first = give("1.2.3.4")
    give("1.2.3.4")
    assert refusal(give, "1.2.3.4").hint == "piles-many"
    give("5.6.7.8")
    give("1.2.3.4", owner=True)
    tab.delete({"pile": first}, Visitor(False, "", ""))
    give("1.2.3.4")
