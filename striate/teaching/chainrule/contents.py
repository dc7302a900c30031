"""What every written form of a convolution's gradients holds: title, notes, sums, checks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.common.text import bracketed, number, plural, sizes
from striate.teaching.chainrule.sums import ONE, GradientSums, GradientTerm, Sum, Symbol

OUTPUTS = "The outputs"
"""The heading after whose sums the local gradients stand."""


def chosen(written: GradientSums, only: Sequence[str]) -> tuple[str, ...]:
    """The names of the sums to write, checked: "F_12" of "F_12" and of "∂L/∂F_12".

    Raises:
        ValueError: there is no sum of such a name.
    """
    names = tuple(name.removeprefix("∂L/∂") for name in only)
    known = [str(one.of) for _, sums in sections(written, ()) for one in sums]
    for name in names:
        if name not in known:
            raise StriateValueError(
                f"gradients: there is no sum {name!r}; outputs are {known[0]} to "
                f"{written.outputs[-1].of}, gradients those of {written.filter_gradients[0].of} to "
                f"{written.filter_gradients[-1].of} and {written.input_gradients[0].of} to "
                f"{known[-1]}"
            )
    return names


def title_of(written: GradientSums) -> str:
    """The sizes in one line."""
    layer = written.layer
    height, width, channels = written.x.shape
    rows, columns, count = written.gradient.shape
    of = f" with {channels} channels" * (channels > 1)
    taps = sizes(layer.size)
    filters = f"{count} filters F of {taps}" if count > 1 else f"a {taps} filter F"
    pads = layer.pads(written.x.shape)
    padding = str(pads[0]) if len(set(pads)) == 1 else f"{pads} (top, bottom, left, right)"
    spread = f", dilation {both(layer.dilation)}" * (layer.dilation != (1, 1))
    bias = " with bias" * (written.b is not None)
    return (
        f"A {height}×{width} input X{of} and {filters}{bias}, stride {both(layer.stride)}, "
        f"padding {padding}{spread}: {rows}×{columns} outputs O"
    )


def notes_on(written: GradientSums) -> list[str]:
    """Sentences that explain the raised numbers of symbols and the products left out."""
    notes = []
    channels, count = written.f.shape[2:]
    if channels > 1:
        notes.append("The raised number of X is its channel.")
    if channels > 1 or count > 1:
        what = ["channel"] * (channels > 1) + ["filter"] * (count > 1)
        notes.append(f"The raised {plural(len(what), 'number')} of F: {' and '.join(what)}.")
    if count > 1:
        which = "numbers of O and b are" if written.b is not None else "number of O is"
        notes.append(f"The raised {which} its filter.")
    if any(written.layer.pads(written.x.shape)):
        notes.append("Products with the padding are zero and left out.")
    return notes


def sections(written: GradientSums, only: Sequence[str]) -> list[tuple[str, list[Sum]]]:
    """Each heading with its sums, of those only that `only` names unless it is empty."""
    found = (
        (OUTPUTS, written.outputs),
        ("The gradient of the filter", written.filter_gradients),
        ("The gradient of the bias", written.bias_gradients),
        ("The gradient of the input", written.input_gradients),
    )
    kept = (
        (title, [one for one in sums if not only or str(one.of) in only]) for title, sums in found
    )
    return [(title, sums) for title, sums in kept if sums]


def named_planes(written: GradientSums) -> list[list[tuple[Symbol, Array]]]:
    """X, F, ∂L/∂O and perhaps b: of each the matrices that it is made of, with their names."""
    channels, count = written.f.shape[2:]
    kinds = [
        [(Symbol("X", (), (c + 1,) * (channels > 1)), written.x[..., c]) for c in range(channels)],
        [
            (
                Symbol("F", (), (c + 1,) * (channels > 1) + (k + 1,) * (count > 1)),
                written.f[..., c, k],
            )
            for k, c in np.ndindex(count, channels)
        ],
        [(Symbol("L", (), (k + 1,) * (count > 1)), written.gradient[..., k]) for k in range(count)],
    ]
    if written.b is not None:
        kinds.append([(Symbol("b", ()), written.b[None])])
    return kinds


def checks(written: GradientSums) -> list[str]:
    """The comparisons as sentences."""
    found = written.checked
    bias = []
    if written.b is not None:
        bias = [
            f"∂L/∂b from finite differences: {found['∂L/∂b, finite differences']:.2g}",
            f"the new b from a training step (float32): {found['bias step']:.2g}",
        ]
    return [
        f"outputs, ∂L/∂F, ∂L/∂X from the kernels (float64): {found['outputs']:.2g}, "
        f"{found['∂L/∂F']:.2g}, {found['∂L/∂X']:.2g}",
        f"∂L/∂F, ∂L/∂X from finite differences: {found['∂L/∂F, finite differences']:.2g}, "
        f"{found['∂L/∂X, finite differences']:.2g}",
        f"the new F from a training step (float32): {found['step']:.2g}",
        *bias,
    ]


def steps_of(
    written: GradientSums, only: Sequence[str]
) -> list[tuple[Symbol, float, float, float]]:
    """(symbol, value, gradient, value after the step) of each weight and bias."""
    sums = [*written.filter_gradients, *written.bias_gradients]
    before, after = [*written.f.ravel()], [*written.new_f.ravel()]
    if written.b is not None and written.new_b is not None:
        before, after = [*before, *written.b], [*after, *written.new_b]
    return [
        (one.of, float(old), one.value, float(new))
        for one, old, new in zip(sums, before, after, strict=True)
        if not only or str(one.of) in only
    ]


def local_gradients(
    written: GradientSums, only: Sequence[str]
) -> Iterator[tuple[Symbol, list[tuple[Symbol, Symbol, float]]]]:
    """Step 1 of the article: of each output O its local gradients ∂O/∂F and ∂O/∂X, each as (the F
    or X, what the gradient is, its number).
    """
    for one in written.outputs:
        if only and str(one.of) not in only:
            continue
        products = [term for term in one.terms if term.factors[1] is not ONE]
        yield (
            one.of,
            [(t.factors[1], t.factors[0], t.values[0]) for t in products]
            + [(t.factors[0], t.factors[1], t.values[1]) for t in products],
        )


def factors(one: Sum) -> list[tuple[Symbol, Symbol]]:
    """The two names of each product of a sum."""
    return [term.factors for term in one.terms]


def product(term: GradientTerm, sign: str) -> str:
    """A product with its numbers put in."""
    a, b = term.values
    if term.factors[1] is ONE:  # a bias, or a gradient that is added to its gradient
        return bracketed(number(a))
    return f"{number(a)}{sign}{bracketed(number(b))}"


def both(pair: Sequence[int]) -> str:
    """A pair as one number where both are equal."""
    return str(pair[0]) if pair[0] == pair[1] else sizes(pair)
