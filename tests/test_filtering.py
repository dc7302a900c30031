"""`filter_image` against SciPy, OpenCV and plain sums in float64."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from striate import kernels
from striate.common.arrays import Array
from striate.signal.filter_image import filter_image

ALL = ("uint8", "uint16", "float32", "float64")
BORDERS = ("fill", "nearest", "reflect", "mirror", "wrap")
SKEW = np.array([[1.0, 2, -1], [0.5, -3, 0.25], [2, 1, -2]])
# NumPy's name for what lies beyond the edge.
PADS: dict[str, Any] = {
    "fill": "constant",
    "nearest": "edge",
    "reflect": "symmetric",
    "mirror": "reflect",
    "wrap": "wrap",
}


def picture(shape: tuple[int, ...], dtype: str, seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    if dtype.startswith("u"):
        return rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    return rng.normal(size=shape).astype(dtype)


def textbook(plane: Array, kernel: Array, border: str, fill: float = 0) -> Array:
    """One plane's convolution in float64, tap by tap; the origin is (n - 1) // 2."""
    rows, columns = kernel.shape
    up, left = rows // 2, columns // 2
    around = ((up, rows - 1 - up), (left, columns - 1 - left))
    more: dict[str, Any] = {"constant_values": fill} if border == "fill" else {}
    wide = np.pad(plane.astype(np.float64), around, PADS[border], **more)
    height, width = plane.shape
    total = np.zeros(plane.shape)
    for i in range(rows):
        for j in range(columns):
            # Tap (i, j) reads i - origin rows above: the flip.
            y, x = rows - 1 - i, columns - 1 - j
            total += kernel[i, j] * wide[y : y + height, x : x + width]
    return total


def each_plane(image: Array, kernel: Array, border: str, fill: float = 0) -> Array:
    if image.ndim == 2:
        return textbook(image, kernel, border, fill)
    planes = [textbook(image[..., c], kernel, border, fill) for c in range(image.shape[2])]
    return np.stack(planes, axis=2)


def check(got: Array, exact: Array, dtype: str) -> None:
    """Compare with sums in float64: integers to be rounded and clipped, reals to be close."""
    assert got.dtype == dtype
    assert got.shape == exact.shape
    if dtype.startswith("u"):
        top = np.iinfo(dtype).max
        assert np.abs(got - np.clip(exact, 0, top)).max() <= 0.5 + 1.5e-6 * top
        # Away from the halves there is only one right number.
        sure = np.abs(exact - np.floor(exact) - 0.5) > 1.5e-6 * top
        assert sure.mean() > 0.5
        np.testing.assert_array_equal(got[sure], np.clip(np.rint(exact), 0, top)[sure])
    else:
        close = 1e-12 if dtype == "float64" else 1e-5
        np.testing.assert_allclose(got, exact, rtol=close, atol=close * 10)


@pytest.mark.parametrize("dtype", ALL)
@pytest.mark.parametrize("shape", [(13, 17), (13, 17, 1), (12, 19, 3)])
@pytest.mark.parametrize("border", BORDERS)
def test_against_the_textbook(dtype: str, shape: tuple[int, ...], border: str) -> None:
    image = picture(shape, dtype)
    before = image.copy()
    got = filter_image(image, SKEW / 3, border=border)
    check(got, each_plane(image, SKEW / 3, border), dtype)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (2, 2), (2, 3), (4, 4), (5, 3), (7, 1)])
def test_kernels_of_every_shape(shape: tuple[int, int]) -> None:
    image = picture((11, 16, 3), "float64")
    kernel = np.random.default_rng(1).normal(size=shape)
    check(filter_image(image, kernel), each_plane(image, kernel, "reflect"), "float64")


@pytest.mark.parametrize("border", BORDERS)
def test_kernels_larger_than_the_image(border: str) -> None:
    image = picture((3, 4), "float64")
    kernel = np.random.default_rng(1).normal(size=(9, 11))
    check(filter_image(image, kernel, border=border), textbook(image, kernel, border), "float64")


