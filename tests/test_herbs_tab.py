"""The Herbs tab without a browser: what is found, what a page says, who sees the library."""

import re

import pytest
from toys import encoded, herb_picture, refusal

from herbdemo.dossier import dossier
from herbdemo.herbs import catalogue
from herbdemo.library import Library
from herbdemo.ui import herbs_tab, sandbox
from herbdemo.ui import texts_herbs as t
from herbdemo.ui.gate import Visitor
from herbdemo.ui.herbs_view import list_html, page_html
from herbdemo.ui.text import Text
from tests.test_ui import spoken

OWNER, GUEST = Visitor(True, "me", "one"), Visitor(False, "", "two")


@pytest.fixture
def card(monkeypatch) -> dict:
    """A model of three herbs is in use, one of which its owner named."""
    card = {
        "herbs": ["金银花", "艾叶", "迷迭香<b>"],
        "added": [["迷迭香<b>", "a" * 64]],
        "metrics": {
            "test": {"per_herb": {"金银花": {"n": 20, "top1": 0.9}}},
            "mistakes": [{"herb": "金银花", "answer": "艾叶"}] * 2,
        },
    }
    monkeypatch.setattr(herbs_tab, "active_card", lambda: card)
    return card


def ids(card, text: str = "", **options) -> list[str]:
    wanted = {"everything": True, "toxic": False, "twins": False} | options
    return [herb.zh for herb in herbs_tab.chosen(card, text, **wanted)]


@pytest.mark.parametrize(
    "text", ["jyh", "金銀花", "金银花", "jin yin hua", "JINYINHUA", "Lonicera", "honeysuckle"]
)
def test_a_herb_is_found_by_any_of_its_names(card, text):
    assert "金银花" in ids(card, text)[:3]
    assert ids(card, text, everything=False) == ["金银花"]


def test_a_herb_that_only_the_model_knows_is_found_too(card):
    assert "迷迭香<b>" in ids(card, "midiexiang")
    assert "迷迭香<b>" in ids(card, "mdx")
    assert "迷迭香<b>" not in ids({}, "midiexiang")


def test_without_a_text_all_are_sorted_by_pinyin(card):
    assert ids(card, everything=False) == ["艾叶", "金银花", "迷迭香<b>"]
    everything = ids(card, " ")
    assert len(everything) == len(catalogue()) + 1
    assert everything.index("艾叶") < everything.index("党参") < everything.index("紫苏叶")


def test_the_filters(card):
    toxic = ids(card, toxic=True)
    assert {"艾叶", "川乌"} <= set(toxic)
    assert all(catalogue()[zh].toxic for zh in toxic)
    assert ids(card, toxic=True, everything=False) == ["艾叶"]
    assert ids(card, twins=True, everything=False) == ["金银花"]
    assert "附子" in ids(card, toxic=True, twins=True)
    assert ids(card, "lonicera", toxic=True) == []


def test_the_list_is_drawn_in_steps(card):
    first = herbs_tab.look({"scope": "all"})
    assert first.count("<li>") == herbs_tab.STEP
    assert t.MORE.format(len(catalogue()) + 1 - herbs_tab.STEP).zh in first
    assert herbs_tab.look({"scope": "all", "steps": 2}).count("<li>") == 2 * herbs_tab.STEP
    own = herbs_tab.look({"scope": "model"})
    assert own.count("<li>") == 3
    assert "data-more" not in own
    assert "90%" in own
    assert t.NOT_MEASURED.zh in own


@pytest.mark.parametrize(
    "asked",
    [None, 3, [], {"text": 7}, {"text": "x" * 10**6}, {"text": ["a"]}, {"steps": "many"},
     {"steps": -5}, {"steps": True}, {"text": "<script>", "scope": "<b>"}, {"text": "\ud800"}],
    ids=lambda asked: str(asked)[:30],
)  # fmt: skip
def test_whatever_is_asked_gets_a_list(card, asked):
    found = herbs_tab.look(asked)
    assert 'class="count"' in found
    assert "<script" not in found
    assert "alert" not in found


def test_nothing_unexpected_reaches_the_visitor(monkeypatch):
    def broken():
        raise RuntimeError("/secret/path")

    monkeypatch.setattr(herbs_tab, "active_card", broken)
    found = herbs_tab.look({})
    assert "secret" not in found
    assert 'role="alert"' in found


