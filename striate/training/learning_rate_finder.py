"""`Network.find_learning_rate`: the loss of a short training whose learning rate rises.

This is the range test of L. N. Smith, "Cyclical Learning Rates for Training Neural Networks"
(arXiv:1506.01186): the rate grows from step to step by the same factor. The loss stays while the
rate is too low, falls while it is good, and rises when it is too high.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate.common.arguments import real_number, whole_number
from striate.common.errors import StriateValueError
from striate.common.short_repr import short_repr
from striate.common.text import counted
from striate.optim.losses import Loss, LossFunction
from striate.optim.optimizers import Optimizer
from striate.ranks.agree import ALIKE, APART, SAME, agree
from striate.ranks.alone import checked_exchange
from striate.ranks.exchange import Exchange, fails_together
from striate.training.batches import batch_sizes, largest_group
from striate.training.fingerprint import described, facts_of_data, facts_of_network, facts_of_start
from striate.training.grouped_step import GroupedStep
from striate.training.loading import Augmentation
from striate.training.machine_facts import facts_of_machine
from striate.training.prepare import PreparedData, prepare
from striate.training.random_streams import check_seed
from striate.training.sample_weights import ClassWeight
from striate.training.stopping import Snapshot
from striate.training.training_settings import TrainingSettings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from striate.model.model import Model

SMOOTHING = 0.9
"""How much of the smoothed loss before each step stays in that after it."""
RISE = 3.0
"""Training has diverged where the smoothed loss is so many times its smallest value above it."""
MARGIN = 10.0
"""By how much the suggestion is below the rate at which the loss is smallest.

The average lags some steps behind, so that its smallest value is near the end of what is stable.
"""
_WHO = "find_learning_rate"


@short_repr
@dataclass(frozen=True, eq=False)
class LearningRateCurve:
    """The loss over the learning rate, and which rate to take. ``str()`` says it in a line.

    Attributes:
        rates, losses: of each step, (steps,), as far as the loss was finite and did not diverge.
        smoothed: the losses, averaged over some steps before each; the mean weighs a step so many
            steps ago by 0.9 to that power.
        suggestion: a rate for `fit`'s `learning_rate`, which is the highest of its schedule: a
            tenth of that at which the smoothed loss is smallest, where training still is stable.
            None if the loss never fell.
        diverged: whether the loss rose so far that the last rates were not tried.
    """

    rates: NDArray[np.float64]
    losses: NDArray[np.float64]
    smoothed: NDArray[np.float64]
    suggestion: float | None
    diverged: bool

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON-able values."""
        return {
            "rates": self.rates.tolist(),
            "losses": self.losses.tolist(),
            "smoothed": self.smoothed.tolist(),
            "suggestion": self.suggestion,
            "diverged": self.diverged,
        }

    def plot(self) -> Figure:
        """The losses, and them smoothed, over the rates, with a line at the suggestion.

        ``curve.plot().savefig("rates.png")`` writes it.
        """
        from matplotlib.figure import Figure

        figure = Figure(figsize=(5.2, 3.2), layout="constrained")
        axes = figure.subplots()
        axes.plot(self.rates, self.losses, color="#3584e4", alpha=0.35, label="of each step")
        axes.plot(self.rates, self.smoothed, color="#3584e4", label="smoothed")
        if self.suggestion is not None:
            axes.axvline(self.suggestion, color="#e66100", label=f"{self.suggestion:.2g}")
        axes.set_xscale("log")
        axes.set_xlabel("learning rate")
        axes.set_ylabel("loss")
        axes.grid(alpha=0.2)
        axes.legend(frameon=False)
        return figure

    def _brief(self) -> str:
        rate = "none" if self.suggestion is None else f"{self.suggestion:.3g}"
        return f"suggestion {rate}, {counted(len(self.rates), 'step')} up to {self.rates[-1]:.3g}"

    def __str__(self) -> str:
        tried = f"{counted(len(self.rates), 'step')} from {self.rates[0]:.3g} to"
        tried += f" {self.rates[-1]:.3g}" + ", where the loss diverged" * self.diverged
        if self.suggestion is None:
            return f"no learning rate made the loss fall in {tried}: more steps may tell"
        return f"learning rate {self.suggestion:.3g}, by {tried}"


