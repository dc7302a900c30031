"""Fourier transforms along the columns of a block, as loop nests.

The lanes are neighbouring columns, so a transform is textbook code in which every number is a
vector.  A transform of N = r · m elements is one pass of m butterflies, each a transform of r
elements, and then r transforms of m elements (Cooley and Tukey, 1965).  Forwards the frequencies
come out in a permuted order and backwards they are taken in that order (decimation in frequency,
then in time), so nothing is ever put in order.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from striate.common.arrays import Array
from striate.nest import algebra as a
from striate.nest.algebra import Expression, Nest, Store, Tensor, strides_of

_RADIX = 8


@dataclass(frozen=True)
class Complex:
    """A complex number whose parts are expressions."""

    real: Expression
    imag: Expression

    def __add__(self, other: Complex) -> Complex:
        return Complex(self.real + other.real, self.imag + other.imag)

    def __sub__(self, other: Complex) -> Complex:
        return Complex(self.real - other.real, self.imag - other.imag)

    def __mul__(self, other: Complex) -> Complex:
        return Complex(
            self.real * other.real - self.imag * other.imag,
            self.real * other.imag + self.imag * other.real,
        )

    def turned(self, eighths: int) -> Complex:
        """Times ``exp(2πi · eighths / 8)``."""
        if eighths % 2:
            # Times (1 + i) / √2, then by quarters.
            root = math.sqrt(0.5)
            half = Complex((self.real - self.imag) * root, (self.real + self.imag) * root)
            return half.turned(eighths - 1)
        match eighths % 8:
            case 0:
                return self
            case 2:
                return Complex(a.Constant(0.0) - self.imag, self.real)
            case 4:
                return Complex(a.Constant(0.0) - self.real, a.Constant(0.0) - self.imag)
            case _:
                return Complex(self.imag, a.Constant(0.0) - self.real)


def transform(values: Sequence[Complex], sign: int) -> list[Complex]:
    """X[p] = Σ_q x[q] · exp(sign · 2πi · p q / n) for n = 1, 2, 4 or 8, by halves."""
    n = len(values)
    if n == 1:
        return list(values)
    even, odd = transform(values[::2], sign), transform(values[1::2], sign)
    turned = [value.turned(sign * p * 8 // n) for p, value in enumerate(odd)]
    return [e + o for e, o in zip(even, turned, strict=True)] + [
        e - o for e, o in zip(even, turned, strict=True)
    ]


def radices(length: int) -> list[int]:
    """Powers of two up to 8 whose product is `length`."""
    found = []
    while length > 1:
        found.append(min(_RADIX, length))
        length //= found[-1]
    return found


@dataclass(frozen=True)
class Pass:
    """Butterflies of `radix` elements that lie `distance` rows apart; see `passes`."""

    length: int
    radix: int
    distance: int

    def turns(self) -> npt.NDArray[np.float64]:
        """Twiddle factors (radix, distance, 2): ``exp(-2πi · p j / (radix · distance))``."""
        size = self.radix * self.distance
        angles = np.outer(np.arange(self.radix), np.arange(self.distance)) * (-2 * np.pi / size)
        return np.stack([np.cos(angles), np.sin(angles)], -1)

    def nest(self, width: int, pitch: int, backwards: bool) -> Nest:
        """One pass over `width` columns of rows that are `pitch` numbers apart, in place.

        Real parts are the first `length` rows of "rows", imaginary parts the next. Forwards:

            for b, j, x:
                t = transform of rows[b, j + distance · q, x] for q
                rows[b, j + distance · p, x] = t[p] · turns[p, j] for p

        and backwards the same undone, without the division by `radix`.
        """
        r, m = self.radix, self.distance
        axes = [("b", self.length // (r * m)), ("j", m), ("x", width)]
        axes = [(axis, extent) for axis, extent in axes if extent > 1 or axis == "x"]
        kept = {axis for axis, _ in axes}

        def part(index: int, imaginary: int) -> Tensor:
            strides = {"b": r * m * pitch, "j": pitch, "x": 1}
            offset = (index * m + imaginary * self.length) * pitch
            return Tensor(
                "rows", strides_of({k: v for k, v in strides.items() if k in kept}), offset
            )

        def turn(p: int) -> Complex:
            parts = [
                Tensor("turns", strides_of({"j": 2} if "j" in kept else {}), 2 * m * p + i)
                for i in (0, 1)
            ]
            sign = a.Constant(-1.0 if backwards else 1.0)
            return Complex(parts[0], parts[1] * sign if backwards else parts[1])

        values = [Complex(part(q, 0), part(q, 1)) for q in range(r)]
        if backwards:
            values = [v * turn(p) if p and m > 1 else v for p, v in enumerate(values)]
        values = transform(values, 1 if backwards else -1)
        if not backwards:
            values = [v * turn(p) if p and m > 1 else v for p, v in enumerate(values)]
        stores = [
            Store(part(p, i), value)
            for p, v in enumerate(values)
            for i, value in enumerate((v.real, v.imag))
        ]
        return Nest(tuple(axes), tuple(stores))


def passes(length: int) -> Iterator[Pass]:
    """The passes of a forward transform; backwards they are taken from the last to the first."""
    distance = length
    for radix in radices(length):
        distance //= radix
        yield Pass(length, radix, distance)


def order(length: int) -> npt.NDArray[np.intp]:
    """Which frequency stands in each row after a forward transform."""
    frequencies = np.zeros(1, np.intp)
    below = 1
    for radix in radices(length):
        # Output p of a pass holds the frequencies that are p modulo the radix, of what is left.
        frequencies = (frequencies[:, None] + below * np.arange(radix)).ravel()
        below *= radix
    return frequencies


def kernel_spectrum(kernel: Array, dilation: int, length: int) -> Array:
    """What each row of a transformed block is multiplied with, (length, taps x, 2).

    The correlation along y becomes a product with the conjugate transform of the kernel's
    columns; the division that undoing the transform needs is done here.
    """
    spread = np.zeros((length, kernel.shape[1]))
    spread[: (kernel.shape[0] - 1) * dilation + 1 : dilation] = kernel
    spectrum = np.fft.fft(spread, axis=0).conj()[order(length)] / length
    return np.stack([spectrum.real, spectrum.imag], -1)
