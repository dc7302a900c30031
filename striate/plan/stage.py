"""Steps of a program, and the stages that they are put together to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from striate.nest.algebra import Nest
from striate.nest.schedule import Schedule
from striate.plan.layout import Location

Locations = Mapping[str, Location]
When = Literal["first", "before", "now"]


@dataclass(frozen=True)
class BoundNest:
    """A nest bound to memory.

    Attributes
    ----------
    advance
        Elements from one task to the next, by role (stages that do not run over blocks).
    before
        In front of which axis the axis over a task's blocks belongs; outermost if None.
    label
        For whom it is done: `Recorder.label` as it was recorded.
    schedule
        How the nest is run, where that must not be chosen anew.
    late
        Whether the step should rather begin the next stage than end this one.
    shards_of
        The stage whose shards the axis s counts.
    """

    nest: Nest
    places: Locations
    advance: Mapping[str, int] = field(default_factory=dict)
    before: str | None = None
    label: str = ""
    schedule: Schedule | None = None
    late: bool = False
    shards_of: Stage | None = None


@dataclass
class Stage:
    """Steps that become one job.

    `starts` and `ends` are done once for each shard, before and after its tasks.  A task of a
    stage over blocks of images takes `grain` of them.
    """

    tasks: int
    shards: int
    by_block: bool
    steps: list[BoundNest] = field(default_factory=list)
    starts: list[BoundNest] = field(default_factory=list)
    ends: list[BoundNest] = field(default_factory=list)
    barrier: bool = True
    grain: int = 1
    wanted: int = 0

    @property
    def used_shards(self) -> int:
        """Shards that have tasks; where nothing is summed up over a shard, each task is one, and
        goes to whoever is free."""
        tasks = self.tasks // self.grain
        buffers = (place.buffer for step in self.all_steps for place in step.places.values())
        sums = any(buffer.scope in ("shard", "partial") for buffer in buffers)
        return min(self.shards, tasks) if sums or self.starts or self.ends else tasks

    @property
    def all_steps(self) -> list[BoundNest]:
        """In the order in which they are done."""
        return [*self.starts, *self.steps, *self.ends]


def in_tasks(total: int, size: int) -> Iterator[tuple[int, int, int]]:
    """(first, count, size): `count` tasks of one size from `first` on, then one of what is left."""
    count, rest = divmod(total, size)
    if count:
        yield 0, count, size
    if rest:
        yield total - rest, 1, rest
