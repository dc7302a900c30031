"""Says the cures that the library's errors name in the words of the place that they are read in.

The library proposes Python: padding=(0, 1, 0, 1), uncovered="drop". On the command line that is an
option, in a network file a line of TOML.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from striate.common.errors import StriateValueError

_ARGUMENT = re.compile(r'\b(padding|stride|dilation|uncovered)=(\([\d, ]+\)|"\w+"|\d+)')
# What the teaching commands have no option for.
_NO_OPTION = re.compile(r', or uncovered="drop"[^;.]*')


def in_options(message: str) -> str:
    """The message with padding=(0, 1, 0, 1) as --padding 0,1,0,1, and no cure without an option."""
    return _typed(message, "--{} {}")


def in_words(message: str) -> str:
    """The message with padding=(0, 1, 0, 1) as padding=0,1,0,1, and no cure without such a word."""
    return _typed(message, "{}={}")


def _typed(message: str, form: str) -> str:
    def said(found: re.Match[str]) -> str:
        return form.format(found[1], re.sub("[() ]", "", found[2]).strip('"'))

    message = _NO_OPTION.sub("", message)
    message = re.sub(r'(left, right\)), (padding="same")', r"\1 or \2", message)
    return _ARGUMENT.sub(said, message)


def in_toml(message: str) -> str:
    """The message with padding=(0, 1, 0, 1) as padding = [0, 1, 0, 1]."""

    def said(found: re.Match[str]) -> str:
        return f"{found[1]} = {found[2].replace('(', '[').replace(')', ']')}"

    return _ARGUMENT.sub(said, message)


@contextmanager
def as_options(say: Callable[[str], str] = in_options) -> Iterator[None]:
    """Errors of the block propose options of the command line, or what `say` makes of them."""
    try:
        yield
    except StriateValueError as error:
        message = str(error)
        if (said := say(message)) == message:
            raise
        raise StriateValueError(said) from error


def in_options_with_uncovered(message: str) -> str:
    """`in_options`, for a command that has the option --uncovered."""
    said = in_options(message)
    if not _NO_OPTION.search(message):
        return said
    return f"{said.rstrip('.')}, or --uncovered drop to leave them unread."
