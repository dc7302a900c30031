"""How good a classifier is: accuracy, loss, precision, recall and the confusion matrix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from striate.model.model import Model
from striate.optim.losses import SoftmaxCrossEntropy
from striate.training.targets import as_images, indices_of_labels, label_indices

CLASSES = 100
"""The classes that a notebook shows in a table: of more only the first and the last."""


@dataclass(frozen=True)
class ClassReport:
    """The figures of one class. A share of no images at all is 0.

    Attributes:
        name: of the class.
        precision: of the images predicted to be of this class, the share that is.
        recall: of the images of this class, the share predicted to be.
        f1: the harmonic mean of precision and recall.
        support: how many images are of this class.
    """

    name: str
    precision: float
    recall: float
    f1: float
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
        precision = _share(right, confusion.sum(axis=0))
        recall = _share(right, confusion.sum(axis=1))
        f1 = _share(2.0 * precision * recall, precision + recall)
        reports = tuple(
            ClassReport(*row)
            for row in zip(
                map(str, names),
                precision.tolist(),
                recall.tolist(),
                f1.tolist(),
                confusion.sum(axis=1).tolist(),
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

    def to_dict(self) -> dict[str, Any]:
        """All figures as JSON-able values."""
        return {
            "accuracy": self.accuracy,
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
                    f"{report.precision:.2%}",
                    f"{report.recall:.2%}",
                    f"{report.f1:7.2%}",
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
        head = f"accuracy {self.accuracy:.2%}, loss {self.loss:.4f}, {self.images:,} images"
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
        outputs_of: computes the logits (n, classes) of images, such as `Network.predict_logits`.

    Raises:
        ValueError: there are no images, they are not the network's, or the labels do not fit.
    """
    checked = as_images(model, images)
    truth = label_indices(model, labels)
    if len(truth) != len(checked):
        raise StriateValueError(f"there are {len(checked)} images but {len(truth)} labels")
    if len(truth) == 0:
        raise StriateValueError("there are no images to evaluate on")
    return Evaluation.from_outputs(outputs_of(checked), truth, model.classes)


@unwatched
def _share(part: Array, whole: Array) -> NDArray[np.float64]:
    result: NDArray[np.float64] = np.divide(part, whole, out=np.zeros(len(whole)), where=whole > 0)
    return result
