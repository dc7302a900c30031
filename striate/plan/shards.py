"""The sum over shards: what several threads found, added in an order that never changes."""

from __future__ import annotations

from striate.nest.algebra import Accumulator, Nest, Store
from striate.plan.builder import Builder, vector
from striate.plan.layout import Place
from striate.plan.recorder import in_tasks

# Elements that one task takes.
_SUM = 4096


def sum_shards(builder: Builder) -> None:
    """The gradients of all shards, added in the order of the shards."""
    for start, begin, stop in _joined(builder.summed):
        for first, count, size in in_tasks(stop - begin, _SUM):
            builder.recorder.tasks(
                Nest(
                    (("e", size), ("s", builder.recorder.shards)),
                    stores=(Store(vector("out", e=1), Accumulator()),),
                    terms=(vector("shards", e=1, s=builder.shard.span),),
                    reduce=("s",),
                    reduction="sum",
                ),
                count,
                {"out": size, "shards": size},
                {
                    "shards": Place(builder.shard, start + first),
                    "out": Place(builder.gradient, begin + first),
                },
                barrier=False,
            )


def _joined(runs: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Runs that follow each other in both buffers, as one."""
    joined: list[tuple[int, int, int]] = []
    for start, begin, stop in runs:
        if joined and joined[-1][2] == begin:
            joined[-1] = (joined[-1][0], joined[-1][1], stop)
        else:
            joined.append((start, begin, stop))
    return joined
