"""The tables of an accelerator, unattended: network, answers, engines, folders, training.

    python benchmarks/gpu.py [--data ../shared]

Needs CUDA; without it, it says so and ends with status 2. The results are kept with the name of the
device, in results/gpu-NAME.json, and stand in RESULTS.md from then on. Each script runs in a process of
its own, and one that fails does not stop the others.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
SCRIPTS = ("forward", "answer", "engines", "batch", "training")
HOUR = 3600


def run(
    names: Sequence[str], data: Path, *options: str
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """What each script found, and of those that failed the last line that they said."""
    results, failed = [], {}
    with tempfile.TemporaryDirectory() as place:
        for name in names:
            file = Path(place) / f"{name}.json"
            given = [str(data.absolute())] if name == "training" else []
            command = ["-m", f"benchmarks.{name}", *given, "--json", str(file), *options]
            try:
                done = subprocess.run([sys.executable, *command], cwd=ROOT, stderr=subprocess.PIPE,
                                      text=True, timeout=HOUR)  # fmt: skip
                said = done.stderr.strip().splitlines() or ["it wrote no figures"]
            except subprocess.TimeoutExpired:
                said = ["it took more than an hour"]
            if file.is_file():
                results.append(json.loads(file.read_text(encoding="utf-8")))
            else:
                failed[name] = said[-1]
                print(f"{name} failed: {said[-1]}", file=sys.stderr)
    return results, failed


def main() -> int:
    import torch

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared"), help="photos to train on")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        print("There is no CUDA device here, so there is nothing to measure. `make bench` measures the CPU.",
              file=sys.stderr)  # fmt: skip
        return 2
    device = torch.cuda.get_device_name()
    results, failed = run(SCRIPTS, arguments.data)
    found = {"device": device, "results": results, "failed": failed}
    named = re.sub("[^0-9A-Za-z]+", "-", device).strip("-")
    file = ROOT / "benchmarks" / "results" / f"gpu-{named}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    subprocess.run([sys.executable, "-m", "benchmarks.report"], cwd=ROOT, check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
