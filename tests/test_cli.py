"""The command line as other programs call it: a real second process, JSON out, exit statuses."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from toys import HERBS, STRANGE, fill, herb_picture, knowing, picture

from herbdemo.checkpoint import load_checkpoint, save_checkpoint

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.process


@pytest.fixture
def toy_home(home: Path, toy_folder: Path) -> Path:
    """A HERBDEMO_HOME in which the toy model is in use."""
    (home / "models").mkdir(parents=True)
    (home / "models" / "toy").symlink_to(toy_folder)
    (home / "active.json").write_text(json.dumps({"trail": ["toy"]}))
    return home


def herbdemo(
    *arguments: object, processes: int = 1, **environment: str
) -> subprocess.CompletedProcess[str]:
    torchrun = ["torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m"]
    return subprocess.run(
        [
            sys.executable,
            "-m",
            *(torchrun if processes > 1 else ()),
            "herbdemo",
            *map(str, arguments),
        ],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "200", **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_recognise_names_the_herb_of_each_photo_and_goes_on_after_a_bad_one(toy_home, tmp_path):
    good, bad, maps = tmp_path / "好 photo.png", tmp_path / "bad.jpg", tmp_path / "maps"
    herb_picture("党参", 3).save(good)
    bad.write_bytes(b"\xff\xd8\xff not a photo")
    result = herbdemo("recognise", good, bad, "--json", "--heatmaps", maps)

    assert result.returncode == 1  # one photo failed
    answer, *others = json.loads(result.stdout)["answers"]
    assert not others
    assert set(answer) == {"file", "verdict", "candidates", "model", "sha256", "ms", "stages"}
    assert answer["file"] == str(good)
    assert answer["model"] == "toy"
    assert answer["candidates"][0]["herb"] == "党参"
    assert {"herb", "zh", "zh_hant", "pinyin", "latin", "en", "probability"} == set(
        answer["candidates"][0]
    )
    shares = [c["probability"] for c in answer["candidates"]]
    assert len(shares) == 5
    assert shares == sorted(shares, reverse=True)
    assert answer["ms"] == pytest.approx(sum(answer["stages"].values()), abs=0.01)
    assert len(json.loads(result.stdout)["failures"]) == 1
    assert "bad.jpg" in result.stderr
    assert "Traceback" not in result.stderr
    pictures = sorted(maps.iterdir())
    assert pictures[0].name.endswith("-1-党参.png")
    assert len(pictures) == 5
    with Image.open(pictures[0]) as picture:
        assert picture.width / picture.height == pytest.approx(60 / 48, rel=0.05)


def test_heatmaps_of_a_photo_with_a_long_name(toy_home, tmp_path):
    maps = tmp_path / "maps"
    herb_picture("党参", 3).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / f"{'药' * 80}.png")
    assert herbdemo("recognise", tmp_path, "--heatmaps", maps).returncode == 0
    assert len(list(maps.iterdir())) == 5


def test_heatmaps_where_none_can_be_written(toy_home, tmp_path):
    photo = tmp_path / "a.png"
    herb_picture("党参", 3).save(photo)
    result = herbdemo("recognise", photo, "--heatmaps", photo)
    assert (result.returncode, result.stdout) == (1, "")
    assert "The folder for the heatmaps" in result.stderr
    assert "Traceback" not in result.stderr


def test_recognise_prints_for_people(toy_home, tmp_path):
    herb_picture("枸杞子", 1).save(tmp_path / "a.png")
    result = herbdemo("recognise", tmp_path)  # a folder
    assert result.returncode == 0
    assert "枸杞子" in result.stdout
    assert "Lycii Fructus" in result.stdout
    assert result.stderr == ""


def test_evaluate_reports_accuracy_calibration_and_unknowns(toy_home, tmp_path):
    for herb in HERBS[:3]:
        fill(tmp_path / "test", herb, range(5))
    fill(tmp_path / "strange", HERBS[6], range(4))
    result = herbdemo("evaluate", tmp_path / "test", "--unknown", tmp_path / "strange", "--json")

    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout.splitlines()[-1])
    for key in ("photos", "herbs", "top1", "top5", "macro_top1", "ece", "auroc", "fpr95"):
        assert isinstance(report[key], int | float), key
    assert report["photos"] == 15
    assert report["herbs"] == 3
    assert report["unknown_photos"] == 4
    assert set(report["per_herb"]) == set(HERBS[:3])
    assert report["per_herb"][HERBS[0]]["n"] == 5
    assert 0.8 <= report["top1"] <= 1


def test_check_reports_on_a_folder_and_on_a_zip(toy_home, tmp_path):
    fill(tmp_path / "photos", "党参", range(6), name="dangshen")
    fill(tmp_path / "photos", "甘草", range(6), name="新药")
    (tmp_path / "photos" / "新药" / "bad.jpg").write_bytes(b"")
    folder = herbdemo("check", tmp_path / "photos", "--json")
    assert folder.returncode == 0, folder.stderr
    report = json.loads(folder.stdout)
    assert report["ok"] is True
    assert report["herbs"] == {"党参": 6, "新药": 6}
    assert report["new_herbs"] == ["新药"]
    kinds = {finding["kind"] for finding in report["findings"]}
    assert {"known-herb", "unreadable", "too-small"} <= kinds

    shutil.copy(tmp_path / "photos/dangshen/000.png", tmp_path / "photos/新药/same.png")
    archive = shutil.make_archive(str(tmp_path / "given"), "zip", tmp_path, "photos")
    result = herbdemo("check", archive)
    assert result.returncode == 1
    assert "“党参” and in “新药”" in result.stderr
    assert "known: 党参 6" in result.stdout
    assert not list(Path(tempfile.gettempdir()).glob(".unpacking-*"))


@pytest.fixture
def known_home(home: Path, toy, tmp_path: Path) -> Path:
    """A HERBDEMO_HOME in which a toy that kept its sums is in use."""
    model = replace(knowing(toy, tmp_path / "known"), id="toy")
    save_checkpoint(model, home / "models" / "toy")
    (home / "active.json").write_text(json.dumps({"trail": ["toy"]}))
    return home


def test_extend_adds_a_herb_in_one_process_or_two_and_it_travels(known_home, tmp_path):
    for part, seeds in (("new", range(6)), ("test", range(80, 84))):
        (tmp_path / part / "basil").mkdir(parents=True)
        for seed in seeds:
            picture(STRANGE, seed).save(tmp_path / part / "basil" / f"{seed}.png")
    fill(tmp_path / "test", "党参", range(80, 85))
    for part in ("new", "test"):  # first in its folder, so in the share of the first of two
        (tmp_path / part / "basil" / "!.png").write_bytes(b"\x89PNG\r\n\x1a\n no photo")
    new, test = tmp_path / "new", tmp_path / "test"
    result = herbdemo("extend", new, "--name", "more", "--test", test, "--activate", "--json")
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["model"] == "more"
    assert report["new_herbs"] == ["罗勒"]
    assert report["photos"] == 6
    assert report["seconds"] > 0
    assert report["before"]["n"] == report["after"]["n_old"] == 5
    assert report["after"]["n_new"] == 4
    assert report["after"]["new_top1"] == 1.0
    assert {"top1", "n"} <= set(report["before"])
    kinds = [json.loads(line)["kind"] for line in result.stderr.splitlines()]
    assert kinds[0] == "start"
    assert kinds[-2:] == ["finish", "saved"]
    assert "* │ more" in herbdemo("models").stdout
    again = herbdemo("extend", new, "--name", "more")
    assert again.returncode == 1  # the name is taken
    assert "model-exists" not in again.stdout

    both = herbdemo("extend", new, "--name", "shared", "--model", "toy", "--json", processes=2)
    assert both.returncode == 0, both.stderr
    one, two = (load_checkpoint(known_home / "models" / name) for name in ("more", "shared"))
    assert two.herbs == one.herbs
    assert torch.allclose(one.network.fc.weight, two.network.fc.weight, atol=1e-4)

    file = tmp_path / "more.zip"
    assert herbdemo("models", "export", "more", file).returncode == 0
    assert herbdemo("models", "import", file, "--name", "came-back").returncode == 0
    less = herbdemo("models", "forget", "came-back", "luo le", "--name", "less")
    assert less.returncode == 0, less.stderr
    base = load_checkpoint(known_home / "models" / "toy")
    less = load_checkpoint(known_home / "models" / "less")
    assert less.herbs == base.herbs
    assert torch.equal(less.network.fc.weight, base.network.fc.weight)


def test_models_are_listed_activated_rolled_back_and_deleted(toy_home, toy_folder):
    (toy_home / "models" / "second").mkdir()
    for file in toy_folder.iterdir():
        if file.name == "card.json":
            card = {**json.loads(file.read_text()), "id": "second"}
            (toy_home / "models" / "second" / file.name).write_text(json.dumps(card))
        else:
            os.link(file, toy_home / "models" / "second" / file.name)

    def active() -> str:
        models = json.loads(herbdemo("models", "list", "--json").stdout)["models"]
        return next(m["id"] for m in models if m["active"])

    assert active() == "toy"
    assert herbdemo("models", "activate", "second").returncode == 0
    assert active() == "second"
    assert herbdemo("models", "delete", "second").returncode == 1  # in use
    assert herbdemo("models", "rollback").stdout.strip() == "toy"
    assert herbdemo("models", "delete", "second").returncode == 0
    assert "second" not in herbdemo("models").stdout


def test_a_small_training_makes_a_model_that_recognises(toy_home, tmp_path):
    for herb in (*HERBS, "另一种"):
        fill(tmp_path / "photos", HERBS[0] if herb == "另一种" else herb, range(16), name=herb)
    command = ("train", tmp_path / "photos", "--name", "mine", "--init", "active")
    done = herbdemo(*command, "--preset", "quick", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["model"] == "mine"
    assert report["old_herbs"] == dict.fromkeys(HERBS, "photos")
    events = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert [event["kind"] for event in events if event["kind"] != "features"] == [
        "start", "head", "finish", "saved"
    ]  # fmt: skip
    card = json.loads((toy_home / "models" / "mine" / "card.json").read_text("utf-8"))
    assert card["herbs"] == [*HERBS, "另一种"]
    for herb in HERBS[1:5]:  # HERBS[0] and its twin cannot be told apart
        fill(tmp_path / "shown", herb, range(50, 55))
    measured = json.loads(
        herbdemo("evaluate", tmp_path / "shown", "--json", "--model", "mine").stdout
    )
    assert measured["photos"] == 20
    assert measured["top1"] > 0.6  # by chance: an eighth
    again = herbdemo(*command)
    assert again.returncode == 1  # the name is taken, said before any training


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("recognise",), 2, "photos"),
        (("nonsense",), 2, "nonsense"),
        (("recognise", "x.jpg", "--model", "nobody"), 1, "no model named"),
        (("evaluate", "/nowhere"), 1, "no such folder"),
        (("check", "/nowhere"), 1, "no such folder"),
        (("check", "README.md"), 1, "no zip"),
        (("models", "activate", "../../etc"), 1, "no model named"),
        (("train", ".", "--name", "Not/a name"), 1, "lower-case"),
        (("train", ".", "--name", "x", "--init", "nobody"), 1, "no model named"),
        (("train", ".", "--name", "x", "--preset", "nonsense"), 2, "standard"),
        (("train", ".", "--name", "x", "--network", "alexnet"), 2, "resnet50"),
    ],
)
def test_wrong_calls_end_with_a_sentence_and_the_right_status(toy_home, arguments, status, says):
    result = herbdemo(*arguments)
    assert result.returncode == status
    assert says in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
