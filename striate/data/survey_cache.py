"""Keeps in the user's cache what was found out about images that are decoded when needed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, cast

import numpy as np

from striate.common.cache import CacheStore
from striate.common.errors import StriateValueError
from striate.data.decode import Source, WantedImages
from striate.data.image_rows import ImageRows, image_rows
from striate.data.images import Decoded
from striate.data.row_cache import row_cache

# An entry's content: in eight bytes, little-endian, the length of a JSON object, which tells all
# but the arrays; this object; the digests, uint32; whether each image has one colour, uint8; and
# the indices that were kept, int64.
_STORE = CacheStore("images", ".survey", "survey 1", limit=2**28)


def write(key: str, decoded: Decoded) -> bool:
    """Keep what is known of images that are `ImageRows`; return whether that worked."""
    rows = cast("ImageRows", decoded.images)
    reader = rows.reader
    head = {
        "count": len(reader.digests),
        "bad": decoded.bad,
        "resize": decoded.resize,
        "colour": decoded.colour,
        "notes": decoded.notes,
        "target": asdict(reader.target),
    }
    text = json.dumps(head).encode()
    flat = np.zeros(len(reader.digests), np.uint8)
    flat[decoded.kept] = rows.one_colour
    arrays = (reader.digests.astype("<u4"), flat, decoded.kept.astype("<i8"))
    length = len(text).to_bytes(8, "little")
    return _STORE.write(key, length, text, *(array.tobytes() for array in arrays))


def read(key: str, sources: Sequence[Source], limit: int) -> Decoded | None:
    """Return the images of an entry, None if there is none that can be trusted.

    Args:
        key: of the entry.
        sources: where the images are.
        limit: bytes on disk for decoded images, at most.
    """
    content = _STORE.read(key)
    if content is None:
        return None
    try:
        return _parsed(key, content, sources, limit)
    except (ValueError, KeyError, TypeError, MemoryError, RecursionError):
        return None


def _parsed(key: str, content: memoryview, sources: Sequence[Source], limit: int) -> Decoded:
    end = 8 + int.from_bytes(content[:8], "little")
    head: dict[str, Any] = json.loads(bytes(content[8:end]))
    count = int(head["count"])
    if count != len(sources):
        raise StriateValueError(f"{count} images are not {len(sources)}")
    digests = np.frombuffer(content[end:], "<u4", count).astype(np.uint32)
    flat = np.frombuffer(content[end + 4 * count :], np.uint8, count).astype(np.bool_)
    kept = np.frombuffer(content[end + 5 * count :], "<i8").astype(np.int64)
    given = head["target"]
    if given["cut_from"] is not None:
        given["cut_from"] = tuple(given["cut_from"])
    target = WantedImages(**given)
    cache = row_cache(key, (count, target.height, target.width, target.channels), limit)
    return Decoded(
        images=image_rows(sources, target, digests, flat, kept, cache),
        kept=kept,
        bad=[(int(index), str(sentence)) for index, sentence in head["bad"]],
        resize=head["resize"],
        colour=head["colour"],
        notes=[str(note) for note in head["notes"]],
    )
