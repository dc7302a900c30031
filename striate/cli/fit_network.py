"""Trains a network as the options of `striate train` say."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from striate.cli.output import note
from striate.cli.training_source import computing, validation_fraction
from striate.common.text import counted
from striate.optim.optimizers import Optimizer

if TYPE_CHECKING:
    from striate.cli.train_options import TrainOptions
    from striate.cli.training_tasks import TrainingTask
    from striate.network import Network
    from striate.training.checkpoint import Checkpoint
    from striate.training.history import History
    from striate.training.training_settings import TrainingSettings


def how_to_fit(
    chosen: TrainOptions, training: TrainingSettings, task: TrainingTask
) -> dict[str, Any]:
    """Return what training and the search of its learning rate are given alike."""
    return {
        **computing(chosen),
        "loss": task.loss(training),
        "class_weight": task.class_weight(),
        "seed": chosen.seed,
        "exact": chosen.exact,
        "bfloat16": chosen.bfloat16,
        "portable": chosen.portable,
        "exchange": chosen.exchange,
    }


def tell_of_idle(chosen: TrainOptions, groups: int) -> None:
    """Say that processes have nothing to do, where there are more of them than groups."""
    size = chosen.exchange.size
    if groups < size:
        note(
            f"Each batch has {counted(groups, 'group')} for {size} processes, so that "
            f"{size - groups} stay{'s' * (size - groups == 1)} idle: give --groups {size} or more, "
            "which is another training than with fewer",
            quiet=chosen.quiet,
        )


def fit_network(
    chosen: TrainOptions,
    training: TrainingSettings,
    network: Network,
    task: TrainingTask,
    checkpoint: Checkpoint | None,
) -> History:
    """Train a network on the images of a task, and return how that went."""
    dataset = task.dataset
    watched = dataset.parts.get("validation")
    arguments = training.arguments()
    # What was measured before, such as the time of a step, has moved the state of the optimiser.
    arguments["optimizer"] = copy.deepcopy(arguments["optimizer"])
    if isinstance(arguments["optimizer"], Optimizer):
        arguments["optimizer"].reset()
    return network.fit(
        dataset.train_images,
        task.targets(dataset.train_labels),
        **(arguments | how_to_fit(chosen, training, task)),
        validation_data=None if watched is None else (watched.images, task.targets(watched.labels)),
        validation_fraction=validation_fraction(chosen, task),
        early_stopping=chosen.patience,
        progress=not chosen.quiet,
        streams=None if chosen.stream is None else dataset.shard_streams(chosen.stream),
        checkpoint=checkpoint,
        resume="any" if chosen.resume == "any" else chosen.resume is not None,
    )
