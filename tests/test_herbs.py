"""The catalogue of herbs: its facts against independent lists, and finding a herb by any name."""

import csv
import re
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opencc import OpenCC
from pypinyin import Style, lazy_pinyin

from herbdemo import herbs
from herbdemo.herbs import TOXIC, Herb, catalogue, find, herb_named, namesakes, search

ROOT = Path(__file__).resolve().parent.parent
words = str.split

# What the default model knows: dried medicines, then living or fresh plants.
DRIED = words("""
党参 冬虫夏草 当归 枸杞子 槐花 灵芝 白扁豆 白术 白矾 白芍 百合 百部 肉桂 艾叶 芦根
茯苓 草果 薄荷 覆盆子 金银花
""")
LIVING = words("蒲公英 向日葵 月季花 款冬花 卷丹 生姜 大蒜 石榴 柠檬 橘 桃")
DEVELOPMENT = words("罗勒 牛至 欧芹 百里香 洋葱 郁金香")

# The distinct names in the class list of the recogniser that this project re-implements.
ORIGINAL = words("""
車前草 金銀花 蒲公英 鴨跖草 垂盆草 酸漿 蒼耳 馬蘭頭 薺菜 小薊 水芹菜 天胡荽 酢漿草
婆婆指甲菜 漆姑草 通泉草 波斯婆婆納 澤漆 狗尾巴草 旋復花 黃花菜 小飛蓬 金線草 鴨舌草
蘭花參 柴胡 麥冬 蛇莓 玉竹 桑白皮 曼陀羅 鬼針草 苦菜 葵菜 蕁麻 龍葵 蒺藜 何首烏
野薄荷 棕櫚 夏枯草 絞股藍 紫云英 七星草 芍藥 貝母 當歸 丹皮 紫蘇 益母草 枇杷葉 荷葉
大青葉 艾葉 野菊花 月季花 旋覆花 蓮子 菟絲子 銀杏 茴香 天麻 葛根 桔梗 黃柏 杜仲
厚樸 全蝎 地龍 土鱉蟲 蟋蟀 貝殼 珍珠 磁石 麻黃 桂枝 生姜 香薷 紫蘇葉 藁本 辛夷
防風 白芷 荊芥 羌活 蒼耳子 薄荷 牛蒡子 蔓荊子 蟬蛻 桑葉 升麻 淡豆豉 知母 梔子 蘆根
天花粉 淡竹葉 黃芩 黃連 龍膽 苦參 犀角 生地黃 玄參 牡丹皮 赤芍 連翹 魚腥草 熟地黃
黨參 山藥 枸杞子 青皮薄荷 香附 黃芪 西洋參 茯苓 蒼術 老姜 玫瑰花 桑枝 木瓜 雞血藤
女貞子 薏米 百合 人參 太子參 鹿茸 龜板 鱉甲 杏仁 陳皮 丹參 川芎 旱蓮草 車前子 大黃
青皮 香櫞 佛手 熟地 白芍 阿膠 三七 桃仁 紅花 元胡 生地 石斛 沙參 巴戟天 鎖陽
火炭母 地膽草 崩大碗 布荊 八角楓 八角茴香 八角金盤 八角蓮 八角蓮葉
""")

# The 83 drugs of the Chinese Pharmacopoeia (2020, volume I) that it calls toxic, class by class.
PHARMACOPOEIA = {
    "highly toxic": words("""
川乌 马钱子 马钱子粉 天仙子 巴豆 巴豆霜 红粉 闹羊花 草乌 斑蝥
"""),
    "toxic": words("""
三颗针 干漆 土荆皮 山豆根 千金子 千金子霜 制川乌 天南星 制天南星 木鳖子 甘遂 仙茅 白附子 白果
白屈菜 半夏 朱砂 华山参 全蝎 芫花 苍耳子 两头尖 附子 苦楝皮 金钱白花蛇 京大戟 制草乌 牵牛子 轻粉
香加皮 洋金花 臭灵丹草 狼毒 常山 商陆 硫黄 雄黄 蓖麻子 蜈蚣 罂粟壳 蕲蛇 蟾酥
"""),
    "slightly toxic": words("""
丁公藤 九里香 土鳖虫 大皂角 川楝子 小叶莲 飞扬草 水蛭 艾叶 北豆根 地枫皮 红大戟 两面针 吴茱萸
苦木 苦杏仁 金铁锁 草乌叶 南鹤虱 鸦胆子 重楼 急性子 蛇床子 猪牙皂 绵马贯众 绵马贯众炭 紫萁贯众
蒺藜 榼藤子 鹤虱 翼首草
"""),
}
# Poisons that the pharmacopoeia does not hold (any more), by the textbooks.
OUTSIDE = {
    "highly toxic": [
        *words("雷公藤 钩吻"),
        *words("毒芹 火焰茸"),  # no drugs: people died who took them for 水芹菜 and 灵芝
    ],
    "toxic": [
        *words("曼陀罗 苍耳"),  # the plants whose flower or fruit is listed as toxic
        *words("关木通 广防己 青木香 马兜铃 天仙藤"),  # withdrawn: aristolochic acids
        *words("泽漆 八角莲 八角莲叶 八角枫 莽草 黄药子 水半夏"),
        *words("菊三七 相思子 桃儿七 丽江山慈菇 水仙"),  # known from being taken for others
    ],
}

