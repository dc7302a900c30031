"""Transposed convolution, compiled: against its NumPy meaning and PyTorch, and in networks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.engines.llvm_layer import run_layer, run_layer_backward
from striate.layers import (
    BatchNorm,
    Concat,
    Conv2D,
    ConvTranspose2D,
    Dense,
    Flatten,
    MaxPool2D,
    ReLU,
    Sigmoid,
)
from striate.network import Input, Network
from tests.plan.test_compiled_layers import SLOW, agree, check, random_case
from tests.plan.test_layouts import LANES, Pair, batch

TRANSPOSED = [
    (ConvTranspose2D(7, (3, 2)), (6, 5, 3)),
    (ConvTranspose2D(9, 3, padding=1), (5, 7, 8)),
    (ConvTranspose2D(15, 2, stride=2), (4, 3, 7)),
    (ConvTranspose2D(16, (3, 4), stride=(2, 3), padding=(1, 0, 2, 1)), (5, 4, 9)),
    (ConvTranspose2D(17, 3, stride=2, padding=1, output_padding=1), (5, 6, 31)),
    (ConvTranspose2D(4, 3, stride=3, output_padding=(2, 1), bias=False), (3, 4, 2)),
    (ConvTranspose2D(5, 1, stride=(3, 2), output_padding=1), (3, 4, 33)),
    (ConvTranspose2D(6, (2, 3), dilation=(3, 2), padding=(2, 1, 0, 3)), (5, 6, 4)),
    (ConvTranspose2D(4, 3, stride=2, dilation=3, padding=2, output_padding=(2, 1)), (5, 4, 3)),
    (ConvTranspose2D(6, 3, stride=2, groups=3, padding=1), (4, 5, 9)),
    (ConvTranspose2D(8, 4, stride=2, padding=1, groups=8), (5, 4, 8)),
    (ConvTranspose2D(32, 2, groups=2), (3, 4, 16)),
    (ConvTranspose2D(3, 5, padding=4), (9, 7, 1)),
    (ConvTranspose2D(2, (1, 3), stride=(1, 2)), (1, 9, 4)),
    # Panels of filters, and a rest of them, in each pass.
    (ConvTranspose2D(100, 1, stride=2), (2, 3, 75)),
    (ConvTranspose2D(71, (2, 3), stride=(3, 1), output_padding=(1, 0)), (3, 2, 100)),
]


@pytest.mark.parametrize(("layer", "shape"), TRANSPOSED, ids=str)
def test_a_layer(layer: ConvTranspose2D, shape: tuple[int, ...]) -> None:
    check(layer, shape, 19)


sizes = st.tuples(st.integers(1, 4), st.integers(1, 4))
steps = st.tuples(st.integers(1, 3), st.integers(1, 3))


@SLOW
@given(sizes, steps, steps, st.tuples(*[st.integers(0, 3)] * 4), steps, st.sampled_from([1, 2, 3]),
       sizes, st.integers(0, 99))  # fmt: skip
def test_any_layer(size, stride, dilation, padding, more, groups, image, seed) -> None:
    most = [max(pair) - 1 for pair in zip(stride, dilation, strict=True)]
    layer = ConvTranspose2D(
        2 * groups, size, stride=stride, dilation=dilation, padding=padding, groups=groups,
        output_padding=(min(more[0] - 1, most[0]), min(more[1] - 1, most[1])),
    )  # fmt: skip
    shape = (image[0] + 3, image[1] + 3, 3 * groups)
    try:
        layer.output_shape(shape)
    except ValueError:
        return  # the padding leaves nothing
    check(layer, shape, 3, seed)


@pytest.mark.parametrize(
    ("layer", "shape"), [case for case in TRANSPOSED if len(set(case[0].pads[:2])) == 1], ids=str
)
def test_as_torch(layer: ConvTranspose2D, shape: tuple[int, ...]) -> None:
    torch = pytest.importorskip("torch")
    top, _, left, right = layer.pads
    if left != right:
        pytest.skip("PyTorch pads both sides alike")
    x, parameters, _, gradient = random_case(layer, shape, 5)
    tensor = torch.from_numpy(np.moveaxis(x, 3, 1).copy()).requires_grad_()
    # (h, w, outputs of a group, inputs) -> (inputs, outputs of a group, h, w).
    filters = parameters["filters"].transpose(3, 2, 0, 1)
    weights = torch.from_numpy(filters.copy()).requires_grad_()
    bias = torch.from_numpy(parameters["bias"].copy()).requires_grad_() if layer.bias else None
    output = torch.nn.functional.conv_transpose2d(
        tensor, weights, bias, layer.stride, (top, left), layer.output_padding, layer.groups,
        layer.dilation,
    )  # fmt: skip
    output.backward(torch.from_numpy(np.moveaxis(gradient, 3, 1).copy()))
    agree(
        run_layer(layer, (x,), parameters, {}, True),
        np.moveaxis(output.detach().numpy(), 1, 3),
        1e-12,
        "output",
    )
    (dx,), found = run_layer_backward(layer, (x,), parameters, {}, gradient)
    agree(dx, np.moveaxis(tensor.grad.numpy(), 1, 3), 1e-11, "input gradient")
    agree(found["filters"], weights.grad.numpy().transpose(2, 3, 1, 0), 1e-11, "filters")
    if bias is not None:
        agree(found["bias"], bias.grad.numpy(), 1e-11, "bias")


# --- networks ----------------------------------------------------------------------------------


def segments() -> Network:
    """Down, and up again, with a shortcut; one activation is fused before and one behind."""
    image = Input((6, 8, 3))
    wide = ReLU()(Conv2D(9, 3, padding=1)(image))
    deep = Sigmoid()(Conv2D(17, 3, padding=1)(MaxPool2D(2)(wide)))
    up = BatchNorm()(ConvTranspose2D(7, 2, stride=2)(deep))
    joined = Concat()(wide, up)
    larger = Sigmoid()(ConvTranspose2D(5, 3, stride=2, padding=1, output_padding=1)(joined))
    return Network(inputs=image, output=Dense(4)(Flatten()(larger)))


def read_twice() -> Network:
    """Its input has another reader, and so has its output; it is the first layer."""
    image = Input((3, 4, 2))
    x = ConvTranspose2D(8, (4, 3), stride=(2, 1), padding=(1, 1))(image)
    y = ConvTranspose2D(3, 3, groups=1, padding=1)(x)
    z = Conv2D(5, 3)(x)
    flat = Concat()(Flatten()(ReLU()(y)), Flatten()(z))
    return Network(inputs=image, output=Dense(4)(flat))


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("make", [segments, read_twice])
def test_a_network(make, lanes: int) -> None:
    pair = Pair(make(), lanes, 21)
    for seed, n in enumerate((21, 2, 17)):
        pair.step(n, seed)
    pair.use(21, 1, 5)


@pytest.mark.parametrize("lanes", LANES)
def test_the_same_bits_for_any_number_of_threads(lanes: int) -> None:
    found = set()
    for threads in (1, 2, 3):
        pair = Pair(segments(), lanes, 3 * lanes + 7, threads)
        outputs = pair.runner.run(*batch(pair.network, 3 * lanes + 7))
        found.add((outputs.tobytes(), pair.runner.plan.gradient.tobytes()))
    assert len(found) == 1


@pytest.mark.parametrize("lanes", LANES)
def test_shared_weights(lanes: int) -> None:
    """Each place finds a gradient of its own, and they are added."""
    image = Input((4, 3, 6))
    up = ConvTranspose2D(6, 3, stride=2, padding=1)
    y = up(ReLU()(up(image)))
    pair = Pair(Network(inputs=image, output=Dense(4)(Flatten()(y))), lanes, 9)
    pair.step(9)
    pair.use(9)


def test_taps_far_apart_are_weighed_before_memory_is_taken() -> None:
    """The output is small, but what is read around the input would not be."""
    layer = ConvTranspose2D(1, 3, dilation=1500, bias=False)
    assert layer.output_shape((1, 1, 60_000)) == (3001, 3001, 1)
    with pytest.raises(ValueError, match="numbers for one image") as refused:
        layer(Input((1, 1, 60_000)))
    assert len(str(refused.value)) <= 500
    Pair(Network([ConvTranspose2D(2, 3, dilation=30), Flatten(), Dense(4)], (1, 2, 3)), 1, 2).step(
        2
    )


def test_huge_filters() -> None:
    """Of which no shard sums up a gradient of its own."""
    image = Input((2, 3, 128))
    x = ConvTranspose2D(160, 3)(image)
    network = Network(inputs=image, output=Dense(4)(Flatten()(ReLU()(x))))
    for lanes in LANES:
        Pair(network, lanes, 5).step(5)


def test_a_frozen_layer_passes_gradients_on() -> None:
    network = segments()
    network.freeze("conv_transpose2d_1")
    pair = Pair(network, 1, 9)
    pair.step(9)
