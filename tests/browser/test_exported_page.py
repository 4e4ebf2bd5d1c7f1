"""The light model as the page that `models export` writes, in a Chromium that reaches no more."""

import functools
import http.server
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import DESKTOP, PHONE, skip_or_fail

from herbdemo.browser import PACKAGE, PAGE, export_page
from herbdemo.errors import HerbError
from herbdemo.files import home
from herbdemo.photo import open_photo
from herbdemo.recognise import Recogniser
from herbdemo.registry import Registry

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
ROSE, COFFEE = (EXAMPLES / name for name in ("yuejihua-rose.jpg", "unknown-coffee.jpg"))
PATIENCE = 120_000  # ms; loading the model takes three seconds where nothing else runs
OPACITY = 0.9  # of the strongest cell


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return Recogniser(Registry().load("herbs-31-v2-light"))


@pytest.fixture(scope="module")
def address(chromium, recogniser: Recogniser, tmp_path_factory) -> Iterator[str]:
    """The page on a web server that knows nothing of it."""
    folder = tmp_path_factory.mktemp("exported") / "page"
    kept = home() / PACKAGE  # the developer's own
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HERBDEMO_HOME", str(folder.parent / "home"))
        try:
            export_page(recogniser.checkpoint, folder, runtime=kept if kept.is_file() else None)
        except HerbError as error:
            if error.hint != "runtime-unreachable":
                raise
            skip_or_fail("HERBDEMO_REQUIRE_BROWSER", "npm's registry cannot be reached")
    handler = functools.partial(Quiet, directory=folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def drop(page, photo: bytes) -> None:
    held = page.evaluate_handle(
        """(bytes) => {
            const held = new DataTransfer();
            held.items.add(new File([new Uint8Array(bytes)], "photo.jpg", { type: "image/jpeg" }));
            return held;
        }""",
        list(photo),
    )
    page.dispatch_event("main", "drop", {"dataTransfer": held})
    page.wait_for_selector("h2:not(:has-text('…'))", timeout=PATIENCE)


def candidates(page) -> dict[str, float]:
    """The herbs that the page names, with their share."""
    told = page.locator("#herbs button").all_inner_texts()
    found = (re.match(r"([\d.]+) % · (\S+) ·", text).groups() for text in told)
    return {herb: float(percent) / 100 for percent, herb in found}


def shown_map(page) -> np.ndarray:
    """The values of the map on the page, from how opaque it is."""
    width, height, *rgba = page.evaluate("""() => {
        const { width, height } = document.querySelector("#map");
        const pen = document.querySelector("#map").getContext("2d");
        return [width, height, ...pen.getImageData(0, 0, width, height).data];
    }""")
    return np.reshape(rgba, (height, width, 4))[..., 3] / 255 / OPACITY


def violations(page) -> list[tuple[str, list[str]]]:
    """What keeps somebody out, by axe."""
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found]


def test_it_answers_and_explains_as_python_does(new_page, address, recogniser):
    page = new_page(locale="zh-CN")
    asked, failed = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: failed.append(error))
    page.goto(address)
    verdicts = set()
    for path in sorted(EXAMPLES.glob("*.jpg")):
        (answer,) = recogniser.recognise([open_photo(path)])
        drop(page, path.read_bytes())
        found = candidates(page)
        best = answer.candidates[0]
        assert next(iter(found)) == best.herb.zh, path.name
        for candidate in answer.candidates[:2]:
            assert found[candidate.herb.zh] == pytest.approx(candidate.probability, abs=0.02)
        for herb in list(found)[:2]:
            page.click(f"button:has-text('{herb}')")
            expected = answer.heatmap(herb)
            assert np.corrcoef(shown_map(page).ravel(), expected.ravel())[0, 1] > 0.99
            assert np.abs(shown_map(page) - expected).max() < 0.1
        said = page.inner_text("h2")
        verdicts.add(answer.verdict)
        assert (
            said
            == {
                "certain": f"应当是{best.herb.zh}",
                "unsure": f"拿不准：{best.herb.zh}，还是{answer.candidates[1].herb.zh}？",
                "unknown": "不是本模型认识的药材",
            }[answer.verdict]
        )
    assert {"certain", "unknown"} <= verdicts
    assert not failed
    assert all(url.startswith(address) for url in asked)


def test_on_a_phone_without_a_mouse(new_page, address):
    page = new_page(**PHONE, locale="en-GB")
    page.goto(address)
    page.set_input_files("input", ROSE)
    page.wait_for_selector("#herbs button", timeout=PATIENCE)
    assert page.get_by_role("status").inner_text() == "This looks like Chinese rose flower"
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate("document.documentElement.lang") == "en"
    page.focus("#herbs button >> nth=1")
    page.keyboard.press("Enter")
    pressed = [b.get_attribute("aria-pressed") for b in page.locator("#herbs button").all()]
    assert pressed == ["false", "true", "false", "false", "false"]
    assert page.get_by_role("img", name="Photo, bright where it speaks for").is_visible()


def test_of_a_stranger_no_map_is_shown_until_a_herb_is_clicked(new_page, address):
    page = new_page(locale="zh-CN")
    page.goto(address)
    drop(page, ROSE.read_bytes())
    assert page.get_by_role("status").inner_text() == "应当是月季花"
    assert shown_map(page).any()
    drop(page, COFFEE.read_bytes())
    told = page.get_by_role("status").inner_text()
    assert re.fullmatch("不是本模型认识的药材\\s+下面只是最接近的几种，切勿当作答案；.+", told)
    assert page.locator("[aria-pressed=true]").count() == 0
    assert not page.evaluate("document.querySelector('#map').height")
    assert page.get_by_role("img").get_attribute("aria-label") == "照片"
    assert violations(page) == []
    page.click("#herbs button >> nth=1")
    assert shown_map(page).any()


@pytest.mark.parametrize(("locale", "said"), [("zh-CN", "有毒"), ("en-GB", "toxic")])
def test_poisons_are_named_in_the_readers_language(new_page, address, locale, said):
    def poisonous(route):
        model = route.fetch().json()
        for herb in model["herbs"]:
            herb |= {"toxic": "toxic", "toxic_zh": "有毒"}
        route.fulfill(json=model)

    page = new_page(locale=locale)
    page.route("**/herbs.json", poisonous)
    page.goto(address)
    drop(page, ROSE.read_bytes())
    for text in page.locator("#herbs button").all_inner_texts():
        assert text.split(" · ")[-1] == said


def test_what_is_no_photo_is_said_to_be_none(new_page, address):
    page = new_page(locale="en")
    page.goto(address)
    drop(page, ROSE.read_bytes())
    drop(page, b"no photo")
    assert page.inner_text("h2") == "Failed: choose a JPEG, PNG or WebP photo."
    assert not page.locator("#photo").bounding_box()["height"]  # no photo that looks like the one
    assert page.locator("#herbs button").count() == 0
    drop(page, COFFEE.read_bytes())
    assert page.inner_text("h2") == "Not a herb this model knows"


@pytest.mark.parametrize("options", [DESKTOP, PHONE | {"color_scheme": "dark"}])
def test_nothing_on_it_keeps_anyone_out(new_page, address, options):
    page = new_page(**options)
    page.goto(address)
    drop(page, ROSE.read_bytes())
    assert violations(page) == []


def test_it_is_a_page_of_sixty_lines():
    assert len((PAGE / "index.html").read_text().splitlines()) <= 60
