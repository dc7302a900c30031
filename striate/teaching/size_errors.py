"""Explains why sizes do not fit: the size rule, solved for the unknown, with the numbers put in."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from striate.common.text import choices, counted, decimal
from striate.ops.shapes import extent

QUANTITIES = ("input", "filter", "stride", "padding", "dilation", "output")
Values = dict[str, Any]
"""A quantity of each name, or None; the padding is (before, after), or "same"."""


def explain(values: Values, unknown: Sequence[str], where: str) -> str:
    """A sentence that says why nothing fits, with the numbers put in.

    Args:
        values: the quantities along one axis; None for unknown ones.
        unknown: the names of the unknown ones.
        where: the axis, such as " along the height"; "" if there is only one.
    """
    if len(unknown) > 1:
        names = choices(unknown, "and")
        known = ", ".join(
            f"{name} {plain(value)}" for name, value in values.items() if value is not None
        )
        return f"no {names} fit{where} with {known}"
    pixels, taps, step, padding, gap, outputs = (values[name] for name in QUANTITIES)
    if padding == "same":
        gives = f'padding "same" gives ceil(I / S) outputs{where}'
        if unknown:
            return f"{gives}, and no {unknown[0]} makes that {outputs}"
        return f"{gives}: ceil({pixels} / {step}) = {-(-pixels // step)}, not {outputs}"
    before, after = padding or (0, 0)
    sides = f"+ {before} + {after}"
    if not unknown or unknown[0] == "output":
        reach = extent(taps, gap)
        value = Fraction(pixels - reach + before + after, step) + 1
        rule = (
            f"(I - R + P_before + P_after)/S + 1 = ({pixels} - {reach} {sides})/{step} + 1 = "
            f"{decimal(value)}"
        )
        if pixels + before + after < reach:
            return f"the window is larger than the padded input{where}: {rule}"
        if unknown or value.denominator > 1:
            rest = (pixels - reach + before + after) % step
            unread = f"the last {counted(rest, 'pixel')} would never be read"
            return f"{rule} is not whole{where}: {unread}"
        return f"{rule}{where}, not {outputs}"
    name = unknown[0]
    if name == "input":
        rule = f"(O - 1)·S + R - P_before - P_after = ({outputs} - 1)·{step} + "
        rule += f"{extent(taps, gap)} - {before} - {after}"
        value = Fraction((outputs - 1) * step + extent(taps, gap) - before - after)
    elif name == "padding":
        rule = "P_before + P_after = (O - 1)·S + R - I = "
        rule += f"({outputs} - 1)·{step} + {extent(taps, gap)} - {pixels}"
        value = Fraction((outputs - 1) * step + extent(taps, gap) - pixels)
    elif name == "stride":
        rule = "(I - R + P_before + P_after)/(O - 1) = "
        rule += f"({pixels} - {extent(taps, gap)} {sides})/({outputs} - 1)"
        if outputs == 1:
            return f"no stride fits{where}: one output needs a window as large as the padded input"
        value = Fraction(pixels - extent(taps, gap) + before + after, outputs - 1)
    else:
        reach = pixels + before + after - (outputs - 1) * step
        rule = f"R = I + P_before + P_after - (O - 1)·S = {pixels} {sides} - "
        rule += f"({outputs} - 1)·{step} = {reach}"
        if name == "dilation" and taps == 1:
            return f"no dilation fits{where}: a filter of 1 spans one pixel, but {rule}"
        letter, by = ("F", gap) if name == "filter" else ("dilation", taps - 1)
        rule += f", and {letter} = (R - 1)/{by}" + " + 1" * (name == "filter")
        value = Fraction(reach - 1, by) + (name == "filter")
    return f"no {name} fits{where}: {rule} = {decimal(value)}"


def plain(value: Any) -> str:
    """A quantity as text; padding that is equal on both sides as one number."""
    if isinstance(value, tuple):
        return str(value[0]) if value[0] == value[1] else str(value)
    return str(value)
