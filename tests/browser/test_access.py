"""For everyone: by the keyboard, by ear, in large print, without motion, in three scripts.

axe-core looks at every tab, with something shown on it, in both themes, at 1440 and 390 pixels.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from herbdemo.faithful import Faithfulness
from herbdemo.traditional import traditional
from herbdemo.ui.explain_view import Key, faith_html
from herbdemo.ui.progress import job_html
from herbdemo.ui.proof_view import proof_html
from tests.conftest import DESKTOP
from tests.test_learn_tab import PROOF, STEPS, Job

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
ROSE, DANDELION = EXAMPLES / "yuejihua-rose.jpg", EXAMPLES / "pugongying-dandelion.jpg"
COFFEE = EXAMPLES / "unknown-coffee.jpg"
PATIENCE = 120_000  # milliseconds; two busy cores, and the first photo waits for the model
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}
LOOKS = ((1440, "light"), (390, "dark"))
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}  # all that a theme changes
NARROW = (720, 320)  # a window of 1440 pixels at 200 %, and what WCAG asks of 1280 at 400 %
FAITH = Faithfulness(
    0.97, (0.9, 0.6, 0.4, 0.2), (0.97,) * 4, (0.9,) * 4, (0.9, *(0.2,) * 10), (0.1, *(0.8,) * 10)
)
ANSWERED = "#{} .answer:not(.pending)"


@pytest.fixture
def visitor(launch, server):
    """`visitor(**options)` opens the page in a Chromium that has a camera of its own."""
    browser = launch("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")

    def make(**options):
        context = browser.new_context(**(DESKTOP | {"permissions": ["camera"]} | options))
        page = context.new_page()
        page.goto(server)
        page.wait_for_selector(".giver h2")
        return page

    yield make
    browser.close()


def walk(page) -> Iterator[str]:
    """Every tab, with something on it; gives the name of each sight."""

    def tab(name: str, ready: str) -> None:
        page.click(f"[role='tab'][data-tab-id='{name}']")
        page.wait_for_selector(ready, timeout=PATIENCE)

    def give(where: str, *photos: Path) -> None:
        page.set_input_files(f"#{where} input.file", list(photos))

    yield "no photo yet"
    give("photo", COFFEE)
    page.wait_for_selector("#result [data-verdict='unknown']", timeout=PATIENCE)
    yield "an unknown"
    give("photo", ROSE)
    page.wait_for_selector("#result [data-verdict='certain']", timeout=PATIENCE)
    yield "an answer"
    page.click("#result [data-share]")
    page.wait_for_selector("dialog.sharing[open]")
    yield "sharing"
    page.click("[data-share-make]")
    page.wait_for_selector("dialog.sharing[data-step='link']", timeout=PATIENCE)
    link = page.input_value("dialog.sharing .link input")
    page.keyboard.press("Escape")
    tab("specimen", "#specimen-photos .drop")
    give("specimen-photos", ROSE, DANDELION)
    page.wait_for_selector(ANSWERED.format("specimen-one"), timeout=PATIENCE)
    yield "several photos"
    tab("tray", "#tray-photo .drop")
    give("tray-photo", DANDELION)
    page.wait_for_selector("#tray-found .found", timeout=PATIENCE)
    yield "several herbs"
    tab("live", "[data-live='start']")
    page.click("[data-live='start']")
    page.wait_for_selector(".names-live .candidate", timeout=PATIENCE)
    yield "the camera"
    tab("explain", "#explain-photo .drop")
    give("explain-photo", ROSE)
    page.wait_for_selector(".map-card canvas", timeout=PATIENCE)
    page.click("[data-method='score-cam']")
    tested = "html => { document.querySelector('.faith .found').innerHTML = html; }"
    page.evaluate(tested, faith_html(Key("grad-cam", "layer4", "月季花"), FAITH))  # takes seconds
    yield "explained"
    tab("batch", "#batch-terms .batch-terms")
    page.set_input_files("#batch-giver [data-give='photos'] [type='file']", [ROSE, COFFEE])
    page.wait_for_selector("#batch-pile .pile.done", timeout=PATIENCE)
    page.wait_for_selector("#batch-rows .rows > li")
    yield "a batch"
    page.click("#batch-pile [data-act='delete']")
    page.click("#batch-pile [data-act='delete']")
    tab("herbs", ".herb-cards")
    yield "herbs"
    page.click(".herb-cards [data-herb='金银花']")
    page.wait_for_selector(".dossier")
    yield "a herb"
    tab("learn", ".start")
    page.fill("#giver [data-herb-name]", "玫瑰花")
    page.set_input_files("#giver [data-give='photos'] [type='file']", [ROSE])
    page.wait_for_selector("#report .findings", timeout=PATIENCE)
    yield "learning"
    page.click("#report [data-act='discard']")
    page.click("#report [data-act='discard']")
    tab("models", ".models")
    page.click(".models summary")
    yield "models"
    page.goto(link)
    page.wait_for_selector(ANSWERED.format("result"), timeout=PATIENCE)
    yield "a shared result"


def problems(page, rules: dict) -> list[str]:
    found = Axe().run(page, options=rules).response["violations"]
    return [
        f"{one['id']} ({one['impact']}): {node['target']} {node['failureSummary']}"
        for one in found
        for node in one["nodes"]
    ]


def shade(page, wanted: str) -> None:
    page.evaluate("shade => localStorage.setItem('herb-shade', shade)", wanted)
    page.emulate_media(color_scheme="dark" if wanted == "light" else "light")  # it looks again then
    page.emulate_media(color_scheme=wanted)
    page.wait_for_selector(f":root[data-shade='{wanted}']", state="attached")


def still(page) -> None:
    """Wait until nothing moves: colours between two states are of neither."""
    page.evaluate(
        """Promise.all(document.getAnimations()
            .filter((one) => one.effect.getComputedTiming().iterations !== Infinity)
            .map((one) => one.finished.catch(() => {})))"""
    )


def simplified(page) -> list[str]:
    """What stands there in simplified characters, in texts and in names for who cannot see them."""
    said = page.evaluate(
        r"""() => {
            const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), said = [];
            while (texts.nextNode()) {
                const { parentElement, data } = texts.currentNode;
                const other = parentElement.closest("script, style, [translate=no], [lang=en]");
                if (!other) said.push(data);
            }
            for (const name of ["alt", "title", "aria-label", "placeholder", "label"]) {
                const named = document.querySelectorAll(`[${name}]`);
                said.push(...[...named].map((one) => one.getAttribute(name)));
            }
            return said.filter((text) => /[\u4e00-\u9fff]/.test(text));
        }"""
    )
    return [text for text in said if traditional(text) != text]


def test_nothing_keeps_anyone_out(visitor):
    page = visitor(locale="zh-TW", reduced_motion="reduce")
    found: dict[str, list] = {}
    for sight in walk(page):
        still(page)
        found[f"{sight}, simplified"] = simplified(page)
        for width, theme in LOOKS:
            page.set_viewport_size({"width": width, "height": 900})
            shade(page, theme)
            found[f"{sight}, {width}, {theme}"] = problems(page, RULES)
            shade(page, "dark" if theme == "light" else "light")
            found[f"{sight}, {width}, not {theme}"] = problems(page, COLOURS)
        for width in NARROW:
            page.set_viewport_size({"width": width, "height": 900})
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                found[f"{sight}, {width}"] = ["scrolls sideways"]
        page.set_viewport_size(DESKTOP["viewport"])
        moving = page.evaluate(
            """document.getAnimations()
                .filter((one) => one.effect.getComputedTiming().duration > 1).length"""
        )
        found[f"{sight}, motion"] = ["moves"] * moving
    assert {sight: said for sight, said in found.items() if said} == {}


def test_a_training_keeps_nobody_out(visitor):
    """Its cards are put onto the page by hand: a training takes minutes."""
    page = visitor()
    page.click("[role='tab'][data-tab-id='learn']")
    page.wait_for_selector(".start", timeout=PATIENCE)
    job = job_html(Job(), STEPS, memory=2_000_000_000, now=1600.0)
    proof = proof_html("herbs-33", PROOF, active=False)
    page.evaluate(
        """([job, proof]) => {
            document.querySelector("#proof .piece").innerHTML = job + proof;
            for (const details of document.querySelectorAll("#proof details")) details.open = true;
        }""",
        [job, proof],
    )
    for theme in ("light", "dark"):
        shade(page, theme)
        still(page)
        assert problems(page, RULES) == []


# By the keyboard


def focused(page, selector: str) -> bool:
    return page.evaluate("selector => document.activeElement.matches(selector)", selector)


def tab_to(page, selector: str) -> None:
    """Press Tab until `selector` has the focus; each stop on the way must be seen to have it."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if not focused(
            page, "body, .cut, [type='radio']"
        ):  # these show it on what stands over them
            outline = page.evaluate(
                """() => {
                    const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
                    return outlineStyle === "none" ? 0 : parseFloat(outlineWidth);
                }"""
            )
            assert outline >= 2, page.evaluate("document.activeElement.outerHTML")
        if focused(page, selector):
            return
    raise AssertionError(f"Tab never comes to {selector}")


