"""striate.compat.signal against scipy.signal itself."""

import inspect
import subprocess
import sys
import warnings
from decimal import Decimal

import numpy as np
import pytest

scipy_signal = pytest.importorskip("scipy.signal")

from striate.compat import signal  # noqa: E402

FUNCTIONS = ("convolve", "correlate", "convolve2d", "correlate2d")
WHOLE = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
MODES = ("full", "same", "valid")


def both(name, *args, **options):
    """What SciPy and striate give; or the type of error that both raise."""
    ours, theirs = getattr(signal, name), getattr(scipy_signal, name)
    try:
        wanted = theirs(*args, **options)
    except Exception as error:
        with pytest.raises(type(error)):
            ours(*args, **options)
        return np.zeros(0), np.zeros(0)
    return wanted, ours(*args, **options)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_signature_is_scipys(name):
    ours, theirs = getattr(signal, name), getattr(scipy_signal, name)
    assert ours is not theirs
    assert inspect.signature(ours) == inspect.signature(theirs)
    assert (ours.__module__, ours.__name__) == ("striate.compat.signal", name)


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.parametrize("method", ["direct", "auto"])
def test_arrays(seed, method, draw, close):
    source = draw(seed)
    # The same dtype: SciPy's own choice may be a transform in the lesser of two precisions.
    dtype = source.one((*WHOLE, "float32", "float64", "longdouble", "complex64", "complex128"))
    f, g = source.array([dtype]), source.laid_out(source.kernel().astype(dtype))
    for mode in MODES:
        close(*both("convolve", f, g, mode, method))
        close(*both("correlate", f, g, mode, method))
        close(*both("convolve", g, f, mode, method))
        close(*both("correlate", g, f, mode, method))


@pytest.mark.parametrize("seed", range(60))
def test_planes(seed, draw, close):
    source = draw(seed)
    source.dimensions = 2
    f = source.array((*WHOLE, "float32", "float64", "longdouble", "complex128", ">f8"))
    g = source.laid_out(source.kernel())
    if source.one([False, False, True]):
        g = g + 1j
    for mode in MODES:
        for boundary in ("fill", "pad", "wrap", "circular", "symm", "symmetric"):
            options = {"boundary": boundary, "fillvalue": source.one([0, 1, 2.5, -3])}
            close(*both("convolve2d", f, g, mode, **options))
            close(*both("correlate2d", f, g, mode, **options))
            close(*both("correlate2d", g, f, mode, **options))


@pytest.mark.parametrize("first", ["bool", "uint8", "float16", "int32", "float32", "longdouble"])
@pytest.mark.parametrize("second", ["bool", "int16", "float16", "complex64", "object"])
@pytest.mark.parametrize("dimensions", [1, 2])
def test_dtypes(first, second, dimensions, close):
    f = np.arange(5 if dimensions == 1 else 12).reshape((-1, 3)[:dimensions]).astype(first)
    g = np.arange(3 if dimensions == 1 else 4).reshape((-1, 2)[:dimensions]).astype(second)
    for mode in MODES:
        for name in ("convolve", "correlate"):
            close(*both(name, f, g, mode, "direct"))
            close(*both(name, g, f, mode, "direct"))
    close(*both("convolve2d", f, g))
    close(*both("correlate2d", f, g))


def test_objects():
    f, g = [Decimal(1), Decimal("2.5"), Decimal(3)], [Decimal("0.1"), Decimal(2)]
    for name in ("convolve", "correlate"):
        for mode in MODES:
            wanted, got = both(name, f, g, mode)
            assert got.dtype == object
            assert got.tolist() == wanted.tolist()


def test_complex_numbers_among_objects():
    f, g = np.array([1, 2, 3], object), np.array([1j, 2 + 1j])
    for method in ("direct", "auto"):
        for first, second in ((f, g), (f, g.astype(object)), (g.astype(object), f)):
            wanted, got = both("correlate", first, second, "full", method)
            assert got.tolist() == wanted.tolist()


def test_large_enough_for_the_compiled_engine(close):
    random = np.random.default_rng(6)
    f, g = random.normal(size=(150, 130)), random.normal(size=(9, 8))
    whole, few = (f * 50).astype(np.int16), (g * 5).astype(np.int16)
    line, taps = random.normal(size=50000), random.normal(size=50)
    for mode in MODES:
        for method in ("direct", "auto"):
            close(*both("convolve", f, g, mode, method))
            close(*both("correlate", f + 1j, g, mode, method))
            close(*both("correlate", line, taps, mode, method))
            close(*both("convolve", taps, line, mode, method))
        close(*both("convolve", whole, few, mode, "direct"))
        close(*both("convolve2d", f, g, mode, "symm"))
        close(*both("correlate2d", whole, few, mode, "wrap"))
        close(*both("convolve2d", f > 1, few, mode))


def test_small_sums_beside_large_ones_keep_their_digits():
    # A transform would give them an error as large as that of the largest.
    random = np.random.default_rng(7)
    f, g = np.zeros((90, 90)), random.normal(size=(25, 25)) * np.logspace(0, -30, 25)
    f[45, 45] = 1.0
    for name in ("convolve2d", "correlate2d"):
        wanted, got = both(name, f, g, "same")
        np.testing.assert_allclose(got, wanted, rtol=1e-13)
    wanted, got = both("convolve", f, g, "same", "direct")
    np.testing.assert_allclose(got, wanted, rtol=1e-13)


