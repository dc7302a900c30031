"""Networks from backbones: a head on features, and stages trained on where that is better."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from striate.data.rows import rows_of
from striate.layers import BatchNorm, Conv2D, Dense, Dropout, GlobalAvgPool2D, MaxPool2D, ReLU
from striate.model.cuts import WHOLE, extended, rest
from striate.model.preprocessing import Preprocessing
from striate.network import Network
from striate.optim.losses import SoftmaxCrossEntropy
from striate.transfer.backbone import Backbone
from striate.transfer.fine_tuning import FineTuning, TunedStages, choose_cut, work_behind
from striate.transfer.transfer_targets import ClassTargets, Figures, LabelTargets, NumberTargets
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
    loss = SoftmaxCrossEntropy(0.1)
    stages.train(tail, seen[:40], labels % 5, loss, FineTuning(epochs=2), progress=False)
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
    made = transfer.begin(images, ClassTargets(labels, 4))
    transfer.go_on(made)
    assert made.tuned is None and made.history is None and said == made.notes and len(said) == 1
    assert made.network.output_shape == (4,)
    for name, array in network().parameters.items():
        if not name.startswith("last"):
            np.testing.assert_array_equal(made.network.parameters[name], array)
    again = Transfer(Backbone.of(network()), tune=False, **QUIET).begin(
        images, ClassTargets(labels, 4)
    )
    np.testing.assert_array_equal(again.network.flat, made.network.flat)
    assert "taken from the cache" in again.notes[0]
    held = made.head.held_out.argmax(axis=1) == labels
    assert held.mean() == made.figures.score


def test_fine_tuning_is_kept_where_it_helps() -> None:
    """Random filters see little of stripes; trained ones see them well."""
    images, labels = stripes(240, 3, noise=110)
    test = stripes(400, 4, noise=110)
    settings = FineTuning(share=0.7, epochs=12, learning_rate=0.01)
    transfer = Transfer(Backbone.of(network()), settings=settings, mirror=False, **QUIET)
    made = transfer.begin(images, ClassTargets(labels, 4))
    alone = accuracy(made.network, *test)
    transfer.go_on(made)
    assert made.tuned is not None and made.trial is not None and made.history is not None
    assert made.trial[1][0] > made.trial[0][0]
    assert accuracy(made.network, *test) > alone + 0.1
    assert len(made.history) == round(0.6 * 12)  # of the second training
    # And threads change no bit.
    other = Transfer(Backbone.of(network()), settings=settings, mirror=False, threads=1, **QUIET)
    one = other.begin(images, ClassTargets(labels, 4))
    other.go_on(one)
    np.testing.assert_array_equal(one.network.flat, made.network.flat)


def test_fine_tuning_is_dropped_where_it_does_not() -> None:
    """Of labels at random nothing can be learnt that held for other images."""
    images, labels = stripes(60, 5)
    settings = FineTuning(epochs=30, learning_rate=0.01)
    transfer = Transfer(Backbone.of(network()), settings=settings, **QUIET)
    shuffled = np.random.default_rng(0).permutation(labels)
    made = transfer.begin(images, ClassTargets(shuffled, 4))
    flat = made.network.flat.copy()
    transfer.go_on(made)
    assert made.tuned is None and made.history is None and "not kept" in made.notes[-1]
    np.testing.assert_array_equal(made.network.flat, flat)


def test_what_is_held_out_is_held_out_from_the_head_too() -> None:
    """Stages that learn nothing say what the head said, of images that neither had seen."""
    images, labels = stripes(200, 5, noise=110)
    shuffled = np.random.default_rng(0).permutation(labels)
    for targets in (
        ClassTargets(shuffled, 4),
        LabelTargets(np.eye(4)[shuffled]),
        NumberTargets(3.0 * shuffled[:, None] + 5),
    ):
        settings = FineTuning(epochs=1, learning_rate=1e-9)
        transfer = Transfer(Backbone.of(network()), settings=settings, mirror=False, **QUIET)
        made = transfer.begin(images, targets)
        transfer.go_on(made)
        assert made.trial is not None
        before, after = made.trial
        assert after.loss == pytest.approx(before.loss, rel=1e-4)
        seen = targets.figures(made.head(made.features[0]))
        assert seen.loss < before.loss  # of those that it was trained on it knows more


def test_few_images_and_weights_of_classes() -> None:
    images, labels = stripes(FEWEST - 1, 6)
    labels[:4] = np.arange(4)
    transfer = Transfer(Backbone.of(network()), **QUIET)
    made = transfer.begin(images, ClassTargets(labels, 4))
    transfer.go_on(made)
    assert made.tuned is None and "too few" in made.notes[-1]
    # A class that weighs a thousand times as much is said of all that is not plain.
    heavy = np.array([1.0, 1, 1, 1000])
    biased = Transfer(Backbone.of(network()), tune=False, **QUIET).begin(
        images, ClassTargets(labels, 4, heavy[labels])
    )
    plain = made.network.predict_logits(images).argmax(axis=1)
    more = biased.network.predict_logits(images).argmax(axis=1)
    assert (more == 3).sum() > (plain == 3).sum()


def test_asked_for_it_is_done_whatever_comes_of_it() -> None:
    images, labels = stripes(40, 7)
    transfer = Transfer(
        Backbone.of(network()), tune=True, settings=FineTuning(epochs=1), mirror=True, **QUIET
    )
    made = transfer.begin(images, ClassTargets(labels, 4))
    transfer.go_on(made)
    assert made.mirrored and made.tuned is not None and made.trial is None
    assert made.history is not None and made.history[0].images == 80


def test_few_images_tell_by_their_loss() -> None:
    """Of thirty one more that is right says little; of hundreds the score is what counts."""
    right, sure = Figures(0.77, 0.96), Figures(0.70, 0.68)
    assert right.better_than(sure) and not sure.better_than(right)
    assert sure.better_than(right, few=True) and not right.better_than(sure, few=True)
    assert Figures(0.7, 0.5).better_than(sure) and Figures(None, 0.5).better_than(sure)


@pytest.mark.parametrize(
    ("losses", "trials", "better"),
    [
        (((1.0, 0.8),), 1, True),  # without and with fine-tuning
        (((1.0, 1.2),), 1, False),
        (((1.0, 0.95), (1.0, 1.1)), 2, False),
        (((1.0, 1.05), (1.0, 0.9)), 2, True),
        (((1.0, 0.95), (1.0, 1.02)), 2, True),
    ],
)
def test_what_is_close_is_tried_twice(
    losses: tuple[tuple[float, float], ...],
    trials: int,
    better: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of few images others are held out, too, where the losses differ by little; sums decide."""
    images, labels = stripes(60, 3)
    held: list[list[int]] = []
    whole = Transfer._trial

    def told(self: Transfer, *given: Any) -> Any:
        found = whole(self, *given)
        assert found is not None
        before, after = losses[len(held)]
        held.append(found.held.tolist())
        return replace(found, figures=(Figures(0.5, before), Figures(0.4, after)))

    monkeypatch.setattr(Transfer, "_trial", told)
    settings = FineTuning(share=0.7, epochs=2)
    transfer = Transfer(Backbone.of(network()), settings=settings, mirror=False, **QUIET)
    made = transfer.begin(images, ClassTargets(labels, 4))
    transfer.go_on(made)
    assert len(held) == trials and len({*map(tuple, held)}) == trials
    assert (made.tuned is not None) == better
    assert made.trial == (Figures(0.5, losses[0][0]), Figures(0.4, losses[0][1]))
    assert ("on others" in made.notes[-1]) == (trials == 2), made.notes[-1]


