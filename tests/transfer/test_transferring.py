"""Classifiers from backbones: a head on features, and stages trained on where that is better."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from striate.layers import BatchNorm, Conv2D, Dense, Dropout, GlobalAvgPool2D, MaxPool2D, ReLU
from striate.model.preprocessing import Preprocessing
from striate.network import Network
from striate.transfer.backbone import Backbone
from striate.transfer.cuts import extended, rest
from striate.transfer.fine_tuning import FineTuning, TunedStages, choose_cut, work_behind
from striate.transfer.transferring import FEWEST, Transfer

QUIET: dict[str, Any] = {"fit_options": {"progress": False}}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))


def network() -> Network:
    layers = [
        Conv2D(8, 3, name="a"), BatchNorm(name="an"), ReLU(), MaxPool2D(2),
        Conv2D(12, 3, name="b"), BatchNorm(name="bn"), ReLU(), Conv2D(16, 2, name="c"), ReLU(),
        GlobalAvgPool2D(), Dropout(0.2), Dense(5, name="last"),
    ]  # fmt: skip
    made = Network(layers, (14, 14, 3))
    made.preprocessing = Preprocessing((128.0,) * 3, (64.0,) * 3)
    random = np.random.default_rng(0)
    made.state["an/mean"][...] = random.normal(0, 0.1, 8)
    made.state["an/variance"][...] = random.uniform(0.5, 2, 8)
    return made


def stripes(count: int, seed: int, noise: float = 25) -> tuple[np.ndarray, np.ndarray]:
    """Diagonal stripes, of three distances; class 3 are those of class 2 the other way."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 4, count)
    y, x = np.mgrid[:14, :14]
    images = np.empty((count, 14, 14, 3), np.uint8)
    for image, label in zip(images, labels, strict=True):
        along = x + y if label < 3 else x - y
        wave = np.sin(along * (0.5 + 0.5 * min(label, 2)) + random.uniform(0, 6))
        noisy = 128 + 60 * wave[..., None] + random.normal(0, noise, (14, 14, 3))
        image[...] = np.clip(noisy, 0, 255)
    return images, labels.astype(np.intp)


def accuracy(made: Network, images: np.ndarray, labels: np.ndarray) -> float:
    return float((made.predict_logits(images).argmax(axis=1) == labels).mean())


def test_the_cut_is_where_little_is_kept_and_enough_is_trained() -> None:
    made = network()
    behind = work_behind(made)
    assert behind[-1] == 0 and (np.diff(behind) <= 0).all() and behind[0] < 1
    node = choose_cut(made, 0.5, 100)
    assert node is not None and 0.4 < behind[node] < 0.5  # most of the work is the first layer's
    small = choose_cut(made, 0.2, 100)
    assert small is not None and small > node
    # With more images than memory for what is seen there, fewer stages are trained, or none.
    assert choose_cut(made, 0.5, 10**12) is None


def test_halves_that_are_trained_and_put_back_are_the_whole() -> None:
    made = network()
    images, labels = stripes(40, 1)
    node = choose_cut(made, 0.5, 80)
    assert node is not None
    stages = TunedStages(made, node)
    seen = stages.seen(images, [False, True], range(40))
    expected = extended(made, node).predict_logits(np.ascontiguousarray(images[:, :, ::-1]))
    np.testing.assert_allclose(seen[40:], expected, rtol=1e-4, atol=1e-4)
    tail = stages.untrained(FineTuning(slowest=0.25))
    rates = [tail.rates.get(name, 1.0) for name in ("b", "c", "last")]
    assert 0.25 < rates[0] < rates[1] < rates[2] == 1.0
    statistics = made.state["bn/mean"].copy()
    stages.train(tail, seen[:40], labels % 5, FineTuning(epochs=2), progress=False)
    before = made.predict_logits(images)
    stages.put_back(tail)
    after = made.predict_logits(images)
    assert not np.allclose(before, after, atol=1e-3)
    tail.preprocessing = Preprocessing()
    np.testing.assert_allclose(after, rest(made, node).predict_logits(seen[:40]), atol=1e-4)
    np.testing.assert_array_equal(made.state["bn/mean"], statistics)


