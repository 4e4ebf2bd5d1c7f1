"""The pieces of the page that need no browser."""

import base64
import dataclasses
import importlib
import re
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from herbdemo.errors import HerbError
from herbdemo.herbs import Herb, herb_named
from herbdemo.photo import Photo
from herbdemo.ui import (
    candidates,
    identify,
    live,
    model,
    photo_input,
    pictures,
    result,
    texts,
)
from herbdemo.ui.texts import Text

ROOT = Path(__file__).parent.parent
CHINESE = re.compile(r"[\u4e00-\u9fff]")


@dataclasses.dataclass(frozen=True)
class Candidate:
    herb: Herb
    probability: float


@dataclasses.dataclass(frozen=True)
class Answer:
    """An answer as the page sees it, without a network behind it."""

    candidates: tuple[Candidate, ...]
    verdict: str = "certain"
    empty: tuple[str, ...] = ()
    model: str = "toy"
    sha256: str = "0123456789abcdef" * 4
    network: str = "resnet50"
    device: str = "cpu · toy"
    why: Text = texts.ORIGINAL
    herbs: tuple[str, ...] = ()
    ms: float = 12.3
    stages: dict = dataclasses.field(default_factory=lambda: {"network": 12.0, "other": 0.3})
    photo: Photo = dataclasses.field(
        default_factory=lambda: Photo(
            Image.new("RGB", (400, 300), "olive"), (400, 300), "00", "JPEG"
        )
    )

    def heatmap(self, zh: str) -> np.ndarray:
        return np.zeros((7, 7)) if zh in self.empty else np.eye(7, dtype=np.float32)

    def contrast(self, a: str, b: str) -> np.ndarray:
        return np.eye(7, dtype=np.float32) - np.eye(7, dtype=np.float32)[::-1]


def answer(*herbs: Herb | str, **parts) -> Answer:
    herbs = herbs or ("党参", "白芍", "附子", "金银花", "茯苓")
    herbs = [herb if isinstance(herb, Herb) else herb_named(herb) for herb in herbs]
    odds = (0.614, 0.25, 0.1, 0.0004, 0.9996)
    return Answer(tuple(map(Candidate, herbs, odds)), **parts)


def spoken(html: str, language: str) -> str:
    """The text of some HTML in one language, as the style sheet leaves it."""
    other = "en" if language == "zh" else "zh"
    html = re.sub(rf'<span class="{other}"[^>]*>.*?</span>', "", html)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html))


# The result


def test_five_names_in_four_ways_with_percentages():
    page = result.answer_html(answer())
    assert page.count('class="row"') == 5
    for word in ("党参", "dǎng shēn", "Codonopsis Radix", "codonopsis root", "61.4%"):
        assert word in page


def test_no_model_is_sure_beyond_doubt():
    assert candidates.percent(0.9996) == ">99.9%"
    assert candidates.percent(0.0004) == "<0.1%"
    assert candidates.percent(0.5) == "50.0%"


def test_each_name_brings_its_map_and_its_contrast_with_the_first():
    page = result.answer_html(answer())
    assert page.count('data-map="evidence"') == page.count('data-map="contrast"') == 5
    alts = re.findall(r'data-zh-aria-label="([^"]*)"', page)
    assert "金银花的热图。金银花的依据（亮处）主要在中间、左上。" in alts
    assert any(alt.startswith("对比图。为什么是党参，而不是金银花。") for alt in alts)


@pytest.mark.parametrize(
    ("verdict", "zh", "en"),
    [
        ("certain", "应当是党参", "This looks like codonopsis root"),
        ("unsure", "拿不准：党参，还是白芍？", "Unsure: codonopsis root, or white peony root?"),
        ("unknown", "不是本模型认识的药材", "Not a herb this model knows"),
    ],
)
def test_the_verdict_is_said_in_words(verdict, zh, en):
    page = result.answer_html(answer(verdict=verdict))
    assert zh in spoken(page, "zh")
    assert en in spoken(page, "en")
    assert f'data-verdict="{verdict}"' in page


def test_poison_is_flagged():
    page = result.answer_html(answer())
    assert page.count('class="poison"') == 1  # 附子 alone
    assert "毒性药材" in page
    live_view = result.names_html(answer().candidates, "certain")
    assert live_view.count('class="poison"') == 1


def test_a_poison_among_the_candidates_is_warned_of():
    page = result.answer_html(answer())
    assert "也可能是附子（10.0%），它列为“有毒”" in spoken(page, "zh")
    assert "It may also be prepared common monkshood daughter root (10.0%)" in spoken(page, "en")
    first = result.answer_html(answer("附子", "党参"))
    assert "附子列为“有毒”。须遵医嘱" in spoken(first, "zh")
    assert page.index('class="cautions"') < page.index('class="candidates"')


