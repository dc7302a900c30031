"""`striate export --to object` and others: code for other machines, in a folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from striate.cli.output import json_line, one_line
from striate.cli.weights_measured import SmallerWeights
from striate.common.text import listed
from striate.freestanding.code_export import c_name
from striate.freestanding.named_targets import NAMED_TARGETS
from striate.optim.optimizers import by_name


def learning_options(
    train: bool, *, frozen_until: str | None, optimizer: str | None, weight_decay: float | None
) -> dict[str, Any]:
    """What `Network.export` is told of training.

    Raises:
        ClickException: there is to be none, but an option says how.
    """
    if train:
        settings = {} if weight_decay is None else {"weight_decay": weight_decay}
        rule = by_name(optimizer or "adamw", **settings)
        return {"train": True, "frozen_until": frozen_until, "optimizer": rule}
    for name, value in (
        ("--frozen-until", frozen_until),
        ("--optimizer", optimizer),
        ("--weight-decay", weight_decay),
    ):
        if value is not None:
            raise click.ClickException(
                f"{name} is for code that learns: add --train, or leave it out"
            )
    return {}


@dataclass(frozen=True)
class CodeOptions:
    """What `striate export` is asked for, see its help."""

    model: str
    kind: str
    target: str | None
    batch: int
    small: SmallerWeights
    learning: Mapping[str, Any]


def write_code(given: CodeOptions, out: str | None, *, as_json: bool, quiet: bool) -> None:
    """Write the folder, and say what the code takes."""
    if given.kind == "object" and given.target is None:
        raise click.ClickException(
            f"--to {given.kind} needs --target: " + listed(list(NAMED_TARGETS), len(NAMED_TARGETS))
        )
    stem = Path(given.model).stem
    folder = Path(f"{stem}-{given.target or given.kind}" if out is None else out)
    network, tested = given.small.loaded(given.model, quiet=quiet)
    found = network.export(
        folder,
        to=given.kind,
        target=given.target,
        name=c_name(stem),
        batch_size=given.batch,
        weights=given.small.weights,
        **given.learning,
    )
    measured = None if tested is None else given.small.measured(network, found.computed, tested)
    if as_json:
        json_line(
            {
                "model": given.model,
                "folder": str(folder),
                "name": found.name,
                "target": found.target,
                "files": list(found.files),
                **asdict(found.figures),
                "same_bits": found.same_bits,
                "measured": None if measured is None else measured.to_dict(),
            }
        )
        return
    for what, much in found.figures.rows():
        click.echo(f"{what}: {much}")
    for line in [] if measured is None else measured.lines():
        click.echo(line)
    click.echo(f"Wrote {listed(list(found.files), len(found.files))} to {one_line(str(folder))}")
