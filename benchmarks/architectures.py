"""Do the networks of the gallery compute what others of that name compute, with the same weights?

    python benchmarks/architectures.py [NAME…]

For each architecture that torchvision has, or else transformers: its parameters and running
statistics are drawn at random, copied in the order in which the layers run, and then outputs are
compared for images of three channels, unequal sides and few pixels: a wrong order of layers,
stride, padding or eps shows.  One step of training tells the momenta of batch normalisation.
EfficientNet-Lite0 is compared with ../shared/models/efficientnet-lite0.onnx, if that is there.
Ends with 1 if any differs.

Errors are parts of the largest difference between the outputs of two images, and of the largest
running statistic.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import striate
from striate.layers import BatchNorm, Dense, Flatten
from striate.network import Network
from striate.optim.losses import softmax

MOST, MOST_OF_STATISTICS = 1e-4, 1e-3
"""Errors that rounding explains: statistics of few values of a deep layer are known less well."""
TIMES_PEER = 5
"""Or so many times the error that the peer itself has in 32 bits, as a very deep one may."""
CLASSES = 11
LITE0 = Path(__file__).resolve().parents[2] / "shared" / "models" / "efficientnet-lite0.onnx"
# Sides with which no layer has an image of a single pixel only; and the least with which Inception
# v3 has its auxiliary head.
IMAGE, LARGE = (70, 101, 3), (299, 299, 3)


def peer(name: str) -> Any:
    """A module of PyTorch that computes the same, with random weights; None if nobody has one."""
    import torchvision

    options: dict[str, Any] = {}
    if name == "inception_v3":
        options = {"init_weights": False}
    if hasattr(torchvision.models, name):
        return getattr(torchvision.models, name)(weights=None, num_classes=CLASSES, **options)
    if name not in ("mobilenet_v1", "convnext_atto"):
        return None
    import torch
    import transformers

    class Logits(torch.nn.Module):
        def __init__(self, module: Any) -> None:
            super().__init__()
            self.module = module

        def forward(self, images: Any) -> Any:
            return self.module(images).logits

    if name == "mobilenet_v1":
        configuration = transformers.MobileNetV1Config(num_labels=CLASSES)
        return Logits(transformers.MobileNetV1ForImageClassification(configuration))
    configuration = transformers.ConvNextConfig(
        num_labels=CLASSES, depths=[2, 2, 6, 2], hidden_sizes=[40, 80, 160, 320]
    )
    return Logits(transformers.ConvNextForImageClassification(configuration))


def layer_scale(part: Any) -> Any:
    """The factors of a block of ConvNeXt; None for any other module."""
    of_torchvision = getattr(part, "layer_scale", None)
    return (
        getattr(part, "layer_scale_parameter", None) if of_torchvision is None else of_torchvision
    )


def make(name: str, module: Any, image: tuple[int, ...] | None = None) -> Network:
    """The network with the weights and statistics of a module, after these were drawn anew."""
    import torch

    if image is None:
        # With any other size torchvision's VGG and AlexNet pool before they flatten.
        fixed = name.startswith(("vgg", "alexnet"))
        image = (224, 224, 3) if fixed else LARGE if name == "inception_v3" else IMAGE
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for part in module.modules():
            if isinstance(part, torch.nn.BatchNorm2d):
                part.weight.uniform_(0.5, 1.5, generator=generator)
                part.bias.normal_(0, 0.2, generator=generator)
                part.running_mean.normal_(0, 0.2, generator=generator)
                part.running_var.uniform_(0.5, 1.5, generator=generator)
            elif isinstance(part, torch.nn.LayerNorm):
                part.weight.uniform_(0.5, 1.5, generator=generator)
                part.bias.normal_(0, 0.2, generator=generator)
            elif isinstance(part, (torch.nn.Conv2d, torch.nn.Linear)):
                # He's, or values would fade on their way, and nothing of the image be left.
                spread = (2 / part.weight[0].numel()) ** 0.5
                part.weight.normal_(0, spread, generator=generator)
                if part.bias is not None:
                    part.bias.normal_(0, 0.2, generator=generator)
            if type(part).__name__ == "StochasticDepth":
                part.p = 0.0  # blocks that are dropped at random are left out here
            if layer_scale(part) is not None:
                layer_scale(part).uniform_(0.1, 0.5, generator=generator)
    network = striate.architectures.build(name, CLASSES, image)
    copy_weights(module, network)
    return network


def copy_weights(module: Any, network: Network) -> None:
    """Copy the parameters of a module of PyTorch, layer by layer in the order in which they run."""
    copy_arrays(list(running_order(module, network.input_shape)), network)


def copy_arrays(theirs: list[dict[str, Any]], network: Network) -> None:
    """Copy parameters to the layers that have any, in order."""
    ours = [i for i in range(len(network.nodes)) if network.parameters_of(i)]
    if len(ours) != len(theirs):
        raise ValueError(f"{len(ours)} layers have parameters, of the peer {len(theirs)}")
    for node, arrays in zip(ours, theirs, strict=True):
        layer = network.nodes[node].layer
        parameters = {**network.parameters_of(node), **network.state_of(node)}
        for key, target in parameters.items():
            # A 1×1 convolution on one side may be a dense layer on the other.
            array = arrays["filters" if key == "weights" else key]
            if isinstance(layer, Dense) and key == "weights":
                array = _rows_of_image(network, node, array.reshape(array.shape[-2:]))
            target[...] = array.reshape(target.shape)


def _rows_of_image(network: Network, node: int, weights: Any) -> Any:
    """The rows of dense weights in the order of an image with its channels last."""
    source = network.nodes[node].inputs[0]
    while source >= 0 and network.nodes[source].layer.kind in ("dropout", "flatten"):
        if isinstance(network.nodes[source].layer, Flatten):
            height, width, channels = network.input_shapes(source)[0]
            cube = weights.reshape(channels, height, width, -1)
            return cube.transpose(1, 2, 0, 3).reshape(weights.shape)
        source = network.nodes[source].inputs[0]
    return weights


def running_order(module: Any, image: tuple[int, ...]) -> Iterator[dict[str, Any]]:
    """The arrays of each layer of a module, in striate's form, in the order in which they run."""
    import torch

    nn = torch.nn
    found: list[dict[str, Any]] = []

    def seen(part: Any, *_: Any) -> None:
        def numbers(tensor: Any) -> Any:
            return tensor.detach().numpy()

        if isinstance(part, nn.Conv2d):
            arrays = {"filters": numbers(part.weight).transpose(2, 3, 1, 0)}
        elif isinstance(part, nn.Linear):
            arrays = {"filters": numbers(part.weight).T}
        else:
            arrays = {"scale": numbers(part.weight)}
            if isinstance(part, nn.BatchNorm2d):
                arrays["mean"] = numbers(part.running_mean)
                arrays["variance"] = numbers(part.running_var)
        if part.bias is not None:
            arrays["shift" if "scale" in arrays else "bias"] = numbers(part.bias)
        found.append(arrays)

    def scaled(part: Any, *_: Any) -> None:
        found.append({"scale": layer_scale(part).detach().numpy().reshape(-1)})

    hooks = []
    for part in module.modules():
        if isinstance(part, (nn.Conv2d, nn.Linear, nn.BatchNorm2d, nn.LayerNorm)):
            hooks.append(part.register_forward_hook(seen))
        if layer_scale(part) is not None:
            hooks.append(part.register_forward_hook(scaled))
    height, width, channels = image
    with torch.no_grad():
        with_heads(module)(torch.zeros(1, channels, height, width))
    for hook in hooks:
        hook.remove()
    yield from found


