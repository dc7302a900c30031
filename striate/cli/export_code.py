"""`striate export --to object` and others: code for other machines, in a folder or as a page."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from striate.cli.output import json_line, one_line
from striate.common.text import in_bytes, listed
from striate.freestanding.code_export import PAGE, c_name
from striate.freestanding.named_targets import NAMED_TARGETS
from striate.network import load


def write_code(
    model: str, out: str | None, kind: str, target: str | None, batch: int, *, as_json: bool
) -> None:
    """Write the folder or the page, and say what the code takes."""
    if kind == "object" and target is None:
        raise click.ClickException(
            f"--to {kind} needs --target: " + listed(list(NAMED_TARGETS), len(NAMED_TARGETS))
        )
    stem, is_page = Path(model).stem, kind == PAGE
    default = f"{stem}.html" if is_page else f"{stem}-{target or kind}"
    where = Path(default if out is None else out)
    name = None if is_page else c_name(stem)
    network = load(model)
    found = network.export(where, to=kind, target=target, name=name, batch_size=batch)
    rejects = {"rejects": network.answers.rejection is not None} if is_page else {}
    if as_json:
        json_line(
            {
                "model": model,
                "file" if is_page else "folder": str(where),
                "name": found.name,
                "target": found.target,
                "files": list(found.files),
                **asdict(found.figures),
                "same_bits": found.same_bits,
                **rejects,
            }
        )
        return
    for what, much in found.figures.rows():
        click.echo(f"{what}: {much}")
    if is_page:
        says = (
            "for images unlike those of the training"
            if rejects["rejects"]
            else ("never: train with --reject for that")
        )
        click.echo(f'says "unknown": {says}')
        size = in_bytes(sum(map(len, found.files.values())))
        click.echo(f"Wrote {one_line(str(where))} ({size})")
        return
    click.echo(f"Wrote {listed(list(found.files), len(found.files))} to {one_line(str(where))}")
