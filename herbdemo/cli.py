"""python -m herbdemo: recognise, evaluate, check, extend, train, import, models, serve.

With --json the last line of standard output is one JSON object and nothing else is on that
stream; progress goes to standard error. Exit 0: done. 1: a HerbError, its sentence on standard
error. 2: wrong usage.
"""

import json
import os
import shlex
import signal
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from herbdemo.errors import HerbError, shortage
from herbdemo.events import Event, features_told
from herbdemo.heap import reuse_memory

if TYPE_CHECKING:  # importing it imports torch, for which `--help` need not wait
    from herbdemo.registry import Registry

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__
)
models_app = typer.Typer(
    help="The models on this computer: list, activate, roll back, delete, pass on."
)
app.add_typer(models_app, name="models", invoke_without_command=True)

out, err = Console(soft_wrap=True), Console(stderr=True, soft_wrap=True)
HEATMAP_SIDE = 1024  # pixels of the longest side of a heatmap's picture


class Format(StrEnum):
    """What `models export` writes."""

    zip = "zip"
    onnx = "onnx"
    openvino = "openvino"
    page = "page"


Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
Model = Annotated[
    str | None,
    typer.Option(
        "--model", help="Id of a model, or OWNER/NAME[@REVISION] on the Hub; the active one."
    ),
]


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
    checkpoint = _registry().load(model)
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
        stop = stack.enter_context(_stop_on_signal())
        advance = stack.enter_context(_progress("recognise"))
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

    with _progress("evaluate") as advance:
        report = run(_registry().load(model), folder, unknown=unknown, progress=advance).to_dict()
    if json_:
        _print_json(report)
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


@app.command()
def check(
    source: Annotated[Path, typer.Argument(metavar="FOLDER|ZIP", help="Class folders of photos.")],
    json_: Json = False,
    model: Model = None,
) -> None:
    """Report what is wrong with photos before anything is trained on them.

    Exit status 1 where the report holds an error, which would stop a training.
    """
    from herbdemo.dataset import scan
    from herbdemo.intake import class_folders, loose_photos
    from herbdemo.library import Library
    from herbdemo.preflight import check as run

    with class_folders(source) as folder, _progress("check") as advance:
        report = run(scan(folder), root=folder, checkpoint=_registry().load(model),
                     refused=loose_photos(folder), library=Library(), progress=advance)  # fmt: skip
    if json_:
        _print_json(report.to_dict())
    else:
        _print_findings(report.to_dict())
    if errors := [finding for finding in report.findings if finding.level == "error"]:
        for finding in errors:
            err.print(f"{finding.zh} {finding.en}", markup=False, highlight=False)
        sys.exit(1)


