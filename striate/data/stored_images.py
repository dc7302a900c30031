"""Images that lie inside other files, such as those of a tar: where their bytes are."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, TypeAlias

from striate.common.budget import need
from striate.common.errors import StriateValueError
from striate.common.input_files import open_input


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An image whose bytes lie one after the other inside a file.

    Attributes:
        file: the file that holds it.
        offset, length: where its bytes are.
        name: what people call it; messages do, too.
    """

    file: str
    offset: int
    length: int
    name: str

    def __str__(self) -> str:
        return self.name


ImageFile: TypeAlias = "str | StoredImage"
"""A file, or an image inside one."""


@contextmanager
def open_image_bytes(
    place: ImageFile, *, error: type[StriateValueError] = StriateValueError
) -> Iterator[IO[bytes]]:
    """Open the file of an image; one that lies inside another file is read into memory.

    Raises:
        StriateValueError: or `error`; there is no such file, it cannot be read, or it is shorter
            than it was.
    """
    if isinstance(place, str):
        with open_input(place, "image", error=error) as file:
            yield file
        return
    with open_input(place.file, "file of images", error=error) as file:
        need(place.length, f"{place}: this image", "leave it out", error=error)
        file.seek(place.offset)
        content = file.read(place.length)
    if len(content) < place.length:
        raise error(f"{place}: its file is shorter than it was; give it whole")
    yield io.BytesIO(content)


def size_of(place: ImageFile) -> int:
    """Return how many bytes an image's file has.

    Raises:
        OSError: there is no such file.
    """
    return os.stat(place).st_size if isinstance(place, str) else place.length


def to_json(place: ImageFile) -> Any:
    """Return it as a JSON-able value, which `from_json` reads."""
    if isinstance(place, str):
        return place
    return [place.file, place.offset, place.length, place.name]


def from_json(value: Any) -> ImageFile:
    """Return what `to_json` wrote."""
    return value if isinstance(value, str) else StoredImage(*value)
