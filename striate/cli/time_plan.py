"""The option `--minutes` of `striate train`: what is trained follows the time that there is."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.cli.clock import STARTED
from striate.cli.model_output import checkpoint_beside, named_after
from striate.cli.output import note
from striate.cli.training_source import computing, validation_fraction
from striate.common.errors import StriateValueError
from striate.common.text import counted
from striate.model.work import multiply_adds_of_nodes
from striate.network import Network
from striate.ranks.from_first import SharedFinding, from_first
from striate.ranks.led_work import LedWork

if TYPE_CHECKING:
    from striate.cli.networkfile import NetworkFile
    from striate.cli.train_options import TrainOptions
    from striate.cli.training_tasks import TrainingTask
    from striate.data.found_images import FoundImages
    from striate.optim.losses import Loss
    from striate.training.recipes import Recipe
    from striate.training.step_timing import StepTiming
    from striate.training.time_budget import Rung

# A forward pass takes such a part of a training step.
_FORWARD = 0.35
# What is compiled for the test takes such a part of the time that a training step takes to compile.
_COMPILED = 0.6
# Seconds for what is small: statistics of the images, writing files.
_REST = 0.5
# Seconds of steps by which a network's speed is told: first roughly, then the chosen one's.
_PROBE, _TIMED = 0.4, 1.5
# The part of the time that is left free: a machine that is at work for minutes becomes slower.
_RESERVE = 0.08
# Outputs that are counted with before the classes are known: they hardly matter.
_OUTPUTS = 10


class TimedTraining:
    """Chooses the size of the images, the width of the network and the epochs for a time.

    Of many processes the first one does so, by its clock, and lets all train together what it
    measures; they go on with what it has chosen.

    Args:
        chosen: the options, `minutes` among them.
        described: the network that the user gives, if there is one.
        adapted: returns a recipe with what the options change of its training.
    """

    def __init__(
        self,
        chosen: TrainOptions,
        described: NetworkFile | None,
        adapted: Callable[[Recipe], Recipe],
    ) -> None:
        self._chosen, self._described, self._adapted = chosen, described, adapted
        self._budget = 60 * (chosen.minutes or 0.0)
        self._side: int | None = None
        self._above: list[Rung] = []  # what more time would bring, at most one
        self._scale: float | None = None
        self._compiling = 0.0
        self._kept: dict[str, Any] = {}
        self._exchange = chosen.exchange
        self._measuring = LedWork(self._exchange, self._epoch_seconds)
        self._is_side_known = False

    def side_for(self, found: FoundImages) -> int | None:
        """Return the longest side of the images, before they are decoded; None for the usual.

        All processes ask at the same point, and get what the first one chooses.
        """
        if not self._is_side_known:
            self._is_side_known = True
            if self._exchange.is_first:
                self._side = self._chosen_side(found)
                self._tell()
            else:
                self._follow()
        return self._side

    def _chosen_side(self, found: FoundImages) -> int | None:
        self._take_kept(self._chosen.out or named_after(found.name))
        if self._kept:
            return self._side
        sides = self._sides(found)
        if len(sides) < 2:
            return next(iter(sides.values())) if len(found.sizes) else None
        channels = 1 if self._chosen.colour == "gray" or found.gray else 3
        images = max(1, round(len(found.sources) * (1 - self._chosen.test_fraction)))
        loading = {size: found.decoding_seconds(size) for size in sides}

        def rung(height: int, width: int, scale: float) -> Rung | None:
            seconds = loading[height, width]
            return self._rung((height, width, channels), _OUTPUTS, images, scale, seconds)

        chosen = self._settle(list(sides), images, rung, channels)
        return None if chosen is None else sides[chosen.height, chosen.width]

    def scale_for(self, task: TrainingTask, out: str) -> float:
        """Return how many times as wide as usual the network is, when the images are loaded."""
        if self._exchange.is_first:
            self._choose_scale(task, out)
            self._tell()
        else:
            self._follow()
        return self._scale or 1.0

    def _choose_scale(self, task: TrainingTask, out: str) -> None:
        self._take_kept(out)
        if self._scale is None:
            dataset = task.dataset
            height, width, channels = dataset.train_images.shape[1:]
            images, outputs = len(dataset.train_images), len(dataset.classes)

            def rung(height: int, width: int, scale: float) -> Rung | None:
                return self._rung((height, width, channels), outputs, images, scale, 0.0)

            self._settle([(height, width)], images, rung, channels)

    def _tell(self) -> None:
        """Let the other processes go on with what was chosen."""
        self._measuring.end([self._side, self._scale, self._kept])

    def _follow(self) -> None:
        """Measure what the first process asks for, and go on with what it has chosen."""
        self._side, self._scale, self._kept = self._measuring.follow()

    def with_epochs(
        self, recipe: Recipe, network: Network, task: TrainingTask, loss: Loss
    ) -> Recipe:
        """Return the recipe with as many epochs as fit into what is left of the time.

        Args:
            recipe: the network and its training.
            network: of the recipe or the user; it is trained for a moment, and of no use then.
            task: with the images.
            loss: of the training.
        """
        from striate.training.step_timing import time_steps

        asked = self._chosen.asked["epochs"]
        images = task.dataset.train_images
        if self._kept:
            epochs = asked or int(self._kept["epochs"])
            self._say(
                f"Going on with the plan of the checkpoint: {counted(epochs, 'epoch')} of "
                f"{images.shape[1]} × {images.shape[2]} pixels"
            )
            return replace(recipe, training=replace(recipe.training, epochs=epochs))
        timing = time_steps(
            network,
            images,
            task.targets(task.dataset.train_labels),
            recipe.training,
            seconds=min(_TIMED, 0.05 * self._budget),
            loss=loss,
            **self._how(),
        )
        work = float(sum(multiply_adds_of_nodes(network)))
        (epochs,), _ = from_first(
            self._exchange,
            lambda: SharedFinding([self._fitting_epochs(recipe, work, task, timing)], {}),
        )
        return replace(recipe, training=replace(recipe.training, epochs=epochs))

    def _fitting_epochs(
        self, recipe: Recipe, work: float, task: TrainingTask, timing: StepTiming
    ) -> int:
        """Return how many epochs of a network with so many multiply-adds fit, and say so."""
        from striate.training.time_budget import filled, with_speed

        images = task.dataset.train_images
        compiling = _COMPILED * max(timing.compiling_seconds, self._compiling)
        height, width = images.shape[1:3]
        fraction = validation_fraction(self._chosen, task)
        held = fraction * len(images)
        parts = task.dataset.parts
        watched = len(parts["validation"].images) if "validation" in parts else held
        shown = len(images) - held + _FORWARD * watched
        tested = len(parts["test"].images) + watched
        tested += len(images) * (self._chosen.reject is not None)

        def now(rung: Rung) -> Rung:
            return replace(
                rung,
                epochs=recipe.training.epochs,
                other_seconds=self._spent() + compiling + _REST,
                testing=_FORWARD * tested / shown,
            )

        rung = now(_bare(height, width, self._scale or 1.0, recipe.training.epochs))
        rung = replace(rung, work=work)
        rungs = [rung, *map(now, self._above)]
        rung, *above = with_speed(rungs, rung, shown * timing.image_seconds)
        plan = filled(rung, above, self._budget, self._chosen.asked["epochs"])
        self._say(plan.sentence)
        return plan.epochs

    def notes(self, recipe: Recipe) -> dict[str, Any]:
        """Return the plan as it is kept in the checkpoint and in the model's file."""
        return {
            "minutes": self._kept.get("minutes", self._chosen.minutes),
            "longest_side": self._side,
            "network_width": self._scale or 1.0,
            "epochs": recipe.training.epochs,
        }

    def _take_kept(self, out: str) -> None:
        """Take over the plan of the checkpoint from which training goes on."""
        from striate.training.checkpoint import notes_in

        if self._chosen.resume is None or self._kept:
            return
        plan = notes_in(checkpoint_beside(out)).get("plan")
        if isinstance(plan, dict):
            self._kept = plan
            self._side, self._scale = plan["longest_side"], float(plan["network_width"])

    def _sides(self, found: FoundImages) -> dict[tuple[int, int], int]:
        """Return the sizes that the images may become, and by which longest side each."""
        from striate.training.time_budget import SIDES

        sides: dict[tuple[int, int], int] = {}
        for side in SIDES:
            size = found.size_for(side)
            sides.setdefault(size, side)
        rgb = 3 * len(found.sources)
        held = {size: side for size, side in sides.items() if rgb * math.prod(size) <= found.room}
        return held or dict(list(sides.items())[:1])

    def _rung(
        self,
        shape: tuple[int, int, int],
        outputs: int,
        images: int,
        scale: float,
        loading: float,
    ) -> Rung | None:
        """Return a rung of the ladder whose speed is not known; None for a network that cannot be
        made.
        """
        try:
            recipe, network = self._made(shape, outputs, images, scale)
        except StriateValueError:
            return None  # it is told where that size is asked for
        bare = _bare(shape[0], shape[1], scale, recipe.training.epochs)
        spent = self._spent() + loading + 2 * _REST
        return replace(bare, work=float(sum(multiply_adds_of_nodes(network))), other_seconds=spent)

    def _made(
        self, shape: tuple[int, int, int], outputs: int, images: int, scale: float
    ) -> tuple[Recipe, Network]:
        from striate.cli.networkfile import untrained
        from striate.training import recipes

        recipe = recipes.for_outputs(shape, outputs, images, scale)
        network = untrained(self._described, recipe, shape, max(2, outputs))
        return self._adapted(recipe.for_network(network)), network

    def _settle(
        self,
        sizes: list[tuple[int, int]],
        images: int,
        rung: Callable[[int, int, float], Rung | None],
        channels: int,
    ) -> Rung | None:
        """Choose a rung by the speed of some networks on random images, and return it; None where
        there is no choice.
        """
        from striate.training.time_budget import rungs_of, settled

        given = 1.0 if self._described is not None else self._chosen.network_width
        ladder = rungs_of(sizes, scale=given, rung=rung)
        if len(ladder) < 2:
            self._scale = given or 1.0
            return None

        def measure(rung: Rung) -> float:
            shape = [rung.height, rung.width, channels]
            return self._measuring.ask(SharedFinding([shape, images, rung.scale], {}))

        # Each network costs a moment to compile, which little time has no room for.
        most = 2 if self._budget < 120 else 3
        plan = settled(
            ladder,
            0.95 * self._budget,  # the rest goes into this
            measure,
            epochs=self._chosen.asked["epochs"],
            most=most,
        )
        self._scale = plan.rung.scale
        self._above = [] if plan.next is None else [plan.next[0]]
        return plan.rung

    def _epoch_seconds(self, order: SharedFinding) -> float:
        """Return how long an epoch takes, by a few steps on random images.

        Args:
            order: the shape of images, how many there are, and the width of the network.
        """
        from striate.training.step_timing import time_steps

        (height, width, channels), images, scale = order.values
        shape = height, width, channels
        recipe, network = self._made(shape, _OUTPUTS, images, scale)
        rng, count = np.random.default_rng(0), 2 * min(recipe.training.batch_size, images)
        pixels = rng.integers(0, 256, (count, *shape), np.uint8)
        labels = rng.integers(0, network.output_shape[0], count)
        try:
            timing = time_steps(
                network, pixels, labels, recipe.training, seconds=_PROBE, **self._how()
            )
        except StriateValueError:  # too little memory, or a network that is refused later
            return math.inf
        self._compiling = max(self._compiling, timing.compiling_seconds)
        return float(images * timing.image_seconds)

    def _spent(self) -> float:
        """Return the seconds until now, with those that are left free."""
        return time.perf_counter() - STARTED + _RESERVE * self._budget

    def _how(self) -> dict[str, Any]:
        chosen = self._chosen
        return {
            **computing(chosen),
            "seed": chosen.seed,
            "exact": chosen.exact,
            "bfloat16": chosen.bfloat16,
            "portable": chosen.portable,
            "exchange": self._exchange,
        }

    def _say(self, sentence: str) -> None:
        note(sentence, quiet=self._chosen.quiet)


def _bare(height: int, width: int, scale: float, epochs: int) -> Rung:
    """Return a rung of which nothing is known yet but what it is."""
    from striate.training.time_budget import Rung

    return Rung(
        height=height,
        width=width,
        scale=scale,
        work=1.0,
        epochs=epochs,
        epoch_seconds=math.nan,
        other_seconds=0.0,
        testing=0.0,
    )
