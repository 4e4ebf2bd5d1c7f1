"""A visitor of the running app without a browser: uploads, acts and answers over plain HTTP."""

import json
import secrets
import time
from pathlib import Path
from typing import Any

import httpx
from gradio_client.utils import apply_diff

Values = dict[str, Any]  # elem_id of a component -> its value
_FILE = {"_type": "gradio.FileData"}


PATIENCE = 10  # seconds for a stream to end once its answer is there


class RefusedError(Exception):
    """The server ended an event with an error; the sentence, and the short name, that came along."""

    def __init__(self, said: str, title: str) -> None:
        super().__init__(said)
        self.title = title


class Visitor:
    """One browser tab, or one program.

    Args:
        url: of the app, without a slash at the end.
        address: of this computer, 127.0.0.x, that the visitor comes from.
    """

    def __init__(self, url: str, *, address: str = "127.0.0.1", patience: float = 180) -> None:
        # A line for each request: the server closes one that was silent for five seconds, or that a
        # fault has ended, perhaps just as one speaks again.
        limits = httpx.Limits(max_keepalive_connections=0)
        transport = httpx.HTTPTransport(local_address=address, limits=limits)
        self.http = httpx.Client(
            base_url=f"{url}/gradio_api/", transport=transport, timeout=patience, trust_env=False
        )
        config = self.http.get(f"{url}/config").raise_for_status().json()
        names = {c["id"]: c["props"].get("elem_id") for c in config["components"]}
        self._name = {number: name or str(number) for number, name in names.items()}
        self._number = {name: number for number, name in names.items() if name}
        self._events = {
            (self._name.get(target), event): dependency
            for dependency in config["dependencies"]
            for target, event in dependency["targets"]
        }
        self.session = secrets.token_hex(5)

    def close(self) -> None:
        self.http.close()

    def reload(self) -> None:
        """As after F5: another session."""
        self.session = secrets.token_hex(5)

    def upload(self, content: bytes | Path, name: str = "photo.jpg") -> Values:
        """Upload a file; what Gradio takes for it in an event."""
        data = content.read_bytes() if isinstance(content, Path) else content
        answer = self.http.post("upload", files={"files": (name, data, "image/jpeg")})
        path = answer.raise_for_status().json()[0]
        return {"path": path, "orig_name": name, "meta": _FILE}

    # For programs

    def call(self, endpoint: str, *data: Any) -> list[Any]:
        """What a named endpoint gives.

        Raises:
            RefusedError: it ended with an error.
        """
        begun = self.http.post(f"call/{endpoint}", json={"data": list(data)}).raise_for_status()
        event = ""
        with self.http.stream("GET", f"call/{endpoint}/{begun.json()['event_id']}") as stream:
            for line in stream.iter_lines():
                if line.startswith("event: "):
                    event = line.removeprefix("event: ")
                elif line.startswith("data: ") and event in ("complete", "error"):
                    said = json.loads(line.removeprefix("data: "))
                    if event == "complete":
                        return said
                    raise _refusal(said)
        raise RefusedError("the stream ended without an answer", "no-answer")

    # For the page

    def begin(self, source: str, event: str, fields: Values | None = None, *given: Any) -> str:
        """Trigger an event of a component; the number of the event."""
        dependency = self._events[source, event]
        body = {
            "data": list(given) if given else [None] * len(dependency["inputs"]),
            "event_data": fields or {},
            "fn_index": dependency["id"],
            "trigger_id": self._number[source],
            "session_hash": self.session,
        }
        return self.http.post("queue/join", json=body).raise_for_status().json()["event_id"]

    def act(self, source: str, event: str, fields: Values | None = None, *given: Any) -> Values:
        """Trigger an event and wait for its end; the last value of each output that got one.

        Raises:
            RefusedError: it ended with an error.
        """
        begun = self.begin(source, event, fields, *given)
        outputs = [self._name[number] for number in self._events[source, event]["outputs"]]
        found: Values | None = None
        refused: RefusedError | None = None
        noted: Values = {}
        held: list[Any] = []
        ended = 0.0
        # To its end, as a browser reads it: Gradio takes a stream that is closed for a visitor who
        # has left, and drops what the same tab begins meanwhile. Heartbeats come for ever.
        for message in self.messages():
            if message.get("event_id") != begun:
                if ended and time.monotonic() > ended + PATIENCE:
                    break
                continue
            kind, output = message["msg"], message.get("output") or {}
            if kind == "process_generating" and message.get("success", True):
                data = output.get("data") or []
                held = [apply_diff(a, d) for a, d in zip(held, data, strict=True)] if held else data
                _note(noted, outputs, held)
            elif kind == "process_completed":
                ended = time.monotonic()
                if not message.get("success"):
                    refused = _refusal(output)
                    continue
                _note(noted, outputs, output.get("data") or [])
                found = noted
        if refused:
            raise refused
        if found is None:
            raise RefusedError("the stream ended without an answer", "no-answer")
        return found

    def messages(self):
        """What the server says to this tab, until it has nothing more to say."""
        with self.http.stream("GET", "queue/data", params={"session_hash": self.session}) as stream:
            for line in stream.iter_lines():
                if line.startswith("data: "):
                    yield json.loads(line.removeprefix("data: "))

    def cancel(self, source: str, event: str, begun: str) -> None:
        """Give an event up, as the page does when it is left."""
        number = self._events[source, event]["id"]
        body = {"session_hash": self.session, "fn_index": number, "event_id": begun}
        self.http.post("cancel", json=body).raise_for_status()

    def ask(self, component: str, function: str, data: Any) -> Any:
        """What a function of a component, which the page asks without an event, gives."""
        body = {
            "data": data,
            "component_id": self._number[component],
            "fn_name": function,
            "session_hash": self.session,
        }
        return self.http.post("component_server", json=body).raise_for_status().json()


def _note(found: Values, outputs: list[str], data: list[Any]) -> None:
    for name, value in zip(outputs, data, strict=False):
        if isinstance(value, dict) and value.get("__type__") == "update":
            if "value" not in value:
                continue  # left as it was
            value = value["value"]
        found[name] = value


def _refusal(said: Any) -> RefusedError:
    said = said if isinstance(said, dict) else {}
    return RefusedError(str(said.get("error")), str(said.get("title") or ""))
