"""What users bring themselves: losses, optimisers and schedules, in both engines."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from striate import ConvNetClassifier
from striate.layers import BatchNorm, Conv2D, Dense, Dropout, Flatten, MaxPool2D, ReLU, Tanh
from striate.network import Network
from striate.optim.losses import MeanSquaredError, SoftmaxCrossEntropy, softmax
from striate.optim.optimizers import SGD, AdamW, Optimizer

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.random((70, 9, 8, 3), dtype=np.float32)
LABELS = RANDOM.integers(0, 4, 70)
NUMBERS = RANDOM.random((70, 4), dtype=np.float32)
ENGINES = ("llvm", "numpy")


def network() -> Network:
    layers = [
        Conv2D(8, 3), BatchNorm(), ReLU(), MaxPool2D(2, uncovered="drop"),
        Conv2D(20, 3, padding="same"), Dropout(0.3), ReLU(), Flatten(), Dense(16), Tanh(), Dense(4),
    ]  # fmt: skip
    return Network(layers, (9, 8, 3))


def fitted(y: Any = LABELS, **options: Any) -> tuple[Network, list[float]]:
    made = network()
    settings = {"epochs": 2, "batch_size": 32, "progress": False, "validation_fraction": 0.2}
    history = made.fit(IMAGES, y, **(settings | options))
    return made, history.column("loss") + history.column("val_loss")


def each(outputs: Any, targets: Any) -> Any:
    """Cross-entropy, one number for each image."""
    shares = softmax(outputs)
    return -(targets * np.log(shares)).sum(axis=1), shares - targets


def mean(outputs: Any, targets: Any) -> Any:
    losses, gradient = each(outputs, targets)
    return losses.mean(), gradient / len(outputs)


def squared(outputs: Any, targets: Any) -> Any:
    return ((outputs - targets) ** 2).mean(axis=1), (outputs - targets) / 2


class Doubled(SoftmaxCrossEntropy):
    """Not what its parent computes."""

    def per_image(self, outputs: Any, targets: Any) -> Any:
        return 2 * super().per_image(outputs, targets)

    def value_and_gradient(self, outputs: Any, targets: Any, weights: Any) -> Any:
        value, gradient = super().value_and_gradient(outputs, targets, weights)
        return 2 * value, 2 * gradient


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("own", "y"), [(each, LABELS), (mean, LABELS), (squared, NUMBERS)])
def test_a_function_trains_as_the_loss_it_computes(engine: str, own: Any, y: Any) -> None:
    known, expected = fitted(y, engine=engine, optimizer="sgd")
    made, losses = fitted(y, engine=engine, optimizer="sgd", loss=own)
    np.testing.assert_allclose(losses, expected, rtol=1e-4)
    np.testing.assert_allclose(made.flat, known.flat, atol=1e-5)
    np.testing.assert_allclose(made.state_flat, known.state_flat, rtol=1e-3, atol=1e-5)


def test_threads_change_no_bit_of_it() -> None:
    one, two = (fitted(loss=each, threads=threads)[0] for threads in (1, 2))
    np.testing.assert_array_equal(one.flat, two.flat)


@pytest.mark.parametrize("engine", ENGINES)
def test_weights_of_images_reach_a_function(engine: str) -> None:
    weights = RANDOM.integers(0, 3, 70).astype(float)
    _, expected = fitted(engine=engine, sample_weight=weights)
    _, losses = fitted(engine=engine, sample_weight=weights, loss=each)
    np.testing.assert_allclose(losses, expected, rtol=1e-3)
    with pytest.raises(ValueError, match="one number for each image"):
        fitted(engine=engine, sample_weight=weights, loss=mean)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_subclass_of_a_loss_is_honoured(engine: str) -> None:
    options = {"engine": engine, "optimizer": SGD(0.0), "schedule": "constant"}
    known, expected = fitted(**options, learning_rate=0.02)
    made, losses = fitted(**options, learning_rate=0.01, loss=Doubled())
    np.testing.assert_allclose(losses, 2 * np.array(expected), rtol=1e-3)
    np.testing.assert_allclose(made.flat, known.flat, atol=1e-4)
    changed = SoftmaxCrossEntropy()
    changed.value_and_gradient = Doubled().value_and_gradient  # type: ignore[method-assign]
    again, _ = fitted(**options, learning_rate=0.01, loss=changed)
    np.testing.assert_array_equal(again.flat, made.flat)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("loss", "error", "message"),
    [
        (lambda o, t: 1.0, TypeError, r"must return a pair \(loss, gradient\), not float"),
        (lambda o, t: (1.0, o[:, :1]), ValueError, r"gradient of shape \(32, 4\)"),
        (lambda o, t: (o, o), ValueError, r"a loss of shape \(32,\) or one number"),
        (lambda o, t: (np.nan, o), FloatingPointError, "the loss is not finite"),
        (MeanSquaredError, TypeError, "write it with parentheses"),
    ],
)
def test_what_a_function_may_not_give(engine: str, loss: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        fitted(engine=engine, loss=loss)


class Signs(SGD):
    """Steps of one length: not what its parent does, and with an argument of its own."""

    def __init__(self, length: float = 1.0) -> None:
        super().__init__(0.0)
        self.length = length

    def apply(self, flat: Any, gradient: Any, decay_mask: Any, learning_rate: float) -> None:
        self.begin(flat, learning_rate)
        flat -= learning_rate * self.length * np.sign(gradient)
        self.steps += 1


class Own(Optimizer):
    """Of a kind that nobody knows."""

    kind, slots = "own", 0

    def __init__(self) -> None:
        super().__init__(0.0)

    def hyperparameters(self) -> dict[str, Any]:
        return {}

    def apply(self, flat: Any, gradient: Any, decay_mask: Any, learning_rate: float) -> None:
        flat -= learning_rate * gradient


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("optimizer", [Signs(0.5), Own()], ids=["subclass", "own"])
def test_an_optimiser_is_honoured_in_an_estimator(engine: str, optimizer: Any) -> None:
    options: dict[str, Any] = {
        "network": lambda shape, outputs: network(),
        "epochs": 1, "batch_size": 100, "learning_rate": 0.25, "schedule": "constant",
        "random_state": 0, "engine": engine, "augment": None,
    }  # fmt: skip
    labels = np.arange(70) % 4
    model = ConvNetClassifier(optimizer=optimizer, **options).fit(IMAGES, labels)
    plain = ConvNetClassifier(optimizer=SGD(0.0), **options).fit(IMAGES, labels)
    start = network()
    start.initialise(int(np.random.RandomState(0).randint(np.iinfo(np.int32).max)))
    moved = np.unique(np.round(np.abs(model.network_.flat - start.flat), 5))
    if isinstance(optimizer, Signs):
        np.testing.assert_allclose(moved, [0, 0.125])
    else:
        np.testing.assert_allclose(model.network_.flat, plain.network_.flat, atol=1e-6)
    assert optimizer.steps == 0, "the user's own is not changed"
    assert optimizer.state == []


def test_an_unknown_optimiser_needs_a_rate() -> None:
    with pytest.raises(ValueError, match="learning_rate must be given for the optimizer Own"):
        fitted(optimizer=Own())
    fitted(optimizer=Own(), learning_rate=0.1)
    fitted(optimizer=Own(), schedule=lambda step, total: 0.1)


def test_an_optimiser_with_state_starts_anew_in_each_fit() -> None:
    used = AdamW(beta1=0.8)
    network().fit(IMAGES, LABELS, optimizer=used, epochs=1, progress=False)
    steps = used.steps
    options: dict[str, Any] = {"network": [], "epochs": 1, "random_state": 0}
    new = ConvNetClassifier(optimizer=AdamW(beta1=0.8), **options).fit(IMAGES, LABELS)
    old = ConvNetClassifier(optimizer=used, **options).fit(IMAGES, LABELS)
    np.testing.assert_array_equal(new.network_.flat, old.network_.flat)
    assert used.steps == steps > 0


# Schedules.


def test_a_schedule_may_be_a_function() -> None:
    seen: list[tuple[int, int]] = []

    def rate(step: int, total: int) -> float:
        seen.append((step, total))
        return 0.02 * (1 - step / total)

    made = network()
    history = made.fit(IMAGES, LABELS, epochs=3, batch_size=32, schedule=rate, progress=False)
    assert seen == [(step, 9) for step in range(9)]
    np.testing.assert_allclose(
        history.column("learning_rate"), [0.02 * (9 - s) / 9 for s in (2, 5, 8)]
    )
    model = ConvNetClassifier(schedule=rate, epochs=2, batch_size=40).fit(IMAGES, LABELS)
    np.testing.assert_allclose(model.history_[-1].learning_rate, 0.02 / 4)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"schedule": lambda s, t: -1.0}, ValueError, "rate of step 0 must be at least 0, not -1"),
        ({"schedule": lambda s, t: np.nan}, ValueError, "rate of step 0 must be finite"),
        ({"schedule": lambda s, t: "a"}, TypeError, "rate of step 0 must be a number"),
        ({"schedule": lambda s, t: 1.0, "learning_rate": 1.0}, ValueError, "leave learning_rate"),
        ({"schedule": lambda s, t: 1.0, "warmup": 3}, ValueError, "warmup is for a schedule"),
        ({"augment": ["flip"]}, TypeError, r'augment must be .* such as \{"flip": True\}'),
        ({"augment": "crop"}, TypeError, "augment must be"),
        ({"learning_rate": "0.1"}, TypeError, "learning_rate must be a number"),
    ],
)
def test_functions_and_options_that_do_not_fit(options: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        fitted(**options)


def test_augment_may_be_a_mapping() -> None:
    from striate import Augment

    mapping, _ = fitted(augment={"flip": True, "shift": 0})
    given, _ = fitted(augment=Augment(flip=True))
    np.testing.assert_array_equal(mapping.flat, given.flat)


@pytest.mark.parametrize("schedule", ["constant", "cosine", "step", "one-cycle"])
@pytest.mark.parametrize("epochs", [1, 2])
def test_one_step_learns(schedule: str, epochs: int) -> None:
    made = network()
    before = made.flat.copy()
    history = made.fit(
        IMAGES, LABELS, epochs=epochs, batch_size=70, schedule=schedule, progress=False
    )
    rates = [row.learning_rate for row in history]
    assert max(rates) > 0.5 * 0.002
    assert np.abs(made.flat - before).max() > 5e-4


@pytest.mark.parametrize("weights", [{"x": 2.0}, {"0": 2.0}, {7: 1.0, 0: 2.0}])
def test_class_weights_that_match_no_class_are_refused(weights: Any) -> None:
    model = ConvNetClassifier(network=[], epochs=1, class_weight=weights)
    with pytest.raises(ValueError, match=r"class_weight names .* none of the classes"):
        model.fit(IMAGES, LABELS)


def test_class_weights_by_name_and_for_folds() -> None:
    every = dict.fromkeys(range(9), 1.0) | {1: 3.0}  # more classes than are present here
    given = ConvNetClassifier(network=[], epochs=1, class_weight=every, random_state=0)
    some = ConvNetClassifier(network=[], epochs=1, class_weight={1: 3.0}, random_state=0)
    np.testing.assert_array_equal(
        given.fit(IMAGES, LABELS).network_.flat, some.fit(IMAGES, LABELS).network_.flat
    )
    named, indexed = network(), network()
    named.classes = list("abcd")
    for made, weights in ((named, {"b": 3.0}), (indexed, {1: 3.0})):
        made.fit(IMAGES, LABELS, class_weight=weights, epochs=1, progress=False)
    np.testing.assert_array_equal(named.flat, indexed.flat)
    with pytest.raises(ValueError, match=r"names class 'e', which is none of .* a, b, c, d"):
        named.fit(IMAGES, LABELS, class_weight={"e": 3.0}, progress=False)
