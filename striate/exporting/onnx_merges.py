"""Layers with several inputs, as nodes of ONNX."""

from __future__ import annotations

from collections.abc import Callable

from striate.exporting.onnx_graph import OnnxGraph, Place


def _add(graph: OnnxGraph, place: Place) -> str:
    operator = "Add" if len(place.inputs) == 2 else "Sum"
    return graph.op(operator, place.inputs, place.name)


def _concat(graph: OnnxGraph, place: Place) -> str:
    return graph.op("Concat", place.inputs, place.name, axis=1)


def _multiply(graph: OnnxGraph, place: Place) -> str:
    """A product of two at a time; a vector beside images is one number for each channel."""
    values = [
        graph.reshape(value, (*shape, 1, 1), f"{place.name}/channels")
        if len(shape) == 1 and len(place.shape) == 3
        else value
        for value, shape in zip(place.inputs, place.shapes, strict=True)
    ]
    product = values[0]
    for index, value in enumerate(values[1:], 2):
        name = place.name if index == len(values) else f"{place.name}/product"
        product = graph.op("Mul", [product, value], name)
    return product


MERGES: dict[str, Callable[[OnnxGraph, Place], str]] = {
    "Add": _add,
    "Concat": _concat,
    "Multiply": _multiply,
}
