"""Who may: the owner may teach and switch models, a visitor may only try.

On one's own computer everybody is the owner. On a Space, behind a public link, and wherever
HERBDEMO_ADMIN_PASSWORD is set, the owner is who signed in on the Hub as the Space's author, or who
gave that password. Handlers ask here, on the server; what the page hides is only for the eye.
"""

import hmac
import os
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import gradio as gr

from herbdemo.errors import HerbError
from herbdemo.ui import texts_learn

# Wrong passwords in so many seconds, from one address and from all together. Counted together
# alone, anyone could lock the owner out with five a minute. The address alone is no bound either:
# behind a proxy it is what a header says, and 60 a minute guess no good password.
TRIES, ALL_TRIES, MINUTE = 5, 60, 60.0
PASS_SECONDS = 12 * 3600  # after that the password is asked again
MOST_PASSES = 100

_lock = threading.Lock()
_passes: dict[str, float] = {}  # pass -> when it ends; lost at a restart, as it should be
_failures: list[tuple[float, str]] = []  # when, and from which address
_blocks: gr.Blocks | None = None


@dataclass(frozen=True)
class Visitor:
    """Who sent a request.

    Attributes:
        name: shown to others.
        session: of the browser tab.
        token: of the Hub, where the visitor signed in there.
        given: the pass that came along, if it is one.
        host: the address that it came from; "" where that is not known.
    """

    owner: bool
    name: str
    session: str
    token: str | None = None
    given: str = ""
    host: str = ""


def watch(blocks: gr.Blocks) -> None:
    """Remember the app, which alone knows whether it has a public link."""
    global _blocks
    _blocks = blocks


def restricted() -> bool:
    """Whether only the owner may teach."""
    shared = _blocks is not None and _blocks.share
    return bool(os.environ.get("SPACE_ID") or _password() or shared)


def has_password() -> bool:
    """Whether the owner can come in with a password."""
    return bool(_password())


def has_oauth() -> bool:
    """Whether the owner can sign in on the Hub; Gradio needs authlib for that.

    Elsewhere than on a Space Gradio would play a login: everyone would be whom its token names.
    """
    on_space = os.environ.get("SYSTEM") == "spaces" and os.environ.get("SPACE_ID")
    return bool(on_space and os.environ.get("OAUTH_CLIENT_ID") and find_spec("authlib"))


def visitor(request: Any, given: object = "") -> Visitor:
    """Who sent this request.

    Args:
        request: Gradio's, or the web framework's where a `server_function` was called.
        given: the pass from `enter` that the browser sent along.
    """
    session = str(getattr(request, "session_hash", None) or "")
    login = _login(request)
    profile = login.get("userinfo") or {}
    name = str(profile.get("preferred_username") or "")[:64]
    author = os.environ.get("SPACE_AUTHOR_NAME", "")
    token = login.get("access_token")
    host = str(getattr(getattr(request, "client", None), "host", None) or "")
    if not restricted():
        return Visitor(True, name or host or "127.0.0.1", session, token, host=host)
    held = str(given) if _holds(given) else ""
    owner = bool(author and name == author) or bool(held)
    shown = name or ("owner" if owner else "")
    return Visitor(owner, shown, session, token, held, host)


def demand_owner(who: Visitor) -> None:
    """Refuse everyone but the owner.

    Raises:
        HerbError: the visitor is not the owner.
    """
    if not who.owner:
        raise HerbError(*texts_learn.NOT_OWNER, hint="not-owner")


def enter(password: object, host: str = "") -> str:
    """A pass for who knows the password.

    Args:
        host: the address that it came from.

    Raises:
        HerbError: it is wrong, or there were too many wrong ones lately.
    """
    wanted, now = _password(), time.monotonic()
    with _lock:
        _failures[:] = [failure for failure in _failures if now - failure[0] < MINUTE]
        own = sum(came_from == host for _, came_from in _failures)
        if own >= TRIES or len(_failures) >= ALL_TRIES:
            raise HerbError(*texts_learn.TOO_MANY_TRIES, hint="too-many-tries")
        given = password if isinstance(password, str) else ""
        same = hmac.compare_digest(given[:1000].encode(errors="replace"), wanted.encode())
        if not (wanted and same):
            _failures.append((now, host))
            raise HerbError(*texts_learn.WRONG_PASSWORD, hint="wrong-password")
        while len(_passes) >= MOST_PASSES:
            del _passes[min(_passes, key=_passes.__getitem__)]
        new = secrets.token_urlsafe(32)
        _passes[new] = now + PASS_SECONDS
        return new


def leave(who: Visitor) -> None:
    """Let the visitor's pass end."""
    with _lock:
        _passes.pop(who.given, None)


def _holds(given: object) -> bool:
    with _lock:
        ends = _passes.get(given, 0.0) if isinstance(given, str) else 0.0
        return ends > time.monotonic() and bool(_password())


def _password() -> str:
    return os.environ.get("HERBDEMO_ADMIN_PASSWORD", "")


def _login(request: Any) -> Mapping[str, Any]:
    """What the Hub said of the visitor: from the signed cookie, and only while it is valid."""
    if not has_oauth():
        return {}
    asked = getattr(request, "request", None) or request
    scope = getattr(asked, "scope", None)
    session = scope.get("session") if isinstance(scope, Mapping) else None
    login = (session or {}).get("oauth_info") or {}
    ends = login.get("expires_at")
    return login if ends is None or ends > time.time() else {}
