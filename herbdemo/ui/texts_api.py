"""The sentences that programs and agents get, in Chinese and in English."""

from herbdemo.ui.text import Text

# Giving a photo

NO_PHOTO = Text(
    "没有照片。请给出图片的 http(s) 网址、data: 网址，或先上传文件。",
    "There is no photo. Give the http(s) address of a picture, a data: address, or upload a file "
    "first.",
)
NOT_PUBLIC = Text(
    "这个网址不能取。只取公网上 http 或 https 默认端口的图片；内网和本机的照片请先上传。",
    "This address may not be fetched. Only pictures on the public internet are, over http or https "
    "at the usual port; upload a photo that lies on this machine or in a private network.",
)
NO_FETCH = Text(
    "没能从这个网址取到图片。请确认它能打开，或先下载再上传。",
    "The picture could not be fetched from this address. See that it opens, or download the photo "
    "and upload it.",
)
TOO_LARGE = Text(
    "照片超过 50 MB。请给一张小些的。", "The photo is larger than 50 MB. Give a smaller one."
)

# Naming a herb

NO_SUCH_HERB = Text(
    "这个模型不认识“{}”。list_herbs 列出它认识的药材。",
    "This model does not know “{}”. list_herbs names the herbs it knows.",
)
SAME_HERB = Text(
    "两味药相同（{}）。请给出两味不同的药。", "Both herbs are {}. Name two different ones."
)

# What a map shows

LIES = Text(
    "支持{}的依据主要在{}；{} 的面积达到最亮处的一半以上。",
    "The evidence for {} lies mainly {}; {} of the photo is at least half as bright as its "
    "brightest spot.",
)
NO_EVIDENCE = Text(
    "没有正面依据：照片里没有支持{}的地方。",
    "No positive evidence: nothing in the photo speaks for {}.",
)
SPEAKS = Text("{}更像{}，而不是{}。", "What lies {} speaks for {} rather than {}.")
SPEAKS_NOT = Text("没有地方更像{}而不是{}。", "No part speaks for {} rather than {}.")
EACH = Text(
    "概率：{} {}，{} {}（在模型认识的全部药材之中）。",
    "Probabilities, among all herbs of the model: {} {}, {} {}.",
)
LOOK_ALIKE = Text(
    "{}与{}是已知的易混淆品种。", "{} and {} are known to be easily mistaken for each other."
)

UNKNOWN = Text(
    "照片不像模型认识的任何药材；下列名字只是最接近的几种，不是答案。",
    "The photo looks like none of the model's herbs; the names are merely the nearest and no "
    "answer.",
)

# At the door

TOO_MUCH = Text(
    "一次发来的内容太大。照片最多 50 MB，每次一张。",
    "The request is too large. A photo may have 50 MB, one in each request.",
)
TOO_OFTEN = Text("请求太频繁。请过一会儿再来。", "Too many requests. Come back in a moment.")
NO_ROUTE = Text("这里没有这个地址。", "There is no such address here.")
NO_ROOM = Text(
    "服务器的磁盘已满，收不下照片。请稍后再试。",
    "The server's disk is full and takes no photo. Try again later.",
)
