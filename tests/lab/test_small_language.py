"""The language in which programs of exercises are written, against Python and NumPy themselves."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from tests.lab.node_functions import called, needs_node

pytestmark = needs_node

X = [[3, -1, 4, 1], [-5, 9, 2, -6], [5, 3, -5, 8]]
F = [[2, -7], [1, 8]]
GIVEN = {"X": X, "F": F, "O": [[0.0] * 3, [0.0] * 3], "S": 2}

PROGRAMS = """
for y in range(2):
    for x in range(3):
        for r in range(2):
            for s in range(2):
                O[y, x] += X[y + r, x + s] * F[r, s]
---
rows, columns = O.shape
for y in range(rows):
\tfor x in range(columns): O[y][x] = sum(X[y:y+2, x:x+2] * F)
---
O[:] = 7
O[0, 1:] -= X[2, :2]   # a comment
a = X[::-1, ::-2]
b = np.flip(F)
c = F.T * 2 - 1
d = -F[1] ** 2
---
view = X[1:, 2:]
view[0, 0] = 100
view += 1
copy = X.copy()
copy[0, 0] = -1
---
k = 0
for i in range(10, -3, -4):
    if i > 5 and not i == 6:
        k += i
    elif 0 <= i < 4 or i == -2:
        k -= 2 * i
    else:
        k *= 10
        pass
n = k // 3 + k % 7 - (-7) // 2 + -7 % 3
m = 2 ** 3 ** 2 / 4 - -1
t = 1 < 2 == 2
---
Y = zeros((2, 3))
Z = np.zeros_like(F)
P = pad(F, 1)
m = max(X) - min(1, 2, -3) + abs(-4)
n = len(X) + len(X[0]) + X.shape[1] + X.shape[-1] + X.size
A = abs(X) / 2 + 10 / abs(F[0, 0])
B = 1 - X
q = X[1:1]
z = np.zeros(3)
w = X.sum() + X.max()
---
E = X[0:2, 0:2] * F + F * X[1:3, 1:3]
O += 1
O *= 2
O[0] = O[1] + X[0, :3]
O[1, 1] /= 4
h = (1 + 2) * (
    3 + 4)