def test_from_the_first_tab_to_another_heatmap_without_a_mouse(visitor):
    page = visitor(locale="en-GB", reduced_motion="reduce")
    page.keyboard.press("Tab")
    assert focused(page, "[data-skip]")
    assert page.locator("[data-skip]").bounding_box()["y"] >= 0  # and is in sight
    page.keyboard.press("Enter")
    assert focused(page, "[role='tabpanel']")

    # A photo is chosen, the answer is read
    tab_to(page, "[data-example*='yuejihua']")
    page.keyboard.press("Enter")
    page.wait_for_selector(ANSWERED.format("result"), timeout=PATIENCE)
    said = "#said :not([hidden])"
    page.wait_for_function("document.querySelector('#said').innerText.includes('sure; then')")
    assert page.locator(said).count()

    # Another herb's map, thinner, and the contrast
    tab_to(page, ".plate .cut")
    page.keyboard.press("End")
    assert page.input_value(".plate .cut") == "100"
    page.keyboard.press("Home")
    tab_to(page, ".modes [data-mode='contrast']")
    page.keyboard.press("Space")
    assert page.get_attribute(".modes [data-mode='contrast']", "aria-pressed") == "true"
    tab_to(page, "#result .opacity input")
    page.keyboard.press("ArrowLeft")
    assert page.input_value("#result .opacity input") == "74"
    tab_to(page, "#result [data-index='0']")
    tab_to(page, "#result [data-index='1']")
    page.keyboard.press("Enter")
    other = page.locator("[data-index='1']")
    assert other.get_attribute("aria-pressed") == "true"
    caption = page.inner_text("#result .caption")
    assert other.locator("[lang='en']").first.inner_text() in caption
    assert page.get_attribute(".plate .map", "aria-label") == f"Contrast map. {caption}"

    # A dialog is left with Escape, and the focus is where it was
    page.focus("#result [data-share]")
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog.sharing[open]")
    for _ in range(6):
        page.keyboard.press("Tab")
        assert focused(page, "body, dialog.sharing *")  # body: the browser's own bar
    page.keyboard.press("Escape")
    assert focused(page, "#result [data-share]")

    # Tabs by their arrows
    page.focus("[role='tab'][data-tab-id='identify']")
    page.keyboard.press("ArrowRight")
    assert focused(page, "[data-tab-id='explain'][aria-selected='true']")
    page.keyboard.press("End")
    assert focused(page, "[data-tab-id='models'][aria-selected='true']")
    page.keyboard.press("ArrowRight")
    assert focused(page, "[data-tab-id='identify'][aria-selected='true']")


