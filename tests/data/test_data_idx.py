"""IDX files: read exactly, gzipped or not; truncated and foreign files are named."""

from __future__ import annotations

import gzip
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from striate.data import DataError, load
from striate.data.idx import read_idx

RNG = np.random.default_rng(0)
NAMES = {
    ("train", "images"): "train-images-idx3-ubyte",
    ("train", "labels"): "train-labels-idx1-ubyte",
    ("t10k", "images"): "t10k-images-idx3-ubyte",
    ("t10k", "labels"): "t10k-labels-idx1-ubyte",
}


def idx(array: np.ndarray, kind: int = 8) -> bytes:
    header = bytes([0, 0, kind, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(np.uint8).tobytes()


def arrays(train: int = 30, test: int = 10) -> dict[tuple[str, str], np.ndarray]:
    return {
        ("train", "images"): RNG.integers(0, 256, (train, 5, 7)),
        ("train", "labels"): np.arange(train) % 3,
        ("t10k", "images"): RNG.integers(0, 256, (test, 5, 7)),
        ("t10k", "labels"): np.arange(test) % 3,
    }


def write(
    folder: Path, content: dict[tuple[str, str], np.ndarray], *, dot: str = "-", zipped: bool = True
) -> Path:
    for key, array in content.items():
        name = NAMES[key].replace("-idx", f"{dot}idx")
        data = gzip.compress(idx(array)) if zipped else idx(array)
        (folder / (name + ".gz" * zipped)).write_bytes(data)
    return folder


@pytest.mark.parametrize("dot", "-.")
@pytest.mark.parametrize("zipped", [True, False])
def test_four_files(tmp_path: Path, dot: str, zipped: bool) -> None:
    content = arrays()
    data = load(write(tmp_path, content, dot=dot, zipped=zipped))
    assert data.train_images.dtype == np.uint8
    assert np.array_equal(data.train_images[..., 0], content["train", "images"])
    assert np.array_equal(data.test_images[..., 0], content["t10k", "images"])
    assert data.train_labels.tolist() == content["train", "labels"].tolist()
    assert data.test_labels.tolist() == content["t10k", "labels"].tolist()
    assert data.train_labels.dtype == np.int64
    assert data.classes == ["0", "1", "2"]
    assert data.resize == {"height": 5, "width": 7, "mode": "crop"}
    assert (data.colour, data.split, data.name) == ("gray", False, tmp_path.name)


@pytest.mark.parametrize(
    "renamed",
    [
        lambda name: name.replace("t10k", "test"),
        lambda name: "emnist-letters-" + name.replace("t10k", "test") + ".gz",
        lambda name: "kmnist_" + name,
        lambda name: name.title(),
        lambda name: name.upper() + ".GZ",
        lambda name: name.replace("-ubyte", ""),
        lambda name: name.replace("-", "_"),
        lambda name: name.replace("-idx", ".idx"),
    ],
)
def test_names_of_the_files(tmp_path: Path, renamed: Callable[[str], str]) -> None:
    content = arrays()
    for key, array in content.items():
        name = renamed(NAMES[key])
        data = idx(array)
        (tmp_path / name).write_bytes(gzip.compress(data) if name.lower().endswith("gz") else data)
    loaded = load(tmp_path)
    assert not loaded.split
    assert np.array_equal(loaded.train_images[..., 0], content["train", "images"])
    assert loaded.test_labels.tolist() == content["t10k", "labels"].tolist()
    exchanged = any("rows and columns exchanged" in note for note in loaded.notes)
    assert exchanged == ("emnist" in renamed(""))


def test_several_data_sets_in_one_folder(tmp_path: Path) -> None:
    for name in ("emnist-letters", "emnist-digits"):
        for key, array in arrays().items():
            (tmp_path / f"{name}-{NAMES[key]}").write_bytes(idx(array))
    refused(tmp_path, r"of several data sets \(emnist-digits, emnist-letters\)")
    (tmp_path / "emnist-digits-train-images-idx3-ubyte").unlink()
    for path in tmp_path.glob("emnist-letters*"):
        path.unlink()
    refused(tmp_path, "there is no emnist-digits-train-images-idx3-ubyte")


def test_labels_need_not_begin_with_0_nor_be_dense(tmp_path: Path) -> None:
    content = arrays()
    for part in ("train", "t10k"):
        content[part, "labels"] = content[part, "labels"] * 5 + 2
    data = load(write(tmp_path, content))
    assert data.classes == ["2", "7", "12"]
    assert data.train_labels[:4].tolist() == [0, 1, 2, 0]
    again = load(tmp_path, classes=["12", "x", "7", "2"])
    assert again.test_labels[:4].tolist() == [3, 2, 0, 3]


def test_without_a_test_part(tmp_path: Path) -> None:
    content = arrays()
    data = load(write(tmp_path, {key: content[key] for key in content if key[0] == "train"}))
    assert data.split
    assert np.bincount(data.test_labels).tolist() == [2, 2, 2]


def test_size_and_colour(tmp_path: Path) -> None:
    data = load(write(tmp_path, arrays()), size=(10, 14), colour="rgb")
    assert data.train_images.shape == (30, 10, 14, 3)
    assert data.resize == {"height": 10, "width": 14, "mode": "crop"}
    assert data.colour == "rgb"
    (told,) = [note for note in data.notes if "resized" in note]
    count = len(data.train_images) + len(data.test_images)
    assert told.startswith(f"{count} images of {count} resized to 10 × 14 pixels (as asked for; ")


def told_of(folder: Path) -> str:
    with pytest.raises(DataError) as caught:
        load(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def refused(folder: Path, text: str) -> None:
    assert re.search(text, told_of(folder))


@pytest.mark.parametrize("missing", NAMES)
def test_a_missing_file(tmp_path: Path, missing: tuple[str, str]) -> None:
    content = arrays()
    del content[missing]
    refused(write(tmp_path, content), f"there is no {NAMES[missing]}")


@pytest.mark.parametrize("key", NAMES)
@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("keep", [0, 3, 11, -1])
def test_truncated(tmp_path: Path, key: tuple[str, str], zipped: bool, keep: int) -> None:
    write(tmp_path, arrays(), zipped=zipped)
    path = tmp_path / (NAMES[key] + ".gz" * zipped)
    path.write_bytes(path.read_bytes()[:keep])
    told = f"{path}: the file is truncated"
    refused(tmp_path, rf"^{re.escape(told)}( or damaged \(|: it holds ).*; download it again$")
    if not zipped:
        axes = 3 if key[1] == "images" else 1
        assert (0 <= keep < 4 + 4 * axes) == ("it holds no whole header" in told_of(tmp_path))


def test_a_truncated_file_inside_a_whole_archive(tmp_path: Path) -> None:
    write(tmp_path, arrays())
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(idx(arrays()["train", "images"])[:-5]))
    refused(tmp_path, r"is truncated: it holds 1,045 of 1,050 values")


def test_damaged_archive(tmp_path: Path) -> None:
    write(tmp_path, arrays())
    path = tmp_path / "t10k-images-idx3-ubyte.gz"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(bytes(data))
    refused(tmp_path, "t10k-images-idx3-ubyte.gz: .*truncated|damaged")
    path.write_bytes(idx(arrays()["t10k", "images"]))
    refused(tmp_path, r"t10k-images-idx3-ubyte.gz: .*damaged \(Not a gzipped file")


def test_longer_than_its_header(tmp_path: Path) -> None:
    write(tmp_path, arrays(), zipped=False)
    path = tmp_path / NAMES["t10k", "labels"]
    path.write_bytes(path.read_bytes() + b"0")
    refused(tmp_path, "longer than the 10 values of its header")


@pytest.mark.parametrize(
    "data",
    [
        b"not an IDX file at all",
        b"\1" + idx(np.zeros((4, 5, 7)))[1:],
        b"\0\1" + idx(np.zeros((4, 5, 7)))[2:],
        idx(np.zeros((4, 5, 7)), kind=13),
        idx(np.zeros((4, 5))),
        idx(np.zeros((4, 5, 7, 3))),
    ],
)
def test_foreign_header(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(data)
    with pytest.raises(DataError) as caught:
        read_idx(path, 3)
    assert str(caught.value) == (
        f"{path}: not an IDX file of unsigned bytes with 3 axes (it begins with "
        f"{data[:4].hex(' ')}); download it again"
    )
    with pytest.raises(DataError, match="of unsigned bytes with 1 axis "):
        read_idx(path, 1)


@pytest.mark.parametrize(
    ("length", "told"),
    [
        (104, "it holds 104 bytes, and its header claims 105 values; download it again"),
        (105, "it holds 89 of 105 values; download it again"),
    ],
)
def test_more_values_than_there_are_bytes(tmp_path: Path, length: int, told: str) -> None:
    path = tmp_path / "x"
    path.write_bytes(idx(np.zeros((3, 5, 7)))[:length])
    with pytest.raises(DataError) as caught:
        read_idx(path, 3)
    assert str(caught.value) == f"{path}: the file is truncated: {told}"


def test_the_memory_of_two_copies_is_weighed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x"
    head = idx(np.zeros((1, 8000, 5000)))[:16]
    with path.open("wb") as file:
        file.write(head)
        file.truncate(16 + 8000 * 5000)
    monkeypatch.setattr("striate.common.budget.available_memory", lambda: 2 * 8000 * 5000 - 1)
    with pytest.raises(DataError, match=r"x: the array of shape \(1, 8000, 5000\) needs 76\.3 MiB"):
        read_idx(path, 3)


def test_a_header_that_claims_too_much(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"\0\0\x08\x03" + b"\xff" * 12)
    with pytest.raises(DataError, match=r"x: .*(fit into memory|truncated)"):
        read_idx(path, 3)


def test_numbers_that_do_not_agree(tmp_path: Path) -> None:
    content: dict[Any, np.ndarray] = arrays()
    content["t10k", "labels"] = content["t10k", "labels"][:-1]
    refused(write(tmp_path, content), "test files hold 10 images of 5 × 7 pixels and 9 labels")


def test_sizes_that_do_not_agree(tmp_path: Path) -> None:
    content = arrays()
    content["t10k", "images"] = content["t10k", "images"][:, :, :-1]
    refused(write(tmp_path, content), "training images have 5 × 7 pixels, the test images 5 × 6")


def test_a_label_only_in_the_test_part(tmp_path: Path) -> None:
    content = arrays()
    content["t10k", "labels"][4] = 9
    refused(write(tmp_path, content), "the test part has the label 9, the training part has not")


def test_one_class_only(tmp_path: Path) -> None:
    content = arrays()
    content["train", "labels"][:] = 4
    refused(write(tmp_path, content), r"one class only \('4'\)")


def test_no_images(tmp_path: Path) -> None:
    refused(write(tmp_path, arrays(train=0)), "hold 0 images")


def test_mnist(mnist_folder: Path) -> None:
    data = load(mnist_folder)
    assert data.train_images.shape == (60_000, 28, 28, 1)
    assert data.test_images.shape == (10_000, 28, 28, 1)
    # Known statistics of the originals.
    assert abs(data.train_images.mean() / 255 - 0.1307) < 1e-4
    assert abs(data.train_images.std() / 255 - 0.3081) < 1e-4
    assert data.train_labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert data.test_labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert data.classes == [str(digit) for digit in range(10)]


def test_a_file_that_is_not_packed_goes_before_one_that_is(tmp_path: Path) -> None:
    content = arrays()
    write(tmp_path, content, zipped=False)
    for name in NAMES.values():
        (tmp_path / f"{name}.gz").write_bytes(b"damaged")
    loaded = load(tmp_path)
    assert np.array_equal(loaded.train_images[..., 0], content["train", "images"])
