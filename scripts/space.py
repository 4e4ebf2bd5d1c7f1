"""Build the folder that is uploaded as a Hugging Face Space; refuse one that would not run.

    make space                            # build/space
    python -m scripts.space FOLDER        # FOLDER is replaced

What belongs is tracked by git: the app, the package, weights, examples, and the pages and pictures
that the README leads to. Everything binary goes through Git LFS, as the Hub wants it.
docs/spaces.md says how to upload the folder.
"""

import argparse
import hashlib
import json
import posixpath
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import Any

import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "space"
FILES = ("app.py", "requirements.txt", "packages.txt", "README.md", "LICENSE")
FOLDERS = ("herbdemo", "weights", "examples")
PAGES = r"((docs|benchmarks)/)?[\w.-]+\.md"  # that a link may bring along
PICTURE, LINK = r"!\[[^\]]*\]\(([^)\s#]+)\)", r"(?<!!)\[[^\]]*\]\(([^)\s#]+)\)"
LFS = "filter=lfs diff=lfs merge=lfs -text"

# What ZeroGPU offers: huggingface/hub-docs, docs/hub/spaces-zerogpu.md, as of 2026-08-22; its list
# of PyTorch went on with 2.12.1 and 2.13.0 after that. A requirement that excludes all of them ends
# the build with “No candidate PyTorch version found for ZeroGPU”.
ZEROGPU_TORCH = ("2.8.0", "2.9.1", "2.10.0", "2.11.0", "2.12.1", "2.13.0")
ZEROGPU_PYTHON = ("3.10.13", "3.12.12")

COLOURS = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")
SCOPES = ("email", "read-billing", "read-repos", "write-repos", "manage-repos", "inference-api",
          "write-discussions", "openid", "profile")  # fmt: skip
HARDWARE = ("cpu-basic", "cpu-upgrade", "zero-a10g", "t4-small", "t4-medium", "l4x1", "l4x4",
            "l40sx1", "l40sx4", "l40sx8", "a10g-small", "a10g-large", "a10g-largex2",
            "a10g-largex4", "a100-large")  # fmt: skip
HEADERS = ("cross-origin-embedder-policy", "cross-origin-opener-policy",
           "cross-origin-resource-policy")  # fmt: skip
REPO = r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?"


