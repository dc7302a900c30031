"""Valid files of all kinds that striate reads, small, from which the fuzzer's cases are made."""

from __future__ import annotations

import functools
import io
import json
import tempfile
import wave
from pathlib import Path
from typing import Any

import numpy as np

RANDOM = np.random.default_rng(7)
IMAGES = RANDOM.integers(0, 256, (6, 8, 9, 1), dtype=np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2])

NETWORK_LAYERS: list[dict[str, Any]] = [
    {"layer": "Conv2D", "filters": 4, "size": 3, "padding": "same", "name": "first"},
    {"layer": "BatchNorm"},
    {"layer": "ReLU"},
    {"layer": "MaxPool2D", "size": 2, "uncovered": "drop"},
    {"layer": "Conv2D", "filters": 4, "size": [3, 1], "stride": 1, "dilation": 1, "groups": 2,
     "padding": [1, 1, 0, 0], "bias": False, "name": "second"},
    {"layer": "Add", "inputs": ["second", "second"], "name": "sum"},
    {"layer": "LocallyConnected2D", "filters": 2, "size": 1, "name": "local"},
    {"layer": "Concat", "inputs": ["sum", "local"]},
    {"layer": "AvgPool2D", "size": 2, "stride": 2, "padding": 0},
    {"layer": "Dropout", "rate": 0.25},
    {"layer": "LeakyReLU", "slope": 0.1},
    {"layer": "Flatten"},
    {"layer": "GroupedDense", "units": 4, "group": 2},
    {"layer": "Dense", "units": "classes"},
]  # fmt: skip
NETWORK = {"input_shape": [8, 8, 1], "layers": NETWORK_LAYERS}
"""A network file that uses most layers and arguments."""


TRAINED_ON = (
    np.random.default_rng(1).integers(0, 256, (8, 4, 3, 1)).astype(np.uint8),
    np.arange(8) % 3,
)
"""Images and labels of a short training."""


@functools.cache
def model() -> bytes:
    """A model file with classes, preprocessing, answers and notes."""
    from striate.layers import BatchNorm, Conv2D, Dense, Flatten, MaxPool2D, ReLU
    from striate.model import files
    from striate.model.answers import Answers
    from striate.model.preprocessing import Preprocessing
    from striate.model.rejection import Rejection
    from striate.network import Network

    network = Network(
        [Conv2D(3, 3), BatchNorm(), ReLU(), MaxPool2D(2), Flatten(), Dense(3)], (8, 8, 1)
    )
    network.classes = ["a", "b", "c"]
    network.preprocessing = Preprocessing(
        mean=(120.0,), std=(60.0,), colour="gray", resize={"height": 8, "width": 8, "mode": "crop"}
    )
    rng = np.random.default_rng(2)
    shapes = {"centre": (1, 27), "directions": (27, 3), "bank": (4, 3)}
    arrays = {name: rng.normal(size=s).astype(np.float32) for name, s in shapes.items()}
    known = np.linspace(0.5, 1.5, 6, dtype=np.float32)
    rejection = Rejection("neighbours", 1.25, 0.02, known, arrays)
    network.answers = Answers(temperature=0.5, rejection=rejection)
    history = {"loss": [1.5, 0.5], "val_loss": [1.5, None], "accuracy": [0.25, 0.75]}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.safetensors"
        files.save(network, path, {"epochs": 2, "history": history, "split": {"seed": 0}})
        return path.read_bytes()


def training() -> dict[str, Any]:
    """A short training of a small network, as the arguments of `fit` but for the images."""
    return {"epochs": 2, "batch_size": 4, "engine": "numpy", "progress": False, "seed": 3}


def trained_network() -> Any:
    """The network that `checkpoint` is of, before its training."""
    from striate.layers import Dense, Flatten
    from striate.network import Network

    return Network([Flatten(), Dense(3)], (4, 3, 1), seed=5)


@functools.cache
def checkpoint() -> bytes:
    """A checkpoint of a training, after its first epoch."""
    from striate.training.checkpoint import Checkpoint

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.checkpoint"
        trained_network().fit(
            *TRAINED_ON,
            **training(),
            checkpoint=Checkpoint(path, every=1, keep=True),
            on_epoch=lambda row: row.epoch == 1,
        )
        return path.read_bytes()


def npy(array: Any, version: tuple[int, int] | None = None) -> bytes:
    """A .npy file."""
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(array), version, allow_pickle=False)
    return file.getvalue()


@functools.cache
def idx(axes: int) -> bytes:
    """An IDX file of images (3 axes) or labels (1)."""
    array = IMAGES[..., 0] if axes == 3 else LABELS.astype(np.uint8)
    sides = b"".join(extent.to_bytes(4, "big") for extent in array.shape)
    return bytes([0, 0, 8, axes]) + sides + array.tobytes()


@functools.cache
def wav(kind: str) -> bytes:
    """A sound of one or two channels."""
    from scipy.io import wavfile

    file = io.BytesIO()
    tone = np.sin(np.arange(200) / 5)
    if kind == "24-bit":
        with wave.open(file, "wb") as out:
            out.setnchannels(2)
            out.setsampwidth(3)
            out.setframerate(8000)
            out.writeframes(bytes(600))
    elif kind == "16-bit":
        wavfile.write(file, 8000, (tone * 32767).astype(np.int16))
    else:
        wavfile.write(file, 8000, np.stack([tone, -tone], 1).astype(np.float32))
    return file.getvalue()


