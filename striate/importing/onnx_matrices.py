"""Operators of ONNX with weights that are no window: matrices and normalisations."""

from __future__ import annotations

import numpy as np

from striate.common.arrays import Array
from striate.importing.atoms import ViewError
from striate.importing.graph_writer import Foreign
from striate.importing.node_collector import layer_of
from striate.importing.onnx_activations import LAYER
from striate.importing.onnx_reading import Reader, Reading
from striate.importing.operation_graph import OnnxOperation

USUAL_MOMENTUM = 0.9


def _gemm(reading: Reading, op: OnnxOperation) -> Foreign:
    value, weights = reading.value(op), reading.weights(op, 1, "matrix")
    if op.attribute("transA", 0):
        raise ViewError("it transposes the images of a batch")
    if weights.ndim != 2 or len(value.shape) != 2:
        raise ViewError("its matrices have other axes than two")
    if op.attribute("transB", 0):
        weights = weights.T
    alpha, beta = op.attribute("alpha", 1.0), op.attribute("beta", 1.0)
    if alpha != 1:
        weights = weights * np.float32(alpha)
    bias = reading.constant(op, 2, "bias")
    if bias is not None:
        bias = _row(bias, weights.shape[1])
        bias = bias * np.float32(beta) if beta != 1 else bias
    return reading.writer.dense(value, weights, bias, name=reading.name(op, 1))


def _row(bias: Array, units: int) -> Array:
    """What is added to each row of a product, from any shape that is broadcast to it."""
    rows = bias.reshape((1,) * (2 - bias.ndim) + bias.shape)
    if rows.ndim != 2 or rows.shape[1] not in (1, units) or not len(rows):
        raise ViewError(f"a bias of {list(bias.shape)} is added to {units} outputs")
    if (rows != rows[:1]).any():
        raise ViewError("its bias differs from image to image")
    return np.broadcast_to(rows[0], (units,))


def _matmul(reading: Reading, op: OnnxOperation) -> Foreign:
    if reading.is_constant(op, 0):
        raise ViewError("a constant is multiplied with the image from the left")
    value, weights = reading.value(op), reading.weights(op, 1, "matrix")
    while weights.ndim > 2 and weights.shape[0] == 1 and weights.ndim <= len(value.shape):
        weights = weights[0]
    if weights.ndim != 2:
        raise ViewError(f"its matrix has {weights.ndim} axes")
    bias = reading.constant(op, 2, "bias")
    return reading.writer.dense(value, weights, bias, name=reading.name(op, 1))


def _batch_norm(reading: Reading, op: OnnxOperation) -> Foreign:
    value = reading.value(op)
    if op.attribute("training_mode", 0):
        raise ViewError(
            "its training_mode says that it uses the statistics of each batch; export the network "
            "for inference, which PyTorch's eval() makes of it"
        )
    if any(reading.readers.get(name) for name in op.outputs[1:] if name):
        raise ViewError("the statistics of its batches are read")
    if op.opset < 9 and not op.attribute("spatial", 1) and len(value.shape) > 2:
        raise ViewError("it has statistics for each pixel")
    names = ("scale", "shift", "mean", "variance")
    arrays = {name: reading.weights(op, 1 + i, name) for i, name in enumerate(names)}
    if len(value.shape) < 2 or any(a.shape != (value.shape[1],) for a in arrays.values()):
        raise ViewError("its weights are not one for each channel")
    momentum = op.attribute("momentum", USUAL_MOMENTUM)
    return reading.writer.batch_norm(
        value,
        arrays,
        eps=op.attribute("epsilon", 1e-5),
        # Old exporters write 1, which would never learn.
        momentum=momentum if 0 <= momentum < 1 else USUAL_MOMENTUM,
        name=reading.name(op, 1),
    )


def _layer_norm(reading: Reading, op: OnnxOperation) -> Foreign:
    value = reading.value(op)
    axis = value.view.position(op.attribute("axis", -1))
    if op.kind == "LayerNormalization" and any(extent > 1 for extent in value.shape[axis + 1 :]):
        raise ViewError("it normalises over several axes, not over the channels of each pixel")
    if any(reading.readers.get(name) for name in op.outputs[1:] if name):
        raise ViewError("its means or deviations are read")
    count = value.shape[axis]
    placed: list[Array | None] = []
    for place, what in ((1, "scale"), (2, "shift")):
        array = reading.constant(op, place, what)
        if array is not None:
            if array.size not in (1, count):
                raise ViewError(f"its {what} is not one number for each channel")
            array = np.broadcast_to(array.reshape(-1), (count,))
        placed.append(array)
    return reading.writer.layer_norm(
        value,
        *placed,
        eps=op.attribute("epsilon", 1e-5),
        axis=axis,
        name=reading.name(op, 1 if len(op.inputs) > 1 else None),
    )


def _lrn(reading: Reading, op: OnnxOperation) -> Foreign:
    return reading.writer.lrn(
        reading.value(op),
        size=op.attribute("size", 1),
        alpha=op.attribute("alpha", 1e-4),
        beta=op.attribute("beta", 0.75),
        bias=op.attribute("bias", 1.0),
    )


def _prelu(reading: Reading, op: OnnxOperation) -> Foreign:
    value, slope = reading.value(op), reading.weights(op, 1, "slope")
    rank = len(value.shape)
    if op.opset < 7 and slope.size > 1 and slope.ndim == 1 and rank > 1:
        slope = slope.reshape(-1, *(1,) * (rank - 2))
    return reading.writer.prelu(value, slope, name=reading.name(op, 1))


def _dropout(reading: Reading, op: OnnxOperation) -> Foreign:
    if any(reading.readers.get(name) for name in op.outputs[1:] if name):
        raise ViewError("its mask is read")
    ratio = reading.constant(op, 1, "ratio")
    training = reading.constant(op, 2, "training_mode")
    if training is not None and training.any():
        raise ViewError("its training_mode drops values; export the network for inference")
    rate = op.attribute("ratio", 0.5) if ratio is None else float(ratio.reshape(-1)[0])
    if not rate:
        return reading.value(op)
    return reading.elementwise(op, layer_of("Dropout", rate=round(rate, 6)))


MATRICES: dict[str, Reader] = {
    "BatchNormalization": _batch_norm,
    "Dropout": _dropout,
    "Gemm": _gemm,
    "LRN": _lrn,
    "LayerNormalization": _layer_norm,
    "MatMul": _matmul,
    "PRelu": _prelu,
    LAYER + "LayerNorm": _layer_norm,
}
