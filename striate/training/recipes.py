"""Which network to train, and how, when the user does not say: by image size and amount of data.

`choose` looks for the first row of `TABLE` that fits. A row is plain numbers, and tuning striate's
defaults means editing rows; `striate train` prints what was chosen.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from striate.common.errors import StriateValueError
from striate.layers import (
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    Input,
    LayerNorm,
    MaxPool2D,
    Node,
    ReLU,
    Scale,
)
from striate.model.model import Model
from striate.training.training_settings import TrainingSettings

Kind = TypeVar("Kind", bound=Model)
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Convolution:
    """A convolution that keeps the image's size, then batch normalisation and ReLU.

    With `pool`, 2×2 max-pooling comes first of the three: the others then have a quarter of the
    work, and the order of a maximum and of a rising function does not matter much.  With
    `identity` the filters begin by handing on the input.
    """

    filters: int
    size: int = 3
    pool: bool = False
    identity: bool = False


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """One kind of data: what it looks like, the network for it and how to train that."""

    name: str
    # The row fits images whose longer side is at most `side`, gray ones only if `gray`.
    side: float
    gray: bool
    # With `base`: larger images, by their longer side, get one of `deeper` for each doubling, and
    # are moved by more pixels.
    base: int | None = None
    # The network: perhaps filters of 2×2 that whiten the images (twelve directions of colour
    # images, and their negatives), convolutions, then the average or the maximum of each feature
    # map, or all numbers ("all") through dense layers of these units; then the classes.
    convolutions: tuple[Convolution, ...]
    deeper: tuple[Convolution, ...] = ()
    whitening: bool = False
    of_map: str = "average"
    dense: tuple[int, ...] = ()
    dropout: float = 0.0
    logit_scale: float = 1.0
    # Its epochs hold for `images` training images; fewer get more epochs.
    training: TrainingSettings
    images: int = 60_000


TABLE: tuple[Architecture, ...] = (
    Architecture(
        name="tiny images",
        side=12,
        gray=False,
        convolutions=(
            Convolution(32),
            Convolution(64, pool=True),
            Convolution(64),
            Convolution(128, pool=True),
        ),
        of_map="all",
        dense=(128,),
        dropout=0.3,
        images=1_400,
        training=TrainingSettings(
            epochs=30,
            batch_size=64,
            learning_rate=0.003,
            weight_decay=0.01,
            label_smoothing=0.1,
            # No shift: one pixel is an eighth of such an image, and the digits got worse by it.
        ),
    ),
    Architecture(
        name="small gray images",
        side=40,
        gray=True,
        convolutions=(
            Convolution(16, size=5, pool=True),
            Convolution(32, pool=True),
            Convolution(64, pool=True),
        ),
        of_map="all",
        dropout=0.3,
        images=60_000,
        training=TrainingSettings(
            epochs=7,
            batch_size=64,
            optimizer="sgd",
            learning_rate=0.1,
            weight_decay=5e-4,
            label_smoothing=0.05,
            augment={"shift": 2},
        ),
    ),
    Architecture(
        name="small colour images",
        side=40,
        gray=False,
        # After Jordan, "94 % on CIFAR-10 in 3.29 seconds on a single GPU" (arXiv:2404.00498):
        # whitened patches, convolutions that begin as the identity, scaled-down logits that bear
        # a high learning rate, each image mirrored in every second epoch.
        whitening=True,
        convolutions=(
            Convolution(64, pool=True, identity=True),
            Convolution(64, identity=True),
            Convolution(256, pool=True, identity=True),
            Convolution(256, identity=True),
            Convolution(256, pool=True, identity=True),
            Convolution(256, identity=True),
        ),
        of_map="maximum",
        logit_scale=1 / 9,
        images=50_000,
        training=TrainingSettings(
            epochs=8,
            batch_size=256,
            optimizer="sgd",
            learning_rate=0.25,
            weight_decay=1.3e-3,
            warmup=0.23,
            label_smoothing=0.2,
            augment={"crop": 2, "flip": "alternate", "padding": "reflect"},
        ),
    ),
    Architecture(
        name="large images",
        side=math.inf,
        gray=False,
        base=64,
        convolutions=tuple(Convolution(filters, pool=True) for filters in (16, 32, 64, 96, 128)),
        deeper=tuple(Convolution(filters, pool=True) for filters in (160, 192, 224)),
        dropout=0.2,
        images=10_000,
        training=TrainingSettings(
            epochs=20,
            batch_size=64,
            learning_rate=0.003,
            weight_decay=0.01,
            label_smoothing=0.1,
            augment={"crop": 8, "flip": True},
        ),
    ),
)

# A set with fewer images than its row gets at most so many times the row's epochs, and a batch
# is at most so small a part of the set, lest an epoch be only a step or two.
MOST_EPOCHS_FACTOR = 4
LEAST_BATCHES = 8
SMALLEST_BATCH = 8
# Of a network that is made narrower or wider, all filters are a multiple of this, and at least it.
FILTERS = 8


@dataclass(frozen=True)
class Recipe:
    """A network and how to train it. Its name is that of the kind of images it is for."""

    name: str
    graph: Callable[[], tuple[Node, Node]]
    training: TrainingSettings

    def build(self, kind: type[Kind]) -> Kind:
        """Its network, as a `kind` of model, with the parameters of seed 0."""
        image, output = self.graph()
        return kind(inputs=image, output=output)

    def for_network(self, network: Model) -> Recipe:
        """The recipe for a network other than its own: its training, as far as that one bears it.

        The rates of SGD in `TABLE` are for layers that are normalised. The first steps of others
        throw their ReLUs to where they are 0 for all images, and nothing is learnt any more; they
        get AdamW at its usual rate.
        """
        normalised = any(isinstance(node.layer, BatchNorm | LayerNorm) for node in network.nodes)
        if normalised or self.training.optimizer != "sgd":
            return self
        return replace(self, training=self.training.changed(optimizer="adamw"))


def choose(input_shape: Shape, classes: int, images: int, width: float = 1.0) -> Recipe:
    """Return the recipe for images of `input_shape` (height, width, channels).

    Args:
        input_shape: the shape of one image; channels last.
        classes: how many classes there are, at least 2.
        images: how many training images there are, at least 1.
        width: how many times as many filters and units as usual the network has, above 0.

    Raises:
        ValueError: fewer than 2 classes, no images, or a shape that is not an image's.
    """
    if classes < 2:
        raise StriateValueError(f"a classifier needs at least 2 classes, not {classes}")
    return for_outputs(input_shape, classes, images, width)


def for_outputs(input_shape: Shape, outputs: int, images: int, width: float = 1.0) -> Recipe:
    """Return the recipe for a network of so many outputs, which need not be classes.

    Args:
        input_shape, images, width: as for `choose`.
        outputs: how many numbers the network gives, at least 1.

    Raises:
        ValueError: as for `choose`.
    """
    if len(input_shape) != 3 or min(input_shape) < 1:
        raise StriateValueError(
            f"a recipe needs images (height, width, channels), not {input_shape}"
        )
    if images < 1:
        raise StriateValueError("a recipe needs at least 1 training image")
    if not 0 < width < math.inf:
        raise StriateValueError(f"the width of a network must be above 0, not {width!r}")
    height, wide, channels = input_shape
    row = next(
        row for row in TABLE if max(height, wide) <= row.side and (channels == 1 or not row.gray)
    )
    training = _suited(row, images, height, wide)
    fitted = _scaled(row, max(height, wide), width)
    return Recipe(row.name, lambda: _graph(fitted, input_shape, outputs), training)


def _scaled(row: Architecture, side: int, width: float) -> Architecture:
    """Return the row with a network as deep as the images' longer `side` wants, and as wide as
    asked for.
    """

    def times(count: int) -> int:
        return count if width == 1 else max(FILTERS, round(count * width / FILTERS) * FILTERS)

    doublings = 0 if row.base is None else max(0, round(math.log2(side / row.base)))
    convolutions = row.convolutions + row.deeper[:doublings]
    return replace(
        row,
        convolutions=tuple(replace(one, filters=times(one.filters)) for one in convolutions),
        dense=tuple(map(times, row.dense)),
    )


def _suited(row: Architecture, images: int, height: int, width: int) -> TrainingSettings:
    """Return the row's training for `images` images of a height and width: fewer images get more
    epochs and smaller batches; larger ones are moved further, and none by more than a quarter of
    its shorter side.
    """
    factor = min(max(row.images / images, 1.0), MOST_EPOCHS_FACTOR)
    larger = 1.0 if row.base is None else max(1.0, max(height, width) / row.base)
    changes = row.training.changes
    changes |= {
        name: min(round(changes[name] * larger), min(height, width) // 4)
        for name in ("shift", "crop")
        if name in changes
    }
    return replace(
        row.training,
        epochs=round(row.training.epochs * factor),
        batch_size=min(row.training.batch_size, max(images // LEAST_BATCHES, SMALLEST_BATCH)),
        augment=changes,
    )


def _graph(row: Architecture, input_shape: Shape, outputs: int) -> tuple[Node, Node]:
    """Return the input and the output of the network of `row`; pooling ends with large images."""
    x = image = Input(input_shape)
    if row.whitening:
        window = (min(2, x.shape[0]), min(2, x.shape[1]))
        directions = window[0] * window[1] * x.shape[2]
        x = ReLU()(Conv2D(2 * directions, window, initial="whitening")(x))
    for convolution in row.convolutions:
        x = _convolve(convolution, x)
    x = _vector(row, x)
    for units in row.dense:
        x = ReLU()(Dense(units)(Dropout(row.dropout)(x) if row.dropout else x))
    x = Dense(outputs)(Dropout(row.dropout)(x) if row.dropout else x)
    return image, x if row.logit_scale == 1 else Scale(row.logit_scale)(x)


def _vector(row: Architecture, x: Node) -> Node:
    if row.of_map == "average":
        return GlobalAvgPool2D()(x)
    if row.of_map == "maximum" and x.shape[:2] != (1, 1):
        x = MaxPool2D((x.shape[0], x.shape[1]))(x)
    return Flatten()(x)


def _convolve(convolution: Convolution, before: Node) -> Node:
    # The shift of the batch normalisation takes the place of the bias.
    x = Conv2D(
        convolution.filters,
        convolution.size,
        padding="same",
        bias=False,
        initial="identity" if convolution.identity else "he_normal",
    )(before)
    # Odd sizes are common, and one row at the rim of a feature map more or less decides
    # nothing: "drop" keeps the network for 28×28 and 30×30 images the same.
    pool = (min(2, x.shape[0]), min(2, x.shape[1]))
    if convolution.pool and pool != (1, 1):
        x = MaxPool2D(pool, uncovered="drop")(x)
    return ReLU()(BatchNorm()(x))
