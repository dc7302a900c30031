"""Layers of signals, which are images of height 1: each function gives a layer of images.

A signal (length, channels) is the image (1, length, channels), and a window of size taps one of
(1, taps). There is nothing else to a network of signals: ``Input((length, channels))`` makes such
an image, and networks of height 1 take arrays (n, length, channels).
"""

from __future__ import annotations

from striate.common.arguments import whole_number
from striate.common.errors import StriateValueError
from striate.layers.conv2d import Conv2D
from striate.layers.pooling import AvgPool2D, GlobalAvgPool2D, GlobalMaxPool2D, MaxPool2D
from striate.ops import shapes
from striate.ops.shapes import Padding, Pair

Padding1D = int | str | Pair
"""Padding of a signal: "valid", "same", "causal", one number or (before, after)."""


def Conv1D(
    filters: int,
    size: int,
    *,
    stride: int = 1,
    padding: Padding1D = 0,
    dilation: int = 1,
    groups: int = 1,
    bias: bool = True,
    initial: str = "he_normal",
    uncovered: str = "error",
    name: str | None = None,
) -> Conv2D:
    """The convolution of signals: a `Conv2D` of height 1.

    Its filters are (1, size, channels // groups, filters). Like all layers it computes correlation.

    Args:
        filters, groups, bias, initial, uncovered, name: as in `Conv2D`.
        size: taps of a filter.
        stride: step between windows.
        padding: zeros around the signal: "valid" (none), "same" (output = ceil(input / stride)),
            "causal" (all before it, dilation*(size - 1) of them, so that no output reads a later
            input), one number for both ends, or (before, after).
        dilation: distance between the taps of a filter.
    """
    taps, apart = _number(size, "size", "Conv1D"), _number(dilation, "dilation", "Conv1D")
    return Conv2D(
        filters,
        (1, taps),
        stride=(1, _number(stride, "stride", "Conv1D")),
        padding=_padding(padding, shapes.extent(taps, apart), "Conv1D"),
        dilation=(1, apart),
        groups=groups,
        bias=bias,
        initial=initial,
        uncovered=uncovered,
        name=name,
    )


def MaxPool1D(
    size: int,
    *,
    stride: int | None = None,
    padding: Padding1D = 0,
    dilation: int = 1,
    uncovered: str = "error",
    name: str | None = None,
) -> MaxPool2D:
    """Max-pooling of signals: a `MaxPool2D` of height 1, with its arguments.

    `padding` is as in `Conv1D`.
    """
    taps, apart = _number(size, "size", "MaxPool1D"), _number(dilation, "dilation", "MaxPool1D")
    return MaxPool2D(
        (1, taps),
        stride=None if stride is None else (1, _number(stride, "stride", "MaxPool1D")),
        padding=_padding(padding, shapes.extent(taps, apart), "MaxPool1D"),
        dilation=(1, apart),
        uncovered=uncovered,
        name=name,
    )


def AvgPool1D(
    size: int,
    *,
    stride: int | None = None,
    padding: Padding1D = 0,
    dilation: int = 1,
    count_padding: bool = False,
    uncovered: str = "error",
    name: str | None = None,
) -> AvgPool2D:
    """Average pooling of signals: an `AvgPool2D` of height 1, with its arguments.

    `padding` is as in `Conv1D`.
    """
    taps, apart = _number(size, "size", "AvgPool1D"), _number(dilation, "dilation", "AvgPool1D")
    return AvgPool2D(
        (1, taps),
        stride=None if stride is None else (1, _number(stride, "stride", "AvgPool1D")),
        padding=_padding(padding, shapes.extent(taps, apart), "AvgPool1D"),
        dilation=(1, apart),
        count_padding=count_padding,
        uncovered=uncovered,
        name=name,
    )


def GlobalAvgPool1D(*, keepdims: bool = False, name: str | None = None) -> GlobalAvgPool2D:
    """The mean of each channel over the signal: a `GlobalAvgPool2D`."""
    return GlobalAvgPool2D(keepdims=keepdims, name=name)


def GlobalMaxPool1D(*, keepdims: bool = False, name: str | None = None) -> GlobalMaxPool2D:
    """The largest value of each channel over the signal: a `GlobalMaxPool2D`."""
    return GlobalMaxPool2D(keepdims=keepdims, name=name)


def _number(value: object, what: str, who: str) -> int:
    if isinstance(value, (tuple, list)):
        raise StriateValueError(f"{who}: {what} must be one number, got {tuple(value)}")
    return whole_number(value, what, who)


def _padding(padding: object, reach: int, who: str) -> Padding:
    """As the padding of an image of height 1; `reach` is that of the window."""
    if padding == "causal":
        return (0, 0, reach - 1, 0)
    if isinstance(padding, str):
        if padding not in ("valid", "same"):
            raise StriateValueError(
                f'{who}: padding must be "valid", "same", "causal", a number or (before, after), '
                f"got {padding!r}"
            )
        return padding
    ends = padding if isinstance(padding, (tuple, list)) else (padding, padding)
    if len(ends) != 2:
        raise StriateValueError(f"{who}: padding must be (before, after), got {tuple(ends)}")
    before, after = (whole_number(end, "padding", who, minimum=0) for end in ends)
    return (0, 0, before, after)
