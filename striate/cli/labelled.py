"""Loads the labelled images that a classifier is tested on."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from striate.cli.output import note
from striate.common.arrays import Array, Images
from striate.common.progress import Counting
from striate.common.text import sizes
from striate.model import files

if TYPE_CHECKING:
    from striate.data import Dataset
    from striate.network import Network


@dataclass(frozen=True, eq=False)
class Labelled:
    """The labelled images of a test.

    Attributes:
        images: (n, *network.input_shape).
        labels: class indices (n,).
        source: the name of their source.
        part: which part of it they are, "test", "train" or "all".
    """

    images: Images
    labels: Array
    source: str
    part: str


def load_labelled(
    model: str, network: Network, source: str, part: str | None, *, skip_bad: bool, quiet: bool
) -> Labelled:
    """Load the images on which a network is tested.

    Args:
        model: the model file, whose notes say which images it was trained on.
        network: the network in it.
        source: as for `striate train`.
        part: "test", "train" or "all"; None for the images that it was not trained on.
        skip_bad: whether to skip image files that cannot be read.
        quiet: whether to show no progress and no notes.

    Raises:
        DataError: the source cannot be read, or has other classes than the network.
        ClickException: there are no images, or they are of another size.
    """
    alone = _folder_of(source, network, part)
    dataset = _load(alone or source, network, skip_bad, quiet)
    if alone is None:
        name = dataset.name
        part, images, labels = _choose(dataset, files.information(model), part)
    else:
        name, part = Path(source).resolve().name, part or "test"
        images, labels = dataset.test_images, dataset.test_labels
    if not len(images):
        raise click.ClickException(
            f"{source}: has no images in the part {part!r}; choose another one with --part"
        )
    if images.shape[1:] != network.input_shape:
        made_for, has = sizes(network.input_shape), sizes(images.shape[1:])
        raise click.ClickException(
            f"{model}: is made for images {made_for}, but {source} has {has}; give a source of "
            f"images {made_for}, or a model trained on images {has}"
        )
    return Labelled(rescaled(images, dataset, network), labels, name, part)


def _folder_of(source: str, network: Network, part: str | None) -> str | None:
    """Return the folder of the requested part, if the images of the other need not be read.

    None if the network has no class names: then the whole source decides on the classes.
    """
    if part == "all" or network.classes is None or not is_image_folder(source):
        return None
    from striate.data.folders import find_parts

    parts, _ = find_parts(Path(source))
    return None if len(parts) < 2 else str(parts[0 if part == "train" else 1].folder)


def _load(source: str, network: Network, skip_bad: bool, quiet: bool) -> Dataset:
    """Return the images of `source` as the network reads them, not split."""
    from striate import data

    height, width, channels = network.input_shape
    of_files = is_image_folder(source)
    resize = network.preprocessing.resize or {}
    dataset = data.load(
        source,
        size=(height, width) if of_files else None,
        colour={1: "gray", 3: "rgb"}.get(channels) if of_files else None,
        mode=resize.get("mode", "crop"),
        classes=network.classes,
        skip_bad=skip_bad,
        test_fraction=1.0,
        progress=None if quiet else Counting(),
    )
    for sentence in dataset.notes[1:]:  # the first one is about the split, which is not made here
        note(sentence, quiet=quiet)
    if network.classes is None and len(dataset.classes) != network.output_shape[-1]:
        here, there = len(dataset.classes), network.output_shape[-1]
        raise click.ClickException(
            f"{source}: has {here} classes, but the network has {there} outputs; give a source of "
            f"{there} classes, or a model trained on {here}"
        )
    return dataset


def is_image_folder(source: str) -> bool:
    """Return whether `source` is a folder of image files, which are resized, unlike arrays."""
    from striate.data.idx import has_idx

    path = Path(source)
    return source != "digits" and os.path.isdir(path) and not has_idx(path)


def _choose(
    dataset: Dataset, trained: dict[str, Any], part: str | None
) -> tuple[str, Images, Array]:
    """Return the name of the part to test on, its images and its labels.

    Args:
        dataset: loaded so that a source without test images is all in the test part.
        trained: the model file's notes about its training, which may be any data.
        part: the part that the user wants, or None.
    """
    images, labels = dataset.test_images, dataset.test_labels
    if not dataset.split:
        train_images, train_labels = dataset.train_images, dataset.train_labels
        if part == "train":
            return part, train_images, train_labels
        if part == "all":
            images = np.concatenate([train_images, images])
            return part, images, np.concatenate([train_labels, labels])
        return "test", images, labels
    split = trained.get("split")
    fraction, seed = 0.2, 0
    if isinstance(split, dict):
        given = split.get("test_fraction")
        fraction = given if isinstance(given, float) and 0 < given < 1 else fraction
        given = split.get("seed")
        seed = given if isinstance(given, int) and given >= 0 else seed
    if part is None:
        name, *sizes = (trained.get(key) for key in ("source", "train_images", "test_images"))
        seen = sum(number for number in sizes if isinstance(number, int))
        part = "test" if name == dataset.name and seen == len(images) else "all"
    if part == "all":
        return part, images, labels
    from striate.data.dataset import train_test_split

    train, test = train_test_split(labels, fraction, seed, dataset.classes)
    rows = train if part == "train" else test
    return part, images[rows], labels[rows]


def rescaled(images: Images, dataset: Dataset, network: Network) -> Images:
    """Return images scaled so that white has the value that it had in training (16 for digits)."""
    if dataset.resize is None or network.preprocessing.resize is None:
        return images
    here = dataset.resize.get("maximum", 255)
    there = network.preprocessing.resize.get("maximum", 255)
    return images if here == there else images * np.float32(there / here)
