"""A module of PyTorch as a graph of operators, by `torch.export`.

The module is traced as it predicts, whatever mode it is in: what it does in training only (dropping
whole layers) is not in the graph.  Batch normalisation and dropout are, and train as they do in
PyTorch.  Auxiliary outputs that a module has in training only are there if they are asked for.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
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

    def name_of(self, output: str | int) -> str | None:
        """The name of the output of this name or number; None if there is none."""
        names = list(self.outputs)
        if isinstance(output, int):
            return names[output] if -len(names) <= output < len(names) else None
        return output if output in self.outputs else None

    def chosen(self, output: str | int | None, heads: Iterable[str] = ()) -> str:
        """The name of the output of this name or number; of None, of the only one.

        Args:
            output: a name or number.
            heads: the names of outputs that are not meant if `output` is None.

        Raises:
            ValueError: there are several, or none of that name.
        """
        names = list(self.outputs)
        if output is None:
            rest = [name for name in names if name not in set(heads)]
            if len(rest) == 1:
                return rest[0]
            besides = " beside the heads" if set(heads) else ""
            raise StriateValueError(
                f"from_torch: the module returns {len(rest)} values{besides}, "
                f"{listed([quoted(name) for name in rest])}; choose one with output="
            )
        found = self.name_of(output)
        if found is None:
            raise StriateValueError(self.unknown(f"output={output!r}"))
        return found

    def unknown(self, what: str) -> str:
        """The sentence for a name or number of an output that there is not."""
        names = [quoted(name) for name in self.outputs]
        return (
            f"from_torch: {what} is none of the {len(names)} values that the module returns: "
            f"{listed(names)}"
        )


def trace(module: nn.Module, example: Any, heads: Sequence[str | int] = ()) -> TracedModule:
    """The operators of a module.

    Args:
        module: any module that reads one batch of images.
        example: images (n, channels, height, width), signals (n, channels, length) or vectors
            (n, features): a tensor, an array, or their shape.
        heads: names or numbers of outputs that the module may have in training only.

    Raises:
        ValueError: the example does not fit, or PyTorch cannot trace the module.
        TypeError: the arguments are of other kinds.
    """
    if not isinstance(module, nn.Module):
        raise StriateTypeError(f"from_torch: module must be a torch.nn.Module, got {module!r}")
    images = _images(module, example)
    found = _exported(module, images, training=False)
    there = [found.name_of(head) for head in heads]
    if None in there or len(found.outputs) <= len(there):
        found = _exported(module, images, training=True)
    return found


def _exported(module: nn.Module, images: torch.Tensor, *, training: bool) -> TracedModule:
    """The operators of a module; if `training`, with what it returns in training."""
    with _predicting(module, but_containers=training):
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
def _predicting(module: nn.Module, *, but_containers: bool) -> Iterator[None]:
    """While it is traced, a module is in evaluation mode; its containers perhaps are not, for they
    choose what is returned. What changes in training is done by the modules inside.
    """
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    for part, _ in modes:
        part.training = but_containers and any(True for _ in part.children())
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
