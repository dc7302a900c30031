"""What many ranks do together while the first one makes a network of a backbone.

The first one decides all there is to decide, and computes what BLAS and LAPACK do: the heads. What
it asks for, all do: each computes some of the features, some of what the first stages see, and its
groups of each batch of the training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.common.arrays import Array, Floats
from striate.data.rows import rows_of
from striate.network import Network
from striate.ranks.agree import ALIKE, APART, SAME, agree
from striate.ranks.exchange import Exchange
from striate.ranks.from_first import SharedFinding
from striate.ranks.led_work import LedWork
from striate.training.fingerprint import content_of, facts_of_network, facts_of_start
from striate.training.machine_facts import facts_of_machine
from striate.transfer.backbone import Backbone
from striate.transfer.fine_tuning import FineTuning, TunedStages
from striate.transfer.kept_features import FeatureExtractor, OnProgress
from striate.transfer.linear_head import Indices
from striate.transfer.rows_by_ranks import rows_by_ranks
from striate.transfer.transfer_targets import TransferTargets

if TYPE_CHECKING:
    from striate.training.history import History

_FEATURES, _SEEN, _TRAIN = "features", "seen", "train"


class TransferWork:
    """The work on one set of images.

    Args:
        backbone: the network, and where to cut it.
        images: raw, (n, height, width, channels).
        targets: what is true of them.
        settings: of the training, with nothing left open.
        seed: of the training.
        threads: None for all processors.
        fit_options: further ones of `Network.fit`.
        exchange: connects the ranks.

    Attributes:
        extractor: of the features.
        seen: what the last stages read, as `look` has found it.
    """

    seen: Array

    def __init__(
        self,
        backbone: Backbone,
        images: Array,
        targets: TransferTargets,
        settings: FineTuning,
        *,
        seed: int,
        threads: int | None,
        fit_options: dict[str, Any],
        exchange: Exchange,
    ) -> None:
        self.images, self.targets, self.settings = images, targets, settings
        self._backbone, self._exchange, self._seed = backbone, exchange, seed
        self._threads = exchange.threads if threads is None else threads
        self._fit_options = {**fit_options, "exchange": exchange}
        self.extractor = FeatureExtractor(backbone, threads=self._threads)
        self._stages: TunedStages | None = None
        self._tail: Network | None = None
        self._progress: OnProgress | None = None
        self._led: LedWork[Any] = LedWork(exchange, self._do)
        if not exchange.is_alone:
            agree(exchange, facts_of_machine("llvm", portable=False), APART, ALIKE)
            agree(exchange, self._facts(), APART, SAME)

    def _facts(self) -> dict[str, Any]:
        network, targets = self._backbone.network, self.targets
        return {
            **facts_of_start(network),
            **facts_of_network(network),
            "images": content_of(self.images),
            "labels": content_of(targets.trained),
            "weights": None if targets.weights is None else content_of(targets.weights),
            **{name.replace("_", " "): value for name, value in asdict(self.settings).items()},
            "seed": self._seed,
        }

    # The first rank

    def features(self, mirrored: bool, progress: OnProgress | None) -> Floats:
        """The features (n, count) of the images, or of their mirror images."""

        def compute(rows: Indices) -> Floats:
            found: Floats = self._ask(_FEATURES, [mirrored, rows.tolist()])
            return found

        alone = self._exchange.is_alone
        return self.extractor(
            self.images,
            mirrored=mirrored,
            progress=progress,
            compute=None if alone else compute,
        )

    def look(self, stages: TunedStages, views: Sequence[bool], progress: OnProgress | None) -> None:
        """See what the stages that are trained on read of all images, in these views."""
        self._stages, self._progress = stages, progress
        self._ask(_SEEN, [stages.node, list(views)])

    def train(self, tail: Network, rows: Indices, epochs: int) -> History:
        """Train stages on some of the images, in all views that were looked at.

        Raises:
            FloatingPointError: it has diverged.
        """
        self._tail = tail
        arrays = {"weights": tail.flat, "statistics": tail.state_flat}
        history: History = self._ask(_TRAIN, [rows.tolist(), epochs], arrays)
        return history

    def end(self) -> None:
        """Let the others go on."""
        self._led.end()

    def _ask(self, what: str, values: list[Any], arrays: dict[str, Floats] | None = None) -> Any:
        return self._led.ask(SharedFinding([what, *values], arrays or {}))

    # The others

    def follow(self) -> None:
        """Do what the first rank asks for, until it ends."""
        self._led.follow()

    # All

    def _do(self, order: SharedFinding) -> Any:
        what, *values = order.values
        if what == _FEATURES:
            return self._compute_features(*values)
        if what == _SEEN:
            return self._see(*values)
        return self._train(order.arrays, *values)

    def _compute_features(self, mirrored: bool, rows: list[int]) -> Floats:
        def compute(places: range) -> Floats:
            some = np.asarray(self.images[rows[places.start : places.stop]])
            return self.extractor.compute(some, mirrored)

        return rows_by_ranks(self._exchange, len(rows), (self.extractor.count,), compute)

    def _see(self, node: int, views: list[bool]) -> None:
        if not self._exchange.is_first:
            # What is before the cut is the backbone's; the head behind it comes with the weights.
            network = self._backbone.with_head(self.targets.outputs)
            self._stages = TunedStages(network, node, threads=self._threads)
        assert self._stages is not None
        rows = range(len(self.targets))
        self.seen = self._stages.seen(self.images, views, rows, self._progress, self._exchange)

    def _train(self, arrays: Mapping[str, Floats], rows: list[int], epochs: int) -> History | None:
        assert self._stages is not None
        tail = self._tail
        if tail is None:
            tail = self._stages.untrained(self.settings)
            tail.flat[...], tail.state_flat[...] = arrays["weights"], arrays["statistics"]
        try:
            return self._trained(self._stages, tail, np.array(rows, np.intp), epochs)
        except FloatingPointError:
            # All ranks have failed alike, and may go on: who fails from now on says so.
            self._exchange.meet()
            if self._exchange.is_first:
                raise
            return None

    def _trained(self, stages: TunedStages, tail: Network, rows: Indices, epochs: int) -> History:
        targets, seen = self.targets, self.seen
        views = len(seen) // len(targets)
        places = np.concatenate([rows + view * len(targets) for view in range(views)])
        options = dict(self._fit_options)
        if targets.weights is not None:
            options["sample_weight"] = np.tile(targets.weights[rows], views)
        return stages.train(
            tail,
            seen if len(places) == len(seen) else rows_of(seen, places),
            np.concatenate([targets.trained[rows]] * views),
            targets.loss(self.settings.label_smoothing or 0.0),
            replace(self.settings, epochs=epochs),
            seed=self._seed,
            **options,
        )
