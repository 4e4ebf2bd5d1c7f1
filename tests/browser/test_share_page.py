"""Sharing a result, in a real Chromium: a link that others open, and a picture card."""

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import PHONE

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
ROSE = EXAMPLES / "yuejihua-rose.jpg"
COFFEE = EXAMPLES / "unknown-coffee.jpg"
PATIENCE = 60_000  # milliseconds; two busy cores, and the first photo waits for the model


def give(page, photo: Path) -> None:
    page.wait_for_selector("#photo .giver")
    page.set_input_files("#photo input.file", photo)
    page.wait_for_selector("#result .answer:not(.pending)", timeout=PATIENCE)


def answer(page) -> list[tuple[str, str]]:
    """The five names with their percentages."""
    page.wait_for_selector("#result .answer:not(.pending), #result .trouble", timeout=PATIENCE)
    rows = page.locator("#result .candidates .row")
    return list(
        zip(
            rows.locator(".han").all_inner_texts(),
            rows.locator(".odds").all_inner_texts(),
            strict=True,
        )
    )


def share(page) -> str:
    """Make a link, as a visitor does."""
    page.click("#result [data-share]")
    page.wait_for_selector("dialog.sharing[data-step='ask']")
    page.click("[data-share-make]")
    page.wait_for_selector("dialog.sharing[data-step='link']", timeout=PATIENCE)
    return page.input_value("dialog.sharing input")


def opened(new_page, link: str, **options):
    """The link in another browser."""
    page = new_page(**options)
    page.goto(link)
    page.wait_for_selector("#result .answer:not(.pending), #result .trouble", timeout=PATIENCE)
    return page


def test_a_link_shows_another_browser_the_same_answer(page, new_page, server):
    give(page, ROSE)
    page.click("#result .row[data-index='2']")
    seen = answer(page)
    link = share(page)
    assert link.startswith(f"{server}?result=")
    other = opened(new_page, link, locale="zh-CN")
    assert answer(other) == seen
    assert len(seen) == 5
    assert "分享的结果" in other.inner_text(".shared")
    other.wait_for_selector("#result .row[data-index='2'][aria-pressed='true']")  # what was pressed
    map_ = other.locator(".plate .map").get_attribute("cells")
    other.click("#result .row[data-index='1']")
    assert other.locator(".plate .map").get_attribute("cells") != map_
    assert other.locator("#photo .giver[data-filled]").count() == 1
    # Whoever was sent the link can pass it on, but not delete it.
    other.click("#result [data-share]")
    assert other.input_value("dialog.sharing input") == link
    assert not other.locator("[data-share-delete]").is_visible()


def test_it_says_what_is_kept_before_it_keeps_anything(page, server_folder):
    kept = server_folder / "home" / "shared"
    before = len(list(kept.glob("*")))
    give(page, ROSE)
    page.click("#result [data-share]")
    said = page.inner_text("dialog.sharing .ask")
    title, more = (
        page.locator(f"dialog.sharing .ask {e}").first.bounding_box() for e in ("h2", "p")
    )
    assert title["y"] + title["height"] <= more["y"]  # one below the other
    for word in ("7 days", "1024 pixels", "Whoever has the link"):
        assert word in said
    page.click("dialog.sharing .ask [value='cancel']")
    assert not page.locator("dialog.sharing").is_visible()
    assert len(list(kept.glob("*"))) == before


def test_an_example_can_be_shared_and_the_link_is_copied(page, new_page):
    page.wait_for_selector("#photo .giver")
    page.click("#photo [data-example='yuejihua-rose.jpg']")
    page.wait_for_selector("#result .answer:not(.pending)", timeout=PATIENCE)
    link = share(page)
    page.click("[data-share-copy]")
    page.wait_for_selector("[data-share-copy][data-done]")
    assert page.evaluate("navigator.clipboard.readText()") == link
    assert answer(opened(new_page, link)) == answer(page)


def test_who_shared_it_can_delete_it(page, new_page):
    give(page, ROSE)
    link = share(page)
    page.click("[data-share-delete]")  # asks once more
    page.click("[data-share-delete]")
    page.wait_for_selector("#identify-notice .notice.done", timeout=PATIENCE)
    assert not page.locator("dialog.sharing").is_visible()
    other = opened(new_page, link)
    assert "leads nowhere" in other.inner_text("#result .trouble")


