"""Reads an ONNX file, which anybody may have made, into an `OperationGraph`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from striate.common.arrays import Array
from striate.common.input_files import read_bytes
from striate.common.optional import require
from striate.common.text import cut, reason
from striate.importing.onnx_inlining import Inliner
from striate.importing.onnx_tensors import TensorReader
from striate.importing.operation_graph import (
    OnnxFileError,
    OnnxOperation,
    OnnxTensor,
    OperationGraph,
    in_order,
)

if TYPE_CHECKING:
    from onnx import ModelProto

OLDEST = 6
"""The oldest version of the operators that is read; the newest is that of the package onnx."""
_OWN = ("", "ai.onnx")


def read_file(path: str | os.PathLike[str]) -> OperationGraph:
    """Read the ONNX file `path`.

    Raises:
        OnnxFileError: there is no such file, it is damaged, of another kind, too new or too old, or
            its weights lie outside of its folder.
        ImportError: the package onnx is not installed.
    """
    require("onnx", "onnx", "from_onnx")
    content = read_bytes(path, "ONNX file", error=OnnxFileError)
    model = _parsed(content, path)
    who = os.fspath(path)
    size = len(content)
    del content
    opsets = {("" if o.domain in _OWN else o.domain): o.version for o in model.opset_import}
    check_opset(opsets.get("", OLDEST), who)
    tensors = TensorReader(Path(path))
    constants: dict[str, Array] = {}
    for tensor in model.graph.initializer:
        if tensor.name in constants:
            raise OnnxFileError(f'{who}: has two tensors named "{tensor.name}"')
        constants[tensor.name] = tensors.array(tensor)
    _check(model, who)
    nodes = Inliner(model, who).nodes(model.graph.node, opsets)
    inputs = [_tensor(value) for value in model.graph.input if value.name not in constants]
    operations = [operation_of(node, opset, tensors) for node, opset in nodes]
    names = [tensor.name for tensor in inputs]
    if len(set(names)) < len(names):
        raise OnnxFileError(f"{who}: two of its inputs have the same name")
    if model.graph.sparse_initializer:
        raise OnnxFileError(f"{who}: has sparse tensors, which are not read")
    return OperationGraph(
        who,
        in_order(operations, [*names, *constants], who),
        constants,
        inputs,
        [_tensor(value) for value in model.graph.output],
        {entry.key: entry.value for entry in model.metadata_props},
        size + tensors.size,
    )


def check_opset(opset: int, who: str) -> None:
    """Refuse operators of a version that is too old, or newer than the package onnx knows."""
    import onnx

    newest = onnx.defs.onnx_opset_version()
    if not OLDEST <= opset <= newest:
        raise OnnxFileError(
            f"{who}: is written for version {opset} of the operators; {OLDEST} to {newest} are "
            "read, so export or convert it to one of them"
        )


def _parsed(content: bytes, path: str | os.PathLike[str]) -> ModelProto:
    """The protocol buffer in the file's bytes."""
    import onnx
    from google.protobuf.message import DecodeError

    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except (DecodeError, ValueError, RuntimeError) as error:
        raise OnnxFileError(
            f"{os.fspath(path)}: is damaged, or no ONNX file: its bytes are not those of a model"
        ) from error
    if not _texts_are_valid(model):
        raise OnnxFileError(f"{os.fspath(path)}: is damaged: a name in it is no text in UTF-8")
    if not model.graph.node or not model.graph.output:
        raise OnnxFileError(
            f"{os.fspath(path)}: is no ONNX file of a network, for it has no nodes or no output"
        )
    return model


def _texts_are_valid(message: Any) -> bool:
    """Whether all texts in a protocol buffer are: those that are not come as bytes."""
    text = 9  # FieldDescriptor.TYPE_STRING
    for field, value in message.ListFields():
        several = not isinstance(value, str | bytes) and hasattr(value, "__len__")
        values = value if several else (value,)
        if field.type == text and any(isinstance(one, bytes) for one in values):
            return False
        if field.message_type is not None and not all(map(_texts_are_valid, values)):
            return False
    return True


def _check(model: ModelProto, who: str) -> None:
    """Let onnx check the nodes and their attributes, without the weights, which are large."""
    import onnx

    bare = onnx.ModelProto()
    bare.ir_version = min(model.ir_version, onnx.IR_VERSION)
    bare.opset_import.extend(model.opset_import)
    bare.functions.extend(model.functions)
    bare.graph.name = model.graph.name or "graph"
    bare.graph.node.extend(model.graph.node)
    for output in model.graph.output:  # their shapes follow from the nodes
        value = onnx.helper.make_tensor_value_info(output.name, onnx.TensorProto.FLOAT, ())
        bare.graph.output.append(value)
    inputs = {value.name for value in model.graph.input}
    bare.graph.input.extend(model.graph.input)
    for tensor in model.graph.initializer:
        if tensor.name not in inputs:
            bare.graph.input.append(
                onnx.helper.make_tensor_value_info(
                    tensor.name, tensor.data_type or onnx.TensorProto.FLOAT, tensor.dims
                )
            )
    try:
        onnx.checker.check_model(bare)
    except (onnx.checker.ValidationError, ValueError, RuntimeError, TypeError) as error:
        why = reason(error)
        if "topologically sorted" in why:
            return  # an order is found, or the circle, in `in_order`
        raise OnnxFileError(f"{who}: is no valid ONNX model: {cut(why, 300)}") from error


def _tensor(value: Any) -> OnnxTensor:
    """An input or output as the file describes it."""
    kind = value.type.tensor_type
    if not kind.HasField("shape"):
        return OnnxTensor(value.name, None)
    return OnnxTensor(
        value.name,
        tuple(
            dim.dim_value if dim.HasField("dim_value") else dim.dim_param or None
            for dim in kind.shape.dim
        ),
    )


def operation_of(node: Any, opset: int, tensors: TensorReader | None = None) -> OnnxOperation:
    """A node, its attributes as numbers, texts and arrays; these need `tensors`."""
    name = node.name or next((name for name in node.output if name), "")
    return OnnxOperation(
        node.op_type if node.domain in _OWN else f"{node.domain}.{node.op_type}",
        name.replace("\0", "."),
        tuple(node.input),
        tuple(node.output),
        dict(_attributes(node.attribute, tensors)),
        opset,
    )


def _attributes(
    attributes: Iterable[Any], tensors: TensorReader | None
) -> Iterable[tuple[str, Any]]:
    """The values of attributes by their names; a graph inside is None."""
    for attribute in attributes:
        match attribute.type:
            case 1:
                yield attribute.name, float(attribute.f)
            case 2:
                yield attribute.name, int(attribute.i)
            case 3:
                yield attribute.name, attribute.s.decode("utf-8", "replace")
            case 4 if tensors is not None:
                yield attribute.name, tensors.array(attribute.t)
            case 6:
                yield attribute.name, [float(value) for value in attribute.floats]
            case 7:
                yield attribute.name, [int(value) for value in attribute.ints]
            case 8:
                yield (
                    attribute.name,
                    [text.decode("utf-8", "replace") for text in attribute.strings],
                )
            case _:
                yield attribute.name, None
