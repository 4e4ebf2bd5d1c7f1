"""A visitor's first minutes on the Space: the folder as it is uploaded, run as Spaces run it.

HERBDEMO_SPACE_URL names a Space that runs already, as `make space-try` does.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PHONE

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
PATIENCE = 90_000  # milliseconds; the first photo waits for the model


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the Space."""
    if url := os.environ.get("HERBDEMO_SPACE_URL"):
        yield url
        return
    from scripts.space import build
    from scripts.space_try import space_served, troubles

    folder = tmp_path_factory.mktemp("space")
    build(folder / "app")
    with space_served(folder / "app", folder / "run", HERBDEMO_ENGINE="torch") as (server, _):
        yield f"{server.url}/"
    assert not troubles((folder / "run" / "server.log").read_text("utf-8"))
    kept = {path.name for path in (folder / "run" / "home").iterdir()}
    assert kept <= {".cache", ".config", ".herbdemo", ".gradio"}, kept


def names(page) -> list[str]:
    return page.locator("#result .candidate .han").all_inner_texts()


def recognise(page) -> None:
    page.click(".examples button >> nth=0")
    page.wait_for_selector(".answer:not(.pending), .trouble", timeout=PATIENCE)


def test_an_example_is_recognised_with_its_heatmaps_in_both_languages(new_page, space):
    page = new_page(locale="zh-CN")
    page.goto(space)
    recognise(page)
    assert len(set(names(page))) == 5
    first = page.locator(".plate .map").get_attribute("cells")
    page.click(".row[data-index='2']")
    assert page.locator(".plate .map").get_attribute("cells") != first
    assert "不能代替" in page.locator("body").inner_text()
    page.click("[data-speak='en']")
    assert "not medical advice" in page.locator("body").inner_text().lower()


def test_a_visitor_teaches_a_sandbox_and_the_owner_signs_in(new_page, space):
    page = new_page(locale="en-GB", **{k: v for k, v in PHONE.items() if k != "has_touch"})
    page.goto(space)
    recognise(page)
    page.click("[data-tab-id='learn']")
    page.wait_for_selector("#gate .card")
    page.wait_for_selector("#hub-login")  # of the front matter's hf_oauth
    assert not page.locator("#start form").count()  # the library is the owner's
    page.fill("#giver [data-herb-name]", "月季花")
    page.keyboard.press("Escape")
    rose = EXAMPLES / "yuejihua-rose.jpg"
    page.set_input_files("[data-give='photos'] input[type='file']", rose)
    page.wait_for_selector("#gate .box .thumbs", timeout=PATIENCE)
