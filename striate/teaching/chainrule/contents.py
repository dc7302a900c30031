"""What every written form of a convolution's gradients holds: title, notes, sums, checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.common.short_repr import short_repr
from striate.common.text import bracketed, counted, number, plural, sizes
from striate.layers import MaxPool2D, ReLU
from striate.teaching.chainrule.layer_chain import ChainSums
from striate.teaching.chainrule.passages import Maximum, Passage
from striate.teaching.chainrule.sums import ONE, GradientSums, GradientTerm, Sum, Symbol

Written = GradientSums | ChainSums
Named = tuple[tuple[Symbol, ...], Array]
"""A matrix with its names: it has two where the output of a layer is the X of the next."""
LocalGradient = tuple[Symbol, Symbol, float]
"""What an output is derived by, what its derivative is, and the number of that."""


@short_repr
@dataclass(frozen=True, eq=False)
class Section:
    """A heading and what stands below it, in this order.

    Attributes:
        heading: in words.
        said: a sentence, or "".
        sums: to be written out.
        local: step 1 of the article, under a heading of its own: outputs, each with its local
            gradients ∂O/∂F and ∂O/∂X.
        arrays: matrices that the sums make.
    """

    heading: str
    said: str = ""
    sums: Sequence[Sum | Maximum] = ()
    local: Sequence[tuple[Symbol, list[LocalGradient]]] = ()
    arrays: Sequence[Named] = ()


@dataclass(frozen=True, eq=False)
class Contents:
    """All that is written, for a form to put into lines or formulas.

    Attributes:
        title: the sizes, in one line without a full stop.
        notes: sentences that explain the symbols.
        chain: whether there are several layers, of which symbols have the number.
        arrays: of each kind the matrices that are given.
        sections: the outputs, and the gradients.
        learning_rate: α.
        descent: (weight, value, gradient, value after the step) of a step of gradient descent.
        checks: the comparisons, as sentences without a full stop.
    """

    title: str
    notes: list[str]
    chain: bool
    arrays: list[list[Named]]
    sections: list[Section]
    learning_rate: float
    descent: list[tuple[Symbol, float, float, float]]
    checks: list[str]


def contents(written: Written, only: Sequence[str] = ()) -> Contents:
    """All of it, or the sums `only`, by their names as `chosen` gives them."""
    steps = _steps(written)
    convolutions = [step for step in steps if isinstance(step, GradientSums)]
    return Contents(
        title="; then ".join(map(_title, steps)),
        notes=_notes(convolutions),
        chain=isinstance(written, ChainSums),
        arrays=_given_arrays(steps),
        sections=_kept(_sections(steps), only),
        learning_rate=written.learning_rate,
        descent=[moved for one in convolutions for moved in _descent(one, only)],
        checks=_checks(written),
    )


def chosen(written: Written, only: Sequence[str]) -> tuple[str, ...]:
    """The names of the sums to write, checked: "F_12" of "F_12" and of "∂L/∂F_12".

    Raises:
        ValueError: there is no sum of such a name.
    """
    names = tuple(name.removeprefix("∂L/∂") for name in only)
    kinds: dict[tuple[str, int], list[str]] = {}
    for section in _sections(_steps(written)):
        for one in section.sums:
            kinds.setdefault((one.of.kind, one.of.number), []).append(str(one.of.value))
    known = {name for own in kinds.values() for name in own}
    there = ", ".join(
        own[0] if len(own) == 1 else f"{own[0]} to {own[-1]}" for own in kinds.values()
    )
    for name in names:
        if name not in known:
            raise StriateValueError(f"gradients: there is no sum {name!r}; there are {there}")
    return names


def factors(one: Sum | Maximum, term: GradientTerm) -> tuple[Symbol, ...]:
    """The names of a product's factors that are written: a bias stands alone, without its 1."""
    a, b = term.factors
    return (a,) if b is ONE and "b" in (a.kind, one.of.kind) else (a, b)


def product(one: Sum, term: GradientTerm, sign: str) -> str:
    """A product with its numbers put in."""
    count = len(factors(one, term))
    first, *rest = map(number, term.values[:count])
    return sign.join([bracketed(first) if not rest else first, *map(bracketed, rest)])


def both(pair: Sequence[int]) -> str:
    """A pair as one number where both are equal."""
    return str(pair[0]) if pair[0] == pair[1] else sizes(pair)


# Words.


def _steps(written: Written) -> tuple[GradientSums | Passage, ...]:
    return (written,) if isinstance(written, GradientSums) else written.steps