def test_a_head_alone_and_the_same_again() -> None:
    images, labels = stripes(80, 2)
    said: list[str] = []
    transfer = Transfer(Backbone.of(network()), tune=False, say=said.append, **QUIET)
    made = transfer.begin(images, labels, 4)
    transfer.go_on(made, images, labels)
    assert made.tuned is None and made.history is None and said == made.notes and len(said) == 1
    assert made.network.output_shape == (4,)
    for name, array in network().parameters.items():
        if not name.startswith("last"):
            np.testing.assert_array_equal(made.network.parameters[name], array)
    again = Transfer(Backbone.of(network()), tune=False, **QUIET).begin(images, labels, 4)
    np.testing.assert_array_equal(again.network.flat, made.network.flat)
    assert "taken from the cache" in again.notes[0]
    held = made.head.held_out.argmax(axis=1) == labels
    assert held.mean() == made.head.accuracy


def test_fine_tuning_is_kept_where_it_helps() -> None:
    """Random filters see little of stripes; trained ones see them well."""
    images, labels = stripes(240, 3, noise=110)
    test = stripes(400, 4, noise=110)
    settings = FineTuning(share=0.7, epochs=12, learning_rate=0.01)
    transfer = Transfer(Backbone.of(network()), settings=settings, mirror=False, **QUIET)
    made = transfer.begin(images, labels, 4)
    alone = accuracy(made.network, *test)
    transfer.go_on(made, images, labels)
    assert made.tuned is not None and made.trial is not None and made.history is not None
    assert made.trial[1][0] > made.trial[0][0]
    assert accuracy(made.network, *test) > alone + 0.1
    assert len(made.history) == 12
    # And threads change no bit.
    other = Transfer(Backbone.of(network()), settings=settings, mirror=False, threads=1, **QUIET)
    one = other.begin(images, labels, 4)
    other.go_on(one, images, labels)
    np.testing.assert_array_equal(one.network.flat, made.network.flat)


def test_fine_tuning_is_dropped_where_it_does_not() -> None:
    images, labels = stripes(60, 5)
    settings = FineTuning(epochs=1, learning_rate=1e-9)  # learns nothing
    random = np.random.default_rng(0)
    transfer = Transfer(Backbone.of(network()), settings=settings, **QUIET)
    made = transfer.begin(images, random.permutation(labels), 4)
    made.head.held_out[...] = np.eye(4)[labels] * 9  # as good as can be
    flat = made.network.flat.copy()
    transfer.go_on(made, images, labels)
    assert made.tuned is None and made.history is None and "not kept" in made.notes[-1]
    np.testing.assert_array_equal(made.network.flat, flat)


def test_few_images_and_weights_of_classes() -> None:
    images, labels = stripes(FEWEST - 1, 6)
    labels[:4] = np.arange(4)
    transfer = Transfer(Backbone.of(network()), **QUIET)
    made = transfer.begin(images, labels, 4)
    transfer.go_on(made, images, labels)
    assert made.tuned is None and "too few" in made.notes[-1]
    # A class that weighs a thousand times as much is said of all that is not plain.
    heavy = np.array([1.0, 1, 1, 1000])
    biased = Transfer(Backbone.of(network()), tune=False, **QUIET).begin(
        images, labels, 4, heavy[labels]
    )
    plain = made.network.predict_logits(images).argmax(axis=1)
    more = biased.network.predict_logits(images).argmax(axis=1)
    assert (more == 3).sum() > (plain == 3).sum()


def test_asked_for_it_is_done_whatever_comes_of_it() -> None:
    images, labels = stripes(40, 7)
    transfer = Transfer(
        Backbone.of(network()), tune=True, settings=FineTuning(epochs=1), mirror=True, **QUIET
    )
    made = transfer.begin(images, labels, 4)
    transfer.go_on(made, images, labels)
    assert made.mirrored and made.tuned is not None and made.trial is None
    assert made.history is not None and made.history[0].images == 80
