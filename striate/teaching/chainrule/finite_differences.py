"""Two independent checks of the written sums: an engine's kernels, and finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np

from striate import functional
from striate.common.arithmetic import unwatched
from striate.common.arrays import Array
from striate.layers import Flatten
from striate.ops import conv
from striate.teaching.chainrule.sums import GradientSums

STEP = 2.0**-10
"""The h of (L(x + h) - L(x - h)) / 2h. The loss is linear in X, F and b: only rounding errs."""


@unwatched
def compare(written: GradientSums, engine: str) -> dict[str, float]:
    """The largest absolute difference of each array from the one that it is compared with.

    Args:
        written: the sums.
        engine: "llvm" or "numpy", whose kernels are run.

    Returns:
        By name: "outputs", "∂L/∂F" and "∂L/∂X" against the engine in float64; "step", the new
        filters against a whole training step of the engine in float32; "∂L/∂F, finite
        differences" and "∂L/∂X, finite differences". With a bias also "bias step" and "∂L/∂b,
        finite differences".
    """
    layer, x, f, gradient = written.layer, written.x, written.f, written.gradient
    window: dict[str, Any] = {
        "stride": layer.stride,
        "padding": layer.pads(x.shape),
        "dilation": layer.dilation,
    }
    batch, arriving = x[None], gradient[None]
    stepped = _stepped(written, engine)
    kernels = {
        "outputs": (
            written.output,
            functional.conv2d(batch, f, written.b, engine=engine, **window)[0],
        ),
        "∂L/∂F": (
            written.filter_gradient,
            functional.conv2d_filter_gradient(batch, arriving, layer.size, engine=engine, **window),
        ),
        "∂L/∂X": (
            written.input_gradient,
            functional.conv2d_input_gradient(arriving, f, x.shape, engine=engine, **window)[0],
        ),
        "step": (written.new_f, stepped["filters"]),
        "∂L/∂F, finite differences": (written.filter_gradient, _slopes_of_filters(written)),
        "∂L/∂X, finite differences": (written.input_gradient, _slopes_of_input(written)),
    }
    if written.b is not None and written.new_b is not None:
        kernels["bias step"] = (written.new_b, stepped["bias"])
        kernels["∂L/∂b, finite differences"] = (written.bias_gradient, _slopes_of_bias(written))
    return {name: float(np.abs(mine - theirs).max()) for name, (mine, theirs) in kernels.items()}


def _stepped(written: GradientSums, engine: str) -> dict[str, Array]:
    """Filters and bias after one training step of a network of this layer alone."""
    from striate.engines import make_engine
    from striate.network import Network
    from striate.optim.losses import MeanSquaredError
    from striate.optim.optimizers import SGD

    x, gradient = written.x, written.gradient
    network = Network([written.layer, Flatten()], x.shape, seed=None)
    # "conv2d_1/filters" as "filters": there is only one layer.
    parameters = {name.rpartition("/")[2]: array for name, array in network.parameters.items()}
    parameters["filters"][...] = written.f
    if written.b is not None:
        parameters["bias"][...] = written.b
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
        runner.update(optimizer, written.learning_rate)
    finally:
        runner.close()
    return {name: array.astype(np.float64) for name, array in parameters.items()}


def _losses(
    written: GradientSums, x: Array | None = None, f: Array | None = None, b: Array | None = None
) -> Array:
    """L = Σ ∂L/∂O·O of each image of x (n, height, width, channels), with the arrays of `written`
    in place of those that are not given.
    """
    x = written.x[None] if x is None else x
    f = written.f if f is None else f
    b = written.b if b is None else b
    layer = written.layer
    outputs = conv.conv2d(x, f, layer.pads(x.shape[1:]), layer.stride, layer.dilation)
    if b is not None:
        outputs = outputs + b
    losses: Array = (outputs * written.gradient).sum((1, 2, 3))
    return losses


def _slopes_of_input(written: GradientSums) -> Array:
    """∂L/∂X by central differences: a batch with an image for each pixel that is changed."""
    x = written.x
    moves = STEP * np.eye(x.size).reshape(x.size, *x.shape)
    ahead, behind = (_losses(written, x=x + way * moves) for way in (1, -1))
    return ((ahead - behind) / (2 * STEP)).reshape(x.shape)


def _slopes_of_filters(written: GradientSums) -> Array:
    """∂L/∂F by central differences, one weight after the other."""
    slopes = np.empty(written.f.shape)
    for place in np.ndindex(written.f.shape):
        move = np.zeros(written.f.shape)
        move[place] = STEP
        ahead, behind = (_losses(written, f=written.f + way * move) for way in (1, -1))
        slopes[place] = (ahead[0] - behind[0]) / (2 * STEP)
    return slopes


def _slopes_of_bias(written: GradientSums) -> Array:
    """∂L/∂b by central differences."""
    moves = STEP * np.eye(written.f.shape[3])
    slopes = [
        (_losses(written, b=written.b + move)[0] - _losses(written, b=written.b - move)[0])
        for move in moves
    ]
    return np.array(slopes) / (2 * STEP)
