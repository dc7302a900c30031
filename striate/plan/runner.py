"""Batches through a plan: from arrays of images to the lanes and back."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from striate.common.arrays import Array
from striate.nest.target import Target, host
from striate.nest.thread_pool import thread_pool
from striate.plan.batch_memory import BatchMemory, first_images
from striate.plan.inputs import COPIED, ImagesInPlace, InputFormat
from striate.plan.lowering.lanes import lanes_for
from striate.plan.plan import Plan
from striate.plan.settings import Settings

if TYPE_CHECKING:
    from striate.model.model import Model


class Runner:
    """A plan, and batches through it.

    Args:
        target: the machine that it is made for; None for this one.
    """

    def __init__(
        self,
        network: Model,
        *,
        batch_size: int,
        threads: int,
        training: bool = False,
        loss: str | None = None,
        input_gradient: bool = False,
        loading: InputFormat = COPIED,
        dtype: npt.DTypeLike = np.float32,
        parameters: Array | None = None,
        statistics: Array | None = None,
        exact: bool = False,
        lanes: int | None = None,
        frozen: bool = False,
        bfloat16: bool = False,
        positive_weight: tuple[float, ...] = (),
        target: Target | None = None,
    ) -> None:
        settings = Settings(
            batch_size,
            lanes=lanes or 1,
            element="f64" if np.dtype(dtype) == np.float64 else "f32",
            target=target or host(),
            training=training,
            loss=loss,
            input_gradient=input_gradient,
            loading=loading,
            exact=exact,
            frozen=frozen,
            bfloat16=bfloat16,
            positive_weight=positive_weight,
        )
        if loss in (None, "given"):  # of one output
            network = network.branch()
        if lanes is None:
            settings = replace(settings, lanes=lanes_for(network, settings))
        self.network, self.settings = network, settings
        # Of a frozen network even one image is shared among threads.
        self.threads = threads if frozen else max(1, min(threads, settings.blocks))
        self.parameters = network.flat if parameters is None else parameters
        self.statistics = network.state_flat if statistics is None else statistics
        with _no_collection():
            self.plan = Plan(network, settings, self.threads, self.parameters, self.statistics)
            self.plan.build()
        self.batch = BatchMemory(self.plan)
        self._sized_for = 0  # images that the program is for
        self.plan.input_stage.set_preprocessing(network.preprocessing)

    def run(
        self,
        images: Array | ImagesInPlace,
        targets: Array | None = None,
        weights: Array | None = None,
        keys: npt.NDArray[np.uint32] | None = None,
    ) -> Array:
        """Outputs for at most a batch of images; in training also losses and gradients.

        A plan made to read images where they lie takes them as `ImagesInPlace`.
        """
        count, plan = len(images), self.plan
        self.batch.enter(images, targets, weights, keys)
        if self.settings.loss is None:
            plan.resize_blocks(-(-count // self.settings.lanes))
        thread_pool().run(plan.program)
        return first_images(self.batch.outputs, count)

    def run_called(
        self,
        images: Array | ImagesInPlace,
        keys: npt.NDArray[np.uint32],
        gradient_of: Callable[[Array], Array],
    ) -> Array:
        """Outputs for at most a batch of images, and gradients from that of the outputs.

        Args:
            images, keys: as for `run`.
            gradient_of: from the outputs (n, …) to the loss's gradient with respect to them; called
                between the forward and the backward pass of a plan for the loss "called", and then
                again for each auxiliary head.
        """
        count = len(images)
        batch = self.batch
        blank = np.zeros((count, *self.network.output_shape), batch.targets.dtype)
        outputs = self.run(images, blank, np.ones(count, blank.dtype), keys)
        program, gradient = self.plan.backward, gradient_of(outputs)
        # Each auxiliary head after the output, in order; its weight is part of the program.
        of_heads = [gradient_of(first_images(found, count)) for found, _ in batch.heads]
        if program is not None:
            batch.enter_gradients(gradient, of_heads)
            thread_pool().run(program)
        return outputs

    def infer(self, images: Array) -> Array:
        """Outputs of a frozen plan, with as little around it as can be."""
        plan, batch, count = self.plan, self.batch, len(images)
        side_by_side = self.settings.lanes == 1
        if side_by_side:
            batch.raw[:count, 0] = images
        else:
            batch.enter(images)
        if count != self._sized_for:
            self._sized_for = 0  # where a signal comes meanwhile
            plan.resize_blocks(-(-count // self.settings.lanes))
            self._sized_for = count
        if self.threads == 1:
            plan.program.run_alone()
        else:
            thread_pool().run(plan.program)
        if side_by_side:
            outputs: Array = batch.outputs[:count, 0].copy()
            return outputs
        return first_images(batch.outputs, count)

    def input_gradient(self, count: int) -> Array:
        """The gradient with respect to the first `count` images of the last batch, a copy,
        (count, *input shape).
        """
        return first_images(self.plan.input_gradient, count)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Without looking for garbage: a plan is many small objects, all of which stay, and Python
    would look through them again and again.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
