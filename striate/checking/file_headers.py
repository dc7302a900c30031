"""What the headers of image files tell: size, format, how strongly they were compressed."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from striate.checking.checked_images import CheckedImages, Rows
from striate.common.short_repr import short_repr
from striate.common.threads import available_processors
from striate.data.dataset import OnProgress
from striate.data.image_files import open_image, orientation

_CHUNK = 500


@short_repr
@dataclass(frozen=True, eq=False)
class FileHeaders:
    """Facts of image files, one of each per image.

    Attributes:
        rows: of the images.
        heights, widths: in pixels, after the rotation that a camera noted; 0 where the header
            cannot be read.
        sizes: of the files, in bytes.
        formats: such as "JPEG".
        modes: of the pixels, as Pillow calls them, such as "RGB".
        tables: the mean of a JPEG's quantisation table, larger the more it was compressed; 0 for
            other formats.
    """

    rows: Rows
    heights: npt.NDArray[np.int64]
    widths: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    formats: npt.NDArray[np.str_]
    modes: npt.NDArray[np.str_]
    tables: npt.NDArray[np.float64]


_Facts = tuple[int, int, int, str, str, float]


def file_headers(
    checked: CheckedImages, rows: Rows | None = None, progress: OnProgress | None = None
) -> FileHeaders | None:
    """Read the headers of the images' files; None where they come from no files.

    Args:
        checked: the images.
        rows: those to read, all by default.
        progress: called with (done, total, text).
    """
    if checked.paths is None:
        return None
    rows = np.arange(len(checked)) if rows is None else rows
    paths = [checked.paths[row] for row in rows.tolist()]
    found: list[_Facts] = []
    with ThreadPoolExecutor(min(4, available_processors()), "striate-headers") as pool:
        for facts in pool.map(_facts, paths, chunksize=_CHUNK):
            found.append(facts)
            if progress is not None and len(found) % _CHUNK == 0:
                progress(len(found), len(paths), "reading headers")
    heights, widths, sizes, formats, modes, tables = (
        zip(*found, strict=True) if found else ((),) * 6
    )
    return FileHeaders(
        rows,
        np.array(heights, np.int64),
        np.array(widths, np.int64),
        np.array(sizes, np.int64),
        np.array(formats, np.str_),
        np.array(modes, np.str_),
        np.array(tables, np.float64),
    )


def _facts(path: str) -> _Facts:
    try:
        size = os.stat(path).st_size
        with open_image(path) as image:
            tables = getattr(image, "quantization", None) or {}
            table = float(np.mean(tables[min(tables)])) if tables else 0.0
            height, width = image.height, image.width
            if orientation(image) in (5, 6, 7, 8):
                height, width = width, height
            return height, width, size, str(image.format), image.mode, table
    except Exception:  # damaged since it was decoded, or a text that is too long: nothing is known
        return 0, 0, 0, "", "", 0.0
