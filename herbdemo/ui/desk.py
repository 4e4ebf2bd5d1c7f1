"""What the Learn tab asks of the library: thin calls that end in HTML."""

import functools
import json
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from herbdemo import zero
from herbdemo.atomic import replace_file
from herbdemo.errors import HerbError
from herbdemo.ui import model as served
from herbdemo.ui import texts_learn as t
from herbdemo.ui.proof_view import plain_html, proof_html
from herbdemo.ui.report import checking_html, folders_html, report_html
from herbdemo.ui.shelf import shelf_html
from herbdemo.ui.start_view import start_html
from herbdemo.ui.text import Text

if TYPE_CHECKING:  # importing them imports torch
    from herbdemo.intake import Batch
    from herbdemo.jobs import Job, Jobs

Progress = Callable[[int, int], None]
Take = Callable[..., "Batch"]
MOST_COVERS = 200  # herbs of the library shown with a photo


@functools.cache
def jobs() -> "Jobs":
    """The job of this computer, the same for all visitors."""
    from herbdemo.jobs import Jobs

    return Jobs()


# Photos on their way in


def taken(take: Take) -> Iterator[str]:
    """Take photos in and check them; yields how far that is, and the report at last."""
    batch: Any = None
    for step in _followed(lambda progress: take(progress=progress)):
        if isinstance(step, tuple):
            yield checking_html(*step)
        else:
            batch = step
    yield from _reported(batch)


def waiting() -> Iterator[str]:
    """The report of the newest batch that waits for a decision; "" without one.

    It is made again when the server was started anew in between.
    """
    from herbdemo.intake import open_batch, waiting

    newest = next(iter(waiting()), None)
    yield from _reported(open_batch(newest)) if newest else [""]


_reports: dict[str, dict[str, Any]] = {}  # of batches that wait, by id


def _reported(batch: "Batch") -> Iterator[str]:
    from herbdemo.preflight import check_batch

    if batch.id not in _reports:
        checkpoint = served.recogniser().checkpoint
        work = functools.partial(check_batch, batch, checkpoint=checkpoint)
        for step in _followed(lambda progress: work(progress=progress)):
            if isinstance(step, tuple):
                yield checking_html(*step)
            else:
                _reports[batch.id] = step.to_dict()
    yield report_html(_reports[batch.id], batch=batch.id, folder=batch.folder)


def accepted(batch_id: str) -> Text:
    """Move a batch into the library; says how many photos that were.

    Raises:
        HerbError: it was dealt with already, or its report has errors.
    """
    from herbdemo import intake

    batch = intake.open_batch(batch_id)
    report = _reports.get(batch_id)
    if report is None or not report["ok"]:  # the button is not there, but anyone can send anything
        raise HerbError(*t.REPORT_BLOCKED, hint="report-errors")
    given = sum(batch.herbs.values())
    new = intake.accept(batch_id)
    _reports.pop(batch_id, None)
    return t.ACCEPTED_SOME.format(new, given - new) if given > new else t.ACCEPTED.format(new)


def discard(batch_id: str) -> None:
    """Delete a batch."""
    from herbdemo import intake

    intake.discard(batch_id)
    _reports.pop(batch_id, None)


def folders() -> str:
    """The folders below HERBDEMO_DATA to choose from; "" where it is not set."""
    offered = os.environ.get("HERBDEMO_DATA")
    if not offered:
        return ""
    return folders_html(folder_names(Path(offered)))


def folder_names(base: Path) -> list[str]:
    """The folders right below `base`, without hidden ones."""
    if not base.is_dir():
        return []
    names = sorted(f.name for f in base.iterdir() if f.is_dir() and f.name[0] not in "._")
    return names[:MOST_COVERS]


# The library


def shelf(opened: str = "") -> str:
    """The library, with the photos of one herb where it is `opened`."""
    from herbdemo.library import Library

    library = Library()
    herbs = library.herbs()
    # A herb may be removed between two looks at the disk; it is passed over.
    first = {herb: next(iter(library.photos(herb)), None) for herb in list(herbs)[:MOST_COVERS]}
    herbs = {herb: number for herb, number in herbs.items() if first.get(herb, True)}
    covers = {herb: entry.path for herb, entry in first.items() if entry}
    photos = library.photos(opened) if opened in herbs else []
    return shelf_html(herbs, covers, _known(), opened=opened, photos=photos)


def _known() -> tuple[str, ...]:
    try:
        return served.recogniser().checkpoint.herbs
    except HerbError:
        return ()  # there is no model yet, and so no herb it knows


# Learning


def start() -> str:
    """The form that starts a job, with a good name for its model."""
    from herbdemo.library import Library

    herbs = Library().herbs()
    job = jobs().latest()
    return start_html(
        photos=sum(herbs.values()),
        herbs=len(herbs),
        name=_new_name(len({*herbs, *_known()})),
        running=job is not None and job.state == "running",
        only_head=zero.on(),
    )


def begin(wanted: dict[str, str], who: str) -> None:
    """Start a job as the form says.

    Raises:
        HerbError: the library has errors, another job is running, the name cannot be used, or
            ZeroGPU does not learn so much.
    """
    from herbdemo.library import Library

    if wanted.get("mode") == "properly":
        zero.check_preset(wanted.get("preset", ""))
    if (job := jobs().latest()) is None or job.state != "running":  # else `start` refuses at once
        _check_library()
    kind, options = "extend", {}
    if wanted.get("mode") == "properly":
        kind = "train"
        options = {
            "preset": wanted["preset"] if wanted.get("preset") in t.PRESETS else "standard",
            "init": wanted["init"] if wanted.get("init") in t.INITS else "active",
        }
        if wanted.get("epochs", "").isdecimal() and options["preset"] != "quick":  # which has none
            options["epochs"] = str(max(1, min(int(wanted["epochs"]), 500)))
    name = wanted.get("name", "").strip()
    jobs().start(kind, source=Library().root, name=name, options=options, who=who)
    if kind == "train":  # it can go on only as what it was
        replace_file(_options_file(name), json.dumps(options).encode())


