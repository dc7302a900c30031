"""Do networks that were imported from PyTorch train as they do there?

    python benchmarks/imported_training.py [NAME …]

Each architecture of torchvision gets random weights and running statistics, and makes three steps
of gradient descent on the same images: in striate (`exact`, and with Winograd's algorithm), in
PyTorch's float32 and in its float64. Printed is how far the weights and statistics of the others
are from the last, relative to the largest number of each: the mean over all tensors. Dropout is
off, because its random numbers differ.

A ReLU, or a maximum, that rounding turns over changes a gradient by much more than rounding does,
in PyTorch as in striate. So each architecture is compared twice: smooth, with tanh in place of ReLU
and averages in place of maxima, where rounding is all there is; and as it is, the median of some
batches. Ends with 1 if striate's `exact` is more than three times as far as PyTorch's float32 in
the first, or if more than a ReLU or two turned over in the second.
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
BATCHES = 3
TURNED = 1e-3  # about what a ReLU that turns over does


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


def striate_steps(
    network: striate.Network, images: torch.Tensor, labels: torch.Tensor, exact: bool
) -> None:
    """The same, with striate's gradients."""
    rows = images.permute(0, 2, 3, 1).contiguous().numpy()
    for step in range(STEPS):
        _, gradients = network.gradients(rows, labels.numpy(), seed=step, exact=exact)
        for name, gradient in gradients.items():
            network.parameters[name][...] -= np.float32(RATE) * gradient


def distance(state: dict[str, Any], reference: dict[str, Any]) -> float:
    """The mean over all tensors of the largest relative differences."""
    found = [
        float((state[key].double() - tensor).abs().max() / (tensor.abs().max() + 1e-12))
        for key, tensor in reference.items()
        if tensor.is_floating_point()
    ]
    return float(np.mean(found))


def smooth(module: nn.Module) -> nn.Module:
    """The module without corners: tanh for ReLU, averages for maxima, GELU for hard ones."""
    for name, part in module.named_children():
        if isinstance(part, (nn.ReLU, nn.ReLU6)):
            setattr(module, name, nn.Tanh())
        elif isinstance(part, nn.MaxPool2d):
            pool = nn.AvgPool2d(part.kernel_size, part.stride, part.padding, part.ceil_mode)
            setattr(module, name, pool)
        else:
            smooth(part)
    return module


def distances(module: nn.Module, seed: int) -> tuple[float, float, float]:
    """How far PyTorch's float32, striate's exact and striate's quick steps are from float64."""
    images = torch.randn(IMAGES, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))
    labels = torch.arange(IMAGES) % CLASSES
    double = torch_steps(copy.deepcopy(module).double(), images.double(), labels)
    single = torch_steps(copy.deepcopy(module), images, labels)
    found = [distance(single, double)]
    for exact in (True, False):
        network = striate.from_torch(module, images)
        striate_steps(network, images, labels, exact)
        back = network.to_torch().state_dict()
        found.append(distance({k: back[k].reshape(t.shape) for k, t in single.items()}, double))
    return found[0], found[1], found[2]


def compared(name: str) -> bool:
    """Print the differences of one architecture; whether striate's are small enough."""
    theirs, exact, quick = distances(smooth(made(name)), 1)
    plain = np.median([distances(made(name), seed) for seed in range(1, BATCHES + 1)], axis=0)
    good = exact <= 3 * theirs and plain[1] <= max(3 * plain[0], TURNED)
    print(
        f"{name:16} smooth: PyTorch {theirs:.1e}, exact {exact:.1e}, quick {quick:.1e}; as it is: "
        f"PyTorch {plain[0]:.1e}, exact {plain[1]:.1e}, quick {plain[2]:.1e}"
        + ("" if good else ": TOO FAR"),
        flush=True,
    )
    return good


def main() -> int:
    warnings.simplefilter("error")
    return 0 if all(compared(name) for name in sys.argv[1:] or NAMES) else 1


if __name__ == "__main__":
    raise SystemExit(main())
