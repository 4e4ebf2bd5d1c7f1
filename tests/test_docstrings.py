"""Every public function and class says what it does; arrays have shapes, failures are named."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "herbdemo").rglob("*.py"))
# What torch, pytorch-grad-cam and Gradio call and document: ours say only what is special to them.
FOREIGN = {
    "forward",
    "get_block_name",
    "preprocess",
    "postprocess",
    "get_cam_image",
    "get_cam_weights",
    "create_mcp_server",
    "convert_strings_to_filedata",
    "postprocess_output_data",
    "async_move_resource_to_block_cache",
}
ARRAY = re.compile(r"\b(ndarray|Tensor)\b")
NAMED = re.compile(r"\b(Mapping|dict)\[str, (np\.ndarray|Tensor)\]")  # of many shapes
SHAPE = re.compile(r"\((…\)|[^()]*,)")  # (N, 3, H, W), (n,), (…)


def public(tree: ast.Module | ast.ClassDef, within: str = "") -> Iterator[tuple[str, ast.AST]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if not node.name.startswith("_"):
                yield within + node.name, node
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                yield from public(node, f"{node.name}.")


def documented_elsewhere(node: ast.AST) -> bool:
    """Properties are told of by their class where their name is not enough; see also `FOREIGN`."""
    marks = {ast.unparse(mark) for mark in getattr(node, "decorator_list", ())}
    return bool(marks & {"property", "overload"}) or node.name in FOREIGN


def raised(node: ast.AST) -> Iterator[ast.AST]:
    """The statements that raise a HerbError out of a function by its name."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.Try):
            kept = any("HerbError" in ast.unparse(h.type) for h in child.handlers if h.type)
            parts = [*(() if kept else child.body), *child.handlers, *child.orelse]
            for part in (*parts, *child.finalbody):
                yield from raised(ast.Module([part], []))
        elif isinstance(child, ast.Raise) and child.exc is not None:
            if re.match(r"HerbError\(", ast.unparse(child.exc)):
                yield child
        else:
            yield from raised(child)


def arrays(node: ast.AST) -> bool:
    """Whether a function takes or gives arrays, or a class holds some."""
    if isinstance(node, ast.ClassDef):
        found = [n.annotation for n in node.body if isinstance(n, ast.AnnAssign)]
    else:
        every = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
        found = [*(a.annotation for a in every), node.returns]
    return any(ARRAY.search(NAMED.sub("", ast.unparse(one))) for one in found if one)


def complaints(code: str) -> list[str]:
    found = []
    for name, node in public(ast.parse(code)):
        words = ast.get_docstring(node) or ""
        if documented_elsewhere(node):
            continue
        if not words:
            found.append(f"{name} has no docstring")
        elif arrays(node) and not SHAPE.search(words):
            found.append(f"{name} names no shape")
        if not isinstance(node, ast.ClassDef) and any(raised(node)) and "Raises:" not in words:
            found.append(f"{name} does not say what it raises")
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_public_names_are_documented(file):
    assert complaints(file.read_text(encoding="utf-8")) == []


def test_what_is_complained_of():
    code = '''
def bare(): pass
def _own(x: np.ndarray): pass
def shapeless(x: np.ndarray) -> float:
    """Of an array (see there)."""
def shaped(x: np.ndarray) -> float:
    """Of rows (n, D)."""
def state(known: Mapping[str, Tensor]) -> None:
    """Of a model."""
def silent():
    """Fails."""
    if True:
        raise HerbError("", "")
def kept():
    """Fails, and says so itself."""
    try:
        raise HerbError("", "")
    except HerbError:
        pass
class Rows:
    """Some."""
    pooled: np.ndarray
    def size(self): pass
    def preprocess(self): pass
    @property
    def n(self): return 1
'''
    assert complaints(code) == [
        "bare has no docstring",
        "shapeless names no shape",
        "silent does not say what it raises",
        "Rows names no shape",
        "Rows.size has no docstring",
    ]
