"""`striate export --to object`: code for other machines, in a folder."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from striate.cli.labelled import load_labelled
from striate.cli.output import json_line, note, one_line
from striate.common.arrays import Array
from striate.common.progress import Counting
from striate.common.text import counted, listed
from striate.freestanding.code_export import c_name
from striate.freestanding.exported import Exported
from striate.freestanding.named_targets import NAMED_TARGETS
from striate.network import Network, load

WRONG = 1
"""The exit code where code does not do what it should."""


@dataclass(frozen=True)
class CodeOptions:
    """What `striate export` is asked for, see its help."""

    model: str
    kind: str
    target: str | None
    batch: int
    max_ram: int | None
    max_flash: int | None
    verify: str | None
    verify_images: int | None


def write_code(given: CodeOptions, out: str | None, *, as_json: bool, quiet: bool) -> int:
    """Write the folder, say what the code takes, and return the exit code."""
    if given.target is None:
        raise click.ClickException(
            f"--to {given.kind} needs --target: " + listed(list(NAMED_TARGETS), len(NAMED_TARGETS))
        )
    if given.verify_images is not None and given.verify is None:
        raise click.ClickException("--verify-images says how many images of --verify SOURCE")
    name = Path(given.model).stem
    plain = re.sub(r"[^\w.-]+", "-", given.target)  # a triple has colons
    folder = Path(f"{name}-{plain}" if out is None else out)
    network = load(given.model)
    found = network.export(
        folder,
        to=given.kind,
        target=given.target,
        name=c_name(name),
        batch_size=given.batch,
        max_ram=given.max_ram,
        max_flash=given.max_flash,
        **_images(given, network, quiet=quiet),
    )
    if as_json:
        json_line({"model": given.model, "folder": str(folder), **_told(found)})
    else:
        for what, much in found.figures.rows():
            click.echo(f"{what}: {much}")
        if found.verification is not None:
            click.echo(f"Verified: {found.verification.sentence()}")
        files = listed(list(found.files), len(found.files))
        click.echo(f"Wrote {files} to {one_line(str(folder))}")
    holds = found.verification is None or found.verification.holds
    return 0 if holds else WRONG


def _images(given: CodeOptions, network: Network, *, quiet: bool) -> dict[str, Any]:
    """The images to verify with, as `Network.export` takes them."""
    if given.verify is None:
        return {}
    tested = load_labelled(given.model, network, given.verify, None, skip_bad=False, quiet=quiet)
    some = slice(given.verify_images)
    images, labels = tested.images[some], tested.labels[some]
    note(f"Verifying on {counted(len(images), 'image')} (part {tested.part})", quiet=quiet)
    classes: Array | None = labels if network.answers.kind == "classes" else None
    return {
        "verify": images,
        "labels": classes,
        "progress": None if quiet else Counting(),
    }


def _told(found: Exported) -> dict[str, Any]:
    """What was exported, as JSON has it."""
    verified = found.verification
    figures = asdict(found.figures)
    return {
        "name": found.name,
        "target": found.target,
        "files": list(found.files),
        **figures,
        "ram_bytes": found.figures.ram_bytes,
        "flash_bytes": found.figures.flash_bytes,
        "same_bits": found.same_bits,
        "helpers": list(found.helpers),
        "verification": None
        if verified is None
        else {**asdict(verified), "holds": verified.holds, "sentence": verified.sentence()},
    }
