"""Loads the labelled images that a classifier is tested on."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from striate.cli.label_arguments import LabelArguments
from striate.cli.output import note, one_line
from striate.common.arrays import Array, Images
from striate.common.progress import Counting
from striate.common.text import counted, sizes
from striate.data.label_tables import is_text_table
from striate.model import files
from striate.model.preprocessing import colour_of

if TYPE_CHECKING:
    from striate.data import Dataset
    from striate.data.check_record import CheckedFor
    from striate.data.part import Part
    from striate.data.record import Comparison, ImageRecord
    from striate.network import Network


@dataclass(frozen=True, eq=False)
class Labelled:
    """The labelled images of a test.

    Attributes:
        images: (n, *network.input_shape).
        labels: class indices (n,), or labels or numbers (n, outputs).
        source: the name of their source.
        part: which part of it they are, "test", "train" or "all".
        paths: their files, None where they come from no image files.
        changes: how many images of the source differ from those of the training, by kind; None
            where the model file does not tell, or the source is another one.
        left_out: how many images of the part are left out because the network was trained on them.
        leaks: of test images of the training's source how many were found, before the training, to
            be nearly training images; None where they are others, or nobody looked.
    """

    images: Images
    labels: Array
    source: str
    part: str
    paths: list[str] | None = None
    changes: dict[str, int] | None = None
    left_out: int = 0
    leaks: CheckedFor | None = None


def load_labelled(
    model: str,
    network: Network,
    source: str,
    part: str | None,
    *,
    skip_bad: bool,
    quiet: bool,
    max_pixels: int | None = None,
    tables: LabelArguments | None = None,
) -> Labelled:
    """Load the images on which a network is tested.

    Args:
        model: the model file, whose notes say which images it was trained on.
        network: the network in it.
        source: as for `striate train`.
        part: "test", "train" or "all"; None for the images that it was not trained on.
        skip_bad: whether to skip image files that cannot be read.
        quiet: whether to show no progress and no notes.
        max_pixels: image files with more pixels are errors; None for the usual limit.
        tables: how a table of labels is read, if there is one.

    Raises:
        DataError: the source cannot be read, or has other classes than the network.
        ClickException: there are no images, or they are of another size.
    """
    from striate.data.record import ImageRecord

    only = None if part == "all" or network.classes is None else part or "test"
    trained = files.information(model)
    table = _table_arguments(model, network, source, tables or LabelArguments(), trained)
    dataset = _load(source, network, only, skip_bad, quiet, max_pixels, table)
    chosen = _TestImages(dataset, trained, ImageRecord.from_notes(trained.get("images")), part)
    part, tested, changes = chosen.choose()
    leaks = _leaks(trained) if part == "test" and changes is not None else None
    if leaks is not None and leaks.found:
        chosen.notes.append(
            f"{leaks.found:,} of {counted(leaks.looked, 'test image')} that were looked at before "
            f"the training {'shows' if leaks.found == 1 else 'show'} nearly what a training image "
            "shows: what is measured on such images says little about new ones; "
            f"striate check {source} shows them"
        )
    for sentence in chosen.notes:
        note(one_line(sentence), quiet=quiet)
    if not len(tested.images):
        if chosen.left_out:
            raise click.ClickException(
                f"{source}: the network was trained on all {counted(chosen.left_out, 'image')} of "
                "its test part; give other images, or test on these with --part all"
            )
        raise click.ClickException(
            f"{source}: has no images in the part {part!r}; choose another one with --part"
        )
    if tested.images.shape[1:] != network.input_shape:
        made_for, has = sizes(network.input_shape), sizes(tested.images.shape[1:])
        raise click.ClickException(
            f"{model}: is made for images {made_for}, but {source} has {has}; give a source of "
            f"images {made_for}, or a model trained on images {has}"
        )
    return Labelled(
        rescaled(tested.images, dataset, network),
        tested.labels,
        dataset.name,
        part,
        tested.paths,
        changes,
        chosen.left_out,
        leaks,
    )


def _leaks(trained: dict[str, Any]) -> CheckedFor | None:
    """Return what the notes about a training say of leaks; None where they do not."""
    from striate.data.check_record import CheckRecord

    checked = CheckRecord.from_notes(trained.get("checked"))
    return None if checked is None else checked.of("leak")


def _table_arguments(
    model: str, network: Network, source: str, tables: LabelArguments, trained: dict[str, Any]
) -> dict[str, Any]:
    """Return what `striate.data.load` is told of a table of labels: with the columns of the
    training's, where the user names none.
    """
    kind = network.answers.kind
    has_table = tables.labels is not None or (is_text_table(source) and os.path.isfile(source))
    if not has_table and kind != "classes" and not source.lower().endswith(".npz"):
        raise click.ClickException(
            f"{model}: says {kind} of images; name the table that has those of {source}, with "
            "--labels FILE"
        )
    if tables.task not in (None, kind):
        raise click.ClickException(
            f"{model}: says {kind} of images, and cannot be tested with --task {tables.task}"
        )
    columns = trained.get("label_columns")
    usual = {"usual_columns": columns} if has_table and isinstance(columns, dict) else {}
    given = tables.arguments()
    return {**given, **usual, "task": kind if has_table or kind != "classes" else None}


def _load(
    source: str,
    network: Network,
    only: str | None,
    skip_bad: bool,
    quiet: bool,
    max_pixels: int | None,
    table: dict[str, Any],
) -> Dataset:
    """Return the images of `source` as the network reads them, not split."""
    from striate import data
    from striate.data.dataset import MAX_PIXELS
    from striate.data.image_sizes import losses

    height, width, channels = network.input_shape
    of_files = is_image_folder(source)
    resize = network.preprocessing.resize or {}
    dataset = data.load(
        source,
        size=(height, width) if of_files else None,
        colour=colour_of(channels) if of_files else None,
        mode=resize.get("mode", "crop"),
        cut_from=resize.get("cut_from") if of_files else None,
        white=resize.get("white", 65535),
        classes=network.classes or network.answers.names or None,
        skip_bad=skip_bad,
        test_fraction=1.0,
        progress=None if quiet else Counting(),
        nested=True,
        validation=False,
        only=only,
        max_pixels=max_pixels or MAX_PIXELS,
        **table,
    )
    told = dataset.notes[1:]  # the first is about the split, not made here
    for sentence in losses(told) if dataset.label_columns is None else told:
        note(one_line(sentence), quiet=quiet)
    if len(dataset.classes) != network.output_shape[-1]:
        here, there = len(dataset.classes), network.output_shape[-1]
        kind = dataset.task
        raise click.ClickException(
            f"{source}: has {here} {kind}, but the network has {there} outputs; give a source of "
            f"{there} {kind}, or a model trained on {here}"
        )
    return dataset


def is_image_folder(source: str) -> bool:
    """Return whether `source` has image files, in folders or inside tar and Parquet files: they are
    resized, unlike arrays.
    """
    from striate.data.bundled import BUNDLED
    from striate.data.idx import has_idx
    from striate.data.shard_names import ENDINGS, shards

    path = Path(source)
    if shards(source, ENDINGS):
        return True
    return source not in BUNDLED and os.path.isdir(path) and not has_idx(path)


class _TestImages:
    """Chooses the images of a source on which a network is tested."""

    def __init__(
        self,
        dataset: Dataset,
        trained: dict[str, Any],
        record: ImageRecord | None,
        part: str | None,
    ) -> None:
        """Take what it needs to know.

        Args:
            dataset: loaded so that a source without test images is all in the test part.
            trained: the model file's notes about its training, which may be any data.
            record: the images of the training, where these notes tell them.
            part: the part that the user wants, or None.
        """
        self.dataset = dataset
        self.trained = trained
        self.record = record
        self.part = part
        self.notes: list[str] = []
        self.left_out = 0

    def choose(self) -> tuple[str, Part, dict[str, int] | None]:
        """Return the name of the part to test on, its images, and how many images of the source
        differ from those of the training, by kind, None where that cannot be told.
        """
        whole = self._whole()
        found = self._compare(whole)
        if self.dataset.split:
            name, tested = self._of_one(whole, found)
        else:
            name, tested = self._of_parts(whole, found)
        return name, tested, None if found is None or not found.related else found.counts()

    def _whole(self) -> Part:
        """Return all images in question: where the source has parts, those of one or of both."""
        from striate.data.part import Part
        from striate.data.rows import joined

        train, test = self.dataset.parts["train"], self.dataset.parts["test"]
        if self.dataset.split or self.part in (None, "test"):
            return test
        if self.part == "train":
            return train
        paths = None
        if train.paths is not None and test.paths is not None:
            paths = train.paths + test.paths
        return Part(
            joined(train.images, test.images),
            np.concatenate([train.labels, test.labels]),
            paths,
        )

    def _compare(self, whole: Part) -> Comparison | None:
        """Return how the images differ from those of the training, and note it."""
        if self.record is None:
            return None
        among = {None: ("test",), "test": ("test",), "train": ("train",)}
        both = ("train", "test")
        found = self.record.compare(
            whole,
            source=self.dataset.name,
            folder=self.dataset.folder,
            among=both if self.dataset.split else among.get(self.part, both),
        )
        here = len(found.parts) - len(found.new)
        if self.record.source != self.dataset.name and 2 * here < found.recorded:
            found.missing = []  # of another source nothing is missing
        if found.related and (sentence := found.sentence()):
            self.notes.append(sentence)
        return found

    def _of_parts(self, whole: Part, found: Comparison | None) -> tuple[str, Part]:
        """Choose from a source that has test images of its own: of these all that were not trained
        on, or whatever else is asked for.
        """
        if self.part in (None, "test") and found is not None:
            seen = found.rows("train", "validation")
            if len(seen):
                self.left_out = len(seen)
                all_of_them = counted(len(whole.images), "test image")
                self.notes.append(
                    f"{len(seen):,} of {all_of_them} {'is' if len(seen) == 1 else 'are'} left out: "
                    "the network was trained on them, or chosen by them, and what is measured on "
                    "such images says nothing about new ones; --part all tests on all"
                )
                whole = whole.rows(_others(len(whole.images), seen))
        return self.part or "test", whole

    def _of_one(self, whole: Part, found: Comparison | None) -> tuple[str, Part]:
        """Choose from a source that has no parts."""
        part = self.part
        if part == "all":
            return part, whole
        if found is not None and found.related:
            seen = found.rows("train", "validation")
            rest = _others(len(whole.images), seen)
            return part or "test", whole.rows(seen if part == "train" else rest)
        if part is None:
            part = "test" if self.record is None and self._has_as_many(whole) else "all"
            if part == "all":
                return part, whole
            self.notes.append(
                "the model file does not tell its images one by one: its test images are drawn "
                "again by their number"
            )
        return part, whole.rows(self._drawn(whole, part))

    def _has_as_many(self, whole: Part) -> bool:
        """Return whether the source's name and number of images are those of the training."""
        name, *counts = (self.trained.get(key) for key in ("source", "train_images", "test_images"))
        seen = sum(number for number in counts if isinstance(number, int))
        return bool(name == self.dataset.name and seen == len(whole.images))

    def _drawn(self, whole: Part, part: str) -> Array:
        """Return the rows of a part that is drawn as for the training."""
        from striate.data.dataset import split_rows

        split = self.trained.get("split")
        fraction, seed = 0.2, 0
        if isinstance(split, dict):
            given = split.get("test_fraction")
            fraction = given if isinstance(given, float) and 0 < given < 1 else fraction
            given = split.get("seed")
            seed = given if isinstance(given, int) and given >= 0 else seed
        names, task = self.dataset.classes, self.dataset.task
        train, test = split_rows(whole.labels, task, fraction, seed, names)
        return train if part == "train" else test


def _others(count: int, rows: Array) -> Array:
    """Return the rows of 0...count - 1 that are not among `rows`."""
    left = np.ones(count, np.bool_)
    left[rows] = False
    return np.flatnonzero(left)


def rescaled(images: Images, dataset: Dataset, network: Network) -> Images:
    """Return images scaled so that white has the value that it had in training (16 for digits)."""
    if dataset.resize is None or network.preprocessing.resize is None:
        return images
    here = dataset.resize.get("maximum", 255)
    there = network.preprocessing.resize.get("maximum", 255)
    return images if here == there else images * np.float32(there / here)