@functools.cache
def image(kind: str, mode: str) -> bytes:
    """An image of 9 × 8 pixels; two frames where the kind has them."""
    from PIL import Image

    pixels = RANDOM.integers(0, 256, (8, 9, 4), dtype=np.uint8)
    if mode == "I;16":
        made = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
    else:
        made = Image.fromarray(pixels, "RGBA").convert(mode)
    file = io.BytesIO()
    options: dict[str, Any] = {}
    if kind in ("GIF", "TIFF", "WEBP") and mode not in ("I;16",):
        options = {"save_all": True, "append_images": [made.rotate(90, expand=True)]}
        if kind != "TIFF":
            options["append_images"] = [made.rotate(180)]
    made.save(file, kind, **options)
    return file.getvalue()


IMAGE_KINDS = (
    ("PNG", "RGB"), ("PNG", "P"), ("PNG", "LA"), ("PNG", "I;16"), ("JPEG", "RGB"), ("JPEG", "L"),
    ("GIF", "P"), ("BMP", "RGB"), ("BMP", "P"), ("TIFF", "RGB"), ("TIFF", "I;16"), ("TIFF", "L"),
    ("WEBP", "RGB"),
)  # fmt: skip

CSV = "time,left,right\n" + "\n".join(f"{n},{n * 0.5},{-n}" for n in range(20)) + "\n"
KERNEL = "0 -1 0; -1 5 -1; 0 -1 0 # sharper\n"
KERNEL_CSV = "1,2,1\n2,4,2\n1,2,1\n"


def toml(value: dict[str, Any]) -> str:
    """A network file in TOML, of values that TOML can hold."""
    lines = [f"input_shape = {json.dumps(value.get('input_shape', [8, 8, 1]))}"]
    layers = value.get("layers")
    for layer in layers if isinstance(layers, list) else []:
        lines.append("[[layers]]")
        if isinstance(layer, dict):
            lines += [f"{key} = {json.dumps(entry)}" for key, entry in layer.items()]
    return "\n".join(lines) + "\n"


@functools.cache
def onnx() -> Any:
    """A small classifier, as an ONNX model with a function, constants to fold and metadata."""
    from onnx import TensorProto, helper, numpy_helper

    def weights(name: str, *shape: int) -> Any:
        values = np.random.default_rng(len(name)).random(shape, np.float32)
        return numpy_helper.from_array(values, name)

    node = helper.make_node
    nodes = [
        node("Sub", ["image", "mean"], ["centred"]),
        node("Conv", ["centred", "conv.weight", "conv.bias"], ["a"], pads=[1, 1, 0, 1],
             strides=[2, 1], group=1),
        node("BatchNormalization", ["a", "bn.scale", "bn.bias", "bn.mean", "bn.var"], ["b"]),
        node("Gate", ["b"], ["c"], domain="own"),
        node("MaxPool", ["c"], ["d"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Shape", ["d"], ["shape"]),
        node("Gather", ["shape", "zero"], ["batch"]),
        node("Concat", ["batch", "minus"], ["wanted"], axis=0),
        node("Reshape", ["d", "wanted"], ["e"]),
        node("Gemm", ["e", "fc.weight", "fc.bias"], ["f"], transB=1),
        node("Softmax", ["f"], ["chances"], axis=1),
    ]  # fmt: skip
    initializers = [
        weights("mean", 2, 1, 1), weights("conv.weight", 6, 2, 3, 3), weights("conv.bias", 6),
        *(weights(f"bn.{name}", 6) for name in ("scale", "bias", "mean", "var")),
        weights("fc.weight", 3, 48), weights("fc.bias", 3),
        numpy_helper.from_array(np.array([0]), "zero"),
        numpy_helper.from_array(np.array([-1]), "minus"),
    ]  # fmt: skip
    gate = helper.make_function(
        "own", "Gate", ["x"], ["y"],
        [node("Sigmoid", ["x"], ["s"]), node("Mul", ["x", "s"], ["y"])],
        [helper.make_opsetid("", 17)],
    )  # fmt: skip
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "network",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 2, 8, 9])],
            [helper.make_tensor_value_info("chances", TensorProto.FLOAT, ["n", 3])],
            initializers,
        ),
        opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("own", 1)],
        functions=[gate],
        ir_version=9,
    )
    helper.set_model_props(model, {"classes": '["a", "b", "c"]'})
    return model


@functools.cache
def own_onnx() -> Any:
    """A network with a layer of each kind of constants, as striate writes it."""
    from striate import (
        LRN,
        AvgPool2D,
        Dense,
        Flatten,
        GroupedDense,
        LocallyConnected2D,
        Network,
        ReLU,
    )
    from striate.exporting.onnx_export import onnx_model

    layers = [
        LocallyConnected2D(2, (2, 3)), LRN(2), AvgPool2D(2, stride=1, dilation=2), ReLU(),
        Flatten(), GroupedDense(6, group=2), Dense(3),
    ]  # fmt: skip
    network = Network(layers, (5, 6, 2))
    network.classes = ["a", "b", "c"]
    return onnx_model(network)
