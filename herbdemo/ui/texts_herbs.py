"""The sentences of the Herbs tab, and of what to be careful about; see `texts`."""

from herbdemo.ui.text import Text

TAB_HERBS = Text("药材", "Herbs")

# Finding a herb

SEARCH = Text("找药材", "Find a herb")
SEARCH_HOW = Text("金银花、jyh、Lonicera…", "honeysuckle, jyh, Lonicera …")
SCOPE = Text("从哪里找", "Where to look")
IN_MODEL = Text("本模型认识的", "In this model")
IN_CATALOGUE = Text("全部药材", "All herbs")
ONLY_TOXIC = Text("有毒", "Poisonous")
ONLY_TWINS = Text("有易混品", "With look-alikes")
LISTING = Text("正在列出药材……", "Listing the herbs …")
FOUND = Text("{} 种", "{} found")
FIGURES = Text("百分数：测试照片里认对的比例", "the figure: how often it was right in the test")
NONE_FOUND = Text(
    "没有找到。换一种写法试试，比如拼音首字母；或看全部药材。",
    "None found. Try another of its names, such as pinyin initials, or look among all herbs.",
)
NO_SUCH_HERB = Text(
    "没有这种药材。请在“药材”页里找找。", "There is no such herb. Look for it on the Herbs tab."
)
MORE = Text("再看 {} 种", "{} more")
NOT_IN_MODEL = Text("本模型不认识", "Unknown to this model")
NOT_MEASURED = Text("未单独测过", "Not measured by itself")

# The page of a herb

BACK = Text("返回列表", "Back to the list")
NAMES = Text("名称与部位", "Names and part")
SIMPLIFIED = Text("简体", "Simplified")
TRADITIONAL = Text("繁体", "Traditional")
PINYIN = Text("拼音", "Pinyin")
LATIN = Text("拉丁名", "Latin")
ENGLISH = Text("英文", "English")
ALSO = Text("又名", "Also")
PART = Text("部位", "Part")
STATE = Text("形态", "State")
MODEL_KNOWS = Text("本模型认识", "Known to this model")
ADDED = Text("由主人教会", "Taught by the owner")
TOXIC_TITLE = Text("毒性", "Poison")
TOXIC_CLASS = {
    "slightly toxic": Text(
        "药典把有毒药材分为大毒、有毒、小毒三级，“小毒”是最轻的一级：按法炮制、按量使用较安全，"
        "过量或长期服用仍会中毒。",
        "Poisonous drugs come in three classes in the Chinese Pharmacopoeia, and this is the "
        "mildest: fairly safe when prepared and dosed as it says, harmful in excess or for long.",
    ),
    "toxic": Text(
        "药典把有毒药材分为大毒、有毒、小毒三级，“有毒”居中：有效剂量与中毒剂量相差不大，"
        "须炮制、控量，遵医嘱使用。",
        "Poisonous drugs come in three classes in the Chinese Pharmacopoeia, and this is the one "
        "between: what helps is not far from what harms. Only prepared, measured, and as a "
        "physician directs.",
    ),
    "highly toxic": Text(
        "药典把有毒药材分为大毒、有毒、小毒三级，“大毒”最重：极少量即可致命，"
        "生品多属国家管制，切勿自行采食或服用。",
        "Poisonous drugs come in three classes in the Chinese Pharmacopoeia, and this is the "
        "gravest: very little can kill. Never gather, eat or take it on your own.",
    ),
}
TOXIC_OUTSIDE = Text(
    "不在现行药典之内的，按教材与中毒报告定级。",
    "What the present pharmacopoeia does not hold is classed by textbooks and reports of "
    "poisonings.",
)
NOT_LISTED = Text(
    "未列为有毒，但这不等于安全。", "Not listed as poisonous, which is no promise of safety."
)
TWINS_TITLE = Text("容易混淆", "Easily confused with")
NO_TWINS = Text("没有收录易混品。", "No look-alike is on record.")
ACCURACY_TITLE = Text("认得准不准", "How well it is recognised")
ACCURACY_MORE = Text(
    "用没有学过的 {} 张照片测得：{}。横条是 95% 置信区间，照片越少越宽。",
    "Measured on {} photos that it had not learned from: {}. The bar is the 95% interval, wide "
    "where photos are few.",
)
NOT_KNOWN_MORE = Text(
    "本模型没有学过它，会把它认成别的药材，或说不认识。",
    "This model has not learned it: it will call it another herb, or say that it does not know.",
)
RIGHT = Text("认对", "Right")
MISTAKEN_FOR = Text("它被认成", "It was taken for")
TAKES = Text("被认成它的", "Taken for it")
NO_MISTAKES = Text("测试中没有认错。", "Never, in the test.")
TIMES = Text("{} 次", "{}×")
LIBRARY_TITLE = Text("药材库里的照片", "Photos in the library")
LIBRARY_NONE = Text("还没有。", "None yet.")
ABOUT = Text("药材资料", "About this herb")
CLOSER = Text("细看", "Look closer")

