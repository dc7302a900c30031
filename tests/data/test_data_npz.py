"""Arrays in an .npz: shapes, types, labels, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from striate.data import DataError, load

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (12, 5, 7, 3), dtype=np.uint8)
Y = np.arange(12) % 3


def save(folder: Path, **arrays: Any) -> Path:
    path = folder / "some.npz"
    np.savez(path, **arrays)
    return path


def with_one(value: float, dtype: type) -> np.ndarray:
    """The images, with one value that is another."""
    images = X.astype(dtype)
    images[7, 2, 3, 1] = value
    return images


def whole(path: Path, **options: Any) -> Any:
    return load(path, test_fraction=0, **options)


def test_images_and_labels(tmp_path: Path) -> None:
    data = whole(save(tmp_path, X=X, y=Y))
    assert np.array_equal(data.train_images, X)
    assert data.train_images.dtype == np.uint8
    assert np.array_equal(data.train_labels, Y)
    assert data.train_labels.dtype == np.int64
    assert data.classes == ["0", "1", "2"]
    assert (data.name, data.colour) == ("some", "rgb")
    assert data.resize == {"height": 5, "width": 7, "mode": "crop"}


def test_images_without_a_channel_axis(tmp_path: Path) -> None:
    data = whole(save(tmp_path, X=X[..., 0], y=Y))
    assert np.array_equal(data.train_images, X[..., :1])
    assert data.colour == "gray"


@pytest.mark.parametrize(
    ("x", "y", "test_x", "test_y"),
    [
        ("X", "y", "X_test", "y_test"),
        ("X_train", "y_train", "X_test", "y_test"),
        ("x_train", "y_train", "x_test", "y_test"),
        ("train_images", "train_labels", "test_images", "test_labels"),
    ],
)
def test_names(tmp_path: Path, x: str, y: str, test_x: str, test_y: str) -> None:
    data = load(save(tmp_path, **{x: X, y: Y, test_x: X[:4] // 2, test_y: Y[:4][:, None]}))
    assert np.array_equal(data.train_images, X)
    assert np.array_equal(data.test_images, X[:4] // 2)
    assert data.test_labels.tolist() == [0, 1, 2, 0]
    assert not data.split


def test_the_split_is_stratified(tmp_path: Path) -> None:
    data = load(save(tmp_path, X=X, y=Y))
    assert data.split
    assert np.bincount(data.test_labels).tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["dog", "cat", "ant"], ["ant", "cat", "dog"]),
        ([b"dog", b"cat", b"ant"], ["ant", "cat", "dog"]),
        ([10, 9, -1], ["-1", "9", "10"]),
        ([2.0, 7.0, 1.0], ["1", "2", "7"]),
        (np.array([3, 1, 2], np.uint64), ["1", "2", "3"]),
    ],
)
def test_labels(tmp_path: Path, labels: Any, classes: list[str]) -> None:
    y = np.asarray(labels)[Y]
    data = whole(save(tmp_path, X=X, y=y))
    assert data.classes == classes
    text = [value.decode() if isinstance(value, bytes) else str(value) for value in y.tolist()]
    text = [value.removesuffix(".0") for value in text]
    assert [data.classes[label] for label in data.train_labels] == text


def test_boolean_labels(tmp_path: Path) -> None:
    data = whole(save(tmp_path, X=X, y=Y > 0))
    assert data.classes == ["False", "True"]
    assert data.train_labels.tolist() == (Y > 0).astype(int).tolist()


def test_classes_of_a_model(tmp_path: Path) -> None:
    path = save(tmp_path, X=X, y=np.array(["b", "a", "b"])[Y])
    assert whole(path, classes=["c", "b", "a"]).train_labels[:3].tolist() == [1, 2, 1]
    with pytest.raises(DataError, match="class 'b' that the model does not know"):
        whole(path, classes=["a", "c"])


@pytest.mark.parametrize(
    ("images", "dtype", "maximum"),
    [
        (X > 127, np.uint8, 1),
        (X.astype(np.int64), np.uint8, 255),
        (X.astype(np.uint16) * 200, np.float32, None),
        (X.astype(np.int32) - 100, np.float32, None),
        ((X / 255.0).astype(np.float16), np.float32, 1),
        (X.astype(np.float64), np.float32, 255),
        (X / 100.0 - 1, np.float32, None),
        # At both sides of each limit.
        (with_one(256, np.int32), np.float32, None),
        (with_one(-1, np.int32), np.float32, None),
        (with_one(255.5, np.float64), np.float32, None),
        (with_one(-0.5, np.float64), np.float32, None),
        (X / 254.0, np.float32, 255),
        (X // 255, np.uint8, 1),
        (X // 100, np.uint8, 255),
    ],
)
def test_types(tmp_path: Path, images: np.ndarray, dtype: type, maximum: int | None) -> None:
    data = whole(save(tmp_path, X=images, y=Y))
    assert data.train_images.dtype == dtype
    assert np.allclose(data.train_images, images.astype(np.float32))
    if maximum is None:
        assert data.resize is None
    else:
        assert data.resize.get("maximum", 255) == maximum


def test_both_parts_have_one_type(tmp_path: Path) -> None:
    wide = X.astype(np.int32) + 300
    data = load(save(tmp_path, X=X, y=Y, X_test=wide, y_test=Y))
    assert data.train_images.dtype == data.test_images.dtype == np.float32
    assert data.resize is None


@pytest.mark.parametrize(("value", "maximum"), [(-1.0, None), (256.0, None), (2.0, 255)])
@pytest.mark.parametrize("name", ["X", "X_test"])
def test_both_parts_decide_what_white_is(
    tmp_path: Path, name: str, value: float, maximum: int | None
) -> None:
    arrays = {"X": X / 255.0, "X_test": X / 255.0}
    arrays[name][7, 2, 3, 1] = value
    resize = load(save(tmp_path, y=Y, y_test=Y, **arrays)).resize
    assert (resize and resize.get("maximum", 255)) == maximum


def test_images_of_other_channels_say_how_many(tmp_path: Path) -> None:
    data = whole(save(tmp_path, X=X[..., :2], y=Y))
    assert (data.colour, data.resize) == (None, None)
    assert data.notes == [
        "12 training images and 0 test images of 5 × 7 pixels, 2 channels, in 3 classes: 0 (4), "
        "1 (4), 2 (4)"
    ]


def test_size_and_colour(tmp_path: Path) -> None:
    path = save(tmp_path, X=X.astype(np.float32) / 255, y=Y)
    data = whole(path, size=(4, 4), colour="gray")
    assert data.train_images.shape == (12, 4, 4, 1)
    assert data.train_images.dtype == np.float32
    assert data.resize == {"height": 4, "width": 4, "mode": "crop", "maximum": 1}


def test_channels_first_is_noticed(tmp_path: Path) -> None:
    data = whole(save(tmp_path, X=np.zeros((12, 3, 32, 32), np.uint8), y=Y))
    assert (
        "the images have 32 channels and are 3 pixels high: if they are channels-first, save "
        "X.transpose(0, 2, 3, 1)"
    ) in data.notes
    assert data.resize is None
    assert len(whole(save(tmp_path, X=X, y=Y)).notes) == 1


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        ({"X": X}, "needs the arrays X and y, has X"),
        ({"a": X}, "has none of the names that are known"),
        ({"X": X, "y": Y, "X_test": X}, "needs the arrays X_test and y_test, has X, X_test, y"),
        ({"X": X.reshape(12, -1), "y": Y}, r"X must have the shape .*, not \(12, 105\)"),
        ({"X": X[:0], "y": Y[:0]}, r"X is empty, its shape is \(0, 5, 7, 3\)"),
        ({"X": X[:, :0], "y": Y}, "X is empty"),
        ({"X": X * 1j, "y": Y}, "X must hold real numbers, not complex128"),
        ({"X": X.astype(str), "y": Y}, "X must hold real numbers, not <U"),
        ({"X": X, "y": np.append(Y, 0)}, r"one label for each of the 12 images, not .* \(13,\)"),
        ({"X": X, "y": Y[:-1]}, r"one label for each of the 12 images, not the shape \(11,\)"),
        ({"X": X, "y": np.eye(3)[Y]}, r"not the shape \(12, 3\); for one-hot rows save y.argmax"),
        ({"X": X, "y": Y + 0.5}, "y must hold whole numbers or text, not float64"),
        ({"X": X, "y": np.where(Y > 1, np.nan, Y)}, "y must hold whole numbers or text"),
        ({"X": X, "y": Y * 0}, r"one class only \('0'\)"),
        (
            {"X": X, "y": Y, "X_test": X, "y_test": Y + 2},
            "y_test has the class '3', which the training labels have not$",
        ),
        (
            {"X": X, "y": Y, "X_test": X[:1].repeat(300, 0), "y_test": ["0", "1", "2"] * 100},
            "y_test has labels of type <U1, the training labels are int64",
        ),
        (
            {"X": X, "y": Y, "X_test": X[:, :4], "y_test": Y},
            r"X_test has images of shape \(4, 7, 3\), X of \(5, 7, 3\); they must be equal$",
        ),
        ({"X": X, "y": np.stack([Y, Y], axis=1)}, r"not the shape \(12, 2\); for one-hot rows"),
        ({"X": X, "y": np.where(Y > 1, 0.5, Y)}, "y must hold whole numbers or text, not float64"),
        ({"X": X, "y": np.array([{}] * 12)}, "pickled Python objects, which are never loaded"),
    ],
)
def test_refused(tmp_path: Path, arrays: dict[str, Any], text: str) -> None:
    path = save(tmp_path, **arrays)
    with pytest.raises(DataError, match=text) as caught:
        load(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite(tmp_path: Path, value: float) -> None:
    with pytest.raises(DataError, match=r"X has values that are not finite, first in image 7$"):
        load(save(tmp_path, X=with_one(value, np.float32), y=Y))


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.99])
@pytest.mark.parametrize("packed", [False, True])
def test_truncated(tmp_path: Path, keep: float, packed: bool) -> None:
    path = tmp_path / "some.npz"
    (np.savez_compressed if packed else np.savez)(path, X=X, y=Y)
    data = path.read_bytes()
    path.write_bytes(data[: int(keep if keep >= 1 else keep * len(data))])
    with pytest.raises(DataError, match=r"some\.npz: not an .npz file, or a truncated"):
        load(path)


@pytest.mark.parametrize("packed", [False, True])
def test_damaged_bytes(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / "some.npz"
    (np.savez_compressed if packed else np.savez)(path, X=X, y=Y)
    data = path.read_bytes()
    for place in range(0, len(data), 37):
        odd = bytearray(data)
        odd[place] ^= 0x55
        path.write_bytes(bytes(odd))
        try:
            got = whole(path)
        except DataError as error:
            assert str(error).startswith(str(path))
        else:  # a byte that carries nothing, such as a date
            assert np.array_equal(got.train_images, X)


def test_the_memory_of_two_copies_is_weighed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = np.zeros((10_000, 80, 90), np.uint8)
    path = tmp_path / "some.npz"
    np.savez_compressed(path, X=images, y=(np.arange(10_000) % 2).astype(np.uint8))
    needed = 2 * (images.size + 10_000)
    monkeypatch.setattr("striate.common.budget.available_memory", lambda: needed - 1)
    with pytest.raises(DataError, match=r"some\.npz: to work with X .* needs 137\.3 MiB of memory"):
        load(path)


def test_not_an_npz(tmp_path: Path) -> None:
    path = tmp_path / "some.npz"
    path.write_text("hello")
    with pytest.raises(DataError, match=r"some\.npz: "):
        load(path)
    with path.open("wb") as file:
        np.save(file, X)
    with pytest.raises(DataError, match=r"not an \.npz with several arrays"):
        load(path)
