"""Do the networks of the gallery compute what torchvision's compute, with the same weights?

    python benchmarks/architectures.py [NAME…]

For each architecture that torchvision has: its parameters and running statistics are drawn at
random, copied in the order in which the layers run, and then outputs are compared for images of
three channels, unequal sides and few pixels: a wrong order of layers, stride, padding or eps shows.
One step of training tells the momenta of batch normalisation.  Ends with 1 if any differs.

Errors are parts of the largest difference between the outputs of two images, and of the largest
running statistic.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

import striate
from striate.layers import BatchNorm, Dense, Flatten
from striate.network import Network

MOST, MOST_OF_STATISTICS = 1e-4, 1e-3
"""Errors that rounding explains: statistics of few values of a deep layer are known less well."""
CLASSES = 11
# Sides with which no layer has an image of a single pixel only, but where nothing is as large as
# in the papers.
IMAGE, LARGE = (70, 101, 3), (139, 151, 3)


def make(name: str, image: tuple[int, ...] | None = None) -> tuple[Network, Any]:
    """The two networks, with the same random weights and statistics."""
    import torch
    import torchvision

    options: dict[str, Any] = {}
    if name == "inception_v3":
        options = {"aux_logits": False, "init_weights": False}
    if image is None:
        # With any other size torchvision's VGG and AlexNet pool before they flatten.
        fixed = name.startswith(("vgg", "alexnet"))
        image = (224, 224, 3) if fixed else LARGE if name == "inception_v3" else IMAGE
    torch.manual_seed(0)
    module = getattr(torchvision.models, name)(weights=None, num_classes=CLASSES, **options)
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
            if hasattr(part, "layer_scale"):
                part.layer_scale.uniform_(0.1, 0.5, generator=generator)
    network = striate.architectures.build(name, CLASSES, image)
    copy_weights(module, network)
    return network, module


def copy_weights(module: Any, network: Network) -> None:
    """Copy the parameters of a module of PyTorch, layer by layer in the order in which they run."""
    theirs = list(running_order(module, network.input_shape))
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
        found.append({"scale": part.layer_scale.detach().numpy().reshape(-1)})

    hooks = []
    for part in module.modules():
        if isinstance(part, (nn.Conv2d, nn.Linear, nn.BatchNorm2d, nn.LayerNorm)):
            hooks.append(part.register_forward_hook(seen))
        if hasattr(part, "layer_scale"):
            hooks.append(part.register_forward_hook(scaled))
    height, width, channels = image
    with torch.no_grad():
        module.eval()(torch.zeros(1, channels, height, width))
    for hook in hooks:
        hook.remove()
    yield from found


def differences(
    name: str, engine: str, image: tuple[int, ...] | None = None
) -> tuple[float, float]:
    """The errors of outputs, and of running statistics after a step of training."""
    import torch

    network, module = make(name, image)
    random = np.random.default_rng(2)
    images = random.standard_normal((2, *network.input_shape)).astype(np.float32)
    batch = torch.from_numpy(images.transpose(0, 3, 1, 2).astype(np.float64))
    module = module.double()
    with torch.no_grad():
        expected = module(batch).numpy()
    outputs = network.predict_logits(images, engine=engine)
    error = np.abs(outputs - expected).max() / np.abs(expected[0] - expected[1]).max()
    if not network.state:
        return float(error), 0.0
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
    return float(error), worst


def main(names: list[str]) -> int:
    import torchvision

    wrong = 0
    for name in names or striate.architectures.NAMES:
        if not hasattr(torchvision.models, name):
            print(f"{name:24} torchvision has none", flush=True)
            continue
        error, statistics = differences(name, "llvm")
        bad = error > MOST or statistics > MOST_OF_STATISTICS
        wrong += bad
        verdict = "WRONG" if bad else "agrees"
        print(f"{name:24} {verdict:7} outputs {error:.1e}, statistics {statistics:.1e}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