# What to be careful about

CAUTIONS = Text("请当心", "Be careful")
POISON_FIRST = Text(
    "{}列为“{}”。须遵医嘱，切勿自行服用。",
    "{} is listed as {}. Never take it unless a physician directs it.",
)
POISON_POSSIBLE = Text(
    "也可能是{}（{}），它列为“{}”。没有分清之前切勿服用。",
    "It may also be {} ({}), which is listed as {}. Take nothing before that is settled.",
)
TWIN_POISON_UNSEEN = Text(
    "{0}容易与{1}相混，后者列为“{2}”，而本模型从未见过它，分不出来。",
    "{0} is easily confused with {1}, which is listed as {2}. This model has never seen {1} and "
    "cannot tell.",
)
TWIN_POISON_KNOWN = Text(
    "{0}容易与{1}相混，后者列为“{2}”。本模型两者都认识，觉得这张不像{1}；仍请核对。",
    "{0} is easily confused with {1}, which is listed as {2}. The model knows both and finds "
    "this photo unlike {1}; check all the same.",
)
TWINS = Text(
    "{}与{}容易混淆，这张照片两者都有可能。",
    "{} and {} are easily confused, and this photo could be either.",
)
TWINS_MAP = Text("看对比图", "Show the contrast map")
STRANGER = Text(
    "{}容易与{}混淆，而本模型从未见过后者，分不出来。",
    "{} is easily confused with {}, which this model has never seen: it cannot tell.",
)

# Parts of a plant, an animal or a mineral, as herbs.csv has them