def test_every_tab_can_be_left_again_by_tab_alone(visitor):
    page = visitor()
    for name in ("identify", "explain", "batch", "herbs", "learn", "models"):
        page.focus(f"[role='tab'][data-tab-id='{name}']")
        page.keyboard.press("Enter")
        page.wait_for_timeout(300)
        if name == "herbs":  # a long list: from its end
            page.wait_for_selector(".herb-cards button")
            page.locator(".herb-cards button").last.focus()
        tab_to(page, "[data-open-api]")


# By ear


def listen(page) -> None:
    """Write down all that is said from now on: a quick answer soon takes the place of the wait."""
    page.evaluate(
        """() => {
          const said = document.querySelector("#said");
          window.heard = [];
          new MutationObserver(() => heard.push(said.innerText)).observe(said, { childList: true });
        }"""
    )


def heard(page, wanted: str) -> str:
    """The sentence with `wanted` in it, as soon as it has been said."""
    return page.wait_for_function(
        "wanted => heard.find((said) => said.includes(wanted))", arg=wanted, timeout=PATIENCE
    ).json_value()


@pytest.mark.parametrize(
    ("locale", "looking", "name", "sure", "lies"),
    [
        ("en-GB", "Looking closely", "Chinese rose flower, 9", "sure; then", "lies mainly"),
        ("zh-CN", "正在辨认", "月季花，9", "可信；其次是", "主要在"),
        ("zh-HK", "正在辨認", "月季花，9", "可信；其次是", "主要在"),
    ],
)
def test_the_answer_is_read_out_in_a_sentence(visitor, locale, looking, name, sure, lies):
    page = visitor(locale=locale)
    region = page.locator("#said")
    assert region.get_attribute("aria-live") == "polite"
    listen(page)
    page.set_input_files("#photo input.file", ROSE)
    heard(page, looking)
    said = heard(page, name)
    assert sure in said
    assert lies in said
    assert region.inner_text() == said
    assert said.count("\n") == 0  # one language, once
    assert bool(re.search(r"[\u4e00-\u9fff]", said)) == locale.startswith("zh")
    page.set_input_files("#photo input.file", __file__)
    page.wait_for_selector("#result [role='alert']", timeout=PATIENCE)


