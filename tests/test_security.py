"""SECURITY.md promises nothing that no test shows; docs/licences.md knows every dependency."""

import re
import sys
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import licences  # noqa: E402

PAGE = (ROOT / "SECURITY.md").read_text("utf-8")
NAMED = re.findall(r"`(test_\w+)::(test_\w+)`", PAGE)


@pytest.mark.parametrize(("module", "test"), NAMED)
def test_the_test_that_shows_a_promise_exists(module, test):
    assert f"def {test}(" in (ROOT / "tests" / f"{module}.py").read_text("utf-8")


def test_every_promise_has_its_test():
    table = PAGE.split("## Promised")[1].split("\n\n")[1].splitlines()[2:]
    assert len(table) > 10
    assert all(re.search(r"\| `test_\w+::test_\w+`", row) for row in table)


def listed() -> dict[str, list[str]]:
    rows = licences.PAGE.read_text("utf-8").split("\n\n")[2].splitlines()[2:]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return {name: others for name, *others in cells}


def test_every_dependency_is_listed_with_its_licence():
    rows = listed()
    assert dict(licences.wanted()) == {name: row[2] for name, row in rows.items()}
    for name, (version, licence, *_) in rows.items():
        assert re.match(r"[A-Z0-9]", licence), name
        try:
            found = licences.licence(name)
        except metadata.PackageNotFoundError:  # nobody needs all extras
            continue
        if found[0] == version:
            assert found[1] == licence, name


def test_a_dependency_under_the_gpl_is_told():
    for name, (_, licence, part, remark) in listed().items():
        told = re.search(r"GPL|SSPL|BUSL|\bNC\b", f"{licence} {remark}")
        assert part != "the app" or not told or name in ("pillow-heif", "grad-cam"), name


def test_an_audit_that_could_not_look_fails():
    """pip-audit calls what it cannot find no vulnerability, unless it is told to be strict."""
    rules = (ROOT / "Makefile").read_text("utf-8")
    assert "pip_audit --strict" in rules
    assert "--output-reproducible" in rules
