"""Learning-rate schedules: the learning rate of each step of a training.

A schedule is a pure function: ``schedule(step, total_steps, base)`` is the learning rate of update
number `step` (from 0) out of `total_steps`.  `base` is the highest rate that it gives.

A warm-up raises the rate linearly to `base` before the schedule proper begins, because the first
gradients of an untrained network are its largest.  Its length is a number of steps (an int) or a
share of all steps (a float from 0 to 1).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from striate.common.arguments import real_number
from striate.common.errors import StriateTypeError, StriateValueError
from striate.common.words import SCHEDULES as OTHERS
from striate.common.words import ExplainsItsArguments, known_as


class RateSchedule(ExplainsItsArguments, ABC):
    """The base of schedules; their rates are never negative."""

    name: str
    """The name by which `fit` knows the schedule."""

    def __call__(self, step: int, total_steps: int, base: float) -> float:
        """The learning rate of update `step`, 0 … `total_steps` - 1; `base` is the highest one."""
        if not 0 <= step < total_steps:
            raise StriateValueError(
                f"step {step} lies outside 0 … {total_steps - 1} ({total_steps} steps)"
            )
        return self.rate(step, total_steps, base)

    @abstractmethod
    def rate(self, step: int, total_steps: int, base: float) -> float:
        """The learning rate of a `step` that exists."""

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({options})"


class _WithWarmup(RateSchedule):
    """A linear warm-up, then shares of the base rate.

    Args:
        warmup: number of steps (int) or share of all steps (float) of the warm-up.
    """

    def __init__(self, warmup: int | float = 0) -> None:
        self.warmup = _steps_or_share("warmup", warmup)

    def rate(self, step: int, total_steps: int, base: float) -> float:
        rise = _as_steps(self.warmup, total_steps)
        if step < rise:
            return base * (step + 1) / rise
        return base * self._share(step - rise, total_steps - rise)

    @abstractmethod
    def _share(self, step: int, total_steps: int) -> float:
        """The share of the base rate at `step` of the `total_steps` after the warm-up."""


class ConstantRate(_WithWarmup):
    """The same learning rate in all steps after the warm-up."""

    name = "constant"

    def _share(self, step: int, total_steps: int) -> float:
        return 1.0


class Cosine(_WithWarmup):
    """Cosine annealing: half a cosine from the base rate down to a final rate.

    From Loshchilov & Hutter, 2017, "SGDR", without restarts.  The curve ends at the step after
    the last one, so that no step has a rate of zero.

    Args:
        final: the final rate as a share of the base rate, 0 … 1.
        warmup: number of steps or share of all steps.
    """

    name = "cosine"

    def __init__(self, *, final: float = 0.0, warmup: int | float = 0) -> None:
        super().__init__(warmup)
        if not 0.0 <= final <= 1.0:
            raise StriateValueError(f"cosine schedule: final must lie in 0 … 1, not {final!r}")
        self.final = float(final)

    def _share(self, step: int, total_steps: int) -> float:
        share = 0.5 * (1.0 + math.cos(math.pi * step / total_steps))
        return self.final + (1.0 - self.final) * share


class StepDecay(_WithWarmup):
    """Step decay: the rate is multiplied by a factor at each milestone.

    By default it falls to a tenth after half and again after three quarters of the steps.

    Args:
        milestones: ascending shares of the steps after the warm-up, each between 0 and 1.
        every: or one share, after each multiple of which the rate falls.
        factor: above 0, up to 1.
        warmup: number of steps or share of all steps.
    """

    name = "step"

    def __init__(
        self,
        *,
        milestones: Sequence[float] | None = None,
        every: float | None = None,
        factor: float = 0.1,
        warmup: int | float = 0,
    ) -> None:
        super().__init__(warmup)
        if milestones is not None and every is not None:
            raise StriateValueError("step schedule: give milestones or every, not both")
        if not 0.0 < factor <= 1.0:
            raise StriateValueError(
                f"step schedule: factor must lie above 0 and up to 1, not {factor!r}"
            )
        if every is not None:
            if not 0.0 < every <= 1.0:
                raise StriateValueError(
                    f"step schedule: every must be a share in 0 … 1, not {every!r}"
                )
            milestones = [every * index for index in range(1, math.ceil(1.0 / every))]
        elif milestones is None:
            milestones = (0.5, 0.75)
        marks = tuple(float(mark) for mark in milestones)
        if any(not 0.0 < mark < 1.0 for mark in marks) or list(marks) != sorted(set(marks)):
            raise StriateValueError(
                "step schedule: milestones must be rising shares of training between 0 and 1, "
                f"such as (0.5, 0.75), not {tuple(milestones)!r}"
            )
        self.milestones = marks
        self.factor = float(factor)

    def _share(self, step: int, total_steps: int) -> float:
        # The small number allows for rounded shares: 0.1 * 3 is a little above 0.3.
        done = (step + 1e-9) / total_steps
        return self.factor ** sum(done >= mark for mark in self.milestones)

    def __repr__(self) -> str:
        return (
            f"Step(milestones={self.milestones!r}, factor={self.factor!r}, warmup={self.warmup!r})"
        )


class OneCycle(RateSchedule):
    """One cycle: up to the base rate, then down to almost zero (Smith & Topin, 2018).

    The rate starts at ``base / start_division``, reaches ``base`` at the peak and ends at ``base /
    start_division / final_division``, as in `torch.optim.lr_scheduler.OneCycleLR`. The rise to the
    peak is its warm-up.

    Args:
        peak: the share of the steps, or the number of steps, after which the peak is reached.
        start_division, final_division: 1 or more.
        linear: whether the rate follows straight lines instead of half cosines.
    """

    name = "one-cycle"

    def __init__(
        self,
        *,
        peak: int | float = 0.3,
        start_division: float = 25.0,
        final_division: float = 1e4,
        linear: bool = False,
    ) -> None:
        self.peak = _steps_or_share("peak", peak)
        for name, value in (("start", start_division), ("final", final_division)):
            if not (math.isfinite(value) and value >= 1.0):
                raise StriateValueError(
                    f"one-cycle schedule: {name}_division must be at least 1, not {value!r}"
                )
        self.start_division = float(start_division)
        self.final_division = float(final_division)
        self.linear = bool(linear)

    def rate(self, step: int, total_steps: int, base: float) -> float:
        return base * self._share(step, total_steps)

    def _share(self, step: int, total_steps: int) -> float:
        if total_steps == 1:  # a cycle of one step is its peak, not its end, which changes nothing
            return 1.0
        start = 1.0 / self.start_division
        if isinstance(self.peak, float):
            top = self.peak * total_steps - 1.0  # as PyTorch, which does not round it
        else:
            top = float(min(self.peak, total_steps) - 1)
        if step < top:
            return self._between(start, 1.0, step / top)
        rest = total_steps - 1 - top
        done = (step - top) / rest if rest > 0.0 else 0.0
        # With the peak at 0 the descent would begin a step before the first one.
        return self._between(1.0, start / self.final_division, min(done, 1.0))

    def _between(self, begin: float, end: float, share: float) -> float:
        if self.linear:
            return begin + (end - begin) * share
        return end + (begin - end) * 0.5 * (1.0 + math.cos(math.pi * share))

    def __repr__(self) -> str:
        return (
            f"OneCycle(peak={self.peak!r}, start_division={self.start_division!r}, "
            f"final_division={self.final_division!r}, linear={self.linear!r})"
        )


class FunctionSchedule(RateSchedule):
    """A schedule that a user gives as a function.

    Args:
        function: from (step, total_steps) to the learning rate itself, 0 or more.
    """

    name = "function"

    def __init__(self, function: Callable[[int, int], float]) -> None:
        self.function = function

    def rate(self, step: int, total_steps: int, base: float) -> float:
        """What the function says; `base` is ignored."""
        rate = real_number(self.function(step, total_steps), f"the rate of step {step}", "schedule")
        if rate < 0:
            raise StriateValueError(
                f"schedule: the rate of step {step} must be at least 0, not {rate}"
            )
        return rate

    def __repr__(self) -> str:
        return f"{type(self).__name__}({getattr(self.function, '__name__', self.function)!r})"


SCHEDULES: dict[str, Callable[..., RateSchedule]] = {
    kind.name: kind for kind in (ConstantRate, Cosine, StepDecay, OneCycle)
}


def by_name(name: str, *, warmup: int | float | None = None, **options: Any) -> RateSchedule:
    """The schedule called "constant", "cosine", "step" or "one-cycle".

    Args:
        name: one of these.
        warmup: number of steps or share of all steps; of the one-cycle schedule it is the peak.
        options: of the schedule.

    Raises:
        ValueError: there is no such schedule, or an option is out of its range.
        TypeError: it has no such option.
    """
    if name not in SCHEDULES:
        known = ", ".join(map(repr, SCHEDULES))
        raise StriateValueError(
            f"unknown schedule {name!r}: known are {known}{known_as(name, SCHEDULES, OTHERS)}"
        )
    if warmup is not None:
        options["peak" if name == OneCycle.name else "warmup"] = warmup
    try:
        return SCHEDULES[name](**options)
    except TypeError as error:
        raise StriateTypeError(f"schedule {name!r}: {error}") from None


def _steps_or_share(name: str, value: int | float) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise StriateTypeError(
            f"{name} must be a number of steps (int) or a share of them (float), not {value!r}"
        )
    if isinstance(value, float) and not 0.0 <= value <= 1.0:
        raise StriateValueError(
            f"{name} as a share of all steps must lie in 0 … 1, not {value!r}; "
            "give a number of steps as an int"
        )
    if value < 0:
        raise StriateValueError(f"{name} must be at least 0 steps, not {value!r}")
    return value


def _as_steps(value: int | float, total_steps: int) -> int:
    steps = value if isinstance(value, int) else round(value * total_steps)
    return min(steps, total_steps)
