from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

import striate
from striate.lab.room_data.convolution_data import convolution_data
from tests.lab.node_functions import called, needs_node

pytestmark = needs_node


def test_sums_are_those_of_striate() -> None:
    rng = np.random.default_rng(1)
    calls, wanted = [], []
    for flip in (True, False):
        for origin in ("corner", "center"):
            for _ in range(6):
                f = rng.normal(size=rng.integers(1, 12))
                g = rng.normal(size=rng.integers(1, 7))
                calls.append([f.tolist(), g.tolist(), origin, flip])
                function = striate.convolve if flip else striate.correlate
                wanted.append(function(f, g, "same", origin=origin))
    for got, expected in zip(
        called("maths/convolution.js", "convolved", calls), wanted, strict=True
    ):
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12)


def test_terms_are_those_that_striate_writes_out() -> None:
    rng = np.random.default_rng(2)
    calls, wanted = [], []
    for flip in (True, False):
        for origin in ("corner", "center"):
            f, g = rng.normal(size=(4, 5)), rng.normal(size=(2, 3))
            for row, column in [(0, 0), (3, 4), (1, 2)]:
                matrices = [
                    {"rows": m.shape[0], "columns": m.shape[1], "values": m.ravel().tolist()}
                    for m in (f, g)
                ]
                calls.append([*matrices, row, column, origin, flip])
                wanted.append(
                    striate.steps(f, g, "same", origin=origin, correlate=not flip, at=(row, column))
                )
    for got, expected in zip(called("maths/convolution.js", "sumAt2", calls), wanted, strict=True):
        (step,) = expected
        assert [(tuple(t["i"]), tuple(t["k"])) for t in got["terms"]] == [
            (term.index, term.tap) for term in step.terms
        ]
        assert got["total"] == pytest.approx(step.value, abs=1e-12)


def test_readers_are_the_outputs_that_change() -> None:
    calls, wanted = [], []
    for flip in (True, False):
        for origin in ("corner", "center"):
            for taps in (1, 2, 3, 4):
                for i in range(6):
                    moved = np.zeros(6)
                    moved[i] = 1
                    function = striate.convolve if flip else striate.correlate
                    (read,) = function(moved, np.ones(taps), "same", origin=origin).nonzero()
                    calls.append([i, 6, taps, origin, flip])
                    wanted.append([int(read[0]), int(read[-1])])
    assert called("maths/convolution.js", "readersOf", calls) == wanted


def kernels_and_images() -> list[tuple[np.ndarray, dict[str, Any], str]]:
    """All kernels in all sizes, and random ones, each with a small image of random pixels."""
    rng = np.random.default_rng(3)
    found = []
    for kernel in convolution_data()["kernels"]:
        for size in kernel["sizes"]:
            image = rng.integers(0, 256, (rng.integers(1, 13), rng.integers(1, 13), 3), np.uint8)
            found.append((image, {**size, "combine": kernel["combine"]}, kernel["name"]))
    for rows, columns in [(1, 4), (2, 3), (9, 8), (6, 1)]:
        image = rng.integers(0, 256, (11, 7, 1), np.uint8)
        array = rng.normal(size=rows * columns)
        given = {"rows": rows, "columns": columns, "arrays": [array.tolist()], "combine": "one"}
        found.append((image, given, "random"))
    return found


def test_photographs_are_filtered_as_by_filter_image() -> None:
    cases = kernels_and_images()
    for border in ("reflect", "fill", "wrap"):
        pictures = [
            {
                "name": "",
                "height": h,
                "width": w,
                "channels": c,
                "pixels": {"bytes": image.ravel().tolist()},
            }
            for image, _, _ in cases
            for h, w, c in [image.shape]
        ]
        calls = [
            [picture, kernel, border]
            for picture, (_, kernel, _) in zip(pictures, cases, strict=True)
        ]
        answers = called("maths/photo_filter.js", "responses", calls)
        for answer, (image, kernel, name) in zip(answers, cases, strict=True):
            # SciPy in float64: the one oracle that shares no line with either.
            mode = {"reflect": "reflect", "fill": "constant", "wrap": "grid-wrap"}[border]
            shape = kernel["rows"], kernel["columns"]
            origin = [-1 if n % 2 == 0 else 0 for n in shape]
            each = [
                ndimage.convolve(
                    image.astype(float),
                    np.reshape(array, shape)[..., None],
                    mode=mode,
                    origin=[*origin, 0],
                )
                for array in kernel["arrays"]
            ]
            wanted = each[0]
            if kernel["combine"] == "magnitude":
                wanted = np.sqrt(sum(one**2 for one in each))
            elif kernel["combine"] == "maximum":
                wanted = np.max(each, axis=0)
            got = np.reshape(answer, image.shape)
            # float32 rounds sums that reach this far, even where they cancel afterwards.
            error = 255 * np.abs(kernel["arrays"]).sum() * 4 * 2.0**-24
            np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=error, err_msg=name)
            ours = striate.filter_image(
                image,
                striate.kernels.Kernel(
                    "k", tuple(np.reshape(a, shape) for a in kernel["arrays"]), kernel["combine"]
                ),
                border=border,
            )
            far = np.abs(wanted % 1 - 0.5) > error + 1 / 512  # halves may fall either way
            pixels = np.clip(np.rint(got), 0, 255)
            assert np.array_equal(pixels[far], ours[far]), name


