"""The loop nests of "column-fft": Fourier transforms along the columns of a block, and products.

The lanes are neighbouring columns, so a transform is textbook code in which every number is a
vector.  A transform of N = r · m elements is one pass of m butterflies, each a transform of r
elements, and then r transforms of m elements (Cooley and Tukey, 1965).  Forwards the frequencies
come out in a permuted order and backwards they are taken in that order (decimation in frequency,
then in time), so nothing is ever put in order.  In between, each row, which has one frequency, is
correlated along x with the kernel's spectrum at that frequency.

Axes: ``b`` and ``j`` count the transforms of a pass and the elements within them; ``k``, ``u``,
``x``, ``s`` as in `striate.signal.nests`.  Buffers: "rows", the block, real parts before imaginary
ones; "twiddles"; "weights", the kernel's spectrum; "products".
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

    def rotated(self, eighths: int) -> Complex:
        """Times ``exp(2πi · eighths / 8)``."""
        if eighths % 2:
            # Times (1 + i) / √2, then by quarters.
            root = math.sqrt(0.5)
            half = Complex((self.real - self.imag) * root, (self.real + self.imag) * root)
            return half.rotated(eighths - 1)
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
    rotated = [value.rotated(sign * p * 8 // n) for p, value in enumerate(odd)]
    return [e + o for e, o in zip(even, rotated, strict=True)] + [
        e - o for e, o in zip(even, rotated, strict=True)
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
    """One pass of a transform of columns: butterflies of some elements each.

    Attributes:
        length: elements of the whole transform.
        radix: elements of a butterfly, 2, 4 or 8.
        distance: rows from one element of a butterfly to the next.
    """

    length: int
    radix: int
    distance: int

    def twiddles(self) -> npt.NDArray[np.float64]:
        """Twiddle factors ``exp(-2πi · p j / (radix · distance))``, (radix, distance, 2).

        The last axis has real and imaginary part.
        """
        size = self.radix * self.distance
        angles = np.outer(np.arange(self.radix), np.arange(self.distance)) * (-2 * np.pi / size)
        return np.stack([np.cos(angles), np.sin(angles)], -1)

    def nest(self, width: int, pitch: int, backwards: bool) -> Nest:
        """One pass over `width` columns of rows that are `pitch` numbers apart, in place.

        Real parts are the first `length` rows of "rows", imaginary parts the next. Forwards:

            for b, j, x:
                t = transform of rows[b, j + distance · q, x] for q
                rows[b, j + distance · p, x] = t[p] · twiddles[p, j] for p

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

        def twiddle(p: int) -> Complex:
            parts = [
                Tensor("twiddles", strides_of({"j": 2} if "j" in kept else {}), 2 * m * p + i)
                for i in (0, 1)
            ]
            sign = a.Constant(-1.0 if backwards else 1.0)
            return Complex(parts[0], parts[1] * sign if backwards else parts[1])

        values = [Complex(part(q, 0), part(q, 1)) for q in range(r)]
        if backwards:
            values = [v * twiddle(p) if p and m > 1 else v for p, v in enumerate(values)]
        values = transform(values, 1 if backwards else -1)
        if not backwards:
            values = [v * twiddle(p) if p and m > 1 else v for p, v in enumerate(values)]
        stores = [
            Store(part(p, i), value)
            for p, v in enumerate(values)
            for i, value in enumerate((v.real, v.imag))
        ]
        return Nest(tuple(axes), tuple(stores))


def products_along_rows(
    length: int,
    columns: tuple[int, int, int],
    taps: int,
    dilation: int,
    pitch: int,
    target_pitch: int,
) -> Nest:
    """Transformed columns times the transformed kernel, summed up along the rows:

    for k, b, u, x:
        products[k, b, u, x] = Σ_s rows[k, b, u, x + s · dilation] · weights[k, s]      (complex)

    A row has blocks b of runs u of `columns`, which says how many there are of each: runs share
    each weight.
    """
    blocks, runs, width = columns
    run = {"b": runs * width, "u": width, "x": 1}

    def part(buffer: str, own_pitch: int, imaginary: int, *, moving: bool) -> Tensor:
        strides = {"k": own_pitch, "s": dilation if moving else 0, **run}
        return Tensor(buffer, strides_of(strides), imaginary * length * own_pitch)

    real, imag = (part("rows", pitch, i, moving=True) for i in (0, 1))
    weight, imag_weight = (
        Tensor("weights", strides_of({"k": 2 * taps, "s": 2}), i) for i in (0, 1)
    )
    terms = (real * weight, imag * imag_weight, real * imag_weight, imag * weight)
    sums = [a.Accumulator(i) for i in range(4)]
    stores = (
        Store(part("products", target_pitch, 0, moving=False), sums[0] - sums[1]),
        Store(part("products", target_pitch, 1, moving=False), sums[2] + sums[3]),
    )
    axes = (("k", length), ("b", blocks), ("u", runs), ("x", width), ("s", taps))
    return Nest(axes, stores, terms, ("s",), "sum")


def passes(length: int) -> Iterator[Pass]:
    """The passes of a forward transform; backwards they are taken from the last to the first."""
    distance = length
    for radix in radices(length):
        distance //= radix
        yield Pass(length, radix, distance)


def frequency_order(length: int) -> npt.NDArray[np.intp]:
    """Which frequency stands in each row after a forward transform."""
    frequencies = np.zeros(1, np.intp)
    below = 1
    for radix in radices(length):
        # Output p of a pass holds the frequencies that are p modulo the radix, of what is left.
        frequencies = (frequencies[:, None] + below * np.arange(radix)).ravel()
        below *= radix
    return frequencies


def kernel_spectrum(kernel: Array, dilation: int, length: int) -> Array:
    """What each row of a transformed block is multiplied with: the transform of the kernel.

    The correlation along y becomes a product with the conjugate transform of the kernel's
    columns; the division that undoing the transform needs is done here.

    Args:
        kernel: (taps y, taps x).
        dilation: rows from one tap to the next along y.
        length: rows of the transform.

    Returns:
        (length, taps x, 2), real and imaginary part, the frequencies in `frequency_order`.
    """
    dilated = np.zeros((length, kernel.shape[1]))
    dilated[: (kernel.shape[0] - 1) * dilation + 1 : dilation] = kernel
    spectrum = np.fft.fft(dilated, axis=0).conj()[frequency_order(length)] / length
    return np.stack([spectrum.real, spectrum.imag], -1)
