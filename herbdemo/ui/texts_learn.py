"""The sentences of the Learn and Models tabs, in Chinese and in English."""

from herbdemo.ui.text import Text

TAB_LEARN = Text("学习", "Learn")
TAB_MODELS = Text("模型", "Models")
WENT_WRONG = Text(
    "出了意外，这一步没有做成。请再试一次。", "Something went wrong and it was not done. Try again."
)

# Who may

NOT_OWNER = Text(
    "这里只有主人可以这样做。请先登录；也可以在试验盒里试一试。",
    "Only the owner may do this here. Sign in first, or try it in your own sandbox.",
)
WRONG_PASSWORD = Text(
    "密码不对。请检查大小写，再试一次。", "That password is wrong. Check its case and try again."
)
TOO_MANY_TRIES = Text(
    "试错太多次了。请等一分钟再试。", "Too many wrong tries. Wait a minute, then try again."
)
GATE_TITLE = Text("你的试验盒", "Your own sandbox")
GATE_MORE = Text(
    "给最多 {} 种药材各拍几张照片，当场学会，只在你这个页面里使用，关掉就没有了。"
    "共用的模型不会变。",
    "Give a few photos of up to {} herbs: they are learnt on the spot and used on this page of "
    "yours alone, gone when you close it. The shared model stays as it is.",
)
GATE_OWNER = Text("我是主人", "I am the owner")
GATE_OWNER_MORE = Text(
    "登录后可以管理药材库、训练和切换模型。",
    "Once signed in you can keep the library, train, and switch models.",
)
PASSWORD = Text("密码", "Password")
ENTER = Text("登录", "Sign in")
HUB_LOGIN = Text("用 Hugging Face 登录", "Sign in with Hugging Face")
HUB_LOGOUT = Text("退出 Sign out ({})", "Sign out ({})")
LEAVE = Text("退出", "Sign out")
SIGNED_IN = Text("已作为主人登录。", "You are signed in as the owner.")
OWNER_ONLY = Text(
    "模型由主人管理。请在“学习”页登录。", "The owner looks after the models: sign in under Learn."
)
NO_WAY_IN = Text(
    "这里没有设置主人密码（HERBDEMO_ADMIN_PASSWORD），所以不能从网页登录。",
    "No owner's password (HERBDEMO_ADMIN_PASSWORD) is set here, so there is no way to sign in.",
)

# The sandbox

BOX_EMPTY = Text("试验盒还是空的。", "The sandbox is still empty.")
BOX_KNOWS = Text("你的试验盒学会了：{}", "Your sandbox has learnt: {}")
BOX_TRY = Text("去“识别”页试试：", "Try it under Identify: ")
BOX_TRY_MORE = Text(
    "给一张没有用来学习的照片，看它认不认得。",
    "give a photo that was not learnt from, and see whether it is recognised.",
)
BOX_CLEAR = Text("清空试验盒", "Empty the sandbox")
BOX_CLEARED = Text("试验盒已清空。", "The sandbox is empty again.")
BOX_FULL = Text(
    "一个试验盒最多装 {} 种药材、每种 {} 张照片。请先清空，再试别的。",
    "A sandbox holds at most {} herbs with {} photos each. Empty it first, then try others.",
)
BOX_NO_ROOM = Text(
    "正在试验的人太多了。请过几分钟再来。", "Too many people are trying this. Come back in minutes."
)
BOX_LEARNT = Text("学会了{}。", "{} is learnt.")
BOX_MODEL = Text("你自己的试验盒", "your sandbox")

BOX_GONE = Text(
    "共用的模型换了，而试验盒里的照片已经不在，所以试验盒清空了。请重新给照片。",
    "The shared model was changed and the photos of your sandbox are gone, so it is empty again. "
    "Give the photos once more.",
)

# Giving photos