@pytest.mark.parametrize(
    ("border", "mode"), [(b, "constant" if b == "fill" else b) for b in BORDERS]
)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float64"])
def test_against_scipy(dtype: str, border: str, mode: str) -> None:
    image = picture((40, 31, 3), dtype)
    exact = np.stack(
        [
            ndimage.convolve(image[..., c].astype(np.float64), SKEW, mode=mode, cval=7)
            for c in range(3)
        ],
        axis=2,
    )
    check(filter_image(image, SKEW, border=border, fill_value=7), exact, dtype)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize(
    ("border", "other"),
    [("reflect", "REFLECT"), ("mirror", "REFLECT_101"), ("nearest", "REPLICATE")],
)
def test_against_opencv(dtype: str, border: str, other: str) -> None:
    cv2 = pytest.importorskip("cv2")
    image = picture((33, 47, 3), dtype)
    kernel = SKEW * 2  # its numbers are halves of whole ones, so that every sum is exact
    theirs = cv2.filter2D(
        image, -1, kernel[::-1, ::-1].copy(), borderType=getattr(cv2, f"BORDER_{other}")
    )
    np.testing.assert_array_equal(filter_image(image, kernel, border=border), theirs)


def test_the_laplace_code_of_article_001() -> None:
    image = picture((21, 18), "uint8")
    kernel = -np.ones((3, 3))
    kernel[1, 1] = 8
    expected = np.zeros(image.shape)
    for i in range(1, 20):
        for j in range(1, 17):
            value = (image[i - 1 : i + 2, j - 1 : j + 2] * kernel).sum()
            expected[i, j] = min(255, max(0, value))
    got = filter_image(image, "laplace")
    np.testing.assert_array_equal(got[1:-1, 1:-1], expected[1:-1, 1:-1])


def test_a_frame_only_when_asked_for() -> None:
    image = np.full((9, 8), 200, np.uint8)
    assert (filter_image(image, "laplace") == 0).all()
    assert (filter_image(image, "mean3") == 200).all()
    framed = filter_image(image, "mean3", border="fill")
    assert framed[0, 0] == round(200 * 4 / 9)
    assert (framed[1:-1, 1:-1] == 200).all()
    assert (filter_image(image, "mean3", border="fill", fill_value=200) == 200).all()


def test_borders_for_each_axis() -> None:
    image = picture((8, 9), "float64")
    got = filter_image(image, SKEW, border=("nearest", "wrap"))
    wide = np.pad(np.pad(image, ((0, 0), (1, 1)), "wrap"), ((1, 1), (0, 0)), "edge")
    check(got, textbook(wide, SKEW, "fill")[1:-1, 1:-1], "float64")


def test_convolution_flips() -> None:
    dot = np.zeros((5, 5), np.uint8)
    dot[2, 2] = 1
    kernel = np.arange(1, 10).reshape(3, 3)
    np.testing.assert_array_equal(filter_image(dot, kernel)[1:4, 1:4], kernel)


@pytest.mark.parametrize("dtype", ALL)
@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_is_untouched(dtype: str, channels: int) -> None:
    image = picture((14, 9, channels), dtype)
    got = filter_image(image, SKEW, offset=3)
    np.testing.assert_array_equal(got[..., -1], image[..., -1])
    check(got[..., :-1], each_plane(image[..., :-1], SKEW, "reflect") + 3, dtype)


@pytest.mark.parametrize("dtype", ALL)
def test_identity_gives_the_same_pixels_in_a_new_array(dtype: str) -> None:
    image = picture((6, 7, 4), dtype)
    got = filter_image(image, "identity")
    np.testing.assert_array_equal(got, image)
    assert not np.shares_memory(got, image)
    assert got.flags.c_contiguous and got.flags.writeable


def test_halves_are_rounded_to_even_and_sums_clipped() -> None:
    image = np.array([[1, 3, 5, 7, 255, 0]], np.uint8)
    np.testing.assert_array_equal(filter_image(image, [[0.5]]), [[0, 2, 2, 4, 128, 0]])
    np.testing.assert_array_equal(filter_image(image, [[2]]), [[2, 6, 10, 14, 255, 0]])
    np.testing.assert_array_equal(filter_image(image, [[-2]]), np.zeros((1, 6)))
    got = filter_image(image, [[-1]], offset=128)
    np.testing.assert_array_equal(got, [[127, 125, 123, 121, 0, 128]])
    wide = np.array([[40000, 65535]], np.uint16)
    np.testing.assert_array_equal(filter_image(wide, [[1.5]]), [[60000, 65535]])


def test_reals_are_neither_rounded_nor_clipped() -> None:
    image = np.array([[0.25, -3, 1000]], np.float32)
    np.testing.assert_array_equal(filter_image(image, [[-2]]), [[-0.5, 6, -2000]])


