"""Whether the page of `models export --format page` answers as Python does, and how fast.

    python -m benchmarks.page ../shared/herbs/test --photos 155
    python -m benchmarks.page ../shared/herbs/test --model ID

In the system's Chromium, which has one thread for it: pages get more only where the server sends
headers for isolation. The photos are taken in turn from the herbs' folders.
"""

import argparse
import functools
import http.server
import itertools
import re
import shutil
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

from herbdemo.browser import export_page
from herbdemo.photo import open_photo
from herbdemo.recognise import Recogniser
from herbdemo.registry import Registry

PATIENCE = 300_000  # ms
MAP = """() => {
    const { width, height } = document.querySelector("#map");
    return [...document.querySelector("#map").getContext("2d").getImageData(0, 0, width, height).data];
}"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default=None)
    parser.add_argument("--photos", type=int, default=155)
    options = parser.parse_args()
    recogniser = Recogniser(Registry().load(options.model))
    herbs = [sorted(path for path in herb.iterdir()) for herb in sorted(options.folder.iterdir())]
    turns = itertools.chain.from_iterable(itertools.zip_longest(*herbs))
    photos = list(itertools.islice(filter(None, turns), options.photos))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        page_folder = export_page(recogniser.checkpoint, Path(folder) / "page")
        sizes = {file.name: file.stat().st_size / 1e6 for file in page_folder.iterdir()}
        handler = functools.partial(Quiet, directory=page_folder)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(locale="zh-CN")
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        same, verdicts, apart, alike, ms = [], [], [], [], []
        for path in photos:
            (answer,) = recogniser.recognise([open_photo(path)])
            page.evaluate("document.querySelector('#herbs').replaceChildren()")
            start = time.perf_counter()
            page.set_input_files("input", path)
            page.wait_for_selector("#herbs button", timeout=PATIENCE)
            ms.append((time.perf_counter() - start) * 1000)
            best = page.locator("#herbs button").first
            percent, herb = re.match(r"([\d.]+) % · (\S+) ·", best.inner_text()).groups()
            best.click()  # of a photo that it does not know the page shows no map unasked
            said = page.inner_text("h2")
            verdict = {"应": "certain", "拿": "unsure", "不": "unknown"}[said[0]]
            same.append(herb == answer.candidates[0].herb.zh)
            verdicts.append(verdict == answer.verdict)
            apart.append(abs(float(percent) / 100 - answer.probability(herb)))
            opaque = np.array(page.evaluate(MAP)[3::4], float)
            alike.append(np.corrcoef(opaque, answer.heatmap(herb).ravel())[0, 1])
        browser.close()
        server.shutdown()
    print(
        f"{len(photos)} photos: the same herb {np.mean(same):.1%}, verdict {np.mean(verdicts):.1%}"
    )
    print(f"probability apart {np.mean(apart):.4f} on average, {np.max(apart):.4f} at most")
    print(f"maps correlate by {np.median(alike):.4f}, the least {np.min(alike):.4f}")
    print(f"{np.median(ms[1:]):.0f} ms a photo; the first one, with the model, {ms[0]:.0f} ms")
    print({name: round(size, 2) for name, size in sizes.items()})


if __name__ == "__main__":
    main()
