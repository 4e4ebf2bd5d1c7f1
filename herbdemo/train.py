"""Fine-tuning: one loop, to be read from top to bottom.

    python -m herbdemo train FOLDER --name ID --init FILE
    torchrun --nproc-per-node=2 -m herbdemo train FOLDER --name ID --init FILE

1. The head alone, on features computed once: a random head would wreck the pretrained layers in
   its first steps.
2. All layers, or the upper ones, with small rates that shrink towards the input, and an average of
   the weights (EMA) that is what gets evaluated and kept.
3. The best epoch on `val` gets its temperature and thresholds, also on `val`.

Where it starts from a model, the herbs of that model are learned as well: from their photos where
the folder has them, otherwise from what the model remembers (see `replay`).

A killed run goes on where its last epoch ended (`resume=True`) and ends with the same numbers.
Neither that, nor the number of workers and processes, changes what is drawn at random.
"""

import copy
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from herbdemo import distributed
from herbdemo.augment import mixed
from herbdemo.batches import batch_loader
from herbdemo.calibrate import as_saved, finish
from herbdemo.checkpoint import Checkpoint, Preprocessing
from herbdemo.dataset import Sample, train_and_val
from herbdemo.decoded import Decoded, reduced
from herbdemo.errors import HerbError
from herbdemo.evaluate import Known, engine_for, extract, joined
from herbdemo.events import Event, features_told
from herbdemo.held_out import judged, trained
from herbdemo.intake import class_folders
from herbdemo.network import HerbNet, replace_head
from herbdemo.optimise import (
    careful_adamw,
    fit_head,
    freeze_batchnorm,
    keep_pruned,
    pruned_weights,
    update_average,
)
from herbdemo.recipe import Recipe, schedule
from herbdemo.replay import Anchor, Memory, remember, sources
from herbdemo.resume import STATE, load_state, save_state, training
from herbdemo.scores import Tail
from herbdemo.start import Start

# A stopped training is finished with so many photos per herb, so that it ends within seconds; with
# so many of all herbs together, but at least one of each.
HURRIED, MOST_HURRIED = 5, 200


def train(
    folder: str | Path,
    *,
    name: str,
    run: Path,
    start: Start,
    recipe: Recipe,
    resume: bool = False,
    say: Callable[[Event], None] = lambda event: None,
    stop: Callable[[], bool] = lambda: False,
    command: str = "",
) -> Checkpoint:
    """Train on `folder` and return the finished model, unsaved.

    Args:
        folder: see `dataset.train_and_val`; or a zip of such a folder.
        run: folder for the state that `resume` continues from.
        start: its network is changed in place. The herbs of its model, if any, come first in the
            new one.
        stop: asked at every step; once true, the best so far becomes the model, within seconds.

    Raises:
        HerbError: too few herbs or photos, a model that cannot remember, stopped before there was
            anything to keep, a full disk, or the run belongs to another training.
    """
    learned = {photo for _, photo in start.model.card.get("added", ())} if start.model else ()
    with ExitStack() as stack:
        photos = stack.enter_context(class_folders(folder))
        try:
            train_samples, val_samples = train_and_val(
                photos, seed=recipe.seed, learned=learned, progress=lambda *_: _give_up(stop)
            )
        except StoppedError:
            raise _too_early() from None
        paths = (sample.path for sample in (*train_samples, *val_samples))
        opened = stack.enter_context(Decoded(run / "photos", paths))
        network = copy.deepcopy(start.network)  # the proof asks the model as it was
        if not recipe.epochs:  # it will be saved as it is
            network.load_state_dict(as_saved(network.state_dict()))
        # Of the network as it starts and, unless that is the same, as it ends.
        at_first: Known = {}
        at_last: Known = {} if recipe.epochs else at_first
        present = herbs_of(train_samples)
        old = start.model.herbs if start.model else ()
        herbs = (*old, *(herb for herb in present if herb not in set(old)))
        memory = remember(start.model, set(present)) if start.model else None
        before = None
        if start.model:
            with suppress(StoppedError):  # the loop is told as well
                before = judged(start.model, val_samples, opened=opened, known=at_first,
                                progress=lambda *_: _give_up(stop))  # fmt: skip
        state, history = fit(
            network,
            train_samples,
            val_samples,
            herbs=herbs,
            memory=memory,
            run=run,
            preprocessing=start.preprocessing,
            recipe=recipe,
            resume=resume,
            say=say,
            stop=stop,
            parent=f"{start.name} {start.sha256}",
            opened=opened,
            known=at_first,
        )
        card = {
            "parent": start.name,
            "training": {"command": command, "recipe": asdict(recipe), "history": history},
            **({"old_herbs": sources(start.model, present)} if start.model else {}),
        }
        if start.model and not recipe.epochs:  # the same convolutions, so what holds of them
            card["int8"] = start.model.card.get("int8", {})
        complete = partial(finish, state, name=name, architecture=network.architecture,
                           herbs=herbs, memory=memory,
                           preprocessing=start.preprocessing, opened=opened,
                           known=at_last)  # fmt: skip
        if not distributed.any_of(stop()):
            with suppress(StoppedError):
                after = complete(train=train_samples, val=val_samples, card=card,
                                 progress=_progress(say, stop))  # fmt: skip
                say(Event("finish"))
                if not distributed.any_of(stop()):
                    with suppress(StoppedError):
                        report = trained(start.model, before, after, val_samples,
                                         memory.held_out if memory else None,
                                         opened=opened, known=at_last,
                                         progress=lambda *_: _give_up(stop))  # fmt: skip
                        return replace(after, card={**after.card, "proof": report})
                # A proof would take longer than stopping may.
                return replace(after, card={**after.card, "stopped": True})
        say(Event("finish"))
        # Without eight bits: finding their limits takes longer than stopping may.
        return complete(train=_few(train_samples), val=_few(val_samples),
                        card={"int8": {}, **card, "stopped": True})  # fmt: skip


