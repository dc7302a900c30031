"""Resolves what a user writes for a signal: numbers, the name of a demonstration, or a file."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

from striate.common.text import did_you_mean, quoted
from striate.kernels.typed_numbers import looks_typed, parse
from striate.recordings.demo import DEMOS, demo
from striate.recordings.files import SUFFIXES, read
from striate.recordings.recording import Recording, RecordingError


def find(text: str) -> Recording:
    """Return the signal for a text: numbers as `typed` takes them, a name of `DEMOS`, or a file as
    `read` takes it, tried in this order. (For a file that is called like one, write "./7".)

    Raises:
        RecordingError: it is none of them, or cannot be read.
    """
    text = text.strip()
    if not text or looks_typed(text):
        return typed(text)
    if text in DEMOS:
        return demo(text)
    path = Path(text)
    if path.suffix.lower() in SUFFIXES or os.path.exists(path):
        return read(path)
    if re.search(r"[\s,;]", text):
        return typed(text)  # to tell which word is not a number
    hint = did_you_mean(text.lower(), DEMOS, write=quoted)
    raise RecordingError(
        f'the signal "{text}" is neither numbers such as 10,9,10, nor a file, nor one of '
        f"{', '.join(DEMOS)}{hint}"
    )


def typed(text: str) -> Recording:
    """Return the numbers of a text: one row (n,), or several parted by ";" or line breaks.

    Numbers are parted by spaces or commas and may be fractions such as 1/3; float64.

    Raises:
        RecordingError: a word is no number, rows differ in length, or there is no number.
    """
    if not text.strip(" \t\r\n;"):
        raise RecordingError("the signal is empty; write numbers such as 10,9,10")
    try:
        values = np.asarray(parse(text, "the signal"))
    except ValueError as error:
        raise RecordingError(str(error)) from error
    return Recording(values, "typed numbers", grid=values.ndim > 1)
