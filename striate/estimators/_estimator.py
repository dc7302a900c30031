"""The base class of the classifier and the regressor: settings, training and prediction."""

from __future__ import annotations

import copy
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import joblib
import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from striate.common.arrays import Array, Floats, refuse_masked
from striate.common.errors import StriateTypeError, StriateValueError
from striate.common.text import sizes
from striate.data.network_images import named_images, read_for_network
from striate.estimators import automatic
from striate.estimators.backbone_images import BackboneInput
from striate.estimators.image_inputs import check_fit_inputs, check_inputs
from striate.estimators.samples import Samples
from striate.network import Network
from striate.ops.shapes import Shape
from striate.optim.losses import Loss
from striate.optim.optimizers import Optimizer
from striate.optim.schedules import ConstantRate
from striate.training import loop
from striate.training.checkpoint import Checkpoint
from striate.training.history import History
from striate.training.stopping import EarlyStopping
from striate.training.training_settings import NAMES, TrainingSettings

if TYPE_CHECKING:
    from striate.transfer.transfer_targets import TransferTargets

BackboneOption: TypeAlias = "str | os.PathLike[str] | Network | None"

BLOCK = 32  # images of a batch in predictions with NumPy

# The state of `partial_fit`, which `fit` removes.
_OF_PARTIAL_FIT = ("_optimizer", "_calls")
# What `fit` sets with a backbone only.
_OF_BACKBONE = ("_reading", "notes_")


