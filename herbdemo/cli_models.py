"""python -m herbdemo models: list, activate, roll back, delete, pass on; and import."""

from contextlib import ExitStack
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from herbdemo.console import Json, open_registry, out, print_json, progress_bar, say
from herbdemo.events import Event, features_told

app = typer.Typer(help="The models on this computer: list, activate, roll back, delete, pass on.")


class Format(StrEnum):
    """What `models export` writes."""

    zip = "zip"
    onnx = "onnx"
    openvino = "openvino"
    page = "page"


@app.callback()
def models(context: typer.Context, json_: Json = False) -> None:
    """List the models, the one in use marked with a star."""
    if context.invoked_subcommand is None:
        list_models(json_)


@app.command("list")
def list_models(json_: Json = False) -> None:
    """List the models, the one in use marked with a star."""
    from herbdemo.checkpoint import read_card
    from herbdemo.engine import said

    registry = open_registry()
    infos = registry.list()
    engine = next(
        (said(read_card(registry.folder(i.id))) for i in infos if i.active and not i.problem), None
    )
    if json_:
        print_json(
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


@app.command()
def activate(model_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Use this model from now on."""
    open_registry().activate(model_id)
    out.print(model_id, markup=False)


@app.command()
def rollback() -> None:
    """Go back to the model used before."""
    out.print(open_registry().rollback(), markup=False)


@app.command()
def delete(model_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Delete one of your models; not the one in use, nor the shipped one."""
    open_registry().delete(model_id)
    out.print(model_id, markup=False)


@app.command("export")
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

        written = export_zip(open_registry(), model_id, target)
    elif format_ is Format.page:
        from herbdemo.browser import export_page

        written = export_page(open_registry().load(model_id), target, runtime=runtime)
    else:
        from herbdemo.export import export_onnx, export_openvino

        write = export_onnx if format_ is Format.onnx else export_openvino
        written = write(open_registry().load(model_id), target)
    out.print(str(written), markup=False)


@app.command("import")
def import_model(
    file: Annotated[Path, typer.Argument(help="A zip that `models export` wrote.")],
    name: Annotated[str | None, typer.Option(help="Its new id; the one it had.")] = None,
) -> None:
    """Put a model that was exported elsewhere among your own; it is not in use yet."""
    from herbdemo.portable import import_zip

    out.print(import_zip(open_registry(), file, name=name), markup=False)


@app.command()
def publish(
    model_id: Annotated[str, typer.Argument(metavar="ID")],
    repo: Annotated[str, typer.Argument(help="OWNER/NAME of a model repository.")],
    private: Annotated[
        bool, typer.Option("--private", help="Make a new repository private.")
    ] = False,
) -> None:
    """Publish a model on the Hugging Face Hub, with the token in HF_TOKEN."""
    from herbdemo.hub import publish as run

    out.print(run(open_registry(), model_id, repo, private=private), markup=False)


@app.command()
def forget(
    model_id: Annotated[str, typer.Argument(metavar="ID")],
    herb: Annotated[str, typer.Argument(help="Any name of the herb.")],
    name: Annotated[str, typer.Option(help="Id of the new model.")],
) -> None:
    """Make a model that no longer knows one of the herbs; the old one stays."""
    from herbdemo.checkpoint import save_checkpoint
    from herbdemo.extend import forget as run
    from herbdemo.herbs import find

    registry = open_registry()
    target = registry.new_folder(name)
    checkpoint = registry.load(model_id)
    known = None if herb in checkpoint.herbs else find(herb)
    saved = save_checkpoint(run(checkpoint, known.zh if known else herb, name=name), target)
    out.print(saved.id, markup=False)


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
    registry = open_registry()
    target = registry.new_folder(name)
    with ExitStack() as stack:
        folder = stack.enter_context(class_folders(photos)) if photos else None
        advance = stack.enter_context(progress_bar("import"))
        model = imported(file, name=name, herbs=herbs, preprocessing=preprocessing, photos=folder,
                         progress=features_told(say) if json_ else advance)  # fmt: skip
    saved = save_checkpoint(model, target)
    if activate:
        registry.activate(name)
    say(Event("saved", {"model": name}), json_)
    report = summary(saved)
    if json_:
        print_json(report)
        return
    table = Table(title=name)
    for column in ("what", "value"):
        table.add_column(column, overflow="fold")
    if report["top1"] is not None:
        low, high = report["top1_interval"]
        report["top1"] = f"{report['top1']:.1%} ({low:.1%} to {high:.1%})"
    for key, value in report.items():
        if value not in (None, [], name) and key != "top1_interval":
            table.add_row(key, Text(", ".join(value) if isinstance(value, list) else str(value)))
    out.print(table)
    out.print(f"python -m herbdemo models activate {name}" if not activate else "")