def test_a_look_alike_that_the_model_never_saw_is_named():
    page = result.answer_html(answer("白芍", "桃"))
    assert "白芍容易与赤芍混淆，而本模型从未见过后者" in spoken(page, "zh")
    assert "White peony root is easily confused with red peony root" in spoken(page, "en")
    assert 'data-goto="herbs" data-herb="赤芍"' in page
    assert "cautions" not in result.answer_html(answer("白芍", "桃", herbs=("赤芍",)))
    deadly = result.answer_html(answer("金银花", "桃"))
    assert "钩吻" in spoken(deadly, "zh")
    assert "listed as highly toxic" in spoken(deadly, "en")


def test_candidates_that_look_alike_bring_their_contrast():
    page = result.answer_html(answer("桃", "白芍", "赤芍"))
    assert "白芍与赤芍容易混淆" in spoken(page, "zh")
    assert "对比图。为什么是白芍，而不是赤芍。" in page
    assert 'class="duel"' not in page  # the large map compares with the first only
    page = result.answer_html(answer("白芍", "桃", "赤芍"))
    assert 'class="duel" data-index="2" data-mode="contrast"' in page


def test_each_name_leads_to_its_herb_and_if_wanted_to_a_closer_look():
    page = result.answer_html(answer())
    assert page.count('data-goto="herbs"') >= 5
    assert 'data-goto="explain"' not in page
    page = result.answer_html(answer(), closer=True)
    assert 'data-goto="explain" data-herb="党参" data-photo="00"' in page


def test_a_map_without_evidence_says_so():
    page = result.answer_html(answer(empty=("茯苓",)))
    assert page.count("data-empty") == 1
    assert "照片里没有支持茯苓的地方" in spoken(page, "zh")
    assert "Nothing in the photo speaks for" in spoken(page, "en")


def test_every_result_says_that_it_is_no_medical_advice_and_names_its_model():
    page = result.answer_html(answer())
    assert "not medical advice" in page
    assert "不能代替医师" in page
    for part in ("toy", "01234567", "12 ms", "12 毫秒", f"cpu · toy: {texts.ORIGINAL.html}"):
        assert part in page


def test_names_are_escaped():
    herb = Herb("<img src=x onerror=alert(1)>", latin="<b>", en='"><script>', aliases=("恶<i>",))
    page = result.answer_html(answer(herb, "党参"))
    assert "<img src=x" not in page
    assert "<script" not in page
    assert "恶<i>" not in page


@pytest.mark.parametrize("verdict", ["certain", "unsure", "unknown"])
def test_a_model_of_one_herb_has_a_result_too(verdict):
    page = result.answer_html(answer("党参", verdict=verdict))
    assert page.count('class="row"') == 1


def test_maps_travel_as_their_own_numbers():
    page = result.answer_html(answer())
    found = re.findall(r'<herb-map cells="([^"]+)" table="(\w+)"', page)
    assert [table for _, table in found] == ["ember", "contrast"] * 5
    for text, table in found:
        words = np.frombuffer(base64.b64decode(text), "<u2").reshape(7, 7) / 65535
        wanted = answer().heatmap("党参") if table == "ember" else answer().contrast("党参", "白芍")
        np.testing.assert_allclose(words if table == "ember" else words * 2 - 1, wanted, atol=2e-5)


def test_the_result_is_little_more_than_its_photo():
    page = result.answer_html(answer(), closer=True, shareable=True, correctable=True)
    photo = re.search(r'src="(data:image/jpeg[^"]*)"', page)[1]
    assert page.count("data:image") == 1
    assert len(page) - len(photo) < 30_000


def test_two_results_are_never_the_same_string():
    one = answer()  # Gradio redraws only what changed, and the photo may be the same
    assert result.answer_html(one) != result.answer_html(one)


# What goes wrong


def test_an_error_is_said_in_both_languages():
    page = result.error_html(HerbError("照片坏了。请换一张。", "Broken <photo>. Take another."))
    assert "照片坏了" in spoken(page, "zh")
    assert "Broken &lt;photo&gt;" in spoken(page, "en")
    assert "照片坏了" not in spoken(page, "en")


def test_looking_at_something_else_than_a_photo(tmp_path):
    file = tmp_path / "secret.jpg"
    file.write_text("no photo")
    page = identify.look(str(file))
    assert "trouble" in page
    assert str(tmp_path) not in page


def test_nothing_unexpected_reaches_the_visitor(monkeypatch):
    def broken(path):
        raise RuntimeError("/secret/path exploded")

    monkeypatch.setattr(model, "recognise", broken)
    page = identify.look("photo.jpg")
    assert "secret" not in page
    assert texts.FAILED.zh in page
    assert "secret" not in str(live.look("data:image/jpeg;base64,AAAA"))


