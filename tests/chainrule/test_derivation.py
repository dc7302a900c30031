"""The article's formulas term by term, and random cases against the layers."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import striate
from striate.ops import conv
from striate.teaching.chainrule import layer_chain
from striate.teaching.chainrule.gradients import Gradients, gradients
from striate.teaching.chainrule.sums import Sum, gradient_sums, product_count

# *Convolutional Neural Network*, sections "Convolution process" and "Calculation of ∂L/∂F and
# ∂L/∂X": of each number the places of the factors, in the order in which they are printed.
OUTPUTS = {
    "O_11": "X11F11 X12F12 X21F21 X22F22",
    "O_12": "X12F11 X13F12 X22F21 X23F22",
    "O_21": "X21F11 X22F12 X31F21 X32F22",
    "O_22": "X22F11 X23F12 X32F21 X33F22",
}
OF_FILTER = {
    "F_11": "O11X11 O12X12 O21X21 O22X22",
    "F_12": "O11X12 O12X13 O21X22 O22X23",
    "F_21": "O11X21 O12X22 O21X31 O22X32",
    "F_22": "O11X22 O12X23 O21X32 O22X33",
}
OF_INPUT = {
    "X_11": "O11F11",
    "X_12": "O11F12 O12F11",
    "X_13": "O12F12",
    "X_21": "O11F21 O21F11",
    "X_22": "O11F22 O12F21 O21F12 O22F11",
    "X_23": "O12F22 O22F12",
    "X_31": "O21F21",
    "X_32": "O21F22 O22F21",
    "X_33": "O22F22",
}


def places(sums: tuple[Sum, ...]) -> dict[str, str]:
    """Sums in the short form of the tables above."""
    return {
        str(one.of.value): " ".join(
            "".join(str(factor).replace("∂L/∂", "").replace("_", "") for factor in term.factors)
            for term in one.terms
        )
        for one in sums
    }


def test_the_articles_formulas_term_by_term() -> None:
    written = gradients((3, 3), (2, 2), stride=1, padding=0)
    assert places(written.outputs) == OUTPUTS
    assert places(written.filter_gradients) == OF_FILTER
    assert places(written.input_gradients) == OF_INPUT
    assert all(
        str(term.factors[0]).startswith("∂L/∂O") for term in written.input_gradients[4].terms
    )


def test_numbers_by_hand() -> None:
    written = gradients(
        x=[[1, 2, 3], [4, 5, 6], [7, 8, 9]], f=[[1, 2], [0, -1]], gradient=[[1, 0], [2, -1]],
        learning_rate=0.5,
    )  # fmt: skip
    assert written.output[..., 0].tolist() == [[0, 2], [6, 8]]
    # F_11: 1·1 + 2·4 - 1·5
    assert written.filter_gradient[..., 0, 0].tolist() == [[4, 6], [10, 12]]
    assert written.input_gradient[..., 0].tolist() == [[1, 2, 0], [2, 2, -2], [0, -2, 1]]
    assert written.new_f[..., 0, 0].tolist() == [[-1, -1], [-5, -7]]
    assert max(written.checked.values()) == 0


def test_a_bias_by_hand() -> None:
    written = gradients(
        x=[[1, 2, 3], [4, 5, 6], [7, 8, 9]], f=[[1, 2], [0, -1]], b=[10],
        gradient=[[1, 0], [2, -1]], learning_rate=0.5,
    )  # fmt: skip
    assert written.output[..., 0].tolist() == [[10, 12], [16, 18]]
    assert written.bias_gradient.tolist() == [2]
    assert written.new_b is not None
    assert written.new_b.tolist() == [9]
    assert max(written.checked.values()) < 1e-5
    assert "∂L/∂b, finite differences" in written.checked
    listed = written.to_dict()
    assert (listed["bias"], listed["bias_gradient"], listed["new_bias"]) == ([10], [2], [9])
    assert gradients().new_b is None
    assert "bias" not in gradients().to_dict()


@st.composite
def cases(draw: st.DrawFn) -> dict:
    """Arguments that fit."""
    along = st.integers(1, 3)
    size, stride, dilation = ((draw(along), draw(along)) for _ in range(3))
    pads = tuple(draw(st.integers(0, 2)) for _ in range(4))
    image = tuple(
        max(1, (draw(st.integers(1, 3)) - 1) * stride[axis] + dilation[axis] * (size[axis] - 1) + 1
            - sum(pads[2 * axis : 2 * axis + 2]))
        for axis in (0, 1)
    )  # fmt: skip
    return {
        "input": image, "filter": size, "stride": stride, "dilation": dilation, "padding": pads,
        "channels": draw(st.integers(1, 2)), "filters": draw(st.integers(1, 2)),
        "seed": draw(st.integers(0, 9)),
    }  # fmt: skip


BIAS = [0.5, -1.5]


@settings(max_examples=60)
@given(cases())
def test_random_cases_against_the_layers_loops(case: dict) -> None:
    try:
        written = gradients(**case, engine="numpy")
    except ValueError as error:
        assert "is not whole" in str(error) or "larger than" in str(error)
        return
    window = (case["padding"], case["stride"], case["dilation"])
    x, f, arriving = written.x[None], written.f, written.gradient[None]
    expected = (
        conv.conv2d_loops(x, f, *window)[0],
        conv.conv2d_filter_gradient_loops(x, arriving, case["filter"], *window),
        conv.conv2d_input_gradient_loops(arriving, f, case["input"], *window)[0],
    )
    found = (written.output, written.filter_gradient, written.input_gradient)
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-12)
    assert max(written.checked.values()) < 1e-5
    assert all(not a.startswith(" ") for a in written.checked)
    biased = gradients(**case, b=BIAS[: case["filters"]], engine="numpy")
    bias = np.array(BIAS[: case["filters"]])
    np.testing.assert_allclose(biased.output, expected[0] + bias, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(biased.bias_gradient, arriving[0].sum((0, 1)))
    np.testing.assert_array_equal(biased.input_gradient, written.input_gradient)
    assert max(biased.checked.values()) < 1e-5
    # Written down completely: as many products in each of the three.
    counts = [
        sum(len(one.terms) for one in sums)
        for sums in (written.outputs, written.filter_gradients, written.input_gradients)
    ]
    assert len(set(counts)) == 1
    assert counts[0] == product_count(written.layer, written.x.shape, written.gradient.shape)


@pytest.mark.parametrize(
    "case",
    [
        {"input": (4, 3), "filter": (2, 2), "channels": 2, "filters": 3, "padding": 1},
        {"input": (5, 7), "filter": 3, "stride": 2, "dilation": (1, 2), "padding": (0, 0, 1, 1)},
    ],
)
def test_the_compiled_kernels_agree(case: dict) -> None:
    written = gradients(**case)
    exact = {name: value for name, value in written.checked.items() if name != "step"}
    assert max(exact.values()) < 1e-9
    assert written.checked["step"] < 1e-5
    assert len(written.checked) == 6


def test_a_wrong_sum_would_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """The checks do compare: with one weight of the input's gradient turned they differ."""

    def wrong(*arguments):
        of_filter, of_bias, of_input = gradient_sums(*arguments)
        return of_filter[::-1], of_bias[::-1], of_input[::-1]

    monkeypatch.setattr(layer_chain, "gradient_sums", wrong)
    checked = gradients(filters=2, b=[0, 1], engine="numpy").checked
    assert checked["outputs"] == 0
    assert min(value for name, value in checked.items() if name != "outputs") > 0.1


