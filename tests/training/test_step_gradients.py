"""`Network.gradients`: what `fit` computes in a step, for loops of one's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from striate.layers import BatchNorm, Conv2D, Dense, Dropout, Flatten, MaxPool2D, ReLU
from striate.network import Network
from striate.optim.losses import MeanSquaredError, SoftmaxCrossEntropy, softmax
from striate.optim.optimizers import SGD

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.random((11, 7, 6, 2), dtype=np.float32)
LABELS = RANDOM.integers(0, 3, 11)
ENGINES = ("llvm", "numpy")


def network(*more: Any) -> Network:
    layers = [
        Conv2D(5, 3), *more, ReLU(), MaxPool2D(2, uncovered="drop"), Flatten(), Dense(3),
    ]  # fmt: skip
    return Network(layers, (7, 6, 2))


@pytest.mark.parametrize("engine", ENGINES)
def test_they_are_the_slopes_of_the_loss(engine: str) -> None:
    made = network()
    weights = RANDOM.random(11)
    options: dict[str, Any] = {"engine": engine, "sample_weight": weights}
    loss, found = made.gradients(IMAGES, LABELS, **options)
    outputs = made.predict_logits(IMAGES, engine="numpy").astype(float)
    losses = SoftmaxCrossEntropy().per_image(outputs, np.eye(3)[LABELS])
    assert loss == pytest.approx((weights / weights.sum()) @ losses, rel=1e-5)
    assert set(found) == set(made.parameters)
    for name, gradient in found.items():
        values = made.parameters[name]
        assert gradient.dtype == np.float32 and gradient.shape == values.shape
        for place in [tuple(RANDOM.integers(0, values.shape)) for _ in range(4)]:
            before, slopes = values[place], []
            for step in (2e-3, -2e-3):
                values[place] = before + step
                slopes.append(made.gradients(IMAGES, LABELS, **options)[0])
            values[place] = before
            assert gradient[place] == pytest.approx((slopes[0] - slopes[1]) / 4e-3, abs=2e-3)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_loop_of_ones_own_is_fit(engine: str) -> None:
    own, fitted = network(BatchNorm()), network(BatchNorm())
    options: dict[str, Any] = {"epochs": 3, "batch_size": 11, "schedule": "constant"}
    fitted.fit(IMAGES, LABELS, optimizer=SGD(0.0), learning_rate=0.1, engine=engine,
               progress=False, **options)  # fmt: skip
    own.preprocessing = fitted.preprocessing
    for step in range(3):
        _, found = own.gradients(IMAGES, LABELS, engine=engine, seed=step)
        for name, gradient in found.items():
            own.parameters[name][...] -= np.float32(0.1) * gradient
    np.testing.assert_allclose(own.flat, fitted.flat, atol=1e-5)
    np.testing.assert_allclose(own.state_flat, fitted.state_flat, atol=1e-5)


def test_engines_agree_and_losses_take_turns() -> None:
    made = network(Dropout(0.4))
    numbers = RANDOM.random((11, 3), dtype=np.float32)

    def own(outputs: Any, targets: Any) -> Any:
        shares = softmax(outputs)
        return -(targets * np.log(shares)).sum(axis=1), shares - targets

    for y, loss in (
        (LABELS, None),
        (LABELS, own),
        (numbers, MeanSquaredError()),
        (LABELS, SoftmaxCrossEntropy(0.2)),
        (LABELS, None),
    ):
        one, two = (made.gradients(IMAGES, y, loss=loss, seed=3, engine=e) for e in ENGINES)
        assert one[0] == pytest.approx(two[0], rel=1e-5)
        for name, gradient in one[1].items():
            np.testing.assert_allclose(gradient, two[1][name], atol=1e-5)
    np.testing.assert_allclose(
        made.gradients(IMAGES, LABELS, loss=own)[1]["dense_1/weights"],
        made.gradients(IMAGES, LABELS)[1]["dense_1/weights"], atol=1e-6,
    )  # fmt: skip
    assert not np.array_equal(
        made.gradients(IMAGES, LABELS, seed=1)[1]["dense_1/weights"],
        made.gradients(IMAGES, LABELS, seed=2)[1]["dense_1/weights"],
    )


def test_nothing_changes_and_what_is_given_stays() -> None:
    made = network(BatchNorm())
    before, state = made.flat.copy(), made.state_flat.copy()
    _, found = made.gradients(IMAGES, LABELS)
    kept = {name: value.copy() for name, value in found.items()}
    made.gradients(IMAGES[:5] * 2, LABELS[:5])
    for name, value in kept.items():
        np.testing.assert_array_equal(found[name], value)
    np.testing.assert_array_equal(made.flat, before)
    assert not np.array_equal(made.state_flat, state), "running statistics follow the batches"


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (IMAGES[:0], LABELS[:0], "no images"),
        (IMAGES, LABELS[:3], "11 images but 3 targets"),
        (IMAGES[..., :1], LABELS, "the network reads images"),
        (IMAGES, np.eye(3)[LABELS], "argmax"),
        (np.ma.masked_less(IMAGES, 0.5), LABELS, "masked"),
    ],
)
def test_bad_batches(images: Any, labels: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        network().gradients(images, labels)
