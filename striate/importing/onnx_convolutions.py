"""Operators of ONNX that slide a window over an image: convolution, pooling, padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from striate.importing.atoms import ViewError
from striate.importing.graph_writer import Foreign, SlidingWindow
from striate.importing.onnx_reading import Border, Reader, Reading
from striate.importing.onnx_rules import argument
from striate.importing.operation_graph import OnnxOperation
from striate.ops.shapes import extent

_LOWEST = float(np.finfo(np.float32).min)
"""What exporters without an infinity put around an image before they look for maxima."""

_REACH = {"lowest": 1, "edge": 1, "reflect": 2}
"""Borders that may be padding of a maximum; how far from a pixel of one, in widths of the border,
the pixel is that is repeated there.
"""


def window(op: OnnxOperation, shape: Sequence[int], size: Sequence[int]) -> SlidingWindow:
    """The window of an operation over a tensor (n, c, …) of this shape.

    Raises:
        ViewError: it is not over one or two axes, or its attributes do not fit.
    """
    rank = len(shape) - 2
    if rank not in (1, 2):
        raise ViewError(f"its window has {rank} axes, and an image has two")
    if len(size) != rank:
        raise ViewError(f"its window {list(size)} is not that of {list(shape)}")
    stride = op.integers("strides") or (1,) * rank
    dilation = op.integers("dilations") or (1,) * rank
    pads = op.integers("pads") or (0,) * (2 * rank)
    if len(stride) != rank or len(dilation) != rank or len(pads) != 2 * rank:
        raise ViewError("its strides, dilations or pads do not fit its window")
    if any(number < 1 for number in (*size, *stride, *dilation)) or any(p < 0 for p in pads):
        raise ViewError("its window, strides, dilations or pads are out of range")
    before, after = pads[:rank], pads[rank:]
    match op.attribute("auto_pad", "NOTSET"):
        case "NOTSET" | "":
            pass
        case "VALID":
            before = after = (0,) * rank
        case "SAME_UPPER" | "SAME_LOWER" as rule:
            totals = [
                max((-(-pixels // step) - 1) * step + extent(taps, gap) - pixels, 0)
                for pixels, taps, step, gap in zip(shape[2:], size, stride, dilation, strict=True)
            ]
            less, more = [t // 2 for t in totals], [t - t // 2 for t in totals]
            before, after = map(tuple, (less, more) if rule == "SAME_UPPER" else (more, less))
        case other:
            raise ViewError(f"its auto_pad is {other!r}")
    return SlidingWindow(tuple(size), stride, dilation, before, after)


def _conv(reading: Reading, op: OnnxOperation) -> Foreign:
    value, filters = reading.value(op), reading.weights(op, 1, "filters")
    size = op.integers("kernel_shape") or filters.shape[2:]
    if filters.ndim < 3 or tuple(size) != filters.shape[2:]:
        raise ViewError("its kernel_shape is not that of its filters")
    return reading.writer.convolution(
        value,
        filters,
        reading.constant(op, 2, "bias"),
        window(op, value.shape, size),
        groups=op.attribute("group", 1),
        name=reading.name(op, 1),
    )


def _conv_transpose(reading: Reading, op: OnnxOperation) -> Foreign:
    value, filters = reading.value(op), reading.weights(op, 1, "filters")
    rank = len(value.shape) - 2
    size = op.integers("kernel_shape") or filters.shape[2:]
    if filters.ndim < 3 or tuple(size) != filters.shape[2:]:
        raise ViewError("its kernel_shape is not that of its filters")
    extra = op.integers("output_padding") or (0,) * rank
    rule = op.attribute("auto_pad", "NOTSET")
    plain = OnnxOperation(
        op.kind,
        op.name,
        op.inputs,
        op.outputs,
        {k: v for k, v in op.attributes.items() if k != "auto_pad"},
        op.opset,
    )
    win = window(plain, value.shape, size)
    wanted = op.integers("output_shape")
    if wanted is None and rule.startswith("SAME"):
        wanted = tuple(n * step for n, step in zip(value.shape[2:], win.stride, strict=True))
    if wanted is not None or rule == "VALID":
        before, after = [0] * rank, [0] * rank
        for axis in range(rank) if wanted is not None else ():
            reach = extent(win.size[axis], win.dilation[axis])
            whole = (value.shape[2 + axis] - 1) * win.stride[axis] + reach + extra[axis]
            total = whole - wanted[-rank:][axis] if wanted is not None else 0
            if total < 0:
                raise ViewError("its output_shape is larger than its window reaches")
            less, more = total // 2, total - total // 2
            upper = rule != "SAME_LOWER" if wanted is not None else True
            before[axis], after[axis] = (less, more) if upper else (more, less)
        if op.integers("output_shape") is not None and rule in ("NOTSET", ""):
            before, after = after, before  # as the operator's definition has it
        win = SlidingWindow(win.size, win.stride, win.dilation, tuple(before), tuple(after))
    return reading.writer.transposed_convolution(
        value,
        filters,
        reading.constant(op, 2, "bias"),
        win,
        output_padding=extra,
        groups=op.attribute("group", 1),
        name=reading.name(op, 1),
    )


def _pool(kind: str) -> Reader:
    def read(reading: Reading, op: OnnxOperation) -> Foreign:
        value = reading.value(op)
        if any(reading.readers.get(name) for name in op.outputs[1:] if name):
            raise ViewError("the places of its maxima are read")
        size = op.integers("kernel_shape") or ()
        border = reading.borders.get(op.inputs[0])
        return reading.writer.pool(
            value,
            kind,
            window(op, value.shape, size) if border is None else _within(border, op, value, size),
            ceil=bool(op.attribute("ceil_mode", 0)),
            count_padding=bool(op.attribute("count_include_pad", 0)),
        )

    return read


def _global_pool(kind: str) -> Reader:
    def read(reading: Reading, op: OnnxOperation) -> Foreign:
        value = reading.value(op)
        return reading.writer.reduction(value, kind, range(2, len(value.shape)), True)

    return read


def _pad(reading: Reading, op: OnnxOperation) -> Foreign:
    value = reading.value(op)
    rank = len(value.shape)
    pads = argument(op, reading.constants(op), 1, "pads")
    axes = argument(op, reading.constants(op), 3, "axes")
    if pads is None and len(op.inputs) > 1:
        raise ViewError("its pads depend on the image")
    filler = reading.constant(op, 2, "value")
    fill = op.attribute("value", 0.0) if filler is None else float(filler.reshape(-1)[0])
    places = [value.view.position(axis) for axis in (range(rank) if axes is None else axes)]
    if pads is None or len(pads) != 2 * len(places):
        raise ViewError("its pads do not fit its axes")
    before, after = [0] * rank, [0] * rank
    for place, axis in enumerate(places):
        before[axis], after[axis] = pads[place], pads[len(places) + place]
    mode = op.attribute("mode", "constant")
    if mode == "constant" and (not fill or max(pads, default=0) <= 0):
        return reading.writer.padded(value, before, after)
    what = f"by {mode!r}" if mode != "constant" else f"with {fill:g}"
    if mode == "constant" and fill <= _LOWEST:
        mode = "lowest"
    name = op.outputs[0]
    readers = reading.consumers.get(name, [])
    before_maxima = len(readers) == reading.readers.get(name) and all(
        reader.kind == "MaxPool" for reader in readers
    )
    if mode not in _REACH or not before_maxima or min(pads) < 0:
        raise ViewError(f"it pads {what}, and only zeros are carried over")
    reading.borders[name] = Border(mode, tuple(before), tuple(after))
    return value


def _within(
    border: Border, op: OnnxOperation, value: Foreign, size: Sequence[int]
) -> SlidingWindow:
    """The window of a MaxPool, with the border around its input as padding of its own.

    The maxima are the same if each window that reaches into the border holds those pixels as well
    that are repeated there.

    Raises:
        ViewError: they are not.
    """
    sides = list(zip(border.before, border.after, strict=True))
    shape = [old + sum(both) for old, both in zip(value.shape, sides, strict=True)]
    own = window(op, shape, size)
    widths = border.before[2:], border.after[2:]
    before, after = (
        tuple(far + width for far, width in zip(padding, given, strict=True))
        for padding, given in zip((own.before, own.after), widths, strict=True)
    )
    again = _REACH[border.mode]
    holds = all(
        far + (again - 1) * width < taps
        for pads, given in zip((before, after), widths, strict=True)
        for far, width, taps in zip(pads, given, own.size, strict=True)
    )
    plain = (
        max(own.dilation) == 1 and not op.attribute("ceil_mode", 0) and not any(sum(sides[:2], ()))
    )
    if not holds or not plain:
        raise ViewError(
            f"Pad puts a border by {border.mode!r} around its input, and that is carried over only "
            "if each window that reaches into it holds what is repeated there"
        )
    return replace(own, before=before, after=after)


WINDOWS: dict[str, Reader] = {
    "AveragePool": _pool("AvgPool2D"),
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "GlobalAveragePool": _global_pool("Avg"),
    "GlobalMaxPool": _global_pool("Max"),
    "MaxPool": _pool("MaxPool2D"),
    "Pad": _pad,
}
