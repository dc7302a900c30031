"""Sums written out term by term: the articles' examples, and SciPy for everything else."""

import itertools
from typing import Any

import numpy as np
import pytest
import scipy.ndimage
import scipy.signal

from striate.common.tables import line
from striate.common.text import number, weight
from striate.signal.convolution import convolve, correlate
from striate.signal.steps import steps

F = [10, 9, 10, 9, 10, 1, 10, 9, 10, 8]  # article 001
SQUARE = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]


def values(result: Any) -> Any:
    return np.array([step.value for step in result]).reshape(result.shape)


def test_article_001_smoothed() -> None:
    result = steps(F, [1 / 3] * 3, "same", origin="corner")
    # y[x] = (f[x] + f[x-1] + f[x-2]) / 3, what is before the first being 0.
    padded = [0, 0, *F]
    expected = [(padded[x] + padded[x + 1] + padded[x + 2]) / 3 for x in range(10)]
    np.testing.assert_allclose(values(result), expected, rtol=1e-15)
    assert len(result) == 10
    assert result[0].value == pytest.approx(10 / 3)
    assert [(term.index, term.tap) for term in result[0].terms] == [((0,), (0,))]
    # The flip: as f is read forwards, g is read backwards.
    assert [(term.index, term.tap) for term in result[2].terms] == [
        ((0,), (2,)),
        ((1,), (1,)),
        ((2,), (0,)),
    ]


def test_article_001_written() -> None:
    text = str(steps(F, [1 / 3] * 3, "same", origin="corner"))
    lines = text.splitlines()
    assert lines[0] == "y(n) = Σ f(i)·g(n - i)    a convolution: g is flipped"
    assert lines[1] == "f = 10  9  10  9  10  1  10  9  10  8"
    assert lines[2] == "g = 1/3  1/3  1/3,  flipped: the same"
    assert lines[4] == "f is defined for 0 ≤ i ≤ 9 and g for 0 ≤ n - i ≤ 2."
    assert lines[5] == "Beyond their ends f and g are 0: those terms are left out."
    assert len(lines) == 17
    assert lines[7].replace(" ", "") == "y(0)=f(0)·g(0)=10·1/3=3.33333"
    assert lines[8].replace(" ", "") == "y(1)=f(0)·g(1)+f(1)·g(0)=10·1/3+9·1/3=6.33333"
    assert lines[13] == ("y(6) = f(4)·g(2) + f(5)·g(1) + f(6)·g(0) = 10·1/3 + 1·1/3 + 10·1/3 = 7")
    # All sums stand in the same columns.
    assert len({row.rindex(" = ") for row in lines[7:]}) == 1


def test_article_001_in_two_dimensions_from_the_corner() -> None:
    result = steps(SQUARE, SQUARE, "same", origin="corner", at=(1, 1))
    (step,) = result
    assert step.value == 1 * 5 + 2 * 4 + 4 * 2 + 5 * 1
    assert str(result).splitlines()[-8:] == [
        "",
        "1  2  ∘  5  4    the Hadamard product of this part of f and of g flipped, summed",
        "4  5     2  1",
        "",
        "y(1, 1) = f(0, 0)·g(1, 1) + f(0, 1)·g(1, 0) + f(1, 0)·g(0, 1) + f(1, 1)·g(0, 0)",
        "        = 1·5 + 2·4 + 4·2 + 5·1",
        "        = 5 + 8 + 8 + 5",
        "        = 26",
    ]
    assert "g flipped = 9  8  7" in str(result)
    assert result.shape == (3, 3)
    # The whole of it has the same sum at the same place.
    assert steps(SQUARE, SQUARE, at=(1, 1))[0].value == 26


def test_article_001_in_two_dimensions_from_the_centre() -> None:
    result = steps(SQUARE, SQUARE, "same", origin="center", at=(1, 1))
    (step,) = result
    assert len(step.terms) == 9
    assert step.value == sum(a * b for a, b in zip(range(1, 10), range(9, 0, -1), strict=True))
    text = str(result)
    # The article's convention: g is defined from -1 to 1, and its centre is (0, 0).
    assert text.startswith("y(m, n) = Σ f(i, j)·g(m - i, n - j)    a convolution: g is flipped")
    assert (
        "g(0, 0) = 5 is the origin, row and column 1, 1 of g, which goes from g(-1, -1) to g(1, 1)."
    ) in text
    assert (
        "f is defined for 0 ≤ i ≤ 2, 0 ≤ j ≤ 2 and g for -1 ≤ m - i ≤ 1, -1 ≤ n - j ≤ 1."
    ) in text
    assert "y(1, 1) = f(0, 0)·g(1, 1) + f(0, 1)·g(1, 0) + f(0, 2)·g(1, -1) +" in text
    assert text.endswith("= 165")


def test_correlation_is_not_flipped() -> None:
    result = steps([1, 2, 3], [4, 5], correlate=True, mode="valid")
    assert [step.value for step in result] == [4 + 10, 8 + 15]
    assert str(result).splitlines()[0] == (
        "y(n) = Σ f(i)·g(i - n)    a correlation: g is not flipped"
    )
    assert "flipped:" not in str(result)
    assert "y(1) = f(1)·g(0) + f(2)·g(1) = 2·4 + 3·5 = 23" in str(result)


