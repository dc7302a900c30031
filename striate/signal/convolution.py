"""`convolve` and `correlate`: the public functions of arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy.typing as npt

from striate.common.arrays import Array
from striate.signal.output_arrays import aligned_empty
from striate.signal.sweep import explain, run
from striate.signal.sweep_arguments import Ints, SweepArguments

if TYPE_CHECKING:
    from striate.signal.methods import Choice


def convolve(
    f: npt.ArrayLike,
    g: npt.ArrayLike,
    mode: str = "full",
    *,
    border: str | Sequence[str] = "fill",
    fill_value: complex = 0,
    origin: str | Ints = "center",
    stride: Ints = 1,
    dilation: Ints = 1,
    axes: Ints | None = None,
    out: Array | None = None,
    method: str = "auto",
) -> Array:
    """Convolve `f` with the kernel `g`, which is flipped (article 001, discrete convolutions):

        y[n] = Σ_i f[n - i] · g[i]

    See also `correlate`, the same without the flip.

    Args:
        f: array of any dtype that NumPy can multiply. One to three of its axes are convolved.
        g: the kernel, with one dimension for each of `axes`.
        mode: how many outputs there are:

            - ``"full"``: every position where f and g meet, ``length + taps - 1`` outputs an axis
            - ``"same"``: as many outputs as f has elements
            - ``"valid"``: only where the whole kernel lies on f, ``length - taps + 1`` outputs
        border: what lies beyond the ends of f, as in scipy.ndimage; or one for each of `axes`:

            - ``"fill"``     k k k|a b c d|k k k, where k is `fill_value`
            - ``"nearest"``  a a a|a b c d|d d d
            - ``"reflect"``  c b a|a b c d|d c b
            - ``"mirror"``   d c b|a b c d|c b a
            - ``"wrap"``     b c d|a b c d|a b c
        fill_value: what the border "fill" holds; a number that the result's dtype holds.
        origin: which element of g is g[0] in mode "same". ``"center"``, as scipy.signal: index
            ``(taps - 1) // 2``. ``"corner"``: index 0, so that no output reads what comes after it
            (causal, as in article 001). Or the index itself, or one for each of `axes`.
        stride: every stride-th output, from the first; or one for each of `axes`.
        dilation: distance between the elements of f that neighbours in g meet; or one for each of
            `axes`.
        axes: the axes of f that are convolved; the others are batches or channels. Default: all.
        out: array of the result's shape to write to. Its dtype must be able to hold the result's.
        method: the algorithm: ``"auto"`` or one that `explain_method` names.

    Returns:
        Array of dtype ``np.result_type(f, g)``. Integers are exact as long as the dtype holds them
        (they wrap as NumPy's do); for booleans the sum is "or" and the product "and".

    Raises:
        ValueError: f or g is empty, their dimensions do not fit, a name is unknown, a number out
            of range, or in mode "valid" the kernel does not fit into f.
        TypeError: a dtype that cannot be multiplied, or an `out` that cannot hold the result.
    """
    call = SweepArguments("convolve", f, g, mode, border, origin, stride, dilation, axes, flip=True)
    return _result(call, fill_value, out, method)


def correlate(
    f: npt.ArrayLike,
    g: npt.ArrayLike,
    mode: str = "full",
    *,
    border: str | Sequence[str] = "fill",
    fill_value: complex = 0,
    origin: str | Ints = "center",
    stride: Ints = 1,
    dilation: Ints = 1,
    axes: Ints | None = None,
    out: Array | None = None,
    method: str = "auto",
) -> Array:
    """Correlate `f` with the kernel `g`, which is not flipped; a complex one is conjugated:

        y[n] = Σ_i f[n + i] · conj(g[i])

    This is what the convolutional layers of networks compute (article 002). Parameters, result
    and errors are those of `convolve`, except that ``origin="center"`` is index ``taps // 2``,
    as in scipy.signal.correlate and scipy.ndimage.correlate.
    """
    call = SweepArguments(
        "correlate", f, g, mode, border, origin, stride, dilation, axes, flip=False
    )
    return _result(call, fill_value, out, method)


def explain_method(
    f: npt.ArrayLike,
    g: npt.ArrayLike,
    mode: str = "full",
    *,
    border: str | Sequence[str] = "fill",
    fill_value: complex = 0,
    origin: str | Ints = "center",
    stride: Ints = 1,
    dilation: Ints = 1,
    axes: Ints | None = None,
    method: str = "auto",
) -> Choice:
    """Tell by which algorithm `convolve` would convolve `f` with `g`, and why.

    Parameters and errors are those of `convolve`; nothing is computed. Printed, the answer is a
    table of all algorithms with what each would cost:

    - ``"direct"``: the sum as it stands, in compiled loops
    - ``"separable"``: a kernel of low rank, as a few pairs of a column and a row
    - ``"box"``: equal weights, by running sums along columns and sums by doubling along rows
    - ``"column-fft"``: transforms of blocks of columns, sums along the rows
    - ``"fft"``: one transform of everything (SciPy's)
    - ``"overlap-save"``: transforms of overlapping blocks of a long signal (SciPy's)
    - ``"numpy"``: sums of shifted copies, for small inputs and rare dtypes

    The last five round differently from the first two, within a few units of the arithmetic's
    epsilon of the largest sum; whole numbers are exact with all of them.
    """
    call = SweepArguments("convolve", f, g, mode, border, origin, stride, dilation, axes, flip=True)
    return explain(call.request(fill_value), method)


def _result(call: SweepArguments, fill_value: complex, out: Array | None, method: str) -> Array:
    request = call.request(fill_value)
    if out is None:
        out = aligned_empty(request.shape, request.dtype, call.f)
    else:
        call.check_out(out)
    run(request, out, method)
    return out
