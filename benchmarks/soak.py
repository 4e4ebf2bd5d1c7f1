"""A soak: eight visitors at the running app for half an hour, and every answer is checked.

    python -m benchmarks.soak [--minutes 30]

The app runs as `python app.py` starts it, with a password, so that seven of the eight are strangers
and one is the owner, who switches models, sends them to and fro, teaches, and stops the teaching
halfway. Each comes from an address of its own and does one thing after another, drawn by lot from a
seed: photos over the API and on every tab, batches, links, a sandbox, bad files, and acts that are
given up. What is right was worked out before, by one thread; see `questions`. Writes SOAK.md.
"""

import argparse
import json
import os
import random
import re
import socket
import tempfile
import threading
import time
import traceback
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import torch

from benchmarks import bench
from benchmarks.photos import photo
from benchmarks.questions import (
    PHOTOS,
    POINTS,
    Question,
    World,
    differs,
    model_of,
    questions,
    refusal_in,
    rows_expected,
    seen,
    shared_expected,
)
from benchmarks.served import Server, served
from benchmarks.visitor import RefusedError, Visitor
from herbdemo.checkpoint import Checkpoint, save_checkpoint
from herbdemo.dataset import Sample
from herbdemo.engine import TorchEngine, serving
from herbdemo.extend import extend
from herbdemo.registry import Registry
from herbdemo.ui import texts, texts_learn
from herbdemo.ui.sandbox import NAME as SANDBOX

VISITORS = 8
WARM = 0.2  # of the time: until then caches and heaps fill
EVERY = 5.0  # seconds between two looks at the memory
FLAT = 0.05  # of the memory, from the end of the warming to the end
PASSWORD = "soak"
REPORT = Path(__file__).parent / "SOAK.md"
NEW = ("欧芹", "洋葱")  # herbs that no shipped model knows, played by crops of two examples
WRONG = (texts.FAILED.en, texts_learn.WENT_WRONG.en)  # said where a handler has failed
SECRETS = re.compile(r"Traceback|site-packages|\.py\b|/(?:tmp|root|home|usr|var|work)/")


class Guest(Visitor):
    """A visitor with dice of its own."""

    def __init__(self, url: str, number: int) -> None:
        super().__init__(url, address=f"127.0.0.{number + 2}")
        self.dice = random.Random(number)
        self.photo: dict[str, Any] = {}
        self.page = ""
        self.key = ""  # of the owner

    def pause(self, most: float) -> None:
        time.sleep(self.dice.uniform(0, most))

    def file(self, value: dict[str, Any]) -> bytes:
        """What lies behind a file that the server gave."""
        answer = self.http.get(f"file={value['path']}")
        return answer.raise_for_status().content

    def does(self, source: str, act: str, given: Any = None, **fields: Any) -> dict[str, Any]:
        """An act of a piece of the page."""
        fields = {"act": act, "pass": self.key, **fields}
        return self.act(source, "act", fields, *([] if given is None else [given]))


@dataclass
class Tally:
    """What happened."""

    done: Counter = field(default_factory=Counter)
    refused: Counter = field(default_factory=Counter)  # sentences that say why not
    wrong: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def did(self, kind: str) -> None:
        with self._lock:
            self.done[kind] += 1

    def refuse(self, sentence: str) -> None:
        with self._lock:
            self.refused[sentence] += 1

    def fail(self, kind: str, why: str) -> None:
        with self._lock:
            self.wrong.append(f"{kind}: {why}")
        print(f"WRONG {kind}: {why[-1500:]}", flush=True)


# What is right


