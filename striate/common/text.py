"""Numbers, names and lists as messages and tables show them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

MOST_COMPARED = 100
"""The most characters of a name for which similar ones are looked for."""
MOST_CANDIDATES = 2000
"""The most names that are looked at: a folder may hold any number."""

# Numbers.


def number(value: Any) -> str:
    """Write a number with about six digits: 3.33333, 123456.7, 1000000, 1e-09, (1+2j)."""
    if isinstance(value, (bool, np.bool_)):
        return str(int(value))
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if isinstance(value, (complex, np.complexfloating)):
        sign = "-" if value.imag < 0 else "+"
        return f"({number(value.real)}{sign}{number(abs(value.imag))}j)"
    if not isinstance(value, (float, np.floating)):
        return str(value)
    real = float(value)
    if 1e5 <= abs(real) < 1e15:
        return f"{real:.1f}".removesuffix(".0")
    return f"{real + 0.0:.6g}"  # + 0.0 makes a zero of -0.0


def weight(value: Any) -> str:
    """Write an element of a kernel: as a fraction where it is one, such as 1/3, else a number."""
    if not isinstance(value, (float, np.floating)) or not np.isfinite(value):
        return number(value)
    short = number(value)
    if float(type(value)(short)) == float(value):
        return short
    near = Fraction(float(value)).limit_denominator(1000)
    if near and type(value)(near.numerator / near.denominator) == value:
        return f"{near.numerator}/{near.denominator}"
    return short


def bracketed(text: str) -> str:
    """A negative number in brackets, so that its sign is not read as a minus of the sum."""
    return f"({text})" if text.startswith("-") else text


def decimal(value: Fraction) -> str:
    """4.5, 6, 12345.7… or 3.333… of a fraction."""
    number = float(value)
    shown = f"{number:.4g}" if abs(number) < 1000 else f"{number:.1f}".removesuffix(".0")
    return shown + "…" * (Fraction(shown) != value)


def percent(share: float, form: str = ".2f") -> str:
    """0.98571 as "98.57 %"; `form` is how Python formats the number before the sign."""
    return f"{100 * share:{form}} %"


def sizes(shape: Iterable[int]) -> str:
    """(28, 28, 1) as "28×28×1"."""
    return "×".join(map(str, shape))


def span(least: str, most: str) -> str:
    """ "3 … 5", or "3" where both ends are that."""
    return least if least == most else f"{least} … {most}"


def in_bytes(count: int, unit: str = "B") -> str:
    """1536 bytes as "1.5 KiB"; fewer than 1024 as "432 B", or with another `unit` than B."""
    for name, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= size:
            return f"{count / size:.1f} {name}"
    return f"{count} {unit}"


def in_gibibytes(count: int, decimals: int = 1) -> str:
    """1536 MiB as "1.5 GiB", for amounts that are too large whatever they are."""
    return f"{count / 2**30:,.{decimals}f} GiB"


# Words.


def plural(count: int, one: str) -> str:
    """The word for `count` things of which a single one is called `one`: image, images, classes."""
    if count == 1:
        return one
    return one + ("es" if one.endswith("s") else "s")


def counted(count: int, one: str) -> str:
    """ "1 image", "1,437 images", "2 classes"."""
    return f"{count:,} {plural(count, one)}"


def with_article(what: str) -> str:
    """ "a kernel", "an image", "an IDX file"."""
    return f"{'an' if what[0] in 'aeioAEIO' else 'a'} {what}"


def quoted(name: str) -> str:
    """A name between double quotes."""
    return f'"{name}"'


def cut(text: str, most: int) -> str:
    """`text`, or as much of it as has `most` characters with an ellipsis."""
    return text if len(text) <= most else text[: most - 1] + "…"


def cut_in_the_middle(text: str, most: int) -> str:
    """`text`, or as much of its beginning and its end as have `most` characters with an ellipsis:
    of a message, what it is about and what to change.
    """
    if len(text) <= most:
        return text
    head = most // 2
    return f"{text[:head]}…{text[len(text) - (most - 1 - head) :]}"


# Lists.


def choices(values: Sequence[object], last: str = "or") -> str:
    """ "1, 2 or 3"; `last` is the word before the last one."""
    *head, end = (str(value) for value in values)
    return f"{', '.join(head)} {last} {end}" if head else end


def listed(names: Sequence[str], most: int = 5, rest: str = "more") -> str:
    """ "a, b and 3 more": the first names, and how many are left out, with the words for them."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} {rest}"


def did_you_mean(
    given: str,
    known: Iterable[str],
    *,
    write: Callable[[str], str] = repr,
    most: int = 1,
    cutoff: float = 0.5,
) -> str:
    """ "; did you mean 'a' or 'b'?", to stand behind the message that `given` is not known.

    Args:
        given: what was written instead of one of `known`.
        known: the names that are close to it are offered, the nearest first.
        write: how a name is shown.
        most: how many are offered.
        cutoff: how close they must be, 0 to 1: see `difflib.get_close_matches`.

    Returns:
        The question, or "" if nothing is close.
    """
    import difflib
    from itertools import islice

    if len(given) > MOST_COMPARED:
        return ""
    candidates = [name for name in islice(known, MOST_CANDIDATES) if len(name) <= MOST_COMPARED]
    near = difflib.get_close_matches(given, candidates, most, cutoff)
    return f"; did you mean {choices([write(name) for name in near])}?" if near else ""


def reason(error: Exception) -> str:
    """Return what an error says, on one line and without a full stop, for use within a sentence:
    of a file that the system refused only why; where nothing is said, the kind of error.
    """
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
