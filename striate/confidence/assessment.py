"""How far a network's probabilities, and its "unknown", can be trusted: figures of a test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.common.short_repr import short_repr
from striate.confidence.calibration_error import Bin, expected_calibration_error, reliability
from striate.confidence.coverage import (
    Coverage,
    area_under_risk,
    binomial_interval,
    coverages,
)
from striate.confidence.probabilities import probabilities
from striate.model.answers import Answers


@dataclass(frozen=True)
class Rejected:
    """Images of the known kind that are called unknown.

    Attributes:
        count, images: how many of how many.
        rate: the share that was asked for.
        interval: the shares that go with such a count (95 %, Clopper and Pearson).
        accuracy: of the others, the share that is right; None if there are none.
    """

    count: int
    images: int
    rate: float
    interval: tuple[float, float]
    accuracy: float | None

    @property
    def share(self) -> float:
        """The share of images that is called unknown."""
        return self.count / self.images

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON-able values."""
        return {**vars(self), "interval": list(self.interval), "share": self.share}


@short_repr
@dataclass(frozen=True)
class Assessment:
    """What a test tells of a network's probabilities.

    Attributes:
        calibration_error: the expected one, with as many bins as the curve has.
        confidence: the mean probability of the likeliest classes.
        curve: how often answers of each probability are right.
        coverages: the accuracy of the surest answers.
        area: under the risk-coverage curve.
        rejected: how many images are called unknown; None for a network without a rejection.
    """

    calibration_error: float
    confidence: float
    curve: tuple[Bin, ...]
    coverages: tuple[Coverage, ...]
    area: float
    rejected: Rejected | None

    def to_dict(self) -> dict[str, Any]:
        """All figures as JSON-able values."""
        return {
            "calibration_error": self.calibration_error,
            "confidence": self.confidence,
            "reliability": [each.to_dict() for each in self.curve],
            "coverage": [each.to_dict() for each in self.coverages],
            "area_under_risk_coverage": self.area,
            "rejected": None if self.rejected is None else self.rejected.to_dict(),
        }


def assess(
    answers: Answers, outputs: Array, labels: Array, unknown: Array | None = None
) -> Assessment:
    """Compare what a network says, and how sure it is, with the true classes.

    Args:
        answers: of the network.
        outputs: its own, (n, classes), before its temperature.
        labels: class indices, (n,).
        unknown: which images it rejects, (n,); None for a network without a rejection.

    Raises:
        ValueError: there are no images, or outputs that are not finite.
    """
    sure = probabilities(answers, outputs)
    if not len(sure) or not np.isfinite(sure).all():
        raise StriateValueError("assess: there are no images, or their outputs are not finite")
    confidences, right = sure.max(axis=1), sure.argmax(axis=1) == np.asarray(labels)
    curve = reliability(confidences, right)
    return Assessment(
        expected_calibration_error(curve),
        float(confidences.mean()),
        curve,
        coverages(confidences, right),
        area_under_risk(confidences, right),
        None if unknown is None else _rejected(answers, np.asarray(unknown), right),
    )


def _rejected(answers: Answers, unknown: Array, right: Array) -> Rejected:
    count, images = int(unknown.sum()), len(unknown)
    rate = answers.rejection.rate if answers.rejection is not None else 0.0
    rest = right[~unknown]
    return Rejected(
        count,
        images,
        rate,
        binomial_interval(count, images),
        float(rest.mean()) if len(rest) else None,
    )
