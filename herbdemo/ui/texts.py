"""The sentences of the page, in Chinese and in English; those of learning are in `texts_learn`.

Both languages are sent to the browser and the style sheet shows one of them, so the switch is
immediate, loses nothing, and needs no server. Components of Gradio itself take one language: give
them `TEXT.zh`, and `page.js` swaps the exact string for its twin from `dictionary()`.
"""

from herbdemo.herbs import TOXIC
from herbdemo.ui import (
    texts_batch,
    texts_explain,
    texts_herbs,
    texts_learn,
    texts_many,
)
from herbdemo.ui.text import Text


def dictionary() -> dict[str, str]:
    """Chinese to English, of what Gradio itself writes on the page: tabs, and signing in."""
    others = (texts_batch, texts_explain, texts_herbs, texts_learn, texts_many)
    named = [*globals().items(), *(item for module in others for item in vars(module).items())]
    return {text.zh: text.en for name, text in named if name.startswith(("TAB", "HUB_LOG"))}


# The head of the page

NAME = Text("本草镜", "Herb Lens")
MOTTO = Text(
    "给中草药拍张照：认出它是什么，看清依据在哪里。",
    "Photograph a Chinese herb: see what it is, and where the evidence lies.",
)
SKIP = Text("跳到正文", "Skip to the content")
LANGUAGE = Text("语言", "Language")
DARKNESS = Text("浅色或深色", "Light or dark")
TAB_IDENTIFY = Text("识别", "Identify")
TAB_PHOTO = Text("照片", "Photo")
TAB_LIVE = Text("实时", "Live")
FOOT = Text(
    "照片只在运行本程序的机器上处理，数小时内删除；主人放进药材库的会留下，"
    "分享的结果保留 7 天。仅供学习参考，不能代替医师或药师的判断。",
    "Photos are handled only on the machine that runs this app and deleted within hours, but for "
    "those that its owner puts into the library; results that are shared stay for 7 days. For "
    "study and reference; not medical advice.",
)
FOOT_API = Text("用程序调用", "Use it from a program")

# Giving a photo

DROP_TITLE = Text("把草药的照片放到这里", "Drop a photo of a herb here")
DROP_WAYS = Text(
    "拖进来，或从剪贴板粘贴。生熟饮片、鲜叶、花、果皆可。",
    "Drag it in, or paste it. Dried pieces, fresh leaves, flowers and fruit all work.",
)
DROP_NOW = Text("松手，就开始识别", "Let go, and it will be recognised")
CHOOSE = Text("选择照片", "Choose a photo")
ANOTHER = Text("换一张", "New photo")
CAMERA = Text("拍照", "Camera")
PASTE = Text("粘贴", "Paste")
EXAMPLES = Text("没有照片？试试这些", "No photo at hand? Try one of these")
EXAMPLE = Text("示例照片 {}", "Example photo {}")
SHUTTER = Text("拍下", "Take the photo")
CLOSE = Text("关闭", "Close")
TIPS = (
    (
        Text("五个答案", "Five answers"),
        Text(
            "药名、拼音、拉丁名，附校准过的概率", "Each with calibrated odds, in four kinds of name"
        ),
    ),
    (
        Text("五张热图", "Five heatmaps"),
        Text("点一个名字，看依据落在照片何处", "Click a name: see where its evidence lies"),
    ),
    (
        Text("也会说不知道", "An honest unknown"),
        Text(
            "拿不准时说拿不准，不认识就说不认识",
            "It says when it is unsure, or has never met the herb",
        ),
    ),
)

# While it works, and when it fails

WORKING = Text("正在辨认……", "Looking closely …")
WAKING = Text(
    "模型正在醒来，第一次会慢一些。", "The model is waking up; the first photo takes longer."
)
FAILED_TITLE = Text("这张照片没能识别", "This photo could not be recognised")
FAILED = Text(
    "出了意外，照片没有问题也可能这样。请再试一次。",
    "Something went wrong here, perhaps not with your photo. Please try again.",
)
TOO_LARGE = Text(
    "文件超过 50 MB。请换一张小些的照片。",
    "The file is larger than 50 MB. Please choose a smaller photo.",
)
NO_UPLOAD = Text(
    "照片没能传到服务器。请检查网络，再试一次。",
    "The photo did not reach the server. Check the connection and try again.",
)
NO_ANSWER = Text(
    "服务器没有回答，可能太忙了。请过一会儿再试。",
    "The server gave no answer; it may be busy. Please try again in a while.",
)
NO_CAMERA_TITLE = Text("相机打不开", "The camera cannot be opened")
NO_CAMERA = Text(
    "请允许本页使用相机（网址须是 https 或本机），或改为选择照片。",
    "Allow this page to use it, which browsers do for https and this machine only, or choose a "
    "photo instead.",
)
NO_CLIPBOARD_TITLE = Text("没有可以粘贴的图片", "No picture to paste")
NO_CLIPBOARD = Text(
    "剪贴板里没有图片，或浏览器不许读取。请先复制一张图片，再按 Ctrl+V（苹果电脑 ⌘V）。",
    "The clipboard holds none, or the browser keeps it from this page. Copy a picture, then press "
    "Ctrl+V (⌘V on a Mac).",
)
NO_EXAMPLE = Text("这张示例照片已不在。请换一张。", "That example is gone. Please choose another.")

