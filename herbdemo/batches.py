"""The batches of an epoch, the same however many processes and workers share the work."""

import os
import random
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from herbdemo.augment import training_transform
from herbdemo.checkpoint import Preprocessing
from herbdemo.dataset import PhotoDataset, Sample
from herbdemo.decoded import reduced
from herbdemo.distributed import rank, shard, world
from herbdemo.errors import HerbError
from herbdemo.recipe import Recipe


class SeededDataset(Dataset):
    """`photos[position]` for (position, seed), its random numbers drawn from `seed` alone."""

    def __init__(self, photos: PhotoDataset) -> None:
        self.photos = photos

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, int]:
        position, seed = key
        torch.manual_seed(seed)
        random.seed(seed)
        return self.photos[position]


def epoch_batches(
    samples: Sequence[Sample], *, batch: int, balance: float, seed: int
) -> list[list[tuple[int, int]]]:
    """Whole batches of (position in `samples`, seed), herbs with few photos drawn more often.

    Args:
        batch: photos in each.
        balance: photos of a herb with n photos are drawn n**-balance as often; 1 evens herbs out.
    """
    counts = Counter(sample.herb for sample in samples)
    weights = torch.tensor([counts[s.herb] ** -balance for s in samples], dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.multinomial(weights, len(samples), replacement=True, generator=generator)
    seeds = torch.randint(2**62, (len(samples),), generator=generator)
    keys = list(zip(drawn.tolist(), seeds.tolist(), strict=True))
    batch = min(batch, len(samples))
    return [keys[start : start + batch] for start in range(0, len(keys) - batch + 1, batch)]


def local_part(batch: Sequence) -> list:
    """This process's share of a batch. Neighbours stay together, since `mixed` mixes them."""
    pairs = [batch[start : start + 2] for start in range(0, len(batch), 2)]
    return [item for pair in shard(pairs) for item in pair]


def batch_loader(
    samples: Sequence[Sample],
    herbs: Sequence[str],
    preprocessing: Preprocessing,
    recipe: Recipe,
    epoch: int,
    opened: Callable[[Path], Image.Image] = reduced,
) -> DataLoader:
    """This process's share of the batches of `epoch`: photos (n, 3, H, W) and labels (n,).

    Args:
        opened: gives the picture of a file, see `decoded`.

    Raises:
        HerbError: there are too many processes for batches of this size.
    """
    batches = epoch_batches(
        samples,
        batch=recipe.batch,
        balance=recipe.balance,
        seed=recipe.seed * 10_000 + epoch,  # so that a resumed run draws the same
    )
    if (len(batches[0]) + 1) // 2 < world():
        raise HerbError(
            "进程太多，一批照片不够分。请减少 torchrun 的进程数。",
            "There are more processes than a batch has pairs of photos. Start fewer with torchrun.",
            hint="batch-too-small",
        )
    transform = training_transform(preprocessing, size=recipe.size_at(epoch))
    return DataLoader(
        SeededDataset(PhotoDataset(samples, herbs, transform, opened)),
        batch_sampler=[local_part(batch) for batch in batches],
        num_workers=workers(),
        pin_memory=torch.cuda.is_available(),  # so that copying goes on beside the work
        generator=torch.Generator().manual_seed(rank()),  # else it draws from the global one
        worker_init_fn=_be_a_worker,
    )


def workers() -> int:
    """How many processes load the photos of this one."""
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # processes that share this machine's cores
    # On a CPU the network wants the cores itself: 3 ms of one go into a photo here, 50 there.
    share = 1 if torch.cuda.is_available() else 2
    return min(16, max(1, (os.cpu_count() or 2) // share // here))


def _be_a_worker(number: int) -> None:
    torch.set_num_threads(1)
    # Inherited from the training, which goes on to the end of its step; a worker only serves it.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