def test_sums_become_pixels_as_images_are_rounded() -> None:
    sums = [0.5, 1.5, 2.5, -0.5, -3, 254.5, 255.5, 300, 12.5000001, 13.4999999, 7.3, 7.7]
    got = called("maths/photo_filter.js", "pixelOf", [[value] for value in sums])
    assert got == [0, 2, 2, 0, 0, 254, 255, 255, 12, 14, 7, 8]
    (all_at_once,) = called("maths/photo_filter.js", "clipped", [[sums, 0]])
    assert all_at_once["pixels"] == got
    assert (all_at_once["below"], all_at_once["above"]) == (1, 2)


def test_few_columns_and_rows_make_a_matrix() -> None:
    rng = np.random.default_rng(4)
    matrices = [
        rng.normal(size=(5, rank)) @ rng.normal(size=(rank, 7)) if rank else np.zeros((2, 3))
        for rank in (0, 1, 2, 5)
    ]
    calls = [[m.ravel().tolist(), *m.shape] for m in matrices]
    answers = called("maths/low_rank.js", "lowRank", calls)
    assert [len(pairs) for pairs in answers] == [0, 1, 2, 5]
    for pairs, matrix in zip(answers, matrices, strict=True):
        made = sum(np.outer(p["column"], p["row"]) for p in pairs) + np.zeros(matrix.shape)
        np.testing.assert_allclose(made, matrix, atol=1e-12)


def test_a_shift_is_a_roll_and_patches_are_what_filters_read() -> None:
    rng = np.random.default_rng(5)
    image = rng.integers(0, 256, (6, 5, 3), np.uint8)
    picture = {
        "name": "",
        "height": 6,
        "width": 5,
        "channels": 3,
        "pixels": {"bytes": image.ravel().tolist()},
    }
    moves = [(2, 3), (-1, -4), (0, 5), (7, 0)]
    answers = called("maths/photo_filter.js", "shifted", [[picture, *move] for move in moves])
    for answer, move in zip(answers, moves, strict=True):
        assert answer["pixels"] == np.roll(image, move, axis=(0, 1)).ravel().tolist()
    calls = [
        [picture, 0, 4, 2, {"rows": 3, "columns": 2}, border] for border in ("reflect", "fill")
    ]
    reflect, fill = called("maths/photo_filter.js", "patchAt", calls)
    wide = np.pad(image[..., 2], 1, mode="symmetric")
    assert reflect == wide[0:3, 4:6].ravel().tolist()
    assert fill == np.pad(image[..., 2], 1)[0:3, 4:6].ravel().tolist()


def test_typed_numbers_are_read_and_written_exactly() -> None:
    texts = ["1/3", "-2/7", " 5. ", ".5", "1e3", "−4", "1/0", "", "abc", "1 2", "1e99", "0.1"]
    got = called("maths/typed_numbers.js", "readNumber", [[text] for text in texts])
    assert got == [1 / 3, -2 / 7, 5, 0.5, 1000, -4, None, None, None, None, None, 0.1]
    rng = np.random.default_rng(6)
    values = [*rng.normal(size=20), *(float(Fraction(int(a), 97)) for a in range(-5, 5)), 1e-9]
    written = called("maths/typed_numbers.js", "typed", [[value] for value in values])
    assert called("maths/typed_numbers.js", "readNumber", [[text] for text in written]) == values
    assert called("maths/typed_numbers.js", "typed", [[1 / 3], [0.25], [-2 / 9]]) == [
        "1/3", "0.25", "-2/9",
    ]  # fmt: skip
    matrices = ["1 2 3; 4 5 6", "1 2; 3", "7\n8/2", ""]
    assert called("maths/typed_numbers.js", "readMatrix", [[text] for text in matrices]) == [
        {"rows": 2, "columns": 3, "values": [1, 2, 3, 4, 5, 6]}, None,
        {"rows": 2, "columns": 1, "values": [7, 4]}, None,
    ]  # fmt: skip