def test_nan_spreads_no_further_than_the_kernel():
    f = np.ones((200, 200))
    f[100, 100] = np.nan
    for method in ("auto", "direct"):
        got = signal.convolve(f, np.ones((20, 20)), method=method)
        assert np.isnan(got).sum() == 400
    line = np.ones(100000)
    line[7] = np.inf
    got = signal.convolve(line, np.ones(2000))
    assert np.isinf(got).sum() == 2000


def test_transforms(close):
    random = np.random.default_rng(8)
    f, g = random.normal(size=(7, 5)), random.normal(size=(3, 4))
    for mode in MODES:
        close(*both("convolve", f, g, mode, "fft"))
        close(*both("correlate", f, g + 1j, mode, "fft"))
        close(*both("correlate", f.astype(np.float32), g.astype(np.float32), mode, "fft"))
        close(*both("convolve", (f * 9).astype(int), (g * 9).astype(np.int8), mode, "fft"))
    for function in (signal.convolve, signal.correlate):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            got = function([1.0, np.nan, 2.0], [1.0, 2.0], method="fft")
        assert np.isnan(got).all()
        assert [w.category for w in caught] == [RuntimeWarning]
        assert "Consider using method='direct'" in str(caught[0].message)
        assert caught[0].filename == __file__


def test_scalars():
    assert signal.convolve(3, 4) == 12
    assert signal.correlate(3, 4j) == -12j
    assert signal.correlate(3.0, 4.0) == 12.0


LINE, PLANE = np.ones(3), np.ones((3, 3))


@pytest.mark.parametrize(
    ("name", "args", "options", "says"),
    [
        ("convolve", (LINE, PLANE), {}, "same dimensionality, but have 1 and 2"),
        ("correlate", (LINE, PLANE), {}, "same dimensionality, but have 1 and 2"),
        ("convolve", (LINE, LINE, "valld"), {}, "not mode=valld"),
        ("correlate", (LINE, LINE, "valld"), {}, "not mode=valld"),
        ("convolve2d", (PLANE, PLANE, "valld"), {}, "not mode=valld"),
        ("convolve", (LINE, LINE), {"method": "slow"}, "'auto', 'direct', or 'fft'"),
        ("correlate", (LINE, LINE), {"method": "slow"}, "'auto', 'direct', or 'fft'"),
        ("convolve", ([], LINE), {}, "a cannot be empty"),
        ("convolve", (LINE, []), {}, "v cannot be empty"),
        ("convolve", (np.ones((2, 3)), np.ones((3, 2)), "valid"), {}, "(2, 3) and (3, 2)"),
        ("correlate2d", (np.ones((2, 3)), np.ones((3, 2)), "valid"), {}, "(2, 3) and (3, 2)"),
        ("convolve", (PLANE > 0, PLANE > 0), {}, "Unsupported type bool in 2 dimensions"),
        ("convolve", (PLANE.astype("O"), PLANE), {}, "Unsupported type object"),
        ("convolve", (np.array(["a"]), np.array(["b"])), {}, "Unsupported type <U1"),
        ("convolve2d", (LINE, LINE), {}, "must both be 2-D arrays"),
        ("correlate2d", (LINE, LINE), {}, "must both be 2-D arrays"),
        ("convolve2d", (PLANE > 0, PLANE > 0), {}, "not available for type bool"),
        ("convolve2d", (PLANE, PLANE), {"boundary": "mirror"}, "not 'mirror'"),
        ("convolve2d", (PLANE, PLANE), {"fillvalue": []}, "cannot be an empty array"),
        ("convolve2d", (PLANE, PLANE), {"fillvalue": [1, 2]}, "must be scalar"),
        ("convolve2d", (PLANE, PLANE), {"fillvalue": 1j}, "1j does not fit float64"),
        ("convolve2d", (PLANE.astype("u1"),) * 2, {"fillvalue": 256}, "256 does not fit uint8"),
        ("convolve2d", (PLANE.astype("u1"),) * 2, {"fillvalue": -1}, "-1 does not fit uint8"),
        ("convolve2d", (PLANE.astype("i4"),) * 2, {"fillvalue": np.nan}, "does not fit int32"),
    ],
)
@pytest.mark.filterwarnings("ignore:Casting complex values")  # SciPy's
@pytest.mark.filterwarnings("ignore:invalid value encountered")  # SciPy's
def test_errors_are_scipys(name, args, options, says):
    with pytest.raises(Exception) as theirs:
        getattr(scipy_signal, name)(*args, **options)
    with pytest.raises(theirs.type) as ours:
        getattr(signal, name)(*args, **options)
    assert says in str(ours.value)


def test_other_names_are_scipys():
    assert signal.fftconvolve is scipy_signal.fftconvolve
    assert signal.choose_conv_method is scipy_signal.choose_conv_method
    assert set(scipy_signal.__all__) == set(signal.__all__)
    assert {*scipy_signal.__all__, "convolve"} <= set(dir(signal))
    with pytest.raises(AttributeError, match="no_such_filter"):
        signal.no_such_filter  # noqa: B018


def test_every_way_to_import_works():
    code = """
from striate.compat.signal.windows import hann
from striate.compat.signal import *
from striate.compat import ndimage, signal
import scipy.signal, striate.compat
assert hann is scipy.signal.windows.hann and signal.windows is scipy.signal.windows
assert convolve is signal.convolve is not scipy.signal.convolve
assert savgol_filter is scipy.signal.savgol_filter
assert striate.compat.ndimage is ndimage
from striate.compat.ndimage import median_filter, sobel
try:
    striate.compat.optimize
except AttributeError as error:
    assert "optimize" in str(error)
else:
    raise SystemExit("striate.compat has no optimize")
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_striate_itself_does_not_import_scipys_packages():
    code = "import sys, striate.compat; assert not any(n.startswith('scipy.') for n in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
