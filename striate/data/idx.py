"""A folder with the four IDX files of MNIST and of data sets that copy its format.

The format (Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", 1998): two
zero bytes, the type of the values (8: unsigned bytes), the number of axes, the length of each axis
as 32-bit big-endian number, the values.
"""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import numpy.typing as npt

from striate.common.budget import check_packing, need
from striate.common.input_files import open_input
from striate.data.dataset import DataError, Dataset, Labels, LoadOptions, assemble, class_indices
from striate.data.images import refit

_UNSIGNED_BYTES = 8


def find_idx(folder: Path, part: str, kind: str) -> Path | None:
    """Return the IDX file of a part ("train", "t10k") and kind ("images", "labels"), if any.

    Both "train-images-idx3-ubyte" and "train-images.idx3-ubyte" are known, each also with ".gz".
    """
    axes = 3 if kind == "images" else 1
    for dot in "-.":
        for ending in ("", ".gz"):
            path = folder / f"{part}-{kind}{dot}idx{axes}-ubyte{ending}"
            if path.is_file():
                return path
    return None


def has_idx(folder: Path) -> bool:
    """Return whether any of the four files is there."""
    parts = ("train", "t10k")
    return any(find_idx(folder, part, kind) for part in parts for kind in ("images", "labels"))


def load_idx(folder: Path, options: LoadOptions) -> Dataset:
    """Load the four files, or the two of the training part, as uint8 (n, height, width, 1).

    Raises:
        DataError: a file is missing, truncated, too long, or not IDX; images and labels differ in
            number, or the parts in image size; a label of the test part is unknown.
    """
    train_images, train_values = _part(folder, "train")
    parts = [(train_images, train_values)]
    if any(find_idx(folder, "t10k", kind) for kind in ("images", "labels")):
        parts.append(_part(folder, "t10k"))
        if parts[1][0].shape[1:] != train_images.shape[1:]:
            raise DataError(
                f"{folder}: the training images have {_size(train_images)} pixels, "
                f"the test images {_size(parts[1][0])}; they must be equal"
            )
    known = np.unique(train_values)
    names = [str(value) for value in known]
    indices = np.array(class_indices(names, options.classes, str(folder)), dtype=np.int64)
    pairs = []
    for images, values in parts:
        strange = np.setdiff1d(values, known)
        if len(strange):
            raise DataError(
                f"{folder}: the test part has the label {strange[0]}, the training part has not"
            )
        labels: Labels = indices[np.searchsorted(known, values)]
        pairs.append((refit(images[..., None], options.size, options.colour, options.mode), labels))
    height, width, channels = pairs[0][0].shape[1:]
    return assemble(
        pairs,
        names,
        options,
        name=folder.resolve().name or "idx",
        resize={"height": height, "width": width, "mode": options.mode},
        colour="gray" if channels == 1 else "rgb",
        notes=[],
    )


def read_idx(path: Path, axes: int) -> npt.NDArray[np.uint8]:
    """Return the array of unsigned bytes in an IDX file, gzipped or not.

    Raises:
        DataError: the file cannot be read, is truncated or too long, or has another type of
            values or number of axes.
    """
    head = 4 + 4 * axes
    again = "; download it again"
    try:
        with (
            open_input(path, "IDX file", error=DataError) as held,
            gzip.open(held) if path.suffix == ".gz" else nullcontext(held) as file,
        ):
            start = file.read(head)
            if len(start) == head:
                if start[:2] != b"\0\0" or start[2] != _UNSIGNED_BYTES or start[3] != axes:
                    raise DataError(
                        f"{path}: not an IDX file of unsigned bytes with {axes} "
                        f"{'axis' if axes == 1 else 'axes'} (it begins with {start[:4].hex(' ')})"
                        f"{again}"
                    )
                shape = struct.unpack(f">{axes}I", start[4:])
                size = math.prod(shape)
                _check_claim(path, shape, size, os.fstat(held.fileno()).st_size)
                # A little more than needed, to notice a longer file.
                data = file.read(size + 1)
            else:
                shape, size, data = (), 1, b""
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: the file is truncated or damaged ({error}){again}") from error
    if len(data) < size:
        had = f"{len(data):,} of {size:,} values" if shape else "no whole header"
        raise DataError(f"{path}: the file is truncated: it holds {had}{again}")
    if len(data) > size:
        raise DataError(f"{path}: the file is longer than the {size:,} values of its header{again}")
    return np.frombuffer(data, np.uint8).reshape(shape).copy()


def _check_claim(path: Path, shape: tuple[int, ...], size: int, held: int) -> None:
    """Refuse values that cannot be in a file of `held` bytes, or not in memory, before they are
    read.
    """
    if path.suffix == ".gz":
        check_packing(
            size, held, f"{path}: the array", "if it is right, gunzip it", error=DataError
        )
    elif size > held:
        raise DataError(
            f"{path}: the file is truncated: it holds {held:,} bytes, and its header claims "
            f"{size:,} values; download it again"
        )
    need(2 * size, f"{path}: the array of shape {shape}", "give a smaller one", error=DataError)


def _part(folder: Path, part: str) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    arrays = []
    for kind, axes in (("images", 3), ("labels", 1)):
        path = find_idx(folder, part, kind)
        if path is None:
            raise DataError(
                f"{folder}: there is no {part}-{kind}-idx{axes}-ubyte (or .gz) beside the "
                "other IDX files"
            )
        arrays.append(read_idx(path, axes))
    images, labels = arrays
    if len(images) != len(labels) or not images.size:
        raise DataError(
            f"{folder}: the {part} files hold {len(images):,} images of {_size(images)} pixels "
            f"and {len(labels):,} labels; there must be one label for each image"
        )
    return images, labels


def _size(images: npt.NDArray[np.uint8]) -> str:
    return f"{images.shape[1]} × {images.shape[2]}"
