"""Write RESULTS.md from what `make bench` and `gpu.py` left in results/.

    python -m benchmarks.report

First every bar with its figure, met or not, then every table with the command that repeats it. What
was not measured says so.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.bench import RESULTS, markdown, verdict

NAMES = (
    "answer",
    "engines",
    "app",
    "herbs",
    "batch",
    "start",
    "training",
)  # as `make bench` has them
INTRODUCTION = """# How fast it is

Made by `python -m benchmarks.report` from the files in `results/`; not to be edited. `make bench` measures all of it
again; docs/performance.md says how it is measured and what was done. Figures are medians; in brackets are the tenth
and the ninetieth percentile. What is compared took turns in one process; ratios were taken turn by turn.
"""


def report(folder: Path) -> str:
    """RESULTS.md, from the JSON files in `folder`."""
    found = {name: _read(folder / f"{name}.json") for name in NAMES}
    parts = [INTRODUCTION, _bars(found)]
    parts += [_section(result) for result in found.values() if result]
    for file in sorted(folder.glob("gpu-*.json")):
        parts.append(_accelerator(_read(file)))
    return "\n".join(parts)


def _read(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None


def _bars(found: Mapping[str, Any]) -> str:
    """The table of all bars."""
    lines = ["| bar | measured | met |", "|---|---|---|"]
    for name, result in found.items():
        if not result:
            lines.append(f"| {name} | not measured: `python -m benchmarks.{name}` | – |")
            continue
        for bar in result["bars"]:
            figure = verdict(bar).partition(": ")[0]
            lines.append(
                f"| [{name}](#{name}) {bar['text']} | {figure} | {'yes' if bar['met'] else '**no**'} |"
            )
    return "\n".join([*lines, ""])


def _section(result: Mapping[str, Any], level: str = "##") -> str:
    head = f"{level} {result['name']}\n\n`{result['command']}`, {result['date']}"
    return f"{head}: {_machine(result['machine'])}\n\n{markdown(result)}\n"


def _machine(machine: Mapping[str, Any]) -> str:
    libraries = ", ".join(f"{name} {number}" for name, number in machine["libraries"].items())
    accelerator = f"{machine['accelerator']}; " if machine["accelerator"] else ""
    able: Sequence[str] = machine["arithmetic"]
    return (f"{accelerator}{machine['cpu']}, {machine['cores']} cores with {', '.join(able)}, "
            f"{machine['system']}; {libraries}.")  # fmt: skip


def _accelerator(found: Mapping[str, Any]) -> str:
    parts = [f"## On an accelerator: {found['device']}\n\n`python benchmarks/gpu.py`\n"]
    parts += [_section(result, "###") for result in found["results"]]
    parts += [f"{name} did not run there: {why}\n" for name, why in found["failed"].items()]
    return "\n".join(parts)


def main() -> None:
    target = RESULTS.parent / "RESULTS.md"
    target.write_text(report(RESULTS), encoding="utf-8")
    print(f"{target.relative_to(RESULTS.parent.parent)} is written")


if __name__ == "__main__":
    main()
