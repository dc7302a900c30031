"""Checks where `striate train` is to write its model, before any work is done."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from striate.common.digests import digest_of
from striate.model import files

if TYPE_CHECKING:
    from striate.data import Dataset

LONGEST_NAME = 255
"""Bytes of the name of a file, on all systems."""


def check_model_file(out: str | None) -> bool:
    """Raise if the model could not be saved as `out`, before any training.

    Returns:
        Whether there is already such a file, which will be replaced.
    """
    if out is None:
        return False
    path = Path(out)
    if path.is_dir():
        raise click.ClickException(f"--out {out} is a folder; give the name of a file in it")
    folder = path.resolve().parent
    if not folder.is_dir():
        raise click.ClickException(f"--out {out}: the folder {folder} does not exist")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise click.ClickException(f"--out {out}: the folder {folder} may not be written to")
    if not path.exists():
        return False
    if not path.is_file():
        raise click.ClickException(f"--out {out} is not a regular file; choose another name")
    if path.stat().st_size and not files.looks_like_a_model(path):
        raise click.ClickException(
            f"--out {out} exists and is not a model; choose another name, or remove it first"
        )
    return True


def default_name(dataset: Dataset) -> str:
    """Return the name of the model file for a source: in this folder, named after the source."""
    return named_after(dataset.name)


def named_after(source: str) -> str:
    """Return the name of the model file for a source of a name."""
    return f"{safe_stem(source) or 'model'}.safetensors"


def safe_stem(name: str) -> str:
    """Return the name of a source as the beginning of a file's name, "" if nothing is left of it.

    A name of a file has at most 255 bytes, also that of the checkpoint beside a model.
    """
    stem = "".join(c if c.isprintable() and c not in '/\\:*?"<>|' else "_" for c in name)
    # One that is cut may end within a character, which is dropped.
    most = LONGEST_NAME - len(".safetensors.checkpoint")
    return stem.encode("utf-8", "replace")[:most].decode("utf-8", "ignore").strip(". ")


def checkpoint_beside(out: str) -> Path:
    """Return the checkpoint of a model: its name and ".checkpoint", or where that is too long for a
    file a digest in its place.
    """
    path = Path(f"{out}.checkpoint")
    if len(os.fsencode(path.name)) > LONGEST_NAME:
        path = path.with_name(f"{digest_of(path.name)}.checkpoint")
    return path
