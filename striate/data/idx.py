"""A folder with the four IDX files of MNIST and of data sets that copy its format.

The format (Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", 1998): two
zero bytes, the type of the values (8: unsigned bytes), the number of axes, the length of each axis
as 32-bit big-endian number, the values.
"""

from __future__ import annotations

import gzip
import math
import os
import re
import struct
import zlib
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from striate.common.budget import check_packing, need
from striate.common.input_files import open_input
from striate.common.text import listed, reason
from striate.data.dataset import (
    DataError,
    Dataset,
    LoadOptions,
    assemble,
    class_indices,
)
from striate.data.image_sizes import resized_arrays
from striate.data.images import refit
from striate.data.part import Labels, Part

_UNSIGNED_BYTES = 8
_NAME = re.compile(
    r"(?:(?P<set>.+)[-_.])?(?P<part>train|t10k|test)[-_](?P<kind>images|labels)"
    r"[-_.]idx(?P<axes>[13])(?:[-_.]ubyte)?(?:\.gz)?",
    re.IGNORECASE,
)

_TRANSPOSED = (
    "EMNIST's files hold each image with rows and columns exchanged, and it is used as it stands: "
    "exchange them in images from elsewhere, too"
)


@dataclass(frozen=True)
class _Files:
    """The IDX files of one data set in a folder, by part ("train", "test") and kind."""

    name: str
    paths: dict[tuple[str, str], Path]

    def has(self, part: str) -> bool:
        """Return whether a file of this part is there."""
        return any(of == part for of, _ in self.paths)


def has_idx(folder: Path) -> bool:
    """Return whether any of the four files is there."""
    return bool(_find(folder))


def find_idx(folder: Path) -> _Files:
    """Return the IDX files in a folder.

    "train-images-idx3-ubyte", "t10k-labels.idx1-ubyte" and names like these are known: "test" for
    "t10k", capitals, "_" for "-", without "-ubyte", with ".gz", and with the name of the data set
    before them ("emnist-letters-train-images-idx3-ubyte.gz").

    Raises:
        DataError: there are those of several data sets.
    """
    found = _find(folder)
    if len(found) > 1:
        raise DataError(
            f"{folder}: holds the IDX files of several data sets ({listed(sorted(found))}); move "
            "those of one of them into a folder of its own"
        )
    return next(iter(found.values()))


def _find(folder: Path) -> dict[str, _Files]:
    """Return the files of each data set, by its name, "" for files without one."""
    found: dict[str, _Files] = {}
    try:
        names = sorted(os.listdir(folder), key=lambda name: (len(name), name))
    except OSError as error:
        raise DataError(f"{folder}: the folder cannot be read ({reason(error)})") from error
    for name in names:
        match = _NAME.fullmatch(name)
        if match is None or match["axes"] != ("3" if match["kind"].lower() == "images" else "1"):
            continue
        own = (match["set"] or "").lower()
        files = found.setdefault(own, _Files(own, {}))
        part = "train" if match["part"].lower() == "train" else "test"
        if (folder / name).is_file():  # the shortest name, and so the one that is not packed
            files.paths.setdefault((part, match["kind"].lower()), folder / name)
    return {name: files for name, files in found.items() if files.paths}


def load_idx(folder: Path, options: LoadOptions) -> Dataset:
    """Load the four files, or the two of the training part, as uint8 (n, height, width, 1).

    Raises:
        DataError: a file is missing, truncated, too long, or not IDX; images and labels differ in
            number, or the parts in image size; a label of the test part is unknown.
    """
    files = find_idx(folder)
    train_images, train_values = _part(folder, files, "train")
    parts = [(train_images, train_values)]
    if files.has("test"):
        parts.append(_part(folder, files, "test"))
        if parts[1][0].shape[1:] != train_images.shape[1:]:
            raise DataError(
                f"{folder}: the training images have {_size(train_images)} pixels, "
                f"the test images {_size(parts[1][0])}; they must be equal"
            )
    known = np.unique(train_values)
    names = [str(value) for value in known]
    indices = np.array(class_indices(names, options.classes, str(folder)), dtype=np.int64)
    notes = [_TRANSPOSED] if "emnist" in files.name else []
    count = sum(len(values) for _, values in parts)
    notes += resized_arrays(count, train_images.shape[1:3], options.size, options.mode)
    pairs = []
    for images, values in parts:
        strange = np.setdiff1d(values, known)
        if len(strange):
            raise DataError(
                f"{folder}: the test part has the label {strange[0]}, the training part has not"
            )
        labels: Labels = indices[np.searchsorted(known, values)]
        pixels = refit(images[..., None], options.size, options.colour, options.mode)
        pairs.append(Part(pixels, labels))
    height, width, channels = pairs[0].images.shape[1:]
    return assemble(
        pairs,
        names,
        options,
        name=folder.resolve().name or files.name or "idx",
        resize={"height": height, "width": width, "mode": options.mode},
        colour="gray" if channels == 1 else "rgb",
        notes=notes,
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
            gzip.open(held) if path.suffix.lower() == ".gz" else nullcontext(held) as file,
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
    if path.suffix.lower() == ".gz":
        check_packing(
            size, held, f"{path}: the array", "if it is right, gunzip it", error=DataError
        )
    elif size > held:
        raise DataError(
            f"{path}: the file is truncated: it holds {held:,} bytes, and its header claims "
            f"{size:,} values; download it again"
        )
    need(2 * size, f"{path}: the array of shape {shape}", "give a smaller one", error=DataError)


def _part(
    folder: Path, files: _Files, part: str
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    arrays = []
    for kind, axes in (("images", 3), ("labels", 1)):
        path = files.paths.get((part, kind))
        if path is None:
            name = f"{files.name}-" if files.name else ""
            raise DataError(
                f"{folder}: there is no {name}{'t10k' if part == 'test' else part}-{kind}-idx{axes}"
                "-ubyte (or .gz) beside the other IDX files"
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