@app.command()
def extend(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER|ZIP", help="FOLDER/<any name of a herb>/**")
    ],
    name: Annotated[str, typer.Option(help="Id of the new model.")],
    test: Annotated[
        Path | None, typer.Option(help="Folder of photos of old and new herbs, for the proof.")
    ] = None,
    activate: Annotated[bool, typer.Option("--activate", help="Use the new model.")] = False,
    model: Model = None,
    json_: Json = False,
) -> None:
    """Add herbs to a model in seconds: one forward pass per photo, and no old herb is forgotten."""
    from herbdemo import distributed
    from herbdemo.checkpoint import save_checkpoint
    from herbdemo.dataset import scan
    from herbdemo.extend import extend as run
    from herbdemo.intake import class_folders

    registry = _registry()
    target = registry.new_folder(name)
    started = time.perf_counter()
    distributed.meet()
    with class_folders(folder) as photos, _progress("extend") as advance:
        samples = scan(photos)
        _say(Event("start", {"photos": len(samples)}), json_)
        before = registry.load(model)
        after = run(before, samples, name=name, test=scan(test) if test else (),
                    progress=features_told(_say) if json_ else advance)  # fmt: skip
        _say(Event("finish"), json_)
    if distributed.first():
        saved = save_checkpoint(after, target)
        if activate:
            registry.activate(name)
        _say(Event("saved", {"model": name}), json_)
        report = {
            "model": name,
            "new_herbs": [herb for herb in saved.herbs if herb not in before.herbs],
            "photos": len(saved.card["added"]) - len(before.card.get("added", ())),
            "seconds": round(time.perf_counter() - started, 3),
            **saved.card["proof"],
        }
        if json_:
            _print_json(report)
        else:
            _print_proof(report)
            out.print(f"python -m herbdemo models activate {name}" if not activate else "")
    distributed.leave()


@app.command()
def train(
    folder: Annotated[
        Path, typer.Argument(help="FOLDER/<herb>/**, or FOLDER/train and /val; or a zip of it.")
    ],
    name: Annotated[str, typer.Option(help="Id of the new model.")],
    init: Annotated[
        str,
        typer.Option(
            help="Where to start: active (the model in use) or a model's id, whose herbs are kept; "
            "imagenet, scratch, or a file."
        ),
    ] = "imagenet",
    preset: Annotated[
        str, typer.Option(help="quick: the head alone; standard: from layer4 on; full.")
    ] = "full",
    network: Annotated[
        str | None,
        typer.Option(
            help="resnet50 (by default; after a model its own), or a light one: "
            "efficientnet-lite0, ghostnet, mnasnet, mobilenetv3."
        ),
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the photos.")] = None,
    patience: Annotated[
        int | None,
        typer.Option(min=0, help="End after so many epochs in vain; 0: never."),
    ] = None,
    batch: Annotated[
        int | None, typer.Option(min=2, help="Photos per step, of all processes together.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a killed run.")] = False,
    json_: Json = False,
) -> None:
    """Fine-tune a network on a folder of photos and save it as a new model.

    SIGTERM or Ctrl-C stops it, and the best so far becomes the model; a second one ends it at once.
    Several processes share the work under torchrun, see docs/scale.md.
    """
    from herbdemo import distributed
    from herbdemo.architectures import ARCHITECTURES
    from herbdemo.checkpoint import save_checkpoint
    from herbdemo.recipe import PRESETS, from_nothing
    from herbdemo.registry import home
    from herbdemo.resume import STATE
    from herbdemo.start import start_from
    from herbdemo.train import train as run
    from herbdemo.zero import check_preset

    if network not in (None, *ARCHITECTURES):
        raise typer.BadParameter(", ".join(ARCHITECTURES), param_hint="--network")
    if preset not in PRESETS:
        raise typer.BadParameter(", ".join(PRESETS), param_hint="--preset")
    check_preset(preset)
    registry = _registry()
    target = registry.new_folder(name)  # a taken name is refused before hours of training
    run_folder = home() / "runs" / name
    changes: dict[str, Any] = {"epochs": epochs, "patience": patience, "batch": batch}
    recipe = replace(PRESETS[preset], **{k: v for k, v in changes.items() if v is not None})

    with _stop_on_signal() as stop:
        checkpoint = run(
            folder,
            name=name,
            run=run_folder,
            start=start_from(init, registry, network=network),
            recipe=from_nothing(recipe) if init == "scratch" else recipe,
            resume=resume,
            say=_say,
            stop=stop,
            command=shlex.join(["python", "-m", "herbdemo", *sys.argv[1:]]),
        )
        if distributed.first():
            saved = save_checkpoint(checkpoint, target)
            # Half a gigabyte that is of no more use: the name is taken now, also after a stop.
            (run_folder / STATE).unlink(missing_ok=True)
            _say(Event("saved", {"model": saved.id}))
            report = {"model": saved.id, "sha256": saved.sha256, "metrics": saved.card["metrics"]}
            report |= {k: saved.card[k] for k in ("old_herbs", "stopped") if k in saved.card}
            if json_:
                _print_json(report)
            else:
                share = saved.card["metrics"]["val"]["top1"]
                out.print(f"{saved.id}: {share:.1%} of the validation photos", markup=False)
                out.print(f"python -m herbdemo models activate {saved.id}")
        distributed.leave()


@app.command("import")
def import_weights(
    file: Annotated[
        Path, typer.Argument(help="Weights of the original: its PyTorch .pth or its Keras .h5.")
    ],
    name: Annotated[str, typer.Option(help="Id of the new model.")],
    herbs: Annotated[
        Path | None,
        typer.Option(
            help="The names of its outputs: a text or JSON file, or the folder of photos that it "
            "was trained on; by default what FILE says."
        ),
    ] = None,
    photos: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER|ZIP",
            help="Photos, FOLDER/<herb>/**: how sure it may be, what is unknown, and `extend`.",
        ),
    ] = None,
    preprocessing: Annotated[
        str,
        typer.Option(
            help="How its training scaled photos: imagenet, unit (0..1), symmetric (-1..1) or "
            "bytes (0..255); by default the best on PHOTOS, else imagenet for .pth, unit for .h5."
        ),
    ] = "",
    activate: Annotated[bool, typer.Option("--activate", help="Use the new model.")] = False,
    json_: Json = False,
) -> None:
    """Make a model of weights that the original's own code trained, see docs/import.md."""
    from herbdemo.checkpoint import save_checkpoint
    from herbdemo.foreign import PREPROCESSINGS, imported, summary
    from herbdemo.intake import class_folders

    if preprocessing and preprocessing not in PREPROCESSINGS:
        raise typer.BadParameter(", ".join(PREPROCESSINGS), param_hint="--preprocessing")
    registry = _registry()
    target = registry.new_folder(name)
    with ExitStack() as stack:
        folder = stack.enter_context(class_folders(photos)) if photos else None
        advance = stack.enter_context(_progress("import"))
        model = imported(file, name=name, herbs=herbs, preprocessing=preprocessing, photos=folder,
                         progress=features_told(_say) if json_ else advance)  # fmt: skip
    saved = save_checkpoint(model, target)
    if activate:
        registry.activate(name)
    _say(Event("saved", {"model": name}), json_)
    report = summary(saved)
    if json_:
        _print_json(report)
        return
    table = Table(title=name)
    for column in ("what", "value"):
        table.add_column(column, overflow="fold")
    for key, value in report.items():
        if value not in (None, [], name):
            table.add_row(key, Text(", ".join(value) if isinstance(value, list) else str(value)))
    out.print(table)
    out.print(f"python -m herbdemo models activate {name}" if not activate else "")


@models_app.callback()
def models(context: typer.Context, json_: Json = False) -> None:
    """List the models, the one in use marked with a star."""
    if context.invoked_subcommand is None:
        list_models(json_)


@models_app.command("list")
def list_models(json_: Json = False) -> None:
    """List the models, the one in use marked with a star."""
    from herbdemo.checkpoint import read_card
    from herbdemo.engine import said

    registry = _registry()
    infos = registry.list()
    engine = next(
        (said(read_card(registry.folder(i.id))) for i in infos if i.active and not i.problem), None
    )
    if json_:
        _print_json(
            {
                "models": [
                    {
                        "id": i.id,
                        "herbs": i.herbs,
                        "active": i.active,
                        "shipped": i.shipped,
                        "sha256": i.sha256,
                        "problem": i.problem and i.problem[1],
                    }
                    for i in infos
                ],
                "engine": engine and {"name": engine[0], "why": asdict(engine[1])},
            }
        )
        return
    table = Table("", "model", "herbs", "sha256", "")
    for i in infos:
        note = i.problem[1] if i.problem else "shipped" if i.shipped else ""
        table.add_row("*" if i.active else "", i.id, str(i.herbs), i.sha256[:12], note)
    out.print(table)
    if engine:
        out.print(f"{engine[0]}: {engine[1].en}", markup=False, highlight=False)


@models_app.command()
def activate(model_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Use this model from now on."""
    _registry().activate(model_id)
    out.print(model_id, markup=False)


@models_app.command()
def rollback() -> None:
    """Go back to the model used before."""
    out.print(_registry().rollback(), markup=False)


@models_app.command()
def delete(model_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Delete one of your models; not the one in use, nor the shipped one."""
    _registry().delete(model_id)
    out.print(model_id, markup=False)


@models_app.command("export")
def export_model(
    model_id: Annotated[str, typer.Argument(metavar="ID")],
    target: Annotated[
        Path,
        typer.Argument(
            help="What to write: .onnx; .xml for OpenVINO, with a .bin beside it; a new folder "
            "for a page; any other name for a zip.",
        ),
    ],
    format_: Annotated[
        Format | None, typer.Option("--format", help="Which, where the name does not say it.")
    ] = None,
    runtime: Annotated[
        Path | None,
        typer.Option(
            help="For a page: onnxruntime-web as npm packs it, or unpacked; fetched by default."
        ),
    ] = None,
) -> None:
    """Write a model to a zip, to be imported on another computer, or for other programs.

    ONNX and OpenVINO: feature map, scores and evidence; see docs/export.md. A page recognises
    herbs in the browser, offline.
    """
    by_name = {".onnx": Format.onnx, ".xml": Format.openvino}
    format_ = format_ or by_name.get(target.suffix.lower(), Format.zip)
    if format_ is Format.zip:
        from herbdemo.portable import export_zip

        export_zip(_registry(), model_id, target)
    elif format_ is Format.page:
        from herbdemo.browser import export_page

        export_page(_registry().load(model_id), target, runtime=runtime)
    else:
        from herbdemo.export import export_onnx, export_openvino

        write = export_onnx if format_ is Format.onnx else export_openvino
        write(_registry().load(model_id), target)
    out.print(str(target), markup=False)


@models_app.command("import")
def import_model(
    file: Annotated[Path, typer.Argument(help="A zip that `models export` wrote.")],
    name: Annotated[str | None, typer.Option(help="Its new id; the one it had.")] = None,
) -> None:
    """Put a model that was exported elsewhere among your own; it is not in use yet."""
    from herbdemo.portable import import_zip

    out.print(import_zip(_registry(), file, name=name), markup=False)


@models_app.command()
def publish(
    model_id: Annotated[str, typer.Argument(metavar="ID")],
    repo: Annotated[str, typer.Argument(help="OWNER/NAME of a model repository.")],
    private: Annotated[
        bool, typer.Option("--private", help="Make a new repository private.")
    ] = False,
) -> None:
    """Publish a model on the Hugging Face Hub, with the token in HF_TOKEN."""
    from herbdemo.hub import publish as run

    out.print(run(_registry(), model_id, repo, private=private), markup=False)


@models_app.command()
def forget(
    model_id: Annotated[str, typer.Argument(metavar="ID")],
    herb: Annotated[str, typer.Argument(help="Any name of the herb.")],
    name: Annotated[str, typer.Option(help="Id of the new model.")],
) -> None:
    """Make a model that no longer knows one of the herbs; the old one stays."""
    from herbdemo.checkpoint import save_checkpoint
    from herbdemo.extend import forget as run
    from herbdemo.herbs import find

    registry = _registry()
    target = registry.new_folder(name)
    checkpoint = registry.load(model_id)
    known = None if herb in checkpoint.herbs else find(herb)
    saved = save_checkpoint(run(checkpoint, known.zh if known else herb, name=name), target)
    out.print(saved.id, markup=False)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 7860,
    share: Annotated[bool, typer.Option("--share", help="A public link, through Gradio.")] = False,
) -> None:
    """Open the web page."""
    from herbdemo.ui import app as page

    page.serve(page.build(), host=host, port=port, share=share)


def _registry() -> "Registry":
    from herbdemo.registry import Registry

    return Registry()


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
            "热力图的文件夹建不起来。请检查这个位置能否写入、是否已是文件，或换一个位置。",
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
            _print_failure(row)
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
                _print_failure(row)
            yield row

    with tempfile.TemporaryFile("w+", encoding="utf-8") as spool:
        for piece in json_pieces(told(), spool):
            sys.stdout.write(piece)
            sys.stdout.flush()


def _print_failure(row: dict[str, Any]) -> None:
    said = row["error"]
    err.print(f"{row['file']}: {said['zh']} {said['en']}", markup=False, highlight=False)


def _print_findings(report: dict[str, Any]) -> None:
    table = Table(title=f"{report['photos']} photos, {len(report['herbs'])} herbs")
    for column in ("", "herb", "finding", "files"):
        table.add_column(column, overflow="fold")
    for f in report["findings"]:
        more = f["count"] - 3
        files = ", ".join(f["files"][:3]) + (f", and {more} more" if more > 0 else "")
        table.add_row(f["level"], Text(f["herb"]), Text(f["en"]), Text(files))
    out.print(table)
    new = set(report["new_herbs"])
    for name, herbs in (("new", new), ("known", report["herbs"].keys() - new)):
        if herbs:
            counts = ", ".join(f"{h} {n}" for h, n in report["herbs"].items() if h in herbs)
            out.print(f"{name}: {counts}", markup=False, highlight=False)


def _print_proof(report: dict[str, Any]) -> None:
    """The before/after report, in a table."""
    table = Table(title=f"{report['before']['model']} → {report['model']}")
    for column in ("", "photos", "before", "after"):
        table.add_column(column, justify="left" if not column else "right")
    before, after = report["before"], report["after"]
    for what, was, is_, n in (
        ("old herbs, top-1", before["top1"], after["old_top1"], after["n_old"]),
        ("new herbs, top-1", None, after["new_top1"], after["n_new"]),
        ("ECE", before["ece"], after["ece"], ""),
    ):
        shares = ("–" if share is None else f"{share:.1%}" for share in (was, is_))
        table.add_row(what, str(n), *shares)
    out.print(table)
    how = report["held_out"]
    out.print(f"old: {how['old'] or '–'}; new: {how['new'] or '–'}", markup=False)


def _say(event: Event, json_: bool = True) -> None:
    """One event on standard error, where programs listen, by the first of several processes."""
    from herbdemo import distributed

    if json_ and distributed.first():
        sys.stderr.write(event.line() + "\n")
        sys.stderr.flush()


def _print_json(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n")


@contextmanager
def _stop_on_signal() -> Iterator[Callable[[], bool]]:
    """Whether SIGTERM or Ctrl-C has come; a second one does what it always does."""
    came: list[int] = []
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.getsignal(number) for number in numbers}

    def note(number: int, frame: Any) -> None:
        came.append(number)
        for each in numbers:
            signal.signal(each, signal.SIG_DFL)

    for number in numbers:
        signal.signal(number, note)
    try:
        yield lambda: bool(came)
    finally:
        for number in numbers:
            signal.signal(number, before[number])


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int | None], None]]:
    columns = ("[progress.description]{task.description}", BarColumn(), MofNCompleteColumn(),
               TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=err, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
