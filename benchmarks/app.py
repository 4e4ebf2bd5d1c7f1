"""The running app: one client, then eight at once, over `gradio_client` and over plain HTTP.

    python -m benchmarks.app [--turns 40] [--seconds 60]

The app runs in a second process, as `python app.py` starts it, and a plain `gr.Interface` with
torchvision's ResNet-50 in a third; whichever is not asked sleeps. The clients share the cores with
them. Every request brings a photo of its own, so no kept result can answer. What the app itself
says its stages took is taken off to tell what Gradio and the network add.
"""

import itertools
import os
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import torch
from gradio_client import Client, handle_file

from benchmarks import bench
from benchmarks.photos import SCREEN, photo, renamed
from benchmarks.served import Server, asked, served
from herbdemo.recognise import BATCH

CLIENTS = 8
PHOTOS = 24  # different ones; with a comment of its own each request's is another file
WARM = 12  # requests before anything is counted
PART = 6  # of the time that the app has for eight clients, for each of the others, twice
SHARE, MEMORY = 0.8, 1536  # of the engine's batches; MB
OURS, PLAIN = "Herb Lens", "plain gr.Interface"
CLIENT, HTTP = "gradio_client", "HTTP"
ENDPOINTS = {OURS: "recognise_herb", PLAIN: "predict"}
Ask = Callable[[], float]  # a request; gives the milliseconds the server says it took, 0 if none


