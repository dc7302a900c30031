"""Reports of trained networks: one HTML file that shows what a network does, and every sum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from striate.network import Network
    from striate.reports.data import Report
    from striate.training.history import History

__all__ = ["report"]


def report(
    network: Network,
    images: ArrayLike,
    labels: ArrayLike,
    *,
    path: str | Path,
    name: str | None = None,
    history: History | Mapping[str, Any] | None = None,
    choose: int = 12,
    show: Sequence[int] = (),
    megabytes: float = 20.0,
    engine: str = "llvm",
    threads: int | None = None,
) -> Report:
    """Test a classifier of images and write what it does, and why, to one HTML file.

    The page works offline in any browser: accuracy of each class, confusion matrix, the most
    confident mistakes, learned filters, and for some images the values after each layer, of which
    a click shows the sum that made it and the patch of the image that it saw.

    Args:
        network: reads (height, width, channels) and has one output per class.
        images: raw, (n, height, width, channels), or (n, height, width) if gray.
        labels: (n,), class indices or names.
        path: the file, with the ending .html; an earlier report is replaced.
        name: what the page calls the network; by default the file's name without its ending.
        history: what `fit` returned, for training curves.
        choose: how many images to look into.
        show: their rows in `images`, to choose them yourself.
        megabytes: the page keeps within 10⁶ times as many bytes, by fewer images first, then
            without the values and weights of the largest layers, and says so.
        engine, threads: of `Network.predict_logits`.

    Returns:
        The numbers of the page: see `striate.reports.data.Report`.

    Raises:
        TypeError, ValueError: the network is no classifier of images, there are no images, they
            are of another size or other classes, or `path` cannot be a report.
        OSError: the file cannot be written.
    """
    from striate.reports.data import collect
    from striate.reports.render import check_path, write

    path = check_path(path)  # before any work is done
    made = collect(
        network,
        images,
        labels,
        name=path.stem if name is None else name,
        history=history,
        choose=choose,
        show=show,
        megabytes=megabytes,
        engine=engine,
        threads=threads,
    )
    return write(made, path)
