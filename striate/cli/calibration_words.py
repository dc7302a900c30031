"""What the commands say of calibrated probabilities and of rejected images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from striate.common.tables import table
from striate.common.text import counted, percent
from striate.model.rejection import DESCRIPTIONS

if TYPE_CHECKING:
    from striate.confidence.assessment import Assessment, Rejected


def sentences(calibration: Mapping[str, Any] | None) -> list[str]:
    """What was found after a training, from `Calibration.to_dict`: [] for None."""
    if calibration is None:
        return []
    told = [
        f"Calibrated on {counted(calibration['images'], 'image')} not trained on: temperature "
        f"{calibration['temperature']:.3g}, calibration error "
        f"{percent(calibration['error_before'])} before and {percent(calibration['error'])} after"
    ]
    rejection = calibration["rejection"]
    if rejection is not None:
        score = rejection["score"]
        shares = rejection["rejected_surrogates"].values()
        told.append(
            f'Says "unknown" where the {DESCRIPTIONS[score]} is above '
            f"{rejection['threshold']:.4g}: to {percent(rejection['rate'], '.3g')} of known images "
            f"and {percent(sum(shares) / len(shares), '.1f')} of images made up to be of no class "
            f"(AUROC {rejection['auroc'][score]:.4f})"
        )
    return told


def assessed(assessment: Assessment) -> str:
    """The calibration error, and coverage against accuracy, as lines."""
    rows: list[Sequence[str]] = [("surest", "images", "accuracy", "least probability")]
    rows += [
        (
            percent(each.coverage, ".0f"),
            f"{each.images:,}",
            percent(each.accuracy),
            percent(each.least),
        )
        for each in assessment.coverages
    ]
    lines = [
        f"Calibration error: {percent(assessment.calibration_error)} (expected, "
        f"{len(assessment.curve)} bins; mean probability {percent(assessment.confidence)})",
        "",
        table(rows),
    ]
    if assessment.rejected is not None:
        lines += ["", rejected(assessment.rejected)]
    return "\n".join(lines)


def rejected(found: Rejected) -> str:
    """How many known images are called unknown, in a sentence."""
    low, high = (percent(bound) for bound in found.interval)
    rest = (
        f"; of the others {percent(found.accuracy)} are right" if found.accuracy is not None else ""
    )
    return (
        f'Called "unknown": {found.count:,} of {counted(found.images, "image")}, '
        f"{percent(found.share)} (95 % interval {low} to {high}; asked for "
        f"{percent(found.rate, '.3g')}){rest}"
    )
