"""Do networks that were imported from PyTorch train as they do there?

    python benchmarks/imported_training.py [NAME …]

Each architecture of torchvision gets random weights and running statistics, and makes three steps
of gradient descent on the same images: in striate (`exact`, and with Winograd's algorithm), in
PyTorch's float32 and in its float64. Printed is how far the weights and statistics of the others
are from the last, relative to the largest number of each: the mean over all tensors. Dropout is
off, because its random numbers differ. Ends with 1 if striate's `exact` is more than three times as
far as PyTorch's float32.

A ReLU, or a maximum, that rounding turns over changes a gradient by much more than rounding does,
in PyTorch as in striate: resnet18 has a million of them a step, of which about one lies that close
to its corner, and its consequences turn over hundreds in the next step. How far a run is from
float64 is then no measure of its arithmetic: PyTorch's own distance for resnet18 on one batch went
from 1e-7 to 2e-3 as its images were reversed, channels_last, or convolved without oneDNN. But when
float64 is given the corners of the run that it is compared with (see `corners.py`), all distances
fall to rounding again, so nothing else is in them. Each architecture is compared twice:

- smooth, with tanh in place of ReLU and averages in place of maxima, where there are no corners;
- as it is, each run with the float64 run that has its corners. In brackets: how many of them are
  others than float64's own, and how far the run is from that.
"""

from __future__ import annotations

import copy
import sys
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torchvision
from corners import Corners, TorchCorners, corners_of_steps, turned
from torch import nn

import striate

NAMES = ("resnet18", "mobilenet_v2", "densenet121", "squeezenet1_1", "efficientnet_b0")
SIDE, IMAGES, CLASSES, STEPS, RATE = 64, 8, 10, 3, 0.01
BATCHES = 3
MOST = 3.0
"""Times PyTorch's distance, of the median batch."""
State = dict[str, Any]


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


def torch_steps(
    module: nn.Module, images: torch.Tensor, labels: torch.Tensor, given: Corners | None = None
) -> tuple[State, Corners]:
    """The state dict after some steps of a copy, in the images' dtype, and the corners of all."""
    run = TorchCorners(copy.deepcopy(module).to(images.dtype).train(), given)
    optimizer = torch.optim.SGD(run.module.parameters(), RATE)
    for _ in range(STEPS):
        optimizer.zero_grad()
        nn.functional.cross_entropy(run.run(images), labels).backward()
        optimizer.step()
    return run.module.state_dict(), run.recorded


def striate_steps(
    network: striate.Network, images: torch.Tensor, labels: torch.Tensor, exact: bool
) -> tuple[State, Corners]:
    """The same of striate; the network is as before afterwards."""
    start, statistics = network.flat.copy(), network.state_flat.copy()
    rows = images.permute(0, 2, 3, 1).contiguous().numpy()
    found = corners_of_steps(network, rows, labels.numpy(), steps=STEPS, rate=RATE, exact=exact)
    state = network.to_torch().state_dict()
    network.flat[...], network.state_flat[...] = start, statistics
    return state, found


def distance(state: State, reference: State) -> float:
    """The mean over all tensors of the largest relative differences."""
    found = [
        float(
            (state[key].reshape(tensor.shape).double() - tensor).abs().max()
            / (tensor.abs().max() + 1e-12)
        )
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


@dataclass(frozen=True)
class Distance:
    """From float64 with the same corners; from float64 as it is, and how many corners differ."""

    same: float
    own: float
    turned: int


def distances(module: nn.Module) -> list[Distance]:
    """Of PyTorch's float32, striate's exact and striate's quick steps: of the median batch."""
    network = striate.from_torch(module, (1, 3, SIDE, SIDE))
    found: list[list[Distance]] = []
    for batch in range(BATCHES):
        random = torch.Generator().manual_seed(1 + batch)
        images = torch.randn(IMAGES, 3, SIDE, SIDE, generator=random)
        labels = torch.arange(IMAGES) % CLASSES
        reference, corners = torch_steps(module, images.double(), labels)

        def of(run: tuple[State, Corners]) -> Distance:
            state, own = run
            same, _ = torch_steps(module, images.double(), labels, own)  # noqa: B023
            far = distance(state, reference)  # noqa: B023
            return Distance(distance(state, same), far, turned(own, corners))  # noqa: B023

        found.append(
            [
                of(torch_steps(module, images, labels)),
                of(striate_steps(network, images, labels, exact=True)),
                of(striate_steps(network, images, labels, exact=False)),
            ]
        )
    middle = BATCHES // 2
    return [sorted(column, key=lambda one: one.same)[middle] for column in zip(*found, strict=True)]


def compared(name: str) -> bool:
    """Print the differences of one architecture; whether striate's are small enough."""
    smoothly, whole = distances(smooth(made(name))), distances(made(name))
    good = all(found[1].same <= MOST * found[0].same for found in (smoothly, whole))
    print(
        f"{name:16} {' '.join(f'{one.same:8.1e}' for one in smoothly)}   "
        + " ".join(f"{one.same:8.1e} ({one.turned:7,}, {one.own:.0e})" for one in whole)
        + ("" if good else "  TOO FAR"),
        flush=True,
    )
    return good


def main() -> int:
    warnings.simplefilter("error")
    names = ("PyTorch", "exact", "quick")
    print(f"{'':16} {'smooth':26}   as it is, with the same corners (turned over, with others)")
    print(f"{'':16} {' '.join(f'{n:>8}' for n in names)}   {' '.join(f'{n:25}' for n in names)}")
    results = [compared(name) for name in sys.argv[1:] or NAMES]
    return 0 if all(results) else 1


if __name__ == "__main__":
    raise SystemExit(main())
