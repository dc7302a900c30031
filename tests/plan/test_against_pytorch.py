"""Layers that treat numbers alone or join values, compiled: against PyTorch, in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from striate import layers
from striate.engines.llvm_layer import run_layer, run_layer_backward
from striate.layers import Layer
from striate.network import Input, Network
from striate.plan.runner import Runner

torch = pytest.importorskip("torch")
F = torch.nn.functional
Arrays = dict[str, np.ndarray]


def channels_first(array: np.ndarray) -> Any:
    return torch.from_numpy(np.moveaxis(array, -1, 1).copy()).requires_grad_()


def channels_last(tensor: Any) -> np.ndarray:
    return np.moveaxis(tensor.detach().numpy(), 1, -1)


def close(actual: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-11)


# The layer, and the same in PyTorch: of x (n, channels, height, width) and the parameters.
PEERS: list[tuple[Layer, Callable[[Any, dict[str, Any]], Any]]] = [
    (layers.ReLU6(), lambda x, p: F.relu6(x)),
    (layers.Clip(-0.4, 0.7), lambda x, p: torch.clamp(x, -0.4, 0.7)),
    # The gradient of F.hardsigmoid has 1/6 in float32 only.
    (layers.HardSigmoid(), lambda x, p: F.relu6(x + 3) / 6),
    (layers.HardSwish(), lambda x, p: F.hardswish(x)),
    (layers.SiLU(), lambda x, p: F.silu(x)),
    (layers.Mish(), lambda x, p: F.mish(x)),
    (layers.ELU(1.4), lambda x, p: F.elu(x, 1.4)),
    (layers.GELU(), lambda x, p: F.gelu(x)),
    (layers.GELU("tanh"), lambda x, p: F.gelu(x, approximate="tanh")),
    (layers.PReLU(), lambda x, p: F.prelu(x, p["slope"])),
    (layers.PReLU(shared=True), lambda x, p: F.prelu(x, p["slope"])),
    (layers.Affine(), lambda x, p: x * p["scale"][:, None, None] + p["shift"][:, None, None]),
    (
        layers.LayerNorm(eps=1e-3),
        lambda x, p: F.layer_norm(
            x.permute(0, 2, 3, 1), x.shape[1:2], p["scale"], p["shift"], 1e-3
        ).permute(0, 3, 1, 2),
    ),
    (layers.LRN(5, 0.4, 0.75, 2.0), lambda x, p: F.local_response_norm(x, 5, 0.4, 0.75, 2.0)),
    (layers.LRN(3, 0.7, 0.6), lambda x, p: F.local_response_norm(x, 3, 0.7, 0.6, 1.0)),
    (layers.ChannelShuffle(3), lambda x, p: F.channel_shuffle(x, 3)),
    (layers.ChannelSlice(1, 6, 2), lambda x, p: x[:, 1:6:2]),
]


@pytest.mark.parametrize("channels", [9, 15, 33])
@pytest.mark.parametrize(("layer", "peer"), PEERS, ids=[repr(layer) for layer, _ in PEERS])
def test_a_layer_and_its_gradients(layer: Layer, peer: Any, channels: int) -> None:
    rng = np.random.default_rng(channels)
    shape = (4, 3, channels)
    x = 3 * rng.standard_normal((5, *shape))
    parameters = {p.name: rng.standard_normal(p.shape) for p in layer.parameters(shape)}
    gradient = rng.standard_normal((5, *layer.output_shape(shape)))
    theirs = {name: torch.from_numpy(a).requires_grad_() for name, a in parameters.items()}
    image = channels_first(x)
    output = peer(image, theirs)
    output.backward(channels_first(gradient).detach())
    close(run_layer(layer, (x,), parameters, {}, True), channels_last(output))
    (dx,), found = run_layer_backward(layer, (x,), parameters, {}, gradient)
    close(dx, channels_last(image.grad))
    for name, tensor in theirs.items():
        close(found[name], tensor.grad.numpy())


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((5, 4, 9), (9,)),
        ((1, 1, 17), (5, 4, 17)),
        ((5, 4, 8), (5, 4, 1)),
        ((5, 4, 7), (5, 4, 7)),
        ((5, 4, 7), (1, 4, 7)),
        ((33,), (33,)),
    ],
)
def test_a_product_and_its_gradients(first: tuple[int, ...], second: tuple[int, ...]) -> None:
    """Both factors are made of one input, so that its gradient is the sum of theirs."""
    if len(first) == len(second) == 1:
        vector = Input((4,))
        factors = (layers.Dense(first[0])(vector), layers.Dense(second[0])(vector))
        check_network(Network(inputs=vector, output=layers.Multiply()(*factors)))
        return
    picture = Input((5, 4, 3))

    def made(shape: tuple[int, ...]) -> Any:
        node = layers.Conv2D(shape[-1], 3, padding=1)(picture)
        if len(shape) == 1:
            return layers.GlobalAvgPool2D()(node)
        rows, columns = 5 // shape[0], 4 // shape[1]
        return node if (rows, columns) == (1, 1) else layers.AvgPool2D((rows, columns))(node)

    check_network(Network(inputs=picture, output=layers.Multiply()(made(first), made(second))))


def check_network(network: Network) -> None:
    """Its output and input gradient, by PyTorch's broadcasting of what its own layers make."""
    n, rng = 6, np.random.default_rng(3)
    x = rng.standard_normal((n, *network.input_shape)).astype(np.float32).astype(np.float64)
    gradient = rng.standard_normal((n, *network.output_shape))
    network.flat[:] = 0.5 * rng.standard_normal(network.flat.size)
    runner = Runner(
        network,
        batch_size=n,
        threads=2,
        training=True,
        loss="given",
        input_gradient=True,
        dtype=np.float64,
        parameters=network.flat.astype(np.float64),
        statistics=network.state_flat.astype(np.float64),
    )
    output = runner.run(x, gradient, np.ones(n), np.zeros(n, np.uint32))
    given = torch.from_numpy(x).requires_grad_()
    values = {-1: given}
    for i, vertex in enumerate(network.nodes):
        p = {k: torch.from_numpy(v.astype(float)) for k, v in network.parameters_of(i).items()}
        values[i] = by_pytorch(vertex.layer, [values[s] for s in vertex.inputs], p)
    last = values[len(network.nodes) - 1]
    last.backward(torch.from_numpy(gradient))
    close(output, last.detach().numpy())
    close(runner.input_gradient(n), given.grad.numpy())


def by_pytorch(layer: Layer, inputs: list[Any], p: dict[str, Any]) -> Any:
    if isinstance(layer, layers.Multiply):
        one, other = inputs
        if one.ndim != other.ndim:
            one, other = (t if t.ndim == 4 else t[:, None, None] for t in inputs)
        return one * other
    (x,) = inputs
    if isinstance(layer, layers.Dense):
        return x @ p["weights"] + p["bias"]
    first = x.permute(0, 3, 1, 2)
    if isinstance(layer, layers.Conv2D):
        made = F.conv2d(first, p["filters"].permute(3, 2, 0, 1), p["bias"], padding=1)
    elif isinstance(layer, layers.AvgPool2D):
        made = F.avg_pool2d(first, layer.size)
    else:
        return first.mean((2, 3))
    return made.permute(0, 2, 3, 1)
