"""What the tests share: a clean home, the photos, the real app in a second process, a browser.

Where the photos or a Chromium are missing, their tests are skipped. HERBDEMO_REQUIRE_DATA=1 and
HERBDEMO_REQUIRE_BROWSER=1 turn these skips into failures.
"""

import contextlib
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Set before anything imports Gradio or the hub's client; neither may reach for the network.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
for name in ("no_proxy", "NO_PROXY"):
    os.environ[name] = "127.0.0.1,localhost"
# What is expected to the fifth digit is what a CPU finds; `test_cuda.py` asks a GPU.
os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ.pop("HERBDEMO_EXAMPLES", None)  # a developer's own photos change the page

with contextlib.suppress(ImportError):
    from hypothesis import settings

    settings.register_profile("repeatable", derandomize=True, deadline=None)
    settings.load_profile("repeatable")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by the fixtures it uses, so that no marker can be forgotten."""
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        for marker, fixture in (("browser", "chromium"), ("data", "data"), ("process", "server")):
            if fixture in fixtures:
                item.add_marker(marker)


def skip_or_fail(variable: str, reason: str) -> None:
    """Skip the test, or fail it where the environment says that `variable` is required."""
    if os.environ.get(variable, "0") not in ("", "0"):
        pytest.fail(f"{reason} ({variable} is set)", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(autouse=True)
def seeds() -> None:
    """Equal random numbers in every run, without importing torch for tests that do without."""
    random.seed(0)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed(0)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """HERBDEMO_HOME for this test alone: a path that does not exist yet.

    Torch answers, so that no test converts its model in the background.
    """
    folder = tmp_path_factory.mktemp("home") / "herbdemo"
    monkeypatch.setenv("HERBDEMO_HOME", str(folder))
    monkeypatch.setenv("HERBDEMO_ENGINE", "torch")
    return folder


@pytest.fixture
def locked() -> Iterator[Callable[..., Path]]:
    """`locked(path)` moves it to where this process may not read it, and gives the new path.

    `locked(folder, "a")` locks what is in the folder by that name. In a container tests run as
    root, who may read all: from then on this test runs as a user who may not.
    """
    if not hasattr(os, "geteuid"):
        pytest.skip("Windows has no such permissions")
    user = os.geteuid()
    with tempfile.TemporaryDirectory() as place:  # only root may enter pytest's own folders
        Path(place).chmod(0o755)
        shut = []

        def lock(path: Path, name: str = "") -> Path:
            moved = Path(shutil.move(path, place))
            if moved.is_dir():
                moved.chmod(0o755)
            shut.append(moved / name)
            shut[0].chmod(0)
            if not user:
                os.seteuid(65534)  # nobody
            return moved

        yield lock
        os.seteuid(user)
        for path in shut:
            path.chmod(0o700)


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder with `herbs/`, `not_herbs/` …: HERBDEMO_TEST_DATA, or ../shared."""
    folder = Path(os.environ.get("HERBDEMO_TEST_DATA") or ROOT.parent / "shared")
    if not (folder / "herbs").is_dir():
        skip_or_fail("HERBDEMO_REQUIRE_DATA", "no photos: name their folder in HERBDEMO_TEST_DATA")
    return folder


# The toy model, made when the first test asks for it; see toys.py


@pytest.fixture(scope="session")
def toy():
    """A checkpoint of seven herbs that was never saved. Not to be changed."""
    from toys import toy_checkpoint

    return toy_checkpoint()


@pytest.fixture(scope="session")
def toy_folder(toy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`toy` on disk. Not to be changed: see `toys.model_copy`."""
    from herbdemo.checkpoint import save_checkpoint

    folder = tmp_path_factory.mktemp("toy") / "toy"
    save_checkpoint(toy, folder)
    return folder


@pytest.fixture(scope="session")
def toy_model(toy_folder: Path):
    """The checkpoint in `toy_folder`, as loaded. Not to be changed."""
    from herbdemo.checkpoint import load_checkpoint

    return load_checkpoint(toy_folder)


@pytest.fixture(scope="session")
def recogniser():
    """The model that comes with the code. Not to be changed."""
    from herbdemo.errors import HerbError
    from herbdemo.recognise import Recogniser
    from herbdemo.registry import Registry

    try:
        return Recogniser(Registry().load())
    except HerbError as error:
        if error.hint == "no-model":
            pytest.skip("no model in weights/ yet")
        raise


# The app


@contextlib.contextmanager
def serve(folder: Path, **environment: str) -> Iterator[str]:
    """Run `python app.py` as a user would, with its home and uploads in `folder`; gives the URL.

    What the app prints is in `folder/server.log`.
    """
    from benchmarks.served import served  # which needs more than the units do

    home = {"HERBDEMO_HOME": str(folder / "home"), "HERBDEMO_ENGINE": "auto"}
    with served("app.py", folder, **home | environment) as server:
        yield f"{server.url}/"


@pytest.fixture(scope="session")
def server_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `server` keeps its home, its uploads and `server.log`."""
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="session")
def server(server_folder: Path) -> Iterator[str]:
    """The URL of the real app, started once for all tests."""
    with serve(server_folder) as url:
        yield url


