"""Overlapping tiles of inputs, along one axis: which tiles a pixel is in, for its gradient."""

from __future__ import annotations

from fractions import Fraction

from striate.nest.algebra import Matrix
from striate.ops.winograd import Transforms

# Where a transform has one direction only.
ONE: Matrix = ((Fraction(1),),)


class OverlappingTiles:
    """Which tiles an input pixel is in.

    Groups of m pixels begin where the image does, tiles `pad` pixels before it.  Pixel e of group x
    is number e + shift + m·b of tile x + ahead - b, for every b where that is a number of a tile.

    Attributes:
        groups: how many there are, the last perhaps not whole.
        first: the leftmost tile in which pixels of group 0 are; one further for each group.
        halo: tiles that are not there, before the first and behind the last: zeros.
    """

    def __init__(self, matrices: Transforms, pad: int, pixels: int, tiles: int) -> None:
        self._matrices, m = matrices, matrices.outputs_count
        ahead, self._shift = divmod(pad, m)
        self._backs = range(
            -((m - 1 + self._shift) // m), (matrices.size - 1 - self._shift) // m + 1
        )
        self.groups = -(-pixels // m)
        self.first = ahead - self._backs[-1]
        behind = self.groups + ahead - self._backs[0] - tiles
        self.halo = max(-self.first, 0), max(behind, 0)

    def matrix(self, pixels: int) -> Matrix:
        """B, for the first pixels of a group: from all positions of all tiles that they are in,
        these from left to right.
        """
        inputs, size = self._matrices.inputs, self._matrices.size

        def number(pixel: int, back: int) -> int:
            return pixel + self._shift + self._matrices.outputs_count * back

        return tuple(
            tuple(
                inputs[p][i] if 0 <= (i := number(e, b)) < size else Fraction(0)
                for b in reversed(self._backs)
                for p in range(size)
            )
            for e in range(pixels)
        )
