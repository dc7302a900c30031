"""Figures of matplotlib as files: which kind a name asks for, and the bytes."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from striate.common.errors import StriateError, StriateValueError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURE_KINDS = ("png", "svg", "pdf", "jpg", "jpeg", "webp")
"""The kinds of files that a figure can be written as."""


def kind_of(
    path: str | os.PathLike[str],
    what: str,
    kinds: Sequence[str] = FIGURE_KINDS,
    error: type[StriateError] = StriateValueError,
) -> str:
    """Return the kind of file that the ending of a name asks for, such as "png".

    Args:
        path: the file, which need not be there.
        what: what is to be written, such as "a plot".
        kinds: those that it can be written as.
        error: what is raised.

    Raises:
        ValueError: the ending is none of them.
    """
    kind = Path(path).suffix.lower().lstrip(".")
    if kind not in kinds:
        raise error(f"{os.fspath(path)}: {what} can be written as .{', .'.join(kinds)}")
    return kind


def figure_bytes(figure: Figure, kind: str, dpi: int = 150) -> bytes:
    """Return a figure as the content of a file, the same each time.

    Args:
        figure: what is drawn.
        kind: one of FIGURE_KINDS.
        dpi: pixels per inch.
    """
    from matplotlib import rc_context

    file = io.BytesIO()
    undated: dict[str, None] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind, {})
    with rc_context({"svg.hashsalt": "striate"}):
        figure.savefig(file, format=kind, dpi=dpi, metadata=undated or None)
    return file.getvalue()
