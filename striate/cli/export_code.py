"""`striate export --to object`: code for other machines, in a folder."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from striate.cli.output import json_line, one_line
from striate.cli.weights_measured import SmallerWeights
from striate.common.text import listed
from striate.freestanding.code_export import c_name
from striate.freestanding.named_targets import NAMED_TARGETS


def write_code(
    model: str,
    out: str | None,
    kind: str,
    target: str | None,
    batch: int,
    small: SmallerWeights,
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write the folder, and say what the code takes."""
    if target is None:
        raise click.ClickException(
            f"--to {kind} needs --target: " + listed(list(NAMED_TARGETS), len(NAMED_TARGETS))
        )
    folder = Path(f"{Path(model).stem}-{target}" if out is None else out)
    network, tested = small.loaded(model, quiet=quiet)
    found = network.export(
        folder,
        to=kind,
        target=target,
        name=c_name(Path(model).stem),
        batch_size=batch,
        weights=small.weights,
    )
    measured = None if tested is None else small.measured(network, found.computed, tested)
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
                "measured": None if measured is None else measured.to_dict(),
            }
        )
        return
    for what, much in found.figures.rows():
        click.echo(f"{what}: {much}")
    for line in [] if measured is None else measured.lines():
        click.echo(line)
    click.echo(f"Wrote {listed(list(found.files), len(found.files))} to {one_line(str(folder))}")
