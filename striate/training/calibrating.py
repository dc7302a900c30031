"""Fits what a network says of its outputs to images that it was not trained on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike

from striate.common.arguments import real_number
from striate.common.arrays import Array, Floats
from striate.common.errors import StriateValueError
from striate.common.short_repr import short_repr
from striate.confidence.answering import Predictor, outputs_and_features
from striate.confidence.calibration import fit_temperature
from striate.confidence.calibration_error import expected_calibration_error, reliability
from striate.confidence.probabilities import probabilities
from striate.confidence.rejector import RejectionChoice, choose_rejection
from striate.model.model import Model
from striate.model.rejection import UNKNOWN
from striate.training.outlier_exposure import learn_exposure
from striate.training.targets import as_images, label_indices


@short_repr
@dataclass(frozen=True)
class Calibration:
    """What images that were not trained on tell of a network.

    Attributes:
        images: how many there are.
        temperature: what outputs are divided by.
        error_before, error: the expected calibration error on these images at temperature 1, and
            with the temperature; on others it is a little larger.
        choice: how the rejection was chosen; None without one.
    """

    images: int
    temperature: float
    error_before: float
    error: float
    choice: RejectionChoice | None

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON-able values."""
        return {
            "images": self.images,
            "temperature": self.temperature,
            "error_before": self.error_before,
            "error": self.error,
            "rejection": None if self.choice is None else self.choice.to_dict(),
        }


def calibrate(
    network: Model,
    images: ArrayLike,
    labels: ArrayLike,
    *,
    reject: float | None = None,
    training: tuple[ArrayLike, ArrayLike] | None = None,
    seed: int = 0,
    engine: str = "llvm",
    threads: int | None = None,
    batch_size: int = 256,
) -> Calibration:
    """Set `network.answers` by images that it was not trained on: the temperature of its
    probabilities, and when to answer "unknown".

    Args:
        network: a classifier that has been trained.
        images, labels: as for `fit`, but others than those of the training: what a network says of
            images that it has learnt by heart tells nothing of new ones.
        reject: the share of images of the known kind that may be called unknown, such as 0.02;
            None for no rejection. It needs 1 / reject images or more.
        training: images and labels that the network was trained on, or some of them, for `reject`:
            how far an image is from these is one way to tell unknown ones.
        seed: of what is drawn at random to choose a score by.
        engine, threads, batch_size: as for `Network.predict_logits`.

    Returns:
        What was found.

    Raises:
        ValueError, TypeError: the network is no classifier, there are too few images, or they and
            their labels do not fit the network.
    """
    who = "calibrate"
    if network.answers.kind != "classes" or len(network.output_shape) != 1:
        raise StriateValueError(f"{who}: the network's outputs are no classes, one of which is so")
    if reject is not None:
        reject = check_rate(network, reject, who)
        if training is None:
            raise StriateValueError(
                f"{who}: to reject it needs images of the training, too: give training=(images, "
                "labels)"
            )
    options: dict[str, Any] = {"engine": engine, "threads": threads, "batch_size": batch_size}
    held, truth = _checked(network, images, labels)

    def run(some: Array) -> tuple[Floats, Floats]:
        return outputs_and_features(cast("Predictor", network), some, **options)

    outputs, features = run(held)
    temperature = fit_temperature(outputs, truth)
    choice = None
    if reject is not None and training is not None:
        choice = choose_rejection(
            reject,
            training=_checked(network, *training),
            known=(outputs, features),
            classes=network.output_shape[0],
            run=run,
            learn=partial(
                learn_exposure,
                classes=network.output_shape[0],
                seed=seed,
                engine=engine,
                threads=threads,
            ),
            seed=seed,
        )
    rejection = None if choice is None else choice.rejection
    before = replace(network.answers, temperature=1.0, rejection=None)
    after = replace(before, temperature=temperature, rejection=rejection)
    network.answers = after
    errors = []
    for answers in (before, after):
        sure = probabilities(answers, outputs)
        right = sure.argmax(axis=1) == truth
        errors.append(expected_calibration_error(reliability(sure.max(axis=1), right)))
    return Calibration(len(held), temperature, errors[0], errors[1], choice)


def check_rate(network: Model, rate: float, who: str) -> float:
    """A rate of rejection, checked; a ValueError also if a class has the name of no class."""
    rate = real_number(rate, "reject", who)
    if not 0 < rate < 1:
        raise StriateValueError(
            f"{who}: reject must be a share above 0 and below 1, such as 0.02, got {rate:g}"
        )
    if UNKNOWN in (network.classes or ()):
        raise StriateValueError(
            f'{who}: a class is called "{UNKNOWN}", which is what is said of rejected images: '
            "give it another name"
        )
    return rate


def _checked(network: Model, images: ArrayLike, labels: ArrayLike) -> tuple[Array, Array]:
    checked, truth = as_images(network, images), label_indices(network, labels)
    if len(checked) != len(truth) or not len(truth):
        raise StriateValueError(
            f"calibrate: there are {len(checked)} images and {len(truth)} labels"
        )
    return checked, np.asarray(truth)