# Where OpenCC writes traditional characters that Chinese herbals do not.
NOT_AS_OPENCC = {
    # 炮製, to process a drug, and not 制, to rule
    "制川乌": "製川烏",
    "制草乌": "製草烏",
    "制天南星": "製天南星",
    "制何首乌": "製何首烏",
    # ginger, not the surname
    "炮姜": "炮薑",
    "姜半夏": "薑半夏",
    # grain, not valley
    "谷芽": "穀芽",
    "谷精草": "穀精草",
    # the rhizome 朮 (zhú), as in 白朮 and 蒼朮, which OpenCC knows
    "莪术": "莪朮",
    # characters that OpenCC takes from old dictionaries: 槓 皁 巖 牀 衆 竈
    "杠板归": "杠板歸",
    "皂矾": "皂礬",
    "猪牙皂": "豬牙皂",
    "岩白菜": "岩白菜",
    "蛇床子": "蛇床子",
    "绵马贯众": "綿馬貫眾",
    "绵马贯众炭": "綿馬貫眾炭",
    "紫萁贯众": "紫萁貫眾",
    "灶心土": "灶心土",
}

# Where pypinyin reads a character as in everyday words, or in an older way.
NOT_AS_PYPINYIN = {
    # 参 is shēn in drugs; cān is to take part
    "玄参": "xuán shēn",
    "竹节参": "zhú jié shēn",
    "华山参": "huà shān shēn",
    "珠子参": "zhū zǐ shēn",
    "拳参": "quán shēn",
    "兰花参": "lán huā shēn",
    # 芎 is xiōng in the standard language
    "川芎": "chuān xiōng",
    # 射干 is shè gān; yè gàn is the reading of old rhyme books
    "射干": "shè gān",
    "川射干": "chuān shè gān",
    # 黄柏 is the drug 黄檗, bò; in 卷柏 the plant curls up, juǎn
    "黄柏": "huáng bò",
    "关黄柏": "guān huáng bò",
    "卷柏": "juǎn bǎi",
    # 炮 is páo where it means to process by fire
    "炮姜": "páo jiāng",
    # 壳 is qiào in the names of drugs
    "枳壳": "zhǐ qiào",
    "罂粟壳": "yīng sù qiào",
    "蛤壳": "gé qiào",
    # 重 is chóng, repeated: the whorls stand one above the other
    "重楼": "chóng lóu",
    # a man's name: cháng
    "徐长卿": "xú cháng qīng",
    # 茸 is róng, as in 鹿茸
    "火焰茸": "huǒ yàn róng",
    # 茄 is qié
    "荜澄茄": "bì chéng qié",
    "颠茄草": "diān qié cǎo",
    # of Tibet, zàng; hidden would be cáng
    "藏菖蒲": "zàng chāng pú",
    # 蛸 is xiāo in both drugs; shāo is a spider
    "海螵蛸": "hǎi piāo xiāo",
    "桑螵蛸": "sāng piāo xiāo",
    # single words, as dictionaries of the standard language and of drugs read them
    "菟丝子": "tù sī zǐ",
    "萹蓄": "biān xù",
    "荨麻": "qián má",
    "杠板归": "gàng bǎn guī",
    "莪术": "é zhú",
    "哈蟆油": "há má yóu",
}

