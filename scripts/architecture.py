"""Draw docs/architecture.svg from what the code imports: `make picture`.

The rows are those of CONTRIBUTING.md. A line leads from a module to what it imports from the rows
below, unless other lines lead there anyway; `herbdemo.ui` counts as one module.
"""

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "herbdemo"
PICTURE = ROOT / "docs/architecture.svg"

WIDTH, MARGIN = 1080, 20
CHIP, ROW, BAND = 28, 40, 42  # heights: of a chip, from row to row, and between two bands
LETTER = 7.9  # px of a monospaced letter at 13 px
SWEEPS = 12  # after so many no line gets shorter any more

Rows = list[list[str]]
Arrows = dict[str, set[str]]
Box = tuple[float, int, float]  # left, top, width


def rows() -> Rows:
    """The layers of CONTRIBUTING.md from the top, each with its modules."""
    words = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    found = re.search(r"downward only:\n\n```\n(.*?)```", words, re.DOTALL)
    if not found:
        raise SystemExit("CONTRIBUTING.md has no list of layers any more")
    return [line.split(", ") for line in found[1].strip().splitlines()]


def imports() -> Arrows:
    """What each module of the package imports of the others, late imports included."""
    arrows: Arrows = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        name = "ui" if file.parent.name == "ui" else file.stem
        if not name.startswith("__"):
            others = set(imported(ast.parse(file.read_text(encoding="utf-8"))))
            arrows.setdefault(name, set()).update(others)
    return {name: {o for o in others if o in arrows} - {name} for name, others in arrows.items()}


def imported(tree: ast.AST) -> Iterator[str]:
    """The modules that code needs; what only a type checker reads is no need."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.ImportFrom):
            parts = (node.module or "").split(".")
            if node.level or parts[0] == "herbdemo":
                parts = parts if node.level else parts[1:]
                yield from parts[:1] or [alias.name for alias in node.names]
        yield from imported(node)


def lines(layers: Rows, arrows: Arrows) -> list[tuple[str, str]]:
    """The lines that are drawn, in order."""
    at = {name: y for y, layer in enumerate(layers) for name in layer}
    below = {a: {b for b in arrows[a] if at[b] > at[a]} for a in at}

    @functools.cache
    def reached(a: str) -> frozenset[str]:
        return frozenset(below[a]).union(*(reached(b) for b in below[a]))

    return [
        (a, b)
        for a in at
        for b in sorted(below[a])
        if not any(b in reached(other) for other in below[a])
    ]


def ordered(layers: Rows, drawn: list[tuple[str, str]]) -> Rows:
    """Each layer with its modules beside those that they are joined to, so that lines are short."""
    joined: dict[str, list[str]] = {name: [] for layer in layers for name in layer}
    for a, b in drawn:
        joined[a].append(b)
        joined[b].append(a)
    layers = [sorted(layer) for layer in layers]
    for sweep in range(SWEEPS):
        place = {name: (x + 0.5) / len(layer) for layer in layers for x, name in enumerate(layer)}
        for layer in layers if sweep % 2 else reversed(layers):
            weight = {
                name: sum(place[o] for o in joined[name]) / len(joined[name])
                if joined[name]
                else place[name]
                for name in layer
            }
            layer.sort(key=lambda name: (round(weight[name], 6), name))
            place |= {name: (x + 0.5) / len(layer) for x, name in enumerate(layer)}
    return layers


def drawing() -> str:
    """The picture as SVG; the same bytes for the same code."""
    arrows, layers = imports(), rows()
    known = {name for layer in layers for name in layer}
    if known != set(arrows):
        raise SystemExit(
            "The list of layers in CONTRIBUTING.md and the package differ in: "
            + ", ".join(sorted(known ^ set(arrows)))
        )
    drawn = lines(layers, arrows)
    boxes: dict[str, Box] = {}
    bands: list[tuple[int, int]] = []
    top = MARGIN
    for layer in ordered(layers, drawn):
        found = _placed(layer, top)
        boxes |= found
        end = max(y for _, y, _ in found.values()) + CHIP
        bands.append((top, end))
        top = end + BAND
    parts = [
        f'<rect class="band" x="4" y="{y - 8}" width="{WIDTH - 8}" height="{end - y + 16}" rx="8"/>'
        for y, end in bands
    ]
    parts += [_line(boxes[a], boxes[b]) for a, b in drawn]
    parts += [_chip(name, *boxes[name]) for name in sorted(boxes)]
    height = bands[-1][1] + MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'width="{WIDTH}" height="{height}"><title>What imports what in herbdemo</title>\n'
        f"<style>{STYLE}</style>\n" + "\n".join(parts) + "\n</svg>\n"
    )


STYLE = """
.band{fill:#f2f5ee}.line{fill:none;stroke:#5f7f5a;stroke-opacity:.45}
.chip{fill:#fff;stroke:#9db396}text{font:13px ui-monospace,Menlo,Consolas,monospace;fill:#20301e;
text-anchor:middle}
@media(prefers-color-scheme:dark){.band{fill:#1b211a}.line{stroke:#9cc094;stroke-opacity:.4}
.chip{fill:#2a3328;stroke:#5d7657}text{fill:#e6efe2}}
"""


def _placed(layer: list[str], top: int) -> dict[str, Box]:
    """Where the chips of a band are: in as many rows as they need, spread over the width."""
    widths = {name: len(_label(name)) * LETTER + 18 for name in layer}
    room = WIDTH - 2 * MARGIN
    count = -(-int(sum(widths.values()) + 12 * len(layer)) // room)
    found: dict[str, Box] = {}
    for row in range(count):  # neighbours go below each other, so that all keep their place
        names = layer[row::count]
        gap = (room - sum(widths[name] for name in names)) / len(names)
        x = MARGIN + gap / 2
        for name in names:
            found[name] = (round(x, 1), top + row * ROW, round(widths[name], 1))
            x += widths[name] + gap
    return found


def _label(name: str) -> str:
    return f"ui ({len(list(PACKAGE.glob('ui/*.py')))} modules)" if name == "ui" else name


def _chip(name: str, x: float, y: int, width: float) -> str:
    return (
        f'<rect class="chip" x="{x}" y="{y}" width="{width}" height="{CHIP}" rx="6"/>'
        f'<text x="{x + width / 2:.1f}" y="{y + 18}">{_label(name)}</text>'
    )


def _line(a: Box, b: Box) -> str:
    x1, y1, x2, y2 = a[0] + a[2] / 2, a[1] + CHIP, b[0] + b[2] / 2, b[1]
    bend = min(60.0, (y2 - y1) / 2)
    return (
        f'<path class="line" d="M{x1:.1f} {y1}C{x1:.1f} {y1 + bend:.1f} '
        f'{x2:.1f} {y2 - bend:.1f} {x2:.1f} {y2}"/>'
    )


if __name__ == "__main__":
    PICTURE.write_text(drawing(), encoding="utf-8", newline="\n")
