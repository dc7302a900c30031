"""NumPy's array files, .npy and .npz, read without trust.

Nothing is unpickled. What the headers claim is compared with what is there and with the memory that
is free before the numbers are read, so that a damaged or hostile file costs no time.
"""

from __future__ import annotations

import errno
import math
import os
import sys
import warnings
import zipfile
import zlib
from collections.abc import Collection
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.lib import format as npy

from striate.common.arrays import Array
from striate.common.budget import check_packing, need
from striate.common.errors import StriateValueError
from striate.common.input_files import PathLike, open_input
from striate.common.text import listed, reason

_PIECE = 1 << 24  # bytes that are read at once
_MOST_HEAD = 2000  # characters: NumPy takes seconds for some that are longer
_ENDING = ".npy"
_MAKE_SMALLER = "save a smaller one"


class _Claim(NamedTuple):
    """What the head of a .npy file claims."""

    name: str
    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype[Any]

    @property
    def size(self) -> int:
        """Bytes of its numbers."""
        return math.prod(self.shape) * self.dtype.itemsize


class _Source(NamedTuple):
    """A file or an archive: its name, and the errors that tell of it."""

    path: str
    error: type[StriateValueError]

    def refuse(self, claim: str, why: str) -> StriateValueError:
        """The error that says what is wrong with an array."""
        return self.error(f"{self.path}: {claim or 'is not a NumPy array of numbers: it'} {why}")


def read_npy(
    path: PathLike,
    what: str = ".npy file",
    *,
    most: int | None = None,
    error: type[StriateValueError] = StriateValueError,
) -> Array:
    """Return the array in the .npy file `path`, of any dtype but objects.

    Args:
        path: the file.
        what: what it should be.
        most: the largest number of elements; None for what fits into memory.
        error: the exception.

    Raises:
        StriateValueError: or `error`; the file cannot be read, is damaged, truncated or no .npy
            file, or holds Python objects, more than `most` elements, or more than the memory.
    """
    source = _Source(os.fspath(path), error)
    with open_input(path, what, error=error) as file:
        claim = _claim(file, "", os.fstat(file.fileno()).st_size, source)
        if most is not None and math.prod(claim.shape) > most:
            raise source.refuse(
                claim.name, f"has the shape {claim.shape}, and at most {most:,} elements are read"
            )
        need(claim.size, f"{path}: the array of shape {claim.shape}", _MAKE_SMALLER, error=error)
        return _values(file, claim, source)


def read_npz(
    path: PathLike,
    wanted: Collection[str],
    *,
    copies: int = 1,
    error: type[StriateValueError] = StriateValueError,
) -> dict[str, Array]:
    """Return those arrays of the .npz file `path` whose names are among the `wanted`.

    Args:
        path: the file.
        wanted: names of arrays.
        copies: so many times as much memory as they take must be free for what comes afterwards.
        error: the exception.

    Raises:
        StriateValueError: or `error`; the file cannot be read, is damaged, truncated or no .npz
            file, or one of these arrays is not one, holds Python objects, is packed like nothing
            that is meant to be read, or needs more than the memory.
    """
    source = _Source(os.fspath(path), error)
    with open_input(path, ".npz file", error=error) as file:
        if file.read(len(npy.MAGIC_PREFIX)) == npy.MAGIC_PREFIX:
            raise error(f"{path}: not an .npz with several arrays; save with np.savez")
        try:
            with zipfile.ZipFile(file) as archive:
                members = _members(archive, wanted, source)
                claims = {}
                for name, info in members.items():
                    with archive.open(info) as member:
                        claims[name] = _claim(member, f"the array {name}", info.file_size, source)
                    check_packing(
                        claims[name].size,
                        info.compress_size,
                        f"{path}: the array {name}",
                        "if it is right, save it with np.savez instead of np.savez_compressed",
                        error=error,
                    )
                size = sum(claim.size for claim in claims.values())
                need(copies * size, f"{path}: {_together(claims)}", _MAKE_SMALLER, error=error)
                arrays = {}
                for name, claim in claims.items():
                    with archive.open(members[name]) as member:
                        _claim(member, claim.name, members[name].file_size, source)
                        arrays[name] = _values(member, claim, source)
                return arrays
        except (StriateValueError, MemoryError):
            raise
        # Damaged archives raise errors of many kinds: of lengths, dates, encryption, unknown ways
        # of packing, ...
        except Exception as problem:
            # A wrong place in the archive is an invalid argument to the system.
            if isinstance(problem, OSError) and problem.errno not in (None, errno.EINVAL):
                raise
            raise error(
                f"{path}: not an .npz file, or a truncated or damaged one ({reason(problem)})"
            ) from problem


