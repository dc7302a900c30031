"""Kernels as text and in files."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from striate import kernels
from striate.kernels import typed_numbers

SHARPEN = [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]


@pytest.mark.parametrize(
    "text",
    [
        "0 -1 0; -1 5 -1; 0 -1 0",
        "0,-1,0;-1,5,-1;0,-1,0",
        " 0 -1\t0 ;\n -1, 5 ,-1;\n 0 -1 0;\n",
        "0 -1 0\n-1 5 -1\r\n0 -1 0\n\n",
        "0 −1 0; −1 5 −1; 0 −1 0",  # the minus sign of articles
        "0/3 -1. 0e5; -1e0 +5 -3/3; .0 -2/2 0",
    ],
)
def test_ways_to_type_the_same_numbers(text):
    array = kernels.parse(text)
    assert array.dtype == np.float64
    assert_array_equal(array, SHARPEN)


def test_rows_columns_and_fractions():
    assert_array_equal(kernels.parse("1/9 -2/3, 1.5/3"), [1 / 9, -2 / 3, 0.5])
    assert kernels.parse("1 2 1").shape == (3,)
    assert kernels.parse("7").shape == (1,)
    assert kernels.parse("1; 2; 1").shape == (3, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"the kernel: has no numbers; write rows such as \"0 -1 0; -1 5 -1; 0 -1 0\""),
        (" ;\n; ", r"has no numbers"),
        ("1 2 3; 4 5", r"as many numbers as the first, 3; row 2 has 2"),
        ("1; 2; 3 4 5", r"as the first, 1; row 3 has 3"),
        ("1 two 3", r"'two' is not a number"),
        ("[[0, 1]]", r"'\[\[0' is not a number"),
        ("1,,2", r"a number is missing beside a comma"),
        ("1 2,", r"a number is missing beside a comma"),
        ("1/0", r"'1/0' divides by zero"),
        ("1/2/3", r"'1/2/3' is not a number"),
        ("nan 1", r"'nan' is not a number"),
        ("inf", r"'inf' is not a number"),
        ("1e999", r"'1e999' is too large"),
        ("1e300/1e-300", r"is too large"),
        ("1_000", r"'1_000' is not a number"),
        ("٣", r"is not a number"),
        ("0x10", r"'0x10' is not a number"),
        ("9" * 60 + "x", r"'9{40}' is not a number"),
    ],
)
def test_text_that_is_no_kernel(text, message):
    with pytest.raises(ValueError, match=message):
        kernels.parse(text)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("k.txt", "# sharpen\n0 -1 0\n-1 5 -1  # the middle\n0 -1 0\n"),
        ("k.txt", "0 -1 0; -1 5 -1; 0 -1 0"),
        ("k.TXT", "0, -1, 0;\n-1, 5, -1;\n0, -1, 0;\n"),
        ("k.csv", "0,-1,0\n-1,5,-1\n0,-1,0\n"),
        ("k.csv", "0;-1;0\n-1;5;-1\n0;-1;0\n"),
        ("k.csv", "\ufeff0\t-1\t0\r\n-1\t5\t-1\r\n0\t-1\t0"),
    ],
)
def test_text_files(tmp_path, name, content):
    (tmp_path / name).write_text(content, "utf-8", newline="")
    assert_array_equal(kernels.read(tmp_path / name), SHARPEN)
    assert_array_equal(kernels.read(str(tmp_path / name)), SHARPEN)


@pytest.mark.parametrize("dtype", [np.bool_, np.int8, np.uint16, np.float32, ">f8"])
@pytest.mark.parametrize("shape", [(4,), (2, 3)])
def test_numpy_files(tmp_path, dtype, shape):
    array = np.asfortranarray(np.arange(np.prod(shape)).reshape(shape)).astype(dtype)
    np.save(tmp_path / "k.npy", array)
    read = kernels.read(tmp_path / "k.npy")
    assert_array_equal(read, array)
    assert type(read) is np.ndarray and read.dtype == np.float64 and read.flags.writeable


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("k.txt", b"", r"k\.txt: has no numbers"),
        ("k.txt", b"a b", r"k\.txt: 'a' is not a number"),
        ("k.txt", b"\xff\xfe\x00", r"k\.txt: is not a text file"),
        ("k.csv", b"1,2\n3", r"k\.csv: every row must have as many numbers as the first, 2"),
        ("k.csv", b"1,5;2,5\n", r"line 1 has both \",\" and \";\"; write decimal points"),
        ("k.npy", b"", r"k\.npy: is not a NumPy array"),
        ("k.npy", b"1 2 3", r"k\.npy: is not a NumPy array"),
        ("k.png", b"", r"k\.png: a kernel file ends in \.txt, \.csv, \.npy"),
    ],
)
def test_files_that_hold_no_kernel(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        kernels.read(tmp_path / name)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 2, 2)), r"1 or 2 dimensions.*got shape \(2, 2, 2\)"),
        (np.float64(1), r"got shape \(\)"),
        (np.zeros((0, 3)), r"got shape \(0, 3\)|is not a NumPy array"),
        (np.zeros(3, complex), r"holds real numbers, got complex128"),
        (np.array(["1"]), r"holds real numbers, got <U1"),
        (np.array([{}], object), r"is not a NumPy array of numbers"),
    ],
)
def test_arrays_that_are_no_kernel(tmp_path, array, message):
    np.save(tmp_path / "k.npy", array, allow_pickle=True)
    with pytest.raises(ValueError, match=message):
        kernels.read(tmp_path / "k.npy")


def test_files_that_are_cut_off_packed_or_not_there(tmp_path):
    np.save(tmp_path / "k.npy", np.zeros((30, 30)))
    whole = (tmp_path / "k.npy").read_bytes()
    (tmp_path / "k.npy").write_bytes(whole[:-100])
    with pytest.raises(ValueError, match=r"k\.npy: is not a NumPy array"):
        kernels.read(tmp_path / "k.npy")
    np.savez(tmp_path / "k.npz", np.zeros(3))
    (tmp_path / "k.npz").rename(tmp_path / "packed.npy")
    with pytest.raises(ValueError, match=r"packed\.npy: is not a NumPy array"):
        kernels.read(tmp_path / "packed.npy")
    for name in ("none.txt", "none.npy"):
        with pytest.raises(ValueError, match=r"there is no such kernel"):
            kernels.read(tmp_path / name)
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(ValueError, match=r"folder\.csv: is a folder, not a kernel"):
        kernels.read(tmp_path / "folder.csv")


def test_a_large_file_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(typed_numbers, "LARGEST_TEXT", 10)
    monkeypatch.setattr(typed_numbers, "LARGEST", 4)
    (tmp_path / "k.txt").write_text("1 2 3 4 5 6 7 8")
    with pytest.raises(ValueError, match=r"k\.txt: is too large for a kernel file: it has 15 B"):
        kernels.read(tmp_path / "k.txt")
    np.save(tmp_path / "k.npy", np.zeros(5))
    with pytest.raises(ValueError, match=r"has the shape \(5,\), and at most 4 elements"):
        kernels.read(tmp_path / "k.npy")


@pytest.mark.parametrize("text", ["1", "0 -1; 1/2 .5", "−1e5\n2"])
def test_text_of_numbers_only(text):
    assert typed_numbers.looks_typed(text)


@pytest.mark.parametrize("text", ["", "mean3", "k1.txt", "e", "; ,", "3x3.csv", "1 a"])
def test_text_that_is_not_of_numbers_only(text):
    assert not typed_numbers.looks_typed(text)
