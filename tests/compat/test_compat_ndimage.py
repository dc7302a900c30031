"""striate.compat.ndimage against scipy.ndimage itself."""

import inspect
import warnings

import numpy as np
import pytest

scipy_ndimage = pytest.importorskip("scipy.ndimage")

from striate.compat import ndimage  # noqa: E402

BORDERS = ("reflect", "constant", "nearest", "mirror", "wrap", "grid-wrap", "grid-mirror")
WHOLE = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
NUMBERS = (*WHOLE, "float32", "float64", "complex128", ">f8", ">i2")
LINEAR = (
    "convolve",
    "convolve1d",
    "correlate",
    "correlate1d",
    "gaussian_filter",
    "gaussian_filter1d",
    "gaussian_gradient_magnitude",
    "gaussian_laplace",
    "generic_gradient_magnitude",
    "generic_laplace",
    "laplace",
    "prewitt",
    "sobel",
    "uniform_filter",
    "uniform_filter1d",
)


def both(name, *args, **options):
    """What SciPy and striate give."""
    return getattr(scipy_ndimage, name)(*args, **options), getattr(ndimage, name)(*args, **options)


@pytest.mark.parametrize("name", LINEAR)
def test_signature_is_scipys(name):
    ours, theirs = getattr(ndimage, name), getattr(scipy_ndimage, name)
    assert ours is not theirs
    assert inspect.signature(ours) == inspect.signature(theirs)
    assert ours.__module__ == "striate.compat.ndimage"
    assert ours.__name__ == name


@pytest.mark.parametrize("seed", range(60))
def test_boxes_and_lines(seed, draw, close):
    source = draw(seed)
    f, weights = source.array(NUMBERS), source.kernel()
    options = {"mode": source.one(BORDERS), "cval": source.one([0.0, 1.5, -2.0])}
    if f.dtype.kind != "c" and weights.dtype.kind != "c":
        options["output"] = source.one([None, np.uint8, np.int16, np.float32, "float64"])
    for name in ("correlate", "convolve"):
        close(*both(name, f, weights, origin=source.origins(weights.shape), **options))
        if f.ndim > 1:
            axes = tuple(source.random.permutation(f.ndim)[: f.ndim - 1].tolist())
            close(*both(name, f, weights[0], axes=axes, **options))
    line = weights.ravel()[: int(source.random.integers(1, 7))]
    if source.one([True, False]):
        line = line + line[::-1]
    axis = int(source.random.integers(-f.ndim, f.ndim))
    for name in ("correlate1d", "convolve1d"):
        close(*both(name, f, line, axis, origin=source.origins(line.shape)[0], **options))


@pytest.mark.filterwarnings("ignore:invalid value encountered in sqrt")  # SciPy's
@pytest.mark.parametrize("seed", range(40))
def test_filters_made_of_lines(seed, draw, close):
    source = draw(seed)
    f = source.array(NUMBERS)
    options = {"cval": source.one([0.0, 1.5, -2.0])}
    options["mode"] = source.one([source.one(BORDERS), [source.one(BORDERS) for _ in f.shape]])
    sigma = source.random.uniform(0, 2, f.ndim).tolist()
    sigma[0] = source.one([0, sigma[0]])
    orders = source.random.integers(0, 3, f.ndim).tolist()
    close(*both("gaussian_filter", f, sigma, orders, truncate=source.one([4.0, 2.0]), **options))
    close(*both("gaussian_filter", f, 1.2, radius=3, axes=-1, cval=2.0, mode="constant"))
    close(*both("gaussian_laplace", f, 1.1, **options))
    close(*both("gaussian_gradient_magnitude", f, 0.9, truncate=3.0, **options))
    close(*both("sobel", f, -1, **options))
    close(*both("prewitt", f, 0, **options))
    close(*both("laplace", f, **options))
    close(*both("laplace", f, axes=(0,), mode="wrap"))
    sizes = source.random.integers(1, 6, f.ndim).tolist()
    close(*both("uniform_filter", f, sizes, origin=source.origins(sizes), **options))
    size = int(source.random.integers(1, 8))
    close(*both("uniform_filter1d", f, size, origin=source.origins([size])[0]))


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "float32", "float64", "complex64"])
def test_large_enough_for_the_compiled_engine(dtype, close):
    random = np.random.default_rng(4)
    f = random.integers(0, 200, (190, 233)).astype(dtype)
    if f.dtype.kind == "c":
        f += 1j
    whole = random.integers(-4, 5, (5, 4)).astype(float)
    options = {"mode": "mirror", "origin": (1, -1)}
    close(*both("correlate", f, whole, **options))
    close(*both("convolve", f, whole / 7, **options))
    close(*both("correlate1d", f, random.normal(size=9), 0, mode="wrap"))
    close(*both("gaussian_filter", f, 1.5))
    close(*both("uniform_filter", f, (4, 151)))
    close(*both("sobel", f, 0))


