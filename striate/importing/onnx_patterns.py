"""Operations that belong together: a bias, a constant per channel, layer normalisation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from striate.common.arrays import Array
from striate.importing.atoms import ViewError
from striate.importing.onnx_activations import LAYER
from striate.importing.onnx_rules import argument
from striate.importing.operation_graph import OnnxOperation, OperationGraph

FLOATS = (1, 10, 11, 16)
"""The types FLOAT, FLOAT16, DOUBLE and BFLOAT16 of ONNX: what is computed here is float32."""


def drop_identities(graph: OperationGraph) -> None:
    """Read what stands before operations that change nothing: Identity, and Cast between floats."""
    same: dict[str, str] = {}
    kept: list[OnnxOperation] = []
    # A size that is cast is divided otherwise before and after.
    fixed = {tensor.name for tensor in graph.outputs} | graph.sizes()
    for op in graph.operations:
        op = op.with_inputs(*(same.get(name, name) for name in op.inputs))
        nothing = op.kind == "Identity" or (op.kind == "Cast" and op.attributes.get("to") in FLOATS)
        if nothing and op.inputs and op.outputs[0] not in fixed:
            same[op.outputs[0]] = op.inputs[0]
        else:
            kept.append(op)
    graph.operations = kept


def join(graph: OperationGraph) -> None:
    """Join operations that one layer computes; the graph is changed in place."""
    _Joiner(graph).join()


class _Joiner:
    def __init__(self, graph: OperationGraph) -> None:
        self.graph = graph
        self.constants: Mapping[str, Array] = graph.constants
        self.producers = graph.producers()
        self.readers = {name: len(ops) for name, ops in graph.consumers().items()}
        for tensor in graph.outputs:
            self.readers[tensor.name] = self.readers.get(tensor.name, 0) + 1

    def join(self) -> None:
        found: list[OnnxOperation] = []
        sizes = self.graph.sizes()
        for op in self.graph.operations:
            joined = op if sizes & set(op.outputs) else self._joined(op)
            for one in joined if isinstance(joined, tuple) else (joined,):
                self.producers.update(dict.fromkeys(filter(None, one.outputs), one))
                found.append(one)
        self.graph.operations = found
        self.graph.keep_ancestors([tensor.name for tensor in self.graph.outputs])

    def _joined(self, op: OnnxOperation) -> OnnxOperation | tuple[OnnxOperation, ...]:
        return (
            self._layer_norm(op)
            or self._with_constant(op)
            or self._constants_in_a_row(op)
            or self._pad_after_transpose(op)
            or self._padded(op)
            or op
        )

    def _before(self, name: str, *kinds: str) -> OnnxOperation | None:
        """The operation of one of these kinds that makes a tensor."""
        op = self.producers.get(name)
        return op if op is not None and op.kind in kinds else None

    def _scalar(self, name: str) -> float | None:
        array = self.constants.get(name)
        return float(array.reshape(())) if array is not None and array.size == 1 else None

    def _variable_and_constant(self, op: OnnxOperation) -> tuple[str, str] | None:
        """Of an operation of two inputs the one that varies and the constant."""
        if len(op.inputs) != 2:
            return None
        one, other = op.inputs
        if (one in self.constants) == (other in self.constants):
            return None
        return (other, one) if one in self.constants else (one, other)

    # A constant behind an operation.

    def _with_constant(self, op: OnnxOperation) -> OnnxOperation | None:
        if op.kind not in ("Add", "Mul") or (op.opset < 7 and "axis" in op.attributes):
            return None
        pair = self._variable_and_constant(op)
        if pair is None:
            return None
        name, constant = pair
        before = self.producers.get(name)
        if before is None or self.readers.get(name) != 1 or before.outputs[0] != name:
            return None
        array = self.constants[constant]
        weights = self.constants.get(before.inputs[1]) if len(before.inputs) > 1 else None
        given = (*before.inputs, "", "")
        if op.kind == "Add" and weights is not None and not given[2]:
            units = {
                "Conv": weights.shape[:1],
                "MatMul": weights.shape[-1:] if weights.ndim == 2 else (),
            }.get(before.kind, ())
            tail = weights.ndim - 2 if before.kind == "Conv" else 0
            if units and _is_bias(array, units[0], tail):
                self.graph.constants[f"{constant}\0bias"] = array.reshape(-1)
                inputs = (*before.inputs[:2], f"{constant}\0bias")
                return replace(before, inputs=inputs, outputs=op.outputs)
        if before.kind == LAYER + "LayerNorm":
            place = 1 if op.kind == "Mul" else 2
            if not given[2] and not (op.kind == "Mul" and given[1]):
                both = list(given[:3])
                both[place] = constant
                return replace(before, inputs=tuple(both), outputs=op.outputs)
        return None

    def _constants_in_a_row(self, op: OnnxOperation) -> OnnxOperation | None:
        """x·a + b, then times c plus d: one multiplication and one addition."""
        then = self._factor_and_term(op)
        before = self.producers.get(then[0]) if then else None
        if then is None or before is None or self.readers.get(then[0]) != 1:
            return None
        first = self._factor_and_term(before)
        if first is None:
            return None
        name, scale, shift = first
        try:
            factor, term = scale * then[1], shift * then[1] + then[2]
        except ValueError:
            return None
        if max(factor.size, term.size) > max(one.size for one in (*first[1:], *then[1:])):
            return None  # broadcast to each other
        names = (f"{op.outputs[0]}\0scale", f"{op.outputs[0]}\0shift")
        self.graph.constants.update(zip(names, (factor, term), strict=True))
        return OnnxOperation(
            LAYER + "Affine", before.name, (name, *names), op.outputs, {}, max(op.opset, 7)
        )

    def _factor_and_term(self, op: OnnxOperation) -> tuple[str, Array, Array] | None:
        """Of an operation with a constant: what varies, by what it is multiplied, what is added."""
        one, zero = np.ones(()), np.zeros(())
        if op.kind == LAYER + "Affine":
            return op.inputs[0], self.constants[op.inputs[1]], self.constants[op.inputs[2]]
        pair = self._variable_and_constant(op)
        if pair is None or op.kind not in ("Add", "Sub", "Mul", "Div"):
            return None
        constant = self.constants[pair[1]]
        if constant.dtype.kind != "f" or (op.opset < 7 and "axis" in op.attributes):
            return None
        wide, first = constant.astype(np.float64), pair[0] != op.inputs[0]
        match op.kind:
            case "Add":
                return pair[0], one, wide
            case "Mul":
                return pair[0], wide, zero
            case "Sub":
                return (pair[0], -one, wide) if first else (pair[0], one, -wide)
        if first or (wide == 0).any():
            return None
        return pair[0], 1 / wide, zero

    # Zeros around an image that is convolved.

    def _pad_after_transpose(self, op: OnnxOperation) -> tuple[OnnxOperation, ...] | None:
        """Transposed first and padded then, it stands before what it is for."""
        pad = self._before(op.inputs[0], "Pad") if op.kind == "Transpose" else None
        order = op.attributes.get("perm")
        if pad is None or not isinstance(order, list) or self.readers.get(op.inputs[0]) != 1:
            return None
        found = self._pads(pad)
        if found is None or len(found) != 2 * len(order) or sorted(order) != [*range(len(order))]:
            return None
        moved = [found[axis] for axis in (*order, *(len(order) + axis for axis in order))]
        name = f"{op.outputs[0]}\0"
        attributes = {"pads": moved, "mode": "constant", "value": 0.0}
        self.readers[name] = 1
        return (
            replace(op, inputs=(pad.inputs[0],), outputs=(name,)),
            replace(pad, inputs=(name,), outputs=op.outputs, attributes=attributes),
        )

    def _pads(self, pad: OnnxOperation) -> list[int] | None:
        """The pads of all axes, where Pad adds zeros."""
        given = [self.constants.get(name) for name in pad.inputs]
        try:
            pads, axes = argument(pad, given, 1, "pads"), argument(pad, given, 3, "axes")
        except ViewError:
            return None
        fill = pad.attributes.get("value", 0.0) if len(given) < 3 or given[2] is None else given[2]
        plain = pad.attributes.get("mode", "constant") == "constant" and not np.any(fill)
        return pads if plain and axes is None else None

    def _padded(self, op: OnnxOperation) -> OnnxOperation | None:
        pad = self._before(op.inputs[0], "Pad") if op.kind == "Conv" and op.inputs else None
        weights = self.constants.get(op.inputs[1]) if pad and len(op.inputs) > 1 else None
        rule = op.attributes.get("auto_pad", "NOTSET")
        if pad is None or weights is None or rule not in ("NOTSET", "VALID"):
            return None
        rank = weights.ndim
        none = [0] * (2 * rank - 4)
        own = op.attributes.get("pads", none) if rule == "NOTSET" else none
        pads = self._pads(pad)
        if pads is None or len(pads) != 2 * rank:
            return None
        sides = [*pads[2:rank], *pads[rank + 2 :]]
        if any(pads[:2]) or any(pads[rank : rank + 2]) or any(side < 0 for side in sides):
            return None
        if len(own) != len(sides):
            return None
        more = [side + mine for side, mine in zip(sides, own, strict=True)]
        attributes = {**op.attributes, "pads": more, "auto_pad": "NOTSET"}
        return replace(op, inputs=(pad.inputs[0], *op.inputs[1:]), attributes=attributes)

    # (x - mean) / sqrt(variance + eps)

    def _layer_norm(self, op: OnnxOperation) -> OnnxOperation | None:
        if op.kind not in ("Div", "Mul") or len(op.inputs) != 2:
            return None
        for centred, spread in (op.inputs, op.inputs[::-1]):
            root = self._root(spread, inverse=op.kind == "Mul")
            difference = self._before(centred, "Sub")
            if root is not None and difference is not None:
                found = self._normalised(op, difference, root)
                if found is not None:
                    return found
            if op.kind == "Div":
                break
        return None

    def _root(self, name: str, *, inverse: bool) -> str | None:
        """Of what a tensor is the square root, or one over it."""
        if inverse:
            if one := self._before(name, "Reciprocal"):
                return self._root(one.inputs[0], inverse=False)
            if (over := self._before(name, "Div")) and self._scalar(over.inputs[0]) == 1:
                return self._root(over.inputs[1], inverse=False)
        elif root := self._before(name, "Sqrt"):
            return root.inputs[0]
        power = self._before(name, "Pow")
        if power and self._scalar(power.inputs[1]) == (-0.5 if inverse else 0.5):
            return power.inputs[0]
        return None

    def _normalised(
        self, op: OnnxOperation, difference: OnnxOperation, root: str
    ) -> OnnxOperation | None:
        total = self._before(root, "Add")
        pair = self._variable_and_constant(total) if total else None
        eps = self._scalar(pair[1]) if pair else None
        variance = self._before(pair[0], "ReduceMean") if pair else None
        mean = self._before(difference.inputs[1], "ReduceMean")
        if eps is None or variance is None or mean is None:
            return None
        x = difference.inputs[0]
        square = self._before(variance.inputs[0], "Pow", "Mul")
        if square is None or mean.inputs[0] != x:
            return None
        if square.kind == "Pow" and self._scalar(square.inputs[1]) != 2:
            return None
        if square.kind == "Mul" and square.inputs[0] != square.inputs[1]:
            return None
        again = self._before(square.inputs[0], "Sub")
        if again is None or not self._same_difference(again, difference):
            return None
        axes, others = self._axes(mean), self._axes(variance)
        if axes is None or axes != others or len(axes) != 1:
            return None
        attributes = {"epsilon": eps, "axis": axes[0]}
        return OnnxOperation(
            LAYER + "LayerNorm", op.name, (x, "", ""), op.outputs, attributes, op.opset
        )

    def _same_difference(self, one: OnnxOperation, other: OnnxOperation) -> bool:
        """Whether two operations subtract the same mean from the same tensor."""
        if one.inputs[0] != other.inputs[0]:
            return False
        if one.inputs[1] == other.inputs[1]:
            return True
        means = [self._before(op.inputs[1], "ReduceMean") for op in (one, other)]
        same = all(m is not None and m.inputs[0] == one.inputs[0] for m in means)
        return same and self._axes(means[0]) == self._axes(means[1])

    def _axes(self, op: OnnxOperation | None) -> list[int] | None:
        if op is None or not op.attributes.get("keepdims", 1):
            return None
        try:
            return argument(op, [self.constants.get(name) for name in op.inputs], 1, "axes")
        except ViewError:
            return None


def _is_bias(array: Array, units: int, tail: int) -> bool:
    """Whether a constant has a number for each unit, in the axis before `tail` others."""
    rank = array.ndim
    axis = rank - 1 - tail
    return (
        array.size == units
        and (axis >= 0 and array.shape[axis] == units)
        and rank <= tail + 2
        and bool(np.isfinite(array).all())
    )