def test_labels_and_their_thresholds() -> None:
    """What is bright and what is striped the other way: an image may be both, or neither."""
    images, labels = stripes(240, 8, noise=60)
    truth = np.stack([labels == 3, np.arange(240) % 3 == 0, np.zeros(240)], axis=1)
    images[truth[:, 1] > 0] = np.minimum(images[truth[:, 1] > 0].astype(int) + 70, 255)
    settings = FineTuning(share=0.7, epochs=20, learning_rate=0.01)
    transfer = Transfer(Backbone.of(network()), settings=settings, mirror=False, **QUIET)
    made = transfer.begin(images, LabelTargets(truth))
    assert made.network.answers.kind == "labels" and made.network.output_shape == (3,)
    expected = np.mean([metrics.average_precision_score(truth[:, i], made.head.held_out[:, i])
                        for i in (0, 1)])  # fmt: skip
    assert made.figures.score == pytest.approx(expected)
    assert "mean average precision" in made.notes[0]
    made.calibrate()
    first = made.network.answers.thresholds
    assert len(first) == 3 and first[2] == 0.5 and first[1] != 0.5
    transfer.go_on(made)
    assert made.trial is not None and made.tuned is not None, made.notes
    assert made.trial[1].better_than(made.trial[0]) and made.notes[-1].endswith("kept")
    assert made.unseen is not None and len(made.unseen[1]) == 72
    made.calibrate()
    assert made.network.answers.thresholds != first
    test, kinds = stripes(200, 9, noise=60)
    found = made.network.predict_logits(test)
    assert metrics.average_precision_score(kinds == 3, found[:, 0]) > 0.9


def test_weights_of_labels() -> None:
    """Images that have a label count more: it is said of more images."""
    images, labels = stripes(60, 10, noise=150)
    truth = np.eye(4, dtype=np.float32)[labels]
    transfer = Transfer(Backbone.of(network()), tune=False, mirror=False, **QUIET)
    plain = transfer.begin(images, LabelTargets(truth)).head.held_out
    heavy = transfer.begin(images, LabelTargets(truth, None, (1.0, 1.0, 1.0, 20.0))).head.held_out
    assert (heavy[:, 3] > 0).sum() > (plain[:, 3] > 0).sum() + 5
    weights = np.where(labels == 3, 20.0, 1.0)
    weighted = transfer.begin(images, LabelTargets(truth, weights)).head.held_out
    assert (weighted[:, 3] > 0).sum() > (plain[:, 3] > 0).sum() + 5
    with pytest.raises(ValueError, match="one for each image"):
        LabelTargets(truth, [1.0, 2.0])