# The browser

# Chromium asks its maker's servers for news at every start. The tests are offline, so those
# requests could only fail, and a page that needs another host than this one should show it.
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]
DESKTOP = {"viewport": {"width": 1440, "height": 900}}
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}


def find_chromium() -> str | None:
    if named := os.environ.get("HERBDEMO_CHROMIUM"):
        return named if Path(named).is_file() else None
    for name in ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome"):
        if found := shutil.which(name):
            return found
    for application in ("Chromium", "Google Chrome"):
        program = Path(f"/Applications/{application}.app/Contents/MacOS/{application}")
        if program.is_file():
            return str(program)
    return None


@pytest.fixture(scope="session")
def chromium() -> str:
    """The system's Chromium or Chrome: HERBDEMO_CHROMIUM, or the first one found."""
    program = find_chromium()
    if program is None:
        skip_or_fail(
            "HERBDEMO_REQUIRE_BROWSER",
            "no Chromium: install it, or name the program in HERBDEMO_CHROMIUM",
        )
    return program


@pytest.fixture(scope="module")
def launch(chromium: str) -> Iterator[Callable]:
    """`launch(*flags)` starts a Chromium; all of them end with the module.

    Not for the session: Playwright keeps an event loop running in this thread, and later tests
    may want one of their own.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        skip_or_fail("HERBDEMO_REQUIRE_BROWSER", "no Playwright: pip install -e '.[test]'")
    with sync_playwright() as driver:
        browsers = []

        def start(*flags: str):
            browser = driver.chromium.launch(
                executable_path=chromium, args=[*CHROMIUM_FLAGS, *flags]
            )
            browsers.append(browser)
            return browser

        yield start
        for browser in browsers:
            browser.close()


@pytest.fixture(scope="module")
def browser(launch: Callable):
    """One Chromium for all pages of a module."""
    return launch()


@pytest.fixture
def new_page(browser) -> Iterator[Callable]:
    """`new_page(**options)` opens an empty page in a context of its own.

    The options are those of Playwright's `new_context`, such as `color_scheme="dark"` or
    `locale="zh-CN"`; without any it is a desktop. The clipboard may be read and written.
    """
    contexts = []

    def make(**options):
        options = DESKTOP | {"permissions": ["clipboard-read", "clipboard-write"]} | options
        context = browser.new_context(**options)
        contexts.append(context)
        return context.new_page()

    yield make
    for context in contexts:
        context.close()


@pytest.fixture
def page(new_page: Callable, server: str):
    """The app on a desktop, 1440 × 900."""
    page = new_page()
    page.goto(server)
    return page


@pytest.fixture
def phone(new_page: Callable, server: str):
    """The app on a phone, 390 × 844."""
    page = new_page(**PHONE)
    page.goto(server)
    return page


@pytest.fixture
def camera_page(launch: Callable, server: str, tmp_path: Path) -> Iterator[Callable]:
    """`camera_page(photo)` opens the app in a Chromium whose webcam shows that photo, for ever."""
    contexts = []

    def make(photo: Path, **options):
        from PIL import Image

        film = tmp_path / f"{photo.stem}.mjpeg"  # Chromium plays a film of one picture in a loop
        Image.open(photo).convert("RGB").resize((640, 480)).save(film, format="JPEG", quality=95)
        camera = launch(
            "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-video-capture={film}",
        )
        context = camera.new_context(**(DESKTOP | {"permissions": ["camera"]} | options))
        contexts.append(context)
        page = context.new_page()
        page.goto(server)
        return page

    yield make
    for context in contexts:
        context.close()
