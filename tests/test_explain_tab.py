"""The Explain tab without a browser: its HTML, and what reaches its handlers from anyone."""

import re
import threading

import numpy as np
import pytest
from PIL import Image
from toys import HERBS, encoded, herb_picture, refusal

from herbdemo.errors import HerbError
from herbdemo.explain import LAYERS, METHODS, SLOW, Explainer
from herbdemo.ui import explain, explain_view, texts_explain
from herbdemo.ui.explain import Opened, look, put_to_the_test, quick_maps, slow_map
from herbdemo.ui.explain_view import Key, Map, cards_html, desk_html
from herbdemo.ui.lately import Lately

HERB, OTHER = HERBS[:2]
SIZE = (60, 48)


@pytest.fixture
def served(toy, monkeypatch) -> Explainer:
    """The toy model as the active one, and nothing kept from earlier tests."""
    explainer = Explainer(toy)
    monkeypatch.setattr(explain, "_explainer", lambda: explainer)
    for name in ("_seen", "_maps", "_tests"):
        monkeypatch.setattr(explain, name, Lately(8))
    monkeypatch.setattr(explain, "_running", {})
    monkeypatch.setattr(explain, "_refused", type(explain._refused)())
    return explainer


@pytest.fixture
def upload(tmp_path) -> str:
    path = tmp_path / "herb.png"
    path.write_bytes(encoded(herb_picture(HERB, 1)))
    return str(path)


def test_the_page_names_every_method_and_layer_of_the_library():
    assert set(explain_view.METHODS) == set(METHODS)
    assert set(explain_view.SLOW) == SLOW
    assert tuple(texts_explain.LAYERS) == LAYERS
    assert set(texts_explain.ABOUT) == set(texts_explain.METHODS)


def test_a_photo_can_be_asked_about_every_herb_of_the_model(served, upload):
    html = look(upload, {}, {})
    assert re.findall(r'<optgroup label="([^"]+)"', html)[0] == texts_explain.LIKELY.zh
    for herb in HERBS:
        assert html.count(f'<option value="{herb}"') == 2  # to look at, and to compare with
    assert look(upload, {}, {"herb": OTHER}).count(f'value="{OTHER}" selected') == 1
    against = look(upload, {}, {"herb": OTHER, "against": OTHER}).split('name="against"')[1]
    assert "selected" not in against  # a herb is not compared with itself


@pytest.mark.parametrize("herb", ["人参", "", "<script>", "x" * 10_000])
def test_an_unknown_herb_is_not_asked_for(served, upload, herb):
    html = look(upload, {}, {"herb": herb})
    assert '<article class="desk"' in html
    assert "<script>" not in html


@pytest.mark.parametrize("content", [b"", b"no photo", b"\x89PNG\r\n\x1a\n", b"GIF89a" * 100])
def test_what_is_no_photo_is_refused_with_a_sentence(served, tmp_path, content):
    path = tmp_path / "thing.png"
    path.write_bytes(content)
    html = look(str(path), {}, {})
    assert 'class="trouble"' in html
    assert str(tmp_path) not in html


def test_without_a_photo_there_is_a_sentence(served):
    assert 'class="trouble"' in look(None, {}, {})
    assert 'class="trouble"' in look(None, {}, {"example": "../../etc/passwd"})
    assert 'class="trouble"' in look("/nowhere/at/all.png", {}, {})


def test_maps_are_given_as_cards(served, upload):
    opened = Opened(upload, {}, {})
    want = [Key("grad-cam", "layer4", HERB), Key("contrast", "layer4", HERB, OTHER)]
    html = quick_maps(opened, "\n".join(map(str, want)))
    assert re.findall(r'data-key="([^"]+)"', html) == [str(key) for key in want]
    assert html.count("<herb-map cells=") == 2
    assert html.count("data-zh-aria-label=") == html.count("data-en-aria-label=") == 2


@pytest.mark.parametrize(
    "want",
    [
        "",
        "grad-cam",
        "grad-cam|layer9|金银花|",
        "no-cam|layer4|金银花|",
        "score-cam|layer4|金银花|",  # minutes long: only one at a time, see below
        "contrast|layer1|金银花|党参",
        "contrast|layer4|金银花|",
        "grad-cam|layer4|人参|",
        "grad-cam|layer4|金银花||",
        "\n".join(["grad-cam|layer4|金银花|"] * 13),
        "|" * 400,
    ],
)
def test_maps_that_there_are_not_are_refused(served, upload, want):
    refusal(quick_maps, Opened(upload, {}, {}), want or "|")


def test_a_map_of_another_photo_is_not_given(served, upload):
    assert refusal(Opened, upload, {}, {"photo": "0" * 64}).hint == "photo-gone"
    assert refusal(Opened, None, {}, {}).hint == "photo-gone"
    assert refusal(Opened, None, {}, {"example": "gone.jpg"}).hint == "photo-gone"


def test_no_map_is_worked_out_twice(served, upload, monkeypatch):
    quick_maps(Opened(upload, {}, {}), f"grad-cam|layer4|{HERB}|")
    monkeypatch.setattr(served, "explain", lambda *_, **__: pytest.fail("worked out again"))
    quick_maps(Opened(upload, {}, {}), f"grad-cam|layer4|{HERB}|")


def test_what_is_kept_is_bounded():
    kept = Lately(2)
    for n in (1, 2, 1, 3):
        assert kept.get((n,), lambda n=n: n) == n
    assert [kept.has((n,)) for n in (1, 2, 3)] == [True, False, True]


