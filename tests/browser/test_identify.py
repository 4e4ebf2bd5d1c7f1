"""A visitor's stories, in a real Chromium: a photo goes in, names and heatmaps come out."""

import base64
import io
import json
import re
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from herbdemo import heatmap
from herbdemo.photo import open_photo
from herbdemo.ui.pictures import cells
from tests.conftest import PHONE

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
ROSE = EXAMPLES / "yuejihua-rose.jpg"
GINGER = EXAMPLES / "shengjiang-ginger.png"
PATIENCE = 60_000  # milliseconds; two busy cores, and the first photo waits for the model
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def give(page, photo: Path) -> None:
    """Choose a photo and wait for the result."""
    page.wait_for_selector(".giver")
    page.set_input_files(".giver input.file", photo)
    answered(page)


def answered(page) -> None:
    page.wait_for_selector(".answer:not(.pending), .trouble", timeout=PATIENCE)


def names(page) -> list[str]:
    return page.locator("#result .candidate .han").all_inner_texts()


def shown_map(page) -> str:
    return page.locator(".plate .map").get_attribute("cells")


def visible_text(page) -> str:
    return page.locator("body").inner_text()


@pytest.fixture
def herb(data):
    """`herb("金银花")` is a photo of that herb, from the test split."""

    def find(name: str) -> Path:
        return min((data / "herbs" / "test" / name).glob("*.jpg"))

    return find


def test_five_names_and_another_heatmap_for_the_third(new_page, server, herb):
    page = new_page(locale="zh-CN")
    page.goto(server)
    give(page, herb("金银花"))
    found = names(page)
    assert len(found) == len(set(found)) == 5
    assert found[0] == "金银花"
    first = shown_map(page)
    page.click(".row[data-index='2']")
    assert shown_map(page) != first
    assert page.get_attribute(".row[data-index='2']", "aria-pressed") == "true"
    assert page.get_attribute(".row[data-index='0']", "aria-pressed") == "false"
    assert found[2] in page.inner_text(".caption")
    page.click("[data-mode='contrast']")
    assert found[0] in page.inner_text(".caption")
    assert found[2] in page.inner_text(".caption")


def test_the_candidates_work_from_the_keyboard(page):
    give(page, ROSE)
    page.focus(".row[data-index='0']")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.dataset.index") == "1"
    assert page.get_attribute(".row[data-index='1']", "aria-pressed") == "true"


def test_opacity_and_comparison_move_the_heatmap(page):
    give(page, ROSE)
    page.click(".row[data-index='0']")
    page.locator(".answer .opacity input").fill("20")
    assert page.eval_on_selector(".plate .map", "map => getComputedStyle(map).opacity") == "0.2"
    page.locator(".cut").fill("50")
    clip = page.eval_on_selector(".plate .map", "map => getComputedStyle(map).clipPath")
    assert "50%" in clip


def test_the_overlay_and_the_raw_map_can_be_saved(page, tmp_path):
    give(page, ROSE)
    page.click(".row[data-index='1']")
    photo = Image.open(ROSE)
    for kind in ("overlay", "raw"):
        with page.expect_download() as waiting:
            page.click(f"[data-save='{kind}']")
        waiting.value.save_as(tmp_path / "saved.png")
        saved = Image.open(tmp_path / "saved.png")
        assert saved.format == "PNG"
        assert saved.width / saved.height == pytest.approx(photo.width / photo.height, rel=0.02)
        assert names(page)[1] in waiting.value.suggested_filename
    red, green, blue = (np.asarray(saved.getchannel(band)) for band in "RGB")
    assert (red == green).all() and (green == blue).all()  # noqa: PT018
    assert red.max() > 250


