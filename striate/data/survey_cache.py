"""Keeps in the user's cache what was found out about images that are decoded when needed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from striate.common.cache import CacheStore
from striate.common.errors import StriateValueError
from striate.common.short_repr import short_repr
from striate.data.decode import Source, WantedImages
from striate.data.image_digests import Digests
from striate.data.image_rows import Flags, ImageRows, image_rows
from striate.data.images import Decoded
from striate.data.row_cache import RowCache

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


@short_repr
@dataclass(frozen=True, eq=False)
class Survey:
    """What is known of some images.

    Attributes:
        bad: see `Decoded`.
        shape: that all would have as an array.
    """

    bad: list[tuple[int, str]]
    shape: tuple[int, int, int, int]
    _head: dict[str, Any]
    _target: WantedImages
    _digests: Digests
    _flat: Flags
    _kept: npt.NDArray[np.int64]

    def decoded(
        self, sources: Sequence[Source], cache: RowCache, workers: int | None = None
    ) -> Decoded:
        """Return the images, which are decoded when they are asked for.

        Args:
            sources: where they are.
            cache: where decoded ones are kept.
            workers: see `ImageReader`.
        """
        images = image_rows(
            sources, self._target, self._digests, self._flat, self._kept, cache, workers
        )
        return Decoded(
            images=images,
            kept=self._kept,
            bad=self.bad,
            resize=self._head["resize"],
            colour=self._head["colour"],
            notes=[str(note) for note in self._head["notes"]],
        )


def read(key: str, count: int) -> Survey | None:
    """Return what is known of so many images, None if there is nothing that can be trusted."""
    content = _STORE.read(key)
    if content is None:
        return None
    try:
        return _parsed(content, count)
    except (ValueError, KeyError, TypeError, MemoryError, RecursionError):
        return None


def _parsed(content: memoryview, count: int) -> Survey:
    end = 8 + int.from_bytes(content[:8], "little")
    head: dict[str, Any] = json.loads(bytes(content[8:end]))
    if int(head["count"]) != count:
        raise StriateValueError(f"{head['count']} images are not {count}")
    digests = np.frombuffer(content[end:], "<u4", count).astype(np.uint32)
    flat = np.frombuffer(content[end + 4 * count :], np.uint8, count).astype(np.bool_)
    kept = np.frombuffer(content[end + 5 * count :], "<i8").astype(np.int64)
    given = head["target"]
    if given["cut_from"] is not None:
        given["cut_from"] = tuple(given["cut_from"])
    target = WantedImages(**given)
    bad = [(int(index), str(sentence)) for index, sentence in head["bad"]]
    shape = count, target.height, target.width, target.channels
    return Survey(bad, shape, head, target, digests, flat, kept)
