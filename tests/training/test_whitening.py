"""Filters that whiten: what they promise, on images whose pixels depend on each other."""

from __future__ import annotations

import numpy as np
import pytest

from striate import functional
from striate.layers import BatchNorm, Conv2D, Dense, Flatten, GlobalAvgPool2D, ReLU
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
    images, labels = stripes(channels)
    for channel, value in change.items():
        images[..., channel] = value
    recipe = recipes.choose(images.shape[1:], 4, len(images))
    network = recipe.build(Network)
    network.fit(images, labels, progress=False, **(recipe.training.arguments() | {"epochs": 8}))
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
