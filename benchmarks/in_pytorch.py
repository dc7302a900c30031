"""The benchmarks' networks in PyTorch, as a user of PyTorch writes them, and the ways to run them.

Nothing here imports striate, so that the memory of a process with PyTorch alone can be measured.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

if TYPE_CHECKING:
    from striate.network import Network

RATE, MOMENTUM = 0.01, 0.9


class Residual(nn.Module):
    """Two normalised convolutions and a shortcut."""

    def __init__(self, channels: int, filters: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, filters, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(filters)
        self.conv2 = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(filters)
        self.shortcut = nn.Sequential()
        if stride > 1:
            self.shortcut.append(nn.Conv2d(channels, filters, 1, stride, bias=False))
            self.shortcut.append(nn.BatchNorm2d(filters))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        y += self.shortcut(x)
        return self.relu(y)


def relu() -> nn.Module:
    """In place: less memory, and faster."""
    return nn.ReLU(inplace=True)


def lenet5() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5, padding=2), relu(), nn.MaxPool2d(2)),
        *(nn.Conv2d(6, 16, 5), relu(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(400, 120), relu(), nn.Linear(120, 84), relu()),
        nn.Linear(84, 10),
    )


def keras_convnet() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 32, 3), relu(), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 3), relu(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(1600, 10)),
    )


def pytorch_example() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 32, 3), relu(), nn.Conv2d(32, 64, 3), relu(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(9216, 128), relu(), nn.Linear(128, 10)),
    )


def resnet(stages: tuple[int, ...], blocks: int) -> nn.Module:
    channels = stages[0]
    parts: list[nn.Module] = [nn.Conv2d(3, channels, 3, 1, 1, bias=False)]
    parts += [nn.BatchNorm2d(channels), relu()]
    for stage, filters in enumerate(stages):
        for block in range(blocks):
            parts.append(Residual(channels, filters, 2 if stage and not block else 1))
            channels = filters
    parts += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10)]
    return nn.Sequential(*parts)


MODULES: dict[str, Callable[[], nn.Module]] = {
    "LeNet-5": lenet5,
    "Keras' MNIST convnet": keras_convnet,
    "PyTorch's MNIST example": pytorch_example,
    "ResNet-20": lambda: resnet((16, 32, 64), 3),
    "ResNet-18": lambda: resnet((64, 128, 256, 512), 2),
}


# Weights across


def _pairs(network: Network, model: nn.Module) -> Iterator[tuple[int, nn.Module]]:
    """Vertices of striate with parameters, and the modules that stand for them."""
    modules = [part for part in model.modules() if isinstance(part, _WITH_WEIGHTS)]
    yield from zip(sorted({slot.node for slot in network.slots}), modules, strict=True)


_WITH_WEIGHTS = (nn.Conv2d, nn.Linear, nn.BatchNorm2d)


def _arrays(network: Network, index: int, module: nn.Module) -> dict[str, np.ndarray]:
    """Views of a module's numbers, or copies of them, in striate's layout and by its names."""
    numbers = {
        name: tensor.detach().numpy() for name, tensor in module.state_dict(keep_vars=True).items()
    }
    if isinstance(module, nn.BatchNorm2d):
        names = ("weight", "scale"), ("bias", "shift"), ("running_mean", "mean")
        return {mine: numbers[name] for name, mine in (*names, ("running_var", "variance"))}
    if isinstance(module, nn.Conv2d):
        arrays = {"filters": numbers["weight"].transpose(2, 3, 1, 0)}
    else:
        shape = _flattened(network, index)
        weights = numbers["weight"].T
        if len(shape) == 3:  # PyTorch flattens channels first
            height, width, channels = shape
            weights = weights.reshape(channels, height, width, -1).transpose(1, 2, 0, 3)
        arrays = {"weights": weights}
    return arrays | ({"bias": numbers["bias"]} if "bias" in numbers else {})


def _flattened(network: Network, index: int) -> tuple[int, ...]:
    """The shape that a dense layer reads, before it was made a vector."""
    source = network.nodes[index].inputs[0]
    if network.nodes[source].layer.kind == "flatten":
        return network.input_shapes(source)[0]
    return network.nodes[source].shape


def load(model: nn.Module, network: Network) -> nn.Module:
    """Give a model the weights and the running statistics of a network."""
    with torch.no_grad():
        for index, module in _pairs(network, model):
            source = network.parameters_of(index) | network.state_of(index)
            for name, target in _arrays(network, index, module).items():
                target[...] = source[name].reshape(target.shape)
    return model


def weights(model: nn.Module, network: Network) -> np.ndarray:
    """A model's weights as `networks.packed` gives those of a network."""
    parts = []
    for index, module in _pairs(network, model):
        arrays = _arrays(network, index, module)
        parts += [arrays[name].ravel() for name in network.parameters_of(index)]
    return np.concatenate(parts)


def channels_first(images: np.ndarray) -> torch.Tensor:
    """(n, height, width, channels) as PyTorch wants it."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()


# Training


def training_step(
    model: nn.Module, images: torch.Tensor, labels: torch.Tensor, kind: str
) -> Callable[[], Any]:
    """A training step; `kind` names "channels_last" and "compiled" where they are wanted."""
    if "channels_last" in kind:
        model = model.to(memory_format=torch.channels_last)
        images = images.contiguous(memory_format=torch.channels_last)
    model.train()
    # One pass over each parameter instead of several.
    optimizer = torch.optim.SGD(model.parameters(), RATE, MOMENTUM, nesterov=True, fused=True)
    forward = torch.compile(model) if "compiled" in kind else model

    def step() -> Any:
        optimizer.zero_grad(set_to_none=True)
        loss = nn.functional.cross_entropy(forward(images), labels)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


# Inference


def inference_ways(
    model: nn.Module, images: torch.Tensor, compiled: bool
) -> Iterator[tuple[str, Callable[[], torch.Tensor]]]:
    """The ways to run a model forward: each one's name, and a function without arguments."""
    model.eval()
    channels_last = copy.deepcopy(model).to(memory_format=torch.channels_last)
    lasting = images.contiguous(memory_format=torch.channels_last)
    yield "PyTorch", _way(model, images)
    yield "PyTorch channels_last", _way(channels_last, lasting)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated, and sometimes the fastest
        traced = torch.jit.trace(model, images, check_trace=False)
        frozen = torch.jit.optimize_for_inference(torch.jit.freeze(traced))
    yield "PyTorch frozen", _way(frozen, images)
    if compiled:
        # Freezing builds the weights into the program: filters are packed once.
        options = {"freezing": True}
        yield "PyTorch compiled", _way(torch.compile(model, options=options), images)


def _way(call: Callable[..., Any], images: torch.Tensor) -> Callable[[], torch.Tensor]:
    @torch.no_grad()  # freezing does not understand inference_mode
    def run() -> torch.Tensor:
        return call(images)

    return run