GIVE_HERB = Text("一种药材的照片", "Photos of one herb")
GIVE_HERB_MORE = Text(
    "先写药名，再选照片，或用摄像头一张接一张地拍。",
    "Name the herb, then choose photos, or take one after another with the camera.",
)
HERB_NAME = Text("药名", "Name of the herb")
HERB_NAME_HOW = Text("党参、dangshen、Codonopsis…", "dangshen, Codonopsis …")
HERB_NAME_FIRST = Text("请先写药名。", "Name the herb first.")
CHOOSE_PHOTOS = Text("选照片", "Choose photos")
SHOOT = Text("连拍", "Take photos")
SHOT_DONE = Text("用这些照片", "Use these photos")
GIVE_ZIP = Text("一个压缩包", "A zip of folders")
GIVE_ZIP_MORE = Text(
    "每种药材一个文件夹，文件夹用药名；中文、拼音、拉丁、英文名都可以。",
    "One folder per herb, called by any of its names: Chinese, pinyin, Latin or English.",
)
CHOOSE_ZIP = Text("选压缩包", "Choose a zip")
GIVE_FOLDER = Text("服务器上的文件夹", "A folder on the server")
GIVE_FOLDER_MORE = Text("里面每种药材一个文件夹。", "It holds one folder per herb.")
NO_FOLDERS = Text("那里还没有文件夹。", "There is no folder there yet.")
ZIP_TOO_LARGE = Text(
    "这个 zip 超过 {} GB 的上限。请分成几个。",
    "This zip exceeds the limit of {} GB. Split it into several.",
)
UPLOADING = Text("正在上传", "Uploading")
CHECKING = Text("正在检查", "Checking")
LEARNING_NOW = Text("正在学习", "Learning")
UPLOAD_FAILED = Text(
    "没有传完。请检查网络，再试一次。", "The upload broke off. Check the connection and try again."
)
ONLY_SO_MANY = Text(
    "一次最多 {} 张，其余的没有添加。请再添加一次，或打成一个 zip。",
    "At most {} photos at a time; the others were left out. Give them afterwards, or all of them "
    "in a zip.",
)
WRONG_KIND = Text("这里要照片，或 zip 压缩包。", "Photos are wanted here, or a zip.")
NO_PHOTOS_GIVEN = Text("没有收到照片。请再选一次。", "No photo arrived. Choose them again.")
NEW_HERB = Text("新药材：{}", "A new herb: {}")

# The report

REPORT_TITLE = Text("入库前的检查", "Checked before it goes in")
REPORT_COUNT = Text("{} 张照片，{} 种药材", "{} photos of {} herbs")
REPORT_NEW = Text("新", "new")
REPORT_FINE = Text("没有发现问题。", "Nothing to object to.")
LEVELS = {
    "error": Text("错误", "Error"),
    "warning": Text("请看", "Look"),
    "note": Text("说明", "Note"),
}
MORE_FILES = Text("另有 {} 张", "{} more")
ACCEPT = Text("放进药材库", "Put into the library")
ACCEPT_ANYWAY = Text("看过了，放进药材库", "Seen; put into the library")
DISCARD = Text("不要这批", "Discard")
SURE_DISCARD = Text("真的不要？", "Really discard?")
REPORT_BLOCKED = Text(
    "有错误，不能入库。请改好后重新给，或不要这批。",
    "With errors it cannot go in. Mend them and give it again, or discard it.",
)
ACCEPTED = Text("已放进药材库：{} 张照片。", "{} photos are in the library now.")
ACCEPTED_SOME = Text(
    "已放进药材库：{} 张照片；{} 张早已在库里，没有重复存。",
    "{} photos are in the library now; {} were there already and are not kept twice.",
)
DISCARDED = Text("这批照片没有留下。", "These photos were discarded.")

# The library

LIBRARY = Text("药材库", "Library")
LIBRARY_COUNT = Text("{} 张照片，{} 种药材", "{} photos, {} herbs")
LIBRARY_EMPTY = Text(
    "还是空的。给过的照片都会留在这里，越攒越多。",
    "Still empty. Every photo you give stays here, and it keeps growing.",
)
PHOTOS = Text("{} 张", "{} photos")
CLOSE_HERB = Text("收起", "Fold away")
REMOVE_PHOTO = Text("删除这张照片", "Remove this photo")
REMOVE_HERB = Text("从库里删除这种药材", "Remove this herb from the library")
SURE_REMOVE = Text("真的删除？", "Really remove?")
REMOVED_PHOTO = Text("删除了一张照片。", "One photo was removed.")
REMOVED_HERB = Text("从库里删除了{}。", "{} was removed from the library.")
MORE_PHOTOS = Text("只显示最新的 {} 张。", "Only {} of them are shown.")

# Starting

START_TITLE = Text("开始学习", "Begin to learn")
START_NOTHING = Text(
    "药材库里有了照片，就可以开始。", "Once there are photos in the library you can begin."
)
START_WHAT = Text("从库里的 {} 张照片学习 {} 种药材。", "From {} photos in the library, {} herbs.")
SECONDS = Text("几秒钟", "In seconds")
SECONDS_MORE = Text(
    "网络不动，只重新求解最后一层。老药材不忘，每种新药材有几张照片就能开始。",
    "The network stays; its last layer is solved anew. Old herbs are kept, and a few photos of "
    "each new one are a start.",
)
PROPERLY = Text("认真训练", "Properly")
PROPERLY_MORE = Text(
    "连网络一起训练，几分钟到几小时，照片多时更准。库里没有照片的老药材会损失几个百分点。",
    "The network is trained as well: minutes to hours, and better where there are many photos. Old "
    "herbs without photos in the library lose some points.",
)
ONLY_HEAD = Text(
    "这个 Space 用的是 ZeroGPU，只能学最后一层；要连网络一起训练，需要一块专用的 GPU。",
    "This Space runs on ZeroGPU, where only the last layer is learnt; to train the network as well "
    "it needs a GPU of its own.",
)
PRESET = Text("训练多深", "How deep")
PRESETS = {
    "quick": Text("快：只训练最后一层", "Quick: the last layer"),
    "standard": Text("标准：从第四段起", "Standard: from layer4"),
    "full": Text("全部：整个网络", "Full: the whole network"),
}
INIT = Text("从哪里开始", "Start from")
INITS = {
    "active": Text("正在使用的模型", "The model in use"),
    "imagenet": Text("ImageNet 权重", "ImageNet weights"),
    "scratch": Text("从零开始", "Nothing"),
}
EPOCHS = Text("轮数", "Epochs")
EPOCHS_AUTO = Text("自动", "auto")
MODEL_NAME = Text("新模型的名字", "Name of the new model")
START = Text("开始", "Start")
CHECKING_LIBRARY = Text("先检查一遍药材库……", "The library is checked first …")
STARTED = Text("开始了。", "It has begun.")

