"""Recipes: every kind of images gets a network that can be built and fits its classes."""

from dataclasses import replace

import numpy as np
import pytest

from striate.data.augment import Augment
from striate.layers import (
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    Layer,
    LayerNorm,
    MaxPool2D,
    ReLU,
    Scale,
)
from striate.network import Network
from striate.optim import optimizers, schedules
from striate.training import recipes


@pytest.mark.parametrize("images", [1, 10, 500, 60_000, 10**7])
@pytest.mark.parametrize("classes", [2, 1000])
@pytest.mark.parametrize(
    "shape",
    [
        (1, 1, 1),
        (1, 1, 3),
        (1, 64, 1),
        (64, 1, 3),
        (2, 3, 1),
        (8, 8, 1),
        (8, 8, 3),
        (8, 8, 7),
        (13, 13, 1),
        (28, 28, 1),
        (29, 31, 1),
        (32, 32, 3),
        (32, 32, 1),
        (48, 64, 3),
        (64, 64, 1),
        (224, 223, 3),
    ],
)
def test_a_network_for_every_kind_of_images(
    shape: tuple[int, int, int], classes: int, images: int
) -> None:
    recipe = recipes.choose(shape, classes, images)
    network = recipe.build(Network)
    assert network.input_shape == shape
    assert network.output_shape == (classes,)
    assert recipe.training.epochs >= 1
    assert recipe.training.batch_size >= 1
    assert recipe.training.optimizer in ("sgd", "adamw")
    schedules.by_name(recipe.training.schedule, warmup=recipe.training.warmup)
    optimizers.by_name(recipe.training.optimizer)
    examples = np.ones((2, *shape), np.uint8)
    changed = Augment(**recipe.training.augment)(
        examples, np.random.default_rng(0), epoch=0, keys=np.arange(2, dtype=np.uint32)
    )
    assert changed.shape == examples.shape


def outline(layer: Layer) -> str:
    """A layer and its numbers; none of what says nothing more."""
    if isinstance(layer, Conv2D):
        start = "" if layer.initial == "he_normal" else f" {layer.initial}"
        return f"conv {layer.filters} {layer.size[0]}x{layer.size[1]}{start}"
    if isinstance(layer, MaxPool2D):
        return f"max {layer.size[0]}x{layer.size[1]}"
    if isinstance(layer, Dense):
        return f"dense {layer.units}"
    if isinstance(layer, Dropout):
        return f"dropout {layer.rate:g}"
    if isinstance(layer, Scale):
        return f"times {layer.factor:.4f}"
    return {BatchNorm: "bn", GlobalAvgPool2D: "mean"}.get(type(layer), layer.kind)


TINY = (
    "conv 32 3x3, bn, relu, conv 64 3x3, max 2x2, bn, relu, conv 64 3x3, bn, relu, "
    "conv 128 3x3, max 2x2, bn, relu, flatten, dropout 0.3, dense 128, relu, dropout 0.3, dense 7"
)
GRAY = (
    "conv 16 5x5, max 2x2, bn, relu, conv 32 3x3, max 2x2, bn, relu, "
    "conv 64 3x3, max 2x2, bn, relu, flatten, dropout 0.3, dense 7"
)
COLOUR = (
    "conv 24 2x2 whitening, relu, "
    "conv 64 3x3 identity, max 2x2, bn, relu, conv 64 3x3 identity, bn, relu, "
    "conv 256 3x3 identity, max 2x2, bn, relu, conv 256 3x3 identity, bn, relu, "
    "conv 256 3x3 identity, max 2x2, bn, relu, conv 256 3x3 identity, bn, relu, "
    "max 3x3, flatten, dense 7, times 0.1111"
)
LARGE = (
    "conv 16 3x3, max 2x2, bn, relu, conv 32 3x3, max 2x2, bn, relu, conv 64 3x3, max 2x2, bn, "
    "relu, conv 96 3x3, max 2x2, bn, relu, conv 128 3x3, max 2x2, bn, relu, mean, dropout 0.2, "
    "dense 7"
)


DEEPER = LARGE.replace("bn, relu, mean", "bn, relu, conv 160 3x3, max 2x2, bn, relu, mean")
DEEPEST = DEEPER.replace("bn, relu, mean", "bn, relu, conv 192 3x3, max 2x2, bn, relu, mean")


