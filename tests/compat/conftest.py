"""Random arguments for the comparisons with SciPy, and what it means to agree with it."""

import numpy as np
import pytest


class Draw:
    """A source of random arrays of all layouts."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.dimensions = int(self.random.integers(1, 4))

    def one(self, values):
        return values[self.random.integers(len(values))]

    def array(self, dtypes):
        """An array of up to three dimensions, often with axes of length 1."""
        shape = self.random.choice([1, 1, 2, 3, 5, 8], self.dimensions).tolist()
        return self.laid_out(self.numbers(shape, np.dtype(self.one(dtypes))))

    def kernel(self):
        shape = self.random.integers(1, 5, self.dimensions).tolist()
        return self.numbers(shape, np.dtype(self.one(("int64", "float64", "float64"))))

    def numbers(self, shape, dtype):
        if dtype.kind in "iu":
            limits = np.iinfo(dtype)
            low, high = self.one([(limits.min, limits.max), (max(limits.min, -9), 9)])
            native = dtype.newbyteorder("=")
            return self.random.integers(low, high, shape, native, endpoint=True).astype(dtype)
        values = self.random.normal(size=shape)
        if dtype.kind == "b":
            return values > 0
        if dtype.kind == "c":
            values = values + 1j * self.random.normal(size=shape)
        return values.astype(dtype)

    def laid_out(self, array):
        """The same numbers: C- or Fortran-ordered, strided, backwards or read-only."""
        layout = self.random.integers(5)
        if layout == 0:
            return np.asfortranarray(array)
        if layout == 1:
            wide = np.zeros([2 * n for n in array.shape], array.dtype)
            wide[(slice(None, None, 2),) * array.ndim] = array
            return wide[(slice(None, None, 2),) * array.ndim]
        if layout == 2:
            return array[(slice(None, None, -1),) * array.ndim]
        if layout == 3:
            array.flags.writeable = False
        return array

    def origins(self, shape):
        return [int(self.random.integers(-(n // 2), (n - 1) // 2 + 1)) for n in shape]


def _close(wanted, got):
    """The same shape, dtype and numbers: integers exactly, floats to the rounding of sums."""
    assert got.shape == wanted.shape
    assert got.dtype == wanted.dtype
    if wanted.dtype.kind not in "fc":
        np.testing.assert_array_equal(got, wanted)
        return
    fine = np.finfo(wanted.dtype).eps < 1e-10
    finite = np.abs(wanted[np.isfinite(wanted)])
    size = float(finite.max()) if finite.size else 0.0
    tolerance = 1e-12 if fine else 1e-6
    np.testing.assert_allclose(got, wanted, rtol=tolerance, atol=tolerance * size)


@pytest.fixture
def draw():
    """Makes a source of random arrays from a seed."""
    return Draw


@pytest.fixture
def close():
    """Asserts that two arrays agree."""
    return _close