def test_no_model_still_has_a_catalogue(monkeypatch):
    monkeypatch.setattr(herbs_tab, "active_card", dict)
    assert t.NONE_FOUND.zh in herbs_tab.look({"scope": "model"})
    assert "川乌" in herbs_tab.look({"scope": "all", "text": "川乌"})
    assert "川乌" in herbs_tab.page_of("川乌", GUEST)


def test_the_page_of_a_herb_says_all_there_is(card):
    page = page_html(dossier("金银花", card), card["herbs"])
    zh, en = spoken(page, "zh"), spoken(page, "en")
    for word in ("金银花", "金銀花", "jīn yín huā", "Lonicerae Japonicae Flos", "忍冬花"):
        assert word in zh
        assert word in en
    assert "honeysuckle flower" in en
    assert "花蕾或初开的花" in zh
    assert "flower bud or opening flower" in en
    assert "90.0%" in zh
    assert "20 张照片" in zh
    assert "of 20" in en
    assert re.search(r"艾叶 小毒 2 次", zh)
    assert re.search(r"wild honeysuckle flower bud Unknown to this model", en)
    assert 'data-herb="钩吻"' in page
    assert t.LIBRARY_TITLE.zh not in page


def test_the_page_explains_the_class_of_a_poison(card):
    for zh in ("艾叶", "半夏", "川乌"):
        herb = catalogue()[zh]
        assert t.TOXIC_CLASS[herb.toxic].zh in page_html(dossier(zh, card), card["herbs"])
    assert t.NOT_LISTED.zh in page_html(dossier("金银花", card), card["herbs"])


def test_a_herb_that_the_owner_taught(card):
    page = page_html(dossier("迷迭香<b>", card), card["herbs"])
    assert t.ADDED.zh in page
    assert "<b>" not in page.replace("<b>90", "")
    assert "<b>" not in list_html([dossier("迷迭香<b>", card)], 1)


def test_every_herb_of_the_catalogue_has_a_page_and_a_part_in_both_languages(card):
    for zh, herb in catalogue().items():
        assert page_html(dossier(zh, card), card["herbs"]).count("<section") >= 4
        assert not herb.part or herb.part in t.PARTS
    assert set(t.PARTS) == {herb.part for herb in catalogue().values()} - {""}


def test_a_page_is_found_by_any_name_and_refused_in_words(card):
    assert 'data-herb="金银花"' in herbs_tab.page_of("jin yin hua", GUEST)
    assert 'data-herb="迷迭香&lt;b&gt;"' in herbs_tab.page_of("迷迭香<b>", GUEST)
    for name in ("", "nothing", "../../etc", "<script>", "x" * 500):
        refusal(herbs_tab.page_of, name, GUEST)


def test_only_the_owner_sees_the_library(card):
    for seed in range(10):
        Library().add(encoded(herb_picture("金银花", seed)), "金银花")
    mine, theirs = (herbs_tab.page_of("金银花", who) for who in (OWNER, GUEST))
    assert mine.count("<img") == 8
    assert "10 张" in mine
    assert "<img" not in theirs
    assert t.LIBRARY_TITLE.zh not in theirs
    assert t.LIBRARY_NONE.zh in herbs_tab.page_of("党参", OWNER)


def test_a_visitors_own_sandbox_counts(card, toy, monkeypatch):
    from herbdemo.recognise import Recogniser

    box = sandbox.Box(recogniser=Recogniser(toy))
    monkeypatch.setattr(sandbox, "of", lambda session: box if session == "two" else None)
    assert t.MODEL_KNOWS.zh in herbs_tab.page_of("陈皮", GUEST)
    assert t.MODEL_KNOWS.zh not in herbs_tab.page_of("陈皮", OWNER)


def test_the_texts_are_in_both_languages():
    texts = [value for value in vars(t).values() if isinstance(value, Text)]
    texts += t.TOXIC_CLASS.values()
    assert len(texts) > 40
    for text in texts:
        assert re.search(r"[\u4e00-\u9fff{}]", text.zh)
        assert set(re.findall(r"{\d?}", text.zh)) == set(re.findall(r"{\d?}", text.en))