def test_too_large_a_case_is_refused_with_its_number_of_terms() -> None:
    with pytest.raises(ValueError, match="makes 86,188,800 products") as caught:
        gradients((224, 224), 3, padding=1, channels=3, filters=64)
    assert "224×224 with a filter of 3×3, 3 channels in and 64 out" in str(caught.value)
    with pytest.raises(ValueError, match="makes 1,024 products"):
        gradients(17, 2, stride=1, padding=0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"input": 10, "filter": 3, "stride": 2}, "= 4.5 is not whole along the height"),
        ({"input": 2, "filter": 3}, "larger than the height of its input"),
        ({"x": [1, 2, 3]}, r"x must be \(height, width\)"),
        (
            {"x": np.ones((3, 3, 2)), "f": np.ones((2, 2, 3, 1))},
            "the number of channels is told twice, differently: 2 of x and 3 of f",
        ),
        ({"gradient": np.ones((3, 3))}, "gradient must have the shape of the output, 2×2"),
        ({"x": [[np.inf]], "f": [[1]]}, "x must be finite"),
        ({"b": [1, 2], "filters": 1}, "told twice, differently: 1 of filters and 2 of b"),
        ({"learning_rate": float("nan")}, "learning_rate must be finite"),
    ],
)
def test_mistakes(arguments: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        gradients(**arguments)
    with pytest.raises(TypeError, match="x must be an array of real numbers"):
        gradients(x=[["a"]])


def test_public_and_json() -> None:
    written = striate.gradients(engine="numpy")
    assert isinstance(written, Gradients)
    content = json.loads(json.dumps(written.to_dict()))
    assert content["sums"]["output"][0]["terms"][0] == ["X_11", "F_11"]
    assert content["sums"]["filter_gradient"][0]["of"] == "F_11"
    assert content["output"] == written.output.tolist()
