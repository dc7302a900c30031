"""Recipes: a network and training settings for when the user gives none.

`choose` takes the first row of `TABLE` that fits the size of the images, and adjusts it to the
number of images. A row is plain numbers, so tuning striate's defaults means editing rows;
`striate train` prints the recipe that it chose.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from striate.layers import (
    Add,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    Input,
    MaxPool2D,
    Node,
    ReLU,
    Scale,
)
from striate.model.model import Model
from striate.ops.shapes import Shape

Kind = TypeVar("Kind", bound=Model)


@dataclass(frozen=True)
class ConvolutionBlock:
    """A convolution that keeps the image's size, then batch normalisation and ReLU.

    Attributes:
        filters: number of filters.
        size: side of the filters.
        pool: whether 2×2 max-pooling comes before batch normalisation and ReLU, which then have a
            quarter of the work; as they are nearly monotonic, the order hardly matters.
        residual: whether the input, which must have as many channels, is added to the output.
        identity: whether the filters are initialised to copy the input.
    """

    filters: int
    size: int = 3
    pool: bool = False
    residual: bool = False
    identity: bool = False


@dataclass(frozen=True)
class Architecture:
    """A row of the table: a kind of images, the network for it, and how to train that.

    Attributes:
        name: of the kind of images.
        longest_side: the row fits images whose longer side has at most so many pixels.
        gray: whether it fits gray images only.
        convolutions: the blocks of the network, in order.
        whitening: whether whitening filters of 2×2 come before them: for colour images twelve
            directions, and their negatives.
        final_pooling: "average" or "maximum" of each feature map, or "none", which flattens them.
        dense: units of the dense layers before the last one.
        dropout: rate of the dropout before each dense layer.
        logit_scale: constant factor of the logits.
        images: number of training images for which `epochs` is meant; fewer get more epochs.
        epochs, batch_size, optimizer, learning_rate, weight_decay, schedule, label_smoothing,
            augment: arguments of the training.
        warmup: share of the steps; None for the schedule's own.
    """

    name: str
    longest_side: float
    gray: bool
    convolutions: tuple[ConvolutionBlock, ...]
    whitening: bool = False
    final_pooling: str = "average"
    dense: tuple[int, ...] = ()
    dropout: float = 0.0
    logit_scale: float = 1.0
    images: int = 60_000
    epochs: int = 10
    batch_size: int = 128
    optimizer: str = "adamw"
    learning_rate: float = 0.002
    weight_decay: float = 0.01
    schedule: str = "one-cycle"
    warmup: float | None = None
    label_smoothing: float = 0.0
    augment: Mapping[str, Any] = field(default_factory=dict)


TABLE: tuple[Architecture, ...] = (
    Architecture(
        name="tiny images",
        longest_side=12,
        gray=False,
        convolutions=(
            ConvolutionBlock(32),
            ConvolutionBlock(64, pool=True),
            ConvolutionBlock(64),
            ConvolutionBlock(128, pool=True),
        ),
        final_pooling="none",
        dense=(128,),
        dropout=0.3,
        images=1_400,
        epochs=30,
        batch_size=64,
        learning_rate=0.003,
        label_smoothing=0.1,
        # No shift: one pixel is an eighth of such an image, and shifts made the digits worse.
    ),
    Architecture(
        name="small gray images",
        longest_side=40,
        gray=True,
        convolutions=(
            ConvolutionBlock(16, size=5, pool=True),
            ConvolutionBlock(32, pool=True),
            ConvolutionBlock(64, pool=True),
        ),
        final_pooling="none",
        dropout=0.3,
        images=60_000,
        epochs=7,
        batch_size=64,
        optimizer="sgd",
        learning_rate=0.1,
        weight_decay=5e-4,
        label_smoothing=0.05,
        augment={"shift": 2},
    ),
    Architecture(
        name="small colour images",
        longest_side=40,
        gray=False,
        # After Jordan, "94 % on CIFAR-10 in 3.29 seconds on a single GPU" (arXiv:2404.00498):
        # whitened patches, convolutions initialised as the identity, scaled-down logits that
        # allow a high learning rate, each image mirrored in every second epoch.
        whitening=True,
        convolutions=(
            ConvolutionBlock(64, pool=True, identity=True),
            ConvolutionBlock(64, identity=True),
            ConvolutionBlock(256, pool=True, identity=True),
            ConvolutionBlock(256, identity=True),
            ConvolutionBlock(256, pool=True, identity=True),
            ConvolutionBlock(256, identity=True),
        ),
        final_pooling="maximum",
        logit_scale=1 / 9,
        images=50_000,
        epochs=8,
        batch_size=256,
        optimizer="sgd",
        learning_rate=0.25,
        weight_decay=1.3e-3,
        warmup=0.23,
        label_smoothing=0.2,
        augment={"crop": 2, "flip": "alternate", "padding": "reflect"},
    ),
    Architecture(
        name="large images",
        longest_side=math.inf,
        gray=False,
        convolutions=tuple(
            ConvolutionBlock(filters, pool=True) for filters in (16, 32, 64, 96, 128)
        ),
        dropout=0.2,
        images=10_000,
        epochs=20,
        batch_size=64,
        learning_rate=0.003,
        label_smoothing=0.1,
        augment={"crop": 8, "flip": True},
    ),
)

# With fewer images than a row is meant for, there are at most MOST_EPOCHS_FACTOR times its epochs,
# and batches are made smaller (down to SMALLEST_BATCH) so that an epoch has at least LEAST_BATCHES.
MOST_EPOCHS_FACTOR = 4
LEAST_BATCHES = 8
SMALLEST_BATCH = 8


@dataclass(frozen=True)
class Recipe:
    """A network and how to train it. Change single settings with `dataclasses.replace`.

    Attributes:
        name: of the kind of images that it is for.
        graph: makes the input and the output node of the network.
        learning_rate, weight_decay: None for the optimiser's own defaults.
        warmup: share of the steps; None for the schedule's own.
        optimizer, schedule, epochs, batch_size, label_smoothing, augment: arguments of the
            training; `augment` are those of `Augment`.
    """

    name: str
    graph: Callable[[], tuple[Node, Node]]
    optimizer: str
    learning_rate: float | None
    weight_decay: float | None
    schedule: str
    warmup: float | None
    epochs: int
    batch_size: int
    label_smoothing: float
    augment: Mapping[str, Any]

    def build(self, kind: type[Kind]) -> Kind:
        """The network, as a model of the class `kind`, with the parameters of seed 0."""
        image, output = self.graph()
        return kind(inputs=image, output=output)

    @property
    def description(self) -> str:
        """The training in one line of text."""
        changes = [_say_change(name, value) for name, value in self.augment.items() if value]
        rate = "" if self.learning_rate is None else f" at {self.learning_rate:g}"
        parts = [
            f"{self.epochs} {'epoch' if self.epochs == 1 else 'epochs'}",
            f"batches of {self.batch_size}",
            f"{self.optimizer}{rate} ({self.schedule})",
        ]
        if self.weight_decay is not None:
            parts.append(f"weight decay {self.weight_decay:g}")
        if self.label_smoothing:
            parts.append(f"label smoothing {self.label_smoothing:g}")
        parts.append("augmentation: " + (", ".join(changes) if changes else "none"))
        return ", ".join(parts)

    def settings(self) -> dict[str, Any]:
        """The settings as arguments of `Network.fit`."""
        from striate.data.augment import Augment
        from striate.optim.losses import SoftmaxCrossEntropy

        changes = {name: value for name, value in self.augment.items() if value}
        return {
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "optimizer": self.optimizer,
            "learning_rate": self.learning_rate,
            "weight_decay": self.weight_decay,
            "schedule": self.schedule,
            "warmup": self.warmup,
            "loss": SoftmaxCrossEntropy(self.label_smoothing),
            "augment": Augment(**changes) if changes else None,
        }


def choose(input_shape: Shape, classes: int, images: int) -> Recipe:
    """Return the recipe for images of `input_shape` (height, width, channels).

    Args:
        input_shape: the shape of one image; channels last.
        classes: how many classes there are, at least 2.
        images: how many training images there are, at least 1.

    Raises:
        ValueError: fewer than 2 classes, no images, or a shape that is not an image's.
    """
    if len(input_shape) != 3 or min(input_shape) < 1:
        raise ValueError(f"a recipe needs images (height, width, channels), not {input_shape}")
    if classes < 2:
        raise ValueError(f"a classifier needs at least 2 classes, not {classes}")
    if images < 1:
        raise ValueError("a recipe needs at least 1 training image")
    height, width, channels = input_shape
    row = next(
        row
        for row in TABLE
        if max(height, width) <= row.longest_side and (channels == 1 or not row.gray)
    )
    row = _adjusted_to_count(row, images)
    return Recipe(
        name=row.name,
        graph=lambda: _graph(row, input_shape, classes),
        optimizer=row.optimizer,
        learning_rate=row.learning_rate,
        weight_decay=row.weight_decay,
        schedule=row.schedule,
        warmup=row.warmup,
        epochs=row.epochs,
        batch_size=row.batch_size,
        label_smoothing=row.label_smoothing,
        augment=_limited_moves(row.augment, min(height, width)),
    )


def _limited_moves(augment: Mapping[str, Any], side: int) -> dict[str, Any]:
    """Return the augmentation with shifts and crops of at most a quarter of the shorter side."""
    limits = {name: min(augment[name], side // 4) for name in ("shift", "crop") if name in augment}
    return {**augment, **limits}


def _adjusted_to_count(row: Architecture, images: int) -> Architecture:
    """Return `row` for `images` images: fewer get more epochs and smaller batches."""
    factor = min(max(row.images / images, 1.0), MOST_EPOCHS_FACTOR)
    batch_size = min(row.batch_size, max(images // LEAST_BATCHES, SMALLEST_BATCH))
    return replace(row, epochs=round(row.epochs * factor), batch_size=batch_size)


def _graph(row: Architecture, input_shape: Shape, classes: int) -> tuple[Node, Node]:
    """Return the input and output node of the network of `row` for images of `input_shape`."""
    x = image = Input(input_shape)
    if row.whitening:
        window = (min(2, x.shape[0]), min(2, x.shape[1]))
        directions = window[0] * window[1] * x.shape[2]
        x = ReLU()(Conv2D(2 * directions, window, initial="whitening")(x))
    for block in row.convolutions:
        x = _block(block, x)
    x = _pooled_to_vector(row, x)
    for units in row.dense:
        x = ReLU()(Dense(units)(Dropout(row.dropout)(x) if row.dropout else x))
    x = Dense(classes)(Dropout(row.dropout)(x) if row.dropout else x)
    return image, x if row.logit_scale == 1 else Scale(row.logit_scale)(x)


def _pooled_to_vector(row: Architecture, x: Node) -> Node:
    """Return the feature maps as a vector, by the final pooling of the row."""
    if row.final_pooling == "average":
        return GlobalAvgPool2D()(x)
    if row.final_pooling == "maximum" and x.shape[:2] != (1, 1):
        x = MaxPool2D((x.shape[0], x.shape[1]))(x)
    return Flatten()(x)


def _block(block: ConvolutionBlock, before: Node) -> Node:
    """Return the output node of a block that reads the node `before`."""
    # The shift of the batch normalisation takes the place of the bias.
    x = Conv2D(
        block.filters,
        block.size,
        padding="same",
        bias=False,
        initial="identity" if block.identity else "he_normal",
    )(before)
    # Odd sizes are common, and one row at the edge of a feature map matters little: with "drop"
    # the same network serves for 28×28 and 30×30 images. A map of one pixel is not pooled.
    pool = (min(2, x.shape[0]), min(2, x.shape[1]))
    if block.pool and pool != (1, 1):
        x = MaxPool2D(pool, uncovered="drop")(x)
    x = ReLU()(BatchNorm()(x))
    return Add()(x, before) if block.residual else x


def _say_change(name: str, value: Any) -> str:
    if value is True:
        return name
    return f"{name} {value}" if isinstance(value, str) else f"{name} {value:g}"
