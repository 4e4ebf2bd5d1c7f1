"""What Gradio writes for its components is never read half."""

import base64
import threading
from pathlib import Path

import pytest
from gradio import processing_utils
from PIL import Image
from toys import encoded, herb_picture

from herbdemo.ui import whole


@pytest.fixture(autouse=True)
def installed(monkeypatch):
    for name in whole.WRITERS:
        monkeypatch.setattr(processing_utils, name, getattr(processing_utils, name))
    whole.install()


PICTURE = herb_picture("党参", 1, size=(200, 150))
AS_TEXT = "data:image/png;base64," + base64.b64encode(encoded(PICTURE)).decode()


@pytest.mark.parametrize(
    "save",
    [
        lambda cache: processing_utils.save_pil_to_cache(PICTURE, cache, format="jpeg"),
        lambda cache: processing_utils.save_bytes_to_cache(encoded(PICTURE), "a.png", cache),
        lambda cache: processing_utils.save_base64_to_cache(AS_TEXT, cache_dir=cache),
    ],
)
def test_whoever_reads_a_picture_that_is_written_again_gets_all_of_it(tmp_path, save):
    cache = str(tmp_path / "uploads")
    path = Path(save(cache))
    content, stop, sizes = path.read_bytes(), threading.Event(), set()

    def read() -> None:
        while not stop.is_set():
            sizes.add(len(path.read_bytes()))

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(20):
        before = path.stat().st_ino
        assert save(cache) == str(path)
        assert path.stat().st_ino != before  # written aside, not into what is read
    stop.set()
    reader.join()
    assert sizes == {len(content)}
    assert Image.open(path).size == PICTURE.size
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [path]
    assert len(list((tmp_path / "uploads").iterdir())) == 1
