"""How many frames an image file has, found without decoding them and without end."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from striate.common.budget import MOST_FRAMES, at_most
from striate.data.dataset import DataError

if TYPE_CHECKING:
    from PIL import Image as Pillow
    from PIL.ImageFile import ImageFile

_PALETTE, _SIZE_OF_PALETTE = 0x80, 0x07
_EXTENSION, _IMAGE = 0x21, 0x2C


def count_frames(image: ImageFile, who: str) -> int:
    """Return the number of frames or pages of an image that Pillow has opened.

    Args:
        image: as opened; a TIFF is at its first page afterwards.
        who: the file, for the message.

    Raises:
        DataError: there are more than `MOST_FRAMES`.
    """
    fix = "cut it into shorter ones"
    file = image.fp
    if image.format == "GIF" and file is not None:
        # Pillow counts them by going through all, which may be any number.
        place = file.tell()
        at_most(_gif_frames(file), MOST_FRAMES, "frames", who, fix, error=DataError)
        file.seek(place)
    if image.format == "TIFF":
        at_most(_tiff_pages(image), MOST_FRAMES, "pages", who, fix, error=DataError)
    count = int(getattr(image, "n_frames", 1))
    at_most(count, MOST_FRAMES, "frames", who, fix, error=DataError)
    return count


def _tiff_pages(image: Pillow.Image) -> int:
    """The pages of a TIFF, one more than are taken at most: each tells where the next one is.

    They are gone to one by one: of a page far behind the last, Pillow keeps a wrong number.
    """
    count = 1
    try:
        while count <= MOST_FRAMES:
            image.seek(count)
            count += 1
    except EOFError:
        pass
    image.seek(0)
    return count


def _gif_frames(file: IO[bytes]) -> int:
    """The images in a GIF, found by its blocks; one more than are taken at most."""
    file.seek(6)
    head = file.read(7)
    if len(head) < 7:
        return 1
    _skip_palette(file, head[4])
    count = 0
    while count <= MOST_FRAMES:
        kind = file.read(1)
        if kind == bytes([_EXTENSION]):
            file.read(1)
        elif kind == bytes([_IMAGE]):
            descriptor = file.read(9)
            if len(descriptor) < 9:
                break
            _skip_palette(file, descriptor[8])
            file.read(1)  # the size of codes
            count += 1
        elif kind in (b"", b";"):
            break
        else:  # Pillow, too, looks for the next block
            continue
        while size := file.read(1)[:1]:
            if size == b"\0":
                break
            file.seek(size[0], 1)
    return count


def _skip_palette(file: IO[bytes], flags: int) -> None:
    if flags & _PALETTE:
        file.seek(3 << ((flags & _SIZE_OF_PALETTE) + 1), 1)
