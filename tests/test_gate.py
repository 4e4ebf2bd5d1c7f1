"""Who may teach: everyone at home, the owner alone in public."""

import time
import types

import gradio as gr
import pytest

from herbdemo.errors import HerbError
from herbdemo.ui import gate


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """No Space, no password, no link, and nothing remembered of other tests."""
    for name in (
        "SPACE_ID",
        "SPACE_AUTHOR_NAME",
        "HERBDEMO_ADMIN_PASSWORD",
        "OAUTH_CLIENT_ID",
        "SYSTEM",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(gate, "find_spec", lambda name: True)
    monkeypatch.setattr(gate, "_passes", {})
    monkeypatch.setattr(gate, "_failures", [])
    monkeypatch.setattr(gate, "_blocks", None)


@pytest.fixture
def password(monkeypatch):
    monkeypatch.setenv("SPACE_ID", "someone/herbs")
    monkeypatch.setenv("HERBDEMO_ADMIN_PASSWORD", "芝麻 open")
    return "芝麻 open"


def request(**login) -> types.SimpleNamespace:
    """A request of someone who is signed in on the Hub, if there is a login."""
    inner = types.SimpleNamespace(scope={"session": {"oauth_info": login}} if login else {})
    client = types.SimpleNamespace(host="10.1.2.3")
    return types.SimpleNamespace(request=inner, session_hash="tab", client=client)


def test_at_home_everyone_is_the_owner():
    who = gate.visitor(request())
    assert who.owner
    assert (who.name, who.session) == ("10.1.2.3", "tab")


def test_behind_a_public_link_nobody_is_without_a_password(monkeypatch):
    demo = gr.Blocks()
    gate.watch(demo)
    assert gate.visitor(request()).owner
    demo.share = True
    assert not gate.visitor(request()).owner
    with pytest.raises(HerbError):
        gate.enter("")


def test_on_a_space_nobody_is_without_a_password(monkeypatch):
    monkeypatch.setenv("SPACE_ID", "someone/herbs")
    assert not gate.visitor(request()).owner
    for guess in ("", None, "x"):
        with pytest.raises(HerbError):
            gate.enter(guess)


def test_the_password_gives_a_pass_and_nothing_else_does(password):
    assert not gate.visitor(request()).owner
    token = gate.enter(password)
    assert gate.visitor(request(), token).owner
    for forged in ("", None, password, token[:-1], token + "x", 7, ["x"], {}):
        assert not gate.visitor(request(), forged).owner
    assert gate.enter(password) != token


def test_a_pass_ends_when_its_owner_leaves(password):
    token, other = gate.enter(password), gate.enter(password)
    gate.leave(gate.visitor(request(), token))
    assert not gate.visitor(request(), token).owner
    assert gate.visitor(request(), other).owner
    gate.leave(gate.visitor(request(), "never was one"))


def test_a_pass_ends(password, monkeypatch):
    token = gate.enter(password)
    later = time.monotonic() + gate.PASS_SECONDS + 1
    monkeypatch.setattr(gate.time, "monotonic", lambda: later)
    assert not gate.visitor(request(), token).owner


def test_passes_do_not_pile_up(password):
    tokens = [gate.enter(password) for _ in range(gate.MOST_PASSES + 5)]
    assert len(gate._passes) == gate.MOST_PASSES
    assert gate.visitor(request(), tokens[-1]).owner
    assert not gate.visitor(request(), tokens[0]).owner


@pytest.mark.parametrize("guess", ["", "sesame", None, 7, "\ud800", "x" * 100_000])
def test_a_wrong_password_is_refused_in_words(password, guess):
    with pytest.raises(HerbError) as caught:
        gate.enter(guess)
    assert caught.value.hint == "wrong-password"


def test_only_a_few_tries_a_minute(password, monkeypatch):
    for _ in range(gate.TRIES):
        with pytest.raises(HerbError):
            gate.enter("wrong")
    with pytest.raises(HerbError) as caught:
        gate.enter(password)  # or the right one could be guessed as fast as the wrong ones
    assert caught.value.hint == "too-many-tries"
    later = time.monotonic() + gate.MINUTE + 1
    monkeypatch.setattr(gate.time, "monotonic", lambda: later)
    assert gate.enter(password)


def test_one_address_does_not_lock_the_owner_out_of_another(password):
    for _ in range(gate.TRIES + 1):
        with pytest.raises(HerbError):
            gate.enter("wrong", "10.6.6.6")
    assert gate.enter(password, gate.visitor(request()).host)


def test_all_addresses_together_have_a_limit_too(password):
    for number in range(gate.ALL_TRIES):
        with pytest.raises(HerbError):
            gate.enter("wrong", f"10.0.0.{number}")
    with pytest.raises(HerbError) as caught:
        gate.enter(password, "10.1.2.3")
    assert caught.value.hint == "too-many-tries"
    assert len(gate._failures) == gate.ALL_TRIES


def test_the_author_of_a_space_signs_in_on_the_hub(monkeypatch):
    monkeypatch.setenv("SPACE_ID", "someone/herbs")
    monkeypatch.setenv("SPACE_AUTHOR_NAME", "someone")
    author = {"userinfo": {"preferred_username": "someone"}, "access_token": "hf_x"}
    assert not gate.visitor(request(**author)).owner  # the Space does not ask for sign-ins
    monkeypatch.setenv("OAUTH_CLIENT_ID", "id")
    assert not gate.visitor(request(**author)).owner  # it is no Space: Gradio plays the login
    monkeypatch.setenv("SYSTEM", "spaces")
    who = gate.visitor(request(**author))
    assert (who.owner, who.name, who.token) == (True, "someone", "hf_x")
    assert not gate.visitor(request(**author, expires_at=time.time() - 1)).owner
    for name in ("Someone", "someone-else", "", None):
        other = {"userinfo": {"preferred_username": name}}
        assert not gate.visitor(request(**other)).owner


def test_no_author_is_no_reason_to_let_anyone_in(monkeypatch):
    monkeypatch.setenv("SPACE_ID", "someone/herbs")
    monkeypatch.setenv("OAUTH_CLIENT_ID", "id")
    monkeypatch.setenv("SYSTEM", "spaces")
    assert not gate.visitor(request(userinfo={"preferred_username": ""})).owner


def test_a_refusal_says_what_to_do():
    with pytest.raises(HerbError) as caught:
        gate.demand_owner(gate.Visitor(False, "", ""))
    assert caught.value.hint == "not-owner"
    assert "Sign in" in caught.value.en
