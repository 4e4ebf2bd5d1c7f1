"""No value from a browser or a program makes the server fetch an address, but for one component."""

import asyncio
import time

import gradio as gr
import pytest
from gradio import processing_utils
from gradio.exceptions import Error

from herbdemo.ui import app, uploads
from herbdemo.ui.remote import PhotoFile
from herbdemo.ui.uploads import UploadsOnly


@pytest.fixture(scope="module")
def read() -> set:
    """The components whose values events read."""
    blocks = app.build()
    return {component for fn in blocks.fns.values() for component in fn.inputs}


def test_all_that_events_read_refuse_addresses(read):
    assert len(read) > 5
    for component in read:
        assert isinstance(component, UploadsOnly | PhotoFile), component


def test_an_address_is_not_fetched(read, monkeypatch):
    async def fetched(*_, **__):
        raise AssertionError("fetched")

    monkeypatch.setattr(processing_utils, "async_ssrf_protected_download", fetched)
    file = {"path": "https://photos.example/1.jpg", "meta": {"_type": "gradio.FileData"}}
    for component in read:
        if isinstance(component, PhotoFile):
            continue
        for value in (file, [file], {"deep": [file]}):
            with pytest.raises(Error, match="did not reach the server"):
                asyncio.run(
                    processing_utils.async_move_files_to_cache(
                        value, component, check_in_upload_folder=True
                    )
                )


def test_a_photo_from_a_program_leaves_no_other_file(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    component = PhotoFile()
    photo = gr.FileData(path=str(tmp_path / "1.jpg"))
    assert component.preprocess(photo) == photo.path
    assert component.preprocess(None) is None
    assert list(tmp_path.rglob("*")) == []


def test_at_the_end_all_goes_that_was_uploaded_to_this_process(tmp_path):
    with gr.Blocks() as demo:
        gr.Image()
    ours = [tmp_path / f"{n}" / "photo.jpg" for n in range(3)]
    others = tmp_path / "1" / "of another server.jpg"
    for path in (*ours, others):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    demo.upload_file_set.update(map(str, [*ours, tmp_path / "never" / "there.jpg"]))
    uploads.empty(demo)
    assert sorted(tmp_path.rglob("*")) == [others.parent, others]


def test_uploads_of_a_process_that_is_gone_go_after_two_hours(tmp_path, monkeypatch):
    monkeypatch.setattr(uploads, "UPLOADS", tmp_path / "uploads")
    uploads.make_folder()
    assert (tmp_path / "uploads").stat().st_mode & 0o77 == 0
    photo = tmp_path / "uploads" / "abc" / "photo.jpg"
    photo.parent.mkdir()
    photo.touch()
    (photo.parent / "elsewhere").symlink_to(tmp_path)
    (tmp_path / "other.jpg").touch()
    now = time.time()
    for hours, there in ((0, True), (1.9, True), (2.1, False)):
        monkeypatch.setattr(uploads.time, "time", lambda hours=hours: now + hours * 3600)
        uploads.sweep()
        assert photo.exists() == there
    assert list((tmp_path / "uploads").iterdir()) == []
    assert (tmp_path / "other.jpg").exists()
