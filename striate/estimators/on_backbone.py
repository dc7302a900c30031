"""Training on a backbone: which of an estimator's settings go with it, and what they mean there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from striate.common.arrays import Array
from striate.common.errors import StriateTypeError, StriateValueError
from striate.common.progress import Counting
from striate.common.terminal import notes
from striate.common.text import cut, listed
from striate.estimators.automatic import check_augment
from striate.estimators.backbone_images import BackboneInput
from striate.network import Network
from striate.training.training_settings import TrainingSettings
from striate.transfer.backbone import Backbone, find_backbone
from striate.transfer.fine_tuning import FineTuning
from striate.transfer.transfer_targets import TransferTargets
from striate.transfer.transferring import Transfer, Transferred

# What is for training from scratch, where each epoch sees other images.
_OF_SCRATCH = (
    "network", "groups", "base_batch_size", "optimizer", "schedule", "warmup_epochs",
    "early_stopping", "validation_fraction", "warm_start",
)  # fmt: skip
# What is said of the training of the last stages.
_OF_TUNING = ("epochs", "batch_size", "learning_rate", "weight_decay", "label_smoothing")


class OnBackbone(Protocol):
    """What is asked of an estimator: settings that both have; others are looked up by name."""

    augment: Any
    backbone: Any
    engine: str
    tune: Any
    verbose: bool | int

    def _threads(self) -> int | None:
        """The number of threads; None for all processors."""


def train_on_backbone(
    estimator: OnBackbone, samples: Array, targets: TransferTargets, seed: int
) -> tuple[Transferred, BackboneInput]:
    """Train a network from the backbone that an estimator names.

    Args:
        estimator: with its settings.
        samples: images (n, height, width, channels).
        targets: what is true of them.
        seed: of the folds, of the images that are held out, and of the training.

    Returns:
        What was made, the probabilities of classes calibrated unless weights differ; and what
        becomes of samples.

    Raises:
        StriateValueError, StriateTypeError: a setting that is for training from scratch, or images
            that do not fit.
    """
    settings, mirror, tune = _settings(estimator), _mirror(estimator.augment), _tune(estimator.tune)
    backbone = _backbone(estimator.backbone)
    name = type(estimator).__name__
    reading = BackboneInput.find(backbone.network, samples, name)
    talks = bool(estimator.verbose)
    transfer = Transfer(
        backbone,
        tune=tune,
        settings=settings,
        mirror=mirror,
        seed=seed,
        threads=estimator._threads(),
        progress=Counting() if talks else None,
        say=_say if talks else None,
        fit_options={"progress": talks},
    )
    if talks:
        _say(reading.description)
    images, weights = reading.images(samples, name), targets.weights
    made = transfer.begin(images, targets)
    transfer.go_on(made)
    # By weights probabilities are moved on purpose, and calibration would even them out.  Labels
    # are given to what is likelier than not, as scikit-learn's classifiers do.
    if targets.kind == "classes" and (weights is None or (weights == weights[0]).all()):
        made.calibrate()
    made.notes.insert(0, reading.description)
    made.network.preprocessing = reading.preprocessing(made.network.preprocessing)
    return made, reading


def _settings(estimator: OnBackbone) -> FineTuning:
    """How the last stages are trained.

    Raises:
        StriateValueError, StriateTypeError: a setting is for training from scratch, or out of its
            range.
    """
    name = type(estimator).__name__
    given = [one for one in _OF_SCRATCH if not _is_off(getattr(estimator, one))]
    if given:
        several = len(given) > 1
        raise StriateValueError(
            f"{name}: with a backbone each image is looked at once, and {listed(given, len(given))}"
            f" {'are' if several else 'is'} for training from scratch: leave "
            f"{'them' if several else 'it'} out, or backbone"
        )
    if estimator.engine != "llvm":
        raise StriateValueError(
            f"{name}: a backbone needs the compiled engine: leave engine={estimator.engine!r} out"
        )
    asked = {one: getattr(estimator, one, None) for one in _OF_TUNING}
    checked = TrainingSettings().changed(**asked)
    found = {one: getattr(checked, one) for one, value in asked.items() if value is not None}
    return replace(FineTuning(), **found)


def _is_off(value: Any) -> bool:
    return value is None or (isinstance(value, bool | int | float) and not value)


def _mirror(augment: Any) -> bool | None:
    """Whether images are learnt from both ways round; None to find out."""
    if isinstance(augment, str) and augment == "auto":
        return None
    checked = check_augment(augment)
    if checked is None:
        return False
    if isinstance(checked, Mapping):
        changes = {name: value for name, value in checked.items() if value}
        if set(changes) <= {"flip"}:
            return bool(changes)
    raise StriateValueError(
        "augment: with a backbone each image is looked at once, and perhaps once mirrored: give "
        f'"auto", None or {{"flip": True}}, not {cut(repr(augment), 80)}'
    )


def _tune(tune: Any) -> bool | None:
    if tune is not None and not isinstance(tune, bool | np.bool_):
        raise StriateTypeError(f"tune must be True, False or None, not {cut(repr(tune), 80)}")
    return None if tune is None else bool(tune)


def _backbone(source: Any) -> Backbone:
    if not isinstance(source, str | os.PathLike | Network):
        raise StriateTypeError(
            "backbone must be the name of a pretrained network, a model file of striate, an ONNX "
            f"file or a Network, not {cut(repr(source), 80)}"
        )
    return find_backbone(source)


def _say(sentence: str) -> None:
    print(sentence, file=notes())
