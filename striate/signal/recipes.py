"""How a gathered block becomes output: one recipe for each algorithm.

A recipe adds steps to a plan; each step is a nest of `stages` with the buffers that it works on.
The scratch buffer holds what was gathered; "out" is added by the plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from striate.signal import stages
from striate.signal.butterflies import passes
from striate.signal.stages import Pitch

if TYPE_CHECKING:
    from striate.signal.compiled import Plan


@dataclass(frozen=True)
class Recipe:
    """How a problem is solved.

    Attributes
    ----------
    name
        - "direct": the sum as it stands; weights (taps z, taps y, taps x)
        - "separable": `terms` pairs of a vertical and a horizontal kernel; weights
          (terms, taps y) and (terms, taps x)
        - "box": equal weights, summed up by doubling; one weight
        - "column-fft": transforms of `length` rows, two blocks at once; weights as
          `butterflies.kernel_spectrum` makes them
    """

    name: str = "direct"
    terms: int = 1
    length: int = 0

    @property
    def together(self) -> int:
        """Blocks that are gathered at once."""
        return 2 if self.length else 1


def direct(plan: Plan) -> None:
    """Every product of the sum."""
    problem, blocks = plan.problem, plan.blocks
    z, y = problem.z, problem.y
    rows, width, stride = blocks.y.size, blocks.x.size, y.window.stride
    row = pitch = blocks.pitch * blocks.phases
    if blocks.fold > 1:  # runs of one long row, side by side
        rows, width, stride = blocks.fold, blocks.x.size // blocks.fold, 1
        row = width
    taps = (z.taps, y.taps, blocks.taps_x)
    nest = stages.direct(
        (blocks.z.size, rows, width),
        taps,
        (z.window.stride, stride),
        (z.window.dilation, y.window.dilation, blocks.spread_x),
        Pitch(row, plane=blocks.rows * pitch, phase=blocks.reach_x),
        blocks.phases,
        plan.finish,
    )
    weights = plan.constant(taps[0] * taps[1] * taps[2] * blocks.phases)
    plan.step(plan.swept(nest), scratch=plan.scratch, weights=weights)


def separable(plan: Plan) -> None:
    """Columns first: they run over whole vectors, and leave fewer rows for the other half."""
    problem, blocks, terms = plan.problem, plan.blocks, plan.recipe.terms
    y, taps_x = problem.y, problem.x.taps
    rows, pitch = blocks.y.size, blocks.pitch
    middle = plan.buffer(terms * rows * pitch)
    nest = stages.columns(
        rows, blocks.reach_x, y.taps, y.window.stride, y.window.dilation, pitch, terms
    )
    weights = plan.constant(terms * y.taps)
    plan.step(plan.swept(nest), scratch=plan.scratch, weights=weights, middle=middle)
    nest = stages.direct(
        (1, rows, blocks.x.size),
        (1, 1, taps_x),
        (1, 1),
        (1, 1, blocks.spread_x),
        Pitch(pitch, term=rows * pitch),
        1,
        plan.finish,
        terms,
    )
    weights = plan.constant(terms * taps_x)
    plan.step(plan.swept(nest), scratch=middle, weights=weights)


def box(plan: Plan) -> None:
    """Sums of n elements in about log2 n additions, first along columns, then along rows.

    A running sum would take two additions, but carry its rounding errors, and any infinity or
    NaN, along the whole line.
    """
    problem, blocks = plan.problem, plan.blocks
    y, x, pitch = problem.y, problem.x, blocks.pitch
    rows, width = blocks.y.size, blocks.x.size
    down, across = plan.buffer(blocks.rows * pitch), plan.buffer(blocks.rows * pitch)
    done = plan.scratch
    if y.taps > 1:
        for names, ahead, over in _doublings(y.taps, y.window.dilation):
            nest = stages.doubled(rows + over, blocks.reach_x, pitch, *names, ahead * pitch)
            plan.step(plan.copied(nest), single=plan.scratch, sums=down)
        done = down
    if x.taps > 1:
        for names, ahead, over in _doublings(x.taps, blocks.spread_x):
            nest = stages.doubled(rows, width + over, pitch, *names, ahead)
            plan.step(plan.copied(nest), single=done, sums=across)
        done = across
    nest = stages.scaled(rows, width, pitch, plan.finish)
    plan.step(plan.copied(nest), sums=done, weights=plan.constant(1))


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


def column_fft(plan: Plan) -> None:
    """The sum along y by a Fourier transform of the columns, that along x as it stands.

    Each row of the transformed block has one frequency along y; a row of transformed weights
    belongs to it, with which it is swept along x. Two real blocks are the real and the imaginary
    part of one complex one: since the kernel is real, they never mix.
    """
    problem, blocks, length = plan.problem, plan.blocks, plan.recipe.length
    pitch, width, taps = blocks.pitch, blocks.x.size, problem.x.taps
    runs = stages.RUNS if width % (stages.RUNS * plan.lanes) == 0 else 1
    target_pitch = -(-width // plan.lanes) * plan.lanes
    target = plan.buffer(2 * length * target_pitch)
    weights = plan.constant(length * taps * 2)
    steps = [(step, plan.fixed(step.turns())) for step in passes(length)]
    for step, turns in steps:
        nest = step.nest(blocks.reach_x, pitch, backwards=False)
        plan.step(plan.copied(nest), rows=plan.scratch, turns=turns)
    nest = stages.along_rows(
        length, runs, width // runs, taps, blocks.spread_x, pitch, target_pitch
    )
    plan.step(plan.shared(nest), rows=plan.scratch, weights=weights, target=target)
    for step, turns in reversed(steps):
        nest = step.nest(width, target_pitch, backwards=True)
        plan.step(plan.copied(nest), rows=target, turns=turns)
    nest = stages.finished(
        blocks.y.size, width, target_pitch, 2, length * target_pitch, plan.finish
    )
    plan.step(plan.copied(nest), source=target)


RECIPES: dict[str, Callable[[Plan], None]] = {
    "direct": direct,
    "separable": separable,
    "box": box,
    "column-fft": column_fft,
}
