"""A network for a few images, from a backbone: a linear head on its features, then, where that is
better on images that were held out, its last stages trained on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.common.arrays import Array
from striate.common.short_repr import short_repr
from striate.common.text import counted
from striate.model.answers import Answers
from striate.network import Network
from striate.ranks.alone import ALONE
from striate.ranks.exchange import Exchange
from striate.transfer.backbone import Backbone
from striate.transfer.fine_tuning import FineTuning, TunedStages, choose_cut
from striate.transfer.kept_features import OnProgress
from striate.transfer.linear_head import Indices, LinearHead, Views
from striate.transfer.transfer_targets import Figures, TransferTargets
from striate.transfer.transfer_work import TransferWork

if TYPE_CHECKING:
    from striate.training.history import History

HELD_OUT = 0.3
"""The share of the images on which it is found out whether fine-tuning pays, and at most…"""
MOST_HELD_OUT = 200
FEWEST = 20
"""Of fewer images too few can be held out to tell."""
TRAINED_ON = 1000
"""Of fewer images those that were held out are worth learning from, too, once they have told…"""
IN_TWO = 0.6
"""…in a second training that goes on with all images; each has so many times the epochs then."""
CLOSE = 0.1
"""Where few images are held out and the losses with and without fine-tuning differ by no more than
this part, others are held out, too, and the sums decide.
"""


@short_repr
@dataclass(frozen=True, eq=False)
class _Trial:
    """Stages that were trained on some images, and tried on others, `held` out.

    Attributes:
        tail: the stages.
        history: of their training.
        held: the images.
        outputs: what the network says of these, as it was trained.
        figures: for them, without and with fine-tuning.
    """

    tail: Network
    history: History
    held: Indices
    outputs: Array
    figures: tuple[Figures, Figures]

    @property
    def before(self) -> Figures:
        return self.figures[0]

    @property
    def after(self) -> Figures:
        return self.figures[1]

    @property
    def is_close(self) -> bool:
        """Whether the losses are so near each other that other images may say otherwise."""
        return abs(self.after.loss - self.before.loss) <= CLOSE * self.before.loss


@short_repr
@dataclass(eq=False)
class Transferred:
    """A network made of a backbone, and how.

    Attributes:
        network: with a dense layer "head" behind the backbone's features.
        head: the linear head, with the outputs for images by heads that had not seen them.
        targets: what it was trained to say.
        figures: how good it was at that on images that it had not seen.
        mirrored: whether the head was trained on mirror images, too.
        features: those of the images, in the views that the head was trained on.
        tuned: which stages were trained on, in words; None if none.
        trial: of images that were held out, the figures without and with fine-tuning; None if that
            was not tried.
        unseen: outputs (n, outputs), in the units of the truth, and what is true, of images that
            the network which gave them had not been trained on; None where there are none.
        history: of the last fine-tuning; None without.
        notes: what was done and why, in sentences.
    """

    network: Network
    head: LinearHead
    targets: TransferTargets
    figures: Figures
    features: Views
    mirrored: bool = False
    tuned: str | None = None
    trial: tuple[Figures, Figures] | None = None
    unseen: tuple[Array, Array] | None = None
    history: History | None = None
    notes: list[str] = field(default_factory=list)

    def calibrate(self) -> None:
        """Choose how the network answers by what it, or one like it, said of images that it had not
        seen: the temperature of classes, the thresholds of labels. Without such nothing changes.
        """
        if self.unseen is not None:
            self.network.answers = self.targets.decided(self.network.answers, *self.unseen)


class Transfer:
    """Makes networks of a backbone.

    Args:
        backbone: the network, and where to cut it.
        tune: whether to train the last stages on; None to do so where it is better on images that
            are held out.
        settings: how they are trained.
        mirror: whether images are learnt from both ways round; None to do so with the head where
            that is better on images that are held out, and not with the last stages, for which as
            many steps on the images themselves are better.
        seed: of the folds, the images that are held out, and the training.
        threads: None for all processors.
        progress: called with (done, total, text); None for none.
        say: called with each sentence about what is done, as it is known.
        fit_options: further ones of `Network.fit`, for the fine-tuning.
        exchange: connects this process with others that share the work: the first one makes the
            network, by `begin` and `go_on`, each of which the others `follow`.
    """

    _work: TransferWork

    def __init__(
        self,
        backbone: Backbone,
        *,
        tune: bool | None = None,
        settings: FineTuning | None = None,
        mirror: bool | None = None,
        seed: int = 0,
        threads: int | None = None,
        progress: OnProgress | None = None,
        say: Callable[[str], None] | None = None,
        fit_options: dict[str, Any] | None = None,
        exchange: Exchange = ALONE,
    ) -> None:
        self.backbone, self.tune, self.mirror, self.exchange = backbone, tune, mirror, exchange
        self.settings = settings or FineTuning()
        self.seed, self.threads, self.progress, self.say = seed, threads, progress, say
        self.fit_options = fit_options or {}

    def begin(self, images: Array, targets: TransferTargets) -> Transferred:
        """Return the backbone with a linear head that is trained on its features.

        Args:
            images: raw, (n, height, width, channels), as the backbone reads them.
            targets: what is true of them.
        """
        self._work = self._work_on(images, targets)
        made = self._begun(targets)
        self._work.end()
        return made

    def follow_begin(self, images: Array, targets: TransferTargets) -> None:
        """Do a share of `begin`, on all ranks but the first one."""
        self._work = self._work_on(images, targets)
        self._work.follow()

    def follow_going_on(self) -> None:
        """Do a share of `go_on`, on all ranks but the first one."""
        self._work.follow()

    def _work_on(self, images: Array, targets: TransferTargets) -> TransferWork:
        return TransferWork(
            self.backbone,
            images,
            targets,
            self.settings_for(targets),
            seed=self.seed,
            threads=self.threads,
            fit_options=self.fit_options,
            exchange=self.exchange,
        )

    def _begun(self, targets: TransferTargets) -> Transferred:
        extractor = self._work.extractor
        plain = self._work.features(False, self.progress)
        ways: list[tuple[bool, LinearHead, Views]] = []
        for mirrored in (False, True) if self.mirror is None else (self.mirror,):
            views = [plain]
            if mirrored:
                views.append(self._work.features(True, self.progress))
            ways.append((mirrored, targets.head(views, self.seed), views))
        mirrored, head, seen = min(ways, key=lambda way: way[1].loss)
        network = self.backbone.with_head(targets.outputs)
        network.answers = Answers(targets.kind)
        figures = targets.figures(head.held_out)
        made = Transferred(network, head, targets, figures, seen, mirrored)
        made.unseen = (targets.usual(head.held_out), targets.truth)
        head.put_into(network)
        targets.finish(network)
        found = extractor.computed
        computed = "taken from the cache" if not found else f"{counted(found, 'view')} computed"
        round_ = ", of images both ways round" if mirrored else ""
        self._told(
            made,
            f"Features: {extractor.count:,} numbers an image ({computed}). A linear head on them"
            f"{round_}: {targets.told(made.figures)}, on images that it had not seen "
            "(cross-validation)",
        )
        return made

    def go_on(self, made: Transferred) -> None:
        """Train the last stages on, if they are to be, of what `begin` made.

        Raises:
            FloatingPointError: the training that was asked for has diverged; where it was to be
                tried only, the network stays as it is.
        """
        if self.tune is not False:
            made.head.put_into(made.network)  # which says standardised numbers while it is trained
            try:
                self._tune(made)
            finally:
                made.targets.finish(made.network)
        self._work.end()

    def settings_for(self, targets: TransferTargets) -> FineTuning:
        """How the stages are trained, with what nobody has said as is usual for such targets."""
        if self.settings.label_smoothing is not None:
            return self.settings
        return replace(self.settings, label_smoothing=targets.usual_smoothing)

    def _told(self, made: Transferred, sentence: str) -> None:
        made.notes.append(sentence)
        if self.say is not None:
            self.say(sentence)

    def _tune(self, made: Transferred) -> None:
        targets, views = made.targets, [False, True] if self.mirror else [False]
        kept, sharers = len(views) * len(targets), self.exchange.neighbours
        node = choose_cut(made.network, self.settings.share, kept, sharers)
        if node is None:
            self._told(
                made,
                "Its stages are not trained on: there is no place to cut it, behind which some are "
                "left, where what the first ones see fits into memory",
            )
            return
        held_out = min(round(HELD_OUT * len(targets)), MOST_HELD_OUT, targets.most_held_out())
        if self.tune is None and (len(targets) < FEWEST or held_out < 1):
            self._told(
                made,
                f"Its stages are not trained on: of {counted(len(targets), 'image')} too few can "
                "be held out to tell whether it helps",
            )
            return
        stages = TunedStages(made.network, node, threads=self.threads)
        self._work.look(stages, views, self.progress)
        if self.tune is None:
            tail = self._tried(made, stages, held_out / len(targets))
            if tail is None:
                return
        else:
            tail = stages.untrained(self.settings)
            made.history = self._work.train(tail, np.arange(len(targets)), self.settings.epochs)
            made.unseen = None
            self._told(made, f"Trained on {stages.description}")
        made.tuned = stages.description
        stages.put_back(tail)

    def _tried(self, made: Transferred, stages: TunedStages, share: float) -> Network | None:
        """The stages, trained, if that is better for a share of the images, held out; else None."""
        targets, epochs = made.targets, self.settings.epochs
        goes_on = len(targets) < TRAINED_ON
        if goes_on:
            epochs = max(1, round(IN_TWO * epochs))
        trial = self._trial(made, stages, targets.split(share, self.seed), epochs)
        if trial is None:
            return None
        made.trial, few = trial.figures, len(trial.held) < targets.enough
        better = trial.after.better_than(trial.before, few=few)
        told = f"{targets.told(trial.after)}, on {counted(len(trial.held), 'image')} held out"
        told += f"; before {targets.told(trial.before)}"
        if few and trial.is_close:
            others = targets.split(share, self.seed + 1)
            second = self._trial(made, stages, others, epochs)
            if second is None:
                return None
            better = sum(one.after.loss - one.before.loss for one in (trial, second)) < 0
            told += (
                f"; on others {targets.told(second.after)}; before {targets.told(second.before)}"
            )
        self._told(
            made, f"Trained on {stages.description}: {told}: " + ("kept" if better else "not kept")
        )
        if not better:
            return None
        made.unseen = None if few else (targets.usual(trial.outputs), targets.truth[trial.held])
        made.history = trial.history
        if goes_on:
            self._go_on_with_all(made, trial.tail, epochs)
        return trial.tail

    def _trial(
        self,
        made: Transferred,
        stages: TunedStages,
        parts: tuple[Indices, Indices],
        epochs: int,
    ) -> _Trial | None:
        """The stages trained on the first part of the images and tried on the second; None, once
        that is told, if it went wrong or was stopped.
        """
        (kept, held), targets = parts, made.targets
        # The head, too, must not have seen the images by which the two are compared.
        head = targets.subset(kept).head([view[kept] for view in made.features], self.seed)
        head.put_into(made.network)
        tail = stages.untrained(self.settings)
        made.head.put_into(made.network)
        try:
            history = self._work.train(tail, kept, epochs)
        except FloatingPointError:
            self._told(
                made,
                f"Its stages stay as they were, as their training diverged at a learning rate of "
                f"{self.settings.learning_rate:g}: try a lower one",
            )
            return None
        if history.interrupted:
            made.history = history
            self._told(made, "Its stages stay as they were, as their training was stopped")
            return None
        outputs = tail.predict_logits(self._work.seen[held], threads=self.threads)
        before = targets.figures(head(made.features[0][held]), held)
        return _Trial(tail, history, held, outputs, (before, targets.figures(outputs, held)))

    def _go_on_with_all(self, made: Transferred, tail: Network, epochs: int) -> None:
        """Train stages on with all images, those that were held out among them."""
        before, everything = tail.flat.copy(), np.arange(len(made.targets))
        try:
            made.history = self._work.train(tail, everything, epochs)
        except FloatingPointError:
            tail.flat[...] = before
            return
        if made.history.interrupted:  # half-way, which may be worse than not at all
            tail.flat[...] = before