def _title(step: GradientSums | Passage) -> str:
    """The sizes of a layer in one line."""
    rows, columns, count = step.gradient.shape
    if isinstance(step, Passage):
        return f"{_choice(step)}: {rows}×{columns} outputs {step.result}"
    layer, mark = step.layer, step.number or ""
    height, width, channels = step.x.shape
    of = f" with {channels} channels" * (channels > 1)
    read = f"A {height}×{width} input X{mark}{of} and " * (step.number < 2)
    taps = sizes(layer.size)
    filters = f"{count} filters F{mark} of {taps}" if count > 1 else f"a {taps} filter F{mark}"
    pads = layer.pads(step.x.shape)
    padding = str(pads[0]) if len(set(pads)) == 1 else f"{pads} (top, bottom, left, right)"
    spread = f", dilation {both(layer.dilation)}" * (layer.dilation != (1, 1))
    bias = " with bias" * (step.b is not None)
    return (
        f"{read}{filters}{bias}, stride {both(layer.stride)}, "
        f"padding {padding}{spread}: {rows}×{columns} outputs O{mark}"
    )


def _choice(step: Passage) -> str:
    """The name of ReLU, or of max-pooling with its window."""
    if isinstance(step.layer, ReLU):
        return "ReLU"
    pool = step.layer
    stride = f", stride {both(pool.stride)}" * (pool.stride != pool.size)
    return f"max-pooling {sizes(pool.size)}{stride}"


def _notes(convolutions: Sequence[GradientSums]) -> list[str]:
    """Sentences that explain the raised numbers of symbols and the products left out."""
    notes = []
    for one in convolutions:
        channels, count = one.f.shape[2:]
        mark = one.number or ""
        if channels > 1:
            notes.append(f"The raised number of X{mark} is its channel.")
        if channels > 1 or count > 1:
            what = ["channel"] * (channels > 1) + ["filter"] * (count > 1)
            raised = plural(len(what), "number")
            notes.append(f"The raised {raised} of F{mark}: {' and '.join(what)}.")
        if count > 1:
            biased = f"numbers of O{mark} and b{mark} are"
            which = biased if one.b is not None else f"number of O{mark} is"
            notes.append(f"The raised {which} its filter.")
    if any(any(one.layer.pads(one.x.shape)) for one in convolutions):
        notes.append("Products with the padding are zero and left out.")
    return notes


def _checks(written: Written) -> list[str]:
    found = written.checked
    bias, bends = [], []
    if "bias step" in found:
        bias = [
            f"∂L/∂b from finite differences: {found['∂L/∂b, finite differences']:.2g}",
            f"the new b from a training step (float32): {found['bias step']:.2g}",
        ]
    if isinstance(written, ChainSums) and written.bends:
        bends = [
            f"{counted(written.bends, 'slope')} left out of the finite differences: a small change "
            "there changes which number is the largest, or whether it is above 0"
        ]
    return [
        f"outputs, ∂L/∂F, ∂L/∂X from the kernels (float64): {found['outputs']:.2g}, "
        f"{found['∂L/∂F']:.2g}, {found['∂L/∂X']:.2g}",
        f"∂L/∂F, ∂L/∂X from finite differences: {found['∂L/∂F, finite differences']:.2g}, "
        f"{found['∂L/∂X, finite differences']:.2g}",
        f"the new F from a training step (float32): {found['step']:.2g}",
        *bias,
        *bends,
    ]


# Sums.


def _sections(steps: Sequence[GradientSums | Passage]) -> list[Section]:
    """All headings with what stands below them: forward, then backward."""
    forward, backward = [], []
    for step, before, after in zip(steps, (None, *steps[:-1]), (*steps[1:], None), strict=True):
        if isinstance(step, GradientSums):
            forward.append(_outputs_of(step, after))
            backward.append(_gradients_of(step, before))
        else:
            forward.append(_choices_of(step))
            backward.append([_passed_back(step)])
    return [*forward, *(section for own in reversed(backward) for section in own)]


def _outputs_of(step: GradientSums, after: GradientSums | Passage | None) -> Section:
    names = [Symbol("O", (), (), step.number)]
    if isinstance(after, GradientSums):  # which reads it as it is
        names.append(Symbol("X", (), (), after.number))
    arrays = planes(names, step.output) if step.number else []
    heading = _heading(step, "the outputs")
    return Section(heading, "", step.outputs, _local_gradients(step), arrays)


