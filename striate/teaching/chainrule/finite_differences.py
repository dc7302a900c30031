"""Two independent checks of the written sums: an engine's kernels, and finite differences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from striate import functional
from striate.common.arithmetic import unwatched
from striate.common.arrays import Array
from striate.layers import Flatten, MaxPool2D, ReLU
from striate.ops import conv, pooling
from striate.teaching.chainrule.passages import Passage
from striate.teaching.chainrule.sums import GradientSums

Steps = Sequence[GradientSums | Passage]

STEP = 2.0**-10
"""The h of (L(x + h) - L(x - h)) / 2h. The loss is linear in each number of X, F and b, but for the
bends of ReLU and of max-pooling: only rounding errs."""
BEND = 1e-6
"""By how much, relative to the loss and to the slope, a slope to the right and one to the left
differ where there is a bend between them, and none is to be compared with."""


@dataclass(frozen=True)
class Agreement:
    """How far the written sums are from what they were compared with.

    Attributes:
        differences: the largest absolute difference of each array, by its name.
        bends: how many slopes were not compared, for the loss has a bend there.
    """

    differences: dict[str, float]
    bends: int


@unwatched
def compare(steps: Steps, engine: str) -> Agreement:
    """Compare each array with what an engine and finite differences make of the same numbers.

    Args:
        steps: a convolution, or a chain that begins with one.
        engine: "llvm" or "numpy", whose kernels are run.

    Returns:
        By name: "outputs", "∂L/∂F" and "∂L/∂X" against the engine in float64; "step", the new
        filters against a whole training step of the engine in float32; "∂L/∂F, finite
        differences" and "∂L/∂X, finite differences". With a bias also "bias step" and "∂L/∂b,
        finite differences". Of several layers each is the largest difference of all.
    """
    differences: dict[str, float] = {}
    bends = 0

    def differ(name: str, mine: Array, theirs: Array) -> None:
        off = np.abs(mine - theirs)
        known = off[~np.isnan(theirs)]
        differences[name] = max(differences.get(name, 0.0), *map(float, known), 0.0)

    stepped = _stepped(steps, engine)
    for step, new in zip(steps, stepped, strict=True):
        for name, mine, theirs in _from_kernels(step, engine):
            differ(name, mine, theirs)
        if isinstance(step, GradientSums):
            differ("step", step.new_f, new["filters"])
            if step.new_b is not None:
                differ("bias step", step.new_b, new["bias"])
    for name, mine, theirs in _from_differences(steps):
        differ(name, mine, theirs)
        bends += int(np.isnan(theirs).sum())
    return Agreement(differences, bends)


@unwatched
def bend_count(steps: Steps) -> int:
    """At how many numbers of X, F and b the loss has a bend."""
    return sum(int(np.isnan(slopes).sum()) for _, _, slopes in _from_differences(steps))


def _from_kernels(step: GradientSums | Passage, engine: str) -> Iterator[tuple[str, Array, Array]]:
    """(name, written, from the engine) of the outputs and gradients of one layer."""
    x, arriving = step.x[None], step.gradient[None]
    if isinstance(step, GradientSums):
        layer = step.layer
        window: dict[str, Any] = {
            "stride": layer.stride,
            "padding": layer.pads(step.x.shape),
            "dilation": layer.dilation,
            "engine": engine,
        }
        outputs = functional.conv2d(x, step.f, step.b, **window)
        back = functional.conv2d_input_gradient(arriving, step.f, step.x.shape, **window)
        of_filter = functional.conv2d_filter_gradient(x, arriving, layer.size, **window)
        yield "∂L/∂F", step.filter_gradient, of_filter
    elif isinstance(step.layer, MaxPool2D):
        pool = step.layer
        window = {
            "stride": pool.stride, "padding": pool.padding, "dilation": pool.dilation,
            "uncovered": pool.uncovered, "engine": engine,
        }  # fmt: skip
        outputs = functional.max_pool2d(x, pool.size, **window)
        back = functional.max_pool2d_input_gradient(arriving, x, pool.size, **window)
    else:
        outputs = functional.relu(x, engine=engine)
        back = functional.relu_input_gradient(arriving, x, engine=engine)
    yield "outputs", step.output, outputs[0]
    yield "∂L/∂X", step.input_gradient, back[0]


def _stepped(steps: Steps, engine: str) -> list[dict[str, Array]]:
    """Filters and bias of each layer after one training step of a network of these layers."""
    from striate.engines import make_engine
    from striate.network import Network
    from striate.optim.losses import MeanSquaredError
    from striate.optim.optimizers import SGD

    x, gradient = steps[0].x, steps[-1].gradient
    network = Network([*(step.layer for step in steps), Flatten()], x.shape, seed=None)
    parameters = [network.parameters_of(index) for index in range(len(steps))]
    for step, own in zip(steps, parameters, strict=True):
        if isinstance(step, GradientSums):
            own["filters"][...] = step.f
            if step.b is not None:
                own["bias"][...] = step.b
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
        (rate,) = {step.learning_rate for step in steps if isinstance(step, GradientSums)}
        runner.update(optimizer, rate)
    finally:
        runner.close()
    return [{name: array.astype(np.float64) for name, array in own.items()} for own in parameters]


def _losses(
    steps: Steps, x: Array, changed: tuple[GradientSums, Array, Array | None] | None = None
) -> Array:
    """L = Σ ∂L/∂O·O of each image of x (n, height, width, channels), O being the last output.

    The convolution in `changed` has the filters and the bias there instead of its own.
    """
    for step in steps:
        if isinstance(step, GradientSums):
            layer, filters, bias = step.layer, step.f, step.b
            if changed is not None and step is changed[0]:
                _, filters, bias = changed
            x = conv.conv2d(x, filters, layer.pads(x.shape[1:]), layer.stride, layer.dilation)
            if bias is not None:
                x = x + bias
        elif isinstance(step.layer, ReLU):
            x = np.maximum(x, 0.0)
        else:
            pool = step.layer
            pads = pool.pads(x.shape[1:])
            x, _ = pooling.max_pool2d(x, pool.size, pads, pool.stride, pool.dilation)
    losses: Array = (x * steps[-1].gradient).sum((1, 2, 3))
    return losses


def _from_differences(steps: Steps) -> Iterator[tuple[str, Array, Array]]:
    """(name, written, by finite differences) of X and of all weights; NaN at bends."""
    first = steps[0]
    slopes = _slopes(first.x, lambda x: _losses(steps, x))
    yield "∂L/∂X, finite differences", first.input_gradient, slopes
    for step in steps:
        if isinstance(step, GradientSums):
            yield from _weight_slopes(steps, step)


def _weight_slopes(steps: Steps, step: GradientSums) -> Iterator[tuple[str, Array, Array]]:
    """The same of the weights of one convolution."""
    x = steps[0].x[None]

    def with_filters(filters: Array) -> Array:
        return np.concatenate([_losses(steps, x, (step, f, step.b)) for f in filters])

    def with_biases(biases: Array) -> Array:
        return np.concatenate([_losses(steps, x, (step, step.f, b)) for b in biases])

    yield "∂L/∂F, finite differences", step.filter_gradient, _slopes(step.f, with_filters)
    if step.b is not None:
        yield "∂L/∂b, finite differences", step.bias_gradient, _slopes(step.b, with_biases)


def _slopes(array: Array, losses: Callable[[Array], Array]) -> Array:
    """∂L/∂ of each number of an array by central differences; NaN where L has a bend.

    Args:
        array: the numbers.
        losses: the L of each of several such arrays, along a new first axis.
    """
    moves = STEP * np.eye(array.size).reshape(array.size, *array.shape)
    here = losses(array[None])
    ahead, behind = (losses(array + way * moves) for way in (1, -1))
    slopes: Array = (ahead - behind) / (2 * STEP)
    bend = np.abs((ahead - here) - (here - behind)) / STEP
    slopes[bend > BEND * (1.0 + np.abs(here) + np.abs(slopes))] = np.nan
    return slopes.reshape(array.shape)
