"""The locally connected layer: sizes, errors, parameters."""

import re

import numpy as np
import pytest

from striate.layers import Conv2D, LocallyConnected2D, PassContext
from striate.ops.shapes import Field


@pytest.mark.parametrize(
    ("arguments", "options", "shape"),
    [
        ((4, 2), {}, (3, 3, 1)),
        ((4, (3, 5)), {"stride": (3, 2)}, (9, 9, 2)),
        ((4, 3), {"padding": (1, 0, 2, 3)}, (9, 9, 2)),
        ((4, 3), {"dilation": (2, 3)}, (9, 9, 2)),
        ((4, 3), {"stride": 2, "padding": "same"}, (9, 10, 2)),
        ((4, 3), {"stride": 2, "uncovered": "drop"}, (10, 9, 2)),
        ((6, 3), {"groups": 3, "padding": 1}, (5, 4, 9)),
    ],
    ids=str,
)
def test_sizes_are_those_of_a_convolution(arguments, options, shape):
    layer, other = LocallyConnected2D(*arguments, **options), Conv2D(*arguments, **options)
    assert layer.output_shape(shape) == other.output_shape(shape)
    assert layer.multiply_adds(shape) == other.multiply_adds(shape)
    assert layer.dropped(shape) == other.dropped(shape)
    fields = {"fields": (Field(),), "image": shape[:2]}
    assert layer.field(shape, **fields) == other.field(shape, **fields)
    (weights, bias), (filters, _) = layer.parameters(shape), other.parameters(shape)
    assert weights.shape == (*layer.output_shape(shape)[:2], *filters.shape)
    assert (weights.fan_in, weights.fan_out) == (filters.fan_in, filters.fan_out)
    assert bias.shape == layer.output_shape(shape)
    assert (weights.decay, bias.decay) == (True, False)
    parameters = {p.name: np.zeros(p.shape) for p in layer.parameters(shape)}
    output, _ = layer.forward((np.zeros((2, *shape)),), parameters, {}, PassContext())
    assert output.shape == (2, *layer.output_shape(shape))


def test_no_weight_is_shared():
    """16 neurons with a 2×2 patch of 3×3 pixels each: 64 weights where a convolution has 16."""
    weights, bias = LocallyConnected2D(4, 2).parameters((3, 3, 1))
    assert weights.shape == (2, 2, 2, 2, 1, 4)
    assert np.prod(weights.shape) == 64
    assert np.prod(bias.shape) == 16
    assert len(LocallyConnected2D(4, 2, bias=False).parameters((3, 3, 1))) == 1


@pytest.mark.parametrize(
    ("arguments", "options", "kind", "message"),
    [
        ((0, 3), {}, ValueError, "LocallyConnected2D: filters must be at least 1, got 0"),
        ((8, 0), {}, ValueError, "size must be at least 1, got 0"),
        ((8, 3), {"stride": 1.5}, TypeError, "stride must be a whole number, got 1.5"),
        ((8, 3), {"padding": -1}, ValueError, "padding must be at least 0, got -1"),
        ((8, 3), {"groups": 3}, ValueError, "groups=3 does not divide filters=8"),
        ((8, 3), {"bias": 1}, TypeError, "bias must be True or False, got 1"),
        ((8, 3), {"uncovered": "crop"}, ValueError, 'uncovered must be "error" or "drop"'),
    ],
)
def test_wrong_arguments_are_named(arguments, options, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        LocallyConnected2D(*arguments, **options)


def test_sizes_that_do_not_fit_are_explained():
    with pytest.raises(ValueError, match=r"\(10 - 3 \+ 0 \+ 0\)/2 \+ 1 = 4.5 is not whole"):
        LocallyConnected2D(1, 3, stride=2).output_shape((10, 10, 1))
    with pytest.raises(ValueError, match="size 4 is larger than the height of its input, 3 pixels"):
        LocallyConnected2D(1, 4).output_shape((3, 3, 1))
    with pytest.raises(ValueError, match=r"groups=4 does not divide the 6 channels.*1, 2$"):
        LocallyConnected2D(8, 3, groups=4).output_shape((9, 9, 6))
    with pytest.raises(ValueError, match=r"needs images \(height, width, channels\)"):
        LocallyConnected2D(8, 3).output_shape((7,))
