"""Good files made bad: what the fuzzer does to bytes, to the parts of a format, and to JSON.

Every function takes its randomness from `rng`, so that a case is known by its number alone.
"""

import json
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

MOST = 1 << 20  # bytes of a case: more only makes it slow
INTERESTING = (0, 1, 2, 7, 8, 16, 127, 128, 255, 256, 1000, 32767, 32768, 65535, 65536, 2**24,
               2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**63, 2**64 - 1)  # fmt: skip
WIDTHS = (("B", 1), ("<H", 2), (">H", 2), ("<I", 4), (">I", 4), ("<Q", 8), (">Q", 8))
TEXTS = (
    "", " ", "\0", ".", "..", "../..", "/", "\\", "C:", "~", "con", "NUL.txt", "-", "--", "*", "%s",
    "{}", "{0}", "[red]", "\x1b[31m", "\n", "\r\n", "\t", "\ufeff", "\u202e", "\u200d", "\ud800",
    "\udfff", "é", "e\u0301", "İ", "ß", "ﬁ", "①", "𠮷", "👨‍👩‍👧", "党参", "黨參", "dǎng shēn", "Codonopsis Radix",
    "jyh", "=1+1", "@SUM(1)", "+1", "-1", "a,b", 'a"b', "a;b", "<b>", "&amp;", "'", "null", "NaN",
    "true", "1e999", "a" * 300, "参" * 300, "\u0301" * 300, "../" * 40,
)  # fmt: skip
NUMBERS = (0, 1, -1, 2, 0.5, -0.0, 1e-320, 1e308, 1e9, 2**31, 2**63, 10**30, 10**400, 224, 31,
           float("nan"), float("inf"), -float("inf"))  # fmt: skip


def mutated(data: bytes, others: Sequence[bytes], tokens: Sequence[bytes], rng: Random) -> bytes:
    """`data` after one to six changes that know nothing of its format."""
    found = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        rng.choice(_CHANGES)(found, others, tokens, rng)
    return bytes(found[:MOST])


def _place(found: bytearray, rng: Random) -> int:
    """Somewhere, half of the time in the first 200 bytes: headers are where the mischief is."""
    reach = min(len(found), 200) if rng.random() < 0.5 else len(found)
    return rng.randrange(reach) if reach else 0


def _flip(found: bytearray, others: Any, tokens: Any, rng: Random) -> None:
    if found:
        found[_place(found, rng)] ^= 1 << rng.randrange(8)


def _byte(found: bytearray, others: Any, tokens: Any, rng: Random) -> None:
    if found:
        found[_place(found, rng)] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))


def _cut(found: bytearray, others: Any, tokens: Any, rng: Random) -> None:
    del found[_place(found, rng) :]


def _remove(found: bytearray, others: Any, tokens: Any, rng: Random) -> None:
    at = _place(found, rng)
    del found[at : at + rng.choice((1, 2, 4, 16, 256))]


def _repeat(found: bytearray, others: Any, tokens: Any, rng: Random) -> None:
    at, size = _place(found, rng), rng.choice((1, 4, 16, 64, 512))
    times = rng.choice((1, 2, 16, 200))
    found[at:at] = bytes(found[at : at + size]) * times


