"""Writes TIFF with tifffile: 8-bit, 16-bit and real-valued gray and colour, one page or many.

Pillow writes no 16-bit colour. It does read TIFF (`striate.pictures.reading`): tifffile, without
the codecs of a further package, knows fewer compressions (neither LZW nor JPEG), and turns neither
rotations nor CMYK and LAB into upright RGB.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence

from striate.common.arrays import Array
from striate.common.errors import StriateValueError

_STRIP_BYTES = 1 << 20  # of a strip before it is compressed


def tiff_file(
    pages: Sequence[Array],
    *,
    icc: bytes | None = None,
    dpi: tuple[float, float] | None = None,
) -> memoryview:
    """Return the bytes of a TIFF file with the pages, each compressed without loss (Deflate).

    Args:
        pages: uint8, uint16 or float32, (height, width) or (height, width, 1 to 4); with 2 or 4
            channels the last is alpha.
        icc, dpi: as in `Picture`; for all pages.

    Raises:
        ValueError: the file would be larger than the 4 GiB that TIFF can hold.
    """
    from tifffile import TiffWriter

    buffer = io.BytesIO()
    try:
        with TiffWriter(buffer, bigtiff=False, byteorder="<") as writer:
            for page in pages:
                channels = page.shape[2] if page.ndim == 3 else 1
                writer.write(
                    page[..., 0] if page.shape[2:] == (1,) else page,
                    photometric="rgb" if channels > 2 else "minisblack",
                    planarconfig="contig",
                    extrasamples=["unassalpha"] if channels in (2, 4) else [],
                    rowsperstrip=max(1, _STRIP_BYTES // max(page[:1].nbytes, 1)),
                    compression="zlib",
                    # Differences between neighbours; of real numbers they would compress no better.
                    predictor=page.dtype.kind == "u",
                    iccprofile=icc,
                    resolution=dpi and (_rational(dpi[0]), _rational(dpi[1])),
                    resolutionunit="inch" if dpi else None,
                    software=False,
                    metadata=None,
                    contiguous=False,
                )
    except (ValueError, struct.error) as error:
        # `struct` refuses offsets of more than 32 bits, however well the pages are compressed.
        if isinstance(error, ValueError) and buffer.seek(0, io.SEEK_END) < 1 << 31:
            raise  # for another reason
        raise StriateValueError(
            "a TIFF file holds at most 4 GiB; write PNG, or fewer pages"
        ) from error
    return buffer.getbuffer()


def _rational(value: float) -> tuple[int, int]:
    return round(value * 10000), 10000
