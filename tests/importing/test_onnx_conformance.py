"""ONNX's own test cases: each is computed right, or refused with a reason.

`benchmarks/conformance.py` prints the table of all of them.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

pytest.importorskip("onnx")

from tests.importing import onnx_cases as cases


def tried(some: Any, engine: str = "numpy") -> dict[str, Any]:
    return {case.name: cases.outcome(case, engine) for case in some}


def failures(outcomes: dict[str, Any]) -> dict[str, Any]:
    return {name: found for name, found in outcomes.items() if found.kind == "failed"}


def test_models_of_one_operator() -> None:
    outcomes = tried(cases.one_operator_cases())
    assert failures(outcomes) == {}
    counts = Counter(found.kind for found in outcomes.values())
    assert counts.total() == 117
    assert counts["passed"] >= 60
    assert all(found.why for found in outcomes.values() if found.kind == "refused")


def test_cases_of_all_operators() -> None:
    outcomes = tried(cases.node_cases())
    assert failures(outcomes) == {}
    counts = Counter(found.kind for found in outcomes.values())
    assert counts["passed"] >= 120
    assert all(0 < len(found.why) <= 500 for found in outcomes.values() if found.kind == "refused")


@pytest.mark.parametrize(
    "kind", ["Conv", "MaxPool", "AveragePool", "Gemm", "BatchNormalization", "Clip", "LRN"]
)
def test_operators_of_most_networks_pass(kind: str) -> None:
    """Of these, what is refused is named here."""
    outcomes = tried(cases.node_cases({kind}))
    assert sum(found.kind == "passed" for found in outcomes.values()) >= 2
    for name, found in outcomes.items():
        if found.kind == "refused":
            assert any(
                why in found.why
                for why in (
                    "axes", "training_mode", "transposes the images", "depends on the image",
                    "places of its maxima", "differs from image", "its output is its input",
                    "striate has no layer", "uncovered must be", "the case has no numbers",
                    "to whole numbers", "left out", "low must not be larger",
                    "unexpected keyword argument",
                )
            ), (name, found)  # fmt: skip


def test_a_wrong_network_is_noticed() -> None:
    """The comparison itself: a case with another expected output fails."""
    case = next(c for c in cases.one_operator_cases() if c.name.endswith("test_Conv2d"))
    assert cases.outcome(case).kind == "passed"
    changed = type(case)(case.name, case.model, case.inputs, [case.outputs[0] + 1e-2])
    assert cases.outcome(changed).kind == "failed"
