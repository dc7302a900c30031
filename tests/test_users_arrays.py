"""What users give as arrays: nothing is lost or misread on the way in, at any door."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import striate
from striate.common.arrays import as_array, as_real_array, looks_channels_first
from striate.layers import Conv2D, Dense, Flatten
from striate.model.image_arrays import check_images
from striate.model.preprocessing import Preprocessing
from striate.network import Network
from striate.training.evaluation import Evaluation
from striate.training.targets import indices_of_labels

MASK = np.zeros((4, 6, 5, 1), bool)
MASK[2, 3, 1] = True
IMAGES = np.arange(120, dtype=np.float32).reshape(4, 6, 5, 1)
MASKED = np.ma.array(np.where(MASK, -9999, IMAGES), mask=MASK)
LABELS = np.array([0, 1, 0, 1])


def network(shape: tuple[int, ...] = (6, 5, 1), outputs: int = 2) -> Network:
    return Network([Conv2D(2, 3), Flatten(), Dense(outputs)], shape)


DOORS: dict[str, Any] = {
    "convolve": lambda x: striate.convolve(x, np.ones((1, 2, 2, 1))),
    "convolve, kernel": lambda x: striate.convolve(IMAGES, x),
    "correlate": lambda x: striate.correlate(x, np.ones((1, 2, 2, 1))),
    "explain_method": lambda x: striate.explain_method(x, np.ones((1, 2, 2, 1))),
    "filter_image": lambda x: striate.filter_image(x[2], "mean"),
    "filter_image, kernel": lambda x: striate.filter_image(IMAGES[0], x[2, ..., 0]),
    "filter_image, chain": lambda x: striate.filter_image(IMAGES[0], ["mean", x[2, ..., 0]]),
    "Kernel": lambda x: striate.kernels.Kernel("own", (x[2, ..., 0],)),
    "functional": lambda x: striate.functional.relu(x),
    "gradients": lambda x: striate.gradients(x=x[2, ..., 0], f=np.ones((2, 2))),
    "predict": lambda x: network().predict(x),
    "compile": lambda x: network().compile(batch_size=4)(x),
    "evaluate": lambda x: network().evaluate(x, LABELS),
    "fit": lambda x: network().fit(x, LABELS, epochs=1, progress=False),
    "fit, targets": lambda x: network(outputs=1).fit(
        IMAGES, x[:, 3, 1, 0], epochs=1, progress=False
    ),
    "fit, weights": lambda x: network().fit(
        IMAGES, LABELS, sample_weight=x[:, 3, 1, 0], epochs=1, progress=False
    ),
    "fit, validation": lambda x: network().fit(
        IMAGES, LABELS, validation_data=(x, LABELS), epochs=1, progress=False
    ),
    "evaluate, labels": lambda x: network().evaluate(IMAGES, x[:, 3, 1, 0]),
    "from_outputs": lambda x: (
        Evaluation.from_outputs(x[:, :2, 1, 0], LABELS)
        if np.ma.is_masked(x[:, :2, 1, 0])
        else Evaluation.from_outputs(x[:, 3, :2, 0], LABELS)
    ),
    "shifts": lambda x: striate.inspect.shifts(network(), x, most=1),
    "classifier": lambda x: striate.ConvNetClassifier(epochs=1).fit(x, LABELS),
    "classifier, flat": lambda x: striate.ConvNetClassifier(epochs=1).fit(x.reshape(4, -1), LABELS),
    "classifier, labels": lambda x: striate.ConvNetClassifier(epochs=1).fit(
        IMAGES, x[:, 3, 1, 0].astype(int)
    ),
    "classifier, weights": lambda x: striate.ConvNetClassifier(epochs=1).fit(
        IMAGES, LABELS, x[:, 3, 1, 0]
    ),
    "classifier, predict": lambda x: (
        striate.ConvNetClassifier(epochs=1, network=[]).fit(IMAGES, LABELS).predict(x)
    ),
    "regressor": lambda x: striate.ConvNetRegressor(epochs=1).fit(IMAGES, x[:, 3, 1, 0]),
}


@pytest.mark.parametrize("door", DOORS)
def test_no_door_lets_masked_elements_through(door: str) -> None:
    with pytest.raises(ValueError, match=r"masked elements.*fill them first"):
        DOORS[door](MASKED)


@pytest.mark.parametrize(
    "value",
    [
        [[1.0, 2.0], [3.0, np.ma.masked]],
        [np.ma.array([1, 2], mask=[1, 0]), np.array([3, 4])],
        np.ma.array([(1, 2)], mask=[(True, False)], dtype=[("a", int), ("b", int)]),
        np.ma.masked,
    ],
    ids=["constant", "in a list", "records", "alone"],
)
def test_masks_are_found_wherever_they_are(value: Any) -> None:
    with pytest.raises(ValueError, match="here: x has masked elements"):
        as_array(value, "x", "here")


def test_an_array_whose_mask_hides_nothing_is_an_array() -> None:
    plain = np.ma.array(IMAGES, mask=False)
    np.testing.assert_array_equal(as_array(plain, "x"), IMAGES)
    np.testing.assert_array_equal(network().predict_logits(plain), network().predict_logits(IMAGES))


def test_what_is_no_array_of_real_numbers_is_said() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    refused = {
        r"sparse matrix.*toarray": sparse.eye(4).tocsr(),
        r"equal lengths": [[1, 2], [3]],
        r"complex128; take its .real": np.ones(3, complex),
        r"datetime64\[D\]": np.zeros(3, "M8[D]"),
        r"dtype object.*astype\(float\)": np.array([1.0, None]),
        r"take one of its fields": np.zeros(3, [("a", int)]),
        r"dtype <U1": ["a", "b"],
    }
    for message, value in refused.items():
        with pytest.raises((ValueError, TypeError), match=message) as caught:
            as_real_array(value, "x", "here")
        assert len(str(caught.value)) < 500


def test_tensors_are_read_or_refused() -> None:
    torch = pytest.importorskip("torch")
    np.testing.assert_array_equal(as_array(torch.eye(3), "x"), np.eye(3))
    for tensor, message in (
        (torch.ones(3, requires_grad=True), "detach"),
        (torch.ones(3, dtype=torch.bfloat16), "BFloat16"),
        (torch.eye(3).to_sparse(), "to_dense"),
    ):
        with pytest.raises(TypeError, match=f"x cannot be made an array of Tensor.*{message}"):
            as_array(tensor, "x")


@pytest.mark.parametrize("change", ["reversed", "read-only", "big-endian", "Fortran", "bool", "f2"])
def test_layouts_and_dtypes_change_nothing(change: str) -> None:
    images = (IMAGES % 2).copy()
    given = {
        "reversed": images[::-1, ::-1].copy()[::-1, ::-1],
        "read-only": images.copy(),
        "big-endian": images.astype(">f4"),
        "Fortran": np.asfortranarray(images),
        "bool": images.astype(bool),
        "f2": images.astype(np.float16),
    }[change]
    if change == "read-only":
        given.flags.writeable = False
    np.testing.assert_array_equal(network().predict_logits(given), network().predict_logits(images))
    kernel = np.ones((1, 2, 2), np.float32)
    np.testing.assert_array_equal(
        striate.convolve(given[..., 0], kernel), striate.convolve(images[..., 0], kernel)
    )


# Labels.


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i8", "u8", "f4", "f2", ">i2", "O"])
@pytest.mark.parametrize("classes", [20, 100])
def test_labels_of_any_dtype_count_right(dtype: str, classes: int) -> None:
    labels = np.arange(classes).astype(dtype)
    found = Evaluation.from_outputs(np.eye(classes), labels)
    assert found.accuracy == 1.0
    np.testing.assert_array_equal(found.confusion, np.eye(classes))
    wrong = Evaluation.from_outputs(np.eye(classes), labels[::-1])
    np.testing.assert_array_equal(wrong.confusion, np.eye(classes)[::-1])


def test_indices_of_labels() -> None:
    names = ["cat", "dog"]
    for given, known in (
        ([[1], [0]], None),
        (np.array([1.0, 0.0]), None),
        (np.array([True, False]), None),
        (np.array([1, 0], object), None),
        (["dog", "cat"], names),
        (np.array([b"dog", b"cat"]), names),
    ):
        found = indices_of_labels(given, 2, known)
        assert found.dtype == np.intp
        np.testing.assert_array_equal(found, [1, 0])
    for bad, message in (
        ([1.5, 0], "not float64"),
        ([np.nan, 0], "not float64"),
        ([1e30, 0], "labels must lie in 0 … 1"),
        (np.array([2**63, 0], np.uint64), "labels must lie in 0 … 1"),
        (np.eye(2), "argmax"),
        (np.eye(2, dtype="u1"), "argmax"),
        (np.zeros((2, 1, 1)), "one row"),
        (np.array([1, "dog"], object), "are names"),
        (np.array(["2020"], "M8[Y]"), "datetime64"),
    ):
        with pytest.raises(ValueError, match=message):
            indices_of_labels(bad, 2)
    with pytest.raises(ValueError, match=r"'cow'.*none of the network's classes, cat, dog"):
        indices_of_labels(["cow"], 2, names)


def test_evaluation_refuses_what_it_cannot_count() -> None:
    for outputs, labels, options, message in (
        (np.array([[np.nan, 1.0]]), [0], {}, "NaN or infinity"),
        (np.eye(3)[0], [0], {}, r"\(images, classes\)"),
        (np.eye(3), [0, 1], {}, "3 images but 2 labels"),
        (np.eye(3), [0, 1, 2], {"names": ["a", "b"]}, "2 names for 3 classes"),
    ):
        with pytest.raises(ValueError, match=message):
            Evaluation.from_outputs(outputs, labels, **options)


# Scales.


def digits_like(count: int = 20, seed: int = 0) -> Any:
    """Bytes: mostly dark, some strokes."""
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (count, 12, 12, 1))
    return np.where(random.random(images.shape) < 0.25, images, 0).astype(np.uint8)


def trained_on(images: Any) -> Network:
    made = network(images.shape[1:])
    made.preprocessing = Preprocessing((float(images.mean()),), (float(images.std()),))
    return made


WRONG = {
    "0…1 for 0…255": (digits_like(), digits_like(9, 1) / 255),
    "one image": (digits_like(), digits_like(1, 1) / 255),
    "float32": (digits_like(), (digits_like(1, 1) / 255).astype("f4")),
    "-1…1 for 0…255": (digits_like(), digits_like(9, 1) / 127.5 - 1),
    "standardised": (digits_like(), (digits_like(9, 1) - 32.0) / 68),
    "0 and 1 for 0…255": (digits_like(), digits_like(9, 1) // 128),
    "0…255 for 0…1": (digits_like() / 255, digits_like(9, 1)),
    "0…16 for 0…1": (digits_like() / 255, digits_like(9, 1) // 16),
    "0…1 for 0…16": (digits_like() // 16, digits_like(9, 1) / 255),
    "16 bits for 8": (digits_like(), digits_like(9, 1).astype("u2") * 257),
    "8 bits for 16": (digits_like().astype("u2") * 257, digits_like(9, 1)),
}


@pytest.mark.parametrize("case", WRONG)
def test_images_on_another_scale_are_warned_of_once(case: str) -> None:
    own, other = WRONG[case]
    made = trained_on(own)
    for ask in (made.predict_logits, made.predict, made.compile(batch_size=len(other))):
        with pytest.warns(UserWarning, match="on that scale") as caught:
            ask(other)
        assert len(caught) == 1
        assert caught[0].filename == __file__


@pytest.mark.parametrize(
    "asked",
    [
        digits_like(30, 2),
        digits_like(1, 3),
        digits_like(1, 3).astype(np.float64),
        255 - digits_like(30, 2),
        np.zeros((3, 12, 12, 1)),
        np.full((1, 12, 12, 1), 255, np.uint8),
        digits_like(3, 2) // 4,
        np.full((1, 12, 12, 1), np.nan),
    ],
    ids=["same", "one", "floats", "negative", "black", "white", "dim", "nan"],
)
def test_images_that_may_be_alike_are_not(asked: Any) -> None:
    made = trained_on(digits_like())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made.predict_logits(asked)
        network((12, 12, 1)).predict_logits(digits_like() / 255)  # nothing is known of its images


def test_training_further_warns_too() -> None:
    made = trained_on(digits_like())
    with pytest.warns(UserWarning, match="on that scale"):
        made.fit(digits_like() / 255, np.arange(20) % 2, epochs=1, progress=False)
    model = striate.ConvNetClassifier(epochs=1, network=[]).fit(digits_like(), np.arange(20) % 2)
    with pytest.warns(UserWarning, match="on that scale"):
        model.predict(digits_like() / 255)


# Channels first.


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (4, 48, 64), (3, 9, 6), (2, 5, 5)])
def test_channels_first_is_noticed(shape: tuple[int, ...]) -> None:
    assert looks_channels_first(shape)
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (6, *shape)).astype(np.uint8)
    labels = np.arange(6) % 2
    with pytest.warns(UserWarning, match="channels-first"):
        striate.ConvNetClassifier(epochs=1, network=[]).fit(images, labels)
    plain = Network([Flatten(), Dense(2)], shape)
    with pytest.warns(UserWarning, match="channels-first"):
        plain.fit(images, labels, epochs=1, progress=False)
    last = (*shape[1:], shape[0])
    with pytest.raises(ValueError, match=r"np.moveaxis\(images, 1, -1\)"):
        check_images(images, last)
    if shape[0] > 1:  # else it is a batch of one gray image
        with pytest.raises(ValueError, match=r"np.moveaxis\(images, 0, -1\)\[None\]"):
            check_images(images[0], last)


@pytest.mark.parametrize("shape", [(32, 32, 3), (1, 1000, 8), (28, 28, 1), (5, 32, 32), (64,)])
def test_other_shapes_are_not(shape: tuple[int, ...]) -> None:
    assert not looks_channels_first(shape)