FACTS = [
    ("金银花", "zh_hant", "金銀花"),
    ("金银花", "pinyin", "jīn yín huā"),
    ("金银花", "latin", "Lonicerae Japonicae Flos"),
    ("金银花", "confused_with", ("山银花", "钩吻")),
    ("山银花", "latin", "Lonicerae Flos"),
    ("党参", "latin", "Codonopsis Radix"),
    ("党参", "zh_hant", "黨參"),
    ("冬虫夏草", "latin", "Cordyceps"),
    ("白矾", "latin", "Alumen"),
    ("白矾", "part", "mineral"),
    ("白术", "zh_hant", "白朮"),
    ("白术", "pinyin", "bái zhú"),
    ("肉桂", "latin", "Cinnamomi Cortex"),
    ("桂枝", "latin", "Cinnamomi Ramulus"),
    ("白芍", "latin", "Paeoniae Radix Alba"),
    ("赤芍", "latin", "Paeoniae Radix Rubra"),
    ("百合", "latin", "Lilii Bulbus"),
    ("卷丹", "latin", "Lilium lancifolium"),
    ("卷丹", "state", "living"),
    ("款冬花", "part", "flower bud"),
    ("生姜", "latin", "Zingiberis Rhizoma Recens"),
    ("干姜", "zh_hant", "乾薑"),
    ("干姜", "state", "dried"),
    ("桃", "latin", "Prunus persica"),
    ("桃仁", "latin", "Persicae Semen"),
    ("大黄", "pinyin", "dà huáng"),
    ("阿胶", "pinyin", "ē jiāo"),
    ("没药", "pinyin", "mò yào"),
    ("女贞子", "pinyin", "nǚ zhēn zǐ"),
    ("黄柏", "latin", "Phellodendri Chinensis Cortex"),
    ("关黄柏", "latin", "Phellodendri Amurensis Cortex"),
    ("防己", "latin", "Stephaniae Tetrandrae Radix"),
    ("木通", "latin", "Akebiae Caulis"),
    ("附子", "latin", "Aconiti Lateralis Radix Praeparata"),
    ("川乌", "toxic", "highly toxic"),
    ("制川乌", "toxic", "toxic"),
    ("附子", "toxic", "toxic"),
    ("巴豆", "toxic", "highly toxic"),
    ("马钱子", "toxic", "highly toxic"),
    ("半夏", "toxic", "toxic"),
    ("法半夏", "toxic", ""),  # processing takes the mark away
    ("白果", "toxic", "toxic"),
    ("银杏叶", "toxic", ""),
    ("苦杏仁", "toxic", "slightly toxic"),
    ("桃仁", "toxic", ""),
    ("艾叶", "toxic", "slightly toxic"),
    ("重楼", "toxic", "slightly toxic"),
    # was 小毒 up to the edition of 2000, when the whole plant was used; now root and rhizome are
    ("细辛", "toxic", ""),
]

LOOKALIKES = words("""
人参-西洋参 人参-商陆 人参-桔梗 苍术-白术 赤芍-白芍 木通-关木通 防己-广防己 半夏-天南星 半夏-水半夏
川贝母-浙贝母 川贝母-平贝母 苦杏仁-桃仁 百合-卷丹 八角茴香-莽草 玫瑰花-月季花 附子-白附子
川木通-关木通 五加皮-香加皮 木香-青木香 山豆根-北豆根 凌霄花-洋金花 华山参-人参
金银花-钩吻 三七-菊三七 赤小豆-相思子 威灵仙-桃儿七 龙胆-桃儿七 川贝母-丽江山慈菇
山慈菇-丽江山慈菇 水芹菜-毒芹 洋葱-水仙 薤白-水仙 灵芝-火焰茸
""")

