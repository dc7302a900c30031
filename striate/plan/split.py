"""One image on several threads: every step of a plan cut along one of its axes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from striate.nest.algebra import Index, Nest, forms_in
from striate.plan.layout import Place
from striate.plan.recorder import Section, Step, in_tasks

# Multiply-adds, or numbers stored, that are worth waiting for another thread.
_WORTH = 10_000


def split(section: Section, parts: int, lanes: int) -> list[Section]:
    """A section over one block as sections whose tasks are parts of a step."""
    sections: list[Section] = []
    whole: Section | None = None  # small steps that follow each other, on one thread
    for step in section.steps:
        axis = _axis(step.nest, lanes) if _work(step.nest) >= _WORTH else None
        if axis is not None:
            sections.extend(_cut(step, axis, parts, lanes))
            whole = None
        elif whole is not None:
            whole.steps.append(step)
        else:
            whole = Section(1, 1, False, steps=[step])
            sections.append(whole)
    return sections


def _work(nest: Nest) -> int:
    return nest.multiply_adds * (1 if nest.reduction != "none" else 2 * len(nest.stores))


def _axis(nest: Nest, lanes: int) -> str | None:
    """The longest axis of the outputs that can be cut between vectors."""
    forms = [form for expression in nest.expressions() for form in forms_in(expression)]
    moving = {axis for form in forms if isinstance(form, Index) for axis, _ in form.strides}
    whole = [axis for axis in nest.outputs if axis not in moving and _is_uniform(nest, axis)]
    beside = {axis for store in nest.stores for axis, stride in store.target.strides if stride == 1}
    apart = [axis for axis in whole if axis not in beside and nest.extent(axis) > 1]
    if apart:
        return max(apart, key=nest.extent)
    return next((axis for axis in whole if nest.extent(axis) >= 2 * lanes), None)


def _is_uniform(nest: Nest, axis: str) -> bool:
    """Whether all tensors of a role move alike along the axis."""
    strides: dict[str, int] = {}
    return all(
        strides.setdefault(tensor.buffer, tensor.stride(axis)) == tensor.stride(axis)
        for tensor in nest.tensors()
    )


def _cut(step: Step, axis: str, parts: int, lanes: int) -> Iterator[Section]:
    nest, extent = step.nest, step.nest.extent(axis)
    size = -(-extent // parts)
    strides = {tensor.buffer: tensor.stride(axis) for tensor in nest.tensors()}
    if any(store.target.stride(axis) == 1 for store in nest.stores):
        size = -(-size // lanes) * lanes
    runs = list(in_tasks(extent, size))
    for number, (first, count, some) in enumerate(runs):
        axes = tuple((name, some if name == axis else old) for name, old in nest.axes)
        advance = {role: some * stride for role, stride in strides.items()}
        places = {
            role: Place(place.buffer, place.offset + first * strides[role])
            for role, place in step.places.items()
        }
        barrier = number == len(runs) - 1
        part = Step(replace(nest, axes=axes), places, advance, label=step.label)
        yield Section(count, count, False, steps=[part], barrier=barrier)
