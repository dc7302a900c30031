"""The data of a page as JSON for its script, with arrays in base64.

From these the script computes the sum of any unit: the raw pixels and their preprocessing, each
layer's geometry and parameters, and the values of the layers that it cannot compute itself.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from striate.common.page_parts import encode_array
from striate.layers import (
    ELU,
    GELU,
    LRN,
    AvgPool2D,
    BatchNorm,
    ChannelShuffle,
    ChannelSlice,
    Clip,
    Concat,
    GlobalAvgPool2D,
    GlobalMaxPool2D,
    HardSigmoid,
    Layer,
    LayerNorm,
    LeakyReLU,
    Scale,
)
from striate.layers.reads import TransposedWindow, Window
from striate.reports import embedded_images
from striate.reports.data import Prediction, Report
from striate.reports.patch_boxes import patch_boxes

# Layers whose arguments a page puts into their formulas.
_WITH_OPTIONS = (ChannelShuffle, ChannelSlice, Clip, ELU, GELU, HardSigmoid, LayerNorm, LRN)


def page_data(report: Report) -> dict[str, Any]:
    """All data that the scripts in page/ read, JSON-able."""
    network = report.network
    preprocessing = network.preprocessing
    patches = patch_boxes(report.reach)
    return {
        "classes": list(report.classes),
        "input": {
            "shape": list(network.input_shape),
            "mean": np.asarray(preprocessing.mean, np.float32).tolist(),
            "std": np.asarray(preprocessing.std, np.float32).tolist(),
        },
        "nodes": [
            _node(report, index) | {"sees": patches[index]} for index in range(len(network.nodes))
        ],
        "loss": {
            "smoothing": report.label_smoothing,
            "heads": report.has_heads,
            "temperature": network.answers.temperature,
        },
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
        "shown": index in report.content.shown,
        "gradientShown": index in report.content.gradients_shown,
        "owner": network.owner(index),
        "frozen": network.owner(index) in network.frozen_nodes,
        "what": _written(layer),
    }
    reads = layer.reads(*shapes)
    whole = isinstance(layer, GlobalAvgPool2D | GlobalMaxPool2D)
    if isinstance(reads, Window | TransposedWindow) and not whole:
        node["window"] = {
            "size": list(reads.size),
            "stride": list(reads.stride),
            "dilation": list(reads.dilation),
            "pads": list(reads.pads),
        }
        # For layers whose filters read only some of the channels.
        if hasattr(layer, "groups"):
            node["groups"] = layer.groups
    if isinstance(layer, _WITH_OPTIONS):
        node["options"] = layer.config()
    if isinstance(layer, LeakyReLU):
        node["slope"] = float(np.float32(layer.slope))
    elif isinstance(layer, Scale):
        node["factor"] = float(np.float32(layer.factor))
    elif isinstance(layer, AvgPool2D):
        node["counted"] = list(layer.counted_pads(shapes[0]))
    elif isinstance(layer, Concat):
        node["widths"] = [shape[-1] for shape in shapes]
    parameters = network.parameters_of(index)
    node["imagesWithWeightGradients"] = report.content.weight_gradients.get(network.owner(index), 0)
    node["weightShapes"] = {name: list(array.shape) for name, array in parameters.items()}
    if index in report.content.weights:
        node["arrays"] = {name: encode_array(array) for name, array in parameters.items()}
        if isinstance(layer, BatchNorm):
            state = network.state_of(index)
            # As the layer computes it, in float32.
            inverse = (1 / np.sqrt(state["variance"] + layer.eps)).astype(np.float32)
            node["arrays"] |= {
                "mean": encode_array(state["mean"]),
                "inverse": encode_array(inverse),
            }
    elif parameters:
        node["leftOut"] = sum(array.nbytes for array in parameters.values())
    return node


def _written(layer: Layer) -> str:
    """The layer as Python code, without its name and without default strides and dilations."""
    unnamed = copy.copy(layer)
    unnamed.name = None
    return repr(unnamed).replace(", stride=(1, 1)", "").replace(", dilation=(1, 1)", "")


def _image(report: Report, place: int) -> dict[str, Any]:
    answer: Prediction = report.chosen[place]
    raw = report.pictures[answer.index]
    whole = raw.dtype == np.uint8
    salient, change = report.saliency[place], report.occlusion.change[place]
    most, widest = float(salient.max()), float(np.abs(change).max())
    return {
        "index": answer.index,
        **({"path": report.paths[answer.index]} if answer.index in report.paths else {}),
        "truth": answer.truth,
        "guess": answer.guess,
        "probabilities": report.probabilities[place].tolist(),
        "raw": encode_array(raw if whole else np.asarray(raw, np.float32)),
        "values": {
            str(index): encode_array(report.values[index][place]) for index in report.content.kept
        },
        "loss": float(report.gradients.losses[place]),
        "gradients": {
            str(index): encode_array(report.gradients.values[index][place])
            for index in report.content.gradients
        },
        "weightGradients": {
            str(index): {
                name: encode_array(array[place])
                for name, array in report.gradients.weights[index].items()
            }
            for index, images in report.content.weight_gradients.items()
            if place < images
        },
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
