"""docs/reliability.md: each promise names tests that exist, in both languages the same."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "docs" / name for name in ("reliability.md", "reliability.zh-CN.md")]
NAMED = re.compile(r"`(test_\w+\.py)(?:::(test_\w+))?`")
SAME = ("the same", "同上")  # as the row above


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_tests_that_a_page_names_exist(page):
    named = NAMED.findall(page.read_text("utf-8"))
    assert len(named) > 30
    for file, test in named:
        code = (ROOT / "tests" / file).read_text("utf-8")
        assert not test or f"\ndef {test}(" in code, (file, test)


def test_both_pages_name_the_same_tests_in_the_same_order():
    first, second = (NAMED.findall(page.read_text("utf-8")) for page in PAGES)
    assert first == second


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_promise_is_without_a_test(page):
    rows = [line for line in page.read_text("utf-8").splitlines() if line.startswith("| ")]
    assert len(rows) > 20
    for row in rows:
        last = row.strip("| ").rpartition(" | ")[2]
        assert NAMED.search(last) or last.startswith(SAME) or last in ("test", "测试"), row


def test_the_bounds_are_those_of_the_code():
    from herbdemo.ui import door

    for page in PAGES:
        said = page.read_text("utf-8")
        for number in (door.MAX_BYTES >> 20, door.AS_TEXT * 100 // 1024**2 // 100 + 1,
                       door.REST >> 20, door.RATE):  # fmt: skip
            assert f"{number}" in said, number
