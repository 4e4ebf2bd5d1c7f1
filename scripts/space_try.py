"""Rehearse the Space: what is uploaded, in a clean environment, as Hugging Face runs it.

    make space-try                        # a new environment: some GB, and minutes
    python -m scripts.space_try --here    # with the packages of this environment

The folder of `scripts.space` is started with `python app.py` under the variables that a Space has,
as another user or without root's powers, its code read-only, its home new and empty. Then a real
Chromium visits it (tests/browser/test_space_page.py). At last the code must be as it was.
"""

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.served import Server, served
from scripts.space import ROOT, Refused, build, front_matter, said

SMOKE = "tests/browser/test_space_page.py"
USER = (
    1000  # as whom a Space runs; its Dockerfiles say so, huggingface/hub-docs spaces-sdks-docker.md
)
# Root may write anywhere, whatever a file's mode says. Without its capabilities it may not.
HARMLESS = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs")

# What a Space finds in its environment: huggingface/hub-docs, spaces-overview.md (“Helper
# environment variables”) and spaces-oauth.md; SYSTEM and the GRADIO_ ones stand in many public
# Dockerfiles that copy the Gradio image. Its GRADIO_SERVER_NAME is 0.0.0.0, in a container.
VARIABLES = {
    "SYSTEM": "spaces",
    "SPACE_ID": "somebody/herb-lens",
    "SPACE_AUTHOR_NAME": "somebody",
    "SPACE_REPO_NAME": "herb-lens",
    "SPACE_HOST": "somebody-herb-lens.hf.space",
    "SPACE_CREATOR_USER_ID": "0" * 24,
    "CPU_CORES": "2",
    "MEMORY": "16Gi",
    "ACCELERATOR": "none",
    "OAUTH_CLIENT_ID": "rehearsal",
    "OAUTH_CLIENT_SECRET": "rehearsal",
    "OAUTH_SCOPES": "openid profile manage-repos",
    "OPENID_PROVIDER_URL": "https://huggingface.co",
    "GRADIO_SERVER_NAME": "127.0.0.1",
    "GRADIO_ALLOW_FLAGGING": "never",
    "GRADIO_THEME": "huggingface",
}
# What a developer has set and a Space has not.
UNSET = ("HERBDEMO_HOME", "HERBDEMO_ENGINE", "HERBDEMO_EXAMPLES", "HERBDEMO_DATA", "HERBDEMO_MODEL",
         "HERBDEMO_ADMIN_PASSWORD", "HF_TOKEN", "HF_HOME")  # fmt: skip


