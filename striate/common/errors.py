"""What striate refuses on purpose, as exceptions of its own.

Each message is one sentence that names the layer, file or argument, the numbers, and what to
change.  It has at most `MOST_CHARACTERS`: many repeat what a file or a caller gave, which may be of
any length, so all are shortened here, where they are made.  Any other exception that comes out of
striate is a mistake inside it, or the system's (`OSError`, `MemoryError`).
"""

from __future__ import annotations

from striate.common.text import cut_in_the_middle

MOST_CHARACTERS = 500
"""The most characters of a message, which is also that of an error line in the terminal."""


class StriateError(Exception):
    """The base of everything that striate refuses on purpose."""

    def __init__(self, *parts: object) -> None:
        super().__init__(
            *(
                cut_in_the_middle(part, MOST_CHARACTERS) if isinstance(part, str) else part
                for part in parts
            )
        )


class StriateValueError(StriateError, ValueError):
    """A value that does not fit: a size, a name, a file's content, data."""


class StriateTypeError(StriateError, TypeError):
    """An argument of the wrong kind."""


class StriateArithmeticError(StriateError, FloatingPointError):
    """Training whose loss is no longer finite."""


class StriateMemoryError(StriateValueError, MemoryError):
    """Work that needs more memory than there is, found out before it began."""


class StriateImportError(StriateError, ImportError):
    """Work that needs a package which is not installed."""
