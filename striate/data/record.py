"""Which images a network was trained and tested on: small enough to be kept in its file.

Of each image there is a digest of its pixels, its class and, where it came from a file, the file's
name below the folder that was named. So the same images are found again wherever they are now, in
any order and under other names; and one that changed under its old name is told from a new one.
"""

from __future__ import annotations

import base64
import binascii
import os
import zlib
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from striate.common.short_repr import short_repr
from striate.data.dataset import Dataset
from striate.data.image_digests import Digests, digests
from striate.data.part import Labels, Part

_VERSION = 1
NAMES = ("train", "test", "validation")
NEW = -1
# What a damaged file could claim: bytes of all names of a part.
_LONGEST_NAME = 4096
_ALL_NAMES = 1 << 28


@short_repr
@dataclass(frozen=True, eq=False)
class RecordedPart:
    """The images of one part.

    Attributes:
        digests: uint32 (n,), see `striate.data.image_digests`.
        labels: int64 (n,), class indices; of other labels a digest of those of each image.
        names: the files' names below the source's folder, or None.
    """

    digests: Digests
    labels: Labels
    names: list[str] | None


@short_repr
@dataclass
class Comparison:
    """Images compared with those of a record.

    Attributes:
        parts: int8 (n,), of each image the index in `NAMES` of the part in which it is recorded,
            or NEW.
        changed: rows of images that have other pixels under the same file name; they count as
            images of the part in which the name is recorded.
        relabelled: rows of images that are recorded with another class.
        missing: the names of recorded images that are not there; "" for one without a name.
        recorded: how many images of the record were looked for.
        paths: the files of the images, None where they come from no image files.
    """

    parts: npt.NDArray[np.int8]
    paths: list[str] | None = None
    changed: list[int] = field(default_factory=list)
    relabelled: list[int] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    recorded: int = 0

    def rows(self, *parts: str) -> npt.NDArray[np.intp]:
        """Return the rows of the images that are recorded in one of these parts."""
        return np.flatnonzero(np.isin(self.parts, [NAMES.index(part) for part in parts]))

    @property
    def new(self) -> npt.NDArray[np.intp]:
        """The rows of images that are not recorded."""
        return np.flatnonzero(self.parts == NEW)

    @property
    def related(self) -> bool:
        """Whether at least one image is recorded."""
        return bool((self.parts != NEW).any())

    def counts(self) -> dict[str, int]:
        """Return how many images differ from the record, by kind."""
        return {
            "new": len(self.new),
            "changed": len(self.changed),
            "missing": len(self.missing),
            "relabelled": len(self.relabelled),
        }

    def sentence(self) -> str:
        """Return what differs from the record, in words: "" if nothing does."""

        def some(rows: Any) -> str:
            names = [] if self.paths is None else [self.paths[row] for row in list(rows)[:4]]
            return _examples(names, len(rows))

        named = [name for name in self.missing if name]
        told = {
            "new": (len(self.new), some(self.new)),
            "changed": (len(self.changed), some(self.changed)),
            "missing": (len(self.missing), _examples(named[:4], len(self.missing))),
            "in another class": (len(self.relabelled), some(self.relabelled)),
        }
        pieces = [f"{count:,} {kind}{which}" for kind, (count, which) in told.items() if count]
        return f"images compared with those of the training: {', '.join(pieces)}" if pieces else ""


@dataclass(frozen=True)
class ImageRecord:
    """The images of a network's training.

    Attributes:
        source: the short name of their source.
        parts: by name, of `NAMES`.
    """

    source: str
    parts: dict[str, RecordedPart]

    @classmethod
    def of(cls, dataset: Dataset) -> ImageRecord:
        """Return the record of a dataset."""
        parts = {
            name: RecordedPart(
                digests(part.images),
                label_codes(part.labels),
                relative_names(part.paths, dataset.folder),
            )
            for name, part in dataset.parts.items()
        }
        return cls(dataset.name, parts)

    def to_notes(self) -> dict[str, Any]:
        """Return the record as JSON-able values; `from_notes` reads them."""
        return {
            "version": _VERSION,
            "source": self.source,
            "parts": {
                name: {
                    "images": len(part.digests),
                    "digests": _text(part.digests.astype("<u4").tobytes()),
                    "classes": _text(zlib.compress(part.labels.astype("<i4").tobytes(), 9)),
                    "names": None
                    if part.names is None
                    else _text(zlib.compress(os.fsencode("\0".join(part.names)), 9)),
                }
                for name, part in self.parts.items()
            },
        }

    @classmethod
    def from_notes(cls, notes: object) -> ImageRecord | None:
        """Return the record that `to_notes` described; None for anything else."""
        try:
            if not isinstance(notes, dict) or notes["version"] != _VERSION:
                return None
            parts = {name: _part(notes["parts"][name]) for name in NAMES if name in notes["parts"]}
            return cls(str(notes["source"]), parts) if parts else None
        except (KeyError, TypeError, ValueError, zlib.error, binascii.Error):
            return None

    def compare(
        self,
        *parts: Part,
        source: str,
        folder: str | None,
        among: tuple[str, ...] = NAMES,
    ) -> Comparison:
        """Compare images with the record.

        Args:
            parts: the images, with labels that are indices into the same classes. The rows of what
                is returned count on from one part to the next.
            source: the short name of their source.
            folder: the folder of their files, if they have some.
            among: the parts whose images should be there: others are not missing.
        """
        found = [path for part in parts for path in part.paths or ()]
        labels = np.concatenate([label_codes(part.labels) for part in parts])
        paths = found if len(found) == len(labels) else None
        names = relative_names(paths, folder)
        matching = _Matching(self, np.concatenate([digests(part.images) for part in parts]), labels)
        if names is not None:
            matching.by_name(names, trusted=source == self.source)
        matching.by_content()
        return matching.outcome(among, paths)


