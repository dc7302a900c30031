"""How far probabilities can be trusted, and what is called unknown: for the page of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from striate.model.rejection import DESCRIPTIONS
from striate.reports import embedded_images
from striate.training.curves import svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from striate.confidence.calibration_error import Bin
    from striate.confidence.coverage import Coverage
    from striate.reports.data import Report

_BLUE, _ORANGE = "#3584e4", "#e66100"


def trust(report: Report) -> dict[str, Any]:
    """What the page's template needs."""
    found = report.assessment
    rejection = report.network.answers.rejection
    return {
        "assessment": found,
        "temperature": report.network.answers.temperature,
        "calibrated": report.network.answers.temperature != 1,
        "reliability": svg(lambda axes: _reliability(axes, found.curve)),
        "coverage": svg(lambda axes: _coverage(axes, found.coverages)),
        "rejection": rejection,
        "measure": None if rejection is None else DESCRIPTIONS[rejection.score],
        "cards": [_card(report, row) for row in report.rejected],
    }


def _reliability(axes: Axes, curve: tuple[Bin, ...]) -> None:
    """The accuracy of answers of each probability, as points whose area is their number."""
    shown = [each for each in curve if each.images]
    most = max(each.images for each in shown)
    axes.plot([0, 1], [0, 1], color=_ORANGE, linestyle="--", linewidth=1, label="as sure as right")
    axes.scatter(
        [each.confidence or 0 for each in shown],
        [each.accuracy or 0 for each in shown],
        s=[8 + 60 * each.images / most for each in shown],
        color=_BLUE,
        label="these images",
    )
    axes.set(xlim=(0, 1.02), ylim=(0, 1.05), xlabel="mean probability", ylabel="accuracy")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:.0%}")
    axes.legend(frameon=False, loc="best")


def _coverage(axes: Axes, rows: tuple[Coverage, ...]) -> None:
    """Accuracy over the share of images that is answered, the surest first."""
    axes.plot(
        [each.coverage for each in rows],
        [each.accuracy for each in rows],
        color=_BLUE,
        marker="o",
        markersize=3,
    )
    axes.set(xlabel="answered, the surest first", ylabel="accuracy", xlim=(1.02, 0.48))
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.yaxis.set_major_formatter("{x:.2%}" if rows[0].accuracy > 0.97 else "{x:.0%}")


def _card(report: Report, row: int) -> dict[str, Any]:
    answer = report.answers[row]
    distance = float("nan") if report.distances is None else float(report.distances.values[row])
    picture = embedded_images.shown(report.pictures[row], report.black, report.white)
    return {
        "picture": embedded_images.png(picture, embedded_images.THUMBNAIL),
        "index": row,
        "truth": report.classes[answer.truth],
        "guess": report.classes[answer.guess],
        "probability": answer.probability,
        "distance": distance,
    }