def _check_library() -> None:
    """Refuse a library that no good model can come of.

    Each batch was checked by itself when it came in; here all of them are seen together. No model
    is asked, so it takes a fraction of what the job does with the same photos.
    """
    from herbdemo.dataset import Sample
    from herbdemo.findings import ERROR
    from herbdemo.library import Library
    from herbdemo.preflight import check

    library = Library()
    samples = [Sample(entry.path, entry.herb) for entry in library.entries()]
    names = {sample.herb: sample.herb for sample in samples}  # empty folders are nobody's mistake
    found = check(samples, root=library.root, names=names).findings
    if wrong := next((finding for finding in found if finding.level == ERROR), None):
        raise HerbError(wrong.zh, wrong.en, hint=wrong.kind)


def resumable(job: "Job") -> bool:
    """Whether a training that has ended can go on where it was.

    One that was stopped in time has made a model of its best epoch; that is its end.
    """
    if job.kind != "train" or job.state not in ("lost", "failed", "stopped"):
        return False
    options = _options_file(job.id)
    left = options.is_file() and (options.parent / "state.safetensors").is_file()
    return left and job.id not in {info.id for info in registry().list()}


def go_on(who: str) -> None:
    """Start the latest job again where it ended.

    Raises:
        HerbError: it left nothing to go on from, or another one is running.
    """
    from herbdemo.library import Library

    job = jobs().latest()
    if job is None or not resumable(job):
        raise HerbError(*t.CANNOT_GO_ON, hint="not-resumable")
    options = json.loads(_options_file(job.id).read_bytes()) | {"resume": True}
    jobs().start(job.kind, source=Library().root, name=job.id, options=options, who=who)


def _options_file(name: str) -> Path:
    return jobs().root / "runs" / name / "options.json"


def _new_name(herbs: int) -> str:
    """A name that no model has: how many herbs it will know, and the day."""
    taken = {info.id for info in registry().list()}
    first = f"herbs-{herbs}-{time.strftime('%m%d')}"
    return next(
        name
        for name in (first, *(f"{first}-{number}" for number in range(2, len(taken) + 3)))
        if name not in taken
    )


# The proof


def proof_of_job(*, look: bool) -> Iterator[str]:
    """The proof of the model that the latest job made; "" when it made none.

    Args:
        look: let the page scroll to it.
    """
    job = jobs().latest()
    yield from proof_of(job.id, look=look) if job and job.state in ("done", "stopped") else [""]


def proof_of(model_id: str, *, look: bool = True) -> Iterator[str]:
    """The proof of a model, first without the pictures of its mistakes, which take a while."""
    from herbdemo.checkpoint import read_card

    try:
        models = registry()
        card = read_card(models.folder(model_id))
    except HerbError:
        yield ""  # it was thrown away
        return
    active = models.active_id() == model_id
    proof = card.get("proof")
    if not proof:
        yield plain_html(model_id, card.get("metrics", {}), active=active, look=look)
        return
    show = functools.partial(proof_html, model_id, proof, active=active)
    yield show(look=look)
    if pictures := _mistakes(model_id, card["sha256"]):
        yield show(pictures=pictures)


@functools.lru_cache(maxsize=8)
def _mistakes(model_id: str, sha256: str) -> list[tuple[str, str]]:
    """The photo and the heatmap of each mistake that the model's proof names."""
    from herbdemo.heatmap import shrunk
    from herbdemo.library import Library
    from herbdemo.photo import open_photo
    from herbdemo.recognise import Recogniser
    from herbdemo.ui.pictures import data_url, map_size, map_url

    recogniser = Recogniser(registry().load(model_id))
    root = Library().root.resolve()
    pictures = []
    for mistake in recogniser.checkpoint.card["proof"]["mistakes"]:
        try:
            file = (root / mistake["file"]).resolve()
            if not file.is_relative_to(root):  # a model that was imported may name anything
                file = root / "nowhere"
            answer = recogniser.recognise([open_photo(file)])[0]
            photo = shrunk(answer.photo.image, 360)
            heat = map_url(answer.heatmap(mistake["answer"]), map_size(photo.size))
            pictures.append((data_url(photo, "jpeg", quality=80), heat))
        except HerbError:
            pictures.append(("", ""))  # removed from the library since
    return pictures


def activate(model_id: str) -> None:
    """Use the model from now on."""
    registry().activate(model_id)


def delete(model_id: str) -> None:
    """Delete a model that is not in use."""
    registry().delete(model_id)


def registry() -> Any:
    """The models of this computer, as they are now; importing it imports torch."""
    from herbdemo.registry import Registry

    return Registry()


# Work that takes a while


def _followed(work: Callable[[Progress], Any]) -> Iterator[Any]:
    """Do `work` in a thread: yields (done, total) twice a second, then what it returns."""
    at = [(0, 0)]

    def progress(done: int, total: int) -> None:
        at[0] = (done, total)

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work, progress)
        while not wait([future], timeout=0.5).done:
            yield at[0]
        yield future.result()
