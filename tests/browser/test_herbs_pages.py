"""A student's stories, in a real Chromium: find a herb, read its page, heed a warning."""

import json

import pytest
from toys import model_copy

from herbdemo.checkpoint import CARD
from herbdemo.photo import open_photo
from herbdemo.recognise import current
from herbdemo.registry import SHIPPED, Registry
from tests.browser.test_identify import PATIENCE, ROSE, give
from tests.conftest import PHONE, serve


def open_herbs(page) -> None:
    page.wait_for_selector(".giver")
    page.click("#pages > .tab-wrapper [data-tab-id='herbs']")
    page.wait_for_selector(".herb-cards", timeout=PATIENCE)


def search(page, text: str) -> list[str]:
    """Type it, and give the names that are found once the list has changed."""
    page.fill(".finder input", text)
    page.wait_for_function(
        """async () => {
            const before = document.querySelector(".found").innerHTML;
            await new Promise((wake) => setTimeout(wake, 400));
            return document.querySelector(".found").innerHTML === before;
        }""",
        timeout=PATIENCE,
    )
    return page.locator(".herb-cards .han").all_inner_texts()


def herb_page(page, zh: str):
    page.wait_for_selector(f".dossier[data-herb='{zh}']", timeout=PATIENCE)
    return page.locator(".dossier")


def test_a_herb_is_found_by_any_name_and_opened(page):
    open_herbs(page)
    for text in ("jyh", "金銀花", "jin yin hua", "Lonicera"):
        assert search(page, "") != ["金银花"]
        assert "金银花" in search(page, text)
    page.click(".herb-cards [data-herb='金银花']")
    said = herb_page(page, "金银花").inner_text()
    for word in ("金銀花", "jīn yín huā", "Lonicerae Japonicae Flos", "honeysuckle flower"):
        assert word in said
    assert "of 23" in said  # its photos in the test of the shipped model
    assert not page.locator("#herbs-finder").is_visible()


def test_from_a_herb_to_its_look_alike_and_back_to_the_list(page):
    open_herbs(page)
    page.click(".herb-cards [data-herb='金银花']")
    herb_page(page, "金银花")
    page.click(".dossier .links [data-herb='钩吻']")
    said = herb_page(page, "钩吻").inner_text()
    assert "highly toxic" in said
    assert "This model has not learned it" in said
    assert page.evaluate("document.activeElement.textContent") == "钩吻"  # is read out
    page.click(".dossier [data-dismiss]")
    assert page.locator(".herb-cards li").count() == 31
    assert page.locator(".herb-cards").is_visible()


def test_the_browsers_way_back_leads_where_one_came_from(page):
    give(page, ROSE)
    page.click("#result .row[aria-pressed='true'] ~ .facts [data-goto='herbs']")
    first = page.wait_for_selector(".dossier", timeout=PATIENCE).get_attribute("data-herb")
    page.locator(".dossier .links button").first.click()
    page.wait_for_selector(f".dossier:not([data-herb='{first}'])", timeout=PATIENCE)
    page.go_back()
    herb_page(page, first)
    page.go_back()
    page.wait_for_selector("#result .answer", timeout=PATIENCE)
    assert "#herb" not in page.url
    page.go_forward()
    herb_page(page, first)


def test_filters_and_more(page):
    open_herbs(page)
    page.click("[data-only='toxic']")
    page.wait_for_function("document.querySelectorAll('.herb-cards li').length === 1")
    page.click("[data-scope='all']")
    page.wait_for_function("document.querySelectorAll('.herb-cards li').length === 60")
    assert page.locator(".herb-cards .poison").count() == 60
    page.click("[data-more]")
    page.wait_for_function("document.querySelectorAll('.herb-cards li').length > 60")
    assert search(page, "qqqq") == []
    assert "None found" in page.inner_text(".found")


def test_a_page_has_an_address(new_page, server):
    page = new_page()
    page.goto(f"{server}#herb=jinyinhua")
    herb_page(page, "金银花")
    page.goto(f"{server}#herb=nothing")
    page.wait_for_selector(".notice.trouble", timeout=PATIENCE)


