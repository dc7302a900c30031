"""Writes matplotlib's figures to files, whatever the user's settings of matplotlib are."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from striate.common.atomic import write_atomically
from striate.common.figure_files import figure_bytes
from striate.common.text import reason
from striate.data.dataset import DataError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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
        content = figure_bytes(draw(), kind)
    try:
        write_atomically(os.fspath(path), [content])
    except OSError as error:
        raise DataError(f"{os.fspath(path)}: cannot be written ({reason(error)})") from error