class Truth:
    """What is right in each world, worked out here by one thread."""

    def __init__(self, folder: Path, registry: Registry, models: dict[str, Checkpoint]) -> None:
        torch.set_num_threads(1)
        self.questions = questions(folder)
        self.right: dict[str, list[list[Any]]] = {}  # sha256 -> for each world what is right
        self.rows: dict[str, list[dict]] = {}
        self.shared: dict[str, list[list]] = {}
        self.box: dict[str, list[dict]] = {}
        lessons = box_lessons(folder)
        for checkpoint in models.values():
            for world in worlds(checkpoint):
                sha256 = checkpoint.sha256
                with world.holds():
                    answers = [question.expect() for question in self.questions]
                    self.right.setdefault(sha256, []).append(answers)
                    self.rows.setdefault(sha256, []).append(rows_expected(folder))
                    self.shared.setdefault(sha256, []).append(shared_expected(folder))
                taught = World(extend(checkpoint, lessons, name=SANDBOX), world.engine)
                with taught.holds():
                    self.box.setdefault(sha256, []).append(
                        [q.expect() for q in self.questions if q.kind == "page: identify"]
                    )

    def check(self, answer: Any, rights: dict[str, list[Any]], named: str, points: float) -> str:
        """Why no world gives this answer; "" where one does."""
        candidates = (
            rights[named] if named in rights else [r for some in rights.values() for r in some]
        )
        why = [differs(answer, right, points) for right in candidates]
        return "" if "" in why else " | ".join(why)[:1500]

    def of(self, at: int) -> dict[str, list[Any]]:
        return {sha256: [answers[at] for answers in some] for sha256, some in self.right.items()}


def worlds(checkpoint: Checkpoint) -> list[World]:
    """The engine that answers while another one is being made, and that one."""
    engine = serving(checkpoint)
    engine.wait()
    found = [World(checkpoint, TorchEngine(checkpoint.network))]
    return found if engine.name == found[0].engine.name else [*found, World(checkpoint, engine)]


def models_for(registry: Registry, folder: Path) -> dict[str, Checkpoint]:
    """The shipped model; one that knows more herbs; one with other convolutions."""
    shipped = registry.load()
    lessons = []
    for herb, source in zip(NEW, (1, 2), strict=True):
        for number in range(8):
            path = folder / "lessons" / herb / f"{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(photo((320, 240), 4 * number + source))
            lessons.append(Sample(path, herb))
    save_checkpoint(extend(shipped, lessons, name="more"), registry.new_folder("more"))
    other = registry.load()
    torch.manual_seed(0)
    with torch.no_grad():
        for weight in other.network.layer4.parameters():
            weight += 0.02 * weight.std(correction=0) * torch.randn_like(weight)
    card = {key: value for key, value in other.card.items() if key != "limits"}
    save_checkpoint(replace(other, card=card), registry.new_folder("other"))
    return {name: registry.load(name) for name in (shipped.id, "more", "other")}


def box_lessons(folder: Path) -> list[Sample]:
    found = []
    for number in range(3):
        path = folder / "box" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(photo((320, 240), 4 * number + 401))
        found.append(Sample(path, NEW[0]))
    return found


# What visitors do


