"""The size rule, its errors, padding, and receptive fields."""

import re
from itertools import count

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.ops import shapes
from striate.ops.shapes import Field

small = st.integers(1, 6)


@st.composite
def windows(draw):
    """(image, size, stride, dilation, pads) with room for at least one window."""
    size, stride, dilation = ((draw(small), draw(small)) for _ in range(3))
    pads = tuple(draw(st.integers(0, 5)) for _ in range(4))
    image = tuple(
        max(1, shapes.extent(size[axis], dilation[axis]) - sum(pads[2 * axis : 2 * axis + 2]))
        + draw(st.integers(0, 20))
        for axis in (0, 1)
    )
    return image, size, stride, dilation, pads


def positions(pixels, size, stride, dilation, before, after):
    """For each window along one axis, the places of its taps: found by trying."""
    for start in count(-before, stride):
        taps = [start + tap * dilation for tap in range(size)]
        if taps[-1] >= pixels + after:
            return
        yield taps


@given(windows())
def test_sizes_agree_with_counting(window):
    image, size, stride, dilation, pads = window
    outputs = shapes.window_outputs(image, size, stride, dilation, pads, "Conv2D", exact=False)
    dropped = shapes.uncovered(image, size, stride, dilation, pads)
    for axis in (0, 1):
        along = (image[axis], size[axis], stride[axis], dilation[axis])
        found = list(positions(*along, *pads[2 * axis : 2 * axis + 2]))
        assert outputs[axis] == len(found)
        assert dropped[axis] == max(0, image[axis] - 1 - found[-1][-1])


@given(windows())
def test_what_an_error_proposes_fits(window):
    image, size, stride, dilation, pads = window
    try:
        shapes.window_outputs(image, size, stride, dilation, pads, "Conv2D")
    except ValueError as error:
        message = str(error)
    else:
        return
    padding = re.search(r"choose padding=(\(.*?\)) \(top", message)
    fitting = tuple(map(int, padding[1].strip("()").split(",")))
    shapes.window_outputs(image, size, stride, dilation, fitting, "Conv2D")
    found = re.findall(r"fit: stride ([\d, or]+); an input (height|width) of ([\d, or]+)", message)
    assert found
    for strides, name, inputs in found:
        axis = shapes.AXES.index(name)

        def fits(pixels, step, axis=axis):
            room = pixels - shapes.extent(size[axis], dilation[axis])
            room += pads[2 * axis] + pads[2 * axis + 1]
            return room >= 0 and room % step == 0

        assert not fits(image[axis], stride[axis])
        assert all(fits(image[axis], int(step)) for step in re.findall(r"\d+", strides))
        assert all(fits(int(pixels), stride[axis]) for pixels in re.findall(r"\d+", inputs))


