"""The momentum of `striate train --optimizer sgd`; without it, plain gradient descent."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from striate.cli.train_options import TrainOptions
    from striate.training.training_settings import TrainingSettings


def with_momentum(chosen: TrainOptions, training: TrainingSettings) -> TrainingSettings:
    """The settings with the momentum that the options give; unchanged where they give none.

    Raises:
        click.UsageError: the optimiser has no momentum.
    """
    from striate.optim.optimizers import SGD

    asked = {"momentum": chosen.momentum, "nesterov": chosen.nesterov}
    given: dict[str, Any] = {name: own for name, own in asked.items() if own is not None}
    if not given:
        return training
    if training.optimizer != "sgd":
        raise click.UsageError(
            f"--{' and --'.join(given)}: {training.optimizer} has no momentum of this kind; add "
            "--optimizer sgd, or leave it out"
        )
    if given.get("momentum") == 0:
        given["nesterov"] = False  # it would change nothing
    rule = SGD(**given, weight_decay=training.weight_decay or 0.0)
    return replace(training, optimizer=rule, weight_decay=None)


def optimizer_named(training: TrainingSettings) -> dict[str, Any]:
    """The optimiser as plain values, for what is kept of a training."""
    rule = training.optimizer
    if isinstance(rule, str):
        return {"optimizer": rule}
    return {"optimizer": rule.kind, **rule.hyperparameters()}
