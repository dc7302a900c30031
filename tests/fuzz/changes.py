"""Changes of valid content: of bytes, of the values of JSON, of text, of the parts of a file.

Each takes a `random.Random`, so that a case is known by its number.
"""

from __future__ import annotations

import copy
import json
import random
import struct
import sys
from collections.abc import Callable
from typing import Any

EXTREMES = (
    0, 1, -1, 2, 3, 7, 16, 127, 128, 255, 256, 1000, 10**4, 65535, 65536, 10**6, 10**7, 2**24,
    2**28, 2**30, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**40, 2**53, 2**62, 2**63 - 1, 2**63,
    2**64 - 1, -(2**31), -(2**63), 10**19, 10**40, 10**400,
)  # fmt: skip
"""Numbers at which sizes overflow, or memory ends."""
REALS = (0.0, -0.0, 0.5, 1e-300, 1e-45, 1e30, 3e38, 1e39, 1e300, -1.5, float("inf"), float("nan"))
WORDS = (
    "", " ", "x", "same", "valid", "classes", "input", "error", "drop", "\x1b[31mred\x1b[0m", "a/b",
    "..", "\0", "ü", "中", "\ud800", "n" * 300, "n" * 5000, "1", "-1", "1e400", "nan", "None",
    "conv2d_1", "{}", "[]", "%s%n", "\n\n", "'\"",
)  # fmt: skip
"""Texts that some readers take for more than text."""


def change_bytes(random: random.Random, content: bytes, most: int = 8) -> bytes:
    """`content` with some bytes changed, moved, left out or put in."""
    data = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 3, most))):
        if not data:
            return bytes(data)
        place = random.randrange(len(data))
        match random.randrange(9):
            case 0:
                data[place] ^= 1 << random.randrange(8)
            case 1:
                data[place] = random.choice((0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)))
            case 2:
                del data[place : place + random.choice((1, 2, 4, 16, 200))]
            case 3:
                data[place:place] = random.randbytes(random.choice((1, 2, 4, 16)))
            case 4:
                piece = bytes(data[place : place + random.choice((1, 4, 8, 64))])
                data[place:place] = piece * random.choice((1, 2, 50))
            case 5:
                del data[place:]
            case 6:
                data += random.choice((b"\0", b"\xff", b" ", b"\n")) * random.choice((1, 7, 3000))
            case 7:
                change_number(random, data, place)
            case _:
                other = random.randrange(len(data))
                size = random.choice((1, 4, 30))
                one, two = data[place : place + size], data[other : other + size]
                if len(one) == len(two) and abs(place - other) >= size:
                    data[place : place + size], data[other : other + size] = two, one
    return bytes(data)


def change_number(random: random.Random, data: bytearray, place: int) -> None:
    """Put an extreme number of 2, 4 or 8 bytes in any order to a place."""
    size = random.choice((2, 4, 4, 8))
    number = random.choice(EXTREMES) % 2 ** (8 * size)
    data[place : place + size] = number.to_bytes(size, random.choice(("little", "big")))


def any_value(random: random.Random, depth: int = 0) -> Any:
    """A value of JSON, of any kind."""
    match random.randrange(11):
        case 0 | 1 | 2:
            return random.choice(EXTREMES)
        case 3:
            return random.choice(REALS)
        case 4 | 5:
            return random.choice(WORDS)
        case 6:
            return random.choice((None, True, False))
        case 7 if depth < 3:
            return [any_value(random, depth + 1) for _ in range(random.choice((0, 1, 2, 3, 5)))]
        case 8 if depth < 3:
            return {
                random.choice(WORDS): any_value(random, depth + 1)
                for _ in range(random.choice((0, 1, 3)))
            }
        case 9:
            return [random.choice(EXTREMES)] * random.choice((1, 2, 3, 4, 1000))
        case _:
            return nested(random.choice((5, 99, 101, 700)), random.choice(("[", "{")))


def nested(depth: int, kind: str) -> Any:
    """Lists or objects in each other."""
    value: Any = 1
    for _ in range(depth):
        value = [value] if kind == "[" else {"a": value}
    return value


