"""Winograd's algorithm along the rows of an image, where images fill the lanes: when it pays.

A row is cut into strips of m outputs.  A strip takes m + r - 1 products (at positions p) for each
row of r taps, instead of m·r; rows of taps are summed up as in the textbook loops.  With strips t,
and B', G, A of `striate.ops.winograd`:

    V[p][y][t][c] = B' of the inputs of row y             U[p][r][c][k] = G of row r of the filters
    M[p][y][t][k] = sum over r, c of V[p][y+r][t][c] * U[p][r][c][k]          O = A' M

The gradients follow by the chain rule, with W[p][y][t][k] = A of the gradient of the outputs:

    dU[p][r][c][k] += V[p][y+r][t][c] * W[p][y][t][k]                         dF = G' dU
    N[p][y][t][c]   = sum over r, k of W[p][y-r][t][k] * U[p][r][c][k]        dX = B N

where strips overlap in dX, and are added up.  Near the border a row of dX is a sum of fewer than r
rows: no product with a zero of the padding is computed.

Few channels are what images in the lanes are for, and with these only rows are transformed.  Tiles
of both directions would be (m+r-1)²/m² numbers for each output, to be written and read again for
sums over few channels alone; strips are (m+r-1)/m, for sums over r times as many.  And their
rounding errors are the square root of those of tiles.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from striate.ops.shapes import Pads
from striate.ops.winograd import POINTS, Transforms, transforms
from striate.plan.analysis.operations import INPUT, Operation
from striate.plan.lowering.convolution.algorithm import Pass
from striate.plan.lowering.convolution.bfloat16 import SHARE, fits
from striate.plan.lowering.convolution.conv_geometry import ConvGeometry

# Vector operations in the time that any of the transforms takes for one position of a strip, as
# measured: all are bound by what they read and write.
_TRANSFORM = 4.0
# And in that of beginning and storing a sum at a position.
_SUM = 4.0
# How much must be saved for it to be worth its rounding.
MARGIN = 1.1
# Vectors of a transformed image that stay near until they are read (512 KiB of AVX-512), and
# numbers of the transformed filters that do.
_FITTING, _FILTERS = 8192, 1 << 16


class Strips(ConvGeometry):
    """The numbers of a convolution whose rows are cut into strips.

    Attributes:
        m: outputs of a strip.
        positions: m + r - 1.
        count: strips of a row of outputs.
        lines: rows of the padded input that outputs read.
        groups: runs of m pixels of an input row.
        at_tap, at_position: how far rows of taps, and positions, lie apart in U.
    """

    def __init__(self, operation: Operation, matrices: Transforms) -> None:
        super().__init__(operation)
        self.matrices = matrices
        self.m, self.positions = matrices.outputs_count, matrices.size
        self.count, self.groups = -(-self.columns // self.m), -(-self.width // self.m)
        self.lines = self.rows + matrices.taps - 1
        self.at_tap = self.depth * self.outputs
        self.at_position = matrices.taps * self.at_tap

    def runs(self) -> Iterator[RowRun]:
        """The rows of the input, with the taps that reach outputs from there."""
        taps, first = self.matrices.taps, 0
        for y in range(1, self.height + 1):
            here = self._taps(first)
            # Only rows that all taps reach are alike.
            if y == self.height or self._taps(y) != here or len(here) < taps:
                yield RowRun(first, y - first, here.start, len(here), first + self.pads[0])
                first = y

    def _taps(self, y: int) -> range:
        line = y + self.pads[0]
        return range(max(0, line - self.rows + 1), min(self.matrices.taps - 1, line) + 1)

    @property
    def _reached(self) -> int:
        """Pairs of a row of the input and a row of taps that reach outputs from there."""
        starts = [tap - self.pads[0] for tap in range(self.matrices.taps)]
        return sum(max(min(self.height, self.rows + s) - max(s, 0), 0) for s in starts)

    @property
    def seen(self) -> int:
        """Vectors of V."""
        return self.positions * self.lines * self.count * self.depth

    @property
    def spread(self) -> int:
        """Vectors of W."""
        return self.positions * self.rows * self.count * self.outputs

    def costs(self) -> dict[Pass, float]:
        """Vector operations of each pass, for as many images as there are lanes."""
        line = self.positions * self.count
        products = self.rows * line * self.matrices.taps * self.at_tap
        fewer = self._reached * line * self.at_tap
        back = self.height * self.positions * self.depth
        transforms = _TRANSFORM * (self.seen + self.spread)
        return {
            "forward": products + transforms + _SUM * self.spread,
            "input_gradient": fewer
            + _TRANSFORM * (self.spread + back * self.groups)
            + _SUM * back * self.count,
            "filter_gradient": products + transforms + _SUM * self.positions * self.at_position,
        }

    def near(self) -> dict[Pass, bool]:
        """Whether what each pass reads, more than once, fits the cache."""
        return {
            "forward": self.seen <= _FITTING,
            "input_gradient": self.spread <= _FITTING,
            "filter_gradient": self.seen + self.spread <= 2 * _FITTING,
        }


@dataclass(frozen=True)
class RowRun:
    """Rows of the input from the `first` on, read by `taps` rows of taps from `tap` on; the first
    of these sees the first row as row `line - tap` of the outputs.
    """

    first: int
    count: int
    tap: int
    taps: int
    line: int


@dataclass(frozen=True)
class StripChoice:
    """The passes that are computed in strips, and the part of the textbook loops' vector operations
    that all passes take then.
    """

    strips: Strips
    passes: frozenset[Pass]
    share: float


def best(
    operation: Operation, training: bool, input_gradient: bool = False, bfloat16: bool = False
) -> StripChoice | None:
    """The best strips; None where the textbook loops are as fast in every pass.

    `input_gradient`: even if the input is that of the network.  `bfloat16`: where these loops may
    multiply pairs.
    """
    g = ConvGeometry(operation)
    taps = g.size[0]
    if not g.suits_winograd:
        return None
    products = float(taps * taps * g.depth * g.outputs)
    if bfloat16 and fits(operation):
        products *= SHARE
    direct: dict[Pass, float] = {"forward": products * g.rows * g.columns}
    if training:
        direct["filter_gradient"] = direct["forward"]
        if input_gradient or INPUT not in operation.inputs:
            direct["input_gradient"] = products * g.height * g.width
    found, least = None, 1.0
    for size in POINTS:
        if size - taps + 1 < 2:
            continue
        strips = Strips(operation, transforms(size - taps + 1, taps))
        if strips.positions * strips.at_position > _FILTERS:
            continue
        costs, near = strips.costs(), strips.near()
        passes = frozenset(
            name for name in direct if near[name] and costs[name] * MARGIN < direct[name]
        )
        cost = sum(costs[name] if name in passes else direct[name] for name in direct)
        share = cost / sum(direct.values())
        if share < least:
            found, least = StripChoice(strips, passes, share), share
    return found


def input_halo(strips: Strips) -> Pads:
    """The padding, and what the last strip reads behind it."""
    top, bottom, left, right = strips.pads
    reached = (strips.count - 1) * strips.m + strips.positions
    return top, bottom, left, max(right, reached - left - strips.width)


def gradient_halo(strips: Strips) -> Pads:
    """What the last strip reads behind the outputs."""
    return 0, 0, 0, strips.count * strips.m - strips.columns