# In three scripts


def test_the_third_language_is_chosen_kept_and_left_again(visitor):
    page = visitor(locale="en-GB")
    page.click("[data-speak='hant']")
    assert page.inner_text(".giver h2") == "把草藥的照片放到這裡"
    assert page.inner_text("[data-tab-id='live']") == "即時"
    assert page.get_attribute("html", "lang") == "zh-Hant"
    assert page.get_attribute(".giver h2 .zh", "lang") == "zh-Hant"
    assert page.get_attribute("[data-speak='hant']", "aria-pressed") == "true"
    page.reload()
    page.wait_for_selector(".giver h2")
    assert page.inner_text(".giver h2") == "把草藥的照片放到這裡"
    page.click("[role='tab'][data-tab-id='herbs']")
    page.fill(".finder input", "金銀花")
    page.click(".herb-cards [data-herb='金银花']")
    page.wait_for_selector(".dossier")
    assert page.inner_text(".dossier h2") == "金銀花"
    assert (
        page.inner_text(".dossier dd >> nth=0") == "金银花"
    )  # the row that says how it is simplified
    page.click("[data-speak='zh']")
    assert page.inner_text(".dossier h2") == "金银花"
    assert page.get_attribute(".dossier h2", "lang") == "zh-CN"
    assert page.inner_text("[data-tab-id='learn']") == "学习"
    page.click("[data-speak='en']")
    assert page.inner_text("[data-tab-id='learn']") == "Learn"


def test_the_page_writes_as_the_library_does(visitor):
    page = visitor(locale="zh-TW")
    texts = [
        "于术，干姜：复制文件名到服务器。“里面”",
        "制何首乌、郁李仁、黑丑",
        "头发与发现",
        "No Chinese",
    ]
    shown = page.evaluate(
        """async (texts) => {
            const list = document.createElement("ul");
            list.lang = "zh-CN";
            for (const text of texts) list.append(document.createElement("li"), text);
            document.querySelector("main").append(list);
            await new Promise(requestAnimationFrame);
            return [...list.childNodes].filter((node) => node.data).map((node) => node.data);
        }""",
        texts,
    )
    assert shown == [traditional(text) for text in texts]
