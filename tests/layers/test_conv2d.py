"""The convolutional layer: sizes, errors, parameters."""

import re

import numpy as np
import pytest

from striate.layers import Conv2D, PassContext


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        # The articles' examples.
        (Conv2D(1, 3), (10, 5, 1), (8, 3, 1)),
        (Conv2D(1, 3, padding=1), (10, 5, 1), (10, 5, 1)),
        (Conv2D(1, 3, stride=2), (13, 13, 1), (6, 6, 1)),
        (Conv2D(2, 3, stride=2), (7, 7, 3), (3, 3, 2)),
        (Conv2D(1, 3), (7, 7, 1), (5, 5, 1)),
        # The different ways to write sizes.
        (Conv2D(4, (3, 5)), (9, 9, 2), (7, 5, 4)),
        (Conv2D(4, [3, 5], stride=[3, 2]), (9, 9, 2), (3, 3, 4)),
        (Conv2D(4, 3, padding="valid"), (9, 9, 2), (7, 7, 4)),
        (Conv2D(4, 3, padding=(1, 0)), (9, 9, 2), (9, 7, 4)),
        (Conv2D(4, 3, padding=(1, 0, 2, 3)), (9, 9, 2), (8, 12, 4)),
        (Conv2D(4, np.int64(3), padding=[0, 1]), (9, 9, 2), (7, 9, 4)),
        (Conv2D(4, 3, dilation=(2, 3)), (9, 9, 2), (5, 3, 4)),
        (Conv2D(4, 3, stride=2, padding="same"), (9, 10, 2), (5, 5, 4)),
        (Conv2D(4, 3, stride=2, uncovered="drop"), (10, 9, 2), (4, 4, 4)),
        (Conv2D(4, 1, stride=4, padding="same"), (6, 7, 2), (2, 2, 4)),
    ],
    ids=repr,
)
def test_output_shapes(layer, shape, expected):
    assert layer.output_shape(shape) == expected
    x = np.zeros((1, *shape))
    filters = np.zeros(layer.parameters(shape)[0].shape)
    parameters = {"filters": filters, "bias": np.zeros(layer.filters)}
    assert layer.forward((x,), parameters, {}, PassContext())[0].shape == (1, *expected)


def test_the_extra_pixel_of_same_goes_to_the_bottom_and_right():
    assert Conv2D(1, 2, padding="same").pads((5, 4, 1)) == (0, 1, 0, 1)
    assert Conv2D(1, 5, stride=2, padding="same").pads((6, 7, 1)) == (1, 2, 2, 2)
    assert Conv2D(1, 3, dilation=2, padding="same").pads((6, 7, 1)) == (2, 2, 2, 2)


def test_same_leaves_nothing_out():
    assert Conv2D(1, 1, stride=4, padding="same").dropped((6, 7, 2)) == (0, 0)
    assert Conv2D(1, 1, stride=4, uncovered="drop").dropped((6, 7, 2)) == (1, 2)


def test_parameters_and_their_fans():
    filters, bias = Conv2D(6, (3, 2), groups=2).parameters((9, 9, 4))
    assert (filters.name, filters.shape, filters.initial) == ("filters", (3, 2, 2, 6), "he_normal")
    assert (filters.fan_in, filters.fan_out, filters.decay) == (12, 18, True)
    assert (bias.name, bias.shape, bias.initial, bias.decay) == ("bias", (6,), "zeros", False)
    assert len(Conv2D(6, 3, bias=False).parameters((9, 9, 4))) == 1


def test_attributes_are_pairs_and_padding_as_given():
    layer = Conv2D(6, 3, stride=(1, 2), padding="same", dilation=2)
    assert (layer.size, layer.stride, layer.dilation) == ((3, 3), (1, 2), (2, 2))
    assert layer.padding == "same"
    assert Conv2D(6, 3, padding=[1, 2]).padding == (1, 2)


@pytest.mark.parametrize(
    ("arguments", "options", "kind", "message"),
    [
        ((0, 3), {}, ValueError, "Conv2D: filters must be at least 1, got 0"),
        ((2.0, 3), {}, TypeError, "filters must be a whole number, got 2.0 (float)"),
        ((True, 3), {}, TypeError, "filters must be a whole number, got True (bool)"),
        (("8", 3), {}, TypeError, "filters must be a whole number, got '8' (str)"),
        ((10**12, 3), {}, ValueError, "filters must be at most 2147483647"),
        ((8, 0), {}, ValueError, "size must be at least 1, got 0"),
        ((8, (3, 3, 3)), {}, ValueError, "size must be one number or (height, width), got 3"),
        ((8, (3, -1)), {}, ValueError, "size (width) must be at least 1, got -1"),
        ((8, 3), {"stride": 0}, ValueError, "stride must be at least 1, got 0"),
        ((8, 3), {"stride": 1.5}, TypeError, "stride must be a whole number, got 1.5"),
        ((8, 3), {"dilation": 0}, ValueError, "dilation must be at least 1"),
        ((8, 3), {"padding": -1}, ValueError, "padding must be at least 0, got -1"),
        ((8, 3), {"padding": "full"}, ValueError, 'padding must be "valid", "same", a number'),
        ((8, 3), {"padding": (1, 2, 3)}, ValueError, "(top, bottom, left, right), got (1, 2, 3)"),
        ((8, 3), {"padding": None}, TypeError, "padding must be a whole number, got None"),
        ((8, 3), {"groups": 3}, ValueError, "groups=3 does not divide filters=8"),
        ((8, 3), {"bias": 1}, TypeError, "bias must be True or False, got 1"),
        ((8, 3), {"uncovered": "crop"}, ValueError, 'uncovered must be "error" or "drop"'),
        ((8, 3), {"name": "c", "groups": 0}, ValueError, 'Conv2D "c": groups must be at least 1'),
    ],
)
def test_wrong_arguments_are_named(arguments, options, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        Conv2D(*arguments, **options)


def test_groups_must_divide_the_channels():
    with pytest.raises(ValueError, match=r"groups=4 does not divide the 6 channels.*1, 2$"):
        Conv2D(8, 3, groups=4).output_shape((9, 9, 6))
