"""The recorder: lowering writes nests to it, and it puts them into stages."""

from __future__ import annotations

from collections.abc import Mapping

from striate.nest.algebra import Nest
from striate.nest.rewrite import with_tensors, without_axes
from striate.plan.stage import BoundNest, Locations, RecordedStages, Stage, When, over_blocks

ALIKE = 4
"""Nests that want more than so many times as many blocks together as others do not go with them."""
IN_TRAINING = 2
"""The same in training, where nothing is cut, and large values would be made for many images."""


class Recorder(RecordedStages):
    """The stages of a plan, in order, as lowering records them.

    Steps (bound nests) over blocks of images that follow each other become one stage: some blocks
    go through all of them while they are in the cache.  Other steps are stages of their own.

    Attributes:
        label: the layer, and what is computed for it, in the steps that follow: "conv2d_1 forward".
        band: the part of an image that the steps that follow work on alone; None for all of it.
        alike: how many times as many blocks one step of a stage may want together as another.
    """

    def __init__(self, blocks: int, shards: int, alike: int = ALIKE) -> None:
        super().__init__(blocks, shards)
        self.alike = alike
        self._closed = False
        self.label = ""
        self.band: int | None = None

    def blockwise(
        self,
        nest: Nest,
        places: Locations,
        *,
        before: str | None = None,
        blocks: int | None = None,
        late: bool = False,
    ) -> None:
        """A step for every block of images.

        A task may take several blocks: then the nest gets one more axis, in front of the axis
        `before`.  At least `blocks` should go together for the step's sake; steps that want very
        different numbers of them come into stages of their own.  `late` steps before such a one
        go with it: they write more than they read, and what is written need not be kept then.
        """
        stage = self.stage()
        if blocks is not None:
            if stage.wanted and not 1 / self.alike <= blocks / stage.wanted <= self.alike:
                steps = stage.steps
                kept = len(steps)
                while kept and steps[kept - 1].late:
                    kept -= 1
                steps[kept:], later = [], steps[kept:]
                self.close()
                stage = self.stage()
                stage.steps += later
            stage.wanted = max(stage.wanted, blocks)
        stage.steps.append(
            BoundNest(
                nest,
                places,
                before=before,
                label=self.label,
                late=late,
                wanted=blocks or 0,
                band=self.band,
            )
        )

    def at_shard_start(self, nest: Nest, places: Locations) -> None:
        """A step done once before the blocks of a shard, in the stage at hand."""
        self.stage().starts.append(BoundNest(nest, places, label=self.label))

    def at_shard_end(self, nest: Nest, places: Locations) -> None:
        """A step done once after the blocks of a shard, in the stage at hand."""
        self.stage().ends.append(BoundNest(nest, places, label=self.label))

    def tasks(
        self,
        nest: Nest,
        count: int,
        advance: Mapping[str, int],
        places: Locations,
        *,
        barrier: bool = True,
        when: When = "now",
        shards_of: Stage | None = None,
    ) -> None:
        """A step over `count` tasks that are not blocks of images.

        `advance` says how many elements each role moves on from task to task.  `barrier=False`
        where the next step does not need this one's result.  What depends on no image may be done
        "first" of all, or "before" the stage at hand.  An axis s over the shards of a stage is
        cut to those that will have tasks.
        """
        stage = Stage(count, count, False, barrier=barrier and when != "first")
        step = BoundNest(nest, places, advance, label=self.label, shards_of=shards_of)
        stage.steps.append(step)
        if when == "first":
            self.preparation.append(stage)
        elif when == "before" and self.stage_is_open:
            self.stages.insert(-1, stage)
        else:
            self.stages.append(stage)

    def spread(
        self, nest: Nest, along: str, places: Locations, *, barrier: bool = True, when: When = "now"
    ) -> None:
        """A step whose tasks are the indices of one axis."""
        advance = {tensor.buffer: tensor.stride(along) for tensor in nest.tensors()}
        axes = tuple(axis for axis in nest.axes if axis[0] != along)
        inside = with_tensors(nest, lambda tensor: without_axes(tensor, (along,)), axes=axes)
        self.tasks(inside, nest.extent(along), advance, places, barrier=barrier, when=when)

    def whole_batch(self, nest: Nest, along: str, places: Locations) -> None:
        """A step that sums over all blocks of images; its tasks are the indices of one axis."""
        self.spread(over_blocks(nest, places, self.blocks, None), along, places)

    def once(
        self, nest: Nest, places: Locations, *, barrier: bool = True, when: When = "now"
    ) -> None:
        """A step done by whichever thread comes first."""
        self.tasks(nest, 1, {}, places, barrier=barrier, when=when)

    @property
    def stage_is_open(self) -> bool:
        """Whether the next step over blocks goes to the last stage."""
        return bool(self.stages) and self.stages[-1].by_block and not self._closed

    def stage(self) -> Stage:
        """The stage over blocks at hand, or a new one."""
        if not self.stage_is_open:
            if self.stages:
                self.stages[-1].barrier = True
            self.stages.append(Stage(self.blocks, self.shards, True))
            self._closed = False
        return self.stages[-1]

    def close(self) -> None:
        """Let the next step begin a stage of its own."""
        self._closed = True
