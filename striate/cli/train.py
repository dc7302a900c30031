"""`striate train`: trains a network on images, tests it and saves it."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from striate.cli import found_rate, layer_words, networkfile
from striate.cli.changed_images import note_changes
from striate.cli.fit_network import fit_network, how_to_fit, tell_of_idle
from striate.cli.from_backbone import FromBackbone, advice
from striate.cli.label_arguments import LabelArguments
from striate.cli.model_output import checkpoint_beside
from striate.cli.output import note, one_line, paragraph
from striate.cli.plain_descent import optimizer_named, with_momentum
from striate.cli.recorded_course import course_notes
from striate.cli.time_plan import TimedTraining
from striate.cli.train_options import TrainOptions, training_options
from striate.cli.training_course import Trainer, carry_out
from striate.cli.training_ranks import RankCommand, as_rank, has_to_start, start_ranks
from striate.cli.training_source import computing, hold_out, load_source, validation_fraction
from striate.cli.training_tasks import TrainingTask
from striate.common.text import counted
from striate.data.dataset import ONE_OF
from striate.network import Network

if TYPE_CHECKING:
    from striate.cli.held_out import HeldOut
    from striate.common.arrays import Array
    from striate.data import Dataset
    from striate.ranks.exchange import Exchange
    from striate.training.history import History
    from striate.training.recipes import Recipe


@click.command(short_help="Train, test and save a network.", cls=RankCommand)
@click.argument("source", metavar="SOURCE")
@training_options
def train(**given: Any) -> int:
    """Train a network on the images of SOURCE, test it and save it.

    SOURCE is "digits" (8×8) or "shapes" (32×32, in colour), which come along; a folder with one
    folder of images per class (or with train/, test/ and perhaps valid/, each with class folders),
    a tar of such a folder, tar shards as WebDataset writes them ("train-{000..009}.tar"), Parquet
    files with images, a folder with the four IDX files of MNIST and its kin, or an .npz file with X
    and y; or any folder of images, with a table of their classes, of labels of which an image may
    have several, or of numbers (--labels).

    Ctrl-C, SIGTERM and SIGHUP stop training after the current step; what was learnt until then is
    saved, and the exit code is 130, 143 or 129. The same command with --resume goes on, and ends
    with the very model of a training that was never stopped.

    Several processes, on one machine (--processes) or on many (mpiexec -n 4 striate train …), share
    the groups of each batch (--groups) and end with the very model that one of them makes.
    """
    processes = given.pop("processes")
    if has_to_start(processes):
        return start_ranks(processes, click.get_current_context().obj)
    with as_rank(processes) as exchange:
        return _train(exchange, given)


def _train(exchange: Exchange, given: dict[str, Any]) -> int:
    """Train, as one of the ranks; return the exit code."""
    from striate.training.training_settings import NAMES

    asked = {name: given.pop(name) for name in NAMES if name != "augment"}
    finds_rate = asked["learning_rate"] == found_rate.AUTO
    if finds_rate:
        asked["learning_rate"] = None
    chosen = TrainOptions(asked, tables=LabelArguments.taken_from(given), **given)
    if not exchange.is_alone:
        chosen = chosen.for_rank(exchange)
        _agree_on_course(chosen, finds_rate)
    if chosen.backbone is None:
        return carry_out(FromScratch(chosen, finds_rate))
    if finds_rate:
        raise click.ClickException("--from has no --lr auto: give a number, or leave it out")
    return carry_out(FromBackbone(chosen))


def _agree_on_course(chosen: TrainOptions, finds_rate: bool) -> None:
    """Check that all ranks have the options that decide where they meet before training begins."""
    from striate.ranks.agree import APART, SAME, agree

    course = {
        "--minutes": chosen.minutes,
        "--lr": found_rate.AUTO if finds_rate else None,
        "--from": chosen.backbone,
    }
    agree(chosen.exchange, course, APART, SAME)


class FromScratch(Trainer):
    """Trains a network that knows nothing yet: one for the data, or that of the user."""

    checkpoint: Path
    task: TrainingTask
    recipe: Recipe
    network: Network

    def __init__(self, chosen: TrainOptions, finds_rate: bool) -> None:
        super().__init__(chosen)
        for name, value in (("--tune or --no-tune", chosen.tune), ("--share", chosen.share)):
            if value is not None:
                raise click.ClickException(
                    f"{name} says how a network that was trained before is trained on: name one "
                    "with --from, or leave it out"
                )
        if chosen.network and chosen.network_width is not None:
            raise click.UsageError("--network has a width of its own: leave --network-width out")
        if chosen.checkpoint_every is not None and chosen.checkpoint_steps is not None:
            raise click.UsageError("give --checkpoint-every or --checkpoint-steps, not both")
        if finds_rate and chosen.asked["base_batch_size"] is not None:
            raise click.UsageError(
                "--lr auto finds the rate for batches of --batch-size: leave --base-batch-size out"
            )
        self.finds_rate = finds_rate
        self.described = networkfile.read(chosen.network) if chosen.network else None
        self.timed = None
        if chosen.minutes is not None:
            self.timed = TimedTraining(chosen, self.described, partial(_adapted, chosen))
        self.plan: dict[str, Any] = {}

    def load(self) -> tuple[Dataset, HeldOut]:
        """Load the images, and set some aside if there are enough."""
        side = None if self.timed is None else self.timed.side_for
        return hold_out(self.chosen, load_source(self.chosen, longest_side=side))

    def prepare(self, task: TrainingTask, out: str) -> None:
        """Choose the network and its training."""
        chosen, dataset, timed = self.chosen, task.dataset, self.timed
        width = chosen.network_width or 1.0 if timed is None else timed.scale_for(task, out)
        recipe, shape = task.recipe(width), dataset.train_images.shape[1:]
        network = networkfile.untrained(self.described, recipe, shape, len(dataset.classes))
        recipe = _adapted(chosen, recipe.for_network(network))
        if network.output_shape != (len(dataset.classes),):
            raise click.ClickException(
                f"{chosen.network}: has outputs of shape {network.output_shape}, but there are "
                f"{counted(len(dataset.classes), ONE_OF[dataset.task])}; end it with a Dense layer "
                f'of {len(dataset.classes)} units (or units = "classes")'
            )
        task.name(network)
        if self.finds_rate:
            recipe = _with_found_rate(chosen, recipe, network, task)
        if timed is not None:
            spare = networkfile.untrained(self.described, recipe, shape, len(dataset.classes))
            recipe = timed.with_epochs(recipe, spare, task, task.loss(recipe.training))
            self.plan = {"plan": timed.notes(recipe)}
        task.tell()
        if hint := advice(dataset, chosen.network):
            note(hint, quiet=chosen.quiet)
        held = round(len(dataset.train_images) * validation_fraction(chosen, task))
        _announce(chosen, recipe, network, max(1, len(dataset.train_images) - held))
        tell_of_idle(chosen, recipe.training.groups)
        self.task, self.recipe, self.network = task, recipe, network
        self.out, self.checkpoint = out, checkpoint_beside(out)

    def begin(self, replaces: bool) -> None:
        """Say what a training that goes on finds."""
        chosen = self.chosen
        if replaces and chosen.resume:
            note_changes(self.out, self.task.dataset, quiet=chosen.quiet)
        if chosen.resume and not self.checkpoint.exists():
            where = one_line(str(self.checkpoint))
            note(f"There is no {where}: training begins anew", quiet=chosen.quiet)

    def train(self) -> tuple[Network, History]:
        """Train the network, and let it answer in the users' units."""
        from striate.training.checkpoint import Checkpoint

        chosen = self.chosen
        # It is kept until the model is saved and tested.
        every = chosen.checkpoint_every or None
        given = Checkpoint(
            self.checkpoint,
            every=every,
            keep=True,
            notes=self.plan,
            steps=chosen.checkpoint_steps,
        )
        needed = chosen.checkpoint_every != 0 or chosen.resume
        history = fit_network(
            chosen, self.recipe.training, self.network, self.task, given if needed else None
        )
        self.task.finish(self.network)
        return self.network, history

    def entries(self) -> dict[str, Any]:
        """Return the settings."""
        return {
            "recipe": _settings(self.chosen, self.recipe, self.task),
            **self.plan,
            "course": course_notes(self.chosen, self.task.dataset),
        }

    def unseen(self, network: Network) -> tuple[Array, Array] | None:
        """Return the outputs for the images that were set aside, if any were."""
        fraction = validation_fraction(self.chosen, self.task)
        return self.task.held_out(network, fraction, **computing(self.chosen))

    def speed(self, history: History, images: int, seconds: float) -> float:
        """Return that of training alone."""
        learning = sum(row.seconds for row in history.rows)
        return sum(row.images for row in history.rows) / learning if learning else 0.0


