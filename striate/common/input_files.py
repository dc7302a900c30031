"""The door through which files that a user names are read.

Only regular files are read. A pipe or a terminal may never end, a device is not what anyone means,
and most readers here look at a file twice: so pipes are refused, and with them `<(command)` of a
shell. "/dev/stdin" is taken where a file is behind it (`striate … /dev/stdin < file`).

What the system says of a file that it refuses becomes a sentence with the file's name. Text is
UTF-8, with or without the mark that some editors write at its beginning.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, NoReturn

from striate.common.budget import need
from striate.common.errors import StriateValueError
from striate.common.text import in_bytes, quoted, reason, with_article

MOST_TEXT = 2**26
"""Bytes of a text file that a person may have written: a kernel, a network."""

_KINDS = (
    (stat.S_ISDIR, "is a folder"),
    (stat.S_ISFIFO, "is a pipe"),
    (stat.S_ISSOCK, "is a socket"),
    (stat.S_ISCHR, "is a device"),
    (stat.S_ISBLK, "is a device"),
)
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")

PathLike = str | os.PathLike[str]


@contextmanager
def open_input(
    path: PathLike, what: str = "file", *, error: type[StriateValueError] = StriateValueError
) -> Iterator[BinaryIO]:
    """Open the regular file `path` for reading bytes.

    What the system refuses while the block reads is told by `error` too.

    Args:
        path: the file.
        what: what it should be, such as "model file".
        error: the exception.

    Raises:
        StriateValueError: or `error`; there is no such file, it is no regular file, or cannot be
            read.
    """
    try:
        # Before it is opened: to open a device may do something, and a pipe waits for its writer.
        _check_kind(path, what, os.stat(path), error)
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        file = os.fdopen(os.open(path, flags | getattr(os, "O_CLOEXEC", 0)), "rb")
    except OSError as problem:
        raise error(f"{_name(path)}: {_refused(problem, what)}") from problem
    except StriateValueError:
        raise
    except ValueError as problem:  # a null character, or one that the file system cannot write
        raise error(
            f"{_name(path)}: cannot be read: its name is none of a file ({reason(problem)})"
        ) from problem
    with file:
        _check_kind(path, what, os.fstat(file.fileno()), error)  # it may have been exchanged
        try:
            yield file
        except OSError as problem:
            if problem.errno is None:  # said by a library about the content
                raise
            raise error(f"{_name(path)}: {_refused(problem, what)}") from problem


def check_input(
    path: PathLike, what: str = "file", *, error: type[StriateValueError] = StriateValueError
) -> None:
    """Refuse what `open_input` refuses, for libraries that open a file by its name."""
    with open_input(path, what, error=error):
        pass


def read_bytes(
    path: PathLike,
    what: str = "file",
    *,
    most: int | None = None,
    error: type[StriateValueError] = StriateValueError,
) -> bytes:
    """Return the content of the regular file `path`.

    Args:
        path: the file.
        what: what it should be, such as "kernel file".
        most: the largest size in bytes; None for what fits into memory.
        error: the exception.

    Raises:
        StriateValueError: or `error`; as `open_input`, or the file is too large.
    """
    with open_input(path, what, error=error) as file:
        size = os.fstat(file.fileno()).st_size
        if most is not None and size > most:
            _too_large(path, what, size, most, error)
        need(size, f"{_name(path)}: this {what}", "it is too large for this machine", error=error)
        # Some files of the system are longer than they say.
        content = file.read() if most is None else file.read(most + 1)
        if most is not None and len(content) > most:
            _too_large(path, what, len(content), most, error)
        return content


def read_text(
    path: PathLike,
    what: str = "text file",
    *,
    most: int | None = MOST_TEXT,
    error: type[StriateValueError] = StriateValueError,
) -> str:
    """Return the text of the regular file `path`, its lines parted by "\\n".

    Args:
        path: the file, in UTF-8.
        what: what it should be, such as "network file".
        most: the largest size in bytes; None for what fits into memory.
        error: the exception.

    Raises:
        StriateValueError: or `error`; as `read_bytes`, or it is not UTF-8.
    """
    content = read_bytes(path, what, most=most, error=error)
    text = decoded(content, _name(path), error=error)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def decoded(content: bytes, who: str, *, error: type[StriateValueError] = StriateValueError) -> str:
    """Return the text in the `content` of a file `who`, without a mark at its beginning.

    Raises:
        StriateValueError: or `error`; it is not UTF-8.
    """
    why = ""
    if content[:2] in _UTF_16 or (b"\0" in content[:4] and content[:4].strip(b"\0")):
        why = "it looks like UTF-16 or UTF-32"
    else:
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as problem:
            line = content.count(b"\n", 0, problem.start) + 1
            why = f"line {line} has the byte 0x{content[problem.start]:02x}"
    raise error(f"{who}: is not a text file in UTF-8, for {why}; save it again as UTF-8")


def _check_kind(
    path: PathLike, what: str, status: os.stat_result, error: type[StriateValueError]
) -> None:
    """Refuse everything but a regular file."""
    if stat.S_ISREG(status.st_mode):
        return
    for is_kind, says in _KINDS:
        if is_kind(status.st_mode):
            if is_kind in (stat.S_ISFIFO, stat.S_ISSOCK):
                says += "; write what comes from it to a file, and name that"
            raise error(f"{_name(path)}: {_is_no(says, what)}")
    raise error(f"{_name(path)}: is not a regular file")


def _is_no(says: str, what: str) -> str:
    """ "is a folder, not a model file"."""
    kind, fix, rest = says.partition(";")
    return f"{kind}, not {with_article(what)}{fix}{rest}"


def _refused(problem: OSError, what: str) -> str:
    """Why the system does not give a file, as a clause."""
    match problem.errno:
        case errno.ENOENT:
            return f"there is no such {what}"
        case errno.ENOTDIR:
            return f"there is no such {what}: a part of this path is a file, not a folder"
        case errno.EISDIR:
            return _is_no("is a folder", what)
        case errno.ENAMETOOLONG:
            return "is too long for the name of a file; give a shorter one"
        case errno.ELOOP:
            return f"there is no such {what}: its symbolic links lead in a circle"
        case errno.ENXIO:
            return _is_no("is a device or socket", what)
        case errno.EACCES | errno.EPERM:
            return f"cannot be read: {reason(problem)}; make it readable, or name another {what}"
    return f"cannot be read: {reason(problem)}"


def _name(path: PathLike) -> str:
    """The name of a file for a message; one that could not be seen is quoted."""
    name = os.fspath(path)
    return name if name.strip() else quoted(name)


def _too_large(
    path: PathLike, what: str, size: int, most: int, error: type[StriateValueError]
) -> NoReturn:
    raise error(
        f"{_name(path)}: is too large for {with_article(what)}: it has {in_bytes(size)}, and at "
        f"most {in_bytes(most)} are read"
    )