def test_flat_areas_of_whole_numbers_agree_to_the_last_bit():
    # The last bit of the sum decides between 254 and 255.
    flat = np.full((40, 50), 255, np.uint8)
    for sigma in np.linspace(0.3, 4, 30):
        for got, wanted in zip(*both("gaussian_filter", flat, sigma), strict=True):
            np.testing.assert_array_equal(got, wanted)
    for size in range(2, 12):
        np.testing.assert_array_equal(*both("uniform_filter", flat, size))
        np.testing.assert_array_equal(*both("correlate", flat, np.ones((size, 3)) / (3 * size)))
        np.testing.assert_array_equal(*both("correlate1d", flat, np.arange(size) / size))


@pytest.mark.parametrize("seed", range(30))
def test_whole_results_of_compiled_loops_agree_to_the_last_bit(seed, draw, monkeypatch):
    monkeypatch.setattr("striate.compat._real_filters.FEW", 0)
    source = draw(seed)
    random, shape = source.random, [(230,), (31, 45), (7, 12, 19)][seed % 3]
    f = source.laid_out(source.numbers(shape, np.dtype(source.one((*WHOLE, "float32", "float64")))))
    options = {"mode": source.one(BORDERS), "cval": source.one([0.0, 0.5, -2.0, 300.0])}
    options["output"] = source.one([np.dtype(name) for name in WHOLE])
    weights = random.normal(size=random.integers(1, 5, f.ndim))
    weights[random.random(weights.shape) < 0.2] = 0
    weights /= source.one([1.0, max(np.abs(weights).sum(), 0.1)])
    origin = source.origins(weights.shape)
    line = random.normal(size=int(random.integers(1, 31)))
    line = source.one([line, line + line[::-1], line - line[::-1]]) / len(line)
    axis, shift = int(random.integers(f.ndim)), source.origins(line.shape)[0]
    with np.errstate(invalid="ignore"):
        for pair in (
            both("correlate", f, weights, origin=origin, **options),
            both("convolve1d", f, line, axis, origin=shift, **options),
            both("gaussian_filter", f, random.uniform(0.4, 3), **options),
        ):
            np.testing.assert_array_equal(*pair)


def test_means_below_zero_are_cut_off_towards_it():
    f = np.array([0, 1, 2, 0, 0, 3], np.uint8)
    for cval in (-1.0, -2.0, 5.0):
        for size in (2, 3, 4):
            options = {"mode": "constant", "cval": cval}
            np.testing.assert_array_equal(*both("uniform_filter1d", f, size, **options))


def test_a_constant_larger_than_the_dtype():
    f = np.arange(12, dtype=np.uint8).reshape(3, 4)
    for cval in (3e9, -7e8, 1e17):
        options = {"mode": "constant", "cval": cval, "output": np.int64}
        np.testing.assert_array_equal(*both("correlate", f, [[1, 2], [3, 4]], **options))
        np.testing.assert_array_equal(*both("correlate1d", f, [1, 2, 4], **options))
        np.testing.assert_array_equal(*both("uniform_filter", f, 3, **options))


def test_a_large_read_only_output_is_left_alone():
    out = np.zeros((300, 300))
    out.flags.writeable = False
    for weights in (np.ones((3, 3)), np.full((3, 3), 0.3)):
        with pytest.raises(ValueError, match="read-only"):
            ndimage.correlate(np.ones((300, 300)), weights, output=out)
        assert not out.any()


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint32, np.int64, np.uint64])
@pytest.mark.parametrize("name", ["correlate", "correlate1d"])
def test_sums_that_integers_cannot_hold(name, dtype):
    f = np.array([-3.7, -1, -0.9, 300.5, -300.5, 3e9, -3e9, 1e15, 255.9])
    np.testing.assert_array_equal(*both(name, f, [1.0], output=dtype))
    limits = np.iinfo(dtype)
    f = np.array([limits.min, limits.max, 1, limits.max, limits.min], dtype)
    np.testing.assert_array_equal(*both(name, f, [1.0, -3.0, 2.0]))