def _gradients_of(step: GradientSums, before: GradientSums | Passage | None) -> list[Section]:
    x = Symbol("X", (), (), step.number, slope=True)
    names, said = [x], ""
    if isinstance(before, GradientSums):
        o = Symbol("O", (), (), before.number, slope=True)
        names.append(o)
        said = (
            f"{x.value} is {o.value}, the output of layer {before.number}: {x} is the {o} that "
            f"layer {before.number} gets."
        )
    of_input = planes(names, step.input_gradient) if step.number else []
    bias = [Section(_heading(step, "the gradient of the bias"), "", step.bias_gradients)]
    return [
        Section(_heading(step, "the gradient of the filter"), "", step.filter_gradients),
        *(bias if step.bias_gradients else []),
        Section(
            _heading(step, "the gradient of the input"), said, step.input_gradients,
            arrays=of_input,
        ),
    ]  # fmt: skip


def _heading(step: GradientSums, what: str) -> str:
    return f"Layer {step.number}: {what}" if step.number else f"{what[0].upper()}{what[1:]}"


def _choices_of(step: Passage) -> Section:
    what = _choice(step)
    says = {
        ReLU: f"{step.result} is {step.source} where that is above 0, and else 0.",
        MaxPool2D: f"{step.result} is the largest of each window of {step.source}.",
    }[type(step.layer)]
    arrays = planes([step.result], step.output)
    return Section(f"{what[0].upper()}{what[1:]}", says, step.outputs, arrays=arrays)


def _passed_back(step: Passage) -> Section:
    arriving, leaving = step.result.gradient, step.source.gradient
    says = {
        ReLU: f"The local gradient is 1 where {step.source} is above 0, so that {arriving} passes, "
        "and else 0.",
        MaxPool2D: f"{arriving} goes to the number that was the largest: its local gradient is 1, "
        "that of the others 0.",
    }[type(step.layer)]
    arrays = planes([leaving], step.input_gradient)
    return Section(f"Back through {_choice(step)}", says, step.input_gradients, arrays=arrays)


def _kept(sections: Sequence[Section], only: Sequence[str]) -> list[Section]:
    """The sections, with those sums only that `only` names unless it is empty."""
    if not only:
        return list(sections)
    kept = [
        Section(
            section.heading,
            section.said,
            sums=[one for one in section.sums if str(one.of.value) in only],
            local=[(output, local) for output, local in section.local if str(output) in only],
        )
        for section in sections
    ]
    return [section for section in kept if section.sums]


def _local_gradients(step: GradientSums) -> list[tuple[Symbol, list[LocalGradient]]]:
    found = []
    for one in step.outputs:
        products = [term for term in one.terms if term.factors[1] is not ONE]
        of_filter = [(t.factors[1], t.factors[0], t.values[0]) for t in products]
        of_input = [(t.factors[0], t.factors[1], t.values[1]) for t in products]
        found.append((one.of, of_filter + of_input))
    return found


def _descent(step: GradientSums, only: Sequence[str]) -> list[tuple[Symbol, float, float, float]]:
    """(weight, value, gradient, value after the step) of each weight and bias."""
    sums = [*step.filter_gradients, *step.bias_gradients]
    before, after = [*step.f.ravel()], [*step.new_f.ravel()]
    if step.b is not None and step.new_b is not None:
        before, after = [*before, *step.b], [*after, *step.new_b]
    return [
        (one.of.value, float(old), one.value, float(new))
        for one, old, new in zip(sums, before, after, strict=True)
        if not only or str(one.of.value) in only
    ]


# Matrices.


def _given_arrays(steps: Sequence[GradientSums | Passage]) -> list[list[Named]]:
    """X, F, ∂L/∂O and perhaps b: of each kind the matrices that it is made of."""
    kinds: list[list[Named]] = []
    biases: list[Named] = []
    for step in steps:
        if not isinstance(step, GradientSums):
            continue
        x, f, b = (Symbol(kind, (), (), step.number) for kind in "XFb")
        if step.number < 2:
            kinds.append(planes([x], step.x))
        kinds.append(filter_planes(f, step.f))
        if step.b is not None:
            biases.append(((b,), step.b[None]))
    last = steps[-1]
    name = last.result if isinstance(last, Passage) else Symbol("O", (), (), last.number)
    kinds.append(planes([name.gradient], last.gradient))
    return [*kinds, *([biases] if biases else [])]


def planes(names: Sequence[Symbol], values: Array) -> list[Named]:
    """An array (rows, columns, planes) as matrices; of a single one the plane has no number."""
    count = values.shape[2]
    return [
        (tuple(replace(name, planes=(c + 1,) * (count > 1)) for name in names), values[..., c])
        for c in range(count)
    ]


def filter_planes(name: Symbol, f: Array) -> list[Named]:
    """Filters as matrices, those of all channels of a filter side by side."""
    channels, count = f.shape[2:]
    return [
        (
            (replace(name, planes=(c + 1,) * (channels > 1) + (k + 1,) * (count > 1)),),
            f[..., c, k],
        )
        for k, c in np.ndindex(count, channels)
    ]