@given(windows())
def test_same_gives_the_ceiling_with_the_extra_pixel_last(window):
    image, size, stride, dilation, _ = window
    pads = shapes.resolve_pads("same", image, size, stride, dilation)
    outputs = shapes.window_outputs(image, size, stride, dilation, pads, "Conv2D", exact=False)
    assert outputs == tuple(-(-pixels // step) for pixels, step in zip(image, stride, strict=True))
    assert 0 <= pads[1] - pads[0] <= 1
    assert 0 <= pads[3] - pads[2] <= 1


def test_the_articles_sizes():
    def size(pixels, window, stride=1, padding=0):
        pads = (padding,) * 4
        return shapes.window_outputs(
            (pixels, pixels), (window, window), (stride, stride), (1, 1), pads, "Conv2D"
        )[0]

    assert size(13, 3, stride=2) == 6
    assert size(7, 3) == 5
    assert size(7, 3, stride=2) == 3
    assert size(10, 3, padding=1) == 10
    with pytest.raises(ValueError, match=re.escape("(10 - 3 + 0 + 0)/2 + 1 = 4.5 is not whole")):
        size(10, 3, stride=2)


def test_the_whole_message():
    with pytest.raises(ValueError, match=r"^Conv2D") as caught:
        shapes.window_outputs((10, 9), (3, 3), (2, 2), (1, 1), (0, 0, 0, 0), 'Conv2D "c"')
    assert str(caught.value) == (
        'Conv2D "c": (I - R + P_before + P_after)/S + 1 = (10 - 3 + 0 + 0)/2 + 1 = 4.5 is not '
        "whole along the height: the last 1 row of the padded input would never be read. What "
        "would fit: stride 1 or 7; an input height of 9 or 11. Or choose padding=(0, 1, 0, 0) "
        '(top, bottom, left, right), padding="same", or uncovered="drop" to leave them '
        "unread, as other libraries do silently."
    )


def test_two_axes_of_the_same_numbers_are_told_together():
    with pytest.raises(ValueError, match=r"^Conv2D") as caught:
        shapes.window_outputs((10, 10), (3, 3), (2, 2), (1, 1), (0, 0, 0, 0), "Conv2D")
    assert (
        "= 4.5 is not whole along the height and width: the last 1 row and the last 1 column "
        "of the padded input would never be read. What would fit: stride 1 or 7; an input height "
        "and width of 9 or 11. Or choose padding=(0, 1, 0, 1)"
    ) in str(caught.value)


def test_two_axes_of_other_numbers_are_told_one_after_the_other():
    with pytest.raises(ValueError, match=r"^Conv2D") as caught:
        shapes.window_outputs((1009, 1235), (3, 4), (20, 30), (1, 1), (1, 2, 30, 4), "Conv2D")
    told = str(caught.value)
    assert "= (1009 - 3 + 1 + 2)/20 + 1 = 51.45 is not whole along the height" in told
    assert "along the width, where it is (1235 - 4 + 30 + 4)/30 + 1 = 43.17…: stride" in told
    assert "; an input width of 1230 or 1260" in told
    assert len(told) <= 500
    assert told.endswith("as other libraries do silently.")


def test_a_third_is_shown_as_such():
    with pytest.raises(ValueError, match=re.escape("(9 - 2 + 0 + 0)/3 + 1 = 3.333… is not whole")):
        shapes.window_outputs((5, 9), (2, 2), (3, 3), (1, 1), (0, 0, 0, 0), "Conv2D")


@given(windows(), st.integers(0, 30))
def test_a_window_larger_than_its_input_is_refused_with_sizes_that_fit(window, more):
    image, size, stride, dilation, pads = window
    reach = shapes.extent(size[1], dilation[1])
    width = reach - pads[2] - pads[3] - 1 - more
    if width < 1:
        return
    image = (image[0], width)
    with pytest.raises(ValueError, match="is larger than the width") as caught:
        shapes.window_outputs(image, size, stride, dilation, pads, "Conv2D", exact=False)
    message = str(caught.value)
    largest = int(re.search(r"size of at most (\d+)", message)[1])
    needed = int(re.search(r"input width of at least (\d+)", message)[1])
    missing = int(re.search(r"at least (\d+) more pixel", message)[1])
    padded = width + pads[2] + pads[3]
    assert shapes.extent(largest, dilation[1]) <= padded < shapes.extent(largest + 1, dilation[1])
    assert needed + pads[2] + pads[3] == padded + missing == reach


def test_dilation_is_named_where_a_window_is_too_large():
    message = re.escape(
        "size 3 with dilation 4 reaches over 9 pixels and is larger than the height"
    )
    with pytest.raises(ValueError, match=message):
        shapes.window_outputs((8, 9), (3, 3), (1, 1), (4, 4), (0, 0, 0, 0), "Conv2D")


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        ((28, 28), ValueError, r"got \(28, 28\): write \(28, 28, 1\) for gray images"),
        ((1, 2, 3, 4), ValueError, "without the batch axis"),
        ((28, 0, 1), ValueError, "the shape must be at least 1, got 0"),
        ((28, 28.0, 1), TypeError, "must be a whole number, got 28.0"),
        (28, TypeError, "must be a tuple of whole numbers, got 28"),
        ("28x28", TypeError, "must be a tuple of whole numbers"),
        ((), ValueError, r"got \(\)"),
    ],
)
def test_shapes_are_checked(value, kind, message):
    with pytest.raises(kind, match=message):
        shapes.check_shape(value, "the shape", "Input")


# Receptive fields, against perturbation: which pixels change an output?


@given(
    st.lists(
        st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 2), st.integers(0, 2)),
        min_size=1,
        max_size=3,
    )
)
def test_fields_agree_with_what_an_output_reads(steps):
    """A stack of windows along one axis: follow each output's taps down to the input."""
    field = Field()
    seen = [{place} for place in range(-60, 200)]
    origin = 60  # the index in `seen` of position 0 of the current layer
    for size, stride, dilation, padding in steps:
        reach = shapes.extent(size, dilation)
        field = field.through((reach, reach), (stride, stride), (padding,) * 4)
        outputs = []
        for output in range(-((origin - padding) // stride), 40):
            first = origin + output * stride - padding
            if first >= 0 and first + reach <= len(seen):
                taps = (seen[first + tap * dilation] for tap in range(size))
                outputs.append((output, set().union(*taps)))
        lowest = outputs[0][0]
        seen, origin = [places for _, places in outputs], -lowest
    for output in (0, 1):
        places = seen[origin + output]
        assert min(places) == field.first[0] + output * field.jump[0]
        assert max(places) == field.last[0] + output * field.jump[0]
    assert field.size == (field.last[0] - field.first[0] + 1,) * 2


def test_fields_of_known_networks():
    two = Field().through((3, 3)).through((3, 3))
    assert (two.size, two.jump) == ((5, 5), (1, 1))
    pooled = Field().through((5, 3)).through((2, 2), (2, 2)).through((3, 3))
    assert (pooled.size, pooled.jump) == ((10, 8), (2, 2))


def test_the_field_of_a_branch_is_the_union():
    shifted = Field().through((3, 3), pads=(2, 0, 0, 2))
    centred = Field().through((3, 3), pads=(1, 1, 1, 1))
    both = shifted.union(centred)
    assert (both.first, both.last) == ((-2, -1), (1, 2))
    assert both.size == (4, 4)


def test_whole_numbers_of_numpy_are_welcome():
    assert shapes.pair((np.int32(2), np.uint8(3)), "size", "Conv2D") == (2, 3)
    assert type(shapes.pair(np.int64(2), "size", "Conv2D")[0]) is int
