"""All checks of a data set, each as far as it can be made."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass, field

from striate.checking.backbone_judge import BackboneJudge
from striate.checking.checked_images import CheckedImages
from striate.checking.damaged_files import check_files
from striate.checking.duplicates import check_duplicates
from striate.checking.file_headers import file_headers
from striate.checking.finding import KINDS, CheckOutcome, Finding
from striate.checking.flat_images import check_one_colour, flat_rows
from striate.checking.full_frames import full_frames
from striate.checking.image_hashes import image_hashes
from striate.checking.label_check import check_labels, label_reason
from striate.checking.odd_images import check_odd
from striate.checking.out_of_fold import OutOfFold, SmallNetworks, make_folds
from striate.checking.shortcuts import check_shortcuts
from striate.checking.value_ranges import check_ranges
from striate.common.arrays import Floats
from striate.common.errors import StriateValueError
from striate.common.short_repr import short_repr
from striate.data.dataset import MAX_PIXELS, Dataset, OnProgress
from striate.transfer.backbone import Backbone


@short_repr
@dataclass(frozen=True, eq=False)
class Checked:
    """A data set, and what was found in it.

    Attributes:
        images: what was checked.
        outcomes: of all checks, in the order of `KINDS`.
        seconds: that each of them took, by its title.
    """

    images: CheckedImages
    outcomes: list[CheckOutcome]
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def findings(self) -> list[Finding]:
        """All findings, those of each kind together."""
        found = [finding for outcome in self.outcomes for finding in outcome.findings]
        order = list(KINDS)
        return sorted(found, key=lambda finding: order.index(finding.kind))


def check(
    dataset: Dataset,
    *,
    kinds: Collection[str] = tuple(KINDS),
    seed: int = 0,
    engine: str = "llvm",
    threads: int | None = None,
    max_pixels: int = MAX_PIXELS,
    outputs_of: OutOfFold | None = None,
    backbone: Backbone | None = None,
    as_read: Dataset | None = None,
    progress: OnProgress | None = None,
) -> Checked:
    """Check a data set: damaged files, duplicates, wrong labels and what else is in `KINDS`.

    Args:
        dataset: loaded with `skip_bad`, so that it tells which files cannot be read, and best with
            a `test_fraction` of 0, for parts that are drawn at random are no parts of the data.
        kinds: the kinds of findings to look for.
        seed: of the networks that judge labels.
        engine, threads: of these.
        max_pixels: files with more pixels are not decoded.
        outputs_of: gives the outputs for each image of what was trained on others; by default small
            networks.
        backbone: a network that was trained on other photographs, by whose features labels and odd
            images are judged, too; see `striate.transfer.backbone.find_backbone`.
        as_read: the same images, loaded in the size and colour that the backbone reads.
        progress: called with (done, total, text).

    Raises:
        ValueError: an unknown kind, no images, or images that are not those that a backbone reads.
    """
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise StriateValueError(
            f"check: there is no kind of findings {unknown[0]!r}; the kinds are {', '.join(KINDS)}"
        )
    images = CheckedImages.of(dataset)
    if not images.parts:
        raise StriateValueError(f"{dataset.name}: has no images to check")
    networks = outputs_of or SmallNetworks(seed, engine, threads, progress)
    judge = None
    if backbone is not None:
        judge = BackboneJudge(
            backbone, as_read or dataset, networks, seed=seed, threads=threads, progress=progress
        )
        judge.verify(images)
    return _Checking(images, set(kinds), seed, networks, judge, max_pixels, progress).run()


class _Checking:
    """Makes the checks, and keeps what several of them need."""

    def __init__(
        self,
        images: CheckedImages,
        kinds: set[str],
        seed: int,
        networks: OutOfFold,
        judge: BackboneJudge | None,
        max_pixels: int,
        progress: OnProgress | None,
    ) -> None:
        self.images = images
        self.kinds = kinds
        self.seed = seed
        self.networks = networks
        self.judge = judge
        self.max_pixels = max_pixels
        self.progress = progress
        self.outcomes: list[CheckOutcome] = []
        self.seconds: dict[str, float] = {}
        self._since = time.perf_counter()

    def run(self) -> Checked:
        """Make all checks that are wanted."""
        images, wanted = self.images, self.kinds
        if "damaged" in wanted:
            self._add(check_files(images))
        flat = flat_rows(images)
        if "one-colour" in wanted:
            self._add(check_one_colour(images, flat))
        headers = None
        if wanted & {"leak", "duplicate", "shortcut", "odd", "label"}:
            headers = file_headers(images, progress=self.progress)
        groups: list[list[int]] = []
        hashes = None
        if wanted & {"leak", "duplicate", "odd", "label"}:
            frames = full_frames(images, headers, self.progress, self.max_pixels)
            hashes = image_hashes(images, frames, self.progress)
            outcome, groups = check_duplicates(images, hashes, flat, self.progress)
            if wanted & {"leak", "duplicate"}:
                self._add(outcome)
        outputs: Floats | None = None
        if "label" in wanted:
            why = label_reason(images)
            if why:
                self._add(CheckOutcome(("label",), why, made=False))
            else:
                judges = self.judge or self.networks
                outputs = judges(images, make_folds(images.labels, groups, seed=self.seed))
                who = "networks" if self.judge is None else self.judge.who
                self._add(check_labels(images, outputs, who))
        if "odd" in wanted and hashes is not None:
            features = None if self.judge is None else self.judge.features()
            self._add(check_odd(images, hashes, flat, outputs, features))
        if "shortcut" in wanted:
            self._add(check_shortcuts(images, headers))
        if "range" in wanted:
            self._add(check_ranges(images, flat))
        return Checked(images, self.outcomes, self.seconds)

    def _add(self, outcome: CheckOutcome) -> None:
        self.outcomes.append(outcome)
        now = time.perf_counter()
        self.seconds[outcome.title] = now - self._since
        self._since = now
