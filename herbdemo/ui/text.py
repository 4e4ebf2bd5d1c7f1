"""A sentence of the page in Chinese and in English, kept together."""

import html
from typing import NamedTuple


class Text(NamedTuple):
    """One sentence in both languages."""

    zh: str
    en: str

    def format(self, *values: object, **named: object) -> "Text":
        """Both sentences filled in; a value that is a `Text` or an exception gives its twin."""

        def twin(value: object, language: str) -> object:
            return getattr(value, language, value)

        zh, en = (
            sentence.format(
                *(twin(value, language) for value in values),
                **{name: twin(value, language) for name, value in named.items()},
            )
            for sentence, language in ((self.zh, "zh"), (self.en, "en"))
        )
        return Text(zh, en)

    @property
    def html(self) -> str:
        """Both sentences, escaped; the style sheet hides one."""
        zh, en = html.escape(self.zh), html.escape(self.en)
        return f'<span class="zh" lang="zh-CN">{zh}</span><span class="en" lang="en">{en}</span>'

    def attribute(self, name: str) -> str:
        """An attribute such as alt or aria-label in both languages; `page.js` picks one."""
        zh, en = html.escape(self.zh), html.escape(self.en)
        return f'{name}="{zh}" data-zh-{name}="{zh}" data-en-{name}="{en}"'
