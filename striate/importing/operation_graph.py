"""An ONNX graph as the reader works on it: operations in order, and the constants it has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.importing.atoms import ViewError


class OnnxFileError(StriateValueError):
    """An ONNX file that cannot be read or carried over; the message names the file."""


@dataclass(frozen=True)
class OnnxOperation:
    """A node of the graph.

    Attributes:
        kind: the operator, with its domain unless that is ONNX's own: "Conv", "com.microsoft.Gelu".
        name: of the node, or of its first output.
        inputs: names of tensors; "" stands for one that is left out.
        outputs: names of tensors.
        attributes: numbers, texts, arrays, lists of them, by name.
        opset: the version of the operators.
    """

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]
    opset: int

    def attribute(self, name: str, default: Any) -> Any:
        """An attribute of the kind of its default: a number, a text, or a tuple of whole numbers.

        Raises:
            ViewError: it is of another kind.
        """
        value = self.attributes.get(name, default)
        if value is default:
            return default
        if isinstance(default, bool):
            value = bool(value) if isinstance(value, int) else None
        elif isinstance(default, float):
            value = float(value) if isinstance(value, (int, float)) else None
        elif isinstance(default, int | str):
            value = value if isinstance(value, type(default)) else None
        if value is None or (isinstance(value, float) and not np.isfinite(value)):
            raise ViewError(f"its {name} is {self.attributes[name]!r}")
        return value

    def integers(self, name: str) -> tuple[int, ...] | None:
        """A list of whole numbers, None where it is left out.

        Raises:
            ViewError: it is something else.
        """
        value = self.attributes.get(name)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(v, int) for v in value):
            raise ViewError(f"its {name} is {value!r}")
        return tuple(value)

    def with_inputs(self, *inputs: str) -> OnnxOperation:
        """The same with other inputs."""
        return replace(self, inputs=inputs)


@dataclass(frozen=True)
class OnnxTensor:
    """An input or output of a graph.

    Attributes:
        name: of the tensor.
        shape: each extent a number, or a text or None where the file leaves it open; None if it
            does not even say how many axes there are.
    """

    name: str
    shape: tuple[int | str | None, ...] | None


@dataclass
class OperationGraph:
    """A graph whose functions are inlined and whose weights are arrays.

    Attributes:
        path: the file, for messages.
        operations: in an order in which each reads what earlier ones have made.
        constants: arrays by the names of tensors.
        inputs: the tensors that a user gives, initializers left out.
        outputs: what the graph computes.
        metadata: text by name.
        size: bytes of the file and its weights, by which is weighed what may be made of it.
    """

    path: str
    operations: list[OnnxOperation]
    constants: dict[str, Array]
    inputs: list[OnnxTensor]
    outputs: list[OnnxTensor]
    metadata: dict[str, str] = field(default_factory=dict)
    size: int = 0

    def producers(self) -> dict[str, OnnxOperation]:
        """The operation that makes each tensor."""
        return {name: op for op in self.operations for name in op.outputs if name}

    def consumers(self) -> dict[str, list[OnnxOperation]]:
        """The operations that read each tensor, one that reads it twice once."""
        found: dict[str, list[OnnxOperation]] = {}
        for op in self.operations:
            for name in dict.fromkeys(op.inputs):
                found.setdefault(name, []).append(op)
        return found

    def sizes(self) -> set[str]:
        """The tensors that are computed from the shapes of others alone."""
        found: set[str] = set()
        for op in self.operations:
            inputs = [name for name in op.inputs if name and name not in self.constants]
            if op.kind in ("Shape", "Size") or (inputs and found.issuperset(inputs)):
                found.update(op.outputs)
        return found

    def keep_ancestors(self, names: Iterable[str]) -> None:
        """Drop what does not lead to these tensors."""
        producers = self.producers()
        waiting, reached = list(names), set[str]()
        while waiting:
            name = waiting.pop()
            if name not in reached:
                reached.add(name)
                waiting.extend(producers[name].inputs if name in producers else ())
        self.operations = [op for op in self.operations if reached & set(op.outputs)]
        self.constants = {n: a for n, a in self.constants.items() if n in reached}
        self.inputs = [tensor for tensor in self.inputs if tensor.name in reached]


def in_order(
    operations: Iterable[OnnxOperation], known: Iterable[str], path: str
) -> list[OnnxOperation]:
    """Operations in an order in which each reads what earlier ones have made.

    Args:
        operations: in any order.
        known: the tensors that are there before.
        path: the file, for messages.

    Raises:
        OnnxFileError: a tensor is made twice or by nobody, or operations read each other in a
            circle.
    """
    waiting = list(operations)
    made: dict[str, int] = {}
    there = {*known, ""}
    for index, op in enumerate(waiting):
        for name in op.outputs:
            if name and (name in made or name in there):
                raise OnnxFileError(f'{path}: two nodes or inputs make the tensor "{name}"')
            if name:
                made[name] = index
    missing = [0] * len(waiting)
    readers: list[list[int]] = [[] for _ in waiting]
    for index, op in enumerate(waiting):
        for name in set(op.inputs) - there:
            if name not in made:
                raise OnnxFileError(
                    f'{path}: {op.kind} "{op.name}" reads the tensor "{name}", which nothing makes'
                )
            missing[index] += 1
            readers[made[name]].append(index)
    # Of those that can be next, always the first: a graph that is in order stays as it is.
    import heapq

    ready = [index for index, count in enumerate(missing) if not count]
    found: list[OnnxOperation] = []
    while ready:
        index = heapq.heappop(ready)
        found.append(waiting[index])
        for reader in readers[index]:
            missing[reader] -= 1
            if not missing[reader]:
                heapq.heappush(ready, reader)
    if len(found) < len(waiting):
        stuck = next(op for op, count in zip(waiting, missing, strict=True) if count)
        raise OnnxFileError(
            f'{path}: its nodes read each other in a circle, {stuck.kind} "{stuck.name}" among '
            "them; a network has no cycles"
        )
    return found
