"""The arrows of CONTRIBUTING.md: what imports what."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "herbdemo"


def layers() -> dict[str, int]:
    """Each module that the picture names, with its line there, from the top."""
    words = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    picture = re.search(r"downward only:\n\n```\n(.*?)```", words, re.DOTALL).group(1)
    lines = picture.strip().splitlines()
    return {name: at for at, line in enumerate(lines) for name in line.split(", ")}


def imported(tree: ast.AST) -> Iterator[str]:
    """The modules of the package that code needs; what only a type checker reads is no need."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("herbdemo"):
            _, *parts = node.module.split(".")
            yield from parts[:1] or [alias.name for alias in node.names]
        yield from imported(node)


def test_arrows_go_downward():
    at = layers()
    assert len(at) > 40
    for name in at:
        assert (PACKAGE / f"{name}.py").is_file() or (PACKAGE / name).is_dir(), name
    for file in PACKAGE.rglob("*.py"):
        name = "ui" if file.parent.name == "ui" else file.stem
        for other in imported(ast.parse(file.read_text(encoding="utf-8"))):
            if name in at and other in at:
                assert at[other] >= at[name], f"{name} imports {other}"
