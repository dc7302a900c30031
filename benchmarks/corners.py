"""Training steps whose ReLUs and maxima are those of another run.

A ReLU whose input lies within rounding of 0 is on in one run and off in another, and then their
gradients differ by far more than rounding. To compare the arithmetic of two runs, one of them is
given the corners of the other: here PyTorch's float64 those of PyTorch's float32, or of striate's
compiled step.

The corners of a step are arrays (n, channels, height, width), in the order of the layers: for a
ReLU its outputs, for max-pooling which tap of each window, row by row, was the largest. A ReLU
that only max-pooling reads is taken behind it, where striate's plan has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import fx, nn
from torch.nn import functional

from striate.common.arrays import Array
from striate.engines.llvm import CompiledEngine
from striate.layers import MaxPool2D, ReLU, ReLU6
from striate.network import Network
from striate.optim.losses import FunctionLoss
from striate.plan.layout import Image
from striate.plan.lowering.recomputation import Recomputation
from striate.plan.plan import Plan

Corners = list[torch.Tensor]


class TorchCorners(fx.Interpreter):
    """Runs a module; its corners are recorded, or those of another run taken.

    Args:
        module: without branches; its parameters are shared.
        given: the corners to take, of all runs one after the other; None to record.
    """

    def __init__(self, module: nn.Module, given: Sequence[torch.Tensor] | None = None) -> None:
        super().__init__(fx.symbolic_trace(module))
        self.given = None if given is None else iter(given)
        self.recorded: Corners = []

    def run_node(self, n: fx.Node) -> Any:
        kind = self._kind(n)
        if kind is None:
            return super().run_node(n)
        x = self.fetch_args_kwargs_from_env(n)[0][0]
        if not isinstance(kind, nn.MaxPool2d):
            return x if self._is_moved(n) else self._relu(x, kind)
        x = self._pool(x, kind)
        before = n.args[0]
        if isinstance(before, fx.Node) and self._is_moved(before):
            cap = self._kind(before)
            assert isinstance(cap, float)
            x = self._relu(x, cap)
        return x

    def _kind(self, n: fx.Node) -> nn.MaxPool2d | float | None:
        """Max-pooling, where a ReLU ends, or None for all else."""
        part = self.submodules[n.target] if n.op == "call_module" else None
        if isinstance(part, nn.MaxPool2d):
            return part
        if isinstance(part, nn.ReLU6):
            return 6.0
        if isinstance(part, nn.ReLU) or n.target in (functional.relu, torch.relu):
            return float("inf")
        return None

    def _is_moved(self, n: fx.Node) -> bool:
        kind = self._kind(n)
        readers = [self._kind(reader) for reader in n.users]
        return isinstance(kind, float) and [type(r) for r in readers] == [nn.MaxPool2d]

    def _relu(self, x: torch.Tensor, cap: float) -> torch.Tensor:
        outputs = self._corner(x.clamp(0, cap))
        inside = ((outputs > 0) & (outputs < cap)).to(x.dtype)
        above = (outputs >= cap).to(x.dtype) * (cap if cap < float("inf") else 0.0)
        return x * inside + above

    def _pool(self, x: torch.Tensor, layer: nn.MaxPool2d) -> torch.Tensor:
        outputs, places = functional.max_pool2d(
            x, layer.kernel_size, layer.stride, layer.padding, layer.dilation, layer.ceil_mode,
            return_indices=True,
        )  # fmt: skip
        (_, across), (down_step, step), (top, left), (down, right) = (
            _pair(v) for v in (layer.kernel_size, layer.stride, layer.padding, layer.dilation)
        )
        height, width = outputs.shape[2:]
        first_row = torch.arange(height)[:, None] * down_step - top
        first_column = torch.arange(width) * step - left
        rows, columns = places // x.shape[3] - first_row, places % x.shape[3] - first_column
        taps = self._corner(rows // down * across + columns // right).long()
        rows = first_row + taps // across * down
        columns = first_column + taps % across * right
        places = (rows * x.shape[3] + columns).flatten(2)
        return x.flatten(2).gather(2, places).reshape(outputs.shape)

    def _corner(self, own: torch.Tensor) -> torch.Tensor:
        own = own.detach()
        if self.given is None:
            self.recorded.append(own)
            return own
        found = next(self.given)
        if found.shape != own.shape:
            raise ValueError(f"a corner has the shape {own.shape}, the given one {found.shape}")
        return found


def corners_of_steps(
    network: Network, images: Array, labels: Array, *, steps: int, rate: float, exact: bool
) -> Corners:
    """Steps of gradient descent with the compiled engine; their corners.

    What the plan would compute again in the backward pass it keeps here, for it is read between
    the passes; no bit changes by that.
    """
    corners: Corners = []

    def loss(outputs: Array, targets: Array) -> tuple[Array, Array]:
        (runner,) = engine._runners.values()
        corners.extend(_corners(runner.plan, len(outputs)))
        powers = np.exp(outputs.astype(np.float64) - outputs.max(axis=1, keepdims=True))
        found = powers / powers.sum(axis=1, keepdims=True)
        return -np.log((found * targets).sum(axis=1)), found - targets

    engine = CompiledEngine(network, batch_size=len(images), loss=FunctionLoss(loss), exact=exact)
    targets = np.eye(*network.output_shape, dtype=np.float32)[labels]
    weights = np.full(len(images), 1 / len(images), np.float32)
    keep: Callable[..., None] = lambda *_: None  # noqa: E731
    with mock.patch.multiple(Recomputation, everywhere=keep, once=keep):
        for _ in range(steps):
            engine.step(images, targets, weights, np.zeros(len(images), np.uint32))
            network.flat[...] -= np.float32(rate) * engine.gradient
    return corners


def _corners(plan: Plan, count: int) -> Iterator[torch.Tensor]:
    """Those of one step, between its passes."""
    for operation in plan.builder.graph.operations:
        if type(operation.layer) is MaxPool2D:
            yield _value(plan, plan.builder.recall(operation, "winners", Image), count)
        if isinstance(operation.activation or operation.layer, ReLU | ReLU6):
            yield _value(plan, plan.builder.values[operation.node], count)


def _value(plan: Plan, image: Image, count: int) -> torch.Tensor:
    """A value of the plan (count, channels, height, width)."""
    blocks, buffer = plan.settings.blocks, image.buffer
    numbers = plan.memory.array(buffer).reshape(blocks, buffer.span)[:, : buffer.size]
    top, bottom, left, right = image.halo
    rows, columns = image.height + top + bottom, image.width + left + right
    whole = numbers.reshape(blocks, rows, columns, image.pitch or image.channels, image.lanes)
    inner = whole[:, top : top + image.height, left : left + image.width, image.first :]
    inner = inner[..., : image.channels, :]
    images = inner.transpose(0, 4, 3, 1, 2).reshape(-1, image.channels, image.height, image.width)
    return torch.from_numpy(images[:count].astype(np.float64))


def _pair(value: Any) -> tuple[int, int]:
    return value if isinstance(value, tuple) else (value, value)


def turned(ours: Corners, theirs: Corners) -> int:
    """How many ReLUs are off in one run and not in the other; taps besides the first likewise."""
    return sum(int(((a > 0) != (b > 0)).sum()) for a, b in zip(ours, theirs, strict=True))
