"""Fine-tuning: one loop, to be read from top to bottom.

    python -m herbdemo train FOLDER --name ID --init FILE

1. The head alone, on features computed once: a random head would wreck the pretrained layers in
   its first steps.
2. All layers, with small rates that shrink towards the input, and an average of the weights (EMA)
   that is what gets evaluated and kept.
3. The best epoch on `val` gets its temperature and thresholds, also on `val`.

A killed run goes on where its last epoch ended (`resume=True`) and ends with the same numbers.
"""

import copy
import json
import math
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, WeightedRandomSampler
from torchvision.models import ResNet50_Weights

from herbdemo.augment import mixed, training_transform
from herbdemo.calibrate import finish
from herbdemo.checkpoint import Checkpoint, Preprocessing
from herbdemo.dataset import PhotoDataset, Sample, train_and_val
from herbdemo.engine import TorchEngine, best_device
from herbdemo.errors import HerbError
from herbdemo.evaluate import Features, extract
from herbdemo.network import HerbNet, network_from_state, replace_head
from herbdemo.registry import Registry

HEAD_DECAY = 1e-3  # L2 on the head that is fitted alone; the best on val among 1e-4 … 3e-3


@dataclass(frozen=True)
class Recipe:
    """The settings of a training. The defaults made the default model; see CONTRIBUTING.md."""

    epochs: int = 10
    batch: int = 32
    # Side of the training photos, epoch by epoch: small first, since half the side is a quarter of
    # the time. Crops make things look larger in training, so it stays below the 224 of use
    # (Touvron et al. 2019, "Fixing the train-test resolution discrepancy").
    sizes: tuple[tuple[float, int], ...] = ((0.0, 128), (0.6, 160))
    # AdamW at layer4. SGD at 0.01 threw the pruned start off: loss 5.0 after 20 steps, not 1.2.
    rate: float = 2e-4
    head_factor: float = 3.0  # the head is the only part that starts from little
    decay: float = 0.7  # each stage towards the input learns this much slower
    weight_decay: float = 0.02
    warmup: float = 0.03  # share of all steps
    smoothing: float = 0.1
    mix: float = 0.2  # share of batches with Mixup or CutMix
    balance: float = 0.5  # photos of a herb with n photos are drawn n**-balance as often
    distil: float = 0.7  # share of the teacher's answer in the targets, where there is a teacher
    average: float = 0.995  # EMA of the weights per step: about the last two epochs of 120 steps
    seed: int = 0

    def size_at(self, epoch: int) -> int:
        """Side of the training photos in `epoch`, in pixels."""
        return [size for start, size in self.sizes if epoch >= start * self.epochs][-1]


@dataclass(frozen=True)
class Event:
    """What a training says, one JSON line each: `kind` is "start", "head", "step", "epoch"…"""

    kind: str
    values: dict[str, Any] = field(default_factory=dict)

    def line(self) -> str:
        return json.dumps({"kind": self.kind, **self.values}, ensure_ascii=False)


def train(
    folder: str | Path,
    *,
    name: str,
    run: Path,
    network: HerbNet,
    preprocessing: Preprocessing,
    recipe: Recipe,
    resume: bool = False,
    say: Callable[[Event], None] = lambda event: None,
    parent: str = "",
    command: str = "",
) -> Checkpoint:
    """Train on `folder` (see `dataset.train_and_val`) and return the finished model, unsaved.

    Args:
        run: folder for the state that `resume` continues from.
        network: where to start; its head is replaced.

    Raises:
        HerbError: too few herbs or photos, or the run belongs to other photos.
    """
    train_samples, val_samples = train_and_val(folder, seed=recipe.seed)
    state, history = fit(
        network,
        train_samples,
        val_samples,
        run=run,
        preprocessing=preprocessing,
        recipe=recipe,
        resume=resume,
        say=say,
    )
    return finish(
        state,
        name=name,
        herbs=herbs_of(train_samples),
        preprocessing=preprocessing,
        train=train_samples,
        val=val_samples,
        card={
            "parent": parent,
            "training": {"command": command, "recipe": asdict(recipe), "history": history},
        },
    )


def herbs_of(samples: Sequence[Sample]) -> tuple[str, ...]:
    """The herbs of the photos in the order of the head."""
    return tuple(sorted({sample.herb for sample in samples}))