class ConvNet(BaseEstimator):
    """The base of both estimators, which document the parameters; not for direct use."""

    n_features_in_: int
    input_shape_: Shape
    network_: Network
    history_: History
    n_iter_: int
    loss_curve_: list[float]

    def __init__(
        self,
        network: automatic.NetworkOption = None,
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
        augment: Any = None,
        early_stopping: bool | int = False,
        validation_fraction: float | None = None,
        warm_start: bool = False,
        random_state: Any = None,
        n_jobs: int | None = None,
        engine: str = "llvm",
        verbose: bool | int = False,
    ) -> None:
        self.network = network
        self.backbone = backbone
        self.tune = tune
        self.image_shape = image_shape
        self.epochs = epochs
        self.batch_size = batch_size
        self.groups = groups
        self.base_batch_size = base_batch_size
        self.learning_rate = learning_rate
        self.optimizer = optimizer
        self.schedule = schedule
        self.warmup_epochs = warmup_epochs
        self.weight_decay = weight_decay
        self.augment = augment
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.warm_start = warm_start
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.engine = engine
        self.verbose = verbose

    # What the subclasses define.

    def _loss(self, settings: TrainingSettings) -> Loss:
        raise NotImplementedError

    def _class_weight(self) -> dict[int, float] | str | None:
        return None

    def _backbone_targets(self, samples: Samples, outputs: int) -> TransferTargets:
        raise NotImplementedError

    # Data.

    def _first_images(self, X: ArrayLike) -> Array:
        if named_images(X) is not None:
            raise StriateValueError(
                f"{type(self).__name__}: fit takes images as an array, not their names: for a "
                "folder of them striate.load_data(folder, size=224).train_images is one"
            )
        images, self.input_shape_ = check_fit_inputs(self, X, self.image_shape)
        return images

    def _images(self, X: ArrayLike) -> Array:
        return check_inputs(self, X, self.input_shape_)

    def _weights(self, sample_weight: ArrayLike | None, images: Array) -> NDArray[np.float64]:
        refuse_masked(sample_weight, "sample_weight")
        weights: NDArray[np.float64] = _check_sample_weight(
            sample_weight, images[:, :0].reshape(len(images), -1), dtype=np.float64,
            ensure_non_negative=True,
        )  # fmt: skip
        if not weights.any():
            raise StriateValueError(
                "sample_weight is zero for every sample: there is nothing to train on"
            )
        return weights

    # Settings.

    def _settings(self, rows: int) -> TrainingSettings:
        """The user's settings, with automatic ones for those that are None."""
        base = automatic.automatic_settings(self.network, self.input_shape_, rows)
        if self.schedule is not None:
            base = replace(base, warmup=None)
        asked = {name: getattr(self, name, None) for name in NAMES if name != "augment"}
        settings = base.changed(**asked)
        if isinstance(self.augment, str) and self.augment == "auto":
            return settings
        return replace(settings, augment=automatic.check_augment(self.augment))

    def _threads(self) -> int | None:
        """The number of threads by `n_jobs`; None leaves it to the engine."""
        if self.n_jobs is None:
            return None
        if isinstance(self.n_jobs, bool) or not isinstance(self.n_jobs, int | np.integer):
            raise StriateTypeError(f"n_jobs must be a whole number or None, not {self.n_jobs!r}")
        if self.n_jobs == 0:
            raise StriateValueError(
                "n_jobs must not be 0: give a number of threads, or -1 for all cores"
            )
        return int(joblib.effective_n_jobs(self.n_jobs))

    def _early_stopping(self) -> EarlyStopping | None:
        if self.early_stopping is False or self.early_stopping is None:
            return None
        if self.early_stopping is True:
            return EarlyStopping(patience=10)
        return EarlyStopping(patience=self.early_stopping)

    def _validation_fraction(self) -> float:
        if self.validation_fraction is not None:
            return self.validation_fraction
        return 0.1 if self._early_stopping() is not None else 0.0

    # Training.

    def _train(
        self,
        samples: Samples,
        outputs: int,
        checkpoint: str | os.PathLike[str] | Checkpoint | None,
        resume: bool | str,
    ) -> None:
        """Train a new network, or with a warm start the present one further."""
        if self.backbone is not None:
            if checkpoint is not None:
                raise StriateValueError(
                    f"{type(self).__name__}: a checkpoint is for training from scratch: leave it "
                    "out, or backbone"
                )
            self._train_on_backbone(samples.without_zero_weights(), outputs)
            return
        if self.tune is not None:
            raise StriateValueError(
                f"{type(self).__name__}: tune says whether the last stages of a backbone are "
                "trained on: give backbone, too, or leave tune out"
            )
        if checkpoint is not None and self.random_state is None:
            raise StriateValueError(
                f"{type(self).__name__}: a checkpoint needs a random_state, such as 0; without one "
                "no other training begins alike, and so none could be resumed"
            )
        samples = samples.without_zero_weights()
        seed = self._drawn_seed()
        settings = self._settings(len(samples.images))
        if len(samples.images) <= settings.batch_size:
            samples = samples.merged()
        if self.epochs is None and not automatic.has_recipe(self.network, self.input_shape_):
            epochs = automatic.automatic_epochs(len(samples.images), settings.batch_size)
            settings = replace(settings, epochs=epochs)
        warm = self.warm_start and hasattr(self, "network_")
        if warm:
            self._check_from_scratch("warm_start")
        network = self.network_ if warm else self._build(outputs, len(samples.images), seed)
        settings = replace(settings, optimizer=_fresh_optimizer(settings), weight_decay=None)
        history = self._run(
            network, samples, settings, seed, early_stopping=self._early_stopping(),
            validation_fraction=self._validation_fraction(), checkpoint=checkpoint, resume=resume,
        )  # fmt: skip
        self._take_over(network, history)

    def _train_on_backbone(self, samples: Samples, outputs: int) -> None:
        """Train a network of the backbone."""
        from striate.estimators.on_backbone import train_on_backbone

        targets = self._backbone_targets(samples, outputs)
        made, reading = train_on_backbone(self, samples.images, targets, self._drawn_seed())
        self._take_over(
            made.network, made.history or History(), notes_=made.notes, _reading=reading
        )

    def _check_convertible(self) -> None:
        """Raise if skl2onnx cannot write what becomes of samples."""
        reading: BackboneInput | None = getattr(self, "_reading", None)
        if reading is not None and not reading.keeps_pixels:
            raise StriateValueError(
                f"{type(self).__name__}: skl2onnx cannot write how samples {sizes(reading.given)} "
                f"become images {sizes(reading.wanted)} of 0…{reading.maximum:g} for the backbone; "
                "write the network that reads those with network_.to_onnx"
            )

    def _take_over(self, network: Network, history: History, **further: Any) -> None:
        """Set what `fit` has made, and forget what was made otherwise."""
        for name in (*_OF_PARTIAL_FIT, *_OF_BACKBONE):
            self.__dict__.pop(name, None)
        self.network_ = network
        self.history_ = history
        self.n_iter_ = len(history)
        self.loss_curve_ = history.column("loss")
        self.__dict__.update(further)

    def _train_more(self, samples: Samples, outputs: int) -> None:
        """Train for one epoch on more samples, at a constant rate, with the same optimiser."""
        self._check_from_scratch("partial_fit")
        samples = samples.without_zero_weights()
        settings = self._settings(len(samples.images))
        if not hasattr(self, "network_"):
            self._seed = seed = self._drawn_seed()
            self.network_ = self._build(outputs, len(samples.images), seed)
            self.n_iter_, self.loss_curve_ = 0, []
        if not hasattr(self, "_optimizer"):
            self._optimizer = _fresh_optimizer(settings)
            self._calls = 0
        self._calls += 1
        settings = replace(
            settings, epochs=1, optimizer=self._optimizer, weight_decay=None,
            schedule=ConstantRate(), warmup=None, warmup_epochs=None,
        )  # fmt: skip
        seed = getattr(self, "_seed", 0) + self._calls
        self.history_ = self._run(self.network_, samples, settings, seed)
        self.n_iter_ += 1
        self.loss_curve_ = [*self.loss_curve_, self.history_[0].loss]

    def _check_from_scratch(self, what: str) -> None:
        """Raise if the network is one of a backbone, or would be."""
        if self.backbone is not None or hasattr(self, "_reading"):
            raise StriateValueError(
                f"{type(self).__name__}: {what} is for networks that are trained from scratch, and "
                "with a backbone fit begins anew: call fit with all samples"
            )

    def _drawn_seed(self) -> int:
        return int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))

    def _build(self, outputs: int, rows: int, seed: int) -> Network:
        return automatic.build(self.network, self.input_shape_, outputs, rows, seed)

    def _run(
        self,
        network: Network,
        samples: Samples,
        settings: TrainingSettings,
        seed: int,
        **options: Any,
    ) -> History:
        return loop.fit(
            network,
            samples.images,
            samples.targets,
            sample_weight=samples.weights,
            class_weight=self._class_weight(),
            **(settings.arguments() | {"loss": self._loss(settings)}),
            seed=seed,
            threads=self._threads(),
            engine=self.engine,
            progress=bool(self.verbose),
            **options,
        )

    # Prediction.

    def _outputs(self, X: ArrayLike) -> Floats:
        check_is_fitted(self, "network_")
        network, named = self.network_, named_images(X)
        if named is not None:
            images = read_for_network(named, network.preprocessing, network.input_shape)
        else:
            images = self._images(X)
            reading: BackboneInput | None = getattr(self, "_reading", None)
            if reading is not None:
                images = reading.images(images, type(self).__name__)
        threads = self._threads()
        if self.engine != "numpy":
            return network.predict_logits(images, engine=self.engine, threads=threads)
        # BLAS sums in another order for few rows than for many, and the prediction for an image
        # must not depend on the other images: so every product gets the same shape.
        count = len(images)
        images = np.concatenate([images, images[:1].repeat(-count % BLOCK, axis=0)])
        outputs = network.predict_logits(images, engine="numpy", batch_size=BLOCK)
        return outputs[:count]

    # For skl2onnx, which turns pipelines into ONNX; see `striate.exporting.onnx_pipelines`.

    def onnx_parser(self) -> None:
        """None: skl2onnx's names for the outputs of a classifier and a regressor will do."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


def _fresh_optimizer(settings: TrainingSettings) -> Optimizer:
    """An optimiser without state; one that the user gave is copied and not changed."""
    made = copy.deepcopy(settings.make_optimizer())
    made.reset()
    return made
