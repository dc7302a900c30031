"""`striate train`: trains a network on images, tests it and saves it."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from striate.cli import found_rate, from_backbone, layer_words, networkfile, options
from striate.cli.changed_images import note_changes
from striate.cli.clock import STARTED
from striate.cli.label_arguments import LabelArguments
from striate.cli.model_output import check_model_file, checkpoint_beside, default_name
from striate.cli.output import note, one_line, paragraph
from striate.cli.time_plan import TimedTraining
from striate.cli.train_options import TrainOptions, training_options
from striate.cli.trained_model import TrainedModel
from striate.cli.training_source import (
    computing,
    hold_out,
    load_source,
    origin_notes,
    validation_fraction,
)
from striate.cli.training_tasks import TrainingTask, task_of
from striate.common.stop_signals import InterruptHandler
from striate.common.text import counted
from striate.data.dataset import ONE_OF
from striate.network import Network

if TYPE_CHECKING:
    from striate.cli.networkfile import NetworkFile
    from striate.data import Dataset
    from striate.training.history import History
    from striate.training.recipes import Recipe


@click.command(short_help="Train, test and save a network.", cls=options.ResumableCommand)
@click.argument("source", metavar="SOURCE")
@training_options
def train(**given: Any) -> int:
    """Train a network on the images of SOURCE, test it and save it.

    SOURCE is "digits" (8×8 images that come along), a folder with one folder of images per class
    (or with train/, test/ and perhaps valid/, each with class folders), a tar of such a folder, tar
    shards as WebDataset writes them ("train-{000..009}.tar"), Parquet files with images, a folder
    with the four IDX files of MNIST and its kin, or an .npz file with X and y; or any folder of
    images, with a table of their classes, of labels of which an image may have several, or of
    numbers (--labels).

    Ctrl-C, SIGTERM and SIGHUP stop training after the current step; what was learnt until then is
    saved, and the exit code is 130, 143 or 129. The same command with --resume goes on, and ends
    with the very model of a training that was never stopped.
    """
    from striate.training.checkpoint import remove
    from striate.training.training_settings import NAMES

    asked = {name: given.pop(name) for name in NAMES if name != "augment"}
    finds_rate = asked["learning_rate"] == found_rate.AUTO
    if finds_rate:
        asked["learning_rate"] = None
    chosen = TrainOptions(asked, tables=LabelArguments.taken_from(given), **given)
    if chosen.backbone is not None:
        if finds_rate:
            raise click.ClickException("--from has no --lr auto: give a number, or leave it out")
        return from_backbone.train_from_backbone(chosen)
    if chosen.network and chosen.network_width is not None:
        raise click.UsageError("--network has a width of its own: leave --network-width out")
    described = networkfile.read(chosen.network) if chosen.network else None
    timed = None if chosen.minutes is None else TimedTraining(chosen, described)
    check_model_file(chosen.out)
    source = load_source(chosen, longest_side=None if timed is None else timed.side_for)
    dataset, held = hold_out(chosen, source)
    out = chosen.out or default_name(dataset)
    replaces = check_model_file(out)
    task = task_of(chosen, dataset)
    width = chosen.network_width or 1.0 if timed is None else timed.scale_for(task, out)
    recipe = _recipe(chosen, task, width)
    task.loss(recipe.training), task.class_weight()  # what the user asks for fits the task
    network = _network(described, recipe, dataset)
    if network.output_shape != (len(dataset.classes),):
        raise click.ClickException(
            f"{chosen.network}: has outputs of shape {network.output_shape}, but there are "
            f"{counted(len(dataset.classes), ONE_OF[dataset.task])}; end it with a Dense layer of "
            f'{len(dataset.classes)} units (or units = "classes")'
        )
    task.name(network)
    network.preprocessing = replace(
        network.preprocessing, resize=dataset.resize, colour=dataset.colour
    )
    if finds_rate:
        recipe = _with_found_rate(chosen, recipe, network, task)
    if timed is not None:
        spare = _network(described, recipe, dataset)
        recipe = timed.with_epochs(recipe, spare, task, task.loss(recipe.training))
    for sentence in task.notes:
        note(one_line(sentence), quiet=chosen.quiet)
    task.notes.clear()
    if hint := from_backbone.advice(dataset, chosen.network):
        note(hint, quiet=chosen.quiet)
    _announce(chosen, dataset, recipe, network)
    if replaces and not chosen.resume:
        note(f"{one_line(out)} will be replaced when training is done", quiet=chosen.quiet)
    origin = origin_notes(chosen, dataset, held)
    if replaces and chosen.resume:
        note_changes(out, dataset, quiet=chosen.quiet)
    checkpoint = checkpoint_beside(out)
    if chosen.resume and not checkpoint.exists():
        note(f"There is no {one_line(str(checkpoint))}: training begins anew", quiet=chosen.quiet)
    plan = {} if timed is None else {"plan": timed.notes(recipe)}
    # A signal that comes when training is done, but not yet saved, waits.
    with InterruptHandler() as stop:
        try:
            history = _fit(chosen, recipe, network, task, checkpoint, plan)
        except FloatingPointError as error:
            raise click.ClickException(
                "training has diverged, its loss is not finite any more: use a lower --lr"
                + (", to go on from the checkpoint with --resume any" * checkpoint.exists())
                + "; nothing was saved"
            ) from error
        task.finish(network)
        trained = TrainedModel(
            network,
            out,
            {**_result(chosen, task, recipe, network, history), **plan},
            {**origin, "history": history.curves()},
        )
        trained.save_somewhere()

    def improve() -> None:
        how = computing(chosen)
        task.decide(network, validation_fraction(chosen, task), **how)
        trained.calibrate(held, dataset, reject=chosen.reject, **how)

    trained.conclude(stop.number, checkpoint, improve, dataset, **computing(chosen))
    for sentence in (*task.notes, *trained.weaknesses(dataset.train_labels, chosen.class_weight)):
        note(one_line(sentence), quiet=chosen.quiet)
    if not history.interrupted:
        remove(checkpoint)
    seen = sum(row.images for row in history.rows)
    learning = sum(row.seconds for row in history.rows)
    speed = seen / learning if learning else 0.0
    trained.report(speed, time.perf_counter() - STARTED, replaces, as_json=chosen.as_json)
    return 0 if stop.number is None else 128 + stop.number


def _result(
    chosen: TrainOptions, task: TrainingTask, recipe: Recipe, network: Network, history: History
) -> dict[str, Any]:
    """Return what there is to tell of a training, before the test."""
    dataset = task.dataset
    return {
        "source": dataset.name,
        "task": dataset.task,
        "train_images": len(dataset.train_images),
        "test_images": len(dataset.test_images),
        "parameters": network.parameter_count,
        "epochs": len(history.rows),
        "calibration": None,
        **task.result(),
        "interrupted": history.interrupted,
        "stopped_early": history.stopped_early,
        "best_epoch": history.best_epoch,
        "recipe": _settings(chosen, recipe, task),
    }


def _network(described: NetworkFile | None, recipe: Recipe, dataset: Dataset) -> Network:
    """Return the untrained network: that of the user, or else of the recipe."""
    if described is None:
        return recipe.build(Network)
    return described.build(dataset.train_images.shape[1:], len(dataset.classes))


def _recipe(chosen: TrainOptions, task: TrainingTask, width: float) -> Recipe:
    """Return the recipe for the data, with the settings that the options give."""
    from striate.data.augment import CHANGES

    recipe = task.recipe(width)
    training = recipe.training.changed(**chosen.asked)
    augment = {} if chosen.augment is False else training.changes
    for name in (*CHANGES, "magnitude"):
        value = getattr(chosen, name)
        if value is not None:
            augment[name] = value
    if chosen.flip_alternate:
        if chosen.flip is False:
            raise click.UsageError("--flip-alternate and --no-flip contradict each other")
        augment["flip"] = "alternate"
    return replace(recipe, training=replace(training, augment=augment))


def _settings(chosen: TrainOptions, recipe: Recipe, task: TrainingTask) -> dict[str, Any]:
    """Return the settings of the training, as plain values."""
    name = recipe.name
    if chosen.network is not None:
        known = networkfile.is_architecture(chosen.network)
        name = chosen.network if known else "network file"
    fraction = validation_fraction(chosen, task)
    rest: dict[str, Any] = {"seed": chosen.seed, "validation": fraction}
    if chosen.class_weight:
        rest["class_weight"] = list(chosen.class_weight)
    return {"name": name, **asdict(recipe.training), **rest}


def _announce(chosen: TrainOptions, dataset: Dataset, recipe: Recipe, network: Network) -> None:
    """Print the network and the training settings."""
    origin = chosen.network or f"for {recipe.name}"
    layers = layer_words.describe_layers([vertex.layer for vertex in network.nodes])
    paragraph(
        f"Network ({origin}): {layers}; {counted(network.parameter_count, 'parameter')}",
        quiet=chosen.quiet,
    )
    paragraph(f"Training: {recipe.training.description}", quiet=chosen.quiet)


def _with_found_rate(
    chosen: TrainOptions, recipe: Recipe, network: Network, task: TrainingTask
) -> Recipe:
    """Return the recipe with the learning rate that a short test finds."""
    training, sentence = found_rate.with_found_rate(
        recipe.training,
        network,
        task.dataset.train_images,
        task.targets(task.dataset.train_labels),
        **_how(chosen, recipe, task),
    )
    note(sentence, quiet=chosen.quiet)
    return replace(recipe, training=training)


def _how(chosen: TrainOptions, recipe: Recipe, task: TrainingTask) -> dict[str, Any]:
    """Return what training and the search of its learning rate are given alike."""
    return {
        **computing(chosen),
        "loss": task.loss(recipe.training),
        "class_weight": task.class_weight(),
        "seed": chosen.seed,
        "exact": chosen.exact,
        "bfloat16": chosen.bfloat16,
    }


def _fit(
    chosen: TrainOptions,
    recipe: Recipe,
    network: Network,
    task: TrainingTask,
    checkpoint: Path,
    notes: dict[str, Any],
) -> History:
    from striate.training.checkpoint import Checkpoint

    dataset = task.dataset
    watched = dataset.parts.get("validation")
    # It is kept until the model is saved and tested.
    given = Checkpoint(checkpoint, every=chosen.checkpoint_every or None, keep=True, notes=notes)
    needed = chosen.checkpoint_every != 0 or chosen.resume
    return network.fit(
        dataset.train_images,
        task.targets(dataset.train_labels),
        **(recipe.training.arguments() | _how(chosen, recipe, task)),
        validation_data=None if watched is None else (watched.images, task.targets(watched.labels)),
        validation_fraction=validation_fraction(chosen, task),
        early_stopping=chosen.patience,
        progress=not chosen.quiet,
        checkpoint=given if needed else None,
        resume="any" if chosen.resume == "any" else chosen.resume is not None,
    )
