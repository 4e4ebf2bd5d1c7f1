"""python -m herbdemo: recognise, evaluate, check, extend, train, import, models, serve.

With --json the last line of standard output is one JSON object and nothing else is on that
stream; progress goes to standard error. Exit 0: done. 1: a HerbError, its sentence on standard
error. 2: wrong usage.
"""

import os
import sys
import tempfile
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from herbdemo import cli_models
from herbdemo.cli_learn import check, extend, train
from herbdemo.console import (
    Json,
    Model,
    err,
    open_registry,
    out,
    print_failure,
    print_json,
    progress_bar,
    stop_on_signal,
)
from herbdemo.errors import HerbError, shortage
from herbdemo.events import Event
from herbdemo.heap import reuse_memory

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__
)
HEATMAP_SIDE = 1024  # pixels of the longest side of a heatmap's picture


def main() -> None:
    """Run the command line; a HerbError becomes its sentence and exit status 1."""
    reuse_memory()
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # `… | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        failure = error if isinstance(error, HerbError) else shortage(error)
        if failure is None:
            raise
        if os.environ.get("RANK", "0") == "0":  # of several processes only the first one speaks
            if "--json" in sys.argv:  # for whoever follows the events of a job
                said = {"zh": failure.zh, "en": failure.en, "hint": failure.hint}
                sys.stderr.write(Event("error", said).line() + "\n")
            err.print(str(failure), markup=False, highlight=False)
        sys.exit(1)


@app.command()
def recognise(
    photos: Annotated[
        list[Path], typer.Argument(help="Photos, folders of photos, zips of photos.")
    ],
    json_: Json = False,
    out_: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="File for the rows: .csv, .json, .jsonl or .parquet. Killed? The same line goes "
            "on where it was, from FILE.unfinished.",
        ),
    ] = None,
    heatmaps: Annotated[
        Path | None, typer.Option(help="Folder for the five heatmaps of each photo, as PNG.")
    ] = None,
    model: Model = None,
) -> None:
    """Name the herb in each photo: five candidates with probabilities, and a verdict.

    A photo that cannot be opened is reported and the others go on; the exit status is then 1.
    Any number of photos is done in constant memory; several processes share them under torchrun.
    SIGTERM or Ctrl-C stops after the batch at hand; with --out the same line goes on from there.
    """
    from herbdemo import distributed
    from herbdemo.engine import serving
    from herbdemo.given import given
    from herbdemo.piles import SHOWN, recognised
    from herbdemo.piles_out import WRITERS, recognised_into
    from herbdemo.recognise import Recogniser

    if out_ and out_.suffix.lower().lstrip(".") not in WRITERS:
        raise typer.BadParameter("." + ", .".join(WRITERS), param_hint="--out")
    distributed.meet()
    if heatmaps:
        _make_folder(heatmaps)
    checkpoint = open_registry().load(model)
    engine = serving(checkpoint)
    engine.wait()  # all photos of a pile are answered by the same one
    recogniser = Recogniser(checkpoint, engine=engine)
    recogniser.warm_up()

    def see(number: int, name: str, answer: Any) -> None:
        if heatmaps:
            _save_heatmaps(answer, heatmaps, f"{number + 1:04d}-{_short(Path(name).stem)}")

    seen, complete = Counter[str](), False
    with ExitStack() as stack:
        listed = stack.enter_context(given(photos))  # before anything is said: a zip may be refused
        stop = stack.enter_context(stop_on_signal())
        advance = stack.enter_context(progress_bar("recognise"))
        options: dict[str, Any] = {
            "see": see,
            "shown": HEATMAP_SIDE if heatmaps else SHOWN,
            "stop": stop,
        }
        total = _count(photos)
        batches = (
            recognised_into(out_, recogniser, photos, **options)
            if out_
            else recognised(recogniser, listed, **options)
        )

        def told() -> Iterator[list[dict[str, Any]]]:
            nonlocal complete
            complete = yield from batches

        def rows() -> Iterator[dict[str, Any]]:
            for batch in told():
                seen.update(row["verdict"] for row in batch)
                yield from batch
                advance(seen.total(), total)

        if not distributed.first():  # it has no more to do than its share
            deque(rows(), maxlen=0)
        elif json_:
            _print_rows_json(rows())
        else:
            _print_rows(rows())
    speaks = distributed.first()
    distributed.leave()
    if not complete:
        if speaks:
            on = " The same line goes on from there." if out_ else ""
            err.print(f"Stopped after {seen.total()} photos.{on}", highlight=False)
        sys.exit(130)
    if seen["failed"]:
        sys.exit(1)


