"""`striate export --to object` and others: code for other machines, in a folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from striate.cli.output import json_line, one_line
from striate.common.text import listed
from striate.freestanding.code_export import c_name
from striate.freestanding.named_targets import NAMED_TARGETS
from striate.network import load
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


def write_code(
    model: str,
    out: str | None,
    kind: str,
    target: str | None,
    batch: int,
    learning: Mapping[str, Any],
    *,
    as_json: bool,
) -> None:
    """Write the folder, and say what the code takes."""
    if kind == "object" and target is None:
        raise click.ClickException(
            f"--to {kind} needs --target: " + listed(list(NAMED_TARGETS), len(NAMED_TARGETS))
        )
    folder = Path(f"{Path(model).stem}-{target or kind}" if out is None else out)
    found = load(model).export(
        folder, to=kind, target=target, name=c_name(Path(model).stem), batch_size=batch, **learning
    )
    if as_json:
        json_line(
            {
                "model": model,
                "folder": str(folder),
                "name": found.name,
                "target": found.target,
                "files": list(found.files),
                **asdict(found.figures),
                "same_bits": found.same_bits,
            }
        )
        return
    for what, much in found.figures.rows():
        click.echo(f"{what}: {much}")
    click.echo(f"Wrote {listed(list(found.files), len(found.files))} to {one_line(str(folder))}")
