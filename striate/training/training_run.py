"""A training under way: its state between two steps, its epochs, its stops and its checkpoints."""

from __future__ import annotations

import json
import math
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from striate.common.arrays import Floats
from striate.common.digests import digest_of
from striate.common.errors import StriateArithmeticError
from striate.common.stop_signals import InterruptHandler
from striate.common.text import counted
from striate.common.warn import warn_user
from striate.data.dataset import DataError
from striate.optim.optimizers import Optimizer
from striate.ranks.agree import agree
from striate.ranks.alone import ALONE
from striate.ranks.exchange import Exchange
from striate.ranks.from_first import SharedFinding, from_first
from striate.training.batches import Batch, batch_sizes
from striate.training.checkpoint import Checkpointer, TrainingState, failure
from striate.training.epoch_metrics import EpochMetrics
from striate.training.grouped_step import GroupedStep
from striate.training.history import Epoch, History
from striate.training.prepare import PreparedData
from striate.training.reporters import Progress, Reporter
from striate.training.stopping import BestEpoch, Snapshot

if TYPE_CHECKING:
    from striate.engines.engine import Engine
    from striate.model.model import Model


@dataclass
class TrainingRun:
    """The state of one call of `fit` between its steps."""

    network: Model
    engine: Engine
    data: PreparedData
    optimizer: Optimizer
    rate: Callable[[int, int], float]  # learning rate of (step, total steps)
    epochs: int
    batch_size: int
    group_size: int  # images at once
    best: BestEpoch | None
    reporter: Reporter
    on_epoch: Callable[[Epoch], Any] | None
    checkpointer: Checkpointer | None
    interruption: InterruptHandler
    exchange: Exchange = ALONE
    reduce_dtype: str = "float32"

    def __post_init__(self) -> None:
        self.history = History()
        self._step = GroupedStep(
            self.engine,
            self.network,
            self.exchange,
            lambda: self.interruption.number,
            self.reduce_dtype,
        )
        self.finished = False
        self._steps = len(batch_sizes(len(self.data.training.rows), self.batch_size))
        self.done = 0  # steps
        self._last_finite = Snapshot(self.network)
        self._metrics = EpochMetrics(self.data.has_classes)
        self._start = time.perf_counter()

    def step(self, batch: Batch) -> None:
        """Train on one batch; after the last one of an epoch, validate and end the epoch."""
        rate = self.rate(self.done, self._steps * self.epochs)
        # A loss that is not finite is an error below, so NumPy need not warn of it.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            loss, outputs, right, stop = self._step(batch)
            if not math.isfinite(loss):
                self._fail(batch.epoch, batch.index, rate)
            self.engine.update(self.optimizer, rate)
        self.done += 1
        self._metrics.add(batch, loss, outputs, right)
        if self.reporter.wants_steps:
            self.reporter.step(self._progress(batch))
        if self.exchange.is_alone:
            stop = self.interruption.number
        if stop is not None:
            self._interrupt(stop)
            self._end_epoch(batch.epoch, rate)
        elif batch.index == self._steps - 1:
            stop = self._end_epoch(batch.epoch, rate)
            # Checked again: a signal may have come during validation.  After that of the last
            # epoch there is nothing left to interrupt.
            if stop is not None and not self._is_complete:
                self._interrupt(stop)
            else:
                self._checkpoint_if_due(batch.epoch + 1)
        else:
            self._checkpoint_if_due(None)

    @property
    def _is_complete(self) -> bool:
        return self.finished or self.done == self._steps * self.epochs

    def end(self) -> History:
        """Restore the weights of the best epoch, with early stopping, and return the history."""
        if self.best is not None:
            self.best.restore()
            self.history.best_epoch = self.best.epoch
        self.history.seconds = time.perf_counter() - self._start
        self.reporter.end(self.history)
        if self.checkpointer is not None and not self.history.interrupted:
            self.checkpointer.finish()
        return self.history

    def resume(self) -> None:
        """Go on from the checkpoint, if there is one and that is asked for."""
        (is_found, is_same, values), arrays = from_first(self.exchange, self._found)
        if not is_found:
            return
        self._put(TrainingState(dict(arrays), values), is_same)
        epoch, step = divmod(self.done, self._steps)
        if self.checkpointer is not None:
            self.reporter.say(
                f"resumed from {self.checkpointer.path} after {counted(epoch, 'epoch')}"
                + (f" and {counted(step, 'step')}" if step else "")
            )
        if self._metrics.images and not step:  # stopped after the last step of an epoch
            self._end_epoch(epoch - 1, self.rate(self.done - 1, self._steps * self.epochs))

    def _found(self) -> SharedFinding:
        """Whether there is a state to go on from, whether it is of the very same training, and what
        is in it.
        """
        nothing = SharedFinding([False, False, None], {})
        if self.checkpointer is None:
            return nothing
        found = self.checkpointer.read()
        if found is None:
            if self.checkpointer.exists:
                self.reporter.say(
                    f"{self.checkpointer.path} is there from an earlier training, which can be "
                    "resumed; this one begins anew and will replace it"
                )
            return nothing
        state, is_same = found
        return SharedFinding([True, is_same, state.values], state.arrays)

    def _interrupt(self, number: int) -> None:
        self.history.interrupted = self.finished = True
        self.history.stopped_by = signal.Signals(number).name
        if self.checkpointer is not None:
            self._checkpoint(self.checkpointer)

    def _end_epoch(self, epoch: int, rate: float) -> int | None:
        """End an epoch, and return the signal that has come meanwhile, if one has."""
        if not np.isfinite(self.network.flat).all():
            self._fail(epoch, (self.done - 1) % self._steps, rate)
        trained = self._metrics.seconds()
        validation: tuple[float | None, float | None] = (None, None)
        if self.data.validation is not None and not self.finished:
            validation = self.data.validation.measure(
                self.engine, self.data.loss, self.group_size, self.exchange
            )
        row = Epoch(
            epoch=epoch + 1,
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
        answer = None if self.on_epoch is None else self.on_epoch(row)
        asked, stop = self._agreed(row, isinstance(answer, bool | np.bool_) and bool(answer))
        waited = self.best is not None and validation[0] is not None and self.best.should_stop(row)
        if waited or asked:
            # After the last epoch there is nothing left to stop.
            if row.epoch < self.epochs and not self.finished:
                self.history.stopped_early = True
                self.history.stopped_by = "early stopping" if waited else "on_epoch"
            self.finished = True
        self._last_finite.take()
        self._metrics = EpochMetrics(self.data.has_classes)
        return stop

    def _agreed(self, row: Epoch, asked: bool) -> tuple[bool, int | None]:
        """Whether `on_epoch` asks on any rank to end training, and the signal that has come to one.

        Raises:
            DisagreementError: the ranks have not the same weights.
        """
        if self.exchange.is_alone:
            return asked, self.interruption.number
        agree(
            self.exchange,
            {"weights": digest_of(self.network.flat, self.network.state_flat)},
            f"training has come apart in epoch {row.epoch}",
            "go on from the last checkpoint with --resume (resume=True), without the machine that "
            "computes otherwise",
        )
        told = self.exchange.meet(json.dumps([asked, self.interruption.number]).encode())
        answers = [json.loads(one) for one in told]
        signals = [number for _, number in answers if number is not None]
        return any(one for one, _ in answers), next(iter(signals), None)

    def _fail(self, epoch: int, step: int, rate: float) -> NoReturn:
        self._last_finite.restore()
        kept = f"the end of epoch {epoch}" if epoch else "before training"
        raise StriateArithmeticError(
            f"the loss is not finite in epoch {epoch + 1}, step {step + 1}, at the "
            f"learning rate {rate:.3g}: lower learning_rate, to {rate / 10:.1g} for example. "
            f"The network keeps its weights from {kept}."
        )

    # Checkpoints

    def _checkpoint_if_due(self, epoch: int | None) -> None:
        if self.checkpointer is not None and self.checkpointer.is_due(self.done, epoch):
            self._checkpoint(self.checkpointer)

    def keep(self, error: Exception) -> None:
        """Write down where training is before it ends with an error that is not its own."""
        if self.checkpointer is not None and self.done:
            self._checkpoint(self.checkpointer)
            when = "when the images are again what they were, " * isinstance(error, DataError)
            self.reporter.say(
                f"what was learnt until then is kept in {self.checkpointer.path}: {when}--resume "
                "(resume=True) goes on"
            )

    def _checkpoint(self, checkpointer: Checkpointer) -> None:
        """Write down where training is; that it cannot be written ends no training."""
        try:
            checkpointer.write(self._state())
        except OSError as error:
            told = failure(checkpointer.path, error)
            if not self.reporter.say(told):
                with suppress(RuntimeWarning):  # where warnings are errors
                    warn_user(told, RuntimeWarning)

    def _state(self) -> TrainingState:
        weights, statistics = self.network.flat, self.network.state_flat
        pairs: dict[str, tuple[Floats, ...]] = {"now": (weights, statistics)}
        if self._metrics.images:  # else those of the last epoch's end are those of now
            pairs["last"] = self._last_finite.arrays()
        best = None if self.best is None else self.best.state()
        if self.best is not None and best is not None:
            pairs["best"] = self.best.snapshot.arrays()
        arrays = {
            f"{name}/{what}": array
            for name, pair in pairs.items()
            for what, array in zip(("weights", "statistics"), pair, strict=True)
        }
        arrays |= {f"optimizer/{name}": a for name, a in self.optimizer.arrays().items()}
        values = {
            "step": self.done,
            "steps_per_epoch": self._steps,
            "metrics": self._metrics.state() if self._metrics.images else None,
            "history": [row.to_dict() for row in self.history.rows],
            "stopped_by": None if self.history.interrupted else self.history.stopped_by,
            "best": best,
            "optimizer": {"kind": self.optimizer.kind, "steps": self.optimizer.steps},
            "seconds": time.perf_counter() - self._start,
        }
        return TrainingState(arrays, values)

    def _put(self, state: TrainingState, is_same: bool) -> None:
        """Take over a state; of another training (not `is_same`) as much as fits."""
        arrays, values = state.arrays, state.values
        self.network.flat[...] = arrays["now/weights"]
        self.network.state_flat[...] = arrays["now/statistics"]
        self._last_finite.put(
            *(arrays.get(f"last/{n}", arrays[f"now/{n}"]) for n in ("weights", "statistics"))
        )
        own = {n.removeprefix("optimizer/"): a for n, a in arrays.items() if n.startswith("opt")}
        if values["optimizer"]["kind"] == self.optimizer.kind and len(own) == self.optimizer.slots:
            self.optimizer.load_arrays(own)
            self.optimizer.steps = values["optimizer"]["steps"]
        if self.best is not None and values["best"] is not None:
            self.best.resume(values["best"])
            self.best.snapshot.put(arrays["best/weights"], arrays["best/statistics"])
        self.history.rows = [Epoch(**row) for row in values["history"]]
        self._start = time.perf_counter() - values["seconds"]
        self.done = values["step"]
        if values["metrics"] is not None:
            self._metrics.restore(values["metrics"])
        if is_same and values["stopped_by"] is not None:
            self.history.stopped_early = self.finished = True
            self.history.stopped_by = values["stopped_by"]
        if not is_same and values["steps_per_epoch"] != self._steps:
            # Batches are others: the epoch that was under way begins anew.
            epochs, begun = divmod(self.done, values["steps_per_epoch"])
            self.done = epochs * self._steps
            if begun:
                self._metrics = EpochMetrics(self.data.has_classes)
        if self.done > self._steps * self.epochs:
            # In an epoch that this training does not have, and whose figures it does not tell.
            self.done = self._steps * self.epochs
            self._metrics = EpochMetrics(self.data.has_classes)

    def _progress(self, batch: Batch) -> Progress:
        elapsed = time.perf_counter() - self._start
        left = self._steps * self.epochs - self.done
        return Progress(
            epoch=batch.epoch + 1,
            epochs=self.epochs,
            step=batch.index + 1,
            steps=self._steps,
            loss=self._metrics.loss,
            accuracy=self._metrics.accuracy,
            images_per_second=self._metrics.images / self._metrics.seconds(),
            seconds_left=elapsed / self.done * left,
        )
