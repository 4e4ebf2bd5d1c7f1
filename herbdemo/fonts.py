"""A font for pictures with words on them: one with Chinese where the system has any."""

import functools
import shutil
import subprocess
from contextlib import suppress
from typing import cast

from PIL import ImageFont

# Where systems keep their Chinese fonts, regular and bold, with the face within the file. Asked
# only where fontconfig is missing, as on Windows and macOS.
_KNOWN = {
    False: (
        ("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc", 2),
        ("/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc", 0),
        ("/System/Library/Fonts/PingFang.ttc", 0),
        ("/System/Library/Fonts/Hiragino Sans GB.ttc", 0),
        ("C:/Windows/Fonts/msyh.ttc", 0),
    ),
    True: (
        ("/usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc", 2),
        ("/System/Library/Fonts/Hiragino Sans GB.ttc", 2),
        ("C:/Windows/Fonts/msyhbd.ttc", 0),
    ),
}
_SAMPLE = "药鉴"  # if a font draws these alike, it draws a box for what it lacks


@functools.lru_cache(maxsize=64)
def font(size: int, *, bold: bool = False) -> tuple[ImageFont.FreeTypeFont, bool]:
    """A sans-serif font of `size` pixels, and whether it has Chinese characters.

    Without one that has them Pillow's own stands in, for which pinyin is the name to draw.
    """
    for path, face in (_asked(bold), *_KNOWN[bold], *_KNOWN[False]):
        with suppress(OSError):  # no such file, or not a font
            found = ImageFont.truetype(path, size, index=face)
            if _has_chinese(found):
                return found, True
    return cast("ImageFont.FreeTypeFont", ImageFont.load_default(size)), False


def _has_chinese(found: ImageFont.FreeTypeFont) -> bool:
    return len({bytes(found.getmask(character)) for character in _SAMPLE}) == len(_SAMPLE)


@functools.cache
def _asked(bold: bool) -> tuple[str, int]:
    """What fontconfig names for simplified Chinese: a file and the face within; ("", 0) if none."""
    program = shutil.which("fc-match")
    if program is None:
        return "", 0
    pattern = f"sans-serif:lang=zh-cn:weight={200 if bold else 80}"
    with suppress(OSError, ValueError, subprocess.SubprocessError):
        said = subprocess.run(  # noqa: S603, words of our own and no shell
            [program, "--format=%{file}\n%{index}", pattern],
            capture_output=True, text=True, timeout=10, check=True,
        ).stdout  # fmt: skip
        path, face = said.split("\n")
        return path, int(face)
    return "", 0