class Refused(Exception):  # noqa: N818  # its text is for people
    """Why the folder cannot be a Space, in a sentence that says what to change."""


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _like(pattern: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


def _among(*words: str) -> Callable[[Any], bool]:
    return lambda value: value in words


def _each(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and bool(value) and all(map(check, value))


# The keys of the front matter, what each may be, and in words. The source of keys and values is the
# Spaces Configuration Reference, huggingface.co/docs/hub/spaces-config-reference, with the page on
# OAuth for scopes and minutes (read 2026-11-25). The length of `short_description` is what the Hub
# answers to a longer one: “length must be less than or equal to 60 characters”. `license` is of the
# page on repository cards. `suggested_storage` is left out: persistent storage is sold no more.
KEYS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "title": (_text, "some text"),
    "emoji": (_like(r"[^\x00-\u00ff]{1,4}"), "one emoji and nothing else"),
    "colorFrom": (_among(*COLOURS), f"one of {', '.join(COLOURS)}"),
    "colorTo": (_among(*COLOURS), f"one of {', '.join(COLOURS)}"),
    "sdk": (_among("gradio"), "gradio, which this is"),
    "sdk_version": (_like(r"\d+\.\d+\.\d+"), "a version of Gradio such as 6.31.0"),
    "python_version": (_like(r"3\.\d+(\.\d+)?"), 'a Python such as "3.12", in quotes'),
    "app_file": (_like(r"[\w./-]+\.py"), "the file that starts the app"),
    "base_path": (_like(r"/\S*"), "an address that starts with /"),
    "fullWidth": (_flag, "true or false"),
    "header": (_among("mini", "default"), "mini or default"),
    "short_description": (
        lambda value: _text(value) and len(value) <= 60,
        "some text of at most 60 characters",
    ),
    "license": (_like(r"[a-z0-9][a-z0-9.-]*"), "the Hub's name of a licence, such as mit"),
    "models": (_each(_like(REPO)), "a list of models such as owner/name"),
    "datasets": (_each(_like(REPO)), "a list of data sets such as owner/name"),
    "tags": (_each(_text), "a list of words"),
    "thumbnail": (_like(r"https://\S+"), "the address of a picture"),
    "pinned": (_flag, "true or false"),
    "hf_oauth": (_flag, "true or false"),
    "hf_oauth_scopes": (_each(_among(*SCOPES)), f"a list of {', '.join(SCOPES)}"),
    "hf_oauth_expiration_minutes": (
        lambda value: type(value) is int and 0 < value <= 43200,
        "a number of minutes, at most 43200",
    ),
    "hf_oauth_authorized_org": (
        lambda value: _text(value) or _each(_text)(value),
        "an organisation, or a list of them",
    ),
    "disable_embedding": (_flag, "true or false"),
    "startup_duration_timeout": (_like(r"\d+[smh]"), "a duration such as 30m"),
    "suggested_hardware": (_among(*HARDWARE), f"one of {', '.join(HARDWARE)}"),
    "custom_headers": (
        lambda value: isinstance(value, dict) and bool(value) and set(value) <= set(HEADERS),
        f"values for {', '.join(HEADERS)}",
    ),
    "preload_from_hub": (
        _each(_like(rf"{REPO}( [^\s,]+(,[^\s,]+)*( [0-9a-f]{{40}})?)?")),
        "a list of “owner/name”, “owner/name file,file” or “owner/name file,file commit”",
    ),
}
NEEDED = ("title", "emoji", "colorFrom", "colorTo", "sdk", "sdk_version", "python_version",
          "app_file", "short_description", "license")  # fmt: skip


def front_matter(readme: str) -> dict[str, Any]:
    """What the block at the top of a README.md says.

    Raises:
        Refused: there is none, or it is no YAML.
    """
    match = re.match(r"---\n(.*?)\n---\n", readme, re.DOTALL)
    if match is None:
        raise Refused("README.md must begin with a block of front matter between two lines “---”.")
    try:
        front = yaml.safe_load(match[1])
    except yaml.YAMLError as error:
        raise Refused(f"The front matter of README.md is no YAML: {error}") from error
    if not isinstance(front, dict):
        raise Refused("The front matter of README.md must be lines of “key: value”.")
    return front


def check_front(front: dict[str, Any], requirements: Iterable[Requirement]) -> None:
    """Check front matter against what is documented, and against what is installed.

    Raises:
        Refused: a key is unknown or missing, or a value cannot be.
    """
    for key, value in front.items():
        if key not in KEYS:
            raise Refused(f"The front matter has “{key}”, which Spaces do not know. Remove it.")
        check, wanted = KEYS[key]
        if not check(value):
            raise Refused(f"In the front matter “{key}” must be {wanted}; it is {value!r}.")
    if missing := [key for key in NEEDED if key not in front]:
        raise Refused(f"The front matter lacks {', '.join(missing)}. Add it.")
    by_name = {requirement.name: requirement for requirement in requirements}
    gradio, version = by_name["gradio"], front["sdk_version"]
    if str(gradio.specifier) != f"=={version}":
        raise Refused(
            f"sdk_version is {version}, and requirements.txt wants gradio{gradio.specifier}. "
            "Write the same version in both."
        )
    python = front["python_version"]
    if not any(f"{offered}.".startswith(f"{python}.") for offered in ZEROGPU_PYTHON):
        raise Refused(
            f"python_version is {python}, and ZeroGPU offers {' and '.join(ZEROGPU_PYTHON)} only."
        )
    if not any(torch in by_name["torch"].specifier for torch in ZEROGPU_TORCH):
        raise Refused(
            f"requirements.txt wants torch{by_name['torch'].specifier}, and ZeroGPU offers "
            f"{', '.join(ZEROGPU_TORCH)} only."
        )


def requirements_in(text: str) -> list[Requirement]:
    """The requirements in the text of a requirements.txt."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [Requirement(line) for line in lines if line]


def beside(page: str, name: str) -> str:
    """Where a link on a page leads to, from the root."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), name))


def belonging(root: Path) -> list[str]:
    """The files of a Space, of those that git tracks below `root`.

    Raises:
        Refused: one is missing, or a picture that a page shows is not tracked.
    """
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=root, capture_output=True, check=True, text=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise Refused("git does not say what it tracks here. Build from a clone.") from error
    tracked = set(filter(None, listed.stdout.split("\0")))
    wanted = set(FILES) | {name for name in tracked if name.partition("/")[0] in FOLDERS}
    pages = ["README.md"]
    for page in pages:  # which grows meanwhile
        text = (root / page).read_text("utf-8")
        wanted |= {beside(page, name) for name in re.findall(PICTURE, text) if "://" not in name}
        linked = (beside(page, name) for name in re.findall(LINK, text))
        new = {name for name in linked if re.fullmatch(PAGES, name)} - set(pages)
        pages += sorted(name for name in new if (root / name).is_file())  # else it is told of below
        wanted |= new
    if missing := sorted(name for name in wanted if name not in tracked):
        raise Refused(
            f"These belong to the Space and are not tracked by git: {', '.join(missing)}."
        )
    if gone := sorted(name for name in wanted if not (root / name).is_file()):
        raise Refused(f"These belong to the Space and are gone: {', '.join(gone)}.")
    return sorted(wanted)


def check_weights(folder: Path) -> None:
    """Whether the weights are those that their cards describe, not a stand-in of Git LFS.

    Raises:
        Refused: they are not, or there is no model.
    """
    cards = sorted(folder.glob("weights/*/card.json"))
    if not cards:
        raise Refused("There is no model below weights/.")
    for card in cards:
        with (card.parent / "model.safetensors").open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != json.loads(card.read_bytes())["sha256"]:
            raise Refused(
                f"The weights of {card.parent.name} are not those of its card: fetch them again, "
                "with `git lfs pull` where git keeps a stand-in."
            )


def check_replaceable(target: Path) -> None:
    """Raise unless `target` is new, empty, or what `build` once made: it will be deleted.

    Raises:
        Refused: it is something else, such as a clone.
    """
    held = {path.name for path in target.iterdir()} if target.exists() else set()
    if held and (".git" in held or not {".gitattributes", "app.py"} <= held):
        raise Refused(f"{target} holds other things, which would be lost. Name a new folder.")


def attributes(folder: Path, names: Iterable[str]) -> str:
    """The .gitattributes of a Space: each kind of file that is binary goes through LFS."""
    kinds = set()
    for name in names:
        if b"\0" in (folder / name).read_bytes()[:8000]:  # as git judges it
            suffix = PurePosixPath(name).suffix
            kinds.add(f"*{suffix}" if suffix else f"/{name}")
    return "".join(f"{kind} {LFS}\n" for kind in sorted(kinds | {"*.safetensors"}))


def build(target: Path, *, root: Path = ROOT) -> dict[str, int]:
    """Put the Space of the repository at `root` into the folder `target`, in place of what it held.

    Returns:
        the size of each file in bytes.

    Raises:
        Refused: it would not run, in a sentence.
    """
    names = belonging(root)
    front = front_matter((root / "README.md").read_text("utf-8"))
    check_front(front, requirements_in((root / "requirements.txt").read_text("utf-8")))
    if front["app_file"] not in names:
        raise Refused(f"app_file is {front['app_file']}, which does not belong to the Space.")
    check_weights(root)
    check_replaceable(target)
    shutil.rmtree(target, ignore_errors=True)
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, target / name)
    (target / ".gitattributes").write_text(attributes(target, names), "utf-8")
    return {name: (target / name).stat().st_size for name in [*names, ".gitattributes"]}


def said(sizes: dict[str, int]) -> str:
    """A table of what is in the folder."""
    files: Counter[str] = Counter()
    space: Counter[str] = Counter()
    for name, size in sizes.items():
        part = name.partition("/")[0] + ("/" if "/" in name else "")
        files[part] += 1
        space[part] += size
    rows = [
        f"{part:18} {files[part]:5} files {space[part] / 1e6:8.2f} MB" for part in sorted(files)
    ]
    total = f"{'in all':18} {files.total():5} files {space.total() / 1e6:8.2f} MB"
    return "\n".join([*rows, total])


def main() -> None:
    """Build it and say what is in it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", default=FOLDER)
    folder = parser.parse_args().folder
    try:
        print(said(build(folder)))
    except Refused as error:
        sys.exit(f"This would not run as a Space: {error}")
    print(f"{folder} can be uploaded, see docs/spaces.md")


if __name__ == "__main__":
    main()