def _adapted(chosen: TrainOptions, recipe: Recipe) -> Recipe:
    """Return a recipe with the settings that the options give."""
    from striate.data.augment import CHANGES

    training = with_momentum(chosen, recipe.training.changed(**chosen.asked))
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
    rest = {"seed": chosen.seed, "validation": fraction, **task.weighting()}
    return {"name": name, **asdict(recipe.training), **optimizer_named(recipe.training), **rest}


def _announce(chosen: TrainOptions, recipe: Recipe, network: Network, images: int) -> None:
    """Print the network and the settings of its training on so many images."""
    origin = chosen.network or f"for {recipe.name}"
    layers = layer_words.describe_layers([vertex.layer for vertex in network.nodes])
    paragraph(
        f"Network ({origin}): {layers}; {counted(network.parameter_count, 'parameter')}",
        quiet=chosen.quiet,
    )
    training = recipe.training.fitted_to(images)
    paragraph(f"Training: {training.description}", quiet=chosen.quiet)


def _with_found_rate(
    chosen: TrainOptions, recipe: Recipe, network: Network, task: TrainingTask
) -> Recipe:
    """Return the recipe with the learning rate that a short test finds."""
    training, sentence = found_rate.with_found_rate(
        recipe.training,
        network,
        task.dataset.train_images,
        task.targets(task.dataset.train_labels),
        **how_to_fit(chosen, recipe.training, task),
    )
    note(sentence, quiet=chosen.quiet)
    return replace(recipe, training=training)