class Soak:
    """Eight visitors, one truth."""

    def __init__(self, server: Server, truth: Truth, folder: Path, models: list[str]) -> None:
        self.server, self.truth, self.folder, self.models = server, truth, folder, models
        self.tally = Tally()
        self.links = 0

    def visit(self, number: int, until: float) -> None:
        guest = Guest(self.server.url, number)
        acts: list[tuple[float, Callable[[Guest], None]]] = [
            (12, self.asks), (1, self.batch), (1, self.link), (1, self.leaves), (1, self.bad_files),
            (0.5, self.sandbox), (0.5, self.looks_up), (0.3, self.half_upload),
        ]  # fmt: skip
        if number == 0:
            guest.key = self.key(guest)
            acts = [(3, self.asks), (2, self.switches), (0.5, self.carries), (1, self.teaches)]
        weights = [weight for weight, _ in acts]
        while time.monotonic() < until:
            _, act = guest.dice.choices(acts, weights)[0]
            try:
                act(guest)
            except RefusedError as refused:
                self.said(act.__name__, str(refused), refused.title)
            except Exception:
                self.tally.fail(act.__name__, traceback.format_exc())
        guest.close()

    def said(self, kind: str, sentence: str, title: str) -> None:
        """The server refused: with a sentence in both languages, or it is a fault."""
        if SECRETS.search(sentence) or not re.search("[。！]", sentence):
            self.tally.fail(kind, f"ended with {sentence!r} {title!r}")
        else:
            self.tally.refuse(sentence)

    def judge(
        self, kind: str, answer: Any, rights: dict[str, list[Any]], named: str,
        points: float = POINTS,
    ) -> None:  # fmt: skip
        said = json.dumps(answer, ensure_ascii=False, default=str)
        if any(words in said for words in WRONG) or SECRETS.search(said):
            self.tally.fail(kind, f"said {said[:600]}")
        elif refusal := refusal_in(answer):
            self.tally.refuse(refusal)
        elif why := self.truth.check(answer, rights, named, points):
            self.tally.fail(kind, why)
        else:
            self.tally.did(kind)

    def asks(self, guest: Guest) -> None:
        at = guest.dice.randrange(len(self.truth.questions))
        question: Question = self.truth.questions[at]
        answer = question.ask(guest)
        if answer is None:
            self.tally.did(f"{question.kind}, stopped")
        else:
            self.judge(question.kind, answer, self.truth.of(at), model_of(answer), question.points)

    def batch(self, guest: Guest) -> None:
        """A pile, looked at while it is done, then as a file; every third is stopped and deleted."""
        given = [guest.upload(content, f"{n}.jpg") for n, content in enumerate(PHOTOS)]
        found = guest.does("batch-giver", "photos", given)
        pile = re.search(r'data-keep="([0-9a-f]{32})"', found.get("batch-pile", ""))
        if pile is None:
            return self.said("batch", _sentence(found.get("batch-notice", "")), "")
        fields = {"pile": pile.group(1)}
        if guest.dice.random() < 0.3:
            guest.pause(1)
            guest.does("batch-pile", "stop", **fields)
            self.tally.did("batch, stopped")
        else:
            while re.search(
                r'class="card pile (waiting|running)',
                card := guest.ask("batch-pile", "poll", fields),
            ):
                time.sleep(0.5)
            if "card pile done" in card:
                self.rows(guest, fields)
            else:
                self.said("batch", _sentence(card), "")
        guest.does("batch-pile", "delete", **fields)
        return None

    def rows(self, guest: Guest, fields: dict[str, str]) -> None:
        found = guest.does("batch-rows", "download", file="json", **fields)
        rows = json.loads(guest.file(found["batch-file"]))
        rows = rows if isinstance(rows, list) else rows.get("answers", rows)
        if len({row["sha256"] for row in rows}) != 1:
            return self.tally.fail("batch", "rows of two models")
        answer = {
            row["file"]: {c["zh"]: c["probability"] for c in row["candidates"]} for row in rows
        }
        return self.judge("batch", answer, self.truth.rows, rows[0]["sha256"])

    def link(self, guest: Guest) -> None:
        """A result is shared, opened by someone else, and deleted."""
        number = guest.dice.randrange(len(PHOTOS))
        given = guest.upload(PHOTOS[number])
        page = guest.act("photo", "photo", {}, given)["result"]
        photo_sha = re.search(r'data-photo="(\w+)"', page).group(1)
        fields = {"photo": photo_sha, "model": model_of(page)}
        found = guest.does("sharing", "share", given, **fields)
        if "sharing" not in found:
            return self.said("link", _sentence(found.get("identify-notice", "")), "")
        made = json.loads(found["sharing"])
        guest.reload()
        opened = guest.does("sharing", "reopen", given, name=made["name"])["result"]
        rights = {s: [world[number] for world in some] for s, some in self.truth.shared.items()}
        article = opened[opened.index("</aside>") :]
        self.judge("link", seen(article), rights, model_of(page))
        guest.does("sharing", "forget", given, name=made["name"], secret=made["secret"])
        return None

    def leaves(self, guest: Guest) -> None:
        """A question is given up: by a word, or by closing the page."""
        given = guest.upload(photo((640, 480), guest.dice.randrange(10**6)))
        begun = guest.begin("photo", "photo", {}, given)
        if guest.dice.random() < 0.5:
            guest.cancel("photo", "photo", begun)
        else:
            with guest.http.stream("GET", "queue/data", params={"session_hash": guest.session}):
                guest.pause(0.2)
        guest.reload()
        self.tally.did("given up")

    def bad_files(self, guest: Guest) -> None:
        content = guest.dice.choice([b"", b"no photo", PHOTOS[0][:5000], b"\xff\xd8\xff" * 99])
        try:
            guest.call("recognise_herb", guest.upload(content))
        except RefusedError as refused:
            self.said("bad file", str(refused), refused.title)
            self.tally.did("bad file, refused")
        else:
            self.tally.fail("bad file", "was recognised")

    def half_upload(self, guest: Guest) -> None:
        """The connection breaks off in the middle of a photo."""
        url = httpx.URL(self.server.url)
        head = (
            f"POST /gradio_api/upload HTTP/1.1\r\nHost: {url.host}:{url.port}\r\n"
            "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 900000\r\n\r\n"
            '--x\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n\r\n'
        ).encode()
        with socket.create_connection((url.host, url.port), timeout=30) as line:
            line.sendall(head + PHOTOS[0])
        self.tally.did("upload, broken off")

    def sandbox(self, guest: Guest) -> None:
        """A visitor teaches a model of the tab's own, and asks it."""
        guest.reload()
        files = [s.path.read_bytes() for s in box_lessons(self.folder)]
        given = [guest.upload(content, f"{n}.jpg") for n, content in enumerate(files)]
        found = guest.does("giver", "photos", given, herb=NEW[0])
        if texts_learn.BOX_LEARNT.format("")[1].split()[-1] not in found.get("learn-notice", ""):
            return self.said("sandbox", _sentence(found.get("learn-notice", "")), "")
        number = guest.dice.randrange(len(PHOTOS))
        page = guest.act("photo", "photo", {}, guest.upload(PHOTOS[number]))["result"]
        rights = {s: [world[number] for world in some] for s, some in self.truth.box.items()}
        self.judge("sandbox", [model_of(page), *seen(page)], rights, "")
        guest.does("gate", "empty")
        return None

    def looks_up(self, guest: Guest) -> None:
        listed = guest.ask("herbs-finder", "look", {"text": "huang", "scope": "all"})
        if "黄芪" not in listed or "黄芪" not in guest.ask("herb-names", "suggest", "huangqi"):
            self.tally.fail("herbs", listed[:200])
        else:
            self.tally.did("herbs")

    # The owner

    def key(self, guest: Guest) -> str:
        found = guest.does("gate", "enter", password=PASSWORD)["gate"]
        return re.search(r'data-pass="([^"]+)"', found).group(1)

    def switches(self, guest: Guest) -> None:
        if guest.dice.random() < 0.3:
            found = guest.does("models", "back")
        else:
            found = guest.does("models", "use", model=guest.dice.choice(self.models))
        guest.does("models", "proof", model=guest.dice.choice(self.models))
        self.owned("model switch", found)

    def carries(self, guest: Guest) -> None:
        """A model is downloaded, imported under another name, and deleted."""
        found = guest.does("models", "download", model="more")
        content = guest.file(found["models-file"])
        name = f"copy-{guest.dice.randrange(10**6)}"
        with zipfile.ZipFile(BytesIO(content)) as old:
            packed = BytesIO()
            with zipfile.ZipFile(packed, "w") as new:
                for entry in old.namelist():
                    data = old.read(entry)
                    if entry.endswith("card.json"):
                        data = data.replace(b'"id": "more"', f'"id": "{name}"'.encode())
                    new.writestr(entry.replace("more/", f"{name}/"), data)
        part = 40 << 20
        whole = packed.getvalue()
        given = [guest.upload(whole[at : at + part], "p.zip") for at in range(0, len(whole), part)]
        found = guest.does("models-giver", "zip", given)
        self.owned("model imported", found)
        self.owned("model deleted", guest.does("models", "delete", model=name))

    def teaches(self, guest: Guest) -> None:
        """Photos come in, are checked and accepted; a job starts and is stopped."""
        herb = guest.dice.choice(NEW)
        given = [
            guest.upload(photo((320, 240), guest.dice.randrange(10**6)), f"{n}.jpg")
            for n in range(6)
        ]
        found = guest.does("giver", "photos", given, herb=herb)
        batch = re.search(r'data-batch="([^"]+)"', found.get("report", ""))
        if batch is None:
            return self.owned("photos given", found)
        act = guest.dice.choice(["accept", "accept", "discard"])
        self.owned(f"photos, {act}", guest.does("report", act, batch=batch.group(1)))
        if act == "discard":
            return None
        name = f"taught-{guest.dice.randrange(10**6)}"
        wanted = {"mode": "seconds", "name": name}
        if guest.dice.random() < 0.3:
            wanted = {"mode": "properly", "preset": "quick", "init": "active", "name": name}
        self.owned("job started", guest.does("start", "start", **wanted))
        for _ in range(guest.dice.randrange(8)):
            guest.ask("job", "poll", {"pass": guest.key})
            time.sleep(1)
        self.owned("job stopped", guest.does("job", "stop"))
        if name in guest.does("models", "show")["models"]:  # it was done before
            self.owned("model deleted", guest.does("models", "delete", model=name))
        if guest.dice.random() < 0.5:
            for taught in NEW:
                guest.does("shelf", "remove-herb", herb=taught)
        return None

    def owned(self, kind: str, found: dict[str, Any]) -> None:
        """An act of the owner has ended; with a notice of trouble it was refused."""
        notice = next((v for k, v in found.items() if k.endswith("notice") and v), "")
        if 'notice trouble"' not in notice:
            self.tally.did(kind)
        elif any(words in notice for words in WRONG):
            self.tally.fail(kind, _sentence(notice))
        else:
            self.said(kind, _sentence(notice), "")