def herbs_of(samples: Sequence[Sample]) -> tuple[str, ...]:
    """The herbs of the photos, in the order of the head where no model comes before them."""
    return tuple(sorted({sample.herb for sample in samples}))


def fit(
    network: HerbNet,
    train_samples: Sequence[Sample],
    val_samples: Sequence[Sample],
    *,
    run: Path,
    preprocessing: Preprocessing,
    recipe: Recipe,
    herbs: Sequence[str] = (),
    resume: bool = False,
    say: Callable[[Event], None] = lambda event: None,
    stop: Callable[[], bool] = lambda: False,
    keep_head: bool = False,
    teacher: Callable[[Tensor], Tensor] | None = None,
    memory: Memory | None = None,
    parent: str = "",
    opened: Callable[[Path], Image.Image] = reduced,
    known: Known | None = None,
) -> tuple[dict[str, Tensor], list[dict[str, Any]]]:
    """The loop itself: the averaged weights of the best epoch, and the figures of every epoch.

    Args:
        network: where to start; any `HerbNet` will do.
        herbs: in the order of the head; `herbs_of(train_samples)` where not given.
        keep_head: the head already knows `herbs`; otherwise it starts anew.
        teacher: gives the probabilities (N, herbs) of a batch as the network gets it, which make up
            `recipe.distil` of its targets (Hinton et al. 2015; Beyer et al. 2022 for why it must
            see the same crop).
        memory: what to rehearse of herbs without photos; then `network` is the one that knows them.
        parent: where `network` comes from; only from there may the run go on.
        opened, known: see `evaluate.extract`; known of `network` as it is given.
    """
    herbs = tuple(herbs) or herbs_of(train_samples)
    _check(herbs, val_samples, memory)
    known = {} if known is None else known
    accelerator = distributed.join()
    device = accelerator.device
    say(Event("start", {"herbs": len(herbs), "train": len(train_samples), "val": len(val_samples)}))

    # 1. The head, on features of the network as it is.
    network = network.eval().to(device).to(memory_format=torch.channels_last)
    anchor = None
    if memory and recipe.epochs:
        anchor = Anchor(copy.deepcopy(network), memory, accelerator.autocast)
    state_file = run / STATE
    resume = bool(distributed.agreed(resume and state_file.exists()))
    if resume:
        replace_head(network, len(herbs))  # of the right size; its weights are loaded below
    elif not keep_head:
        try:
            features = extract(engine_for(network, len(train_samples)), train_samples, herbs,
                               preprocessing, tail=Tail.of(network), opened=opened, known=known,
                               progress=_progress(say, stop))  # fmt: skip
        except StoppedError:
            raise _too_early() from None
        if memory:
            features = joined(features, memory.rehearsal(np.random.default_rng(recipe.seed)))
        replace_head(network, len(herbs))
        fit_head(network.fc, features, smoothing=recipe.smoothing)

    # 2. More of the network. From here on all processes have the weights of the first.
    optimizer = careful_adamw(network, recipe)
    pruned = pruned_weights(network)
    learner = accelerator.prepare_model(Learner(network))
    average = copy.deepcopy(network).eval().requires_grad_(False)
    of = training(herbs, recipe, train_samples, val_samples, parent)
    save = partial(save_state, state_file, network, average, optimizer, of=of)
    validate = partial(_validate, average, val_samples, herbs, preprocessing, memory, opened)
    if resume:
        kept, history, best = load_state(state_file, network, average, optimizer, of=of)
    else:
        kept = {k: v.clone() for k, v in average.state_dict().items()}
        history = [{"epoch": 0, **validate(known)}]
        best = history[0]["val_macro_top1"]
        if recipe.epochs:
            known.clear()  # 8 KB for each photo, of a network that is about to change
        say(Event("head", history[0]))
        if distributed.first():
            save(kept, history, best)

    batch = min(recipe.batch, len(train_samples))  # of all processes together
    steps_per_epoch = len(train_samples) // batch
    steps = steps_per_epoch * recipe.epochs
    begun, work = time.perf_counter(), 0.0
    with suppress(StoppedError):  # the best so far is what there is to return
        for epoch in range(history[-1]["epoch"], recipe.epochs):
            if recipe.patience and epochs_in_vain(history) >= recipe.patience:
                break
            loader = batch_loader(train_samples, herbs, preprocessing, recipe, epoch, opened)
            learner.train()
            if not recipe.anew:
                freeze_batchnorm(network)
            started, seen, losses = time.perf_counter(), 0, torch.zeros((), device=device)
            for step, (x, y) in enumerate(loader, start=epoch * steps_per_epoch):
                if distributed.any_of(stop()):
                    raise StoppedError
                for group in optimizer.param_groups:
                    group["lr"] = group["rate"] * schedule(step / steps, warmup=recipe.warmup)
                rng = np.random.default_rng((recipe.seed, step))  # the same in every process
                x = x.to(device, memory_format=torch.channels_last, non_blocking=True)
                y = y.to(device, non_blocking=True)
                x, target = mixed(x, y, num_classes=len(herbs), share=recipe.mix, rng=rng)
                if teacher:
                    with torch.no_grad():
                        target = target.lerp(teacher(x), recipe.distil)
                loss = _loss(learner, x, target, recipe, batch, memory, anchor, rng)
                optimizer.zero_grad()
                accelerator.backward(loss * distributed.world())  # which takes their mean
                keep_pruned(pruned)
                # A rare bad batch moves little.
                accelerator.clip_grad_norm_(network.parameters(), 5.0)
                optimizer.step()
                decay = min(recipe.average, (1 + step) / (10 + step))
                update_average(average, network, decay=decay)
                seen += batch
                losses += loss.detach() * batch
                work += recipe.work(epoch)
                if (step + 1) % 10 == 0:
                    now = time.perf_counter()
                    say(Event("step", {"epoch": epoch + 1, "step": step + 1, "steps": steps,
                                       "loss": float(distributed.total(losses)) / seen,
                                       "photos_per_second": seen / (now - started),
                                       "seconds_left": (now - begun) / work * work_after(
                                           recipe, step, steps_per_epoch)}))  # fmt: skip
            metrics = validate({}, stop)
            history.append({"epoch": epoch + 1,
                            "train_loss": float(distributed.total(losses)) / seen, **metrics,
                            "size": recipe.size_at(epoch),
                            "seconds": time.perf_counter() - started})  # fmt: skip
            say(Event("epoch", history[-1]))
            if metrics["val_macro_top1"] >= best:  # the later of two equals has seen more
                best = metrics["val_macro_top1"]
                kept = {k: v.clone() for k, v in average.state_dict().items()}
            if distributed.first():
                save(kept, history, best)
    return {k: v.cpu() for k, v in kept.items()}, history


