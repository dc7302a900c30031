"""Pointers that loops carry: all that a turn reads is within reach of one, and few are enough."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from striate.nest.algebra import Nest, Store, Tensor, strides_of
from striate.nest.induction_pointers import InductionPointer, induction_pointers


def convolution(row: int) -> Nest:
    """Rows of an image far apart, and weights beside each other."""
    x = Tensor("x", strides_of({"y": row, "r": row, "c": 1}), 3)
    w = Tensor("w", strides_of({"r": 160, "c": 4, "k": 1}), element="i8")
    out = Store(Tensor("out", strides_of({"y": 4, "k": 1})), Tensor("b", ()))
    return Nest(
        (("y", 8), ("k", 4), ("r", 3), ("c", 40)),
        (out,), (x * w,), ("r", "c"), "sum",
    )  # fmt: skip


@given(
    row=st.integers(1, 700),
    tile=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    reach=st.sampled_from([(-1020, 1020), (-2048, 2047), (0, 252), (-8, 4)]),
)
def test_all_is_within_reach(row: int, tile: tuple[int, int], reach: tuple[int, int]) -> None:
    nest = convolution(row)
    body = [
        {"y": y, "k": k, "r": r} for y in range(tile[0]) for k in range(tile[1]) for r in range(3)
    ]
    found = induction_pointers(nest, "c", body, reach, "f32")
    for tensor, size, turn in (("x", 4, 4), ("w", 1, 4)):
        own = [one for one in found if one.tensor.buffer == tensor]
        assert {one.turn for one in own} == {turn}
        offsets = {
            read.offset + sum(dict(read.strides).get(a, 0) * i for a, i in point.items())
            for read in nest.read
            if read.buffer == tensor
            for point in body
        }
        for offset in offsets:
            (through,) = [one for one in own if one.first <= offset <= one.last]
            assert reach[0] <= (offset - through.middle) * size <= reach[1]
        # Greedy from the left is the least number of stretches that cover points on a line.
        longest = reach[1] // size + -reach[0] // size
        assert len(own) == fewest(offsets, longest)


def fewest(offsets: set[int], longest: int) -> int:
    count, left = 0, sorted(offsets)
    while left:
        count, left = count + 1, [o for o in left if o > left[0] + longest]
    return count


def test_what_stands_still_needs_none() -> None:
    nest = convolution(10)
    found = induction_pointers(nest, "c", [{"y": 0, "k": 0, "r": 0}], (-1020, 1020), "f32")
    assert [one.tensor.buffer for one in found] == ["x", "w"]
    assert found[0] == InductionPointer(found[0].tensor, 3, 3, 3, 4)
    assert induction_pointers(nest, "q", [{}], (-1020, 1020), "f32") == []