def _sentence(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page)).strip()


# Memory and what is left


@dataclass
class Memory:
    """MB held by the server alone, and by its jobs, over the seconds.

    Of the server's own, what lies in its heap and stacks: the system takes pages of files, such as
    libraries, away and brings them back as it likes, when others need memory.
    """

    own: list[tuple[float, float, float]] = field(default_factory=list)  # second, heap, all
    jobs: list[float] = field(default_factory=list)

    def watch(self, server: Server, ended: threading.Event) -> None:
        process, began = psutil.Process(server.process.pid), time.monotonic()
        while not ended.wait(EVERY):
            children = 0.0
            for child in process.children(recursive=True):
                try:
                    children += child.memory_info().rss / 2**20
                except psutil.Error:
                    continue
            memory = process.memory_info()
            whole = memory.rss / 2**20
            heap = whole - getattr(memory, "shared", 0) / 2**20
            self.own.append((time.monotonic() - began, heap, whole))
            self.jobs.append(children)

    def grown(self, seconds: float) -> tuple[float, float, float]:
        """Share by which the line through all after the warming rises; its start and its end."""
        after = np.array([(t, mb) for t, mb, _ in self.own if t >= WARM * seconds])
        slope, first = np.polyfit(after[:, 0], after[:, 1], 1)
        start, end = first + slope * after[0, 0], first + slope * after[-1, 0]
        return float(end / start - 1), float(start), float(end)