def test_the_browser_draws_a_map_as_heatmap_does(page):
    page.wait_for_selector(".giver")
    rng = np.random.default_rng(7)
    for table, side in (("ember", 7), ("contrast", 7), ("dusk", 14)):
        values = rng.random((side, side))
        values = 2 * values - 1 if table == "contrast" else np.maximum(values - 0.3, 0) / 0.7
        drawn = page.evaluate(
            """([cells, table]) => {
                const map = document.createElement("herb-map");
                map.setAttribute("cells", cells);
                map.setAttribute("table", table);
                return map.picture(300, 200).toDataURL("image/png");
            }""",
            [cells(values, signed=table == "contrast"), table],
        )
        ours = heatmap.layer(values, (300, 200), colormap=table)
        theirs = Image.open(io.BytesIO(base64.b64decode(drawn.partition(",")[2])))
        seen = []
        for layer in (ours, theirs):  # over a photo: a canvas keeps no colour where alpha is 0
            photo = Image.new("RGBA", layer.size, "olive")
            photo.alpha_composite(layer.convert("RGBA"))
            seen.append(np.asarray(photo).astype(int))
        apart = np.abs(seen[0] - seen[1])
        # Where rounding falls the other way it is the colour beside, up to eight levels away.
        assert apart.max() <= 8
        assert (apart <= 2).all(axis=2).mean() > 0.999


def test_the_saved_overlay_is_the_one_of_the_library(page, tmp_path, recogniser):
    give(page, ROSE)
    page.click(".row[data-index='1']")
    page.click("[data-mode='evidence']")
    with page.expect_download() as waiting:
        page.click("[data-save='overlay']")
    waiting.value.save_as(tmp_path / "saved.png")
    saved = np.asarray(Image.open(tmp_path / "saved.png").convert("RGB")).astype(int)
    answer = recogniser.recognise([open_photo(ROSE)])[0]
    ours = heatmap.overlay(answer.photo.image, answer.heatmap(answer.candidates[1].herb.zh))
    apart = np.abs(saved - np.asarray(ours).astype(int))
    assert apart.mean() < 3  # the page's photo is a JPEG


def test_a_photo_is_pasted(page):
    page.wait_for_selector(".giver")
    png = base64.b64encode(GINGER.read_bytes()).decode()
    page.evaluate(
        """async (png) => {
            const blob = await (await fetch(`data:image/png;base64,${png}`)).blob();
            await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
        }""",
        png,
    )
    page.keyboard.press("Control+V")
    answered(page)
    assert len(names(page)) == 5
    page.reload()
    page.click("[data-way='paste']")  # the button does the same
    answered(page)
    assert len(names(page)) == 5


def test_a_photo_is_dropped(page):
    page.wait_for_selector(".giver")
    page.evaluate(
        """async (jpeg) => {
            const blob = await (await fetch(`data:image/jpeg;base64,${jpeg}`)).blob();
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([blob], "rose.jpg", { type: "image/jpeg" }));
            for (const type of ["dragenter", "dragover", "drop"]) {
                const options = { dataTransfer, bubbles: true, cancelable: true };
                document.querySelector("#masthead").dispatchEvent(new DragEvent(type, options));
            }
        }""",
        base64.b64encode(ROSE.read_bytes()).decode(),
    )
    answered(page)
    assert len(names(page)) == 5


def test_an_example_is_one_click(page):
    page.click(".examples button >> nth=0")
    answered(page)
    assert len(names(page)) == 5


def test_a_photo_is_taken_with_the_webcam(camera_page, herb):
    page = camera_page(herb("金银花"))
    page.click("[data-way='camera']")
    page.wait_for_function("document.querySelector('dialog video').videoWidth > 0")
    page.click("[data-camera='take']")
    answered(page)
    assert names(page)[0] == "金银花"


def test_the_live_camera_names_what_it_sees(camera_page, herb):
    page = camera_page(herb("金银花"))
    page.wait_for_selector(".giver")
    page.click("[data-tab-id='live']")
    page.click("[data-live='start']")
    page.wait_for_selector(".names-live .candidate", timeout=PATIENCE)
    assert page.inner_text(".names-live .han >> nth=0") == "金银花"
    page.wait_for_selector(".live .map:not([hidden])", state="attached", timeout=PATIENCE)
    page.click("[data-live='stop']")
    assert page.evaluate("document.querySelector('.live video').srcObject") is None
    assert page.locator(".names-live .candidate").count() == 0


