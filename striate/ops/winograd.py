"""Winograd's minimal filtering: m outputs of a filter of r taps from m + r - 1 products.

A filter of r taps g, slid over m + r - 1 numbers d, gives m outputs.  Written out that takes m·r
products; Winograd (1980) showed that m + r - 1 are enough:

    y = A' [ (G g) * (B' d) ]            (' transposes, * multiplies number by number)

Where that comes from (Toom 1963, Cook 1966): polynomials a and g, of degrees m - 1 and r - 1, are
multiplied by evaluating both at m + r - 1 points, multiplying the values, and interpolating.  With
V the Vandermonde matrix of the points, and V_m, V_r its first m and r columns,

    a × g = V⁻¹ [ (V_r g) * (V_m a) ]

is a linear map of a, and the correlation of d with g is its transpose (the chain rule again):

    y = V_m' [ (V_r g) * (V⁻¹' d) ]      so A = V_m, G = V_r, B = V⁻¹.

In two dimensions each matrix acts on rows and columns: Y = A' [ (G F G') * (B' D B) ] A (Lavin and
Gray 2015): 36 products for 16 outputs of a 3×3 filter instead of 144.

Its gradients follow by the chain rule, with the same matrices:

    dF = G' [ (A dY A') * (B' D B) ] G   and dD is the correlation of dY with the filter turned by
                                         180 degrees.

Everything is exact here, in fractions; the compiled loops are in
`striate.plan.lowering.convolution.winograd`.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from striate.common.arrays import Array

Matrix = tuple[tuple[Fraction, ...], ...]

# Points at which the polynomials are evaluated, besides infinity, by the inputs of a tile.  Powers
# of two are exact in binary; most bring their negatives, so that even and odd parts are computed
# once for both.
POINTS: dict[int, tuple[Fraction, ...]] = {
    4: tuple(map(Fraction, (0, 1, -1))),
    5: tuple(map(Fraction, (0, 1, -1, 2))),
    6: tuple(map(Fraction, (0, 1, -1, 2, -2))),
    7: tuple(map(Fraction, ("0", "1", "-1", "2", "-2", "-1/2"))),
    8: tuple(map(Fraction, ("0", "1", "-1", "2", "-2", "1/2", "-1/2"))),
}


@dataclass(frozen=True)
class Transforms:
    """The matrices of F(m, r), all (m + r - 1) rows high; B' is square.

    Attributes:
        outputs_count, taps: m and r.
        inputs: B', applied to m + r - 1 inputs.
        filters: G, applied to r taps.
        outputs: A, whose transpose is applied to the products.
    """

    outputs_count: int
    taps: int
    inputs: Matrix
    filters: Matrix
    outputs: Matrix

    @property
    def size(self) -> int:
        """m + r - 1: inputs of a tile along one axis."""
        return len(self.inputs)


@functools.cache
def transforms(outputs: int, taps: int = 3) -> Transforms:
    """The matrices of F(outputs, taps), whose tiles have 4 to 8 inputs along an axis."""
    points = POINTS[outputs + taps - 1]
    inverse = _inverse(_vandermonde(points, len(points) + 1))
    # Row i of B' may be multiplied by any number if row i of G is divided by it: so all of B' is
    # whole numbers, and only the filters, transformed once a step, see fractions.
    scales = [_denominator(column) for column in zip(*inverse, strict=True)]
    return Transforms(
        outputs,
        taps,
        tuple(
            tuple(value * scale for value in column)
            for column, scale in zip(zip(*inverse, strict=True), scales, strict=True)
        ),
        tuple(
            tuple(value / scale for value in row)
            for row, scale in zip(_vandermonde(points, taps), scales, strict=True)
        ),
        _vandermonde(points, outputs),
    )


def _vandermonde(points: Sequence[Fraction], columns: int) -> Matrix:
    """Row i: 1, p, p², … of point i; the last row, infinity, keeps the leading coefficient.

    Of a point a/b they are multiplied by the highest power of b, so that all are whole numbers:
    degrees of factors and product add up, so it is the same identity.
    """
    finite = [
        tuple(
            Fraction(point.numerator**power * point.denominator ** (columns - 1 - power))
            for power in range(columns)
        )
        for point in points
    ]
    infinite = tuple(Fraction(int(power == columns - 1)) for power in range(columns))
    return (*finite, infinite)


def _inverse(matrix: Matrix) -> Matrix:
    """By elimination, exactly."""
    size = len(matrix)
    rows = [[*row, *(Fraction(int(i == j)) for j in range(size))] for i, row in enumerate(matrix)]
    for column in range(size):
        pivot = next(i for i in range(column, size) if rows[i][column])
        rows[column], rows[pivot] = rows[pivot], rows[column]
        rows[column] = [value / rows[column][column] for value in rows[column]]
        for i in range(size):
            if i != column and (factor := rows[i][column]):
                rows[i] = [a - factor * b for a, b in zip(rows[i], rows[column], strict=True)]
    return tuple(tuple(row[size:]) for row in rows)


def _denominator(values: Sequence[Fraction]) -> Fraction:
    """The least number that makes all of them whole."""
    return Fraction(int(np.lcm.reduce([value.denominator for value in values])))


def correlate_tiles(image: Array, filters: Array, outputs: int) -> Array:
    """The valid correlation of one image by tiles, in NumPy: what the compiled loops do.

    Args:
        image: (height, width, channels).
        filters: (r, r, channels, filters); height - r + 1 and width - r + 1 must be multiples of
            `outputs`.

    Returns:
        (height - r + 1, width - r + 1, filters), in float64.
    """
    taps = len(filters)
    matrices = transforms(outputs, taps)
    b, g, a = (
        np.array(matrix, float) for matrix in (matrices.inputs, matrices.filters, matrices.outputs)
    )
    transformed = np.einsum("pr,qs,rsck->pqck", g, g, filters)
    height, width = image.shape[0] - taps + 1, image.shape[1] - taps + 1
    result = np.zeros((height, width, filters.shape[3]))
    for y in range(0, height, outputs):
        for x in range(0, width, outputs):
            tile = image[y : y + matrices.size, x : x + matrices.size]
            inputs = np.einsum("pi,qj,ijc->pqc", b, b, tile)
            products = np.einsum("pqc,pqck->pqk", inputs, transformed)
            result[y : y + outputs, x : x + outputs] = np.einsum("pi,qj,pqk->ijk", a, a, products)
    return result
