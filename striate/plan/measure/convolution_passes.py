"""One convolution as three programs, one for each pass: to measure them, and their kernels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from striate.common.arrays import Array
from striate.common.threads import checked_threads
from striate.layers import Conv2D
from striate.nest.program import Program
from striate.nest.target import host
from striate.nest.thread_pool import thread_pool
from striate.ops.shapes import Shape
from striate.plan.analysis.operations import INPUT, analyse
from striate.plan.build.assembly import build
from striate.plan.layout import Image
from striate.plan.lowering.builder import Builder
from striate.plan.lowering.convolution.algorithm import PASSES
from striate.plan.lowering.convolution.choice import algorithms_for, winograd_passes
from striate.plan.lowering.lanes import lanes_for
from striate.plan.lowering.table import LOWERINGS
from striate.plan.memory.placement import Memory
from striate.plan.settings import Settings


class ConvolutionPasses:
    """A convolution's three passes as programs of their own, on arrays that stay where they are.

    The arrays lie as they do inside a network: channels last, with a halo.  Setting filters is
    free; what a pass needs them laid out or transformed for is part of that pass.

    Args:
        layer: the convolution.
        input_shape: (height, width, channels).
        batch_size: images.
        threads: None for all processors.
        exact: without Winograd's algorithm.
        bfloat16: multiply in bfloat16 where that is faster.

    Attributes:
        winograd: whether a pass uses Winograd's algorithm, by its name in `PASSES`.
    """

    def __init__(
        self,
        layer: Conv2D,
        input_shape: Shape,
        batch_size: int,
        threads: int | None = None,
        exact: bool = False,
        bfloat16: bool = False,
    ) -> None:
        from striate.model.model import Model

        self.network = network = Model([layer], input_shape)
        self.threads = checked_threads(threads, type(self).__name__)
        settings = Settings(
            batch_size,
            lanes=1,
            element="f32",
            target=host(),
            training=True,
            loss="given",
            input_gradient=True,
            exact=exact,
            bfloat16=bfloat16,
        )
        settings = replace(settings, lanes=lanes_for(network, settings))
        graph = analyse(network, True)
        (self._operation,) = graph.operations
        self._builder = builder = Builder(network, graph, settings)
        node, lowering = self._operation.node, LOWERINGS[Conv2D]
        out = network.output_shape
        halos = {
            "x": lowering.input_halo(settings, self._operation),
            "gradient": lowering.gradient_halo(settings, self._operation),
        }
        builder.values[INPUT] = self._x = _kept(builder.image("x", input_shape, halos["x"]))
        builder.values[node] = self._out = _kept(builder.image("out", out))
        builder.gradients[INPUT] = self._dx = _kept(builder.image("dx", input_shape))
        builder.gradients[node] = self._gradient = _kept(
            builder.image("gradient", out, halos["gradient"])
        )
        found = winograd_passes(settings, self._operation)
        self.winograd = {name: name in found for name in PASSES}
        self._programs = self._record()

    def _record(self) -> dict[str, Program]:
        builder, operation = self._builder, self._operation
        recorder = builder.recorder
        chosen = algorithms_for(builder.settings, operation)

        def filter_gradient() -> None:
            chosen["filter_gradient"].filter_gradient(builder, operation)
            builder.shards.add_all()

        steps: dict[str, Callable[[], None]] = {
            "forward": lambda: chosen["forward"].forward(builder, operation),
            "input_gradient": lambda: chosen["input_gradient"].input_gradient(builder, operation),
            "filter_gradient": filter_gradient,
        }
        stages = {}
        for name, record in steps.items():
            prepared, done = len(recorder.preparation), len(recorder.stages)
            record()
            recorder.close()
            first = recorder.preparation[prepared:]
            if first:  # each pass is a program of its own
                first[-1].barrier = True
            stages[name] = first + recorder.stages[done:]
        given = {builder.weights: self.network.flat, builder.statistics: self.network.state_flat}
        settings = builder.settings
        self._memory = Memory(recorder, settings.element, settings.target, self.threads, given)
        return {
            name: build(some, self._memory, settings.target, self.threads)
            for name, some in stages.items()
        }

    # --- the passes -------------------------------------------------------------------------

    def forward(self) -> None:
        """The output, from input and filters."""
        self._run("forward")

    def input_gradient(self) -> None:
        """The gradient of the input, from that of the output and the filters."""
        self._run("input_gradient")

    def filter_gradient(self) -> None:
        """The gradient of the filters, from the input and the gradient of the output."""
        self._run("filter_gradient")

    def _run(self, name: str) -> None:
        thread_pool().run(self._programs[name])

    # --- the arrays -------------------------------------------------------------------------

    def set_input(self, images: Array) -> None:
        """Images (n, height, width, channels)."""
        self._pixels(self._x)[...] = self._blocks(images)

    def set_gradient(self, gradient: Array) -> None:
        """The gradient of the output (n, height, width, filters)."""
        self._pixels(self._gradient)[...] = self._blocks(gradient)

    def set_filters(self, filters: Array) -> None:
        """Filters (height, width, channels of a group, filters)."""
        self.network.parameters_of(0)["filters"][...] = filters

    def output(self) -> Array:
        """What `forward` computed (n, height, width, filters)."""
        return self._images(self._out)

    def dx(self) -> Array:
        """What `input_gradient` computed (n, height, width, channels)."""
        return self._images(self._dx)

    def dfilters(self) -> Array:
        """What `filter_gradient` computed, shaped like the filters."""
        slot = self._builder.slot(self._operation, "filters")
        flat = self._memory.arrays[self._builder.gradient][slot.start : slot.stop]
        gradient: Array = flat.reshape(slot.parameter.shape).copy()
        return gradient

    def _blocks(self, images: Array) -> Array:
        """Images as (blocks, height, width, channels, lanes)."""
        settings = self._builder.settings
        padded = np.zeros((settings.blocks * settings.lanes, *images.shape[1:]), np.float32)
        padded[: len(images)] = images
        blocks: Array = padded.reshape(settings.blocks, settings.lanes, *images.shape[1:])
        return blocks.transpose(0, 2, 3, 4, 1)

    def _images(self, image: Image) -> Array:
        pixels = self._pixels(image).transpose(0, 4, 1, 2, 3)
        images: Array = pixels.reshape(-1, *pixels.shape[2:])[: self._builder.settings.batch_size]
        return images.copy()

    def _pixels(self, image: Image) -> Array:
        """The memory without halo: (blocks, height, width, channels, lanes)."""
        top, bottom, left, right = image.halo
        shape = (image.height + top + bottom, image.width + left + right, image.channels)
        memory = self._memory.arrays[image.buffer].reshape(-1, image.buffer.span)
        whole = memory[:, : image.buffer.size].reshape(-1, *shape, image.lanes)
        return whole[:, top : top + image.height, left : left + image.width]


def _kept(image: Image) -> Image:
    """The image in memory that nothing else uses."""
    return replace(image, buffer=replace(image.buffer, scope="block"))
