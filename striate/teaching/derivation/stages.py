"""The stages of the derivation and their weights and connections, counted in closed form.

They follow the sections of *Derivation of Convolutional Neural Network from Fully Connected Network
Step-By-Step* (A. Gad), which has no biases, so none are counted. No matrix is built.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

from striate.common.errors import StriateValueError
from striate.common.text import counted, percent
from striate.layers import Conv2D, Dense, GroupedDense, Layer, LocallyConnected2D
from striate.ops.shapes import Shape
from striate.teaching.derivation.windows import Windows


@dataclass(frozen=True)
class DerivationStage:
    """One way to connect the neurons with the image.

    Attributes:
        name: "dense", "grouped", "local" or "convolution"; or "unshared", which is local without
            groups.
        layer: the layer of this stage, as Python code.
        sentence: how the stage follows from the one before, with the numbers put in.
        weights: number of trained weights.
        connections: pairs of a neuron and a pixel value that it reads.
        multiply_adds: for one image, as the layer computes it: sums that all neurons of a group
            share are computed once.
        reduction: the share of the dense stage's weights that are saved: 0.75 is 75 % fewer.
    """

    name: str
    layer: str
    sentence: str
    weights: int
    connections: int
    multiply_adds: int
    reduction: float

    def to_dict(self) -> dict[str, Any]:
        """All attributes as JSON-able values."""
        return asdict(self)


@dataclass(frozen=True)
class FollowingDense:
    """A dense layer that reads the outputs of the one before it."""

    inputs: int
    neurons: int

    @property
    def weights(self) -> int:
        """One weight for each pair of an input and a neuron."""
        return self.inputs * self.neurons


def layer_of(
    name: str, neurons: int, group: int | None, windows: Windows | None, bias: bool = False
) -> Layer:
    """The layer that computes a stage; ValueError if the stage needs groups or windows."""
    if name == "dense":
        return Dense(neurons, bias=bias)
    if group is None or (name != "grouped" and windows is None):
        raise StriateValueError(f"derive: the stage {name!r} needs groups and windows")
    if name == "grouped":
        return GroupedDense(neurons, group, bias=bias)
    assert windows is not None  # the type checker cannot see it
    kind = LocallyConnected2D if name == "unshared" else Conv2D
    return kind(
        neurons // windows.count,
        windows.size,
        stride=windows.stride,
        padding=windows.pads,
        bias=bias,
    )


def stages_of(
    image: Shape, neurons: int, group: int | None, windows: Windows | None
) -> tuple[DerivationStage, ...]:
    """The stages up to the convolution; without a group only the dense one, without windows two."""
    height, width, channels = image
    pixels = height * width * channels
    dense = pixels * neurons

    def stage(
        name: str, weights: int, connections: int, work: int, sentence: str
    ) -> DerivationStage:
        layer = _written(layer_of(name, neurons, group, windows))
        return DerivationStage(
            name, layer, sentence, weights, connections, work, 1 - weights / dense
        )

    made = [
        stage(
            "dense", dense, dense, dense,
            f"{_each(neurons)} reads all {pixels:,} pixels, with a weight of its own for each: "
            f"{pixels:,} × {neurons:,} = {dense:,} weights.",
        )
    ]  # fmt: skip
    if group is None:
        return tuple(made)
    groups = neurons // group
    shared = pixels * groups
    made.append(
        stage(
            "grouped", shared, dense, shared,
            f"Every {group:,} successive neurons share one weight per pixel: "
            f"{counted(groups, 'group')}, {pixels:,} × {neurons:,}/{group:,} = {shared:,} weights, "
            f"{_saved(dense, shared)}. The network is still fully connected, and all neurons of a "
            "group say the same.",
        )
    )  # fmt: skip
    if windows is None:
        return tuple(made)
    patch = windows.taps * channels
    few = patch * groups
    read = windows.pixels_read((height, width)) * channels * groups
    work = patch * neurons
    seen = f"{windows.size[0]}×{windows.size[1]}" + f"×{channels}" * (channels > 1)
    made.append(
        stage(
            "local", few, read, work,
            f"Neighbouring pixels tell most about each other, so a neuron reads only a patch of "
            f"{seen} = {patch:,}, and each neuron of a group another one: {patch:,} × {groups:,} = "
            f"{few:,} weights, {_saved(dense, few)}.",
        )
    )  # fmt: skip
    made.append(
        stage(
            "convolution", few, read, work,
            f"The {group:,} neurons of a group are the {windows.positions[0]} × "
            f"{windows.positions[1]} positions of one filter: this is a "
            f"{windows.size[0]}×{windows.size[1]} convolution with "
            f"{counted(groups, 'filter')}.",
        )
    )  # fmt: skip
    return tuple(made)


def unshared_of(image: Shape, neurons: int, group: int, windows: Windows) -> DerivationStage:
    """The local stage without groups: each neuron reads a patch, with weights of its own."""
    height, width, channels = image
    patch, dense = windows.taps * channels, height * width * channels * neurons
    weights = patch * neurons
    return DerivationStage(
        "unshared",
        _written(layer_of("unshared", neurons, group, windows)),
        f"Patches without groups: {patch:,} × {neurons:,} = {weights:,} weights, "
        f"{fewer(1 - weights / dense)}.",
        weights,
        windows.pixels_read((height, width)) * channels * (neurons // group),
        weights,
        1 - weights / dense,
    )


def _each(neurons: int) -> str:
    return "The neuron" if neurons == 1 else f"Each of the {neurons:,} neurons"


def _saved(dense: int, weights: int) -> str:
    """ "144 - 16 = 128 fewer (88.89 % fewer)", as the article counts it."""
    share = fewer(1 - weights / dense)
    if weights >= dense:
        return share
    return f"{dense:,} - {weights:,} = {dense - weights:,} or {share}"


def fewer(reduction: float) -> str:
    """A reduction in words: 0.888889 is "88.89 % fewer", as the article rounds it."""
    if reduction == 0:
        return "as many"
    if reduction < 0:
        return f"{percent(-reduction, '.4g')} more"
    share = f"{100 * reduction:.2f}".rstrip("0").rstrip(".")
    for decimals in (6, 9, 12):
        if share == "100":  # but some are left
            share = f"{100 * reduction:.{decimals}f}".rstrip("0").rstrip(".")
    return f"{share} % fewer"


def _written(layer: Layer) -> str:
    """The layer as Python code, without default arguments and with 3 in place of (3, 3)."""
    text = repr(layer)
    for default in (", stride=(1, 1)", ", dilation=(1, 1)", ", padding=(0, 0, 0, 0)"):
        text = text.replace(default, "")
    return re.sub(r"\((\d+)(?:, \1)+\)", r"\1", text)
