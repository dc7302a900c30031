"""The compiled engine: a network as machine code made for its exact shapes and this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from striate.engines.base import check_images
from striate.layers import Layer, Run
from striate.nest.algebra import Element
from striate.nest.ir import BYTES, Number
from striate.nest.target import host
from striate.plan.builder import Settings
from striate.plan.crew import crew, default_threads
from striate.plan.plan import Plan
from striate.plan.update import Update
from striate.shapes import Array, whole_number

if TYPE_CHECKING:
    from striate.network import Network, Slot
    from striate.training.losses import Loss
    from striate.training.optimizers import Optimizer


class Runner:
    """A plan, and batches through it."""

    def __init__(
        self,
        network: Network,
        *,
        batch_size: int,
        threads: int,
        training: bool = False,
        loss: str | None = None,
        input_gradient: bool = False,
        raw: Element = "real",
        dtype: npt.DTypeLike = np.float32,
        parameters: npt.NDArray[Any] | None = None,
        statistics: npt.NDArray[Any] | None = None,
    ) -> None:
        element: Number = "f64" if np.dtype(dtype) == np.float64 else "f32"
        lanes = host().lanes(BYTES[element])
        settings = Settings(batch_size, lanes, element, training, loss, input_gradient, raw)
        self.network, self.settings = network, settings
        self.threads = max(1, min(threads, settings.blocks))
        self.parameters = network.flat if parameters is None else parameters
        self.statistics = network.state_flat if statistics is None else statistics
        self.plan = Plan(network, settings, self.threads, self.parameters, self.statistics)
        self._filled = 0
        self._fit_pixels()

    def run(
        self,
        images: Array,
        targets: Array | None = None,
        weights: Array | None = None,
        keys: npt.NDArray[np.uint32] | None = None,
    ) -> Array:
        """Outputs for at most a batch of images; in training also losses and gradients."""
        count, plan = len(images), self.plan
        blocks = -(-count // self.settings.lanes)
        self._write(plan.raw, images)
        if self.settings.loss is None:
            plan.resize_blocks(blocks)
        else:
            # Blocks without images run too: their gradients are zero and the order of every
            # sum stays the same.
            self._write(plan.targets, targets)
            self._write(plan.weights, weights)
            self._write(plan.keys, keys)
            self._count(count)
        self._filled = count
        crew(self.threads).run(plan.program.run, plan.program.prepare)
        return self.read(plan.outputs, count)

    def read(self, memory: npt.NDArray[Any], count: int) -> Array:
        """A copy of the first `count` images of a (blocks, lanes, …) view."""
        lanes = self.settings.lanes
        blocks = -(-count // lanes)
        copy: Array = memory[:blocks].reshape(blocks * lanes, *memory.shape[2:])[:count]
        return copy.copy() if copy.base is not None else copy

    def _write(self, memory: npt.NDArray[Any], batch: Array | None) -> None:
        """Fill the first images of a (blocks, lanes, …) view, and clear what was behind them."""
        if batch is None:
            return
        lanes, count = self.settings.lanes, len(batch)
        whole, rest = divmod(count, lanes)
        inner = memory.shape[2:]
        memory[:whole] = batch[: whole * lanes].reshape(whole, lanes, *inner)
        if rest:
            memory[whole, :rest] = batch[whole * lanes :].reshape(rest, *inner)
            memory[whole, rest:] = 0
        if self._filled > count:
            memory[whole + bool(rest) :] = 0

    def _count(self, count: int) -> None:
        """Tell the plan which images of which blocks exist."""
        plan, lanes = self.plan, self.settings.lanes
        present = np.arange(self.settings.blocks * lanes) < count
        plan.mask[...] = present.reshape(-1, lanes)
        each = present.reshape(-1, lanes).sum(axis=1)
        plan.shares[:, 0] = 1 / np.maximum(each, 1)
        plan.shares[:, 1] = each / count
        plan.images[0] = count

    def _fit_pixels(self) -> None:
        """The preprocessing as one multiply-add."""
        preprocessing = self.network.preprocessing
        channels = self.network.input_shape[-1]
        if preprocessing.is_identity:
            self.plan.factor[:channels] = 1
            self.plan.addend[:channels] = 0
        else:
            deviation = np.asarray(preprocessing.std, np.float64)
            self.plan.factor[:channels] = 1 / deviation
            self.plan.addend[:channels] = -np.asarray(preprocessing.mean) / deviation


class CompiledEngine:
    """Runs a network as compiled loops: see `striate.engines.base.Engine`.

    Args:
        network: its parameters are used in place.
        batch_size: the largest batch of a step.
        loss: needed by `step`.
        threads: how many threads work; None for all processors.
    """

    def __init__(
        self,
        network: Network,
        *,
        batch_size: int,
        loss: Loss | None = None,
        threads: int | None = None,
    ) -> None:
        self.network, self.loss = network, loss
        self.batch_size = whole_number(batch_size, "batch_size", "CompiledEngine")
        wanted = default_threads() if threads is None else threads
        self.threads = whole_number(wanted, "threads", "CompiledEngine")
        self.gradient: npt.NDArray[Any] = np.zeros(network.flat.size, np.float32)
        self._runners: dict[tuple[bool, str], Runner] = {}
        self._update: Update | None = None
        self._decay_mask = network.decay_mask

    def forward(self, images: Array) -> Array:
        """Outputs (n, *output_shape) for raw images, by the running statistics."""
        images = _plain(check_images(images, self.network.input_shape))
        outputs = np.empty((len(images), *self.network.output_shape), np.float32)
        for start in range(0, len(images), self.batch_size):
            batch = images[start : start + self.batch_size]
            outputs[start : start + len(batch)] = self._runner(batch, training=False).run(batch)
        return outputs

    def step(
        self, images: Array, targets: Array, weights: Array, keys: npt.NDArray[np.uint32]
    ) -> tuple[float, Array]:
        """Loss and outputs in training mode; fills `gradient` (see Engine.step)."""
        if self.loss is None:
            raise ValueError("this engine was made without a loss: it can only run forward")
        images = _plain(check_images(images, self.network.input_shape))
        if not 0 < len(images) <= self.batch_size:
            raise ValueError(
                f"this engine was made for batches of 1 to {self.batch_size} images, "
                f"got {len(images)}"
            )
        runner = self._runner(images, training=True)
        outputs = runner.run(images, targets, weights, keys)
        self.gradient = runner.plan.gradient
        return float(runner.plan.losses.sum(dtype=np.float64)), outputs

    def update(self, optimizer: Optimizer, learning_rate: float) -> None:
        """Apply the optimizer to ``network.flat`` in place, all in one pass."""
        optimizer.prepare(self.network.flat.size)
        if not self.network.flat.size:
            return
        known = self._update
        same = (
            known is not None
            and known.optimizer is optimizer
            and known.uses(optimizer.state, self.gradient)
        )
        if not same or known is None:
            known = self._update = Update(
                optimizer,
                self.threads,
                "f32",
                weights=self.network.flat,
                gradient=self.gradient,
                decay_mask=self._decay_mask,
            )
        crew(self.threads).run(known.program.run, lambda: known.prepare(learning_rate))
        optimizer.steps += 1

    def close(self) -> None:
        """Give back the buffers."""
        self._runners.clear()
        self._update = None

    def _runner(self, images: Array, *, training: bool) -> Runner:
        raw: Element = "u8" if images.dtype == np.uint8 else "real"
        key = (training, raw)
        if key not in self._runners:
            self._runners[key] = Runner(
                self.network,
                batch_size=self.batch_size,
                threads=self.threads,
                training=training,
                loss=self.loss.kind if training and self.loss is not None else None,
                raw=raw,
            )
        return self._runners[key]


def _plain(images: Array) -> Array:
    """Bytes stay bytes, everything else becomes float32."""
    return images if images.dtype == np.uint8 else np.asarray(images, np.float32)


def run_layer(
    layer: Layer,
    inputs: tuple[Array, ...],
    parameters: dict[str, Array],
    state: dict[str, Array],
    training: bool,
) -> Array:
    """One layer alone: its output (n, *shape) for inputs (n, *shape), float32 or float64.

    Layers with several inputs (Add, Concat) move numbers and compute next to nothing: they run
    in NumPy.
    """
    if len(inputs) > 1 or not len(inputs[0]):
        return layer.forward(inputs, parameters, state, Run(training))[0]
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
    """The gradients of one layer's inputs and parameters, from the gradient of its output."""
    if len(inputs) > 1 or not len(inputs[0]):
        _, saved = layer.forward(inputs, parameters, state, Run(training))
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
    return (runner.read(runner.plan.input_gradient, len(x)),), gradients


def _layer_runner(
    layer: Layer,
    x: Array,
    parameters: dict[str, Array],
    state: dict[str, Array],
    training: bool,
    loss: str | None,
) -> tuple[Runner, npt.NDArray[Any]]:
    from striate.network import Network

    network = Network([layer], x.shape[1:], seed=None)
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
    )
    if training and loss is None:
        runner._count(len(x))
    return runner, statistics


def _gathered(
    slots: tuple[Slot, ...], size: int, arrays: dict[str, Array], dtype: npt.DTypeLike
) -> npt.NDArray[Any]:
    """Named arrays in one flat buffer."""
    flat = np.zeros(size, dtype)
    for slot in slots:
        flat[slot.start : slot.stop] = arrays[slot.parameter.name].ravel()
    return flat


def _write_back(runner: Runner, statistics: npt.NDArray[Any], state: dict[str, Array]) -> None:
    for slot in runner.network.state_slots:
        new = statistics[slot.start : slot.stop].reshape(slot.parameter.shape)
        state[slot.parameter.name][...] = new
