"""Do networks that were imported from PyTorch train as they do there?

    python benchmarks/imported_training.py [NAME …]

Each architecture of torchvision gets random weights and running statistics, and makes three steps
of gradient descent on the same images: in striate, in PyTorch's float32 and in its float64. What
is printed is how far the weights and statistics of the first two are from the third, relative to
the largest number of each; striate may be three times as far as PyTorch's float32 is. Dropout is
off, because its random numbers differ. Ends with 1 if a network is further off.
"""

from __future__ import annotations

import copy
import sys
import warnings
from typing import Any

import numpy as np
import torch
import torchvision
from torch import nn

import striate

NAMES = ("resnet18", "mobilenet_v2", "densenet121", "squeezenet1_1", "efficientnet_b0")
SIDE, IMAGES, CLASSES, STEPS, RATE = 64, 8, 10, 3, 0.01


def made(name: str) -> nn.Module:
    """The architecture with random weights and statistics, without dropout."""
    torch.manual_seed(0)
    module: nn.Module = getattr(torchvision.models, name)(weights=None, num_classes=CLASSES)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.2)  # type: ignore[operator]
            part.running_var.uniform_(0.5, 2)  # type: ignore[operator]
            nn.init.uniform_(part.weight, 0.5, 1.5)
            nn.init.normal_(part.bias, 0, 0.2)
        elif isinstance(part, (nn.Dropout, torchvision.ops.StochasticDepth)):
            part.p = 0.0
    return module


def torch_steps(module: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> dict[str, Any]:
    """The state dict after some steps."""
    module.train()
    optimizer = torch.optim.SGD(module.parameters(), RATE)
    for _ in range(STEPS):
        optimizer.zero_grad()
        nn.functional.cross_entropy(module(images), labels).backward()
        optimizer.step()
    return module.state_dict()


def striate_steps(network: striate.Network, images: torch.Tensor, labels: torch.Tensor) -> None:
    """The same, with striate's gradients."""
    rows = images.permute(0, 2, 3, 1).contiguous().numpy()
    for step in range(STEPS):
        _, gradients = network.gradients(rows, labels.numpy(), seed=step)
        for name, gradient in gradients.items():
            network.parameters[name][...] -= np.float32(RATE) * gradient


def distance(state: dict[str, Any], reference: dict[str, Any]) -> tuple[float, float]:
    """The mean over all tensors, and the largest, of the relative differences."""
    found = [
        float((state[key].double() - tensor).abs().max() / (tensor.abs().max() + 1e-12))
        for key, tensor in reference.items()
        if tensor.is_floating_point()
    ]
    return float(np.mean(found)), max(found)


def compared(name: str) -> bool:
    """Print the differences of one architecture; whether striate's are small enough."""
    module = made(name)
    images = torch.randn(IMAGES, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(IMAGES) % CLASSES
    network = striate.from_torch(module, images)
    double = torch_steps(copy.deepcopy(module).double(), images.double(), labels)
    single = torch_steps(copy.deepcopy(module), images, labels)
    striate_steps(network, images, labels)
    back = network.to_torch().state_dict()
    own = {key: back[key].reshape(tensor.shape) for key, tensor in single.items()}
    ours, theirs = distance(own, double), distance(single, double)
    good = ours[0] <= 3 * theirs[0] and ours[1] <= 3 * theirs[1]
    print(
        f"{name:16} mean {ours[0]:.1e} of PyTorch's {theirs[0]:.1e}, largest {ours[1]:.1e} of "
        f"{theirs[1]:.1e}: {'good' if good else 'TOO FAR'}",
        flush=True,
    )
    return good


def main() -> int:
    warnings.simplefilter("error")
    return 0 if all(compared(name) for name in sys.argv[1:] or NAMES) else 1


if __name__ == "__main__":
    raise SystemExit(main())
