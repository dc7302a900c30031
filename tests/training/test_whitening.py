"""Filters that whiten: what they promise, on images whose pixels depend on each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from striate import functional
from striate.layers import (
    BatchNorm,
    Concat,
    Conv2D,
    Dense,
    Flatten,
    GlobalAvgPool2D,
    Input,
    ReLU,
)
from striate.network import Network
from striate.training import recipes
from striate.training.dead_channels import redraw_dead_identities
from striate.training.whitening import whiten, whitening_filters


def smooth_images(count: int = 40, channels: int = 3) -> np.ndarray:
    """Sums along both axes make neighbours nearly equal."""
    noise = np.random.default_rng(3).standard_normal((count, 20, 17, channels))
    sums = noise.cumsum(axis=1).cumsum(axis=2)
    return (sums - sums.mean((0, 1, 2))) / sums.std((0, 1, 2))


def test_outputs_are_uncorrelated_and_of_spread_one() -> None:
    images = smooth_images()
    filters = whitening_filters(images, (2, 3, 3, 36))
    outputs = functional.conv2d(images, filters).reshape(-1, 36)[:, ::2]
    products = outputs.T @ outputs / len(outputs)
    # With the patches' eigenvalues λ it is λ / (λ + ε): a little below 1 where λ is small.
    windows = np.stack(
        [images[:, y : y + 19, x : x + 15] for y in range(2) for x in range(3)], axis=-2
    ).reshape(-1, 18)
    values = np.linalg.eigvalsh(windows.T @ windows / len(windows))[::-1]
    expected = values / (values + 5e-4)
    np.testing.assert_allclose(np.diag(products), expected, rtol=1e-6)
    np.testing.assert_allclose(products, np.diag(np.diag(products)), atol=1e-8)
    before = functional.conv2d(images, np.eye(18).reshape(2, 3, 3, 18)).reshape(-1, 18)
    assert np.abs(np.corrcoef(before.T) - np.eye(18)).max() > 0.9, "the test's images are too easy"


def test_each_filter_has_its_negative_and_those_left_over_are_zero() -> None:
    filters = whitening_filters(smooth_images(channels=1), (2, 2, 1, 11))
    np.testing.assert_array_equal(filters[..., 1:8:2], -filters[..., 0:8:2])
    assert filters[..., :8].any(axis=(0, 1, 2)).all()
    assert not filters[..., 8:].any()


def test_training_sets_them_once() -> None:
    images = np.random.default_rng(0).integers(0, 256, (60, 8, 9, 3), np.uint8)
    labels = np.arange(60) % 3
    layers = [Conv2D(24, 2, initial="whitening"), Flatten(), Dense(3)]
    network = Network(layers, (8, 9, 3))
    filters = network.parameters["conv2d_1/filters"]
    assert not filters.any()
    options = {"epochs": 1, "batch_size": 20, "progress": False, "optimizer": "sgd"}
    network.fit(images, labels, learning_rate=1e-30, **options)
    np.testing.assert_allclose(
        filters, whitening_filters(network.preprocessing.apply(images), (2, 2, 3, 24)), rtol=1e-5
    )
    network.fit(images[:20], labels[:20], learning_rate=1e-3, **options)
    moved = filters.copy()
    whiten(network, images[:10], np.arange(10))
    np.testing.assert_array_equal(filters, moved)


@pytest.mark.parametrize(
    "layers",
    [
        [Conv2D(4, 2), Conv2D(8, 2, initial="whitening", name="late"), Flatten(), Dense(2)],
        [Conv2D(6, 2, groups=3, initial="whitening", name="late"), Flatten(), Dense(2)],
    ],
)
def test_only_where_it_means_something(layers: list) -> None:
    network = Network(layers, (8, 9, 3))
    with pytest.raises(ValueError, match=r'"late".*initial="whitening".*"he_normal"'):
        network.fit(np.zeros((8, 8, 9, 3)), np.arange(8) % 2, progress=False)


@pytest.mark.parametrize(
    ("images", "patches", "chosen"),
    [
        (9, 9 * 72, [1, 3, 5, 7, 9, 11, 13, 15, 17]),
        (4, 10**6, [1, 5, 9, 13]),
        (10**6, 4 * 72, [1, 5, 9, 13]),
        (10**6, 5 * 72 - 1, [1, 5, 9, 13]),
        (10**6, 1, [1]),
    ],
)
def test_few_of_many_images_are_enough(
    monkeypatch: pytest.MonkeyPatch, images: int, patches: int, chosen: list[int]
) -> None:
    """At equal distances among those to use: so many images, of so many pixels, 8×9 each here."""
    monkeypatch.setattr("striate.training.whitening.IMAGES", images)
    monkeypatch.setattr("striate.training.whitening.PATCHES", patches)
    pictures = np.random.default_rng(0).standard_normal((20, 8, 9, 3)).astype(np.float32)
    network = Network([Conv2D(24, 2, initial="whitening"), Flatten(), Dense(3)], (8, 9, 3))
    whiten(network, pictures, np.arange(1, 18, 2))
    expected = whitening_filters(pictures[chosen], (2, 2, 3, 24))
    np.testing.assert_array_equal(
        network.parameters["conv2d_1/filters"], expected.astype(np.float32)
    )


def test_frozen_filters_stay_zero() -> None:
    network = Network([Conv2D(24, 2, initial="whitening"), Flatten(), Dense(3)], (8, 9, 3))
    network.freeze("conv2d_1")
    whiten(network, np.random.default_rng(0).standard_normal((4, 8, 9, 3)), np.arange(4))
    assert not network.parameters["conv2d_1/filters"].any()


def test_identity_hands_on_what_it_reads() -> None:
    layers = [Conv2D(7, 3, padding=1, groups=1, initial="identity", bias=False)]
    network = Network(layers, (6, 5, 4))
    x = np.random.default_rng(1).standard_normal((3, 6, 5, 4)).astype(np.float32)
    outputs = network.predict_logits(x, exact=True)
    np.testing.assert_array_equal(outputs[..., :4], x)
    plain = Network([Conv2D(7, 3, padding=1, bias=False)], (6, 5, 4))
    np.testing.assert_array_equal(outputs[..., 4:], plain.predict_logits(x, exact=True)[..., 4:])


def test_identity_in_groups() -> None:
    layers = [Conv2D(9, 3, padding=1, groups=3, initial="identity", bias=False)]
    network = Network(layers, (6, 5, 6))
    x = np.random.default_rng(1).standard_normal((3, 6, 5, 6)).astype(np.float32)
    outputs = network.predict_logits(x, exact=True)
    for group in range(3):
        mine = outputs[..., 3 * group : 3 * group + 2]
        np.testing.assert_array_equal(mine, x[..., 2 * group : 2 * group + 2])


def test_an_unknown_start_is_refused() -> None:
    with pytest.raises(ValueError, match=r'Conv2D.*initial.*"identity".*got \'ones\''):
        Conv2D(4, 3, initial="ones")


def stripes(channels: int, side: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Images with rows or columns of one of two colours brighter, and which of the four it is."""
    random = np.random.default_rng(7)
    labels = random.integers(0, 4, 240)
    images = random.integers(60, 120, (240, side, side, channels))
    for image, label in zip(images, labels, strict=True):
        lines = image[::2] if label % 2 else image[:, ::2]
        lines[..., label // 2] += 60
    return images.astype(np.uint8), labels


@pytest.mark.parametrize(
    ("channels", "change"),
    [(3, {2: 0}), (3, {2: 255}), (4, {3: 255}), (5, {2: 1, 4: 9})],
    ids=["no blue", "full blue", "alpha", "two of five"],
)
def test_the_recipe_learns_with_constant_channels(channels: int, change: dict[int, int]) -> None:
    images, labels = stripes(channels, side=14)
    for channel, value in change.items():
        images[..., channel] = value
    recipe = recipes.choose(images.shape[1:], 4, len(images))
    network = recipe.build(Network)
    network.fit(images, labels, progress=False, **(recipe.training.arguments() | {"epochs": 4}))
    assert np.abs(network.flat).max() < 10
    assert network.evaluate(images, labels).accuracy > 0.95


def test_directions_without_variance_become_mixtures_of_the_others() -> None:
    images = smooth_images()
    images[..., 1] = images[..., 0]  # as gray images saved in colour
    filters = whitening_filters(images, (2, 2, 3, 24))
    outputs = functional.conv2d(images, filters).reshape(-1, 24)
    spread = outputs.std(axis=0)
    assert spread.min() > 0.5, "no output is constant"
    assert spread.max() < 2
    assert np.abs(filters).max() < 1 / np.sqrt(5e-4)
    assert not whitening_filters(np.zeros((3, 4, 4, 2)), (2, 2, 2, 16)).any()


def test_identity_filters_that_would_copy_a_constant_are_drawn() -> None:
    images, labels = stripes(4)
    images[..., 2:] = (3, 200)
    block = [Conv2D(8, 3, padding=1, bias=False, initial="identity"), BatchNorm(), ReLU()]
    again = [Conv2D(8, 3, padding=1, bias=False, initial="identity", groups=4), BatchNorm()]
    network = Network([*block, *again, GlobalAvgPool2D(), Dense(4)], images.shape[1:])
    before = network.parameters["conv2d_1/filters"].copy()
    redraw_dead_identities(network, images, np.arange(len(images)))
    first, second = (network.parameters[f"conv2d_{i}/filters"] for i in (1, 2))
    np.testing.assert_array_equal(first[..., [0, 1, 4]], before[..., [0, 1, 4]])
    for filter_ in (2, 3):
        assert np.count_nonzero(first[..., filter_]) == 36
    np.testing.assert_array_equal(second[1, 1], [[1, 0] * 4, [0, 1] * 4])
    first[..., 2] = 0
    first[1, 1, 2, 2] = 0.5  # no copy: somebody has set it
    redraw_dead_identities(network, images, np.arange(len(images)))
    assert np.count_nonzero(first[..., 2]) == 1
    network.fit(images, labels, epochs=4, progress=False)
    assert np.abs(network.flat).max() < 10


def copies(network: Network, index: int) -> list[bool]:
    """Which filters of a convolution still hand on a single number."""
    filters = network.parameters[f"conv2d_{index}/filters"]
    return [bool(np.count_nonzero(filters[..., i]) == 1) for i in range(filters.shape[-1])]


def spread_out(*spreads: float, count: int = 6) -> np.ndarray:
    """Images whose channels run from 0 to these numbers."""
    return np.resize([0.0, 1.0, 0.5], (count, 5, 4, 1)) * np.array(spreads)


def identity(filters: int, **options: Any) -> Conv2D:
    return Conv2D(filters, 3, padding=1, bias=False, initial="identity", **options)


def test_a_channel_that_varies_by_a_millionth_is_constant() -> None:
    network = Network([identity(4), Flatten(), Dense(2)], (5, 4, 3))
    redraw_dead_identities(network, spread_out(1.0, 0.9e-6, 1.1e-6), np.arange(6))
    assert copies(network, 1) == [True, False, True, False], "the last one is random from the start"


def test_what_is_drawn_is_as_large_as_other_first_filters() -> None:
    network = Network([identity(64), Flatten(), Dense(2)], (5, 4, 64))
    redraw_dead_identities(network, np.zeros((3, 5, 4, 64)), np.arange(3))
    drawn = network.parameters["conv2d_1/filters"]
    assert drawn.std() == pytest.approx(np.sqrt(2 / (9 * 64)), rel=0.02)
    expected = np.random.default_rng([0, 0]).standard_normal((3, 3, 64)) * np.sqrt(2 / (9 * 64))
    np.testing.assert_allclose(drawn[..., 0], expected, rtol=1e-6)


def test_the_centre_of_filters_of_even_and_unequal_sides() -> None:
    layers = [Conv2D(3, (2, 4), bias=False, initial="identity"), Flatten(), Dense(2)]
    network = Network(layers, (5, 4, 3))
    redraw_dead_identities(network, spread_out(1, 0, 1), np.arange(6))
    assert copies(network, 1) == [True, False, True]


def test_groups_read_channels_of_their_own() -> None:
    network = Network([identity(8, groups=2), Flatten(), Dense(2)], (5, 4, 4))
    assert copies(network, 1) == [True, True, False, False] * 2
    redraw_dead_identities(network, spread_out(1, 1, 1, 0), np.arange(6))
    assert copies(network, 1) == [True, True, False, False, True, False, False, False]


def test_every_convolution_that_reads_a_constant_is_looked_at() -> None:
    """Side by side, behind others, and all but the frozen ones."""
    image = Input((5, 4, 2))
    sides = [identity(2)(image) for _ in range(3)]
    behind = identity(6)(Concat()(*sides))
    network = Network(inputs=image, output=Dense(2)(Flatten()(behind)))
    network.freeze("conv2d_2")
    redraw_dead_identities(network, spread_out(1, 0), np.arange(6))
    assert [copies(network, index) for index in (1, 2, 3)] == [
        [True, False], [True, True], [True, False],
    ]  # fmt: skip
    # What a frozen one hands on of the constant, the next does not.
    assert copies(network, 4) == [True, True, True, False, True, True]


def test_the_images_to_use_decide() -> None:
    images = spread_out(1, 1)
    images[3:, ..., 1] = 7
    for rows, expected in (([3, 5], [True, False]), ([2, 3], [True, True])):
        network = Network([identity(2), Flatten(), Dense(2)], (5, 4, 2))
        redraw_dead_identities(network, images, np.array(rows))
        assert copies(network, 1) == expected