@pytest.mark.parametrize("options", [{}, PHONE], ids=["desktop", "phone"])
def test_one_click_leads_from_a_result_to_its_herb(new_page, server, options):
    page = new_page(**options)
    page.goto(server)
    give(page, ROSE)
    assert page.locator(".row[aria-pressed='true']").count() == 1
    herb = page.get_attribute(".row[aria-pressed='true']", "data-herb")
    page.click(".candidate:has([aria-pressed='true']) .facts [data-goto='herbs']")
    herb_page(page, herb)
    page.wait_for_function("scrollY < 10")
    assert page.url.endswith("#herb=%E6%9C%88%E5%AD%A3%E8%8A%B1") == (herb == "月季花")


def test_a_poison_is_warned_of_beside_the_result(page, data):
    """Some photo of a poison is recognised; beside it stands that it is one."""
    for photo in sorted((data / "herbs" / "test" / "艾叶").glob("*.jpg"))[:4]:
        give(page, photo)
        page.wait_for_selector(".answer:not(.pending)", timeout=PATIENCE)
        if page.locator(".row[data-index='0'][data-herb='艾叶']").count():
            break
    caution, first = page.locator(".caution.grave").first, page.locator(".row[data-index='0']")
    assert "slightly toxic" in caution.inner_text()
    assert caution.bounding_box()["y"] < first.bounding_box()["y"]
    advice = page.locator(".verdict p", has_text="not medical advice")
    assert advice.bounding_box()["y"] < 900  # without scrolling
    page.click("[data-speak='zh']")
    assert "小毒" in caution.inner_text()
    page.click(".caution.grave [data-goto='herbs']")
    herb_page(page, "艾叶")


@pytest.fixture(scope="module")
def twins(tmp_path_factory):
    """A server whose model finds everything possible, and whose herbs look alike.

    It is the shipped one with other names: for the rose 川贝母 comes first, 浙贝母, its look-alike,
    third, and 丽江山慈菇, poisonous and its look-alike, fourth.
    """
    folder = tmp_path_factory.mktemp("twins")
    registry = Registry(own=folder / "home")
    shipped = SHIPPED / "herbs-31-v2"
    order = [c.herb.zh for c in current().recognise([open_photo(ROSE)])[0].candidates]
    names = {order[0]: "川贝母", order[2]: "浙贝母", order[3]: "丽江山慈菇"}
    card = json.loads((shipped / CARD).read_text("utf-8"))
    model_copy(
        shipped,
        registry.own / "models" / "twins",
        herbs=[names.get(zh, zh) for zh in card["herbs"]],
        temperature=30.0,
        thresholds={"certain": 0.9, "unknown": -2.0},
    )
    registry.activate("twins")
    with serve(folder) as url:
        yield url


@pytest.mark.parametrize("options", [{}, PHONE], ids=["desktop", "phone"])
def test_look_alikes_bring_their_contrast_map(new_page, twins, options):
    page = new_page(**options)
    page.goto(twins)
    give(page, ROSE)
    assert page.locator(".row .han").all_inner_texts()[0] == "川贝母"
    cautions = page.locator(".caution").all_inner_texts()
    assert "Indian iphigenia corm" in cautions[0]
    assert "listed as toxic" in cautions[0]
    assert page.locator(".caution.twins").count() == 2
    assert "never seen" in cautions[-1]
    page.click(".duel[data-index='2']")
    assert page.get_attribute(".row[data-index='2']", "aria-pressed") == "true"
    assert page.get_attribute(".modes [data-mode='contrast']", "aria-pressed") == "true"
    wanted = page.get_attribute(".row[data-index='2'] [data-map='contrast']", "cells")
    assert page.get_attribute(".plate .map", "cells") == wanted
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")


def test_a_phone_never_scrolls_sideways_nor_misses_a_button(phone):
    open_herbs(phone)
    wide = "document.documentElement.scrollWidth > innerWidth"
    small = """[...document.querySelectorAll(":is(#herbs-finder, #herb-page) :is(button, input)")]
        .filter((button) => button.offsetParent && button.offsetHeight < 44)
        .map((button) => button.outerHTML.slice(0, 90))"""
    for language in ("zh", "en"):
        phone.click(f"[data-speak='{language}']")
        assert not phone.evaluate(wide)
        assert phone.evaluate(small) == []
    phone.click(".herb-cards [data-herb='百部']")
    herb_page(phone, "百部")
    for language in ("zh", "en"):
        phone.click(f"[data-speak='{language}']")
        assert not phone.evaluate(wide)
        assert phone.evaluate(small) == []
