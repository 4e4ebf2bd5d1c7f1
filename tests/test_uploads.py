"""No value from a browser or a program makes the server fetch an address, but for one component."""

import asyncio

import gradio as gr
import pytest
from gradio import processing_utils
from gradio.exceptions import Error

from herbdemo.ui import app
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