def test_what_two_made_at_once_is_weighed_once():
    kept = Lately(3, weigh=lambda made: made)
    for _ in range(5):
        kept._keep(("a",), 2)  # as where the one that both waited for had failed
    kept.get(("b",), lambda: 1)
    assert kept.has(("a",))
    kept.get(("c",), lambda: 1)
    assert not kept.has(("a",))


def test_a_slow_map_tells_how_far_it_is_and_ends_as_a_card(served, upload):
    key = f"ablation-cam|layer4|{HERB}|"
    *told, last = slow_map(Opened(upload, {}, {}), key, "session", "1")
    assert all('data-part="running"' in html for html in told)
    assert 'data-part="cards"' in last
    assert not explain._running


def test_a_slow_map_can_be_stopped_and_another_begun(served, upload):
    run = slow_map(Opened(upload, {}, {}), f"score-cam|layer1|{HERB}|", "session", "1")
    next(run), next(run)
    second = slow_map(Opened(upload, {}, {}), f"score-cam|layer1|{OTHER}|", "session", "2")
    assert refusal(next, second).hint == "one-slow-map"
    other = slow_map(Opened(upload, {}, {}), f"ablation-cam|layer4|{HERB}|", "another", "1")
    next(other)  # one for each visitor
    other.close()
    explain.stop_slow("session", "1")
    assert 'data-part="stopped"' in list(run)[-1]
    third = slow_map(Opened(upload, {}, {}), f"ablation-cam|layer4|{HERB}|", "session", "3")
    assert 'data-part="cards"' in list(third)[-1]


def test_a_visitor_who_leaves_ends_the_slow_map(served, upload):
    run = slow_map(Opened(upload, {}, {}), f"score-cam|layer1|{HERB}|", "session", "1")
    next(run), next(run)
    (thread,) = (thread for thread in threading.enumerate() if thread.name == "slow map")
    run.close()  # as Gradio does
    thread.join(20)
    assert not thread.is_alive()
    assert not explain._running


def test_a_stop_before_its_turn_counts(served, upload):
    explain.stop_slow("session", "7")
    run = slow_map(Opened(upload, {}, {}), f"score-cam|layer1|{HERB}|", "session", "7")
    assert 'data-part="stopped"' in list(run)[-1]


def test_a_slow_map_that_was_never_worked_out_is_not_put_to_the_test(served, upload):
    opened = Opened(upload, {}, {})
    assert refusal(put_to_the_test, opened, f"score-cam|layer4|{HERB}|").hint == "map-gone"


def test_a_map_is_put_to_the_test_in_words_and_figures(served, upload):
    html = put_to_the_test(Opened(upload, {}, {}), f"grad-cam|layer3|{HERB}|")
    assert 'class="said"' in html
    assert html.count('class="line"') == 2
    contrast = put_to_the_test(Opened(upload, {}, {}), f"contrast|layer4|{HERB}|{OTHER}")
    assert texts_explain.FAITH_CONTRAST.zh in contrast


# HTML


def card(values: np.ndarray, method: str = "grad-cam") -> str:
    return cards_html([Map(Key(method, "layer4", HERB, OTHER), values)])


def test_an_empty_map_says_so_in_words():
    html = card(np.zeros((7, 7), np.float32))
    assert "data-empty" in html
    assert texts_explain.EMPTY.zh in html
    assert texts_explain.EMPTY.en in html
    assert 'data-lines=""' in html


@pytest.mark.parametrize(
    ("at", "place"),
    [
        ((0, 0), "in the upper left"),
        ((3, 3), "in the middle"),
        ((6, 3), "at the bottom"),
        ((3, 6), "on the right"),
    ],
)
def test_a_map_says_where_it_is_bright_also_to_who_cannot_see_it(at, place):
    values = np.zeros((7, 7), np.float32)
    values[at] = 1
    html = card(values)
    label = re.search(r'data-en-aria-label="([^"]*)"', html)[1]
    assert label.endswith(f"Bright mainly {place}.")
    assert f"Bright mainly {place}." in html.split('class="words"')[1]  # for who can, too


def test_names_from_anywhere_are_escaped():
    herb = '"><img src=x onerror=alert(1)>'
    key = Key("grad-cam", "layer4", herb, "")
    for html in (
        cards_html([Map(key, np.ones((7, 7), np.float32))]),
        explain_view.running_html(key, 0.5),
        explain_view.faith_html(key, texts_explain.FAITH_EMPTY),
        desk_html(Image.new("RGB", SIZE), "0", (herb, HERB), np.array([0.6, 0.4]), chosen=herb),
    ):
        assert "<img src=x" not in html


def test_herbs_confused_with_the_chosen_one_come_first_for_a_comparison():
    from herbdemo.herbs import catalogue

    herb = next(herb for herb in catalogue().values() if herb.confused_with)
    alike = herb.confused_with[0]
    herbs = ("金银花", "党参", alike, herb.zh)
    html = desk_html(
        Image.new("RGB", SIZE), "0", herbs, np.array([0.4, 0.3, 0.2, 0.1]), chosen=herb.zh
    )
    against = html.split('name="against"')[1]
    assert (
        re.search(r'<option value="([^"]+)"', against.split("</optgroup>")[0].split("–")[1])[1]
        == alike
    )


def test_a_refusal_is_a_sentence_and_not_a_trace(served, upload):
    with pytest.raises(HerbError):
        quick_maps(Opened(upload, {}, {}), "a|b|c|d")
