"""What a person may say of a table of labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

TASKS = ("classes", "labels", "numbers")
"""What images have: one class each, any number of labels, or numbers: see `Answers.kind`."""


@dataclass(frozen=True)
class LabelOptions:
    """A table of labels and how to read it; what is None or () is found out.

    Attributes:
        table: the file.
        path_column: the column that names the image files.
        label_columns: the columns with the class, the labels or the numbers.
        split_column: the column that says which images are for training, and which for tests.
        task: what the images have, one of `TASKS`.
        separator: what parts the labels in a cell.
        names: of a trained model: what its outputs are called, in their order.
        usual: columns by the names of the attributes above, which are taken where nothing else is
            asked for and they are there.
    """

    table: str
    path_column: str | None = None
    label_columns: tuple[str, ...] = ()
    split_column: str | None = None
    task: str | None = None
    separator: str | None = None
    names: tuple[str, ...] | None = None
    usual: Mapping[str, Any] = field(default_factory=dict)
