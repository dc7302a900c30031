"""The cross-entropy of labels: against PyTorch, finite differences, and in both engines."""

from __future__ import annotations

import math

import numpy as np
import pytest

from striate.engines import make_engine
from striate.engines.numpy import NumPyEngine
from striate.layers import Conv2D, Dense, Flatten, ReLU
from striate.model.answers import Answers
from striate.nest.target import host
from striate.network import Input, Network, load
from striate.optim.losses import SigmoidCrossEntropy, from_dict
from striate.plan.runner import Runner
from striate.training.sample_weights import weighted_labels

# Channels in the lanes, and images: as many as a vector has numbers of float64.
LANES = [1, host().lanes(8)]


def textbook(outputs, targets, positive):
    """The loss of each image and its gradient, number by number."""
    images, labels = outputs.shape
    losses, gradient = np.zeros(images), np.zeros(outputs.shape)
    for i in range(images):
        for k in range(labels):
            s = 1 / (1 + math.exp(-outputs[i, k]))
            t, p = targets[i, k], positive[k]
            losses[i] -= (p * t * math.log(s) + (1 - t) * math.log(1 - s)) / labels
            gradient[i, k] = ((1 - t) * s - p * t * (1 - s)) / labels
    return losses, gradient


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("images", "labels"), [(1, 1), (7, 3), (16, 10), (33, 17)])
def test_agrees_with_the_textbook_and_pytorch(images, labels, weighted):
    rng = np.random.default_rng([images, labels])
    outputs = rng.normal(size=(images, labels)) * 4
    targets = (rng.random((images, labels)) < 0.3).astype(np.float64)
    targets[0, 0] = 0.7  # need not be 0 or 1
    positive = rng.random(labels) * 5 + 0.1 if weighted else np.ones(labels)
    weights = rng.random(images)
    loss = SigmoidCrossEntropy(positive_weight=positive if weighted else ())
    value, gradient = loss.value_and_gradient(outputs, targets, weights)
    losses, slopes = textbook(outputs, targets, positive)
    np.testing.assert_allclose(loss.per_image(outputs, targets), losses, rtol=1e-10)
    np.testing.assert_allclose(value, weights @ losses, rtol=1e-10)
    np.testing.assert_allclose(gradient, weights[:, None] * slopes, rtol=1e-10, atol=1e-14)

    torch = pytest.importorskip("torch")
    theirs = torch.tensor(outputs, requires_grad=True)
    criterion = torch.nn.BCEWithLogitsLoss(
        pos_weight=torch.tensor(positive) if weighted else None, reduction="none"
    )
    each = criterion(theirs, torch.tensor(targets)).mean(dim=1)
    (each * torch.tensor(weights)).sum().backward()
    np.testing.assert_allclose(loss.per_image(outputs, targets), each.detach().numpy(), rtol=1e-10)
    np.testing.assert_allclose(gradient, theirs.grad.numpy(), rtol=1e-10, atol=1e-14)


def test_gradient_agrees_with_finite_differences():
    rng = np.random.default_rng(5)
    outputs, targets = rng.normal(size=(4, 3)), rng.random((4, 3))
    weights = np.array([0.1, 0.0, 0.5, 2.0])
    loss = SigmoidCrossEntropy(positive_weight=[0.5, 1.0, 7.0])
    _, gradient = loss.value_and_gradient(outputs, targets, weights)
    for index in np.ndindex(*outputs.shape):
        ends = []
        for move in (1e-6, -1e-6):
            moved = outputs.copy()
            moved[index] += move
            ends.append(loss.value_and_gradient(moved, targets, weights)[0])
        np.testing.assert_allclose(
            gradient[index], (ends[0] - ends[1]) / 2e-6, rtol=1e-6, atol=1e-9
        )
    assert not gradient[1].any()  # an image of weight zero has no say


@pytest.mark.filterwarnings("error")
def test_is_stable_for_large_outputs():
    loss = SigmoidCrossEntropy()
    outputs = np.array([[1e4, -1e4], [-3e4, 3e4]], dtype=np.float32)
    targets = np.array([[1, 0], [1, 1]], dtype=np.float32)
    value, gradient = loss.value_and_gradient(outputs, targets, np.ones(2, np.float32))
    assert value == 1.5e4
    np.testing.assert_array_equal(gradient, [[0, 0], [-0.5, 0]])
    assert gradient.dtype == np.float32
    small = loss.per_image(np.array([[-40.0, 40.0]]), np.array([[0.0, 1.0]]))
    np.testing.assert_allclose(small, math.exp(-40), rtol=1e-12)


