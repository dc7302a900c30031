"""Reports of trained networks: one HTML file that shows how a network performs, and every sum.

Reading order: `saliency` and `occlusion` (which pixels matter), `loss_gradients` (what moves the
weights), `image_passes` (all that single images make of the network), `page_budget` (what fits into
a page of a given size), `data` (all numbers of a report), `patch_boxes` and `page_data` (the
numbers as JSON for the page's script), `embedded_images` and `architecture` (figures and tables),
`render` (the page); beside it `kernels` (learned kernels as files). The page's own files, a
template, a style sheet and scripts, are in `page/`.
"""

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
    kernels: str | Path | None = None,
    layer: str | None = None,
    paths: Sequence[str] | None = None,
    checked: Mapping[str, Any] | None = None,
    label_smoothing: float = 0.0,
    engine: str = "llvm",
    threads: int | None = None,
) -> Report:
    """Test a classifier of images and write a report on it to one HTML file.

    The page works offline in any browser: accuracy of each class, confusion matrix, the most
    confident mistakes, learned filters, and for some images the values after each layer and the
    gradients of the loss with respect to them, where a click shows the sum that made a number, the
    patch of the image that it depends on, and what a step of gradient descent makes of a weight.

    Args:
        network: the classifier; reads (height, width, channels) and has one output per class.
        images: raw, (n, height, width, channels), or (n, height, width) if gray.
        labels: (n,), class indices or names.
        path: the file, with the ending .html; an earlier report is replaced.
        name: what the page calls the network; by default the file's name without its ending.
        history: what `fit` returned, for training curves.
        choose: how many images to show layer by layer.
        show: the rows in `images` of those to show, to choose them yourself.
        megabytes: the size limit of the page in 10⁶ bytes. A larger page is made smaller, by fewer
            images first, then without gradients, then without the values and weights of the largest
            layers, and says so.
        kernels: a folder for the kernels of a convolution, which are written together with the
            page: see `striate.reports.kernels.export_kernels`.
        layer: the name of that convolution; None for the network's first one.
        paths: the files of the images, (n,), which the page names.
        checked: what was looked for in the images before the training, as the notes of the model's
            file have it.
        label_smoothing: of the loss whose gradients are shown, as in the training.
        engine, threads: of `Network.predict_logits`.

    Returns:
        The numbers of the page: see `striate.reports.data.Report`.

    Raises:
        TypeError, ValueError: the network is no classifier of images, there are no images, they
            are of another size or other classes, there is no such convolution, or `path` cannot
            be a report.
        OSError: a file cannot be written; then none is.
    """
    from striate.reports.data import collect
    from striate.reports.kernels import kernel_files, made
    from striate.reports.render import check_path, write

    path = check_path(path)  # before any work is done
    beside = [] if kernels is None else kernel_files(network, kernels, layer)
    found = collect(
        network,
        images,
        labels,
        name=path.stem if name is None else name,
        history=history,
        choose=choose,
        show=show,
        megabytes=megabytes,
        paths=paths,
        checked=checked,
        label_smoothing=label_smoothing,
        engine=engine,
        threads=threads,
    )
    with made(None if kernels is None else Path(kernels)):
        return write(found, path, beside)