def _members(
    archive: zipfile.ZipFile, wanted: Collection[str], source: _Source
) -> dict[str, zipfile.ZipInfo]:
    """The archive's members with the wanted arrays, by the names of the arrays; of several with
    the same name the last, as NumPy has it.
    """
    found = {info.filename: info for info in archive.infolist()}
    bare = [name for name in found if name in wanted]
    if bare:
        raise source.error(
            f"{source.path}: not an .npz file that NumPy wrote: {listed(bare)} in it should be "
            f"called {bare[0]}{_ENDING}; save it with np.savez"
        )
    return {
        name.removesuffix(_ENDING): info
        for name, info in found.items()
        if name.endswith(_ENDING) and name.removesuffix(_ENDING) in wanted
    }


def _together(claims: dict[str, _Claim]) -> str:
    """The arrays of an archive, as a message names them."""
    shapes = [f"{name} of shape {claim.shape}" for name, claim in claims.items()]
    return f"to work with {listed(shapes, 4)}"


def _claim(file: IO[bytes], name: str, held: int, source: _Source) -> _Claim:
    """Read the head of a .npy file of `held` bytes, and check it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers from Python 2
            version = npy.read_magic(file)
            if version == (1, 0):
                claim = _Claim(name, *npy.read_array_header_1_0(file, _MOST_HEAD))
            elif version == (2, 0):
                claim = _Claim(name, *npy.read_array_header_2_0(file, _MOST_HEAD))
            else:  # only for fields whose names are not Latin
                raise source.refuse(name, "has named fields, where plain numbers are needed")
    except (StriateValueError, zipfile.BadZipFile, zlib.error, OSError):
        raise
    # NumPy hands the text of the header to Python's parser, which has errors of its own.
    except Exception as problem:
        raise source.refuse(
            name, f"has a head that NumPy does not know ({reason(problem)})"
        ) from problem
    if claim.dtype.hasobject:
        raise source.refuse(
            name,
            "holds pickled Python objects, which are never loaded; save plain arrays of numbers "
            "or text",
        )
    if any(extent < 0 for extent in claim.shape) or not claim.dtype.itemsize:
        raise source.refuse(name, f"is damaged: {claim.dtype} of shape {claim.shape}")
    if claim.size > held:
        raise source.refuse(
            name,
            _truncated(claim, held),
        )
    return claim


def _truncated(claim: _Claim, held: int) -> str:
    return f"is truncated: {held:,} of {claim.size:,} bytes of shape {claim.shape} are there"


def _values(file: IO[bytes], claim: _Claim, source: _Source) -> Array:
    """Read the numbers behind the head."""
    values, filled = np.empty(claim.size, np.uint8), 0
    while filled < claim.size:
        piece = file.read(min(claim.size - filled, _PIECE))
        if not piece:
            raise source.refuse(
                claim.name,
                _truncated(claim, filled),
            )
        values[filled : filled + len(piece)] = np.frombuffer(piece, np.uint8)
        filled += len(piece)
    if claim.dtype.kind == "U":  # NumPy does not look, and Python's text cannot hold others
        characters = values.view(np.dtype(np.uint32).newbyteorder(claim.dtype.byteorder))
        if characters.max(initial=0) > sys.maxunicode:
            raise source.refuse(claim.name, "is damaged: it has text that is none")
    try:
        return values.view(claim.dtype).reshape(
            claim.shape, order="F" if claim.fortran_order else "C"
        )
    except ValueError as problem:  # too many axes, or an extent beyond NumPy's
        raise source.refuse(claim.name, f"is damaged: its shape is {claim.shape}") from problem
