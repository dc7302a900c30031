"""The sums of a small convolution, term by term, and how they are written out.

`striate.steps` makes them; `str()` of a `Steps` gives the formula, the arrays, what lies beyond
their ends, and each sum with its numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np

from striate.common.arrays import Array
from striate.common.short_repr import short_repr
from striate.common.tables import ROWS, beside, columns, grid, labelled, line
from striate.common.text import bracketed, number, sizes, weight
from striate.signal.geometry import AxisWindow

Index = tuple[int, ...]
_WIDTH = 100  # characters of a line
_PICTURES = {
    "nearest": "a a a|a b c d|d d d",
    "reflect": "c b a|a b c d|d c b",
    "mirror": "d c b|a b c d|c b a",
    "wrap": "b c d|a b c d|a b c",
}


@dataclass(frozen=True)
class Term:
    """One product of a sum, ``value * weight``.

    Attributes:
        index: where f is read, as the formula has it; it may lie beyond the ends of f.
        source: the element of f that stands there, by the border; None for the fill value.
        tap: the element of g that is multiplied with it, as g was given (not flipped).
        value: what is read.
        weight: ``g[tap]``; of a complex g in a correlation its conjugate.
    """

    index: Index
    source: Index | None
    tap: Index
    value: Any
    weight: Any


@short_repr
@dataclass(frozen=True)
class Step:
    """One sum.

    Attributes:
        position: which output it is.
        terms: the products in the order of f. Those beyond the ends of f are left out where the
            fill value is zero, as in article 001.
        value: the output, of the result's dtype.
    """

    position: Index
    terms: tuple[Term, ...]
    value: Any


@short_repr
@dataclass(frozen=True, eq=False)
class Steps(Sequence[Step]):
    """The sums of a convolution or correlation, a sequence of `Step`; `str()` writes them out.

    Attributes:
        f, g: the arrays as they were given.
        flip: True for a convolution, which flips g; False for a correlation.
        borders: the border of each axis.
        fill_value: what stands beyond the ends along an axis with the border "fill".
        windows: what the outputs read along each axis.
        origin: the element of g that is g(0) in the formula: of mode "same" its origin, else the
            first. The text counts from it, so that g(-1) may come before g(0), as in article 001.
        steps: the sums, the last index running fastest.
        dtype: of the outputs.
    """

    f: Array
    g: Array
    flip: bool
    borders: tuple[str, ...]
    fill_value: Any
    windows: tuple[AxisWindow, ...]
    origin: Index
    steps: tuple[Step, ...]
    dtype: np.dtype[Any]

    @property
    def shape(self) -> Index:
        """The shape of the whole result, also where only one position was asked for."""
        return tuple(window.size for window in self.windows)

    def __len__(self) -> int:
        return len(self.steps)

    @overload
    def __getitem__(self, index: int) -> Step: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Step, ...]: ...
    def __getitem__(self, index: int | slice) -> Step | tuple[Step, ...]:
        return self.steps[index]

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def __str__(self) -> str:
        return _write_out(self)


def _write_out(steps: Steps) -> str:
    """Write the formula, the arrays, what lies beyond the ends, and each sum."""
    parts = [_heading(steps)]
    if len(steps) == 1:
        step = steps[0]
        parts += [_window(step, steps), _sum(step, steps, products=True)]
    else:
        parts.append(_sums(steps))
    return "\n\n".join(part for part in parts if part)


def _heading(steps: Steps) -> str:
    plane = steps.f.ndim == 2
    along = " along both axes" if plane else ""
    kind = (
        f"a convolution: g is flipped{along}" if steps.flip else "a correlation: g is not flipped"
    )
    formula = formula_of(steps)
    lines = [f"{formula}    {kind}"]
    flipped = steps.g[(slice(None, None, -1),) * steps.g.ndim]
    if not plane:
        lines.append(f"f = {line(steps.f)}")
        same = np.array_equal(steps.g, flipped)
        turned = f",  flipped: {'the same' if same else line(flipped, weight)}" * steps.flip
        lines.append(f"g = {line(steps.g, weight)}{turned}")
    else:
        blocks = [("f = ", steps.f, number), ("    g = ", steps.g, weight)]
        if steps.flip:
            blocks.append(("    g flipped = ", flipped, weight))
        shown = [
            labelled(label, grid(array, write) if _small(array) else [f"({sizes(array.shape)})"])
            for label, array, write in blocks
        ]
        lines += ["", *beside(*shown)]
    lines += [*_origin(steps), "", _domains(steps), *_ends(steps)]
    return "\n".join(lines)


def formula_of(steps: Steps) -> str:
    """The sum as article 001 writes it: "y(n) = Σ f(i)·g(n - i)", or "g(i - n)" without the flip.

    Where g is spread, its index would be a fraction, so there i counts its taps instead, and the
    index of f says what is read: "y(n) = Σ f(n - 2·i)·g(i)".
    """
    letters = _letters(steps)
    f, g = (", ".join(places) for places in _places(steps))
    kernel = f"g({g})"
    if not steps.flip and np.iscomplexobj(steps.g):
        kernel = f"conj({kernel})"
    return f"y({', '.join(letters)}) = Σ f({f})·{kernel}"


def _letters(steps: Steps) -> tuple[str, ...]:
    """The letters that count the outputs."""
    return ("m", "n") if steps.f.ndim == 2 else ("n",)


def _places(steps: Steps) -> tuple[list[str], list[str]]:
    """The indices of f and of g in the formula, along each axis."""
    moved = [_moved(steps, axis, letter) for axis, letter in enumerate(_letters(steps))]
    counted = list("ij"[: len(moved)])
    sign = "-" if steps.flip else "+"
    if any(window.dilation > 1 for window in steps.windows):
        spread = [
            f"{output} {sign} {f'{window.dilation}·' * (window.dilation > 1)}{tap}"
            for output, tap, window in zip(moved, counted, steps.windows, strict=True)
        ]
        return spread, counted
    if steps.flip:
        return counted, [f"{output} - {tap}" for output, tap in zip(moved, counted, strict=True)]
    swapped = str.maketrans("+-", "-+")
    return counted, [
        f"{tap} - {output.translate(swapped)}" for output, tap in zip(moved, counted, strict=True)
    ]


def _moved(steps: Steps, axis: int, output: str) -> str:
    """Where g(0) of an output meets f: "n", "2·n + 1"."""
    window = steps.windows[axis]
    taps = steps.origin[axis]
    if steps.flip:
        taps = steps.g.shape[axis] - 1 - taps
    offset = window.start + taps * window.dilation
    shift = f" {'-' if offset < 0 else '+'} {abs(offset)}" if offset else ""
    return f"{f'{window.stride}·' * (window.stride > 1)}{output}{shift}"


def _domains(steps: Steps) -> str:
    """For which i there is an element of f, and for which one of g."""
    places = _places(steps)
    starts = (0,) * steps.f.ndim, tuple(-start for start in steps.origin)
    f, g = (
        ", ".join(
            f"{low} ≤ {place} ≤ {low + size - 1}" if size > 1 else f"{place} = {low}"
            for low, place, size in zip(first, named, array.shape, strict=True)
        )
        for first, named, array in zip(starts, places, (steps.f, steps.g), strict=True)
    )
    return f"f is defined for {f} and g for {g}."


def _origin(steps: Steps) -> list[str]:
    """Where g(0) is, if it is not the first element."""
    if not any(steps.origin):
        return []
    zero = _place((0,) * steps.g.ndim)
    first = _place(tuple(-start for start in steps.origin))
    last = _place(
        tuple(size - 1 - start for size, start in zip(steps.g.shape, steps.origin, strict=True))
    )
    what = weight(steps.g[steps.origin])
    where = "element" if steps.g.ndim == 1 else "row and column"
    return [
        "",
        f"g({zero}) = {what} is the origin, {where} {_place(steps.origin)} of g, which goes from "
        f"g({first}) to g({last}).",
    ]


def _ends(steps: Steps) -> list[str]:
    """What lies beyond the ends of g, and of f where a sum of these reads it."""
    omitted = "those terms are left out."
    if set(steps.borders) == {"fill"} and not steps.fill_value and _omits(steps):
        return [f"Beyond their ends f and g are 0: {omitted}"]
    sentences = [f"Beyond its ends g is 0: {omitted}"]
    if not _omits(steps) and all(
        term.source == term.index for step in steps for term in step.terms
    ):
        return sentences
    for border in dict.fromkeys(steps.borders):
        where = ""
        if len(set(steps.borders)) > 1:
            axes = [str(axis) for axis, name in enumerate(steps.borders) if name == border]
            where = f" along axis {' and '.join(axes)}"
        if border != "fill":
            sentences.append(
                f'Beyond the ends of f{where}, "{border}" reads {_PICTURES[border]}: '
                "f(a→b) stands for its element b."
            )
        elif steps.fill_value:
            sentences.append(
                f"Beyond the ends of f{where} stands the fill value {number(steps.fill_value)}."
            )
        else:
            sentences.append(f"Beyond the ends of f{where} is 0: {omitted}")
    return sentences


def _omits(steps: Steps) -> bool:
    return any(len(step.terms) < steps.g.size for step in steps)


def _sums(steps: Steps) -> str:
    """Each sum on a line of its own if all fit, else on several."""
    rows = [
        (
            f"y({_place(step.position)})",
            " ".join(_symbols(step, steps)),
            " ".join(_numbers(step, steps)),
            _value(step, steps),
        )
        for step in steps
    ]
    lines = columns(rows, left=4, gap=" = ")
    if max(map(len, lines), default=0) > _WIDTH:
        return "\n\n".join(_sum(step, steps, products=False) for step in steps)
    return "\n".join(lines)


def _sum(step: Step, steps: Steps, *, products: bool) -> str:
    name = f"y({_place(step.position)})"
    rows = [_symbols(step, steps), _numbers(step, steps)]
    if products and len(step.terms) > 1:
        first, *others = (number(_product(term)) for term in step.terms)
        rows.append(_joined([first, *map(bracketed, others)], steps))
    rows.append([_value(step, steps)])
    lines: list[str] = []
    for row in rows:
        head = f"{name} = " if not lines else " " * len(name) + " = "
        lines += _wrapped(row, head)
    return "\n".join(lines)


def _wrapped(words: Sequence[str], head: str) -> list[str]:
    """Join words to lines of at most _WIDTH characters, the later ones indented below the first."""
    lines = [head + words[0]]
    for word in words[1:]:
        if len(lines[-1]) + 1 + len(word) > _WIDTH:
            lines.append(" " * len(head) + word)
        else:
            lines[-1] += f" {word}"
    return lines


def _window(step: Step, steps: Steps) -> str:
    """The part of f that the sum reads, above or beside the part of g that lies on it."""
    if not step.terms:
        return ""
    kernel = "g flipped" if steps.flip else "g"
    if steps.f.ndim == 2:
        rows = len({term.index[0] for term in step.terms})
        values = grid(np.array([term.value for term in step.terms]).reshape(rows, -1))
        weights = np.array([term.weight for term in step.terms]).reshape(rows, -1)
        middle = ["  ∘  "] if rows == 1 else [*["     "] * ((rows - 1) // 2), "  ∘  "]
        note = f"    the Hadamard product of this part of f and of {kernel}, summed"
        return "\n".join(beside(values, middle, grid(weights, weight), [note]))
    table = [
        ["f", *(f"{_read(term)} = {number(term.value)}" for term in step.terms)],
        [kernel, *(f"{_tap(term, steps)} = {weight(term.weight)}" for term in step.terms)],
        ["product", *(number(_product(term)) for term in step.terms)],
    ]
    lines = columns(table, left=lambda column, cell: column == 0 or " = " in cell)
    # A line that is too long is left out: the sum below says it too.
    return "\n".join(lines) if max(map(len, lines)) + 2 <= _WIDTH else ""


def _symbols(step: Step, steps: Steps) -> list[str]:
    times = _times(steps)
    return _joined([f"{_read(term)}{times}{_tap(term, steps)}" for term in step.terms], steps)


def _numbers(step: Step, steps: Steps) -> list[str]:
    times = _times(steps)
    terms = [
        f"{bracketed(number(term.value))}{times}{bracketed(weight(term.weight))}"
        for term in step.terms
    ]
    return _joined(terms, steps)


def _joined(terms: Sequence[str], steps: Steps) -> list[str]:
    """The terms of a sum as words: each but the last with its plus."""
    plus = "∨" if steps.dtype == bool else "+"
    return [*(f"{term} {plus}" for term in terms[:-1]), terms[-1]] if terms else ["0"]


def _times(steps: Steps) -> str:
    return "∧" if steps.dtype == bool else "·"


def _product(term: Term) -> Any:
    if isinstance(term.value, np.integer):
        return int(term.value) * int(term.weight)
    return term.value * term.weight


def _value(step: Step, steps: Steps) -> str:
    """The sum; where the dtype could not hold it, what it would be and what is kept."""
    if steps.dtype.kind in "iu":
        exact = sum(_product(term) for term in step.terms)
        if exact != int(step.value):
            return f"{exact}, which {steps.dtype} wraps to {number(step.value)}"
    return number(step.value)


def _read(term: Term) -> str:
    """f(3), f(-1→1) where the border gives element 1, "fill" for the fill value."""
    if term.source is None:
        return "fill"
    if term.source == term.index:
        return f"f({_place(term.index)})"
    places = [
        str(index) if index == source else f"{index}→{source}"
        for index, source in zip(term.index, term.source, strict=True)
    ]
    return f"f({', '.join(places)})"


def _tap(term: Term, steps: Steps) -> str:
    """g(1), counted from the origin."""
    return f"g({_place(tuple(i - o for i, o in zip(term.tap, steps.origin, strict=True)))})"


def _place(index: Index) -> str:
    return ", ".join(map(str, index))


def _small(array: Array) -> bool:
    return bool(max(array.shape) <= ROWS)
