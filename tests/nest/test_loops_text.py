"""Nests as text: the textbook loops are Python, so they are run, against compiled code."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest

from striate.layers import (
    ELU,
    Add,
    AvgPool2D,
    BatchNorm,
    Conv2D,
    Dense,
    Flatten,
    Input,
    LayerNorm,
    MaxPool2D,
    ReLU,
    Tanh,
)
from striate.nest.algebra import Accumulator, Index, Nest, Store, Tensor, strides_of
from striate.nest.compiler import compile_nest
from striate.nest.loops_text import textbook
from striate.nest.schedule import Schedule
from striate.nest.scheduled_text import scheduled_text
from striate.nest.target import host
from striate.network import Network
from striate.plan.measure.trial import trial

FUNCTIONS = {
    "exp": math.exp,
    "expm1": math.expm1,
    "sqrt": math.sqrt,
    "log": math.log,
    "rint": round,
    "inf": math.inf,
    "fma": lambda a, b, c: a * b + c,
}


def network() -> Network:
    x = Input((5, 7, 3))
    a = ReLU()(BatchNorm()(Conv2D(4, (3, 2), padding=(1, 1), uncovered="drop")(x)))
    b = Tanh()(Conv2D(4, (3, 2), padding=(1, 1), groups=1, uncovered="drop")(x))
    joined = LayerNorm()(Add()(a, b))
    pooled = AvgPool2D(2, uncovered="drop")(MaxPool2D(2, stride=1)(joined))
    return Network(inputs=x, output=Dense(3)(ELU()(Dense(4)(Flatten()(pooled)))), seed=1)


def run(nest: Nest, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    copies = {role: array.copy() for role, array in arrays.items()}
    compile_nest(nest)(*(copies[role] for role in nest.buffers))
    return copies


def test_the_text_of_every_nest_of_a_training_step_computes_what_the_nest_does() -> None:
    plan = trial(network(), 3, training=True, threads=1, exact=True).plan
    random, checked, kinds = np.random.default_rng(0), 0, set()
    seen = set()
    for stage in plan.stages:
        for step in stage.all_steps:
            nest = step.nest
            tables = any(t.rows is not None or t.shift for t in nest.tensors())
            numbers = all(t.element == "real" for t in nest.tensors())
            if nest in seen or nest.counted or nest.grid or tables or not numbers:
                continue
            seen.add(nest)
            reached = [(t.buffer, *nest.reach(t)) for t in nest.tensors()]
            if min(low for _, low, _ in reached) < 0 or nest.rounds:
                continue
            sizes = {
                role: 1 + max(high for buffer, _, high in reached if buffer == role)
                for role in nest.buffers
            }
            arrays = {
                role: random.uniform(0.1, 1, size).astype(np.float32)
                for role, size in sizes.items()
            }
            expected = run(nest, arrays)
            found: dict[str, Any] = {role: a.astype(np.float64) for role, a in arrays.items()}
            scope = {**FUNCTIONS}
            text = textbook(nest)
            for role in nest.buffers:  # a buffer may be called as an axis is
                name = role.replace(" ", "_")
                text = re.sub(rf"\b{name}\[", f"{name}_[", text)
                scope[f"{name}_"] = found[role]
            exec(text, scope)
            for role in nest.buffers:
                np.testing.assert_allclose(found[role], expected[role], rtol=2e-4, atol=1e-5)
            checked += 1
            kinds.add(nest.reduction)
    assert checked > 40 and kinds == {"none", "sum", "max", "argmax"}


def product(n: int, k: int, c: int) -> Nest:
    x, w = Tensor("x", strides_of({"n": c, "c": 1})), Tensor("w", strides_of({"c": k, "k": 1}), -2)
    out = Tensor("out", strides_of({"n": k, "k": 1}))
    return Nest(
        (("n", n), ("k", k), ("c", c)), (Store(out, Accumulator()),), (x * w,), ("c",), "sum"
    )


def test_texts_of_a_product() -> None:
    nest = product(6, 40, 5)
    assert textbook(nest).splitlines() == [
        "for n in range(6):",
        "    for k in range(40):",
        "        total = 0",
        "        for c in range(5):",
        "            total += x[5*n + c] * w[k + 40*c - 2]",
        "        out[40*n + k] = total",
    ]
    text = scheduled_text(nest, Schedule("k", 8, (("n", 4), ("k", 2)), ("c",)))
    assert text.splitlines() == [
        "# 8 lanes along k",
        "# a tile, in registers: 4 of n × 2 of k (vectors)",
        "# written out: c",
        "",
        "for n in range(0, 4, 4):  # then the last 2",
        "    for k in range(0, 32, 16):  # then the last 8",
        "        8 vectors of 8 sums = 0",
        "        40 multiply-adds of 8 lanes, 30 loads",
        "        store 8 vectors",
    ]


def test_texts_of_sums_over_lanes() -> None:
    text = scheduled_text(product(3, 2, 64), Schedule("c", 16, (("n", 3),)))
    assert text.splitlines()[3:] == [
        "for k in range(2):",
        "    3 vectors of 16 sums = 0",
        "    for c in range(0, 64, 16):",
        "        3 multiply-adds of 16 lanes, 19 loads",
        "    add the lanes of each up",
        "    store 3 numbers",
    ]


def test_tables_and_indices() -> None:
    table = Tensor("steps", strides_of({"n": 1}), 1, "i32")
    looked_up = Tensor("x", strides_of({"n": -3}), 9, "u8", shift=(table,))
    rows = Tensor("images", strides_of({"n": 2}), rows=strides_of({"n": 1}))
    stores = (Store(Tensor("out", strides_of({"n": 1})), looked_up + rows * Index((("n", 4),), 7)),)
    nest = Nest((("n", 3),), stores, counted=("n",))
    assert textbook(nest).splitlines() == [
        "for n in range(counts[0]):",
        "    out[n] = x[steps[n + 1] + -3*n + 9] + images[n][2*n] * (4*n + 7)",
    ]
    assert scheduled_text(nest, Schedule("n", 1)).splitlines()[2:] == [
        "for n in range(0, counts[0], 1):",
        "    compute and store 1 number",
    ]


@pytest.mark.skipif(host().vector_bytes < 64, reason="masks are AVX-512's")
def test_the_last_vector_is_masked() -> None:
    text = scheduled_text(product(2, 40, 5), Schedule("k", 16, (("k", 3),)))
    assert "with all of k: # the last vector masked to 8" in text