def test_nothing_is_read_through_weights_of_zero(close):
    f = np.ones((7, 9))
    f[3, 4], f[6, 0] = np.nan, np.inf
    weights = np.array([[0.0, 1.0, 1e-17], [1.0, -4.0, 0.5], [0.0, 2.0, 0.0]])
    close(*both("correlate", f, weights))
    close(*both("correlate", np.tile(f, (60, 60)), weights))  # not by the loop for small arrays
    close(*both("correlate", np.ones((300, 300)), weights, mode="constant", cval=np.nan))
    close(*both("correlate1d", f, [0.0, 1.0, 0.5]))


@pytest.mark.parametrize("name", ["correlate", "convolve", "correlate1d", "convolve1d"])
@pytest.mark.parametrize("real", ["neither", "input", "weights"])
def test_complex_numbers(name, real, close):
    random = np.random.default_rng(1)
    f = random.normal(size=(5, 6)) + 1j * random.normal(size=(5, 6))
    weights = random.normal(size=(3, 2)) + 1j * random.normal(size=(3, 2))
    f, weights = f.real if real == "input" else f, weights.real if real == "weights" else weights
    kernel = weights[:, 0] if name.endswith("1d") else weights
    cval = 1.5 if real == "input" else 0.5 - 2j
    close(*both(name, f, kernel, mode="constant", cval=cval))
    if real != "input":
        own = f.copy()
        wanted = getattr(scipy_ndimage, name)(f, kernel)
        assert getattr(ndimage, name)(own, kernel, output=own) is own
        close(wanted, own)


@pytest.mark.parametrize("name", ["correlate", "correlate1d", "gaussian_filter", "uniform_filter"])
def test_output(name):
    f = np.random.default_rng(2).normal(size=(6, 8)) * 50
    weights = {"correlate": [[1.0, 2.0], [3.0, -1.0]], "correlate1d": [1.0, 2.0, -1.0]}
    argument = weights.get(name, 2)
    wanted = getattr(scipy_ndimage, name)(f, argument)
    for out in (np.empty((6, 8)), np.empty((8, 6)).T, np.empty((12, 16))[::2, ::-2], f.copy()):
        source = out if out.flags.c_contiguous and out.flags.owndata and (out == f).all() else f
        assert getattr(ndimage, name)(source, argument, output=out) is out
        np.testing.assert_allclose(out, wanted, rtol=1e-12, atol=1e-12)
    for given in (np.int16, np.dtype("float32"), "uint16", np.empty((6, 8), ">i4")):
        got = getattr(ndimage, name)(f, argument, output=given)
        np.testing.assert_array_equal(
            got, getattr(scipy_ndimage, name)(f, argument, output=given.copy())
            if isinstance(given, np.ndarray)
            else getattr(scipy_ndimage, name)(f, argument, output=given),
        )  # fmt: skip
    swapped = f.astype(">f8")
    assert getattr(ndimage, name)(swapped, argument).dtype == np.dtype("=f8")


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), ()])
def test_arrays_of_nothing_and_of_one_number(shape, close):
    f = np.full(shape, 3.0)
    close(*both("correlate", f, np.full((2,) * f.ndim, 2.0)))
    close(*both("gaussian_filter", f, 1))
    close(*both("uniform_filter", f, 2))
    close(*both("laplace", f))
    close(*both("gaussian_gradient_magnitude", f, 1.0))
    if shape:
        close(*both("correlate1d", f, [1.0, 2.0]))
        close(*both("sobel", f))


GRID = np.ones((3, 4))
READ_ONLY = np.ones((3, 4))
READ_ONLY.flags.writeable = False


