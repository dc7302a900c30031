"""Keeps decoded images in the user's cache, so that the next run need not decode them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from striate.common.cache import CacheStore
from striate.common.errors import StriateValueError
from striate.data.images import Decoded
from striate.data.stored_images import ImageFile, StoredImage

# Raise it when what decoding gives changes.
_VERSION = 2

# An entry's content: in eight bytes, little-endian, the length of a JSON object, which tells all
# but the arrays; this object; the indices that were kept, int64; and the images, uint8.
STORE = CacheStore("images", ".images", "images 2", limit=4 * 1024**3)


@dataclass(frozen=True, slots=True)
class File:
    """An image file with what tells whether it has changed.

    Attributes:
        path: its name; of an image inside a file what people call it.
        size: in bytes.
        modified, changed: nanoseconds; the second catches a change of permissions too.
        inside: of an image inside a file: that file, and where the image begins.
    """

    path: str
    size: int
    modified: int
    changed: int
    inside: tuple[str, int] | None = None

    @property
    def place(self) -> ImageFile:
        """Where its bytes are."""
        if self.inside is None:
            return self.path
        return StoredImage(self.inside[0], self.inside[1], self.size, self.path)


def key(files: Sequence[File], options: dict[str, Any]) -> str:
    """Return the key of the entry for these files, in this order, and JSON-able options."""
    import PIL

    digest = hashlib.sha256()
    digest.update(json.dumps([_VERSION, PIL.__version__, options], sort_keys=True).encode())
    for file in files:
        numbers = f"\0{file.size}\0{file.modified}\0{file.changed}\0"
        digest.update(os.fsencode(file.path) + numbers.encode())
        if file.inside is not None:
            digest.update(os.fsencode(file.inside[0]) + b"\0%d\0" % file.inside[1])
    return digest.hexdigest()


def read(key: str) -> Decoded | None:
    """Return the entry, or None if there is none that can be trusted."""
    content = STORE.read(key)
    if content is None:
        return None
    try:
        return _parsed(content)
    except (ValueError, KeyError, TypeError, MemoryError, RecursionError):
        return None


def write(key: str, decoded: Decoded) -> bool:
    """Keep an entry; return whether that worked."""
    head = {
        "shape": decoded.images.shape,
        "bad": decoded.bad,
        "resize": decoded.resize,
        "colour": decoded.colour,
        "notes": decoded.notes,
    }
    text = json.dumps(head).encode()
    kept = decoded.kept.astype("<i8").tobytes()
    images = np.ascontiguousarray(decoded.images).reshape(-1).data
    return STORE.write(key, len(text).to_bytes(8, "little"), text, kept, images)


def _parsed(content: memoryview) -> Decoded:
    """Return the images, which share the memory of `content`; an error of one of several kinds if
    it is not such content.
    """
    end = 8 + int.from_bytes(content[:8], "little")
    head = json.loads(bytes(content[8:end]))
    count, *sides = map(int, head["shape"])
    resize, colour = head["resize"], head["colour"]
    if sides != [resize["height"], resize["width"], {"gray": 1, "rgb": 3}[colour]]:
        raise StriateValueError(f"images of {sides} cannot come from {resize} and {colour}")
    kept = np.frombuffer(content[end:], "<i8", count).astype(np.int64)
    images = np.frombuffer(content[end + kept.nbytes :], np.uint8).reshape(count, *sides)
    bad = [(int(index), str(sentence)) for index, sentence in head["bad"]]
    notes = [str(note) for note in head["notes"]]
    return Decoded(images, kept, bad, resize, colour, notes)