@pytest.mark.parametrize(
    "frame", ["", "data:", "data:image/jpeg;base64,!!!", "x" * 3_000_000, None, 7, ["a"], "a,AAAA"]
)
def test_a_live_frame_that_is_no_picture_is_answered_in_words(frame):
    seen = live.look(frame)
    assert CHINESE.search(seen["html"])
    assert "map" not in seen


def test_a_live_frame_waits_only_so_long(monkeypatch):
    monkeypatch.setattr(model, "_gate", threading.BoundedSemaphore(1))
    model._gate.acquire()
    image = pictures.data_url(Image.new("RGB", (64, 64)), "jpeg")
    monkeypatch.setattr(live, "PATIENCE", 0.01)
    assert texts.LIVE_BUSY.zh in live.look(image)["html"]


def test_a_live_answer_has_names_and_a_map(monkeypatch):
    monkeypatch.setattr(model, "recognise", lambda frame, patience: answer())
    seen = live.look("data:image/jpeg;base64,AAAA")
    assert seen["html"].count('class="row"') == 5
    assert seen["map"] == pictures.cells(np.eye(7))
    monkeypatch.setattr(model, "recognise", lambda frame, patience: answer(verdict="unknown"))
    assert live.look("data:image/jpeg;base64,AAAA")["map"] == ""


# Texts


def all_texts() -> list[Text]:
    names = [path.stem for path in (ROOT / "herbdemo" / "ui").glob("texts*.py")]
    modules = [importlib.import_module(f"herbdemo.ui.{name}") for name in names]
    values = [value for module in modules for value in vars(module).values()]
    values += [text for value in values if isinstance(value, dict) for text in value.values()]
    values += [text for pair in texts.TIPS for text in pair]
    return [value for value in values if isinstance(value, Text)]


@pytest.mark.parametrize("text", all_texts(), ids=lambda text: text.en[:30])
def test_every_text_is_in_both_languages(text):
    assert text.zh.strip()
    assert text.en.strip()
    assert not CHINESE.search(text.en)
    holes = [re.findall(r"{\w*}", sentence) for sentence in text]  # a named one may come twice
    first, second = (sorted(found if "{}" in found else set(found)) for found in holes)
    assert first == second


def test_the_dictionary_can_be_read_both_ways():
    pairs = texts.dictionary()
    assert {"识别", "药材", "模型"} < set(pairs)
    assert len(set(pairs.values())) == len(pairs)


def test_filling_in_keeps_the_languages_apart():
    filled = texts.CERTAIN.format(Text("党参", "codonopsis"))
    assert filled.zh.endswith("党参")
    assert filled.en.endswith("codonopsis")


# The app


def test_the_page_asks_nothing_of_other_hosts():
    from herbdemo.ui.app import launch_options

    options = launch_options()
    page = options["css"] + options["head"] + options["theme"]._get_theme_css()
    assert not re.search(r"https?://(?!www\.w3\.org/)", page)
    assert "@import" not in page
    assert not options["theme"]._stylesheets


def test_errors_of_the_server_stay_on_the_server():
    from herbdemo.ui.app import launch_options

    options = launch_options()
    assert options["show_error"] is False
    assert options["max_file_size"] == 50 * 1024 * 1024


def test_only_what_programs_may_call_is_public():
    import app

    public = {
        fn.api_name for fn in app.demo.fns.values() if fn.api_visibility == "public" and fn.fn
    }
    assert public == {"recognise_herb", "explain_herb", "compare_herbs", "list_herbs"}


def test_the_photo_is_handed_over_unopened(tmp_path):
    from gradio.data_classes import FileData

    file = tmp_path / "not-a-photo.jpg"
    file.write_text("text")
    component = photo_input.PhotoInput({}, into="result")
    assert component.preprocess(FileData(path=str(file))) == str(file)
    assert component.preprocess(None) is None


def test_examples_are_those_of_the_users_folder(tmp_path, monkeypatch):
    Image.new("RGB", (50, 40), "green").save(tmp_path / "mine.png")
    (tmp_path / "broken.jpg").write_text("no photo")
    (tmp_path / "README.md").write_text("words")
    monkeypatch.setenv("HERBDEMO_EXAMPLES", str(tmp_path))
    assert list(photo_input.example_photos()) == ["mine.png"]


def test_without_examples_the_page_still_stands(tmp_path, monkeypatch):
    monkeypatch.setenv("HERBDEMO_EXAMPLES", str(tmp_path / "nowhere"))
    assert photo_input.example_photos() == {}
    assert 'class="examples"' not in photo_input.PhotoInput({}, into="result").html_template


def test_templates_hold_nothing_that_gradio_would_evaluate():
    for template in (photo_input.PhotoInput({}, into="result").html_template, live._template()):
        assert "${" not in template
        assert "{{" not in template
        assert "`" not in template
        assert "\\" not in template
