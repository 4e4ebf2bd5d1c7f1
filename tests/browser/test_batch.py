"""Many photos at once, in a real Chromium: rows, a row opened, files, a stop and going on."""

import csv
import io
import json
import re
import shutil
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import expect

from tests.conftest import PHONE, serve

PATIENCE = 240_000  # milliseconds; two busy cores
HERBS = ("党参", "枸杞子", "金银花")
PHOTOS = 3  # of each herb
FAILED = {"zh-CN": "打不开", "en-GB": "Failed"}


@pytest.fixture(scope="module")
def packed(data, tmp_path_factory):
    """A zip of nine good photos and three bad ones, with names that are no plain words."""
    file = tmp_path_factory.mktemp("batch") / "market.zip"
    with zipfile.ZipFile(file, "w") as archive:
        for herb in HERBS:
            for photo in sorted((data / "herbs" / "test" / herb).glob("*.jpg"))[:PHOTOS]:
                archive.write(photo, f"my photos/{herb}/{photo.name}")
        archive.writestr("my photos/=1+1 &amp; co.jpg", b"no photo")
        archive.writestr("my photos/empty.png", b"")
        archive.writestr("my photos/short.jpg", photo.read_bytes()[:2000])
        archive.writestr("my photos/notes.txt", b"not looked at")
    return file


@pytest.fixture(scope="module")
def many(data, tmp_path_factory):
    """A folder of 80 photos, for which a machine needs a while."""
    folder = tmp_path_factory.mktemp("many")
    for number, photo in enumerate(sorted((data / "herbs" / "val").rglob("*.jpg"))[:80]):
        shutil.copy(photo, folder / f"{number:02d}.jpg")
    return folder


def batch_tab(page, url: str) -> None:
    page.goto(url)
    page.click("[data-tab-id='batch']")
    page.wait_for_selector("#batch-terms .batch-terms")


def give_zip(page, file) -> None:
    page.set_input_files("#batch-giver [data-give='zip'] input", file)
    page.wait_for_selector("#batch-pile .pile.done", timeout=PATIENCE)
    page.wait_for_selector("#batch-rows .rows > li")


def rows(page):
    return page.locator("#batch-rows .rows > li")


def choose(page, verdict: str, count: int) -> None:
    page.click(f"#batch-rows .verdicts [data-verdict='{verdict}']")
    expect(page.locator(f"#batch-rows .verdicts [data-verdict='{verdict}']")).to_have_attribute(
        "aria-pressed", "true"
    )
    expect(rows(page)).to_have_count(count)
    held = page.evaluate("document.activeElement.dataset.verdict")
    assert held == verdict  # the keyboard goes on from there


def download(page, kind: str) -> bytes:
    with page.expect_download(timeout=PATIENCE) as event:
        page.click(f"#batch-rows [data-file='{kind}']")
    assert event.value.suggested_filename.endswith(f".{kind}")
    return event.value.path().read_bytes()


@pytest.mark.parametrize(("options", "language"), [({}, "zh-CN"), (PHONE, "en-GB")])
def test_a_zip_becomes_rows_to_filter_to_open_and_to_take_home(
    new_page, server, packed, options, language
):
    page = new_page(**options, locale=language)
    mistakes = []
    page.on("pageerror", lambda error: mistakes.append(str(error)))
    batch_tab(page, server)
    give_zip(page, packed)
    expect(rows(page)).to_have_count(12)

    # what is wrong with a photo is said in its row
    choose(page, "failed", 3)
    assert FAILED[language] in rows(page).first.inner_text()
    assert "=1+1 &amp; co.jpg" in page.inner_text("#batch-rows .rows")
    assert page.locator("#batch-rows .rows button").count() == 0
    counts = page.locator("#batch-rows .verdicts b").all_inner_texts()
    assert int(counts[0]) == 12
    assert sum(map(int, counts[1:])) == 12
    choose(page, "", 12)

    # each good one has its picture and five herbs
    good = page.locator("#batch-rows .rows > li:not(.failed)")
    assert good.count() == 9
    best = good.locator(".best .han").all_inner_texts()
    files = good.locator(".file").all_inner_texts()
    assert sum(f"/{herb}/" in file for herb, file in zip(best, files, strict=True)) >= 6
    assert all(len(re.findall(r"[<>]?\d+\.\d%", text)) == 5 for text in good.all_inner_texts())
    assert good.first.locator("img").evaluate("image => image.complete && image.naturalWidth > 50")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if options:
        heights = page.locator("#batch-rows button").evaluate_all(
            "buttons => buttons.map((b) => b.getBoundingClientRect().height)"
        )
        assert min(heights) >= 44

    # a row opens the full result, and the list comes back
    name = good.first.locator(".best .han").inner_text()
    good.first.locator("button.line").click()
    page.wait_for_selector("#batch-result .answer", timeout=PATIENCE)
    assert name in page.inner_text("#batch-result .candidate:first-child")
    assert page.locator("#batch-result .plate .map").count() == 1
    page.click("#batch-rows [data-act='back']")
    expect(rows(page)).to_have_count(12)
    expect(page.locator("#batch-result .answer")).to_have_count(0)

    # the files
    lines = list(csv.DictReader(io.StringIO(download(page, "csv").decode("utf-8-sig"))))
    assert len(lines) == 12
    assert {line["verdict"] for line in lines} >= {"failed"}
    assert sum(line["herb1"] == line["file"].split("/")[1] for line in lines) >= 6
    answers = json.loads(download(page, "json"))
    assert (len(answers["answers"]), len(answers["failures"])) == (9, 3)
    frame = pd.read_parquet(io.BytesIO(download(page, "parquet")))
    assert list(frame["file"]) == [line["file"].removeprefix("'") for line in lines]
    assert download(page, "pdf").startswith(b"%PDF")

    # the browser finds it again; another visitor does not
    page.reload()
    page.click("[data-tab-id='batch']")
    expect(rows(page)).to_have_count(12)
    other = new_page()
    batch_tab(other, server)
    other.wait_for_timeout(1500)
    assert other.locator("#batch-pile .pile, #batch-rows .rows").count() == 0

    # deleted, it is gone
    page.click("#batch-pile [data-act='delete']")
    page.click("#batch-pile [data-act='delete']")
    expect(page.locator("#batch-pile .pile")).to_have_count(0)
    expect(rows(page)).to_have_count(0)
    assert not mistakes


