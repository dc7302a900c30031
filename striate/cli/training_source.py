"""What `striate train` trains on: the images of its source, and those that it sets aside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from striate.cli import class_weights, held_out, options
from striate.cli.output import note, one_line
from striate.cli.training_tasks import TrainingTask, task_of
from striate.common.progress import Counting
from striate.model.rejection import UNKNOWN

if TYPE_CHECKING:
    from striate.cli.held_out import HeldOut
    from striate.cli.train_options import TrainOptions
    from striate.data import Dataset
    from striate.data.found_images import FoundImages

# The share of the training images for validation, with early stopping and without --validation.
VALIDATION = 0.1


def load_source(
    chosen: TrainOptions,
    size: tuple[int, int] | None = None,
    colour: str | None = None,
    longest_side: Callable[[FoundImages], int | None] | None = None,
) -> Dataset:
    """Load the images, and tell of them.

    Args:
        chosen: the options.
        size, colour: which they become where the options leave it open; None to choose.
        longest_side: chooses the size, see `striate.data.load`; None for the usual one.
    """
    from striate import data
    from striate.data.dataset import MAX_PIXELS
    from striate.data.label_tables import is_text_table

    has_table = chosen.tables.labels is not None or is_text_table(chosen.source)
    dataset = data.load(
        chosen.source,
        size=chosen.size or size,
        longest_side=longest_side,
        colour=chosen.colour or colour,
        skip_bad=chosen.skip_bad,
        test_fraction=chosen.test_fraction,
        seed=chosen.seed,
        progress=None if chosen.quiet else Counting(),
        mode=chosen.fit,
        nested=chosen.nested,
        max_pixels=chosen.max_pixels or MAX_PIXELS,
        validation=chosen.validation is None and (chosen.patience is not None or has_table),
        memory=chosen.memory,
        image_cache=chosen.image_cache,
        exchange=chosen.exchange,
        **chosen.tables.arguments(),
    )
    for sentence in dataset.notes:
        note(one_line(sentence), quiet=chosen.quiet)
    for part, images in (("training", dataset.train_images), ("test", dataset.test_images)):
        if not len(images):
            raise click.ClickException(f"{chosen.source}: has no {part} images")
    return _checked(chosen, dataset) if chosen.check else dataset


def _checked(chosen: TrainOptions, dataset: Dataset) -> Dataset:
    """Look for leaks and the like, tell of them, and return the dataset with what was found."""
    from striate.checking.short_form import short_check

    found = short_check(dataset)
    sentences = found.sentences
    for place, sentence in enumerate(sentences, 1):
        more = f"; striate check {chosen.source} shows more" if place == len(sentences) else ""
        note(one_line(sentence + more), quiet=chosen.quiet)
    return replace(dataset, checked=found)


def hold_out(chosen: TrainOptions, dataset: Dataset) -> tuple[Dataset, HeldOut]:
    """Set images aside that are not trained on, to calibrate probabilities by."""
    if dataset.task != "classes":
        for name in ("reject", "calibrate"):
            if getattr(chosen, name):
                raise click.ClickException(
                    f"--{name} is for classes, of which an image has one, but these images have "
                    f"{dataset.task}; leave it out"
                )
        return dataset, held_out.HeldOut(None, None, "")
    if chosen.reject is not None and UNKNOWN in dataset.classes:
        raise click.ClickException(
            f'--reject: a class is called "{UNKNOWN}", which is what is said of rejected images; '
            "give it another name"
        )
    weights = class_weights.read(chosen.class_weight, dataset.classes)
    chances = weights if isinstance(weights, dict) else {}
    made, held = held_out.hold_out(
        dataset,
        calibrate=chosen.calibrate,
        reject=chosen.reject,
        validation=validation_fraction(chosen, task_of(chosen, dataset)),
        weightless=np.array([label for label, weight in chances.items() if not weight], np.int64),
        seed=chosen.seed,
    )
    if held.sentence:
        note(held.sentence, quiet=chosen.quiet)
    return made, held


def validation_fraction(chosen: TrainOptions, task: TrainingTask) -> float:
    """Return the share of the training images to validate on."""
    if chosen.validation is not None:
        return chosen.validation
    if task.dataset.validation_images is not None:
        return 0.0  # there are others for that
    return VALIDATION if chosen.patience else task.validation()


def origin_notes(chosen: TrainOptions, dataset: Dataset, held: HeldOut) -> dict[str, Any]:
    """Return what a model file tells `evaluate` of its images, and how it was computed."""
    from striate.data.record import ImageRecord
    from striate.engines import check_engine, computed_by

    split = {"test_fraction": chosen.test_fraction, "seed": chosen.seed}
    columns = dataset.label_columns
    return {
        "split": split if dataset.split else None,  # None where the test images came as such
        "images": ImageRecord.of(held.recorded(dataset)).to_notes(),
        "computed_by": computed_by(
            check_engine(chosen.engine or options.default_engine()), portable=chosen.portable
        ),
        **({} if columns is None else {"label_columns": columns}),
        **({} if dataset.checked is None else {"checked": dataset.checked.to_notes()}),
    }


def computing(chosen: TrainOptions) -> dict[str, Any]:
    """Return what everything that is computed is given."""
    return {"threads": chosen.threads, "engine": chosen.engine or options.default_engine()}
