"""Images that are far from all others: of something else, noise, inverted, wrongly scaled.

Each image gets a few numbers that say how odd it is, in different ways. A number is odd if it is
far beyond the range of nearly all others, after the median of its class is taken away: many sets
have long tails, and of these the tails are no finding.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from striate.checking.checked_images import CheckedImages, Rows
from striate.checking.finding import CheckOutcome, Finding, strongest_first
from striate.checking.image_hashes import ImageHashes
from striate.common.arrays import Floats
from striate.common.text import counted
from striate.data.part import Labels

FENCE = 2.0
"""How far beyond the 95th percentile odd ones lie, in distances from the median to that."""
NEIGHBOUR = 5
"""Which neighbour's distance tells how far an image is from its class."""
MOST_OF_CLASS = 2000
"""Images of a class among which neighbours are looked for."""
MOST_SHARE, MOST = 0.01, 20
"""At most so many are told: this share of the images, or a number if that is more."""
LEAST = 30
"""Of fewer images it cannot be told which are odd."""

_BLOCK = 512

Numbers = npt.NDArray[np.float64]


def check_odd(
    checked: CheckedImages,
    hashes: ImageHashes,
    leave_out: Rows,
    outputs: Floats | None = None,
    features: Floats | None = None,
) -> CheckOutcome:
    """Look for images unlike all others.

    Args:
        checked: the images.
        hashes: of them.
        leave_out: rows that are another finding already, such as those of one colour.
        outputs: (n, classes), of networks that have not seen the image; None without them.
        features: (n, features), what a backbone sees in each image; it knows better than the pixels
            and `outputs` what is far from what.
    """
    rows = np.setdiff1d(np.arange(len(checked)), leave_out)
    if len(rows) < LEAST:
        return CheckOutcome(
            ("odd",), f"Of fewer than {LEAST} images it cannot be told which are odd.", made=False
        )
    labels = checked.labels[rows]
    measures = {}
    if features is not None:
        measures["shows what no other image shows"] = _apart(features[rows])
    else:
        measures["is far from all others of its class"] = _distances(hashes, rows, labels)
        if outputs is not None:
            measures["shows networks nothing that they know from other images"] = -_evidence(
                outputs[rows]
            )
    measures["has much more fine detail than others of its class, as noise has"] = _detail(
        checked, rows
    )
    strength = np.zeros(len(rows))
    why = np.zeros(len(rows), np.intp)
    for number, values in enumerate(measures.values()):
        beyond = beyond_fence(values, labels)
        why[beyond > strength] = number
        strength = np.maximum(strength, beyond)
    words = list(measures)
    findings = strongest_first(
        [
            Finding(
                "odd",
                f"{checked.called(int(rows[place]))} ({checked.class_of(int(rows[place]))}) "
                f"{words[why[place]]}",
                (int(rows[place]),),
                float(strength[place]),
            )
            for place in np.flatnonzero(strength > 1).tolist()
        ]
    )
    most = max(round(MOST_SHARE * len(rows)), MOST)
    every = counted(len(checked), "image")
    if not findings:
        return CheckOutcome(("odd",), f"None of {every} is far from all others.")
    told = f"{len(findings):,} of {every}"
    if len(findings) > most:
        told += f", of which the {most:,} oddest are told"
    return CheckOutcome(("odd",), told + ".", findings[:most])


def beyond_fence(values: Numbers, labels: Labels) -> Numbers:
    """How far each number is on its way to the fence, and above 1 beyond it, (n,).

    Args:
        values: (n,), larger for what is odder.
        labels: (n,), within which the median is taken away.
    """
    centred = values.astype(np.float64)
    for label in np.unique(labels):
        members = labels == label
        if members.sum() >= NEIGHBOUR:
            centred[members] -= np.median(centred[members])
    low, high = np.percentile(centred, [50, 95])
    fence = high + FENCE * (high - low)
    if fence <= low:
        return np.zeros(len(values))
    result: Numbers = (centred - low) / (fence - low)
    return result


def _distances(hashes: ImageHashes, rows: Rows, labels: Labels) -> Numbers:
    """The logarithm of the distance from each image to a near one of its class."""
    gray = hashes.gray[rows].reshape(len(rows), -1)
    vectors = np.concatenate([gray, hashes.colour[rows].reshape(len(rows), -1)], axis=1)
    found = np.zeros(len(rows))
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        sample = members[:: max(1, -(-len(members) // MOST_OF_CLASS))]
        if len(sample) <= NEIGHBOUR:
            sample = np.arange(len(rows))[:: max(1, -(-len(rows) // MOST_OF_CLASS))]
        others = vectors[sample]
        lengths = np.einsum("nk,nk->n", others, others)
        nearest = min(NEIGHBOUR, len(sample) - 1)
        for start in range(0, len(members), 1024):
            some = vectors[members[start : start + 1024]]
            squares = np.einsum("nk,nk->n", some, some)[:, None] + lengths - 2 * (some @ others.T)
            near = np.partition(squares, nearest, axis=1)[:, nearest]
            found[members[start : start + len(some)]] = near
    return 0.5 * np.log(np.maximum(found, 1.0))


def _apart(features: Floats) -> Numbers:
    """The distance of each image's features to those of a near one, on the sphere (Sun et al.,
    "Out-of-distribution detection with deep nearest neighbors", arXiv:2204.06507).
    """
    vectors = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-9)
    found = np.empty(len(vectors))
    for start in range(0, len(vectors), _BLOCK):
        block = vectors[start : start + _BLOCK]
        near = -block @ vectors.T  # an image is its own nearest: one more
        found[start : start + len(block)] = np.partition(near, NEIGHBOUR, axis=1)[:, NEIGHBOUR]
    return np.sqrt(np.maximum(1 + found, 0))


def _detail(checked: CheckedImages, rows: Rows) -> Numbers:
    """The logarithm of the standard deviation between neighbouring pixels."""
    found = np.zeros(len(checked))
    for start, images in checked.chunks():
        values = images.astype(np.float32)
        down, across = np.diff(values, axis=1), np.diff(values, axis=2)
        energy = np.zeros(len(images))
        for steps in (down, across):
            if steps.size:
                energy += np.square(steps).mean(axis=(1, 2, 3))
        found[start : start + len(images)] = np.sqrt(energy)
    found = found[rows]
    return np.log(np.maximum(found, max(0.01 * float(np.median(found)), 1e-9)))


def _evidence(outputs: Floats) -> Numbers:
    """The logarithm of the sum of the exponentials of the outputs: the free energy, negated (Liu
    et al., "Energy-based out-of-distribution detection", arXiv:2010.03759).
    """
    shifted = outputs.astype(np.float64)
    largest = shifted.max(axis=1)
    evidence: Numbers = largest + np.log(np.exp(shifted - largest[:, None]).sum(axis=1))
    return evidence
