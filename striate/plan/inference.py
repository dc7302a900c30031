"""A network made ready for one batch size, with weights that no longer change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from striate.common.arguments import whole_number
from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.common.fork import renewed_lock
from striate.common.text import counted
from striate.common.threads import checked_threads
from striate.model.image_arrays import check_images, warn_of_other_scale
from striate.model.work import multiply_adds_of_nodes
from striate.nest.algebra import Element
from striate.nest.target import host, require_bfloat16
from striate.plan.analysis.batchnorm_folding import folded
from striate.plan.inputs import InputFormat, rounded_batch
from striate.plan.runner import Runner

if TYPE_CHECKING:
    from striate.model.model import Model

_FLOAT = np.dtype(np.float32)
# Multiply-adds of a batch that are not worth waking another thread for.
_SMALL = 60_000_000
# Bytes of weights that no core's own cache holds: two threads read them nearly twice as fast.
_MUCH = 1 << 22


def worth_threads(network: Model, batch_size: int, threads: int) -> int:
    """As many threads as given, or one where a batch is too little to compute and to read."""
    work = sum(multiply_adds_of_nodes(network))
    return threads if work * batch_size > _SMALL or network.flat.nbytes > _MUCH else 1


class CompiledNetwork:
    """A function from images to outputs, made for one batch size.

    Batch normalisation is folded into the layers before it, weights are laid out and transformed
    once, and every call uses the same memory.  The network's weights are those it had when this was
    made; to use new ones, compile again.  Calls from several threads follow each other.

    Args:
        network: what to compile; it is not changed.
        batch_size: images of a call, at most: fewer are possible. The plan is made for a few more,
            so that networks of some sizes share their kernels.
        threads: None for all processors.  A few images of a large network share them too.
        exact: without Winograd's algorithm.
        bfloat16: let convolutions multiply in bfloat16 where that is faster.
        portable: add in an order that is the same on all processors.
        dtype: of the images that it is made ready for: real numbers, or uint8. Others are taken
            too; the first ones take as long as making it.

    Attributes:
        winograd: whether any layer uses Winograd's algorithm.
    """

    def __init__(
        self,
        network: Model,
        *,
        batch_size: int = 1,
        threads: int | None = None,
        exact: bool = False,
        bfloat16: bool = False,
        portable: bool = False,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        self._target = host(portable=portable)
        if bfloat16:
            require_bfloat16(self._target)
        self.batch_size = whole_number(batch_size, "batch_size", "Network.compile")
        threads = checked_threads(threads, "Network.compile")
        self.input_shape, self.output_shape = network.input_shape, network.output_shape
        own = folded(network)
        self.threads = worth_threads(own, self.batch_size, threads)
        self._network, self._exact, self._bfloat16 = own, exact, bfloat16
        self._runners: dict[Element, Runner] = {}
        self._lock = renewed_lock(self, "_lock")
        self._scale_is_checked = False
        self._whole = (self.batch_size, *self.input_shape)
        self.winograd = self._runner(_kind_of(np.dtype(dtype))).plan.uses_winograd

    def __call__(self, images: Array) -> Array:
        """Outputs (n, *output_shape) for raw images (n, *input_shape), n ≤ the batch size.

        The first call warns if the images are not on the scale of those that the network knows.
        Raises ValueError or TypeError for other images.
        """
        plain = type(images) is np.ndarray and images.dtype is _FLOAT
        if plain and images.shape == self._whole and self._scale_is_checked:
            with self._lock:
                return self._runner("real").infer(images)
        images = check_images(images, self.input_shape)
        kind = _kind_of(images.dtype)
        count = len(images)
        if not 0 < count <= self.batch_size:
            raise StriateValueError(
                f"this network was compiled for 1 to {self.batch_size} images, got {count}; "
                "compile it with a larger batch_size"
            )
        if not self._scale_is_checked:
            warn_of_other_scale(self._network, images)
            self._scale_is_checked = True
        with self._lock:
            return self._runner(kind).infer(images)

    def __repr__(self) -> str:
        return (
            f"CompiledNetwork({self.input_shape} → {self.output_shape}, up to "
            f"{counted(self.batch_size, 'image')}, {counted(self.threads, 'thread')})"
        )

    def _runner(self, kind: Element) -> Runner:
        """The runner for images of a kind, made when it is first needed."""
        runner = self._runners.get(kind)
        if runner is None:
            runner = self._runners[kind] = Runner(
                self._network,
                batch_size=rounded_batch(self.batch_size),
                threads=self.threads,
                loading=InputFormat(kind),
                exact=self._exact,
                bfloat16=self._bfloat16,
                target=self._target,
                frozen=True,
            )
        return runner


def _kind_of(dtype: np.dtype[Any]) -> Element:
    """How the plan calls images of this type."""
    return "u8" if dtype == np.uint8 else "real"
