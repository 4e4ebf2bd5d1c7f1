"""What a release asks for, and the changelog."""

import re
import subprocess
import tomllib
import zipfile
from pathlib import Path

import pytest

from herbdemo import __version__, files
from scripts import release

ROOT = Path(__file__).parent.parent
CHANGELOG = (
    "# Changelog\n\n## [0.2.0] - 2026-01-31\n\n### Added\n\n- More.\n\n## [0.1.0] - 2025-12-31\n"
)


def git(root: Path, *words: str) -> None:
    who = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"]
    subprocess.run(["git", *who, *words], cwd=root, check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout from which 0.2.0 can be released."""
    (tmp_path / "herbdemo").mkdir()
    (tmp_path / "weights/one").mkdir(parents=True)
    (tmp_path / "herbdemo/__init__.py").write_text('__version__ = "0.2.0"\n')
    (tmp_path / "weights/one/card.json").write_text("{}")
    (tmp_path / "weights/one/curves.png").write_bytes(b"")
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    git(tmp_path, "init", "--initial-branch=main")
    commit(tmp_path)
    return tmp_path


def commit(root: Path) -> None:
    git(root, "add", "--all")
    git(root, "commit", "--message=All")


def refused(root: Path, version: str = "0.2.0") -> str:
    return "\n".join(release.problems(root, version))


def test_a_clean_checkout_is_released(checkout):
    assert refused(checkout) == ""
    assert release.section(checkout, "0.2.0") == "### Added\n\n- More."


@pytest.mark.parametrize("version", ["", "1", "0.2", "0.2.0rc1", "v0.2.0", "00.2.0", "0.2.0\n"])
def test_what_is_no_version_is_refused(checkout, version):
    assert "is no version" in refused(checkout, version)


def test_changes_that_are_not_committed_are_refused(checkout):
    (checkout / "new.txt").write_text("new")
    assert "not committed" in refused(checkout)


def test_another_branch_is_refused(checkout):
    git(checkout, "switch", "--create", "work")
    assert "the branch work" in refused(checkout)


def test_a_version_is_released_once(checkout):
    git(checkout, "tag", "v0.2.0")
    assert "v0.2.0 is there already" in refused(checkout)


def test_the_package_must_say_the_same_version(checkout):
    (checkout / "herbdemo/__init__.py").write_text('__version__ = "0.1.0"\n')
    commit(checkout)
    assert "says 0.1.0" in refused(checkout)


@pytest.mark.parametrize(
    "words",
    [
        CHANGELOG.replace("0.2.0", "Unreleased"),
        CHANGELOG.replace("2026-01-31", "unreleased"),
        CHANGELOG.replace("### Added\n\n- More.\n", ""),
    ],
)
def test_the_changelog_must_tell_of_it(checkout, words):
    (checkout / "CHANGELOG.md").write_text(words)
    commit(checkout)
    assert "CHANGELOG.md has no section" in refused(checkout)


def test_all_reasons_are_said_at_once(checkout):
    git(checkout, "switch", "--create", "work")
    assert refused(checkout, "0.3.0").count("\n") == 2


def test_a_wheel_holds_what_it_should(checkout, tmp_path):
    wheel = tmp_path / "some.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("herbdemo/__init__.py", "")
    assert release.missing(checkout, wheel) == ["weights/one/card.json"]
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("herbdemo/weights/one/card.json", "")
    assert release.missing(checkout, wheel) == []


def test_a_dry_run_changes_nothing(checkout, monkeypatch, capsys):
    (checkout / "Makefile").write_text("sbom:\n\ttouch sbom.json\n")
    commit(checkout)
    monkeypatch.setattr(release, "ROOT", checkout)
    release.main(["0.2.0", "--dry-run"])
    said = capsys.readouterr().out
    for word in ("make lint test", "build", "twine check", "make sbom", "v0.2.0"):
        assert word in said
    assert not (checkout / "dist").exists()
    assert "v0.2.0 is there" not in refused(checkout)
    with pytest.raises(SystemExit, match=r"says 0\.2\.0"):
        release.main(["0.3.0", "--dry-run"])


def test_the_changelog_begins_with_this_version():
    headings = re.findall(
        r"^## \[(.+?)\](.*)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE
    )
    assert headings[0][0] in (__version__, "Unreleased")
    for version, rest in headings:
        date = re.fullmatch(r" - (\d{4}-\d\d-\d\d|unreleased)", rest)
        assert date or version == "Unreleased"
    assert len({version for version, _ in headings}) == len(headings)


def test_all_that_ships_is_packaged():
    """Without building a wheel, which takes a minute; `make release` looks into the real one."""
    said = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    folders = {p: said["package-dir"].get(p, p.replace(".", "/")) for p in said["packages"]}
    folders["herbdemo.examples.LICENSES"] = "examples/LICENSES"  # below one that is named
    packed = {
        file.relative_to(ROOT).as_posix()
        for package, folder in folders.items()
        for pattern in ("*.py", *said["package-data"].get(package, ()))
        for file in (ROOT / folder).glob(pattern)
    }
    there = {
        file.relative_to(ROOT).as_posix()
        for folder in release.SHIPPED
        for file in (ROOT / folder).rglob("*")
        if file.is_file() and file.suffix not in {".pyc", ".pyi"}
    }
    assert {file for file in there - packed if not release.NOT_SHIPPED.fullmatch(file)} == set()


def test_what_ships_is_found_in_a_checkout_and_once_installed(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "__file__", str(tmp_path / "herbdemo/files.py"))
    (tmp_path / "weights").mkdir()
    assert files.shipped("weights") == tmp_path / "weights"
    (tmp_path / "herbdemo/weights").mkdir(parents=True)  # beside other packages nothing is ours
    assert files.shipped("weights") == tmp_path / "herbdemo/weights"
