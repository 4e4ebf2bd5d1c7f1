"""The one exception of the library: a sentence in Chinese and in English that says what to do."""


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
        """The sentence in `language`: "zh", or English for anything else."""
        return self.zh if language.startswith("zh") else self.en


def _rebuild(zh: str, en: str, hint: str) -> HerbError:
    return HerbError(zh, en, hint=hint)
