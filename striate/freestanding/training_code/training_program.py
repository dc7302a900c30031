"""A network that goes on learning, as calls on stretches of memory.

One step takes a batch forward, through the loss and backward, and moves the weights by the rule of
an optimiser; running statistics of batch normalisation move on the way. What lasts from step to
step is one block of memory, the state:

    weights, running statistics, the buffers of the optimiser, the number of steps

and all else an arena. The network can be run with these weights at any time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING

from striate.common.memory import LINE, aligned_zeros, whole_lines
from striate.freestanding.program.frozen_program import FrozenProgram
from striate.freestanding.program.segmented_program import Segment, SegmentedProgram
from striate.freestanding.training_code.learning import Learning
from striate.nest.target import Target
from striate.optim.losses import positive_weight_of
from striate.plan.build.sequential_sums import added_at_once
from striate.plan.inputs import InputFormat
from striate.plan.layout import Buffer
from striate.plan.lowering.lanes import lanes_for
from striate.plan.memory.placement import Memory
from striate.plan.plan import Plan
from striate.plan.settings import Settings
from striate.plan.stage import Stage
from striate.plan.update.optimizer_step import decay_of_lines
from striate.plan.update.update_rules import NUMBERS
from striate.plan.update.update_stages import factors_of, recorded

if TYPE_CHECKING:
    from striate.model.model import Model


@dataclass(frozen=True)
class StepBuffer:
    """What a step begins with, or leaves, in its segment.

    Attributes:
        offset: where it begins there, in bytes.
        block: bytes from one block of images to the next; 0 where there is one for all.
    """

    offset: int
    block: int


class TrainingProgram:
    """A network that learns, made for one target.

    Args:
        learning: the network, and how.
        target: the machine; a portable one, see `Target.portable`, gives all machines' bits.
        batch_size: images of a step at most, and of a run.

    Attributes:
        lanes, blocks: images of a block, and blocks of a batch: see `striate.plan.layout`.
        front: what is frozen, for one image; None where nothing is.
        passes: forward, loss and backward.
        update: the optimiser's step.
        run: forward alone, with the weights of the state.
        step: what is in the segment of a step, by name, if the network needs it.
        step_bytes: how many bytes that has; all are zero before a step.
        factors: by which the learning rate is multiplied: a row of "table" is for each.
        statistics, optimizer_state, steps: where these begin in the state, in bytes.
        state_bytes: how many bytes the state has.
    """

    def __init__(self, learning: Learning, target: Target, batch_size: int = 1) -> None:
        self.learning, self.target, self.batch_size = learning, target, batch_size
        network = learning.network
        self.front = None if learning.front is None else FrozenProgram(learning.front, target)
        weights, slots = network.flat.nbytes, learning.optimizer.slots
        self.statistics = weights
        self.optimizer_state = weights + network.state_flat.nbytes
        self.steps = self.optimizer_state + slots * weights
        self.state_bytes = self.steps + LINE
        self.factors = factors_of(network.learned_parts())
        plan = self._training_plan(network)
        self.lanes, self.blocks = plan.settings.lanes, plan.settings.blocks
        stages, sums = added_at_once(plan.recording.all_stages)
        # Only one thread is at work, which needs memory for one shard at a time.
        plan.recording.preparation, plan.recording.stages = [], stages
        placed = self._place_step(plan, stages, sums)
        in_state = {
            plan.builder.weights: (Segment.STATE, 0),
            plan.builder.statistics: (Segment.STATE, self.statistics),
        }
        self.passes = SegmentedProgram(stages, plan.memory, target, {**placed, **in_state})
        self.update = self._update()
        self.run = self._run(network)

    @property
    def initial_state(self) -> bytes:
        """What the state begins with; zeros follow."""
        network = self.learning.network
        return network.flat.tobytes() + network.state_flat.tobytes()

    # --- parts -----------------------------------------------------------------------------

    def _training_plan(self, network: Model) -> Plan:
        loss = self.learning.loss
        settings = Settings(
            self.batch_size,
            lanes=1,
            element="f32",
            target=self.target,
            training=True,
            loss=loss.kind,
            loading=InputFormat(direct=True),
            exact=True,
            positive_weight=positive_weight_of(loss),
        )
        settings = replace(settings, lanes=lanes_for(network, settings))
        plan = Plan(network, settings, 1, network.flat, network.state_flat, smallest=True)
        plan.input_stage.set_preprocessing(network.preprocessing)
        return plan

    def _place_step(
        self, plan: Plan, stages: list[Stage], sums: list[Buffer]
    ) -> dict[Buffer, tuple[Segment, int]]:
        """Places for what enters and leaves a step, and for sums, which begin with zero."""
        used = {
            place.buffer: None
            for stage in stages
            for step in stage.all_steps
            for place in step.places.values()
        }
        more = [*sums, *(buffer for buffer in used if buffer.scope == "shard")]
        names = {buffer: buffer.name for buffer in more}
        names |= {buffer: name for name, buffer in plan.of_batch.items()}
        found = {buffer: name for buffer, name in names.items() if buffer in used}
        sizes = [whole_lines(plan.memory.arrays[buffer].nbytes) for buffer in found]
        sizes.append(whole_lines(4 * NUMBERS * len(self.factors)))
        offsets = [0, *accumulate(sizes)]
        self.step_bytes = offsets[-1]
        self.step = {
            name: StepBuffer(
                offset,
                buffer.span * plan.memory.arrays[buffer].itemsize if buffer.scope == "block" else 0,
            )
            for (buffer, name), offset in zip(found.items(), offsets, strict=False)
        }
        self.step["table"] = StepBuffer(offsets[-2], 0)
        return {
            buffer: (Segment.STEP, offset) for buffer, offset in zip(found, offsets, strict=False)
        }

    def _update(self) -> SegmentedProgram:
        """The optimiser's step."""
        network, optimizer = self.learning.network, self.learning.optimizer
        size = network.flat.size
        state = dict.fromkeys(("first", "second")[: optimizer.slots], size)
        arrays = {
            "weights": network.flat,
            "decay": decay_of_lines(network),
            "gradient": aligned_zeros(size),
            "table": aligned_zeros(NUMBERS * len(self.factors)),
            **{role: aligned_zeros(count) for role, count in state.items()},
        }
        buffers = {role: Buffer(role, a.size, "real", "global") for role, a in arrays.items()}
        recorder = recorded(optimizer, buffers, network.learned_parts())
        given = {buffers[role]: array for role, array in arrays.items()}
        memory = Memory(recorder, "f32", self.target, 1, given)
        places = {
            "weights": (Segment.STATE, 0),
            **{name: (Segment.STEP, self.step[name].offset) for name in ("gradient", "table")},
            **{
                role: (Segment.STATE, self.optimizer_state + number * network.flat.nbytes)
                for number, role in enumerate(state)
            },
        }
        placed = {buffers[role]: place for role, place in places.items()}
        return SegmentedProgram(recorder.all_stages, memory, self.target, placed)

    def _run(self, network: Model) -> SegmentedProgram:
        """The forward pass, which lays out the weights of the state each time."""
        settings = Settings(
            self.batch_size,
            lanes=1,
            element="f32",
            target=self.target,
            training=False,
            loss=None,
            exact=True,
        )
        plan = Plan(network, settings, 1, network.flat, network.state_flat, smallest=True)
        plan.input_stage.set_preprocessing(network.preprocessing)
        images, outputs = plan.input_stage.raw, plan.out
        for buffer in (images, outputs):
            buffer.step = buffer.size  # one image behind the other, without a gap
        given = {
            images: (Segment.IMAGES, 0),
            outputs: (Segment.OUTPUTS, 0),
            plan.builder.weights: (Segment.STATE, 0),
            plan.builder.statistics: (Segment.STATE, self.statistics),
        }
        return SegmentedProgram(plan.stages, plan.memory, self.target, given)