def test_one_sum_as_a_table() -> None:
    text = str(steps([1, 2, 3], [1, 0, -1], at=2))
    assert text.splitlines() == [
        "y(n) = Σ f(i)·g(n - i)    a convolution: g is flipped",
        "f = 1  2  3",
        "g = 1  0  -1,  flipped: -1  0  1",
        "",
        "f is defined for 0 ≤ i ≤ 2 and g for 0 ≤ n - i ≤ 2.",
        "Beyond its ends g is 0: those terms are left out.",
        "",
        "f          f(0) = 1   f(1) = 2  f(2) = 3",
        "g flipped  g(2) = -1  g(1) = 0  g(0) = 1",
        "product           -1         0         3",
        "",
        "y(2) = f(0)·g(2) + f(1)·g(1) + f(2)·g(0)",
        "     = 1·(-1) + 2·0 + 3·1",
        "     = -1 + 0 + 3",
        "     = 2",
    ]


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("taps", [1, 2, 3, 4])
def test_lines_against_scipy(mode: str, taps: int) -> None:
    rng = np.random.default_rng(taps)
    f, g = rng.normal(size=7), rng.normal(size=taps)
    np.testing.assert_allclose(values(steps(f, g, mode)), scipy.signal.convolve(f, g, mode))
    np.testing.assert_allclose(
        values(steps(f, g, mode, correlate=True)), scipy.signal.correlate(f, g, mode)
    )


@pytest.mark.parametrize("border", ["nearest", "reflect", "mirror", "wrap"])
def test_planes_and_borders_against_scipy(border: str) -> None:
    rng = np.random.default_rng(0)
    f, g = rng.normal(size=(5, 4)), rng.normal(size=(3, 5))
    expected = scipy.ndimage.convolve(f, g, mode=border)
    result = steps(f, g, "same", border=border)
    np.testing.assert_allclose(values(result), expected, rtol=1e-12, atol=1e-14)
    for step in result:
        for term in step.terms:
            assert term.source is not None
            assert term.value == f[term.source]
            assert term.weight == g[term.tap]


@pytest.mark.parametrize(
    ("correlated", "mode", "border", "stride", "dilation"),
    [
        *itertools.product(
            [False, True], ["full", "same"], ["fill", "wrap"], [1, (2, 3)], [1, (2, 1)]
        )
    ],
)
def test_formula_tells_what_is_read(
    correlated: bool, mode: str, border: str, stride: Any, dilation: Any
) -> None:
    """Each term stands where the printed formula says, and the sums are those of the library."""
    rng = np.random.default_rng(3)
    f, g = rng.integers(-9, 9, (5, 6)), rng.integers(-9, 9, (2, 3))
    how: dict[str, Any] = {"mode": mode, "border": border, "stride": stride, "dilation": dilation}
    result = steps(f, g, correlate=correlated, fill_value=4, **how)
    run = correlate if correlated else convolve
    np.testing.assert_array_equal(values(result), run(f, g, fill_value=4, **how))
    heading = str(result).splitlines()[0].split("    ")[0]
    letters = {"m": 0, "n": 1}
    counted = {"i": 0, "j": 1}
    f_index, g_index = (
        [part.replace("·", "*") for part in text.rstrip(")").split(", ")]
        for text in heading.split("Σ f(")[1].split(")·g(")
    )
    spread = dilation != 1
    # Where g is spread i and j count its taps, else they are an element of f, as in article 001.
    assert g_index == ["i", "j"] if spread else f_index == ["i", "j"]
    for step in result:
        for term in step.terms:
            tap = [i - o for i, o in zip(term.tap, result.origin, strict=True)]
            here = tap if spread else term.index
            names = {name: step.position[axis] for name, axis in letters.items()}
            names |= {name: here[axis] for name, axis in counted.items()}
            assert [eval(part, {}, names) for part in f_index] == list(term.index)
            assert [eval(part, {}, names) for part in g_index] == tap


def test_the_domains_are_those_of_the_terms() -> None:
    """An i is in both ranges exactly where the sum has a term."""
    f, g = [3, -1, 4, 1, 5], [2, 7, 1]
    for correlated in (False, True):
        result = steps(f, g, "same", origin="center", correlate=correlated)
        head = "f is defined for 0 ≤ i ≤ 4 and g for "
        (sentence,) = (row for row in str(result).splitlines() if row.startswith(head))
        low, place, high = sentence.removeprefix(head).rstrip(".").split(" ≤ ")
        for step in result:
            inside = [
                i for i in range(5) if int(low) <= eval(place, {}, {"i": i, "n": step.position[0]})
                <= int(high)
            ]  # fmt: skip
            assert [(i,) for i in inside] == [term.index for term in step.terms]


