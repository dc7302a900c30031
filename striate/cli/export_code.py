"""`striate export --to object` and others: code for other machines, in a folder."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from striate.cli.output import json_line, one_line
from striate.common.text import listed
from striate.freestanding.code_export import c_name
from striate.freestanding.named_targets import NAMED_TARGETS
from striate.network import load


def write_code(
    model: str, out: str | None, kind: str, target: str | None, batch: int, *, as_json: bool
) -> None:
    """Write the folder, and say what the code takes."""
    if kind == "object" and target is None:
        raise click.ClickException(
            f"--to {kind} needs --target: " + listed(list(NAMED_TARGETS), len(NAMED_TARGETS))
        )
    folder = Path(f"{Path(model).stem}-{target or kind}" if out is None else out)
    found = load(model).export(
        folder, to=kind, target=target, name=c_name(Path(model).stem), batch_size=batch
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
