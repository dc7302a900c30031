"""Images that show the same: identical, compressed once more, of another size, mirrored.

Pairs are found by the products of all coarse hashes with all others, in blocks, so that none is
missed; and then compared at finer frequencies and by their colours. How alike two different images
may be depends on the data: strokes of digits are, photographs are not. So a pair must also be
nearer to each other than is to be expected of the nearest of so many images.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from striate.checking.checked_images import Rows
from striate.checking.fine_comparison import (
    LAST,
    FineComparison,
    Mask,
    Numbers,
    distance,
    false_alarms,
    rank_among,
)
from striate.checking.image_hashes import ImageHashes, mirrored
from striate.common.arrays import Floats
from striate.common.short_repr import short_repr
from striate.data.dataset import OnProgress

LEAST_COARSE = 0.93
"""The least correlation of the coarse hashes of a pair that is looked at closer."""
LEAST_FINE = 0.85
"""The least correlation at the fine frequencies."""
NEARER = 0.25, 0.5
"""How much nearer than a near neighbour the images of a pair must be to each other: a part of its
distance, the second one or, where images have such near neighbours by chance, down to the first."""
MOST_FALSE = 0.01
"""The expected number of pairs that near by chance, in all."""
COPY_LEVELS, COPY = 2.5, 0.98
"""The difference of copies at most, in levels of 255, and their correlation at least: they are a
pair whatever the others are like."""
SAMPLE = 4096
"""Images by which the neighbourhoods of images are known roughly."""
MOST_LEVELS = 32.0
"""The most by which the means of a pair may differ, of 255, in brightness and in colours."""
_ROUGH = 8  # which neighbour in the sample
_TAIL = 128
"""Images of which it is found out how near their nearest neighbours are."""
_BLOCK, _WIDE = 512, 4096
MOST_PAIRS = 1_000_000
"""Pairs that are kept; sets with more are copies of few images."""


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
    finer = FineComparison(hashes)
    pool = among if against is None else against
    rough = _RoughNeighbourhoods(finer, pool)
    for found in _candidates(hashes, among, against, progress):
        kept.append(_alike(hashes, finer, rough, *found))
        total += len(kept[-1][0])
        if total > MOST_PAIRS:
            complete = False
            break
    first, second, flip, similarity = _joined(kept)
    copies = _copies(hashes, first, second, flip)
    chance = _by_chance(finer, first, second, similarity, pool, len(among))
    near = np.flatnonzero(copies | ~chance)
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


def _alike(
    hashes: ImageHashes,
    finer: FineComparison,
    rough: _RoughNeighbourhoods,
    first: Rows,
    second: Rows,
    flip: Mask,
) -> _Pairs:
    """Those of some pairs that may show the same, with their correlations."""
    means = hashes.gray[:, 0, 0]
    good = np.abs(means[first] - means[second]) <= MOST_LEVELS
    first, second, flip = first[good], second[good], flip[good]
    similarity = finer.correlation(first, second, flip)
    good = similarity >= LEAST_FINE
    if hashes.colour.shape[1]:
        other = hashes.colour[second[good]]
        other[flip[good]] = mirrored(other[flip[good]])
        other -= hashes.colour[first[good]]
        good[good] = np.einsum("ncij,ncij->n", other, other) <= MOST_LEVELS**2
    first, second, flip, similarity = first[good], second[good], flip[good], similarity[good]
    good = rough.much_nearer(first, second, distance(similarity))
    rest = np.flatnonzero(~good)
    good[rest] = _copies(hashes, first[rest], second[rest], flip[rest])
    return first[good], second[good], flip[good], similarity[good]


def _copies(hashes: ImageHashes, first: Rows, second: Rows, flip: Mask) -> Mask:
    """Which pairs differ by no more than the compression of a copy makes of it."""
    one, other = hashes.gray[first], hashes.gray[second]
    other[flip] = mirrored(other[flip])
    one[:, 0, 0] = other[:, 0, 0] = 0
    products = np.einsum("nij,nij->n", one, other)
    squares = np.einsum("nij,nij->n", one, one), np.einsum("nij,nij->n", other, other)
    correlated = products >= COPY * np.sqrt(squares[0] * squares[1])
    near = squares[0] + squares[1] - 2 * products <= COPY_LEVELS**2
    return np.asarray(correlated & near)


def _by_chance(
    finer: FineComparison,
    first: Rows,
    second: Rows,
    similarity: Floats,
    among: Rows,
    compared: int,
) -> Mask:
    """Which of the pairs are no nearer to each other than different images may be."""
    between = distance(similarity)
    rows, sides = _rows_of(first, second)
    near = finer.nearest(rows, among, rank_among(len(among)) + LAST)
    chance = np.zeros(len(first), np.bool_)
    ratios = np.zeros(len(first))
    for side in sides:
        expected, ratio = false_alarms(between, near[side], len(among))
        chance |= expected > MOST_FALSE
        ratios = np.maximum(ratios, ratio)
    least, most = NEARER
    if (~chance & (ratios > least) & (ratios <= most)).any():
        most = nearest_by_chance(finer, among, compared)
    return chance | (ratios > most)


def nearest_by_chance(finer: FineComparison, among: Rows, compared: int) -> float:
    """How near the nearest neighbour of one of so many images is by chance, in distances of a near
    neighbour, and within `NEARER`.

    The logarithms of these ratios have an exponential tail, whose scale is known from the half of
    the images that is nearer than the median, but for the nearest fifth: those may be copies.

    Args:
        finer: of the images.
        among: rows of the images, ascending.
        compared: how many images are compared with them.
    """
    rank = rank_among(len(among))
    sample = among[:: max(1, len(among) // _TAIL)]
    near = np.maximum(finer.nearest(sample, among, rank), 1e-9)
    if near.shape[1] < rank:
        return NEARER[1]
    steps = np.log(near[:, -1] / near[:, 0])
    median, upper = np.quantile(steps, [0.5, 0.8])
    scale = (upper - median) / np.log(0.5 / 0.2)
    one = upper + scale * np.log(max(0.2 * compared, 1.0))
    return float(np.clip(np.exp(-one), *NEARER))


class _RoughNeighbourhoods:
    """How far images are from others of a sample: farther than from as near ones among all.

    Pairs that are not much nearer than that need no closer look, and of digits there are millions.
    """

    def __init__(self, finer: FineComparison, among: Rows) -> None:
        self.finer = finer
        self.sample = among[:: max(1, -(-len(among) // SAMPLE))]
        self.known = np.full(len(finer), np.nan)

    def much_nearer(self, first: Rows, second: Rows, between: Numbers) -> Mask:
        """Which pairs, (pairs,), are much nearer to each other than to the sample."""
        if len(self.sample) <= _ROUGH:
            return np.ones(len(first), np.bool_)
        rows = np.unique(np.concatenate([first, second]))
        unknown = rows[np.isnan(self.known[rows])]
        self.known[unknown] = self.finer.nearest(unknown, self.sample, _ROUGH)[:, -1]
        near = np.minimum(self.known[first], self.known[second])
        return np.asarray(between <= NEARER[1] * near)


def _rows_of(first: Rows, second: Rows) -> tuple[Rows, tuple[Rows, Rows]]:
    """The rows in pairs, each once, and of both sides of the pairs their places in these."""
    rows, places = np.unique(np.concatenate([first, second]), return_inverse=True)
    one, other = places.reshape(2, -1)
    return rows, (one, other)
