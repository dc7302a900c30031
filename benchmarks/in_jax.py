"""The layers of a network as JAX runs them, (n, height, width, channels) throughout, all jitted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from striate.layers import Add, BatchNorm, Conv2D, Dense, Flatten, GlobalAvgPool2D, MaxPool2D, ReLU
from striate.network import Network

RATE, MOMENTUM = 0.01, 0.9
Arrays = dict[str, jax.Array]


def outputs(
    network: Network, weights: Arrays, state: Arrays, images: jax.Array
) -> tuple[jax.Array, Arrays]:
    """Outputs in training mode, and the running statistics that follow."""
    values, after = [images], dict(state)
    for index, vertex in enumerate(network.nodes):
        layer, name = vertex.layer, vertex.name
        x, *others = (values[source + 1] for source in vertex.inputs)
        match layer:
            case Conv2D():
                top, bottom, left, right = layer.pads(network.input_shapes(index)[0])
                x = lax.conv_general_dilated(
                    x,
                    weights[f"{name}/filters"],
                    layer.stride,
                    ((top, bottom), (left, right)),
                    dimension_numbers=("NHWC", "HWIO", "NHWC"),
                )
                x = x + weights[f"{name}/bias"] if layer.bias else x
            case BatchNorm():
                mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
                count = x.size // x.shape[-1]
                for what, value in (("mean", mean), ("variance", variance * count / (count - 1))):
                    old = after[f"{name}/{what}"]
                    after[f"{name}/{what}"] = layer.momentum * old + (1 - layer.momentum) * value
                scale = weights[f"{name}/scale"] * lax.rsqrt(variance + layer.eps)
                x = (x - mean) * scale + weights[f"{name}/shift"]
            case Dense():
                x = x @ weights[f"{name}/weights"] + weights[f"{name}/bias"]
            case MaxPool2D():
                window, stride = (1, *layer.size, 1), (1, *layer.stride, 1)
                x = lax.reduce_window(x, -jnp.inf, lax.max, window, stride, "VALID")
            case ReLU():
                x = jnp.maximum(x, 0)
            case Flatten():
                x = x.reshape(len(x), -1)
            case GlobalAvgPool2D():
                x = x.mean((1, 2))
            case Add():
                x = sum(others, x)
            case _:
                raise NotImplementedError(type(layer).__name__)
        values.append(x)
    return values[-1], after


class Trainer:
    """A network's weights, and the step that trains them."""

    def __init__(self, network: Network, images: np.ndarray, labels: np.ndarray) -> None:
        self.weights = {name: jnp.array(array) for name, array in network.parameters.items()}
        self.state = {name: jnp.array(array) for name, array in network.state.items()}
        self._names = list(network.parameters)
        self.momentum = jax.tree.map(jnp.zeros_like, self.weights)
        self._batch = (jnp.asarray(images), jnp.asarray(labels))
        # Donated buffers are updated in place.
        self._step = jax.jit(_step(network), donate_argnums=(0, 1, 2))

    def step(self) -> jax.Array:
        """Train once, wait until that is done, and give the loss."""
        self.weights, self.momentum, self.state, loss = self._step(
            self.weights, self.momentum, self.state, *self._batch
        )
        jax.block_until_ready((self.weights, self.momentum, self.state))
        return loss

    def packed(self) -> np.ndarray:
        """The weights as `networks.packed` gives them."""
        # Dictionaries come back from JAX with their keys sorted.
        return np.concatenate([np.ravel(self.weights[name]) for name in self._names])


def _step(network: Network) -> Callable[..., Any]:
    def loss_of(
        weights: Arrays, state: Arrays, images: jax.Array, labels: jax.Array
    ) -> tuple[jax.Array, Arrays]:
        logits, after = outputs(network, weights, state, images)
        chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1)
        return -chosen.mean(), after

    def step(
        weights: Arrays, momentum: Arrays, state: Arrays, images: jax.Array, labels: jax.Array
    ) -> tuple[Arrays, Arrays, Arrays, jax.Array]:
        (loss, state), slopes = jax.value_and_grad(loss_of, has_aux=True)(
            weights, state, images, labels
        )
        momentum = jax.tree.map(lambda v, g: MOMENTUM * v + g, momentum, slopes)
        weights = jax.tree.map(
            lambda p, v, g: p - RATE * (g + MOMENTUM * v), weights, momentum, slopes
        )
        return weights, momentum, state, loss

    return step
