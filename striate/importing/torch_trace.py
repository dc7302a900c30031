"""A module of PyTorch as a graph of operators, by `torch.export`.

The module is traced as it predicts, whatever mode it is in: what it does in training only (dropping
whole layers, auxiliary outputs) is not in the graph.  Batch normalisation and dropout are, and they
train as they do in PyTorch.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import fx, nn
from torch.utils import _pytree as pytree

from striate.common.arguments import whole_number
from striate.common.errors import StriateTypeError, StriateValueError
from striate.common.text import cut, listed, quoted, reason

TRACED = 2
"""Images in the batch that a module is traced with: batch normalisation asks for more than one."""


@dataclass(frozen=True)
class Known:
    """A tensor that depends on no image.

    Attributes:
        tensor: its numbers.
        names: of the parameters and buffers that it is computed from.
        learned: whether a parameter is among them.
        plain: whether it is one of them as it is.
    """

    tensor: torch.Tensor
    names: tuple[str, ...] = ()
    learned: bool = False
    plain: bool = False


@dataclass(frozen=True)
class TracedModule:
    """A module and its operators.

    Attributes:
        module: the module.
        nodes: the operators, each behind those that it reads.
        image: the node that is the images.
        known: the nodes that are parameters, buffers and constants.
        outputs: by name, the nodes that the module returns.
    """

    module: nn.Module
    nodes: tuple[fx.Node, ...]
    image: fx.Node
    known: dict[fx.Node, Known]
    outputs: dict[str, fx.Node]

    def chosen(self, output: str | int | None) -> fx.Node:
        """The output of this name or number; of None, the only one.

        Raises:
            ValueError: there are several, or none of that name.
        """
        names = list(self.outputs)
        if output is None:
            if len(names) == 1:
                return self.outputs[names[0]]
            raise StriateValueError(
                f"from_torch: the module returns {len(names)} values, "
                f"{listed([quoted(name) for name in names])}; choose one with output="
            )
        if isinstance(output, int) and not isinstance(output, bool):
            if -len(names) <= output < len(names):
                return self.outputs[names[output]]
        elif output in self.outputs:
            return self.outputs[output]
        raise StriateValueError(
            f"from_torch: output={output!r} is none of the {len(names)} values that the module "
            f"returns: {listed([quoted(name) for name in names])}"
        )


def trace(module: nn.Module, example: Any) -> TracedModule:
    """The operators of a module.

    Args:
        module: any module that reads one batch of images.
        example: images (n, channels, height, width), signals (n, channels, length) or vectors
            (n, features): a tensor, an array, or their shape.

    Raises:
        ValueError: the example does not fit, or PyTorch cannot trace the module.
        TypeError: the arguments are of other kinds.
    """
    if not isinstance(module, nn.Module):
        raise StriateTypeError(f"from_torch: module must be a torch.nn.Module, got {module!r}")
    images = _images(module, example)
    with _predicting(module):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # PyTorch's own, about its inside
                program = torch.export.export(module, (images,), strict=False)
        except Exception as error:  # whatever the module's own code raises
            raise StriateValueError(
                f"from_torch: PyTorch cannot trace {type(module).__name__} with images of "
                f"{tuple(images.shape)}: {cut(reason(error), 250)}; give an example of the size "
                "that it was made for, (n, channels, height, width)"
            ) from error
    return _traced(module, program)


def _images(module: nn.Module, example: Any) -> torch.Tensor:
    """Images of zeros as the example has them, on the device and in the precision of the module."""
    if isinstance(example, (torch.Tensor, np.ndarray)):
        shape: Sequence[int] = tuple(example.shape)
    elif isinstance(example, (tuple, list)):
        shape = [whole_number(extent, "example", "from_torch") for extent in example]
    else:
        raise StriateTypeError(
            "from_torch: example must be a tensor, an array or a shape, (n, channels, height, "
            f"width), got {type(example).__name__}"
        )
    if not 2 <= len(shape) <= 4:
        raise StriateValueError(
            f"from_torch: example must have the axes (n, channels, height, width), got {shape}"
        )
    first = next((p for p in module.parameters() if p.is_floating_point()), torch.zeros(0))
    whole = isinstance(example, torch.Tensor) and not example.is_floating_point()
    dtype = example.dtype if whole else first.dtype
    return torch.zeros((TRACED, *shape[1:]), dtype=dtype, device=first.device)


@contextmanager
def _predicting(module: nn.Module) -> Iterator[None]:
    """While it is traced, a module is in evaluation mode."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


def _traced(module: nn.Module, program: torch.export.ExportedProgram) -> TracedModule:
    signature = program.graph_signature
    names = {
        **signature.inputs_to_parameters,
        **signature.inputs_to_buffers,
        **signature.inputs_to_lifted_tensor_constants,
    }
    learned = set(signature.inputs_to_parameters)
    tensors = {**program.constants, **program.state_dict}
    known: dict[fx.Node, Known] = {}
    images: list[fx.Node] = []
    for node in program.graph.nodes:
        if node.op == "placeholder" and node.name in names:
            name = names[node.name]
            known[node] = Known(tensors[name].detach(), (name,), node.name in learned, True)
        elif node.op == "placeholder" and isinstance(node.meta.get("val"), torch.Tensor):
            images.append(node)
    if len(images) != 1:
        raise StriateValueError(
            f"from_torch: {type(module).__name__} reads {len(images)} tensors, and a network "
            "one; wrap it in a module whose forward takes the images alone"
        )
    (last,) = [node for node in program.graph.nodes if node.op == "output"]
    return TracedModule(
        module,
        tuple(node for node in program.graph.nodes if node.op not in ("placeholder", "output")),
        images[0],
        known,
        _outputs(last.args[0], program.call_spec.out_spec),
    )


def _outputs(nodes: Any, spec: pytree.TreeSpec | None) -> dict[str, fx.Node]:
    """The nodes that are returned, by the names that the module gives them: "logits", "0", …"""
    assert spec is not None
    numbered = pytree.tree_unflatten(list(range(spec.num_leaves)), spec)
    paths, _ = pytree.tree_flatten_with_path(numbered)
    found = {}
    for (path, _), node in zip(paths, nodes, strict=True):
        if isinstance(node, fx.Node):
            name = ".".join(str(getattr(key, "key", getattr(key, "idx", key))) for key in path)
            found[name.strip(".") or "output"] = node
    return found