@pytest.mark.parametrize(
    ("name", "args", "options", "says"),
    [
        ("correlate", (GRID, GRID), {"mode": "reflekt"}, "not supported: 'reflekt'"),
        ("correlate", (GRID, GRID), {"mode": ["wrap", "wrap"]}, "sequence of modes"),
        ("gaussian_filter", (GRID, 1), {"mode": ["wrap"]}, "got 1 values for 2 axes"),
        ("correlate", (GRID, np.ones(3)), {}, r"weights.ndim \(1\) must match len\(axes\) \(2\)"),
        ("correlate", (GRID, np.ones((0, 2))), {}, "must not be empty"),
        ("correlate1d", (GRID, []), {}, "no filter weights given"),
        ("correlate1d", (GRID, np.ones((2, 2))), {}, r"shape \(2, 2\)"),
        ("correlate", (GRID, np.ones((2, 2))), {"origin": 1}, "-(weights.shape"),
        ("correlate1d", (GRID, [1, 1]), {"origin": -2}, "-(len(weights)"),
        ("correlate1d", (GRID, [1, 1]), {"origin": 0.0}, None),
        ("uniform_filter1d", (GRID, 3), {"origin": 2}, "invalid origin"),
        ("uniform_filter1d", (GRID, 0), {}, "at least 1, not 0"),
        ("correlate1d", (GRID, [1]), {"axis": 2}, "axis 2 is out of bounds"),
        ("correlate", (GRID, [1]), {"axes": (2,)}, "axis: 2 is out of range"),
        ("correlate", (GRID, GRID), {"axes": (0, 0)}, "must be unique"),
        ("correlate", (GRID, GRID), {"axes": 1.5}, None),
        ("correlate", (GRID, GRID), {"output": READ_ONLY}, "read-only"),
        ("correlate", (GRID, GRID), {"output": np.ones((4, 3))}, "must be (3, 4), but is (4, 3)"),
        ("correlate", (GRID, GRID), {"output": "bool"}, "numeric dtype, not bool"),
        ("correlate", (GRID, 1j * GRID), {"output": np.ones((3, 4))}, "complex dtype"),
        ("correlate", (GRID, 1j * GRID), {"output": "float64"}, "complex dtype, not float64"),
        ("correlate", (GRID, 1j * GRID), {"cval": 1j}, "complex-valued cval"),
        ("correlate", (GRID, GRID), {"cval": 1j}, None),
        ("correlate", (GRID, GRID), {"cval": "1"}, "must be real number, not str"),
        ("correlate", (GRID.astype("e"), GRID), {}, "not supported"),
        ("correlate", (GRID.astype("g"), GRID), {}, "not supported"),
        ("correlate1d", (GRID.astype("O"), [1]), {}, "not supported"),
        ("correlate1d", (GRID, [1]), {"output": np.complex128}, "not supported"),
        ("sobel", (np.float64(3),), {}, "axis -1 is out of bounds"),
        ("gaussian_filter1d", (GRID, 1), {"order": -1}, "non-negative, not -1"),
        ("gaussian_filter1d", (GRID, 1), {"radius": 1.5}, "nonnegative integer, not 1.5"),
    ],
)
def test_errors_are_scipys(name, args, options, says):
    with pytest.raises(Exception) as theirs:
        getattr(scipy_ndimage, name)(*args, **options)
    with pytest.raises(theirs.type) as ours:
        getattr(ndimage, name)(*args, **options)
    if says is not None:
        plain = says.replace(r"\(", "(").replace(r"\)", ")")
        assert plain in str(ours.value)


def test_a_dtype_that_must_become_complex_warns_where_it_was_given():
    for name, kernel in (("correlate", 1j * GRID), ("correlate1d", [1j])):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            got = getattr(ndimage, name)(GRID, kernel, output=np.float32)
        assert got.dtype == np.complex64
        assert [w.category for w in caught] == [UserWarning]
        assert caught[0].filename == __file__


def test_filters_given_as_functions(close):
    f = np.random.default_rng(3).normal(size=(5, 6))

    def second(f, axis, output, mode, cval, factor, sign=1):
        kernel = [factor, -2.0 * factor, sign * factor]
        return scipy_ndimage.correlate1d(f, kernel, axis, output, mode, cval)

    for name in ("generic_laplace", "generic_gradient_magnitude"):
        options = {"extra_arguments": (0.5,), "extra_keywords": {"sign": 2}}
        close(*both(name, f, second, mode=["wrap", "nearest"], **options))
        close(*both(name, f, second, axes=(), **options))


def test_an_input_that_is_its_own_output_is_read_first(close):
    f = np.random.default_rng(5).normal(size=(5, 6))
    for name in ("laplace", "sobel", "prewitt"):
        own = f.copy()
        getattr(ndimage, name)(own, output=own)
        close(getattr(scipy_ndimage, name)(f), own)
    own = f.copy()
    ndimage.gaussian_gradient_magnitude(own, 1.0, output=own)
    close(scipy_ndimage.gaussian_gradient_magnitude(f, 1.0), own)


def test_other_names_are_scipys():
    assert ndimage.median_filter is scipy_ndimage.median_filter
    assert set(scipy_ndimage.__all__) == set(ndimage.__all__)
    assert {*scipy_ndimage.__all__, "convolve"} <= set(dir(ndimage))
    with pytest.raises(AttributeError, match="no_such_filter"):
        ndimage.no_such_filter  # noqa: B018