def fit(
    network: HerbNet,
    train_samples: Sequence[Sample],
    val_samples: Sequence[Sample],
    *,
    run: Path,
    preprocessing: Preprocessing,
    recipe: Recipe,
    resume: bool = False,
    say: Callable[[Event], None] = lambda event: None,
    keep_head: bool = False,
    teacher: Callable[[Tensor], Tensor] | None = None,
) -> tuple[dict[str, Tensor], list[dict[str, Any]]]:
    """The loop itself: the averaged weights of the best epoch, and the figures of every epoch.

    Args:
        network: where to start; any network with `features`, `fc` and `trainable` will do.
        keep_head: the head already knows `herbs_of(train_samples)`; otherwise it starts anew.
        teacher: gives the probabilities (N, herbs) of a batch as the network gets it, which make up
            `recipe.distil` of its targets (Hinton et al. 2015; Beyer et al. 2022 for why it must
            see the same crop).
    """
    herbs = herbs_of(train_samples)
    _check(herbs, val_samples)
    counts = Counter(sample.herb for sample in train_samples)
    device = best_device()
    say(Event("start", {"herbs": len(herbs), "train": len(train_samples), "val": len(val_samples)}))

    network = network.eval().to(device, memory_format=torch.channels_last)
    state_file = run / "state.safetensors"
    history: list[dict[str, Any]] = []
    best = -1.0
    resume = resume and state_file.exists()
    if resume:
        replace_head(network, len(herbs))  # of the right size; its weights are loaded below
    else:
        if not keep_head:
            features = extract(TorchEngine(network), train_samples, herbs, preprocessing)
            replace_head(network, len(herbs))
            fit_head(network.fc, features, smoothing=recipe.smoothing)
        history.append({"epoch": 0, **_validate(network, val_samples, herbs, preprocessing)})
        say(Event("head", history[-1]))

    average = copy.deepcopy(network).eval().requires_grad_(False)
    network.requires_grad_(False)
    parts = network.trainable()
    for part in parts:
        part.requires_grad_(True)
    factors = [recipe.head_factor, *(recipe.decay**depth for depth in range(len(parts) - 1))]
    optimizer = torch.optim.AdamW(
        [
            {"params": list(part.parameters()), "rate": recipe.rate * factor}
            for part, factor in zip(parts, factors, strict=True)
        ],
        weight_decay=recipe.weight_decay,
        fused=True,  # one pass over the weights instead of a dozen
    )
    pruned = pruned_weights(network)
    first = 0
    kept = {k: v.clone() for k, v in average.state_dict().items()}
    if resume:
        history, best, kept = _load_state(state_file, network, average, optimizer, herbs)
        first = history[-1]["epoch"]

    steps_per_epoch = len(train_samples) // recipe.batch or 1
    total = steps_per_epoch * recipe.epochs
    for epoch in range(first, recipe.epochs):
        torch.manual_seed(recipe.seed * 10_000 + epoch)  # so that a resumed run draws the same
        loader = _batches(train_samples, herbs, counts, preprocessing, recipe, epoch)
        network.train()
        freeze_batchnorm(network)
        started, seen, losses = time.perf_counter(), 0, 0.0
        for step, (x, y) in enumerate(loader, start=epoch * steps_per_epoch):
            for group in optimizer.param_groups:
                group["lr"] = group["rate"] * schedule(step / total, warmup=recipe.warmup)
            x = x.to(device, memory_format=torch.channels_last)
            x, target = mixed(x, y.to(device), num_classes=len(herbs), share=recipe.mix)
            if teacher:
                with torch.no_grad():
                    target = target.lerp(teacher(x), recipe.distil)
            with torch.autocast(device.type, torch.bfloat16, enabled=fast_bfloat16(device)):
                loss = functional.cross_entropy(
                    network(x), target, label_smoothing=recipe.smoothing
                )
            optimizer.zero_grad()
            loss.backward()
            for weight, alive in pruned:
                weight.grad.mul_(alive)
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)  # a rare bad batch moves little
            optimizer.step()
            update_average(average, network, decay=min(recipe.average, (1 + step) / (10 + step)))
            seen += len(y)
            losses += loss.item() * len(y)
            if (step + 1) % 10 == 0:
                rate = seen / (time.perf_counter() - started)
                say(Event("step", {"epoch": epoch + 1, "step": step + 1, "steps": total,
                                   "loss": losses / seen, "photos_per_second": rate}))  # fmt: skip
        metrics = _validate(average, val_samples, herbs, preprocessing)
        history.append({"epoch": epoch + 1, "train_loss": losses / seen, **metrics,
                        "size": recipe.size_at(epoch),
                        "seconds": time.perf_counter() - started})  # fmt: skip
        say(Event("epoch", history[-1]))
        if metrics["val_macro_top1"] >= best:  # the later of two equals has seen more
            best = metrics["val_macro_top1"]
            kept = {k: v.clone() for k, v in average.state_dict().items()}
        _save_state(state_file, network, average, optimizer, kept, history, best, herbs)
    return {k: v.cpu() for k, v in kept.items()}, history