def test_a_chain_is_clipped_at_its_end_only() -> None:
    image = picture((16, 15, 3), "uint8")
    twice = each_plane(each_plane(image, SKEW, "mirror"), -SKEW / 9, "mirror")
    check(filter_image(image, [SKEW, -SKEW / 9], border="mirror"), twice, "uint8")
    # What one kernel makes negative the next may bring back.
    np.testing.assert_array_equal(filter_image(image, [[[-4]], [[-0.25]]]), image)
    np.testing.assert_array_equal(filter_image(image, ("identity", "0 0 0; 0 1 0; 0 0 0")), image)


@pytest.mark.parametrize("name", ["sobel", "prewitt", "scharr", "roberts"])
def test_magnitude(name: str) -> None:
    image = picture((20, 23, 3), "uint8") // 8
    x, y = (kernels.named(f"{name}-{axis}").arrays[0] for axis in "xy")
    a, b = each_plane(image, x, "reflect"), each_plane(image, y, "reflect")
    check(filter_image(image, f"{name}-magnitude"), np.sqrt(a**2 + b**2), "uint8")


def test_the_magnitude_of_one_kernel_is_its_absolute_value() -> None:
    kernel = kernels.Kernel("strength", (SKEW,), "magnitude")
    for dtype in ("uint8", "float64"):
        image = picture((9, 8, 3), dtype)
        check(filter_image(image, kernel), np.abs(each_plane(image, SKEW, "reflect")), dtype)


def test_the_magnitude_of_extreme_reals() -> None:
    image = np.array([[1e-200, 1e200]])
    pair = kernels.Kernel("pair", (np.array([[3.0]]), np.array([[4.0]])), "magnitude")
    np.testing.assert_allclose(filter_image(image, pair), 5 * image, rtol=1e-15)


def test_maximum_over_eight_directions() -> None:
    image = picture((20, 23), "uint16") // 16
    arrays = kernels.named("kirsch").arrays
    assert len(arrays) == 8
    best = np.max([textbook(image, array, "reflect") for array in arrays], axis=0)
    check(filter_image(image, "kirsch"), best, "uint16")


def test_sobel_is_positive_where_it_gets_brighter() -> None:
    ramp = np.arange(0, 80, 10, dtype=np.float64)
    across, down = np.tile(ramp, (8, 1)), np.tile(ramp[:, None], (1, 8))
    assert (filter_image(across, "sobel-x")[2:-2, 2:-2] == 80).all()
    assert (filter_image(down, "sobel-y")[2:-2, 2:-2] == 80).all()
    assert (filter_image(across, "sobel-y")[2:-2, 2:-2] == 0).all()


def test_gray() -> None:
    image = picture((9, 8, 4), "uint8")
    luma = image[..., :3].astype(np.float64) @ [0.299, 0.587, 0.114]
    exact = textbook(luma, SKEW, "reflect")
    check(filter_image(image[..., :3], SKEW, gray=True), exact, "uint8")
    with_alpha = filter_image(image, SKEW, gray=True)
    check(with_alpha[..., 0], exact, "uint8")
    np.testing.assert_array_equal(with_alpha[..., 1], image[..., 3])
    one = image[..., :1]
    np.testing.assert_array_equal(filter_image(one, SKEW, gray=True), filter_image(one, SKEW))


def test_size() -> None:
    image = picture((12, 12), "uint8")
    for size in (3, 5):
        expected = textbook(image, np.full((size, size), 1 / size**2), "reflect")
        check(filter_image(image, "mean", size=size), expected, "uint8")
    # In a chain the size is that of the kernels with a name.
    mixed = filter_image(image, ["mean", "0 -1 0"], size=5, offset=255)
    check(
        mixed,
        textbook(textbook(image, np.full((5, 5), 0.04), "reflect"), -np.eye(3)[1:2], "reflect")
        + 255,
        "uint8",
    )


def test_kernels_in_every_form(tmp_path: Path) -> None:
    image = picture((7, 8), "uint8")
    rows = [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]
    expected = filter_image(image, np.array(rows))
    path = tmp_path / "sharp.txt"
    path.write_text("0 -1 0\n-1 5 -1\n0 -1 0\n")
    forms: list[object] = [rows, tuple(map(tuple, rows)), "0 -1 0; -1 5 -1; 0 -1 0", path]
    forms += [kernels.resolve(rows), [rows], [np.array(rows)], [kernels.resolve(rows)]]
    for form in forms:
        np.testing.assert_array_equal(filter_image(image, form), expected)


