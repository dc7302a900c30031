"""The outputs of every stage for a real image, and the check that equivalent stages agree.

Neurons are numbered as in the article: group after group, and in a group position after position.
A convolution gives the same numbers position after position, all filters of each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from striate.common.arrays import Array
from striate.common.short_repr import short_repr
from striate.layers import Layer
from striate.ops.shapes import Shape
from striate.teaching.conversions import TrainedLayer, to_dense, to_locally_connected
from striate.teaching.derivation.stages import layer_of
from striate.teaching.derivation.windows import Windows

# The largest relative difference, in float64, of stages that compute the same sums.
TOLERANCE = 1e-12
# Larger weight matrices are not built.
MOST_BYTES = 2**27


@dataclass(frozen=True)
class Equality:
    """Two stages that compute the same numbers.

    Attributes:
        what: which two, in words.
        numbers: how many numbers were compared.
        difference: the largest absolute difference, divided by the largest absolute number; None
            if it was not computed.
        why: the reason if it was not.
    """

    what: str
    numbers: int
    difference: float | None
    why: str = ""


@short_repr
@dataclass(frozen=True)
class StageOutputs:
    """The outputs of all stages for one image.

    Attributes:
        neurons: the outputs (neurons,) by the name of the stage.
        equalities: the comparisons of stages.
        filters: the random filters (height, width, channels, groups) of the convolution; None if
            the derivation does not come to it.
        given: whether the filters were given, not random.
    """

    neurons: dict[str, Array]
    equalities: tuple[Equality, ...]
    filters: Array | None = None
    given: bool = False


def compute_outputs(
    pixels: Array,
    neurons: int,
    group: int | None,
    windows: Windows | None,
    seed: int,
    engine: str,
    filters: Array | None = None,
) -> StageOutputs:
    """Compute every stage for one image with random weights, and compare the stages.

    Args:
        pixels: the image, float64 (height, width, channels).
        neurons: number of neurons of the layer.
        group: how many of them share their weights; None for the dense stage alone.
        windows: the patches that they read; None without the local stages.
        seed: of the random weights.
        engine: to compute with, "llvm" or "numpy".
        filters: (height, width, channels, groups) in place of random ones.

    Raises:
        ArithmeticError: stages that compute the same sums differ by more than rounding.
    """
    run = _StageRun(pixels, neurons, group, windows, seed, engine)
    run.given = filters
    run.dense_stage()
    if group is not None:
        run.grouped_stage(group)
        if windows is not None:
            run.local_stages(windows)
    return StageOutputs(run.found, tuple(run.equalities), run.filters, filters is not None)


class _StageRun:
    """Runs one stage after the other, and gathers outputs and comparisons."""

    def __init__(
        self,
        pixels: Array,
        neurons: int,
        group: int | None,
        windows: Windows | None,
        seed: int,
        engine: str,
    ) -> None:
        self.pixels, self.neurons, self.group, self.windows = pixels, neurons, group, windows
        self.engine = engine
        self.random = np.random.default_rng(seed)
        self.shape: Shape = pixels.shape
        self.found: dict[str, Array] = {}
        self.equalities: list[Equality] = []
        self.filters: Array | None = None
        self.given: Array | None = None

    def dense_stage(self) -> None:
        layer = layer_of("dense", self.neurons, self.group, self.windows)
        if _bytes(layer, (self.pixels.size,)) <= MOST_BYTES:
            self.found["dense"] = self._run(self._drawn(layer, (self.pixels.size,)))

    def grouped_stage(self, group: int) -> None:
        layer = layer_of("grouped", self.neurons, group, self.windows)
        if _bytes(layer, (self.pixels.size,)) > MOST_BYTES:
            self._left_out("grouped = dense, each column repeated", layer, (self.pixels.size,))
            return
        grouped = self._drawn(layer, (self.pixels.size,))
        self.found["grouped"] = self._run(grouped)
        self._compare(
            f"grouped = dense with each column {group:,} times",
            self.found["grouped"],
            lambda: self._run(to_dense(grouped, most_bytes=MOST_BYTES)),
        )

    def local_stages(self, windows: Windows) -> None:
        layer = layer_of("convolution", self.neurons, self.group, windows)
        conv = self._drawn(layer, self.shape)
        if self.given is not None:
            conv = TrainedLayer(layer, {"filters": self.given}, self.shape)
        self.filters = conv.parameters["filters"]
        output = self._run(conv)

        def by_group(values: Array) -> Array:
            return values.reshape(windows.count, -1).T.ravel()

        self.found["local"] = self._neuron_by_neuron(conv, windows)
        self.found["convolution"] = by_group(output)
        self._compare(
            "each neuron's sum over its patch = convolution",
            self.found["local"],
            lambda: self.found["convolution"],
        )
        self._compare(
            "convolution = locally connected, the weights repeated at each position",
            output,
            lambda: self._run(to_locally_connected(conv, most_bytes=MOST_BYTES)),
        )
        self._compare(
            "convolution = dense, with zeros where a neuron does not look",
            output.ravel(),
            lambda: self._run(to_dense(conv, most_bytes=MOST_BYTES)),
        )
        self._gradients(conv)

    def _neuron_by_neuron(self, conv: TrainedLayer, windows: Windows) -> Array:
        """Each neuron's sum over its patch, with the weights of its group, as in figure 11."""
        top, bottom, left, right = windows.pads
        padded = np.pad(self.pixels, ((top, bottom), (left, right), (0, 0)))
        filters = conv.parameters["filters"]
        count = filters.shape[3]
        output = np.empty((count, windows.count))
        for row in range(windows.positions[0]):
            first = row * windows.stride[0]
            for column in range(windows.positions[1]):
                left = column * windows.stride[1]
                patch = padded[first : first + windows.size[0], left : left + windows.size[1]]
                sums = patch.ravel() @ filters.reshape(-1, count)
                output[:, row * windows.positions[1] + column] = sums
        return output.ravel()

    def _gradients(self, conv: TrainedLayer) -> None:
        """Compare the gradient of a shared weight with the sum of its copies' gradients."""
        from striate.functional.single import run_backward

        arriving = self.random.standard_normal((1, *conv.output_shape))
        shared = run_backward(
            conv.layer, (self.pixels[None],), conv.parameters, arriving, self.engine
        )

        def of_copies() -> Array:
            local = to_locally_connected(conv, most_bytes=MOST_BYTES)
            found = run_backward(
                local.layer, (self.pixels[None],), local.parameters, arriving, self.engine
            )
            return np.asarray(found.parameters["weights"].sum((0, 1)))

        self._compare(
            "gradient of a shared weight = sum of those of its copies",
            shared.parameters["filters"],
            of_copies,
        )

    def _drawn(self, layer: Layer, shape: Shape) -> TrainedLayer:
        """The layer with random weights, of variance 2 / inputs."""
        (weights,) = layer.parameters(shape)
        numbers = self.random.standard_normal(weights.shape) * np.sqrt(2 / weights.fan_in)
        return TrainedLayer(layer, {weights.name: numbers}, shape)

    def _run(self, layer: TrainedLayer) -> Array:
        """The layer's output for the image, flattened if the layer reads a vector."""
        output: Array = layer(self.pixels.reshape(1, *layer.input_shape), engine=self.engine)[0]
        return output

    def _compare(self, what: str, one: Array, other: Callable[[], Array]) -> None:
        try:
            difference = np.abs(one - other()).max() / max(np.abs(one).max(), 1e-300)
        except ValueError as error:  # too large
            self.equalities.append(Equality(what, one.size, None, str(error)))
            return
        if not difference <= TOLERANCE:
            raise ArithmeticError(f"derive: {what}: off by {difference:.1e} of the largest number")
        self.equalities.append(Equality(what, one.size, float(difference)))

    def _left_out(self, what: str, layer: Layer, shape: Shape) -> None:
        size = _bytes(layer, shape)
        why = f"the weights of {layer!r} would take {size:,} bytes"
        self.equalities.append(Equality(what, self.neurons, None, why))


def _bytes(layer: Layer, shape: Shape) -> int:
    """The bytes of the layer's weights in float64."""
    total = 8
    for extent in layer.parameters(shape)[0].shape:
        total *= extent
    return total
