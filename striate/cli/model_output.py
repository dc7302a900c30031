"""Checks where `striate train` is to write its model, before any work is done."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from striate.model import files

if TYPE_CHECKING:
    from striate.data import Dataset


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
    stem = "".join(c if c.isprintable() and c not in '/\\:*?"<>|' else "_" for c in dataset.name)
    ending = ".safetensors"
    # A name has at most 255 bytes, also that of the checkpoint beside the model; one that is cut
    # may end within a character, which is dropped.
    most = 255 - len(f"{ending}.checkpoint")
    stem = stem.encode("utf-8", "replace")[:most].decode("utf-8", "ignore")
    return f"{stem.strip('. ') or 'model'}{ending}"