def test_borders_are_shown() -> None:
    text = str(steps([1, 2, 3], [1, 1, 1], "same", border="mirror"))
    assert 'Beyond the ends of f, "mirror" reads d c b|a b c d|c b a' in text
    assert "y(0) = f(-1→1)·g(1) + f(0)·g(0) + f(1)·g(-1) = 2·1 + 1·1 + 2·1 = 5" in text
    assert "f(3→1)·g(-1)" in text
    text = str(steps([1, 2, 3], [1, 1], fill_value=7))
    assert "Beyond the ends of f stands the fill value 7." in text
    assert "y(0) = fill·g(1) + f(0)·g(0) = 7·1 + 1·1 = 8" in text
    text = str(steps(np.eye(3), np.ones((2, 2)), "same", border=["wrap", "fill"]))
    assert 'along axis 0, "wrap"' in text
    assert "along axis 1 is 0" in text
    assert "f and g are 0" not in text
    # Where nothing beyond the ends of f is read, nothing is said of it.
    assert "Beyond the ends of f" not in str(steps([1, 2, 3], [1, 1], "valid"))
    assert "Beyond its ends g is 0" in str(steps([1, 2, 3], [1, 1], "valid"))


def test_integers_wrap_and_the_text_says_so() -> None:
    result = steps(np.array([200, 100], np.uint8), np.array([1, 1], np.uint8))
    assert [int(step.value) for step in result] == [200, 44, 100]
    assert "= 300, which uint8 wraps to 44" in str(result)


def test_booleans_are_or_of_ands() -> None:
    result = steps(np.array([True, False]), np.array([True, True]))
    assert [bool(step.value) for step in result] == [True, True, False]
    assert "f(0)∧g(1) ∨ f(1)∧g(0) = 1∧1 ∨ 0∧1 = 1" in str(result)


def test_complex_kernels_are_conjugated_in_correlation() -> None:
    result = steps([1, 2], [1j, 2 - 1j], correlate=True)
    np.testing.assert_allclose(values(result), scipy.signal.correlate([1, 2], [1j, 2 - 1j]))
    assert "·conj(g(i - n + 1))" in str(result)
    assert "(2+1j)" in str(result)


def test_an_infinite_weight_does_no_harm_beyond_the_ends() -> None:
    assert values(steps([1.0, 2.0], [1.0, np.inf])).tolist() == [1.0, np.inf, np.inf]


def test_long_sums_are_wrapped() -> None:
    text = str(steps(np.arange(100), [1 / 9] * 9, at=50))
    assert all(len(row) <= 100 for row in text.splitlines())
    assert "f = 0  1  2  3  … 92 more …  96  97  98  99" in text
    assert text.endswith("= 46")
    many = str(steps(np.arange(20), [1 / 9] * 9))
    assert "\n\ny(9) = " in many


def test_a_sequence() -> None:
    result = steps([1, 2], [3])
    assert result[-1].value == 6
    assert [step.value for step in result[:2]] == [3, 6]
    assert len(list(result)) == 2


@pytest.mark.parametrize(
    ("f", "g", "how", "match"),
    [
        ([], [1], {}, "f is empty"),
        ([1, 2], [1, 2, 3], {"mode": "valid"}, "must fit into f"),
        ([1, 2], [1], {"at": 2}, "there is no output 2; the last one is 1"),
        ([1, 2], [1], {"at": -1}, "there is no output -1"),
        ([1, 2], [1], {"at": (1, 1)}, "at must have 1 number, one for each dimension"),
        ([[1, 2]], [[1]], {"at": 1}, "at must have 2 numbers"),
        ([1, 2], [1], {"border": "mirorr"}, 'did you mean "mirror"'),
        (np.ones((2, 2, 2)), np.ones((1, 1, 1)), {}, "one or two dimensions"),
        (np.ones(9000), [1], {}, r"9,000 sums of up to 1 terms are too many .* at=4500"),
        (np.ones((80, 90)), [[1]], {}, r"at=\(40, 45\)"),
    ],
)
def test_errors(f: Any, g: Any, how: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        steps(f, g, **how)


def test_a_position_is_whole() -> None:
    with pytest.raises(TypeError, match=r"at must be whole numbers, got 1\.5"):
        steps([1, 2], [1], at=1.5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (10 / 3, "3.33333"),
        (7.0, "7"),
        (-0.0, "0"),
        (1e6, "1000000"),
        (8388607.25, "8388607.2"),
        (1e20, "1e+20"),
        (1.5e-9, "1.5e-09"),
        (1 - 2j, "(1-2j)"),
        (np.bool_(True), "1"),
        (np.uint8(200), "200"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
    ],
)
def test_numbers(value: Any, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1 / 3, "1/3"),
        (-1 / 81, "-1/81"),
        (0.25, "0.25"),
        (1 / 16, "0.0625"),
        (np.float32(1) / np.float32(3), "1/3"),
        (0.1234567891, "0.123457"),
        (2.0, "2"),
        (0.0, "0"),
    ],
)
def test_weights(value: Any, text: str) -> None:
    assert weight(value) == text


def test_lines_of_numbers() -> None:
    assert line([1, 2.5]) == "1  2.5"
    assert line(np.arange(1000)) == "0  1  2  3  … 992 more …  996  997  998  999"