def _number(found: bytearray, others: Any, tokens: Any, rng: Random) -> None:
    """A field of one to eight bytes becomes an awkward number, or one more or less."""
    layout, size = rng.choice(WIDTHS)
    if len(found) < size:
        return
    at = min(_place(found, rng), len(found) - size)
    (value,) = struct.unpack_from(layout, found, at)
    near = (value + 1, value - 1, value * 2, value // 2, len(found), len(found) - at)
    value = rng.choice((*near, *INTERESTING)) % (1 << 8 * size)
    struct.pack_into(layout, found, at, value)


def _splice(found: bytearray, others: Sequence[bytes], tokens: Any, rng: Random) -> None:
    """From some place on it goes on as another file does."""
    other = rng.choice(others)
    found[_place(found, rng) :] = other[rng.randrange(len(other) + 1) :]


def _token(found: bytearray, others: Any, tokens: Sequence[bytes], rng: Random) -> None:
    if tokens:
        token, at = rng.choice(tokens), _place(found, rng)
        found[at : at + (len(token) if rng.random() < 0.5 else 0)] = token


def _noise(found: bytearray, others: Any, tokens: Any, rng: Random) -> None:
    at = _place(found, rng)
    found[at : at + rng.choice((4, 16, 256))] = rng.randbytes(rng.choice((4, 16, 256)))


_CHANGES: tuple[Callable[[bytearray, Any, Any, Random], None], ...] = (
    _flip, _byte, _cut, _remove, _repeat, _number, _number, _splice, _token, _noise,
)  # fmt: skip


# The parts of a format: whole again after they were changed, so that a decoder looks deeper


def parts_changed(data: bytes, others: Sequence[bytes], rng: Random) -> bytes:
    """A PNG, JPEG, RIFF or box file whose parts are changed, moved, doubled or left out."""
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        parts = _shuffled(list(_chunks(data)), rng)
        return data[:8] + b"".join(_chunk(name, body) for name, body in parts)
    if data[:2] == b"\xff\xd8":
        parts = _shuffled(list(_segments(data)), rng)
        segments = (n + struct.pack(">H", (len(body) + 2) % 65536) + body for n, body in parts)
        return b"\xff\xd8" + b"".join(segments) + data[_pixels(data) :]
    if data[:4] == b"RIFF":
        parts = _shuffled(list(_riff(data)), rng)
        body = b"".join(n + struct.pack("<I", len(b)) + b + b"\0" * (len(b) % 2) for n, b in parts)
        return b"RIFF" + struct.pack("<I", len(body) + 4) + data[8:12] + body
    if data[4:8] == b"ftyp":
        first, *rest = _boxes(data)
        rest = _shuffled(rest, rng, deeper=_boxes_changed)
        return b"".join(
            struct.pack(">I", len(body) + 8) + name + body for name, body in [first, *rest]
        )
    return mutated(data, others, (), rng)


Part = tuple[bytes, bytes]


def _shuffled(parts: list[Part], rng: Random, *, deeper: Callable | None = None) -> list[Part]:
    """The parts after one to three changes."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        if not parts:
            break
        at = rng.randrange(len(parts))
        name, body = parts[at]
        way = rng.randrange(8)
        if way == 0:
            del parts[at]
        elif way == 1:
            parts[at:at] = [(name, body)] * rng.choice((1, 2, 50))
        elif way == 2:
            other = rng.randrange(len(parts))
            parts[at], parts[other] = parts[other], parts[at]
        elif way == 3:
            parts[at] = (rng.choice(parts)[0], body)
        elif way == 4 and (unpacked := _inflated(body)) is not None:
            parts[at] = (name, zlib.compress(mutated(unpacked, [unpacked], (), rng)))
        elif deeper and rng.random() < 0.7:
            parts[at] = (name, deeper(name, body, rng))
        else:
            parts[at] = (name, mutated(body, [body], (), rng)[:65000])
    return parts


def _inflated(body: bytes) -> bytes | None:
    try:
        return zlib.decompressobj().decompress(body, MOST)
    except zlib.error:
        return None


def _chunks(data: bytes) -> Iterator[Part]:
    at = 8
    while at + 12 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        at += 12 + size


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _pixels(data: bytes) -> int:
    """Where the first scan of a JPEG starts."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return min(at, len(data))


def _segments(data: bytes) -> Iterator[Part]:
    at, end = 2, _pixels(data)
    while at + 4 <= end:
        size = int.from_bytes(data[at + 2 : at + 4], "big")
        yield data[at : at + 2], data[at + 4 : at + 2 + size]
        at += 2 + max(size, 2)


def _riff(data: bytes) -> Iterator[Part]:
    at = 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        yield data[at : at + 4], data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def _boxes(data: bytes) -> Iterator[Part]:
    at = 0
    while at + 8 <= len(data):
        size = max(8, int.from_bytes(data[at : at + 4], "big"))
        yield data[at + 4 : at + 8], data[at + 8 : at + size]
        at += size


_NESTED = {b"meta": 4, b"iprp": 0, b"ipco": 0}  # boxes of boxes, and what comes before these


def _boxes_changed(name: bytes, body: bytes, rng: Random) -> bytes:
    if name not in _NESTED:
        return mutated(body, [body], (), rng)
    head, inner = body[: _NESTED[name]], list(_boxes(body[_NESTED[name] :]))
    inner = _shuffled(inner, rng, deeper=_boxes_changed)
    return head + b"".join(struct.pack(">I", len(b) + 8) + n + b for n, b in inner)


# JSON and text


def json_changed(value: Any, rng: Random) -> Any:
    """JSON with one to four of its values, keys or items changed."""
    for _ in range(rng.choice((1, 1, 2, 4))):
        value = _json_changed(value, rng)
    return value


def _json_changed(value: Any, rng: Random) -> Any:
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key = rng.choice(list(value))
        way = rng.random()
        if way < 0.12:
            return {k: v for k, v in value.items() if k != key}
        if way < 0.2:
            return {(text(rng) if k == key else k): v for k, v in value.items()}
        if way < 0.25:
            return value | {text(rng): any_json(rng)}
        return value | {key: _json_changed(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.85:
        at, way = rng.randrange(len(value)), rng.random()
        if way < 0.1:
            return value[:at] + value[at + 1 :]
        if way < 0.2:
            return value[: at + 1] + value[at:]
        if way < 0.25:
            return [*value[:at], any_json(rng), *value[at:]]
        return [*value[:at], _json_changed(value[at], rng), *value[at + 1 :]]
    return any_json(rng)


def any_json(rng: Random, depth: int = 3) -> Any:
    """A value of any kind."""
    way = rng.randrange(7 if depth else 5)
    if way < 2:
        return rng.choice(NUMBERS)
    if way < 4:
        return text(rng)
    if way == 4:
        return rng.choice((None, True, False))
    items = [any_json(rng, depth - 1) for _ in range(rng.randrange(4))]
    return items if way == 5 else {text(rng): item for item in items}


def json_bytes(value: Any) -> bytes:
    """JSON as bytes; half surrogates and NaN, which are no JSON, stay in it as they are."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def text(rng: Random) -> str:
    """A text of any characters, or of those that are known to hurt."""
    way = rng.random()
    if way < 0.5:
        return rng.choice(TEXTS)
    if way < 0.8:
        return "".join(rng.choice(TEXTS) for _ in range(rng.randrange(1, 5)))
    length = rng.choice((1, 2, 5, 20, 250))
    return "".join(chr(rng.choice(_PLANES)(rng)) for _ in range(length))


_PLANES = (
    lambda rng: rng.randrange(128),
    lambda rng: rng.randrange(0x3000),
    lambda rng: rng.randrange(0x4E00, 0xA000),
    lambda rng: rng.randrange(0x110000),
)
