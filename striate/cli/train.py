"""`striate train`: trains a network on images, tests it and saves it."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from striate.cli import class_weights, found_rate, layer_words, networkfile, options
from striate.cli.changed_images import note_changes
from striate.cli.clock import STARTED
from striate.cli.model_output import check_model_file, checkpoint_beside, default_name
from striate.cli.output import note, one_line, paragraph
from striate.cli.trained_model import TrainedModel
from striate.common.progress import Counting
from striate.common.stop_signals import InterruptHandler
from striate.common.text import counted
from striate.network import Network

if TYPE_CHECKING:
    from striate.data import Dataset
    from striate.training.history import History
    from striate.training.recipes import Recipe

# The share of the training images for validation, with early stopping and without --validation.
VALIDATION = 0.1


@dataclass(frozen=True)
class TrainOptions:
    """The options of the command; None stands for "as the recipe says".

    `asked` has, by their names, the training's settings but for the augmentation.
    """

    asked: Mapping[str, Any]
    source: str
    out: str | None
    network: str | None
    augment: bool | None
    shift: int | None
    flip: bool | None
    flip_alternate: bool
    crop: int | None
    cutout: int | None
    brightness: float | None
    contrast: float | None
    saturation: float | None
    rotate: float | None
    zoom: float | None
    class_weight: tuple[str, ...]
    validation: float | None
    patience: int | None
    test_fraction: float
    size: tuple[int, int] | None
    colour: str | None
    fit: str
    nested: bool
    skip_bad: bool
    max_pixels: int | None
    seed: int
    exact: bool
    bfloat16: bool
    threads: int | None
    engine: str | None
    checkpoint_every: int | None
    resume: str | None
    as_json: bool
    quiet: bool


@click.command(short_help="Train, test and save a network.", cls=options.ResumableCommand)
@click.argument("source", metavar="SOURCE")
@click.option("--out", "-o", metavar="MODEL", help="The model file.  [default: SOURCE.safetensors]")
@click.option("--network", metavar="FILE", help="A network file (TOML or JSON) to train.")
@click.option("--epochs", type=click.IntRange(min=1), metavar="N", help="Times through the images.")
@click.option("--batch-size", type=click.IntRange(min=1), metavar="N", help="Images per step.")
@click.option("--optimizer", type=click.Choice(["sgd", "adamw"]))
@click.option(
    "--lr",
    "learning_rate",
    type=found_rate.rate_or_auto,
    metavar="X|auto",
    help="The highest learning rate; auto: found by a short test.",
)
@click.option("--weight-decay", type=options.number(0), metavar="X")
@click.option("--schedule", type=click.Choice(["constant", "cosine", "step", "one-cycle"]))
@click.option(
    "--warmup",
    type=options.number(0, 1),
    metavar="X",
    help="Part of the steps in which the learning rate rises, from 0 to 1.",
)
@click.option("--label-smoothing", type=options.number(0, 1), metavar="X")
@click.option("--augment/--no-augment", default=None, help="Change the images at random.")
@click.option("--shift", type=click.IntRange(min=0), metavar="N", help="By up to N pixels.")
@click.option("--flip/--no-flip", default=None, help="Left to right, half of them.")
@click.option("--flip-alternate", is_flag=True, help="Left to right, each in every second epoch.")
@click.option("--crop", type=click.IntRange(min=0), metavar="N", help="Pad by N and crop.")
@click.option("--cutout", type=click.IntRange(min=0), metavar="N", help="Blank an N×N square.")
@click.option(
    "--brightness", type=options.number(0, 1), metavar="X", help="By up to X of the full range."
)
@click.option(
    "--contrast", type=options.number(0, 1), metavar="X", help="By up to X, from each image's mean."
)
@click.option(
    "--saturation", type=options.number(0, 1), metavar="X", help="Colours by up to X, from gray."
)
@click.option(
    "--rotate", type=options.number(0, 181), metavar="DEGREES", help="About the middle, either way."
)
@click.option(
    "--zoom", type=options.number(0, 3), metavar="X", help="Larger or smaller by up to 1 + X times."
)
@click.option(
    "--class-weight",
    multiple=True,
    metavar="balanced|CLASS=X",
    help="Let each class count the same, or a class X times; may be repeated.",
)
@click.option(
    "--validation",
    type=options.number(0, 1),
    metavar="X",
    help="Part of the training images to watch instead of to learn from.",
)
@click.option(
    "--patience",
    type=click.IntRange(min=1),
    metavar="N",
    help="Stop after N epochs without a gain on the watched images; keep the best weights.",
)
@click.option(
    "--test-fraction",
    type=options.number(0, 1, above=True),
    default=0.2,
    show_default=True,
    metavar="X",
    help="Part of the images to test with, where SOURCE has no test images of its own.",
)
@click.option("--size", type=options.image_size, metavar="HxW", help="Resize the images.")
@click.option(
    "--fit",
    type=click.Choice(["crop", "pad", "stretch"]),
    default="crop",
    show_default=True,
    help="How images of another aspect become one size: the centre is cut out, black is added, or "
    "the aspect is not kept.",
)
@click.option("--colour", "--color", type=click.Choice(["gray", "rgb"]))
@click.option(
    "--nested", is_flag=True, help="Take all folders inside a class folder for parts of the class."
)
@options.skip_bad_option
@options.max_pixels_option
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, metavar="N"
)
@click.option("--exact", is_flag=True, help="No Winograd: sums as they are written, slower.")
@click.option(
    "--bfloat16", is_flag=True, help="Multiply in bfloat16 where that is faster (AVX-512 BF16)."
)
@click.option(
    "--checkpoint-every",
    type=click.IntRange(min=0),
    metavar="N",
    help="Write MODEL.checkpoint, to go on from, after every N epochs; 0: never.  [default: every "
    "two minutes]",
)
@click.option(
    "--resume",
    type=click.Choice(["yes", "any"]),
    metavar="[any]",
    help="Go on from MODEL.checkpoint, if there is one; with any: even if it was made with other "
    "images or options.",
)
@options.engine_options
@options.output_options
def train(**given: Any) -> int:
    """Train a network on the images of SOURCE, test it and save it.

    SOURCE is "digits" (8×8 images that come along), a folder with one folder of images per class
    (or with train/, test/ and perhaps valid/, each with class folders), a folder with the four IDX
    files of MNIST and its kin, or an .npz file with X and y.

    Ctrl-C, SIGTERM and SIGHUP stop training after the current step; what was learnt until then is
    saved, and the exit code is 130, 143 or 129. The same command with --resume goes on, and ends
    with the very model of a training that was never stopped.
    """
    from striate.data.record import ImageRecord
    from striate.engines import check_engine, computed_by
    from striate.training.checkpoint import remove
    from striate.training.training_settings import NAMES

    asked = {name: given.pop(name) for name in NAMES if name != "augment"}
    finds_rate = asked["learning_rate"] == found_rate.AUTO
    if finds_rate:
        asked["learning_rate"] = None
    chosen = TrainOptions(asked, **given)
    described = networkfile.read(chosen.network) if chosen.network else None
    check_model_file(chosen.out)
    dataset = _load(chosen)
    out = chosen.out or default_name(dataset)
    replaces = check_model_file(out)
    recipe = _recipe(chosen, dataset)
    shape = dataset.train_images.shape[1:]
    network = (
        described.build(shape, len(dataset.classes))
        if described is not None
        else recipe.build(Network)
    )
    if network.output_shape != (len(dataset.classes),):
        raise click.ClickException(
            f"{chosen.network}: has outputs of shape {network.output_shape}, but there are "
            f"{len(dataset.classes)} classes; end it with a Dense layer of "
            f'{len(dataset.classes)} units (or units = "classes")'
        )
    network.classes = list(dataset.classes)
    network.preprocessing = replace(
        network.preprocessing, resize=dataset.resize, colour=dataset.colour
    )
    if finds_rate:
        recipe = _with_found_rate(chosen, recipe, network, dataset)
    _announce(chosen, dataset, recipe, network)
    if replaces and not chosen.resume:
        note(f"{one_line(out)} will be replaced when training is done", quiet=chosen.quiet)
    origin = {
        "split": _split(chosen, dataset),
        "images": ImageRecord.of(dataset).to_notes(),
        "computed_by": computed_by(check_engine(chosen.engine or options.default_engine())),
    }
    if replaces and chosen.resume:
        note_changes(out, dataset, quiet=chosen.quiet)
    checkpoint = checkpoint_beside(out)
    if chosen.resume and not checkpoint.exists():
        note(f"There is no {one_line(str(checkpoint))}: training begins anew", quiet=chosen.quiet)
    # A signal that comes when training is done, but not yet saved, waits.
    with InterruptHandler() as stop:
        try:
            history = _fit(chosen, recipe, network, dataset, checkpoint)
        except FloatingPointError as error:
            raise click.ClickException(
                "training has diverged, its loss is not finite any more: use a lower --lr"
                + (", to go on from the checkpoint with --resume any" * checkpoint.exists())
                + "; nothing was saved"
            ) from error
        trained = TrainedModel(
            network,
            out,
            _result(chosen, dataset, recipe, network, history),
            {**origin, "history": history.curves()},
        )
        trained.save_somewhere()
    # What follows can be done without: the model is safe.
    if stop.number is not None:
        trained.tell_of_stop(stop.number, checkpoint)
    if stop.number in (None, signal.SIGINT):
        try:
            trained.test(
                dataset.test_images,
                dataset.test_labels,
                engine=chosen.engine or options.default_engine(),
                threads=chosen.threads,
            )
            trained.save()
        except BaseException:
            note(f"The model is saved as {one_line(out)}, but is not tested")
            raise
    if not history.interrupted:
        remove(checkpoint)
    seen = sum(row.images for row in history.rows)
    learning = sum(row.seconds for row in history.rows)
    speed = seen / learning if learning else 0.0
    trained.report(speed, time.perf_counter() - STARTED, replaces, as_json=chosen.as_json)
    return 0 if stop.number is None else 128 + stop.number


def _result(
    chosen: TrainOptions, dataset: Dataset, recipe: Recipe, network: Network, history: History
) -> dict[str, Any]:
    """Return what there is to tell of a training, before the test."""
    return {
        "source": dataset.name,
        "train_images": len(dataset.train_images),
        "test_images": len(dataset.test_images),
        "classes": len(dataset.classes),
        "parameters": network.parameter_count,
        "epochs": len(history.rows),
        "test_accuracy": None,
        "test_baseline": None,
        "test_loss": None,
        "interrupted": history.interrupted,
        "stopped_early": history.stopped_early,
        "best_epoch": history.best_epoch,
        "recipe": _settings(chosen, recipe, dataset),
    }


def _load(chosen: TrainOptions) -> Dataset:
    from striate import data
    from striate.data.dataset import MAX_PIXELS

    dataset = data.load(
        chosen.source,
        size=chosen.size,
        colour=chosen.colour,
        skip_bad=chosen.skip_bad,
        test_fraction=chosen.test_fraction,
        seed=chosen.seed,
        progress=None if chosen.quiet else Counting(),
        mode=chosen.fit,
        nested=chosen.nested,
        max_pixels=chosen.max_pixels or MAX_PIXELS,
        validation=chosen.patience is not None and chosen.validation is None,
    )
    for sentence in dataset.notes:
        note(one_line(sentence), quiet=chosen.quiet)
    for part, images in (("training", dataset.train_images), ("test", dataset.test_images)):
        if not len(images):
            raise click.ClickException(f"{chosen.source}: has no {part} images")
    return dataset


def _recipe(chosen: TrainOptions, dataset: Dataset) -> Recipe:
    """Return the recipe for the data, with the settings that the options give."""
    from striate.data.augment import CHANGES
    from striate.training import recipes

    images = len(dataset.train_images)
    recipe = recipes.choose(dataset.train_images.shape[1:], len(dataset.classes), images)
    training = recipe.training.changed(**chosen.asked)
    augment = {} if chosen.augment is False else training.changes
    for name in CHANGES:
        value = getattr(chosen, name)
        if value is not None:
            augment[name] = value
    if chosen.flip_alternate:
        if chosen.flip is False:
            raise click.UsageError("--flip-alternate and --no-flip contradict each other")
        augment["flip"] = "alternate"
    return replace(recipe, training=replace(training, augment=augment))


def _settings(chosen: TrainOptions, recipe: Recipe, dataset: Dataset) -> dict[str, Any]:
    """Return the settings of the training, as plain values."""
    name = recipe.name if chosen.network is None else "network file"
    fraction = _validation_fraction(chosen, dataset)
    rest: dict[str, Any] = {"seed": chosen.seed, "validation": fraction}
    if chosen.class_weight:
        rest["class_weight"] = list(chosen.class_weight)
    return {"name": name, **asdict(recipe.training), **rest}


def _validation_fraction(chosen: TrainOptions, dataset: Dataset) -> float:
    """Return the share of the training images to validate on."""
    if chosen.validation is not None:
        return chosen.validation
    if dataset.validation_images is not None:
        return 0.0  # there are others for that
    return VALIDATION if chosen.patience else 0.0


def _split(chosen: TrainOptions, dataset: Dataset) -> dict[str, Any] | None:
    """Return how the test images were split off, for `evaluate`; None if they came as such."""
    if not dataset.split:
        return None
    return {"test_fraction": chosen.test_fraction, "seed": chosen.seed}


def _announce(chosen: TrainOptions, dataset: Dataset, recipe: Recipe, network: Network) -> None:
    """Print the network and the training settings."""
    origin = chosen.network or f"for {recipe.name}"
    layers = " → ".join(layer_words.describe_layer(vertex.layer) for vertex in network.nodes)
    paragraph(
        f"Network ({origin}): {layers}; {counted(network.parameter_count, 'parameter')}",
        quiet=chosen.quiet,
    )
    paragraph(f"Training: {recipe.training.description}", quiet=chosen.quiet)


def _with_found_rate(
    chosen: TrainOptions, recipe: Recipe, network: Network, dataset: Dataset
) -> Recipe:
    """Return the recipe with the learning rate that a short test finds."""
    training, sentence = found_rate.with_found_rate(
        recipe.training,
        network,
        dataset.train_images,
        dataset.train_labels,
        **_how(chosen, dataset),
    )
    note(sentence, quiet=chosen.quiet)
    return replace(recipe, training=training)


def _how(chosen: TrainOptions, dataset: Dataset) -> dict[str, Any]:
    """Return what training and the search of its learning rate are given alike."""
    return {
        "class_weight": class_weights.read(chosen.class_weight, dataset.classes),
        "seed": chosen.seed,
        "threads": chosen.threads,
        "engine": chosen.engine or options.default_engine(),
        "exact": chosen.exact,
        "bfloat16": chosen.bfloat16,
    }


def _fit(
    chosen: TrainOptions, recipe: Recipe, network: Network, dataset: Dataset, checkpoint: Path
) -> History:
    from striate.training.checkpoint import Checkpoint

    watched = dataset.parts.get("validation")
    # It is kept until the model is saved and tested.
    given = Checkpoint(checkpoint, every=chosen.checkpoint_every or None, keep=True)
    needed = chosen.checkpoint_every != 0 or chosen.resume
    return network.fit(
        dataset.train_images,
        dataset.train_labels,
        **recipe.training.arguments(),
        validation_data=None if watched is None else (watched.images, watched.labels),
        validation_fraction=_validation_fraction(chosen, dataset),
        early_stopping=chosen.patience,
        **_how(chosen, dataset),
        progress=not chosen.quiet,
        checkpoint=given if needed else None,
        resume="any" if chosen.resume == "any" else chosen.resume is not None,
    )
