"""Views of foreign tensors: random chains of NumPy's own transpose and reshape are the oracle."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.importing.axis_view import AxisView, ViewError

SHAPES = [(2, 5, 7, 6), (1, 4, 6, 12), (3, 1, 9, 8), (1, 1, 1, 30), (2, 4, 4, 1), (1, 5, 1, 4)]


def numbers(*shape: int) -> Any:
    return np.arange(math.prod(shape), dtype=np.float64).reshape(shape)


@pytest.mark.parametrize("letters", ["NCHW", "NHWC", "NCWH", "CNHW", "NWHC"])
@pytest.mark.parametrize("shape", SHAPES)
def test_an_image(letters: str, shape: tuple[int, ...]) -> None:
    n, h, w, c = shape
    view = AxisView.image(n, (h, w, c), letters)
    stored = numbers(n, h, w, c)
    tensor = stored.transpose(["NHWC".index(letter) for letter in letters])
    assert view.shape == tensor.shape
    assert (view.from_stored(stored) == tensor).all()
    assert (view.to_stored(tensor) == stored).all()


@st.composite
def chains(draw: Any) -> tuple[AxisView, Any, Any]:
    """A view after a random chain of moves; what is stored, and the tensor by NumPy."""
    n, h, w, c = draw(st.sampled_from(SHAPES))
    letters = draw(st.sampled_from(["NCHW", "NHWC"]))
    view = AxisView.image(n, (h, w, c), letters)
    stored = numbers(n, h, w, c)
    tensor = stored.transpose(["NHWC".index(letter) for letter in letters])
    for _ in range(draw(st.integers(0, 6))):
        match draw(st.sampled_from(["transpose", "merge", "divide", "squeeze", "unsqueeze"])):
            case "transpose":
                order = draw(st.permutations(range(tensor.ndim)))
                view, tensor = view.transposed(order), tensor.transpose(order)
            case "merge" if tensor.ndim > 1:
                axis = draw(st.integers(0, tensor.ndim - 2))
                shape = list(tensor.shape)
                shape[axis : axis + 2] = [shape[axis] * shape[axis + 1]]
                view, tensor = view.reshaped(shape), tensor.reshape(shape)
            case "divide":
                axis = draw(st.integers(0, tensor.ndim - 1))
                shape = list(tensor.shape)
                by = draw(st.sampled_from([d for d in range(1, 7) if shape[axis] % d == 0]))
                shape[axis : axis + 1] = [by, shape[axis] // by]
                try:
                    view = view.reshaped(shape)
                except ViewError:
                    continue
                tensor = tensor.reshape(shape)
            case "squeeze":
                axes = [i for i, atoms in enumerate(view.axes) if not atoms]
                view = view.squeezed(axes)
                tensor = tensor.squeeze(tuple(axes))
            case "unsqueeze":
                axis = draw(st.integers(-tensor.ndim - 1, tensor.ndim))
                view, tensor = view.unsqueezed([axis]), np.expand_dims(tensor, axis)
    return view, stored, tensor


@given(chains())
@settings(max_examples=300)
def test_moves_are_those_of_numpy(chain: tuple[AxisView, Any, Any]) -> None:
    view, stored, tensor = chain
    assert view.shape == tensor.shape
    assert (view.from_stored(stored) == tensor).all()
    assert (view.to_stored(tensor) == stored).all()


@given(chains(), st.data())
@settings(max_examples=200)
def test_constants_are_broadcast_alike(chain: tuple[AxisView, Any, Any], data: Any) -> None:
    view, stored, tensor = chain
    shape = [size if data.draw(st.booleans()) else 1 for size in tensor.shape]
    shape = shape[data.draw(st.integers(0, len(shape) - 1)) :] if shape else []
    constant = np.random.default_rng(0).standard_normal(shape)
    try:
        aligned = view.aligned(constant)
    except ViewError as error:
        assert view.batch > 1 and "image to image" in str(error)
        return
    assert (view.from_stored(stored * aligned) == tensor * constant).all()


@given(chains(), st.data())
@settings(max_examples=200)
def test_elements_of_an_axis(chain: tuple[AxisView, Any, Any], data: Any) -> None:
    view, stored, tensor = chain
    axis = data.draw(st.integers(0, tensor.ndim - 1))
    size = tensor.shape[axis]
    indices = data.draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=5, unique=True))
    try:
        part, places, after = view.picked(axis, indices)
    except ViewError:
        return
    kept = stored.reshape(view.batch, *view.stored_shape).take(places, axis=1 + part)
    assert (after.from_stored(kept) == tensor.take(indices, axis=axis)).all()


@given(chains())
@settings(max_examples=200)
def test_a_shuffle_stores_channels_in_order(chain: tuple[AxisView, Any, Any]) -> None:
    view, stored, tensor = chain
    try:
        found = view.shuffle()
    except ViewError:
        return
    if found is None:
        return
    groups, after = found
    shape = stored.shape
    moved = stored.reshape(*shape[:-1], groups, -1).swapaxes(-1, -2).reshape(shape)
    assert (after.from_stored(moved) == tensor).all()
    assert after.shuffle() is None


def test_shufflenet_shuffles_channels() -> None:
    view = AxisView.image(1, (5, 7, 12), "NCHW").reshaped([1, 3, 4, 5, 7])
    view = view.transposed([0, 2, 1, 3, 4]).reshaped([1, 12, 5, 7])
    assert view.shuffle() == (3, AxisView.image(1, (5, 7, 12), "NCHW"))


@given(chains())
def test_rows_of_a_matrix(chain: tuple[AxisView, Any, Any]) -> None:
    view, stored, tensor = chain
    try:
        flat = view.reshaped([view.batch, tensor.size // view.batch])
    except ViewError:
        return
    if flat.axes[0] != (0,):
        return
    matrix = np.random.default_rng(1).standard_normal((flat.shape[1], 3))
    expected = tensor.reshape(flat.shape) @ matrix
    found = stored.reshape(view.batch, -1) @ matrix[flat.index(1)]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_views_of_the_same_axes_are_equal() -> None:
    image = AxisView.image(1, (6, 6, 8), "NCHW")
    assert image.reshaped([1, 2, 4, 36]).reshaped([1, 8, 6, 6]) == image
    assert image.transposed([0, 2, 3, 1]).transposed([0, 3, 1, 2]) == image
    assert image.transposed([0, 2, 3, 1]) == AxisView.image(1, (6, 6, 8), "NHWC")
    # Height and width are told apart although they are as long.
    assert image.transposed([0, 1, 3, 2]) != image


def test_how_a_gate_is_broadcast() -> None:
    image = AxisView.image(2, (5, 6, 8), "NCHW")
    assert image.broadcasts(image) == "same"
    assert image.broadcasts(AxisView.image(2, (1, 1, 8), "NCHW")) == "channels"
    assert image.broadcasts(AxisView.vector(2, 8).unsqueezed([2, 3])) == "channels"
    assert image.broadcasts(AxisView.image(2, (5, 6, 1), "NCHW")) == "pixels"
    assert image.broadcasts(AxisView.image(2, (5, 1, 8), "NCHW")) is None
    assert image.broadcasts(AxisView.image(2, (1, 1, 8), "NHWC")) is None
    assert image.broadcasts(AxisView.image(3, (1, 1, 8), "NCHW")) is None
    assert image.broadcasts(AxisView.vector(2, 8)) is None
    nhwc = image.transposed([0, 2, 3, 1])
    assert nhwc.broadcasts(AxisView.image(2, (1, 1, 8), "NHWC")) == "channels"


def test_what_axes_cover() -> None:
    image = AxisView.image(2, (5, 6, 8), "NCHW")
    assert image.covered([2, 3]) == {0, 1}
    assert image.covered([3]) == {1}
    assert image.reshaped([2, 8, 30]).covered([2]) == {0, 1}
    assert image.reduced([2, 3], True) == AxisView.image(2, (1, 1, 8), "NC11")
    assert image.reduced([2, 3], False).shape == (2, 8)
    with pytest.raises(ViewError, match="images of a batch"):
        image.covered([0])
    with pytest.raises(ViewError, match="a piece of"):
        image.reshaped([2, 2, 4, 5, 6]).covered([2])


@pytest.mark.parametrize(
    ("move", "message"),
    [
        (lambda view: view.reshaped([2, 7]), r"\[2, 8, 5, 6\] cannot be reshaped to \[2, 7\]"),
        (lambda view: view.reshaped([3, 160]), "mixes the images"),
        (lambda view: view.reshaped([2, 3, 80]), "divides no axis evenly"),
        (lambda view: view.transposed([0, 1, 1, 2]), "no order of 4 axes"),
        (lambda view: view.squeezed([1]), "axis 1 of .* cannot be squeezed"),
        (lambda view: view.unsqueezed([0, 0]), "no places"),
        (lambda view: view.position(4), "axis 4 is none of the 4 axes"),
        (lambda view: view.image_letters(2), "axis 2 does not hold the channels"),
        (lambda view: view.reshaped([2, 8, 30]).image_letters(), "the image's height is no axis"),
        (lambda view: view.as_vector().image_letters(), "a vector is used as an image"),
        (lambda view: view.aligned(np.ones((3, 1, 1))), "is not broadcast to"),
        (lambda view: view.picked(0, [0]), "takes some of the images"),
        (lambda view: AxisView.image(1, (2, 3, 4), "NCH"), "has no axes NCH"),
        (
            lambda view: view.reshaped([2, 2, 2, 2, 5, 6]).transposed([0, 2, 1, 3, 4, 5]).shuffle(),
            "no channel shuffle makes",
        ),
    ],
)
def test_what_is_refused(move: Any, message: str) -> None:
    with pytest.raises(ViewError, match=message):
        move(AxisView.image(2, (5, 6, 8), "NCHW"))


@pytest.mark.parametrize(
    ("axes", "letters"),
    [("NCHW", "NCHW"), ("NCWH", "NCWH"), ("NHWC", "NHWC")],
)
def test_letters(axes: str, letters: str) -> None:
    view = AxisView.image(2, (5, 6, 8), axes)
    assert view.image_letters(axes.index("C")) == letters


def test_letters_of_sides_of_one_pixel() -> None:
    assert AxisView.image(1, (1, 9, 4), "NCW").image_letters() == "NCW"
    assert AxisView.image(1, (1, 1, 4), "NCHW").image_letters() == "NCHW"
    assert AxisView.image(1, (5, 1, 1), "NCHW").image_letters() == "NCHW"
    # A signal that was unsqueezed at the end: its samples are the tensor's height.
    view = AxisView.image(1, (1, 9, 4), "NCW").unsqueezed([3])
    assert view.image_letters() == "NCWH"