def left_in(folder: Path) -> list[str]:
    """The files below a folder, named from there."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def soak(minutes: float, place: Path, *, visitors: int = VISITORS) -> dict[str, Any]:
    """Run it; what was found."""
    os.environ["HERBDEMO_HOME"] = str(place / "home")
    registry = Registry()
    models = models_for(registry, place)
    started = time.monotonic()
    truth = Truth(place / "truth", registry, models)
    print(f"{len(truth.questions)} questions, answered by one thread in "
          f"{time.monotonic() - started:.0f} s", flush=True)  # fmt: skip
    temporary = place / "temporary"
    temporary.mkdir()
    memory, ended = Memory(), threading.Event()
    environment = {"HERBDEMO_ADMIN_PASSWORD": PASSWORD, "TMPDIR": str(temporary)}
    with served("app.py", place / "server", **environment) as server:
        watcher = threading.Thread(target=memory.watch, args=(server, ended))
        watcher.start()
        run = Soak(server, truth, place / "truth", [*models])
        until = time.monotonic() + 60 * minutes
        threads = [threading.Thread(target=run.visit, args=(n, until)) for n in range(visitors)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        ended.set()
        watcher.join()
        while_running = left_in(temporary)
        uploads = len(left_in(place / "server" / "uploads"))
    grown, first, last = memory.grown(60 * minutes)
    log = (place / "server" / "server.log").read_text(errors="replace")
    home = defaultdict(int)
    for name in left_in(place / "home"):
        home["/".join(Path(name).parts[:1])] += 1
    return {
        "minutes": minutes,
        "visitors": visitors,
        "questions": len(truth.questions),
        "worlds": sum(map(len, truth.right.values())),
        "done": dict(run.tally.done.most_common()),
        "refused": dict(run.tally.refused.most_common()),
        "wrong": run.tally.wrong,
        "tracebacks": log.count("Traceback (most recent call last)"),
        "memory": {"grown": grown, "first": first, "last": last,
                   "peak": max(whole for *_, whole in memory.own), "jobs": max(memory.jobs),
                   "own": [[round(one) for one in row] for row in memory.own]},
        "left": {"temporary": while_running, "after the end": left_in(temporary),
                 "uploads while running": uploads,
                 "uploads after the end": len(left_in(place / "server" / "uploads")),
                 "half written in the home": [n for n in left_in(place / "home") if "/." in f"/{n}"],
                 "home": dict(home)},
    }  # fmt: skip


def report(found: dict[str, Any], machine: dict[str, Any]) -> str:
    """SOAK.md."""
    memory, left = found["memory"], found["left"]
    done = "\n".join(f"| {kind} | {number:,} |" for kind, number in found["done"].items())
    refused = "\n".join(f"| {number:,} | {said} |" for said, number in found["refused"].items())
    wrong = "\n".join(f"- {why[:300]}" for why in found["wrong"]) or "None."
    asked = sum(found["done"].values())
    tenths = np.array_split(np.array(memory["own"]), 10)
    held = "".join(
        f"| {part[-1][0] / 60:.0f} | {np.median(part[:, 1]):.0f} | {np.median(part[:, 2]):.0f} |\n"
        for part in tenths
    )
    libraries = ", ".join(f"{name} {version}" for name, version in machine["libraries"].items())
    return f"""# A soak

