"""The course of `striate train`, whichever way a network is made: load, train, save, test, tell."""

from __future__ import annotations

import signal
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from striate.cli.clock import STARTED
from striate.cli.model_output import check_model_file, default_name
from striate.cli.output import note, one_line
from striate.cli.trained_model import TrainedModel
from striate.cli.training_source import computing, origin_notes
from striate.cli.training_tasks import TrainingTask, task_of
from striate.common.stop_signals import InterruptHandler

if TYPE_CHECKING:
    from striate.cli.held_out import HeldOut
    from striate.cli.train_options import TrainOptions
    from striate.common.arrays import Array
    from striate.data import Dataset
    from striate.network import Network
    from striate.training.history import History


class Trainer(ABC):
    """A way to make a network: its methods are called in this order.

    Args:
        chosen: the options.

    Attributes:
        checkpoint: from which training can go on; None if there never is one.

    Raises:
        ClickException: the options do not go with it.
    """

    checkpoint: Path | None = None

    def __init__(self, chosen: TrainOptions) -> None:
        self.chosen = chosen

    @abstractmethod
    def load(self) -> tuple[Dataset, HeldOut]:
        """Load the images to train on and to test with, and those to calibrate by."""

    @abstractmethod
    def prepare(self, task: TrainingTask, out: str) -> None:
        """Choose how to train, and tell it.

        Args:
            task: what the images have.
            out: the model file.
        """

    @abstractmethod
    def begin(self, replaces: bool) -> None:
        """Do what may be broken off at any time; `replaces`, whether there is a model already."""

    @abstractmethod
    def train(self) -> tuple[Network, History]:
        """Train the network; a signal that comes meanwhile ends it with what was learnt.

        Raises:
            FloatingPointError: the loss is not finite any more.
        """

    @abstractmethod
    def entries(self) -> dict[str, Any]:
        """Return the entries of the result that only this way has, with its "recipe"."""

    @abstractmethod
    def unseen(self, network: Network) -> tuple[Array, Array] | None:
        """Return outputs (n, outputs) and what is true of images that were not trained on, by which
        to choose how the network answers; None where there are none.
        """

    def speed(self, history: History, images: int, seconds: float) -> float:
        """Return the images a second of a training of so many images, in so many seconds in all."""
        return images / seconds


def carry_out(trainer: Trainer) -> int:
    """Make, save and test a network; return the exit code."""
    from striate.training.checkpoint import remove

    chosen = trainer.chosen
    exchange = chosen.exchange
    if exchange.is_first:
        check_model_file(chosen.out)
    dataset, held = trainer.load()
    out = chosen.out or default_name(dataset)
    replaces = exchange.is_first and check_model_file(out)
    task = task_of(chosen, dataset)
    task.check()
    trainer.prepare(task, out)
    if replaces and not chosen.resume:
        note(f"{one_line(out)} will be replaced when training is done", quiet=chosen.quiet)
    trainer.begin(replaces)
    origin = origin_notes(chosen, dataset, held)
    # A signal that comes when training is done, but not yet saved, waits.
    with InterruptHandler() as stop:
        try:
            network, history = trainer.train()
        except FloatingPointError as error:
            kept = trainer.checkpoint is not None and trainer.checkpoint.exists()
            raise click.ClickException(
                "training has diverged, its loss is not finite any more: use a lower --lr"
                + (", to go on from the checkpoint with --resume any" * kept)
                + "; nothing was saved"
            ) from error
        if not exchange.is_first:
            return 0  # the rest is for the first one, whose code is that of all
        trained = TrainedModel(
            network,
            out,
            _result(task, network, history, trainer.entries()),
            {**origin, "history": history.curves()},
        )
        trained.save_somewhere()

    def improve() -> None:
        task.decide(network, trainer.unseen(network))
        trained.calibrate(held, dataset, reject=chosen.reject, **computing(chosen))

    number = _signal_of(stop, history)
    trained.conclude(number, trainer.checkpoint, improve, dataset, **computing(chosen))
    for sentence in (*task.notes, *trained.weaknesses(dataset.train_labels, chosen.class_weight)):
        note(one_line(sentence), quiet=chosen.quiet)
    if not history.interrupted and trainer.checkpoint is not None:
        remove(trainer.checkpoint)
    seconds = time.perf_counter() - STARTED
    speed = trainer.speed(history, len(dataset.train_images), seconds)
    trained.report(speed, seconds, replaces, as_json=chosen.as_json)
    return 0 if number is None else 128 + number


def _signal_of(stop: InterruptHandler, history: History) -> int | None:
    """Return the signal that has ended training, or has come since; it may have come to another
    process.
    """
    if history.interrupted and history.stopped_by is not None:
        return signal.Signals[history.stopped_by]
    return stop.number


def _result(
    task: TrainingTask, network: Network, history: History, entries: dict[str, Any]
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
        **entries,
    }