def test_it_can_be_deleted_days_later_from_the_same_browser(page):
    give(page, ROSE)
    page.goto(share(page))
    page.wait_for_selector("#result .shared", timeout=PATIENCE)
    page.click("#result [data-share]")
    page.click("[data-share-delete]")
    page.click("[data-share-delete]")
    page.wait_for_selector("#identify-notice .notice.done", timeout=PATIENCE)
    assert page.locator("#result .shared").count() == 0
    assert "result=" not in page.url


def test_a_link_ends(page, new_page, server_folder):
    give(page, ROSE)
    link = share(page)
    file = server_folder / "home" / "shared" / link.split("=")[1] / "answer.json"
    file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | {"ends": 1.0}), "utf-8")
    assert opened(new_page, link).locator("#result .answer").count() == 0


@pytest.mark.parametrize(
    "name", ["0" * 32, "../../etc/passwd", "<img src=x onerror=alert(1)>", "x"]
)
def test_a_link_that_was_made_up(new_page, server, name):
    page = new_page(locale="zh-CN")
    page.on("dialog", lambda dialog: pytest.fail("a script ran"))
    page.goto(f"{server}?result={name}")
    page.wait_for_selector("#result .trouble", timeout=PATIENCE)
    assert "链接已失效" in page.inner_text("#result .trouble")
    assert "passwd" not in page.inner_text("#result")


def test_another_photo_leaves_the_link(page, new_page):
    give(page, ROSE)
    other = opened(new_page, share(page))
    give(other, COFFEE)
    assert "result=" not in other.url
    assert other.locator("#result .shared").count() == 0


# The picture card


def card(page, tmp_path: Path) -> Image.Image:
    with page.expect_download(timeout=PATIENCE) as download:
        page.click("#result [data-card]")
    assert download.value.suggested_filename.endswith("-card.png")
    path = tmp_path / "card.png"
    download.value.save_as(path)
    assert path.stat().st_size < 8 << 20
    picture = Image.open(path)
    assert picture.format == "PNG"
    assert picture.width == 1080
    return picture.convert("RGB")


def assert_it_keeps_its_margin(picture: Image.Image) -> None:
    """Nothing is written beyond the margins, so no text overflows."""
    left = picture.crop((0, 0, 56, picture.height))
    right = picture.crop((picture.width - 56, 0, picture.width, picture.height))
    for edge in (left, right):
        assert len(edge.getcolors(maxcolors=16)) == 1


@pytest.mark.parametrize("locale", ["zh-CN", "en-US"])
@pytest.mark.parametrize("photo", [ROSE, COFFEE], ids=["herb", "unknown"])
def test_the_card(new_page, server, tmp_path, locale, photo):
    page = new_page(locale=locale)
    page.goto(server)
    give(page, photo)
    picture = card(page, tmp_path)
    assert 1200 < picture.height < 2600
    assert_it_keeps_its_margin(picture)
    assert len(picture.getcolors(maxcolors=1 << 24)) > 5000  # the photo is on it


@pytest.mark.parametrize("size", [(300, 1500), (1500, 300)], ids=["tall", "wide"])
def test_the_card_of_a_photo_of_any_shape(page, tmp_path, size):
    file = tmp_path / "shape.png"
    Image.open(ROSE).convert("RGB").resize(size).save(file)
    give(page, file)
    picture = card(page, tmp_path)
    assert picture.height < 2600
    assert_it_keeps_its_margin(picture)


def test_both_languages_are_on_their_own_card(page, tmp_path):
    give(page, ROSE)
    english = card(page, tmp_path)
    page.click("[data-speak='zh']")
    assert card(page, tmp_path).tobytes() != english.tobytes()


def test_the_card_of_a_shared_result(page, new_page, tmp_path):
    give(page, ROSE)
    mine = card(page, tmp_path)
    other = card(opened(new_page, share(page)), tmp_path)
    assert other.size == mine.size


# A phone


def test_on_a_phone(phone, new_page, tmp_path):
    give(phone, ROSE)
    for button in ("[data-share]", "[data-card]"):
        assert phone.locator(f"#result {button}").bounding_box()["height"] >= 44
    assert card(phone, tmp_path).width == 1080
    link = share(phone)
    box = phone.locator("dialog.sharing").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    for button in phone.locator("dialog.sharing .link button:visible").all():
        assert button.bounding_box()["height"] >= 44
    other = opened(new_page, link, **PHONE)
    assert answer(other) == answer(phone)
    assert other.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_phone_sends_the_link_its_own_way(new_page, server):
    page = new_page(**PHONE)
    page.add_init_script("navigator.share = async (what) => { window.sent = what; };")
    page.goto(server)
    give(page, ROSE)
    link = share(page)
    page.click("[data-share-send]")
    assert page.evaluate("window.sent.url") == link
