"""Imports ONNX's own test cases and the graphs of its nine architectures, and counts.

    python benchmarks/conformance.py           a table: passed, refused by reason, failed
    python benchmarks/conformance.py --names   and the name of every case

Needs: pip install onnx onnxruntime
"""

from __future__ import annotations

import re
import sys
import tempfile
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "importing"))

from onnx_cases import DATA, node_cases, one_operator_cases, outcome


def main() -> int:
    """Print the tables; 1 if anything failed."""
    warnings.simplefilter("ignore")
    failed = 0
    for title, cases in (
        ("Models of one operator", one_operator_cases()),
        ("Cases of the operators", node_cases()),
    ):
        found = {case.name: outcome(case) for case in cases}
        counts = Counter(one.kind for one in found.values())
        print(f"\n{title}: {counts.total()} cases")
        for kind in ("passed", "refused", "failed"):
            print(f"  {kind:8s} {counts[kind]:5d}")
        reasons: defaultdict[str, list[str]] = defaultdict(list)
        for name, one in found.items():
            if one.kind != "passed":
                reasons[one.kind + ": " + plain(one.why)].append(name)
        for why, names in sorted(reasons.items(), key=lambda item: -len(item[1])):
            print(f"  {len(names):5d}  {why}")
            if "--names" in sys.argv:
                print(*(f"           {name}" for name in names), sep="\n")
        failed += counts["failed"]
    print("\nNine architectures with random weights, against ONNX Runtime")
    for line in architectures():
        print("  " + line, flush=True)
        failed += "WRONG" in line
    return bool(failed)


def plain(why: str) -> str:
    """A reason without the names of nodes and tensors, and without numbers."""
    inner = re.findall(r"\(([^()]*(?:\([^()]*\)[^()]*)*)\)", why)
    return re.sub(r'"[^"]*"|\[[^]]*\]|-?\d+', "…", max(inner, key=len) if inner else why)[:90]


def architectures() -> Iterator[str]:
    """One line for each of the graphs in onnx: how far the logits are from ONNX Runtime's."""
    import onnx
    import onnxruntime

    from striate.importing.onnx_reader import read_onnx

    onnxruntime.set_default_logger_severity(3)
    for file in sorted((DATA / "light").glob("*.onnx")):
        model = with_random_weights(onnx.load(file))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / file.name
            onnx.save(model, path)
            found = read_onnx(path)
            session = onnxruntime.InferenceSession(str(path))
        weights = {tensor.name for tensor in model.graph.initializer}
        x = np.random.default_rng(2).standard_normal(found.image.shape).astype(np.float32)
        feed = {
            value.name: x if list(value.shape) == list(x.shape) else np.zeros(value.shape, "f4")
            for value in session.get_inputs()
            if value.name not in weights
        }
        expected = session.run(None, feed)[0]
        got = found.network.predict_logits(found.image.to_stored(x), engine="numpy")
        got = found.output.from_stored(got)
        error = np.abs(got - expected).max() / np.abs(expected).max()
        yield (
            f"{'agrees' if error <= 1e-4 else 'WRONG'}  {error:.1e}  {file.stem}: "
            f"{len(found.network.nodes)} layers, {found.network.parameter_count:,} parameters"
        )


def with_random_weights(model: Any) -> Any:
    """The model with random numbers where it fills its weights with one, and without the softmax
    at its end, behind which nothing could be told.
    """
    from onnx import numpy_helper

    random = np.random.default_rng(1)
    shapes = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    role = {
        name: place
        for node in model.graph.node
        if node.op_type == "BatchNormalization"
        for place, name in enumerate(node.input)
    }
    kept = []
    for node in model.graph.node:
        if node.op_type == "Softmax" and node.output[0] == model.graph.output[0].name:
            model.graph.output[0].name = node.input[0]
        elif node.op_type == "ConstantOfShape":
            shape = tuple(shapes[node.input[0]].tolist())
            fan = max(int(np.prod(shape[1:])), 1)
            drawn = random.standard_normal(shape) * (2 / fan) ** 0.5
            if role.get(node.output[0]) in (1, 4):  # scales and variances
                drawn = random.uniform(0.5, 1.5, shape)
            elif len(shape) == 1:
                drawn = random.standard_normal(shape) * 0.1
            model.graph.initializer.append(
                numpy_helper.from_array(drawn.astype(np.float32), node.output[0])
            )
        else:
            kept.append(node)
    del model.graph.node[:]
    model.graph.node.extend(kept)
    return model


if __name__ == "__main__":
    sys.exit(main())