def test_without_a_camera_the_page_says_what_to_do(page):
    page.click("[data-way='camera']")
    page.wait_for_selector(".trouble")
    assert "camera" in page.inner_text(".trouble")


def test_a_phone_never_scrolls_sideways(phone):
    wide = "document.documentElement.scrollWidth > innerWidth"
    phone.wait_for_selector(".giver")
    for language in ("zh", "en"):
        phone.click(f"[data-speak='{language}']")
        assert not phone.evaluate(wide)
    give(phone, ROSE)
    for language in ("zh", "en"):
        phone.click(f"[data-speak='{language}']")
        for mode in ("evidence", "contrast"):
            phone.click(f"[data-mode='{mode}']")
            assert not phone.evaluate(wide)
    phone.evaluate("scrollTo(0, 0)")  # the photo goes along otherwise
    verdict = phone.locator(".verdict").bounding_box()
    plate = phone.locator(".plate").bounding_box()
    assert 0 <= verdict["y"] - plate["y"] - plate["height"] < 60  # directly below the photo
    small = phone.evaluate(
        """[...document.querySelectorAll("#photo button, #result button")]
            .filter((button) => button.offsetParent && button.offsetHeight < 44)
            .map((button) => button.outerHTML.slice(0, 90))"""
    )
    assert small == []
    phone.click("[data-tab-id='live']")
    assert not phone.evaluate(wide)


def test_the_photo_stays_in_sight_beside_the_last_name(phone):
    give(phone, ROSE)
    phone.locator(".candidate").last.scroll_into_view_if_needed()
    plate = phone.locator(".plate").bounding_box()
    assert 0 <= plate["y"] < 20


def test_a_later_answer_is_read_out_in_the_same_language(new_page, server):
    page = new_page(locale="en-GB")
    page.goto(server)
    give(page, ROSE)
    page.set_input_files(".giver input.file", GINGER)
    page.wait_for_function(
        "document.querySelector('#result .answer:not(.pending) .han')?.textContent === '生姜'",
        timeout=PATIENCE,
    )
    wrong = """["alt", "aria-label", "title", "placeholder"].flatMap((name) =>
        [...document.querySelectorAll(`[data-en-${name}]`)]
            .map((one) => [one.getAttribute(name), one.getAttribute(`data-en-${name}`)])
            .filter(([said, wanted]) => said !== wanted))"""
    page.wait_for_function(f"({wrong}).length === 0")


@pytest.mark.parametrize(
    ("locale", "chinese"), [("zh-CN", True), ("zh-TW", True), ("en-GB", False)]
)
def test_the_first_language_is_the_browsers(new_page, server, locale, chinese):
    page = new_page(locale=locale)
    page.goto(server)
    page.wait_for_selector(".giver h2")
    assert bool(CHINESE.search(page.inner_text(".giver h2"))) is chinese


def test_the_switch_changes_every_word_and_is_remembered(new_page, server):
    page = new_page(locale="zh-CN")
    page.goto(server)
    give(page, ROSE)
    chinese = page.inner_text(".verdict h2")
    alt = page.get_attribute(".plate .photo", "alt")
    page.click("[data-speak='en']")
    assert page.inner_text(".verdict h2") != chinese
    assert page.get_attribute(".plate .photo", "alt") != alt
    left = page.evaluate(  # names of herbs and of the language itself stay Chinese
        r"""() => {
            const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
            const left = [];
            while (texts.nextNode()) {
                const parent = texts.currentNode.parentElement;
                if (parent.offsetParent && !parent.closest(".han, .facts, [data-speak], .name-zh")
                    && /[\u4e00-\u9fff]/.test(texts.currentNode.data)) {
                    left.push(texts.currentNode.data);
                }
            }
            return left;
        }"""
    )
    assert left == []
    page.reload()
    page.wait_for_selector(".giver h2")
    assert not CHINESE.search(page.inner_text(".giver h2"))
    page.click("[data-speak='zh']")
    assert page.inner_text("[data-tab-id='live']") == "实时"