def start_network(init: str, registry: Registry) -> HerbNet:
    """Where a training starts.

    Args:
        init: a model's id, a safetensors file of a torchvision ResNet-50, "imagenet" (torchvision's
            weights, downloaded once) or "scratch".

    Raises:
        HerbError: no such file or model, not a ResNet-50, or the weights cannot be downloaded.
    """
    if init == "scratch":
        return HerbNet(1000)
    if init == "imagenet":
        try:
            return network_from_state(ResNet50_Weights.IMAGENET1K_V2.get_state_dict(progress=False))
        except (OSError, RuntimeError) as error:
            raise HerbError(
                "下载不到 torchvision 的 ImageNet 权重。请联网，或用 --init 指定权重文件。",
                "torchvision's ImageNet weights cannot be downloaded. Connect to the internet, or "
                "name a file of weights with --init.",
                hint="init-download",
            ) from error
    if init.endswith(".safetensors"):
        try:
            return network_from_state(load_file(init))
        except (OSError, safetensors.SafetensorError) as error:
            raise HerbError(
                "权重文件打不开。请检查 --init 的路径，文件须为 safetensors 格式。",
                "The file of weights cannot be opened. Check the path given with --init; it must "
                "be in the safetensors format.",
                hint="init-file",
            ) from error
    return registry.load(init).network


def fit_head(head: nn.Linear, features: Features, *, smoothing: float) -> None:
    """Fit a linear head on cached features (N, 2048), each herb weighing the same.

    The problem is convex, so it is solved to the end, without a rate or an order to choose.
    """
    x = torch.from_numpy(features.pooled).to(head.weight.device)
    y = torch.from_numpy(features.labels).to(head.weight.device)
    counts = torch.bincount(y, minlength=head.out_features)
    share = 1 / (counts[y] * (counts > 0).sum())  # of each photo; sums to 1
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    optimizer = torch.optim.LBFGS(head.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        # Not cross_entropy's own `weight`: it would smooth the labels towards the rare herbs.
        misfits = functional.cross_entropy(head(x), y, label_smoothing=smoothing, reduction="none")
        value = (share * misfits).sum() + HEAD_DECAY / 2 * head.weight.square().sum()
        value.backward()
        return value

    optimizer.step(loss)


def schedule(progress: float, *, warmup: float) -> float:
    """Share of the full rate at `progress` (0..1): a linear warm-up, then half a cosine."""
    if progress < warmup:
        return (progress + 1e-3) / warmup
    return 0.5 * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup)))


def freeze_batchnorm(network: nn.Module) -> None:
    """Keep BatchNorm at its running statistics; scale and shift still learn.

    Batches of 32 mixed photos are too noisy to re-estimate the statistics of a pruned network.
    """
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def pruned_weights(network: nn.Module) -> list[tuple[nn.Parameter, Tensor]]:
    """The trainable convolutions of a pruned network, each with the mask of its nonzero weights.

    AdamW moves every weight equally far, so it would bury the few that matter under noise where
    the many zeros were; they stay zero instead. A dense network has none.
    """
    return [
        (weight, weight != 0)
        for weight in network.parameters()
        if weight.requires_grad and weight.ndim == 4 and (weight == 0).float().mean() > 0.1
    ]


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, *, decay: float) -> None:
    """Move the averaged weights towards the current ones."""
    for mean, current in zip(average.parameters(), network.parameters(), strict=True):
        mean.lerp_(current, 1 - decay)


def fast_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 is quicker than float32 here: on GPUs, and CPUs with AVX512-BF16 or AMX."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    capabilities = torch.backends.cpu.get_cpu_capability() if device.type == "cpu" else ""
    return "AVX512" in capabilities and torch.ops.mkldnn._is_mkldnn_bf16_supported()


def _check(herbs: Sequence[str], val: Sequence[Sample]) -> None:
    if len(herbs) < 2:
        raise HerbError(
            "训练至少需要两种药材。请再加一个药材文件夹。",
            "Training needs at least two herbs. Add another herb's folder.",
            hint="too-few-herbs",
        )
    if not val:
        raise HerbError(
            "照片太少，留不出验证用的照片。请为每种药材至少准备 8 张不同的照片。",
            "Too few photos to set some aside for validation. Give at least 8 different photos "
            "per herb.",
            hint="too-few-photos",
        )


