"""evaluate.py: every figure of a report against a loop written by hand with torchvision."""

import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch
import toys
from PIL import Image
from torchvision import models
from toys import HERBS, fill, herb_picture, picture, refusal

from herbdemo import evaluate as module
from herbdemo.dataset import scan
from herbdemo.decoded import reduced
from herbdemo.engine import TorchEngine
from herbdemo.evaluate import engine_for, evaluate, extract
from herbdemo.scores import wilson

NAMES = ("金銀花", "dangshen", "Lycii Fructus", "菊花", "gāncǎo", "當歸", "chenpi")  # of HERBS
BROKEN = {"empty.jpg": b"", "text.png": b"no photo", "cut.jpg": None}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Three photos of each herb under some name of it, four mislabelled ones, and accidents."""
    folder = tmp_path_factory.mktemp("evaluate") / "photos"
    for herb, name in zip(HERBS, NAMES, strict=True):
        fill(folder, herb, range(50, 53), name=name)
    fill(folder, "菊花", range(60, 64), name="dangshen/mislabelled")
    fill(folder, "甘草", range(2), name="人参")  # a herb that the toy does not know
    for name, data in BROKEN.items():
        data = toys.encoded(herb_picture("党参", 1), "JPEG")[:200] if data is None else data
        (folder / "chenpi" / name).write_bytes(data)
    (folder / "chenpi" / "._053.png").write_bytes(b"litter")
    return folder


@pytest.fixture(scope="module")
def strangers(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("strangers")
    (folder / "below").mkdir()
    for seed in range(9):
        picture(toys.STRANGE, seed).save(folder / "below" / f"{seed}.png")
    for seed in range(3):  # and some that look like herbs, so that the score is below 1
        herb_picture("菊花", 90 + seed).save(folder / f"herb{seed}.png")
    (folder / "broken.png").write_bytes(b"")
    return folder


@pytest.fixture(scope="module")
def report(toy_model, folder, strangers) -> dict:
    return evaluate(toy_model, folder, unknown=strangers).to_dict()


@pytest.fixture(scope="module")
def by_hand(toy_model, folder) -> list[tuple[str, str, torch.Tensor]]:
    """(file, herb, probabilities) of each readable photo, without any of our code."""
    network = models.resnet50(num_classes=len(HERBS))
    network.load_state_dict(toy_model.network.state_dict())
    network.eval()
    rows = []
    for herb, name in zip(HERBS, NAMES, strict=True):
        for file in sorted((folder / name).rglob("[0-9]*.png")):
            image = Image.open(file).convert("RGB")
            image = image.resize((toys.SIZE, toys.SIZE), Image.Resampling.BILINEAR)
            x = torch.tensor(np.array(image)).permute(2, 0, 1) / 255
            x = (x - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / torch.tensor(
                [0.229, 0.224, 0.225]
            )[:, None, None]
            with torch.inference_mode():
                odds = (network(x[None])[0] / toy_model.temperature).softmax(dim=0)
            rows.append((str(file.relative_to(folder)), herb, odds))
    return rows


def test_accuracy_is_that_of_a_hand_written_loop(report, by_hand):
    ranked = [(herb, odds.argsort(descending=True).tolist()) for _, herb, odds in by_hand]
    per_herb = defaultdict(list)
    for herb, order in ranked:
        per_herb[herb].append(HERBS[order[0]] == herb)
    right = [hit for hits in per_herb.values() for hit in hits]
    assert report["photos"] == len(by_hand) == 25
    assert report["herbs"] == 7
    assert report["top1"] == pytest.approx(np.mean(right))
    assert 0 < report["top1"] < 1, "the toy should make some mistakes"
    assert report["top1_interval"] == wilson(sum(right), 25)
    top5 = [herb in [HERBS[k] for k in order[:5]] for herb, order in ranked]
    assert report["top5"] == pytest.approx(np.mean(top5))
    assert report["macro_top1"] == pytest.approx(np.mean([np.mean(v) for v in per_herb.values()]))
    assert report["per_herb"] == {
        herb: {"n": len(hits), "top1": pytest.approx(np.mean(hits))}
        for herb, hits in per_herb.items()
    }


def test_the_mistakes_are_named_one_by_one(report, by_hand):
    expected = {
        file: (herb, HERBS[odds.argmax()], pytest.approx(float(odds.max()), abs=2e-4))
        for file, herb, odds in by_hand
        if HERBS[odds.argmax()] != herb
    }
    assert len(expected) >= 4
    assert {m["file"]: (m["herb"], m["answer"], m["probability"]) for m in report["mistakes"]} == (
        expected
    )


def test_calibration_is_that_of_the_same_loop(report, by_hand):
    bins = defaultdict(list)
    for _, herb, odds in by_hand:
        bins[min(int(odds.max() * 15), 14)].append(
            (float(odds.max()), HERBS[odds.argmax()] == herb)
        )
    gaps = [abs(sum(p - r for p, r in inside)) for inside in bins.values()]
    assert report["ece"] == pytest.approx(sum(gaps) / len(by_hand), abs=1e-4)


def test_unreadable_photos_are_listed_and_not_fatal(report):
    failures = {f["file"]: f["error"] for f in report["failures"]}
    assert set(failures) == {f"chenpi/{name}" for name in BROKEN} | {"broken.png"}
    assert all(error.endswith(".") for error in failures.values())


def test_herbs_that_the_model_does_not_know_are_reported(report):
    assert report["not_in_model"] == {"人参": 2}


def test_unknowns_are_told_apart_as_counted_by_hand(report, toy_model, folder, strangers):
    def familiarity(files: list[Path]) -> np.ndarray:
        x = [toy_model.preprocessing.tensor(Image.open(f).convert("RGB")) for f in files]
        with torch.inference_mode():
            pooled = toy_model.network(torch.stack(x), need_fea=True)[1]
        basis, bank = (toy_model.statistics[name].float() for name in ("basis", "bank"))
        cosine = torch.nn.functional.cosine_similarity
        return cosine((pooled.sqrt() @ basis)[:, None], bank[None], dim=2).amax(1).numpy()

    known = [f for name in NAMES for f in sorted((folder / name).rglob("[0-9]*.png"))]
    inside = familiarity(known)
    outside = familiarity([f for f in sorted(strangers.rglob("*.png")) if f.stat().st_size])
    wins = [(a > b) + 0.5 * (a == b) for a in inside for b in outside]
    assert report["auroc"] == pytest.approx(np.mean(wins), abs=0.01)
    assert 0 < report["auroc"] < 1  # a random network's; neither is what a slip would give
    let_through = np.sort(inside)[int(0.05 * len(inside))]
    assert report["fpr95"] == pytest.approx((outside > let_through).mean(), abs=0.1)
    assert report["unknown_photos"] == 12
    limit = toy_model.thresholds["unknown"]
    assert report["unknown_refused"] == pytest.approx((outside < limit).mean())
    assert 0 <= report["unknown_certain"] <= 1 - report["unknown_refused"]
    assert report["known_refused"] == pytest.approx((inside < limit).mean())


def test_the_report_is_plain_json_with_the_promised_fields(report, toy_model):
    again = json.loads(json.dumps(report, ensure_ascii=False, allow_nan=False))
    assert {"photos", "herbs", "top1", "top5", "macro_top1", "ece", "per_herb"} <= set(again)
    assert {"auroc", "fpr95", "unknown_photos"} <= set(again)
    assert again["model"] == "toy"
    assert again["sha256"] == toy_model.sha256
    assert again["per_herb"]["党参"].keys() == {"n", "top1"}
    assert "/tmp" not in json.dumps(report)


def test_without_unknowns_their_fields_are_left_out(toy_model, tmp_path):
    fill(tmp_path, "党参", range(2))
    seen = []
    report = evaluate(
        toy_model, str(tmp_path), progress=lambda done, total: seen.append((done, total))
    ).to_dict()
    assert not {"auroc", "fpr95", "unknown_photos", "unknown_refused", "unknown_certain"} & set(
        report
    )
    assert report["photos"] == 2
    assert report["failures"] == []
    assert report["not_in_model"] == {}
    assert seen[-1] == (2, 2)


def test_progress_counts_all_photos_to_the_end(toy_model, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BATCH", 4)
    for herb in HERBS[:2]:
        fill(tmp_path / "known", herb, range(3))
    fill(tmp_path / "unknown", "菊花", range(3))
    seen = []
    evaluate(
        toy_model,
        tmp_path / "known",
        unknown=tmp_path / "unknown",
        progress=lambda done, total: seen.append((done, total)),
    )
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert {total for _, total in seen} == {9}
    assert seen[-1] == (9, 9)


def test_what_cannot_be_measured_gets_a_sentence(toy_model, tmp_path):
    def hint(**options: Path) -> str:
        return refusal(evaluate, toy_model, tmp_path / "photos", **options).hint

    assert hint() == "folder-missing"
    (tmp_path / "photos" / "党参").mkdir(parents=True)
    assert hint() == "folder-empty"
    (tmp_path / "photos" / "党参" / "a.jpg").write_bytes(b"")
    assert hint() == "no-readable-photo"
    fill(tmp_path / "photos", "党参", range(1))
    assert hint(unknown=tmp_path / "nowhere") == "unknown-empty"
    fill(tmp_path / "strangers", "党参", range(1))
    (tmp_path / "strangers" / "党参" / "000.png").write_bytes(b"")
    assert hint(unknown=tmp_path / "strangers") == "no-readable-photo"
    fill(tmp_path / "others", "党参", range(1), name="人参")
    error = refusal(evaluate, toy_model, tmp_path / "others")
    assert error.hint == "no-known-herb"


def test_the_network_is_left_as_it_was(toy_model, report):
    for part in toy_model.network.modules():
        assert not part.training
        assert not part._forward_hooks
        assert not part._backward_hooks
    assert all(parameter.grad is None for parameter in toy_model.network.parameters())


def test_many_photos_are_looked_at_by_the_faster_engine_which_finds_the_same(
    toy_model, folder, monkeypatch
):
    pytest.importorskip("openvino")
    samples = scan(folder)
    monkeypatch.setenv("HERBDEMO_ENGINE", "auto")

    def features(photos: int) -> tuple[str, np.ndarray]:
        engine = engine_for(toy_model.network, photos)
        return engine.name, extract(engine, samples, HERBS, toy_model.preprocessing).pooled

    (few, a), (many, b) = features(module.MANY - 1), features(module.MANY)
    assert ("torch" in few, "openvino f32" in many) == (True, True)
    assert a.shape == b.shape == (len(samples) - len(BROKEN), 2048)
    assert np.abs(a - b).max() <= 1e-4 * np.abs(a).max()
    monkeypatch.setenv("HERBDEMO_ENGINE", "torch")
    assert "torch" in engine_for(toy_model.network, module.MANY).name
    assert extract(
        engine_for(toy_model.network, 0), [], HERBS, toy_model.preprocessing
    ).pooled.shape == (0, 2048)


def test_photos_load_while_the_engine_works_a_batch_ahead_at_most(toy_model, folder, monkeypatch):
    monkeypatch.setattr(module, "BATCH", 4)
    engine, loaded, seen = TorchEngine(toy_model.network), [], []

    class Watched:
        def features(self, batch: torch.Tensor) -> np.ndarray:
            seen.append(len(loaded))
            return engine.features(batch)

    def opened(path: Path) -> Image.Image:
        loaded.append(path)
        return reduced(path)

    samples = [sample for sample in scan(folder) if sample.path.suffix == ".png"][:12]
    extract(Watched(), samples, HERBS, toy_model.preprocessing, opened=opened)
    assert 4 <= seen[0] <= 8
    assert 8 <= seen[1] <= 12
    assert seen[2] == 12


def test_what_is_known_of_a_photo_is_not_looked_up_again(toy_model, folder):
    samples = scan(folder)
    known: dict = {}
    first = extract(TorchEngine(toy_model.network), samples, HERBS, toy_model.preprocessing,
                    known=known)  # fmt: skip
    again = extract(None, samples[::-1], HERBS, toy_model.preprocessing, known=known)
    assert np.array_equal(again.pooled, first.pooled[::-1])
    assert again.failures == first.failures[::-1]
