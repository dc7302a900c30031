"""The results of a derivation in one record, without anything that shows them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from striate.common.cached_property import cached_property
from striate.common.short_repr import short_repr
from striate.ops.shapes import Pair, Shape
from striate.teaching.derivation.input_picture import InputPicture
from striate.teaching.derivation.measure import Measurement
from striate.teaching.derivation.neighbour_correlation import NeighbourCorrelation
from striate.teaching.derivation.stage_outputs import StageOutputs
from striate.teaching.derivation.stages import DerivationStage, FollowingDense
from striate.teaching.derivation.windows import Windows

# Outputs of more neurons are left out of `to_dict`.
_MOST_LISTED = 256


@short_repr
@dataclass(frozen=True)
class DerivationData:
    """The stages from a fully connected layer to a convolution, with all that was found out.

    Attributes:
        image: (height, width, channels).
        neurons: number of neurons of the layer that is derived.
        further: the dense layers that follow it.
        group: how many successive neurons share their weights; None where nothing is shared.
        windows: the windows that the neurons of a group read; None where no window fits.
        chosen: whether the windows were chosen automatically, not given.
        stages: "dense", "grouped", "local" and "convolution", as far as there are groups and
            windows.
        unshared: the local stage without groups, which is a `LocallyConnected2D`.
        picture: the image on which outputs were computed; None if there are none.
        outputs: the outputs of each stage, and which stages agree; None if not computed.
        measurements: time and memory of each stage; None if not measured.
        batch_size: images of a batch in the measurements.
        notes: sentences on what is missing, and why, and on what to know of the windows.
        correlation: how alike near and far pixels of the user's own picture are; None without one.
    """

    image: Shape
    neurons: int
    further: tuple[FollowingDense, ...]
    group: int | None
    windows: Windows | None
    chosen: bool
    stages: tuple[DerivationStage, ...]
    unshared: DerivationStage | None
    picture: InputPicture | None = None
    outputs: StageOutputs | None = None
    measurements: tuple[Measurement, ...] | None = None
    batch_size: int = 0
    notes: tuple[str, ...] = field(default=())
    correlation: NeighbourCorrelation | None = None

    @property
    def size(self) -> Pair:
        """(height, width) of the image."""
        return self.image[0], self.image[1]

    @property
    def pixels(self) -> int:
        """Numbers of the image, channels included: the inputs of a dense layer."""
        return self.image[0] * self.image[1] * self.image[2]

    def stage(self, name: str) -> DerivationStage:
        """The stage called `name`; KeyError if there is none."""
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, DerivationStage]:
        named = {stage.name: stage for stage in self.stages}
        return named if self.unshared is None else {**named, "unshared": self.unshared}

    def total(self, stage: DerivationStage) -> int:
        """Weights of a stage and of the dense layers that follow it."""
        return stage.weights + sum(layer.weights for layer in self.further)

    def to_dict(self) -> dict[str, Any]:
        """All results as JSON-able values; outputs of more than 256 neurons are left out."""
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
                if len(values) <= _MOST_LISTED
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
            "correlation": self.correlation.to_dict() if self.correlation else None,
        }