def with_heads(module: Any) -> Any:
    """A module that runs its auxiliary heads as in training, all else as in prediction."""
    module.eval().training = True
    return module


def differences(
    name: str, module: Any, engine: str = "llvm", image: tuple[int, ...] | None = None
) -> tuple[float, float, float]:
    """The errors of outputs, of the peer's in 32 bits, and of running statistics after a step."""
    import torch

    network = make(name, module, image)
    random = np.random.default_rng(2)
    images = random.standard_normal((2, *network.input_shape)).astype(np.float32)
    batch = torch.from_numpy(images.transpose(0, 3, 1, 2).astype(np.float64))
    with torch.no_grad():
        rounded = module.eval()(batch.float()).numpy()
        module = module.double()
        expected = module(batch).numpy()
    outputs = network.predict_logits(images, engine=engine)
    largest = np.abs(expected[0] - expected[1]).max()
    error, of_peer = (float(np.abs(y - expected).max() / largest) for y in (outputs, rounded))
    if network.heads:
        with torch.no_grad():
            aux = with_heads(module)(batch).aux_logits.numpy()
        outputs = network.predict_logits(images, engine=engine, head="aux")
        error = max(error, float(np.abs(outputs - aux).max() / np.abs(aux[0] - aux[1]).max()))
    # The MobileNet V1 of transformers takes TensorFlow's momentum for PyTorch's, its complement.
    if not network.state or name == "mobilenet_v1":
        return error, of_peer, 0.0
    network.gradients(images, np.array([1, 2]), engine=engine)
    with torch.no_grad():
        module.train()(batch)
    # The next copy is of the statistics; `running_order` does not change them.
    expected_state = [
        arrays for arrays in running_order(module.float(), network.input_shape) if "mean" in arrays
    ]
    norms = [i for i, v in enumerate(network.nodes) if isinstance(v.layer, BatchNorm)]
    worst = max(
        float(np.abs(network.state_of(node)[key] - arrays[key]).max() / np.abs(arrays[key]).max())
        for node, arrays in zip(norms, expected_state, strict=True)
        for key in ("mean", "variance")
    )
    return error, of_peer, worst


