"""The Explain tab in a real Chromium: maps side by side, slow methods, faithfulness."""

import re
from pathlib import Path

import pytest

from tests.conftest import PHONE

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
ROSE = EXAMPLES / "yuejihua-rose.jpg"
PATIENCE = 120_000  # milliseconds; two busy cores, and the first map imports the package
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def explain(page, photo: Path = ROSE):
    """Give a photo on the Explain tab and wait for the first map."""
    page.wait_for_selector(".giver")
    page.click("[data-tab-id='explain']")
    page.set_input_files("#explain-photo input.file", photo)
    page.wait_for_selector(".map-card canvas", timeout=PATIENCE)
    return page


def drawn(page, maps: int) -> None:
    """Wait until so many maps are drawn, and none is missing."""
    page.wait_for_function(
        "n => document.querySelectorAll('.map-card herb-map').length === n"
        " && !document.querySelector('.map-card.ghost')",
        arg=maps,
        timeout=PATIENCE,
    )


def compare(page) -> str:
    """Compare the herb with the first other one that is offered."""
    option = page.locator(".desk [name=against] option:not(:disabled):not([value=''])").first
    other = option.get_attribute("value")
    page.select_option(".desk [name=against]", other)
    return other


def pixels(page, selector: str = ".plate canvas") -> str:
    return page.eval_on_selector(selector, "canvas => canvas.toDataURL()")


def keys(page) -> list[str]:
    return page.eval_on_selector_all(".map-card", "cards => cards.map(card => card.dataset.key)")


def test_two_methods_side_by_side_and_the_herb_chosen(new_page, server):
    page = new_page(locale="zh-CN")
    page.goto(server)
    explain(page)
    herb = page.input_value(".desk [name=herb]")
    assert keys(page) == [f"grad-cam|layer4|{herb}|"]
    assert herb in page.inner_text(".stage .words")
    first = pixels(page)
    page.click(".toggles [data-method='layer-cam']")
    page.click(".toggles [data-layer='layer3']")
    drawn(page, 4)
    assert len(set(keys(page))) == 4
    page.click(f".map-card[data-key='layer-cam|layer3|{herb}|'] > button")
    assert pixels(page) != first
    assert "LayerCAM" in page.inner_text(".stage .words")
    label = page.get_attribute(".plate herb-map", "aria-label")
    assert herb in label
    assert "第 3 层" in label


def test_any_herb_of_the_model_can_be_asked_for(page):
    explain(page)
    first = pixels(page)
    options = page.eval_on_selector_all(
        ".desk [name=herb] option", "all => all.map(one => one.value)"
    )
    assert len(options) == len(set(options)) == 31
    page.select_option(".desk [name=herb]", options[-1])
    page.wait_for_selector(f".map-card[data-key='grad-cam|layer4|{options[-1]}|'] canvas")
    assert pixels(page) != first
    page.click(".toggles [data-method='finer-cam']")  # what is chosen stays chosen
    drawn(page, 2)


def test_a_contrast_shows_both_herbs_and_their_names(page):
    explain(page)
    herb = page.input_value(".desk [name=herb]")
    other = compare(page)
    drawn(page, 3)
    assert keys(page)[0] == f"contrast|layer4|{herb}|{other}"
    page.click(".map-card >> nth=0 >> button")
    assert page.is_visible(".scale.contrast")
    assert page.inner_text(".legend .plus") != page.inner_text(".legend .minus")
    assert "two herbs" in page.inner_text(".found") or page.wait_for_selector(
        ".found >> text=two herbs", timeout=PATIENCE
    )
    page.select_option(".desk [name=against]", "")
    drawn(page, 1)


def test_colours_opacity_lines_and_scale_change_at_once_and_without_the_server(page):
    explain(page)
    compare(page)
    drawn(page, 3)
    page.context.set_offline(True)
    ember = pixels(page)
    page.click("[data-colours='dusk']:not(.desk)")
    dusk = pixels(page)
    assert dusk != ember
    assert page.get_attribute("button[data-colours='dusk']", "aria-pressed") == "true"
    page.locator(".desk .opacity input").fill("20")
    style = "one => getComputedStyle(one).opacity"
    assert page.eval_on_selector(".plate herb-map", style) == "0.2"
    assert not page.is_visible(".plate .lines")
    page.click("[data-switch='lines']")
    assert page.is_visible(".plate .lines path")
    assert len(page.get_attribute(".plate .lines path", "d")) > 50
    both = [f".map-card:nth-child({n}) canvas" for n in (2, 3)]
    before = [pixels(page, canvas) for canvas in both]
    page.click("[data-switch='shared']")
    after = [pixels(page, canvas) for canvas in both]
    assert after != before  # the weaker herb is no longer stretched to full colour
    page.context.set_offline(False)


def test_twelve_maps_at_most(page):
    explain(page)
    for layer in ("layer1", "layer2", "layer3"):
        page.click(f".toggles [data-layer='{layer}']")
    for method in ("layer-cam", "hires-cam"):
        page.click(f".toggles [data-method='{method}']")
    drawn(page, 12)
    page.click(".toggles [data-method='xgrad-cam']")
    assert page.is_visible(".too-many")
    assert page.get_attribute(".toggles [data-method='xgrad-cam']", "aria-pressed") == "false"
    assert len(keys(page)) == 12


