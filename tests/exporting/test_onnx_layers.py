"""Every layer, exported to ONNX and run by onnxruntime, against its formulas in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate import Input, Network, Preprocessing
from striate.exporting.onnx_export import onnx_model
from striate.exporting.onnx_network import WRITERS
from striate.layers import LAYERS, Layer, Node, PassContext
from striate.model.traversal import forward_pass
from tests.small_networks import CASES, IMAGE, MERGES, case_id, randomise, read_by

onnxruntime = pytest.importorskip("onnxruntime")

Array = np.ndarray[Any, Any]
Draw = Callable[[st.SearchStrategy[Any]], Any]
CHANNELS = (1, 2, 3, 7, 8, 9, 15, 16, 17)


def run(network: Network, images: Array, layout: str = "nchw", **options: Any) -> Array:
    """What onnxruntime computes of raw images (n, height, width, channels) or (n, features)."""
    made = onnx_model(network, layout=layout, **options)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(made.SerializeToString(), options)
    (taken,), (given_out,) = session.get_inputs(), session.get_outputs()
    dtype = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8}[taken.type]
    first = layout == "nchw" and images.ndim == 4
    value = np.ascontiguousarray((np.moveaxis(images, -1, 1) if first else images), dtype)
    (output,) = session.run(None, {taken.name: value})
    assert list(output.shape[1:]) == given_out.shape[1:]
    last = layout == "nchw" and output.ndim == 4
    return np.moveaxis(output, 1, -1) if last else output


def formulas(network: Network, images: Array, dtype: type = np.float64) -> Array:
    """The outputs by the formulas of the layers."""
    known = network.preprocessing
    inputs = images.astype(dtype)
    if not known.is_identity:
        inputs = (inputs - np.float32(known.mean)) / np.float32(known.std)

    def compute(index: int, values: tuple[Array, ...]) -> Array:
        wide = [
            {name: array.astype(dtype) for name, array in some.items()}
            for some in (network.parameters_of(index), network.state_of(index))
        ]
        output, _ = network.nodes[index].layer.forward(values, *wide, PassContext())
        return output

    *_, (_, output) = forward_pass(network, inputs, compute)
    return output


def agrees(network: Network, seed: int, **options: Any) -> None:
    """onnxruntime's outputs are those of the formulas, to 1e-5 of the largest.

    Or to three times the rounding errors of the formulas themselves in float32: the outputs may be
    small differences of large numbers.
    """
    randomise(network, seed)
    rng = np.random.default_rng(seed + 1)
    images = rng.integers(0, 256, (3, *network.input_shape)).astype(np.float32)
    if network.preprocessing.is_identity:
        images = (images - 128) / 64
    expected = formulas(network, images)
    rounding = np.abs(formulas(network, images, np.float32) - expected).max()
    allowed = max(1e-5 * np.abs(expected).max(), 3 * rounding)
    assert np.abs(run(network, images, **options) - expected).max() <= allowed


# How to draw a layer of each class that fits a shape; None where none does.
Maker = Callable[[Draw, tuple[int, ...]], Layer | None]


def whole(low: int, high: int) -> st.SearchStrategy[int]:
    return st.integers(low, high)


def real(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high)


def plain(name: str, **arguments: st.SearchStrategy[Any]) -> Maker:
    """A layer that takes any shape."""
    return lambda draw, shape: LAYERS[name](**{k: draw(v) for k, v in arguments.items()})


def window(draw: Draw, shape: tuple[int, ...], pools: bool) -> dict[str, Any]:
    """A window that fits an image, with uneven padding, and any number of rows that it drops."""
    size, pads, stride, dilation = [], [], [], []
    for pixels in shape[:2]:
        taps = draw(whole(1, min(4, pixels)))
        gap = draw(whole(1, max(1, min(3, (pixels - 1) // max(taps - 1, 1)))))
        reach = gap * (taps - 1) + 1
        size.append(taps)
        dilation.append(gap)
        stride.append(draw(whole(1, 3)))
        pads += [draw(whole(0, reach - 1)) if pools else draw(whole(0, 3)) for _ in range(2)]
    return {
        "size": tuple(size),
        "stride": tuple(stride),
        "dilation": tuple(dilation),
        "padding": draw(st.sampled_from(["same", tuple(pads)])),
        "uncovered": "drop",
    }


def filters(name: str) -> Maker:
    def make(draw: Draw, shape: tuple[int, ...]) -> Layer | None:
        if len(shape) != 3:
            return None
        groups = draw(st.sampled_from([g for g in range(1, 10) if shape[2] % g == 0]))
        return LAYERS[name](
            groups * draw(whole(1, 5)),
            groups=groups,
            bias=draw(st.booleans()),
            **window(draw, shape, pools=False),
        )

    return make


def pool(name: str, **more: st.SearchStrategy[Any]) -> Maker:
    def make(draw: Draw, shape: tuple[int, ...]) -> Layer | None:
        if len(shape) != 3:
            return None
        arguments = window(draw, shape, pools=True)
        arguments["uncovered"] = draw(st.sampled_from(["drop", "overhang"]))
        return LAYERS[name](**arguments, **{k: draw(v) for k, v in more.items()})

    return make


def on_vectors(maker: Maker) -> Maker:
    return lambda draw, shape: maker(draw, shape) if len(shape) == 1 else None


def grouped_dense(draw: Draw, shape: tuple[int, ...]) -> Layer:
    group = draw(whole(1, 4))
    return LAYERS["GroupedDense"](group * draw(whole(1, 5)), group, bias=draw(st.booleans()))


def clip(draw: Draw, shape: tuple[int, ...]) -> Layer:
    low = draw(st.none() | real(-1, 0.5))
    high = draw(real(0.5, 2) if low is None else st.none() | real(0.5, 2))
    return LAYERS["Clip"](low, high)


def channel_shuffle(draw: Draw, shape: tuple[int, ...]) -> Layer:
    count = shape[-1]
    return LAYERS["ChannelShuffle"](
        draw(st.sampled_from([g for g in range(1, count + 1) if count % g == 0]))
    )


def channel_slice(draw: Draw, shape: tuple[int, ...]) -> Layer:
    start = draw(whole(0, shape[-1] - 1))
    return LAYERS["ChannelSlice"](start, draw(whole(start + 1, shape[-1])), draw(whole(1, 3)))


def global_pool(name: str) -> Maker:
    """Over the whole image, which becomes a vector or one pixel."""

    def make(draw: Draw, shape: tuple[int, ...]) -> Layer | None:
        if len(shape) != 3:
            return None
        return LAYERS[name](keepdims=draw(st.booleans()))

    return make


def borders(name: str, argument: str) -> Maker:
    def make(draw: Draw, shape: tuple[int, ...]) -> Layer | None:
        if len(shape) != 3:
            return None
        most = [4] * 4 if name == "ZeroPad2D" else [(n - 1) // 2 for n in shape[:2] for _ in "ab"]
        return LAYERS[name](**{argument: tuple(draw(whole(0, side)) for side in most)})

    return make


def conv_transpose2d(draw: Draw, shape: tuple[int, ...]) -> Layer | None:
    if len(shape) != 3:
        return None
    groups = draw(st.sampled_from([g for g in range(1, 10) if shape[2] % g == 0]))
    size, stride, dilation = (tuple(draw(whole(1, 3)) for _ in "hw") for _ in range(3))
    most = [max(s, d) - 1 for s, d in zip(stride, dilation, strict=True)]
    return LAYERS["ConvTranspose2D"](
        groups * draw(whole(1, 4)),
        size,
        stride=stride,
        dilation=dilation,
        padding=tuple(draw(whole(0, 1)) for _ in range(4)),
        output_padding=tuple(draw(whole(0, n)) for n in most),
        groups=groups,
        bias=draw(st.booleans()),
    )


MAKERS: dict[str, Maker] = {
    "ConvTranspose2D": conv_transpose2d,
    "ZeroPad2D": borders("ZeroPad2D", "padding"),
    "Crop2D": borders("Crop2D", "cropping"),
    "GlobalMaxPool2D": global_pool("GlobalMaxPool2D"),
    "ReLU6": plain("ReLU6"),
    "Clip": clip,
    "HardSigmoid": plain("HardSigmoid", slope=real(0.1, 0.5), offset=real(0, 1)),
    "HardSwish": plain("HardSwish"),
    "SiLU": plain("SiLU"),
    "Mish": plain("Mish"),
    "ELU": plain("ELU", alpha=real(0.5, 2)),
    "GELU": plain("GELU", approximate=st.sampled_from(["none", "tanh"])),
    "PReLU": plain("PReLU", shared=st.booleans()),
    "Affine": lambda draw, shape: LAYERS["Affine"](
        *draw(st.sampled_from([(True, True), (True, False), (False, True)]))
    ),
    "LayerNorm": plain("LayerNorm", eps=real(1e-6, 0.25)),
    # onnxruntime adds and subtracts along the channels: with a larger alpha it loses digits.
    "LRN": plain(
        "LRN", size=whole(1, 9), alpha=real(0, 0.02), beta=real(0.25, 1), bias=real(0.5, 2)
    ),
    "ChannelShuffle": channel_shuffle,
    "ChannelSlice": channel_slice,
    "Conv2D": filters("Conv2D"),
    "LocallyConnected2D": filters("LocallyConnected2D"),
    "MaxPool2D": pool("MaxPool2D"),
    "AvgPool2D": pool("AvgPool2D", count_padding=st.booleans()),
    "SumPool2D": pool("SumPool2D"),
    "GlobalAvgPool2D": global_pool("GlobalAvgPool2D"),
    "Dense": on_vectors(plain("Dense", units=whole(1, 17), bias=st.booleans())),
    "GroupedDense": on_vectors(grouped_dense),
    "Flatten": plain("Flatten"),
    "ReLU": plain("ReLU"),
    "LeakyReLU": plain("LeakyReLU", slope=real(-1, 2)),
    "Sigmoid": plain("Sigmoid"),
    "Tanh": plain("Tanh"),
    "Scale": plain("Scale", factor=real(0.25, 4)),
    "Dropout": plain("Dropout", rate=real(0, 0.5)),
    "BatchNorm": plain("BatchNorm", eps=real(1e-6, 0.25), momentum=real(0, 0.75)),
}


@st.composite
def networks(draw: Draw, first: str | None = None) -> Network:
    """A graph of up to eight layers; with the layer `first` at its beginning, if it is named."""
    shape = (draw(whole(1, 13)), draw(whole(1, 13)), draw(st.sampled_from(CHANNELS)))
    image = Input(shape)
    nodes: list[Node] = [image]
    for turn in range(draw(whole(1, 8))):
        name = first if first and not turn else draw(st.sampled_from([*MAKERS, *MERGES]))
        # Mostly a chain, with branches here and there.
        source = nodes[-1] if draw(whole(0, 3)) else draw(st.sampled_from(nodes))
        if name in MERGES:
            merge = LAYERS[name]()
            others = [n for n in nodes if _fits(merge, source, n)]
            chosen = [
                draw(st.sampled_from(others)) for _ in range(draw(whole(1, 2)) if others else 0)
            ]
            if chosen and _fits(merge, source, *chosen):  # two that fit need not fit each other
                nodes.append(merge(source, *chosen))
            continue
        if first and not turn and MAKERS[name](draw, source.shape) is None:  # it wants a vector
            source = LAYERS["Flatten"]()(source)
            nodes.append(source)
        layer = MAKERS[name](draw, source.shape)
        if layer is None:
            continue
        try:
            nodes.append(layer(source))
        except ValueError:  # padding that the layer refuses
            continue
    if len(nodes) == 1:
        nodes.append(LAYERS["ReLU"]()(image))
    network = Network(inputs=image, output=nodes[-1])
    if draw(st.booleans()):
        numbers = st.lists(real(10, 200), min_size=shape[2], max_size=shape[2])
        network.preprocessing = Preprocessing(mean=draw(numbers), std=draw(numbers))
    return network


def _fits(merge: Layer, *nodes: Node) -> bool:
    try:
        merge(*nodes)
    except ValueError:
        return False
    return True


def test_every_layer_has_a_writer_and_is_drawn_here() -> None:
    assert set(WRITERS) >= set(LAYERS)
    assert {*MAKERS, *MERGES} == set(LAYERS)


@pytest.mark.parametrize("opset", [13, 20])
@pytest.mark.parametrize(("name", "arguments"), CASES, ids=case_id)
def test_every_layer_agrees(name: str, arguments: dict[str, Any], opset: int) -> None:
    image = Input(IMAGE)
    agrees(Network(inputs=image, output=read_by(LAYERS[name](**arguments), image)), 3, opset=opset)


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_a_layer_agrees_with_its_formulas(name: str) -> None:
    @settings(max_examples=15, deadline=None, derandomize=True)
    @given(network=networks(first=name), seed=whole(0, 99), opset=st.sampled_from([11, 13, 17, 20]))
    def check(network: Network, seed: int, opset: int) -> None:
        agrees(network, seed, opset=opset)

    check()


@settings(max_examples=120, deadline=None, derandomize=True)
@given(
    network=networks(),
    seed=whole(0, 99),
    opset=whole(11, 22),
    layout=st.sampled_from(["nchw", "nhwc"]),
)
def test_random_networks_agree(network: Network, seed: int, opset: int, layout: str) -> None:
    agrees(network, seed, opset=opset, layout=layout)
