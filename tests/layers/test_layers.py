"""What must hold for every layer: shapes, gradients, dtypes, configuration."""

import copy
import json

import numpy as np
import pytest

from striate import layers
from striate.layers import (
    ELU,
    GELU,
    LAYERS,
    LRN,
    Add,
    Affine,
    AvgPool2D,
    BatchNorm,
    ChannelShuffle,
    ChannelSlice,
    Clip,
    Concat,
    Conv2D,
    ConvTranspose2D,
    Crop2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    GlobalMaxPool2D,
    GroupedDense,
    HardSigmoid,
    HardSwish,
    LayerNorm,
    LeakyReLU,
    LocallyConnected2D,
    MaxPool2D,
    Mish,
    Multiply,
    PassContext,
    PReLU,
    ReLU,
    ReLU6,
    Scale,
    Sigmoid,
    SiLU,
    SumPool2D,
    Tanh,
    ZeroPad2D,
)

IMAGE = (5, 4, 3)
EXAMPLES = [
    (Conv2D(4, (3, 2)), [IMAGE]),
    (Conv2D(6, (2, 3), stride=(2, 1), padding=(1, 0, 2, 1), groups=3), [IMAGE]),
    (Conv2D(2, 2, dilation=(2, 1), padding="same", bias=False), [IMAGE]),
    (Conv2D(2, 2, stride=(3, 3), uncovered="drop"), [IMAGE]),
    (LocallyConnected2D(4, (3, 2)), [IMAGE]),
    (LocallyConnected2D(6, (2, 3), stride=(2, 1), padding=(1, 0, 2, 1), groups=3), [IMAGE]),
    (LocallyConnected2D(2, 2, dilation=(2, 1), padding="same", bias=False), [IMAGE]),
    (MaxPool2D((2, 1), stride=(3, 1)), [IMAGE]),
    (MaxPool2D(2, stride=1, padding=(1, 0, 0, 1), dilation=(1, 2)), [IMAGE]),
    (AvgPool2D(3, stride=(1, 2), padding=(1, 1, 0, 1)), [IMAGE]),
    (AvgPool2D(3, stride=2, padding=1, count_padding=True, uncovered="drop"), [IMAGE]),
    (AvgPool2D(2, padding=(1, 0), dilation=(2, 1), uncovered="overhang"), [IMAGE]),
    (AvgPool2D((4, 3), padding=1, count_padding=True, uncovered="overhang"), [IMAGE]),
    (MaxPool2D(2, stride=(2, 3), padding=(1, 0), uncovered="overhang"), [IMAGE]),
    (SumPool2D((5, 2), padding=(0, 1)), [IMAGE]),
    (SumPool2D(2, stride=3, dilation=(3, 2), uncovered="overhang"), [IMAGE]),
    (GlobalAvgPool2D(), [IMAGE]),
    (GlobalAvgPool2D(keepdims=True), [IMAGE]),
    (GlobalMaxPool2D(), [IMAGE]),
    (GlobalMaxPool2D(keepdims=True), [IMAGE]),
    (ConvTranspose2D(4, (3, 2)), [IMAGE]),
    (ConvTranspose2D(6, (2, 3), stride=(2, 1), padding=(1, 0, 2, 1), groups=3), [IMAGE]),
    (
        ConvTranspose2D(
            2, 2, stride=(3, 1), padding=1, output_padding=(2, 1), dilation=(1, 2), bias=False
        ),
        [IMAGE],
    ),
    (ZeroPad2D((1, 0, 2, 3)), [IMAGE]),
    (ZeroPad2D(0), [IMAGE]),
    (Crop2D((1, 2, 0, 1)), [IMAGE]),
    (Dense(4), [(7,)]),
    (Dense(1, bias=False), [(7,)]),
    (GroupedDense(6, 3), [(7,)]),
    (GroupedDense(2, 2, bias=False), [(7,)]),
    (Flatten(), [IMAGE]),
    (Flatten(), [(7,)]),
    (ReLU(), [IMAGE]),
    (LeakyReLU(0.3), [(7,)]),
    (Sigmoid(), [IMAGE]),
    (Scale(-0.3), [IMAGE]),
    (Tanh(), [(7,)]),
    (ReLU6(), [IMAGE]),
    (Clip(-0.5, 0.7), [IMAGE]),
    (Clip(high=0.2), [(7,)]),
    (Clip(low=-0.1), [(7,)]),
    (HardSigmoid(), [IMAGE]),
    (HardSigmoid(-0.4, 0.3), [IMAGE]),
    (HardSwish(), [IMAGE]),
    (SiLU(), [IMAGE]),
    (Mish(), [IMAGE]),
    (ELU(), [(7,)]),
    (ELU(-0.3), [IMAGE]),
    (GELU(), [IMAGE]),
    (GELU("tanh"), [IMAGE]),
    (PReLU(), [IMAGE]),
    (PReLU(), [(7,)]),
    (PReLU(shared=True), [IMAGE]),
    (Affine(), [IMAGE]),
    (Affine(shift=False), [(7,)]),
    (Affine(scale=False), [IMAGE]),
    (LayerNorm(eps=0.01), [IMAGE]),
    (LayerNorm(), [(7,)]),
    (LRN(3, 0.3, 0.6, 1.5), [(2, 3, 7)]),
    (LRN(4, 2.0, 1.2), [(6,)]),
    (LRN(size=9, alpha=0.5), [IMAGE]),
    (ChannelShuffle(2), [(2, 3, 6)]),
    (ChannelShuffle(3), [(9,)]),
    (ChannelSlice(1, 3), [IMAGE]),
    (ChannelSlice(1, 7, 3), [(7,)]),
    (Multiply(), [IMAGE, (3,)]),
    (Multiply(), [(1, 1, 3), IMAGE]),
    (Multiply(), [IMAGE, (5, 4, 1), IMAGE, (1, 4, 3)]),
    (Multiply(), [(7,), (7,), (7,)]),
    (Multiply(), [(3,), (1, 1, 3)]),
    (Dropout(0.4), [IMAGE]),
    (Dropout(0), [IMAGE]),
    (BatchNorm(), [IMAGE]),
    (BatchNorm(momentum=0.5, eps=0.1), [(7,)]),
    (Add(), [IMAGE, IMAGE, IMAGE]),
    (Concat(), [IMAGE, (5, 4, 2), (5, 4, 1)]),
    (Concat(), [(3,), (4,)]),
]
every_layer = pytest.mark.parametrize(
    ("layer", "shapes"), EXAMPLES, ids=[f"{layer!r}-{shapes[0]}" for layer, shapes in EXAMPLES]
)
RUN = PassContext(training=True, keys=np.array([5, 77], np.uint32), salt=3)


