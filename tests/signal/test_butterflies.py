"""Transforms of columns against NumPy's."""

from __future__ import annotations

import numpy as np
import pytest

from striate.nest.compiler import compile_nest
from striate.nest.schedule import Schedule
from striate.signal.butterflies import (
    Complex,
    frequency_order,
    kernel_spectrum,
    passes,
    radices,
    transform,
)

LENGTHS = [2, 4, 8, 16, 32, 64, 128, 256]
WIDTH, PITCH = 5, 8  # less than a vector, and columns that belong to nobody


def run(rows: np.ndarray, length: int, *, backwards: bool) -> None:
    steps = list(passes(length))
    for step in reversed(steps) if backwards else steps:
        nest = step.nest(WIDTH, PITCH, backwards)
        arrays = {"rows": rows, "twiddles": np.ascontiguousarray(step.twiddles())}
        kernel = compile_nest(nest, Schedule("x", 8), element="f64")
        kernel(*(arrays[name] for name in nest.buffers))


@pytest.mark.parametrize("length", LENGTHS)
def test_passes_are_a_fourier_transform(length: int) -> None:
    rng = np.random.default_rng(length)
    rows = rng.standard_normal((2, length, PITCH))
    before = rows.copy()
    given = before[0] + 1j * before[1]
    run(rows, length, backwards=False)
    wanted = np.fft.fft(given, axis=0)[frequency_order(length)]
    got = rows[0] + 1j * rows[1]
    np.testing.assert_allclose(got[:, :WIDTH], wanted[:, :WIDTH], atol=1e-13 * length)
    np.testing.assert_array_equal(rows[..., WIDTH:], before[..., WIDTH:])
    run(rows, length, backwards=True)
    np.testing.assert_allclose(rows[..., :WIDTH] / length, before[..., :WIDTH], atol=1e-13)


@pytest.mark.parametrize("length", LENGTHS)
def test_every_frequency_stands_in_one_row(length: int) -> None:
    assert sorted(frequency_order(length)) == list(range(length))
    assert np.prod(radices(length)) == length
    assert set(radices(length)) <= {2, 4, 8}


@pytest.mark.parametrize("eighths", range(-8, 9))
def test_rotations_by_eighths(eighths: int) -> None:
    def value(expression: object) -> float:
        from striate.nest.algebra import Binary, Constant

        if isinstance(expression, Constant):
            return expression.value
        assert isinstance(expression, Binary)
        left, right = value(expression.left), value(expression.right)
        return {"add": left + right, "sub": left - right, "mul": left * right}[expression.operation]

    from striate.nest.algebra import Constant

    rotated = Complex(Constant(2.0), Constant(-3.0)).rotated(eighths)
    wanted = (2 - 3j) * np.exp(2j * np.pi * eighths / 8)
    np.testing.assert_allclose(
        complex(value(rotated.real), value(rotated.imag)), wanted, atol=1e-14
    )


def test_one_number_is_its_own_transform() -> None:
    from striate.nest.algebra import Constant

    number = Complex(Constant(1.0), Constant(2.0))
    assert transform([number], 1) == [number]


@pytest.mark.parametrize("dilation", [1, 2, 3])
@pytest.mark.parametrize("length", [32, 64])
def test_the_spectrum_of_a_kernel_correlates(dilation: int, length: int) -> None:
    rng = np.random.default_rng(0)
    kernel, column = rng.standard_normal((5, 3)), rng.standard_normal(length)
    spectrum = kernel_spectrum(kernel, dilation, length)
    assert spectrum.shape == (length, 3, 2)
    factors = spectrum[..., 0] + 1j * spectrum[..., 1]
    for s in range(3):
        transformed = np.fft.fft(column)[frequency_order(length)] * factors[:, s]
        swept = np.empty(length, complex)
        swept[frequency_order(length)] = transformed
        swept = np.fft.ifft(swept) * length  # the division is in the spectrum already
        left = length - 4 * dilation
        wanted = [
            sum(kernel[r, s] * column[y + r * dilation] for r in range(5)) for y in range(left)
        ]
        np.testing.assert_allclose(swept[:left].real, wanted, atol=1e-13)
