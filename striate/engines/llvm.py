"""The compiled engine: a network as machine code, compiled for its exact shapes and this machine.

It makes a plan for each kind of batch, keeps its runner, and runs it: see `striate.plan`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from striate.common.arguments import whole_number
from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.common.threads import checked_threads
from striate.engines.engine import GroupInput, GroupResults, SumsUnderWay
from striate.engines.numpy_update import update_in_numpy
from striate.model.image_arrays import check_images
from striate.nest.target import Target, host, require_bfloat16
from striate.nest.thread_pool import thread_pool
from striate.optim.layerwise import LayerwiseOptimizer
from striate.optim.losses import has_nests, positive_weight_of
from striate.plan.group_program import GroupProgram
from striate.plan.inputs import (
    BatchInput,
    ImagesInPlace,
    InputFormat,
    can_be_read_in_place,
    rounded_batch,
)
from striate.plan.lowering.lanes import lanes_for
from striate.plan.runner import Runner
from striate.plan.settings import Settings
from striate.plan.update.optimizer_step import Update, decay_of_lines
from striate.plan.update.update_rules import is_known

if TYPE_CHECKING:
    from striate.model.model import Model
    from striate.optim.losses import Loss
    from striate.optim.optimizers import Optimizer


class CompiledEngine:
    """Runs a network as compiled loops: see `striate.engines.engine.Engine`.

    Args:
        network: the network, whose parameters are used in place.
        batch_size: images of a batch at most.
        loss: needed by `step`.
        threads: how many threads work; None for all processors.
        exact: compute each sum directly, without Winograd's algorithm.
        bfloat16: let convolutions multiply in bfloat16 where that is faster.
        portable: add in an order that is the same on all processors.
        target: the machine to compile for, such as one with narrower vectors; None for this one.

    Attributes:
        winograd: whether a step computes any layer by Winograd's algorithm.
    """

    reads_in_place: ClassVar[bool] = True

    def __init__(
        self,
        network: Model,
        *,
        batch_size: int,
        loss: Loss | None = None,
        threads: int | None = None,
        exact: bool = False,
        bfloat16: bool = False,
        portable: bool = False,
        target: Target | None = None,
    ) -> None:
        self.target = target or host(portable=portable)
        if bfloat16:
            require_bfloat16(self.target)
        self.network, self.loss, self.exact, self.bfloat16 = network, loss, exact, bfloat16
        self.batch_size = whole_number(batch_size, "batch_size", "CompiledEngine")
        self.threads = checked_threads(threads, "CompiledEngine")
        self.gradient: Array = np.zeros(network.flat.size, np.float32)
        self._runners: dict[tuple[bool, InputFormat], Runner] = {}
        self._group_programs: dict[tuple[InputFormat, range, bool], GroupProgram] = {}
        self._update: Update | None = None

    def forward(self, images: Array | ImagesInPlace) -> Array:
        """Outputs (n, *output_shape) for raw images, as in prediction; any number of images."""
        given = self._in_place(images)
        outputs = np.empty((len(given), *self.network.output_shape), np.float32)
        for start in range(0, len(given), self.batch_size):
            batch = ImagesInPlace(given.images, given.rows[start : start + self.batch_size])
            runner = self._runner(batch.loading, training=False)
            outputs[start : start + len(batch)] = runner.run(batch)
        return outputs

    def step(
        self,
        images: Array | ImagesInPlace,
        targets: Array,
        weights: Array,
        keys: npt.NDArray[np.uint32],
    ) -> tuple[float, Array]:
        """Loss and outputs in training mode; fills `gradient`: see `Engine.step`."""
        given = self._checked(images, targets, weights, keys)
        runner = self._runner(given.images.loading, training=True)
        self.gradient = runner.plan.gradient
        if self.loss is not None and not has_nests(self.loss):
            return self._step_by_call(runner, self.loss, *given)
        result = runner.run(*given)
        return runner.batch.loss, result

    def step_groups(
        self,
        groups: Sequence[GroupInput],
        places: range,
        *,
        are_all: bool,
        parts: tuple[range, ...] = (),
        begun: Callable[[SumsUnderWay], object] | None = None,
    ) -> GroupResults | None:
        """Steps of several groups of a batch in one program: see `Engine.step_groups`."""
        if self.loss is None or not has_nests(self.loss):
            return None
        given = [self._checked(*group) for group in groups]
        loading, *others = (one.images.loading for one in given)
        if any(other != loading for other in others):
            return None
        runner = self._runner(loading, training=True)
        self.gradient = runner.plan.gradient
        key = (loading, places, are_all)
        if key not in self._group_programs:
            self._group_programs[key] = GroupProgram(
                runner.plan, runner.threads, places, are_all=are_all, parts=parts
            )
        program = self._group_programs[key]
        return GroupResults(program.run(given, begun), program.sums)

    def _checked(
        self,
        images: Array | ImagesInPlace,
        targets: Array,
        weights: Array,
        keys: npt.NDArray[np.uint32],
    ) -> BatchInput:
        """What a step is given, if it can be taken."""
        if self.loss is None:
            raise StriateValueError("this engine was made without a loss: it can only run forward")
        images = self._in_place(images)
        if not 0 < len(images) <= self.batch_size:
            raise StriateValueError(
                f"this engine was made for batches of 1 to {self.batch_size} images, "
                f"got {len(images)}"
            )
        outputs = self.network.output_shape
        expected = {"targets": (len(images), *outputs), "weights": (len(images),)}
        for name, array in (("targets", targets), ("weights", weights)):
            if array.shape != expected[name]:
                raise StriateValueError(
                    f"{name} must have shape {expected[name]}, got {array.shape}"
                )
        if keys.shape != (len(images),):
            raise StriateValueError(f"keys must have shape {(len(images),)}, got {keys.shape}")
        return BatchInput(images, targets, weights, keys)

    def _step_by_call(
        self,
        runner: Runner,
        loss: Loss,
        images: ImagesInPlace,
        targets: Array,
        weights: Array,
        keys: npt.NDArray[np.uint32],
    ) -> tuple[float, Array]:
        """A step of a loss for which there are no nests: Python is called for it."""
        values: list[float] = []

        def gradient_of(outputs: Array) -> Array:
            value, gradient = loss.value_and_gradient(outputs, targets, weights)
            values.append(value)
            return gradient

        result = runner.run_called(images, keys, gradient_of)
        shares = (1.0, *(head.weight for head in self.network.heads.values()))
        total = sum(share * float(value) for share, value in zip(shares, values, strict=True))
        return total, result

    def update(self, optimizer: Optimizer, learning_rate: float) -> None:
        """Update ``network.flat`` in place; a known optimizer runs as one compiled pass."""
        flat, gradient = self.network.flat, self.gradient
        if gradient.dtype != np.float32 or gradient.shape != flat.shape:
            raise StriateValueError(
                f"gradient must be float32 of shape {flat.shape}, "
                f"got {gradient.dtype} of shape {gradient.shape}"
            )
        if not flat.size or not is_known(optimizer):
            update_in_numpy(self.network, optimizer, gradient, learning_rate)
            return
        optimizer.begin(flat, learning_rate)
        known = self._update
        same = (
            known is not None
            and known.optimizer is optimizer
            and known.uses(flat, gradient, optimizer.state)
        )
        if not same or known is None:
            known = self._update = Update(
                optimizer,
                self.threads,
                "f32",
                self.target,
                weights=flat,
                gradient=gradient,
                decay=decay_of_lines(self.network),
                learned=_learned(self.network, optimizer),
            )
        step = known

        def begin() -> None:
            step.prepare(learning_rate)
            optimizer.steps += 1  # from here on it is done, whatever signal comes

        thread_pool().run(step.program, begin)

    def fingerprint(self) -> str:
        """What the bits of its results depend on: the vector unit, and how a batch lies in it."""
        target, loss = self.target, None if self.loss is None else self.loss.kind
        lanes = [
            lanes_for(
                self.network if training else self.network.branch(),
                Settings(
                    self.batch_size,
                    lanes=1,
                    element="f32",
                    target=target,
                    training=training,
                    loss=loss if training else None,
                    exact=self.exact,
                    bfloat16=self.bfloat16,
                ),
            )
            for training in (True, False)
        ]
        kinds = ["exact"] * self.exact + ["bfloat16"] * self.bfloat16
        machine = ["portable"]
        if not target.portable:
            machine = [
                f"{target.triple.split('-')[0]} {8 * target.vector_bytes} bits",
                f"{target.registers} registers",
            ]
        return " ".join(
            [
                "llvm",
                *machine,
                f"blocks of {lanes[0]} and {lanes[1]}",
                *["not fused"] * (not target.fused),
                *kinds,
            ]
        )

    def close(self) -> None:
        """Free the buffers.  The threads stay in the pool, for other engines."""
        self._group_programs.clear()
        self._runners.clear()
        self._update = None

    @property
    def winograd(self) -> bool:
        return any(runner.plan.uses_winograd for runner in self._runners.values())

    def _in_place(self, images: Array | ImagesInPlace) -> ImagesInPlace:
        """Images that can be read in place: arrays of another dtype or layout are converted."""
        if isinstance(images, ImagesInPlace):
            check_images(images.images[:1], self.network.input_shape)
            return images
        images = check_images(images, self.network.input_shape)
        if not can_be_read_in_place(images):
            kind = np.uint8 if images.dtype == np.uint8 else np.float32
            images = np.ascontiguousarray(images, kind)
        return ImagesInPlace(images, np.arange(len(images)))

    def _runner(self, loading: InputFormat, *, training: bool) -> Runner:
        """The runner for images that come in so, made when it is first needed."""
        key = (training, loading)
        if key not in self._runners:
            self._runners[key] = Runner(
                self.network,
                batch_size=self.batch_size if training else rounded_batch(self.batch_size),
                threads=self.threads,
                training=training,
                loss=_how_computed(self.loss) if training and self.loss is not None else None,
                loading=loading,
                exact=self.exact,
                bfloat16=self.bfloat16,
                positive_weight=positive_weight_of(self.loss) if training else (),
                target=self.target,
            )
        return self._runners[key]


def _learned(network: Model, optimizer: Optimizer) -> list[tuple[int, int, float]] | None:
    """The parts of the parameters that are trained; None if all are, at one rate and alike."""
    if isinstance(optimizer, LayerwiseOptimizer):
        return network.learned_tensors()
    return network.learned_parts() if network.frozen or network.rates else None


def _how_computed(loss: Loss) -> str:
    """The loss of `striate.plan.settings.Settings` that computes this one."""
    return loss.kind if has_nests(loss) else "called"
