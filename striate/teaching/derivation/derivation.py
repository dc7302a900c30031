"""From a fully connected layer to a convolution, for any image and any number of neurons."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from striate.common.arguments import whole_number
from striate.ops import shapes
from striate.ops.shapes import Padding, Pair, Shape
from striate.teaching.derivation.input_picture import InputPicture, picture
from striate.teaching.derivation.measure import Measurement, measurements_of
from striate.teaching.derivation.outputs import Outputs, outputs_of
from striate.teaching.derivation.stages import DerivationStage, Further, stages_of, unshared_of
from striate.teaching.derivation.windows import WHO, Windows, choose

# Images of more pixels, and outputs of more neurons, are only counted.
MOST_NUMBERS = 1 << 24
_TOO_LARGE = (
    f"Counted, but not computed: of more than {MOST_NUMBERS:,} pixels or neurons no image is made."
)
# Outputs of more neurons are left out of `to_dict`.
_FEW = 256


@dataclass(frozen=True)
class Derivation:
    """The stages from a fully connected layer to a convolution. ``print()`` it, or draw it.

    Attributes:
        image: (height, width, channels).
        neurons: of the layer that is derived.
        further: dense layers behind it.
        group: neurons that share weights; None where nothing is shared.
        windows: what each neuron of a group looks at; None where no window fits.
        chosen: whether the windows were chosen, not given.
        stages: "dense", "grouped", "local" and "convolution", as far as there are groups and
            windows.
        unshared: local without groups, which is `LocallyConnected2D`.
        picture: the image that was looked at.
        outputs: what the neurons of each stage say, and which stages agree; None if not computed.
        measurements: what each stage costs; None if not measured.
        batch_size: images of a batch in the measurements.
    """

    image: Shape
    neurons: int
    further: tuple[Further, ...]
    group: int | None
    windows: Windows | None
    chosen: bool
    stages: tuple[DerivationStage, ...]
    unshared: DerivationStage | None
    picture: InputPicture | None = None
    outputs: Outputs | None = None
    measurements: tuple[Measurement, ...] | None = None
    batch_size: int = 0
    notes: tuple[str, ...] = field(default=())

    @property
    def size(self) -> Pair:
        """(height, width) of the image."""
        return self.image[0], self.image[1]

    @property
    def pixels(self) -> int:
        """Values of the image, which are as many inputs."""
        return self.image[0] * self.image[1] * self.image[2]

    def stage(self, name: str) -> DerivationStage:
        """The stage of a name."""
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, DerivationStage]:
        named = {stage.name: stage for stage in self.stages}
        return named if self.unshared is None else {**named, "unshared": self.unshared}

    def total(self, stage: DerivationStage) -> int:
        """Weights of a stage and of the layers behind it."""
        return stage.weights + sum(layer.weights for layer in self.further)

    def to_dict(self) -> dict[str, Any]:
        """All of it, JSON-able; outputs of more than 256 neurons are left out."""
        windows, outputs = self.windows, self.outputs
        return {
            "image": list(self.image),
            "pixels": self.pixels,
            "neurons": self.neurons,
            "group": self.group,
            "window": list(windows.size) if windows else None,
            "stride": list(windows.stride) if windows else None,
            "padding": list(windows.pads) if windows else None,
            "positions": list(windows.positions) if windows else None,
            "filters": self.neurons // windows.count if windows else None,
            "chosen": self.chosen,
            "stages": [
                {**stage.to_dict(), "total_weights": self.total(stage)} for stage in self.stages
            ],
            "unshared": self.unshared.to_dict() if self.unshared else None,
            "further": [
                {"inputs": f.inputs, "neurons": f.neurons, "weights": f.weights}
                for f in self.further
            ],
            "picture": self.picture.name if self.picture else None,
            "outputs": {
                name: [float(value) for value in values]
                for name, values in (outputs.neurons.items() if outputs else ())
                if len(values) <= _FEW
            },
            "equalities": [
                {
                    "what": equal.what,
                    "numbers": equal.numbers,
                    "difference": equal.difference,
                    "why": equal.why,
                }
                for equal in (outputs.equalities if outputs else ())
            ],
            "batch_size": self.batch_size,
            "measurements": [m.to_dict() for m in self.measurements or ()],
            "notes": list(self.notes),
        }

    def save(self, path: str | Path, stage: str | None = None) -> None:
        """Write it to a file: .html (a page that works offline), .png, .svg or .pdf (its drawings,
        or that of one stage), or .json.

        Raises:
            ValueError: the name ends in something else, or there is no such stage.
            OSError: the file cannot be written.
        """
        from striate.common.atomic import write_atomically
        from striate.teaching.derivation.files import check_kind, content

        write_atomically(path, [content(self, check_kind(path), stage)])

    def __str__(self) -> str:
        from striate.teaching.derivation.as_text import text

        return text(self)


def derive(
    image: Sequence[int] = (3, 3),
    neurons: int | Sequence[int] = 16,
    group: int | None = None,
    window: int | Pair | None = None,
    *,
    stride: int | Pair | None = None,
    padding: Padding | None = None,
    on: str | Path | None = None,
    seed: int = 0,
    compare: bool = True,
    engine: str = "llvm",
    measure: bool = False,
    batch_size: int = 32,
    threads: int | None = None,
) -> Derivation:
    """Walk from a fully connected layer to a convolution: article 000, for any size.

    Counts are closed forms, for images and layers of any size. Only what is compared or measured
    is computed.

    Args:
        image: (height, width) or (height, width, channels).
        neurons: of the layer; or of several dense layers, the first of which is derived.
        group: successive neurons that share weights. By default as many as a window has positions.
        window: what a neuron of a group looks at, (height, width) or one number. By default one
            that has as many positions as a group has neurons, near to 3×3.
        stride, padding: of the windows; by default 1 (or what fits) and none (or "same").
        on: an image file to look at, stretched to the size of `image`; by default a digit.
        seed: of the random weights.
        compare: compute the outputs of all stages on that image and compare them, if image and
            layer are not larger than 2²⁴ numbers.
        engine: to compute with, "llvm" or "numpy".
        measure: run each stage that fits into memory, and tell time and memory.
        batch_size: images of a batch in the measurement.
        threads: to measure with; None for all processors.

    Raises:
        ValueError, TypeError: sizes that do not fit, with those that would.
    """
    shape = _image(image)
    counts = (neurons,) if isinstance(neurons, int) else tuple(neurons)
    counts = tuple(whole_number(count, "neurons", WHO) for count in counts)
    if not counts:
        raise ValueError(f"{WHO}: neurons must be at least one number, got none")
    size = None if window is None else shapes.pair(window, "window", WHO)
    step = None if stride is None else shapes.pair(stride, "stride", WHO)
    around = None if padding is None else shapes.check_padding(padding, WHO)
    wanted = None if group is None else whole_number(group, "group", WHO)
    batch_size = whole_number(batch_size, "batch_size", WHO)
    first = counts[0]
    found, windows = choose((shape[0], shape[1]), first, wanted, size, step, around)
    further = tuple(Further(before, after) for before, after in itertools.pairwise(counts))
    too_large = max(math.prod(shape), first) > MOST_NUMBERS
    looked = picture(shape, on) if compare and not too_large else None
    return Derivation(
        image=shape,
        neurons=first,
        further=further,
        group=found,
        windows=windows,
        chosen=size is None,
        stages=stages_of(shape, first, found, windows),
        unshared=unshared_of(shape, first, found, windows) if found and windows else None,
        picture=looked,
        outputs=outputs_of(looked.pixels, first, found, windows, seed, engine) if looked else None,
        measurements=measurements_of(
            shape, first, found, windows, further, batch_size=batch_size, threads=threads
        )
        if measure
        else None,
        batch_size=batch_size if measure else 0,
        notes=(*_notes(first, found, windows), *([_TOO_LARGE] if too_large and compare else [])),
    )


def _image(value: Sequence[int]) -> Shape:
    if isinstance(value, (int, str)) or len(value) not in (2, 3):
        raise ValueError(
            f"{WHO}: image must be (height, width) or (height, width, channels), got {value!r}"
        )
    names = ("the image's height", "the image's width", "the image's channels")
    sides = [whole_number(n, what, WHO) for n, what in zip(value, names, strict=False)]
    return (sides[0], sides[1], sides[2] if len(sides) == 3 else 1)


def _notes(neurons: int, group: int | None, windows: Windows | None) -> tuple[str, ...]:
    if windows is not None:
        return ()
    if neurons == 1:
        return ("One neuron has nobody to share its weights with: here the derivation ends.",)
    if group is None:
        return (
            f"{neurons:,} neurons are not as many as the positions of any window up to 16×16, nor "
            "a multiple of that: name a window to be told how many neurons would fit.",
        )
    return (
        f"No window up to 16×16 has {group:,} positions on this image, one for each neuron of a "
        "group: name a window to be told which groups would fit.",
    )