def lite0(engine: str = "llvm") -> float | None:
    """The error of EfficientNet-Lite0 with the weights of the file; None if it is not there."""
    if not LITE0.is_file():
        return None
    import onnx
    import onnxruntime
    from onnx import numpy_helper

    model = onnx.load(LITE0)
    numbers = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
    found = []
    for node in model.graph.node:
        arrays = [numbers[name] for name in node.input[1:] if name in numbers]
        if node.op_type == "Conv":
            found.append({"filters": arrays[0].transpose(2, 3, 1, 0)})
        elif node.op_type == "BatchNormalization":
            names = ("scale", "shift", "mean", "variance")
            found.append(dict(zip(names, arrays, strict=True)))
        elif node.op_type == "Gemm":
            found.append({"filters": arrays[0].T, "bias": arrays[1]})
    network = striate.architectures.efficientnet_lite0()
    copy_arrays(found, network)
    images = np.random.default_rng(2).standard_normal((2, *network.input_shape))
    session = onnxruntime.InferenceSession(LITE0, providers=["CPUExecutionProvider"])
    expected = np.concatenate(
        [
            session.run(None, {session.get_inputs()[0].name: image})[0]
            for image in images.astype(np.float32).transpose(0, 3, 1, 2)[:, None]
        ]
    )
    outputs = network.predict_logits(images.astype(np.float32), engine=engine)
    if np.allclose(expected.sum(-1), 1, atol=1e-3):  # the file ends with a softmax
        outputs = np.asarray(softmax(outputs))
    return float(np.abs(outputs - expected).max() / np.abs(expected[0] - expected[1]).max())


def main(names: list[str]) -> int:
    import torch

    wrong = 0
    for name in names or striate.architectures.NAMES:
        torch.manual_seed(0)
        module = None if name == "efficientnet_lite0" else peer(name)
        error, of_peer, statistics = None, 0.0, 0.0
        if module is not None:
            error, of_peer, statistics = differences(name, module)
        elif name == "efficientnet_lite0":
            error = lite0()
        if error is None:
            print(f"{name:24} there is nothing to compare it with", flush=True)
            continue
        bad = error > max(MOST, TIMES_PEER * of_peer) or statistics > MOST_OF_STATISTICS
        wrong += bad
        verdict = "WRONG" if bad else "agrees"
        print(
            f"{name:20} {verdict:7} outputs {error:.1e}, the peer's {of_peer:.1e}; "
            f"statistics {statistics:.1e}",
            flush=True,
        )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
