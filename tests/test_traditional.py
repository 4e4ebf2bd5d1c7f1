"""Traditional Chinese: every text has it, and it is what OpenCC and the herbs' own column say."""

import pytest
from opencc import OpenCC

from herbdemo.errors import HerbError
from herbdemo.herbs import Herb, catalogue
from herbdemo.traditional import is_traditional, traditional
from herbdemo.ui import texts, texts_batch, texts_explain, texts_herbs, texts_learn, texts_many
from herbdemo.ui.text import Text
from scripts.traditional import expected
from scripts.traditional import texts as ours

# OpenCC takes these for simplified, or for another form of the character than the usual one.
NAMES = {
    "二丑", "白丑", "黑丑", "三棱", "台烏藥", "岩白菜", "杠板歸", "苧麻根", "鐵皮楓斗", "鴨跖草",
}  # fmt: skip


def test_every_text_is_written_as_expected():
    wrong = {text: traditional(text) for text in ours() if traditional(text) != expected(text)}
    assert wrong == {}, "make the table anew: python -m scripts.traditional"


def test_no_simplified_character_is_left():
    convert = OpenCC("s2tw").convert
    written = {traditional(text) for text in ours()}
    assert {text for text in written if convert(text) != text} == NAMES


def test_every_text_of_the_page_is_among_them():
    known = set(ours())
    assert len(known) > 1500
    modules = (texts, texts_batch, texts_explain, texts_herbs, texts_learn, texts_many)
    said = [item for module in modules for item in vars(module).values() if isinstance(item, Text)]
    assert len(said) > 300
    words = [text for text in said if any(character.isalpha() for character in text.zh)]
    assert [text for text in words if text.zh not in known and not text.zh.isascii()] == []
    assert [text for text in said if not text.zh or not text.en] == []


def test_herbs_bear_their_own_names():
    for herb in catalogue().values():
        assert traditional(herb.zh) == (herb.zh_hant or herb.zh)


@pytest.mark.parametrize(
    ("zh", "hant"),
    [
        ("干姜、姜黄与炮姜", "乾薑、薑黃與炮薑"),
        ("根皮或干皮", "根皮或幹皮"),
        ("人发的炭化品，发芽的种子", "人髮的炭化品，發芽的種子"),
        ("照片里面，千里光以后", "照片裡面，千里光以後"),
        ("制何首乌的炮制品", "製何首烏的炮製品"),
        ("服务器上的文件夹", "伺服器上的資料夾"),
        ("列为“有毒”", "列為「有毒」"),
        ("黨參 and Ginseng 1.5%", "黨參 and Ginseng 1.5%"),
        ("", ""),
    ],
)
def test_words_that_are_written_in_two_ways(zh, hant):
    assert traditional(zh) == hant


@pytest.mark.parametrize("language", ["zh-Hant", "zh-TW", "zh_TW.UTF-8", "zh-HK", "ZH-mo"])
def test_who_reads_it(language):
    assert is_traditional(language)
    assert HerbError("请换一张。", "Take another.").say(language) == "請換一張。"
    assert Herb("龙葵草").name(language) == "龍葵草"


@pytest.mark.parametrize(
    ("language", "said"),
    [("zh", "请换一张。"), ("zh-CN", "请换一张。"), ("en-GB", "Take another.")],
)
def test_who_does_not(language, said):
    assert not is_traditional(language)
    assert HerbError("请换一张。", "Take another.").say(language) == said
