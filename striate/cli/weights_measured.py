"""What weights in fewer bits cost, for `striate export --weights … --measure SOURCE`: accuracy with
those of 32 bits and with these, and how many answers are others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from striate.cli.classifier import load_answering
from striate.cli.labelled import load_labelled
from striate.cli.output import note
from striate.cli.test_figures import sentences
from striate.common.arrays import Array
from striate.common.text import counted, percent
from striate.network import load

if TYPE_CHECKING:
    from striate.cli.labelled import Labelled
    from striate.model.model import Model
    from striate.network import Network
    from striate.training.answers_evaluation import AnyEvaluation

_IMAGES = 256
"""Images that are computed together."""


@dataclass(frozen=True)
class MeasuredWeights:
    """What a network says of labelled images with its weights as they are, and rounded.

    Attributes:
        tested: the images.
        weights: how the weights are rounded: "bfloat16" or "int8".
        before, after: how good its answers are with weights of 32 bits, and with these.
        changed: how many answers are others; None of numbers, which nearly all are.
        farthest: how far outputs move, at most, as a part of the largest.
    """

    tested: Labelled
    weights: str
    before: AnyEvaluation
    after: AnyEvaluation
    changed: int | None
    farthest: float

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-able values."""
        return {
            "source": self.tested.source,
            "part": self.tested.part,
            "float32": self.before.to_dict(),
            self.weights: self.after.to_dict(),
            "changed": self.changed,
            "farthest": self.farthest,
        }

    def lines(self) -> list[str]:
        """Return it in words."""
        found = [f"Weights as float32: {sentence}" for sentence in sentences(self.before)]
        found += [f"Weights as {self.weights}: {sentence}" for sentence in sentences(self.after)]
        moved = f"outputs move by at most {percent(self.farthest)} of the largest"
        if self.changed is None:
            return [*found, moved.capitalize()]
        images = counted(self.before.images, "image")
        return [*found, f"Other answers for {self.changed:,} of {images}; {moved}"]


@dataclass(frozen=True)
class SmallerWeights:
    """What a user asks for.

    Attributes:
        weights: how they are stored, one of `striate.freestanding.weights.rounded_weights.WEIGHTS`.
        measure: labelled images on which to say what that costs, or None.
    """

    weights: str
    measure: str | None

    def loaded(self, model: str, *, quiet: bool) -> tuple[Network, Labelled | None]:
        """Load the network in the file `model`, and the images to measure on.

        Raises:
            ModelFileError: the file cannot be read.
            DataError: the images cannot be read, or have other classes than the network.
            ClickException: there is nothing to measure, or no way to.
        """
        if self.measure is None:
            return load(model), None
        if self.weights == "float32":
            raise click.ClickException(
                "--measure says what smaller weights cost: give --weights bfloat16 or int8, too, "
                "or leave it out"
            )
        network = load_answering(model)
        tested = load_labelled(model, network, self.measure, None, skip_bad=False, quiet=quiet)
        images = counted(len(tested.images), "image")
        note(f"Measuring on {images} (--part {tested.part})", quiet=quiet)
        return network, tested

    def measured(self, network: Network, computed: Model, tested: Labelled) -> MeasuredWeights:
        """Compare a network with the one that exported code computes, with rounded weights."""
        from striate.training.answers_evaluation import evaluation_of

        before, after = _outputs(network.branch(), tested), _outputs(computed, tested)
        largest = float(np.abs(before).max())
        return MeasuredWeights(
            tested,
            self.weights,
            evaluation_of(network, before, tested.labels),
            evaluation_of(network, after, tested.labels),
            _changed(network, before, after),
            float(np.abs(after - before).max()) / largest if largest else 0.0,
        )


def _outputs(model: Model, tested: Labelled) -> Array:
    """Outputs as exported code adds them up, where the processor multiplies and adds at once."""
    from striate.plan.inference import CompiledNetwork

    count = len(tested.images)
    run = CompiledNetwork(model, batch_size=min(_IMAGES, count), exact=True, portable=True)
    parts = (tested.images[first : first + _IMAGES] for first in range(0, count, _IMAGES))
    return np.concatenate([run(np.asarray(part)) for part in parts])


def _changed(network: Network, before: Array, after: Array) -> int | None:
    """Count the images with another class, or with other labels."""
    from striate.confidence.label_decisions import given_labels
    from striate.confidence.probabilities import probabilities

    answers = network.answers
    if answers.kind == "numbers":
        return None
    if answers.kind == "classes":
        return int((before.argmax(axis=1) != after.argmax(axis=1)).sum())
    old, new = (given_labels(answers, probabilities(answers, found)) for found in (before, after))
    return int((old != new).any(axis=1).sum())
