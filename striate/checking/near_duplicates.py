"""Images that show the same: identical, compressed once more, of another size, mirrored.

Pairs are found by the products of all coarse hashes with all others, in blocks, so that none is
missed; and then compared at finer frequencies and by their colours. How alike two different images
may be depends on the data: strokes of digits are, photographs are not. So a pair must also be much
nearer to each other than either of them is to the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from striate.checking.checked_images import Rows
from striate.checking.image_hashes import ImageHashes, mirrored
from striate.common.arrays import Floats
from striate.common.short_repr import short_repr
from striate.data.dataset import OnProgress

LEAST_COARSE = 0.93
"""The least correlation of the coarse hashes of a pair that is looked at closer."""
LEAST_FINE = 0.90
"""The least correlation at the fine frequencies."""
SAME_FINE = 0.9999
"""The correlation from which a pair is one, whatever the others are like."""
NEARER = 0.3
"""How many times nearer than their neighbourhoods a pair must be."""
SAMPLE = 4096
"""Images by which the neighbourhood of an image is known."""
MOST_LEVELS = 32.0
"""The most by which the means of a pair may differ, of 255, in brightness and in colours."""
_BLOCK, _WIDE = 512, 4096
MOST_PAIRS = 1_000_000
"""Pairs that are kept; sets with more are copies of few images."""

Mask = npt.NDArray[np.bool_]


@short_repr
@dataclass(frozen=True, eq=False)
class NearPairs:
    """Pairs of images that show the same.

    Attributes:
        first, second: rows, (pairs,), the first one smaller.
        mirrored: whether the second is the mirror image of the first.
        similarity: the correlation of the two at the fine frequencies, 0...1.
        complete: False if there were more than `MOST_PAIRS`.
    """

    first: Rows
    second: Rows
    mirrored: Mask
    similarity: Floats
    complete: bool = True


def near_pairs(
    hashes: ImageHashes,
    among: Rows,
    against: Rows | None = None,
    progress: OnProgress | None = None,
) -> NearPairs:
    """Find the pairs of images that show the same.

    Args:
        hashes: of all images.
        among: the rows to compare with each other, ascending; images that are too flat to be told
            from others should not be among them, nor more than one of identical ones.
        against: the rows to compare those with instead.
        progress: called with (done, total, text).
    """
    kept, complete, total = [_NO_PAIRS], True, 0
    finer = _FineComparison(hashes)
    for found in _candidates(hashes, among, against, progress):
        kept.append(finer.alike(*found))
        total += len(kept[-1][0])
        if total > MOST_PAIRS:
            complete = False
            break
    first, second, flip, similarity = _joined(kept)
    near = np.flatnonzero(_nearer_than_others(finer, first, second, similarity, among))
    order = near[np.lexsort((flip[near], second[near], first[near]))]
    # Of a symmetric image the mirror image is the image, too.
    repeated = np.zeros(len(order), np.bool_)
    repeated[1:] = (np.diff(first[order]) == 0) & (np.diff(second[order]) == 0)
    order = order[~repeated]
    low, high = np.sort([first[order], second[order]], axis=0)
    return NearPairs(low, high, flip[order], similarity[order], complete)


_Pairs = tuple[Rows, Rows, Mask, Floats]
_NO_PAIRS: _Pairs = (
    np.empty(0, np.intp),
    np.empty(0, np.intp),
    np.empty(0, np.bool_),
    np.empty(0, np.float32),
)


def _joined(pairs: list[_Pairs]) -> _Pairs:
    first, second, flip, similarity = zip(*pairs, strict=True)
    return (
        np.concatenate(first),
        np.concatenate(second),
        np.concatenate(flip),
        np.concatenate(similarity),
    )


def _candidates(
    hashes: ImageHashes, among: Rows, against: Rows | None, progress: OnProgress | None
) -> Iterator[tuple[Rows, Rows, Mask]]:
    """(first, second, mirrored) of pairs whose coarse hashes are alike, block by block."""
    coarse, signs = hashes.coarse(), hashes.coarse_signs()
    left = coarse[among]
    rows = among if against is None else against
    right = left if against is None else coarse[against]
    for start in range(0, len(left), _BLOCK):
        block = left[start : start + _BLOCK]
        sides = np.concatenate([block, block * signs])
        for other in range(start if against is None else 0, len(right), _WIDE):
            products = sides @ right[other : other + _WIDE].T
            alike = np.flatnonzero(products.reshape(-1) >= LEAST_COARSE)
            if not len(alike):
                continue
            side, place = np.divmod(alike, products.shape[1])
            flip, side = np.divmod(side, len(block))
            place += other
            if against is None:
                later = place > side + start
                side, place, flip = side[later], place[later], flip[later]
            if len(place):
                yield among[side + start], rows[place], flip.astype(np.bool_)
        if progress is not None:
            progress(min(start + _BLOCK, len(left)), len(left), "comparing images")


class _FineComparison:
    """Compares images at the fine frequencies, and by their colours."""

    _CHUNK = 1 << 15

    def __init__(self, hashes: ImageHashes) -> None:
        self.means = hashes.gray[:, 0, 0]
        self.colour = hashes.colour
        self.gray = hashes.gray.copy()
        self.gray[:, 0, 0] = 0
        self.length = np.sqrt(np.einsum("nij,nij->n", self.gray, self.gray))

    def alike(self, first: Rows, second: Rows, flip: Mask) -> _Pairs:
        """Those of some pairs that may show the same, with their correlations."""
        starts = range(0, len(first), self._CHUNK)
        pieces = (slice(start, start + self._CHUNK) for start in starts)
        return _joined([self._alike(first[p], second[p], flip[p]) for p in pieces])

    def _alike(self, first: Rows, second: Rows, flip: Mask) -> _Pairs:
        ratio = self.length[first] / self.length[second]
        good = (np.abs(self.means[first] - self.means[second]) <= MOST_LEVELS) & (
            np.abs(np.log2(ratio)) <= 1
        )
        first, second, flip = first[good], second[good], flip[good]
        similarity = self.correlation(first, second, flip)
        good = similarity >= LEAST_FINE
        if self.colour.shape[1]:
            good[good] = self._same_colours(first[good], second[good], flip[good])
        return first[good], second[good], flip[good], similarity[good]

    def correlation(self, first: Rows, second: Rows, flip: Mask) -> Floats:
        """Of the fine frequencies of pairs, the second one mirrored where `flip` says so."""
        other = self.gray[second]
        other[flip] = mirrored(other[flip])
        products: Floats = np.einsum("nij,nij->n", self.gray[first], other)
        products /= np.maximum(self.length[first] * self.length[second], 1e-6)
        return products

    def _same_colours(self, first: Rows, second: Rows, flip: Mask) -> Mask:
        other = self.colour[second]
        other[flip] = mirrored(other[flip])
        difference = self.colour[first] - other
        squares = np.einsum("ncij,ncij->n", difference, difference)
        return np.asarray(squares <= MOST_LEVELS**2)

    def neighbourhoods(self, rows: Rows, among: Rows) -> Floats:
        """Of each image the correlation with one that is near, but not the nearest, in a sample."""
        sample = among[:: max(1, -(-len(among) // SAMPLE))]
        rank = max(10, len(sample) // 200)
        if len(sample) <= rank:
            return np.full(len(rows), -1, np.float32)
        others = self._unit(self.gray[sample])
        found = np.empty(len(rows), np.float32)
        for start in range(0, len(rows), _BLOCK):
            some = self.gray[rows[start : start + _BLOCK]]
            both = np.maximum(self._unit(some) @ others.T, self._unit(mirrored(some)) @ others.T)
            found[start : start + len(some)] = np.partition(both, -rank, axis=1)[:, -rank]
        return found

    @staticmethod
    def _unit(gray: Floats) -> Floats:
        flat = gray.reshape(len(gray), -1)
        lengths: Floats = np.sqrt(np.einsum("nk,nk->n", flat, flat))
        flat = flat / np.maximum(lengths, 1e-6)[:, None]
        return flat


def _nearer_than_others(
    finer: _FineComparison, first: Rows, second: Rows, similarity: Floats, among: Rows
) -> Mask:
    """Which pairs are much nearer to each other than to the rest, or nearly equal."""
    rows, places = np.unique(np.concatenate([first, second]), return_inverse=True)
    others = finer.neighbourhoods(rows, among)[places.reshape(2, -1)]
    # Of vectors of length 1 the distance is the root of 2 - 2 r.
    distance = np.sqrt(np.maximum(1 - similarity, 0))
    away = np.sqrt(np.maximum(1 - others.max(axis=0, initial=-1), 0))
    return np.asarray((similarity >= SAME_FINE) | (distance <= NEARER * away))
