"""Looks for labels that are probably wrong."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from striate.checking.checked_images import CheckedImages
from striate.checking.confident_learning import wrong_labels
from striate.checking.finding import CheckOutcome, Finding, strongest_first
from striate.common.arrays import Floats
from striate.common.text import counted, percent

LEAST_OF_CLASS = 10
"""Images that a class must have: of fewer a network learns too little."""
LEAST_MARGIN = 0.3
"""By how much likelier another class must be than the label."""
MOST_LIKELY = 0.1
"""How likely a label that is told may be at most."""
LEAST_KAPPA = 0.5
"""How much of the way from guessing to certainty the networks must have gone."""


def label_reason(checked: CheckedImages) -> str:
    """Why labels cannot be checked, "" if they can."""
    counts = np.bincount(checked.labels, minlength=len(checked.classes))
    counts = counts[counts > 0]
    if len(counts) < 2:
        return "Labels were not checked: there is one class only."
    if counts.min() < LEAST_OF_CLASS:
        return (
            f"Labels were not checked: a class has {counts.min()} images, and a network that is to "
            f"judge labels needs {LEAST_OF_CLASS} or more of each."
        )
    return ""


def check_labels(checked: CheckedImages, outputs: Floats, who: str = "networks") -> CheckOutcome:
    """Tell which labels are probably wrong.

    Args:
        checked: the images.
        outputs: (n, classes), of networks that have not seen the image.
        who: these networks, for people.
    """
    probabilities = softmax_of(outputs)
    labels = checked.labels
    agree = float(np.mean(probabilities.argmax(axis=1) == labels))
    guess = float(np.bincount(labels).max() / len(labels))
    if agree < guess + LEAST_KAPPA * (1 - guess):
        return CheckOutcome(
            ("label",),
            f"Labels could not be judged: {who} that have not seen an image give it its label "
            f"in {percent(agree, '.0f')} of all cases, which is too little to rely on.",
            made=False,
        )
    found = wrong_labels(probabilities, labels, least_margin=LEAST_MARGIN)
    findings = []
    for row, suggested in zip(found.rows.tolist(), found.suggested.tolist(), strict=True):
        sure, likely = probabilities[row, suggested], probabilities[row, labels[row]]
        if likely > MOST_LIKELY:
            continue
        findings.append(
            Finding(
                "label",
                f"{checked.called(row)}: is labelled {checked.class_of(row)!r} and looks like "
                f"{checked.classes[suggested]!r} ({percent(sure, '.0f')})",
                (row,),
                -float(np.log10(max(likely, 1e-9))),
                suggested=suggested,
            )
        )
    findings = strongest_first(findings)
    told = (
        f"{len(findings):,} of {counted(len(labels), 'label')}" if findings
        else f"None of {counted(len(labels), 'label')}"
    )  # fmt: skip
    return CheckOutcome(
        ("label",),
        f"{told}; {who} that have not seen an image agree with {percent(agree, '.1f')} of them.",
        findings,
    )


def softmax_of(outputs: Floats) -> npt.NDArray[np.float64]:
    """The probabilities of outputs, (n, classes)."""
    from striate.optim.losses import softmax

    return np.asarray(softmax(np.asarray(outputs, np.float64)), np.float64)
