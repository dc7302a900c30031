"""How good a classifier is: accuracy, loss, precision, recall and the confusion matrix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate.common.arrays import Array, as_real_array
from striate.common.errors import StriateValueError
from striate.common.short_repr import short_repr
from striate.common.tables import columns, html_table
from striate.common.text import counted
from striate.confidence.probabilities import calibrated
from striate.model.model import Model
from striate.optim.losses import SoftmaxCrossEntropy
from striate.training.targets import as_images, indices_of_labels, label_indices

CLASSES = 100
"""The classes that a notebook shows in a table: of more only the first and the last."""


@dataclass(frozen=True)
class ClassReport:
    """The figures of one class. A share of no images at all is None: nothing was measured.

    Attributes:
        name: of the class.
        precision: of the images predicted to be of this class, the share that is.
        recall: of the images of this class, the share predicted to be.
        f1: the harmonic mean of precision and recall; None without images of this class, and 0
            where none of them was predicted to be.
        support: how many images are of this class.
    """

    name: str
    precision: float | None
    recall: float | None
    f1: float | None
    support: int

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON-able values."""
        return dict(vars(self))


@short_repr
@dataclass(frozen=True, eq=False)
class Evaluation:
    """A network's outputs compared with the true labels. ``str()`` is a table.

    Attributes:
        accuracy: the share of images whose predicted class is right.
        loss: the mean cross-entropy, without label smoothing.
        images: how many there are.
        classes: the figures of each class.
        confusion: int64 (classes, classes); ``confusion[i, j]`` counts the images of class i that
            were predicted to be of class j.
    """

    accuracy: float
    loss: float
    images: int
    classes: tuple[ClassReport, ...]
    confusion: NDArray[np.int64]

    @classmethod
    def from_outputs(
        cls, outputs: Array, labels: ArrayLike, names: Sequence[str] | None = None
    ) -> Evaluation:
        """Compare logits with the labels of the images.

        Args:
            outputs: logits, (images, classes).
            labels: class indices, or names if there are `names`, (images,).
            names: of the classes; by default their numbers.

        Raises:
            ValueError: there are no images, not as many labels, or outputs that are not finite.
        """
        outputs = as_real_array(outputs, "outputs")
        if outputs.ndim != 2:
            raise StriateValueError(f"outputs must be (images, classes), got {outputs.shape}")
        count = outputs.shape[1]
        truth = indices_of_labels(labels, count, names)
        if len(truth) != len(outputs):
            raise StriateValueError(f"there are {len(outputs)} images but {len(truth)} labels")
        if len(truth) == 0:
            raise StriateValueError("there are no images to evaluate on")
        if not np.isfinite(outputs).all():
            raise StriateValueError("the outputs hold NaN or infinity: the network has diverged")
        if names is None:
            names = [str(index) for index in range(count)]
        if len(names) != count:
            raise StriateValueError(f"there are {len(names)} names for {count} classes")
        criterion = SoftmaxCrossEntropy()
        targets = criterion.targets(truth, count)
        losses = criterion.per_image(np.asarray(outputs, dtype=np.float64), targets)
        predicted = outputs.argmax(axis=1)
        confusion = np.bincount(truth * count + predicted, minlength=count * count)
        confusion = confusion.reshape(count, count).astype(np.int64)
        right = np.diag(confusion)
        called, support = confusion.sum(axis=0), confusion.sum(axis=1)
        reports = tuple(
            ClassReport(*row)
            for row in zip(
                map(str, names),
                shares(right, called),
                shares(right, support),
                shares(2 * right, np.where(support > 0, called + support, 0)),
                support.tolist(),
                strict=True,
            )
        )
        return cls(
            accuracy=float(right.sum() / len(truth)),
            loss=float(losses.mean()),
            images=len(truth),
            classes=reports,
            confusion=confusion,
        )

    @property
    def baseline(self) -> float:
        """The accuracy of one who always says the class that most of these images have."""
        return max(report.support for report in self.classes) / self.images

    def to_dict(self) -> dict[str, Any]:
        """All figures as JSON-able values."""
        return {
            "accuracy": self.accuracy,
            "baseline": self.baseline,
            "loss": self.loss,
            "images": self.images,
            "classes": [report.to_dict() for report in self.classes],
            "confusion": self.confusion.tolist(),
        }

    def table(self) -> list[tuple[str, ...]]:
        """The figures of the classes as cells of text, below a row of names."""
        # Numbers as wide as they can be: the columns are the same for all evaluations.
        head: tuple[str, ...] = (
            "class",
            " precision",
            " recall",
            "f1",
            "images",
            " most often taken for",
        )
        rows = [head]
        for index, report in enumerate(self.classes):
            others = self.confusion[index].copy()
            others[index] = 0
            worst = int(others.argmax())
            mistake = f"{self.classes[worst].name} ({others[worst]})" if others[worst] else ""
            rows.append(
                (
                    report.name,
                    share_text(report.precision),
                    share_text(report.recall),
                    share_text(report.f1),
                    f"{report.support:7,}",
                    f" {mistake}",
                )
            )
        return rows

    def _brief(self) -> str:
        return (
            f"accuracy {self.accuracy:.2%}, loss {self.loss:.4f}, {counted(self.images, 'image')}, "
            f"{counted(len(self.classes), 'class')}"
        )

    def __str__(self) -> str:
        head = (
            f"accuracy {self.accuracy:.2%}, always the most frequent class {self.baseline:.2%}, "
            f"loss {self.loss:.4f}, {self.images:,} images"
        )
        lines = columns(self.table(), left=lambda column, _: column in (0, 5), gap=" ")
        return "\n".join([head, "", *lines])

    def _repr_html_(self) -> str:
        return f"<p>{escape(self._brief())}</p>{html_table(self.table(), most=CLASSES)}"


def evaluate(
    model: Model, images: ArrayLike, labels: ArrayLike, outputs_of: Callable[[Array], Array]
) -> Evaluation:
    """Compare a model's outputs for raw images with the labels of these images.

    Args:
        model: the network, with its class names.
        images: raw, (n, height, width, channels), or (n, height, width) if gray.
        labels: class indices or names, (n,).
        outputs_of: computes the logits (n, classes) of images, such as `Network.predict_logits`;
            the loss is that of the probabilities, at the model's temperature.

    Raises:
        ValueError: there are no images, they are not the network's, or the labels do not fit.
    """
    checked = as_images(model, images)
    truth = label_indices(model, labels)
    if len(truth) != len(checked):
        raise StriateValueError(f"there are {len(checked)} images but {len(truth)} labels")
    if len(truth) == 0:
        raise StriateValueError("there are no images to evaluate on")
    outputs = calibrated(model.answers, outputs_of(checked))
    return Evaluation.from_outputs(outputs, truth, model.classes)


def share_text(share: float | None) -> str:
    """Return a share as it stands in a table, 7 characters wide: "98.57%"; "–" for None."""
    return "–".rjust(7) if share is None else f"{share:7.2%}"


def shares(part: NDArray[np.int64], whole: NDArray[np.int64]) -> list[float | None]:
    """Return `part` of `whole` for each class, None where the whole is nothing."""
    pairs = zip(part.tolist(), whole.tolist(), strict=True)
    return [part / whole if whole else None for part, whole in pairs]
