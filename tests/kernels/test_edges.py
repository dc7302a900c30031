"""Kernels for edges: arrays as in books, sums, and the sign of the answer under convolution."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage

from striate import kernels

ROWS, COLUMNS = np.mgrid[0:17, 0:17].astype(float)
GRADIENTS = {"sobel": kernels.sobel, "prewitt": kernels.prewitt, "scharr": kernels.scharr}


def middle(image, kernel):
    """The answer of convolution in the middle of an image that is larger than the kernel."""
    return ndimage.convolve(image, kernel, mode="nearest")[8, 8]


def article_laplace(size):
    """The Laplace kernel as the article's program makes it."""
    kernel = np.zeros((size, size))
    centre = int(np.floor(size / 2))
    kernel[:, :] = -1
    kernel[centre, centre] = kernel.size - 1
    return kernel


@pytest.mark.parametrize("size", [3, 5, 7, 9])
def test_laplace_is_the_articles(size):
    assert_array_equal(kernels.laplace(size=size), article_laplace(size))


def test_laplace_with_four_neighbours_is_minus_that_of_scipy():
    image = np.random.default_rng(1).normal(size=(9, 8))
    answer = ndimage.convolve(image, kernels.laplace(4))
    assert_allclose(answer, -ndimage.laplace(image), atol=1e-12)
    assert_array_equal(kernels.laplace(), [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]])


@pytest.mark.parametrize(("size", "sigma"), [(9, 1.4), (3, 0.5), (4, 0.8), (11, 2.0), (15, 2.2)])
def test_laplacian_of_gaussian_by_its_formula(size, sigma):
    middle = (size - 1) / 2
    expected = np.zeros((size, size))
    for row in range(size):
        for column in range(size):
            square = (row - middle) ** 2 + (column - middle) ** 2
            expected[row, column] = (
                (1 - square / (2 * sigma**2))
                * math.exp(-square / (2 * sigma**2))
                / (math.pi * sigma**4)
            )
    expected -= expected.sum() / size**2
    assert_allclose(kernels.laplacian_of_gaussian(size, sigma), expected, atol=1e-13)


