"""Networks as code for other machines, in a folder of its own: `Network.export`."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from striate.common.arguments import whole_number
from striate.common.errors import StriateValueError
from striate.common.new_folder import check_new_folder, write_new_folder
from striate.common.text import did_you_mean, in_bytes, listed
from striate.freestanding.c_export import c_source_files
from striate.freestanding.exported import Exported
from striate.freestanding.object_export import object_files

if TYPE_CHECKING:
    from striate.model.model import Model

KINDS: dict[str, Callable[[Model, str, str | None, int], Exported]] = {
    "object": object_files,
    "c": c_source_files,
}
"""What makes the files of each kind: from the network, the name, the target and the batch size."""
_MOST_CONSTANTS = 256 << 20


def export(
    network: Model,
    folder: str | Path,
    *,
    to: str,
    target: str | None = None,
    name: str | None = None,
    batch_size: int = 1,
) -> Exported:
    """Write the network as code for another machine, with all that is needed to use it there.

    A run reads raw images as `predict` does, NHWC in 32-bit floating-point numbers, and writes the
    outputs that `predict_logits` gives: where `Exported.same_bits`, to the bit those of
    ``compile(exact=True, portable=True)``, else within some 1e-6 of the largest.

    Args:
        network: the network; its auxiliary heads are left out.
        folder: the folder to make.
        to: "object": an object file for a linker, with a header and an example in C; "c": one file
            of C99 in its place.
        target: the processor: see `striate.freestanding.named_targets`. Objects need one; of C it
            says whether the processor has vectors, as is supposed if it is left out.
        name: what all names in C begin with; by default the folder's name.
        batch_size: images of a run.

    Raises:
        ValueError: kind or target is unknown, the name is none of C's, the network too large or
            with layers that only the NumPy engine can compute, or the folder is there already, or
            the one that it is to be in is not.
        OSError: it cannot be written; then there is no folder.
    """
    if to not in KINDS:
        raise StriateValueError(
            f"export: there is no kind {to!r}{did_you_mean(to, list(KINDS))}; known are "
            f"{listed(list(KINDS), len(KINDS))}"
        )
    where = Path(folder)
    checked = c_name(where.name) if name is None else name
    if c_name(checked) != checked:
        raise StriateValueError(
            f"export: {checked!r} cannot begin names in C; {c_name(checked)!r} could"
        )
    batch_size = whole_number(batch_size, "batch_size", "export")
    if network.flat.nbytes > _MOST_CONSTANTS:
        raise StriateValueError(
            f"export: the network has {in_bytes(network.flat.nbytes)} of weights, and code takes "
            f"at most {in_bytes(_MOST_CONSTANTS)}"
        )
    check_new_folder(where)
    found = KINDS[to](network, checked, target, batch_size)
    write_new_folder(where, found.files)
    return found


def c_name(text: str) -> str:
    """A name in C made of a text."""
    found = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_").lower()
    return f"network_{found}".rstrip("_") if not found or found[0].isdigit() else found
