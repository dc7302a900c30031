"""The one door for notes: what is told on the way, besides the results, on standard error.

A note that cannot be written ends no work: the reader of the pipe may have gone, the disk behind
it may be full, the stream may be closed, missing, or know few characters.
"""

from __future__ import annotations

import codecs
import errno
import sys
from typing import Any, TextIO

PLAIN = "striate.plain"
"""The error handler, for streams that know few characters: `plain` instead of what they lack."""

_PLAIN = {
    "─": "-", "█": "#", "→": "->", "←": "<-", "×": "x", "⊗": "(x)", "·": ".", "…": "...", "⋮": ":",
    "−": "-", "–": "-", "≤": "<=", "≥": ">=", "±": "+-", "∗": "*", "⋆": "*", "∘": "o", "√": "sqrt",
    "∂": "d", "Σ": "sum", "∇": "grad", "π": "pi", "α": "alpha", "δ": "delta", "ε": "epsilon",
    "λ": "lambda", "σ": "sigma", "µ": "u", "°": " degrees", "²": "^2", "⁴": "^4", "⁶": "^6",
    "∝": "~", "∧": "and", "∨": "or", "━": "-", "╸": "-", "╺": "-", "“": '"', "”": '"', "’": "'",
}  # fmt: skip


def plain(error: UnicodeError) -> tuple[str, int]:
    """What stands for the characters that an encoding lacks: letters and signs that every one has,
    or an escape such as \\u4e2d.
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    written = (
        _PLAIN.get(c) or c.encode("ascii", "backslashreplace").decode("ascii") for c in lacking
    )
    return "".join(written), error.end


codecs.register_error(PLAIN, plain)


class SafeStream:
    """A text stream as others are, whose failures end nothing: then nothing more is written.

    It shows no buffer of bytes, by which its care could be passed by.

    Args:
        stream: the stream; None where there is none, as without a console.

    Attributes:
        failure: why something that was written to it is lost; None while nothing is.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self.failure: Exception | None = None

    @property
    def lost(self) -> bool:
        """Whether nothing can be written any more, or never could."""
        return self._stream is None

    @property
    def encoding(self) -> str:
        """How characters become bytes."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    @property
    def errors(self) -> str:
        """What is done about characters that the encoding lacks."""
        return PLAIN

    def write(self, text: str) -> int:
        """Write a text, or lose it; the count of its characters."""
        if self._stream is None:
            self.failure = self.failure or OSError(errno.EBADF, "it is closed")
            return len(text)
        try:
            self._stream.write(text)
        except UnicodeEncodeError:
            self.write(text.encode(self.encoding, PLAIN).decode(self.encoding))
        except (OSError, ValueError) as error:  # ValueError: the stream is closed
            self._stream, self.failure = None, error
        return len(text)

    def flush(self) -> None:
        """See that what was written arrives, if it can."""
        if self._stream is not None:
            try:
                self._stream.flush()
            except (OSError, ValueError) as error:
                self._stream, self.failure = None, error

    def isatty(self) -> bool:
        """Whether this is a terminal."""
        try:
            return self._stream is not None and self._stream.isatty()
        except (OSError, ValueError):
            return False

    def __getattr__(self, name: str) -> Any:
        if name == "buffer":
            raise AttributeError(name)
        return getattr(self._stream, name)


def notes() -> SafeStream:
    """Standard error as it is now, for notes."""
    stream = sys.stderr
    return stream if isinstance(stream, SafeStream) else SafeStream(stream)
