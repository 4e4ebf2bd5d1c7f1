"""The one exception of the library: a sentence in Chinese and in English that says what to do."""

import errno
import re

from herbdemo.traditional import is_traditional, traditional

# No room on the disk, in the user's share of it, or in a single file.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FULL_WORDS = r"No space left on device|os error (?:{}|{}|{})\b".format(*_FULL)
_MEMORY_WORDS = r"(?i)out of memory|can't allocate memory|Cannot allocate memory"


class HerbError(Exception):
    """A failure that a user can cause, and can mend.

    `zh` and `en` say what is wrong and what to do about it; they never hold a server path or a
    traceback, so they may be shown to anyone. `hint` is a short, stable slug such as
    "photo-truncated", for programs and tests.
    """

    def __init__(self, zh: str, en: str, *, hint: str = "") -> None:
        super().__init__(f"{zh} {en}")
        self.zh = zh
        self.en = en
        self.hint = hint

    def __reduce__(self) -> tuple:  # crosses process borders with all three parts
        return (_rebuild, (self.zh, self.en, self.hint))

    def say(self, language: str) -> str:
        """The sentence in `language`: "zh", "zh-Hant" (also as zh-TW, zh-HK), or else English."""
        if is_traditional(language):
            return traditional(self.zh)
        return self.zh if language.casefold().startswith("zh") else self.en


def shortage(error: BaseException) -> HerbError | None:
    """The sentence for a full disk or too little memory; None when `error` is neither.

    Libraries wrap what the system says in errors of their own, so their words are read too.
    """
    cause: BaseException | None = error
    while cause is not None:
        if getattr(cause, "errno", None) in _FULL or re.search(_FULL_WORDS, str(cause)):
            return HerbError(
                "磁盘已满，没有写完。正在使用的模型不受影响。请腾出空间，再试一次。",
                "The disk is full, and writing was given up. The model in use is as it was. "
                "Make room and try again.",
                hint="disk-full",
            )
        if isinstance(cause, MemoryError) or re.search(_MEMORY_WORDS, str(cause)):
            return HerbError(
                "内存不足。正在使用的模型不受影响。请关闭其他程序，或减少照片，再试一次。",
                "There is not enough memory. The model in use is as it was. Close other programs, "
                "or use fewer photos, and try again.",
                hint="memory-full",
            )
        cause = cause.__cause__ or cause.__context__
    return None


def _rebuild(zh: str, en: str, hint: str) -> HerbError:
    return HerbError(zh, en, hint=hint)
