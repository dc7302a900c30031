"""One sum in five forms: Python that prints what NumPy computes, and what striate makes of it."""

from __future__ import annotations

import ast
import contextlib
import io
from typing import Any

import numpy as np
import pytest
import torch
from scipy import signal

from striate.lab.room_data.view_code import view_code
from tests.lab.node_functions import called, needs_node
from tests.lab.test_window_size import random_sizes


def matrix(array: np.ndarray[Any, Any]) -> dict[str, Any]:
    return {"rows": array.shape[0], "columns": array.shape[1], "values": array.ravel().tolist()}


def cases() -> list[tuple[dict[str, Any], np.ndarray[Any, Any]]]:
    """Sums of views, and what they are, by PyTorch and NumPy."""
    rng = np.random.default_rng(9)
    found: list[tuple[dict[str, Any], Any]] = []

    def draw(*shape: int) -> np.ndarray[Any, Any]:
        return rng.integers(-9, 10, shape).astype(float)

    for flip in (False, True):
        for before, after in ((0, 0), (2, 1)):
            f, g = draw(10), draw(3)
            compute = np.convolve if flip else np.correlate
            given = {"kind": "signal", "f": f.tolist(), "g": g.tolist(), "flip": flip}
            wanted = compute(np.pad(f, (before, after)), g, "valid")
            found.append(({**given, "before": before, "after": after}, wanted))
        for stride, padding, dilation in ((1, 0, 1), (2, 1, 1), (1, 2, 2), (3, 0, 2)):
            x, f = draw(8, 12), draw(3, 2)
            tx = torch.tensor(x, requires_grad=True)
            tf = torch.tensor(f, requires_grad=True)
            used = tf.flip(0, 1) if flip else tf
            out = torch.nn.functional.conv2d(
                tx[None, None], used[None, None], None, stride, padding, dilation
            )[0, 0]
            above = draw(*out.shape)
            (out * torch.tensor(above)).sum().backward()
            move = {"stride": stride, "padding": padding, "dilation": dilation, "flip": flip}
            X, F, dO = matrix(x), matrix(f), matrix(above)
            assert tx.grad is not None and tf.grad is not None
            found += [
                ({"kind": "output", "X": X, "F": F, "move": move}, out.detach().numpy()),
                (
                    {"kind": "filterGradient", "X": X, "dO": dO, "rows": 3, "columns": 2, "move": move},  # noqa: E501
                    tf.grad.numpy(),
                ),
                (
                    {"kind": "inputGradient", "F": F, "dO": dO, "rows": 8, "columns": 12, "move": move},  # noqa: E501
                    tx.grad.numpy(),
                ),
            ]  # fmt: skip
    x, f, b = draw(7, 9, 3), draw(2, 3, 2, 3), draw(2)
    for stride, padding in ((2, 0), (1, 1)):
        out = torch.nn.functional.conv2d(
            torch.tensor(x).permute(2, 0, 1)[None], torch.tensor(f).permute(0, 3, 1, 2),
            torch.tensor(b), stride, padding,
        )[0].permute(1, 2, 0)  # fmt: skip
        layer = {"kind": "layer", "X": x.tolist(), "F": f.tolist(), "bias": b.tolist()}
        found.append(({**layer, "stride": stride, "padding": padding}, out.numpy()))
    x, w, b = draw(9), draw(4, 9), draw(4)
    dense = {"kind": "dense", "x": x.tolist(), "W": w.tolist(), "bias": b.tolist()}
    found.append((dense, w @ x + b))
    found += [*figures(draw), *views_of_rooms(draw)]
    for how, reduce in (("max", np.max), ("average", np.mean), ("sum", np.sum)):
        x = draw(5, 8)
        windows = np.lib.stride_tricks.sliding_window_view(x, (3, 2))[::2, ::2]
        pool = {"kind": "pool", "X": matrix(x), "window": [3, 2], "stride": 2, "how": how}
        found.append((pool, reduce(windows, (2, 3))))
    return found


def figures(draw: Any) -> list[tuple[dict[str, Any], Any]]:
    """The article 000 on an image of 3×5, with 2 groups, and windows of 2×3."""
    x = draw(3, 5)
    flat = x.ravel().tolist()
    # The weights that stand in the code as a rule, for figures where they have no numbers yet.
    rule = np.fromfunction(lambda n, i: (7 * n + 5 * i + 3) % 5 - 2, (12, 15))
    filters = draw(2, 2, 3)
    found: list[tuple[dict[str, Any], Any]] = [
        ({"kind": "flatten", "X": matrix(x)}, flat),
        ({"kind": "connected", "x": flat, "neurons": 12}, rule @ flat),
        ({"kind": "grouped", "x": flat, "neurons": 12, "group": 6},
         np.repeat(rule[:2] @ flat, 6)),
    ]  # fmt: skip
    places = np.arange(15).reshape(3, 5)
    for pads, stride in ((0, 0, 0, 0), 1), ((1, 0, 1, 2), 2):
        around = (pads[:2], pads[2:])
        inside = np.pad(places, around, constant_values=-1)
        windows = np.lib.stride_tricks.sliding_window_view(inside, (2, 3))[::stride, ::stride]
        reads = windows.reshape(-1, 6)
        wanted = np.append(flat, 0)[reads] @ filters.reshape(2, 6).T
        found += [
            ({"kind": "local", "x": flat, "W": filters.reshape(2, 6).tolist(),
              "reads": [[None if p < 0 else p for p in one] for one in reads.tolist()]},
             wanted.T.ravel()),
            ({"kind": "sliding", "X": matrix(x), "filters": [*map(matrix, filters)],
              "stride": stride, "pads": pads, "positions": windows.shape[:2]}, wanted.T.ravel()),
        ]  # fmt: skip
    return found


