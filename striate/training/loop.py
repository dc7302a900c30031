"""The training loop `fit`: forward pass, backward pass and update, batch by batch and epoch by
epoch.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike

from striate.common.errors import StriateArithmeticError, StriateValueError
from striate.common.stop_signals import InterruptHandler
from striate.optim.losses import Loss, LossFunction
from striate.optim.optimizers import Optimizer
from striate.optim.schedules import RateSchedule
from striate.training.batches import Batch, batch_sizes
from striate.training.epoch_metrics import EpochMetrics
from striate.training.history import Epoch, History
from striate.training.loading import Augmentation
from striate.training.prepare import PreparedData, prepare
from striate.training.random_streams import check_seed
from striate.training.reporters import Progress, Reporter, make_reporter
from striate.training.sample_weights import ClassWeight
from striate.training.stopping import (
    BestEpoch,
    EarlyStopping,
    Snapshot,
)
from striate.training.training_settings import RateFunction, TrainingSettings

if TYPE_CHECKING:
    from striate.engines.engine import Engine
    from striate.model.model import Model


def fit(
    network: Model,
    images: ArrayLike,
    labels: ArrayLike,
    *,
    validation_data: tuple[ArrayLike, ArrayLike] | None = None,
    validation_fraction: float = 0.0,
    epochs: int = TrainingSettings.epochs,
    batch_size: int = TrainingSettings.batch_size,
    optimizer: str | Optimizer = TrainingSettings.optimizer,
    learning_rate: float | None = TrainingSettings.learning_rate,
    weight_decay: float | None = TrainingSettings.weight_decay,
    schedule: str | RateSchedule | RateFunction = TrainingSettings.schedule,
    warmup: int | float | None = TrainingSettings.warmup,
    loss: Loss | LossFunction | str | None = None,
    class_weight: ClassWeight = None,
    sample_weight: ArrayLike | None = None,
    augment: Mapping[str, Any] | Augmentation | None = None,
    early_stopping: int | EarlyStopping | None = None,
    seed: int = 0,
    threads: int | None = None,
    engine: str = "llvm",
    exact: bool = False,
    bfloat16: bool = False,
    progress: bool | Callable[[Progress], None] = True,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> History:
    """Train `network` in place.

    The same arguments give the same bits, for any number of threads.  Ctrl-C stops after the
    current step and keeps the weights; a second Ctrl-C raises KeyboardInterrupt at once.

    Args:
        network: the network, which is trained further from its present weights.  If its
            preprocessing is the identity, it is set to standardise by the statistics of the
            training images.
        images: (n, height, width, channels), or (n, height, width) if gray.  They stay in their
            dtype, and in place, until a batch needs them.
        labels: class indices, or class names if the network has them, (n,); for regression floats
            (n,) or (n, outputs).
        validation_data: images and labels to validate on after each epoch.
        validation_fraction: or the share of them to set aside for validation, drawn class by class.
        epochs: passes over the training images, 1 or more.
        batch_size: images per step, 1 or more.
        optimizer: "sgd", "adamw", or an Optimizer, which keeps its state.
        learning_rate: the highest one of the schedule; by default 0.05 for SGD, 0.002 for AdamW.
        weight_decay: for an optimiser given by name.
        schedule: "constant", "cosine", "step", "one-cycle", a RateSchedule, or a function (step,
            total_steps) -> learning rate.
        warmup: steps (int) or share of steps (float) of a schedule given by name; by default as
            the schedule has it.
        loss: a Loss, its kind, or None: cross-entropy for whole numbers and names, mean squared
            error for floats.  Or a function (outputs, targets) -> (loss, gradient): see
            `striate.optim.losses.FunctionLoss`.
        class_weight: weights by class index or class name, or "balanced".
        sample_weight: one weight per image, 0 or more; an image of weight 0 is left out.
        augment: a function (images, rng) -> images for every batch, such as a data.augment.Augment,
            or a mapping of Augment's options.
        early_stopping: an EarlyStopping, or the epochs to wait for a better validation loss; the
            best epoch's weights are restored.
        seed: of the order, the augmentation, dropout and the split; 0 or more.
        threads: for the engine; None for all cores.
        engine: "llvm" or "numpy".
        exact: compute each sum directly, without Winograd's algorithm, which rounds a little
            more: by some 1e-5 of a layer's largest value instead of 1e-6.
        bfloat16: let convolutions multiply numbers rounded to 8 bits (bfloat16) and sum the
            products in 32 bits, where the processor can and it is faster.  Weights, the values
            between layers, and all other computations keep 32 bits.
        progress: show progress on standard error, or a function to call with a Progress each step.
        on_epoch: called with the figures of each epoch.

    Returns:
        The figures of all epochs.

    Raises:
        ValueError, TypeError: arguments that do not fit each other or the network.
        FloatingPointError: the loss is no longer finite; the network has the weights of the end
            of the last epoch with a finite loss.
    """
    seed = check_seed(seed)
    settings = TrainingSettings(
        optimizer=optimizer,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        schedule=schedule,
        warmup=warmup,
        epochs=epochs,
        batch_size=batch_size,
        augment=augment,
    )
    rates, highest_rate = settings.make_schedule(), settings.highest_rate
    rule = _early_stopping(early_stopping)
    data = prepare(
        network,
        images,
        labels,
        loss=loss,
        class_weight=class_weight,
        sample_weight=sample_weight,
        validation_data=validation_data,
        validation_fraction=validation_fraction,
        seed=seed,
    )
    _check_rule(rule, data)
    epochs, batch_size = settings.epochs, min(settings.batch_size, len(data.training.rows))

    from striate.engines import make_engine

    with (
        closing(
            make_engine(
                network,
                engine=engine,
                batch_size=batch_size,
                loss=data.loss,
                threads=threads,
                exact=exact,
                bfloat16=bfloat16,
            )
        ) as made,
        closing(make_reporter(progress)) as reporter,
    ):
        training = _Training(
            network=network,
            engine=made,
            data=data,
            optimizer=settings.make_optimizer(),
            rate=lambda step, total: rates(step, total, highest_rate),
            epochs=epochs,
            batch_size=batch_size,
            best=None if rule is None else BestEpoch(rule, network),
            reporter=reporter,
            on_epoch=on_epoch,
        )
        source = data.training.batches(
            epochs=epochs,
            batch_size=batch_size,
            seed=seed,
            augment=settings.make_augmentation(),
            reads_in_place=made.reads_in_place,
        )
        with InterruptHandler() as interruption, source as batches:
            for batch in batches:
                training.step(batch, interruption)
                if training.finished:
                    break
        return training.end()


@dataclass
class _Training:
    """The state of one call of `fit` between its steps."""

    network: Model
    engine: Engine
    data: PreparedData
    optimizer: Optimizer
    rate: Callable[[int, int], float]  # learning rate of (step, total steps)
    epochs: int
    batch_size: int
    best: BestEpoch | None
    reporter: Reporter
    on_epoch: Callable[[Epoch], None] | None

    def __post_init__(self) -> None:
        self.history = History()
        self.finished = False
        self._steps = len(batch_sizes(len(self.data.training.rows), self.batch_size))
        self._done = 0
        self._last_finite = Snapshot(self.network)
        self._metrics = EpochMetrics(self.data.has_classes)
        self._start = time.perf_counter()

    def step(self, batch: Batch, interruption: InterruptHandler) -> None:
        """Train on one batch; after the last one of an epoch, validate and end the epoch."""
        rate = self.rate(self._done, self._steps * self.epochs)
        # A loss that is not finite is an error below, so NumPy need not warn of it.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            loss, outputs = self.engine.step(batch.images, batch.targets, batch.weights, batch.keys)
            if not math.isfinite(loss):
                self._fail(batch, rate)
            self.engine.update(self.optimizer, rate)
        self._done += 1
        self._metrics.add(batch, loss, outputs)
        if self.reporter.wants_steps:
            self.reporter.step(self._progress(batch))
        if interruption.requested:
            self.history.interrupted = self.finished = True
        if self.finished or batch.index == self._steps - 1:
            self._end_epoch(batch, rate)
            # Checked again: Ctrl-C may have come during validation.
            if interruption.requested:
                self.history.interrupted = self.finished = True

    def end(self) -> History:
        """Restore the weights of the best epoch, with early stopping, and return the history."""
        if self.best is not None:
            self.best.restore()
            self.history.best_epoch = self.best.epoch
        self.history.seconds = time.perf_counter() - self._start
        self.reporter.end(self.history)
        return self.history

    def _end_epoch(self, batch: Batch, rate: float) -> None:
        if not np.isfinite(self.network.flat).all():
            self._fail(batch, rate)
        trained = self._metrics.seconds()
        validation: tuple[float | None, float | None] = (None, None)
        if self.data.validation is not None and not self.finished:
            validation = self.data.validation.measure(self.engine, self.data.loss, self.batch_size)
        row = Epoch(
            epoch=batch.epoch + 1,
            loss=self._metrics.loss,
            accuracy=self._metrics.accuracy,
            val_loss=validation[0],
            val_accuracy=validation[1],
            learning_rate=rate,
            images=self._metrics.images,
            seconds=self._metrics.seconds(),
            images_per_second=self._metrics.images / trained,
        )
        self.history.rows.append(row)
        self.reporter.epoch(row, self.epochs)
        if self.on_epoch is not None:
            self.on_epoch(row)
        if self.best is not None and validation[0] is not None and self.best.should_stop(row):
            # After the last epoch there is nothing left to stop.
            self.history.stopped_early = row.epoch < self.epochs
            self.finished = True
        self._last_finite.take()
        self._metrics = EpochMetrics(self.data.has_classes)

    def _fail(self, batch: Batch, rate: float) -> NoReturn:
        self._last_finite.restore()
        kept = f"the end of epoch {batch.epoch}" if batch.epoch else "before training"
        raise StriateArithmeticError(
            f"the loss is not finite in epoch {batch.epoch + 1}, step {batch.index + 1}, at the "
            f"learning rate {rate:.3g}: lower learning_rate, to {rate / 10:.1g} for example. "
            f"The network keeps its weights from {kept}."
        )

    def _progress(self, batch: Batch) -> Progress:
        elapsed = time.perf_counter() - self._start
        left = self._steps * self.epochs - self._done
        return Progress(
            epoch=batch.epoch + 1,
            epochs=self.epochs,
            step=batch.index + 1,
            steps=self._steps,
            loss=self._metrics.loss,
            accuracy=self._metrics.accuracy,
            images_per_second=self._metrics.images / self._metrics.seconds(),
            seconds_left=elapsed / self._done * left,
        )


def _early_stopping(value: int | EarlyStopping | None) -> EarlyStopping | None:
    if value is None or isinstance(value, EarlyStopping):
        return value
    return EarlyStopping(patience=value)


def _check_rule(rule: EarlyStopping | None, data: PreparedData) -> None:
    if rule is None:
        return
    if data.validation is None:
        raise StriateValueError(
            "early stopping needs validation images: give validation_data or validation_fraction"
        )
    if rule.monitor == "val_accuracy" and not data.has_classes:
        raise StriateValueError('early stopping: numbers have no accuracy, monitor "val_loss"')