# fmt: off
BY_ANY_NAME = [
    ("金银花", "金银花"), ("金銀花", "金银花"), ("Lonicerae Japonicae Flos", "金银花"),
    ("lonicerae japonicae flos", "金银花"), ("honeysuckle flower", "金银花"),
    ("Honeysuckle", "金银花"), ("jīn yín huā", "金银花"), ("jīnyínhuā", "金银花"),
    ("Jin Yin Hua", "金银花"), ("JINYINHUA", "金银花"), ("jin-yin-hua", "金银花"),
    ("jin'yin'hua", "金银花"), (" 金 银 花 ", "金银花"), ("忍冬花", "金银花"), ("二花", "金银花"),
    ("ｊｉｎｙｉｎｈｕａ", "金银花"), ("金银花.", "金银花"), ("金银花\u200b", "金银花"),
    ("黨參", "党参"), ("黨蔘", "党参"), ("人蔘", "人参"), ("黃耆", "黄芪"), ("黃芪", "黄芪"),
    ("龜板", "龟甲"), ("白朮", "白术"), ("nüzhenzi", "女贞子"), ("nuzhenzi", "女贞子"),
    ("nvzhenzi", "女贞子"), ("nǚ zhēn zǐ", "女贞子"), ("Mantidis Ootheca", "桑螵蛸"),
    ("Mantidis Oötheca", "桑螵蛸"),
    ("St. John's Wort", "贯叶金丝桃"), ("st johns wort", "贯叶金丝桃"),
    ("ginger", "生姜"), ("goji berry", "枸杞子"), ("garlic", "大蒜"), ("basil", "罗勒"),
    ("Lilium lancifolium", "卷丹"),  # the plant itself comes before the drugs made of it
    ("Prunus persica", "桃"), ("Ginkgo biloba", "银杏"),
]
# fmt: on

HOSTILE = [
    "",
    " ",
    "?!",
    "\x00",
    "\x00\x07\x1b[31m",
    "\u202e\u2066",
    "\ud800",
    "\udcff金\udfff",
    "🌿",
    "👩\u200d🔬",
    "\u0301" * 500,
    "\ufdfa" * 200,
    "金" * 10_000,
    "a" * 10_000,
    "ב" * 10_000,
    "../../etc/passwd",
    "金银花;DROP TABLE",
    "nan",
    "ß",
    "İ",
]


@pytest.fixture(scope="module")
def to_simplified():
    return OpenCC("t2s").convert


@pytest.fixture
def only(monkeypatch):
    """`only(*herbs)` makes them the whole catalogue."""

    def replace(*some: Herb) -> None:
        monkeypatch.setattr(herbs, "catalogue", lambda: {herb.zh: herb for herb in some})
        herbs._tables.cache_clear()
        herbs._entries.cache_clear()

    yield replace
    herbs._tables.cache_clear()
    herbs._entries.cache_clear()


# the facts


