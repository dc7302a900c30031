"""Pooling whose last windows hang over the end: PyTorch's ceil_mode, and ONNX's."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from striate import AvgPool2D, MaxPool2D, Network, SumPool2D
from striate.layers import PassContext


@st.composite
def windows(draw, dilated):
    size = (draw(st.integers(1, 5)), draw(st.integers(1, 5)))
    stride = (draw(st.integers(1, 5)), draw(st.integers(1, 5)))
    dilation = (draw(st.integers(1, 3)), draw(st.integers(1, 3))) if dilated else (1, 1)
    padding = tuple(draw(st.integers(0, taps // 2)) for taps in size)
    image = (draw(st.integers(1, 13)), draw(st.integers(1, 13)))
    reach = [gap * (taps - 1) + 1 for taps, gap in zip(size, dilation, strict=True)]
    # Elsewhere a window may hold no pixel at all: PyTorch answers with -inf, striate refuses.
    assume(
        all(
            not pad or (pad < far and gap <= pixels)
            for pad, far, gap, pixels in zip(padding, reach, dilation, image, strict=True)
        )
    )
    return image, size, stride, padding, dilation


def of_torch(pool, x, gradient=None):
    """The output of a function of PyTorch and, from the output's gradient, the input's."""
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    given_x = torch.tensor(x.transpose(0, 3, 1, 2), requires_grad=True)
    output = pool(torch.nn.functional, given_x)
    output.backward(torch.tensor(gradient(output.shape)))
    return [v.detach().numpy().transpose(0, 2, 3, 1) for v in (output, given_x.grad)]


def compare(layer, x, pool):
    """Both engines against PyTorch, or all of them refuse."""
    random = np.random.default_rng(3)
    gradient = random.standard_normal

    def keeping(shape):
        keeping.given = gradient(tuple(shape))
        return keeping.given

    try:
        expected, expected_gradient = of_torch(pool, x, keeping)
    except RuntimeError:
        with pytest.raises(ValueError, match="larger than"):
            layer.output_shape(x.shape[1:])
        return
    output, saved = layer.forward((x,), {}, {}, PassContext())
    assert output.shape[1:] == layer.output_shape(x.shape[1:])
    np.testing.assert_allclose(output, expected, rtol=1e-12, atol=1e-14)
    (result,), _ = layer.backward(keeping.given.transpose(0, 2, 3, 1), saved, {})
    np.testing.assert_allclose(result, expected_gradient, rtol=1e-12, atol=1e-13)


@given(windows(dilated=True))
@settings(max_examples=200, deadline=None)
def test_maxima_agree_with_torch(window):
    image, size, stride, padding, dilation = window
    x = np.round(np.random.default_rng(0).standard_normal((2, *image, 3)) * 2)
    layer = MaxPool2D(size, stride=stride, padding=padding, dilation=dilation, uncovered="overhang")
    compare(layer, x, lambda f, t: f.max_pool2d(t, size, stride, padding, dilation, ceil_mode=True))


@given(windows(dilated=False), st.booleans())
@settings(max_examples=200, deadline=None)
def test_averages_agree_with_torch(window, counted):
    image, size, stride, padding, _ = window
    x = np.random.default_rng(0).standard_normal((2, *image, 3))
    layer = AvgPool2D(
        size, stride=stride, padding=padding, count_padding=counted, uncovered="overhang"
    )
    compare(
        layer,
        x,
        lambda f, t: f.avg_pool2d(
            t, size, stride, padding, ceil_mode=True, count_include_pad=counted
        ),
    )


CASES = [
    ((7, 9), (3, 2), (2, 3), (0, 0, 0, 0), (1, 1)),
    ((7, 9), (3, 2), (2, 4), (1, 0, 0, 1), (1, 1)),
    ((10, 6), (2, 3), (3, 2), (1, 1, 1, 1), (2, 1)),
    ((5, 12), (3, 3), (3, 5), (2, 1, 0, 2), (1, 2)),
    ((4, 5), (2, 4), (2, 4), (1, 0, 2, 2), (1, 1)),
]


@pytest.mark.parametrize("kind", ["MaxPool", "AveragePool", "AveragePool counting"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_agrees_with_onnxruntime(case, kind):
    onnx = pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    (height, width), size, stride, pads, dilation = case
    counting = kind.endswith("counting")
    options = {"count_include_pad": int(counting)} if kind.startswith("Average") else {}
    node = onnx.helper.make_node(
        kind.split()[0], ["x"], ["y"], kernel_shape=size, strides=stride, ceil_mode=1,
        pads=[pads[0], pads[2], pads[1], pads[3]], dilations=dilation, **options,
    )  # fmt: skip
    values = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in (("x", (2, 3, height, width)), ("y", None))
    ]
    graph = onnx.helper.make_graph([node], "pool", values[:1], values[1:])
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 19)], ir_version=9
    )
    x = np.random.default_rng(0).standard_normal((2, 3, height, width)).astype(np.float32)
    expected = runtime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    ).run(None, {"x": x})[0]
    kinds = {"count_padding": counting} if kind.startswith("Average") else {}
    layer = (AvgPool2D if kinds else MaxPool2D)(
        size, stride=stride, padding=pads, dilation=dilation, uncovered="overhang", **kinds
    )
    network = Network([layer], (height, width, 3))
    for engine in ("numpy", "llvm"):
        got = layer_output(network, x.transpose(0, 2, 3, 1), engine)
        np.testing.assert_allclose(got, expected.transpose(0, 2, 3, 1), rtol=1e-5, atol=1e-6)


def layer_output(network, images, engine):
    from striate.engines.llvm_layer import run_layer

    layer = network.nodes[0].layer
    if engine == "llvm":
        return run_layer(layer, (np.ascontiguousarray(images),), {}, {}, False)
    return layer.forward((images,), {}, {}, PassContext())[0]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_sum_adds_what_is_there(case):
    (height, width), size, stride, pads, dilation = case
    layer = SumPool2D(size, stride=stride, padding=pads, dilation=dilation, uncovered="overhang")
    x = np.random.default_rng(0).standard_normal((2, height, width, 3))
    output, _ = layer.forward((x,), {}, {}, PassContext())
    for y, x_ in itertools.product(range(output.shape[1]), range(output.shape[2])):
        rows = [y * stride[0] + r * dilation[0] - pads[0] for r in range(size[0])]
        columns = [x_ * stride[1] + s * dilation[1] - pads[2] for s in range(size[1])]
        rows = [row for row in rows if 0 <= row < height]
        columns = [column for column in columns if 0 <= column < width]
        assert rows, "a window without a pixel"
        np.testing.assert_allclose(
            output[:, y, x_], x[:, rows][:, :, columns].sum((1, 2)), rtol=1e-12, atol=1e-13
        )


def test_other_layers_do_not_hang_over():
    from striate import Conv2D

    with pytest.raises(ValueError, match='uncovered must be "error" or "drop", got'):
        Conv2D(3, 2, uncovered="overhang")
    with pytest.raises(ValueError, match='"error", "drop" or "overhang", got'):
        MaxPool2D(2, uncovered="hang")
    with pytest.raises(ValueError, match="larger than the height"):
        MaxPool2D(5, stride=2, uncovered="overhang").output_shape((3, 9, 1))