def test_it_stops_goes_on_and_survives_the_server(new_page, many, tmp_path):
    page = new_page(locale="en-GB")
    done = "#batch-pile [role='progressbar']"
    with serve(tmp_path) as url:
        batch_tab(page, url)
        page.set_input_files("#batch-giver [data-give='photos'] input", sorted(many.glob("*.jpg")))
        page.wait_for_selector("#batch-pile [data-act='stop']", timeout=PATIENCE)
        page.click("#batch-pile [data-act='stop']")
        page.wait_for_selector("#batch-pile .pile.stopped", timeout=PATIENCE)
        at = int(page.get_attribute(done, "aria-valuenow"))
        assert at < 80
        kept = page.evaluate("localStorage.getItem('herb-pile')")
    with serve(tmp_path) as url:
        batch_tab(page, url)
        page.evaluate("kept => localStorage.setItem('herb-pile', kept)", kept)  # another port
        page.reload()
        page.click("[data-tab-id='batch']")
        page.wait_for_selector("#batch-pile .pile.interrupted")
        assert int(page.get_attribute(done, "aria-valuenow")) == at
        page.click("#batch-pile [data-act='resume']")
        page.wait_for_selector("#batch-pile .pile.done", timeout=PATIENCE)
        assert page.get_attribute(done, "aria-valuenow") == "80"
        expect(rows(page)).to_have_count(50)
        page.click("#batch-rows [data-act='page']")
        expect(rows(page)).to_have_count(30)
        files = page.locator("#batch-rows .rows .file").all_inner_texts()
        assert files == [f"{number}.jpg" for number in range(50, 80)]


def test_a_visitor_is_told_the_limits_and_no_folder_of_the_server(new_page, many, tmp_path):
    (tmp_path / "shown" / "market").mkdir(parents=True)
    shutil.copy(many / "00.jpg", tmp_path / "shown" / "market" / "00.jpg")
    environment = {"HERBDEMO_ADMIN_PASSWORD": "sesame", "HERBDEMO_DATA": str(tmp_path / "shown")}
    with serve(tmp_path, **environment) as url:
        page = new_page(locale="en-GB")
        batch_tab(page, url)
        assert "500 photos" in page.inner_text("#batch-terms")
        assert page.locator("#batch-terms [data-act='folder']").count() == 0

        page.click("[data-tab-id='learn']")
        page.click(".gate summary")
        page.fill(".gate input[name='password']", "sesame")
        page.click(".gate button[type='submit']")
        page.wait_for_selector(".signed-in")
        page.click("[data-tab-id='batch']")
        page.click("#batch-terms [data-folder='market']")
        page.wait_for_selector("#batch-pile .pile.done", timeout=PATIENCE)
        expect(rows(page)).to_have_count(1)


def test_photos_beyond_what_one_go_takes_are_left_out_in_so_many_words(new_page, server):
    page = new_page(locale="en-GB")
    batch_tab(page, server)
    page.eval_on_selector("#batch-giver .givers", "givers => { givers.dataset.most = 2; }")
    photos = sorted((Path(__file__).parents[2] / "examples").glob("*.jpg"))[:3]
    page.set_input_files("#batch-giver [data-give='photos'] input", photos)
    expect(page.locator("#batch-pile .pile")).to_contain_text("2 photos", timeout=PATIENCE)
    expect(page.locator("#batch-notice")).to_contain_text("the others were left out")
