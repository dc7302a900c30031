"""A report as JSON for the page's script: numbers in base64, little-endian, none of them rounded.

The page computes what a unit is made of from these: the raw pixels and how they are preprocessed,
each layer's geometry and parameters, and the values of the layers that it cannot compute itself.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from striate.layers import AvgPool2D, BatchNorm, Concat, Layer, LeakyReLU, Scale
from striate.layers.layer import WindowLayer
from striate.reports import embedded_images
from striate.reports.data import Answer, Report
from striate.reports.encoded import packed
from striate.reports.sees import sees


def pack(report: Report) -> dict[str, Any]:
    """Everything that page/*.js reads, JSON-able."""
    network = report.network
    preprocessing = network.preprocessing
    seen = sees(report.reach)
    return {
        "classes": list(report.classes),
        "input": {
            "shape": list(network.input_shape),
            "mean": np.asarray(preprocessing.mean, np.float32).tolist(),
            "std": np.asarray(preprocessing.std, np.float32).tolist(),
        },
        "nodes": [
            _node(report, index) | {"sees": seen[index]} for index in range(len(network.nodes))
        ],
        "images": [_image(report, place) for place in range(len(report.chosen))],
        "occlusion": {
            "patch": list(report.occlusion.patch),
            "places": report.occlusion.places,
        },
    }


def _node(report: Report, index: int) -> dict[str, Any]:
    network, vertex = report.network, report.network.nodes[index]
    layer, shapes = vertex.layer, network.input_shapes(index)
    node: dict[str, Any] = {
        "name": vertex.name,
        "type": type(layer).__name__,
        "inputs": list(vertex.inputs),
        "shape": list(vertex.shape),
        "shown": index in report.fit.shown,
        "what": _written(layer),
    }
    if isinstance(layer, WindowLayer):
        node["window"] = {
            "size": list(layer.size),
            "stride": list(layer.stride),
            "dilation": list(layer.dilation),
            "pads": list(layer.pads(shapes[0])),
        }
        # Of a layer whose filters read some of the channels only.
        if hasattr(layer, "groups"):
            node["groups"] = layer.groups
    if isinstance(layer, LeakyReLU):
        node["slope"] = float(np.float32(layer.slope))
    elif isinstance(layer, Scale):
        node["factor"] = float(np.float32(layer.factor))
    elif isinstance(layer, AvgPool2D):
        node["countPadding"] = layer.count_padding
    elif isinstance(layer, Concat):
        node["widths"] = [shape[-1] for shape in shapes]
    parameters = network.parameters_of(index)
    if index in report.fit.weights:
        node["arrays"] = {name: packed(array) for name, array in parameters.items()}
        if isinstance(layer, BatchNorm):
            state = network.state_of(index)
            # As the layer computes it, in float32.
            inverse = (1 / np.sqrt(state["variance"] + layer.eps)).astype(np.float32)
            node["arrays"] |= {"mean": packed(state["mean"]), "inverse": packed(inverse)}
    elif parameters:
        node["leftOut"] = sum(array.nbytes for array in parameters.values())
    return node


def _written(layer: Layer) -> str:
    """The layer as Python, without its name and with what is not as usual."""
    unnamed = copy.copy(layer)
    unnamed.name = None
    return repr(unnamed).replace(", stride=(1, 1)", "").replace(", dilation=(1, 1)", "")


def _image(report: Report, place: int) -> dict[str, Any]:
    answer: Answer = report.chosen[place]
    raw = report.pictures[answer.index]
    whole = raw.dtype == np.uint8
    salient, change = report.saliency[place], report.occlusion.change[place]
    most, widest = float(salient.max()), float(np.abs(change).max())
    return {
        "index": answer.index,
        "truth": answer.truth,
        "guess": answer.guess,
        "probabilities": report.probabilities[place].tolist(),
        "raw": packed(raw if whole else np.asarray(raw, np.float32)),
        "values": {str(index): packed(report.values[index][place]) for index in report.fit.kept},
        "picture": embedded_images.png(embedded_images.shown(raw, report.black, report.white)),
        "saliency": embedded_images.png(
            embedded_images.coloured(salient / (most or 1), embedded_images.HOT)
        ),
        "salient": most,
        "occlusion": embedded_images.png(
            embedded_images.coloured(change / (2 * (widest or 1)) + 0.5, embedded_images.COLD_HOT)
        ),
        "change": [float(change.min()), float(change.max())],
    }
