"""What a user has set by `numpy.seterr` decides about nothing here, and stays as it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import striate
from striate.compat import ndimage
from striate.layers import BatchNorm, Conv2D, Dense, Flatten, LeakyReLU, ReLU, Sigmoid, Tanh
from striate.network import Network
from striate.training.evaluation import Evaluation

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (24, 10, 10, 3)).astype(np.uint8)
LABELS = np.arange(24) % 4
with np.errstate(all="ignore"):
    TINY = (RANDOM.random((24, 10, 10, 3)) * 1e-40).astype(np.float32)
    HUGE = (RANDOM.random((40, 40)) * 3e38).astype(np.float32)
    SMALL = RANDOM.random((40, 40)) * 1e-300


def network(scale: float = 1.0) -> Network:
    layers = [
        Conv2D(6, 3), BatchNorm(), ReLU(), Conv2D(4, 3), Sigmoid(), Conv2D(4, 1), Tanh(),
        LeakyReLU(1e-30), Flatten(), Dense(4),
    ]  # fmt: skip
    made = Network(layers, (10, 10, 3))
    with np.errstate(all="ignore"):
        made.parameters["dense_1/weights"][...] *= scale
    return made


def fit(engine: str, images: Any = IMAGES, y: Any = LABELS, **options: Any) -> Any:
    made = network()
    made.fit(images, y, epochs=2, engine=engine, progress=False, **options)
    return made.flat


def whiten(engine: str) -> Any:
    layers = [Conv2D(24, 2, initial="whitening"), Flatten(), Dense(4)]
    made = Network(layers, (10, 10, 3))
    made.fit(TINY, LABELS, epochs=1, engine=engine, progress=False)
    return made.flat


def diverge(engine: str) -> Any:
    with pytest.raises(FloatingPointError, match="the loss is not finite"):
        fit(engine, optimizer="sgd", learning_rate=1e25, schedule="constant")
    return 0


def twelve(engine: str) -> Any:
    model = striate.ConvNetClassifier(engine=engine, epochs=2, random_state=0)
    return model.fit(IMAGES, LABELS).predict_proba(IMAGES)


def numbers(engine: str) -> Any:
    model = striate.ConvNetRegressor(engine=engine, epochs=2, random_state=0)
    return model.fit(IMAGES, LABELS * 1e-300).predict(IMAGES)


ENGINES: dict[str, Any] = {
    "fit": fit,
    "fit, adamw": lambda e: fit(e, optimizer=striate.AdamW(beta1=0.01, beta2=0.01)),
    "fit, rate of next to 0": lambda e: fit(e, optimizer="sgd", learning_rate=1e-38),
    "fit, small targets": lambda e: fit(e, y=np.cos(np.arange(96.0)).reshape(24, 4) * 1e-30),
    "fit, tiny images": lambda e: fit(e, images=TINY),
    "fit, black images": lambda e: fit(e, images=IMAGES * 0),
    "fit, small weights": lambda e: fit(e, sample_weight=1e-300 + LABELS * 1e-305),
    "fit, augmented": lambda e: fit(e, augment=striate.Augment(brightness=0.9, shift=1)),
    "fit, validated": lambda e: fit(e, validation_fraction=0.3, optimizer="sgd"),
    "fit, whitened": whiten,
    "diverging": diverge,
    "predict_proba": lambda e: network(1e5).predict_proba(IMAGES, engine=e),
    "evaluate": lambda e: network(1e5).evaluate(IMAGES, LABELS, engine=e).loss,
    "views": lambda e: network(1e-30).predict_logits(IMAGES, views="moved", engine=e),
    "classifier": twelve,
    "regressor": numbers,
    "sigmoid": lambda e: striate.functional.sigmoid(np.float32([[-1e30, 90, 1e-40]]), engine=e),
    "conv2d": lambda e: striate.functional.conv2d(TINY, np.full((3, 3, 3, 1), 1e-30), engine=e),
    "shifts": lambda e: (
        striate.inspect.shifts(network(1e-30), IMAGES, most=1, engine=e).layers[0].jump
    ),
}
OTHERS: dict[str, Any] = {
    "from_outputs": lambda: Evaluation.from_outputs(np.array([[1e5, -1e5], [0, 9]]), [1, 0]).loss,
    "cross-entropy": lambda: striate.functional.softmax_cross_entropy([[-1e4, 1e4]], [0])[0],
    "convolve": lambda: striate.convolve(SMALL, np.full((3, 3), 1e-30), method="numpy"),
    "convolve, overflow": lambda: striate.convolve(HUGE, np.ones((3, 3), "f4"), method="numpy"),
    "convolve, direct": lambda: striate.convolve(HUGE, np.ones((3, 3), "f4"), method="direct"),
    "fft": lambda: striate.convolve(SMALL, np.full((3, 3), 0.1), method="fft"),
    "filter_image": lambda: striate.filter_image(SMALL, "sobel-magnitude"),
    "steps": lambda: len(str(striate.steps([1e-200, 1, 2], [1e-200, 2.0]))),
    "gaussian": lambda: striate.kernels.gaussian(101, 0.3),
    "laplacian_of_gaussian": lambda: striate.kernels.laplacian_of_gaussian(101, 0.3),
    "ndimage": lambda: ndimage.gaussian_gradient_magnitude(SMALL, 2),
    "augment": lambda: striate.Augment(brightness=0.9)(TINY, np.random.default_rng(0)),
    "gradients": lambda: striate.gradients((4, 4), (2, 2)).checked is not None,
    "compile": lambda: network(1e-35).compile(batch_size=2)(IMAGES[:2]),
}


def same(run: Any) -> None:
    with np.errstate(all="ignore"):
        expected = run()
    with np.errstate(all="raise"):
        found = run()
        assert set(np.geterr().values()) == {"raise"}
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("engine", ["llvm", "numpy"])
@pytest.mark.parametrize("what", ENGINES)
@pytest.mark.filterwarnings("ignore:.*too little to learn from")
def test_engines(what: str, engine: str) -> None:
    same(lambda: ENGINES[what](engine))


@pytest.mark.parametrize("what", OTHERS)
def test_everything_else(what: str) -> None:
    same(OTHERS[what])


def test_probabilities_sum_to_one_as_numpy_asks() -> None:
    model = striate.ConvNetClassifier(network=[], epochs=1).fit(IMAGES, LABELS)
    for rows in (network(30.0).predict_proba(IMAGES), model.predict_proba(IMAGES)):
        assert rows.dtype == np.float64
        np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-14)
        for row in rows:
            assert np.random.default_rng(0).multinomial(1, row).sum() == 1
