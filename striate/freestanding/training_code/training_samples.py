"""Steps of training on noise, and what they find here: by these exported code is tried."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from striate.common.arrays import Array
from striate.nest.target import Target, host
from striate.nest.thread_pool import thread_pool
from striate.optim.losses import SigmoidCrossEntropy, SoftmaxCrossEntropy, positive_weight_of
from striate.plan.analysis.batchnorm_folding import folded
from striate.plan.runner import Runner
from striate.plan.update.optimizer_step import Update, decay_of_lines

if TYPE_CHECKING:
    from striate.freestanding.training_code.learning import Learning
    from striate.model.model import Model

STEPS = 3
RATE = 0.001


@dataclass(frozen=True)
class TrainingSamples:
    """Steps from the beginning, and what the network says then.

    Attributes:
        images: raw images, (steps, batch, height, width, channels).
        targets: numbers of classes, int32 (steps, batch), or floats (steps, batch, outputs).
        keys: random numbers, (steps, batch).
        losses: those of `CompiledEngine` with exact=True and a portable target, (steps,).
        outputs: of the first step's images afterwards, (batch, outputs).
    """

    images: Array
    targets: Array
    keys: npt.NDArray[np.uint32]
    losses: Array
    outputs: Array


def training_samples(learning: Learning, batch_size: int, *, fused: bool) -> TrainingSamples:
    """Steps of a whole batch, the last one of one image less, if there is more than one.

    Args:
        learning: the network, and how it learns.
        batch_size: images of a batch.
        fused: whether multiply-adds are rounded once, as far as this processor can.  Where a
            gradient is nothing but rounding, AdamW makes a whole step of it, so one must round as
            the code does that is tried.
    """
    here = host(portable=True)
    target = replace(here, fused=fused and here.fused)
    random = np.random.default_rng(0)
    whole, network = learning.whole, copy.copy(learning.network)
    noise = random.standard_normal((STEPS, batch_size, *whole.input_shape))
    given = whole.preprocessing
    if not given.is_identity:
        noise = noise * np.asarray(given.std) + np.asarray(given.mean)
    images: Array = noise.astype(np.float32)
    targets, wanted = _targets(learning, random, (STEPS, batch_size))
    keys = random.integers(0, 1 << 32, (STEPS, batch_size), np.uint32)
    steps = _SampleSteps(learning, network, batch_size, target)
    losses = []
    for step, count in enumerate(counts(batch_size)):
        seen = _seen(learning.front, images[step, :count], target)
        losses.append(steps.step(seen, wanted[step, :count], keys[step, :count]))
    run = Runner(network, batch_size=1, threads=1, exact=True, lanes=1, target=target)
    outputs = [run.run(seen[None]) for seen in _seen(learning.front, images[0], target)]
    return TrainingSamples(
        images, targets, keys, np.array(losses, np.float32), np.concatenate(outputs)
    )


def counts(batch_size: int) -> list[int]:
    """The images of each step."""
    return [batch_size] * (STEPS - 1) + [max(batch_size - 1, 1)]


class _SampleSteps:
    """The engine's steps, on one thread, in the order that all processors have."""

    def __init__(self, learning: Learning, network: Model, batch_size: int, target: Target) -> None:
        self.runner = Runner(
            network,
            batch_size=batch_size,
            threads=1,
            training=True,
            loss=learning.loss.kind,
            exact=True,
            positive_weight=positive_weight_of(learning.loss),
            target=target,
        )
        self.optimizer = copy.deepcopy(learning.optimizer)
        self.optimizer.reset()
        self.optimizer.begin(network.flat, RATE)
        self.update = Update(
            self.optimizer,
            1,
            "f32",
            target,
            weights=network.flat,
            gradient=self.runner.plan.gradient,
            decay=decay_of_lines(network),
            learned=network.learned_parts(),
        )

    def step(self, images: Array, targets: Array, keys: npt.NDArray[np.uint32]) -> float:
        """The loss of a batch, from which the weights have learned then."""
        weights = np.full(len(images), 1 / len(images), np.float32)
        self.runner.run(images, targets, weights, keys)
        self.update.prepare(RATE)
        thread_pool().run(self.update.program)
        self.optimizer.steps += 1
        return self.runner.batch.loss


def _targets(
    learning: Learning, random: np.random.Generator, shape: tuple[int, int]
) -> tuple[Array, Array]:
    """Targets as exported code takes them, and as the engine does."""
    loss, outputs = learning.loss, learning.network.output_shape[0]
    if isinstance(loss, SoftmaxCrossEntropy):
        labels = random.integers(0, outputs, shape, np.int32)
        return labels, loss.targets(np.arange(outputs), outputs)[labels]
    if isinstance(loss, SigmoidCrossEntropy):
        having = random.integers(0, 2, (*shape, outputs)).astype(np.float32)
        return having, loss.targets(having.reshape(-1, outputs), outputs).reshape(having.shape)
    values: Array = random.standard_normal((*shape, outputs)).astype(np.float32)
    return values, values


def _seen(front: Model | None, images: Array, target: Target) -> Array:
    """What is read behind the frozen layers."""
    if front is None:
        return images
    run = Runner(
        folded(front), batch_size=1, threads=1, exact=True, lanes=1, frozen=True, target=target
    )
    return np.concatenate([run.infer(image[None]) for image in images])
