"""How good a network is at labels, of which each image has any number: label by label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate.common.arithmetic import unwatched
from striate.common.arrays import Array, as_real_array
from striate.common.errors import StriateValueError
from striate.common.short_repr import short_repr
from striate.common.tables import columns, html_table
from striate.common.text import counted
from striate.confidence.label_decisions import given_labels
from striate.confidence.probabilities import probabilities
from striate.model.answers import Answers
from striate.optim.losses import SigmoidCrossEntropy
from striate.training.evaluation import CLASSES, share_text, shares


@dataclass(frozen=True)
class LabelReport:
    """The figures of one label. A share of no images at all is None: nothing was measured.

    Attributes:
        name: of the label.
        threshold: the probability from which on an image is given the label.
        precision: of the images that are given the label, the share that has it.
        recall: of the images that have it, the share that is given it.
        f1: the harmonic mean of precision and recall; None without images that have the label, and
            0 where none of them is given it.
        average_precision: the mean of the precisions at all thresholds, each weighted by what the
            recall grows there: how well the images are ranked, whatever the threshold.
        support: how many images have the label.
    """

    name: str
    threshold: float
    precision: float | None
    recall: float | None
    f1: float | None
    average_precision: float | None
    support: int

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON-able values."""
        return dict(vars(self))


@short_repr
@dataclass(frozen=True, eq=False)
class LabelEvaluation:
    """A network's outputs compared with the labels of images. ``str()`` is a table.

    Attributes:
        images: how many there are.
        loss: the mean cross-entropy of all labels of all images.
        subset_accuracy: the share of images of which every label is right.
        hamming_loss: the share of labels that are wrong, of all labels of all images.
        mean_average_precision: the mean over the labels that some image has; None if none has any.
        micro_f1: the F1 score of all labels of all images together; None if no image has any.
        macro_f1: the mean of the labels' F1 scores, of those that some image has; None likewise.
        baseline: the hamming loss of one who gives each label to all images or to none, whichever
            is right more often.
        labels: the figures of each label.
    """

    images: int
    loss: float
    subset_accuracy: float
    hamming_loss: float
    mean_average_precision: float | None
    micro_f1: float | None
    macro_f1: float | None
    baseline: float
    labels: tuple[LabelReport, ...]

    @classmethod
    @unwatched
    def from_outputs(
        cls,
        outputs: Array,
        labels: ArrayLike,
        names: Sequence[str] | None = None,
        answers: Answers | None = None,
    ) -> LabelEvaluation:
        """Compare logits with the labels of the images.

        Args:
            outputs: logits, (images, labels).
            labels: 1 where an image has a label, else 0, (images, labels).
            names: of the labels; by default their numbers.
            answers: the network's, with its temperature and thresholds.

        Raises:
            ValueError: there are no images, the labels are of another shape or other numbers, or
                the outputs are not finite.
        """
        outputs = as_real_array(outputs, "outputs")
        if outputs.ndim != 2:
            raise StriateValueError(f"outputs must be (images, labels), got {outputs.shape}")
        if len(outputs) == 0:
            raise StriateValueError("there are no images to evaluate on")
        if not np.isfinite(outputs).all():
            raise StriateValueError("the outputs hold NaN or infinity: the network has diverged")
        count = outputs.shape[1]
        targets = SigmoidCrossEntropy().targets(labels, count)
        if len(targets) != len(outputs):
            raise StriateValueError(f"there are {len(outputs)} images but {len(targets)} labels")
        truth = targets > 0.5
        names = [str(index) for index in range(count)] if names is None else list(names)
        if len(names) != count:
            raise StriateValueError(f"there are {len(names)} names for {count} labels")
        answers = Answers("labels") if answers is None else answers
        chances = probabilities(answers, outputs)
        given = given_labels(answers, chances)
        right = (given & truth).sum(axis=0)
        called, support = given.sum(axis=0), truth.sum(axis=0)
        both = called + support
        f1 = shares(2 * right, np.where(support > 0, both, 0))
        ranked = [average_precision(chances[:, i], truth[:, i]) for i in range(count)]
        reports = tuple(
            LabelReport(*row)
            for row in zip(
                map(str, names),
                answers.thresholds or (0.5,) * count,
                shares(right, called),
                shares(right, support),
                f1,
                ranked,
                support.tolist(),
                strict=True,
            )
        )
        losses = SigmoidCrossEntropy().per_image(
            np.asarray(outputs, np.float64) / answers.temperature, targets.astype(np.float64)
        )
        return cls(
            images=len(outputs),
            loss=float(losses.mean()),
            subset_accuracy=float((given == truth).all(axis=1).mean()),
            hamming_loss=float((given != truth).mean()),
            mean_average_precision=_mean(ranked),
            micro_f1=float(2 * right.sum() / both.sum()) if support.any() else None,
            macro_f1=_mean(f1),
            baseline=float(np.minimum(support, len(truth) - support).mean() / len(truth)),
            labels=reports,
        )

    def to_dict(self) -> dict[str, Any]:
        """All figures as JSON-able values."""
        return {**vars(self), "labels": [report.to_dict() for report in self.labels]}

    def table(self) -> list[tuple[str, ...]]:
        """The figures of the labels as cells of text, below a row of names."""
        head = ("label", "images", "threshold", "precision", "recall", "f1", "average precision")
        return [
            head,
            *(
                (
                    report.name,
                    f"{report.support:,}",
                    f"{report.threshold:.3f}",
                    share_text(report.precision),
                    share_text(report.recall),
                    share_text(report.f1),
                    share_text(report.average_precision),
                )
                for report in self.labels
            ),
        ]

    def _brief(self) -> str:
        ranked = self.mean_average_precision
        return (
            f"mean average precision {'–' if ranked is None else f'{ranked:.2%}'}, "
            f"all labels right {self.subset_accuracy:.2%}, loss {self.loss:.4f}, "
            f"{counted(self.images, 'image')}, {counted(len(self.labels), 'label')}"
        )

    def __str__(self) -> str:
        head = f"{self._brief()}; wrong labels {self.hamming_loss:.2%}"
        return "\n".join([head, "", *columns(self.table())])

    def _repr_html_(self) -> str:
        return f"<p>{escape(self._brief())}</p>{html_table(self.table(), most=CLASSES)}"


@unwatched
def average_precision(scores: Array, truth: NDArray[np.bool_]) -> float | None:
    """The area below the curve of precision over recall, as a sum of steps: Σ (R_n - R_n-1) P_n.

    Args:
        scores: (images,), larger for images that rather have the label. Equal ones are one step.
        truth: (images,), whether each has it.

    Returns:
        A share, or None if no image has the label.
    """
    positives = int(truth.sum())
    if not positives:
        return None
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
    right = np.cumsum(truth[order])[ends]
    precision = right / (ends + 1)
    return float((np.diff(right, prepend=0) * precision).sum() / positives)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