@app.command()
def evaluate(
    folder: Annotated[Path, typer.Argument(help="FOLDER/<any name of a herb>/**")],
    unknown: Annotated[
        Path | None, typer.Option(help="Folder of photos that show none of the model's herbs.")
    ] = None,
    json_: Json = False,
    model: Model = None,
) -> None:
    """Measure a model on photos: accuracy, calibration, and unknowns."""
    from herbdemo.evaluate import evaluate as run

    with progress_bar("evaluate") as advance:
        report = run(
            open_registry().load(model), folder, unknown=unknown, progress=advance
        ).to_dict()
    if json_:
        print_json(report)
        return
    table = Table(title=f"{report['model']}: {report['photos']} photos, {report['herbs']} herbs")
    table.add_column("what")
    table.add_column("value", justify="right")
    low, high = report["top1_interval"]
    table.add_row("top-1", f"{report['top1']:.1%} ({low:.1%} to {high:.1%})")
    for name, key in (
        ("top-5", "top5"),
        ("top-1, mean of the herbs", "macro_top1"),
        ("ECE", "ece"),
        ("answered “certain”", "certain"),
        ("right among those", "certain_top1"),
        ("AUROC against the unknown", "auroc"),
        ("FPR at 95 % of the herbs", "fpr95"),
        ("unknown photos refused", "unknown_refused"),
        ("unknown photos called certain", "unknown_certain"),
        ("herb photos refused", "known_refused"),
    ):
        if report.get(key) is not None:
            value = report[key]
            table.add_row(name, f"{value:.3f}" if key == "auroc" else f"{value:.1%}")
    out.print(table)
    worst = sorted(report["per_herb"].items(), key=lambda item: item[1]["top1"])[:5]
    out.print("weakest: " + ", ".join(f"{h} {v['top1']:.0%} of {v['n']}" for h, v in worst))


for command in (check, extend, train):
    app.command()(command)
app.command("import")(cli_models.import_weights)
app.add_typer(cli_models.app, name="models", invoke_without_command=True)


@app.command()
def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on: GRADIO_SERVER_NAME, or 127.0.0.1.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="GRADIO_SERVER_PORT, or the first free from 7860 on."),
    ] = None,
    share: Annotated[bool, typer.Option("--share", help="A public link, through Gradio.")] = False,
) -> None:
    """Open the web page."""
    from herbdemo.ui import app as page

    page.serve(page.build(), host=host, port=port, share=share)


def _count(photos: list[Path]) -> int | None:
    """How many photos there are, where someone looks at the bar: a large folder takes a while."""
    from herbdemo.given import given

    if not sys.stderr.isatty():
        return None
    with given(photos) as listed:
        return sum(1 for _ in listed)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise shortage(error) or HerbError(
            "热图的文件夹建不起来。请检查这个位置能否写入、是否已是文件，或换一个位置。",
            "The folder for the heatmaps cannot be made. Check that its place may be written to "
            "and is no file, or choose another.",
            hint="heatmaps-unwritable",
        ) from error


def _short(stem: str) -> str:
    """As much of a file's name as leaves room for more within the 255 bytes that there are."""
    return stem.encode()[:160].decode(errors="ignore")


def _save_heatmaps(answer: Any, folder: Path, stem: str) -> None:
    from herbdemo.heatmap import overlay

    for rank, candidate in enumerate(answer.candidates, start=1):
        picture = overlay(answer.photo.image, answer.heatmap(candidate.herb.zh))
        picture.save(folder / f"{stem}-{rank}-{candidate.herb.zh}.png")


def _print_rows(rows: Iterator[dict[str, Any]]) -> None:
    for row in rows:
        if "error" in row:
            print_failure(row)
            continue
        out.print(f"{row['file']}: {row['verdict']}", markup=False, highlight=False)
        for c in row["candidates"]:
            names = " · ".join(name for name in (c["zh"], c["pinyin"], c["latin"], c["en"]) if name)
            out.print(f"  {c['probability']:6.1%}  {names}", markup=False, highlight=False)


def _print_rows_json(rows: Iterator[dict[str, Any]]) -> None:
    """All rows as one object on one line, written as they come."""
    from herbdemo.piles_out import json_pieces

    def told() -> Iterator[dict[str, Any]]:
        for row in rows:
            if "error" in row:
                print_failure(row)
            yield row

    with tempfile.TemporaryFile("w+", encoding="utf-8") as spool:
        for piece in json_pieces(told(), spool):
            sys.stdout.write(piece)
            sys.stdout.flush()