def test_laplacian_of_gaussian_is_minus_the_second_derivatives():
    sigma, step = 2.0, 1e-4

    def bell(x, y):
        return math.exp(-(x * x + y * y) / (2 * sigma**2)) / (2 * math.pi * sigma**2)

    kernel = kernels.laplacian_of_gaussian(sigma=sigma)
    size = len(kernel)
    assert size == 17
    for x, y in [(0, 0), (2, 1), (-3, 2), (0, 5)]:
        around = bell(x + step, y) + bell(x - step, y) + bell(x, y + step) + bell(x, y - step)
        laplacian = (around - 4 * bell(x, y)) / step**2
        assert kernel[size // 2 + y, size // 2 + x] == pytest.approx(-laplacian, abs=2e-5)


def test_laplacian_of_gaussian_has_the_sizes_of_its_docstring():
    default = kernels.laplacian_of_gaussian()
    assert_array_equal(default, kernels.laplacian_of_gaussian(9, 1.4))
    assert_array_equal(default, kernels.laplacian_of_gaussian(9))
    assert_array_equal(kernels.laplacian_of_gaussian(18), kernels.laplacian_of_gaussian(18, 2.8))
    assert kernels.laplacian_of_gaussian(sigma=1.4).shape == (13, 13)
    assert_allclose(default[4, [1, 4, 7]], [-0.0110, 0.0827, -0.0110], atol=5e-5)


def test_gradients_as_in_books():
    assert_array_equal(kernels.sobel("x"), [[1, 0, -1], [2, 0, -2], [1, 0, -1]])
    assert_array_equal(kernels.sobel("y"), [[1, 2, 1], [0, 0, 0], [-1, -2, -1]])
    assert_array_equal(kernels.prewitt("x"), [[1, 0, -1], [1, 0, -1], [1, 0, -1]])
    assert_array_equal(kernels.prewitt("y"), [[1, 1, 1], [0, 0, 0], [-1, -1, -1]])
    assert_array_equal(kernels.scharr("x"), [[3, 0, -3], [10, 0, -10], [3, 0, -3]])
    assert_array_equal(kernels.scharr("y"), [[3, 10, 3], [0, 0, 0], [-3, -10, -3]])
    assert_array_equal(kernels.roberts("x"), [[1, 0], [0, -1]])
    assert_array_equal(kernels.roberts("y"), [[0, 1], [-1, 0]])


@pytest.mark.parametrize("name", GRADIENTS)
def test_a_rise_to_the_right_or_down_is_positive_under_convolution(name):
    x, y = GRADIENTS[name]("x"), GRADIENTS[name]("y")
    assert middle(COLUMNS, x) > 0 and middle(COLUMNS, y) == 0
    assert middle(ROWS, y) > 0 and middle(ROWS, x) == 0
    assert ndimage.correlate(COLUMNS, x)[8, 8] < 0  # as the docstrings say


@pytest.mark.parametrize("name", ["sobel", "prewitt"])
def test_gradients_agree_with_scipys_filters(name):
    image = np.random.default_rng(2).normal(size=(9, 8))
    for axis, number in (("x", 1), ("y", 0)):
        expected = getattr(ndimage, name)(image, number)
        assert_allclose(ndimage.convolve(image, GRADIENTS[name](axis)), expected, atol=1e-12)


@pytest.mark.parametrize("size", [3, 5, 7, 9, 15, 31])
@pytest.mark.parametrize("normalize", [False, True])
def test_sobel_is_opencvs_turned_for_convolution(size, normalize):
    cv2 = pytest.importorskip("cv2")
    for axis, orders in (("x", (1, 0)), ("y", (0, 1))):
        across, down = cv2.getDerivKernels(*orders, size, ktype=cv2.CV_64F)
        expected = (down @ across.T)[::-1, ::-1]
        kernel = kernels.sobel(axis, size)
        assert_array_equal(kernel, expected)
        if normalize:
            ramp = COLUMNS if axis == "x" else ROWS
            scaled = kernels.sobel(axis, size, normalize=True)
            assert_allclose(scaled / scaled.max(), kernel / kernel.max())
            if size <= 15:
                assert middle(3 * ramp, scaled) == pytest.approx(3)


def test_scharr_is_opencvs_turned_for_convolution():
    cv2 = pytest.importorskip("cv2")
    across, down = cv2.getDerivKernels(1, 0, cv2.FILTER_SCHARR, ktype=cv2.CV_64F)
    assert_array_equal(kernels.scharr("x"), (down @ across.T)[::-1, ::-1])


def test_scharr_normalized_is_divided_by_32():
    assert_array_equal(kernels.scharr("y", normalize=True) * 32, kernels.scharr("y"))


@pytest.mark.parametrize("size", [3, 5, 9])
def test_prewitt_is_the_slope_of_the_best_plane(size):
    patch = np.random.default_rng(size).normal(size=(size, size))
    y, x = np.mgrid[0:size, 0:size] - size // 2
    plane = np.stack([x.ravel(), y.ravel(), np.ones(size * size)], axis=1)
    slopes = np.linalg.lstsq(plane, patch.ravel(), rcond=None)[0]
    for axis, slope in zip("xy", slopes[:2], strict=True):
        kernel = kernels.prewitt(axis, size, normalize=True)
        assert (patch * kernel[::-1, ::-1]).sum() == pytest.approx(slope)
        assert kernels.prewitt(axis, size).max() == size // 2


def test_roberts_looks_along_the_diagonals():
    # With SciPy's origin for even sizes; where the answer lies does not change its sign.
    assert middle(ROWS + COLUMNS, kernels.roberts("x")) == 2
    assert middle(ROWS - COLUMNS, kernels.roberts("x")) == 0
    assert middle(ROWS - COLUMNS, kernels.roberts("y")) == 2
    assert middle(ROWS + COLUMNS, kernels.roberts("y")) == 0


def test_kirsch_answers_to_the_brighter_side():
    towards = {
        "N": -ROWS,
        "NE": COLUMNS - ROWS,
        "E": COLUMNS,
        "SE": ROWS + COLUMNS,
        "S": ROWS,
        "SW": ROWS - COLUMNS,
        "W": -COLUMNS,
        "NW": -ROWS - COLUMNS,
    }
    assert tuple(towards) == kernels.COMPASS
    for direction, image in towards.items():
        answers = {name: middle(image, kernels.kirsch(name)) for name in kernels.COMPASS}
        assert max(answers, key=answers.__getitem__) == direction
        assert answers[direction] > 0


def test_kirsch_as_in_books():
    assert_array_equal(kernels.kirsch("N"), [[-3, -3, -3], [-3, 0, -3], [5, 5, 5]])
    assert_array_equal(kernels.kirsch("E"), [[5, -3, -3], [5, 0, -3], [5, -3, -3]])
    assert_array_equal(kernels.kirsch("NE"), [[-3, -3, -3], [5, 0, -3], [5, 5, -3]])
    assert_array_equal(kernels.kirsch(), kernels.kirsch("N"))
    assert_array_equal(sum(kernels.kirsch(name) for name in kernels.COMPASS), np.zeros((3, 3)))


@pytest.mark.parametrize(
    "kernel",
    [
        *(kernels.laplace(size=size) for size in (3, 5, 7)),
        kernels.laplace(4),
        *(kernels.laplacian_of_gaussian(size) for size in (3, 4, 7, 20)),
        *(kernels.laplacian_of_gaussian(sigma=sigma) for sigma in (0.5, 3.0)),
        *(kernels.sobel(axis, size) for axis in "xy" for size in (3, 7, 31)),
        *(kernels.prewitt(axis, size) for axis in "xy" for size in (3, 7, 31)),
        *(kernels.scharr(axis, normalize=True) for axis in "xy"),
        *(kernels.roberts(axis) for axis in "xy"),
        *(kernels.kirsch(direction) for direction in kernels.COMPASS),
    ],
)
def test_flat_areas_become_zero(kernel):
    assert kernel.dtype == np.float64
    assert kernel.sum() == pytest.approx(0, abs=1e-15 * kernel.size * abs(kernel).max())


@pytest.mark.parametrize("size", [3, 5, 9])
def test_symmetry(size):
    for kernel in (kernels.laplace(size=size), kernels.laplacian_of_gaussian(size)):
        assert_array_equal(kernel, kernel.T)
        assert_array_equal(kernel, kernel[::-1])
    for gradient in (kernels.sobel, kernels.prewitt):
        assert_array_equal(gradient("x", size), -gradient("x", size)[:, ::-1])
        assert_array_equal(gradient("x", size), gradient("x", size)[::-1])
        assert_array_equal(gradient("y", size), gradient("x", size).T)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kernels.laplace(6), r"laplace: neighbours must be 4 or 8, got 6"),
        (lambda: kernels.laplace(4, 5), r"4 neighbours has only size 3, got 5; laplace with 8"),
        (lambda: kernels.laplace(size=1), r"laplace: size must be at least 3, got 1"),
        (lambda: kernels.laplace(size=4), r"laplace: size must be odd.*use 3 or 5"),
        (lambda: kernels.laplacian_of_gaussian(2), r"size must be at least 3, got 2"),
        (lambda: kernels.laplacian_of_gaussian(5, 1e-5), r"sigma must be between 0.01 and 1e6"),
        (lambda: kernels.sobel("z"), r"sobel: axis must be one of x, y, got 'z'"),
        (lambda: kernels.sobel(0), r"sobel: axis must be one of x, y, got 0"),
        (lambda: kernels.sobel("x", 33), r"sobel: size must be at most 31, got 33"),
        (lambda: kernels.prewitt("x", 4), r"prewitt: size must be odd"),
        (lambda: kernels.scharr("x", 5), r"scharr has only size 3, got 5; sobel has every odd"),
        (lambda: kernels.roberts("xy"), r"roberts: axis must be one of x, y"),
        (lambda: kernels.kirsch("SSE"), r"kirsch: direction must be one of.*did you mean 'SE'\?"),
    ],
)
def test_values_that_make_no_kernel(call, message):
    with pytest.raises(ValueError, match=message):
        call()
