"""What operators of PyTorch read and give while a module is read, and what they are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import fx

from striate.common.arrays import Array
from striate.importing.axis_view import ViewError
from striate.importing.graph_writer import Foreign
from striate.importing.torch_trace import Known


@dataclass(frozen=True)
class Failure:
    """What is no layer.

    Attributes:
        operator: the operator and where it is; "" if it only reads what failed.
        why: the reason.
    """

    operator: str = ""
    why: str = ""


@dataclass(frozen=True)
class Padded:
    """Images with a border, for readers that take it as their padding.

    Attributes:
        value: the images.
        before, after: rows and columns.
        fill: what is in the border.
    """

    value: Foreign
    before: tuple[int, ...]
    after: tuple[int, ...]
    fill: float


@dataclass(frozen=True)
class TorchCall:
    """An operator with its arguments by the names that PyTorch gives them."""

    node: fx.Node
    arguments: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.arguments[name]

    @property
    def value(self) -> Foreign:
        """The first argument, if it depends on the images."""
        first = next(iter(self.arguments.values()))
        if not isinstance(first, Foreign):
            raise ViewError("its first argument depends on no image, or is a list")
        return first

    def ints(self, name: str, count: int, default: int | None = None) -> tuple[int, ...]:
        """A list of numbers, of which one stands for `count` equal ones."""
        given = self.arguments[name]
        if default is not None and (given is None or given == []):
            return (default,) * count
        numbers = tuple(int(n) for n in (given if isinstance(given, (list, tuple)) else [given]))
        return numbers * count if len(numbers) == 1 else numbers

    def array(self, name: str) -> Array | None:
        """A known tensor in NumPy, or None."""
        given = self.arguments[name]
        if given is None:
            return None
        if not isinstance(given, Known):
            raise ViewError(f"its {name} depends on the images")
        return as_array(given.tensor)


def as_array(tensor: torch.Tensor) -> Array:
    """The numbers of a tensor, wherever it is; of half precision in float32."""
    plain = tensor.detach().cpu()
    if plain.dtype in (torch.bfloat16, torch.float16):
        plain = plain.float()
    return np.asarray(plain.numpy())


def where(node: fx.Node) -> str:
    """An operator as errors name it: batch_norm in layer1.0.bn1."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    path = str(stack[-1][0]) if stack else ""
    return operator_name(node) + f" in {path}" * bool(path)


def operator_name(node: fx.Node) -> str:
    """The name of an operator without its overload, and without the mark of those in place."""
    if isinstance(node.target, torch._ops.OpOverload):
        return node.target._schema.name.partition("::")[2].rstrip("_")
    return getattr(node.target, "__name__", str(node.target))


def is_in_place(node: fx.Node) -> bool:
    """Whether an operator changes what it reads."""
    return isinstance(node.target, torch._ops.OpOverload) and node.target._schema.is_mutable
