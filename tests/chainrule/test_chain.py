"""Layers one after the other, against numbers that remember what they were made of."""

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from striate import Conv2D, MaxPool2D, ReLU
from striate.ops.shapes import Pads
from striate.teaching.chainrule import layer_chain
from striate.teaching.chainrule.chain_drawing import chain_figure
from striate.teaching.chainrule.gradients import ChainGradients, gradients
from striate.teaching.chainrule.passages import Passage
from tests.chainrule.latex import check_latex

# The oracle: scalars that know their parts, and the textbook loops over them, forward only.


class Scalar:
    """A number that keeps from which others it was made, and its slopes by them."""

    def __init__(self, value: float, parts: tuple[tuple["Scalar", float], ...] = ()) -> None:
        self.value, self.parts, self.slope = float(value), parts, 0.0

    def __add__(self, other: "Scalar") -> "Scalar":
        return Scalar(self.value + other.value, ((self, 1.0), (other, 1.0)))

    def __mul__(self, other: "Scalar") -> "Scalar":
        return Scalar(self.value * other.value, ((self, other.value), (other, self.value)))

    def above(self, other: "Scalar") -> "Scalar":
        return other if other.value > self.value else self


def scalars(array: Any) -> np.ndarray:
    return np.vectorize(Scalar, otypes=[object])(np.asarray(array, float))


def slopes_of(loss: Scalar, *arrays: np.ndarray) -> list[np.ndarray]:
    """The slopes of the loss by all numbers of arrays: from it down, each after its users."""
    order: list[Scalar] = []
    seen: set[int] = set()
    stack = [(loss, False)]
    while stack:
        one, done = stack.pop()
        if done:
            order.append(one)
        elif id(one) not in seen:
            seen.add(id(one))
            stack += [(one, True), *((part, False) for part, _ in one.parts)]
    loss.slope = 1.0
    for one in reversed(order):
        for part, slope in one.parts:
            part.slope += slope * one.slope
    return [np.vectorize(lambda one: one.slope, otypes=[float])(array) for array in arrays]


def windows(x: np.ndarray, size: Any, stride: Any, dilation: Any, pads: Pads):
    """Each place of a window, and what it reads: (tap, pixel) of those inside the image."""
    reach = [(n - 1) * d + 1 for n, d in zip(size, dilation, strict=True)]
    rows = (x.shape[0] + pads[0] + pads[1] - reach[0]) // stride[0] + 1
    columns = (x.shape[1] + pads[2] + pads[3] - reach[1]) // stride[1] + 1
    for i, j in np.ndindex(rows, columns):
        inside = []
        for r, s in np.ndindex(*size):
            row = i * stride[0] + r * dilation[0] - pads[0]
            column = j * stride[1] + s * dilation[1] - pads[2]
            if 0 <= row < x.shape[0] and 0 <= column < x.shape[1]:
                inside.append(((r, s), (row, column)))
        yield (i, j), inside


def through(layer: Any, x: np.ndarray, f: Any = None, b: Any = None) -> np.ndarray:
    """The output of one layer."""
    if isinstance(layer, ReLU):
        return np.vectorize(lambda one: Scalar(0).above(one), otypes=[object])(x)
    geometry = (layer.size, layer.stride, layer.dilation, layer.pads(x.shape))
    made: dict[tuple[int, ...], Scalar] = {}
    depth = x.shape[2] if f is None else f.shape[3]
    for place, inside in windows(x, *geometry):
        for k in range(depth):
            if f is None:
                one = x[(*inside[0][1], k)]
                for _, pixel in inside[1:]:
                    one = one.above(x[(*pixel, k)])
            else:
                one = Scalar(0) if b is None else b[k]
                for tap, pixel in inside:
                    for c in range(x.shape[2]):
                        one = one + x[(*pixel, c)] * f[(*tap, c, k)]
            made[(*place, k)] = one
    shape = [last + 1 for last in max(made)]
    return np.array([made[at] for at in np.ndindex(*shape)]).reshape(shape)


