"""Start a server as a user would, in a process of its own, and ask it over plain HTTP."""

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

ROOT = Path(__file__).parent.parent
PATIENCE = 120  # seconds until a server must have answered; importing torch takes its time
LOOK = 0.05  # seconds between two looks whether it answers


@dataclass(frozen=True)
class Server:
    """A running server. `seconds`: from its start to its first page."""

    url: str
    process: subprocess.Popen
    seconds: float

    def peak(self) -> float:
        """The most memory it has held so far, in MB; where the system does not tell, what it holds."""
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) / 1024
        return psutil.Process(self.process.pid).memory_info().rss / 2**20

    def cpu_seconds(self) -> float:
        """Time that it has kept cores busy."""
        used = psutil.Process(self.process.pid).cpu_times()
        return used.user + used.system


@contextlib.contextmanager
def served(
    script: str,
    folder: Path,
    *,
    root: Path = ROOT,
    python: Sequence[str] = (sys.executable,),
    **environment: str,
) -> Iterator[Server]:
    """Run `python script` at the root until the block ends; its log and uploads are in `folder`.

    Args:
        root: of the code. python: what runs it, in front of the script.
        environment: beside this process's own.

    Raises:
        RuntimeError: it ended, or did not answer.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    variables = {
        "GRADIO_TEMP_DIR": str(folder / "uploads"),
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_NUM_PORTS": "1",  # a taken port is an error, not a reason to move on
        "GRADIO_ANALYTICS_ENABLED": "False",
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")]),
    }
    log = folder / "server.log"
    with log.open("wb") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            [*python, script],
            cwd=root,
            env=os.environ | variables | environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        while not _answers(url):
            if process.poll() is not None or time.perf_counter() - started > PATIENCE:
                said = log.read_text(errors="replace")[-4000:]
                raise RuntimeError(f"{script} does not answer ({process.poll()}):\n{said}")
            time.sleep(LOOK)
        yield Server(url, process, time.perf_counter() - started)
    finally:
        _stop(process)


def asked(client: httpx.Client, url: str, endpoint: str, photo: bytes) -> Any:
    """The first value that a named endpoint gives for a photo: upload, call, wait for the event.

    Raises:
        RuntimeError: the endpoint ended with an error.
    """
    files = {"files": ("photo.jpg", photo, "image/jpeg")}
    path = client.post(f"{url}/gradio_api/upload", files=files).raise_for_status().json()[0]
    data = {"data": [{"path": path, "meta": {"_type": "gradio.FileData"}}]}
    call = f"{url}/gradio_api/call/{endpoint}"
    event = client.post(call, json=data).raise_for_status().json()["event_id"]
    said = ""
    with client.stream("GET", f"{call}/{event}") as stream:
        for line in stream.iter_lines():
            if line.startswith("data:") and said == "event: complete":
                return json.loads(line.removeprefix("data:"))[0]
            if line == "event: error":
                raise RuntimeError(f"{endpoint} ended with an error")
            if line.startswith("event:"):
                said = line
    raise RuntimeError(f"{endpoint} ended without an answer")


def _stop(process: subprocess.Popen) -> None:
    """End the server and whatever it started; it leads a process group of its own."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
            return


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def _free_port() -> int:
    """A port below those the system deals out, so that no client takes it while the app starts."""
    for port in random.SystemRandom().sample(range(18000, 30000), 50):
        with socket.socket() as taken, contextlib.suppress(OSError):
            taken.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no free port")
