"""What a compiled sweep is made for: the sweep, the algorithm, the output's place, the machine.

Two sweeps with equal specifications run the same code with other addresses and weights, so a
`SweepSpec` is the key under which compiled sweeps are kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from striate.nest.ir import BYTES
from striate.nest.target import Target
from striate.signal.block_choice import is_long_row
from striate.signal.descriptor import SweepDescriptor
from striate.signal.request import Order

CACHE_LINE = 64  # bytes


@dataclass(frozen=True)
class SweepAlgorithm:
    """How a sweep is computed.

    Attributes:
        name: one of

            - "direct": the sum as it stands; weights (taps z, taps y, taps x, phases)
            - "separable": `terms` pairs of a vertical and a horizontal kernel; weights
              (terms, taps y) and (terms, taps x)
            - "box": equal weights along one axis; one weight
            - "column-fft": transforms of `length` rows, two blocks at once; weights as
              `butterflies.kernel_spectrum` makes them
        terms: pairs of kernels of "separable".
        length: rows of the transforms of "column-fft"; else 0.
        order: of the products of a direct sum: see `Request`.
        mean: divide the sums of a box by its weight.
    """

    name: str = "direct"
    terms: int = 1
    length: int = 0
    order: Order = "any"
    mean: bool = False

    @property
    def spreads_nonfinite(self) -> bool:
        """Whether an infinity or a NaN would reach outputs that do not depend on it."""
        return self.length > 0 or self.terms > 1

    @property
    def blocks_per_task(self) -> int:
        """Blocks that are gathered at once."""
        return 2 if self.length else 1


@dataclass(frozen=True)
class Placement:
    """How an output lies in memory.

    Attributes:
        offset: where in a cache line each of its rows begins, in bytes; None if they differ.
        large: whether no cache would keep it until it is read.
    """

    offset: int | None
    large: bool

    def first_aligned(self, descriptor: SweepDescriptor) -> int:
        """The first number of a row that begins a cache line; 0 if rows differ in that."""
        size = BYTES[descriptor.output_element]
        if self.offset is None or self.offset % size:
            return 0
        return -self.offset % CACHE_LINE // size

    def begins_vectors(self, starts: Iterable[int], vector: int, size: int) -> bool:
        """Whether these numbers of a row all begin a vector of so many bytes."""
        offset = self.offset
        return offset is not None and all((offset + n * size) % vector == 0 for n in starts)


@dataclass(frozen=True)
class SweepSpec:
    """All that a compiled sweep depends on.

    Attributes:
        descriptor: the sweep in canonical form.
        algorithm: how it is computed.
        placement: how the output lies in memory.
        threads: how many threads share the work; they change no bit of the result.
        target: the machine that code is made for.
    """

    descriptor: SweepDescriptor
    algorithm: SweepAlgorithm
    placement: Placement
    threads: int
    target: Target

    @property
    def lanes(self) -> int:
        """Numbers of a vector."""
        return self.target.lanes(BYTES[self.descriptor.element])

    @property
    def shares_scratch(self) -> bool:
        """Whether each run writes all of its scratch buffers that it reads.

        Elsewhere what lies behind their rows is read too, times zero, and must stay zero.
        """
        return self.algorithm.name in ("direct", "separable") and not self.spreads_nonfinite

    @property
    def spreads_nonfinite(self) -> bool:
        """Whether an infinity or a NaN would reach outputs that do not depend on it."""
        return self.algorithm.spreads_nonfinite or self._pads_weights

    @property
    def _pads_weights(self) -> bool:
        """Whether the weights are padded with zeros that meet numbers outside of the window."""
        x = self.descriptor.x
        if self.algorithm.name != "direct" or self.descriptor.element not in ("f32", "f64"):
            return False
        if is_long_row(self.descriptor, self.lanes):
            return self.algorithm.order == "any" and x.taps % self.lanes > 0
        stride = x.window.stride
        return stride > 1 and (x.window.dilation > 1 or x.taps % stride > 0)