class Learner(nn.Module):
    """One forward call around all that learns: it is where the processes' gradients meet."""

    def __init__(self, network: HerbNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, remembered: Tensor | None = None) -> tuple[Tensor, ...]:
        """Features (N, D) and logits of photos, and logits of remembered features (M, D)."""
        pooled = self.network.embed(self.network.features(x).mean((2, 3)))
        rehearsed = () if remembered is None else (self.network.fc(remembered),)
        return pooled, self.network.fc(pooled), *rehearsed


def _loss(
    learner: nn.Module,
    x: Tensor,
    target: Tensor,
    recipe: Recipe,
    batch: int,
    memory: Memory | None,
    anchor: Anchor | None,
    rng: np.random.Generator,
) -> Tensor:
    """This process's part of the mean loss of a batch; the parts of all processes add up to it."""
    misfit = partial(functional.cross_entropy, reduction="sum", label_smoothing=recipe.smoothing)
    if memory is None:
        return misfit(learner(x)[1], target) / batch
    assert anchor is not None
    drawn = memory.batch(batch, rng)
    rows = np.array(distributed.shard(range(batch)), int)
    remembered = torch.from_numpy(drawn.pooled[rows]).to(x.device)
    labels = torch.from_numpy(drawn.labels[rows]).to(x.device)
    pooled, logits, rehearsed = learner(x, remembered)
    share = len(memory.replayed) / logits.shape[1]  # each herb weighs the same
    photos = misfit(logits, target) + recipe.hold * anchor(x, pooled, logits).sum()
    return ((1 - share) * photos + share * misfit(rehearsed, labels)) / batch


