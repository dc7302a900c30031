"""Where the images in tar files are. Nothing is unpacked.

Two kinds of tar are known: one of class folders, and shards as WebDataset writes them, in which
files with the same name up to the first dot belong together: an image, and its class in a file
`.cls`, `.txt` or `.json`.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from striate.common.errors import StriateValueError
from striate.common.input_files import open_input
from striate.common.text import reason
from striate.data.dataset import DataError

# Members of all tar files of a source: an index of more would itself be large.
MOST_MEMBERS = 20_000_000
# Bytes of a file that tells a class.
MOST_LABEL = 1 << 20
_BLOCK = 512


@dataclass(frozen=True, slots=True)
class TarMember:
    """A file in a tar.

    Attributes:
        name: with "/" between folders, without "." and "..".
        offset, size: where its bytes are.
    """

    name: str
    offset: int
    size: int


class TarReader:
    """The members of one tar file that is not packed.

    Args:
        path: the tar file.

    Attributes:
        links: how many links it has, which are passed over.
        status: of the file.

    Raises:
        DataError: there is no such file, or it cannot be read.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.links = 0
        with open_input(path, "tar file", error=DataError) as file:
            self.status = os.fstat(file.fileno())

    def members(self) -> Iterator[tuple[TarMember, ClampedFile]]:
        """Yield its files, and the file to read one from at once.

        Raises:
            DataError: the tar is packed, truncated or damaged.
        """
        with open_input(self.path, "tar file", error=DataError) as file:
            whole = ClampedFile(file, self.status.st_size)
            try:
                yield from self._members(whole)
            except (StriateValueError, MemoryError):
                raise
            # Damaged headers raise errors of many kinds: of numbers, texts, lengths, ...
            except (tarfile.TarError, ValueError, OverflowError, EOFError, RecursionError,
                    IndexError, KeyError, TypeError) as error:  # fmt: skip
                raise DataError(
                    f"{self.path}: {self._kind(file)}; give a whole tar that is not packed "
                    f"({reason(error) or type(error).__name__})"
                ) from error

    def _members(self, file: ClampedFile) -> Iterator[tuple[TarMember, ClampedFile]]:
        with tarfile.open(fileobj=file, mode="r:", errorlevel=2) as tar:  # type: ignore[call-overload]
            while (info := tar.next()) is not None:
                tar.members = []  # which keeps all of them otherwise
                if info.issym() or info.islnk():
                    self.links += 1
                if not info.isreg():
                    continue
                if info.issparse():
                    raise DataError(
                        f"{self.path}: {info.name} is stored with holes, which is not read; pack "
                        "it again without --sparse"
                    )
                if info.offset_data + info.size > file.length:
                    raise DataError(
                        f"{self.path}: is truncated: {info.name} would end at byte "
                        f"{info.offset_data + info.size:,}, and the file has {file.length:,}; "
                        "copy it again"
                    )
                yield TarMember(_plain(info.name), info.offset_data, info.size), file
            file.seek(tar.offset)
            if file.read(_BLOCK).strip(b"\0"):
                raise DataError(
                    f"{self.path}: is damaged at byte {tar.offset:,}: no header of a file is "
                    "there; copy it again"
                )

    def _kind(self, file: IO[bytes]) -> str:
        """What is wrong with a file that is no tar."""
        file.seek(0)
        start = file.read(6)
        packed = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
        if start.startswith(packed):
            return "a packed tar, in which images cannot be found one by one: unpack it (gunzip)"
        return "not a tar file, or a truncated or damaged one"


def is_tar(path: str) -> bool:
    """Return whether a file's name is that of a tar that is not packed."""
    return os.path.splitext(path)[1].lower() == ".tar"


def _plain(name: str) -> str:
    """Return a member's name without what leads out of a folder."""
    return "/".join(part for part in name.split("/") if part not in ("", ".", ".."))


class ClampedFile:
    """A file of which no more is read than there is, however much a header claims.

    Args:
        file: the file.
        length: how many bytes it has.
    """

    def __init__(self, file: Any, length: int) -> None:
        self._file, self.length = file, length

    def read(self, count: int = -1) -> bytes:
        """Read so many bytes, or those that are left."""
        left = max(0, self.length - self._file.tell())
        data: bytes = self._file.read(left if count < 0 else min(count, left))
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place."""
        place: int = self._file.seek(offset, whence)
        return place

    def tell(self) -> int:
        """Return the place."""
        place: int = self._file.tell()
        return place
