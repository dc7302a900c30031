"""Writes learned kernels to files that `striate filter` reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from striate.common.arrays import Array
from striate.common.atomic import write_all_atomically
from striate.common.errors import StriateValueError
from striate.layers import Conv2D

if TYPE_CHECKING:
    from striate.network import Network


def export_kernels(network: Network, folder: str | Path, layer: str | None = None) -> list[Path]:
    """Write each kernel of a convolution as a text file of rows of numbers, all or none of them;
    return their paths.

    A filter has one kernel per channel that it reads: `conv2d_1-filter3-channel0.txt`.  The layer
    computes correlation and `striate filter` convolution, which turns a kernel by 180°; so the
    files hold the kernels turned, and filtering with them gives the layer's own sums.

    Args:
        network: the network.
        folder: created if it is missing; files of the same names are replaced.
        layer: the name of a Conv2D; None for the network's first one.

    Raises:
        ValueError: there is no such convolution.
        OSError: the folder or a file cannot be written.
    """
    files = kernel_files(network, folder, layer)
    with made(Path(folder)):
        write_all_atomically(files)
    return [path for path, _ in files]


def kernel_files(
    network: Network, folder: str | Path, layer: str | None = None
) -> list[tuple[Path, list[bytes]]]:
    """The files of `export_kernels`, which are not written: their paths and contents."""
    node = convolution(network, layer)
    name = network.nodes[node].name
    filters = network.parameters_of(node)["filters"]
    files = []
    for filter_ in range(filters.shape[3]):
        for channel in range(filters.shape[2]):
            path = Path(folder) / f"{_plain(name)}-filter{filter_}-channel{channel}.txt"
            what = f"{_plain(name)}, filter {filter_}, its input channel {channel}"
            text = kernel_text(filters[:, :, channel, filter_], what)
            files.append((path, [text.encode("utf-8")]))
    return files


@contextmanager
def made(folder: Path | None) -> Iterator[None]:
    """A block that needs a folder, which is removed again where it was made for a block that
    fails; None for no folder.
    """
    new = (
        [] if folder is None else [path for path in (folder, *folder.parents) if not path.exists()]
    )
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for path in new:
            with suppress(OSError):  # somebody else may have put something there
                path.rmdir()
        raise


def kernel_text(kernel: Array, what: str) -> str:
    """The text of the file of one kernel (height, width), turned by 180°."""
    turned = np.asarray(kernel, np.float32)[::-1, ::-1]
    rows = [" ".join(map(str, row)) for row in turned]
    return f"# {what}, turned by 180 degrees for convolution\n" + "\n".join(rows) + "\n"


def convolution(network: Network, layer: str | None = None) -> int:
    """The index of the Conv2D named `layer`, or of the first one; ValueError if there is none."""
    found = {
        vertex.name: index
        for index, vertex in enumerate(network.nodes)
        if isinstance(vertex.layer, Conv2D)
    }
    if not found:
        raise StriateValueError("the network has no convolution whose kernels could be exported")
    if layer is None:
        return next(iter(found.values()))
    if layer not in found:
        raise StriateValueError(
            f"the network has no convolution named {layer!r}; it has {', '.join(found)}"
        )
    return found[layer]


def _plain(name: str) -> str:
    """A layer's name without characters that may not be in the name of a file."""
    return "".join(c if c.isalnum() or c in "_-" else "_" for c in name)