def case(number: int) -> tuple[ChainGradients, np.random.Generator]:
    """A chain with random numbers: unequal sides, strides, paddings, channels."""
    rng = np.random.default_rng(number)
    x = rng.normal(size=(6, 7, 2))
    f1, b1 = rng.normal(size=(3, 2, 2, 2)), rng.normal(size=2)
    f2 = rng.normal(size=(2, 2, 2, 1))
    between: list[Any] = [
        [], [ReLU()], [MaxPool2D(2, padding=(1, 0, 1, 1))], [ReLU(), MaxPool2D((3, 2), stride=1)],
        [MaxPool2D(2, stride=(1, 2), padding=(1, 0, 1, 1)), ReLU()],
    ][number]  # fmt: skip
    second = Conv2D(1, 2, padding=(1, 0, 0, 2), dilation=(1, 2), bias=number % 2 == 0)
    then = [*between, (second, f2, rng.normal(size=1)) if second.bias else (second, f2)]
    then += [ReLU()] * (number == 3)
    written = gradients(
        x=x, f=f1, b=b1, padding=(0, 1, 0, 0), stride=(1, 1), then=then, learning_rate=0.05,
        seed=number, engine="numpy",
    )  # fmt: skip
    assert isinstance(written, ChainGradients)
    return written, rng


@pytest.mark.parametrize("number", range(5))
def test_chains_against_numbers_that_remember(number: int) -> None:
    written, _ = case(number)
    x = first = scalars(written.steps[0].x)
    weights: list[tuple[Any, ...]] = []
    for step in written.steps:
        if isinstance(step, Passage):
            x = through(step.layer, x)
        else:
            f, b = scalars(step.f), None if step.b is None else scalars(step.b)
            weights.append((step, f, b))
            x = through(step.layer, x, f, b)
        values = np.vectorize(lambda one: one.value, otypes=[float])(x)
        np.testing.assert_allclose(step.output, values, rtol=0, atol=1e-12)
    loss = Scalar(0)
    for one, slope in zip(x.ravel(), written.gradient.ravel(), strict=True):
        loss = loss + one * Scalar(slope)
    of_input, *_ = slopes_of(loss, first)
    np.testing.assert_allclose(written.input_gradient, of_input, rtol=0, atol=1e-10)
    for step, f, b in weights:
        of_filter = np.vectorize(lambda one: one.slope, otypes=[float])(f)
        np.testing.assert_allclose(step.filter_gradient, of_filter, rtol=0, atol=1e-10)
        np.testing.assert_allclose(step.new_f, step.f - 0.05 * of_filter, rtol=0, atol=1e-10)
        if b is not None:
            np.testing.assert_allclose(step.bias_gradient, [one.slope for one in b], atol=1e-10)
    assert written.bends == 0
    assert max(written.checked.values()) < 1e-4
    assert written.checked["∂L/∂F, finite differences"] < 1e-9


@pytest.mark.parametrize("number", range(5))
def test_chains_against_pytorch(number: int) -> None:
    torch = pytest.importorskip("torch")
    written, _ = case(number)

    def tensor(array: Any) -> Any:
        return torch.tensor(array, dtype=torch.float64, requires_grad=True)

    x = first = tensor(written.steps[0].x.transpose(2, 0, 1)[None])
    weights = []
    for step in written.steps:
        layer = step.layer
        if isinstance(layer, ReLU):
            x = torch.relu(x)
            continue
        top, bottom, left, right = layer.pads(step.x.shape)
        edge = -torch.inf if isinstance(layer, MaxPool2D) else 0.0
        x = torch.nn.functional.pad(x, (left, right, top, bottom), value=edge)
        if isinstance(layer, MaxPool2D):
            x = torch.nn.functional.max_pool2d(x, layer.size, layer.stride)
            continue
        f, b = tensor(step.f.transpose(3, 2, 0, 1)), None if step.b is None else tensor(step.b)
        weights.append((step, f, b))
        x = torch.nn.functional.conv2d(x, f, b, layer.stride, 0, layer.dilation)
    x.backward(torch.tensor(written.gradient.transpose(2, 0, 1)[None]))
    found = first.grad.numpy()[0].transpose(1, 2, 0)
    np.testing.assert_allclose(written.input_gradient, found, rtol=0, atol=1e-10)
    for step, f, b in weights:
        of_filter = f.grad.numpy().transpose(2, 3, 1, 0)
        np.testing.assert_allclose(step.filter_gradient, of_filter, rtol=0, atol=1e-10)
        if b is not None:
            np.testing.assert_allclose(step.bias_gradient, b.grad.numpy(), atol=1e-10)


