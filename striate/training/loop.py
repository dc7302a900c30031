"""The training loop `fit`: forward pass, backward pass and update, batch by batch and epoch by
epoch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from striate.common.errors import StriateValueError
from striate.common.stop_signals import InterruptHandler
from striate.common.text import sizes
from striate.common.words import explains_its_arguments
from striate.data.dataset import DataError
from striate.data.shard_streams import ShardStreams
from striate.model.answers import Answers
from striate.optim.losses import Loss, LossFunction, SigmoidCrossEntropy
from striate.optim.optimizers import Optimizer
from striate.optim.schedules import RateSchedule
from striate.ranks.agree import ALIKE, APART, SAME, agree
from striate.ranks.alone import checked_exchange
from striate.ranks.exchange import Exchange, RankError, fails_together
from striate.training.batches import largest_group
from striate.training.checkpoint import (
    Checkpoint,
    Checkpointer,
    Resume,
    as_checkpoint,
    check_resume,
    claimed,
)
from striate.training.fingerprint import (
    Facts,
    described,
    facts_of_data,
    facts_of_network,
    facts_of_start,
    facts_of_streams,
)
from striate.training.history import Epoch, History
from striate.training.loading import Augmentation
from striate.training.machine_facts import facts_of_machine
from striate.training.prepare import PreparedData, prepare
from striate.training.random_streams import check_seed
from striate.training.reporters import Progress, make_reporter
from striate.training.sample_weights import ClassWeight
from striate.training.stopping import BestEpoch, EarlyStopping
from striate.training.training_run import TrainingRun
from striate.training.training_settings import RateFunction, TrainingSettings

if TYPE_CHECKING:
    from striate.model.model import Model


@explains_its_arguments
@fails_together
def fit(
    network: Model,
    images: ArrayLike,
    labels: ArrayLike,
    *,
    validation_data: tuple[ArrayLike, ArrayLike] | None = None,
    validation_fraction: float = 0.0,
    epochs: int = TrainingSettings.epochs,
    batch_size: int = TrainingSettings.batch_size,
    base_batch_size: int | None = TrainingSettings.base_batch_size,
    groups: int = TrainingSettings.groups,
    reduce_dtype: str = TrainingSettings.reduce_dtype,
    optimizer: str | Optimizer = TrainingSettings.optimizer,
    learning_rate: float | None = TrainingSettings.learning_rate,
    weight_decay: float | None = TrainingSettings.weight_decay,
    schedule: str | RateSchedule | RateFunction = TrainingSettings.schedule,
    warmup: int | float | None = TrainingSettings.warmup,
    warmup_epochs: float | None = TrainingSettings.warmup_epochs,
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
    portable: bool = False,
    exchange: Exchange | None = None,
    streams: ShardStreams | None = None,
    progress: bool | Callable[[Progress], None] = True,
    on_epoch: Callable[[Epoch], Any] | None = None,
    checkpoint: str | os.PathLike[str] | Checkpoint | None = None,
    resume: Resume = False,
) -> History:
    """Train `network` in place.

    The same arguments give the same bits, for any number of threads, and however often training
    was stopped and resumed.  Ctrl-C, SIGTERM and SIGHUP stop after the current step, keep the
    weights and write the checkpoint, if there is to be one; `History.stopped_by` tells.  A second
    one does as usual at once: Ctrl-C raises KeyboardInterrupt.

    Args:
        network: the network, which is trained further from its present weights.  If its
            preprocessing is the identity, it is set to standardise by the statistics of the
            training images.  What `calibrate` has found is dropped: it is of other weights.  With
            the loss of labels its `answers` become those of labels.
        images: (n, height, width, channels), or (n, height, width) if gray.  They stay in their
            dtype, and in place, until a batch needs them.
        labels: class indices, or class names if the network has them, (n,); for regression floats
            (n,) or (n, outputs); for labels, of which an image has any number, 0 or 1 for each
            (n, outputs), with the loss "sigmoid_cross_entropy".
        validation_data: images and labels to validate on after each epoch.
        validation_fraction: or the share of them to set aside for validation, drawn class by class.
        epochs: passes over the training images, 1 or more.
        batch_size: images per step, 1 or more.
        base_batch_size: the batch that `learning_rate` is for: with another `batch_size` the rate
            grows in proportion, with AdamW and LAMB with the square root (Goyal et al., 2017; You
            et al., 2020). None: it is for `batch_size`. Use a warm-up with it.
        groups: into how many parts each batch is cut, that are computed one after the other: memory
            is that of one of them.  Batch normalisation then is over a group.  1 to `batch_size`;
            its bits are those of this number of groups, however many processes share them.
        reduce_dtype: in which the gradients of the groups are added: "float32", or "bfloat16" for
            half the bytes between processes.  Then each group's gradient is rounded to 8 bits, and
            each sum of two, in the same places for any number of processes.
        optimizer: "sgd", "adamw", for large batches "lars" or "lamb", or an Optimizer, which keeps
            its state.
        learning_rate: the highest one of the schedule; by default 0.05 for SGD, 0.002 for AdamW,
            0.3 for LARS, 0.01 for LAMB.
        weight_decay: for an optimiser given by name.
        schedule: "constant", "cosine", "step", "one-cycle", a RateSchedule, or a function (step,
            total_steps) -> learning rate.
        warmup: steps (int) or share of steps (float) of a schedule given by name; by default as
            the schedule has it.
        warmup_epochs: or the epochs that it takes, from 0 to `epochs`, such as 5 or 0.5.
        loss: a Loss, its kind, or None: cross-entropy for whole numbers and names, mean squared
            error for floats, or as the network's `answers` say.  Or a function (outputs, targets)
            -> (loss, gradient): see `striate.optim.losses.FunctionLoss`.
        class_weight: weights by class index or class name, or "balanced".  Of labels, how many
            times the images count that have one.
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
        portable: add every sum in an order that is the same on all processors: the same seed and
            images give the same bits wherever multiply-adds are rounded once (x86 with FMA, 64-bit
            ARM), on any number of threads, for a few per cent of the time.
        exchange: connects this process with others that train the same network on the same images
            together, such as `striate.ranks.mpi()`: each computes some of the groups, and all end
            with the same weights, those that one process finds.  The first one tells how training
            goes and writes the checkpoint.
        streams: take the images in the order of their shards, `Dataset.shard_streams`, instead of
            at random: each group of a batch has its own run of shards, another one in each epoch.
        progress: show progress on standard error, or a function to call with a Progress each step.
        on_epoch: called with the figures of each epoch; where it returns True, training ends.
        checkpoint: a file in which all that is needed to go on is kept while training lasts: by
            default every two minutes, or as a `Checkpoint` says. Two trainings of one user cannot
            have the same one at the same time.
        resume: go on from the checkpoint, if there is one, to the very bits that training without
            a stop gives.  One that was made for other images, labels, settings, versions or
            processors is refused, but for "any", which goes on with what is given now.

    Returns:
        The figures of all epochs, those before a stop too.

    Raises:
        ValueError, TypeError: arguments that do not fit each other or the network.
        FloatingPointError: the loss is no longer finite; the network has the weights of the end
            of the last epoch with a finite loss.
        RankError: another process of the `exchange` has failed.
    """
    from striate.engines import check_engine, make_engine

    exchange = checked_exchange(exchange)
    seed = check_seed(seed)
    resume = check_resume(resume)
    if resume and checkpoint is None:
        raise StriateValueError("resume needs a checkpoint: the file to go on from")
    before = {} if checkpoint is None and exchange.is_alone else facts_of_start(network)
    if not exchange.is_alone:
        machine = facts_of_machine(check_engine(engine), portable=portable)
        aims = {
            "size of the images": sizes(network.input_shape),
            "classes": ", ".join(network.classes or ()),
        }
        agree(exchange, {**machine, **aims, **before, **facts_of_network(network)}, APART, ALIKE)
    settings = TrainingSettings(
        optimizer=optimizer,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        schedule=schedule,
        warmup=warmup,
        warmup_epochs=warmup_epochs,
        epochs=epochs,
        batch_size=batch_size,
        base_batch_size=base_batch_size,
        groups=groups,
        reduce_dtype=reduce_dtype,
        augment=augment,
    )
    rates, _ = settings.make_schedule(), settings.highest_rate  # which an optimiser may not have
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
        exchange=exchange,
        portable=portable,
    )
    _check_rule(rule, data)
    if isinstance(data.loss, SigmoidCrossEntropy) and network.answers == Answers():
        network.answers = Answers("labels")
    settings = settings.fitted_to(len(data.training.rows))
    epochs, batch_size, groups = settings.epochs, settings.batch_size, settings.groups
    if streams is not None:
        streams.check(len(data.training.images), data.training.rows, groups)
    highest_rate = settings.highest_rate

    interruption = InterruptHandler()
    with (
        closing(
            make_engine(
                network,
                engine=engine,
                batch_size=largest_group(batch_size, groups),
                loss=data.loss,
                threads=exchange.threads if threads is None else threads,
                exact=exact,
                bfloat16=bfloat16,
                portable=portable,
            )
        ) as made,
        closing(make_reporter(progress if exchange.is_first else False)) as reporter,
        ExitStack() as stack,
    ):
        used = settings.make_optimizer()

        def facts() -> Facts:
            return {
                **before,
                "engine": made.fingerprint(),
                "epochs": epochs,
                "batch size": batch_size,
                **({"groups": groups} if groups > 1 else {}),
                **({"reduce dtype": reduce_dtype} if reduce_dtype != "float32" else {}),
                **facts_of_streams(streams),
                "optimizer": described(used),
                "learning rate": highest_rate,
                "schedule": described(rates),
                "loss": described(data.loss),
                "augmentation": described(settings.make_augmentation()),
                "early stopping": described(rule),
                "seed": seed,
                **facts_of_network(network),
                **facts_of_data(data),
            }

        if not exchange.is_alone:
            agree(exchange, facts(), APART, SAME)
        checkpointer = None
        if checkpoint is not None and exchange.is_first:
            checkpointer = Checkpointer(as_checkpoint(checkpoint), resume, facts)
        training = TrainingRun(
            network=network,
            engine=made,
            data=data,
            optimizer=used,
            rate=lambda step, total: rates(step, total, highest_rate),
            epochs=epochs,
            batch_size=batch_size,
            group_size=largest_group(batch_size, groups),
            best=None if rule is None else BestEpoch(rule, network),
            reporter=reporter,
            on_epoch=on_epoch,
            checkpointer=checkpointer,
            interruption=interruption,
            exchange=exchange,
            reduce_dtype=reduce_dtype,
        )
        if checkpointer is not None:
            stack.enter_context(claimed(checkpointer.path))
        training.resume()
        source = data.training.batches(
            epochs=epochs,
            batch_size=batch_size,
            seed=seed,
            augment=settings.make_augmentation(),
            reads_in_place=made.reads_in_place,
            start=training.done,
            groups=groups,
            exchange=exchange,
            streams=streams,
        )
        with interruption, source as batches:
            try:
                for batch in () if training.finished else batches:
                    training.step(batch)
                    if training.finished:
                        break
            # An image that is read when it is needed cannot be any more, or a rank has failed.
            except (DataError, RankError) as error:
                training.keep(error)
                raise
        return training.end()


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