`python -m benchmarks.soak --minutes {found["minutes"]:g}`, {time.strftime("%Y-%m-%d")}.
{machine["cpu"]}, {machine["cores"]} cores; {libraries}.

{found["visitors"]} visitors at once did everything that the page and the API offer, drawn by lot; one of them,
the owner, switched models, imported and deleted some, taught, and stopped the teaching halfway. What is right
was worked out before by one thread, for {found["questions"]} questions in {found["worlds"]} worlds (three models, each on the engine
that answers first and the one that takes over). An answer counts as right if it is wholly that of one world.

| what | found | promised |
|---|---|---|
| acts that were done and checked | {asked:,} | |
| wrong answers, mixtures of two models, unsaid errors | {len(found["wrong"])} | 0 |
| tracebacks in the log | {found["tracebacks"]} | 0 |
| heap of the server: growth after the first fifth of the time | {memory["grown"]:+.1%} | within ±{FLAT:.0%} |
| … in MB, by a straight line | {memory["first"]:.0f} → {memory["last"]:.0f}; with files at most {memory["peak"]:.0f} | |
| most memory of a job beside it, MB | {memory["jobs"]:.0f} | |
| files left in the temporary folder | {len(left["temporary"])} running, {len(left["after the end"])} after the end | 0 |
| half-written files left in the home | {len(left["half written in the home"])} | 0 |
| uploads that await their hour | {left["uploads while running"]} running, {left["uploads after the end"]} after the end | 0 after the end |

## Wrong

{wrong}

## Memory, MB

| minute | heap, median | with the pages of files |
|---|---|---|
{held}
## What was done

| act | times |
|---|---|
{done}

## What was refused, in these words

| times | sentence |
|---|---|
{refused}

Files in the home afterwards, by folder: {left["home"]}.
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--place", type=Path, help="a new folder that is kept, for a closer look")
    parser.add_argument("--report", type=Path, default=REPORT)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        place = (arguments.place or Path(temporary)).absolute()
        place.mkdir(parents=True, exist_ok=True)
        found = soak(arguments.minutes, place)
        (place / "soak.json").write_text(json.dumps(found, indent=1, ensure_ascii=False))
    said = report(found, bench.machine())
    arguments.report.write_text(said, encoding="utf-8")
    print(said)


if __name__ == "__main__":
    main()
