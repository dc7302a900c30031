"""Functions of an ONNX model, written out where they are called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from striate.common.budget import at_most
from striate.importing.operation_graph import OnnxFileError

MOST_NODES = 100_000
"""Of a model, its functions written out."""
MOST_DEPTH = 100
"""Of functions that call functions."""

Key = tuple[str, str, str]
"""The domain, name and overload of a function."""


class Inliner:
    """Writes out the nodes of a model, with the bodies of functions in place of their calls.

    onnx has an inliner too; this one stops where functions that call each other twice and twice
    again become more nodes than any model has.

    Args:
        model: a ModelProto.
        path: its file, for messages.
    """

    def __init__(self, model: Any, path: str) -> None:
        self.path = path
        self.functions: dict[Key, Any] = {
            (f.domain, f.name, getattr(f, "overload", "")): f for f in model.functions
        }
        self.count = 0
        self.calls = 0

    def nodes(self, nodes: Iterable[Any], opsets: Mapping[str, int]) -> list[tuple[Any, int]]:
        """The nodes with the opset of each; names of tensors are those of the whole graph.

        Raises:
            OnnxFileError: functions call each other in a circle, or become too many nodes.
        """
        return list(self._written_out(nodes, opsets, {}, {}, "", 0))

    def _written_out(
        self,
        nodes: Iterable[Any],
        opsets: Mapping[str, int],
        names: Mapping[str, str],
        attributes: Mapping[str, Any],
        prefix: str,
        depth: int,
    ) -> Iterable[tuple[Any, int]]:
        """Nodes with their tensors renamed; `attributes` are those of the call around them."""
        renamed = dict(names)
        for node in nodes:
            self.count += 1
            at_most(
                self.count,
                MOST_NODES,
                "nodes",
                self.path,
                "such a model is not read",
                error=OnnxFileError,
            )
            copy = type(node)()
            copy.CopyFrom(node)
            if depth:
                for tensors in (copy.input, copy.output):
                    for index, name in enumerate(tensors):
                        if name:
                            tensors[index] = renamed.setdefault(name, prefix + name)
                copy.name = prefix + (node.name or node.op_type)
                self._resolve(copy, attributes)
            function = self.functions.get(
                (node.domain, node.op_type, getattr(node, "overload", ""))
            )
            if function is None:
                yield copy, opsets.get("" if node.domain == "ai.onnx" else node.domain, 1)
                continue
            if depth >= MOST_DEPTH:
                raise OnnxFileError(
                    f'{self.path}: the function "{node.op_type}" calls itself, or {MOST_DEPTH} '
                    "others one inside the other"
                )
            yield from self._body(copy, function, depth)

    def _body(self, call: Any, function: Any, depth: int) -> Iterable[tuple[Any, int]]:
        """The nodes of a function, for one call of it."""
        self.calls += 1
        # A prefix that no tensor of the file has: names with it are made here only.
        prefix = f"{call.name or function.name}\0{self.calls}\0"
        given = list(call.input) + [""] * len(function.input)
        names = dict(zip(function.input, given, strict=False))
        names |= {
            inner: outer
            for inner, outer in zip(function.output, call.output, strict=False)
            if outer
        }
        attributes = {a.name: a for a in function.attribute_proto}
        attributes |= {a.name: a for a in call.attribute}
        opsets = {
            ("" if o.domain == "ai.onnx" else o.domain): o.version for o in function.opset_import
        }
        yield from self._written_out(function.node, opsets, names, attributes, prefix, depth + 1)

    @staticmethod
    def _resolve(node: Any, attributes: Mapping[str, Any]) -> None:
        """Replace references to the attributes of the function by their values."""
        kept = []
        for attribute in node.attribute:
            if not attribute.ref_attr_name:
                kept.append(attribute)
            elif attribute.ref_attr_name in attributes:
                value = type(attribute)()
                value.CopyFrom(attributes[attribute.ref_attr_name])
                value.name = attribute.name
                kept.append(value)
        del node.attribute[:]
        node.attribute.extend(kept)
