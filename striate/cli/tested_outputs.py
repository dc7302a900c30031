"""Runs a classifier for the commands: outputs, distances, and the answers made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from striate.common.arrays import Array
from striate.confidence.probabilities import calibrated, probabilities
from striate.model.rejection import UNKNOWN

if TYPE_CHECKING:
    from striate.confidence.answering import Distances
    from striate.network import Network


def run_test(network: Network, images: Array, **how: Any) -> tuple[Array, Distances | None]:
    """The outputs of a network at its temperature, (n, classes), and the distances of the images if
    it has a rejection.

    Args:
        network: the network.
        images: raw.
        how: options of `Network.predict_logits`.
    """
    from striate.confidence.answering import outputs_and_distances

    outputs, found = outputs_and_distances(network, images, **how)
    return calibrated(network.answers, outputs), found


def answer(
    network: Network, images: Array, *, top: int, rejects: bool, **how: Any
) -> list[dict[str, Any]]:
    """What a network says of each image, as JSON-able values.

    Args:
        network: the network.
        images: raw.
        top: how many classes to name.
        rejects: whether to say that an image is unknown, which the network must be able to.
        how: options of `Network.predict_logits`.

    Returns:
        Of each image its "class" and "probability", and the "top" classes with theirs. With
        `rejects` also whether it is "unknown" (then the class is "unknown", and has no
        probability), its "distance", the "threshold" of that, and the share of known images that is
        "nearer".
    """
    found = network.distances(images, **how) if rejects else None
    rows = (
        network.predict_proba(images, **how)
        if found is None
        else probabilities(network.answers, found.outputs)
    )
    names = network.classes or [str(index) for index in range(rows.shape[1])]
    answers = []
    for place, row in enumerate(rows):
        # A stable sort, so that of equal classes the first one wins, as in argmax.
        best = (-row).argsort(kind="stable")[:top]
        ranked = [{"class": names[index], "probability": float(row[index])} for index in best]
        entry: dict[str, Any] = {**ranked[0], "top": ranked}
        if found is not None:
            entry |= {
                "unknown": bool(found.unknown[place]),
                "distance": float(found.values[place]),
                "threshold": found.threshold,
                "nearer": float(found.nearer[place]),
            }
            if entry["unknown"]:
                entry |= {"class": UNKNOWN, "probability": None}
        answers.append(entry)
    return answers