@contextlib.contextmanager
def space_served(
    folder: Path, scratch: Path, *, python: str = sys.executable, **environment: str
) -> Iterator[tuple[Server, str]]:
    """Run the Space in `folder` as Hugging Face does; gives the server, and how it is kept in.

    Args:
        scratch: an empty folder, for its home and uploads.

    Raises:
        Refused: the code can be written to all the same, or was.
    """
    for name in ("home", "uploads"):
        (scratch / name).mkdir(parents=True)
    before = listing(folder)
    with read_only(folder):
        prefix, how = kept_in(folder, scratch, python)
        home = str(scratch / "home")
        unset = dict.fromkeys(UNSET, "")
        ours = {"HOME": home, "XDG_CACHE_HOME": f"{home}/.cache", "PYTHONPATH": str(folder)}
        with served(
            "app.py",
            scratch,
            root=folder,
            python=[*prefix, python],
            **unset | VARIABLES | ours | environment,
        ) as server:
            yield server, how
    if (after := listing(folder)) != before:
        changed = {name for name, _ in before.items() ^ after.items()}
        raise Refused(f"The app wrote into its code: {', '.join(sorted(changed))}.")


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Take the right to write from all that is in `folder`, and give it back to the owner."""
    paths = [folder, *folder.rglob("*")]
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        yield
    finally:
        for path in paths:
            path.chmod(0o755 if path.is_dir() else 0o644)


def kept_in(folder: Path, scratch: Path, python: str) -> tuple[Sequence[str], str]:
    """What to put before `python` so that it cannot write into `folder`, tried; and in words.

    Raises:
        Refused: nothing keeps it in.
    """
    ways: list[tuple[Sequence[str], str]] = [((), "as this user, who may not write there")]
    if os.name == "posix" and os.geteuid() == 0:
        as_user = (*HARMLESS, f"--reuid={USER}", f"--regid={USER}", "--clear-groups")
        ways = [(as_user, f"as user {USER}"), (HARMLESS, "as root without its powers")]
    base = [python, "-c", "import sys; print(sys.base_prefix)"]
    wanted = subprocess.run(base, capture_output=True, text=True, check=True).stdout.strip()
    attempt = (
        "import pathlib, sys\n"
        # A Python whose own folder a user may not enter falls back on another one's library.
        "if sys.base_prefix != sys.argv[3]: sys.exit(1)\n"
        "pathlib.Path(sys.argv[2], 'home', 'tried').touch()\n"
        "try: pathlib.Path(sys.argv[1], 'tried').touch()\n"
        "except PermissionError: sys.exit(42)\n"
    )
    for prefix, how in ways:
        owner = USER if f"--reuid={USER}" in prefix else None
        if owner:
            _own(scratch, owner)
        command = [*prefix, python, "-c", attempt, str(folder), str(scratch), wanted]
        with contextlib.suppress(OSError):  # no setpriv here
            if subprocess.run(command, capture_output=True, check=False).returncode == 42:
                (scratch / "home" / "tried").unlink()
                return prefix, how
        if owner:
            _own(scratch, os.geteuid())
    raise Refused("This user can write into the code, whatever its mode says. Try as another user.")


def _own(folder: Path, user: int) -> None:
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user, user)
    for parent in folder.parents[:-1]:  # pytest's and tempfile's folders are for their owner alone
        if user and parent.owner() == "root" and parent.is_relative_to(tempfile.gettempdir()):
            parent.chmod(parent.stat().st_mode | 0o011)


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of each file, by its path."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in files
    }


def troubles(log: str) -> int:
    """How many tracebacks there are in a server's log.

    Gradio misses `spaces` where the packages are not a Space's, and goes on without.
    """
    return log.count("Traceback") - log.count("`spaces` package is required")


def find_python(version: str) -> str:
    """A Python of this version, on the path or of pyenv; the one that runs this where none is."""
    own = Path.home() / ".pyenv" / "versions"
    found = shutil.which(f"python{version}")
    if found and subprocess.run([found, "-V"], capture_output=True, check=False).returncode == 0:
        return found
    return next((str(path) for path in sorted(own.glob(f"{version}*/bin/python"))), sys.executable)


def installed(folder: Path, target: Path, python: str) -> str:
    """Make an environment with what the Space in `folder` asks for; returns its Python.

    `spaces` is what every Gradio Space is given beside its own requirements.
    """
    began = time.monotonic()
    subprocess.run([python, "-m", "venv", str(target)], check=True)
    new = str(target / "bin" / "python")
    pip = [new, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*pip, "-r", str(folder / "requirements.txt"), "spaces"], check=True)
    size = sum(path.lstat().st_size for path in target.rglob("*") if path.is_file())
    print(f"installed in {time.monotonic() - began:.0f} s: {size / 1e9:.1f} GB")
    return new


def main() -> None:
    """Build, install, start, visit; the exit status is that of the visit."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--here", action="store_true", help="use this environment, make no new one")
    parser.add_argument("--python", help="program that makes the new environment")
    parser.add_argument(
        "--keep", type=Path, help="an environment that was made before, or is to be"
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="space-") as temporary:
        scratch = Path(temporary)
        folder = scratch / "app"
        try:
            print(said(build(folder)))
            python = sys.executable
            if not given.here:
                version = front_matter((folder / "README.md").read_text("utf-8"))["python_version"]
                wanted = given.python or find_python(version)
                told = subprocess.run([wanted, "-V"], capture_output=True, text=True, check=True)
                print(f"{told.stdout.strip()}; the Space has {version}")
                environment = given.keep or scratch / "venv"
                python = str(environment / "bin" / "python")
                if not Path(python).exists():
                    python = installed(folder, environment, wanted)
            with space_served(folder, scratch / "run", python=python) as (server, how):
                print(f"runs {how}; the page came after {server.seconds:.1f} s")
                words = {"HERBDEMO_SPACE_URL": f"{server.url}/", "HERBDEMO_REQUIRE_BROWSER": "1"}
                visit = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", SMOKE]
                done = subprocess.run(visit, cwd=ROOT, env=os.environ | words, check=False)
                print(f"peak memory {server.peak():.0f} MB")
            log = (scratch / "run" / "server.log").read_text("utf-8", errors="replace")
            if done.returncode or troubles(log):
                sys.exit(f"The rehearsal failed. The app said:\n{log[-4000:]}")
        except Refused as error:
            sys.exit(f"This would not run as a Space: {error}")
    print("The Space runs.")


if __name__ == "__main__":
    main()
