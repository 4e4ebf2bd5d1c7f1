"""Sharing from the page: the handlers, without a browser."""

import hashlib
import json

import pytest
from toys import encoded, herb_picture, refusal

from herbdemo.kept import open_kept
from herbdemo.recognise import Recogniser
from herbdemo.ui import model, share
from herbdemo.ui.gate import Visitor


@pytest.fixture(autouse=True)
def used(toy_model, monkeypatch) -> Recogniser:
    """The toy is the model in use, and nobody has shared anything lately."""
    toy = Recogniser(toy_model)
    monkeypatch.setattr(model, "recogniser", lambda: toy)
    monkeypatch.setattr(share, "_lately", [])
    return toy


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(encoded(herb_picture("党参", 3)))
    return path


def visitor(host: str = "10.0.0.1") -> Visitor:
    return Visitor(False, "", "", host=host)


def shared(photo, used, **options) -> dict:
    return json.loads(share.share_it(photo, used.checkpoint.sha256, "党参", visitor(**options)))


def test_the_link_shows_what_was_seen(photo, used):
    link = shared(photo, used)
    html = share.kept_html(link["name"])
    assert f'data-name="{link["name"]}"' in html
    assert 'data-herb="党参"' in html
    assert link["ends"] in html
    for item in open_kept(link["name"]).answer.candidates:
        assert item.herb.zh in html
    assert link["secret"] not in html
    assert "data-share" in html


def test_it_says_when_another_model_is_in_use(photo, used, toy, monkeypatch):
    name = shared(photo, used)["name"]
    assert "another one is in use now" not in share.kept_html(name)
    monkeypatch.setattr(model, "recogniser", lambda: Recogniser(toy))
    assert "another one is in use now" in share.kept_html(name)


def test_an_unknown_link_is_a_sentence():
    html = share.kept_html("<script>")
    assert 'class="trouble"' in html
    assert "<script>" not in html


def test_an_answer_of_another_model_is_not_shared(photo):
    assert refusal(share.share_it, photo, "0" * 64, "", visitor()).hint == "model-changed"


def test_the_photo_is_found_by_its_content(photo, tmp_path):
    other = tmp_path / "other.png"
    other.write_bytes(b"other")
    digest = hashlib.sha256(photo.read_bytes()).hexdigest()
    assert share.photo_of(digest, [None, tmp_path / "gone.png", other, photo]) == photo
    for wanted in (digest[:-1], "", str(photo)):
        assert refusal(share.photo_of, wanted, [other, photo]).hint == "photo-gone"


def test_nobody_shares_without_end(photo, used, monkeypatch):
    monkeypatch.setattr(share, "SOME", 2)
    monkeypatch.setattr(share, "ALL", 3)
    for host in ("10.0.0.1", "10.0.0.1", "10.0.0.2"):
        shared(photo, used, host=host)
    for host in ("10.0.0.1", "10.0.0.2", "10.0.0.3"):
        error = refusal(share.share_it, photo, used.checkpoint.sha256, "", visitor(host))
        assert error.hint == "too-many-links"


def test_one_visitor_does_not_bound_the_others(photo, used, monkeypatch):
    monkeypatch.setattr(share, "SOME", 1)
    shared(photo, used, host="10.0.0.1")
    refusal(share.share_it, photo, used.checkpoint.sha256, "", visitor("10.0.0.1"))
    assert shared(photo, used, host="10.0.0.2")["name"]


def test_the_template_holds_nothing_that_gradio_would_evaluate():
    template = share.Sharing(into="result").html_template
    for sign in ("${", "{{", "`", "\\"):
        assert sign not in template
