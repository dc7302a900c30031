"""What a test of a network tells: as entries of a result, as sentences, and as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.cli.output import one_line
from striate.common.tables import table
from striate.common.text import counted, percent
from striate.training.evaluation import Evaluation
from striate.training.label_evaluation import LabelEvaluation
from striate.training.number_evaluation import QUANTILES, NumberEvaluation

if TYPE_CHECKING:
    from striate.common.arrays import Array
    from striate.training.answers_evaluation import AnyEvaluation

MOST_LABELS = 100
"""Of more, only those are shown that some image has, or is given."""
RARE = 0.5
"""A class is rare with fewer images than this share of what each would have if all had as many."""
POOR = 0.6
"""A recall below this share of the mean recall is poor."""
FEWEST = 3
"""Test images of a class from which on its recall says something."""


def figures(tested: AnyEvaluation) -> dict[str, Any]:
    """Return what is found as entries of the result of a training."""
    if isinstance(tested, LabelEvaluation):
        entries = {f"test_{name}": value for name, value in tested.to_dict().items()}
        entries.pop("test_images")
        return entries
    if isinstance(tested, NumberEvaluation):
        found = tested.to_dict()
        return {"test_r2": found["r2"], "test_numbers": found["numbers"]}
    return {
        "test_accuracy": tested.accuracy,
        "test_baseline": tested.baseline,
        "test_loss": tested.loss,
    }


def sentences(tested: AnyEvaluation) -> list[str]:
    """Return what is found, in words."""
    images = counted(tested.images, "image")
    if isinstance(tested, LabelEvaluation):
        return [
            f"Test on {images}: mean average precision {share(tested.mean_average_precision)}, F1 "
            f"{share(tested.micro_f1)} of all labels together",
            f"All labels of an image right: {percent(tested.subset_accuracy)}; wrong labels: "
            f"{percent(tested.hamming_loss)}; always what is more frequent of each: "
            f"{percent(tested.baseline)}",
        ]
    if isinstance(tested, NumberEvaluation):
        within = "half of the images within {:.4g}, 95 % within {:.4g}"
        return [
            f"Test on {images}: {one_line(report.name)}: mean error "
            f"{report.mean_absolute_error:.4g}, "
            + within.format(report.error_quantiles[0], report.error_quantiles[-1])
            + f"; root mean square {report.root_mean_squared_error:.4g}, always the mean: "
            f"{report.deviation:.4g} (R² {r2_text(report.r2)})"
            for report in tested.numbers
        ]
    return [
        f"Test accuracy: {percent(tested.accuracy)} on {images}; always the most frequent class: "
        f"{percent(tested.baseline)}"
    ]


def share(value: float | None) -> str:
    """Return a share as a percentage, "–" where nothing was measured."""
    return "–" if value is None else percent(value)


def r2_text(value: float | None) -> str:
    """Return R², "–" where nothing was measured."""
    return "–" if value is None else f"{value:.4f}"


def label_table(tested: LabelEvaluation) -> str:
    """Return the figures of the labels as a table."""
    shown = tested.labels
    if len(shown) > MOST_LABELS:
        shown = tuple(each for each in shown if each.support or each.precision is not None)
    hidden = len(tested.labels) - len(shown)
    rest = f"\n({counted(hidden, 'other label')}: of no image, and given to none)" * bool(hidden)
    rows = [("label", "images", "threshold", "precision", "recall", "F1", "average precision")]
    rows += [
        (
            one_line(report.name),
            f"{report.support:,}",
            f"{report.threshold:.3f}",
            share(report.precision),
            share(report.recall),
            share(report.f1),
            share(report.average_precision),
        )
        for report in shown
    ]
    return table(rows) + rest


def number_table(tested: NumberEvaluation) -> str:
    """Return the figures of the numbers as a table."""
    quantiles = [f"{100 * q:g} % within" for q in QUANTILES]
    rows = [("number", "mean error", "root mean square", "R²", *quantiles, "largest error")]
    for report in tested.numbers:
        sizes = (*report.error_quantiles, report.largest_error)
        rows.append(
            (
                one_line(report.name),
                f"{report.mean_absolute_error:.4g}",
                f"{report.root_mean_squared_error:.4g}",
                r2_text(report.r2),
                *(f"{size:.4g}" for size in sizes),
            )
        )
    return table(rows)


def rare_and_poor(
    tested: AnyEvaluation, train_labels: Array, class_weight: Sequence[str]
) -> list[str]:
    """Return a sentence for each class, or label, that is rare and poorly found.

    Args:
        tested: the test.
        train_labels: of the images that were trained on.
        class_weight: what was given as `--class-weight`.
    """
    reports: Sequence[Any] = ()
    if isinstance(tested, Evaluation):
        reports = tested.classes
        counts = np.bincount(train_labels, minlength=len(reports))
    elif isinstance(tested, LabelEvaluation):
        reports = tested.labels
        counts = train_labels.sum(axis=0).astype(np.int64)
    if not reports:
        return []
    recalls = [report.recall for report in reports if report.recall is not None]
    usual = float(np.mean(recalls)) if recalls else 0.0
    advice = "more images of it would help"
    if not class_weight:
        advice = "--class-weight balanced lets rare ones count as much as others"
    few = RARE * counts.sum() / len(counts)
    images = counted(len(train_labels), "training image")
    return [
        f"{one_line(report.name)!r} is rare, {count:,} of {images}, and poorly found: "
        f"{percent(report.recall, '.0f')} of its {counted(report.support, 'test image')}; {advice}"
        for report, count in zip(reports, counts.tolist(), strict=True)
        if report.support >= FEWEST and count < few and report.recall < POOR * usual
    ]
