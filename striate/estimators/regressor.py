"""`ConvNetRegressor`: a convolutional network as a scikit-learn regressor."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.utils.validation import _check_y, check_is_fitted

from striate.common.arithmetic import unwatched
from striate.common.arrays import Array, Floats, refuse_masked
from striate.common.errors import StriateValueError
from striate.estimators._estimator import ConvNet
from striate.estimators.samples import Samples
from striate.optim.losses import Loss, MeanSquaredError
from striate.training.checkpoint import Checkpoint
from striate.training.training_settings import TrainingSettings

if TYPE_CHECKING:
    from striate.transfer.transfer_targets import TransferTargets


class ConvNetRegressor(RegressorMixin, ConvNet):
    """A convolutional network as a scikit-learn regressor, trained by mean squared error.

    X is as for `ConvNetClassifier`; y is (n,) or (n, outputs).  Targets are standardised for
    training and predictions scaled back, so that learning rates do not depend on their unit.

    The parameters are those of `ConvNetClassifier` without `label_smoothing` and `class_weight`;
    `augment` is None by default, as moving or mirroring an image may change its target.  With a
    `backbone` a ridge regression is trained on what it sees in each image.

    Attributes:
        network_: the trained `Network`, whose outputs are standardised targets.
        target_mean_, target_scale_: mean and scale of the targets, (outputs,).
        history_, loss_curve_, n_iter_, n_features_in_, input_shape_: as for the classifier.
    """

    target_mean_: NDArray[np.float64]
    target_scale_: NDArray[np.float64]

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        checkpoint: str | os.PathLike[str] | Checkpoint | None = None,
        resume: bool | str = False,
    ) -> ConvNetRegressor:
        """Train on samples X, targets y (n,) or (n, outputs) and weights (n,), 0 or more.

        `checkpoint` and `resume` are those of `Network.fit`: training that was stopped goes on in
        another process that does the same. They need a `random_state`.
        """
        warm = self.warm_start and hasattr(self, "network_")
        images, targets = self._checked(X, y, first=not warm)
        weights = self._weights(sample_weight, images)
        if not warm:
            self._standardise(targets, weights)
        samples = Samples(images, self._scaled(targets), weights)
        self._train(samples, len(self.target_mean_), checkpoint, resume)
        return self

    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> ConvNetRegressor:
        """Train for one epoch on more samples, at a constant learning rate.

        The first call sets the standardisation of inputs and targets by its samples, which should
        therefore be typical.
        """
        first = not hasattr(self, "network_")
        images, targets = self._checked(X, y, first=first)
        weights = self._weights(sample_weight, images)
        if first:
            self._standardise(targets, weights)
        self._train_more(Samples(images, self._scaled(targets), weights), len(self.target_mean_))
        return self

    @unwatched
    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """The predictions, (n,) or (n, outputs) like the targets."""
        outputs = self._outputs(X)
        check_is_fitted(self, "target_mean_")
        values = outputs * self.target_scale_ + self.target_mean_
        return values[:, 0] if self._single else values

    def onnx_shape_calculator(self) -> Callable[[Any], None]:
        """For skl2onnx: a function that sets the type of an operator's output."""
        from striate.exporting.onnx_pipelines import set_value_type

        check_is_fitted(self, "network_")
        self._check_convertible()
        return lambda operator: set_value_type(operator, len(self.target_mean_))

    def onnx_converter(self) -> Callable[[Any, Any, Any], None]:
        """For skl2onnx: a function (scope, operator, container) that writes the nodes."""
        from striate.exporting.onnx_pipelines import write_regressor

        check_is_fitted(self, "network_")
        self._check_convertible()
        return lambda scope, operator, container: write_regressor(
            operator, container, self.network_, self.target_mean_, self.target_scale_
        )

    def _checked(
        self, X: ArrayLike, y: ArrayLike, first: bool
    ) -> tuple[Array, NDArray[np.float64]]:
        if y is None:
            raise StriateValueError(
                f"This {type(self).__name__} estimator requires y to be passed, but the target y "
                "is None."
            )
        refuse_masked(y, "y")
        images = self._first_images(X) if first else self._images(X)
        targets = _check_y(y, multi_output=True, y_numeric=True, estimator=self)
        targets = np.asarray(targets, dtype=np.float64)
        if len(targets) != len(images):
            raise StriateValueError(f"X has {len(images)} samples, but y has {len(targets)}")
        single = targets.ndim == 1
        if first:
            self._single = single
        rows = targets[:, None] if single else targets
        if not first and rows.shape[1] != len(self.target_mean_):
            raise StriateValueError(
                f"y has {rows.shape[1]} outputs, but {type(self).__name__} was fitted to "
                f"{len(self.target_mean_)}"
            )
        return images, rows

    @unwatched
    def _standardise(self, targets: NDArray[np.float64], weights: NDArray[np.float64]) -> None:
        """Set the weighted mean and standard deviation of the targets."""
        moments = [_moments(column, weights) for column in targets.T]
        self.target_mean_, spread = np.array(moments).T
        self.target_scale_ = np.where(spread > 1e-12 * np.abs(self.target_mean_), spread, 1.0)

    @unwatched
    def _scaled(self, targets: NDArray[np.float64]) -> Floats:
        return ((targets - self.target_mean_) / self.target_scale_).astype(np.float32)

    def _backbone_targets(self, samples: Samples, outputs: int) -> TransferTargets:
        from striate.transfer.transfer_targets import NumberTargets

        return NumberTargets(samples.targets, samples.weights)

    def _loss(self, settings: TrainingSettings) -> Loss:
        return MeanSquaredError()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


@unwatched
def _moments(
    values: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[np.float64, np.float64]:
    """The weighted mean and standard deviation of values.

    They are the same to the last bit for any order of the samples, and for integer weights and
    repeated samples.
    """
    values, weights = values[weights > 0.0], weights[weights > 0.0]
    order = np.lexsort((weights, values))
    distinct, places = np.unique(values[order], return_inverse=True)
    shares = np.bincount(places, weights=weights[order])
    mean = np.average(distinct, weights=shares)
    return mean, np.sqrt(np.average(np.square(distinct - mean), weights=shares))