def test_a_slow_method_shows_how_far_it_is_and_stops(page):
    explain(page)
    page.click(".toggles [data-method='score-cam']")
    page.click("[data-start]")
    page.wait_for_function(
        "Number(document.querySelector('.run .meter')?.getAttribute('aria-valuenow')) > 0",
        timeout=PATIENCE,
    )
    page.click("[data-stop]")
    page.wait_for_selector("[data-start]:not(:disabled)", timeout=20_000)
    assert not page.is_visible(".run")
    page.click("[data-start]")  # stopped, not broken: it can be begun again
    page.wait_for_selector(".run .meter:not(.unknown)", timeout=PATIENCE)
    page.click("[data-stop]")
    page.wait_for_selector("[data-start]:not(:disabled)", timeout=20_000)


def test_a_slow_map_joins_the_others_when_it_is_done(page):
    explain(page)
    herb = page.input_value(".desk [name=herb]")
    page.click(".toggles [data-method='ablation-cam']")  # of the last layer: only the head runs
    page.click("[data-start]")
    drawn(page, 2)
    mine = f".map-card[data-key='ablation-cam|layer4|{herb}|'] [aria-pressed='true']"
    page.wait_for_selector(mine, timeout=PATIENCE)


def test_a_map_is_put_to_the_test_and_a_sentence_says_what_came_out(new_page, server):
    page = new_page(locale="zh-CN")
    page.goto(server)
    explain(page)
    page.wait_for_selector(".found .said", timeout=PATIENCE)
    said = page.inner_text(".found .said")
    assert re.search(r"去掉图上最亮的 \d+%，月季花从 >?[\d.]+% ", said)
    assert page.locator(".found .chart path.line").count() == 2
    assert page.locator(".found td").count() == 12
    page.click("[data-speak='en']")
    said = page.inner_text(".found .said")
    assert re.search(r"Without the brightest \d+% of the map", said)
    assert not CHINESE.search(page.inner_text(".faith"))


@pytest.fixture(scope="module")
def herb_without_evidence() -> str:
    """A herb for which nothing in the rose speaks."""
    from herbdemo.explain import Explainer
    from herbdemo.photo import open_photo
    from herbdemo.registry import Registry

    explainer = Explainer(Registry().load())
    seen = explainer.see(open_photo(ROSE))
    for herb in explainer.herbs:
        if not explainer.explain(seen, herb).values.any():
            return herb
    pytest.skip("this model finds something of every herb in the rose")


@pytest.mark.parametrize(
    ("locale", "words"), [("zh-CN", "没有支持的依据"), ("en-GB", "No positive evidence")]
)
def test_no_positive_evidence_is_said_in_words(
    new_page, server, herb_without_evidence, locale, words
):
    page = new_page(locale=locale)
    page.goto(server)
    explain(page)
    page.select_option(".desk [name=herb]", herb_without_evidence)
    card = f".map-card[data-key='grad-cam|layer4|{herb_without_evidence}|']"
    page.wait_for_selector(f"{card} canvas", timeout=PATIENCE)
    assert words in page.inner_text(card)
    assert not page.is_visible(".plate canvas")
    page.wait_for_function("document.querySelector('.found p')", timeout=PATIENCE)


def test_a_photo_from_the_identify_tab_comes_along_with_its_herb(page):
    page.wait_for_selector("#photo .giver")
    page.set_input_files("#photo input.file", ROSE)
    page.wait_for_selector("#result .answer:not(.pending)", timeout=PATIENCE)
    third = page.get_attribute("#result .row[data-index='2']", "data-herb")
    page.evaluate(
        """([herb]) => {
            const photo = [...window.herbPhotos.keys()][0];
            const link = document.createElement("button");
            Object.assign(link.dataset, { goto: "explain", herb, photo });
            document.querySelector("#result").append(link);
            link.click();
        }""",
        [third],
    )
    page.wait_for_selector(".map-card canvas", timeout=PATIENCE)
    assert page.input_value(".desk [name=herb]") == third


def test_a_broken_photo_is_refused_with_a_sentence(page, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(ROSE.read_bytes()[:3000])
    page.wait_for_selector(".giver")
    page.click("[data-tab-id='explain']")
    page.set_input_files("#explain-photo input.file", broken)
    page.wait_for_selector(".lens .trouble", timeout=PATIENCE)
    assert str(tmp_path) not in page.inner_text(".lens")
    page.set_input_files("#explain-photo input.file", ROSE)
    page.wait_for_selector(".map-card canvas", timeout=PATIENCE)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_is_cut_off_or_too_small_to_touch(new_page, server, scheme):
    page = new_page(**PHONE, color_scheme=scheme)
    page.goto(server)
    explain(page)
    page.click(".toggles [data-method='grad-cam++']")
    drawn(page, 2)
    page.wait_for_selector(".found .said", timeout=PATIENCE)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    small = page.eval_on_selector_all(
        ".desk button, .desk select",
        "all => all.filter(one => one.offsetParent && one.getBoundingClientRect().height < 44)"
        ".map(one => one.outerHTML.slice(0, 80))",
    )
    assert small == []
    page.click(".map-card >> nth=1 >> button")
    assert "Grad-CAM++" in page.inner_text(".stage .words")
