"""What the Models tab does beside drawing."""

import os
from pathlib import Path

import pytest

from herbdemo.errors import HerbError
from herbdemo.ui import desk, models
from herbdemo.ui.models_view import Row, models_html

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def hub(monkeypatch):
    """`hub(hint)`: a Hub that refuses the token of the login so; gives the tokens that it saw."""
    monkeypatch.setattr(desk, "registry", lambda: None)
    monkeypatch.delenv("HF_TOKEN", raising=False)

    def start(hint):
        seen = []

        def publish(registry, model, repo, *, token=None):
            seen.append(token)
            if token:
                raise HerbError("不行。", "No.", hint=hint)

        monkeypatch.setattr("herbdemo.hub.publish", publish)
        return seen

    return start


@pytest.mark.parametrize("hint", ["hub-token", "hub-permission"])
def test_where_the_login_may_not_write_the_environments_token_does(hub, monkeypatch, hint):
    monkeypatch.setenv("HF_TOKEN", "hf_env")
    seen = hub(hint)
    models._publish("mine", "me/herbs", token="hf_login")
    assert seen == ["hf_login", None]


@pytest.mark.parametrize(("hint", "given"), [("hub-permission", ""), ("hub-connection", "hf_env")])
def test_otherwise_the_refusal_is_said(hub, monkeypatch, hint, given):
    monkeypatch.setenv("HF_TOKEN", given)
    seen = hub(hint)
    with pytest.raises(HerbError, match="No"):
        models._publish("mine", "me/herbs", token="hf_login")
    assert seen == ["hf_login"]


def test_zips_of_long_ago_go_whoever_else_throws_away(tmp_path):
    for name in ("a", "old", "z"):
        (tmp_path / name).mkdir()
    os.utime(tmp_path / "old", (0, 0))
    for name in ("0", "m", "zz"):
        (tmp_path / name).symlink_to("gone")  # like what is gone once it was listed: no `stat`
    models._clear(tmp_path)
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {"a", "z"}
    models._clear(tmp_path / "never made")


def test_a_login_on_the_space_asks_for_the_right_to_publish():
    front = (ROOT / "README.md").read_text(encoding="utf-8").split("---")[1]
    assert "hf_oauth: true\nhf_oauth_scopes:\n  - manage-repos\n" in front


@pytest.mark.parametrize(
    ("lacking", "said"),
    [
        (["temperature", "certain", "unknown", "statistics"], "imported without photos"),
        (["statistics"], "no photos of some herbs"),
        ([], ""),
    ],
)
def test_what_an_imported_model_lacks_is_said_beside_it(lacking, said):
    card = {"herbs": ["党参"], "imported": {"not_fitted": lacking}}
    html = models_html([Row("mine", False, False, 1, card)])
    assert said in html
    assert ("herb can be added" in html) == bool(lacking)


def test_a_card_that_says_nonsense_of_its_import_costs_its_own_row_alone():
    good, bad = {"herbs": ["党参"]}, {"herbs": ["甘草"], "imported": "yes"}
    html = models_html([Row("bad", False, False, 1, bad), Row("good", False, False, 1, good)])
    assert "党参" in html
    assert 'class="problem"' in html
