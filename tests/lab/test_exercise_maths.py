"""The numbers of exercises, and the verdicts on answers, against what Python computes."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import numpy as np
import pytest

from striate.lab.room_data.exercise_options import KINDS, read_exercise
from tests.lab.node_functions import WEB, called, needs_node

pytestmark = needs_node
DRAWN = "maths/exercises/kinds.js"


def drawn(tables: list[dict[str, Any]], seed: int = 1) -> list[dict[str, Any]]:
    """Exercises of some tables, each with its own seed."""
    calls = [[read_exercise(table), seed + i] for i, table in enumerate(tables)]
    found: list[dict[str, Any]] = called(DRAWN, "drawnExercise", calls)
    return found


def given(exercise: dict[str, Any], name: str) -> np.ndarray[Any, Any]:
    one = next(one for one in exercise["given"] if one["name"] == name)
    return np.array(one["values"], float).reshape(one["rows"], one["columns"])


def values(exercise: dict[str, Any]) -> list[float]:
    return [one["value"] for one in exercise["asked"]]


def mulberry(seed: int, count: int) -> list[int]:
    """The published generator mulberry32, in Python's whole numbers."""
    state, found = seed % 2**32, []
    for _ in range(count):
        state = (state + 0x6D2B79F5) % 2**32
        mixed = (state ^ state >> 15) * (state | 1) % 2**32
        mixed ^= (mixed + (mixed ^ mixed >> 7) * (mixed | 61)) % 2**32
        found.append(mixed ^ mixed >> 14)
    return found


