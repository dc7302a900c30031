"""Where each element of a kernel lies while one output of a convolution is computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from striate.common.arrays import Array
from striate.common.text import bracketed, number, weight
from striate.signal.written_steps import Index, Step, Steps, Term


@dataclass(frozen=True)
class LaidTap:
    """An element of the kernel at its place.

    Attributes:
        index: the element of f below it; it may lie beyond the ends of f.
        tap: which element of g it is, as g was given.
        weight: ``g[tap]``.
        term: its product, or None where f is left out, beyond its ends.
    """

    index: Index
    tap: Index
    weight: Any
    term: Term | None

    @property
    def product(self) -> Any:
        """What it adds to the sum."""
        return 0 if self.term is None else self.term.value * self.term.weight


def laid_kernel(steps: Steps, step: Step) -> list[LaidTap]:
    """All elements of g at the places where they lie for `step`, in the order of f."""
    terms = {term.index: term for term in step.terms}
    laid: list[LaidTap] = []
    for place in np.ndindex(steps.g.shape):
        index = tuple(
            window.start + at * window.stride + along * window.dilation
            for window, at, along in zip(steps.windows, step.position, place, strict=True)
        )
        tap = place
        if steps.flip:
            tap = tuple(n - 1 - along for n, along in zip(steps.g.shape, place, strict=True))
        laid.append(LaidTap(index, tap, steps.g[tap], terms.get(index)))
    return laid


def zero_place(steps: Steps, position: Index) -> Index:
    """The element of f that g(0) meets for the output at `position`."""
    return tuple(
        window.start
        + at * window.stride
        + (size - 1 - origin if steps.flip else origin) * window.dilation
        for window, at, size, origin in zip(
            steps.windows, position, steps.g.shape, steps.origin, strict=True
        )
    )


def output_name(step: Step) -> str:
    """ "y(5)", "y(1, 1)"."""
    return f"y({', '.join(map(str, step.position))})"


def sum_in_numbers(step: Step, most: int) -> str:
    """ "10·1/3 + 1·1/3 = 3.66667"; of more than `most` characters only "9 products, in all = 5"."""
    value = number(step.value)
    if not step.terms:
        return value
    terms = [
        f"{bracketed(number(term.value))}·{bracketed(weight(term.weight))}" for term in step.terms
    ]
    text = f"{' + '.join(terms)} = {value}"
    return text if len(text) <= most else f"{len(terms)} products, summed = {value}"


def short_number(value: Any) -> str:
    """A number as a cell of a picture has room for it; the text has all of its digits."""
    text = number(value)
    return text if len(text) <= 5 else f"{float(value):.3g}"


def short_weight(value: Any) -> str:
    """An element of a kernel likewise: 1/3 stays a fraction."""
    text = weight(value)
    return text if len(text) <= 5 else f"{float(value):.3g}"


def as_rows(array: Array) -> Array:
    """A signal as a matrix of one row; a matrix as it is."""
    return array.reshape(1, -1) if array.ndim == 1 else array


def in_rows(index: Index) -> tuple[int, int]:
    """The same for an index."""
    return (0, index[0]) if len(index) == 1 else (index[0], index[1])
