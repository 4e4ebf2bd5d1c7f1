"""Make a release: `make release VERSION=0.2.0`, or `ARGS=--dry-run` to see what it would do.

It asks that all is committed on main, that `herbdemo.__version__` and a dated section of
CHANGELOG.md are of that version, and that lint and tests pass. Then dist/ holds the sdist and the
wheel, checked, and the commit has a tag. Nothing leaves this computer: what to push is said last.
"""

import argparse
import ast
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# What the wheel holds of the checkout, and where.
SHIPPED = {
    "herbdemo/": "herbdemo/",
    "weights/": "herbdemo/weights/",
    "examples/": "herbdemo/examples/",
}
NOT_SHIPPED = re.compile(r"weights/.*\.png")  # the curves in a model's card


def problems(root: Path, version: str) -> Iterator[str]:
    """Why `version` (x.y.z) cannot be released from the checkout in `root`; nothing if it can."""
    if not re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}", version):
        yield f"“{version}” is no version: give three numbers, such as 0.2.0"
        return
    if _git(root, "status", "--porcelain"):
        yield "there are changes that are not committed: `git status` lists them"
    if (branch := _git(root, "rev-parse", "--abbrev-ref", "HEAD")) != "main":
        yield f"this is the branch {branch}: releases are made from main"
    if _git(root, "tag", "--list", f"v{version}"):
        yield f"v{version} is there already: a version is released once"
    if (said := said_version(root)) != version:
        yield f"herbdemo/__init__.py says {said}: set __version__ to {version}"
    if not section(root, version):
        yield f"CHANGELOG.md has no section with words under “## [{version}] - YYYY-MM-DD”"


def said_version(root: Path) -> str:
    """The `__version__` of the package, without importing it; "" where it has none."""
    tree = ast.parse((root / "herbdemo/__init__.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__version__":
            return str(ast.literal_eval(node.value))
    return ""


def section(root: Path, version: str) -> str:
    """What CHANGELOG.md says of a version that has a date; "" where it says nothing."""
    words = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    heading = rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d\n(.*?)(?=^## |\Z)"
    found = re.search(heading, words, re.MULTILINE | re.DOTALL)
    return found[1].strip() if found else ""


def missing(root: Path, wheel: Path) -> list[str]:
    """Files of the checkout that the wheel lacks, as git names them."""
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    return [
        file
        for file in _git(root, "ls-files", *SHIPPED).splitlines()
        for folder, place in SHIPPED.items()
        if file.startswith(folder)
        and not NOT_SHIPPED.fullmatch(file)
        and place + file.removeprefix(folder) not in held
    ]


def _git(root: Path, *words: str) -> str:
    command = ["git", "-c", "core.quotePath=false", *words]
    return subprocess.run(
        command, cwd=root, check=True, capture_output=True, text=True, encoding="utf-8"
    ).stdout.strip()


def main(arguments: Sequence[str] | None = None) -> None:
    """Release; ends with 1 and the reasons where that cannot be."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("version")
    parser.add_argument("--dry-run", action="store_true", help="check, and say what would be done")
    options = parser.parse_args(arguments)
    version, dist = options.version, ROOT / "dist"
    if found := list(problems(ROOT, version)):
        raise SystemExit("\n".join(f"- {problem}" for problem in found))

    def run(*command: str) -> None:
        print("$", shlex.join(command), flush=True)
        if not options.dry_run:
            subprocess.run(command, cwd=ROOT, check=True)

    run("make", "lint", "test")
    if not options.dry_run:
        shutil.rmtree(dist, ignore_errors=True)
    run(sys.executable, "-m", "build", "--outdir", str(dist))
    files = [dist / f"herbdemo-{version}{kind}" for kind in (".tar.gz", "-py3-none-any.whl")]
    run(sys.executable, "-m", "twine", "check", "--strict", *map(str, files))
    if not options.dry_run and (lacking := missing(ROOT, files[1])):
        raise SystemExit("the wheel lacks " + ", ".join(lacking))
    if re.search(r"^sbom:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE):
        run("make", "sbom")
    # Verbatim: git would take the headings of the section for comments.
    message = f"Herb Lens {version}\n\n{section(ROOT, version)}"
    run("git", "tag", "--annotate", "--cleanup=verbatim", f"v{version}", "--message", message)
    print(f"Done. To publish it: git push origin main v{version}, then twine upload dist/*")


if __name__ == "__main__":
    main()
