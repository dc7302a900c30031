"""Imports architectures as people export them, and compares striate with ONNX Runtime.

    python benchmarks/imported.py              all of them
    python benchmarks/imported.py ResNet Xception

The networks are those of transformers and keras.applications, small images, random weights and
running statistics, exported by PyTorch's two exporters and by Keras. Nothing is downloaded. A
table tells how far the logits of striate's compiled engine are from ONNX Runtime's, for a few
images, relative to the largest; and how much the logits of one image differ from another's, for
a network whose weights drown the image would agree whatever it did. KEEP=FOLDER keeps the files
there, and uses those that it finds again; ENGINE=numpy takes the other engine; TRACE=1 shows where
an error comes from. Ends with 1 if a row is wrong, failed or refused.
Needs: pip install transformers keras torch onnx onnxscript onnxruntime
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from striate.common.errors import StriateError

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

SIDE = 96
"""Pixels of the images' sides, where the architecture allows it."""
IMAGES = 3
CLASSES = 37
BAR = 1e-4
"""Of the largest logit."""
VARIANCES = float(np.log(3))
"""1 by this times 0.5 … 1.5 has the mean 1: else 50 layers would make numbers of thousands."""

SHALLOW = {"depths": [1, 2, 2, 1]}
TRANSFORMERS: dict[str, tuple[str, dict[str, Any]]] = {
    "ResNet": ("ResNet", {"depths": [2, 2, 2, 2], "hidden_sizes": [64, 128, 256, 512],
                          "layer_type": "basic"}),
    "ResNet-bottleneck": ("ResNet", SHALLOW),
    "RegNetX": ("RegNet", {**SHALLOW, "layer_type": "x"}),
    "RegNetY": ("RegNet", SHALLOW),
    "ConvNext": ("ConvNext", {"depths": [1, 1, 3, 1]}),
    "MobileNetV1": ("MobileNetV1", {}),
    "MobileNetV2": ("MobileNetV2", {}),
    "EfficientNet": ("EfficientNet", {"width_coefficient": 1.0, "depth_coefficient": 1.0,
                                      "hidden_dim": 1280, "image_size": 224}),
    "HGNetV2": ("HGNetV2", {}),
    "PPLCNet": ("PPLCNet", {}),
    "TextNet": ("TextNet", {}),
}  # fmt: skip
"""Name of the row, then the class of transformers and the options of its configuration."""
FROM_0_TO_255 = (
    "MobileNetV3Small", "MobileNetV3Large", "EfficientNetB0", "EfficientNetV2B0", "ConvNeXtTiny",
)  # fmt: skip
"""Of Keras: they normalise their images themselves."""
KERAS = (
    "VGG16", "VGG19", "ResNet50", "ResNet50V2", "DenseNet121", "InceptionV3", "InceptionResNetV2",
    "Xception", "MobileNet", "MobileNetV2", "MobileNetV3Small", "MobileNetV3Large",
    "EfficientNetB0", "EfficientNetV2B0", "ConvNeXtTiny",
)  # fmt: skip


def transformers_module(name: str) -> Any:
    """A module of PyTorch that returns logits."""
    import torch
    import transformers

    kind, options = TRANSFORMERS[name]
    config = getattr(transformers, f"{kind}Config")(**options, num_labels=CLASSES)
    inner = getattr(transformers, f"{kind}ForImageClassification")(config)

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = inner

        def forward(self, x: Any) -> Any:
            found = self.model(x)
            return found.logits if "logits" in found else found.last_hidden_state

    module = Logits()
    randomise_torch(module)
    return module


def keras_model(name: str) -> Any:
    """A model of Keras, called once: it asks for that before it exports."""
    import keras

    side = 224 if name == "NASNetMobile" else SIDE
    kind = getattr(keras.applications, name)
    model = kind(weights=None, classes=CLASSES, input_shape=(side, side, 3))
    randomise_keras(model, name)
    model(np.zeros((1, side, side, 3), np.float32))
    return model


