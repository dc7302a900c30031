"""Recipes: every kind of images gets a network that can be built and fits its classes."""

from dataclasses import replace

import numpy as np
import pytest

from striate.data.augment import Augment
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


def test_kinds_are_told_apart() -> None:
    def name(*shape: int) -> str:
        return recipes.choose(shape, 10, 1000).name

    assert name(8, 8, 1) == name(8, 8, 3) == "tiny images"
    assert name(28, 28, 1) == "small gray images"
    assert name(28, 28, 3) == name(32, 32, 3) == "small colour images"
    assert name(20, 200, 1) == name(200, 20, 3) == "large images"


def test_letters_and_digits_are_not_mirrored() -> None:
    for shape in ((8, 8, 1), (28, 28, 1)):
        assert not recipes.choose(shape, 10, 1000).training.augment.get("flip")


def test_fewer_images_get_more_epochs_and_smaller_batches() -> None:
    many = recipes.choose((32, 32, 3), 10, 50_000)
    few = recipes.choose((32, 32, 3), 10, 100)
    assert few.training.epochs == recipes.MOST_EPOCHS_FACTOR * many.training.epochs
    assert recipes.SMALLEST_BATCH <= few.training.batch_size < many.training.batch_size
    assert 100 / few.training.batch_size >= recipes.LEAST_BATCHES
    assert recipes.choose((32, 32, 3), 10, 10**6).training.epochs == many.training.epochs


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
        ((8, 8), 2, 10, "height, width, channels"),
        ((8, 0, 1), 2, 10, "height, width, channels"),
        ((8, 8, 1), 1, 10, "at least 2 classes"),
        ((8, 8, 1), 2, 0, "at least 1 training image"),
    ],
)
def test_what_no_recipe_is_for(
    shape: tuple[int, ...], classes: int, images: int, match: str
) -> None:
    with pytest.raises(ValueError, match=match):
        recipes.choose(shape, classes, images)
