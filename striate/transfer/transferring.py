"""A classifier of a few images, from a backbone: a linear head on its features, then, where that is
better on images that were held out, its last stages trained on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from striate.common.arrays import Array, Floats
from striate.common.short_repr import short_repr
from striate.common.text import counted, percent
from striate.confidence.calibration import fit_temperature
from striate.model.answers import FEWEST as FEWEST_ANSWERS
from striate.network import Network
from striate.optim.losses import SoftmaxCrossEntropy
from striate.training.split import stratified_split
from striate.transfer.backbone import Backbone
from striate.transfer.fine_tuning import FineTuning, TunedStages, choose_cut
from striate.transfer.kept_features import FeatureExtractor, OnProgress
from striate.transfer.linear_head import LinearHead, fit_linear_head

if TYPE_CHECKING:
    from striate.training.history import History

Indices = NDArray[np.intp]

HELD_OUT = 0.2
"""The share of the images on which it is found out whether fine-tuning pays, and at most…"""
MOST_HELD_OUT = 200
FEWEST = 20
"""Of fewer images too few can be held out to tell."""
ENOUGH = 100
"""Images that were held out tell from so many on how sure a network may be."""
RETRAINED = 1000
"""Of fewer images those that were held out are worth a second training, with them."""


@short_repr
@dataclass(eq=False)
class Transferred:
    """A network made of a backbone, and how.

    Attributes:
        network: with a dense layer "head" behind the backbone's features.
        head: the linear head, with the logits of images by heads that had not seen them.
        mirrored: whether it was trained on mirror images, too.
        tuned: which stages were trained on, in words; None if none.
        trial: of images that were held out, the accuracy and log-loss without and with
            fine-tuning; None if that was not tried.
        unseen: outputs (n, classes) and class indices (n,) of images that the network that gave
            them had not been trained on, by which it is calibrated.
        history: of the last fine-tuning; None without.
        notes: what was done and why, in sentences.
    """

    network: Network
    head: LinearHead
    mirrored: bool = False
    tuned: str | None = None
    trial: tuple[tuple[float, float], tuple[float, float]] | None = None
    unseen: tuple[Array, Indices] | None = None
    history: History | None = None
    notes: list[str] = field(default_factory=list)

    def calibrate(self) -> None:
        """Set the temperature of the network's probabilities by what it, or one like it, said of
        images that it had not seen; it stays as it is where these are too few.
        """
        if self.unseen is not None and len(self.unseen[1]) >= FEWEST_ANSWERS:
            temperature = fit_temperature(*self.unseen)
            self.network.answers = replace(self.network.answers, temperature=temperature)


class Transfer:
    """Makes classifiers of a backbone.

    Args:
        backbone: the network, and where to cut it.
        tune: whether to train the last stages on; None to do so where it is better on images that
            are held out.
        settings: how they are trained.
        mirror: whether images are learnt from both ways round; None to do so where that is better
            on images that are held out.
        seed: of the folds, the images that are held out, and the training.
        threads: None for all processors.
        progress: called with (done, total, text); None for none.
        say: called with each sentence about what is done, as it is known.
        fit_options: further ones of `Network.fit`, for the fine-tuning.
    """

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
    ) -> None:
        self.backbone, self.tune, self.mirror = backbone, tune, mirror
        self.settings = settings or FineTuning()
        self.seed, self.threads, self.progress, self.say = seed, threads, progress, say
        self.fit_options = fit_options or {}

    def begin(
        self, images: Array, labels: Indices, classes: int, weights: Array | None = None
    ) -> Transferred:
        """Return the backbone with a linear head that is trained on its features.

        Args:
            images: raw, (n, height, width, channels), as the backbone reads them.
            labels: class indices (n,).
            classes: how many there are.
            weights: of the images, 0 or more, (n,); None for equal ones.
        """
        of_images = None if weights is None else np.asarray(weights, np.float64)
        return self._with_head(images, labels, classes, of_images)

    def go_on(
        self, made: Transferred, images: Array, labels: Indices, weights: Array | None = None
    ) -> None:
        """Train the last stages on, if they are to be, of what `begin` made of these images."""
        if self.tune is not False:
            of_images = None if weights is None else np.asarray(weights, np.float64)
            self._tune(made, images, labels, of_images)

    def _told(self, made: Transferred, sentence: str) -> None:
        made.notes.append(sentence)
        if self.say is not None:
            self.say(sentence)

    def _with_head(
        self, images: Array, labels: Indices, classes: int, weights: NDArray[np.float64] | None
    ) -> Transferred:
        extractor = FeatureExtractor(self.backbone, threads=self.threads)
        plain = extractor(images, progress=self.progress)
        ways: list[tuple[bool, LinearHead]] = []
        for mirrored in (False, True) if self.mirror is None else (self.mirror,):
            views = [plain]
            if mirrored:
                views.append(extractor(images, mirrored=True, progress=self.progress))
            head = fit_linear_head(views, labels, classes, weights=weights, seed=self.seed)
            ways.append((mirrored, head))
        mirrored, head = min(ways, key=lambda way: way[1].loss)
        network = self.backbone.with_head(classes)
        _set_head(network, head)
        made = Transferred(network, head, mirrored, unseen=(head.held_out, labels))
        found = extractor.computed
        computed = "taken from the cache" if not found else f"{counted(found, 'view')} computed"
        round_ = ", of images both ways round" if mirrored else ""
        self._told(
            made,
            f"Features: {extractor.count:,} numbers an image ({computed}); a linear head on them"
            f"{round_} is right on {percent(head.accuracy)} of images that it had not seen "
            f"(cross-validation, log-loss {head.loss:.3f})",
        )
        return made

    def _tune(
        self,
        made: Transferred,
        images: Array,
        labels: Indices,
        weights: NDArray[np.float64] | None,
    ) -> None:
        views = [False, True] if made.mirrored else [False]
        node = choose_cut(made.network, self.settings.share, len(views) * len(labels))
        if node is None:
            self._told(
                made,
                "Its stages are not trained on: there is no place to cut it, behind which some are "
                "left, where what the first ones see fits into memory",
            )
            return
        wanted = _to_hold_out(labels)
        if self.tune is None and (len(labels) < FEWEST or wanted < 1):
            self._told(
                made,
                f"Its stages are not trained on: of {counted(len(labels), 'image')} too few can "
                "be held out to tell whether it helps",
            )
            return
        stages = TunedStages(made.network, node, threads=self.threads)
        everything = np.arange(len(labels))
        seen = stages.seen(images, views, everything.tolist(), self.progress)
        tail = stages.untrained(self.settings)
        if self.tune is None:
            kept, held = stratified_split(labels, wanted / len(labels), self.seed)
            made.history = self._train(stages, tail, seen, labels, kept, weights)
            if made.history.interrupted:
                self._told(made, "Its stages stay as they were, as their training was stopped")
                return
            outputs = tail.predict_logits(seen[held], threads=self.threads)
            made.trial = (
                _figures(made.head.held_out[held], labels[held]),
                _figures(outputs, labels[held]),
            )
            (before, loss_before), (after, loss_after) = made.trial
            better = (after, -loss_after) > (before, -loss_before)
            self._told(
                made,
                f"Trained on {stages.description}: {percent(after)} instead of {percent(before)} "
                f"of {counted(len(held), 'image')} held out, log-loss {loss_after:.3f} instead of "
                f"{loss_before:.3f}; " + ("kept" if better else "not kept"),
            )
            if not better:
                made.history = None
                return
            made.unseen = (outputs, labels[held]) if len(held) >= ENOUGH else None
            if len(labels) < RETRAINED:
                whole = stages.untrained(self.settings)
                made.history = self._train(stages, whole, seen, labels, everything, weights)
                # One that was stopped half-way is worse than the one without the held-out images.
                tail = tail if made.history.interrupted else whole
        else:
            made.history = self._train(stages, tail, seen, labels, everything, weights)
            made.unseen = None
            self._told(made, f"Trained on {stages.description}")
        made.tuned = stages.description
        stages.put_back(tail)

    def _train(
        self,
        stages: TunedStages,
        tail: Network,
        seen: Floats,
        labels: Indices,
        rows: Indices,
        weights: NDArray[np.float64] | None,
    ) -> History:
        """Train on some of the images, in all views."""
        views = len(seen) // len(labels)
        places = np.concatenate([rows + view * len(labels) for view in range(views)])
        options = dict(self.fit_options)
        if weights is not None:
            options["sample_weight"] = np.tile(weights[rows], views)
        return stages.train(
            tail,
            seen if len(places) == len(seen) else seen[places],
            np.tile(labels[rows], views),
            self.settings,
            seed=self.seed,
            **options,
        )


def _set_head(network: Network, head: LinearHead) -> None:
    network.parameters["head/weights"][...] = head.weights
    network.parameters["head/bias"][...] = head.bias


def _to_hold_out(labels: Indices) -> int:
    """How many images are held out, so that of each class one is left to train on."""
    room = len(labels) - len(np.unique(labels))
    return min(round(HELD_OUT * len(labels)), MOST_HELD_OUT, room)


def _figures(outputs: Array, labels: Indices) -> tuple[float, float]:
    """The accuracy and the log-loss of logits."""
    criterion = SoftmaxCrossEntropy()
    targets = criterion.targets(labels, outputs.shape[1])
    losses = criterion.per_image(np.asarray(outputs, np.float64), targets)
    return float((outputs.argmax(axis=1) == labels).mean()), float(losses.mean())
