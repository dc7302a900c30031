"""Imports architectures as people export them, and compares striate with ONNX Runtime.

    python benchmarks/imported.py              all of them
    python benchmarks/imported.py ResNet Xception

The networks are those of transformers and keras.applications, small images, random weights and
running statistics, exported by PyTorch's two exporters and by Keras. Nothing is downloaded.
Needs: pip install transformers keras torch onnx onnxscript onnxruntime
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

SIDE = 96
"""Pixels of the images' sides, where the architecture allows it."""


def transformers_models() -> Iterator[tuple[str, Callable[[], Any]]]:
    """Modules of PyTorch that return logits."""
    import transformers as t
    from transformers import (
        ConvNextConfig,
        EfficientNetConfig,
        MobileNetV1Config,
        MobileNetV2Config,
        RegNetConfig,
        ResNetConfig,
    )

    configs = {
        "ResNet": ResNetConfig(depths=[2, 2, 2, 2], hidden_sizes=[64, 128, 256, 512],
                               layer_type="basic"),
        "ResNet-bottleneck": ResNetConfig(depths=[1, 2, 2, 1]),
        "RegNetX": RegNetConfig(layer_type="x", depths=[1, 2, 2, 1]),
        "RegNetY": RegNetConfig(depths=[1, 2, 2, 1]),
        "ConvNext": ConvNextConfig(depths=[1, 1, 3, 1]),
        "MobileNetV1": MobileNetV1Config(),
        "MobileNetV2": MobileNetV2Config(),
        "EfficientNet": EfficientNetConfig(),
    }  # fmt: skip

    def made(config: Any) -> Any:
        import torch

        config.num_labels = 37
        kind = type(config).__name__.removesuffix("Config")
        inner = getattr(t, f"{kind}ForImageClassification")(config)

        class Logits(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.model = inner

            def forward(self, x: Any) -> Any:
                return self.model(x).logits

        return Logits().eval()

    for name, config in configs.items():
        yield name, (lambda config=config: made(config))


KERAS: dict[str, dict[str, Any]] = {
    "VGG16": {}, "ResNet50": {}, "ResNet50V2": {}, "DenseNet121": {}, "InceptionV3": {},
    "InceptionResNetV2": {}, "Xception": {}, "MobileNet": {}, "MobileNetV2": {},
    "MobileNetV3Small": {}, "MobileNetV3Large": {}, "EfficientNetB0": {}, "EfficientNetV2B0": {},
    "NASNetMobile": {}, "ConvNeXtTiny": {},
}  # fmt: skip


def keras_model(name: str) -> Any:
    import keras

    side = 224 if name == "NASNetMobile" else SIDE
    return getattr(keras.applications, name)(
        weights=None, classes=37, input_shape=(side, side, 3), **KERAS[name]
    )


def randomise_torch(module: Any) -> None:
    """Running statistics, scales and biases that are neither 0 nor 1."""
    import torch

    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
            if not tensor.is_floating_point():
                continue
            drawn = torch.rand(tensor.shape, generator=generator)
            if name.endswith("running_var"):
                tensor.copy_(drawn + 0.5)
            elif name.endswith(("running_mean", "bias")):
                tensor.copy_((drawn - 0.5) * 0.2)
            elif tensor.ndim == 1:
                tensor.copy_(drawn * 0.4 + 0.8)
            else:
                fan = max(tensor[0].numel(), 1)
                tensor.copy_((drawn - 0.5) * (12 / fan) ** 0.5 * 1.2)


def randomise_keras(model: Any) -> None:
    random = np.random.default_rng(0)
    for weight in model.weights:
        shape = tuple(weight.shape)
        drawn = random.random(shape)
        path = weight.path
        if "normalization" in path and ("variance" in path or "count" in path):
            value = drawn + 0.5
        elif path.endswith(("moving_mean", "bias", "beta", "mean")):
            value = (drawn - 0.5) * 0.2
        elif len(shape) < 2:
            value = drawn * 0.4 + 0.8
        else:
            depthwise = "depthwise" in path
            fan = max(int(np.prod(shape[:2] if depthwise else shape[:-1])), 1)
            value = (drawn - 0.5) * (12 / fan) ** 0.5 * 1.2
        weight.assign(value.astype(np.float32))


def exports(names: list[str], folder: Path) -> Iterator[tuple[str, Path | None]]:
    """Files of all architectures, by all exporters; None where the exporter itself fails."""
    import torch

    def by_torch(module: Any, x: Any, path: Path, dynamo: bool) -> tuple[str, Path | None]:
        return tried(
            path, lambda: torch.onnx.export(module, (x,), path, dynamo=dynamo, verbose=False)
        )

    for name, make in transformers_models():
        if names and name not in names:
            continue
        module = make()
        randomise_torch(module)
        x = torch.zeros(1, 3, SIDE, SIDE)
        yield by_torch(module, x, folder / f"{name}-dynamo.onnx", True)
        yield by_torch(module, x, folder / f"{name}-script.onnx", False)
    for name in KERAS:
        if names and name not in names:
            continue
        model = keras_model(name)
        randomise_keras(model)
        model(np.zeros((1, *model.input_shape[1:]), np.float32))  # Keras asks for a first call
        path = folder / f"{name}-keras.onnx"
        yield tried(path, lambda: model.export(path, format="onnx", verbose=False))  # noqa: B023
        x = torch.zeros(1, *model.input_shape[1:])
        yield by_torch(model.eval(), x, folder / f"{name}-keras-dynamo.onnx", True)


def tried(path: Path, export: Callable[[], Any]) -> tuple[str, Path | None]:
    """The file that `export` writes, None if it fails."""
    from contextlib import redirect_stderr, redirect_stdout

    try:
        with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
            export()
    except Exception:  # the exporter's
        return path.stem, None
    return path.stem, path


def compared(path: Path) -> str:
    """One line: layers, parameters, and how far striate's logits are from ONNX Runtime's."""
    import onnxruntime

    from striate.importing.onnx_reader import read_onnx

    start = time.perf_counter()
    found = read_onnx(path)
    seconds = time.perf_counter() - start
    session = onnxruntime.InferenceSession(str(path))
    x = np.random.default_rng(0).standard_normal(found.image.shape).astype(np.float32)
    expected = session.run(None, {session.get_inputs()[0].name: x})[0]
    got = found.network.predict_logits(found.image.to_stored(x), engine="numpy")
    got = found.output.from_stored(got)
    if any("left out" in note for note in found.notes):
        expected, got = (np.log(expected), got - np.log(np.exp(got - got.max()).sum()) - got.max())
    error = np.abs(got - expected).max() / np.abs(expected).max()
    network = found.network
    return (
        f"{'agrees' if error <= 1e-4 else 'WRONG'}  {error:.1e}  {len(network.nodes)} layers, "
        f"{network.parameter_count:,} parameters, read in {seconds:.2f} s"
    )


def main() -> int:
    warnings.simplefilter("ignore")
    import logging

    logging.disable(logging.CRITICAL)
    wrong = 0
    kept = os.environ.get("KEEP")
    with tempfile.TemporaryDirectory() as made:
        for name, path in exports(sys.argv[1:], Path(kept or made)):
            if path is None:
                print(f"{name:32s} is not exported", flush=True)
                continue
            try:
                line = compared(path)
            except Exception as error:  # one line each, whatever it is
                line = f"FAILED  {type(error).__name__}: {error}"
                if os.environ.get("TRACE"):
                    traceback.print_exc()
            wrong += "agrees" not in line
            print(f"{name:32s} {line}", flush=True)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