@fails_together
def find_learning_rate(
    network: Model,
    images: ArrayLike,
    labels: ArrayLike,
    *,
    lowest: float = 1e-6,
    highest: float = 10.0,
    steps: int = 100,
    batch_size: int = TrainingSettings.batch_size,
    groups: int = TrainingSettings.groups,
    optimizer: str | Optimizer = TrainingSettings.optimizer,
    weight_decay: float | None = TrainingSettings.weight_decay,
    loss: Loss | LossFunction | str | None = None,
    class_weight: ClassWeight = None,
    sample_weight: ArrayLike | None = None,
    augment: Mapping[str, Any] | Augmentation | None = None,
    seed: int = 0,
    threads: int | None = None,
    engine: str = "llvm",
    exact: bool = False,
    bfloat16: bool = False,
    portable: bool = False,
    exchange: Exchange | None = None,
) -> LearningRateCurve:
    """Train `network` for a moment while the learning rate rises, to see which rates are good.

    The network is then as it was before, to the bit: weights, running statistics, preprocessing;
    and so is the optimiser.

    Args:
        network: the network; usually an untrained one.
        images, labels: as for `fit`.
        lowest, highest: the first and the last rate, above 0.
        steps: how many rates to try, 10 or more; each step takes a batch. With fewer batches than
            steps the images are gone through several times.
        batch_size, groups, optimizer, weight_decay, loss: as for `fit`, and those of the training
            to come: the rate is for batches of this size.
        class_weight, sample_weight, augment: likewise.
        seed, threads, engine, exact, bfloat16, portable, exchange: as for `fit`.

    Returns:
        The curve, with a suggestion.

    Raises:
        ValueError, TypeError: arguments that do not fit each other or the network; the loss is
            not finite in the first steps, at the lowest rates.
        RankError: another process of the `exchange` has failed.
    """
    from striate.engines import check_engine, make_engine

    exchange = checked_exchange(exchange)
    seed = check_seed(seed)
    steps = whole_number(steps, "steps", _WHO)
    lowest, highest = (
        real_number(value, name, _WHO) for value, name in ((lowest, "lowest"), (highest, "highest"))
    )
    if steps < 10:
        raise StriateValueError(f"{_WHO}: steps must be at least 10, got {steps}")
    if not 0.0 < lowest < highest:
        raise StriateValueError(
            f"{_WHO}: lowest and highest must be above 0, the lower one first, got {lowest:g} "
            f"and {highest:g}"
        )
    settings = TrainingSettings(
        optimizer=optimizer,
        weight_decay=weight_decay,
        batch_size=batch_size,
        groups=groups,
        augment=augment,
    )
    if not exchange.is_alone:
        facts = {
            "search of the learning rate": f"{steps} steps from {lowest:g} to {highest:g}",
            **facts_of_machine(check_engine(engine), portable=portable),
            **facts_of_start(network),
            **facts_of_network(network),
        }
        agree(exchange, facts, APART, ALIKE)
    with _unchanged(network):
        data = prepare(
            network,
            images,
            labels,
            loss=loss,
            class_weight=class_weight,
            sample_weight=sample_weight,
            validation_data=None,
            validation_fraction=0.0,
            seed=seed,
            exchange=exchange,
        )
        settings = settings.fitted_to(len(data.training.rows))
        rates = np.geomspace(lowest, highest, steps)
        with closing(
            make_engine(
                network,
                engine=engine,
                batch_size=largest_group(settings.batch_size, settings.groups),
                loss=data.loss,
                threads=exchange.threads if threads is None else threads,
                exact=exact,
                bfloat16=bfloat16,
                portable=portable,
            )
        ) as made:
            rule = copy.deepcopy(settings.make_optimizer())
            if not exchange.is_alone:
                facts = {
                    "engine": made.fingerprint(),
                    "batch size": settings.batch_size,
                    "groups": settings.groups,
                    "optimizer": described(rule),
                    "loss": described(data.loss),
                    "augmentation": described(settings.make_augmentation()),
                    "seed": seed,
                    **facts_of_data(data),
                }
                agree(exchange, facts, APART, SAME)
            step = GroupedStep(made, network, exchange)
            batches = _batches(data, steps, settings, seed, made.reads_in_place, exchange)
            losses: list[float] = []
            smoothed: list[float] = []
            with batches as source, np.errstate(all="ignore"):
                for rate, batch in zip(rates.tolist(), source, strict=False):
                    value = step(batch).loss
                    if not math.isfinite(value):
                        break
                    losses.append(value)
                    smoothed.append(_smooth(losses))
                    if _diverged(smoothed):
                        break
                    made.update(rule, rate)
    if len(losses) < 2:
        raise StriateValueError(
            f"{_WHO}: the loss is not finite or grows in the first steps, at a rate of "
            f"{lowest:g}: lower lowest, to {lowest / 1000:.0e} for example, or look at the images"
        )
    count = len(losses)
    return LearningRateCurve(
        rates=rates[:count],
        losses=np.array(losses),
        smoothed=np.array(smoothed),
        suggestion=_suggestion(rates, smoothed),
        diverged=count < steps or _diverged(smoothed),
    )


@contextmanager
def _unchanged(network: Model) -> Iterator[None]:
    """Give the network back what it has now, whatever happens."""
    before, preprocessing = Snapshot(network), network.preprocessing
    answers = network.answers
    try:
        yield
    finally:
        before.restore()
        if network.preprocessing != preprocessing:
            network.preprocessing = preprocessing
        network.answers = answers


def _batches(
    data: PreparedData,
    steps: int,
    settings: TrainingSettings,
    seed: int,
    reads_in_place: bool,
    exchange: Exchange,
) -> Any:
    per_epoch = len(batch_sizes(len(data.training.rows), settings.batch_size))
    return data.training.batches(
        epochs=-(-steps // per_epoch),
        batch_size=settings.batch_size,
        seed=seed,
        augment=settings.make_augmentation(),
        reads_in_place=reads_in_place,
        groups=settings.groups,
        exchange=exchange,
    )


def _smooth(losses: list[float]) -> float:
    """The mean of all losses, of which those of long ago weigh little."""
    weights = SMOOTHING ** np.arange(len(losses) - 1, -1, -1.0)
    return float(weights @ np.array(losses) / weights.sum())


def _diverged(smoothed: list[float]) -> bool:
    least = min(smoothed)
    # A loss that is next to nothing may well become four times that.
    return smoothed[-1] > least + RISE * max(abs(least), abs(smoothed[0]) / 4)


def _suggestion(rates: NDArray[np.float64], smoothed: list[float]) -> float | None:
    best = int(np.argmin(smoothed))
    if not smoothed[best] < smoothed[0]:
        return None
    return float(rates[best] / MARGIN)
