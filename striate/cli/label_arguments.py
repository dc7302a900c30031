"""The options of commands that say how a table of labels is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

import click

from striate.data.label_options import TASKS

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class LabelArguments:
    """What a user says of labels; the names are arguments of `striate.data.load`."""

    labels: str | None = None
    path_column: str | None = None
    label_columns: tuple[str, ...] = ()
    split_column: str | None = None
    separator: str | None = None
    task: str | None = None

    @classmethod
    def taken_from(cls, given: dict[str, Any]) -> LabelArguments:
        """Take them out of all arguments of a command."""
        return cls(**{field.name: given.pop(field.name) for field in fields(cls)})

    def arguments(self) -> dict[str, Any]:
        """Return them as arguments of `striate.data.load`."""
        return asdict(self)


def labels_options(command: Command) -> Command:
    """Add the options of a table of labels; `LabelArguments.taken_from` takes them."""
    for option in reversed(
        (
            click.option(
                "--labels",
                metavar="FILE",
                help="A table, CSV or Parquet, with the labels of the images in SOURCE: a row for "
                "each image, with its file's name and its class, its labels (cat;dog, or a column "
                "of 0 and 1 for each), or numbers.",
            ),
            click.option(
                "--task",
                type=click.Choice(TASKS),
                help="What images have: one class each, any number of labels, or numbers.  "
                "[default: by the table]",
            ),
            click.option(
                "--path-column", metavar="NAME", help="The column with the images' file names."
            ),
            click.option(
                "--label-column",
                "label_columns",
                multiple=True,
                metavar="NAME",
                help="A column with classes, labels or numbers; may be repeated.",
            ),
            click.option(
                "--split-column",
                metavar="NAME",
                help="The column that says train, test or validation.",
            ),
            click.option(
                "--separator", metavar="TEXT", help="What parts several labels in a cell."
            ),
        )
    ):
        command = option(command)
    return command
