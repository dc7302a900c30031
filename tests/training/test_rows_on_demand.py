"""Training on images that are decoded when a batch needs them: the very bits of those held."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from striate import Network, data
from striate.common.rows_on_demand import RowsOnDemand, on_demand
from striate.data.dataset import Dataset
from striate.data.record import ImageRecord
from striate.layers import Conv2D, Dense, Flatten, MaxPool2D, ReLU
from striate.training.checkpoint import Checkpoint
from striate.training.statistics import channel_statistics


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for index in range(90):
        name = "abc"[index % 3]
        pixels = rng.integers(0, 150, (10, 12, 3), np.uint8)
        pixels[:, 3 * (index % 3) + 1] += 100
        (tmp_path / "photos" / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{index}.png")
    return tmp_path / "photos"


def both(folder: Path) -> tuple[Dataset, Dataset]:
    held = data.load(folder)
    read = data.load(folder, memory=0, image_cache=20 * 10 * 12 * 3)
    assert on_demand(read.train_images)
    return held, read


def network() -> Network:
    layers = [
        Conv2D(24, 2, initial="whitening"), ReLU(), MaxPool2D(2, uncovered="drop"),
        Conv2D(24, 3, padding="same", initial="identity"), ReLU(), Flatten(), Dense(3),
    ]  # fmt: skip
    return Network(layers, (10, 12, 3), seed=1)


AUGMENTATIONS = [
    None,
    {"flip": "alternate", "crop": 2, "padding": "reflect", "brightness": 0.2},
    {"shift": 2, "fill": "mean", "cutout": 3},
    {"crop": 1, "padding": "mean"},
    {"rotate": 10, "contrast": 0.2, "hue": 0.1, "resized_crop": 0.3, "flip": True},
    {"randaugment": 2, "mixup": 0.2, "cutmix": 1.0},
]


@pytest.mark.parametrize("augment", AUGMENTATIONS, ids=str)
@pytest.mark.parametrize("engine", ["llvm", "numpy"])
def test_the_same_bits(folder: Path, augment: Any, engine: str) -> None:
    nets = []
    for dataset, threads in zip(both(folder), (1, 2), strict=True):
        net = network()
        history = net.fit(
            dataset.train_images, dataset.train_labels, epochs=2, batch_size=16,
            augment=augment, validation_fraction=0.2, engine=engine, threads=threads,
            progress=False,
        )  # fmt: skip
        tested = net.evaluate(dataset.test_images, dataset.test_labels, engine=engine)
        nets.append((net, history.rows[-1].val_loss, tested.loss))
    (first, *numbers), (second, *others) = nets
    np.testing.assert_array_equal(first.flat, second.flat)
    assert first.preprocessing == second.preprocessing
    assert numbers == others


def test_with_validation_data_and_a_search_of_the_rate(folder: Path) -> None:
    found = []
    for dataset in both(folder):
        net = network()
        curve = net.find_learning_rate(
            dataset.train_images, dataset.train_labels, steps=12, batch_size=16
        )
        history = net.fit(
            dataset.train_images, dataset.train_labels, epochs=1, progress=False,
            validation_data=(dataset.test_images, dataset.test_labels),
            sample_weight=np.linspace(0, 1, len(dataset.train_labels)),
        )  # fmt: skip
        found.append((curve.losses.tolist(), history.rows[0].val_loss, net.flat.tolist()))
    assert found[0] == found[1]


def test_statistics_and_records(folder: Path) -> None:
    held, read = both(folder)
    rows = np.arange(0, len(held.train_images), 2)
    weights = np.random.default_rng(0).random(len(held.train_images))
    for given in ((), (rows,), (rows, weights)):
        assert channel_statistics(held.train_images, *given) == channel_statistics(
            read.train_images, *given
        )
    assert ImageRecord.of(held).to_notes() == ImageRecord.of(read).to_notes()


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (1, 1)])
def test_a_checkpoint_of_one_is_one_of_the_other(
    folder: Path, tmp_path: Path, order: tuple[int, int]
) -> None:
    sets = both(folder)
    options: dict[str, Any] = {
        "epochs": 4, "batch_size": 16, "progress": False, "validation_fraction": 0.2,
        "augment": {"mixup": 0.3, "cutmix": 0.5, "resized_crop": 0.4},
    }  # fmt: skip
    whole = network()
    whole.fit(sets[0].train_images, sets[0].train_labels, **options)
    first, second = (sets[index] for index in order)
    kept = Checkpoint(tmp_path / "a.checkpoint", every=1, keep=True)
    done = []

    def stop(progress: Any) -> None:
        done.append(progress)
        if len(done) == 9:  # of 4 an epoch
            raise InterruptedError

    with pytest.raises(InterruptedError):
        network().fit(
            first.train_images, first.train_labels, checkpoint=kept,
            **{**options, "progress": stop},
        )  # fmt: skip
    resumed = network()
    history = resumed.fit(
        second.train_images, second.train_labels, checkpoint=kept, resume=True, **options
    )
    assert len(history.rows) == 4
    np.testing.assert_array_equal(resumed.flat, whole.flat)


def test_an_image_that_is_lost_meanwhile_loses_nothing_else(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    read = data.load(folder, memory=0, image_cache=0)
    options: dict[str, Any] = {"epochs": 3, "batch_size": 16, "validation_fraction": 0.2}
    whole = network()
    whole.fit(read.train_images, read.train_labels, progress=False, **options)
    kept = Checkpoint(tmp_path / "a.checkpoint", every=100, keep=True)
    assert read.train_paths is not None
    path, done = Path(read.train_paths[40]), []
    content = path.read_bytes()

    def lose(progress: Any) -> None:
        done.append(progress)
        if len(done) == 5:  # in the second epoch
            path.unlink()

    with pytest.raises(data.DataError, match=r"\d+\.png: .*no such"):
        network().fit(
            read.train_images, read.train_labels, progress=lose, checkpoint=kept, **options
        )
    path.write_bytes(content)
    resumed = network()
    history = resumed.fit(
        read.train_images, read.train_labels, progress=False, checkpoint=kept, resume=True,
        **options,
    )  # fmt: skip
    assert 5 <= len(done) < 12
    assert len(history.rows) == 3
    np.testing.assert_array_equal(resumed.flat, whole.flat)


class Rows(RowsOnDemand):
    """Of which nothing is known but the rows."""

    def __init__(self, array: Any) -> None:
        self.array, self.shape, self.dtype = array, array.shape, array.dtype
        self.most = 0

    def read(self, rows: Any) -> Any:
        self.most = max(self.most, len(rows))
        return self.array[rows]

    def part(self, rows: Any) -> Any:
        return Rows(self.array[rows])


def test_arrays_of_others_are_taken_by_rows() -> None:
    images = np.random.default_rng(1).integers(0, 256, (300, 10, 12, 3), np.uint8)
    labels = np.arange(300) % 3
    layers = [Conv2D(4, 3), ReLU(), Flatten(), Dense(3)]
    held, read = (Network(layers, (10, 12, 3), seed=1) for _ in range(2))
    rows = Rows(images)
    options: dict[str, Any] = {"epochs": 1, "batch_size": 32, "progress": False}
    held.fit(images, labels, validation_fraction=0.3, **options)
    read.fit(rows, labels, validation_fraction=0.3, **options)
    np.testing.assert_array_equal(held.flat, read.flat)
    np.testing.assert_array_equal(
        held.predict_logits(images, batch_size=64), held.predict_logits(rows, batch_size=64)
    )
    assert (rows.min(), rows.max(), rows.digests, rows.one_colour) == (0, 255, None, None)
    assert rows.most <= 256
    few = slice(0, 20)
    expected, gradients = held.gradients(images[few], labels[few])
    found, others = held.gradients(rows.part(np.arange(20)), labels[few])
    assert found == expected
    for name, gradient in gradients.items():
        np.testing.assert_array_equal(gradient, others[name])


def test_no_more_than_a_batch_is_read_at_a_time() -> None:
    rows = Rows(np.random.default_rng(1).integers(0, 256, (300, 10, 12, 3), np.uint8))
    net = Network([Conv2D(4, 3), ReLU(), Flatten(), Dense(3)], (10, 12, 3), seed=1)
    net.fit(rows, np.arange(300) % 3, epochs=1, batch_size=32, progress=False)
    assert rows.most == 64  # of the statistics