def arrays(layer, shapes, dtype=np.float64):
    """Random inputs (a batch of two), parameters and state for a layer."""
    random = np.random.default_rng(11)
    inputs = tuple(random.standard_normal((2, *shape)).astype(dtype) for shape in shapes)
    parameters = {
        parameter.name: random.standard_normal(parameter.shape).astype(dtype)
        for parameter in layer.parameters(*shapes)
    }
    state = {
        parameter.name: random.uniform(1, 2, parameter.shape).astype(dtype)
        for parameter in layer.state(*shapes)
    }
    return inputs, parameters, state


def test_every_layer_has_an_example():
    assert {type(layer) for layer, _ in EXAMPLES} == set(LAYERS.values())
    assert set(LAYERS) <= set(layers.__all__)


@every_layer
def test_the_output_has_the_shape_announced(layer, shapes):
    inputs, parameters, state = arrays(layer, shapes, np.float32)
    for run in (RUN, PassContext()):
        output, _ = layer.forward(inputs, parameters, state, run)
        assert output.shape == (2, *layer.output_shape(*shapes))
        assert output.dtype == np.float32


@every_layer
def test_gradients_agree_with_finite_differences(layer, shapes):
    inputs, parameters, state = arrays(layer, shapes)
    output, saved = layer.forward(inputs, parameters, copy.deepcopy(state), RUN)
    gradient = np.random.default_rng(12).standard_normal(output.shape)
    to_inputs, to_parameters = layer.backward(gradient, saved, parameters)
    assert len(to_inputs) == len(inputs)
    assert list(to_parameters) == list(parameters)

    def loss():
        output, _ = layer.forward(inputs, parameters, copy.deepcopy(state), RUN)
        return float((gradient * output).sum())

    pairs = [*zip(inputs, to_inputs, strict=True)]
    pairs += [(parameters[name], to_parameters[name]) for name in parameters]
    for array, got in pairs:
        assert got.shape == array.shape
        for index in np.ndindex(array.shape):
            value = array[index]
            array[index] = value + 1e-5
            above = loss()
            array[index] = value - 1e-5
            below = loss()
            array[index] = value
            assert got[index] == pytest.approx((above - below) / 2e-5, rel=1e-5, abs=1e-6)