def test_the_compiled_kernels_agree() -> None:
    then = [ReLU(), MaxPool2D(2), Conv2D(2, 2)]
    written = gradients((7, 5), 2, channels=2, filters=3, then=then)
    exact = {name: off for name, off in written.checked.items() if "step" not in name}
    assert len(exact) == 6
    assert max(exact.values()) < 1e-9
    assert max(written.checked.values()) < 1e-4


def test_a_wrong_way_back_through_relu_would_show(monkeypatch: pytest.MonkeyPatch) -> None:
    right = layer_chain.passed_back

    def wrong(*arguments: Any) -> Any:
        return right(*arguments)[::-1]

    monkeypatch.setattr(layer_chain, "passed_back", wrong)
    written = gradients(5, 2, then=[ReLU(), Conv2D(1, 3)], engine="numpy")
    assert written.checked["outputs"] == 0
    assert written.checked["∂L/∂X, finite differences"] > 0.1
    assert written.checked["∂L/∂X"] > 0.1


def test_bends_are_left_out_and_counted() -> None:
    """An output of exactly 0 before ReLU, and two numbers that are the largest."""
    one = [[1.0]]
    then = [ReLU(), (Conv2D(1, 1, bias=False), one)]
    written = gradients(x=[[0, 2]], f=one, gradient=[[1, 1]], then=then, engine="numpy")
    assert isinstance(written, ChainGradients)
    assert written.input_gradient.ravel().tolist() == [0, 1]  # the gradient of ReLU at 0 is 0
    assert written.bends == 1
    assert max(off for name, off in written.checked.items() if name != "step") == 0
    assert "1 slope left out of the finite differences" in written.text()
    tied = gradients(
        x=[[3, 3]], f=one, gradient=[[1]], engine="numpy",
        then=[MaxPool2D((1, 2)), (Conv2D(1, 1, bias=False), one)],
    )  # fmt: skip
    assert isinstance(tied, ChainGradients)
    assert tied.input_gradient.ravel().tolist() == [1, 0]  # to the first of both
    assert tied.bends == 2
    # Numbers that are drawn avoid that, and are not all stopped by ReLU.
    for seed in range(12):
        drawn = gradients(4, 2, then=[ReLU(), Conv2D(1, 2)], seed=seed, engine="numpy")
        assert isinstance(drawn, ChainGradients)
        assert drawn.bends == 0
        assert drawn.convolutions[0].filter_gradient.any()


# On paper.


def test_the_text_says_what_the_layer_before_gets() -> None:
    written = gradients(4, 2, then=[Conv2D(1, 2, bias=False)], engine="numpy")
    text = written.text()
    assert "X2 is O1, the output of layer 1: ∂L/∂X2 is the ∂L/∂O1 that layer 1 gets." in text
    assert "∂L/∂X2 = ∂L/∂O1 = " in text
    assert "O1 = X2 = " in text
    assert "∂O1_11/∂F1_11 = X1_11 = " in text
    order = [text.index(f"Layer {words}") for words in (
        "1: the outputs", "2: the outputs", "2: the gradient of the filter",
        "2: the gradient of the input", "1: the gradient of the filter",
    )]  # fmt: skip
    assert order == sorted(order)
    first, second = written.steps
    np.testing.assert_array_equal(first.gradient, second.input_gradient)
    assert max(map(len, text.split("\n"))) <= 100
    assert written.text(only=["O2_11", "∂L/∂F1_12"]).count("\nO2_11 = ") == 1
    with pytest.raises(
        ValueError, match=r"no sum 'F_11'; there are O1_11 to O1_33, O2_11 to O2_22"
    ):
        written.text(only=["F_11"])


def test_relu_and_pooling_in_words_and_formulas() -> None:
    x = [[1, -2, 3, 0], [5, -1, 2, 7]]
    then = [ReLU(), MaxPool2D(2), (Conv2D(1, 1, bias=False), [[2]])]
    written = gradients(x=x, f=[[1]], then=then, gradient=[[10, 20]], engine="numpy")
    text = written.text()
    assert "R1_12 = max(0, O1_12) = max(0, -2) = 0" in text
    assert "X2_11 = max(R1_11, R1_12, R1_21, R1_22) = max(1, 0, 5, 0) = 5" in text
    back = text.split("Back through max-pooling 2×2")[1]
    assert "∂L/∂R1_21 = ∂L/∂X2_11·∂X2_11/∂R1_21\n          = ∂L/∂X2_11·1\n          = 20·1" in back
    assert "∂L/∂R1_11 = ∂L/∂X2_11·∂X2_11/∂R1_11\n          = ∂L/∂X2_11·0\n          = 20·0" in back
    latex = written.text("latex")
    assert r"X^{(2)}_{11} &= \max(R^{(1)}_{11}, R^{(1)}_{12}, R^{(1)}_{21}, R^{(1)}_{22})" in latex
    assert r"\frac{\partial L}{\partial X^{(2)}_{11}} * \frac{\partial X^{(2)}_{11}}" in latex
    for form in ("markdown", "latex"):
        formulas = written.text(form)
        assert formulas.count("{") == formulas.count("}")
        assert not re.search(r"[XFOR]\d", formulas)  # layers are raised everywhere
    assert "is the largest of each window of $R^{(1)}$." in written.text("markdown")


