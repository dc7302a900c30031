"""The steps of each algorithm: how a block becomes output.

For each `SweepAlgorithm` there is a function that adds steps to a region: each step is a nest of
`nests`, `box_nests` or `butterflies`, a schedule, and the buffers that it works on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

from striate.signal import box_nests, nests
from striate.signal import nest_schedules as schedules
from striate.signal.block_choice import is_long_row
from striate.signal.blocks import FOLD, pitch_of
from striate.signal.butterflies import passes, products_along_rows
from striate.signal.nests import BlockStrides
from striate.signal.region import Region


def direct(region: Region) -> None:
    """Every product of the sum."""
    descriptor, blocks = region.descriptor, region.blocks
    order = region.algorithm.order
    if is_long_row(descriptor, region.lanes) and order == "any":
        _long_row(region)
        return
    z, y = descriptor.z, descriptor.y
    rows, width, stride, source = blocks.y.size, blocks.x.size, y.window.stride, region.strides
    if blocks.fold > 1:  # runs of one long row, side by side
        rows, width, stride = blocks.fold, blocks.run, 1
        source = source if source.inside and not source.row else replace(source, row=width)
    size, taps = (blocks.z.size, rows, width), (z.taps, y.taps, blocks.taps_x)
    dilation = (z.window.dilation, y.window.dilation, blocks.tap_stride_x)
    if order != "any":
        nest = nests.in_order(size, taps, dilation, source, order, region.epilogue)
        weights = region.weights(0, math.prod(taps))
        region.step(nest, schedules.tiled_rows, fused=False, weights=weights)
        return
    nest = nests.direct(
        size,
        taps,
        (z.window.stride, stride),
        dilation,
        source,
        blocks.phases,
        region.epilogue,
    )
    weights = region.weights(0, math.prod(taps) * blocks.phases)
    region.step(nest, schedules.tiled_rows, weights=weights)


def _long_row(region: Region) -> None:
    """A long kernel along one long row; zeros make its taps whole vectors."""
    blocks, lanes = region.blocks, region.lanes
    vectors = -(-region.descriptor.x.taps // lanes)
    nest = nests.long_row(blocks.x.size, vectors, FOLD, lanes, region.epilogue)
    region.step(nest, schedules.tiled_run, weights=region.weights(0, vectors * lanes))


def separable(region: Region) -> None:
    """Columns first: they run over whole vectors, and leave fewer rows for the other half."""
    descriptor, blocks, terms = region.descriptor, region.blocks, region.algorithm.terms
    y, taps_x = descriptor.y, descriptor.x.taps
    rows, pitch = blocks.y.size, blocks.pitch
    apart = pitch_of(rows, 1) * pitch
    middle = region.buffer(terms * apart)
    nest = nests.vertical_pass(
        rows,
        blocks.width_read,
        y.taps,
        y.window.stride,
        y.window.dilation,
        region.strides,
        terms,
        pitch,
        apart,
    )
    weights = region.weights(0, terms * y.taps)
    region.step(nest, schedules.tiled_rows, weights=weights, middle=middle)
    nest = nests.direct(
        (1, rows, blocks.x.size),
        (1, 1, taps_x),
        (1, 1),
        (1, 1, blocks.tap_stride_x),
        BlockStrides(pitch, term=apart),
        1,
        region.epilogue,
        terms,
    )
    weights = region.weights(1, terms * taps_x)
    region.step(nest, schedules.tiled_rows, scratch=middle, weights=weights)


def box(region: Region) -> None:
    """Running sums down the columns, or along an axis sums of n in about log2 n additions."""
    if not region.gathered:
        _running_sums(region)
        return
    descriptor, blocks = region.descriptor, region.blocks
    y, x, pitch = descriptor.y, descriptor.x, blocks.pitch
    rows, width = blocks.y.size, blocks.x.size
    across = y.taps == 1
    distance = blocks.tap_stride_x if across else y.window.dilation
    step = 1 if across else pitch
    sums, weights = region.buffer(blocks.rows_read * pitch), region.weights(0, 1)
    additions = list(_additions(x.taps if across else y.taps, distance))
    for names, ahead, over in additions[:-1]:
        size = (rows, width + over) if across else (rows + over, width)
        nest = box_nests.add_shifted(*size, pitch, *names, ahead * step)
        region.step(nest, schedules.as_written, single=region.scratch, sums=sums)
    names, ahead, _ = additions[-1]
    nest = box_nests.last_addition(
        rows, width, pitch, *names, ahead * step, region.algorithm.mean, region.epilogue
    )
    region.step(nest, schedules.as_written, single=region.scratch, sums=sums, weights=weights)


def _running_sums(region: Region) -> None:
    """Two additions for each sum, whatever its length.

    Rounding errors are carried down the columns, but not beyond the block; so would infinities and
    NaN be, for which the last sums are checked.
    """
    blocks, lanes, source_element = region.blocks, region.lanes, region.descriptor.source_element
    rows, width, others = blocks.y.size, blocks.x.size, region.descriptor.y.taps - 1
    pitch = -(-width // lanes) * lanes
    sums = region.buffer(pitch)
    region.step(box_nests.zero_sums(width), schedules.as_written, sums=sums)
    nest = box_nests.first_sums(width, others, source_element)
    region.step(nest, schedules.added_rows, sums=sums)
    mean, epilogue = region.algorithm.mean, region.epilogue
    nest = box_nests.running_sums(rows, width, mean, source_element, epilogue)
    region.step(nest, schedules.as_written, sums=sums, weights=region.weights(0, 1))
    region.check_finite(sums, pitch)


def _additions(taps: int, distance: int) -> Iterator[tuple[tuple[str, str], int, int]]:
    """The additions that lead from single elements to sums of `taps`, `distance` apart.

    By the binary digits of `taps`, the first one left out: sums are doubled at each digit, and
    made longer by one element at a 1.

    Yields:
        Which two sums are added, how far ahead the second one lies, and for how many places more
        than there are outputs the result is needed.
    """
    length = 1
    for digit in f"{taps:b}"[1:]:
        names = ("single", "single") if length == 1 else ("sums", "sums")
        yield names, length * distance, (taps - 2 * length) * distance
        length *= 2
        if digit == "1":
            yield ("sums", "single"), length * distance, (taps - length - 1) * distance
            length += 1


def column_fft(region: Region) -> None:
    """The sum along y by a Fourier transform of the columns, that along x as it stands.

    Each row of the transformed block has one frequency along y; a row of transformed weights
    belongs to it, with which it is correlated along x.  Two real blocks are the real and the
    imaginary part of one complex one: since the kernel is real, they never mix.
    """
    descriptor, blocks, length = region.descriptor, region.blocks, region.algorithm.length
    pitch, width, taps = blocks.pitch, blocks.x.size, descriptor.x.taps
    run = region.lanes if width % region.lanes == 0 else width
    runs = schedules.RUNS if width % (schedules.RUNS * run) == 0 else 1
    products_pitch = pitch_of(width, region.lanes)
    products = region.buffer(2 * length * products_pitch)
    weights = region.weights(0, length * taps * 2)
    steps = [(step, region.constants(step.twiddles())) for step in passes(length)]
    for step, twiddles in steps:
        nest = step.nest(blocks.width_read, pitch, backwards=False)
        region.step(nest, schedules.as_written, rows=region.scratch, twiddles=twiddles)
    nest = products_along_rows(
        length, (width // (runs * run), runs, run), taps, blocks.tap_stride_x, pitch, products_pitch
    )
    rows = region.scratch
    region.step(nest, schedules.shared_weights, rows=rows, weights=weights, products=products)
    for step, twiddles in reversed(steps):
        nest = step.nest(width, products_pitch, backwards=True)
        region.step(nest, schedules.as_written, rows=products, twiddles=twiddles)
    apart = length * products_pitch
    nest = nests.copy_out(blocks.y.size, width, products_pitch, 2, apart, region.epilogue)
    region.step(nest, schedules.as_written, source=products)


ADD_STEPS: dict[str, Callable[[Region], None]] = {
    "direct": direct,
    "separable": separable,
    "box": box,
    "column-fft": column_fft,
}
"""By the name of the algorithm."""
