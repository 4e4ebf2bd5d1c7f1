"""The sentences of the Batch tab, in Chinese and in English."""

from herbdemo.ui.text import Text

TAB_BATCH = Text("批量", "Batch")

# Giving photos

GIVE_PHOTOS = Text("很多照片", "Many photos")
GIVE_PHOTOS_MORE = Text(
    "一次选好，也可以拖进来。每张一行结果。",
    "Choose them all at once, or drag them here. Each one gets a row.",
)
GIVE_ZIP = Text("一个 zip", "A zip")
GIVE_ZIP_MORE = Text(
    "里面的照片怎样放都行，文件夹里的也算。",
    "The photos may lie in it as they like, in folders too.",
)
GIVE_FOLDER = Text("服务器上的文件夹", "A folder on the server")
GIVE_FOLDER_MORE = Text(
    "里面所有的照片，原地读取，不复制。", "All photos below it; they are read where they are."
)
NO_FOLDERS = Text("那里还没有文件夹。", "There is no folder there yet.")
LIMITS = Text(
    "一次最多 {} 张、共 {} MB。照片只有你看得到，{} 小时没人看就删除，也可随时自己删除。",
    "At most {} photos and {} MB at a time. Only you can see them; they are deleted when nobody "
    "has looked for {} hours, or whenever you say so.",
)
KEPT = Text(
    "一次最多选 {} 张，zip 和文件夹里可以更多。照片只有你看得到，{} 小时没人看就删除，"
    "也可随时自己删除。",
    "Up to {} chosen at a time; a zip or a folder may hold more. Only you can see the photos; "
    "they are deleted when nobody has looked for {} hours, or whenever you say so.",
)
BUSY = Text(
    "已有 {} 批照片在排队。请过一会儿再来。",
    "{} batches of photos are waiting already. Come back in a while.",
)
MANY_PILES = Text(
    "这个网络地址已有 {} 批照片存在这里。请先删除用完的，或过几个小时再来。",
    "{} batches of photos from your address are kept here already. Delete those that you are done "
    "with, or come back in a few hours.",
)

# Why a pile does not go on, where the library speaks of files that nobody sees here
NOT_GONE_ON = {
    "rows-other-model": Text(
        "前一部分是另一个模型识别的，不能混在一起。请先下载已有结果，再删除并重新添加照片。",
        "Another model answered the first part, and the two must not be mixed. Save the results so "
        "far, then delete the photos and give them again.",
    ),
    "rows-other-photos": Text(
        "文件夹里的照片有变动，不能接着做。请先下载已有结果，再删除并重新选择文件夹。",
        "The photos in the folder have changed, so this cannot go on. Save the results so far, "
        "then delete them and choose the folder again.",
    ),
}

# How far it is

SOME_PHOTOS = Text("{} 张照片", "{} photos")
ONE_PHOTO = Text("1 张照片", "1 photo")
WAITING = Text("前面还有 {} 批，轮到就开始。", "{} before this one; it starts by itself.")
RUNNING = Text("正在识别……", "Recognising …")
STOPPING = Text("做完手上这一组就停。", "Stopping after the photos at hand.")
DONE = Text("全部完成。", "All done.")
STOPPED = Text("已停下。", "Stopped.")
INTERRUPTED = Text("服务器中途重启过。可以接着做。", "The server was restarted meanwhile. Go on.")
OF = Text("{} / {} 张", "{} of {}")
PER_SECOND = Text("每秒 {} 张", "{} per second")
SECONDS_LEFT = Text("约剩 {} 秒", "about {} s left")
MINUTES_LEFT = Text("约剩 {} 分钟", "about {} min left")
STOP = Text("停止", "Stop")
RESUME = Text("继续", "Resume")
DELETE = Text("删除，换一批", "Delete and give others")
SURE_DELETE = Text("再按一次，确定删除", "Press again to delete")
DELETED = Text("已删除照片和结果。", "The photos and the results are deleted.")

# The rows

ROWS = Text("结果", "Results")
ALL = Text("全部", "All")
VERDICTS = {
    "certain": Text("可信", "Sure"),
    "unsure": Text("存疑", "Unsure"),
    "unknown": Text("不识", "Unknown"),
    "failed": Text("打不开", "Failed"),
}
FILTER = Text("按结论筛选", "Filter by verdict")
NONE_SUCH = Text("没有这样的照片。", "There are no such photos.")
SOON = Text("第一批结果马上就来。", "The first results are on their way.")
NEWER = Text("上一页", "Previous")
OLDER = Text("下一页", "Next")
PAGE_OF = Text("第 {} 页，共 {} 页", "Page {} of {}")
OPEN = Text("打开 {}", "Open {}")
BACK = Text("回到列表", "Back to the list")
BEFORE = Text("上一张", "Previous photo")
AFTER = Text("下一张", "Next photo")
OTHER_HERBS = Text("其他候选", "Other candidates")

# Files

SAVE = Text("下载", "Download")
FILES = {"csv": "CSV", "json": "JSON", "parquet": "Parquet"}
SHEET = Text("图样（PDF）", "Contact sheet (PDF)")
MAKING = Text("正在准备文件……", "Making the file …")
FILE_TITLE = Text("批量识别", "Recognised photos")
