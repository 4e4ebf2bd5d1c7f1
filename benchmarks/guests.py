"""What the visitors of the soak do, and what is noted of it."""

import json
import random
import re
import socket
import threading
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx

from benchmarks.photos import photo
from benchmarks.questions import PHOTOS, Question, refusal_in
from benchmarks.sameness import POINTS, model_of, seen
from benchmarks.served import Server
from benchmarks.truth import NEW, Truth, box_lessons
from benchmarks.visitor import RefusedError, Visitor
from herbdemo.ui import texts, texts_learn

PASSWORD = "soak"
WRONG = (texts.FAILED.en, texts_learn.WENT_WRONG.en)  # said where a handler has failed
SECRETS = re.compile(r"Traceback|site-packages|\.py\b|/(?:tmp|root|home|usr|var|work)/")


class Guest(Visitor):
    """A visitor with dice of its own."""

    def __init__(self, url: str, number: int) -> None:
        super().__init__(url, address=f"127.0.0.{number + 2}")
        self.number, self.dice = number, random.Random(number)
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


class Soak:
    """Eight visitors, one truth."""

    def __init__(self, server: Server, truth: Truth, folder: Path, models: list[str]) -> None:
        self.server, self.truth, self.folder, self.models = server, truth, folder, models
        self.tally = Tally()

    def visit(self, guest: Guest, until: float) -> None:
        acts: list[tuple[float, Callable[[Guest], None]]] = [
            (12, self.asks), (1, self.batch), (1, self.link), (1, self.leaves), (1, self.bad_files),
            (0.5, self.sandbox), (0.5, self.looks_up), (0.3, self.half_upload),
        ]  # fmt: skip
        if guest.number == 0:
            guest.key = guest.key or self.key(guest)
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

    def rest(self, owner: Guest) -> None:
        """Bring the server to what it holds when nobody asks: one model, each question once.

        The model is loaded anew. One that was there for longer has answers in memory, 128 MB at
        most, and an engine that has seen more batches, so that what is held would differ by chance.
        """
        for model in (self.models[1], self.models[0]):
            self.owned("model switch", owner.does("models", "use", model=model))
        for at in range(len(self.truth.questions)):
            self.ask(owner, at)

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
        self.ask(guest, guest.dice.randrange(len(self.truth.questions)))

    def ask(self, guest: Guest, at: int) -> None:
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
