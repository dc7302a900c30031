"""A network that no longer learns, as calls on images, outputs, constants and an arena.

Weights are constants, laid out as the nests read them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from striate.freestanding.program.known_zeros import known_zeros
from striate.freestanding.program.segmented_program import Segment, SegmentedProgram
from striate.freestanding.weights.rounded_weights import Weights
from striate.freestanding.weights.small_weights import SmallWeights
from striate.nest.target import Target, host
from striate.plan.analysis.batchnorm_folding import folded
from striate.plan.plan import Plan
from striate.plan.settings import Settings

if TYPE_CHECKING:
    from striate.model.model import Model


class FrozenProgram(SegmentedProgram):
    """A network that no longer learns, made for one target.

    Args:
        network: the network; it is not changed.
        target: the machine; a portable one, see `Target.portable`, gives all machines' bits.
        batch_size: images of a run.
        weights: how they are stored, see `striate.freestanding.weights.small_weights`.

    Attributes:
        plan: what the calls were made of.
        computed: the network as it is computed: without batch normalisation that a convolution can
            do, its weights rounded as they are stored.
        small: the weights in fewer bits, if any are.
    """

    def __init__(
        self,
        network: Model,
        target: Target,
        batch_size: int = 1,
        weights: Weights = "float32",
    ) -> None:
        self.network, self.target, self.batch_size = network, target, batch_size
        settings = Settings(
            batch_size,
            lanes=1,
            element="f32",
            target=target,
            training=False,
            loss=None,
            exact=True,
            frozen=True,
        )
        self.computed = own = folded(network.branch())
        self.plan = plan = Plan(own, settings, 1, own.flat, own.state_flat, smallest=True)
        plan.input_stage.set_preprocessing(own.preprocessing)
        self._lay_out()
        stages = plan.stages
        self.small: SmallWeights | None = None
        if weights != "float32":
            arrays = plan.memory.arrays
            self.small = SmallWeights(stages, own, arrays, weights, self._lay_out)
            stages = self.small.stages
            arrays.update(self.small.arrays)
        images, outputs = plan.input_stage.raw, plan.out
        for buffer in (images, outputs):
            buffer.step = buffer.size  # one image behind the other, without a gap
        given = {images: (Segment.IMAGES, 0), outputs: (Segment.OUTPUTS, 0)}
        finite = all(np.isfinite(array).all() for array in (own.flat, own.state_flat))
        zeros = known_zeros(stages) if finite else {}
        super().__init__(stages, plan.memory, target, given, zeros)

    def _lay_out(self) -> None:
        """Have this processor lay the weights out."""
        self.plan.prepare(host(portable=self.target.portable))

    @property
    def small_numbers(self) -> int:
        """How many weights are stored in fewer bits than 32."""
        return 0 if self.small is None else self.small.numbers

    @property
    def image_bytes(self) -> int:
        """Bytes of the images of a run."""
        return 4 * self.batch_size * int(np.prod(self.network.input_shape))

    @property
    def output_bytes(self) -> int:
        """Bytes of what it says of them."""
        return 4 * self.batch_size * int(np.prod(self.network.output_shape))
