"""Labels and odd images, judged by what a network sees that was trained on other photographs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from striate.checking import check
from striate.checking.backbone_judge import BackboneJudge, pooled
from striate.checking.checked_images import CheckedImages
from striate.checking.label_check import softmax_of
from striate.checking.odd_images import _apart
from striate.checking.out_of_fold import make_folds
from striate.common.errors import StriateValueError
from striate.layers import Conv2D, Dense, GlobalAvgPool2D, MaxPool2D, ReLU
from striate.network import Network
from striate.transfer.backbone import Backbone
from tests.checking.made_sets import as_dataset, images_and_labels
from tests.checking.test_label_check import flipped


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    """A network that was trained on other clothes a little."""
    images, labels = images_and_labels(120, seed=9, colour=True)
    network = Network(
        [Conv2D(16, 5, stride=2, uncovered="drop"), ReLU(), MaxPool2D(2), Conv2D(32, 3), ReLU(),
         GlobalAvgPool2D(), Dense(5)],
        input_shape=(28, 28, 3), seed=0,
    )  # fmt: skip
    network.fit(images, labels, epochs=40, optimizer="adamw", learning_rate=3e-3, seed=0,
                progress=False)  # fmt: skip
    return Backbone.of(network, "clothes.safetensors")


def test_wrong_labels_by_features_alone(backbone: Backbone) -> None:
    images, labels = images_and_labels(40, seed=5, colour=True)
    wrong, rows = flipped(labels, 0.05)
    checked = CheckedImages.of(as_dataset(images, wrong, 50))
    judge = BackboneJudge(backbone, as_dataset(images, wrong, 50), None)
    folds = make_folds(wrong, [[0, 5, 10]])
    outputs = judge(checked, folds)
    assert outputs.shape == (200, 5)
    assert (outputs.argmax(axis=1) == labels).mean() > 0.85
    assert (outputs.argmax(axis=1)[rows] != wrong[rows]).mean() >= 0.8
    assert judge.who == "classifiers on what clothes.safetensors sees"


def test_the_whole_check(backbone: Backbone) -> None:
    images, labels = images_and_labels(40, seed=5, colour=True)
    images[7] = np.random.default_rng(0).integers(0, 256, images[7].shape)
    dataset = as_dataset(images, labels)

    def sure(checked: CheckedImages, folds: np.ndarray) -> np.ndarray:
        return 5 * np.eye(5, dtype=np.float32)[labels]

    found = check(dataset, kinds=["label", "odd"], backbone=backbone, outputs_of=sure)
    label, odd = found.outcomes
    assert label.made and not label.findings
    assert "networks, with and without clothes.safetensors, that have not seen" in label.sentence
    assert [finding.images for finding in odd.findings] == [(7,)]


def test_other_images_than_those_checked(backbone: Backbone) -> None:
    images, labels = images_and_labels(20, seed=5, colour=True)
    dataset = as_dataset(images, labels)
    with pytest.raises(StriateValueError, match=r"given 60 images that are not the 100 that"):
        check(dataset, backbone=backbone, as_read=as_dataset(images[:60], labels[:60]))
    larger = as_dataset(np.repeat(images, 2, axis=1), labels)
    with pytest.raises(StriateValueError, match="reads images 28×28×3, but is given 56×28×3"):
        check(dataset, backbone=backbone, as_read=larger)
    named = replace(dataset, train_paths=[f"{row}.png" for row in range(100)], test_paths=[])
    with pytest.raises(StriateValueError, match="load both from one source"):
        check(dataset, backbone=backbone, as_read=named)


def test_two_judges_are_better_than_one() -> None:
    """Each is sure where the other is not; a third one says nothing and is left out."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 600)
    truth = np.eye(3, dtype=np.float32)[labels]
    blind = rng.random(600) < 0.5
    one, other = (
        np.where(knows[:, None], 4 * truth, 0) + rng.normal(0, 1, (600, 3))
        for knows in (blind, ~blind)
    )
    both = pooled(one.astype(np.float32), other.astype(np.float32), labels)
    right = [float((each.argmax(axis=1) == labels).mean()) for each in (one, other, both)]
    assert right[2] > max(right[:2]) + 0.1
    noise = rng.normal(0, 3, (600, 3)).astype(np.float32)
    alone = pooled(one.astype(np.float32), noise, labels)
    mine = softmax_of(alone)
    # As good as the best power of the one, by a search of its own.
    rows = np.arange(600)
    losses = [-np.log(softmax_of(power * one)[rows, labels]).mean() for power in
              np.linspace(0.05, 2, 40)]  # fmt: skip
    assert -np.log(mine[rows, labels]).mean() <= min(losses) + 1e-3


def test_how_far_features_are_apart() -> None:
    rng = np.random.default_rng(1)
    features = rng.normal(0, 1, (600, 7)).astype(np.float32)
    unit = features.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1)[:, None]
    distances = np.sort(np.sqrt(np.maximum(1 - unit @ unit.T, 0)), axis=1)
    np.testing.assert_allclose(_apart(features), distances[:, 5], atol=1e-3)
