"""Images that `striate train` does not train on: to calibrate probabilities, and to tell unknown
images.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.common.text import counted, percent
from striate.data.part import Part
from striate.data.rows import joined, part_rows, rows_of
from striate.model.answers import FEWEST
from striate.training.split import stratified_split

if TYPE_CHECKING:
    from striate.data import Dataset
    from striate.network import Network
    from striate.training.calibrating import Calibration

MANY = 10_000
"""With so many training images, some are set aside where nobody asks: that costs no accuracy."""
ENOUGH = 1_000
"""So many then."""
FEW = 100
"""With fewer there is no point in setting some aside."""
SHARE = 0.1
"""The share that is set aside for a rejection."""


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Images that the network is not trained on.

    Attributes:
        part: the images; None where there are none.
        rows: where they are among the training images, if they are chosen from these by the
            training itself, to validate on; None for others.
        sentence: what there is to say of them.
    """

    part: Part | None
    rows: Array | None
    sentence: str

    def recorded(self, dataset: Dataset) -> Dataset:
        """The dataset with these images among those for validation, for the model's file."""
        if self.part is None or self.rows is not None:
            return dataset
        own = dataset.parts.get("validation")
        if own is self.part or (own is not None and own.images is self.part.images):
            return dataset
        images, labels, paths = self.part.images, self.part.labels, self.part.paths
        if own is not None:
            images = joined(own.images, images)
            labels = np.concatenate([own.labels, labels])
            paths = None if own.paths is None or paths is None else own.paths + paths
        return replace(
            dataset, validation_images=images, validation_labels=labels, validation_paths=paths
        )

    def calibrate(
        self, network: Network, dataset: Dataset, *, reject: float | None, **options: Any
    ) -> Calibration | None:
        """Calibrate the network by them; None where there are none."""
        if self.part is None:
            return None
        images, labels = dataset.train_images, dataset.train_labels
        if self.rows is not None and reject is not None:
            kept = np.setdiff1d(np.arange(len(labels)), self.rows)
            images, labels = rows_of(images, kept), labels[kept]
        return network.calibrate(
            self.part.images, self.part.labels, reject=reject, training=(images, labels), **options
        )


def hold_out(
    dataset: Dataset,
    *,
    calibrate: float | None,
    reject: float | None,
    validation: float,
    weightless: Array,
    seed: int,
) -> tuple[Dataset, HeldOut]:
    """Choose the images to calibrate by.

    Args:
        dataset: its training images may be used up.
        calibrate: the share of the training images that the user wants to set aside; None to
            decide it here.
        reject: the share of known images that may be rejected; None without a rejection.
        validation: the share of the training images that the training validates on.
        weightless: classes whose images it leaves out.
        seed: of the training.

    Returns:
        The dataset to train on, and what is held out.

    Raises:
        ClickException: what is held out is too little for the rejection.
    """
    from striate.confidence.rejector import fewest_images

    made, held = _choose(dataset, calibrate, reject, validation, weightless, seed)
    if reject is not None:
        count = 0 if held.part is None else len(held.part.labels)
        fewest = max(fewest_images(reject), FEWEST)
        if count < fewest:
            raise click.ClickException(
                f"--reject {reject:g} needs at least {counted(fewest, 'image')} that are not "
                f"trained on, but there are {count:,} of {len(dataset.train_labels):,}: set more "
                "aside with --calibrate, or give a higher rate"
            )
    return made, held


def _choose(
    dataset: Dataset,
    calibrate: float | None,
    reject: float | None,
    validation: float,
    weightless: Array,
    seed: int,
) -> tuple[Dataset, HeldOut]:
    count = len(dataset.train_labels)
    if calibrate == 0:
        return dataset, HeldOut(None, None, "")
    if calibrate is None:
        own = dataset.parts.get("validation")
        if own is not None and len(own.labels) >= FEWEST:
            return dataset, HeldOut(own, None, _told(len(own.labels), "for validation"))
        if validation:
            rows = np.flatnonzero(~np.isin(dataset.train_labels, weightless))
            held = rows[stratified_split(dataset.train_labels[rows], validation, seed)[1]]
            if len(held) >= FEWEST:
                part = dataset.parts["train"].rows(held)
                return dataset, HeldOut(part, held, _told(len(held), "to validate on"))
    share = calibrate
    if share is None:
        share = SHARE if reject is not None else ENOUGH / count if count >= MANY else 0.0
    aside = round(share * count)
    if aside < FEWEST:
        if calibrate is not None:
            raise click.ClickException(
                f"--calibrate {calibrate:g} of {counted(count, 'training image')} sets {aside} "
                f"aside, which say too little: give at least {FEWEST / count:.2g}"
            )
        told = "" if count < FEW else (
            "Probabilities are not calibrated, as no image can be spared in the training: "
            f"--calibrate {max(SHARE, FEWEST / count):.2g} sets some aside for that"
        )  # fmt: skip
        return dataset, HeldOut(None, None, told)
    try:
        rest, held = stratified_split(dataset.train_labels, share, seed)
    except StriateValueError as error:
        raise click.ClickException(
            f"--calibrate {share:g}: sets {aside} of {count:,} images aside, which leaves none of "
            "some class to train on: give less"
        ) from error
    train = dataset.parts["train"]
    first, second = part_rows(train.images, rest, held)
    paths = [None, None] if train.paths is None else [
        [train.paths[row] for row in rows.tolist()] for rows in (rest, held)
    ]  # fmt: skip
    part = Part(second, train.labels[held], paths[1])
    made = replace(
        dataset, train_images=first, train_labels=train.labels[rest], train_paths=paths[0]
    )
    what = "calibrate probabilities" + " and to tell unknown ones" * (reject is not None)
    told = (
        f"{len(held):,} of {counted(count, 'training image')} "
        f"({percent(len(held) / count, '.1f')}) are set aside to {what}; --calibrate says how many"
    )
    return made, HeldOut(part, None, told)


def _told(count: int, what: str) -> str:
    return f"Probabilities are calibrated on the {counted(count, 'image')} {what}"