class Photos:
    """A new file for every request."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made = [photo(SCREEN, number) for number in range(PHOTOS)]
        self._numbers = itertools.count()

    def next(self) -> bytes:
        """The bytes of one."""
        number = next(self._numbers)
        return renamed(self._made[number % PHOTOS], number)

    def path(self) -> Path:
        """One on disk."""
        number = next(self._numbers)
        path = self._folder / f"{number}.jpg"
        path.write_bytes(renamed(self._made[number % PHOTOS], number))
        return path


def visitor(way: str, whose: str, url: str, photos: Photos) -> Ask:
    """A client of its own, with its own connection."""
    endpoint = ENDPOINTS[whose]
    if way == CLIENT:
        client = Client(url, verbose=False)

        def ask() -> float:
            path = photos.path()
            said = client.predict(handle_file(path), api_name=f"/{endpoint}")
            path.unlink()
            return _own_ms(said)
    else:
        connection = httpx.Client(timeout=120, trust_env=False)

        def ask() -> float:
            return _own_ms(asked(connection, url, endpoint, photos.next()))

    return ask


def _own_ms(said: dict) -> float:
    return sum(said.get("stages", {}).values())


def crowd(asks: list[Ask], seconds: float) -> tuple[float, np.ndarray, int]:
    """Requests per second, seconds of each, and how many failed, with all `asks` at once."""
    took: list[float] = []
    failed: list[Exception] = []
    end = time.perf_counter() + seconds

    def work(ask: Ask) -> None:
        while time.perf_counter() < end:
            started = time.perf_counter()
            try:
                ask()
                took.append(time.perf_counter() - started)
            except Exception as error:
                failed.append(error)

    threads = [threading.Thread(target=work, args=(ask,)) for ask in asks]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if not took:
        raise RuntimeError("no request was answered") from failed[0]
    if failed:
        print(f"first of {len(failed)} errors: {failed[0]!r}")
    return len(took) / (time.perf_counter() - started), np.array(took), len(failed)


def measure(turns: int, seconds: float) -> bench.Result:
    """Both servers, one client at a time, then all at once."""
    with tempfile.TemporaryDirectory() as place:
        # Where the engine is chosen and the network converted, so that the app finds both done.
        os.environ["HERBDEMO_HOME"] = str(Path(place) / "home")
        checkpoint, engine = bench.fastest(None)
        size = checkpoint.preprocessing.size
        batch = torch.zeros(BATCH, 3, size, size)

        def batches() -> float:
            found = bench.interleaved({"batch": lambda: engine.features(batch)}, turns=8)
            return float(BATCH / np.median(found["batch"]))

        with (
            served("app.py", Path(place) / "ours") as ours,
            served("benchmarks/plain.py", Path(place) / "plain") as plain,
        ):
            return _measured(ours, plain, Photos(Path(place)), batches, engine.name, turns, seconds)


def _measured(
    ours: Server,
    plain: Server,
    photos: Photos,
    batches: Callable[[], float],
    engine: str,
    turns: int,
    seconds: float,
) -> bench.Result:
    servers = {OURS: ours, PLAIN: plain}
    visitors = {
        (whose, way): [visitor(way, whose, server.url, photos) for _ in range(CLIENTS)]
        for whose, server in servers.items()
        for way in (CLIENT, HTTP)
    }
    for asks in visitors.values():
        for ask in itertools.islice(itertools.cycle(asks), WARM):
            ask()
    own: dict[str, list[float]] = {f"{OURS}, {way}": [] for way in (CLIENT, HTTP)}

    def once(name: str, ask: Ask) -> None:
        ms = ask()
        if name in own:
            own[name].append(ms / 1000)

    one = bench.interleaved(
        {f"{whose}, {way}": lambda n=f"{whose}, {way}", a=asks[0]: once(n, a)
         for (whose, way), asks in visitors.items()},
        turns=turns,
    )  # fmt: skip

    # The app's minute with eight clients stands between two parts of everything else.
    rates: dict[str, list[float]] = {}
    times: dict[str, list[np.ndarray]] = {}
    errors: dict[str, int] = {}

    def all_at_once(whose: str, way: str, seconds: float) -> None:
        name = f"{whose}, {way}"
        rate, took, failed = crowd(visitors[whose, way], seconds)
        rates.setdefault(name, []).append(rate)
        times.setdefault(name, []).append(took)
        errors[name] = errors.get(name, 0) + failed

    def the_others() -> None:
        rates.setdefault("batches", []).append(batches())
        for whose, way in ((OURS, HTTP), (PLAIN, CLIENT), (PLAIN, HTTP)):
            all_at_once(whose, way, seconds / PART)

    the_others()
    before, clients_before = ours.cpu_seconds(), time.process_time()
    all_at_once(OURS, CLIENT, seconds)
    clients = time.process_time() - clients_before
    server = ours.cpu_seconds() - before
    the_others()

    rows, values = [], {}
    for name, took in one.items():
        added = took - np.array(own[name][-turns:]) if name in own else None
        many = np.concatenate(times[name])
        rows.append([
            name,
            _p50_p95(took),
            _p50_p95(added) if added is not None else "–",
            _p50_p95(many),
            f"{np.median(rates[name]):.1f}",
            str(errors[name]),
        ])  # fmt: skip
        values[name] = {
            "one client": bench.spread(took) | {"p95": float(np.percentile(took, 95))},
            **({"added": bench.spread(added)} if added is not None else {}),
            "eight clients": bench.spread(many) | {"p95": float(np.percentile(many, 95))},
            "photos/s": rates[name],
            "errors": errors[name],
        }
    limit = float(np.median(rates["batches"]))
    rows.append([f"the bare engine, batches of {BATCH}", "", "", "", f"{limit:.1f}", ""])
    main, http = f"{OURS}, {CLIENT}", f"{OURS}, {HTTP}"
    cores = bench.usable_cores() * seconds
    share = np.median(rates[main]) / limit
    why = (
        f"The clients themselves kept {clients / cores:.0%} of the cores busy, the app {server / cores:.0%}; "
        f"over plain HTTP it is {np.median(rates[http]) / limit:.2f}"
    )
    peak = ours.peak()
    return bench.Result(
        name="app",
        title="Through the running app: ms, median / 95th percentile",
        columns=["asked", "one client", "… added by Gradio, network and client",
                 f"{CLIENTS} at once", "photos/s", "errors"],
        rows=rows,
        notes=[f"Network: {engine}. Photos of 1024 × 768. {CLIENTS} clients at once over gradio_client for "
               f"{seconds:g} s, all else for {2 * seconds / PART:g} s. Most memory of the app: {peak:.0f} MB, of the "
               f"plain one: {plain.peak():.0f} MB."],
        bars=[
            bench.Bar(f"{CLIENTS} clients for {seconds:g} s: errors", errors[main], 0, unit=""),
            bench.Bar(f"{CLIENTS} clients: of the engine's throughput in batches", float(share), SHARE,
                      least=True, remark=why),
            bench.Bar("most memory of the serving app", peak, MEMORY, unit="MB"),
        ],
        values={**values, "batches, photos/s": rates["batches"], "engine": engine,
                "cpu seconds": {"clients": clients, "app": server, "of": cores},
                "peak MB": {OURS: peak, PLAIN: plain.peak()}},
    )  # fmt: skip


def _p50_p95(seconds: np.ndarray) -> str:
    return "{:.0f} / {:.0f}".format(*np.percentile(seconds, (50, 95)) * 1000)


def main() -> None:
    parser = bench.parser("app", __doc__, turns=40, model=False)
    parser.add_argument("--seconds", type=float, default=60)
    arguments = parser.parse_args()
    bench.tell(measure(arguments.turns, arguments.seconds), arguments.json)


if __name__ == "__main__":
    main()