@pytest.mark.parametrize(
    ("shape", "layers"),
    [
        ((8, 9, 1), TINY),
        ((28, 30, 1), GRAY),
        ((32, 30, 3), COLOUR),
        ((64, 80, 3), LARGE),
        # A convolution more for each doubling: the next whole number of doublings decides.
        ((90, 64, 3), LARGE),
        ((64, 91, 3), DEEPER),
        ((181, 1, 1), DEEPER.replace("max 2x2", "max 2x1")),
        ((182, 128, 3), DEEPEST),
        ((16, 32, 2), COLOUR.replace("24 2x2", "16 2x2").replace("max 3x3", "max 1x3")),
        # Of what is but a pixel high or wide there is nothing to pool.
        (
            (1, 5, 2),
            TINY.replace("max 2x2", "max 1x2"),
        ),
        ((2, 2, 1), TINY.replace("conv 128 3x3, max 2x2", "conv 128 3x3")),
        ((64, 1, 1), LARGE.replace("max 2x2", "max 2x1")),
        (
            (13, 1, 3),
            COLOUR.replace("24 2x2", "12 2x1").replace("max 2x2", "max 2x1").replace(
                "max 3x3, ", ""
            ),
        ),
    ],
)  # fmt: skip
def test_the_network_of_each_row(shape: tuple[int, int, int], layers: str) -> None:
    nodes = recipes.choose(shape, 7, 1000).build(Network).nodes
    assert [outline(node.layer) for node in nodes] == layers.split(", ")
    assert [node.inputs for node in nodes] == [(index,) for index in range(-1, len(nodes) - 1)]
    for node in nodes:
        if isinstance(node.layer, Conv2D) and node.layer.initial != "whitening":
            assert not node.layer.bias and node.layer.padding == "same"