class _Matching:
    """Finds for each image the recorded one, each recorded image for one image only."""

    def __init__(self, record: ImageRecord, images: Digests, labels: Labels) -> None:
        self.images, self.labels = images.tolist(), labels.tolist()
        # All recorded images, one after the other.
        self.entries: list[tuple[int, int, int, str]] = []
        for name, part in record.parts.items():
            number = NAMES.index(name)
            names = part.names if part.names is not None else [""] * len(part.digests)
            rows = zip(part.digests.tolist(), part.labels.tolist(), names, strict=True)
            self.entries += [(number, digest, label, own) for digest, label, own in rows]
        self.entry_of = [-1] * len(self.images)
        self.free = [True] * len(self.entries)
        self.changed: list[int] = []

    def by_name(self, names: list[str], *, trusted: bool) -> None:
        """Match the files of the same names: all that have the same content; the others if the
        names are those of the same source, by its name or because most contents are the same.
        """
        known = {own: index for index, (_, _, _, own) in enumerate(self.entries) if own}
        pairs = [(row, known[name]) for row, name in enumerate(names) if name in known]
        same = [(row, entry) for row, entry in pairs if self._content(entry) == self.images[row]]
        for row, entry in same:
            self._match(row, entry)
        if trusted or 2 * len(same) >= len(pairs):
            for row, entry in pairs:
                if self.entry_of[row] < 0:
                    self._match(row, entry)
                    self.changed.append(row)

    def by_content(self) -> None:
        """Match what is left by the pixels, those with the same class first."""
        for with_label in (True, False):
            free: dict[tuple[int, int], list[int]] = defaultdict(list)
            for index in range(len(self.entries) - 1, -1, -1):  # so that the first is taken first
                if self.free[index]:
                    _, digest, label, _ = self.entries[index]
                    free[digest, label * with_label].append(index)
            for row, (digest, label) in enumerate(zip(self.images, self.labels, strict=True)):
                found = free.get((digest, label * with_label))
                if self.entry_of[row] < 0 and found:
                    self._match(row, found.pop())

    def outcome(self, among: tuple[str, ...], paths: list[str] | None) -> Comparison:
        """Return what was found."""
        parts = [self.entries[entry][0] if entry >= 0 else NEW for entry in self.entry_of]
        # One more copy of an image that was trained on is not new.
        trained = {digest for number, digest, _, _ in self.entries if NAMES[number] != "test"}
        copies = [
            NAMES.index("train") if part == NEW and digest in trained else part
            for part, digest in zip(parts, self.images, strict=True)
        ]
        wanted = {NAMES.index(name) for name in among}
        relabelled = [
            row
            for row, entry in enumerate(self.entry_of)
            if entry >= 0 and self.entries[entry][2] != self.labels[row]
        ]
        return Comparison(
            np.array(copies, np.int8),
            paths,
            changed=self.changed,
            relabelled=relabelled,
            missing=[
                own
                for (number, _, _, own), free in zip(self.entries, self.free, strict=True)
                if free and number in wanted
            ],
            recorded=sum(number in wanted for number, _, _, _ in self.entries),
        )

    def _content(self, entry: int) -> int:
        return self.entries[entry][1]

    def _match(self, row: int, entry: int) -> None:
        self.entry_of[row] = entry
        self.free[entry] = False


def label_codes(labels: Labels) -> npt.NDArray[np.int64]:
    """Return class indices as they are, and of several labels or numbers a digest for each image:
    int64 (n,), in 32 bits.
    """
    if labels.ndim == 1:
        return labels.astype(np.int64, copy=False)
    rows = np.ascontiguousarray(labels, "<f8")
    codes = [zlib.crc32(row.tobytes()) for row in rows]
    return np.array(codes, np.uint32).astype(np.int32).astype(np.int64)


def relative_names(paths: list[str] | None, folder: str | None) -> list[str] | None:
    """Return the files' names below the folder, with "/" between folders on all systems."""
    if paths is None or folder is None:
        return None
    return [os.path.relpath(path, folder).replace(os.sep, "/") for path in paths]


def _part(notes: dict[str, Any]) -> RecordedPart:
    """Return a part as `to_notes` describes it; an error of one of several kinds otherwise."""
    found = np.frombuffer(_bytes(notes["digests"]), "<u4").astype(np.uint32)
    count = len(found)
    labels = np.frombuffer(_unpacked(notes["classes"], 4 * count), "<i4").astype(np.int64)
    names = None
    if notes["names"] is not None:
        text = _unpacked(notes["names"], min(_ALL_NAMES, count * _LONGEST_NAME))
        names = os.fsdecode(text).split("\0") if count else []
    if len(labels) != count or (names is not None and len(names) != count):
        raise ValueError("not as many classes or names as images")
    return RecordedPart(found, labels, names)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _bytes(text: object) -> bytes:
    if not isinstance(text, str):
        raise TypeError("not text")
    return base64.b64decode(text, validate=True)


def _unpacked(text: object, most: int) -> bytes:
    """Return compressed bytes, if they are no more than `most`."""
    unpacking = zlib.decompressobj()
    data = unpacking.decompress(_bytes(text), most + 1)
    if len(data) > most:
        raise ValueError("more than there can be")
    return data


def _examples(names: list[str], count: int) -> str:
    """Return " (a, b and 3 more)", or "" without names."""
    if not names:
        return ""
    shown = names[:3]
    rest = [f"{count - len(shown):,} more"] if count > len(shown) else []
    return f" ({' and '.join([', '.join(shown), *rest])})"