@pytest.mark.parametrize("name", ["broken.jpg", "empty.png", "drawing.svg", "iphone.heic"])
def test_an_unreadable_file_gets_a_sentence_and_leaves_no_old_answer(page, tmp_path, name):
    file = tmp_path / name
    file.write_bytes(b"" if name == "empty.png" else b"<svg/> this is no photo")
    give(page, ROSE)
    page.set_input_files(".giver input.file", file)
    page.wait_for_selector(".trouble", timeout=PATIENCE)
    assert page.locator(".candidate").count() == 0
    assert len(page.inner_text(".trouble p")) > 20
    for word in ("Traceback", "Error", "/tmp", str(tmp_path), "null"):
        assert word not in visible_text(page)
    page.set_input_files(".giver input.file", ROSE)  # and the page still works
    answered(page)
    assert len(names(page)) == 5


def test_a_file_too_large_is_refused_before_it_is_sent(page, tmp_path):
    file = tmp_path / "large.jpg"
    with file.open("wb") as large:
        large.truncate(51 * 1024 * 1024)
    page.wait_for_selector(".giver")
    page.set_input_files(".giver input.file", file)
    page.wait_for_selector(".trouble")
    assert "50 MB" in page.inner_text(".trouble")


def test_an_iphone_photo_is_shown_too(page, tmp_path):
    from pillow_heif import from_pillow

    file = tmp_path / "IMG_0001.HEIC"
    from_pillow(Image.open(ROSE).convert("RGB")).save(file)
    give(page, file)
    assert len(names(page)) == 5
    assert page.eval_on_selector(".plate .photo", "photo => photo.naturalWidth") > 100


def test_two_tabs_do_not_mix(new_page, server, herb):
    one, two = new_page(), new_page()
    for tab in (one, two):
        tab.goto(server)
        tab.wait_for_selector(".giver")
    one.set_input_files(".giver input.file", herb("金银花"))
    two.set_input_files(".giver input.file", herb("枸杞子"))
    for tab, name in ((one, "金银花"), (two, "枸杞子")):
        answered(tab)
        assert names(tab)[0] == name
    before = shown_map(one)
    two.click(".row[data-index='3']")
    assert shown_map(one) == before


def test_the_last_of_two_quick_photos_is_the_one_answered(page, herb):
    page.wait_for_selector(".giver")
    page.set_input_files(".giver input.file", herb("金银花"))
    page.set_input_files(".giver input.file", herb("枸杞子"))
    page.wait_for_function(
        "document.querySelector('.answer:not(.pending) .han')?.textContent === '枸杞子'",
        timeout=PATIENCE,
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_follows_the_darkness_of_the_system(new_page, server, scheme):
    page = new_page(color_scheme=scheme)
    page.goto(server)
    page.wait_for_selector(".giver")
    page.wait_for_selector(f":root[data-shade='{scheme}']", state="attached")
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    light = sum(map(int, re.findall(r"\d+", colour)[:3])) > 384
    assert light is (scheme == "light")
    page.click("[data-shade-switch]")
    assert page.evaluate("document.documentElement.dataset.shade") != scheme


def test_the_page_is_quiet_and_stays_on_this_host(new_page, server):
    page = new_page(**PHONE)
    said, asked = [], []
    page.on(
        "console", lambda message: said.append(message.text) if message.type == "error" else None
    )
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(server)
    give(page, ROSE)
    assert said == []
    assert [url for url in asked if not url.startswith((server, "data:", "blob:"))] == []


def test_private_handlers_are_not_offered(server):
    with urllib.request.urlopen(f"{server}gradio_api/info", timeout=30) as response:
        offered = json.load(response)
    assert set(offered["named_endpoints"]) == {
        "/recognise_herb", "/explain_herb", "/compare_herbs", "/list_herbs",
    }  # fmt: skip
    assert offered["unnamed_endpoints"] == {}


def test_the_foot_opens_how_to_call_it_from_a_program(page):
    page.wait_for_selector(".giver")
    assert not page.locator("footer[aria-label]").is_visible()
    page.click("[data-open-api]")
    page.wait_for_selector("text=recognise_herb >> visible=true", timeout=PATIENCE)
