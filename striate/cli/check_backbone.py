"""The network by whose features `striate check` judges labels and odd images, too."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

import click

from striate.cli.output import note, one_line
from striate.common.text import sizes
from striate.model.preprocessing import colour_of

if TYPE_CHECKING:
    from striate.data import Dataset
    from striate.transfer.backbone import Backbone

NONE = "none"
USUAL = "efficientnet-lite0"
PHOTOGRAPH = 64
"""The longer side, in pixels, from which on coloured images of files are taken for photographs:
larger ones are loaded with no fewer."""
MOST = 20_000
"""Of more photographs a network is not asked where nobody wants it: it takes 5 ms each."""


def backbone_of(
    given: str | None,
    dataset: Dataset,
    load: Callable[[tuple[int, int], str | None], Dataset],
    *,
    kinds: Collection[str],
    engine: str,
    quiet: bool,
) -> tuple[Backbone, Dataset] | None:
    """Return the network, and the images as it reads them; None to do without.

    Args:
        given: what the user wants: a name, a file or "none"; None to decide it here.
        dataset: the images, as they are checked.
        load: loads them again, in a size and colour.
        kinds: of what is looked for.
        engine: which the user wants.
        quiet: whether to say nothing.

    Raises:
        ClickException: it is wanted, and cannot be had.
    """
    if given == NONE or not {"label", "odd"} & set(kinds):
        return None
    if given is None and not _decided(dataset, engine, quiet):
        return None
    if engine != "llvm":
        raise click.ClickException("--from needs the compiled engine: leave --engine numpy out")
    from striate.transfer.backbone import find_backbone

    backbone = find_backbone(given or USUAL)
    height, width, channels = backbone.network.input_shape
    if given is None:
        note(f"Labels and odd images are judged by what {backbone.name}, which knows photographs, "
             f"sees in them, too (--from {NONE} leaves it out)", quiet=quiet)  # fmt: skip
    read = load((height, width), colour_of(channels))
    shape = read.train_images.shape[1:]
    if shape != backbone.network.input_shape:
        raise click.ClickException(
            f"--from: {backbone.name} reads images {sizes(backbone.network.input_shape)}, but "
            f"{one_line(dataset.name)} gives {sizes(shape)}; give images of as many channels"
        )
    return backbone, read


def _decided(dataset: Dataset, engine: str, quiet: bool) -> bool:
    """Whether to ask a network that knows photographs, where the user leaves it open."""
    from striate.transfer.pretrained import is_installed

    count = sum(len(part.images) for part in dataset.parts.values())
    side = max(dataset.train_images.shape[1:3])
    if dataset.folder is None or dataset.colour != "rgb" or side < PHOTOGRAPH or count > MOST:
        return False
    if engine != "llvm":
        return False
    if not is_installed(USUAL):
        note("A network that knows photographs would judge labels and odd images better: pip "
             "install 'striate[pretrained]'", quiet=quiet)  # fmt: skip
        return False
    return True
