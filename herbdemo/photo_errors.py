"""The sentences with which a photo is refused: what is wrong and what to do, in two languages."""

from .errors import HerbError

_SENTENCES = {
    "photo-missing": (
        "找不到这张照片。请确认文件还在原处，然后重新选择。",
        "The photo was not found. Check that the file is still there and choose it again.",
    ),
    "photo-folder": (
        "这是一个文件夹，不是照片。请选择里面的一张照片。",
        "This is a folder, not a photo. Choose one of the photos in it.",
    ),
    "photo-special": (
        "这不是普通文件，而是设备或管道。请选择一个照片文件。",
        "This is a device or a pipe, not an ordinary file. Choose a photo file.",
    ),
    "photo-permission": (
        "没有读取这张照片的权限。请修改文件权限，或把它复制到别处再试。",
        "There is no permission to read this photo. Change the file's permissions or copy it.",
    ),
    "photo-unreadable": (
        "读取照片时中断了。请检查磁盘或网络，然后再试一次。",
        "Reading the photo was interrupted. Check the disk or the network and try again.",
    ),
    "photo-empty": (
        "这个文件是空的，里面没有内容。请重新拍摄或重新传送这张照片。",
        "The file is empty. Take the photo again or transfer it again.",
    ),
    "photo-too-many-bytes": (
        "照片文件超过 {limit} MB 的上限。请缩小照片，或用较低的质量另存后再试。",
        "The photo file exceeds the limit of {limit} MB. Shrink it, or save it at a lower quality.",
    ),
    "photo-too-many-pixels": (
        "照片超过 {limit}00 万像素的上限。请缩小后再试。",
        "The photo exceeds the limit of {limit} megapixels. Make it smaller and try again.",
    ),
    "photo-not-an-image": (
        "这个文件不是图片。请选择一张 JPEG、PNG、WebP 或 HEIC 照片。",
        "This file is not a picture. Choose a JPEG, PNG, WebP or HEIC photo.",
    ),
    "photo-unsupported": (
        "这是 {kind} 文件，这里无法读取。请把它另存为 JPEG 或 PNG，或另选一张照片。",
        "This is a {kind} file, which cannot be read here. Save it as JPEG or PNG, "
        "or choose another photo.",
    ),
    "photo-truncated": (
        "这张 {kind} 照片不完整，后半部分缺失。请重新下载或重新传送。",
        "This {kind} photo is incomplete: its end is missing. Download or transfer it again.",
    ),
    "photo-damaged": (
        "这张 {kind} 照片已损坏，或用了少见的编码，无法解码。"
        "请用看图软件打开它，另存为 JPEG 后再试。",
        "This {kind} photo is damaged or uses a rare encoding and cannot be decoded. "
        "Open it in another program and save it as JPEG.",
    ),
    "photo-memory": (
        "内存不足，无法打开这张照片。请缩小照片，或稍后再试。",
        "There is not enough memory to open this photo. Make it smaller or try again later.",
    ),
}


def refusal(hint: str, **facts: object) -> HerbError:
    """The error to raise; `facts` fill the braces of its sentences."""
    zh, en = _SENTENCES[hint]
    return HerbError(zh.format(**facts), en.format(**facts), hint=hint)
