"""Batches: every image once an epoch, sizes, keys, augmentation, dtypes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import striate
from striate.optim.losses import SoftmaxCrossEntropy
from striate.training.batches import TrainingSet, batch_sizes
from striate.training.loading import engine_dtype, gather
from striate.training.random_streams import Stream, check_seed, image_keys
from striate.training.targets import Targets, make_targets


@given(images=st.integers(1, 300), batch_size=st.integers(1, 64))
def test_sizes_add_up_and_leave_no_single_image(images, batch_size):
    sizes = batch_sizes(images, batch_size)
    assert sum(sizes) == images
    assert max(sizes) <= batch_size
    assert len(sizes) == -(-images // batch_size)
    if images > 1 and batch_size > 2:
        assert min(sizes) > 1


@pytest.mark.parametrize(
    ("images", "batch_size", "sizes"),
    [
        (9, 3, [3, 3, 3]),
        (11, 3, [3, 3, 3, 2]),
        (10, 3, [3, 3, 2, 2]),  # one gives an image to one that would be alone
        (10, 9, [8, 2]),
        (3, 2, [2, 1]),  # but has two itself
        (3, 1, [1, 1, 1]),
        (1, 8, [1]),
        (5, 8, [5]),
    ],
)
def test_sizes_of_batches(images, batch_size, sizes):
    assert batch_sizes(images, batch_size) == sizes


@pytest.mark.parametrize("start", [0, 1, 3, 4, 5, 6])
def test_leaving_out_the_first_changes_no_other(start):
    whole, rest = run(), run(start=start)
    assert [(b.epoch, b.index) for b in rest] == [(b.epoch, b.index) for b in whole[start:]]
    for one, two in zip(whole[start:], rest, strict=True):
        np.testing.assert_array_equal(one.groups[0].images, two.groups[0].images)
        np.testing.assert_array_equal(one.groups[0].keys, two.groups[0].keys)


def training_set(images=23, dtype=np.uint8):
    pixels = np.arange(images * 4).reshape(images, 2, 2, 1).astype(dtype)
    targets = np.arange(images * 2, dtype=np.float32).reshape(images, 2)
    rows = np.arange(1, images)  # the first is left out
    return TrainingSet(pixels, Targets(targets, None), np.linspace(1, 3, images), rows)


def run(**options):
    settings = {"epochs": 2, "batch_size": 8, "seed": 3} | options
    with training_set().batches(**settings) as batches:
        return list(batches)


def test_classes_take_a_number_each():
    loss = SoftmaxCrossEntropy(label_smoothing=0.1)
    network = striate.Network([striate.Flatten(), striate.Dense(3)], (2, 2, 1))
    labels = np.array([2, 0, 1, 1, 2])
    targets = make_targets(network, labels, loss)
    assert len(targets) == 5 and targets.values.shape == (3, 3)
    rows = np.array([4, 0, 2, 1])
    np.testing.assert_array_equal(targets[rows], loss.targets(labels[rows], 3))
    assert targets[rows].flags.c_contiguous and targets[rows].dtype == np.float32


def test_numbers_are_rows():
    values = np.arange(6, dtype=np.float32).reshape(3, 2)
    targets = Targets(values, None)
    assert len(targets) == 3
    np.testing.assert_array_equal(targets[np.array([2, 0])], values[[2, 0]])


def test_each_epoch_shows_every_chosen_row_once_in_an_order_of_its_own():
    data = training_set()
    batches = run()
    assert [(batch.epoch, batch.index) for batch in batches] == [
        (0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2),
    ]  # fmt: skip
    orders = []
    for epoch in (0, 1):
        shown = np.concatenate(
            [batch.groups[0].images for batch in batches if batch.epoch == epoch]
        )
        order = shown[:, 0, 0, 0] // 4
        np.testing.assert_array_equal(np.sort(order), data.rows)
        targets = np.concatenate([batch.targets for batch in batches if batch.epoch == epoch])
        np.testing.assert_array_equal(targets, data.targets[order])
        orders.append(order)
    assert (orders[0] != orders[1]).any()


def test_weights_of_each_batch_sum_to_one():
    data = training_set()
    for batch in run():
        rows = batch.groups[0].images[:, 0, 0, 0] // 4
        np.testing.assert_allclose(batch.groups[0].weights.sum(), 1.0, rtol=1e-6)
        np.testing.assert_allclose(
            batch.groups[0].weights * batch.total_weight, data.weights[rows], 1e-6
        )


def test_the_same_seed_gives_the_same_batches():
    for one, two in zip(run(), run(), strict=True):
        np.testing.assert_array_equal(one.groups[0].images, two.groups[0].images)
        np.testing.assert_array_equal(one.groups[0].keys, two.groups[0].keys)
    assert any(
        (one.groups[0].images != two.groups[0].images).any()
        for one, two in zip(run(), run(seed=4), strict=True)
    )


def test_keys_belong_to_images_not_to_batches():
    small, large = run(batch_size=8), run(batch_size=100)
    for epoch in (0, 1):
        keys = [
            dict(zip(rows.tolist(), keys.tolist(), strict=True))
            for rows, keys in (
                (
                    np.concatenate(
                        [b.groups[0].images[:, 0, 0, 0] // 4 for b in batches if b.epoch == epoch]
                    ),
                    np.concatenate([b.groups[0].keys for b in batches if b.epoch == epoch]),
                )
                for batches in (small, large)
            )
        ]
        assert keys[0] == keys[1]


def test_keys_differ_between_images_epochs_and_seeds():
    rows = np.arange(2000)
    keys = [image_keys(seed, Stream.DROPOUT, epoch, rows) for seed in (0, 1) for epoch in (0, 1)]
    assert keys[0].dtype == np.uint32
    assert len(np.unique(np.concatenate(keys))) > 7990  # a rare collision is chance
    assert (keys[0] != image_keys(0, Stream.FLIP, 0, rows)).mean() > 0.99
    bits = np.unpackbits(keys[0].view(np.uint8)).mean()
    assert abs(bits - 0.5) < 0.01


def test_augmentation_sees_each_batch_with_numbers_of_its_own():
    def augment(images, rng):
        return images + rng.integers(0, 100, dtype=np.uint8)

    plain, changed, again = run(), run(augment=augment), run(augment=augment)
    shifts = []
    for one, two, three in zip(plain, changed, again, strict=True):
        assert two.groups[0].images.dtype == np.uint8
        np.testing.assert_array_equal(two.groups[0].images, three.groups[0].images)
        shifts.append(np.unique(two.groups[0].images - one.groups[0].images))
    assert all(len(shift) == 1 for shift in shifts)
    assert len({int(shift[0]) for shift in shifts}) > 3


@pytest.mark.parametrize(
    ("given_dtype", "expected"),
    [
        (np.uint8, np.uint8), (bool, np.uint8), (np.float32, np.float32),
        (np.float64, np.float32), (np.int8, np.float32), (np.uint16, np.float32),
        (np.int64, np.float32), (">f4", np.float32),
    ],
)  # fmt: skip
def test_dtypes(given_dtype, expected):
    images = (np.arange(24).reshape(2, 3, 4, 1) % 2).astype(given_dtype)
    ready = engine_dtype(images)
    assert ready.dtype == expected
    np.testing.assert_array_equal(ready, images)
    turned = gather(np.asfortranarray(images), np.array([1, 0]))
    assert turned.flags.c_contiguous
    np.testing.assert_array_equal(turned, images[::-1])


def test_seeds():
    assert check_seed(np.int64(3)) == 3
    with pytest.raises(ValueError, match="seed must be at least 0"):
        check_seed(-1)
    for value in (1.5, "a", True, None):
        with pytest.raises(TypeError, match="seed must be a whole number"):
            check_seed(value)
