"""Tells what changed of a source of images since a model was trained on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from striate.cli.output import note, one_line
from striate.model import files

if TYPE_CHECKING:
    from striate.data import Dataset


def note_changes(model: str, dataset: Dataset, *, quiet: bool) -> None:
    """Note which images are new, missing or changed since a training that is resumed.

    Args:
        model: the model file that the training has left; nothing is noted without one.
        dataset: the images now.
        quiet: whether to note nothing.
    """
    from striate.data.record import ImageRecord

    if quiet or not Path(model).exists():
        return
    record = ImageRecord.from_notes(files.information(model).get("images"))
    if record is None:
        return
    parts = [part for name, part in dataset.parts.items() if name in record.parts]
    found = record.compare(*parts, source=dataset.name, folder=dataset.folder)
    if sentence := found.sentence():
        note(one_line(sentence), quiet=quiet)
