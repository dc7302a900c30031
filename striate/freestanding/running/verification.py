"""Exported code beside the network that it was made of, image by image: the same bits, or how far
off and why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.common.text import counted, percent
from striate.freestanding.exported import Exported
from striate.freestanding.find_target import find_target
from striate.freestanding.running.code_runners import runner_for
from striate.freestanding.running.emulation import RunCounts
from striate.model.image_arrays import check_images
from striate.nest.target import host
from striate.plan.inference import CompiledNetwork

if TYPE_CHECKING:
    from striate.model.model import Model

FAR = 1e-5
"""Of the largest output: what rounding otherwise may change."""
Progress = Callable[[int, int, str], None]
"""Told how many of how many are done, of what."""


@dataclass(frozen=True)
class Verification:
    """How code compares with ``compile(batch_size=1, exact=True, portable=True)``.

    Attributes:
        images: how many were run.
        same: of how many all outputs have the same bits.
        difference: the largest difference of outputs, in parts of the largest output.
        other_classes: of how many images another output is the largest.
        how: where the code was run, in words.
        reason: why bits differ; "" if they need not.
        accuracy, network_accuracy: the share of images whose class the code and the network find;
            None without classes.
        counts: of instructions and stack, where they were counted.
    """

    images: int
    same: int
    difference: float
    other_classes: int
    how: str
    reason: str
    accuracy: float | None = None
    network_accuracy: float | None = None
    counts: RunCounts | None = None

    @property
    def holds(self) -> bool:
        """Whether the code does what was said of it: the same bits, or, where it rounds otherwise,
        outputs within `FAR`.
        """
        if self.same == self.images:
            return True
        return bool(self.reason) and self.difference <= FAR

    def sentence(self) -> str:
        """In words, without a full stop."""
        many = counted(self.images, "image")
        if self.same == self.images:
            found = f"same bits on {many}"
        else:
            found = (
                f"same bits on {self.same:,} of {many}, outputs differ by up to "
                f"{self.difference:.1e} of the largest, {counted(self.other_classes, 'image')} "
                f"{'gets' if self.other_classes == 1 else 'get'} another class"
            )
            found += f": {self.reason}" if self.reason else ", which should not be"
        if self.accuracy is not None and self.network_accuracy is not None:
            found += f"; accuracy {percent(self.accuracy)}"
            if self.other_classes:
                found += f", the network's {percent(self.network_accuracy)}"
        return f"{found}; run {self.how}"


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
        network: what the code was made of.
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
    own = CompiledNetwork(network.branch(), batch_size=1, exact=True, portable=True, threads=1)
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
        runner.how,
        reason_for_others(exported),
        runner.counts,
    )


def reason_for_others(exported: Exported) -> str:
    """Why the bits of code differ from those of this processor; "" if they need not."""
    if exported.same_bits:
        return ""
    if not find_target(exported.target).target.fused:
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
    how: str,
    reason: str,
    counts: RunCounts | None,
) -> Verification:
    """Compare outputs (n, numbers) of code with those of the network."""
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
        int((guesses != own_guesses).sum()),
        how,
        reason,
        float((guesses == labels).mean()) if right else None,
        float((own_guesses == labels).mean()) if right else None,
        counts,
    )
