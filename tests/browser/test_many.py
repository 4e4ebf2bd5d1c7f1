"""Several photos of one herb, and several herbs in one photo, in a real Chromium."""

import base64
import re
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import PHONE

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
ROSE, DANDELION = EXAMPLES / "yuejihua-rose.jpg", EXAMPLES / "pugongying-dandelion.jpg"
BARK, COFFEE = EXAMPLES / "rougui-cinnamon-bark.jpg", EXAMPLES / "unknown-coffee.jpg"
PATIENCE = 90_000  # milliseconds; two busy cores, and the first photo waits for the model
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def open_way(page, way: str) -> None:
    page.click(f"#ways [data-tab-id='{way}']")
    page.wait_for_selector({"specimen": "#specimen-photos .drop", "tray": "#tray-photo .drop"}[way])


def takes(page, count: int) -> None:
    """Wait until the fused answer is that of `count` photos, and one of them is shown."""
    page.wait_for_function(
        f"document.querySelectorAll('#specimen .take').length === {count}", timeout=PATIENCE
    )
    page.wait_for_selector("#specimen-one .answer:not(.pending)", timeout=PATIENCE)


def give(page, *photos: Path) -> None:
    page.set_input_files("#specimen-photos input.file", list(photos))


def fits(page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.fixture(scope="module")
def tray(tmp_path_factory) -> Path:
    """A table with a rose, a dandelion and cinnamon bark on it."""
    table = Image.new("RGB", (1200, 900), "#eee8dc")
    for at, photo in enumerate((ROSE, DANDELION, BARK)):
        place = (36 + at % 2 * 600, 27 + at // 2 * 450)
        table.paste(Image.open(photo).convert("RGB").resize((528, 396)), place)
    path = tmp_path_factory.mktemp("tray") / "tray.jpg"
    table.save(path, quality=92)
    return path


@pytest.fixture
def visit(new_page, server):
    """`visit("phone", "zh-CN")` opens the page there, in that language."""

    def make(screen: str, locale: str):
        page = new_page(locale=locale, **(PHONE if screen == "phone" else {}))
        page.goto(server)
        return page

    return make


everywhere = pytest.mark.parametrize(
    ("screen", "locale"), [("desktop", "zh-CN"), ("desktop", "en-US"), ("phone", "zh-CN")]
)


# One herb, several photos


@everywhere
def test_several_photos_one_answer(visit, screen, locale):
    page = visit(screen, locale)
    open_way(page, "specimen")
    give(page, ROSE, DANDELION)
    takes(page, 2)
    assert page.locator("#specimen .candidate").count() == 5
    assert page.locator("#specimen .mark").count() == 1
    give(page, BARK)  # one after another does, too
    takes(page, 3)
    assert page.locator("#specimen .mark").count() == 1
    assert page.locator("#specimen-photos .strip li").count() == 3
    assert fits(page)
    text = page.locator("#specimen .each > p").inner_text()
    assert bool(CHINESE.search(text)) == locale.startswith("zh")


def test_a_photo_is_removed_and_the_answer_follows(page):
    open_way(page, "specimen")
    give(page, ROSE, DANDELION)
    takes(page, 2)
    page.click("[data-remove] >> nth=1")
    takes(page, 1)
    assert page.locator("#specimen .mark").count() == 0
    page.click("[data-remove] >> nth=0")
    page.wait_for_selector("#specimen .specimen", state="detached", timeout=PATIENCE)
    assert page.locator("#specimen-photos h2").is_visible()  # it asks for photos again


def test_a_click_on_a_photo_shows_its_own_answer(page):
    open_way(page, "specimen")
    give(page, ROSE, DANDELION)
    takes(page, 2)
    shown = page.get_attribute("#specimen-one .answer", "data-photo")
    other = page.locator(f"#specimen [data-act='show']:not([data-photo='{shown}'])")
    wanted = other.get_attribute("data-photo")
    other.click()
    page.wait_for_selector(f"#specimen-one .answer[data-photo='{wanted}']", timeout=PATIENCE)
    assert page.locator("#specimen-one .candidate").count() == 5
    pressed = page.locator("#specimen [aria-pressed='true']")
    assert pressed.get_attribute("data-photo") == wanted


def test_the_heatmaps_are_those_of_the_chosen_herb(page):
    open_way(page, "specimen")
    give(page, ROSE, DANDELION)
    takes(page, 2)
    for herb in ("0", "2"):
        page.check(f"#specimen input[value='{herb}']", force=True)
        shown = page.locator("#specimen .take").first.locator("[data-of]:visible")
        assert shown.count() == 2  # the map, and in words where it has its evidence
        assert {one.get_attribute("data-of") for one in shown.all()} == {herb}


def test_a_sixth_photo_is_left_out_in_words(page):
    open_way(page, "specimen")
    give(page, ROSE, ROSE, ROSE, DANDELION, BARK, COFFEE)
    assert page.locator("#specimen-photos .said p").is_visible()
    takes(page, 5)
    assert not page.locator("#specimen-photos [data-way='file']").is_visible()


def test_a_broken_file_is_named_and_the_others_count(page, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(ROSE.read_bytes()[:2000])
    open_way(page, "specimen")
    give(page, ROSE, broken)
    takes(page, 1)
    assert "2" in page.locator("#specimen .left-out").inner_text()


def test_photos_are_pasted_one_after_another(page):
    open_way(page, "specimen")
    png = base64.b64encode((EXAMPLES / "shengjiang-ginger.png").read_bytes()).decode()
    page.evaluate(
        """async (png) => {
            const blob = await (await fetch(`data:image/png;base64,${png}`)).blob();
            await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
        }""",
        png,
    )
    page.keyboard.press("Control+V")
    takes(page, 1)
    page.click("#specimen-photos [data-way='paste']")
    takes(page, 2)


# Several herbs in one photo


@everywhere
def test_the_herbs_of_a_tray_are_shown_and_listed(visit, tray, screen, locale):
    page = visit(screen, locale)
    open_way(page, "tray")
    page.set_input_files("#tray-photo input.file", tray)
    page.wait_for_selector("#tray-found .found", timeout=PATIENCE)
    herbs = set(page.locator("#tray-found .han").all_inner_texts())
    assert len(herbs & {"月季花", "蒲公英", "肉桂"}) >= 2
    page.wait_for_function(
        "document.querySelectorAll('#tray-picture .mask').length === "
        "document.querySelectorAll('#tray-found tbody tr').length"
    )
    assert fits(page)
    said = "照片和其中的药材" if locale.startswith("zh") else "The photo and the herbs in it"
    page.wait_for_selector(f"#tray-picture img[alt='{said}']")
    title = page.locator("#tray-found h2").inner_text()
    assert bool(CHINESE.search(title)) == locale.startswith("zh")


def test_a_row_lights_up_its_herb_alone(page, tray):
    open_way(page, "tray")
    page.set_input_files("#tray-photo input.file", tray)
    page.wait_for_selector("#tray-picture .mask >> nth=1", timeout=PATIENCE)
    lit = page.locator("#tray-picture .mask.active")
    page.focus("[data-region='1'] .number-badge")
    page.keyboard.press("Enter")
    page.wait_for_selector("#tray-picture .mask.active")
    assert lit.count() == 1
    page.keyboard.press("Enter")
    page.wait_for_selector("#tray-picture .mask.active", state="detached")
    page.hover("[data-region='0'] .odd, [data-region='0'] .han")
    page.wait_for_selector("#tray-picture .mask.active")
    assert (
        page.locator("#tray-picture .mask").nth(0).evaluate("m => m.classList.contains('active')")
    )


def test_where_nothing_is_known_it_says_so_and_takes_the_next_photo(page, tray):
    open_way(page, "tray")
    page.set_input_files("#tray-photo input.file", COFFEE)
    page.wait_for_selector("#tray-found .trouble", timeout=PATIENCE)
    assert not page.locator("#tray-picture").is_visible()
    page.set_input_files("#tray-photo input.file", tray)
    page.wait_for_selector("#tray-found .found", timeout=PATIENCE)
    assert page.locator("#tray-picture").is_visible()


def test_a_broken_photo_is_refused_in_words(page, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(ROSE.read_bytes()[:2000])
    open_way(page, "tray")
    page.set_input_files("#tray-photo input.file", broken)
    page.wait_for_selector("#tray-found .trouble", timeout=PATIENCE)
    assert str(tmp_path) not in page.inner_text("#tray-found")
