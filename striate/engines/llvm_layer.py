"""Runs one layer alone, compiled, for `striate.functional` and `striate.inspect`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from striate.common.arrays import Array
from striate.common.threads import default_threads
from striate.layers import Layer, PassContext
from striate.plan.runner import Runner

if TYPE_CHECKING:
    from striate.model.parameters import Slot


def run_layer(
    layer: Layer,
    inputs: tuple[Array, ...],
    parameters: dict[str, Array],
    state: dict[str, Array],
    training: bool,
) -> Array:
    """The output (n, *shape) of one layer, compiled.

    Layers with several inputs (Add, Concat) only add or copy numbers, so they run in NumPy.

    Args:
        layer: the layer.
        inputs: its inputs (n, *shape), float32 or float64.
        parameters, state: its arrays by their short names; in training the state is updated.
        training: whether to run in training mode.
    """
    if len(inputs) > 1 or not len(inputs[0]):
        return layer.forward(inputs, parameters, state, PassContext(training))[0]
    runner, statistics = _layer_runner(layer, inputs[0], parameters, state, training, None)
    output = runner.run(inputs[0])
    _write_back(runner, statistics, state)
    return output


def run_layer_backward(
    layer: Layer,
    inputs: tuple[Array, ...],
    parameters: dict[str, Array],
    state: dict[str, Array],
    gradient: Array,
    training: bool = True,
) -> tuple[tuple[Array, ...], dict[str, Array]]:
    """The gradients of one layer's inputs and, by name, of its parameters, compiled.

    Args:
        layer, inputs, parameters, state, training: as in `run_layer`.
        gradient: the gradient of the output.
    """
    if len(inputs) > 1 or not len(inputs[0]):
        _, saved = layer.forward(inputs, parameters, state, PassContext(training))
        return layer.backward(gradient, saved, parameters)
    x = inputs[0]
    runner, _ = _layer_runner(layer, x, parameters, state, training, "given")
    runner.run(x, gradient, np.ones(len(x), x.dtype), np.zeros(len(x), np.uint32))
    gradients = {
        slot.parameter.name: runner.plan.gradient[slot.start : slot.stop]
        .reshape(slot.parameter.shape)
        .copy()
        for slot in runner.network.slots
    }
    return (runner.input_gradient(len(x)),), gradients


def _layer_runner(
    layer: Layer,
    x: Array,
    parameters: dict[str, Array],
    state: dict[str, Array],
    training: bool,
    loss: str | None,
) -> tuple[Runner, Array]:
    from striate.model.model import Model

    network = Model([layer], x.shape[1:], seed=None)
    flat = _gathered(network.slots, network.flat.size, parameters, x.dtype)
    statistics = _gathered(network.state_slots, network.state_flat.size, state, x.dtype)
    runner = Runner(
        network,
        batch_size=len(x),
        threads=default_threads(),
        training=training,
        loss=loss,
        input_gradient=loss is not None,
        dtype=x.dtype,
        parameters=flat,
        statistics=statistics,
        exact=True,  # no Winograd: whoever runs one layer alone wants the sums of its formula
    )
    if training and loss is None:
        runner.batch.mark_present(len(x))
    return runner, statistics


def _gathered(
    slots: tuple[Slot, ...], size: int, arrays: dict[str, Array], dtype: npt.DTypeLike
) -> Array:
    """Named arrays, copied into one flat buffer of `size` numbers."""
    flat = np.zeros(size, dtype)
    for slot in slots:
        flat[slot.start : slot.stop] = arrays[slot.parameter.name].ravel()
    return flat


def _write_back(runner: Runner, statistics: Array, state: dict[str, Array]) -> None:
    for slot in runner.network.state_slots:
        new = statistics[slot.start : slot.stop].reshape(slot.parameter.shape)
        state[slot.parameter.name][...] = new