def test_drawn_numbers_follow_from_the_seed() -> None:
    for seed, least, most in [(1, -4, 5), (999_999, 0, 1), (123, 7, 7)]:
        (found,) = called("maths/seeded_numbers.js", "wholesFrom", [[seed, 200, least, most]])
        assert found == [least + bits * (most - least + 1) // 2**32 for bits in mulberry(seed, 200)]


CASES: list[dict[str, Any]] = [
    {"input": [3, 3], "filter": [2, 2]},
    {"input": [5, 7], "filter": [3, 3], "stride": 2},
    {"input": [4, 6], "filter": [3, 2], "padding": 1, "flip": True},
    {"input": [7, 9], "filter": [2, 3], "dilation": 2, "stride": 2, "padding": 1},
    {"input": [6, 5], "filter": [3, 2], "dilation": 2, "flip": True},
    {"input": [2, 3], "filter": [4, 3], "padding": 2, "stride": 2},
]


def operands(rng: np.random.Generator, table: dict[str, Any]) -> dict[str, Any]:
    """The table with its own numbers, so that the oracle knows all of them."""
    step, pad, gap = table.get("stride", 1), table.get("padding", 0), table.get("dilation", 1)
    out = [
        (i + 2 * pad - gap * (r - 1) - 1) // step + 1
        for i, r in zip(table["input"], table["filter"], strict=True)
    ]
    shapes = {"X": table["input"], "F": table["filter"], "dO": out}
    return {name: rng.integers(-9, 10, shape) for name, shape in shapes.items()}


def loss(numbers: dict[str, Any], table: dict[str, Any]) -> tuple[np.ndarray[Any, Any], float]:
    """O by textbook loops, and the sum of dO·O, whose derivatives are those of the chain rule."""
    step, pad, gap = table.get("stride", 1), table.get("padding", 0), table.get("dilation", 1)
    x = np.pad(np.asarray(numbers["X"], float), pad)
    f = np.asarray(numbers["F"], float)
    if table.get("flip"):
        f = f[::-1, ::-1]
    out = np.zeros(np.shape(numbers["dO"]))
    for (row, column), _ in np.ndenumerate(out):
        for (r, s), weight in np.ndenumerate(f):
            out[row, column] += weight * x[row * step + r * gap, column * step + s * gap]
    return out, float((out * numbers["dO"]).sum())


def slopes(numbers: dict[str, Any], table: dict[str, Any], name: str) -> list[float]:
    """The derivatives of the loss, which is linear in each number: exact differences."""
    found = []
    for place, _ in np.ndenumerate(numbers[name]):
        more = {**numbers, name: numbers[name].copy()}
        more[name][place] += 1
        found.append(loss(more, table)[1] - loss(numbers, table)[1])
    return found


def test_outputs_and_gradients_are_those_of_loops_and_differences() -> None:
    rng = np.random.default_rng(3)
    tables, wanted = [], []
    for table in CASES:
        numbers = operands(rng, table)
        fixed = {name: array.tolist() for name, array in numbers.items()}
        both = {key: fixed[key] for key in ("X", "F")}
        rest = {key: value for key, value in table.items() if key not in ("input", "filter")}
        tables += [
            {**rest, **both, "kind": "output", "ask": "all"},
            {**rest, **fixed, "kind": "filter-gradient", "ask": "all"},
            {**rest, **fixed, "kind": "input-gradient", "ask": "all"},
        ]
        wanted += [
            loss(numbers, table)[0].ravel().tolist(),
            slopes(numbers, table, "F"),
            slopes(numbers, table, "X"),
        ]
    found = drawn(tables)
    assert [values(one) for one in found] == wanted
    for exercise in found:
        for asked in exercise["asked"]:
            assert math.fsum(term["value"] for term in asked["terms"]) == asked["value"]
            for term in asked["terms"]:
                assert math.prod(factor["value"] for factor in term["factors"]) == term["value"]


def test_each_seed_gives_other_numbers_and_the_same_one_the_same() -> None:
    tables = [{"kind": kind} for kind in KINDS]
    first, again, other = drawn(tables, 1), drawn(tables, 1), drawn(tables, 500)
    assert first == again
    for one, two in zip(first, other, strict=True):
        assert one != two


def test_drawn_numbers_keep_to_their_bounds() -> None:
    for exercise in drawn([{"kind": "output", "numbers": [-2, 3], "input": [9, 9]}] * 5):
        numbers = {*given(exercise, "X").ravel().tolist()}
        assert numbers == {-2, -1, 1, 2, 3}


@pytest.mark.parametrize("how", ["max", "average", "sum"])
def test_pooling(how: str) -> None:
    table = {"kind": "pool", "how": how, "input": [5, 8], "window": [3, 2], "stride": 2}
    for exercise in drawn([{**table, "ask": "all"}] * 5):
        windows = np.lib.stride_tricks.sliding_window_view(given(exercise, "X"), (3, 2))[::2, ::2]
        reduce = {"max": np.max, "average": np.mean, "sum": np.sum}[how]
        np.testing.assert_allclose(values(exercise), reduce(windows, (2, 3)).ravel(), rtol=1e-15)


def test_a_step_of_gradient_descent() -> None:
    for exercise in drawn([{"kind": "update", "ask": "all", "filter": [2, 3]}] * 5):
        rate = exercise["values"]["rate"]
        wanted = given(exercise, "F") - rate * given(exercise, "dF")
        np.testing.assert_allclose(values(exercise), wanted.ravel(), rtol=1e-12, atol=1e-15)


def test_sizes_are_counted_windows() -> None:
    table = {"kind": "size", "dilations": [1, 3], "strides": [1, 4], "inputs": [5, 30]}
    exercises = drawn([table] * 40) + drawn([{**table, "fits": False}] * 40, 1000)
    failing = 0
    for exercise in exercises:
        side, taps, step, pad, gap = (
            exercise["values"][name]
            for name in ("input", "filter", "stride", "padding", "dilation")
        )
        wide, total = gap * (taps - 1) + 1, side + 2 * pad
        starts = [start for start in range(0, total, step) if start + wide <= total]
        fits = bool(starts) and starts[-1] + wide == total
        assert exercise["asked"][0]["value"] == (len(starts) if fits else {"number": "NaN"})
        failing += not fits
    assert all(values(one)[0] != {"number": "NaN"} for one in exercises[:40])
    assert 5 < failing < 40


def test_weights_are_those_of_layers() -> None:
    from striate import Conv2D, Dense, Flatten, Network

    for bias in (True, False):
        dense = {"kind": "weights", "layer": "dense", "bias": bias, "outputs": [2, 30]}
        shared = {"kind": "weights", "bias": bias, "window": [3, 5], "outputs": [2, 30]}
        for exercise in drawn([dense, shared] * 3):
            size = exercise["values"]
            layer: Any
            if exercise["question"] == "askDense":
                layer = [Flatten(), Dense(size["count"], bias=bias)]
            else:
                layer = [Conv2D(size["count"], (3, 5), bias=bias)]
            shape = (size["height"], size["width"], size["channels"])
            network = Network(layer, input_shape=shape, seed=0)
            assert values(exercise) == [sum(part.size for part in network.parameters.values())]
    for exercise in drawn([{"kind": "weights", "layer": "local", "bias": False}] * 3):
        size = exercise["values"]
        assert values(exercise) == [9 * size["channels"] * size["count"]]


def faults(kernels: list[tuple[list[float], str, int]]) -> list[list[str]]:
    """What is wrong with kernels: numbers, what they should find, and their columns."""
    tasks = [
        [kernel, {"finds": finds, "rows": len(kernel) // columns, "columns": columns}]
        for kernel, finds, columns in kernels
    ]
    found = called("maths/exercises/kernel_kind.js", "kernelFaults", tasks)
    return [[one["key"] for one in each] for each in found]


def test_right_kernels_are_right_and_each_fault_is_named() -> None:
    vertical, horizontal = "vertical edges", "horizontal edges"
    sobel: list[float] = [-1, 0, 1, -2, 0, 2, -1, 0, 1]
    cases: list[tuple[list[float], str, int, list[str]]] = [
        (sobel, vertical, 3, []),
        (sobel, horizontal, 3, ["kernelColumn", "kernelNoRows"]),
        ([-1, -2, -1, 0, 0, 0, 1, 2, 1], horizontal, 3, []),
        ([0] * 9, vertical, 3, ["kernelZero"]),
        ([-1, 0, 2, -1, 0, 1, -1, 0, 1], vertical, 3, ["kernelFlat", "kernelRow"]),
        ([1, -1, 0, -1, 1, 0], vertical, 3, ["kernelNoColumns"]),
        ([1 / 9] * 9, "mean", 3, []),
        ([0.111] * 9, "mean", 3, []),
        ([1] * 9, "mean", 3, ["meanSum"]),
        ([0.5, 0.5, 0, 0], "mean", 2, ["meanUnequal"]),
    ]
    found = faults([(kernel, finds, columns) for kernel, finds, columns, _ in cases])
    assert found == [keys for *_, keys in cases]
    tasks = [
        {"finds": finds, "rows": rows, "columns": columns}
        for finds in (vertical, horizontal, "mean")
        for rows, columns in [(3, 3), (2, 4), (5, 2)]
    ]
    kernels = called("maths/exercises/kernel_kind.js", "rightKernel", [[task] for task in tasks])
    solved = zip(kernels, tasks, strict=True)
    assert not any(faults([(one, task["finds"], task["columns"]) for one, task in solved]))


def asked_sum() -> dict[str, Any]:
    """O₁₁ = 1·5 + 2·6 + 4·7 + 0·(-8) = 45."""
    table = {"kind": "output", "X": [[1, 2], [4, 0]], "F": [[5, 6], [7, -8]]}
    (exercise,) = drawn([table])
    (asked,) = exercise["asked"]
    assert asked["value"] == 45 and asked["symbol"] == "O₁₁"
    return dict(asked)


def test_an_answer_is_looked_at_term_by_term() -> None:
    turned = 1 * -8 + 2 * 7 + 4 * 6 + 0 * 5
    cases: list[tuple[str, str, list[float]]] = [
        ("45", "right", []),
        ("1*5 + 2·6 + 4×7 − 0", "right", []),
        ("5+12+28", "right", []),
        ("90/2", "right", []),
        ("", "empty", []),
        ("forty", "unreadable", []),
        ("2+", "unreadable", []),
        ("1/0", "unreadable", []),
        ("5 + 12", "termsMissing", [28]),
        ("5 + 12 + 28 + 3", "termsTooMany", []),
        ("5 + 12 + 27", "termsWrong", [28]),
        ("5 - 12 + 28", "termsWrong", [12]),
        ("40", "leftOut", [5]),
        ("21", "signWrong", [12]),
        ("73", "twice", [28]),
        ("28", "added", [28]),  # 45 - 28 + (4 + 7)
        ("46", "added", [5]),
        ("58", "wrongSum", []),
        (str(turned), "slipFlip", []),
    ]
    asked = asked_sum()
    verdicts = called(
        "maths/exercises/checked_sum.js", "checkedSum", [[text, asked] for text, *_ in cases]
    )
    for (text, key, terms), verdict in zip(cases, verdicts, strict=True):
        found = [term["value"] for term in verdict.get("terms", [])]
        assert (text, verdict["key"], found) == (text, key, terms)
        assert verdict["right"] == (key == "right")


def test_random_sums_are_read_as_python_reads_them() -> None:
    rng = np.random.default_rng(5)
    texts = []
    for _ in range(60):
        text = str(rng.integers(0, 99))
        for _ in range(rng.integers(1, 7)):
            number = f"{rng.uniform(0.1, 9):.3g}"
            if rng.integers(3) == 0:
                number = f"({rng.choice(['-', ''])}{number} {rng.choice([*'+-*/'])} 3)"
            text += f" {rng.choice([*'+-*/'])} {number}"
        texts.append(text)
    found = called("maths/arithmetic.js", "typedSum", [[text] for text in texts])
    for text, one in zip(texts, found, strict=True):
        assert one["value"] == pytest.approx(eval(text), rel=1e-12), text
        assert math.fsum(term["value"] for term in one["terms"]) == pytest.approx(one["value"])
    comma = called("maths/arithmetic.js", "typedSum", [["0,5 · 3 − (−2)"], ["3x4"], ["2 3"]])
    assert [one and one["value"] for one in comma] == [3.5, 12, None]


def test_all_that_verdicts_and_exercises_say_is_written() -> None:
    texts = json.loads((WEB / "texts" / "en.json").read_text("utf-8"))["exercises"]
    code = "\n".join(
        path.read_text("utf-8")
        for folder in ("maths/exercises", "maths/language", "rooms/exercises")
        for path in sorted((WEB / folder).glob("*.js"))
    )
    words = set(re.findall(r"""["`](?:[\w.]*\.)?(\w+)["`]""", code))
    pairs = set(re.findall(r"`(\w*)\$\{\w+\}(\w*)`", code)) - {("", "")}

    def is_used(name: str) -> bool:
        return name in words or any(
            name.startswith(start) and name.endswith(end) and (start or name[: -len(end)] in words)
            for start, end in pairs
        )

    for part in (texts["says"], texts["steps"], texts["program"]["says"]):
        assert [name for name in part if not is_used(name)] == []
    said = {*texts["says"], *texts["steps"], *texts["ask"], *texts["program"]["says"]}
    keys = set(re.findall(r'key: "(\w+)"', code)) | set(
        re.findall(r'ProgramError\([\w.]+, "(\w+)"', code)
    )
    assert keys - said == set() and len(keys) > 60
    assert {*texts["kinds"]} == {*KINDS}