# The answer

CERTAIN = Text("应当是{}", "This looks like {}")
UNSURE = Text("拿不准：{}，还是{}？", "Unsure: {}, or {}?")
UNKNOWN = Text("不是本模型认识的药材", "Not a herb this model knows")
ANOTHER_HERB = Text("别的药材", "another herb")
CERTAIN_SEAL = Text("可信", "Sure")
UNSURE_SEAL = Text("存疑", "Unsure")
UNKNOWN_SEAL = Text("不识", "Unknown")
CERTAIN_MORE = Text(
    "点任一名字，看它的依据在照片何处。", "Click any name to see where its evidence lies."
)
UNSURE_MORE = Text(
    "把握不足。对比图标出照片各处更像哪一个。",
    "Not sure enough. The contrast map shows which part of the photo speaks for which.",
)
UNKNOWN_MORE = Text(
    "下面只是最接近的几种，切勿当作答案；它们的热图仍可查看。",
    "The names below are merely the nearest and no answer; their heatmaps can still be seen.",
)
# Read out when an answer comes: the names with their odds, and how sure it is
SAID_CERTAIN = Text("{}，{}，可信；其次是{}。", "{}, {}, sure; then {}.")
SAID_UNSURE = Text("拿不准：{}，{}；或者是{}。", "Unsure: {}, {}; or else {}.")
SAID_UNKNOWN = Text(
    "不是本模型认识的药材。最接近的是{}，{}；其次是{}。",
    "Not a herb this model knows. The nearest are {}, {}; then {}.",
)
CANDIDATES = Text("五个候选", "Five candidates")
PHOTO_ALT = Text("你的照片", "Your photo")
MAP_ALT = Text("{}的热图。{}", "Heatmap for {}. {}")
CONTRAST_ALT = Text("对比图。{}", "Contrast map. {}")
EVIDENCE = Text("依据", "Evidence")
CONTRAST = Text("对比", "Contrast")
SHOW = Text("看什么", "What to show")
EVIDENCE_CAPTION = Text(
    "{}的依据（亮处）主要在{}。", "The evidence for {}, bright, lies mainly {}."
)
CONTRAST_CAPTION = Text(
    "为什么是{0}，而不是{2}。支持{0}的地方：{1}；支持{2}的地方：{3}。",
    "Why {0} and not {2}: what speaks for {0} lies {1}, what speaks for {2} {3}.",
)
NOWHERE = Text("无", "nowhere")
EMPTY_CAPTION = Text(
    "照片里没有支持{}的地方，所以没有热图。",
    "Nothing in the photo speaks for {}, so there is no heatmap.",
)
PLAIN_CAPTION = Text("点一个名字，看它的热图。", "Click a name to see its heatmap.")
ORIGINAL = Text("原图", "Original")
HEATMAP = Text("热图", "Heatmap")
COMPARE = Text("拖动：左边原图，右边热图", "Drag: photo on the left, heatmap on the right")
OPACITY = Text("浓淡", "Opacity")
WEAK = Text("弱", "weak")
STRONG = Text("强", "strong")
SAVE_OVERLAY = Text("下载叠加图", "Get overlay")
SAVE_RAW = Text("下载原始热图", "Get raw map")

# What is known of a herb

LIVING = Text("鲜品或植株", "fresh or living plant")
DRIED = Text("干燥饮片", "dried piece")
PART = Text("部位：{}", "Part: {}")
ALIASES = Text("又名：", "Also: ")
CONFUSED = Text("易混淆：{}", "Easily confused with: {}")
POISON = {kind: Text(zh, kind) for kind, zh in TOXIC.items()}
POISON_MORE = Text("毒性药材，须遵医嘱使用。", "Poisonous; only to be used as a physician directs.")

# Under the answer

MODEL = Text("所用模型", "Model")
STAGES = {
    "kept": Text("刚才已答过，取自内存", "answered before, from memory"),
    "open": Text("打开", "open"),
    "prepare": Text("缩放", "resize"),
    "network": Text("网络", "network"),
    "scores": Text("打分", "scores"),
    "maps": Text("热图", "maps"),
    "page": Text("页面", "page"),
}
LIGHT = Text(
    "轻量模型，供手机和小型机器使用：文件约为大模型的五分之一，计算更快，准确率略低。",
    "A light model, for phones and small machines: about a fifth of the large one's file, quicker, "
    "a little less accurate.",
)
MILLISECONDS = Text("{} 毫秒", "{} ms")
NOT_ADVICE = Text(
    "仅供学习参考，不能代替医师或药师的判断。", "For study and reference; not medical advice."
)

# Live

LIVE_TITLE = Text("对准一味药，边看边认", "Point the camera at a herb")
LIVE_MORE = Text(
    "画面每秒辨认几次，不保存，不上传到别处。",
    "Looked at a few times a second; nothing is stored or sent elsewhere.",
)
LIVE_START = Text("打开相机", "Open the camera")
LIVE_STOP = Text("停止", "Stop")
LIVE_BUSY = Text("人多，稍等……", "Busy, one moment …")
LIVE_MAP = Text("热图", "Heatmap")
LIVE_RESULT = Text("实时结果", "Live result")