@pytest.mark.parametrize(
    ("shape", "images", "description", "others"),
    [
        (
            (8, 8, 3),
            1_400,
            "30 epochs, batches of 64, adamw at 0.003 (one-cycle), weight decay 0.01, "
            "label smoothing 0.1, augmentation: none",
            {"warmup": None},
        ),
        (
            (28, 28, 1),
            60_000,
            "7 epochs, batches of 64, sgd at 0.1 (one-cycle), weight decay 0.0005, "
            "label smoothing 0.05, augmentation: shift 2",
            {"warmup": None},
        ),
        (
            (32, 32, 3),
            50_000,
            "8 epochs, batches of 256, sgd at 0.25 (one-cycle), weight decay 0.0013, "
            "label smoothing 0.2, augmentation: crop 2, flip alternate, padding reflect",
            {"warmup": 0.23},
        ),
        (
            (64, 64, 3),
            10_000,
            "20 epochs, batches of 64, adamw at 0.003 (one-cycle), weight decay 0.01, "
            "label smoothing 0.1, augmentation: crop 8, flip",
            {"warmup": None},
        ),
    ],
)
def test_the_training_of_each_row(
    shape: tuple[int, int, int], images: int, description: str, others: dict[str, object]
) -> None:
    """As long as there are so many images, or more."""
    for count in (images, 9 * images):
        training = recipes.choose(shape, 7, count).training
        assert training.description == description
        assert {name: getattr(training, name) for name in others} == others
    assert recipes.choose(shape, 7, images // 2).training.epochs == 2 * training.epochs


def test_kinds_are_told_apart() -> None:
    def name(*shape: int) -> str:
        return recipes.choose(shape, 10, 1000).name

    assert name(8, 8, 1) == name(8, 8, 3) == "tiny images"
    assert name(28, 28, 1) == "small gray images"
    assert name(28, 28, 3) == name(32, 32, 3) == "small colour images"
    assert name(20, 200, 1) == name(200, 20, 3) == "large images"
    # The longer side decides.
    assert name(3, 12, 1) == name(12, 3, 3) == "tiny images"
    assert name(3, 13, 1) == name(40, 13, 1) == "small gray images"
    assert name(13, 3, 3) == name(3, 40, 2) == "small colour images"
    assert name(41, 3, 1) == name(3, 41, 3) == "large images"


@pytest.mark.parametrize(
    ("width", "filters", "units"),
    [(0.25, [8, 16, 16, 32], 32), (1, [32, 64, 64, 128], 128), (1.3, [40, 80, 80, 168], 168)],
)
def test_narrower_and_wider_networks(width: float, filters: list[int], units: int) -> None:
    layers = [node.layer for node in recipes.choose((8, 8, 1), 7, 99, width).build(Network).nodes]
    assert [layer.filters for layer in layers if isinstance(layer, Conv2D)] == filters
    assert [layer.units for layer in layers if isinstance(layer, Dense)] == [units, 7]
    # What whitens the images depends on them alone.
    layers = [node.layer for node in recipes.choose((32, 32, 3), 7, 99, width).build(Network).nodes]
    found = [layer.filters for layer in layers if isinstance(layer, Conv2D)]
    assert found[0] == 24
    assert (
        recipes.choose((8, 8, 1), 7, 99, width).training
        == recipes.choose((8, 8, 1), 7, 99).training
    )


def test_letters_and_digits_are_not_mirrored() -> None:
    for shape in ((8, 8, 1), (28, 28, 1)):
        assert not recipes.choose(shape, 10, 1000).training.augment.get("flip")


@pytest.mark.parametrize(
    ("images", "epochs", "batch_size"),
    [
        (10**6, 8, 256),
        (50_000, 8, 256),
        (47_000, 9, 256),
        (12_501, 32, 256),  # four times as many at most
        (12_000, 32, 256),
        (2048, 32, 256),
        (2047, 32, 255),  # and eight batches at least
        (72, 32, 9),
        (71, 32, 8),
        (1, 32, 8),
    ],
)
def test_fewer_images_get_more_epochs_and_smaller_batches(
    images: int, epochs: int, batch_size: int
) -> None:
    training = recipes.choose((32, 32, 3), 10, images).training
    assert (training.epochs, training.batch_size) == (epochs, batch_size)


@pytest.mark.parametrize(
    ("shape", "images", "epochs"),
    [((8, 8, 1), 1377, 31), ((28, 28, 1), 56_000, 8), ((32, 32, 3), 47_058, 9),
     ((64, 64, 3), 9756, 21)],
)  # fmt: skip
def test_an_epoch_more_from_the_number_of_images_on_at_which_it_rounds_up(
    shape: tuple[int, int, int], images: int, epochs: int
) -> None:
    assert recipes.choose(shape, 2, images).training.epochs == epochs
    assert recipes.choose(shape, 2, images + 1).training.epochs == epochs - 1


@pytest.mark.parametrize(
    ("shape", "name", "pixels"),
    [
        ((48, 64, 3), "crop", 8),
        ((32, 64, 3), "crop", 8),
        ((31, 64, 3), "crop", 7),
        ((64, 31, 3), "crop", 7),
        ((64, 3, 3), "crop", 0),
        ((8, 28, 1), "shift", 2),
        ((28, 7, 1), "shift", 1),
        # Larger images are moved further.
        ((64, 63, 3), "crop", 8),
        ((96, 128, 3), "crop", 16),
        ((128, 40, 3), "crop", 10),
        ((250, 256, 3), "crop", 32),
    ],
)
def test_no_image_is_moved_by_more_than_a_quarter(
    shape: tuple[int, int, int], name: str, pixels: int
) -> None:
    assert recipes.choose(shape, 2, 1000).training.augment[name] == pixels


def test_the_description_tells_all() -> None:
    settings = recipes.choose((32, 32, 3), 10, 50_000).training
    settings = replace(
        settings,
        epochs=1,
        batch_size=50,
        optimizer="sgd",
        learning_rate=0.1,
        schedule="cosine",
        weight_decay=0.001,
        label_smoothing=0.1,
        augment={"flip": True, "crop": 4, "cutout": 0, "brightness": 0.25},
    )
    assert settings.description == (
        "1 epoch, batches of 50, sgd at 0.1 (cosine), weight decay 0.001, label smoothing 0.1, "
        "augmentation: flip, crop 4, brightness 0.25"
    )
    settings = replace(
        settings,
        learning_rate=None,
        weight_decay=None,
        label_smoothing=0.0,
        augment={"flip": False},
    )
    assert settings.description == "1 epoch, batches of 50, sgd (cosine), augmentation: none"


@pytest.mark.parametrize(
    ("shape", "classes", "images", "match"),
    [
        ((8, 8), 2, 10, r"a recipe needs images \(height, width, channels\), not \(8, 8\)$"),
        ((8, 0, 1), 2, 10, r"a recipe needs images \(height, width, channels\), not \(8, 0, 1\)$"),
        ((8, 8, 1), 1, 10, "a classifier needs at least 2 classes, not 1$"),
        ((8, 8, 1), 2, 0, "a recipe needs at least 1 training image$"),
    ],
)
def test_what_no_recipe_is_for(
    shape: tuple[int, ...], classes: int, images: int, match: str
) -> None:
    with pytest.raises(ValueError, match=match):
        recipes.choose(shape, classes, images)


def test_a_width_is_above_zero() -> None:
    for width in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=r"the width of a network must be above 0, not "):
            recipes.choose((8, 8, 1), 2, 10, width)


def test_training_of_a_network_that_is_not_normalised() -> None:
    """At the recipes' rates of SGD such a network's ReLUs die within a few steps."""
    recipe = recipes.choose((32, 32, 3), 10, 3_000)
    assert recipe.training.optimizer == "sgd"
    layers = [Conv2D(4, 3), ReLU(), Flatten(), Dense(10)]
    found = recipe.for_network(Network(layers, (32, 32, 3)))
    assert found.training == recipe.training.changed(optimizer="adamw")
    assert found.training.learning_rate is None and found.training.weight_decay is None
    normalised = [Conv2D(4, 3), LayerNorm(), ReLU(), Flatten(), Dense(10)]
    for network in (Network(normalised, (32, 32, 3)), recipe.build(Network)):
        assert recipe.for_network(network) is recipe
    tiny = recipes.choose((8, 8, 1), 10, 1_400)
    assert tiny.for_network(Network(layers, (8, 8, 1))) is tiny
