"""How fast a network is trained on this machine: a few real steps."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.common.arrays import Array
from striate.data.rows import rows_of
from striate.ranks.alone import ALONE
from striate.ranks.exchange import Exchange
from striate.ranks.from_first import said_by_first
from striate.training.batches import largest_group
from striate.training.grouped_step import GroupedStep
from striate.training.prepare import prepare
from striate.training.training_settings import TrainingSettings

if TYPE_CHECKING:
    from striate.model.model import Model

MOST_BYTES = 2**26
"""Of images that are taken for it."""
_FIRST = 3  # steps that find caches and memory cold
_STEPS = 200  # at most


@dataclass(frozen=True)
class StepTiming:
    """What steps took.

    Attributes:
        image_seconds: for each image that training is shown.
        compiling_seconds: before the first step, with it.
    """

    image_seconds: float
    compiling_seconds: float


def time_steps(
    network: Model,
    images: Array,
    targets: Array,
    training: TrainingSettings,
    *,
    seconds: float = 1.0,
    clock: Callable[[], float] = time.perf_counter,
    loss: Any = None,
    seed: int = 0,
    threads: int | None = None,
    engine: str = "llvm",
    exact: bool = False,
    bfloat16: bool = False,
    portable: bool = False,
    exchange: Exchange = ALONE,
) -> StepTiming:
    """Train a network for a moment and tell how long that takes.

    Many ranks train it together, for as long as the first one's clock says; what each tells are its
    own times.

    Args:
        network: it is not the same afterwards: take one that is made for this.
        images, targets: as for `fit`; some of them are used.
        training: the settings of the training to come.
        seconds: for the steps, besides compiling.
        clock: returns the time in seconds.
        loss, seed, threads, engine, exact, bfloat16, portable, exchange: as for `fit`.

    Raises:
        StriateValueError: arguments that do not fit each other or the network, or that need more
            memory than there is, on one rank at least.
    """
    from striate.engines import make_engine

    begin = clock()
    training = training.fitted_to(len(images))
    batch_size, groups = training.batch_size, training.groups
    some = _some(len(images), batch_size, images[:1].nbytes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # training will warn of the same
        data = prepare(
            network,
            rows_of(images, some),
            targets[some],
            loss=loss,
            class_weight=None,
            sample_weight=None,
            validation_data=None,
            validation_fraction=0.0,
            seed=seed,
            exchange=exchange,
        )
    options: dict[str, Any] = {"engine": engine, "threads": threads, "exact": exact}
    ends: list[float] = []
    seen: list[int] = []
    with closing(
        exchange.all_or_none(
            lambda: make_engine(
                network,
                batch_size=largest_group(batch_size, groups),
                loss=data.loss,
                bfloat16=bfloat16,
                portable=portable,
                **options,
            )
        )
    ) as made:
        optimizer, step = training.make_optimizer(), GroupedStep(made, network, exchange)
        source = data.training.batches(
            epochs=_STEPS,
            batch_size=batch_size,
            seed=seed,
            augment=training.make_augmentation(),
            reads_in_place=made.reads_in_place,
            groups=groups,
            exchange=exchange,
        )
        with source as batches, np.errstate(all="ignore"):
            for batch in islice(batches, _STEPS):
                step(batch)
                made.update(optimizer, 0.0)
                ends.append(clock())
                seen.append(batch.size)
                is_enough = len(ends) > _FIRST and ends[-1] - ends[0] >= seconds
                if said_by_first(exchange, is_enough):
                    break
    first = min(_FIRST, len(ends) - 2)
    if first < 0:  # a single step is all there is
        return StepTiming((ends[0] - begin) / seen[0], ends[0] - begin)
    return StepTiming((ends[-1] - ends[first]) / sum(seen[first + 1 :]), ends[0] - begin)


def _some(count: int, batch_size: int, row_bytes: int) -> Any:
    """Return the rows of the images to take: whole batches, from all over."""
    most = max(2 * batch_size, MOST_BYTES // max(1, row_bytes))
    wanted = min(count, most)
    if wanted > batch_size:
        wanted -= wanted % batch_size
    return np.linspace(0, count - 1, wanted).round().astype(np.intp)