def test_latex_compiles(tmp_path: Path) -> None:
    then = [ReLU(), MaxPool2D(2), (Conv2D(2, 2), None, [1, -1])]
    text = gradients((7, 5), 2, channels=2, filters=2, b=[1, 0], then=then, engine="numpy").text(
        "latex"
    )
    check_latex(text, tmp_path)


def test_a_page_holds_each_sum() -> None:
    then = [ReLU(), Conv2D(1, 2, bias=False)]
    text = gradients(4, 2, then=then, engine="numpy").text("html")
    assert "http" not in re.sub(r'src="data:[^"]*"', "", text)
    tree = ElementTree.fromstring(re.sub(r"<!DOCTYPE html>|<meta[^>]*>|<img[^>]*>", "", text))
    assert len(tree.findall(".//div[@class='sum']")) == 9 + 9 + 4 + (4 + 9) + 9 + (4 + 16)


def test_the_figure_names_and_places_each_array() -> None:
    then = [Conv2D(2, 2), MaxPool2D(2), ReLU()]
    written = gradients(6, 2, padding=1, b=[1], then=then, engine="numpy")
    assert isinstance(written, ChainGradients)
    figure = chain_figure(written)
    (axes,) = figure.axes
    texts = [text for text in axes.texts if text.get_text()]
    said = {text.get_text() for text in texts}
    assert {"X1", "F1", "O1 = X2", "F2^1", "F2^2", "O2^1", "P2^2", "R2^1", "∂L/∂R2^2"} <= said
    assert {"∂L/∂O1 = ∂L/∂X2", "∂L/∂F2^2", "∂L/∂X1", "L", "ReLU", "max 2×2"} <= said
    assert any(text.startswith("∂L/∂b2 = ") for text in said)
    renderer = FigureCanvasAgg(figure).get_renderer()
    boxes = [text.get_window_extent(renderer) for text in texts]
    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.x1 for box in boxes)
    for index, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:index]), texts[index]


# Mistakes.


@pytest.mark.parametrize(
    ("then", "words"),
    [
        ([ReLU(), ReLU()], "then has ReLU twice behind convolution 1"),
        ([MaxPool2D(2), ReLU(), MaxPool2D(1)], "then has MaxPool2D twice"),
        ([Conv2D(2, 2, groups=2)], r'Conv2D "conv2d_2" must have groups=1, not 2'),
        ([Conv2D(1, 9)], r'Conv2D "conv2d_2": size 9 is larger'),
        ([(Conv2D(1, 2), np.ones((3, 3)))], r"must have the shape \(2, 2, 1, 1\)"),
        ([(Conv2D(2, 2), None, [1])], "must be 2 numbers, one for each filter, got 1"),
        ([(Conv2D(1, 2, bias=False), None, [1])], "has bias=False and a bias"),
        ([(Conv2D(1, 2), [[np.nan, 1], [1, 1]])], "must be finite"),
        ([Conv2D(64, 2)] * 2, "too many to read"),
    ],
)
def test_layers_that_do_not_fit(then: list[Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        gradients(4, 2, then=then, engine="numpy")


def test_layers_of_another_kind() -> None:
    with pytest.raises(TypeError, match="then must be Conv2D, ReLU and MaxPool2D layers"):
        gradients(4, 2, then=["relu"], engine="numpy")  # type: ignore[list-item]
    with pytest.raises(ValueError, match="gradient must have the shape of the output, 2×2 with 1"):
        gradients(4, 2, then=[Conv2D(1, 2)], gradient=np.ones((3, 3)), engine="numpy")