def views_of_rooms(draw: Any) -> list[tuple[dict[str, Any], Any]]:
    """A matrix with an origin, a photograph's pixel, windows, and the sum behind a number."""
    found: list[tuple[dict[str, Any], Any]] = []
    for flip in (False, True):
        f, g = draw(4, 6), draw(3, 2)
        padded = np.pad(f, ((1, 1), (1, 0)))
        compute = signal.convolve2d if flip else signal.correlate2d
        given = {"kind": "matrix", "f": matrix(f), "g": matrix(g), "flip": flip, "before": [1, 1]}
        found.append((given, compute(padded, g, "valid")))
    patch, kernels = np.abs(draw(3, 3)) * 20, draw(2, 3, 3)
    sums = [signal.convolve2d(patch, kernel, "valid").item() for kernel in kernels]
    for combine, total in (
        ("one", sums[0]), ("magnitude", np.hypot(*sums)), ("maximum", max(sums))
    ):  # fmt: skip
        for offset in (0, 128):
            used = [*map(matrix, kernels[:1] if combine == "one" else kernels)]
            photo = {"kind": "photo", "patch": matrix(patch), "kernels": used}
            wanted = np.clip(np.round(total + offset), 0, 255)
            found.append(({**photo, "combine": combine, "offset": offset}, wanted))
    for sizes in random_sizes(6, 8):
        reach = (sizes["filter"] - 1) * sizes["dilation"] + 1
        padded = np.arange(-sizes["before"], sizes["input"] + sizes["after"])
        places = (
            np.lib.stride_tricks.sliding_window_view(padded, reach)
            if len(padded) >= reach
            else np.zeros((0, reach), int)
        )[:: sizes["stride"], :: sizes["dilation"]]
        found.append(({"kind": "windows", **sizes}, places.tolist()))
    a, b = draw(40), draw(40)
    products = {"kind": "products", "left": a.tolist(), "right": b.tolist(), "nest": None}
    found.append(({**products, "names": ["dO", "w", "dX"]}, a @ b))
    return found


@needs_node
@pytest.mark.parametrize("form", ["loopText", "numpyText"])
def test_the_python_of_a_view_prints_its_numbers(form: str) -> None:
    known = cases()
    texts = called("maths/code/python_text.js", form, [[sum_] for sum_, _ in known])
    for (sum_, wanted), text in zip(known, texts, strict=True):
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(text, {})
        found = np.array(ast.literal_eval(printed.getvalue().splitlines()[-1]), float)
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12, err_msg=text)
        assert max(map(len, text.splitlines())) < 120
        assert ("import" in text) == (form == "numpyText"), sum_["kind"]


def test_nest_schedule_and_c_are_those_of_the_compiler() -> None:
    """Each nest, run as the Python that it is, gives the sum."""
    found = view_code()
    assert [*found] == ["signal", "output", "filterGradient", "inputGradient", "layer", "dense", "pool"]  # fmt: skip  # noqa: E501
    for sum_, forms in found.items():
        assert forms["c"].startswith("static void ") and "restrict" in forms["c"], sum_
        assert forms["schedule"].startswith("# "), sum_
    rng = np.random.default_rng(2)
    x, f, above = rng.normal(size=(3, 3)), rng.normal(size=(2, 2)), rng.normal(size=(2, 2))
    out, df, dx = np.zeros(4), np.zeros(4), np.zeros(9)
    haloed = np.pad(above, 1).ravel()  # as the engine keeps it
    flat, taps = x.ravel(), f.ravel()
    windows = np.lib.stride_tricks.sliding_window_view(x, (2, 2))
    exec(found["output"]["nest"], {"filters": taps, "out": out, "X": flat})
    np.testing.assert_allclose(out, np.einsum("yxrs,rs->yx", windows, f).ravel())
    names = {"gradient": haloed, "sum": df, "X": flat}
    exec(found["filterGradient"]["nest"], names)
    np.testing.assert_allclose(df, np.einsum("yxrs,yx->rs", windows, above).ravel())
    exec(found["inputGradient"]["nest"], {"gradient": haloed, "filters": taps, "out": dx})
    wanted = np.zeros((3, 3))
    for (y, c), value in np.ndenumerate(above):
        wanted[y : y + 2, c : c + 2] += value * f
    np.testing.assert_allclose(dx, wanted.ravel())
    assert found["layer"]["shape"] == "7×7×3 → 3×3×2"
