"""errors.py: what the machine lacks, said in a sentence whatever library noticed it."""

import errno

import pytest
from safetensors import SafetensorError

from herbdemo.errors import shortage


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "disk-full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "disk-full"),
        (OSError(errno.EFBIG, "File too large"), "disk-full"),
        (SafetensorError("I/O error: No space left on device (os error 28)"), "disk-full"),
        (SafetensorError(f"I/O error: File too large (os error {errno.EFBIG})"), "disk-full"),
        (MemoryError(), "memory-full"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB."), "memory-full"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "memory-full"),
    ],
)
def test_a_shortage_is_told_from_other_errors(error, hint):
    said = shortage(error)
    assert said.hint == hint
    assert said.zh.endswith("再试一次。")
    assert said.en.endswith("try again.")
    wrapped = ValueError("cannot save")
    wrapped.__cause__ = error
    assert shortage(wrapped).hint == hint


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOENT, "No such file"), ValueError("x"), KeyError("os error 280")]
)
def test_other_errors_are_not_explained_away(error):
    assert shortage(error) is None
