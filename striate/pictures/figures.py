"""Writes matplotlib's figures to files, whatever the user's settings of matplotlib are."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from striate.common.atomic import write_atomically
from striate.data.dataset import DataError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DPI = 150


def write_figure(path: str | os.PathLike[str], kind: str, draw: Callable[[], Figure]) -> None:
    """Write what `draw` gives, drawn with matplotlib's own settings instead of the user's, which
    would change sizes that places are computed from.

    Args:
        path: where to.
        kind: "png", "svg", "pdf", …
        draw: makes the figure.

    Raises:
        DataError: the file cannot be written.
    """
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        figure = draw()
        buffer = io.BytesIO()
        figure.savefig(buffer, format=kind, dpi=_DPI)
    try:
        write_atomically(os.fspath(path), [buffer.getbuffer()])
    except OSError as error:
        reason = error.strerror or error
        raise DataError(f"{os.fspath(path)}: cannot be written ({reason})") from error
