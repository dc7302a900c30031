"""The cases of ONNX's own backend tests, and what becomes of each when it is imported.

A case is a model with inputs and the outputs that it must have. All inputs but the first are made
constants, as weights are in a trained network. `benchmarks/conformance.py` counts them all.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.reference
from onnx import numpy_helper

from striate.common.errors import StriateError
from striate.importing.onnx_reader import OPERATORS, ImportedNetwork, read_onnx
from striate.optim.losses import softmax

DATA = Path(onnx.__file__).parent / "backend" / "test" / "data"
CLOSE = 1e-5
"""The largest error, in units of the largest output."""


@dataclass(frozen=True)
class Case:
    name: str
    model: Any
    inputs: list[Any]
    outputs: list[Any]


@dataclass(frozen=True)
class Outcome:
    """What became of a case: "passed", "refused" with the reason, or "failed"."""

    kind: str
    why: str = ""


def one_operator_cases() -> Iterator[Case]:
    """The models that were exported from PyTorch, one operator or few in each."""
    for folder in ("pytorch-operator", "pytorch-converted"):
        for path in sorted((DATA / folder).glob("*/model.onnx")):
            model = onnx.load(path)
            data = path.parent / "test_data_set_0"
            yield _sound(
                f"{folder}/{path.parent.name}",
                model,
                [_stored(data, f"input_{i}.pb") for i in range(len(model.graph.input))
                 if (data / f"input_{i}.pb").exists()],
                [_stored(data, f"output_{i}.pb") for i in range(len(model.graph.output))],
            )  # fmt: skip


def _sound(name: str, model: Any, inputs: list[Any], outputs: list[Any]) -> Case:
    """A case; some were stored with numbers that nobody had set, and are computed anew."""
    numbers = [a for a in inputs if a.dtype.kind == "f"]
    if all(np.isfinite(a).all() and (np.abs(a) < 1e30).all() for a in numbers):
        return Case(name, model, inputs, outputs)
    random = np.random.default_rng(0)
    drawn = [random.standard_normal(a.shape).astype(a.dtype) for a in inputs]
    names = [value.name for value in model.graph.input]
    evaluator = onnx.reference.ReferenceEvaluator(model)
    return Case(name, model, drawn, evaluator.run(None, dict(zip(names, drawn, strict=True))))


def _stored(folder: Path, name: str) -> Any:
    tensor = onnx.TensorProto()
    tensor.ParseFromString((folder / name).read_bytes())
    return numpy_helper.to_array(tensor)


MEANT = {
    *(kind for kind in OPERATORS if not kind.startswith("striate.")),
    "Constant", "ConstantOfShape", "DequantizeLinear", "If", "LogSoftmax", "Loop", "QuantizeLinear",
    "Softmax",
}  # fmt: skip
"""The operators whose cases are tried."""


@cache
def _collected() -> list[Any]:
    import warnings

    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some cases overflow on purpose
        return list(collect_testcases(None))


def node_cases(kinds: set[str] | None = None) -> Iterator[Case]:
    """The cases of single operators."""
    wanted = MEANT if kinds is None else kinds
    for case in _collected():
        own = {node.op_type for node in case.model.graph.node}
        stem = case.name.removeprefix("test_").replace("_", "")
        named = any(stem.startswith(kind.lower()) for kind in wanted)
        if (len(own) == 1 and own <= wanted) or (named and "expanded" in case.name):
            inputs, outputs = case.data_sets[0]
            arrays = [_array(value) for value in inputs]
            yield Case(case.name, case.model, arrays, [_array(value) for value in outputs])


def _array(value: Any) -> Any:
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def outcome(case: Case, engine: str = "numpy") -> Outcome:
    """Import a case, and compare what the network computes."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    held = {tensor.name for tensor in model.graph.initializer}
    free = [value for value in model.graph.input if value.name not in held]
    arrays = [np.asarray(a) if not isinstance(a, list) else a for a in case.inputs]
    if len(arrays) < len(free):
        return Outcome("refused", "the case has no numbers for its inputs")
    for value, array in list(zip(free, arrays, strict=False))[1:]:
        if isinstance(array, list) or array.dtype.kind in "OSU":
            return Outcome("refused", "the case reads sequences or texts")
        model.graph.initializer.append(numpy_helper.from_array(array, value.name))
    found = _imported(model)
    if isinstance(found, Outcome) and "has no layer" in found.why:
        # It moves numbers only: try it behind a layer.
        _negate_input(model, free[0].name)
        arrays[0] = -arrays[0].astype(np.float64)
        found = _imported(model)
    if isinstance(found, Outcome):
        return found
    return _compared(found, model, arrays[0], np.asarray(case.outputs[0]), engine)


def _negate_input(model: Any, name: str) -> None:
    """Put Neg before all that reads an input."""
    for node in model.graph.node:
        for place, read in enumerate(node.input):
            if read == name:
                node.input[place] = name + "_negated"
    negation = onnx.helper.make_node("Neg", [name], [name + "_negated"])
    rest = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([negation, *rest])


def _imported(model: Any) -> ImportedNetwork | Outcome:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "case.onnx")
        onnx.save(model, path)
        try:
            return read_onnx(path, output=model.graph.output[0].name)
        except StriateError as error:
            return Outcome("refused", str(error).removeprefix(f"{path}: "))


def _compared(found: ImportedNetwork, model: Any, x: Any, expected: Any, engine: str) -> Outcome:
    images = found.image.to_stored(x.astype(np.float32))
    got = found.output.from_stored(found.network.predict_logits(images, engine=engine))
    left_out = next((note.split()[1] for note in found.notes if "left out" in note), None)
    if left_out is not None:
        node = next(node for node in model.graph.node if node.op_type == left_out)
        opset = model.opset_import[0].version
        axis = next((a.i for a in node.attribute if a.name == "axis"), -1 if opset > 12 else 1)
        moved = np.moveaxis(got.astype(np.float64), axis, -1)
        chances = np.moveaxis(softmax(moved.reshape(-1, moved.shape[-1])).reshape(moved.shape), -1,
                              axis)  # fmt: skip
        got = np.log(chances) if left_out == "LogSoftmax" else chances
    if got.shape != expected.shape:
        return Outcome("failed", f"has {got.shape}, not {expected.shape}")
    wide = expected.astype(np.float64)
    sound = np.isfinite(wide)  # no image holds the others, with which some cases begin
    scale = max(np.abs(wide[sound]).max(initial=0), 1e-6)
    error = np.abs(got[sound] - wide[sound]).max(initial=0) / scale
    close = {"float16": 2e-3, "bfloat16": 2e-2}.get(expected.dtype.name, CLOSE)
    if (np.round(wide, 4).astype(expected.dtype) == expected).all():
        close = max(close, 1e-4 / scale)  # typed with four decimals, the last one not always right
    return Outcome("passed") if error <= close else Outcome("failed", f"is off by {error:.2g}")