PARTS = {
    "whole plant": "全草", "fruit": "果实", "root": "根", "seed": "种子", "aerial part": "地上部分",
    "rhizome": "根茎", "leaf": "叶", "mineral": "矿物", "root and rhizome": "根及根茎",
    "rhizome and root": "根茎及根", "stem": "茎", "root tuber": "块根", "tuber": "块茎",
    "flower": "花", "bark": "皮", "bulb": "鳞茎", "bulb scale": "肉质鳞叶", "flower bud": "花蕾",
    "flower bud or opening flower": "花蕾或初开的花", "flower and flower bud": "花及花蕾",
    "flower head": "头状花序", "resin": "树脂", "root bark": "根皮", "shell": "壳",
    "pericarp": "果皮", "exocarp": "外层果皮", "sclerotium of a fungus": "菌核",
    "fruiting body of a fungus": "子实体", "fungus on the larva of a moth": "菌座与幼虫尸体",
    "twig": "嫩枝", "seed kernel": "种仁", "unripe fruit": "未成熟果实",
    "leaf or aerial part": "叶或地上部分", "crystals from the leaf": "叶的提取结晶",
    "processed seed": "种子的炮制加工品", "whole insect": "虫体", "fruit spike": "果穗",
    "carapace": "背甲", "crystals": "结晶", "leafy twig": "枝叶", "dried secretion": "干燥分泌物",
    "shed skin": "蜕下的皮壳", "resinous wood": "含树脂的木材",
    "wax secreted by an insect": "昆虫分泌的蜡", "scale": "鳞甲", "mother root": "母根",
    "bark of the root or stem": "根皮或干皮", "root and rhizome or stem": "根及根茎或茎",
    "germinated seed": "发芽的种子", "charred aerial part": "地上部分的炭化品",
    "leaf or leafy twig": "叶或带叶嫩枝", "fermented seed": "种子的发酵品",
    "processed tuber with bile": "块茎加胆汁的制品", "stem and leaf": "茎叶",
    "germinated fruit": "发芽的果实", "stem pith": "茎髓", "whole animal": "全体",
    "processed mineral": "矿物的炮制品", "gelatin": "胶块",
    "dried extract of the wood": "去皮枝干的干燥煎膏", "processed tuber": "块茎的炮制品",
    "nest": "巢", "bee product": "蜂产品", "outer layer of the sclerotium": "菌核外皮",
    "processed lateral root": "子根的加工品", "body without viscera": "除去内脏的全体",
    "hooked stem": "带钩茎枝", "root or whole plant": "根或全株",
    "flower head with stalk": "带花茎的头状花序", "carapace and plastron": "背甲及腹甲",
    "oviduct": "输卵管", "spore": "孢子", "internal shell": "内壳",
    "thallus of a seaweed": "藻体", "flower or flower bud": "花或花蕾",
    "mineral preparation": "矿物制品", "steamed root and rhizome": "蒸制的根及根茎",
    "leafy stem and branch": "带叶茎枝", "mineral powder": "矿物粉末", "corolla": "花冠",
    "inner lining of the gizzard": "沙囊内壁", "larva killed by a fungus": "感染真菌致死的幼虫",
    "heartwood": "心材", "processed fruit": "果实的炮制品",
    "persistent calyx, with or without fruit": "宿萼或带果实的宿萼",
    "whole young snake": "幼蛇全体", "charred flower spike": "花穗的炭化品",
    "flower spike": "花穗", "leaf and leafy twig": "叶及带叶嫩枝",
    "aerial part or root": "地上部分或根", "bark of the stem or root": "树皮或根皮",
    "twig and leaf": "枝叶", "leaf and stem": "叶及茎", "corm": "球茎", "receptacle": "花托",
    "stamen": "雄蕊", "plumule and radicle": "幼叶及胚根", "horn": "角", "fossil bone": "骨化石",
    "aril": "假种皮", "dried juice of the leaf": "叶汁的干燥浓缩物",
    "residue of the antler": "熬去胶质的角块", "ossified antler": "骨化的角",
    "compound fruit": "果序", "unossified antler": "未骨化的幼角", "leafy stem": "带叶茎",
    "herbaceous stem": "草质茎", "young leaf and stem": "幼嫩茎叶",
    "processed seed powder": "种子的炮制粉末", "flower bud with inflorescence": "带花序的花蕾",
    "charred rhizome": "根茎的炭化品", "rhizome with leaf stalk bases": "带叶柄残基的根茎",
    "gallstone": "胆结石", "rhizome node": "根茎节部", "processed rhizome": "根茎的炮制品",
    "pollen": "花粉", "whole animal without viscera": "除去内脏的全体",
    "processed leaf or stem and leaf": "叶或茎叶的加工品",
    "unripe fruit or its peel": "幼果或未成熟果实的果皮", "preparation": "加工制品",
    "fleshy stem": "肉质茎", "stone of the fruit": "果核", "egg case": "卵鞘",
    "pseudobulb": "假鳞茎", "fruit flesh": "果肉", "calyx": "宿萼",
    "processed root tuber": "块根的炮制品", "fibrovascular bundles of the fruit": "果实的维管束",
    "balsam": "香树脂", "crystals from the leaf and twig": "枝叶的提取结晶",
    "siliceous secretion in the stem": "秆内的分泌物块", "whole female insect": "雌虫体",
    "root or near-root bark": "根皮或近根树皮", "gall on the leaf": "叶上的虫瘿",
    "faeces": "粪便", "stigma": "柱头", "resin of the fruit": "果实渗出的树脂",
    "charred human hair": "人发的炭化品", "capsule shell": "蒴果壳", "knotty wood": "瘤状节",
    "style and stigma": "花柱和柱头", "whole plant or aerial part": "全草或地上部分",
    "spine": "棘刺", "baked clay": "灶心焦土", "pearl": "珍珠",
    "processed mother root": "母根的炮制品", "processed root and rhizome": "根及根茎的炮制品",
    "processed root": "根的炮制品", "young fruit": "幼果", "dried bile": "干燥胆汁",
    "shavings of the stem": "茎秆中间层", "sterile fruit": "不育果实", "leaf stalk": "叶柄",
}  # fmt: skip
