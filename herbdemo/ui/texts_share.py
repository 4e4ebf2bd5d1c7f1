"""The sentences of sharing a result, in Chinese and in English."""

from herbdemo.ui.text import Text

SHARE = Text("分享", "Share")
CARD = Text("图卡", "Picture card")
CARD_UNKNOWN = Text(
    "下面只是最接近的几种，切勿当作答案。",
    "The names below are merely the nearest, and no answer.",
)

# Before a link is made: what will be kept, where and for how long

TITLE = Text("把这个结果做成链接", "Make a link to this result")
PRIVACY = Text(
    "服务器会保留最多 {} 天：缩小到 {} 像素的照片（不含拍摄地点等信息）、五个候选与热图、所用模型。"
    "拿到链接的人都能看到；照片里有不愿外传的东西，就不要分享。",
    "The server will keep, for up to {} days: the photo, reduced to {} pixels and without the "
    "place where it was taken, the five candidates with their heatmaps, and which model answered. "
    "Whoever has the link can see them. Do not share a photo that shows what others must not see.",
)
PRIVACY_MORE = Text(
    "你随时可以用这个浏览器删除它。",
    "You can delete it at any time, with this browser.",
)
MAKE = Text("生成链接", "Make the link")
MAKING = Text("正在生成……", "Making it …")
CANCEL = Text("取消", "Cancel")

# The link

READY = Text("链接已生成", "Here is the link")
LINK = Text("结果的链接", "Link to the result")
COPY = Text("复制", "Copy")
COPIED = Text("已复制", "Copied")
SEND = Text("发送……", "Send …")
ENDS = Text("保留到 ", "Kept until ")
DELETE = Text("立即删除", "Delete it now")
SURE = Text("确定删除？", "Really delete it?")
DELETED = Text("已删除，链接不再有效。", "Deleted. The link leads nowhere now.")

# A result that was opened by its link

SHARED = Text("分享的结果", "A shared result")
SEEN = Text("{} 识别，保留到 {}", "Recognised on {}, kept until {}")
OTHER_MODEL = Text(
    "这是当时模型的回答；此后模型已更换。",
    "This is what the model of then answered; another one is in use now.",
)
GONE_TITLE = Text("打不开这个结果", "This result cannot be opened")

# When it cannot be shared

NO_LONGER = Text(
    "照片已不在服务器上，或模型已更换。请重新识别这张照片，再分享。",
    "The photo is no longer on the server, or the model has changed. Have the photo recognised "
    "again, then share.",
)
TOO_MANY = Text(
    "分享得太多了。请过一小时再试；图卡可以随时下载。",
    "That was shared too often. Try again in an hour; the picture card can be had at any time.",
)