def test_targets_are_smoothed_and_checked():
    loss = SigmoidCrossEntropy(0.2)
    np.testing.assert_allclose(loss.targets([[1, 0], [0, 1]], 2), [[0.9, 0.1], [0.1, 0.9]])
    assert loss.targets([True, False], 1).shape == (2, 1)
    with pytest.raises(ValueError, match=r"labels run from -1 to 1: each must be 1 where"):
        loss.targets([[-1, 1]], 2)
    with pytest.raises(ValueError, match=r"labels have the shape \(2,\), but the network has 2"):
        loss.targets([0, 1], 2)
    with pytest.raises(ValueError, match=r"labels run from nan to nan"):
        loss.targets([[math.nan, 1]], 2)
    with pytest.raises(ValueError, match=r"positive_weight has 3 numbers for 2 labels"):
        SigmoidCrossEntropy(positive_weight=[1, 2, 3]).targets([[0, 1]], 2)
    with pytest.raises(ValueError, match="positive_weight must be above 0, got 0"):
        SigmoidCrossEntropy(positive_weight=[1, 0])


def test_travels_as_plain_values():
    loss = from_dict(SigmoidCrossEntropy(0.1, [1, 2.5]).to_dict())
    assert isinstance(loss, SigmoidCrossEntropy)
    assert (loss.label_smoothing, loss.positive_weight) == (0.1, (1.0, 2.5))
    assert repr(loss) == "SigmoidCrossEntropy(label_smoothing=0.1, positive_weight=[1.0, 2.5])"
    with pytest.raises(ValueError, match=r'called "sigmoid_cross_entropy" here'):
        from_dict({"kind": "BCEWithLogitsLoss"})


# --- both engines ------------------------------------------------------------------------------


def small(labels: int) -> Network:
    made = Network(
        [Conv2D(9, 3), ReLU(), Flatten(), Dense(labels)], (6, 5, 3), seed=labels
    )  # fmt: skip
    made.parameters["dense_1/bias"][...] = np.linspace(-1, 1, labels)
    return made


def data(labels: int, count: int = 19):
    rng = np.random.default_rng(labels)
    images = rng.standard_normal((count, 6, 5, 3), np.float32)
    targets = (rng.random((count, labels)) < 0.4).astype(np.float32)
    weights = rng.random(count).astype(np.float32)
    return images, targets, weights / weights.sum(), np.arange(count, dtype=np.uint32)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("labels", [1, 2, 7, 8, 9, 15, 16, 17, 33])
