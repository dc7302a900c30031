"""What a network says of images: classes, labels or numbers, or that it does not know."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from striate.common.arithmetic import unwatched
from striate.common.arrays import Array, Floats
from striate.common.errors import StriateValueError
from striate.common.short_repr import short_repr
from striate.confidence.finite_outputs import finite_outputs
from striate.confidence.label_decisions import given_labels
from striate.confidence.probabilities import probabilities
from striate.confidence.scores import distance
from striate.model.answers import Answers
from striate.model.rejection import UNKNOWN

if TYPE_CHECKING:
    from striate.data.network_images import NamedImages


class Predictor(Protocol):
    """What is needed of a `Network`."""

    classes: list[str] | None
    flat: Floats
    output_shape: tuple[int, ...]

    @property
    def answers(self) -> Answers:
        """How outputs become answers."""

    @property
    def predict_logits(self) -> Callable[..., Floats]:
        """From raw images to outputs."""

    def with_features(self) -> Self:
        """The network whose outputs are followed by its features."""


@short_repr
@dataclass(frozen=True, eq=False)
class Distances:
    """How far images are from those of the training, by the score of the network's rejection.

    Attributes:
        values: the distances, float64 (n,).
        nearer: which share of known images is nearer than that, float64 (n,), 0...1.
        unknown: whether it is larger than the threshold, bool (n,).
        threshold: from which on an image is unknown.
        score: the name of the score: see `striate.confidence.scores`.
        outputs: the network's, float32 (n, classes).
    """

    values: NDArray[np.float64]
    nearer: NDArray[np.float64]
    unknown: NDArray[np.bool_]
    threshold: float
    score: str
    outputs: Floats


def outputs_and_features(
    network: Predictor, images: Array | NamedImages, **options: Any
) -> tuple[Floats, Floats]:
    """The outputs (n, classes) and the features (n, features) of raw images, in one pass.

    A network without features has (n, 0) of them. The options are those of `predict_logits`.
    """
    both = network.with_features().predict_logits(images, **options)
    classes = network.output_shape[0]
    return both[:, :classes], both[:, classes:]


def distances(
    network: Predictor,
    images: Array | NamedImages,
    *,
    engine: str = "llvm",
    threads: int | None = None,
    batch_size: int = 256,
    exact: bool = False,
    bfloat16: bool = False,
    portable: bool = False,
    views: str = "plain",
) -> Distances:
    """How far images are from those of the training, and which are unknown.

    Args:
        network: with a rejection in its `answers`.
        images: as for `Network.predict_logits`, and so are the options.

    Raises:
        ValueError: the network has no rejection.
    """
    rejection = network.answers.rejection
    if rejection is None:
        raise StriateValueError(
            "Network: it has no rejection to tell unknown images by: train it with --reject, or "
            "give calibrate a rate to reject"
        )
    outputs, features = outputs_and_features(
        network,
        images,
        engine=engine,
        threads=threads,
        batch_size=batch_size,
        exact=exact,
        bfloat16=bfloat16,
        portable=portable,
        views=views,
    )
    found = distance(rejection.score, outputs, features, rejection.arrays)
    # What is no number is not known either.
    unknown = ~(found <= rejection.threshold)
    return Distances(
        found, rejection.nearer(found), unknown, rejection.threshold, rejection.score, outputs
    )


def outputs_and_distances(
    network: Predictor, images: Array | NamedImages, **options: Any
) -> tuple[Floats, Distances | None]:
    """The outputs (n, classes) of raw images, and how far they are if the network has a rejection.

    The options are those of `predict_logits`.
    """
    if network.answers.rejection is None:
        return network.predict_logits(images, **options), None
    found = distances(network, images, **options)
    return found.outputs, found


def predict(
    network: Predictor,
    images: Array | NamedImages,
    *,
    engine: str = "llvm",
    threads: int | None = None,
    batch_size: int = 256,
    exact: bool = False,
    bfloat16: bool = False,
    portable: bool = False,
    views: str = "plain",
    head: str | None = None,
    reject: bool | None = None,
) -> Array:
    """The likeliest class of each image: its name if `classes` is set, else its index; or, as
    `answers` say, the labels of each (n, labels), 1 where it has one and 0 where not, or numbers.

    Where the network has a rejection (`answers.rejection`), images that are too far from those of
    the training are "unknown", or -1 where the classes have no names.

    Args:
        network: the network.
        images: as for `predict_logits`, and so are the options but the last.
        reject: False names a class of every image; True wants a rejection; None rejects if the
            network can, and the outputs are not those of a head.

    Raises:
        ValueError: the network has no rejection, but is to reject.
    """
    options: dict[str, Any] = {
        "engine": engine,
        "threads": threads,
        "batch_size": batch_size,
        "exact": exact,
        "bfloat16": bfloat16,
        "portable": portable,
        "views": views,
    }
    can = network.answers.rejection is not None and head is None
    if not (can if reject is None else reject):
        return said(network.answers, finite_outputs(network, images, head=head, **options),
                    network.classes)  # fmt: skip
    if head is not None:
        raise StriateValueError("Network: only its output rejects, not a head: leave one out")
    found = distances(network, images, **options)
    known = said(network.answers, found.outputs, network.classes)
    return np.where(found.unknown, -1 if network.classes is None else UNKNOWN, known)


@unwatched
def said(answers: Answers, outputs: Array, names: Sequence[str] | None) -> Array:
    """What the outputs mean.

    Args:
        answers: of the network.
        outputs: the network's, (n, outputs).
        names: of the classes, or None.

    Returns:
        Of classes the likeliest of each image: its name if there are `names`, else its index (n,).
        Of labels int64 (n, labels): 1 where the image is given the label, else 0.  Of numbers
        float64 (n, numbers).
    """
    if answers.kind == "numbers":
        return np.asarray(outputs, np.float64)
    chances = probabilities(answers, outputs)
    if answers.kind == "labels":
        return given_labels(answers, chances).astype(np.int64)
    winners: Array = chances.argmax(axis=1)
    return winners if names is None else np.asarray(names)[winners]
