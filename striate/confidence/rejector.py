"""Chooses when a network says "unknown": by which score, and from which distance on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.common.arrays import Array, Floats, Images
from striate.common.errors import StriateValueError
from striate.common.short_repr import short_repr
from striate.common.text import counted
from striate.confidence.coverage import auroc
from striate.confidence.scores import distance, fit_arrays
from striate.confidence.surrogates import KINDS, surrogates
from striate.model.rejection import Rejection

Split = tuple[Array, Array]
"""Outputs (n, classes) and features (n, features) of images."""

Learner = Callable[[Array, Array, Array], Mapping[str, Floats]]
"""From features and class indices of images of the training, and features of surrogates, to the
arrays of the score "exposure"."""

MOST_FITTED = 20_000
"""So many images of the training are what others are compared with."""
SURROGATES = (200, 1500)
"""So many surrogates are made of each kind, at least and at most: together as many as there are
images of the training…"""
MOST_PIXELS = 50_000_000
"""…and each kind of no more pixels than this."""
TOLD = 0.65
"""Surrogates are of the known kind, in truth, if the best score tells them with a lower AUROC."""
KEPT = 1000
"""So many quantiles of the distances of known images are kept."""


@short_repr
@dataclass(frozen=True)
class RejectionChoice:
    """A rejection, and what it was chosen by.

    Attributes:
        rejection: the one with the best score.
        auroc: of each score, by name, and of each kind of surrogate: how well it tells surrogates
            from known images that were not trained on.
        rejected: the share of each kind of surrogate that it rejects.
        images: how many known images the threshold comes of.
    """

    rejection: Rejection
    auroc: Mapping[str, Mapping[str, float]]
    rejected: Mapping[str, float]
    images: int

    def mean_auroc(self, score: str) -> float:
        """Of a score, over the kinds of surrogates."""
        return float(np.mean(list(self.auroc[score].values())))

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON-able values."""
        return {
            "score": self.rejection.score,
            "rate": self.rejection.rate,
            "threshold": self.rejection.threshold,
            "images": self.images,
            "auroc": {score: self.mean_auroc(score) for score in self.auroc},
            "rejected_surrogates": dict(self.rejected),
        }


def fewest_images(rate: float) -> int:
    """How many known images a threshold for this rate needs: with fewer, none is large enough."""
    return math.ceil(1 / rate - 1e-9) - 1


def threshold_for(distances: Array, rate: float) -> float:
    """The threshold that a share of `rate` of known images exceeds at most, on average.

    It is the ⌈(n + 1)(1 - rate)⌉-th smallest of n distances: an image of the same distribution as
    these is farther with a probability of at most `rate` (Vovk, Gammerman and Shafer, 2005,
    "Algorithmic Learning in a Random World": conformal prediction).

    Raises:
        ValueError: there are too few for such a rate.
    """
    count = len(distances)
    place = math.ceil((count + 1) * (1 - rate) - 1e-9)
    if place > count:
        raise StriateValueError(
            f"to reject {rate:g} of known images needs at least "
            f"{counted(fewest_images(rate), 'image')} that were not trained on, got {count}: give "
            "more, or a higher rate"
        )
    return float(np.sort(np.asarray(distances, np.float64))[place - 1])


def choose_rejection(
    rate: float,
    *,
    training: tuple[Images, Array],
    known: Split,
    classes: int,
    run: Callable[[Images], Split],
    learn: Learner | None = None,
    seed: int = 0,
) -> RejectionChoice:
    """Choose the score with the highest AUROC on surrogates of unknown images, and its threshold.

    The score that is learnt from surrogates is judged by kinds that it has not learnt from: half of
    them, and then the other half. If it is chosen it learns from all.

    Args:
        rate: the share of images of the known kind to reject.
        training: images that the network was trained on, raw, and their class indices.
        known: outputs and features of images of the known kind that it was not trained on.
        classes: how many the network has.
        run: from raw images to outputs and features.
        learn: makes the score "exposure"; None to do without.
        seed: of what is drawn at random.

    Raises:
        ValueError: there are too few known images for such a rate.
    """
    rng = np.random.default_rng([seed, 17])
    images, labels = training
    fewest = fewest_images(rate)
    if len(known[0]) < fewest:
        threshold_for(known[0][:, 0], rate)  # says so
    rows = np.sort(rng.permutation(len(images))[:MOST_FITTED])
    fitted, of = images[rows], np.asarray(labels)[rows]
    features = run(fitted)[1]
    arrays = fit_arrays(features, of, classes)
    made = {name: run(some) for name, some in surrogates(fitted, of, _count(fitted), rng).items()}
    near = {score: distance(score, *known, needs) for score, needs in arrays.items()}
    far = {
        score: {kind: distance(score, *split, needs) for kind, split in made.items()}
        for score, needs in arrays.items()
    }
    told = {
        score: {kind: auroc(near[score], values) for kind, values in kinds.items()}
        for score, kinds in far.items()
        if np.isfinite(near[score]).all()
    }
    strange = [kind for kind in made if max(told[score][kind] for score in told) >= TOLD]
    strange = strange or list(made)
    told = {score: {kind: kinds[kind] for kind in strange} for score, kinds in told.items()}
    if learn is not None and features.shape[1] and len(strange) > 1:

        def exposed_to(kinds: Sequence[str]) -> Mapping[str, Floats]:
            return learn(features, of, np.concatenate([made[kind][1] for kind in kinds]))

        told["exposure"] = {}
        for half in (strange[::2], strange[1::2]):
            trial = exposed_to([kind for kind in strange if kind not in half])
            around = distance("exposure", *known, trial)
            for kind in half:
                told["exposure"][kind] = auroc(around, distance("exposure", *made[kind], trial))
    best = max(told, key=lambda score: np.mean(list(told[score].values())))
    if best == "exposure":
        arrays[best] = dict(exposed_to(strange))
        near[best] = distance(best, *known, arrays[best])
        far[best] = {kind: distance(best, *made[kind], arrays[best]) for kind in strange}
    limit = threshold_for(near[best], rate)
    rejection = Rejection(best, limit, rate, quantiles(near[best]), arrays[best])
    return RejectionChoice(
        rejection,
        told,
        {kind: float((far[best][kind] > limit).mean()) for kind in strange},
        len(known[0]),
    )


def _count(images: Images) -> int:
    """How many surrogates are made of each kind."""
    least, most = SURROGATES
    wanted = min(max(len(images) // len(KINDS), least), most)
    return max(1, min(wanted, MOST_PIXELS // math.prod(images.shape[1:])))


def quantiles(distances: NDArray[np.float64]) -> NDArray[np.float32]:
    """All distances, ascending, or `KEPT` of their quantiles."""
    ordered = np.sort(distances)
    if len(ordered) > KEPT:
        ordered = ordered[np.linspace(0, len(ordered) - 1, KEPT).round().astype(np.intp)]
    return ordered.astype(np.float32)