def _batches(
    samples: Sequence[Sample],
    herbs: Sequence[str],
    counts: Counter[str],
    preprocessing: Preprocessing,
    recipe: Recipe,
    epoch: int,
) -> DataLoader:
    generator = torch.Generator().manual_seed(recipe.seed * 10_000 + epoch)
    weights = [counts[sample.herb] ** -recipe.balance for sample in samples]
    sampler = WeightedRandomSampler(weights, len(samples), replacement=True, generator=generator)
    transform = training_transform(preprocessing, size=recipe.size_at(epoch))
    return DataLoader(
        PhotoDataset(samples, herbs, transform),
        batch_size=min(recipe.batch, len(samples)),
        sampler=sampler,
        drop_last=True,
        num_workers=min(8, max(1, (os.cpu_count() or 2) // 2)),
        generator=generator,  # seeds the workers too
        worker_init_fn=_one_thread,
    )


def _one_thread(worker: int) -> None:
    torch.set_num_threads(1)


def _validate(
    network: HerbNet, samples: Sequence[Sample], herbs: Sequence[str], preprocessing: Preprocessing
) -> dict[str, float]:
    features = extract(TorchEngine(network), samples, herbs, preprocessing)
    labels = torch.from_numpy(features.labels)
    with torch.inference_mode():
        head = network.fc
        logits = head(torch.from_numpy(features.pooled).to(head.weight.device)).cpu()
    right = (logits.argmax(1) == labels).float()
    per_herb = [right[labels == k].mean().item() for k in labels.unique()]
    return {
        "val_loss": functional.cross_entropy(logits, labels).item(),
        "val_top1": right.mean().item(),
        "val_macro_top1": sum(per_herb) / len(per_herb),
    }


def _save_state(
    file: Path,
    network: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
    kept: dict[str, Tensor],
    history: list[dict[str, Any]],
    best: float,
    herbs: Sequence[str],
) -> None:
    """Write all that resuming needs; safetensors and JSON, since pickles can carry code."""
    file.parent.mkdir(parents=True, exist_ok=True)
    tensors = {f"network.{k}": v for k, v in network.state_dict().items()}
    tensors |= {f"average.{k}": v for k, v in average.state_dict().items()}
    tensors |= {f"kept.{k}": v for k, v in kept.items()}
    tensors |= {f"optimizer.{k}": v for k, v in _moments(optimizer)}
    notes = {"history": json.dumps(history), "best": repr(best), "herbs": json.dumps(list(herbs))}
    temporary = file.with_suffix(".tmp")
    save_file({k: v.cpu().contiguous() for k, v in tensors.items()}, temporary, metadata=notes)
    os.replace(temporary, file)


def _moments(optimizer: torch.optim.Optimizer) -> Iterator[tuple[str, Tensor]]:
    """AdamW's moments and step counts, named "position in the groups.name"."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for position, parameter in enumerate(parameters):
        for name, value in optimizer.state[parameter].items():
            yield f"{position}.{name}", value


def _load_state(
    file: Path,
    network: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
    herbs: Sequence[str],
) -> tuple[list[dict[str, Any]], float, dict[str, Tensor]]:
    with safetensors.safe_open(file, "pt") as state:
        notes = state.metadata()
        tensors = {key: state.get_tensor(key) for key in state.keys()}  # noqa: SIM118
    if json.loads(notes["herbs"]) != list(herbs):
        raise HerbError(
            "未完成的训练用的是另一批药材，不能继续。请去掉 --resume 重新开始。",
            "The unfinished training had other herbs and cannot go on. Start anew, without "
            "--resume.",
            hint="resume-other-herbs",
        )
    device = next(network.parameters()).device

    def part(prefix: str) -> dict[str, Tensor]:
        return {
            k.removeprefix(prefix): v.to(device) for k, v in tensors.items() if k.startswith(prefix)
        }

    network.load_state_dict(part("network."))
    average.load_state_dict(part("average."))
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for key, value in part("optimizer.").items():
        position, name = key.split(".", 1)
        parameter = parameters[int(position)]
        if value.ndim:  # fused AdamW walks through memory: moments must lie as their weights do
            value = torch.empty_like(parameter, requires_grad=False).copy_(value)
        optimizer.state[parameter][name] = value
    return json.loads(notes["history"]), float(notes["best"]), part("kept.")
