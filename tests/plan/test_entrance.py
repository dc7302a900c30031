"""Images on their way into a plan against the augmentation's textbook, number for number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from striate.data.augment import Augment
from striate.layers import Conv2D, Flatten
from striate.model.preprocessing import Preprocessing
from striate.network import Network
from striate.training.loading import Loader, gather

pytest.importorskip("llvmlite")

from striate.nest.target import host
from striate.plan.inputs import ImagesInPlace, InputFormat, can_be_read_in_place
from striate.plan.runner import Runner

LANES = (1, host().lanes(4))
MOVES = [
    {},
    {"flip": True},
    {"flip": "alternate"},
    {"shift": 2},
    {"shift": 3, "fill": "edge", "flip": True},
    {"crop": 2, "padding": "reflect", "flip": True},
    {"crop": 4, "padding": "reflect"},
    {"crop": 2, "padding": (3, 200, 77), "flip": True},
    {"crop": 1, "padding": "mean"},
]
MORE = [
    {},
    {"brightness": 0.6},
    {"cutout": 3, "cutout_fill": 9},
    {"cutout": 4, "cutout_fill": (1, 250, 30), "brightness": 0.9},
]


def pictures(count: int, *shape: int, dtype: type = np.uint8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *shape)).astype(dtype)


def looker(shape: tuple[int, ...]) -> Network:
    """A network whose outputs are its standardised pixels."""
    network = Network([Flatten()], shape)
    channels = shape[-1]
    network.preprocessing = Preprocessing(
        mean=tuple(np.linspace(90.5, 120, channels)), std=tuple(np.linspace(0.7, 3, channels))
    )
    return network


def standardised(network: Network, images: np.ndarray) -> np.ndarray:
    """What the network reads, rounded as the engine rounds."""
    mean = np.asarray(network.preprocessing.mean, np.float32)
    scale = (1 / np.asarray(network.preprocessing.std)).astype(np.float32)
    return (images.astype(np.float32) - mean) * scale


def read(network: Network, picked: ImagesInPlace, **options: Any) -> np.ndarray:
    settings = {"batch_size": len(picked), "threads": 2, "loading": picked.loading} | options
    return Runner(network, **settings).run(picked).reshape(-1, *network.input_shape)


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("more", MORE)
def test_same_numbers_as_the_textbook(
    lanes: int, dtype: type, move: dict[str, Any], more: dict[str, Any]
) -> None:
    images, augment = pictures(30, 7, 9, 3, dtype=dtype), Augment(**move, **more)
    network, rows = looker((7, 9, 3)), np.random.default_rng(1).integers(0, 30, 21)
    # An image that is taken twice is changed twice.
    rows[1] = rows[0]
    ready = Loader(images, augment, 5, reads_in_place=True)(1, 2, rows)
    expected = Loader(images, augment, 5, reads_in_place=False)(1, 2, rows)
    if dtype == np.float32 and move.get("padding") == "mean":
        # Means of floats depend on the order of their sum, so NumPy's are taken.
        assert isinstance(ready, np.ndarray)
        return
    assert isinstance(ready, ImagesInPlace)
    got = read(network, ready, lanes=lanes)
    np.testing.assert_array_equal(got, standardised(network, expected))


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("channels", [1, 2, 5, 17])
@pytest.mark.parametrize(("height", "width"), [(4, 4), (1, 13), (6, 33)])
def test_shapes(lanes: int, channels: int, height: int, width: int) -> None:
    images = pictures(40, height, width, channels)
    most = min(height, width) - 1
    augment = Augment(crop=most, padding="reflect", flip=True, cutout=2)
    network, rows = looker((height, width, channels)), np.arange(33) + 3
    ready = Loader(images, augment, 0, reads_in_place=True)(0, 0, rows)
    assert isinstance(ready, ImagesInPlace)
    expected = Loader(images, augment, 0, reads_in_place=False)(0, 0, rows)
    got = read(network, ready, lanes=lanes)
    np.testing.assert_array_equal(got, standardised(network, expected))


def test_a_vector_is_read_too() -> None:
    images, network = pictures(20, 37), looker((37,))
    rows = np.array([3, 19, 0])
    np.testing.assert_array_equal(
        read(network, ImagesInPlace(images, rows), batch_size=5),
        standardised(network, images[rows]),
    )


@pytest.mark.parametrize("lanes", LANES)
def test_smaller_batches_leave_nothing_of_larger_ones(lanes: int) -> None:
    # A first layer that sums the pixels shows what is left where a batch has no image.
    images = pictures(64, 5, 6, 1)
    augment = Augment(shift=2, fill=50, cutout=2, cutout_fill=90, brightness=0.5)
    network, load = looker((5, 6, 1)), Loader(images, augment, 0, reads_in_place=True)
    first = load(0, 0, np.arange(33))
    assert isinstance(first, ImagesInPlace)
    runner = Runner(network, batch_size=33, threads=1, loading=first.loading, lanes=lanes)
    for index, count in enumerate((33, 5, 20, 1, 33)):
        rows = np.arange(count) + index
        ready = load(0, index, rows)
        expected = Loader(images, augment, 0, reads_in_place=False)(0, index, rows)
        got = runner.run(ready).reshape(-1, 5, 6, 1)
        np.testing.assert_array_equal(got, standardised(network, expected))
        arrays = runner.plan.memory.arrays
        outputs = arrays[runner.plan.out].reshape(-1, runner.plan.out.span)
        beyond = outputs[:, : lanes * 30].reshape(-1, 30)[count:]
        # Up to the end of the last task there are zeros, standardised; behind it nothing ran.
        zero = standardised(network, np.zeros((1, 1, 1, 1))).item()
        assert set(np.unique(beyond[: -count % lanes])) <= {np.float32(zero)}


def test_images_anywhere() -> None:
    base = pictures(41, 5, 6, 3)
    network, rows = looker((5, 6, 3)), np.array([7, 0, 19, 7])
    for images in (base[::2], base[::-1], np.broadcast_to(base[:1], (41, 5, 6, 3)), base[1:]):
        got = read(network, ImagesInPlace(images, rows))
        np.testing.assert_array_equal(got, standardised(network, images[rows]))
    for images in (base[:, ::-1], base[:, :, ::2], np.asfortranarray(base), base.astype(float)):
        assert not can_be_read_in_place(images)
        with pytest.raises(ValueError, match="can be read where they lie if they are uint8 or"):
            ImagesInPlace(images, rows)
    for wrong in (-1, 41):
        with pytest.raises(IndexError, match="of 41 images"):
            ImagesInPlace(base, np.array([3, wrong]))


def test_the_engine_takes_arrays_of_any_kind_and_rows_of_arrays() -> None:
    from striate.engines import make_engine

    network = looker((5, 6, 3))
    engine = make_engine(network, batch_size=8, threads=2)
    images = pictures(21, 5, 6, 3)
    expected = standardised(network, images)
    for given in (
        images, images.astype(np.float32), images.astype(float), images.astype(np.int32),
        np.asfortranarray(images), images[::-1][::-1], ImagesInPlace(images, np.arange(21)),
    ):  # fmt: skip
        got = engine.forward(given).reshape(expected.shape)
        np.testing.assert_array_equal(got, expected)
    with pytest.raises(ValueError, match="reads images of shape"):
        engine.forward(ImagesInPlace(pictures(21, 5, 7, 3), np.arange(3)))


@pytest.mark.parametrize("lanes", LANES)
def test_tasks_are_the_same_however_images_come_in(lanes: int) -> None:
    # How many blocks go together must not depend on it, for the order of sums does on that.
    images = pictures(64, 30, 30, 3)
    network = Network([Conv2D(5, 3), Flatten()], (30, 30, 3))
    loader = Loader(images, Augment(shift=1, brightness=0.2, cutout=2), 0, reads_in_place=True)
    changed = loader(0, 0, np.arange(64))
    assert isinstance(changed, ImagesInPlace)
    stages = [
        [
            (stage.tasks, stage.grain)
            for stage in Runner(
                network, batch_size=64, threads=2, training=True, loss="mean_squared_error",
                loading=loading, lanes=lanes,
            ).plan.stages
        ]
        for loading in (
            InputFormat("u8"), ImagesInPlace(images, np.arange(64)).loading, changed.loading
        )
    ]  # fmt: skip
    assert stages[0] == stages[1] == stages[2]


def test_gathering_is_the_same() -> None:
    images, rows = pictures(9, 4, 4, 1), np.array([8, 2, 2])
    network = looker((4, 4, 1))
    np.testing.assert_array_equal(
        read(network, ImagesInPlace(images, rows)), standardised(network, gather(images, rows))
    )
