"""The commands that make models of photos: check, extend, train."""

import shlex
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from herbdemo.console import (
    Json,
    Model,
    err,
    open_registry,
    out,
    print_json,
    progress_bar,
    say,
    stop_on_signal,
)
from herbdemo.events import Event, features_told


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

    with class_folders(source) as folder, progress_bar("check") as advance:
        report = run(scan(folder), root=folder, checkpoint=open_registry().load(model),
                     refused=loose_photos(folder), library=Library(), progress=advance)  # fmt: skip
    if json_:
        print_json(report.to_dict())
    else:
        _print_findings(report.to_dict())
    if errors := [finding for finding in report.findings if finding.level == "error"]:
        for finding in errors:
            err.print(f"{finding.zh} {finding.en}", markup=False, highlight=False)
        sys.exit(1)


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

    registry = open_registry()
    target = registry.new_folder(name)
    started = time.perf_counter()
    distributed.meet()
    with class_folders(folder) as photos, progress_bar("extend") as advance:
        samples = scan(photos)
        say(Event("start", {"photos": len(samples)}), json_)
        before = registry.load(model)
        after = run(before, samples, name=name, test=scan(test) if test else (),
                    progress=features_told(say) if json_ else advance)  # fmt: skip
        say(Event("finish"), json_)
    if distributed.first():
        saved = save_checkpoint(after, target)
        if activate:
            registry.activate(name)
        say(Event("saved", {"model": name}), json_)
        report = {
            "model": name,
            "new_herbs": [herb for herb in saved.herbs if herb not in before.herbs],
            "photos": len(saved.card["added"]) - len(before.card.get("added", ())),
            "seconds": round(time.perf_counter() - started, 3),
            **saved.card["proof"],
        }
        if json_:
            print_json(report)
        else:
            _print_proof(report)
            out.print(f"python -m herbdemo models activate {name}" if not activate else "")
    distributed.leave()


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
    registry = open_registry()
    target = registry.new_folder(name)  # a taken name is refused before hours of training
    run_folder = home() / "runs" / name
    changes: dict[str, Any] = {"epochs": epochs, "patience": patience, "batch": batch}
    recipe = replace(PRESETS[preset], **{k: v for k, v in changes.items() if v is not None})

    with stop_on_signal() as stop:
        checkpoint = run(
            folder,
            name=name,
            run=run_folder,
            start=start_from(init, registry, network=network),
            recipe=from_nothing(recipe) if init == "scratch" else recipe,
            resume=resume,
            say=say,
            stop=stop,
            command=shlex.join(["python", "-m", "herbdemo", *sys.argv[1:]]),
        )
        if distributed.first():
            saved = save_checkpoint(checkpoint, target)
            # Half a gigabyte that is of no more use: the name is taken now, also after a stop.
            (run_folder / STATE).unlink(missing_ok=True)
            say(Event("saved", {"model": saved.id}))
            report = {"model": saved.id, "sha256": saved.sha256, "metrics": saved.card["metrics"]}
            report |= {k: saved.card[k] for k in ("old_herbs", "stopped") if k in saved.card}
            if json_:
                print_json(report)
            else:
                share = saved.card["metrics"]["val"]["top1"]
                out.print(f"{saved.id}: {share:.1%} of the validation photos", markup=False)
                out.print(f"python -m herbdemo models activate {saved.id}")
        distributed.leave()


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
