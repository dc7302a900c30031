"""`striate export --to object` and others: code for other machines, in a folder or as a page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from striate.cli.labelled import load_labelled
from striate.cli.output import json_line, note, one_line
from striate.cli.weights_measured import SmallerWeights
from striate.common.arrays import Array
from striate.common.progress import Counting
from striate.common.text import counted, in_bytes, listed
from striate.freestanding.code_export import PAGE, c_name
from striate.freestanding.exported import Exported
from striate.freestanding.targets.named_targets import NAMED_TARGETS
from striate.network import Network
from striate.optim.optimizers import by_name

WRONG = 1
"""The exit code where code does not do what it should."""


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
    max_ram: int | None
    max_flash: int | None
    verify: str | None
    verify_images: int | None


def write_code(given: CodeOptions, out: str | None, *, as_json: bool, quiet: bool) -> int:
    """Write the folder or the page, say what the code takes, and return the exit code."""
    if given.kind == "object" and given.target is None:
        raise click.ClickException(
            f"--to {given.kind} needs --target: " + listed(list(NAMED_TARGETS), len(NAMED_TARGETS))
        )
    if given.verify_images is not None and given.verify is None:
        raise click.ClickException("--verify-images says how many images of --verify SOURCE")
    is_page = given.kind == PAGE
    where = Path(_usual_place(given) if out is None else out)
    network, tested = given.small.loaded(given.model, quiet=quiet)
    found = network.export(
        where,
        to=given.kind,
        target=given.target,
        name=None if is_page else c_name(Path(given.model).stem),
        batch_size=given.batch,
        weights=given.small.weights,
        max_ram=given.max_ram,
        max_flash=given.max_flash,
        **given.learning,
        **_images(given, network, quiet=quiet),
    )
    measured = None if tested is None else given.small.measured(network, found.computed, tested)
    if as_json:
        json_line(
            {
                "model": given.model,
                "file" if is_page else "folder": str(where),
                **_told(found),
                "measured": None if measured is None else measured.to_dict(),
                **({"rejects": network.answers.rejection is not None} if is_page else {}),
            }
        )
    else:
        for what, much in found.figures.rows():
            click.echo(f"{what}: {much}")
        for line in [] if measured is None else measured.lines():
            click.echo(line)
        if found.verification is not None:
            click.echo(f"Verified: {found.verification.sentence()}")
        if is_page:
            _say_of_page(network, found, where)
        else:
            files = listed(list(found.files), len(found.files))
            click.echo(f"Wrote {files} to {one_line(str(where))}")
    holds = found.verification is None or found.verification.holds
    return 0 if holds else WRONG


def _usual_place(given: CodeOptions) -> str:
    """The name of the page or folder where nobody gives one."""
    name = Path(given.model).stem
    if given.kind == PAGE:
        return f"{name}.html"
    plain = re.sub(r"[^\w.-]+", "-", given.target or given.kind)  # a triple has colons
    return f"{name}-{plain}"


def _say_of_page(network: Network, found: Exported, path: Path) -> None:
    rejects = network.answers.rejection is not None
    says = "for images unlike those of the training" if rejects else "never"
    hint = "" if rejects else ": train with --reject for that"
    click.echo(f'says "unknown": {says}{hint}')
    size = in_bytes(sum(map(len, found.files.values())))
    click.echo(f"Wrote {one_line(str(path))} ({size})")


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
