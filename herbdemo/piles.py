"""Any number of photos, in constant memory: read ahead, answered in batches, told row by row.

    with given([Path("photos")]) as photos:
        for rows in recognised(current(), photos):
            ...

A failure is a row, too, and never ends a pile. Batches are cut by the list of names alone, and a
batch is what the network sees at once. So each photo's figures are the same to the last bit whether
the pile was done in one go, resumed, or shared by several processes.
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

from herbdemo import distributed
from herbdemo.errors import HerbError
from herbdemo.given import Given
from herbdemo.heatmap import shrunk
from herbdemo.journal import FAILED, Row
from herbdemo.photo import open_photo
from herbdemo.recognise import BATCH, Answer, Prepared, Recogniser

THREADS = 2  # that open photos ahead of the network; one of 40 megapixels takes 160 MB meanwhile
SHOWN = 256  # pixels of a photo's longest side that are kept for `see`, if not more are asked for


def recognised(
    recogniser: Recogniser,
    photos: Iterable[Given],
    *,
    done: int = 0,
    shown: int = SHOWN,
    see: Callable[[int, str, Answer], None] = lambda number, name, answer: None,
    keep: Callable[[list[Row]], None] = lambda rows: None,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[list[Row], None, bool]:
    """The rows of `photos`, in order, as many at a time as there are processes times `BATCH`.

    What the generator returns in the end is whether all photos were done.

    Several processes take the batches in turn. All of them call this with the same photos, and the
    rows of all come out in each of them, so that the first one can write them.

    Args:
        done: photos at the beginning whose rows are there already; a multiple of `BATCH`.
        shown: pixels of the longest side of the photo in the answers that `see` gets.
        see: called with the number in the list (from 0), the name and the answer of each photo that
            has one, in the process that made it. It must not hold on to the answer, half a MB.
        keep: called with rows before they come out.
        stop: asked after each batch.

    Raises:
        HerbError: the processes do not see the same photos.
    """
    number = done
    with ThreadPoolExecutor(THREADS) as pool:
        try:
            turns = _turns(recogniser, islice(photos, done, None), shown, pool)
            for turn in _one_ahead(turns):
                results = [(name, _result(future)) for name, future in turn.opening]
                ready = [result for _, result in results if isinstance(result, Prepared)]
                answers = iter(recogniser.answer(ready))
                mine = []
                for place, (name, result) in enumerate(results, start=number + turn.before):
                    if isinstance(result, HerbError):
                        mine.append(_failure(name, result, recogniser))
                        continue
                    answer = next(answers)
                    see(place, name, answer)
                    mine.append(answer.to_dict(name))
                rows, stopping = _met(turn.names, mine, stop())
                number += len(rows)
                keep(rows)
                yield rows
                if stopping:
                    return False
            _met([], [], False)
            return True
        finally:
            pool.shutdown(cancel_futures=True)


class _Turn(NamedTuple):
    """One batch for each process."""

    names: list[str]  # of all their photos
    before: int  # photos of the processes before this one
    opening: list[tuple[str, Future]]  # this process's batch


def _turns(
    recogniser: Recogniser, photos: Iterator[Given], shown: int, pool: ThreadPoolExecutor
) -> Iterator[_Turn]:
    rank, world = distributed.rank(), distributed.world()
    while turn := [batch for _ in range(world) if (batch := list(islice(photos, BATCH)))]:
        mine = turn[rank] if rank < len(turn) else []
        yield _Turn(
            [one.name for batch in turn for one in batch],
            sum(map(len, turn[:rank])),
            [(one.name, pool.submit(_opened, recogniser, one, shown)) for one in mine],
        )


def _one_ahead(turns: Iterator[_Turn]) -> Iterator[_Turn]:
    """The same, each begun before the one ahead of it is used: opened while the network works."""
    turn = next(turns, None)
    while turn is not None:
        following = next(turns, None)
        yield turn
        turn = following


def _met(names: list[str], rows: list[Row], stopping: bool) -> tuple[list[Row], bool]:
    """The rows of all processes in order, and whether one of them shall stop: then all do."""
    parts = distributed.gather_objects([(names, rows, stopping)])
    if any(theirs != names for theirs, _, _ in parts):
        raise HerbError(
            "各进程看到的照片不同。请让每台机器都能读取同一个文件夹，再试一次。",
            "The processes do not see the same photos. Give all machines the same folder "
            "and try again.",
            hint="photos-differ",
        )
    return [row for _, part, _ in parts for row in part], any(stop for _, _, stop in parts)


def _opened(recogniser: Recogniser, one: Given, shown: int) -> Prepared:
    """One photo, ready for the network, and of the picture itself only what will be shown."""
    ready = recogniser.prepare(open_photo(one.read()))
    return replace(ready, photo=replace(ready.photo, image=shrunk(ready.photo.image, shown)))


def _result(future: Future) -> Prepared | HerbError:
    try:
        return future.result()
    except HerbError as error:
        return error


def _failure(name: str, error: HerbError, recogniser: Recogniser) -> Row:
    return {
        "file": name,
        "verdict": FAILED,
        "candidates": [],
        "error": {"zh": error.zh, "en": error.en, "hint": error.hint},
        "model": recogniser.checkpoint.id,
        "sha256": recogniser.checkpoint.sha256,
    }