def epochs_in_vain(history: Sequence[dict[str, Any]]) -> int:
    """Epochs since the best one. The head alone does not count: all layers need a run-up."""
    accuracy = [figures["val_macro_top1"] for figures in history[1:]]
    return len(accuracy) - 1 - accuracy.index(max(accuracy)) if accuracy else 0


def work_after(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """What is still to do after `step`, in the units of `recipe.work`."""
    epoch = step // steps_per_epoch
    later = sum(recipe.work(e) for e in range(epoch + 1, recipe.epochs))
    return recipe.work(epoch) * ((epoch + 1) * steps_per_epoch - step - 1) + later * steps_per_epoch


class StoppedError(Exception):
    """Raised inside a training that is told to stop; never leaves this module."""


def _progress(say: Callable[[Event], None], stop: Callable[[], bool]) -> Callable[[int, int], None]:
    """Reports how many features there are, and gives up when told to stop."""
    tell = features_told(say)

    def progress(done: int, total: int) -> None:
        _give_up(stop)
        tell(done, total)

    return progress


def _give_up(stop: Callable[[], bool]) -> None:
    # One process must not leave the others waiting: several agree on it at the next step.
    if distributed.world() == 1 and stop():
        raise StoppedError


def _validate(
    network: HerbNet,
    samples: Sequence[Sample],
    herbs: Sequence[str],
    preprocessing: Preprocessing,
    memory: Memory | None,
    opened: Callable[[Path], Image.Image],
    known: Known,
    stop: Callable[[], bool] = lambda: False,
) -> dict[str, float]:
    new = sum(sample.path not in known for sample in samples)
    features = extract(engine_for(network, new), samples, herbs, preprocessing, opened=opened,
                       known=known, tail=Tail.of(network),
                       progress=lambda done, total: _give_up(stop))  # fmt: skip
    if memory:
        features = joined(features, memory.held_out)
    labels = torch.from_numpy(features.labels)
    with torch.inference_mode():
        head = network.fc
        logits = head(torch.from_numpy(features.pooled).to(head.weight.device)).cpu()
    right = (logits.argmax(1) == labels).float()
    per_herb = [right[labels == k].mean().item() for k in labels.unique()]
    return {
        "val_loss": distributed.agreed(functional.cross_entropy(logits, labels).item()),
        "val_top1": distributed.agreed(right.mean().item()),
        "val_macro_top1": distributed.agreed(sum(per_herb) / len(per_herb)),
    }


def _check(herbs: Sequence[str], val: Sequence[Sample], memory: Memory | None) -> None:
    if len(herbs) < 2:
        raise HerbError(
            "训练至少需要两种药材。请再加一个药材文件夹。",
            "Training needs at least two herbs. Add another herb's folder.",
            hint="too-few-herbs",
        )
    if not val and memory is None:
        raise HerbError(
            "照片太少，留不出验证用的照片。请为每种药材至少准备 8 张不同的照片。",
            "Too few photos to set some aside for validation. Give at least 8 different photos "
            "per herb.",
            hint="too-few-photos",
        )


def _few(samples: Sequence[Sample]) -> list[Sample]:
    """The first few photos of each herb."""
    photos: dict[str, list[Sample]] = {}
    for sample in samples:
        photos.setdefault(sample.herb, []).append(sample)
    each = max(1, min(HURRIED, MOST_HURRIED // max(1, len(photos))))
    return [sample for of_herb in photos.values() for sample in of_herb[:each]]


def _too_early() -> HerbError:
    return HerbError(
        "训练在学到东西之前就被停止，没有留下模型。",
        "The training was stopped before it had learnt anything. There is no new model.",
        hint="stopped-early",
    )
