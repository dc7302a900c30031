"""Operators of PyTorch that move axes, or take parts of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from striate.importing.axis_view import ViewError
from striate.importing.graph_writer import Foreign
from striate.importing.torch_reader import Operators, TorchReader
from striate.importing.torch_values import Padded, TorchCall, operator_name


def _viewed(value: Foreign, view: Any) -> Foreign:
    return Foreign(value.node, view)


def _reshape(reader: TorchReader, call: TorchCall) -> Foreign:
    shape = [int(extent) for extent in call.arguments.get("size", call.arguments.get("shape"))]
    if -1 in shape:
        known = -math.prod(shape)
        shape[shape.index(-1)] = math.prod(call.value.shape) // max(known, 1)
    return _viewed(call.value, call.value.view.reshaped(shape))


def _flatten(reader: TorchReader, call: TorchCall) -> Foreign:
    value = call.value
    first, last = (value.view.position(int(call[name])) for name in ("start_dim", "end_dim"))
    shape = value.shape
    merged = math.prod(shape[first : last + 1])
    return _viewed(value, value.view.reshaped([*shape[:first], merged, *shape[last + 1 :]]))


def _unflatten(reader: TorchReader, call: TorchCall) -> Foreign:
    value = call.value
    axis, sizes = value.view.position(int(call["dim"])), [int(n) for n in call["sizes"]]
    if -1 in sizes:
        sizes[sizes.index(-1)] = value.shape[axis] // max(-math.prod(sizes), 1)
    shape = [*value.shape[:axis], *sizes, *value.shape[axis + 1 :]]
    return _viewed(value, value.view.reshaped(shape))


def _squeeze(reader: TorchReader, call: TorchCall) -> Foreign:
    value, given = call.value, call.arguments.get("dim")
    if given is None:
        axes = [axis for axis, extent in enumerate(value.shape) if extent == 1]
    else:
        axes = [
            value.view.position(int(a)) for a in (given if isinstance(given, list) else [given])
        ]
        axes = [axis for axis in axes if value.shape[axis] == 1]  # others stay, says PyTorch
    return _viewed(value, value.view.squeezed(axes))


def _unsqueeze(reader: TorchReader, call: TorchCall) -> Foreign:
    return _viewed(call.value, call.value.view.unsqueezed([int(call["dim"])]))


def _permute(reader: TorchReader, call: TorchCall) -> Foreign:
    view = call.value.view
    return _viewed(call.value, view.transposed([view.position(int(a)) for a in call["dims"]]))


def _transpose(reader: TorchReader, call: TorchCall) -> Foreign:
    names = [name for name in call.arguments if name != "self"]
    view = call.value.view
    one, other = (view.position(int(call[name])) for name in names)
    order = list(range(len(view.axes)))
    order[one], order[other] = order[other], order[one]
    return _viewed(call.value, view.transposed(order))


def _movedim(reader: TorchReader, call: TorchCall) -> Foreign:
    view = call.value.view
    source, target = (
        [view.position(int(axis)) for axis in (axes if isinstance(axes, list) else [axes])]
        for axes in (call["source"], call["destination"])
    )
    rest = iter([axis for axis in range(len(view.axes)) if axis not in source])
    placed = dict(zip(target, source, strict=True))
    order = [placed[i] if i in placed else next(rest) for i in range(len(view.axes))]
    return _viewed(call.value, view.transposed(order))


def _expand(reader: TorchReader, call: TorchCall) -> Foreign:
    given, shape = list(call["size"]), call.value.shape
    if len(given) != len(shape) or any(
        n not in (-1, own) for n, own in zip(given, shape, strict=True)
    ):
        raise ViewError("it repeats values")
    return call.value


# Parts.


def _pickable(reader: TorchReader, call: TorchCall, axis: int, part: Sequence[int]) -> Foreign:
    """The value, shuffled first where the channels that are taken are not in their order."""
    try:
        reader.writer.picked(call.value, axis, part)
    except ViewError:
        return reader.writer.in_order(call.value)
    return call.value


def _picked(reader: TorchReader, call: TorchCall, axis: int, part: Sequence[int]) -> Foreign:
    """Some elements of an axis."""
    return reader.writer.picked(_pickable(reader, call, axis, part), axis, part)


def _slice(reader: TorchReader, call: TorchCall) -> Foreign:
    axis = call.value.view.position(int(call["dim"]))
    extent = call.value.shape[axis]
    part = range(*slice(call["start"], call["end"], call["step"]).indices(extent))
    return _picked(reader, call, axis, part)


def _narrow(reader: TorchReader, call: TorchCall) -> Foreign:
    start = int(call["start"])
    axis = call.value.view.position(int(call["dim"]))
    return _picked(reader, call, axis, range(start, start + int(call["length"])))


def _select(reader: TorchReader, call: TorchCall) -> Foreign:
    axis = call.value.view.position(int(call["dim"]))
    index = int(call["index"]) % call.value.shape[axis]
    picked = _picked(reader, call, axis, [index])
    return _viewed(picked, picked.view.squeezed([axis]))


def _index_select(reader: TorchReader, call: TorchCall) -> Foreign:
    index = call.array("index")
    assert index is not None
    axis = call.value.view.position(int(call["dim"]))
    return _picked(reader, call, axis, [int(i) for i in index.reshape(-1)])


def _parts(reader: TorchReader, call: TorchCall, sizes: Sequence[int]) -> list[Any]:
    """Those parts that are read."""
    axis = call.value.view.position(int(call["dim"]))
    used = {
        user.args[1] for user in call.node.users if operator_name(user) == "getitem" and user.users
    }
    value = _pickable(reader, call, axis, range(sizes[0]))
    parts, start = list[Any](), 0
    for number, size in enumerate(sizes):
        part = range(start, start + size)
        parts.append(reader.writer.picked(value, axis, part) if number in used else None)
        start += size
    return parts


def _split(reader: TorchReader, call: TorchCall) -> list[Any]:
    given = call.arguments.get("split_sizes", call.arguments.get("split_size"))
    if isinstance(given, (list, tuple)):
        return _parts(reader, call, [int(size) for size in given])
    extent = call.value.shape[call.value.view.position(int(call["dim"]))]
    return _parts(reader, call, _even(extent, int(given)))


def _chunk(reader: TorchReader, call: TorchCall) -> list[Any]:
    extent = call.value.shape[call.value.view.position(int(call["dim"]))]
    return _parts(reader, call, _even(extent, -(-extent // int(call["chunks"]))))


def _even(extent: int, size: int) -> list[int]:
    return [min(size, extent - start) for start in range(0, extent, size)]


# Borders.


def _pad(reader: TorchReader, call: TorchCall) -> Any:
    """Padding: handed on to those layers that have it as an argument."""
    if call.arguments.get("mode", "constant") != "constant":
        raise ViewError(f"it pads by {call['mode']}")
    given, value = [int(n) for n in call["pad"]], call.value
    fill = float(call["value"] or 0) if "value" in call.arguments else 0.0
    pairs = list(zip(given[::2], given[1::2], strict=True))[::-1]
    rank = len(value.shape)
    none = [(0, 0)] * (rank - len(pairs))
    before, after = zip(*none, *pairs, strict=True)
    spatial = rank in (3, 4) and min(given) >= 0 and not any((*before[:2], *after[:2]))
    if spatial and all(_takes(user, fill) for user in call.node.users):
        return Padded(value, before[2:], after[2:], fill)
    if fill != 0 and any(given):
        raise ViewError(f"it pads with {fill:g}")
    return reader.writer.padded(value, before, after)


def _takes(user: Any, fill: float) -> bool:
    """Whether an operator can have the border as its own padding."""
    name = operator_name(user)
    if fill == 0:
        return name in ("conv2d", "conv1d")
    return fill == -math.inf and name in ("max_pool2d", "max_pool1d")


def _channel_shuffle(reader: TorchReader, call: TorchCall) -> Foreign:
    value, groups = call.value, int(call["groups"])
    shape = value.shape
    split = value.view.reshaped([shape[0], groups, shape[1] // groups, *shape[2:]])
    order = [0, 2, 1, *range(3, len(shape) + 1)]
    return _viewed(value, split.transposed(order).reshaped(shape))


AXES: Operators = {
    **dict.fromkeys(("view", "reshape", "_unsafe_view"), _reshape),
    "flatten": _flatten,
    "unflatten": _unflatten,
    "squeeze": _squeeze,
    "unsqueeze": _unsqueeze,
    "permute": _permute,
    **dict.fromkeys(("transpose", "swapaxes", "swapdims"), _transpose),
    **dict.fromkeys(("movedim", "moveaxis"), _movedim),
    "expand": _expand,
    "slice": _slice,
    "narrow": _narrow,
    "select": _select,
    "index_select": _index_select,
    **dict.fromkeys(("split", "split_with_sizes"), _split),
    "chunk": _chunk,
    **dict.fromkeys(("pad", "constant_pad_nd"), _pad),
    **dict.fromkeys(("channel_shuffle", "native_channel_shuffle"), _channel_shuffle),
}
