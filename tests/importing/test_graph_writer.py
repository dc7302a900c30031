"""Graphs written from the numbers of another library: PyTorch computes the same from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from striate.common.errors import StriateValueError
from striate.importing.axis_view import ViewError
from striate.importing.graph_writer import Foreign, GraphWriter, SlidingWindow
from striate.importing.node_collector import as_float32
from striate.layers import ReLU

torch = pytest.importorskip("torch")
F = torch.nn.functional

Write = Callable[[GraphWriter, Foreign], Foreign]


def random(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


def window(size: Any, stride: Any = 1, pads: Any = 0, dilation: Any = 1) -> SlidingWindow:
    """`pads` of one number per axis, or (before, after) of each."""
    rank = len(size)

    def each(value: Any) -> tuple[int, ...]:
        return (value,) * rank if isinstance(value, int) else tuple(value)

    before, after = (each(pads), each(pads)) if isinstance(pads, int) else pads
    return SlidingWindow(tuple(size), each(stride), each(dilation), before, after)


def computed(write: Write, x: Any, letters: str = "NCHW", engine: str = "numpy") -> Any:
    """What the network computes of the tensor x with these axes, as a tensor."""
    writer = GraphWriter()
    if letters == "NF":
        image = writer.vector_input(*x.shape)
    else:
        sizes = dict(zip(letters, x.shape, strict=True))
        shape = tuple(sizes.get(letter, 1) for letter in "HWC")
        image = writer.image_input(len(x), shape, letters)
    output = write(writer, image)
    network = writer.network(output)
    logits = network.predict_logits(image.view.to_stored(x), engine=engine)
    return output.view.from_stored(logits)


def agree(write: Write, x: Any, expected: Any, letters: str = "NCHW") -> None:
    found = computed(write, x, letters)
    assert found.shape == tuple(expected.shape)
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("channels", [(7, 9, 1), (8, 16, 4), (15, 15, 15), (6, 12, 6)])
def test_a_convolution(channels: tuple[int, int, int]) -> None:
    c, k, groups = channels
    x, f, b = random(2, c, 9, 12), random(k, c // groups, 3, 2), random(k)
    win = window((3, 2), (2, 1), ((1, 0), (0, 1)), (1, 2))
    padded = F.pad(torch.tensor(x), (0, 1, 1, 0))
    expected = F.conv2d(padded, torch.tensor(f), torch.tensor(b), (2, 1), 0, (1, 2), groups)
    agree(lambda w, v: w.convolution(v, f, b, win, groups=groups), x, expected)


def test_a_convolution_of_a_transposed_image() -> None:
    """The image lies on its side in the tensor, and so do filters, strides and padding."""
    x, f = random(1, 5, 8, 6), random(4, 5, 3, 1)
    win = window((3, 1), (2, 1), ((1, 0), (0, 0)))
    expected = F.conv2d(F.pad(torch.tensor(x), (0, 0, 1, 0)), torch.tensor(f), None, (2, 1))
    agree(lambda w, v: w.convolution(v, f, None, win), x, expected, "NCWH")


@pytest.mark.parametrize("letters", ["NCW", "NCH"])
def test_a_convolution_of_a_signal(letters: str) -> None:
    x, f, b = random(2, 5, 11), random(3, 5, 4), random(3)
    expected = F.conv1d(torch.tensor(x), torch.tensor(f), torch.tensor(b), 2, 1)
    agree(lambda w, v: w.convolution(v, f, b, window((4,), 2, 1)), x, expected, letters)


def test_rows_and_columns_that_are_left_unread() -> None:
    """Other libraries round down; where all are read, nothing is said of it."""
    x, f = random(1, 3, 8, 9), random(4, 3, 3, 3)
    expected = F.conv2d(torch.tensor(x), torch.tensor(f), None, 2)
    agree(lambda w, v: w.convolution(v, f, None, window((3, 3), 2)), x, expected)
    for height, kept in ((9, "error"), (8, "drop")):
        writer = GraphWriter()
        value = writer.image_input(1, (height, 9, 3), "NCHW")
        value = writer.convolution(value, f, None, window((3, 3), 2))
        assert value.node.layer is not None and value.node.layer.config()["uncovered"] == kept


def test_a_matrix_reads_a_flattened_image_in_its_own_order() -> None:
    x, m, b = random(2, 5, 3, 4), random(60, 7), random(7)
    expected = torch.tensor(x).flatten(1) @ torch.tensor(m) + torch.tensor(b)

    def write(w: GraphWriter, v: Foreign) -> Foreign:
        return w.dense(Foreign(v.node, v.view.reshaped([2, 60])), m, b)

    agree(write, x, expected)
    # The same numbers, channels last.
    last = Foreign
    agree(
        lambda w, v: w.dense(last(v.node, v.view.transposed([0, 3, 1, 2]).reshaped([2, 60])), m, b),
        x.transpose(0, 2, 3, 1),
        expected,
        "NHWC",
    )


def test_a_matrix_over_the_channels_of_each_pixel_is_a_convolution() -> None:
    x, m = random(2, 6, 4, 5), random(6, 3)
    expected = torch.tensor(x).permute(0, 2, 3, 1) @ torch.tensor(m)
    agree(
        lambda w, v: w.dense(Foreign(v.node, v.view.transposed([0, 2, 3, 1])), m, None), x, expected
    )
    # Pixels in one axis, channels in groups that are swapped: only the rows are permuted.
    swapped = torch.tensor(x).reshape(2, 2, 3, 20).permute(0, 3, 2, 1).reshape(2, 20, 6)
    agree(
        lambda w, v: w.dense(
            Foreign(
                v.node,
                v.view.reshaped([2, 2, 3, 20]).transposed([0, 3, 2, 1]).reshaped([2, 20, 6]),
            ),
            m,
            None,
        ),
        x,
        swapped @ torch.tensor(m),
    )


def test_a_vector_is_convolved_by_the_tap_that_lies_on_it() -> None:
    x, f, b = random(3, 6), random(4, 6, 3, 5), random(4)
    expected = F.conv2d(
        torch.tensor(x)[..., None, None], torch.tensor(f), torch.tensor(b), 1, (1, 2)
    )
    agree(
        lambda w, v: w.convolution(
            Foreign(v.node, v.view.unsqueezed([2, 3])), f, b, window((3, 5), 1, ((1, 2), (1, 2)))
        ),
        x,
        expected,
        "NF",
    )


@pytest.mark.parametrize("letters", ["NCHW", "NF"])
def test_batch_normalisation(letters: str) -> None:
    x = random(3, 7, 4, 5) if letters == "NCHW" else random(3, 7)
    arrays = {name: random(7, seed=i) for i, name in enumerate(("scale", "shift", "mean"))}
    arrays["variance"] = np.abs(random(7, seed=9)) + 0.1
    tensors = [torch.tensor(arrays[k]) for k in ("mean", "variance", "scale", "shift")]
    expected = F.batch_norm(torch.tensor(x), *tensors, eps=1e-3)
    agree(lambda w, v: w.batch_norm(v, arrays, eps=1e-3, momentum=0.9), x, expected, letters)


def test_batch_normalisation_of_a_flattened_image() -> None:
    x = random(3, 4, 2, 3)
    arrays = {name: random(24, seed=i) for i, name in enumerate(("scale", "shift", "mean"))}
    arrays["variance"] = np.abs(random(24, seed=9)) + 0.1
    tensors = [torch.tensor(arrays[k]) for k in ("mean", "variance", "scale", "shift")]
    expected = F.batch_norm(torch.tensor(x).flatten(1), *tensors, eps=1e-5)
    agree(
        lambda w, v: w.batch_norm(
            Foreign(v.node, v.view.reshaped([3, 24])), arrays, eps=1e-5, momentum=0.9
        ),
        x,
        expected,
    )


def test_max_pooling() -> None:
    x = random(2, 5, 9, 11)
    win = window((3, 2), (2, 3), 1)
    expected = F.max_pool2d(torch.tensor(x), (3, 2), (2, 3), (1, 1))
    agree(lambda w, v: w.pool(v, "MaxPool2D", win), x, expected)


@pytest.mark.parametrize("counted", [True, False])
def test_average_pooling(counted: bool) -> None:
    x = random(2, 5, 9, 11)
    win = window((3, 3), (2, 2), 1)
    expected = F.avg_pool2d(torch.tensor(x), 3, 2, 1, count_include_pad=counted)
    agree(lambda w, v: w.pool(v, "AvgPool2D", win, count_padding=counted), x, expected)


def test_sums_and_means_of_one_axis() -> None:
    x = random(2, 5, 4, 6)
    agree(lambda w, v: w.reduction(v, "Avg", [3], True), x, torch.tensor(x).mean(3, keepdim=True))
    agree(lambda w, v: w.reduction(v, "Sum", [2], False), x, torch.tensor(x).sum(2))
    agree(lambda w, v: w.reduction(v, "Sum", [-1, -2], True), x, torch.tensor(x).sum((2, 3), True))


def test_sums_of_values() -> None:
    x = random(2, 6, 4, 5)
    t = torch.tensor(x)
    agree(lambda w, v: w.sum_of([v, w.elementwise(v, ReLU())]), x, t + t.relu())
    with pytest.raises(ViewError, match="different shapes or orders"):
        computed(
            lambda w, v: w.sum_of([v, Foreign(v.node, v.view.transposed([0, 1, 3, 2]))]),
            random(1, 6, 5, 5),
        )


def test_tensors_are_joined_along_the_axis_of_the_channels() -> None:
    x = random(2, 6, 4, 5)
    t = torch.tensor(x)
    agree(
        lambda w, v: w.concatenated([v, w.elementwise(v, ReLU())], 1),
        x,
        torch.cat([t, t.relu()], 1),
    )
    last = Foreign
    agree(
        lambda w, v: w.concatenated(
            [
                last(v.node, v.view.transposed([0, 2, 3, 1])),
                last(w.elementwise(v, ReLU()).node, v.view.transposed([0, 2, 3, 1])),
            ],
            -1,
        ),
        x,
        torch.cat([t, t.relu()], 1).permute(0, 2, 3, 1),
    )
    with pytest.raises(ViewError, match="another axis than the channels"):
        computed(lambda w, v: w.concatenated([v, v], 2), x)


def test_weights_go_to_the_layers_that_lead_to_the_output() -> None:
    """And what leads nowhere is left out."""
    writer = GraphWriter()
    image = writer.image_input(1, (4, 4, 3), "NCHW")
    writer.convolution(image, random(5, 3, 1, 1), None, window((1, 1)), name="dead")
    f = random(5, 3, 3, 3)
    value = writer.convolution(image, f, random(5), window((3, 3)), name="features/0")
    value = writer.elementwise(value, ReLU())
    m = random(20, 2)
    output = writer.dense(Foreign(value.node, value.view.reshaped([1, 20])), m, None, name="a/b")
    network = writer.network(output)
    assert [node.name for node in network.nodes] == ["features.0", "relu_1", "flatten_1", "a.b"]
    assert (network.parameters["features.0/filters"] == f.transpose(2, 3, 1, 0)).all()
    assert (network.parameters["a.b/weights"][0] == m[0]).all()
    assert (network.parameters["a.b/weights"][1] == m[4]).all()  # the second channel comes next


def test_names_of_layers() -> None:
    writer = GraphWriter()
    assert writer.name("layer1/0/conv") == "layer1.0.conv"
    assert writer.name("layer1.0.conv") == "layer1.0.conv_2"
    assert writer.name("/ ") is None
    assert writer.name(None) is None
    assert len(writer.name("x" * 500) or "") <= 200
    assert writer.name("a\x1b[31m") == "a?[31m"


@pytest.mark.parametrize("kind", [np.float64, np.float16, np.int64])
def test_weights_of_other_types(kind: Any) -> None:
    given = np.arange(6, dtype=kind)
    assert as_float32(given, "w").dtype == np.float32
    assert (as_float32(given, "w") == given).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_weights_that_are_no_numbers(value: float) -> None:
    with pytest.raises(StriateValueError, match="w: holds numbers that are not finite"):
        as_float32(np.array([1.0, value]), "w")


def test_variances_are_not_negative() -> None:
    arrays = {name: -np.ones(3, np.float32) for name in ("scale", "shift", "mean", "variance")}
    with pytest.raises(StriateValueError, match="variances must not be negative"):
        computed(lambda w, v: w.batch_norm(v, arrays, eps=1e-3, momentum=0.9), random(1, 3, 2, 2))


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda w, v: w.dense(v, random(6, 2), None), "multiplied with 5 values"),
        (lambda w, v: w.dense(v, random(5, 2), None), "an axis that is not the channels"),
        (lambda w, v: w.pool(Foreign(v.node, v.view.transposed([0, 2, 1, 3])), "MaxPool2D",
                             window((2, 2))), "axis 1 does not hold the channels"),
        (lambda w, v: w.reduction(v, "Avg", [1], True), "it is taken over the channels"),
        (lambda w, v: w.picked(v, 1, [0, 3, 4]), "not evenly spaced"),
        (lambda w, v: w.picked(v, 1, [1, 0]), "not evenly spaced"),
        (lambda w, v: w.picked(v, 1, []), "nothing is left"),
        (lambda w, v: w.padded(v, (0, 1, 0, 0), (0, 0, 0, 0)), "another axis than the height"),
        (lambda w, v: w.product(v, w.reduction(v, "Sum", [2], True)), "is multiplied with"),
    ],
)  # fmt: skip
def test_what_no_layer_does(write: Any, message: str) -> None:
    with pytest.raises(ViewError, match=message):
        computed(write, random(2, 6, 4, 5))
