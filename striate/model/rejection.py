"""What a network needs to answer "unknown": a distance, and from which one on it does not know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from striate.common.arguments import real_number
from striate.common.arrays import Floats
from striate.common.errors import StriateTypeError, StriateValueError
from striate.common.short_repr import short_repr
from striate.common.text import listed

UNKNOWN = "unknown"
"""What is said instead of a class's name."""
ARRAYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "softmax": (),
        "logit": (),
        "energy": (),
        "mahalanobis": ("whitening", "means"),
        "neighbours": ("centre", "directions", "bank"),
        "exposure": ("hidden", "decided"),
    }
)
"""The scores by name, each with the arrays that it needs; see `striate.confidence.scores`."""
DESCRIPTIONS = {
    "softmax": "1 − the largest probability",
    "logit": "− the largest output",
    "energy": "− log Σ exp(outputs)",
    "mahalanobis": "Mahalanobis distance of the features from the nearest class",
    "neighbours": "distance of the features from those of the nearest images of the training",
    "exposure": 'margin of "no class" over all classes, by a small network on the features that '
    "has also learnt from images that were made up,",
}
"""The scores in words."""
ARRAY_NAMES = frozenset({"distances"}.union(*ARRAYS.values()))
"""No parameter or running statistic of a layer has one of these names."""
MOST_DISTANCES = 4096
"""So many distances of known images are kept at most."""
_ENTRIES = {"score", "threshold", "rate"}


@short_repr
@dataclass(frozen=True, eq=False)
class Rejection:
    """When to answer "unknown": where an image is farther from those of the training than a limit.

    Attributes:
        score: what the distance is: a name of `ARRAYS`.
        threshold: an image whose distance is larger is unknown.
        rate: the share of images of the known kind that is rejected by it, on average; above 0 and
            below 1.
        distances: float32 (k,), ascending: those of known images that were not trained on, or as
            many of their quantiles. They say how a distance compares.
        arrays: what the score needs, float32. "whitening" (features, dimensions) and "means"
            (classes, dimensions): features times the whitening have the same covariance, the
            identity, about the mean of their class. "centre" (1, features), "directions"
            (features, dimensions), "bank" (images, dimensions): features of images of the
            training, less the centre and times the directions, each of length 1. "hidden"
            (features + 1, units), "decided" (units + 1, classes + 1): the weights of a dense layer,
            a ReLU and a dense layer, whose last output is of no class; each with its bias as the
            last row.
    """

    score: str
    threshold: float
    rate: float
    distances: Floats
    arrays: Mapping[str, Floats]

    def __post_init__(self) -> None:
        who = "Rejection"
        if not isinstance(self.score, str) or self.score not in ARRAYS:
            raise StriateValueError(
                f"{who}: score must be one of {listed(list(ARRAYS))}, got {self.score!r}"
            )
        object.__setattr__(self, "threshold", real_number(self.threshold, "threshold", who))
        rate = real_number(self.rate, "rate", who)
        if not 0 < rate < 1:
            raise StriateValueError(f"{who}: rate must be above 0 and below 1, got {rate:g}")
        object.__setattr__(self, "rate", rate)
        if not isinstance(self.arrays, Mapping):
            raise StriateTypeError(f"{who}: arrays must be a mapping, got {self.arrays!r}")
        needed = ARRAYS[self.score]
        if set(self.arrays) != set(needed):
            raise StriateValueError(
                f"{who}: the score {self.score} needs the arrays {listed(list(needed)) or 'none'}, "
                f"got {listed(sorted(map(str, self.arrays))) or 'none'}"
            )
        for name, array in {"distances": self.distances, **self.arrays}.items():
            if not isinstance(array, np.ndarray) or array.dtype != np.float32 or not array.size:
                raise StriateTypeError(f"{who}: {name} must be an array of float32 with numbers")
            if array.ndim != (1 if name == "distances" else 2):
                raise StriateValueError(f"{who}: {name} has the shape {array.shape}")
            if not np.isfinite(array).all():
                raise StriateValueError(f"{who}: {name} holds numbers that are not finite")
        if len(self.distances) > MOST_DISTANCES or (np.diff(self.distances) < 0).any():
            raise StriateValueError(
                f"{who}: distances must be ascending, {MOST_DISTANCES:,} at most"
            )
        object.__setattr__(self, "arrays", MappingProxyType(dict(self.arrays)))

    def problem(self, outputs: tuple[int, ...], features: int | None) -> str | None:
        """What of it does not fit a network with outputs of this shape, and with so many features
        (see `striate.model.features`), in words; None if all does.
        """
        if len(outputs) != 1:
            return f"it rejects images by outputs of shape {outputs}, which are no classes"
        if not self.arrays:
            return None
        if features is None:
            return f"its score {self.score} needs features, which its network does not have"
        shapes = {name: array.shape for name, array in self.arrays.items()}
        wanted: dict[str, tuple[int, ...]]
        if self.score == "neighbours":
            images, dimensions = shapes["bank"]
            wanted = {
                "centre": (1, features),
                "directions": (features, dimensions),
                "bank": (images, dimensions),
            }
        elif self.score == "exposure":
            units = shapes["hidden"][1]
            wanted = {"hidden": (features + 1, units), "decided": (units + 1, outputs[0] + 1)}
        else:
            dimensions = shapes["whitening"][1]
            wanted = {"whitening": (features, dimensions), "means": (*outputs, dimensions)}
        for name, shape in wanted.items():
            if shapes[name] != shape:
                return f"answers/{name} has the shape {shapes[name]}, its network needs {shape}"
        return None

    def nearer(self, distances: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
        """The share of known images that are nearer than each of these distances, 0...1."""
        asked = np.asarray(distances, np.float64)
        places = np.searchsorted(self.distances.astype(np.float64), asked, side="left")
        return np.asarray(places / len(self.distances), np.float64)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able description, without the arrays."""
        return {"score": self.score, "threshold": self.threshold, "rate": self.rate}

    def tensors(self) -> dict[str, Floats]:
        """All its arrays by name, always in the same order."""
        arrays = {name: self.arrays[name] for name in ARRAYS[self.score]}
        return {"distances": self.distances, **arrays}

    @classmethod
    def from_dict(cls, description: Any, tensors: Mapping[str, Floats]) -> Rejection:
        """Read `to_dict`'s description, and `tensors`; others are a ValueError or TypeError."""
        if not isinstance(description, Mapping) or set(description) != _ENTRIES:
            raise StriateTypeError(
                f"Rejection: expected the entries {sorted(_ENTRIES)}, got {description!r}"
            )
        if "distances" not in tensors:
            raise StriateValueError("Rejection: its array answers/distances is missing")
        arrays = {name: array for name, array in tensors.items() if name != "distances"}
        return cls(**description, distances=tensors["distances"], arrays=arrays)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Rejection):
            return NotImplemented
        own, others = self.tensors(), other.tensors()
        return (
            self.to_dict() == other.to_dict()
            and own.keys() == others.keys()
            and all(np.array_equal(array, others[name]) for name, array in own.items())
        )

    def __hash__(self) -> int:
        return hash((self.score, self.threshold, self.rate))

    # A view of a mapping can be neither pickled nor copied.

    def __reduce__(self) -> tuple[Any, ...]:
        return Rejection, (
            self.score, self.threshold, self.rate, self.distances, dict(self.arrays)
        )  # fmt: skip
