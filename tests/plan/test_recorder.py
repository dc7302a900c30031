"""Which steps become one stage."""

from __future__ import annotations

from striate.nest.algebra import Constant, Nest, Store
from striate.plan.layout import Buffer, Location, vector
from striate.plan.lowering.recorder import ALIKE, IN_TRAINING, Recorder


def recorded(*steps: tuple[str, int | None, bool], alike: int = ALIKE) -> list[list[str]]:
    """The stages of steps (label, blocks, late), as lists of labels."""
    recorder = Recorder(64, 16, alike)
    nest = Nest((("e", 8),), (Store(vector("out", e=1), Constant(0.0)),))
    for label, blocks, late in steps:
        recorder.label = label
        places = {"out": Location(Buffer(label, 8, "real"))}
        recorder.blockwise(nest, places, blocks=blocks, late=late)
    return [[step.label for step in stage.steps] for stage in recorder.stages]


def test_steps_that_want_as_many_blocks_stay_together() -> None:
    steps = ("a", 16, False), ("b", None, False), ("c", None, True), ("d", 5, False)
    assert recorded(*steps) == [["a", "b", "c", "d"]]


def test_in_training_fewer_go_together() -> None:
    steps = ("a", 4, False), ("b", 2, False), ("c", None, False), ("d", 1, False)
    assert recorded(*steps) == [["a", "b", "c", "d"]]
    assert recorded(*steps, alike=IN_TRAINING) == [["a", "b", "c"], ["d"]]


def test_late_steps_go_with_what_wants_other_blocks() -> None:
    dense, copy, pool = ("dense", 16, False), ("copy", None, False), ("pool", None, True)
    assert recorded(dense, copy, pool, pool, ("convolution", 1, False)) == [
        ["dense", "copy"],
        ["pool", "pool", "convolution"],
    ]
    # Only such as nothing else of the stage follows.
    assert recorded(dense, pool, copy, ("convolution", 1, False)) == [
        ["dense", "pool", "copy"],
        ["convolution"],
    ]
