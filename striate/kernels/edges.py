"""Kernels that respond to edges. Their numbers sum to 0, so that flat areas become 0.

Directions are those of an image on a screen: x to the right, y down. The arrays are made for
convolution, which flips them: `sobel("x")` has its positive column on the left and gives a
positive response where brightness rises to the right. Correlation (OpenCV's ``filter2D``,
``scipy.ndimage.correlate``, a network's layer) gives the opposite sign with the same array; to
get the same response from it, flip the array: ``sobel("x")[::-1, ::-1]``.
"""

from __future__ import annotations

import numpy as np

from striate.common.arguments import true_or_false, whole_number
from striate.common.arithmetic import unwatched
from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.kernels._kernel_arguments import check_size, one_of, width

COMPASS = ("N", "NE", "E", "SE", "S", "SW", "W", "NW")
"""The directions of `kirsch`, clockwise: N is up, E is right."""
WIDEST_SOBEL = 31
"""As in OpenCV. The binomial coefficients of much larger ones overflow, and say no more."""


def laplace(neighbours: int = 8, size: int = 3) -> Array:
    """How much brighter a pixel is than its neighbours; (size, size).

    ::

        laplace(8)    -1 -1 -1      laplace(4)     0 -1  0
                      -1  8 -1                    -1  4 -1
                      -1 -1 -1                     0 -1  0

    The first is the Laplace kernel of *From Convolution to Neural Network*, section Kernels:
    -1 everywhere and in the middle as many as there are others. It may have any odd size; the
    one with 4 neighbours has size 3. The response is positive on bright spots and lines, as
    the article has it, so it is the negative of the Laplace operator ∂²/∂x² + ∂²/∂y², whose
    simplest sampling is ``-laplace(4)`` (``scipy.ndimage.laplace``).

    Symmetric: convolution and correlation are the same.
    """
    size = check_size(size, "laplace", odd=True, minimum=3)
    neighbours = whole_number(neighbours, "neighbours", "laplace")
    if neighbours not in (4, 8):
        raise StriateValueError(f"laplace: neighbours must be 4 or 8, got {neighbours}")
    if neighbours == 4:
        _only_three(size, "laplace with 4 neighbours", "laplace with 8 neighbours")
        return np.array([[0.0, -1, 0], [-1, 4, -1], [0, -1, 0]])
    kernel = np.full((size, size), -1.0)
    kernel[size // 2, size // 2] = size * size - 1
    return kernel


@unwatched
def laplacian_of_gaussian(size: int | None = None, sigma: float | None = None) -> Array:
    """The Laplace kernel of a blurred image: bright spots about as wide as 2.8·sigma; (size, size).

    ::

        g(x, y) = 1/(π·sigma⁴) · (1 - r²/(2·sigma²)) · exp(-r²/(2·sigma²)) - m,    r² = x² + y²

    with x and y counted from the middle, and m such that the sum is 0. It is -∇² of the
    Gaussian of the sum 1: positive in the middle, as `laplace` is (``scipy.ndimage``'s
    ``gaussian_laplace`` has the other sign). Without `sigma` it is 1.4/9·size, without `size` it is
    2·floor(4·sigma + 0.5) + 1. ``laplacian_of_gaussian()`` has size 9 and sigma 1.4; its middle is
    0.0827; 3 pixels beside it, beyond the change of sign at r = sigma·√2, stands -0.0110.

    Symmetric: convolution and correlation are the same. Source: D. Marr, E. Hildreth, "Theory of
    Edge Detection", Proceedings of the Royal Society B 207 (1980).
    """
    who = "laplacian_of_gaussian"
    if sigma is not None:
        sigma = width(sigma, "sigma", who)
    if size is None:
        size = 9 if sigma is None else 2 * int(4 * sigma + 0.5) + 1
    size = check_size(size, who, minimum=3)
    if sigma is None:
        sigma = 1.4 * size / 9
    x = (np.arange(size) - (size - 1) / 2) / sigma
    half = (x**2 + x[:, None] ** 2) / 2
    kernel = (1 - half) * np.exp(-half) / (np.pi * sigma**4)
    return np.asarray(kernel - kernel.mean())


def sobel(axis: str = "x", size: int = 3, *, normalize: bool = False) -> Array:
    """The rise of brightness to the right (axis "x") or down ("y"), smoothed across it.

    ::

        sobel("x")    1  0 -1       sobel("y")     1  2  1
                      2  0 -2                      0  0  0
                      1  0 -1                     -1 -2 -1

    Convolution gives a positive response where brightness rises to the right or down; correlation
    gives a negative one. Size n, odd and at most 31, is the product of n binomial coefficients
    across the axis and n - 2 of them convolved with [1, 0, -1] along it: OpenCV's
    ``getDerivKernels``, which is made for correlation and so comes flipped. The numbers are
    whole and grow quickly with the size; ``normalize=True`` divides them so that a slope of 1 per
    pixel gives 1.

    Source: I. Sobel, G. Feldman, "A 3x3 Isotropic Gradient Operator for Image Processing" (1968).
    """
    size = _gradient_size(size, "sobel")
    if size > WIDEST_SOBEL:
        raise StriateValueError(f"sobel: size must be at most {WIDEST_SOBEL}, got {size}")
    along = np.convolve(_binomial(size - 2), [1.0, 0, -1])
    return _gradient(along, _binomial(size), axis, normalize, "sobel")


def prewitt(axis: str = "x", size: int = 3, *, normalize: bool = False) -> Array:
    """The slope to the right (axis "x") or down ("y") of the plane that fits the pixels best.

    ::

        prewitt("x")    1  0 -1       prewitt("y")     1  1  1
                        1  0 -1                        0  0  0
                        1  0 -1                       -1 -1 -1

    Convolution gives a positive response where brightness rises to the right or down; correlation
    gives a negative one. Size n (odd) has n equal rows [n//2 … 1 0 -1 … -n//2]: the least-squares
    fit of a plane to n × n pixels. ``normalize=True`` divides them so that a slope of 1 per
    pixel gives 1.

    Source: J. M. S. Prewitt, "Object Enhancement and Extraction", Picture Processing and
    Psychopictorics (1970).
    """
    size = _gradient_size(size, "prewitt")
    along = np.arange(size // 2, -(size // 2) - 1, -1.0)
    return _gradient(along, np.ones(size), axis, normalize, "prewitt")


def scharr(axis: str = "x", size: int = 3, *, normalize: bool = False) -> Array:
    """The rise of brightness to the right (axis "x") or down ("y"), the same at all angles; (3, 3).

    ::

        scharr("x")     3  0  -3       scharr("y")     3  10   3
                       10  0 -10                       0   0   0
                        3  0  -3                      -3 -10  -3

    Convolution gives a positive response where brightness rises to the right or down; correlation
    gives a negative one. The weights make the direction (atan2 of the y and the x response) as
    right as 3 × 3 numbers can. ``normalize=True`` divides by 32: a slope of 1 gives 1.

    Source: H. Scharr, "Optimale Operatoren in der Digitalen Bildverarbeitung", Heidelberg (2000).
    """
    _only_three(_gradient_size(size, "scharr"), "scharr", "sobel")
    return _gradient(np.array([1.0, 0, -1]), np.array([3.0, 10, 3]), axis, normalize, "scharr")


def roberts(axis: str = "x") -> Array:
    """The rise of brightness along one diagonal of 2 × 2 pixels; (2, 2).

    ::

        roberts("x")    1  0       roberts("y")     0  1
                        0 -1                       -1  0

    Convolution with "x" gives ``lower right - upper left``, positive where brightness rises to
    the lower right; with "y" it gives ``lower left - upper right``, positive where brightness rises
    to the lower left. Correlation gives the negative. Both diagonals together are a gradient
    turned by 45 degrees, so its magnitude is the edge's.

    Source: L. G. Roberts, "Machine Perception of Three-Dimensional Solids", MIT (1963).
    """
    if one_of(axis, ("x", "y"), "axis", "roberts") == "x":
        return np.array([[1.0, 0], [0, -1]])
    return np.array([[0.0, 1], [-1, 0]])


def kirsch(direction: str = "N") -> Array:
    """How much brighter one side of a pixel is: one of eight compass directions; (3, 3).

    ::

        kirsch("N")    -3 -3 -3       kirsch("E")     5 -3 -3       kirsch("NE")   -3 -3 -3
                       -3  0 -3                       5  0 -3                       5  0 -3
                        5  5  5                       5 -3 -3                       5  5 -3

    `direction` is "N" (up), "NE", "E" (right), "SE", "S", "SW", "W" or "NW". Convolution gives the
    greatest response where the brighter side lies in that direction; correlation where it lies
    in the opposite one. The filter of this name is the maximum over all eight: the strength of
    an edge whatever its direction, never negative since the eight responses sum to 0.

    Source: R. A. Kirsch, "Computer Determination of the Constituent Structure of Biological
    Images", Computers and Biomedical Research 4 (1971).
    """
    turn = COMPASS.index(one_of(direction, COMPASS, "direction", "kirsch"))
    # The eight pixels around the middle, clockwise from the upper left.
    around = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))
    kernel = np.full((3, 3), -3.0)
    kernel[1, 1] = 0
    for step in range(3):
        kernel[around[(4 + step + turn) % 8]] = 5  # opposite to the direction: convolution flips
    return kernel


@unwatched
def _gradient(along: Array, across: Array, axis: str, normalize: bool, who: str) -> Array:
    """The product of a derivative along `axis` and a smoothing across it."""
    kernel = np.outer(across, along)
    if true_or_false(normalize, "normalize", who):
        middle = len(along) // 2
        ramp = middle - np.arange(len(along))  # as convolution reads it: flipped
        kernel /= (along @ ramp) * across.sum()
    return kernel if one_of(axis, ("x", "y"), "axis", who) == "x" else kernel.T.copy()


def _gradient_size(size: int, who: str) -> int:
    return check_size(size, who, odd=True, minimum=3)


def _only_three(size: int, who: str, other: str) -> None:
    if size != 3:
        raise StriateValueError(f"{who} has only size 3, got {size}; {other} has every odd size")


def _binomial(size: int) -> Array:
    """The `size` binomial coefficients of the row size - 1 of Pascal's triangle."""
    row = np.ones(1)
    for _ in range(size - 1):
        row = np.convolve(row, [1.0, 1.0])
    return row
