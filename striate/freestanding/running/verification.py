"""Exported code beside the network that it was made of, image by image: the same bits, or how far
off and why.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.freestanding.exported import Exported
from striate.freestanding.running.code_runners import runner_for
from striate.freestanding.running.emulation import RunCounts
from striate.freestanding.running.verified_code import Verification
from striate.freestanding.targets.named_targets import named_target
from striate.model.image_arrays import check_images
from striate.nest.target import host
from striate.plan.inference import CompiledNetwork

if TYPE_CHECKING:
    from striate.model.model import Model

Progress = Callable[[int, int, str], None]
"""Told how many of how many are done, of what."""


def verify(
    network: Model,
    exported: Exported,
    images: Array,
    labels: Array | None = None,
    *,
    progress: Progress | None = None,
) -> Verification:
    """Run exported code on images, and compare it with the network.

    Args:
        network: what the code was made of; if its weights are stored in fewer bits, the code is
            compared with `Exported.computed` instead.
        exported: the code; of a kind in `striate.freestanding.running.code_runners.RUNNERS`.
        images: raw ones, (n, height, width, channels); at least one.
        labels: class indices (n,), to tell the accuracy.
        progress: is told how far it is.

    Raises:
        ImportError: what runs the code is not installed.
        ValueError: it cannot be run here, or the images are not the network's.
        EmulationError, NativeCodeError: it does what it must not.
    """
    images = check_images(images, network.input_shape)
    if not len(images):
        raise StriateValueError("verify: there are no images")
    runner = runner_for(exported)
    rounded = exported.figures.weights != "float32"
    compared = exported.computed if rounded else network.branch()
    own = CompiledNetwork(compared, batch_size=1, exact=True, portable=True, threads=1)
    batch = exported.figures.image_bytes // (4 * int(np.prod(network.input_shape)))
    chunk = batch * runner.runs_at_once
    theirs, ours = list[Array](), list[Array]()
    for start in range(0, len(images), chunk):
        some = np.asarray(images[start : start + chunk]).astype(np.float32)
        theirs.append(_outputs(runner, some, batch))
        ours.append(np.concatenate([own(image[None]) for image in some]).reshape(len(some), -1))
        if progress is not None:
            progress(min(start + chunk, len(images)), len(images), "Verifying")
    return _compared(
        np.concatenate(theirs),
        np.concatenate(ours),
        labels,
        network.answers.kind == "classes",
        runner.how,
        reason_for_others(exported, runner.rounds_once),
        runner.counts,
    )


def reason_for_others(exported: Exported, rounds_once: bool | None = None) -> str:
    """Why the bits of code differ from those of this processor; "" if they need not.

    Args:
        exported: the code.
        rounds_once: whether it rounds multiply-adds once, where only a run tells.
    """
    if exported.same_bits:
        return ""
    if exported.figures.weights == "int8":
        return "sums of int8 weights are scaled once they are added up"
    twice = (exported.kind == "wasm" and not rounds_once) or (
        exported.kind == "object" and not named_target(exported.target).target.fused
    )
    if twice:
        return (
            f"{exported.target} rounds each product before it is added, and a multiply-add here "
            "is rounded once"
        )
    return "this processor rounds each product before it is added" if not host().fused else ""


def _outputs(runner: Callable[[Array], Array], images: Array, batch: int) -> Array:
    """Outputs (n, numbers) of images, in batches of which the last may be filled up."""
    missing = -len(images) % batch
    filled = np.concatenate([images, np.repeat(images[-1:], missing, axis=0)])
    runs = filled.reshape(-1, batch, *images.shape[1:])
    return runner(runs).reshape(len(filled), -1)[: len(images)]


def _compared(
    theirs: Array,
    ours: Array,
    labels: Array | None,
    classes: bool,
    how: str,
    reason: str,
    counts: RunCounts | None,
) -> Verification:
    """Compare outputs (n, numbers) of code with those of the network; `classes`, whether the
    largest output is the answer.
    """
    same = (theirs.view(np.uint32) == ours.view(np.uint32)).all(axis=1)
    largest = float(np.abs(ours).max())
    # Not a number where only one is: infinitely far.
    apart = np.abs(np.where(same[:, None], 0.0, theirs.astype(np.float64) - ours))
    difference = float(np.nan_to_num(apart, nan=np.inf).max()) / (largest or 1.0)
    guesses, own_guesses = theirs.argmax(axis=1), ours.argmax(axis=1)
    right = labels is not None and labels.ndim == 1
    return Verification(
        len(theirs),
        int(same.sum()),
        difference,
        int((guesses != own_guesses).sum()) if classes else None,
        how,
        reason,
        float((guesses == labels).mean()) if right else None,
        float((own_guesses == labels).mean()) if right else None,
        counts,
    )
