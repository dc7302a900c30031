"""Warnings that point to the user's own line, however deep inside striate they arise."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

_PACKAGE = str(Path(__file__).parents[1])


def warn_user(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn, on behalf of the nearest caller that is not striate itself."""
    level = 2
    while True:
        try:
            file = sys._getframe(level - 1).f_code.co_filename
        except ValueError:  # striate all the way up: its own command line
            break
        if not file.startswith(_PACKAGE):
            break
        level += 1
    warnings.warn(message, category, stacklevel=level)
