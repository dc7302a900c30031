"""Numbers and lists as text, as messages and tables show them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction


def decimal(value: Fraction) -> str:
    """4.5, 6, or 3.333… of a fraction."""
    return f"{float(value):.4g}" + "…" * (value.denominator not in (1, 2, 4, 5, 8, 10))


def choices(values: Sequence[object]) -> str:
    """1, 2 or 3."""
    *head, last = (str(value) for value in values)
    return f"{', '.join(head)} or {last}" if head else last


def first_few(names: Sequence[str], most: int = 5, more: str = "more") -> str:
    """Return "a, b, c", with "and 2 more" for those beyond the first `most`."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} {more}"


def plural(count: int, thing: str) -> str:
    """Return "1 image", "2 images", "2 classes"."""
    ending = "" if count == 1 else "es" if thing.endswith("s") else "s"
    return f"{count:,} {thing}{ending}"


def reason(error: Exception) -> str:
    """Return what an error says, on one line and without a full stop, for use within a sentence:
    of a file that the system refused only why; where nothing is said, the kind of error."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
