"""scripts/space.py: what is uploaded as a Space, and what is refused."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from herbdemo.ui.gate import has_oauth
from scripts.space import (
    FILES,
    KEYS,
    ROOT,
    ZEROGPU_PYTHON,
    ZEROGPU_TORCH,
    Refused,
    build,
    check_front,
    front_matter,
    requirements_in,
    said,
)
from scripts.space_try import kept_in, listing, read_only, troubles

README = (ROOT / "README.md").read_text("utf-8")
REQUIREMENTS = requirements_in((ROOT / "requirements.txt").read_text("utf-8"))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, int]]:
    """The Space of this repository, and the sizes of its files."""
    folder = tmp_path_factory.mktemp("space") / "app"
    return folder, build(folder)


@pytest.fixture
def front() -> dict:
    """The front matter as it is."""
    return front_matter(README)


def test_the_folder_holds_what_the_app_needs_and_nothing_else(built):
    folder, sizes = built
    assert set(sizes) == set(listing(folder))
    assert set(FILES) < set(sizes)
    for name in ("herbdemo/ui/page.css", "herbdemo/herbs.csv", "examples/SOURCES.md"):
        assert name in sizes
    parts = {name.partition("/")[0] for name in sizes}
    assert not parts & {"tests", "scripts", "Makefile", ".ci", ".gitignore"}
    assert {name for name in sizes if name.endswith(".py") and "/" not in name} == {"app.py"}
    assert not [name for name in sizes if name.startswith("benchmarks/") and name.endswith(".py")]
    assert not [name for name in sizes if "__pycache__" in name or name.endswith(".pyi")]
    table = said(sizes)
    assert re.search(r"weights/ .* MB", table)
    assert f"{len(sizes)} files" in table.splitlines()[-1]


def test_pages_show_their_pictures_and_lead_to_each_other(built):
    folder, sizes = built
    pages = [name for name in sizes if name.endswith(".md") and not name.startswith("weights")]
    assert {"docs/spaces.md", "docs/export.md", "SECURITY.md", "benchmarks/LIGHT.md"} <= set(pages)
    for page in pages:
        text = (folder / page).read_text("utf-8")
        for beside in re.findall(r"!\[[^\]]*\]\(([^)#]+)\)|\]\(([^)#:]+\.md)\b", text):
            assert (folder / page).parent.joinpath("".join(beside)).is_file(), (page, beside)


def test_git_would_send_everything_binary_through_lfs(built, tmp_path):
    folder, sizes = built
    shutil.copytree(folder, tmp_path / "clone", ignore=lambda *_: ["weights"])
    for command in (["init", "-q"], ["check-attr", "filter", "--", *sizes]):
        done = subprocess.run(
            ["git", *command], cwd=tmp_path / "clone", capture_output=True, text=True, check=True
        )
    through = {name for name in sizes if f"{name}: filter: lfs" in done.stdout}
    binary = {name for name in sizes if b"\0" in (folder / name).read_bytes()[:8000]}
    assert through == binary
    assert any(name.endswith("model.safetensors") for name in through)
    assert "herbdemo/herbs.csv" not in through


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("colorFrom", "teal", "one of red, yellow"),
        ("short_description", "x" * 61, "at most 60"),
        ("emoji", "herb", "one emoji"),
        ("python_version", 3.12, "in quotes"),
        ("python_version", "3.13", "ZeroGPU offers 3.10.13 and 3.12.12"),
        ("sdk", "docker", "gradio"),
        ("sdk_version", "5.0.0", "gradio==6.31.0"),
        ("hf_oauth", "yes", "true or false"),
        ("hf_oauth_scopes", ["root"], "manage-repos"),
        ("hf_oauth_expiration_minutes", 43201, "at most 43200"),
        ("suggested_hardware", "h100", "t4-small"),
        ("suggested_storage", "small", "do not know"),
        ("preload_from_hub", ["me/herbs main card.json"], "owner/name file,file commit"),
        ("custom_headers", {"X-Frame-Options": "DENY"}, "cross-origin"),
        ("tags", "herbs", "a list"),
        ("colour", "red", "do not know"),
        ("license", "MIT License", "such as mit"),
    ],
)
def test_front_matter_that_is_refused(front, key, value, words):
    check_front(front, REQUIREMENTS)
    with pytest.raises(Refused, match=re.escape(words)):
        check_front(front | {key: value}, REQUIREMENTS)


def test_front_matter_that_is_missing(front):
    for key in front.keys() & {"title", "sdk_version", "app_file"}:
        with pytest.raises(Refused, match=f"lacks {key}"):
            check_front({k: v for k, v in front.items() if k != key}, REQUIREMENTS)
    for text in ("# A title\n", "---\ntitle: [\n---\n", "---\njust words\n---\n"):
        with pytest.raises(Refused):
            front_matter(text)


def test_what_docs_may_recommend_is_accepted(front):
    more = {
        "preload_from_hub": [f"me/herbs card.json,model.safetensors {'0' * 40}", "me/herbs"],
        "suggested_hardware": "t4-small",
        "startup_duration_timeout": "1h",
    }
    assert more.keys() <= KEYS.keys()
    check_front(front | more, REQUIREMENTS)


def test_both_pages_on_spaces_say_the_same(front):
    pages = [(ROOT / "docs" / name).read_text("utf-8") for name in ("spaces.md", "spaces.zh-CN.md")]
    code = [re.findall(r"^```(\w+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL) for page in pages]
    assert code[0] == code[1]
    for language, block in code[0]:
        if language == "yaml":
            check_front(front | yaml.safe_load(block), REQUIREMENTS)
    for page in pages:
        assert page.count("\n| ") == pages[0].count("\n| ")
        for version in (*ZEROGPU_TORCH, *ZEROGPU_PYTHON):
            assert version in page
        for test in re.findall(r"\[(tests/[\w/.]+)\]", page):
            assert (ROOT / test).is_file()
        cited = set(re.findall(r"\[(\d+)\]", page))
        assert cited == set(re.findall(r"^(\d+)\. ", page, re.MULTILINE))


def test_requirements_admit_what_zerogpu_offers(front):
    (torch,) = [requirement for requirement in REQUIREMENTS if requirement.name == "torch"]
    assert all(version in torch.specifier for version in ZEROGPU_TORCH)
    changed = [r for r in REQUIREMENTS if r.name != "torch"] + requirements_in("torch==2.15.0")
    with pytest.raises(Refused, match=r"ZeroGPU offers 2\.8\.0"):
        check_front(front, changed)


def test_weights_that_are_a_stand_in_are_refused(tmp_path):
    repository = tmp_path / "repository"
    kept = ("requirements.txt", "packages.txt", "LICENSE", "app.py")
    for name in [*kept, "weights/herbs-31-v2/card.json"]:
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, repository / name)
    (repository / "README.md").write_text("---".join(README.split("---")[:2]) + "---\n", "utf-8")
    pointer = repository / "weights" / "herbs-31-v2" / "model.safetensors"
    pointer.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with pytest.raises(Refused, match="git does not say"):
        build(tmp_path / "app", root=repository)
    git = ["git", "-c", "core.autocrlf=false"]
    for command in (["init", "-q"], ["add", "-A", "-f"]):
        subprocess.run([*git, *command], cwd=repository, capture_output=True, check=True)
    with pytest.raises(Refused, match="git lfs pull"):
        build(tmp_path / "app", root=repository)
    assert not (tmp_path / "app").exists()
    (repository / "app.py").unlink()
    with pytest.raises(Refused, match=r"gone: app\.py"):
        build(tmp_path / "app", root=repository)
    with (repository / "README.md").open("a") as page:
        page.write("[more](docs/more.md)")
    with pytest.raises(Refused, match=r"not tracked by git: docs/more\.md"):
        build(tmp_path / "app", root=repository)


@pytest.mark.parametrize("held", [".git", "notes.txt"])
def test_a_folder_that_holds_other_things_is_left_alone(tmp_path, held):
    (tmp_path / held).mkdir()
    with pytest.raises(Refused, match="Name a new folder"):
        build(tmp_path)
    (tmp_path / "app.py").touch()
    (tmp_path / ".gitattributes").touch()
    if held == ".git":  # a clone of a Space
        with pytest.raises(Refused, match="Name a new folder"):
            build(tmp_path)
    assert (tmp_path / held).is_dir()


def test_the_code_of_a_rehearsal_cannot_be_written_to(tmp_path):
    code, scratch = tmp_path / "app", tmp_path / "run"
    (code / "part").mkdir(parents=True)
    (code / "part" / "a.py").write_text("1")
    (scratch / "home").mkdir(parents=True)
    python = shutil.which("python3") or "python3"
    with read_only(code):
        try:
            prefix, how = kept_in(code, scratch, python)
        except Refused:
            pytest.skip("nothing keeps this user from writing here")
        assert "as " in how
        places = {
            code / "b": False,
            code / "part" / "c": False,
            code / "part" / "a.py": False,
            scratch / "home" / "d": True,
        }
        for place, allowed in places.items():
            done = subprocess.run(
                [*prefix, python, "-c", "open(__import__('sys').argv[1], 'w')", str(place)],
                capture_output=True,
                check=False,
            )
            assert (done.returncode == 0) is allowed, place
    (code / "part" / "a.py").write_text("2")  # and afterwards the owner may again


def test_a_log_without_spaces_is_no_trouble():
    missing = "Traceback …\nRuntimeError: `spaces` package is required to run hot-reloading\n"
    assert troubles(missing) == 0
    assert troubles(f"{missing}Traceback …\nKeyError: 1\n") == 1


def test_a_space_offers_the_hubs_login(front, monkeypatch):
    from scripts.space_try import VARIABLES

    assert front["hf_oauth"] is True
    assert not has_oauth()
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    assert has_oauth()
    assert VARIABLES["OAUTH_SCOPES"].split()[2:] == front["hf_oauth_scopes"]