def test_the_file_is_a_clean_table_with_unique_ids():
    with (ROOT / "herbdemo" / "herbs.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    header, rows = rows[0], rows[1:]
    assert ",".join(header) == "zh,zh_hant,pinyin,latin,en,part,state,toxic,confused_with,aliases"
    assert {len(row) for row in rows} == {len(header)}
    assert not [row for row in rows for cell in row if cell != " ".join(cell.split())]
    assert [zh for zh, n in Counter(row[0] for row in rows).items() if n > 1] == []
    assert list(catalogue()) == [row[0] for row in rows]
    assert len(rows) >= 500


def test_the_catalogue_is_read_only():
    with pytest.raises(TypeError):
        catalogue()["金银花"] = Herb("x")


@pytest.mark.parametrize("zh", [*DRIED, *LIVING, *DEVELOPMENT])
def test_herbs_of_the_models_are_complete(zh):
    herb = catalogue()[zh]
    assert all((herb.zh_hant, herb.pinyin, herb.latin, herb.en, herb.part, herb.state))
    if zh in DRIED + LIVING:
        assert herb.state == ("living" if zh in LIVING else "dried")


def test_every_folder_of_photos_has_a_row(data):
    folders = {
        p.name for p in [*(data / "herbs" / "train").iterdir(), *(data / "new_herbs").iterdir()]
    }
    assert {f for f in folders if f in catalogue()} == folders


@pytest.mark.parametrize("name", ORIGINAL)
def test_the_names_of_the_original_resolve_in_both_scripts(name, to_simplified):
    herb = find(name)
    assert herb is not None
    assert find(to_simplified(name)) is herb
    assert herb in search(name)


def test_the_original_has_163_names():
    assert len(ORIGINAL) == len(set(ORIGINAL)) == 163


@pytest.mark.parametrize(("zh", "field", "value"), FACTS)
def test_facts(zh, field, value):
    assert getattr(catalogue()[zh], field) == value


@pytest.mark.parametrize("pair", LOOKALIKES)
def test_lookalikes(pair):
    a, b = pair.split("-")
    assert b in catalogue()[a].confused_with


def test_lookalikes_exist_and_are_symmetric():
    for zh, herb in catalogue().items():
        assert len(set(herb.confused_with)) == len(herb.confused_with)
        assert zh not in herb.confused_with
        for other in herb.confused_with:
            assert zh in catalogue()[other].confused_with, f"{other} does not name {zh}"


def test_toxic_is_what_the_pharmacopoeia_says_and_no_more():
    assert {k: len(v) for k, v in PHARMACOPOEIA.items()} == {
        "highly toxic": 10,
        "toxic": 42,
        "slightly toxic": 31,
    }
    for degree in TOXIC:
        listed = {zh for zh, herb in catalogue().items() if herb.toxic == degree}
        assert listed == {*PHARMACOPOEIA[degree], *OUTSIDE.get(degree, ())}
    assert {herb.toxic for herb in catalogue().values()} == {"", *TOXIC}


def test_states_are_dried_living_or_unknown():
    assert {herb.state for herb in catalogue().values()} == {"dried", "living", ""}


def test_traditional_names_agree_with_opencc(to_simplified):
    to_traditional = OpenCC("s2t").convert
    different = {}
    for zh, herb in catalogue().items():
        assert to_simplified(herb.zh_hant) == zh
        # 蔘 is a variant of 參 that herbals and pharmacists have long given up
        if herb.zh_hant != to_traditional(zh).replace("蔘", "參"):
            different[zh] = herb.zh_hant
    assert different == NOT_AS_OPENCC


def test_pinyin_agrees_with_pypinyin():
    different = {}
    for zh, herb in catalogue().items():
        syllables = lazy_pinyin(zh, style=Style.TONE)
        assert len(herb.pinyin.split()) == len(zh)
        # 子 is a seed or fruit here and keeps its tone; as an ending of everyday words it has none
        syllables = ["zǐ" if c == "子" else s for c, s in zip(zh, syllables, strict=True)]
        if herb.pinyin != " ".join(syllables):
            different[zh] = herb.pinyin
    assert different == NOT_AS_PYPINYIN


def test_latin_names_are_drug_names_or_species():
    drug = re.compile(r"(l-)?[A-Z][a-zö]+( ([A-Z][a-zö]+|et|seu|cum|in))*")
    species = re.compile(r"[A-Z][a-z]+ [a-z-]+")
    for herb in catalogue().values():
        if herb.latin:
            assert drug.fullmatch(herb.latin) or species.fullmatch(herb.latin), herb.latin
    latin = Counter(herb.latin for herb in catalogue().values() if herb.latin)
    assert [name for name, n in latin.items() if n > 1] == []


def test_only_names_of_plants_are_shared():
    scientific = re.compile(r"[a-z]+")
    for key, bearers in herbs._tables().names.items():
        if len(bearers) > 1:
            assert scientific.fullmatch(key), f"{key} names {[h.zh for h in bearers]}"
            assert all(any(a[:1].isupper() for a in h.aliases) for h in bearers)


def test_english_names_are_unique():
    english = Counter(herb.en for herb in catalogue().values() if herb.en)
    assert [name for name, n in english.items() if n > 1] == []


# finding


@pytest.mark.parametrize(("name", "zh"), BY_ANY_NAME)
def test_find_by_any_name(name, zh):
    assert find(name) is catalogue()[zh]


def test_every_herb_is_found_by_its_own_names():
    for herb in catalogue().values():
        assert find(herb.zh) is herb
        assert find(herb.zh_hant) is herb
        assert find(herb.pinyin) is herb
        for name in filter(None, (herb.latin, herb.en)):
            assert find(name) is herb
        for alias in herb.aliases:  # a plant's name may be that of several drugs
            assert find(alias) in (herb, None) or find(alias).latin == alias


def test_a_plant_with_several_drugs_is_not_guessed():
    assert find("Panax ginseng") is None
    assert {h.zh for h in search("Panax ginseng")} == {"人参", "人参叶", "红参"}


@pytest.mark.parametrize(
    ("name", "herbs"),
    [
        ("Citrus aurantium", {"枳壳", "枳实"}),
        ("LONICERA JAPONICA", {"金银花", "忍冬藤"}),
        ("dangshen", {"党参"}),
        ("dang", set()),
        ("", set()),
    ],
)
def test_namesakes_are_all_herbs_of_exactly_that_name(name, herbs):
    assert {herb.zh for herb in namesakes(name)} == herbs


def test_wrong_tones_are_another_word():
    assert find("dà jì") is catalogue()["大蓟"]
    assert find("da ji") is catalogue()["大蓟"]
    assert find("dà jǐ") is None  # the poisonous 大戟


def test_toneless_pinyin_counts_only_where_one_herb_has_it(only):
    a, b = Herb("甲", pinyin="mài zǐ"), Herb("乙", pinyin="mǎi zǐ")
    only(a, b, Herb("丙", pinyin="lǜ dòu"))
    assert find("mài zǐ") is a
    assert find("mǎizǐ") is b
    assert find("maizi") is None
    assert search("maizi") == [a, b]
    assert find("lvdou") == find("ludou") == find("lǜdòu") == Herb("丙", pinyin="lǜ dòu")


def test_an_exact_name_comes_before_pinyin(only):
    tea = Herb("茶", pinyin="chá", en="tea")
    only(tea, Herb("查", pinyin="tē ā"), Herb("树", aliases=("tea",)))
    assert find("tea") is tea


def test_search_by_initials():
    assert catalogue()["金银花"].initials == "jyh"
    assert search("jyh")[0].zh == "金银花"
    assert search("JYH")[0].zh == "金银花"
    assert search("dcxc")[0].zh == "冬虫夏草"
    assert "金银花" in {h.zh for h in search("jy", limit=100)}


def test_search_by_beginning_and_middle():
    assert search("贝母")[0].zh == "贝母"
    assert {"川贝母", "浙贝母", "平贝母"} <= {h.zh for h in search("贝母")}
    assert {"川贝母", "浙贝母", "平贝母"} <= {h.zh for h in search("貝母")}
    assert "龟甲" in {h.zh for h in search("龜板")}
    assert "女贞子" in {h.zh for h in search("nvzhen")}
    assert search("honeysuckle fl")[0].zh == "金银花"


def test_search_also_finds_herbs_that_only_a_model_knows():
    own = [herb_named("迷迭香"), herb_named("金银花"), Herb("My herb")]
    assert own[0] not in search("mdx")
    for text in ("mdx", "迷迭香", "mi die xiang", "midie"):
        assert own[0] in search(text, also=own)
    assert search("my herb", also=own) == [own[2]]
    assert search("jyh", also=own).count(catalogue()["金银花"]) == 1


def test_search_keeps_its_limit():
    assert len(search("a")) == 20
    assert len(search("a", limit=3)) == 3
    assert search("a", limit=0) == search("a", limit=-1) == []


@pytest.mark.parametrize("text", HOSTILE, ids=lambda t: ascii(t[:12]))
def test_hostile_names_find_nothing_and_raise_nothing(text):
    assert find(text) is None
    assert isinstance(search(text), list)
    assert herb_named(text).zh == text


@given(st.text(st.characters(exclude_categories=())))
def test_no_text_raises(text):
    assert find(text) is None or isinstance(find(text), Herb)
    assert all(isinstance(herb, Herb) for herb in search(text))


@given(st.text("金銀花jJīǐ̀'-. \u200b", max_size=12))
def test_case_spaces_and_marks_do_not_matter(text):
    noisy = unicodedata.normalize("NFD", f" {text.upper()}. ")
    assert find(noisy) is find(text)


# names in words


def test_a_herb_that_users_added_gets_its_pinyin():
    assert herb_named("金银花") is catalogue()["金银花"]
    assert herb_named("迷迭香") == Herb("迷迭香", pinyin="mí dié xiāng")
    assert herb_named("Rosemary") == Herb("Rosemary")


def test_an_index_is_sorted_by_pinyin_without_tones():
    names = ["Rosemary", "枣", "安息香", "艾叶", "阿魏", "薄荷", "阿胶", "女贞子", "牛膝"]
    sorted_ = [herb.zh for herb in sorted(map(herb_named, names), key=herbs.by_pinyin)]
    assert sorted_ == words("艾叶 安息香 阿魏 薄荷 阿胶 牛膝 女贞子 Rosemary 枣")


def test_the_name_in_a_language_is_never_empty():
    herb = catalogue()["党参"]
    assert [herb.name(x) for x in ("zh", "zh-CN", "zh-Hant", "zh_TW", "en", "de")] == [
        *("党参", "党参", "黨參", "黨參"),
        *("codonopsis root", "codonopsis root"),
    ]
    assert herb_named("迷迭香").name("en") == "mí dié xiāng"
    assert herb_named("Rosemary").name("zh-Hant") == "Rosemary"
