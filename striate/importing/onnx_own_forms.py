"""Layers that ONNX has no operator for, found again in the operators that striate writes for them.

They are those of `striate.exporting`: a locally connected layer is a convolution that copies the
pixels of each window into channels, and a product of matrices; of a grouped dense layer each unit
is gathered several times; local response normalisation adds up its neighbours by a filter of ones;
and max-pooling whose padding no runtime takes is padded before, with the least number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from striate.common.arrays import Array
from striate.importing.atoms import ViewError
from striate.importing.graph_writer import Foreign
from striate.importing.node_collector import layer_of
from striate.importing.onnx_activations import LAYER
from striate.importing.onnx_convolutions import window
from striate.importing.onnx_reading import Reader, Reading
from striate.importing.operation_graph import OnnxOperation, OperationGraph
from striate.importing.sliding_window import spatial, uncovered_pixels

_LOCAL, _GROUPED = f"{LAYER}LocallyConnected2D", f"{LAYER}GroupedDense"
_MOST_NEIGHBOURS = 64


def join_own_forms(graph: OperationGraph) -> None:
    """Write one operation in place of those of such a layer; the graph is changed in place."""
    _Finder(graph).find()


class _Finder:
    def __init__(self, graph: OperationGraph) -> None:
        self.graph = graph
        self.producers = graph.producers()
        self.readers = {name: len(ops) for name, ops in graph.consumers().items()}
        for tensor in graph.outputs:
            self.readers[tensor.name] = self.readers.get(tensor.name, 0) + 1

    def find(self) -> None:
        forms: dict[str, Callable[[OnnxOperation], OnnxOperation | None]] = {
            "Reshape": self._locally_connected,
            "Add": self._bias,
            "Gather": self._grouped_dense,
            "MaxPool": self._padded_pool,
            "Div": self._lrn,
        }
        found = []
        for op in self.graph.operations:
            joined = forms[op.kind](op) if op.kind in forms else None
            found.append(joined or op)
            self.producers[op.outputs[0]] = found[-1]
        self.graph.operations = found
        self.graph.keep_ancestors([tensor.name for tensor in self.graph.outputs])

    def _before(self, op: OnnxOperation | None, kind: str, place: int = 0) -> OnnxOperation | None:
        """The operation of this kind that makes an input which nothing else reads."""
        if op is None or len(op.inputs) <= place or self.readers.get(op.inputs[place]) != 1:
            return None
        before = self.producers.get(op.inputs[place])
        return before if before is not None and before.kind == kind else None

    def _constant(self, op: OnnxOperation | None, place: int, rank: int) -> Array | None:
        """A constant of so many axes that an operation reads."""
        if op is None or len(op.inputs) <= place:
            return None
        array = self.graph.constants.get(op.inputs[place])
        return array if array is not None and array.ndim == rank else None

    def _locally_connected(self, op: OnnxOperation) -> OnnxOperation | None:
        back = self._before(op, "Transpose")
        product = self._before(back, "MatMul") if back else None
        vectors = self._before(product, "Transpose") if product else None
        apart = self._before(vectors, "Reshape") if vectors else None
        patches = self._before(apart, "Conv") if apart else None
        shape, weights = self._constant(op, 1, 1), self._constant(product, 1, 4)
        filters = self._constant(patches, 1, 4)
        if not (back and product and vectors and apart and patches):
            return None
        if shape is None or weights is None or filters is None or len(patches.inputs) > 2:
            return None
        orders = (vectors.attributes.get("perm"), back.attributes.get("perm"))
        positions, groups, depth, share = weights.shape
        sides = shape.tolist()
        if orders != ([3, 1, 0, 2], [2, 1, 3, 0]) or len(sides) != 4 or sides[0] not in (0, 1):
            return None
        taps = filters.shape[2] * filters.shape[3]
        copies = np.eye(taps).reshape(taps, 1, *filters.shape[2:])
        same = filters.shape[1] == 1 and len(filters) == groups * depth and depth % taps == 0
        if not same or patches.attributes.get("group") != len(filters) // taps:
            return None
        if (filters.reshape(-1, *copies.shape) != copies).any():
            return None
        if sides[1] != groups * share or sides[2] * sides[3] != positions:
            return None
        split = self._constant(apart, 1, 1)
        if split is None or split.tolist()[1:] != [groups, depth, positions]:
            return None
        attributes = {**patches.attributes, "group": groups, "outputs": sides[2:]}
        inputs = (patches.inputs[0], product.inputs[1])
        name = patches.name.rpartition("/")[0] or op.name
        return OnnxOperation(_LOCAL, name, inputs, op.outputs, attributes, op.opset)

    def _bias(self, op: OnnxOperation) -> OnnxOperation | None:
        local = self._before(op, _LOCAL)
        bias = self._constant(op, 1, 3)
        if local is None or bias is None or len(local.inputs) > 2:
            return None
        if list(bias.shape[1:]) != local.attributes["outputs"]:
            return None
        return replace(local, inputs=(*local.inputs, op.inputs[1]), outputs=op.outputs)

    def _grouped_dense(self, op: OnnxOperation) -> OnnxOperation | None:
        gemm, each = self._before(op, "Gemm"), self._constant(op, 1, 1)
        weights = self._constant(gemm, 1, 2)
        if gemm is None or each is None or weights is None or op.attributes.get("axis") != 1:
            return None
        usual = {"alpha": 1.0, "beta": 1.0, "transA": 0, "transB": 0}
        if {**usual, **gemm.attributes} != usual or not len(each) or len(each) % weights.shape[1]:
            return None
        group = len(each) // weights.shape[1]
        if group == 1 or (each != np.arange(len(each)) // group).any():
            return None
        return replace(gemm, kind=_GROUPED, name=op.name, outputs=op.outputs,
                       attributes={"group": group})  # fmt: skip

    def _padded_pool(self, op: OnnxOperation) -> OnnxOperation | None:
        pad = self._before(op, "Pad")
        pads, border = self._constant(pad, 1, 1), self._constant(pad, 2, 0)
        if pad is None or pads is None or border != -np.inf or len(pad.inputs) > 3:
            return None
        if pad.attributes.get("mode", "constant") != "constant":
            return None
        if len(op.outputs) > 1 or "auto_pad" in op.attributes:
            return None
        half = len(pads) // 2
        before, after = pads[:half].tolist(), pads[half:].tolist()
        own = op.attributes.get("pads", [0] * (2 * half - 4))
        sides = [*before[2:], *after[2:]]
        if any((*before[:2], *after[:2])) or min(sides) < 0 or any(own) or len(own) != len(sides):
            return None
        attributes = {**op.attributes, "pads": sides}
        return replace(op, inputs=(pad.inputs[0],), attributes=attributes)

    def _lrn(self, op: OnnxOperation) -> OnnxOperation | None:
        power = self._before(op, "Pow", 1)
        raised = self._before(power, "Add") if power else None
        scaled = self._before(raised, "Mul") if raised else None
        # Some programs multiply the filter by the factor.
        total = self._before(scaled or raised, "Conv") if raised else None
        square = self._before(total, "Mul") if total else None
        beta, bias, share = (self._constant(o, 1, 0) for o in (power, raised, scaled))
        ones = self._constant(total, 1, 4)
        if square is None or square.inputs != (op.inputs[0],) * 2 or ones is None:
            return None
        if total is None or len(total.inputs) > 2 or ones.shape[2:] != (1, 1) or not ones.any():
            return None
        if beta is None or bias is None or (share is None) != (scaled is None):
            return None
        factor = np.float64(1 if share is None else share) * ones.max()
        size = _window_of(ones[:, :, 0, 0] / ones.max()) if ones.max() > 0 else None
        if size is None:
            return None
        attributes = {"size": size, "alpha": float(factor) * size, "beta": float(beta),
                      "bias": float(bias)}  # fmt: skip
        return OnnxOperation("LRN", op.name, op.inputs[:1], op.outputs, attributes, op.opset)


def _window_of(ones: Array) -> int | None:
    """How many neighbouring channels a square matrix of ones and zeros adds up, None if others."""
    far = np.arange(ones.shape[1]) - np.arange(ones.shape[0])[:, None]
    for size in range(1, _MOST_NEIGHBOURS):
        if np.array_equal(ones, (far >= -((size - 1) // 2)) & (far <= size // 2)):
            return size
    return None


def _read_local(reading: Reading, op: OnnxOperation) -> Foreign:
    value, letters = reading.writer.as_image(reading.value(op))
    if spatial(letters) != "HW":
        raise ViewError("its rows are the columns of the image")
    weights, bias = reading.weights(op, 1, "weights"), reading.constant(op, 2, "bias")
    size = op.integers("kernel_shape") or (1, 1)
    rows, columns = op.integers("outputs") or (1, 1)
    _, groups, depth, share = weights.shape
    depth //= size[0] * size[1]
    win = window(op, value.shape, size)
    layer = layer_of(
        "LocallyConnected2D",
        filters=groups * share,
        **win.stored(letters),
        groups=groups,
        bias=bias is not None,
        uncovered=uncovered_pixels(win, value.shape[2:]),
        name=reading.writer.name(op.name),
    )
    parameters = {
        "weights": weights.reshape(rows, columns, groups, depth, *size, share)
        .transpose(0, 1, 4, 5, 3, 2, 6)
        .reshape(rows, columns, *size, depth, groups * share)
    }
    if bias is not None:
        parameters["bias"] = bias.transpose(1, 2, 0)
    node = reading.writer.add(layer, value.node, parameters=parameters)
    return Foreign(node, type(value.view).image(value.view.batch, node.shape, letters))


def _read_grouped(reading: Reading, op: OnnxOperation) -> Foreign:
    value, weights = reading.value(op), reading.weights(op, 1, "weights")
    bias, group = reading.constant(op, 2, "bias"), op.attribute("group", 1)
    view = value.view
    if len(value.shape) != 2 or value.shape[1] != weights.shape[0]:
        raise ViewError("its matrix is not that of a vector")
    units = group * weights.shape[1]
    layer = layer_of(
        "GroupedDense",
        units=units,
        group=group,
        bias=bias is not None,
        name=reading.writer.name(op.name),
    )
    parameters = {"weights": weights[view.index(1)]}
    if bias is not None:
        parameters["bias"] = bias.reshape(-1)
    node = reading.writer.add(layer, reading.writer.as_vector(value).node, parameters=parameters)
    return Foreign(node, view.contracted(1, units))


OWN_FORMS: dict[str, Reader] = {_LOCAL: _read_local, _GROUPED: _read_grouped}