@every_layer
def test_arguments_are_not_changed(layer, shapes):
    inputs, parameters, state = arrays(layer, shapes)
    before = copy.deepcopy((inputs, parameters))
    output, saved = layer.forward(inputs, parameters, state, RUN)
    gradient = np.ones_like(output)
    layer.backward(gradient, saved, parameters)
    assert (gradient == 1).all()
    for now, then in zip(inputs, before[0], strict=True):
        np.testing.assert_array_equal(now, then)
    for name, value in parameters.items():
        np.testing.assert_array_equal(value, before[1][name])


@every_layer
def test_the_configuration_survives_json(layer, shapes):
    again = type(layer)(**json.loads(json.dumps(layer.config())))
    assert vars(again) == vars(layer)
    assert vars(eval(repr(layer), dict(LAYERS))) == vars(layer)


@every_layer
def test_multiply_adds_count_the_products_with_parameters(layer, shapes):
    if isinstance(layer, (Conv2D, Dense, GroupedDense, LocallyConnected2D)):
        outputs = np.prod(layer.output_shape(*shapes))
        outputs //= getattr(layer, "group", 1)  # a group is computed once
        assert layer.multiply_adds(*shapes) == outputs * layer.parameters(*shapes)[0].fan_in
    elif isinstance(layer, ConvTranspose2D):  # every pixel meets every tap
        filters = np.prod(layer.parameters(*shapes)[0].shape)
        assert layer.multiply_adds(*shapes) == 5 * 4 * filters
    elif not isinstance(layer, (Affine, BatchNorm, LayerNorm, PReLU)):
        assert layer.multiply_adds(*shapes) == 0


def test_names_are_checked():
    assert ReLU(name="first").name == "first"
    with pytest.raises(TypeError, match=r"ReLU: name must be text, got 3"):
        ReLU(name=3)
    for name in ("", "a/b"):
        with pytest.raises(ValueError, match=r'ReLU: a name must not be empty or contain "/"'):
            ReLU(name=name)


def test_calling_a_layer_on_an_array_says_what_to_do():
    with pytest.raises(TypeError, match=r"ReLU: a layer is called with nodes.*striate.functional"):
        ReLU()(np.zeros((1, 3)))


def test_the_number_of_inputs_is_checked():
    x = layers.Input(IMAGE)
    with pytest.raises(ValueError, match=r"ReLU: takes 1 input, got 2"):
        ReLU()(x, x)
    with pytest.raises(ValueError, match=r"Add: takes at least 2 inputs, got 1"):
        Add()(x)


@pytest.mark.parametrize(
    "layer", [Conv2D(1, 1), LocallyConnected2D(1, 1), MaxPool2D(1), GlobalAvgPool2D()], ids=repr
)
def test_image_layers_refuse_vectors(layer):
    with pytest.raises(ValueError, match=r"needs images \(height, width, channels\).*\(7,\).*Flat"):
        layer.output_shape((7,))