# The job

JOB_RUNNING = Text("正在学习 {}", "Learning {}")
JOB_ENDED = {
    "done": Text("学完了：{}", "Learnt: {}"),
    "failed": Text("没有学成：{}", "It failed: {}"),
    "stopped": Text("已停止：{}", "Stopped: {}"),
    "lost": Text("中断了：{}", "Broken off: {}"),
}
JOB_LOST = Text(
    "程序在训练中途被关掉了。正在使用的模型没有变；可以重新开始。",
    "The program was closed on the way. The model in use is unchanged; start again.",
)
JOB_STOPPED = Text(
    "正在使用的模型没有变。若已有更好的一轮，它留在“模型”页。",
    "The model in use is unchanged. If an epoch was good already, it is kept under Models.",
)
JOB_BY = Text("{} 于 {} 启动", "Started by {} at {}")
PHASES = {
    "start": Text("读取照片", "Reading the photos"),
    "features": Text("看照片", "Looking at the photos"),
    "head": Text("求解最后一层", "Solving the last layer"),
    "step": Text("训练网络", "Training the network"),
    "epoch": Text("训练网络", "Training the network"),
    "finish": Text("校准与检验", "Calibrating and checking"),
    "saved": Text("已保存", "Saved"),
    "error": Text("出错", "Failed"),
}
TOLD = Text("{}，{}%", "{}, {}%")
LEFT = Text("剩余 {}", "{} left")
ELAPSED = Text("已用 {}", "{} so far")
UNDER_A_MINUTE = Text("不到一分钟", "under a minute")
MINUTES = Text("约 {} 分钟", "about {} min")
HOURS = Text("约 {} 小时", "about {} h")
RATE = Text("每秒 {} 张", "{} photos/s")
MEMORY = Text("内存 {}", "{} of memory")
EPOCH_OF = Text("第 {} 轮", "Epoch {}")
STOP = Text("停止学习", "Stop learning")
SURE_STOP = Text("真的停止？", "Really stop?")
STOPPING = Text("正在停止……", "Stopping …")
GO_ON = Text("继续", "Go on")
CANNOT_GO_ON = Text(
    "这次学习没有留下可以继续的进度。请重新开始。",
    "That job left nothing to go on from. Start a new one.",
)
STEPS = Text("步", "steps")
LOSS = Text("损失", "Loss")
ACCURACY = Text("准确率", "Accuracy")
ON_TRAIN = Text("训练", "training")
ON_VAL = Text("验证", "validation")
ON_TEST = Text("测试", "test")

# The proof

