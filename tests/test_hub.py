"""hub.py, as users call it, against a Hub that is a real HTTP server on this computer."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_hub import TOKEN, FakeHub, serving
from toys import HERBS, model_copy, refusal

from herbdemo.checkpoint import CARD, WEIGHTS, read_card
from herbdemo.hub import model_card, publish
from herbdemo.registry import Registry

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with serving() as hub:
        yield hub


@pytest.fixture
def mine(home: Path, toy_folder: Path) -> Path:
    return model_copy(toy_folder, home / "models" / "mine", licence="MIT")


def run(hub_url: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`models publish`, as a user calls it; large files go through HTTP, not through Xet's own."""
    variables = {"HF_ENDPOINT": hub_url, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1",
                 "HF_TOKEN": TOKEN, "HF_HUB_ETAG_TIMEOUT": "2"}  # fmt: skip
    return subprocess.run(
        [sys.executable, "-m", "herbdemo", "models", "publish", *arguments],
        cwd=ROOT,
        env=os.environ | variables | environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


@pytest.mark.process
def test_a_model_is_published_in_one_commit_and_again_in_another(hub, mine, home):
    done = run(hub.url, "mine", "me/herbs", "--private")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{hub.url}/me/herbs\n"
    assert done.stderr == ""
    [wanted], [commit] = hub.created, hub.repos["me/herbs"]
    assert wanted["visibility"] == "private" if "visibility" in wanted else wanted["private"]
    assert set(commit) == {"README.md", CARD, WEIGHTS}
    assert commit[WEIGHTS] == (mine / WEIGHTS).read_bytes()
    assert json.loads(commit[CARD]) == read_card(mine)
    assert "# mine\n" in commit["README.md"].decode()

    assert run(hub.url, "mine", "me/herbs").returncode == 0  # the repository is there already
    assert len(hub.repos["me/herbs"]) == 2
    # The token is nowhere on the disk.
    for file in home.rglob("*"):
        assert not file.is_file() or TOKEN.encode() not in file.read_bytes()


@pytest.mark.process
@pytest.mark.parametrize(
    ("refuse", "words"),
    [
        ({"/api/repos/create": 403}, "may not write"),
        ({"/api/models/me/herbs/preupload": 404}, "may not write"),
        ({"/api/models/me/herbs/commit": 507}, "status 507"),
        ({"/large/": 403}, "broke off"),
    ],
)
def test_what_the_hub_refuses_is_a_sentence(hub, mine, refuse, words):
    hub.refuse = refuse
    done = run(hub.url, "mine", "me/herbs")
    assert done.returncode == 1
    assert words in done.stderr
    for secret in ("Traceback", "secret", TOKEN, hub.url):
        assert secret not in done.stderr
    assert done.stdout == ""
    assert not any(hub.repos.values())


@pytest.mark.process
def test_an_old_token_and_a_hub_out_of_reach_are_sentences(hub, mine):
    done = run(hub.url, "mine", "me/herbs", HF_TOKEN="hf_" + "o" * 34)
    assert done.returncode == 1
    assert "does not know this token" in done.stderr
    assert not hub.repos
    done = run("http://127.0.0.1:9", "mine", "me/herbs")
    assert done.returncode == 1
    assert "cannot be reached" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_token_nothing_is_asked(mine, home, tmp_path, monkeypatch):
    # Not even where the Hub's own tool has stored one.
    (tmp_path / "token").write_text(TOKEN)
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    error = refusal(publish, Registry(own=home), "mine", "me/herbs")
    assert error.hint == "hub-no-token"
    assert "HF_TOKEN" in error.en
    # The tests are offline, which is a connection that does not work.
    error = refusal(publish, Registry(own=home), "mine", "me/herbs", token=TOKEN)
    assert error.hint == "hub-connection"


@pytest.mark.parametrize(
    "repo", ["herbs", "", "me/", "/herbs", "a/b/c", "me/党参", "me/a b", "me/--a", "../x", "me/.."]
)
def test_a_name_that_the_hub_does_not_take(mine, home, repo):
    assert refusal(publish, Registry(own=home), "mine", repo, token=TOKEN).hint == "hub-name"


def test_only_a_whole_model_is_published(mine, home):
    assert refusal(publish, Registry(own=home), "nobody", "me/x", token=TOKEN).hint
    (mine / WEIGHTS).unlink()
    error = refusal(publish, Registry(own=home), "mine", "me/x", token=TOKEN)
    assert error.hint == "weights-missing"


def test_the_page_of_a_model_says_what_its_card_says(toy_folder):
    figures = {"photos": 40, "top1": 0.95, "top1_interval": [0.85, 0.99], "ece": 0.02}
    card = read_card(toy_folder) | {
        "licence": "Apache-2.0",
        "metrics": {"test": figures, "odd": "x", "unknown": {"auroc": 1.0}},
        "limits": {"en": ["Only fresh leaves."], "zh": []},
    }
    text = model_card(card, "me/herbs")
    front, body = text.split("---\n")[1], text.partition("\n---\n")[2]
    assert "license: apache-2.0" in front
    assert "pipeline_tag: image-classification" in front
    assert "| test | 40 | 95.0% (85.0% to 99.0%) | 2.0% |" in body
    assert " ".join(HERBS) in body
    assert f"hf download me/herbs {CARD} {WEIGHTS}" in body
    assert card["sha256"] in body
    assert "Only fresh leaves." in body
    assert "不能代替医师" in body  # nothing of its own in this language
    after = {"n_old": 40, "old_top1": 0.95, "old_interval": [0.85, 0.99], "n_new": 0,
             "new_top1": None, "new_interval": None, "ece": 0.02}  # fmt: skip
    body = model_card(card | {"metrics": {"val": {"top1": 1.0}}, "proof": {"after": after}}, "me/x")
    assert "| old herbs | 40 | 95.0% (85.0% to 99.0%) | 2.0% |" in body
    assert "| new herbs" not in body
    # What does not fit the front matter stays out of it.
    odd = card | {"licence": "x\nevil: yes", "architecture": "x]\nevil: yes"}
    front = model_card(odd, "me/x").split("---\n")[1]
    assert "license" not in front
    assert "evil" not in front
