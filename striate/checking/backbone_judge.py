"""Judges images by what a network that was trained on other photographs sees in them.

Linear classifiers on its features and small networks that are trained on the images alone err in
different ways, so labels are judged by both: their probabilities are multiplied, each raised to the
power that makes the labels of images that neither has seen likeliest (a logarithmic opinion pool).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from striate.checking.checked_images import CheckedImages
from striate.checking.label_check import softmax_of
from striate.checking.out_of_fold import Folds, OutOfFold
from striate.common.arrays import Floats
from striate.common.errors import StriateValueError
from striate.common.text import counted, sizes
from striate.data.dataset import Dataset, OnProgress
from striate.data.part import Labels
from striate.optim.losses import SoftmaxCrossEntropy
from striate.transfer.backbone import Backbone
from striate.transfer.class_head import fit_class_head
from striate.transfer.kept_features import FeatureExtractor

Powers = npt.NDArray[np.float64]


class BackboneJudge:
    """Judges images by the features of a backbone, which are kept on disk by content.

    Args:
        backbone: the network.
        as_read: the images that are checked, as it reads them.
        others: judge labels beside it; None to judge alone.
        seed: of the linear classifiers.
        threads: None for all processors.
        progress: called with (done, total, text).
    """

    def __init__(
        self,
        backbone: Backbone,
        as_read: Dataset,
        others: OutOfFold | None,
        *,
        seed: int = 0,
        threads: int | None = None,
        progress: OnProgress | None = None,
    ) -> None:
        self.backbone, self.others = backbone, others
        self.seed, self.threads, self.progress = seed, threads, progress
        self._read = CheckedImages.of(as_read)
        self._features: Floats | None = None

    @property
    def who(self) -> str:
        """Who judges labels, for people."""
        name = self.backbone.name
        if self.others is None:
            return f"classifiers on what {name} sees"
        return f"networks, with and without {name},"

    def verify(self, checked: CheckedImages) -> None:
        """Raise a StriateValueError if these are not the images that the backbone is given."""
        read, name = self._read, self.backbone.name
        if len(read) != len(checked) or read.paths != checked.paths:
            raise StriateValueError(
                f"check: {name} is given {counted(len(read), 'image')} that are not the "
                f"{len(checked):,} that are checked; load both from one source"
            )
        wanted = self.backbone.network.input_shape
        if read.shape != wanted:
            raise StriateValueError(
                f"check: {name} reads images {sizes(wanted)}, but is given {sizes(read.shape)}; "
                "load them with this size and colour"
            )

    def features(self) -> Floats:
        """Return what the backbone sees in each image, (n, features)."""
        if self._features is None:
            extractor = FeatureExtractor(self.backbone, threads=self.threads)
            parts = self._read.parts.values()
            self._features = np.concatenate(
                [extractor(part.images, progress=self.progress) for part in parts]
            )
        return self._features

    def __call__(self, checked: CheckedImages, folds: Folds) -> Floats:
        """Return what classifiers say of images that they were not trained on.

        Args:
            checked: the images.
            folds: of each image, (n,), 0, 1, ...: each classifier is trained on all but one.

        Returns:
            Outputs before the softmax, (n, classes).
        """
        features = self.features()
        if self.progress is not None:
            self.progress(0, 1, "training classifiers")
        head = fit_class_head(
            [features],
            checked.labels.astype(np.intp),
            len(checked.classes),
            folds=folds,
            seed=self.seed,
        )
        outputs = head.held_out.astype(np.float32)
        if self.others is None:
            return outputs
        return pooled(outputs, self.others(checked, folds), checked.labels)


def pooled(first: Floats, second: Floats, labels: Labels) -> Floats:
    """Return the outputs (n, classes) of two judges together.

    Args:
        first, second: their outputs before the softmax, (n, classes).
        labels: (n,), which the pool makes as likely as it can, most of them being right.
    """
    from scipy.optimize import minimize

    both = np.stack([np.log(np.maximum(softmax_of(each), 1e-9)) for each in (first, second)])
    criterion = SoftmaxCrossEntropy()
    targets = criterion.targets(labels, first.shape[1])
    shares = np.full(len(labels), 1 / len(labels))

    def loss(powers: Powers) -> tuple[float, Powers]:
        value, errors = criterion.value_and_gradient(np.tensordot(powers, both, 1), targets, shares)
        return value, np.tensordot(both, errors, 2)

    found = minimize(loss, np.full(2, 0.5), jac=True, method="L-BFGS-B", bounds=[(0, 4)] * 2)
    outputs: Floats = np.tensordot(found.x, both, 1).astype(np.float32)
    return outputs
