"""Winograd's matrices: exact in fractions, and in two dimensions the textbook correlation."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.ops import winograd
from striate.ops.winograd import Matrix, correlate_tiles, transforms

# Outputs and taps of a tile along one axis.
SIZES = [(2, 3), (3, 3), (4, 3), (5, 3), (6, 3), (2, 5), (3, 5), (4, 5)]
fractions = st.fractions(-50, 50, max_denominator=30)


def times(matrix: Matrix, values: list[Fraction]) -> list[Fraction]:
    return [sum((a * v for a, v in zip(row, values, strict=True)), Fraction(0)) for row in matrix]


def turned(matrix: Matrix) -> Matrix:
    return tuple(zip(*matrix, strict=True))


def correlation(inputs: list[Fraction], taps: list[Fraction]) -> list[Fraction]:
    """One multiplication at a time."""
    outputs = len(inputs) - len(taps) + 1
    return [sum(inputs[i + r] * tap for r, tap in enumerate(taps)) for i in range(outputs)]


def units(count: int) -> list[list[Fraction]]:
    return [[Fraction(int(i == j)) for i in range(count)] for j in range(count)]


@pytest.mark.parametrize(("m", "r"), SIZES)
def test_the_identity_holds_for_every_unit_vector(m: int, r: int) -> None:
    """Both sides are linear in the inputs and in the taps, so this proves it for all numbers."""
    t = transforms(m, r)
    for inputs in units(m + r - 1):
        for taps in units(r):
            seen, filters = times(t.inputs, inputs), times(t.filters, taps)
            products = [a * b for a, b in zip(seen, filters, strict=True)]
            assert times(turned(t.outputs), products) == correlation(inputs, taps)


@pytest.mark.parametrize(("m", "r"), SIZES)
@given(data=st.data())
def test_the_identity_holds_for_fractions(m: int, r: int, data: st.DataObject) -> None:
    t = transforms(m, r)
    inputs = data.draw(st.lists(fractions, min_size=m + r - 1, max_size=m + r - 1))
    taps = data.draw(st.lists(fractions, min_size=r, max_size=r))
    seen, filters = times(t.inputs, inputs), times(t.filters, taps)
    products = [a * b for a, b in zip(seen, filters, strict=True)]
    assert times(turned(t.outputs), products) == correlation(inputs, taps)


@pytest.mark.parametrize(("m", "r"), SIZES)
def test_the_gradient_of_the_taps_is_exact(m: int, r: int) -> None:
    """dg = G' [ (A dy) * (B' d) ], for every unit vector of inputs and of output gradients."""
    t = transforms(m, r)
    for inputs in units(m + r - 1):
        for gradient in units(m):
            seen, other = times(t.inputs, inputs), times(t.outputs, gradient)
            products = [a * b for a, b in zip(seen, other, strict=True)]
            expected = [
                sum((gradient[i] * inputs[i + j] for i in range(m)), Fraction(0)) for j in range(r)
            ]
            assert times(turned(t.filters), products) == expected


@pytest.mark.parametrize(("m", "r"), SIZES)
def test_matrices(m: int, r: int) -> None:
    t = transforms(m, r)
    assert (t.size, t.outputs_count, t.taps) == (m + r - 1, m, r)
    shapes = {name: (len(getattr(t, name)), len(getattr(t, name)[0]))
              for name in ("inputs", "filters", "outputs")}  # fmt: skip
    assert shapes == {"inputs": (t.size, t.size), "filters": (t.size, r), "outputs": (t.size, m)}
    # Inputs and outputs, transformed for every image, meet whole numbers only.
    for matrix in (t.inputs, t.outputs):
        assert all(value.denominator == 1 for row in matrix for value in row)
    # No row is nothing: the compiled loops rely on that.
    for matrix in (t.inputs, t.filters, t.outputs, turned(t.outputs), turned(t.filters)):
        assert all(any(row) for row in matrix)


def test_the_matrices_of_lavin_and_gray() -> None:
    """F(2, 3) as printed in their paper of 2015, but for signs and factors of rows."""
    t = transforms(2, 3)
    printed = ((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1))
    for row, other in zip(t.inputs, printed, strict=True):
        scale = next(a / b for a, b in zip(row, other, strict=True) if b)
        assert list(row) == [scale * value for value in other]


def textbook(image: np.ndarray, filters: np.ndarray) -> np.ndarray:
    size = len(filters)
    height, width = image.shape[0] - size + 1, image.shape[1] - size + 1
    result = np.zeros((height, width, filters.shape[3]))
    for y in range(height):
        for x in range(width):
            for i in range(size):
                for j in range(size):
                    result[y, x] += image[y + i, x + j] @ filters[i, j]
    return result


@pytest.mark.parametrize(("m", "r"), SIZES)
@pytest.mark.parametrize(("down", "across"), [(1, 1), (1, 3), (3, 2), (4, 5)])
def test_tiles_are_the_textbook_correlation(m: int, r: int, down: int, across: int) -> None:
    rng = np.random.default_rng(m)
    image = rng.standard_normal((down * m + r - 1, across * m + r - 1, 5))
    filters = rng.standard_normal((r, r, 5, 7))
    expected = textbook(image, filters)
    actual = correlate_tiles(image, filters, m)
    assert actual.shape == expected.shape
    assert np.abs(actual - expected).max() <= 1e-13 * np.abs(expected).max()


@pytest.mark.parametrize(("m", "r"), SIZES)
def test_gradients_of_a_tile(m: int, r: int) -> None:
    """dF = G' [(A dY A') * (B' D B)] G, and dD the correlation of dY with the turned filter,
    against how sum(dY * Y) changes as numbers of F and D do (it is linear in both)."""
    t = transforms(m, r)
    b, g, a = (np.array(matrix, float) for matrix in (t.inputs, t.filters, t.outputs))
    rng = np.random.default_rng(m)
    image, taps = rng.standard_normal((t.size, t.size)), rng.standard_normal((r, r))
    gradient = rng.standard_normal((m, m))

    def value(image: np.ndarray, taps: np.ndarray) -> float:
        return float((textbook(image[..., None], taps[..., None, None])[..., 0] * gradient).sum())

    def slopes(array: np.ndarray, name: str) -> np.ndarray:
        result = np.zeros_like(array)
        for place in np.ndindex(array.shape):
            step = np.zeros_like(array)
            step[place] = 1.0
            ends = [value(**{"image": image, "taps": taps, name: array + s * step})
                    for s in (1, -1)]  # fmt: skip
            result[place] = (ends[0] - ends[1]) / 2
        return result

    filters = g.T @ ((a @ gradient @ a.T) * (b @ image @ b.T)) @ g
    np.testing.assert_allclose(filters, slopes(taps, "taps"), rtol=0, atol=1e-11)
    padded = np.pad(gradient, r - 1)
    # Rows of dD by m at a time: zeros fill the last tile.
    more = np.pad(padded, (0, -t.size % m))
    wide = correlate_tiles(more[..., None], taps[::-1, ::-1, None, None], m)[..., 0]
    np.testing.assert_allclose(wide[: t.size, : t.size], slopes(image, "image"), rtol=0, atol=1e-11)


def test_points_are_exact_in_binary() -> None:
    for points in winograd.POINTS.values():
        assert len(set(points)) == len(points)
        assert all(Fraction(float(point)) == point for point in points)
        alone = [point for point in points if -point not in points]
        assert len(alone) == len(points) % 2 ^ 1