def test_nests_compute_what_numpy_does(labels, lanes, weighted):
    made = small(labels)
    images, targets, weights, keys = data(labels)
    positive = tuple(np.linspace(0.3, 4, labels).tolist()) if weighted else ()
    oracle = NumPyEngine(
        made, batch_size=19, loss=SigmoidCrossEntropy(0.0, positive), dtype=np.float64
    )
    value, outputs = oracle.step(images, targets, weights, keys)
    flat = made.flat.astype(np.float64)
    runner = Runner(
        made,
        batch_size=19,
        threads=1,
        training=True,
        loss="sigmoid_cross_entropy",
        positive_weight=positive,
        dtype=np.float64,
        parameters=flat,
        statistics=made.state_flat.astype(np.float64),
        lanes=lanes,
    )
    found = runner.run(images, targets, weights, keys)
    np.testing.assert_allclose(found, outputs, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(runner.batch.losses.sum(), value, rtol=1e-11)
    scale = np.abs(oracle.gradient).max()
    np.testing.assert_allclose(runner.plan.gradient, oracle.gradient, atol=1e-12 * scale)


def test_nests_are_exact_near_zero_loss():
    """log(1 + x) of a small x: in float32 1 + x would be 1."""
    made = Network([Dense(2)], (1,), seed=None)
    made.parameters["dense_1/bias"][...] = (20.0, -20.0)
    engine = make_engine(made, "llvm", batch_size=1, loss=SigmoidCrossEntropy())
    value, _ = engine.step(
        np.zeros((1, 1), np.float32),
        np.array([[1, 0]], np.float32),
        np.ones(1, np.float32),
        np.zeros(1, np.uint32),
    )
    np.testing.assert_allclose(value, math.log1p(math.exp(-20)), rtol=1e-6)


@pytest.mark.parametrize("weights", [(), (2.0,), (0.5, 3.0, 1.0)])
def test_gradients_of_a_network_follow_each_loss(weights):
    """Engines are kept by how they compute: other weights are another program."""
    made = small(3)
    images, targets, _, _ = data(3)
    results = {}
    for positive in (weights, (7.0,), weights):
        loss = SigmoidCrossEntropy(positive_weight=positive)
        for engine in ("llvm", "numpy"):
            value, slopes = made.gradients(images, targets, loss=loss, engine=engine)
            results[engine, positive] = value, slopes["dense_1/bias"]
        one, two = results["llvm", positive], results["numpy", positive]
        np.testing.assert_allclose(one[0], two[0], rtol=1e-5)
        np.testing.assert_allclose(one[1], two[1], rtol=1e-4, atol=1e-7)
    assert results["llvm", weights][0] != results["llvm", (7.0,)][0]


def test_heads_share_the_loss():
    image = Input((6, 5, 3))
    x = Flatten()(ReLU()(Conv2D(4, 3)(image)))
    made = Network(inputs=image, output=Dense(3)(x), heads={"side": (Dense(3)(x), 0.5)}, seed=1)
    images, targets, _, _ = data(3)
    loss = SigmoidCrossEntropy(positive_weight=(2.0, 1.0, 0.5))
    one = made.gradients(images, targets, loss=loss)
    two = made.gradients(images, targets, loss=loss, engine="numpy")
    np.testing.assert_allclose(one[0], two[0], rtol=1e-5)
    for name, value in two[1].items():
        np.testing.assert_allclose(one[1][name], value, rtol=1e-3, atol=1e-6)


# --- training ----------------------------------------------------------------------------------


def bright_corners(count: int, seed: int = 0):
    """Images of 8×8 in which any of three corners may be bright; the labels say which are."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((count, 3)) < (0.5, 0.3, 0.1)).astype(np.int64)
    images = rng.integers(0, 90, (count, 8, 8, 1), dtype=np.uint8)
    for corner, (y, x) in enumerate(((0, 0), (0, 5), (5, 0))):
        images[labels[:, corner] == 1, y : y + 3, x : x + 3] += 120
    return images, labels


@pytest.mark.parametrize("engine", ["llvm", "numpy"])
@pytest.mark.parametrize("dtype", [np.int64, np.float64, bool])
def test_fit_learns_labels_and_answers_with_them(engine, dtype, tmp_path):
    images, labels = bright_corners(160)
    made = Network([Conv2D(6, 3), ReLU(), Flatten(), Dense(3)], (8, 8, 1))
    history = made.fit(
        images, labels.astype(dtype), loss="sigmoid_cross_entropy", epochs=12, batch_size=16,
        learning_rate=0.01, validation_fraction=0.2, engine=engine, progress=False,
    )  # fmt: skip
    assert history[-1].accuracy is None
    assert history[-1].val_loss < 0.2 < history[0].val_loss
    assert made.answers == Answers("labels")
    fresh, truth = bright_corners(80, seed=1)
    said = made.predict(fresh, engine=engine)
    assert said.shape == (80, 3) and said.dtype == np.int64
    assert (said == truth).mean() > 0.95
    chances = made.predict_proba(fresh, engine=engine)
    np.testing.assert_array_equal(said, chances >= 0.5)
    assert made.evaluate(fresh, truth, engine=engine).hamming_loss == (said != truth).mean()
    made.classes = ["left", "right", "below"]
    made.answers = Answers("labels", thresholds=(0.5, 0.2, 0.9))
    made.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert again.answers.thresholds == (0.5, 0.2, 0.9)
    np.testing.assert_array_equal(
        again.predict(fresh, engine=engine), chances >= np.array([0.5, 0.2, 0.9])
    )


def test_a_network_of_labels_needs_no_loss():
    images, labels = bright_corners(40)
    made = Network([Flatten(), Dense(3)], (8, 8, 1))
    made.answers = Answers("labels")
    made.fit(images, labels, epochs=1, engine="numpy", progress=False)
    assert made.gradients(images, labels, engine="numpy")[0] < 2


def test_labels_without_the_loss_are_told_of_it():
    images, labels = bright_corners(40)
    made = Network([Flatten(), Dense(3)], (8, 8, 1))
    with pytest.raises(ValueError, match='give loss="sigmoid_cross_entropy"'):
        made.fit(images, labels, epochs=1, engine="numpy", progress=False)


def test_balanced_weights_are_those_of_the_rarer_side():
    labels = np.array([[1, 0, 0], [1, 0, 1], [1, 0, 0], [0, 0, 0]], np.float32)
    weights = np.array([1.0, 2, 1, 4])
    loss = weighted_labels(SigmoidCrossEntropy(0.1), "balanced", labels, weights)
    # One label of 4 images' weight of 8, one that none has, one of 2.
    assert loss.positive_weight == (1.0, 1.0, 3.0)
    assert loss.label_smoothing == 0.1
    named = weighted_labels(
        SigmoidCrossEntropy(), {"b": 4.0}, labels, weights, ["a", "b", "c"]
    )  # fmt: skip
    assert named.positive_weight == (1.0, 4.0, 1.0)
    with pytest.raises(ValueError, match="label 1 must be above 0, not 0"):
        weighted_labels(SigmoidCrossEntropy(), {1: 0}, labels, weights)
    with pytest.raises(ValueError, match="not both"):
        weighted_labels(SigmoidCrossEntropy(0, [1, 2, 3]), "balanced", labels, weights)


def test_class_weight_finds_more_of_a_rare_label():
    images, labels = bright_corners(200)
    recalls = []
    for class_weight in (None, "balanced"):
        made = Network([Flatten(), Dense(3)], (8, 8, 1))
        made.fit(
            images, labels, loss="sigmoid_cross_entropy", epochs=8, class_weight=class_weight,
            learning_rate=0.003, progress=False,
        )  # fmt: skip
        chances = made.predict_proba(images)
        recalls.append((chances[labels[:, 2] == 1, 2]).mean())
    assert recalls[1] > recalls[0] + 0.1
