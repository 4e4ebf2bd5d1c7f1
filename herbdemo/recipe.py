"""The settings of a training, and the three that have a name."""

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Recipe:
    """The settings of a training. The defaults made the default model; see CONTRIBUTING.md."""

    epochs: int = 10
    batch: int = 32  # of all processes together
    depth: int = 4  # parts that learn, from the head on: head, layer4, layer3, layer2, the rest
    patience: int = 0  # epochs without a better val_macro_top1 after which it ends; 0: never
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
    # Pull towards the old network's features and answers, where it is extended. Of 0, 1 and 10 only
    # 10 left the old herbs nearly as they were; see benchmarks/RECIPE.md.
    hold: float = 10.0
    average: float = 0.995  # EMA of the weights per step: about the last two epochs of 120 steps
    seed: int = 0
    anew: bool = False  # BatchNorm learns its statistics, too: there are none yet

    def size_at(self, epoch: int) -> int:
        """Side of the training photos in `epoch`, in pixels."""
        return [size for start, size in self.sizes if epoch >= start * self.epochs][-1]

    def work(self, epoch: int) -> float:
        """What a step of `epoch` costs, beside those of other epochs."""
        return self.size_at(epoch) ** 2


PRESETS = {
    # Only the head, on features computed once: one pass over the photos, no more.
    "quick": Recipe(epochs=0, depth=1),
    # What is below layer4 stays, so its backward pass is saved, and little data spoils little.
    "standard": Recipe(depth=2, epochs=8, patience=3),
    "full": Recipe(),
}


def from_nothing(recipe: Recipe) -> Recipe:
    """The same for a network with random weights: all of it learns, and five times as fast."""
    return replace(recipe, anew=True, depth=5, rate=1e-3, head_factor=1.0, decay=1.0)


def schedule(progress: float, *, warmup: float) -> float:
    """Share of the full rate at `progress` (0..1): a linear warm-up, then half a cosine."""
    if progress < warmup:
        return (progress + 1e-3) / warmup
    return 0.5 * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup)))
