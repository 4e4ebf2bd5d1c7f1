"""Several processes, perhaps on several machines, that work as one.

    torchrun --nproc-per-node=2 -m herbdemo train FOLDER --name ID

Each process runs the same program on its share of the photos; gradients, sums and features meet.
Only the first one (`first()`) writes and speaks. Without torchrun there is one process, and every
function here is a no-op. What it takes to run this for real is in docs/scale.md.
"""

import os
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor, distributed

if TYPE_CHECKING:  # recognising needs none of it
    from accelerate import Accelerator

Item = TypeVar("Item")

# A process may wait this long for the others: the first one alone reads and writes the disk.
PATIENCE = timedelta(hours=1)


def join() -> "Accelerator":
    """Meet the processes that torchrun started, if any; the device and the precision to work with.

    Without a GPU they talk through gloo, which Accelerate takes only when told to stay on the CPU.
    ACCELERATE_MIXED_PRECISION ("no", "bf16") overrules what `fast_bfloat16` says.
    """
    from accelerate import Accelerator
    from accelerate.utils import DistributedDataParallelKwargs, InitProcessGroupKwargs

    cpu = "LOCAL_RANK" in os.environ and not torch.cuda.is_available()
    precision = "bf16" if fast_bfloat16() else "no"
    return Accelerator(
        cpu=cpu,
        mixed_precision=os.environ.get("ACCELERATE_MIXED_PRECISION", precision),
        kwargs_handlers=[
            InitProcessGroupKwargs(timeout=PATIENCE),
            DistributedDataParallelKwargs(gradient_as_bucket_view=True),  # no second copy of them
        ],
    )


def meet() -> None:
    """`join` where torchrun started several; importing Accelerate for one alone takes a second."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        join()


def leave() -> None:
    """Part from the other processes, at the end of the program."""
    if distributed.is_initialized():
        distributed.destroy_process_group()


def rank() -> int:
    """Which of the processes this is, from 0."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def world() -> int:
    """How many processes there are."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def first() -> bool:
    """Whether this is the process that writes and speaks."""
    return rank() == 0


def shard(items: Sequence[Item]) -> Sequence[Item]:
    """This process's share of `items`; the shares in order of their ranks are all of them."""
    start, stop = (len(items) * r // world() for r in (rank(), rank() + 1))
    return items[start:stop]


def gather(rows: Tensor) -> Tensor:
    """The rows (n, …) of all processes, in order of their ranks; n may differ from one to another.

    On the CPU, whatever the device that the processes talk through.
    """
    if world() == 1:
        return rows.cpu()
    device = _device()
    counts = [torch.zeros(1, dtype=torch.long, device=device) for _ in range(world())]
    distributed.all_gather(counts, torch.tensor([len(rows)], device=device))
    most = max(int(count) for count in counts)
    padded = torch.zeros(most, *rows.shape[1:], dtype=rows.dtype, device=device)
    padded[: len(rows)] = rows.to(device)
    parts = [torch.empty_like(padded) for _ in counts]
    distributed.all_gather(parts, padded)
    return torch.cat([p[: int(count)].cpu() for p, count in zip(parts, counts, strict=True)])


def gather_objects(items: Sequence[Item]) -> list[Item]:
    """The items of all processes, in order of their ranks."""
    if world() == 1:
        return list(items)
    parts: list[Sequence[Item]] = [()] * world()
    distributed.all_gather_object(parts, items)
    return [item for part in parts for item in part]


def total(values: Tensor) -> Tensor:
    """The sum of `values` (…) over all processes, as large and on the same device."""
    if world() == 1:
        return values
    everything = values.detach().to(_device(), copy=True)
    distributed.all_reduce(everything)
    return everything.to(values.device)


def agreed(value: float) -> float:
    """The `value` of the first process, for all: no rounding may part their ways."""
    if world() == 1:
        return value
    tensor = torch.tensor([value], dtype=torch.float64, device=_device())
    distributed.broadcast(tensor, src=0)
    return float(tensor)


def any_of(flag: bool) -> bool:
    """Whether `flag` is true in at least one process."""
    return bool(total(torch.tensor(float(flag))))


def fast_bfloat16() -> bool:
    """Whether bfloat16 is quicker than float32 here: on GPUs, and CPUs with AVX512-BF16 or AMX."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if torch.backends.mps.is_available():
        return False
    capability = torch.backends.cpu.get_cpu_capability()
    return "AVX512" in capability and torch.ops.mkldnn._is_mkldnn_bf16_supported()


def _device() -> torch.device:
    if distributed.get_backend() == "nccl":
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("cpu")