def test_unusual_memory() -> None:
    image = picture((30, 22, 4), "uint16")
    expected = filter_image(image[::2, 3:, :3].copy(), SKEW)
    image.flags.writeable = False
    views = [image[::2, 3:, :3], np.asfortranarray(image[::2, 3:, :3]), image[::2, 3:, :3].tolist()]
    views[2] = np.asarray(views[2], ">u2")
    for view in views:
        np.testing.assert_array_equal(filter_image(view, SKEW), expected)
        assert filter_image(view, SKEW).dtype == np.uint16
    turned = filter_image(image[::-1, ::-1, :3], SKEW[::-1, ::-1])[::-1, ::-1]
    np.testing.assert_array_equal(turned, filter_image(image[..., :3], SKEW))


def test_not_a_number_spreads_as_far_as_the_kernel() -> None:
    image = np.zeros((9, 9))
    image[4, 4] = np.nan
    assert np.isnan(filter_image(image, np.ones((3, 3)))).sum() == 9


def test_large_values_of_16_bits_are_exact_enough() -> None:
    image = np.full((9, 9), 65535, np.uint16)
    for name in ("mean3", "mean9", "gaussian", "sharpen", "unsharp"):
        assert (filter_image(image, name) == 65535).all(), name


@pytest.mark.parametrize(
    ("image", "error", "match"),
    [
        (np.ones((4, 4), bool), TypeError, r"got bool; use image.astype\(np.uint8\) \* 255"),
        (np.ones((4, 4), int), TypeError, r"got int64; use image.astype\(np.float32\)"),
        (np.ones((4, 4), np.float16), TypeError, "got float16; use"),
        (np.ones((4, 4), complex), TypeError, "complex128; an image is an array of numbers"),
        ([["a", "b"]], TypeError, "an image is an array of numbers"),
        (np.ones(4, np.uint8), ValueError, r"\(height, width\).*got \(4,\)$"),
        (np.ones((3, 9, 9), np.uint8), ValueError, r"got \(3, 9, 9\); .*np.moveaxis"),
        (np.ones((9, 9, 5), np.uint8), ValueError, r"1 to 4 channels, got \(9, 9, 5\)$"),
        (np.ones((2, 9, 9, 3), np.uint8), ValueError, "batch one by one"),
        (np.ones((0, 9), np.uint8), ValueError, r"image is empty: its shape is \(0, 9\)"),
        (np.ones((9, 0, 3), np.uint8), ValueError, r"image is empty: its shape is \(9, 0, 3\)"),
    ],
)
def test_bad_images(image: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=f"^filter_image: .*{match}"):
        filter_image(image, "mean3")


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"border": "reflct"}, ValueError, 'border must be one of .*did you mean "reflect"'),
        ({"border": ("wrap", "miror")}, ValueError, 'did you mean "mirror"'),
        ({"border": ("wrap",)}, ValueError, r"one name or \(vertical, horizontal\)"),
        ({"fill_value": "0"}, TypeError, "fill_value must be a number"),
        ({"fill_value": np.nan}, ValueError, "fill_value must be finite"),
        ({"offset": np.inf}, ValueError, "offset must be finite"),
        ({"gray": 1}, TypeError, "gray must be True or False"),
        ({"kernel": []}, ValueError, "the list of kernels is empty"),
        ({"kernel": "laplcae"}, ValueError, "'laplace'"),
        ({"kernel": ["mean3", "laplcae"]}, ValueError, "'laplace'"),
        ({"kernel": [[np.nan]]}, ValueError, "finite"),
        ({"kernel": [[1e18]]}, ValueError, "too large: their absolute values add up to 1e"),
        ({"kernel": [[[1e9]], [[1e9]]]}, ValueError, "too large"),
        ({"kernel": np.ones((2, 2, 2))}, ValueError, r"\(2, 2, 2\)"),
        ({"kernel": np.ones((3, 3)), "size": 5}, ValueError, "size 5"),
        ({"kernel": object()}, TypeError, "kernel"),
        ({"kernel": kernels.named("mean", dimensions=1)}, ValueError, "dimensions"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        filter_image(np.ones((9, 9), np.uint8), arguments.pop("kernel", "mean3"), **arguments)


def test_sums_may_be_large_for_reals() -> None:
    image = np.ones((3, 3))
    assert (filter_image(image, [[1e200]]) == 1e200).all()


def test_no_smaller_precision_for_float64() -> None:
    image = np.array([[1.0, 1 + 2.0**-40]])
    assert all(a < b for a, b in pairwise(filter_image(image, "identity")[0]))
