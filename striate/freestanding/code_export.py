"""Networks as code for other machines, in a folder of its own or as a page: `Network.export`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from striate.common.arguments import whole_number
from striate.common.errors import StriateValueError
from striate.common.new_folder import check_new_folder, write_new_folder
from striate.common.text import did_you_mean, in_bytes, listed
from striate.freestanding.c.c_export import c_source_files
from striate.freestanding.code_request import CodeRequest
from striate.freestanding.exported import Exported
from striate.freestanding.object.memory_limits import check_limits
from striate.freestanding.object.object_export import object_files
from striate.freestanding.page.page_export import write_page
from striate.freestanding.running.verification import Progress
from striate.freestanding.running.verification import verify as verify_code
from striate.freestanding.training_code.learning import Learning, learning_of
from striate.freestanding.training_code.training_export import training_object_files
from striate.freestanding.training_code.training_wasm import training_wasm_files
from striate.freestanding.wasm.wasm_export import wasm_files
from striate.freestanding.weights.rounded_weights import checked_weights

if TYPE_CHECKING:
    from striate.model.model import Model
    from striate.optim.losses import Loss
    from striate.optim.optimizers import Optimizer

KINDS: dict[str, Callable[[CodeRequest], Exported]] = {
    "object": object_files,
    "c": c_source_files,
    "wasm": wasm_files,
}
"""What makes the files of each kind."""
LEARNING_KINDS: dict[str, Callable[[Learning, str, str | None, int], Exported]] = {
    "object": training_object_files,
    "wasm": training_wasm_files,
}
"""The same of networks that go on learning."""
PAGE = "page"
"""The kind that is one file."""
_MOST_CONSTANTS = 256 << 20


def export(
    network: Model,
    folder: str | Path,
    *,
    to: str,
    target: str | None = None,
    name: str | None = None,
    batch_size: int = 1,
    weights: str = "float32",
    train: bool = False,
    frozen_until: str | None = None,
    optimizer: str | Optimizer | None = None,
    loss: Loss | str | None = None,
    max_ram: int | None = None,
    max_flash: int | None = None,
    verify: Any = None,
    labels: Any = None,
    progress: Progress | None = None,
) -> Exported:
    """Write the network as code for another machine, with all that is needed to use it there.

    A run reads raw images as `predict` does, NHWC in 32-bit floating-point numbers, and writes the
    outputs that `predict_logits` gives: where `Exported.same_bits`, to the bit those of
    ``compile(exact=True, portable=True)``, else within some 1e-6 of the largest. With weights in
    fewer bits they are those of a network whose weights are rounded so: `Exported.computed`.

    Args:
        network: the network; its auxiliary heads are left out.
        folder: the folder to make; for a page the file, which ends in .html and is replaced.
        to: "object": an object file for a linker, with a header and an example in C; "c": one
            file of C99 in its place; "wasm": WebAssembly for browsers and Node, with a module of
            JavaScript that calls it; "page": one HTML file that classifies pictures, and loads
            nothing.
        target: the processor: see `striate.freestanding.targets`. Objects need one; of C it says
            whether the processor has vectors, as is supposed if it is left out.
        name: what all names begin with, one in C, or the title of the page; by default the name of
            the folder or file.
        batch_size: images of a run; 1 for a page.
        weights: how weights of convolutions and dense layers are stored: "float32", "bfloat16" or
            "int8", the last with a scale for each output channel. Numbers are multiplied and added
            in 32 bits all the same.
        train: whether the code goes on learning: forward, loss, backward and update as one
            function. Where `Exported.same_bits`, a step gives the weights to the bit that a step of
            ``fit(exact=True, portable=True)`` gives on the same images.
        frozen_until: with `train`, the first layer that learns; all before it stay as they are, in
            memory that is only read. None: all layers learn that are not frozen (`Network.freeze`).
        optimizer: with `train`: "sgd", "adamw", or one of these with settings; by default "adamw".
        loss: with `train`: a Loss or its kind; by default that of the network's `answers`.
        max_ram: bytes that the arena, the images, the outputs and the stack may take.
        max_flash: bytes that the code and the weights may take.
        verify: raw images (n, height, width, channels) on which to run the code, here or on an
            emulated processor, and compare it with the network: see `Exported.verification`.
        labels: class indices of these (n,), to tell the accuracy.
        progress: is told how far that is: done, total, of what.

    Raises:
        ValueError: kind, target or weights are unknown, the name is none of C's, the network too
            large, with layers that only the NumPy engine can compute or with weights that cannot be
            rounded so, or the folder is there already, or the one that it is to be in is not; or
            what is to be learned cannot be, see `striate.freestanding.training_code`; or it takes
            more than `max_ram` or `max_flash`; or it cannot be run here, to verify it.
        ImportError: what runs the code is not installed.
        OSError: it cannot be written; then there is no folder.
    """
    known = [*KINDS, PAGE]
    if to not in known:
        raise StriateValueError(
            f"export: there is no kind {to!r}{did_you_mean(to, known)}; known are "
            f"{listed(known, len(known))}"
        )
    if network.flat.nbytes > _MOST_CONSTANTS:
        raise StriateValueError(
            f"export: the network has {in_bytes(network.flat.nbytes)} of weights, and code takes "
            f"at most {in_bytes(_MOST_CONSTANTS)}"
        )
    where, stored = Path(folder), checked_weights(weights)
    if not train:
        _refuse("for train=True", frozen_until=frozen_until, optimizer=optimizer, loss=loss)
    if to == PAGE:
        limits = {"max_ram": max_ram, "max_flash": max_flash}
        _refuse("not for pages", train=train or None, verify=verify, **limits)
        return write_page(
            network, where, target=target, title=name, batch_size=batch_size, weights=stored
        )
    checked = c_name(where.name) if name is None else name
    if c_name(checked) != checked:
        raise StriateValueError(
            f"export: {checked!r} cannot begin names in C; {c_name(checked)!r} could"
        )
    batch_size = whole_number(batch_size, "batch_size", "export")
    for option, limit in (("max_ram", max_ram), ("max_flash", max_flash)):
        if limit is not None:
            whole_number(limit, option, "export")
    check_new_folder(where)
    if train:
        smaller = None if stored == "float32" else stored
        _refuse("not for code that learns", weights=smaller, verify=verify)
        made = _learning_kind(to)
        learning = learning_of(
            network, optimizer=optimizer or "adamw", loss=loss, frozen_until=frozen_until
        )
        found = made(learning, checked, target, batch_size)
    else:
        found = KINDS[to](CodeRequest(network, checked, target, batch_size, stored))
    check_limits(network, found.figures, max_ram=max_ram, max_flash=max_flash)
    if verify is not None:
        compared = verify_code(network, found, verify, labels, progress=progress)
        found = replace(found, verification=compared)
    write_new_folder(where, found.files)
    return found


def _refuse(why: str, **given: object) -> None:
    """Refuse options that something is not made with."""
    for option, value in given.items():
        if value is not None:
            raise StriateValueError(f"export: {option} is {why}; leave it out")


def _learning_kind(to: str) -> Callable[[Learning, str, str | None, int], Exported]:
    if to not in LEARNING_KINDS:
        raise StriateValueError(
            f"export: code of the kind {to!r} does not learn; with train=True give "
            f"{listed(list(LEARNING_KINDS), len(LEARNING_KINDS))}"
        )
    return LEARNING_KINDS[to]


def c_name(text: str) -> str:
    """A name in C made of a text."""
    found = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_").lower()
    return f"network_{found}".rstrip("_") if not found or found[0].isdigit() else found
