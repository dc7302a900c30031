"""What sums written by hand are compared with: an engine's kernels, and finite differences."""

from __future__ import annotations

import numpy as np

from striate import functional
from striate.functional_local import ConvOptions
from striate.layers import Conv2D, Flatten
from striate.ops import conv
from striate.shapes import Array

STEP = 2.0**-10
"""Of finite differences. The loss is linear in X and in F, so only rounding makes an error."""


def compare(
    layer: Conv2D,
    x: Array,
    f: Array,
    gradient: Array,
    learning_rate: float,
    engine: str,
    *,
    output: Array,
    filter_gradient: Array,
    input_gradient: Array,
    new_f: Array,
) -> dict[str, float]:
    """The largest absolute difference of each array from what it is compared with.

    The keys are "outputs", "∂L/∂F" and "∂L/∂X" against the engine in float64, "step" against a
    whole training step of it in float32, and the two gradients against finite differences.
    """
    window: ConvOptions = {
        "stride": layer.stride,
        "padding": layer.pads(x.shape),
        "dilation": layer.dilation,
    }
    batch, arriving = x[None], gradient[None]
    kernels = {
        "outputs": (output, functional.conv2d(batch, f, engine=engine, **window)[0]),
        "∂L/∂F": (
            filter_gradient,
            functional.conv2d_filter_gradient(batch, arriving, layer.size, engine=engine, **window),
        ),
        "∂L/∂X": (
            input_gradient,
            functional.conv2d_input_gradient(arriving, f, x.shape, engine=engine, **window)[0],
        ),
        "step": (new_f, _stepped(layer, x, f, gradient, learning_rate, engine)),
        "∂L/∂F, finite differences": (filter_gradient, _slopes_of_filters(layer, x, f, gradient)),
        "∂L/∂X, finite differences": (input_gradient, _slopes_of_input(layer, x, f, gradient)),
    }
    return {name: float(np.abs(mine - theirs).max()) for name, (mine, theirs) in kernels.items()}


def _stepped(
    layer: Conv2D, x: Array, f: Array, gradient: Array, learning_rate: float, engine: str
) -> Array:
    """The filters after one training step of a network that is this layer alone."""
    from striate.engines import make_engine
    from striate.network import Network
    from striate.training.losses import MeanSquaredError
    from striate.training.optimizers import SGD

    network = Network([layer, Flatten()], x.shape, seed=None)
    (name,) = network.parameters
    network.parameters[name][...] = f
    images = x[None].astype(np.float32)
    runner = make_engine(network, engine, batch_size=1, loss=MeanSquaredError(), exact=True)
    try:
        outputs = runner.forward(images)
        # The mean of (O - target)² has the gradient 2·(O - target)/count: this target makes it
        # the ∂L/∂O that is wanted.
        targets = outputs - gradient.ravel()[None] * (gradient.size / 2)
        one, key = np.ones(1, np.float32), np.zeros(1, np.uint32)
        runner.step(images, targets.astype(np.float32), one, key)
        optimizer = SGD(momentum=0.0, nesterov=False)
        optimizer.prepare(network.flat.size)
        runner.update(optimizer, learning_rate)
    finally:
        runner.close()
    return network.parameters[name].astype(np.float64)


def _losses(layer: Conv2D, x: Array, f: Array, gradient: Array) -> Array:
    """L = Σ ∂L/∂O·O of each image of x (n, height, width, channels)."""
    outputs = conv.conv2d(x, f, layer.pads(x.shape[1:]), layer.stride, layer.dilation)
    losses: Array = (outputs * gradient).sum((1, 2, 3))
    return losses


def _slopes_of_input(layer: Conv2D, x: Array, f: Array, gradient: Array) -> Array:
    """∂L/∂X by central differences: every image of the batch has one pixel moved."""
    moves = STEP * np.eye(x.size).reshape(x.size, *x.shape)
    ahead, behind = (_losses(layer, x + way * moves, f, gradient) for way in (1, -1))
    return ((ahead - behind) / (2 * STEP)).reshape(x.shape)


def _slopes_of_filters(layer: Conv2D, x: Array, f: Array, gradient: Array) -> Array:
    """∂L/∂F by central differences, one weight after the other."""
    slopes = np.empty(f.shape)
    for place in np.ndindex(f.shape):
        move = np.zeros(f.shape)
        move[place] = STEP
        ahead, behind = (_losses(layer, x[None], f + way * move, gradient) for way in (1, -1))
        slopes[place] = (ahead[0] - behind[0]) / (2 * STEP)
    return slopes
