"""What a target is, and what their takers share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

Seeds = Sequence[bytes]
MB = 1 << 20


@dataclass(frozen=True)
class Target:
    """One kind of input.

    Attributes:
        about: what takes it. seeds: makes the good ones. change: makes a case of a seed.
        taker: makes the function that takes a case, given an empty folder of its own.
        memory: bytes that one case may take at most, beyond what the process has before.
    """

    about: str
    seeds: Callable[[], Seeds]
    change: Callable[[bytes, Seeds, Random], bytes]
    taker: Callable[[Path], Callable[[bytes], object]]
    memory: int = 64 * MB


class NoSync:
    """The module `os` without `fsync`."""

    def __init__(self, module) -> None:
        self.module = module

    def __getattr__(self, name: str):
        return (lambda _: None) if name == "fsync" else getattr(self.module, name)
