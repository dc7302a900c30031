"""Halos of large buffers: written each time the buffer begins to be used.

A halo (the border of padding around an image, zeros for a convolution) that is written once, when
memory is made, keeps that memory from all buffers of another form.  For a large buffer that is
needed for a short time this costs more than writing its halo again whenever it begins to be needed.
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.nest.algebra import Constant, Nest, Store, Tensor, strides_of
from striate.plan.layout import Buffer, HaloForm, Location
from striate.plan.memory.liveness import private_buffers
from striate.plan.memory.task_size import choose_task_sizes
from striate.plan.settings import Settings
from striate.plan.stage import BoundNest, RecordedStages

# Numbers of a buffer, of all blocks or of those that a thread has at hand, that are worth it.
_LARGE = 1 << 20


def write_halos(recording: RecordedStages, settings: Settings, *, everywhere: bool = False) -> None:
    """Add steps that write the halos of large buffers, or of all that one task fills.

    From then on such a buffer is one without a form, every number of which is written before it is
    read.
    """
    choose_task_sizes(recording, settings.element, settings.target)
    private, known = private_buffers(recording), set[Buffer]()
    for stage in recording.stages:
        steps: list[BoundNest] = []
        for step in stage.steps:
            for buffer in dict.fromkeys(place.buffer for place in step.places.values()):
                blocks = stage.grain if buffer in private else recording.blocks
                shares = (buffer.scope, buffer.element, stage.by_block) == ("auto", "real", True)
                large = shares and (everywhere or buffer.span * blocks >= _LARGE)
                if buffer not in known and buffer.form and large:
                    steps.extend(_halo_nests(buffer, buffer.form, step.label))
                    buffer.form = None
                known.add(buffer)
            steps.append(step)
        stage.steps = steps


def _halo_nests(buffer: Buffer, form: HaloForm, label: str) -> Iterator[BoundNest]:
    """The halo as runs of numbers: above the first pixel, between two rows, and behind the last."""
    top, bottom, left, right = form.halo
    pixel = form.channels * form.lanes
    row = (left + form.width + right) * pixel
    first = top * row + left * pixel
    behind = first + (form.height - 1) * row + form.width * pixel
    for start, count, size in (
        (0, 1, first),
        (first + form.width * pixel, form.height - 1, (left + right) * pixel),
        (behind, 1, right * pixel + bottom * row),
    ):
        if count and size:
            target = Tensor("out", strides_of({"y": row, "e": 1}), start)
            nest = Nest((("y", count), ("e", size)), (Store(target, Constant(form.fill)),))
            yield BoundNest(nest, {"out": Location(buffer)}, label=label)
