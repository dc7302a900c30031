"""The option `--class-weight` of `striate train`."""

from __future__ import annotations

from collections.abc import Sequence

import click

from striate.cli import options
from striate.cli.output import one_line
from striate.common.text import listed


def read(given: Sequence[str], classes: Sequence[str]) -> dict[int, float] | str | None:
    """Return the weights of the classes as `fit` takes them; None where none are given.

    Raises:
        UsageError: a class that there is not, no weight, or "balanced" together with others.
    """
    if not given:
        return None
    if "balanced" in given:
        if len(given) > 1:
            raise click.UsageError(
                "--class-weight balanced gives all weights: leave out the others"
            )
        return "balanced"
    weights: dict[int, float] = {}
    for text in given:
        name, equals, number = text.rpartition("=")
        if not equals:
            raise click.UsageError(
                f"--class-weight {one_line(text)}: say balanced, or CLASS=X such as "
                f"{one_line(classes[0])}=2"
            )
        if name not in classes:
            raise click.UsageError(
                f"--class-weight {one_line(text)}: there is no class {one_line(name)!r}; "
                f"there are {one_line(listed(list(classes), 10))}"
            )
        if classes.index(name) in weights:
            raise click.UsageError(f"--class-weight: class {one_line(name)!r} has two weights")
        weights[classes.index(name)] = options.number(0)(number)
    return weights