def change_value(random: random.Random, value: Any) -> Any:
    """A copy of a value of JSON with something in it changed."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    try:
        return _changed(random, copy.deepcopy(value))
    finally:
        sys.setrecursionlimit(limit)


def _changed(random: random.Random, value: Any) -> Any:
    for _ in range(random.choice((1, 1, 2, 3))):
        places = list(_places(value))
        if not places:
            return any_value(random)
        inside, key = random.choice(places)
        match random.randrange(8):
            case 0 | 1 | 2:
                inside[key] = any_value(random)
            case 3:
                del inside[key]
            case 4 if isinstance(inside, dict):
                inside[random.choice((*WORDS, *inside))] = inside.pop(key)
            case 4:
                inside.insert(random.randrange(len(inside) + 1), copy.deepcopy(inside[key]))
            case 5 if isinstance(inside[key], int | float):
                inside[key] += random.choice((-1, 1, 7, 0.5))
            case 6 if isinstance(inside, list):
                inside *= random.choice((2, 3, 40))
            case _:
                other, place = random.choice(places)
                inside[key] = copy.deepcopy(other.get(place) if isinstance(other, dict) else other)
    return value


def _places(value: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        inside = waiting.pop()
        keys = list(inside) if isinstance(inside, dict) else range(len(inside))
        for key in keys:
            found.append((inside, key))
            if isinstance(inside[key], dict | list):
                waiting.append(inside[key])
    return found


def as_json(random: random.Random, value: Any) -> bytes:
    """The text of a value, sometimes no longer JSON."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    plain = random.random() < 0.9
    text = json.dumps(value, ensure_ascii=plain).encode("utf-8", "surrogatepass")
    sys.setrecursionlimit(limit)
    return change_bytes(random, text) if random.random() < 0.15 else text


def change_text(random: random.Random, text: str) -> bytes:
    """Text with cells, lines and numbers changed, in some encoding."""
    lines = text.split("\n")
    for _ in range(random.choice((1, 1, 2, 4))):
        place = random.randrange(len(lines))
        match random.randrange(8):
            case 0:
                lines[place] = random.choice(WORDS)
            case 1:
                cells = lines[place].split(",")
                cells[random.randrange(len(cells))] = str(any_value(random))[:5000]
                lines[place] = ",".join(cells)
            case 2:
                del lines[place]
                lines = lines or [""]
            case 3:
                lines[place] += random.choice((",", ";", "\t", " ", ",,", "#", '"', "1"))
            case 4:
                lines[place:place] = [lines[place]] * random.choice((1, 3, 500))
            case 5:
                lines[place] = lines[place].replace(",", random.choice((";", "\t", " ", "")))
            case 6:
                lines[place] = lines[place] * random.choice((2, 100))
            case _:
                lines[place] = str(random.choice((*EXTREMES, *REALS)))[:3000]
    text = random.choice(("\n", "\n", "\r\n", "\r")).join(lines)
    encoding = random.choice(("utf-8",) * 6 + ("utf-8-sig", "utf-16", "utf-32", "latin-1"))
    content = text.encode(encoding, "replace")
    return change_bytes(random, content) if random.random() < 0.2 else content


def of_several(*ways: Callable[[random.Random], bytes]) -> Callable[[random.Random], bytes]:
    """Content made in one of several ways."""
    return lambda random: random.choice(ways)(random)


def change_chunks(
    random: random.Random, content: bytes, start: int, order: str, after: int, padded: bool = False
) -> list[tuple[bytes, bytes]]:
    """The chunks of a file such as PNG and WAV, from `start` on, as (name, body), some changed.

    Args:
        random: of the case.
        content: of the file.
        start: where the first chunk begins.
        order: "<" or ">", of the bytes of a chunk's size.
        after: the bytes of a checksum behind a chunk.
        padded: whether bodies of odd size are followed by a byte.
    """
    chunks: list[tuple[bytes, bytes]] = []
    place = start
    while place + 8 <= len(content):
        if order == ">":
            (size,), name = struct.unpack_from(">I", content, place), content[place + 4 : place + 8]
        else:
            (size,), name = struct.unpack_from("<I", content, place + 4), content[place : place + 4]
        chunks.append((name, content[place + 8 : place + 8 + size]))
        place += 8 + size + after + (size % 2 if padded else 0)
    index = random.randrange(len(chunks))
    name, body = chunks[index]
    match random.randrange(6):
        case 0:
            del chunks[index]
        case 1:
            chunks[index:index] = [(name, body)] * random.choice((1, 2, 300))
        case 2:
            chunks[index] = (change_bytes(random, name)[:4].ljust(4), body)
        case 3:
            random.shuffle(chunks)
        case _:
            chunks[index] = (name, change_bytes(random, body))
    return chunks
