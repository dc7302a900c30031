"""Compares pairs of images, and each with how near images are to each other anyway."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from striate.checking.checked_images import Rows
from striate.checking.image_hashes import ImageHashes, mirrored
from striate.common.arrays import Floats

HIGHEST = 12
"""Waves per image, times two, that are compared: those above are what compression changes most."""
RANKS = (6, 40)
"""Which neighbour's distance a pair's is compared with, in small and in large sets: there may be so
many copies of a picture, less one."""
EACH = 500
"""Images for each rank more."""
LAST = 24
"""How many more neighbours the dimension of the data is estimated by."""
MOST_DIMENSIONS = 60.0
_BLOCK = 512

Numbers = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


class FineComparison:
    """Vectors of length 1 for images, whose products tell how alike images are.

    Low frequencies have most of a picture's energy, and would decide alone: each band of
    frequencies is divided by the root of its length. Copies of another size, which have lost some
    of the high frequencies, stay near the original.
    """

    def __init__(self, hashes: ImageHashes) -> None:
        self._hashes = hashes
        down, across = np.indices(hashes.gray.shape[1:])
        bands = np.rint(np.hypot(down, across)).astype(np.intp)
        self._used = (bands > 0) & (bands <= HIGHEST)
        self._bands = bands[self._used]
        signs = mirrored(np.ones((1, *hashes.gray.shape[1:]), np.float32))
        self.signs: Floats = signs[:, self._used]
        self._vectors = np.empty((len(hashes), len(self._bands)), np.float32)
        self._known = np.zeros(len(hashes), np.bool_)

    def __len__(self) -> int:
        return len(self._vectors)

    def vectors(self, rows: Rows) -> Floats:
        """The vectors of these images, (rows, numbers): made when they are asked for first."""
        new = np.unique(rows[~self._known[rows]])
        if len(new):
            self._vectors[new] = self._made(new)
            self._known[new] = True
        found: Floats = self._vectors[rows]
        return found

    def _made(self, rows: Rows) -> Floats:
        numbers = self._hashes.gray[rows][:, self._used]
        for band in np.unique(self._bands):
            some = numbers[:, self._bands == band]
            lengths = np.sqrt(np.einsum("nk,nk->n", some, some))
            numbers[:, self._bands == band] = some / np.sqrt(np.maximum(lengths, 1e-3))[:, None]
        lengths = np.sqrt(np.einsum("nk,nk->n", numbers, numbers))
        unit: Floats = numbers / np.maximum(lengths, 1e-6)[:, None]
        return unit

    def correlation(self, first: Rows, second: Rows, flip: Mask) -> Floats:
        """Of pairs, (pairs,), the second one mirrored where `flip` says so."""
        one = self.vectors(first)
        one[flip] *= self.signs
        found: Floats = np.einsum("nk,nk->n", one, self.vectors(second))
        return found

    def nearest(self, rows: Rows, among: Rows, count: int) -> Numbers:
        """The distances from images to their `count` nearest, ascending, (rows, at most count).

        A mirror image is as near as the image; an image is no neighbour of itself.

        Args:
            rows: of the images.
            among: rows of the images to look at, ascending.
            count: how many.
        """
        others = self.vectors(among)
        count = min(count, max(len(among) - 1, 0))
        found = np.empty((len(rows), count))
        for start in range(0, len(rows), _BLOCK):
            block = rows[start : start + _BLOCK]
            vectors = self.vectors(block)
            # Less the correlations, so that the nearest come first.
            near = np.minimum(-vectors @ others.T, (vectors * -self.signs) @ others.T)
            place = np.searchsorted(among, block)
            own = np.flatnonzero((place < len(among)) & (among[place % len(among)] == block))
            near[own, place[own]] = 1
            if count:
                best = np.sort(np.partition(near, count - 1, axis=1)[:, :count], axis=1)
                found[start : start + len(block)] = distance(-best)
        return found


def distance(correlation: npt.NDArray[np.floating]) -> Numbers:
    """Of vectors of length 1, divided by the root of 2."""
    return np.sqrt(np.maximum(1 - correlation.astype(np.float64), 0))


def rank_among(count: int) -> int:
    """The rank of the neighbour that pairs among so many images are compared with."""
    return min(max(count // EACH, RANKS[0]), RANKS[1])


def false_alarms(pair: Numbers, neighbours: Numbers, count: int) -> tuple[Numbers, Numbers]:
    """How many pairs as near as these are expected among so many images by chance.

    Where the data have m dimensions, as many images lie within a distance as its m-th power says.
    Of k neighbours within the distance R, the nearest is within r with a chance of about
    k (r / R)^m. The dimension around each image is estimated from the distances of its neighbours
    (Levina, Bickel, "Maximum likelihood estimation of intrinsic dimension", 2004).

    Args:
        pair: (pairs,), the distances.
        neighbours: (pairs, k), those from one image of each pair to its nearest, ascending; those
            before `rank_among(count)` may be copies, and are not used.
        count: how many images there are.

    Returns:
        The expected number, (pairs,), and the distances divided by that of the neighbour.
    """
    rank = rank_among(count)
    if neighbours.shape[1] < rank + 2:
        return np.full(len(pair), np.inf), np.full(len(pair), np.inf)
    far = np.maximum(neighbours[:, rank - 1 :], 1e-9)
    logs = np.log(far[:, -1:] / far[:, :-1]).mean(axis=1)
    dimensions = np.minimum(1 / np.maximum(logs, 1e-9), MOST_DIMENSIONS)
    ratio = pair / far[:, 0]
    return count * rank * np.minimum(ratio, 1) ** dimensions, ratio
