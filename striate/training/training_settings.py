"""The settings of a training run, which recipes, `fit`, the estimators and the commands share."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.common.errors import StriateTypeError, StriateValueError
from striate.common.text import choices, counted, cut
from striate.optim import optimizers, schedules
from striate.optim.losses import SoftmaxCrossEntropy
from striate.optim.optimizers import Optimizer
from striate.optim.schedules import FunctionSchedule, RateSchedule

if TYPE_CHECKING:
    from striate.training.loading import Augmentation

RateFunction = Callable[[int, int], float]
"""A schedule as a function: see `striate.optim.schedules.FunctionSchedule`."""

# What suits most small networks with the one-cycle schedule, by the kind of the optimiser.
DEFAULT_LEARNING_RATES = {"sgd": 0.05, "adamw": 0.002, "lars": 0.3, "lamb": 0.01}

REDUCE_DTYPES = ("float32", "bfloat16")
"""In which the gradients of groups may be added."""


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How a network is trained, apart from the data, the seed and the engine.

    Attributes:
        label_smoothing: of a classifier's loss: the share of the true class that is spread over
            all, 0 or more, below 1.
        augment: ``augment(images, rng) -> images`` for every batch, or options of
            `striate.data.augment.Augment`, of which those that are zero or False do nothing.

    The others are arguments of `striate.training.loop.fit`, which explains them.

    Raises:
        ValueError, TypeError: a setting is out of its range, or two do not go together.
    """

    optimizer: str | Optimizer = "adamw"
    learning_rate: float | None = None
    weight_decay: float | None = None
    schedule: str | RateSchedule | RateFunction = "one-cycle"
    warmup: int | float | None = None
    warmup_epochs: float | None = None
    epochs: int = 10
    batch_size: int = 128
    base_batch_size: int | None = None
    groups: int = 1
    reduce_dtype: str = "float32"
    label_smoothing: float = 0.0
    augment: Mapping[str, Any] | Augmentation | None = None

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "groups", "base_batch_size"):
            value = getattr(self, name)
            if name != "base_batch_size" or value is not None:
                object.__setattr__(self, name, _count(name, value))
        if self.groups > self.batch_size:
            raise StriateValueError(
                f"groups must be at most batch_size, so that each has an image: {self.groups} "
                f"groups, and {counted(self.batch_size, 'image')} per batch"
            )
        if self.reduce_dtype not in REDUCE_DTYPES:
            raise StriateValueError(
                f"reduce_dtype must be {choices([repr(name) for name in REDUCE_DTYPES])}, not "
                f"{cut(repr(self.reduce_dtype), 80)}"
            )
        self._check_warmup_epochs()
        self.make_optimizer()
        if isinstance(self.make_schedule(), FunctionSchedule) and self.base_batch_size is not None:
            raise StriateValueError(
                "base_batch_size scales the highest rate of a schedule of striate's; a function "
                "says the rates itself: leave base_batch_size out"
            )
        self.make_loss()
        rate = self.learning_rate
        if isinstance(rate, bool | str) or not hasattr(rate or 0.0, "__float__"):
            raise StriateTypeError(f"learning_rate must be a number, not {cut(repr(rate), 80)}")
        if rate is not None and not (math.isfinite(rate) and rate > 0.0):
            raise StriateValueError(f"learning_rate must be finite and above 0, not {rate!r}")
        check_augment(self.augment)

    def changed(self, **given: Any) -> TrainingSettings:
        """With those that are given, and not None, in place of these.

        A learning rate and weight decay are for one optimiser, a warm-up is for one schedule: with
        another one those that are not given become its own defaults.  A schedule that is a function
        has no highest learning rate.
        """
        given = {name: value for name, value in given.items() if value is not None}
        own: dict[str, Any] = {}
        if given.get("optimizer", self.optimizer) != self.optimizer:
            own |= {"learning_rate": None, "weight_decay": None}
        schedule = given.get("schedule", self.schedule)
        if schedule != self.schedule or "warmup_epochs" in given:
            own |= {"warmup": None}
        if schedule != self.schedule or "warmup" in given:
            own |= {"warmup_epochs": None}
            if callable(schedule) and not isinstance(schedule, RateSchedule):
                own |= {"learning_rate": None}
        return replace(self, **(own | given))

    def fitted_to(self, images: int) -> TrainingSettings:
        """For so many training images: a batch has no more than there are, nor more groups."""
        batch_size = min(self.batch_size, images)
        return replace(self, batch_size=batch_size, groups=min(self.groups, batch_size))

    def make_optimizer(self) -> Optimizer:
        """The optimiser: the one that was given, or a new one of that name."""
        value, decay = self.optimizer, self.weight_decay
        if isinstance(value, str):
            return optimizers.by_name(value, **({} if decay is None else {"weight_decay": decay}))
        if not isinstance(value, Optimizer):
            raise StriateTypeError(f"optimizer must be an Optimizer or its name, not {value!r}")
        if decay is not None:
            raise StriateValueError(
                f"weight_decay is for an optimizer given by name; {value!r} has its own"
            )
        return value

    def make_schedule(self) -> RateSchedule:
        """The schedule: the one that was given, or a new one of that name."""
        value = self.schedule
        if isinstance(value, str):
            warmup = self.warmup
            if self.warmup_epochs is not None:
                warmup = float(self.warmup_epochs) / self.epochs
            return schedules.by_name(value, warmup=warmup)
        if callable(value) and not isinstance(value, RateSchedule | type):
            if self.learning_rate is not None:
                raise StriateValueError(
                    "learning_rate is the highest rate of a schedule of striate's; a function says "
                    "the rates itself: leave learning_rate out"
                )
            value = FunctionSchedule(value)
        if not isinstance(value, RateSchedule):
            raise StriateTypeError(
                "schedule must be a RateSchedule or its name, or a function (step, total_steps) -> "
                f"rate, not {cut(repr(value), 80)}"
            )
        for name in ("warmup", "warmup_epochs"):
            if getattr(self, name) is not None:
                raise StriateValueError(
                    f"{name} is for a schedule given by name; {value!r} has its own"
                )
        return value

    def _check_warmup_epochs(self) -> None:
        epochs = self.warmup_epochs
        if epochs is None:
            return
        if self.warmup is not None:
            raise StriateValueError(
                f"warmup ({self.warmup!r}) and warmup_epochs ({epochs!r}) say the same in other "
                "units: give one of them"
            )
        if isinstance(epochs, bool | str) or not hasattr(epochs, "__float__"):
            raise StriateTypeError(f"warmup_epochs must be a number, not {cut(repr(epochs), 80)}")
        if not 0.0 <= epochs <= self.epochs:
            raise StriateValueError(
                f"warmup_epochs must lie in 0 … {self.epochs}, the epochs of the training, not "
                f"{epochs!r}"
            )

    def make_loss(self) -> SoftmaxCrossEntropy:
        """The loss of a classifier."""
        return SoftmaxCrossEntropy(self.label_smoothing)

    def make_augmentation(self) -> Augmentation | None:
        """What changes the images of a batch; None if nothing does."""
        if not isinstance(self.augment, Mapping):
            return self.augment
        from striate.data.augment import Augment

        options = {name: value for name, value in self.augment.items() if value}
        return Augment(**options) if options else None

    @property
    def changes(self) -> dict[str, Any]:
        """The options of the augmentation: {} if images stay, or a function changes them."""
        return dict(self.augment) if isinstance(self.augment, Mapping) else {}

    @property
    def highest_rate(self) -> float:
        """The learning rate at the top of the schedule, for batches of this size.

        With a `base_batch_size` it grows from that of such batches in proportion to the batch, or
        to the power of it that the optimiser wants: `Optimizer.rate_power`.
        """
        if self.base_batch_size is None:
            return self._base_rate
        times = self.batch_size / self.base_batch_size
        return float(self._base_rate * times ** self.make_optimizer().rate_power)

    @property
    def _base_rate(self) -> float:
        """The learning rate before it is scaled."""
        if self.learning_rate is not None:
            return float(self.learning_rate)
        if isinstance(self.make_schedule(), FunctionSchedule):
            return math.nan  # which it does not use
        optimizer = self.make_optimizer()
        kind = getattr(optimizer, "kind", None)
        if kind not in DEFAULT_LEARNING_RATES:
            raise StriateValueError(
                f"learning_rate must be given for the optimizer {type(optimizer).__name__}: only "
                f"{' and '.join(DEFAULT_LEARNING_RATES)} have a usual one"
            )
        return DEFAULT_LEARNING_RATES[kind]

    def arguments(self) -> dict[str, Any]:
        """The training of a classifier as arguments of `fit`."""
        found = {name: getattr(self, name) for name in NAMES if name != "label_smoothing"}
        return {**found, "loss": self.make_loss(), "augment": self.make_augmentation()}

    @property
    def description(self) -> str:
        """All of it in one line, for people; an optimiser and a schedule are named."""
        rate = "" if self.learning_rate is None else f" at {self.learning_rate:g}"
        if self.base_batch_size is not None:
            base = f"{self._base_rate:g} for batches of {self.base_batch_size}"
            rate = f" at {self.highest_rate:.4g}, that is {base}"
        warmup = ""
        if self.warmup_epochs is not None:
            epochs = "epoch" if self.warmup_epochs == 1 else "epochs"
            warmup = f", warm-up over {self.warmup_epochs:g} {epochs}"
        parts = [
            counted(self.epochs, "epoch"),
            f"batches of {self.batch_size}" + f" in {self.groups} groups" * (self.groups > 1),
            f"{self.optimizer}{rate} ({self.schedule}{warmup})",
        ]
        if self.weight_decay is not None:
            parts.append(f"weight decay {self.weight_decay:g}")
        if self.reduce_dtype != TrainingSettings.reduce_dtype:
            parts.append(f"gradients added in {self.reduce_dtype}")
        if self.label_smoothing:
            parts.append(f"label smoothing {self.label_smoothing:g}")
        changes = [_change(name, value) for name, value in self.changes.items() if value]
        nothing = "a function" if callable(self.augment) else "none"
        return ", ".join([*parts, f"augmentation: {', '.join(changes) or nothing}"])


NAMES = tuple(field.name for field in fields(TrainingSettings))
"""What the settings are called, in all that takes them."""


def _count(name: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise StriateTypeError(f"{name} must be a whole number, not {value!r}")
    if value < 1:
        raise StriateValueError(f"{name} must be at least 1, not {value!r}")
    return int(value)


def _change(name: str, value: Any) -> str:
    if value is True:
        return name
    return f"{name} {value}" if isinstance(value, str) else f"{name} {value:g}"


def check_augment(augment: Any, others: str = "") -> None:
    """Check that it is None, a mapping of the options of `Augment` or a function.

    Args:
        augment: the argument.
        others: what else it may be, for the message, with a comma behind it.

    Raises:
        TypeError: it is something else, such as a list of names.
    """
    if augment is None or isinstance(augment, Mapping):
        return
    if not callable(augment) or isinstance(augment, type):
        example = augment[0] if isinstance(augment, list | tuple) and augment else "flip"
        name = example if isinstance(example, str) else "flip"
        raise StriateTypeError(
            f"augment must be {others}None, a mapping of the options of Augment such as "
            f'{{"{cut(name, 40)}": True}}, or a function (images, rng) -> images, not '
            f"{cut(repr(augment), 80)}"
        )
