"""registry.py: which models there are and which is in use, also after mistakes and crashes."""

import itertools
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from toys import GONE, HERBS, model_copy, refusal

from herbdemo import registry as module
from herbdemo.checkpoint import CARD, WEIGHTS, save_checkpoint
from herbdemo.registry import Registry, check_id


@pytest.fixture
def registry(toy_folder: Path, tmp_path: Path) -> Registry:
    """The shipped `default` and the user's own `a`, `b` and `c`; all of them work."""
    model_copy(toy_folder, tmp_path / "weights" / "default")
    (tmp_path / "weights" / "README.md").write_text("A card.")
    for name in "abc":
        model_copy(toy_folder, tmp_path / "own" / "models" / name)
    return Registry(shipped=tmp_path / "weights", own=tmp_path / "own")


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Activating does without reading the weights, which other tests cover."""
    monkeypatch.setattr(module, "load_checkpoint", lambda folder: None)


# Listing and loading


def test_home_is_where_the_environment_says(home, monkeypatch):
    assert module.home() == home
    assert Registry().own == home
    monkeypatch.delenv("HERBDEMO_HOME")
    assert module.home() == Path.home() / ".herbdemo"
    monkeypatch.setenv("HERBDEMO_HOME", "")
    assert module.home() == Path.home() / ".herbdemo"


def test_list_shows_the_shipped_model_first_and_which_is_active(registry):
    models = registry.list()
    assert [model.id for model in models] == ["default", "a", "b", "c"]
    assert [model.shipped for model in models] == [True, False, False, False]
    assert [model.active for model in models] == [True, False, False, False]
    first = models[0]
    assert first.herbs == len(HERBS)
    assert first.metrics == {"val": {"top1": 1.0}}
    assert len(first.sha256) == 64
    assert first.problem is None


def test_load_gives_the_active_model_or_the_one_named(registry):
    assert registry.load().id == "default"
    assert registry.load("b").herbs == HERBS


def test_a_model_goes_by_the_name_of_its_folder(registry):
    (registry.own / "models" / "a").rename(registry.own / "models" / "renamed")
    assert registry.load("renamed").id == "renamed"


def test_a_saved_model_appears_and_its_name_is_taken(toy, tmp_path):
    registry = Registry(shipped=tmp_path / "none", own=tmp_path / "own")
    save_checkpoint(toy, registry.new_folder("mine"))
    assert [model.id for model in registry.list()] == ["mine"]
    assert refusal(registry.new_folder, "mine").hint == "model-exists"


def test_the_name_of_a_shipped_model_is_taken_too(registry):
    assert refusal(registry.new_folder, "default").hint == "model-exists"


@pytest.mark.parametrize("name", ["nobody", "", "..", "../weights", "a/../b", "A", "/etc", "党参"])
def test_a_model_that_is_not_there(registry, name):
    for call in (registry.folder, registry.activate, registry.delete):
        error = refusal(call, name)
        assert error.hint == "model-missing"
        assert f"no model named “{name}”" in error.en


def damage(registry: Registry, **changes: object) -> None:
    """The model `broken` with a damaged card."""
    model_copy(registry.shipped / "default", registry.own / "models" / "broken", **changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"herbs": GONE}, "card.json is damaged"),
        ({"schema": 99}, "newer version"),
        ({"temperature": "hot"}, "card.json is damaged"),
    ],
)
def test_a_damaged_model_is_listed_with_its_problem(registry, changes, words):
    damage(registry, **changes)
    models = {model.id: model for model in registry.list()}
    assert words in models["broken"].problem[1]
    assert models["broken"].problem[0].endswith("。")
    assert models["a"].problem is None
    refusal(registry.load, "broken")


def test_a_folder_without_a_card_is_listed_with_its_problem(registry):
    (registry.own / "models" / "empty").mkdir()
    problem = next(model.problem for model in registry.list() if model.id == "empty")
    assert "lacks card.json" in problem[1]


def test_a_damaged_model_cannot_be_activated_but_can_be_deleted(registry):
    damage(registry, sha256="0" * 64)
    assert refusal(registry.activate, "broken").hint == "weights-damaged"
    assert registry.active_id() == "default"
    registry.delete("broken")
    assert "broken" not in {model.id for model in registry.list()}


def test_litter_among_the_models_is_not_listed(registry):
    models = registry.own / "models"
    for name in (".saving-x1", ".deleting-x2", "Upper", "con", "two words"):
        (models / name).mkdir()
    (models / "file").write_text("")
    assert [model.id for model in registry.list()] == ["default", "a", "b", "c"]


def test_without_any_model_a_sentence(tmp_path):
    registry = Registry(shipped=tmp_path / "none", own=tmp_path / "own")
    for call in (registry.list, registry.load, registry.active_id, registry.rollback):
        assert refusal(call).hint == "no-model"


# Names

NAMES = ["a", "0", "x" * 64, "herbs-31.v2_b", "console", "com10", "a.b.c", "nullable"]
NO_NAMES = [
    *("", ".", "..", "../up", "a/b", "a\\b", "/", "~", "x.", "x..", "-x", "_x", ".hidden"),
    *("x" * 65, "Upper", "CON", "con", "nul", "nul.txt", "aux.", "com1", "lpt9.bak", "prn"),
    *("党参", "é", "a b", " a", "a ", "a\n", "a\0", "a\u202eb", "🌿", "a:b", "a*", "c:", "$HOME"),
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_good_names(name, registry):
    assert check_id(name) == name
    if name not in "abc":
        assert registry.new_folder(name) == registry.own / "models" / name


@pytest.mark.parametrize("name", NO_NAMES, ids=ascii)
def test_bad_names(name, registry):
    error = refusal(registry.new_folder, name)
    assert error.hint == "model-name"
    assert "A model's name has" in error.en


# Which one is in use


@pytest.mark.usefixtures("unread")
def test_activate_and_roll_back(registry):
    for name in ("a", "b", "default", "c"):
        registry.activate(name)
        assert registry.active_id() == name
        assert Registry(shipped=registry.shipped, own=registry.own).active_id() == name
    assert [registry.rollback() for _ in range(4)] == ["default", "b", "a", "default"]
    error = refusal(registry.rollback)
    assert error.hint == "no-earlier-model"
    assert registry.active_id() == "default"


@pytest.mark.usefixtures("unread")
def test_activating_the_active_model_changes_nothing(registry):
    registry.activate("default")
    registry.activate("a")
    registry.activate("a")
    assert registry.rollback() == "default"


@pytest.mark.usefixtures("unread")
def test_rolling_back_skips_models_deleted_since(registry):
    for name in ("b", "a", "b", "c"):
        registry.activate(name)
    registry.delete("a")
    assert registry.rollback() == "b"
    assert registry.rollback() == "default"  # and not b once more


def test_activation_reads_the_whole_model_first(registry):
    registry.activate("a")
    (registry.own / "models" / "b" / WEIGHTS).unlink()
    assert refusal(registry.activate, "b").hint == "weights-missing"
    assert registry.active_id() == "a"


@pytest.mark.usefixtures("unread")
def test_when_the_active_folder_vanishes_the_one_before_serves(registry):
    registry.activate("a")
    registry.activate("b")
    (registry.own / "models" / "b").rename(registry.own / "elsewhere")
    assert registry.active_id() == "a"
    (registry.own / "models" / "a").rename(registry.own / "elsewhere2")
    assert registry.active_id() == "default"


@pytest.mark.usefixtures("unread")
def test_without_a_shipped_model_the_users_own_serves(toy_folder, tmp_path):
    model_copy(toy_folder, tmp_path / "models" / "mine")
    model_copy(toy_folder, tmp_path / "models" / "mine2")
    registry = Registry(shipped=tmp_path / "none", own=tmp_path)
    assert registry.active_id() == "mine"
    registry.activate("mine2")
    assert registry.active_id() == "mine2"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json",
        "[]",
        "null",
        "[" * 100_000,
        '{"trail": 5}',
        '{"trail": [1, null]}',
        '{"trail": ["x"]}',
    ],
)
@pytest.mark.usefixtures("unread")
def test_a_spoilt_pointer_means_the_shipped_model(registry, text):
    registry.own.joinpath("active.json").write_text(text)
    assert registry.active_id() == "default"
    registry.activate("a")
    assert registry.active_id() == "a"


@pytest.mark.usefixtures("unread")
def test_the_pointer_stays_short(registry):
    for name in itertools.islice(itertools.cycle("ab"), 60):
        registry.activate(name)
    assert len(json.loads((registry.own / "active.json").read_text())["trail"]) <= 20
    assert sorted(path.name for path in registry.own.iterdir()) == ["active.json", "models"]


@pytest.mark.usefixtures("unread")
def test_readers_see_the_old_or_the_new_model_while_one_is_activated(registry):
    registry.activate("a")
    over = threading.Event()

    def read() -> set[str]:
        seen = set()
        while not over.is_set():
            seen.add(registry.active_id())
            seen.add(json.loads((registry.own / "active.json").read_text())["trail"][-1])
        return seen

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read) for _ in range(4)]
        try:
            for name in itertools.islice(itertools.cycle("ba"), 60):
                registry.activate(name)
        finally:
            over.set()
        for reader in readers:
            assert reader.result() <= {"a", "b"}


def test_an_activation_that_fails_leaves_the_old_pointer(registry, unread, monkeypatch):
    registry.activate("a")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert refusal(registry.activate, "b").hint == "disk-full"
    assert registry.active_id() == "a"


# Deleting


def test_delete_removes_the_model_and_nothing_else(registry):
    registry.delete("a")
    assert sorted(path.name for path in (registry.own / "models").iterdir()) == ["b", "c"]
    assert refusal(registry.load, "a").hint == "model-missing"


def test_the_shipped_model_is_never_deleted(registry, unread):
    assert refusal(registry.delete, "default").hint == "model-shipped"
    registry.activate("a")
    assert refusal(registry.delete, "default").hint == "model-shipped"
    # Nor when the user has a folder of the same name.
    model_copy(registry.own / "models" / "b", registry.own / "models" / "default")
    assert refusal(registry.delete, "default").hint == "model-shipped"
    assert (registry.shipped / "default" / CARD).exists()


@pytest.mark.usefixtures("unread")
def test_the_active_model_is_never_deleted(registry):
    registry.activate("a")
    error = refusal(registry.delete, "a")
    assert error.hint == "model-active"
    assert "Activate another one first" in error.en
    registry.activate("b")
    registry.delete("a")


def test_a_name_can_be_used_again_after_its_model_was_deleted(registry):
    registry.delete("a")
    assert registry.new_folder("a") == registry.own / "models" / "a"
