"""The drawing of what a unit sees, against what changes when its inputs do."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex

import striate
from striate import Add, Conv2D, Dense, Flatten, Input, MaxPool2D, Network, ReLU
from striate.inspect import reach
from striate.inspect.field_drawing import MOST_PANELS, SEEN, draw_field


def lines_of(axes: Any) -> list[Any]:
    return [line for line in axes.lines if line.get_gid() == "line"]


def filled(axes: Any) -> set[tuple[float, float]]:
    """Where the circles are that the unit sees."""
    return {
        (float(line.get_xdata()[0]), float(line.get_ydata()[0]))
        for line in axes.lines
        if line.get_marker() == "o" and to_hex(line.get_markerfacecolor()) == SEEN
    }


def stack() -> Network:
    def layer(name: str) -> Conv2D:
        return Conv2D(1, (1, 3), padding="same", name=name)

    return Network([layer("h"), ReLU(), layer("y")], (1, 5, 1))


def test_figure_five_of_the_article() -> None:
    """y3 sees x1 to x5, through h2 to h4."""
    figure = draw_field(reach(stack()), "y", (0, 2))
    (axes,) = figure.axes
    names = {(text.get_position()): text.get_text() for text in axes.texts}
    seen = {names[place] for place in filled(axes)}
    assert seen == {"x1", "x2", "x3", "x4", "x5", "h2", "h3", "h4", "y3"}
    assert len(lines_of(axes)) == 3 + 3 * 3
    assert "y, unit (0, 2), sees 5 pixels of 5" in names.values()
    at_the_edge = draw_field(reach(stack()), "y", (0, 0)).axes[0]
    names = {(text.get_position()): text.get_text() for text in at_the_edge.texts}
    seen = {names[place] for place in filled(at_the_edge)}
    assert seen == {"x1", "x2", "x3", "h1", "h2", "y1"}
    assert len(lines_of(at_the_edge)) == 2 + 2 + 3


def test_lines_are_what_changes_the_unit() -> None:
    """With stride, dilation and a shortcut; each value is changed, and the next layer computed."""
    image = Input((1, 13, 2))
    h = Conv2D(3, (1, 3), stride=2, name="h")(image)
    y = Conv2D(3, (1, 3), dilation=2, padding=(0, 0, 2, 2), name="y")(h)
    network = Network(inputs=image, output=Dense(2)(Flatten()(Add(name="z")(y, h))), seed=3)
    (axes,) = draw_field(reach(network), "y", (0, 4, 1)).axes
    found = {
        tuple(round(float(v), 6) for v in (*line.get_xdata(), *line.get_ydata()))
        for line in lines_of(axes)
    }
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, 1, 13, 2))
    f = rng.normal(size=(1, 3, 2, 3))
    g = rng.normal(size=(1, 3, 3, 3))

    def h_of(x: Any) -> Any:
        return striate.functional.conv2d(x, f, stride=(1, 2))

    def y_of(h: Any) -> Any:
        return striate.functional.conv2d(h, g, padding=(0, 0, 2, 2), dilation=(1, 2))

    # h is computed with a stride along one axis only, as it has one row.
    hidden = h_of(x)
    expected = set()
    reads = [
        at for at in range(6)
        if y_of(hidden + np.eye(6)[at][None, None, :, None])[0, 0, 4, 1] != y_of(hidden)[0, 0, 4, 1]
    ]  # fmt: skip
    assert reads == [2, 4]
    shift = (13 - 6) / 2
    for at in reads:
        expected.add((1.0, 2.0, -at - shift, -4 - shift))
    for at, pixel in product(reads, range(13)):
        moved = h_of(x + np.eye(13)[pixel][None, None, :, None])[0, 0, at]
        if (moved != hidden[0, 0, at]).any():
            expected.add((0.0, 1.0, float(-pixel), -at - shift))
    assert found == {tuple(round(float(v), 6) for v in line) for line in expected}


def test_planes_say_how_much_is_seen() -> None:
    layers = [Conv2D(4, 5, name="a"), ReLU(), MaxPool2D(2, name="b"), Conv2D(2, 3, name="c")]
    network = Network(layers, (14, 18, 3))
    figure = draw_field(reach(network), "c", (1, 2))
    (axes,) = figure.axes
    said = [text.get_text() for text in axes.texts]
    assert "the image\n10×10 of 14×18\n3 channels" in said
    assert "a\n6×6 of 10×14\n4 channels" in said
    assert "b\n3×3 of 5×7\n4 channels" in said
    assert "c\n1×1 of 3×5\n2 channels" in said
    assert len(lines_of(axes)) == 2 * 3
    masks = [np.asarray(image.get_array()) > 0 for image in axes.images]
    assert [int(mask.sum()) for mask in masks] == [100, 36, 9, 1]
    rows, columns = np.nonzero(masks[0])
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (2, 11, 4, 13)


@pytest.mark.parametrize(
    ("name", "layer", "unit"),
    [("lenet5", "f6", (3,)), ("resnet18", "stage3_block1_add", (5, 6)), ("vgg16", "pool5", (0, 0))],
)
def test_any_network_can_be_read(name: str, layer: str, unit: tuple[int, ...]) -> None:
    network: Any = getattr(striate.architectures, name)(seed=None)
    names = [vertex.name for vertex in network.nodes]
    layer = layer if layer in names else names[30]
    figure = draw_field(reach(network), layer, unit)
    (axes,) = figure.axes
    assert 2 <= len(axes.images) <= MOST_PANELS
    renderer = FigureCanvasAgg(figure).get_renderer()
    boxes = [text.get_window_extent(renderer) for text in axes.texts]
    for index, box in enumerate(boxes):
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.x1
        assert box.y0 >= 0
        assert not any(box.overlaps(other) for other in boxes[:index])


def test_mistakes() -> None:
    with pytest.raises(ValueError, match="there is no layer 'z'"):
        draw_field(reach(stack()), "z", (0, 2))
    with pytest.raises(ValueError, match=r"y: has no unit \(0, 5, 0\)"):
        draw_field(reach(stack()), "y", (0, 5))