def numbers_of(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Images with a bright square, and where it is and how bright, far from 0 and 1."""
    random = np.random.default_rng(seed)
    images = random.integers(0, 60, (count, 14, 14, 3)).astype(np.uint8)
    lights, places = random.integers(60, 190, count), random.integers(0, 11, count)
    for image, light, place in zip(images, lights, places, strict=True):
        image[4:8, place : place + 4] += light.astype(np.uint8)
    return images, np.stack([lights * 40.0 - 9000, places / 100 + 3], axis=1)


@pytest.mark.parametrize("tune", [False, True, None])
def test_numbers_are_said_in_their_own_units(tune: bool | None) -> None:
    images, numbers = numbers_of(120, 11)
    settings = FineTuning(share=0.7, epochs=30, learning_rate=0.01)
    transfer = Transfer(Backbone.of(network()), tune=tune, settings=settings, mirror=False, **QUIET)
    made = transfer.begin(images, NumberTargets(numbers))
    alone = made.network.predict_logits(images)
    assert metrics.r2_score(numbers[:, 0], alone[:, 0]) > 0.7
    assert made.unseen is not None
    np.testing.assert_array_equal(made.unseen[1], numbers)
    r2 = metrics.r2_score(numbers, made.unseen[0])
    assert made.figures.score == pytest.approx(r2, abs=1e-5)
    assert f"mean R² {r2:.4f}" in made.notes[0]
    transfer.go_on(made)
    later = made.network.predict_logits(images)
    if tune is False:
        np.testing.assert_array_equal(later, alone)
    elif tune:
        assert made.tuned is not None and made.unseen is None
    else:
        assert made.trial is not None and made.tuned is not None, made.notes
    test, truth = numbers_of(100, 12)
    assert metrics.r2_score(truth, made.network.predict_logits(test)) > 0.3
    assert made.network.answers.kind == "numbers"
    made.calibrate()  # which is nothing for numbers


def test_labels_are_not_smoothed_unless_asked_for_and_numbers_never() -> None:
    assert LabelTargets(np.eye(2)).usual_smoothing == 0 and ClassTargets([0, 1], 2).usual_smoothing
    with pytest.raises(ValueError, match="smoothing"):
        NumberTargets(np.zeros((3, 1))).loss(0.1)


@pytest.mark.parametrize("mirror", [False, True])
def test_the_whole_network_is_trained_where_nothing_is_cut(mirror: bool) -> None:
    images, labels = stripes(96, 13, noise=60)
    given = network()
    assert choose_cut(given, 1.0, 10**12) == WHOLE
    settings = FineTuning(share=1.0, epochs=3, learning_rate=0.01, slowest=0.25)
    transfer = Transfer(Backbone.of(given), tune=True, settings=settings, mirror=mirror, **QUIET)
    made = transfer.begin(images, ClassTargets(labels, 4))
    stages = TunedStages(made.network, WHOLE)
    seen = stages.seen(images, [False, True], range(96))
    assert seen.shape == (192, 14, 14, 3) and seen.dtype == np.uint8
    np.testing.assert_array_equal(seen[[3, 96 + 3]], [images[3], images[3][:, ::-1]])
    np.testing.assert_array_equal(rows_of(seen, np.array([100, 2]))[0:2], seen[[100, 2]])
    assert stages.seen(images, [False], range(96)) is images
    tail = stages.untrained(settings)
    assert tail.preprocessing == given.preprocessing
    assert 0.25 < tail.rates["a"] < tail.rates["b"] < 1 and tail.rates.get("head", 1.0) == 1
    np.testing.assert_array_equal(tail.predict_logits(images), made.network.predict_logits(images))
    transfer.go_on(made)
    assert made.tuned == "all of its layers"
    assert made.history is not None and made.history[0].images == 96 * (1 + mirror)
    for name in ("a/filters", "b/filters", "c/filters", "an/scale"):
        assert not np.array_equal(made.network.parameters[name], given.parameters[name])
    np.testing.assert_array_equal(made.network.state["an/mean"], given.state["an/mean"])


def test_a_trial_that_diverges_leaves_the_head() -> None:
    images, labels = stripes(60, 14)
    settings = FineTuning(epochs=2, learning_rate=1e30)
    transfer = Transfer(Backbone.of(network()), settings=settings, **QUIET)
    made = transfer.begin(images, ClassTargets(labels, 4))
    flat = made.network.flat.copy()
    transfer.go_on(made)
    assert made.tuned is None and "diverged at a learning rate of 1e+30" in made.notes[-1]
    np.testing.assert_array_equal(made.network.flat, flat)
    asked = Transfer(Backbone.of(network()), tune=True, settings=settings, **QUIET)
    with pytest.raises(FloatingPointError):
        asked.go_on(asked.begin(images, ClassTargets(labels, 4)))
