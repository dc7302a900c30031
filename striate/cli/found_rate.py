"""The option `--lr auto` of `striate train`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from striate.cli import options
from striate.network import Network
from striate.training.training_settings import TrainingSettings

AUTO = "auto"


def rate_or_auto(value: Any) -> float | str:
    """Read a learning rate: a number above 0, or "auto"."""
    return AUTO if str(value).strip().lower() == AUTO else options.number(0, above=True)(value)


def with_found_rate(
    training: TrainingSettings, network: Network, images: Any, labels: Any, **given: Any
) -> tuple[TrainingSettings, str]:
    """The settings with the rate that a range test suggests, and what to say of it.

    Args:
        training: the settings.
        network: the network before its training; it stays as it is.
        images, labels: to train on.
        given: further arguments of `Network.find_learning_rate`, with which it will be trained, or
            in place of those of the settings.

    Raises:
        ClickException: no rate made the loss fall.
    """
    arguments = training.arguments()
    names = ("batch_size", "groups", "optimizer", "weight_decay", "loss", "augment")
    curve = network.find_learning_rate(
        images, labels, **({name: arguments[name] for name in names} | given)
    )
    if curve.suggestion is None:
        raise click.ClickException(f"--lr auto: {curve}; give a number")
    # Three digits are enough, and can be typed again.
    rate = float(f"{curve.suggestion:.3g}")
    return replace(training, learning_rate=rate), f"Found a {curve}"
