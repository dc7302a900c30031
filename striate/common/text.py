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
