"""Windows of a size, against windows that are laid down here tap by tap; reasons and drawings."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.teaching.size_answer import Fit
from striate.teaching.size_calculator import SizeError, size
from striate.teaching.size_drawing import size_figure
from striate.teaching.size_reason import misfit, reason
from striate.teaching.size_windows import AxisWindows


def by_loops(fit: Fit) -> list[int]:
    """How many windows read each pixel."""
    counts = [0] * fit.input
    for window in range(fit.output):
        for tap in range(fit.filter):
            pixel = window * fit.stride + tap * fit.dilation - fit.padding[0]
            if 0 <= pixel < fit.input:
                counts[pixel] += 1
    return counts


small = st.integers(1, 5)


@given(st.integers(1, 20), small, small, st.integers(0, 3), st.integers(0, 3), small)
def test_reads_are_counted(
    pixels: int, taps: int, step: int, before: int, after: int, gap: int
) -> None:
    room = pixels + before + after - gap * (taps - 1) - 1
    if room < 0:
        return
    fit = Fit(pixels, taps, step, (before, after), gap, room // step + 1)
    axis = AxisWindows(fit)
    expected = by_loops(fit)
    assert axis.reads.tolist() == expected
    assert axis.unread == [place + before for place, count in enumerate(expected) if not count]
    assert axis.taps(fit.output - 1)[-1] <= axis.places - 1


def test_the_reason_has_the_articles_three_steps() -> None:
    text = reason(size(13, 3, stride=2))
    assert "the middle of a window keeps half a window, (R - 1)/2 = 1, away from both" in text
    assert "10/2 = 5 steps fit in" in text
    assert "+ 1: 5 steps join 6 windows, as 5 rails of a fence join 6 posts." in text
    assert "A stride of 2 leaves 6 outputs of the 11 at stride 1" in text
    assert "1121212121211  windows read each pixel" in text
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("pads", [0, (1, 0, 2, 1)])
def test_windows_are_written_true_to_size(pads: Any) -> None:
    found = size((9, 8), (3, 2), padding=pads, dilation=(2, 3), stride=1)
    text = reason(found)
    rows = re.findall(r"^O_\d+ +(\S+)$", text, re.MULTILINE)
    expected = []
    for axis in found.axes:
        fit = axis.fits[0]
        places = fit.input + sum(fit.padding)
        for window in range(fit.output):
            line = ["·"] * places
            for place in range(window, window + fit.dilation * (fit.filter - 1) + 1):
                line[place] = "░"
            for tap in range(fit.filter):
                line[window + tap * fit.dilation] = "█"
            expected.append("".join(line))
    assert rows == expected


def test_borders_are_read_less_without_padding() -> None:
    text = reason(size((5, 5), 3, padding=1))
    bare, padded = text.split("without padding:\n\n")[1].split(
        "\n\nHow many windows read each pixel, with the padding:\n\n"
    )
    assert bare.splitlines()[0].split() == ["1", "2", "3", "2", "1"]
    assert bare.splitlines()[2].split() == ["3", "6", "9", "6", "3"]
    assert padded.splitlines()[0].split() == ["4", "6", "6", "6", "4"]


def test_one_output_many_outputs_and_solutions() -> None:
    assert reason(size(3, 3)).startswith("Why there is 1 output\n")
    text = reason(size(2000, 3))
    assert "(2,000 places are too many to be drawn in a line.)" in text
    assert "…                                " not in text
    long = reason(size(40, 3))
    assert "26 more windows" in long
    assert reason(size(7, 3, stride="any", padding="any")).startswith("Of the first of them:")


def test_a_stride_makes_fewer_outputs_not_fewer_parameters() -> None:
    one, two = (size((7, 7, 3), 3, stride=step, filters=2) for step in (1, 2))
    assert one.volume is not None and two.volume is not None
    assert one.volume.parameters == two.volume.parameters == 2 * (3 * 3 * 3 + 1)
    assert (one.output, two.output) == ((5, 5), (3, 3))
    told = "A stride of 2 leaves 3×3 outputs of the 5×5 at stride 1; the layer has 56 parameters"
    assert told in reason(two)
    assert "A stride" not in reason(one)


def test_stride_and_padding_may_both_be_unknown_with_the_output() -> None:
    found = size(7, 3, stride="any", padding="any")
    (axis,) = found.axes
    assert {(fit.stride, fit.padding, fit.output) for fit in axis.fits} >= {
        (1, (0, 0), 5), (2, (1, 1), 4), (3, (1, 1), 3), (5, (0, 1), 2),
    }  # fmt: skip
    for fit in axis.fits:
        assert (fit.output - 1) * fit.stride == 7 - 3 + sum(fit.padding)


def patches(figure: Any, gid: str) -> list[tuple[float, float, float, float]]:
    """(left, top, width, height) of the rectangles of this name."""
    return [
        (patch.get_x(), patch.get_y(), patch.get_width(), patch.get_height())
        for patch in figure.axes[0].patches
        if patch.get_gid() == gid
    ]


def test_a_line_is_drawn_true_to_size() -> None:
    (axis,) = size(13, 3, stride=2).axes
    figure = size_figure([axis.fits[0]])
    pixels, windows = patches(figure, "pixel"), patches(figure, "window")
    assert len(pixels) == 13
    assert len(windows) == 6
    left = pixels[0][0]
    assert [(x - left, wide) for x, _, wide, _ in windows] == [(2 * i, 3) for i in range(6)]
    assert len({top for _, top, _, _ in windows}) == 6  # none covers another


def test_an_image_is_drawn_with_zeros_taps_and_unread_rows() -> None:
    found = size((6, 9), (2, 3), stride=(4, 1), padding=(0, 0, 1, 2), dilation=(1, 2))
    figure = size_figure([axis.fits[0] for axis in found.axes], found.volume)
    assert len(patches(figure, "padding")) == 6 * 3
    assert len(patches(figure, "unread")) == 2 * 9  # rows 2 and 3
    assert len(patches(figure, "pixel")) == 4 * 9
    assert found.output == (2, 8)
    windows = patches(figure, "window")
    assert sorted({(wide, tall) for _, _, wide, tall in windows}) == [(0.8, 2), (5, 0.8)]
    assert len(windows) == 2 + 8
    assert len(patches(figure, "tap")) == 8 * 3
    assert len(patches(figure, "output")) == 16
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert "6×9, filter 2×3, stride 4×1, dilation 1×2, padding 0,0,1,2" in texts


def test_what_does_not_fit_is_marked() -> None:
    with pytest.raises(SizeError) as caught:
        size((10, 9), 3, stride=2)
    assert [fit.output for fit in caught.value.dropped] == [4, 4]
    figure = size_figure(caught.value.dropped, fits=False)
    assert len(patches(figure, "unread")) == 9
    text = misfit(caught.value.dropped)
    assert text.startswith("The windows along the height\n")
    assert "along the width" not in text
    with pytest.raises(SizeError) as caught:
        size(2, 5)
    assert caught.value.dropped == ()


def test_large_sizes_are_drawn_without_cells() -> None:
    found = size((224, 225, 3), 7, stride=1, padding=3, filters=64)
    figure = size_figure([axis.fits[0] for axis in found.axes], found.volume)
    assert not patches(figure, "pixel")
    planes = patches(figure, "plane")
    assert (225, 224) in {(wide, tall) for _, _, wide, tall in planes}
    assert {7.0} <= {max(wide, tall) for _, _, wide, tall in patches(figure, "window")}
    assert max(figure.get_size_inches()) <= 15.01