PROOF_TITLE = Text("学得怎么样：{}", "How well it learnt: {}")
NO_PROOF = Text("这个模型没有与旧模型比较。", "This model was not compared with the one before.")
ON_ALL = Text("全部药材", "All herbs")
PROOF_OLD = Text("老药材", "Old herbs")
PROOF_NEW = Text("新药材", "New herbs")
BEFORE = Text("之前", "before")
AFTER = Text("之后", "after")
OF_PHOTOS = Text("{} 张", "of {}")
INTERVAL_OF = Text("95% 区间 {} 到 {}", "95% interval {} to {}")
NO_FIGURE = Text("没有可测的照片", "no photos to measure it with")
KEPT_ALL = Text("一种老药材也没有忘。", "No old herb was forgotten.")
LOST_SOME = Text("老药材降了 {} 个百分点。", "The old herbs lost {} points.")
GAINED = Text("老药材升了 {} 个百分点。", "The old herbs gained {} points.")
ECE = Text("校准误差 ECE", "Calibration error, ECE")
TEMPERATURE = Text("温度", "Temperature")
MEASURED = Text("怎么测的", "How it was measured")
MEASURED_BY = {
    "kept": Text("留出的、没有学过的照片", "photos set aside and not learnt from"),
    "leave-one-out": Text(
        "轮流留下一张不学，再认它", "each photo in turn left out, then recognised"
    ),
    "test": Text("单独的测试照片", "separate test photos"),
    "val": Text("验证照片", "validation photos"),
    "photos": Text("同样的照片，新老模型各看一遍", "the same photos through both models"),
    "replay": Text(
        "存下的旧特征（网络已变，结果偏好）",
        "stored features; the network has changed, so this is too kind",
    ),
}
PER_HERB = Text("每种药材", "Herb by herb")
HERB = Text("药材", "Herb")
COUNT = Text("张数", "Photos")
CONFUSION = Text("谁被认成谁", "Which is taken for which")
CONFUSION_MORE = Text(
    "每行一种药材，横看它被认成什么；对角线上是认对的。",
    "A row for each herb shows what it was taken for; the diagonal is right.",
)
CONFUSION_CELL = Text("{} 认成 {}：{} 张", "{} taken for {}: {}")
MISTAKES = Text("最有把握的错误", "The most confident mistakes")
MISTAKES_MORE = Text("热图是它认错的依据。", "The heatmaps show what led it astray.")
NO_MISTAKES = Text("没有认错的照片。", "There were no mistakes.")
MISTAKE = Text("{} 被认成 {}", "{} taken for {}")
USE = Text("使用这个模型", "Use this model")
KEEP = Text("先留着", "Keep for later")
THROW = Text("丢掉", "Throw away")
SURE_THROW = Text("真的丢掉？", "Really throw away?")
USED = Text("现在使用 {}。", "{} is in use now.")
KEPT = Text("{} 留在“模型”页。", "{} is kept under Models.")
THROWN = Text("{} 已丢掉。", "{} was thrown away.")
IN_USE = Text("正在使用", "In use")

# Models

MODELS_TITLE = Text("这台机器上的模型", "The models on this machine")
GO_BACK = Text("退回上一个", "Go back to the one before")
WENT_BACK = Text("退回到 {}。", "Back to {}.")
WHICH_HERBS = Text("认识哪些药材", "Which herbs it knows")
HERBS_OF = Text("{} 种药材", "{} herbs")
IMPORTED_BARE = Text(
    "导入时没有给照片：它从不说“可信”，也从不说“不认识”，不能再添加药材。请连同照片再导入一次。",
    "It was imported without photos: it is never sure, takes anything for one of its herbs, and no "
    "herb can be added to it. Import it again with photos.",
)
IMPORTED_GAPS = Text(
    "导入时有的药材没有照片，所以不能再添加药材。",
    "It was imported with no photos of some herbs, so no herb can be added to it.",
)
SHIPPED = Text("随程序提供", "comes with the program")
ON_HUB = Text("来自 Hugging Face", "from Hugging Face")
PARENT = Text("来自 {}", "from {}")
RIGHT = Text("准确率 {}", "{} right")
CARD_BROKEN = Text(
    "它的说明文件写错了，无法显示。请用别的模型；不再使用的可以删除。",
    "What its card says cannot be shown. Use another model; this one can be deleted when it is not "
    "in use.",
)
USE_MODEL = Text("使用", "Use")
DELETE = Text("删除", "Delete")
SURE_DELETE = Text("真的删除模型？", "Really delete?")
DELETED = Text("{} 已删除。", "{} was deleted.")
DOWNLOAD = Text("下载", "Download")
PROOF = Text("检验", "Proof")
PUBLISH = Text("发布", "Publish")
PUBLISH_TITLE = Text("发布 {} 到 Hugging Face Hub", "Publish {} to the Hugging Face Hub")
PUBLISH_REPO = Text("仓库", "Repository")
PUBLISH_MORE = Text(
    "令牌取自环境变量 HF_TOKEN 或登录，不会保存。",
    "The token comes from HF_TOKEN or from signing in, and is not stored.",
)
PUBLISHED = Text("已发布到 {}。", "Published to {}.")
CANCEL = Text("取消", "Cancel")
IMPORT = Text("导入模型 zip", "Import a model's zip")
IMPORT_MORE = Text("别处下载的模型，一个 zip。", "A model downloaded elsewhere, as one zip.")
IMPORTED = Text("已导入 {}。", "{} is imported.")
NOT_A_ZIP = Text("这里要一个 zip。", "A zip is wanted here.")

# Correcting an answer

WRONG = Text("答错了？", "Was this wrong?")
WRONG_IT_IS = Text("其实是", "It really is")
SET_ASIDE = Text("记下", "Set it aside")
WAS_SET_ASIDE = Text(
    "照片放进了药材库的“{}”，下次学习时用。", "The photo is in the library as {} for next time."
)
PHOTO_GONE = Text("这张照片已经不在了。请重新给照片。", "That photo is gone. Please give it again.")