def pictures(count: int, side: int, seed: int) -> np.ndarray[Any, Any]:
    """Random images (count, 3, side, side) with large and small patches, like photographs."""
    random = np.random.default_rng(seed)
    total = np.zeros((count, 3, side, side))
    for cells in (2, 8, 32, side):
        patch = -(-side // cells)
        drawn = random.standard_normal((count, 3, cells, cells))
        total += drawn.repeat(patch, 2).repeat(patch, 3)[:, :, :side, :side]
    return (total / 2).astype(np.float32)


def scaled(images: np.ndarray[Any, Any], name: str) -> np.ndarray[Any, Any]:
    """The images as that network of Keras wants them."""
    return np.clip(images * 64 + 128, 0, 255) if name in FROM_0_TO_255 else images


def randomise_torch(module: Any) -> None:
    """Weights, scales and biases that are neither 0 nor 1, and statistics near those of images."""
    import torch

    generator = torch.Generator().manual_seed(0)
    norms = [part for part in module.modules() if isinstance(part, torch.nn.BatchNorm2d)]
    for part in module.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    with torch.no_grad():
        for name, tensor in module.named_parameters():
            drawn = torch.rand(tensor.shape, generator=generator)
            if name.endswith("bias"):
                tensor.copy_((drawn - 0.5) * 0.2)
            elif tensor.ndim == 1:
                tensor.copy_(drawn * 0.4 + 0.8)
            else:
                fan = max(tensor[0].numel(), 1)
                tensor.copy_((drawn - 0.5) * (12 / fan) ** 0.5 * 1.2)
        for part in norms:
            part.momentum = 1.0
        module.train()(torch.from_numpy(pictures(16, SIDE, 1)))
        for part in norms:
            drawn = torch.rand((2, *part.running_mean.shape), generator=generator)
            part.running_mean += (drawn[0] - 0.5) * 0.4 * part.running_var.sqrt()
            part.running_var *= VARIANCES * (drawn[1] + 0.5)
            part.momentum = 0.1
    module.eval()


def randomise_keras(model: Any, kind: str) -> None:
    """The same for a model of Keras."""
    import keras

    random = np.random.default_rng(0)
    norms = [part for part in model.layers if isinstance(part, keras.layers.BatchNormalization)]
    for weight in model.trainable_weights:
        shape = tuple(weight.shape)
        drawn = random.random(shape)
        path = weight.path
        if path.endswith(("bias", "beta")):
            value = (drawn - 0.5) * 0.2
        elif len(shape) < 2:
            value = drawn * 0.4 + 0.8
        else:
            fan = max(int(np.prod(shape[:2] if "depthwise" in path else shape[:-1])), 1)
            value = (drawn - 0.5) * (12 / fan) ** 0.5 * 1.2
        weight.assign(value.astype(np.float32))
    for part in norms:
        part.momentum = 0.0
    images = scaled(pictures(16, model.input_shape[1], 1), kind).transpose(0, 2, 3, 1)
    model(images, training=True)
    for part in norms:
        mean = keras.ops.convert_to_numpy(part.moving_mean)
        variance = keras.ops.convert_to_numpy(part.moving_variance)
        drawn = random.random((2, *mean.shape))
        part.moving_mean.assign(mean + (drawn[0] - 0.5) * 0.4 * variance**0.5)
        part.moving_variance.assign(variance * VARIANCES * (drawn[1] + 0.5))
        part.momentum = 0.99
    # Probabilities must not be 0 or 1, for their logarithms are compared.
    last = [weight for weight in model.trainable_weights if len(weight.shape) > 1][-1]
    last.assign(last * 1e-3)
    narrow = np.log(keras.ops.convert_to_numpy(model(images)))
    last.assign(last * (8 / np.ptp(narrow)))


@contextmanager
def silence() -> Iterator[None]:
    """Without what exporters print, in Python and below it."""
    sys.stdout.flush()
    kept = os.dup(1), os.dup(2)
    with open(os.devnull, "w") as nowhere:
        for number in (1, 2):
            os.dup2(nowhere.fileno(), number)
        try:
            yield
        finally:
            sys.stdout.flush()
            for number, before in enumerate(kept, start=1):
                os.dup2(before, number)
                os.close(before)


@dataclass(frozen=True)
class Export:
    """One way to export one architecture."""

    architecture: str
    exporter: str

    @property
    def kind(self) -> str:
        """What the library calls the architecture."""
        return self.architecture.removeprefix("keras ")

    def file(self, folder: Path) -> Path | None:
        """The file, None if the exporter fails."""
        path = folder / f"{self.architecture}-{self.exporter}.onnx".replace(" ", "-")
        if path.exists():
            return path
        of_keras = self.kind != self.architecture
        module = keras_model(self.kind) if of_keras else transformers_module(self.kind)
        try:
            with silence():
                self._write(module, path)
        except Exception:
            if os.environ.get("TRACE"):
                traceback.print_exc()
            path.unlink(missing_ok=True)
            return None
        return path

    def _write(self, module: Any, path: Path) -> None:
        import torch

        if self.exporter == "Keras":
            module.export(path, format="onnx", verbose=False)
            return
        of_keras = self.kind != self.architecture
        x = torch.zeros(1, *(module.input_shape[1:] if of_keras else (3, SIDE, SIDE)))
        dynamo = self.exporter == "PyTorch dynamo"
        torch.onnx.export(module.eval(), (x,), path, dynamo=dynamo, verbose=False)


def exports(names: list[str]) -> Iterator[Export]:
    """All architectures with all exporters."""
    for name in [*TRANSFORMERS, *(f"keras {name}" for name in KERAS)]:
        kind = name.removeprefix("keras ")
        if not names or name in names or kind in names:
            if kind != name:
                yield Export(name, "Keras")
            yield Export(name, "PyTorch dynamo")
            yield Export(name, "PyTorch script")


@dataclass(frozen=True)
class Comparison:
    """How one file was read: `far` and `spread` are relative to the largest logit."""

    far: float
    spread: float
    layers: int
    parameters: int
    seconds: float

    @property
    def agrees(self) -> bool:
        return self.far <= BAR and self.spread >= 100 * self.far


def compared(path: Path, name: str) -> Comparison:
    """Read the file, and compare the logits of some images."""
    import onnxruntime

    from striate.importing.onnx_reader import read_onnx

    start = time.perf_counter()
    found = read_onnx(path)
    seconds = time.perf_counter() - start
    session = onnxruntime.InferenceSession(str(path))
    nhwc = found.image.shape[-1] == 3
    x = scaled(pictures(IMAGES, found.image.shape[2], 0), name)
    x = np.ascontiguousarray(x.transpose(0, 2, 3, 1)) if nhwc else x
    given = session.get_inputs()[0].name
    expected = np.concatenate([session.run(None, {given: x[i : i + 1]})[0] for i in range(IMAGES)])
    stored = np.concatenate([found.image.to_stored(x[i : i + 1]) for i in range(IMAGES)])
    network = found.network
    got = network.predict_logits(stored, engine=os.environ.get("ENGINE", "llvm"))
    got = np.concatenate([found.output.from_stored(got[i : i + 1]) for i in range(IMAGES)])
    if any(
        "left out" in note for note in found.notes
    ):  # a softmax: up to a constant, its logarithm
        expected = np.log(expected) - np.log(expected).mean(1, keepdims=True)
        got = got - got.mean(1, keepdims=True)
    largest = np.abs(expected).max()
    return Comparison(
        far=float(np.abs(got - expected).max() / largest),
        spread=float(np.abs(expected - expected[0]).max() / largest),
        layers=len(network.nodes),
        parameters=network.parameter_count,
        seconds=seconds,
    )


def row(export: Export, folder: Path) -> tuple[str, Comparison | None]:
    """What the table says of one export."""
    path = export.file(folder)
    if path is None:
        return "the exporter fails", None
    try:
        found = compared(path, export.kind)
    except StriateError as error:
        return f"REFUSED {error}", None
    except Exception as error:  # one line each, whatever it is
        if os.environ.get("TRACE"):
            traceback.print_exc()
        return f"FAILED {type(error).__name__}: {error}", None
    told = "agrees" if found.agrees else "WRONG"
    return (
        f"{told:8} {found.far:8.1e} {found.spread:8.1e} {found.layers:6} {found.parameters:12,}"
        f" {found.seconds:6.2f} s",
        found,
    )


def main() -> int:
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    kept = os.environ.get("KEEP")
    agreed: dict[str, float] = {}
    good = True
    print(
        f"{'architecture':24} {'exporter':15} {'result':8} {'far':>8} {'spread':>8} {'layers':>6}"
        f" {'parameters':>12} {'read':>8}"
    )
    with tempfile.TemporaryDirectory() as made:
        for export in exports(sys.argv[1:]):
            told, found = row(export, Path(kept or made))
            print(f"{export.architecture:24} {export.exporter:15} {told}", flush=True)
            good = good and (told == "the exporter fails" or (found is not None and found.agrees))
            if found is not None and found.agrees:
                name = export.architecture
                agreed[name] = max(agreed.get(name, 0.0), found.far)
    close = sum(far <= BAR / 10 for far in agreed.values())
    print(f"{len(agreed)} architectures agree to {BAR:.0e}, {close} of them to {BAR / 10:.0e}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
