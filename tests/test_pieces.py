"""What stands between a visitor's click and a handler."""

import errno
import html
import re
import types

import gradio as gr
import pytest

from herbdemo.errors import HerbError
from herbdemo.ui import gate, pieces
from herbdemo.ui.giver import Giver, joined, only_zip, photos_and_zip
from herbdemo.ui.names import suggest
from herbdemo.ui.text import Text

SECRET = "/home/owner/secret"


@pytest.fixture
def send(monkeypatch):
    """`send(handlers, act=…)` is what a browser would get: the values of the two outputs."""
    monkeypatch.setattr(gate, "_blocks", None)
    for name in ("SPACE_ID", "HERBDEMO_ADMIN_PASSWORD"):
        monkeypatch.delenv(name, raising=False)

    def send(handlers, data, **options):
        with gr.Blocks() as demo:
            notice, shown = pieces.Piece(elem_id="notice"), pieces.Piece(elem_id="shown")
            named = {act: lambda *a, h=h: h(shown, *a) for act, h in handlers.items()}
            pieces.wire(shown, named, notice=notice, outputs=[shown], **options)
        fn = next(fn.fn for fn in demo.fns.values() if fn.fn)
        event = types.SimpleNamespace(_data=data)
        request = types.SimpleNamespace(session_hash="tab", request=None, client=None)
        values = {"notice": "", "shown": ""}
        for change in fn(event, request):
            values |= {component.elem_id: value for component, value in change.items()}
        return values

    return send


def test_an_act_reaches_its_handler_with_its_fields_and_who_sent_it(send):
    seen = []

    def handler(shown, data, who):
        seen.append((data, who))
        return {shown: "done"}

    assert send({"go": handler}, {"act": "go", "herb": "党参", "pass": "x"})["shown"] == "done"
    data, who = seen[0]
    assert data == {"act": "go", "herb": "党参"}  # the pass is for the gate alone
    assert who.owner


def test_a_handler_may_draw_more_than_once(send):
    def handler(shown, data, who):
        yield {shown: "first"}
        yield {shown: "second"}

    assert send({"go": handler}, {"act": "go"})["shown"] == "second"


def test_an_act_may_change_nothing(send):
    values = send({"go": lambda shown, data, who: {}}, {"act": "go"})
    assert values == {"notice": gr.skip(), "shown": ""}  # Gradio refuses an empty answer


@pytest.mark.parametrize("error", [HerbError("坏了。", "Broken."), RuntimeError(SECRET)])
@pytest.mark.parametrize("late", [False, True])
def test_a_failure_is_a_sentence_and_never_a_path(send, error, late):
    def handler(shown, data, who):
        if late:
            return (_ for _ in iter(lambda: _raise(error), None))
        raise error

    notice = send({"go": handler}, {"act": "go"})["notice"]
    assert 'role="alert"' in notice
    assert "secret" not in notice
    assert ("Broken." in notice) == isinstance(error, HerbError)


def test_a_full_disk_is_called_by_its_name(send):
    def handler(shown, data, who):
        raise OSError(errno.ENOSPC, "No space left on device", SECRET)

    notice = send({"go": handler}, {"act": "go"})["notice"]
    assert "The disk is full" in notice
    assert "secret" not in notice


def _raise(error):
    raise error


@pytest.mark.parametrize("data", [None, [], "go", {}, {"act": "other"}, {"act": ["go"]}, 7])
def test_anything_may_be_sent(send, data):
    got = send({"go": lambda shown, data, who: {shown: "done"}}, data)
    assert got["shown"] == ""
    assert 'role="alert"' in got["notice"]


def test_fields_are_short_strings(send):
    def handler(shown, data, who):
        assert all(len(value) <= pieces.LONGEST_FIELD for value in data.values())
        return {shown: data["herb"][:3] + data["list"]}

    got = send({"go": handler}, {"act": "go", "herb": "x" * 10**6, "list": [1]})
    assert got["shown"] == "xxx[1]"


def test_a_visitor_gets_no_further_than_what_is_open_to_all(send, monkeypatch):
    monkeypatch.setenv("SPACE_ID", "someone/herbs")
    monkeypatch.setenv("HERBDEMO_ADMIN_PASSWORD", "sesame")

    def handler(shown, data, who):
        return {shown: "done"}

    handlers = {"look": handler, "train": handler}
    opened = {"open_to_all": frozenset({"look"})}
    assert send(handlers, {"act": "look"}, **opened)["shown"] == "done"
    for forged in ("", "sesame", None, "x" * 43):
        got = send(handlers, {"act": "train", "pass": forged}, **opened)
        assert got["shown"] == ""
        assert "owner" in got["notice"]
    token = gate.enter("sesame")
    assert send(handlers, {"act": "train", "pass": token}, **opened)["shown"] == "done"


def test_what_a_button_sends_is_escaped():
    label = Text("删除", "Remove")
    page = pieces.button(label, "remove", sure=label, herb='"><script>', model_id="a&b")
    assert "<script" not in page
    assert 'data-herb="&quot;&gt;&lt;script&gt;"' in page
    assert 'data-model-id="a&amp;b"' in page
    sure = re.search('data-sure="([^"]*)"', page)[1]
    assert html.unescape(sure) == label.html


# Giving photos


def test_the_parts_of_a_zip_are_one_file_again(tmp_path):
    parts = []
    for index, content in enumerate((b"one", b"two", b"three")):
        (tmp_path / str(index)).write_bytes(content)
        parts.append(str(tmp_path / str(index)))
    with joined(parts) as file:
        assert file.read_bytes() == b"onetwothree"
    assert not file.exists()
    with joined(parts[:1]) as file:
        assert file.read_bytes() == b"one"
    assert file.exists()


def test_parts_that_are_too_large_together_are_not_copied(tmp_path, monkeypatch):
    monkeypatch.setattr("herbdemo.ui.giver.MAX_TOTAL", 2 << 30)
    monkeypatch.setattr("shutil.copyfileobj", lambda *files: pytest.fail("copied"))
    parts = [tmp_path / "1", tmp_path / "2"]
    for part in parts:
        with part.open("wb") as file:
            file.truncate((1 << 30) + 1)  # a hole, not bytes
    with pytest.raises(HerbError, match="2 GB") as caught, joined([str(part) for part in parts]):
        pytest.fail("joined")
    assert caught.value.hint == "zip-too-large"


def test_the_photos_are_handed_over_unopened(tmp_path):
    from gradio.data_classes import FileData, ListFiles

    file = tmp_path / "no-photo.jpg"
    file.write_text("text")
    giver = Giver(photos_and_zip())
    assert giver.preprocess(ListFiles([FileData(path=str(file))] * 2)) == [str(file)] * 2
    assert giver.preprocess(None) == []


def test_templates_hold_nothing_that_gradio_would_evaluate():
    for template in (photos_and_zip(), only_zip(), pieces.Piece(shows="show").html_template):
        for sign in ("${", "{{", "`", "\\"):
            assert sign not in template


# Names


@pytest.mark.parametrize("typed", ["党参", "黨參", "dangshen", "codonopsis", "ds"])
def test_a_herb_is_suggested_by_any_of_its_names(typed):
    assert 'data-name="党参"' in suggest(typed)


def test_a_name_that_nobody_knows_is_a_new_herb():
    page = suggest('洋<b>"葱')
    assert 'data-name="洋&lt;b&gt;&quot;葱"' in page
    assert "<b>" not in page.replace("</b>", "")


@pytest.mark.parametrize("typed", ["", "   ", None, 7, [], {"a": 1}])
def test_without_a_name_nothing_is_suggested(typed):
    assert suggest(typed) == ""
