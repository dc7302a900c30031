"""The size rule turned around, against asking every output."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from striate.plan.lowering import polyphase


@given(
    size=st.integers(1, 6),
    stride=st.integers(1, 6),
    dilation=st.integers(1, 4),
    before=st.integers(0, 5),
    pixels=st.integers(1, 30),
)
def test_every_pixel_finds_its_outputs(
    size: int, stride: int, dilation: int, before: int, pixels: int
) -> None:
    found: dict[int, set[tuple[int, int]]] = {}
    for run in polyphase.phases_of(pixels, size, stride, dilation, before):
        for q in range(run.count):
            for p in range(run.length):
                pixel = run.start + p + stride * q
                assert pixel not in found
                found[pixel] = {
                    (q + run.origin - run.move * j, run.first + p + run.step * j)
                    for j in range(run.taps)
                }
    assert sorted(found) == list(range(pixels))
    for pixel, pairs in found.items():
        for r in range(size):
            output, rest = divmod(pixel + before - r * dilation, stride)
            assert ((output, r) in pairs) == (rest == 0)
    outputs = {output for pairs in found.values() for output, _ in pairs}
    least, most = polyphase.halo(polyphase.phases_of(pixels, size, stride, dilation, before), 1)
    assert all(-least <= output <= most for output in outputs)


def test_neighbours_that_are_read_alike_are_one_run() -> None:
    # A nest is compiled for each pair of runs: 16×16 windows side by side must not need 256.
    assert len(polyphase.phases_of(64, 16, 16, 1, 0)) == 1
    assert len(polyphase.phases_of(64, 3, 1, 1, 1)) == 1
    assert len(polyphase.phases_of(64, 2, 16, 1, 0)) == 2
    assert len(polyphase.phases_of(224, 7, 4, 1, 3)) <= 4
