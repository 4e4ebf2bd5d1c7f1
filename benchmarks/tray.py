"""Which herbs are found in one photo, and where? Prints a table in Markdown.

    python -m benchmarks.tray ../shared [--split val|test] [--photos 60] [--model ID]

Composites are photos of the split, each cropped to its cell of 2 x 2, 3 x 3 or 2 x 1, with a margin
of 6 % of the cell on every side and a table of white, grey or wood between. Besides: single photos,
everyday scenes (the even ones for val, the odd ones for test) and empty tables. The settings in
`tray.py` were chosen with --split val.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from herbdemo.dataset import photos_below, scan
from herbdemo.photo import Photo, open_photo
from herbdemo.recognise import Recogniser
from herbdemo.registry import Registry
from herbdemo.scores import expected_calibration_error
from herbdemo.tray import look

LONGEST = 1200  # px of a composite
MARGIN = 0.06  # of a cell, on every side
GRIDS = ((2, 2), (3, 3), (2, 1))  # columns, rows
SHAPES = (3 / 4, 1, 4 / 3)  # width / height of a composite


@dataclass(frozen=True)
class Scene:
    """A photo and its herbs, each with the share of the photo that it covers."""

    image: Image.Image
    shares: dict[str, float]


def table_top(size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """A plain table: white, grey, or wood-coloured with a grain."""
    width, height = size
    kind = rng.integers(3)
    if kind == 0:
        surface, noise = np.full((height, width, 3), 250.0), 2
    elif kind == 1:
        surface, noise = np.full((height, width, 3), rng.uniform(90, 190)), 4
    else:
        wood = [rng.uniform(120, 190), rng.uniform(80, 125), rng.uniform(45, 80)]
        surface, noise = np.array(wood) + rng.normal(0, 10, (height, 1, 1)), 5
        surface = np.broadcast_to(surface, (height, width, 3))
    surface = surface + rng.normal(0, noise, (height, width, 1))
    return Image.fromarray(np.clip(surface, 0, 255).astype(np.uint8))


def composite(
    photos: dict[str, list[Path]], grid: tuple[int, int], rng: np.random.Generator
) -> Scene:
    """Different herbs side by side."""
    shape = rng.choice(SHAPES)
    size = (LONGEST, round(LONGEST / shape)) if shape >= 1 else (round(LONGEST * shape), LONGEST)
    image, shares = table_top(size, rng), {}
    columns, rows = grid
    cell_width, cell_height = size[0] / columns, size[1] / rows
    for at, herb in enumerate(rng.choice(sorted(photos), columns * rows, replace=False)):
        row, column = divmod(at, columns)
        left, right = (round((column + part) * cell_width) for part in (MARGIN, 1 - MARGIN))
        top, bottom = (round((row + part) * cell_height) for part in (MARGIN, 1 - MARGIN))
        photo = open_photo(photos[herb][rng.integers(len(photos[herb]))], longest=800).image
        image.paste(_cropped(photo, (right - left, bottom - top), rng), (left, top))
        shares[str(herb)] = (right - left) * (bottom - top) / (size[0] * size[1])
    return Scene(image, shares)


def scenes(folder: Path, split: str, count: int) -> Iterator[tuple[str, Iterator[Scene]]]:
    """Each kind of scene with `count` of it."""
    photos = defaultdict(list)
    for sample in scan(folder / "herbs" / split):
        photos[sample.herb].append(sample.path)
    seed = ("val", "test").index(split)
    for columns, rows in GRIDS:
        rngs = (np.random.default_rng([seed, columns, rows, k]) for k in range(count))
        made = (composite(photos, (columns, rows), rng) for rng in rngs)
        yield f"{columns * rows} herbs", made
    rng = np.random.default_rng(seed)
    single = [(herb, path) for herb, paths in photos.items() for path in paths]
    chosen = [single[k] for k in rng.permutation(len(single))[: 2 * count]]
    yield "1 herb: an ordinary photo", (Scene(_opened(path), {herb: 1.0}) for herb, path in chosen)
    everyday = list(photos_below(folder / "not_herbs"))[seed::2][:count]
    yield "everyday scenes", (Scene(_opened(path), {}) for path in everyday)
    yield "empty tables", (Scene(table_top((LONGEST, 900), rng), {}) for _ in range(20))


def measured(recogniser: Recogniser, made: Iterator[Scene]) -> str:
    """The cells of a row."""
    counts, probabilities, right, gaps, seconds = [], [], [], [], []
    for scene in made:
        photo = Photo(scene.image, scene.image.size, "", "PNG")
        start = time.perf_counter()
        found = {one.herb.zh: one for one in look(recogniser, photo).herbs}
        seconds.append(time.perf_counter() - start)
        hits = found.keys() & scene.shares.keys()
        counts.append((len(hits), len(found), len(scene.shares)))
        probabilities += [one.probability for one in found.values()]
        right += [herb in hits for herb in found]
        if len(scene.shares) > 1:  # an ordinary photo's own background is not known
            gaps += [found[herb].share - scene.shares[herb] for herb in hits]
    counts = np.array(counts)
    hits, found, there = counts.sum(axis=0)
    exact = ((counts[:, 0] == counts[:, 1]) & (counts[:, 0] == counts[:, 2])).mean()
    cells = [f"{len(counts)}", f"{exact:.0%}"]
    if there:
        ece = expected_calibration_error(np.array(probabilities), np.array(right))
        cells += [
            f"**{_f1(counts):.3f}**", _interval(counts), f"{hits / found:.3f}",
            f"{hits / there:.3f}", f"{np.mean(probabilities):.3f}", f"{ece:.3f}",
            f"{np.mean(gaps):+.1%}, {np.abs(gaps).mean():.1%}" if gaps else "–",
        ]  # fmt: skip
    else:
        cells += ["–"] * 7
    return " | ".join([*cells, f"{np.median(seconds):.2f}"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--split", choices=("val", "test"), default="test")
    parser.add_argument("--photos", type=int, default=60)
    parser.add_argument("--model")
    arguments = parser.parse_args()
    recogniser = Recogniser(Registry().load(arguments.model))
    print("| scene | photos | exactly right | F1 | interval | precision | recall | mean probability "
          "| ECE | share: mean error, absolute | seconds |\n|---|---|---|---|---|---|---|---|---|---|"
          "---|", flush=True)  # fmt: skip
    for name, made in scenes(arguments.folder, arguments.split, arguments.photos):
        print(f"| {name} | {measured(recogniser, made)} |", flush=True)


def _cropped(photo: Image.Image, size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """The largest piece of `photo` in the shape of `size`, from a random place."""
    width, height = photo.size
    ratio = size[0] / size[1]
    wide, high = (width, width / ratio) if width / height < ratio else (height * ratio, height)
    left, top = rng.uniform(0, width - wide + 1e-9), rng.uniform(0, height - high + 1e-9)
    box = (left, top, min(width, left + wide), min(height, top + high))
    return photo.resize(size, Image.Resampling.BILINEAR, box=box, reducing_gap=2)


def _opened(path: Path) -> Image.Image:
    return open_photo(path, longest=LONGEST).image


def _f1(counts: np.ndarray) -> float:
    """Micro-averaged over herbs: 2 hits / (found + there)."""
    hits, found, there = counts.sum(axis=0)
    return 2 * hits / (found + there)


def _interval(counts: np.ndarray) -> str:
    """95 %, by drawing photos with replacement."""
    draws = np.random.default_rng(0).integers(len(counts), size=(2000, len(counts)))
    low, high = np.quantile([_f1(counts[draw]) for draw in draws], [0.025, 0.975])
    return f"{low:.3f} … {high:.3f}"


if __name__ == "__main__":
    main()
