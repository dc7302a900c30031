"""How a gathered block becomes output: one recipe for each algorithm.

A recipe adds steps to a part of a plan; each step is a nest of `stages` with the buffers that it
works on.
The scratch buffer holds what was gathered; "out" is added by the part.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from striate.signal import nests
from striate.signal.blocks import FOLD, is_long
from striate.signal.butterflies import passes
from striate.signal.nests import Rows
from striate.signal.request import Order

if TYPE_CHECKING:
    from striate.signal.parts import Region


@dataclass(frozen=True)
class SweepAlgorithm:
    """How a problem is solved.

    Attributes
    ----------
    name
        - "direct": the sum as it stands; weights (taps z, taps y, taps x)
        - "separable": `terms` pairs of a vertical and a horizontal kernel; weights
          (terms, taps y) and (terms, taps x)
        - "box": equal weights along one axis; one weight
        - "column-fft": transforms of `length` rows, two blocks at once; weights as
          `butterflies.kernel_spectrum` makes them
    order
        Of the products of a direct sum: see `Request`.
    mean
        Divide the sums of a box by its weight.
    """

    name: str = "direct"
    terms: int = 1
    length: int = 0
    order: Order = "any"
    mean: bool = False

    @property
    def mixes(self) -> bool:
        """Whether an infinity or a NaN would spoil outputs that do not depend on it."""
        return self.length > 0 or self.terms > 1

    @property
    def together(self) -> int:
        """Blocks that are gathered at once."""
        return 2 if self.length else 1


def direct(part: Region) -> None:
    """Every product of the sum."""
    problem, blocks = part.problem, part.blocks
    order = part.recipe.order
    if is_long(problem, part.lanes) and order == "any":
        _one_row(part)
        return
    z, y = problem.z, problem.y
    rows, width, stride, source = blocks.y.size, blocks.x.size, y.window.stride, part.rows
    if blocks.fold > 1:  # runs of one long row, side by side
        rows, width, stride = blocks.fold, blocks.x.size // blocks.fold, 1
        source = replace(source, row=width)
    taps = (z.taps, y.taps, blocks.taps_x)
    if order != "any":
        size, spread = (blocks.z.size, rows, width), (z.window.dilation, y.window.dilation)
        nest = nests.in_order(size, taps, (*spread, blocks.spread_x), source, order, part.finish)
        weights = part.weights(0, math.prod(taps))
        part.step(part.rounded(nest), weights=weights)
        return
    nest = nests.direct(
        (blocks.z.size, rows, width),
        taps,
        (z.window.stride, stride),
        (z.window.dilation, y.window.dilation, blocks.spread_x),
        source,
        blocks.phases,
        part.finish,
    )
    weights = part.weights(0, taps[0] * taps[1] * taps[2] * blocks.phases)
    part.step(part.swept(nest), weights=weights)


def _one_row(part: Region) -> None:
    """A long kernel along one long row; zeros make its taps whole vectors."""
    blocks, lanes = part.blocks, part.lanes
    vectors = -(-part.problem.x.taps // lanes)
    nest = nests.one_row(blocks.x.size, vectors, FOLD, lanes, part.finish)
    weights = part.weights(0, vectors * lanes)
    part.step(part.rolled(nest), weights=weights)


def separable(part: Region) -> None:
    """Columns first: they run over whole vectors, and leave fewer rows for the other half."""
    problem, blocks, terms = part.problem, part.blocks, part.recipe.terms
    y, taps_x = problem.y, problem.x.taps
    rows, pitch = blocks.y.size, blocks.pitch
    middle = part.buffer(terms * rows * pitch)
    nest = nests.columns(
        rows, blocks.reach_x, y.taps, y.window.stride, y.window.dilation, part.rows, terms, pitch
    )
    weights = part.weights(0, terms * y.taps)
    part.step(part.swept(nest), weights=weights, middle=middle)
    nest = nests.direct(
        (1, rows, blocks.x.size),
        (1, 1, taps_x),
        (1, 1),
        (1, 1, blocks.spread_x),
        Rows(pitch, term=rows * pitch),
        1,
        part.finish,
        terms,
    )
    weights = part.weights(1, terms * taps_x)
    part.step(part.swept(nest), scratch=middle, weights=weights)


def box(part: Region) -> None:
    """Running sums down the columns, or along an axis sums of n in about log2 n additions."""
    if not part.gathered:
        _running(part)
        return
    problem, blocks = part.problem, part.blocks
    y, x, pitch = problem.y, problem.x, blocks.pitch
    rows, width = blocks.y.size, blocks.x.size
    across = y.taps == 1
    distance = blocks.spread_x if across else y.window.dilation
    step = 1 if across else pitch
    sums, weights = part.buffer(blocks.rows * pitch), part.weights(0, 1)
    doublings = list(_doublings(x.taps if across else y.taps, distance))
    for names, ahead, over in doublings[:-1]:
        size = (rows, width + over) if across else (rows + over, width)
        nest = nests.doubled(*size, pitch, *names, ahead * step)
        part.step(part.copied(nest), single=part.scratch, sums=sums)
    names, ahead, _ = doublings[-1]
    nest = nests.boxed(rows, width, pitch, *names, ahead * step, part.recipe.mean, part.finish)
    part.step(part.copied(nest), single=part.scratch, sums=sums, weights=weights)


def _running(part: Region) -> None:
    """Two additions for each sum, whatever its length.

    Rounding errors are carried down the columns, but not beyond the block; so would infinities and
    NaN be, for which the last sums are checked.
    """
    blocks, lanes = part.blocks, part.lanes
    rows, width, others = blocks.y.size, blocks.x.size, part.problem.y.taps - 1
    pitch = -(-width // lanes) * lanes
    sums = part.buffer(pitch)
    part.step(part.copied(nests.cleared(width)), sums=sums)
    nest = nests.gathered_sums(width, others, part.problem.source)
    part.step(part.added(nest), sums=sums)
    nest = nests.running(rows, width, part.recipe.mean, part.problem.source, part.finish)
    part.step(part.copied(nest), sums=sums, weights=part.weights(0, 1))
    part.check(sums, pitch)


def _doublings(taps: int, distance: int) -> Iterator[tuple[tuple[str, str], int, int]]:
    """Additions that lead from single elements to sums of `taps`, `distance` apart.

    Yields which two sums are added, how far ahead the second one lies, and for how many places
    more than there are outputs the result is needed.  By the binary digits of `taps`, the first
    one left out: sums are doubled at each digit, and made longer by one element at a 1.
    """
    length = 1
    for digit in f"{taps:b}"[1:]:
        names = ("single", "single") if length == 1 else ("sums", "sums")
        yield names, length * distance, (taps - 2 * length) * distance
        length *= 2
        if digit == "1":
            yield ("sums", "single"), length * distance, (taps - length - 1) * distance
            length += 1


def column_fft(part: Region) -> None:
    """The sum along y by a Fourier transform of the columns, that along x as it stands.

    Each row of the transformed block has one frequency along y; a row of transformed weights
    belongs to it, with which it is swept along x. Two real blocks are the real and the imaginary
    part of one complex one: since the kernel is real, they never mix.
    """
    problem, blocks, length = part.problem, part.blocks, part.recipe.length
    pitch, width, taps = blocks.pitch, blocks.x.size, problem.x.taps
    runs = nests.RUNS if width % (nests.RUNS * part.lanes) == 0 else 1
    target_pitch = -(-width // part.lanes) * part.lanes
    target = part.buffer(2 * length * target_pitch)
    weights = part.weights(0, length * taps * 2)
    steps = [(step, part.fixed(step.turns())) for step in passes(length)]
    for step, turns in steps:
        nest = step.nest(blocks.reach_x, pitch, backwards=False)
        part.step(part.copied(nest), rows=part.scratch, turns=turns)
    nest = nests.along_rows(length, runs, width // runs, taps, blocks.spread_x, pitch, target_pitch)
    part.step(part.shared(nest), rows=part.scratch, weights=weights, target=target)
    for step, turns in reversed(steps):
        nest = step.nest(width, target_pitch, backwards=True)
        part.step(part.copied(nest), rows=target, turns=turns)
    nest = nests.finished(blocks.y.size, width, target_pitch, 2, length * target_pitch, part.finish)
    part.step(part.copied(nest), source=target)


RECIPES: dict[str, Callable[[Region], None]] = {
    "direct": direct,
    "separable": separable,
    "box": box,
    "column-fft": column_fft,
}
