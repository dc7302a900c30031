"""What striate refuses on purpose, as exceptions of its own.

Each message is one sentence that names the layer, file or argument, the numbers, and what to
change.  Any other exception that comes out of striate is a mistake inside it, or the system's
(`OSError`, `MemoryError`).
"""

from __future__ import annotations


class StriateError(Exception):
    """The base of everything that striate refuses on purpose."""


class StriateValueError(StriateError, ValueError):
    """A value that does not fit: a size, a name, a file's content, data."""


class StriateTypeError(StriateError, TypeError):
    """An argument of the wrong kind."""


class StriateArithmeticError(StriateError, FloatingPointError):
    """Training whose loss is no longer finite."""
