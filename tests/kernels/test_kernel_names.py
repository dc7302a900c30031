"""Names of kernels, the Kernel itself, and what resolve() makes of what a person gives."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage

from striate import kernels
from striate.kernels import Kernel

IMAGE = np.random.default_rng(8).normal(size=(13, 11))


def answers(kernel):
    return [ndimage.convolve(IMAGE, array) for array in kernel.arrays]


def visible(array):
    """The array, made as strong as laplace() is."""
    laplace = kernels.laplace()
    return array * (abs(laplace).sum() / abs(array).sum())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("identity", kernels.identity()),
        ("mean", kernels.mean()),
        ("gaussian", kernels.gaussian()),
        ("motion-blur", kernels.motion_blur()),
        ("sharpen", kernels.sharpen()),
        ("unsharp", kernels.unsharp()),
        ("emboss", kernels.emboss()),
        ("laplace", kernels.laplace()),
        ("laplace-cross", kernels.laplace(4)),
        ("sobel-x", kernels.sobel("x")),
        ("sobel-y", kernels.sobel("y")),
        ("prewitt-x", kernels.prewitt("x")),
        ("prewitt-y", kernels.prewitt("y")),
        ("scharr-x", kernels.scharr("x")),
        ("scharr-y", kernels.scharr("y")),
        ("roberts-x", kernels.roberts("x")),
        ("roberts-y", kernels.roberts("y")),
    ],
)
def test_names_for_images(name, expected):
    kernel = kernels.named(name)
    assert (kernel.name, kernel.combine, kernel.dimensions) == (name, "one", 2)
    assert kernel.shape == expected.shape
    assert_array_equal(kernel.arrays[0], expected)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("identity", [1]),
        ("identity3", [0, 1, 0]),
        ("mean", [1 / 3] * 3),
        ("mean3", [1 / 3] * 3),
        ("mean9", [1 / 9] * 9),
        ("gaussian", kernels.gaussian1d()),
        ("gaussian8", kernels.gaussian1d(8)),
        ("savitzky-golay", kernels.savitzky_golay()),
        ("savitzky-golay7", kernels.savitzky_golay(7)),
        ("difference", [1, -1]),
        ("central-difference", [0.5, 0, -0.5]),
        ("second-difference", [1, -2, 1]),
    ],
)
def test_names_for_signals(name, expected):
    kernel = kernels.named(name, dimensions=1)
    assert (kernel.name, kernel.combine, kernel.dimensions) == (name, "one", 1)
    assert_array_equal(kernel.arrays[0], expected)


@pytest.mark.parametrize("name", ["sobel", "prewitt", "scharr", "roberts"])
def test_magnitude_is_the_length_of_the_gradient(name):
    kernel = kernels.named(f"{name}-magnitude")
    assert kernel.combine == "magnitude"
    x = ndimage.convolve(IMAGE, kernels.named(f"{name}-x").arrays[0])
    y = ndimage.convolve(IMAGE, kernels.named(f"{name}-y").arrays[0])
    assert_allclose(kernel.combined(answers(kernel)), np.hypot(x, y), rtol=1e-14)
    assert [array.tolist() for array in kernels.named(name).arrays] == [
        array.tolist() for array in kernel.arrays
    ]


@pytest.mark.parametrize(
    ("name", "bank"),
    [
        ("kirsch", [kernels.kirsch(direction) for direction in kernels.COMPASS]),
        ("gabor-bank", [visible(array) for array in kernels.gabor_bank()]),
    ],
)
def test_maximum_over_directions(name, bank):
    kernel = kernels.named(name)
    assert kernel.combine == "maximum"
    assert_allclose(kernel.arrays, bank, rtol=1e-12)
    expected = np.max([ndimage.convolve(IMAGE, array) for array in bank], axis=0)
    assert_allclose(kernel.combined(answers(kernel)), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("laplacian-of-gaussian", kernels.laplacian_of_gaussian()),
        ("laplacian-of-gaussian5", kernels.laplacian_of_gaussian(5)),
        ("gabor", kernels.gabor()),
        ("gabor11", kernels.gabor(size=11)),
    ],
)
def test_faint_kernels_are_made_as_strong_as_laplace(name, array):
    (scaled,) = kernels.named(name).arrays
    assert_allclose(scaled, visible(array), rtol=1e-12)
    assert scaled[scaled > 0].sum() == pytest.approx(8)


@pytest.mark.parametrize("name", kernels.names(2))
def test_every_name_for_images_has_a_description_and_a_kernel(name):
    assert kernels.describe(name, 2)
    kernel = kernels.named(name, dimensions=2)
    assert kernel.dimensions == 2
    total = kernel.arrays[0].sum()
    assert min(abs(total), abs(total - 1)) < 1e-13


@pytest.mark.parametrize("name", kernels.names(1))
def test_every_name_for_signals_has_a_description_and_a_kernel(name):
    assert kernels.describe(name, 1)
    assert kernels.named(name, dimensions=1).dimensions == 1


def test_lists_of_names():
    assert set(kernels.names()) == set(kernels.names(1)) | set(kernels.names(2))
    assert len(kernels.names()) == len(set(kernels.names()))
    assert "difference" not in kernels.names(2) and "sobel-x" not in kernels.names(1)
    assert kernels.describe("mean", 1) != kernels.describe("mean", 2)


def test_sizes_by_name_and_by_number():
    assert_array_equal(kernels.named("mean5").arrays[0], kernels.mean(5))
    assert_array_equal(kernels.named("mean", 5).arrays[0], kernels.mean(5))
    assert_array_equal(kernels.named("mean5", 5).arrays[0], kernels.mean(5))
    assert_array_equal(kernels.named("laplace7").arrays[0], kernels.laplace(size=7))
    assert_array_equal(kernels.named("sobel-x", 5).arrays[0], kernels.sobel("x", 5))
    assert kernels.named("sobel-magnitude7").shape == (7, 7)
    assert kernels.named("gabor-bank9").shape == (9, 9)
    assert kernels.named("sharpen", 3).shape == kernels.named("emboss", 3).shape == (3, 3)
    assert kernels.named("kirsch3").shape == (3, 3)
    assert kernels.named("unsharp9").shape == kernels.named("motion_blur9").shape == (9, 9)


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("Gaussian", "gaussian"),
        (" SOBEL_X ", "sobel-x"),
        ("motion blur", "motion-blur"),
        ("box5", "mean5"),
        ("blur", "mean"),
        ("average", "mean"),
        ("moving-average4", "mean4"),
        ("laplacian5", "laplace5"),
        ("laplace4", "laplace-cross"),
        ("laplace8", "laplace"),
        ("log", "laplacian-of-gaussian"),
        ("unsharp-mask", "unsharp"),
        ("savgol9", "savitzky-golay9"),
    ],
)
def test_other_ways_to_write_a_name(name, same):
    assert_array_equal(kernels.named(name).arrays, kernels.named(same).arrays)


@pytest.mark.parametrize(
    ("name", "dimensions", "message"),
    [
        ("lapalce", 2, r"unknown kernel 'lapalce'; did you mean 'laplace', 'laplacian' or"),
        ("meen123456789", 2, r"unknown kernel 'meen123456789'; did you mean 'mean'\?"),
        ("guassian5", 2, r"unknown kernel 'guassian5'; did you mean 'gaussian'\?"),
        ("sobelx", 2, r"did you mean 'sobel-x', 'sobel' or 'sobel-y'\?"),
        ("moving-avrage", 1, r"did you mean 'moving-average'"),
        ("zzz", 1, r"unknown kernel 'zzz'; known are identity, mean, gaussian, savitzky-golay"),
        ("sobel-x", 1, r"'sobel-x' is for images; for signals there are identity, mean"),
        ("difference", 2, r"'difference' is for signals; for images there are identity, mean"),
        ("sobell", 1, r"unknown kernel 'sobell'; known are identity"),
        ("x" * 500, None, r"unknown kernel 'x{40}…'; known are"),
        ("", None, r"unknown kernel ''"),
        ("5", None, r"unknown kernel '5'"),
        ("mean3x3", None, r"did you mean 'mean'"),
        ("emboss5", None, r"^emboss comes only in size 3, got 5"),
        ("kirsch4", None, r"^kirsch comes only in size 3, got 4"),
        ("roberts3", None, r"^roberts-magnitude comes only in size 2, got 3"),
        ("laplace6", None, r"^laplace: size must be odd.*got 6; use 5 or 7"),
        ("mean0", None, r"^mean: size must be at least 1, got 0"),
        ("identity0", 1, r"^identity: size must be at least 1, got 0"),
        ("mean999999999", None, r"^mean: size must be at most 4096"),
    ],
)
def test_names_that_are_no_kernel(name, dimensions, message):
    with pytest.raises(ValueError, match=message):
        kernels.named(name, dimensions=dimensions)


def test_two_different_sizes_and_wrong_types():
    with pytest.raises(ValueError, match=r"'mean3': the name says size 3, but size is 5"):
        kernels.named("mean3", 5)
    with pytest.raises(TypeError, match=r"mean: size must be a whole number, got 2.5"):
        kernels.named("mean", 2.5)
    with pytest.raises(TypeError, match=r"the name of a kernel is a text, got 5"):
        kernels.named(5)


# The Kernel itself.


def test_a_kernel_holds_copies_that_stay():
    mine = np.arange(6, dtype=np.int16).reshape(2, 3)
    kernel = Kernel("mine", (mine,))
    mine[:] = 0
    (held,) = kernel.arrays
    assert_array_equal(held, [[0, 1, 2], [3, 4, 5]])
    assert held.dtype == np.float64
    with pytest.raises(ValueError, match="read-only"):
        held[0, 0] = 1
    assert kernel == kernel and kernel != Kernel("mine", (mine,))


@pytest.mark.parametrize(
    ("arrays", "combine", "message"),
    [
        ((), "one", r"mine: needs arrays of one shape, got \[\]"),
        ((np.ones(3), np.ones(4)), "magnitude", r"one shape, got \[\(3,\), \(4,\)\]"),
        ((np.ones(3), np.ones(3)), "one", r"takes one array, got 2"),
        ((np.ones(3),), "mean", r"combine must be .*got 'mean'"),
        ((np.ones(()),), "one", r"1 or 2 dimensions, got shape \(\)"),
        ((np.ones((1, 1, 1)),), "one", r"1 or 2 dimensions, got shape \(1, 1, 1\)"),
        ((np.ones((0, 3)),), "one", r"empty, of shape \(0, 3\)"),
        ((np.array([[1, 2], [np.nan, 3]]),), "one", r"must be finite, got nan at \(1, 0\)"),
        ((np.array([np.inf]),), "one", r"must be finite, got inf at \(0,\)"),
        ((np.broadcast_to(np.ones(1), 2**24 + 1),), "one", r"too large; at most 16777216"),
    ],
)
def test_arrays_that_are_no_kernel(arrays, combine, message):
    with pytest.raises(ValueError, match=message):
        Kernel("mine", arrays, combine)


def test_only_real_numbers_and_all_answers():
    with pytest.raises(TypeError, match=r"mine: a kernel holds real numbers.*complex128"):
        Kernel("mine", (np.ones(3, complex),))
    kernel = kernels.named("sobel-magnitude")
    with pytest.raises(ValueError, match=r"has 2 kernels, got 1 answers"):
        kernel.combined([IMAGE])
    one = Kernel("mine", (np.ones(1),))
    assert one.combined([IMAGE]) is IMAGE


def test_combined_keeps_single_precision():
    kernel = kernels.named("prewitt-magnitude")
    given = [np.float32([[3, -5]]), np.float32([[-4, 12]])]
    result = kernel.combined(given)
    assert result.dtype == np.float32
    assert_array_equal(result, [[5, 13]])


# resolve().


def test_resolve_takes_names_numbers_files_and_arrays(tmp_path):
    expected = [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]
    np.savetxt(tmp_path / "k.txt", expected)
    for given in (
        "sharpen",
        "0 -1 0; -1 5 -1; 0 -1 0",
        str(tmp_path / "k.txt"),
        tmp_path / "k.txt",
        np.array(expected, np.int8),
        expected,
        kernels.named("sharpen"),
    ):
        kernel = kernels.resolve(given)
        assert isinstance(kernel, Kernel) and kernel.combine == "one"
        assert_array_equal(kernel.arrays[0], expected)
    assert kernels.resolve("sharpen").name == "sharpen"
    assert kernels.resolve(tmp_path / "k.txt").name == str(tmp_path / "k.txt")


def test_resolve_puts_rows_into_the_dimensions_that_are_asked_for(tmp_path):
    assert kernels.resolve("mean3", dimensions=1).arrays[0].tolist() == [1 / 3] * 3
    assert kernels.resolve("mean3").shape == (3, 3)
    assert kernels.resolve("mean", 4, 1).shape == (4,)
    for given in ("1 2 1", [1, 2, 1], np.array([1, 2, 1])):
        assert kernels.resolve(given).shape == (1, 3)
        assert kernels.resolve(given, dimensions=1).shape == (3,)
    for given in ("1; 2; 1", [[1], [2], [1]]):
        assert kernels.resolve(given).shape == (3, 1)
        assert kernels.resolve(given, dimensions=1).shape == (3,)
    (tmp_path / "column.csv").write_text("1\n2\n1\n")
    assert kernels.resolve(tmp_path / "column.csv", dimensions=1).shape == (3,)


def test_a_name_comes_before_a_file_of_that_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mean").write_text("1")
    assert kernels.resolve("mean").shape == (3, 3)
    with pytest.raises(ValueError, match=r"mean: a kernel file ends in"):
        kernels.resolve("./mean")
    Path("mean.txt").write_text("5")
    assert kernels.resolve("mean.txt").arrays[0].tolist() == [[5]]
    Path("notes").write_text("5")
    with pytest.raises(ValueError, match=r"notes: a kernel file ends in"):
        kernels.resolve("notes")
    Path("3x3.csv").write_text("5")
    assert kernels.resolve("3x3.csv").arrays[0].tolist() == [[5]]


@pytest.mark.parametrize(
    ("given", "size", "dimensions", "message"),
    [
        ("  ", None, 2, r"the kernel is empty; give a name, numbers or a file"),
        ("gausian", None, 2, r"unknown kernel 'gausian'; did you mean 'gaussian'\?"),
        ("sobel-x", None, 1, r"'sobel-x' is for images"),
        ("1 2; 3", None, 2, r"row 2 has 1"),
        ("1 2 x", None, 2, r"'x' is not a number"),
        ("1/9 x", None, 2, r"'x' is not a number"),
        ("none.txt", None, 2, r"none\.txt: there is no such kernel file"),
        ("no/where", None, 2, r"where: a kernel file ends in"),
        ("1 2; 3 4", None, 1, r"one row of numbers, got 2 rows of 2"),
        (np.ones((2, 2)), None, 1, r"one row of numbers, got 2 rows of 2"),
        (np.ones((2, 2, 2)), None, 2, r"must have 2 dimensions, got shape \(2, 2, 2\)"),
        (np.ones(()), None, 1, r"must have 1 dimensions, got shape \(\)"),
        ([[1, 2], [3]], None, 2, r"rows must have equal lengths"),
        ([], None, 2, r"empty"),
        ([1, np.nan], None, 1, r"must be finite, got nan at \(1,\)"),
        ("1 2 1", 5, 2, r"size 5 is given, but the kernel '1 2 1' has its own"),
        (np.ones(3), 3, 1, r"size 3 is given, but the kernel 'array' has its own"),
        (kernels.named("mean"), 5, 2, r"size 5 is given, but the kernel 'mean' has its own"),
        (kernels.named("mean"), None, 1, r"'mean' has 2 dimensions, and 1 are needed"),
        ("mean", None, 3, r"dimensions of a kernel must be 1 or 2, got 3"),
    ],
)
def test_what_resolve_refuses(given, size, dimensions, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        kernels.resolve(given, size, dimensions)


@pytest.mark.parametrize("given", [None, [1, 1j], ["1", "2"], {"a": 1}, 1j])
def test_types_that_resolve_refuses(given):
    with pytest.raises(TypeError, match=r"a kernel is a name, numbers, a file or an array"):
        kernels.resolve(given)


def test_importing_kernels_leaves_scipy_alone():
    code = "import sys, striate.kernels; sys.exit('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