""".strip("\n").split("\n---\n")


def by_python(text: str, dtype: type = float) -> dict[str, Any]:
    """What the same text leaves where Python runs it."""
    names: dict[str, Any] = {
        name: np.array(value, dtype) if isinstance(value, list) else value
        for name, value in GIVEN.items()
    }
    names |= {"np": np, "zeros": np.zeros, "pad": np.pad, "max": None, "min": None, "sum": np.sum}
    names["max"] = lambda *given: np.max(given[0] if len(given) == 1 else given)
    names["min"] = lambda *given: np.min(given[0] if len(given) == 1 else given)
    before = {*names}
    exec(text, names)
    return {
        name: value
        for name, value in names.items()
        if name in GIVEN or (name not in before and not name.startswith("__"))
    }


def results(texts: list[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = called(
        "maths/language/run.js", "programResult", [[text, GIVEN] for text in texts]
    )
    return found


def test_programs_leave_what_python_leaves() -> None:
    for text, found in zip(PROGRAMS, results(PROGRAMS), strict=True):
        wanted = by_python(text)
        assert found.keys() == wanted.keys(), (text, found)
        for name, value in wanted.items():
            array = np.asarray(value, float)
            here = found[name]
            shape = here["shape"] if isinstance(here, dict) else []
            numbers = here["numbers"] if isinstance(here, dict) else here
            assert list(array.shape) == shape, (name, text)
            np.testing.assert_allclose(
                np.reshape(np.asarray(numbers, float), array.shape), array, rtol=1e-14, err_msg=name
            )


def test_random_expressions_have_the_value_that_python_gives_them() -> None:
    rng = np.random.default_rng(11)

    def expression(depth: int) -> str:
        if depth == 0 or rng.integers(5) == 0:
            return str(rng.choice(["S", "2.5", "3", "X[1, 2]", "F[0][1]", "(-4)", "len(X)"]))
        sign = rng.choice(["+", "-", "*", "/", "//", "%", "<", "==", " and ", " or "])
        left, right = expression(depth - 1), expression(depth - 1)
        pair = f"{left} {sign} {right}"
        return f"({pair})" if rng.integers(2) or sign in "<==" else pair

    texts = []
    while len(texts) < 120:
        text = f"a = {expression(4)}"
        try:
            by_python(text, object)
        except ZeroDivisionError:
            continue
        texts.append(text)
    for text, found in zip(texts, results(texts), strict=True):
        assert "a" in found, (text, found)
        wanted = float(by_python(text, object)["a"])
        assert float(found["a"]) == wanted or abs(float(found["a"]) - wanted) < 1e-9, text


ERRORS = """
1 strange | a = 3 ; b
2 unclosed | a = (3 +\\n
2 indentation | a = 1\\n  b = 2
3 indentation | for i in range(2):\\n    a = 1\\n  b = 2
1 notHere | while S: pass
1 notHere | import os
1 notHere | x = lambda: 3
1 range | for i in range(): pass
1 noAssignment | X[0, 0]
1 unexpected | a = 3 4
1 unexpected | a = * 3
1 target | 3 = 4
1 target | F.T = 4
1 target | a, b += 1
1 noBlock | for i in range(3):
1 tooShort | a = 1 +
1 wants | for i of range(3): pass
1 wantsEnd | if S
2 tooLong | for i in range(100):\\n    for j in range(100000): a = j
1 tooLong | for i in range(1000000000): a = 1
1 stepZero | for i in range(0, 3, 0): pass
1 stepZero | a = X[::0]
1 unpack | a, b = 3
1 unpack | a, b = 1, 2, 3
1 noNumber | a = X.shape + 1
1 noNumber | a = X[X, 0]
1 compared | if X > 0: a = 1
1 zero | a = 1 / 0
1 zero | a = X % (S - 2)
1 unknown | a = b
1 unknown | a += 1
1 shapes | a = X + F
1 shapes | O[0:2, 0:2] = X
1 outside | a = X[3, 0]
1 outside | O[0, 3] = 1
1 outside | a = X.shape[2]
2 negative | for i in range(1):\\n    a = X[i - 1, 0]
1 notWhole | a = X[1/2, 0]
1 noArray | a = S[0]
1 noArray | a = S.shape
1 axes | a = X[0, 0, 0]
1 noField | a = X.dtype
1 noFunction | a = open(3)
1 noFunction | a = __import__(3)
1 badCall | a = len(3)
1 badCall | a = zeros((99999, 99999))
1 badCall | a = sum(X, F)
""".strip().splitlines()


def test_what_is_wrong_is_said_with_its_line() -> None:
    cases = [re.fullmatch(r"(\d+) (\w+) \| (.*)", line) for line in ERRORS]
    texts = [case[3].replace("\\n", "\n") for case in cases if case]
    assert len(texts) == len(ERRORS)
    for case, found in zip(cases, results(texts), strict=True):
        assert case is not None
        wanted = {"line": int(case[1]), "key": case[2]}
        assert found.get("error") == wanted, (case[3], found)


def test_nothing_of_the_page_can_be_reached() -> None:
    """Names and fields of JavaScript are unknown, also those that all its objects have."""
    texts = [f"a = {one}" for one in (
        "constructor", "toString", "X.constructor", "X.__proto__", "constructor(3)", "window",
        "hasOwnProperty(X)", "X.data", "globalThis", "np.constructor(3)", "valueOf()",
    )]  # fmt: skip
    for text, found in zip(texts, results(texts), strict=True):
        assert found.get("error", {}).get("key") in ("unknown", "noFunction", "noField"), text


def task(of: str, stride: int, seed: int = 1) -> dict[str, Any]:
    return {"of": of, "stride": stride, "seed": seed}


KINDS = [
    (of, stride) for of in ("output", "filter-gradient", "input-gradient") for stride in (1, 2)
]


def test_the_solutions_are_right_in_the_page_and_in_python() -> None:
    texts = called("maths/exercises/program_kind.js", "rightProgram", [[*one] for one in KINDS])
    calls = [[text, task(*kind)] for text, kind in zip(texts, KINDS, strict=True)]
    verdicts = called("maths/exercises/program_kind.js", "checkedProgram", calls)
    assert [one["key"] for one in verdicts] == ["programRight"] * 6
    cases = called("maths/exercises/program_kind.js", "programCases", [[task(*k)] for k in KINDS])
    for text, tried, (_, stride) in zip(texts, cases, KINDS, strict=True):
        for case in tried:
            names: dict[str, Any] = {
                name: np.reshape(one["values"], (one["rows"], one["columns"]))
                for name, one in {**case["given"], case["name"]: case["right"]}.items()
            }
            wanted = names[case["name"]].copy()
            names[case["name"]][:] = 0
            exec(text, names | {"S": stride}, names)
            np.testing.assert_array_equal(names[case["name"]], wanted)


def test_known_ways_to_be_wrong_are_named() -> None:
    (right,) = called("maths/exercises/program_kind.js", "rightProgram", [["filter-gradient", 1]])
    texts = {
        "empty": "  ",
        "programZero": "a = 1",
        "programShape": "dF = zeros((9, 9))",
        "programTurned": right.replace("dF[r, s]", "dF[R - 1 - r, C - 1 - s]"),
        "programSign": right.replace("+=", "-="),
        "programLast": right.replace("+=", "="),
        "programWrong": right.replace("range(columns)", "range(columns - 1)"),
        "programRight": "for y in range(dO.shape[0]):\n  for x in range(dO.shape[1]):\n"
        "    dF += dO[y, x] * X[y:y+len(dF), x:x+dF.shape[1]]",
    }
    calls = [[text, task("filter-gradient", 1)] for text in texts.values()]
    verdicts = called("maths/exercises/program_kind.js", "checkedProgram", calls)
    assert [one["key"] for one in verdicts] == [*texts]
