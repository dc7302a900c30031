"""The drawing of a network: its parts, what is drawn once, and that it can be read."""

from collections.abc import Callable
from typing import Any

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

import striate
from striate import (
    Add,
    BatchNorm,
    Concat,
    Conv2D,
    Dense,
    Flatten,
    GlobalAvgPool2D,
    Input,
    MaxPool2D,
    Multiply,
    Network,
    ReLU,
    Sigmoid,
)
from striate.inspect import architecture_drawing
from striate.inspect.architecture_drawing import draw_architecture
from striate.inspect.architecture_parts import architecture_of, cut_places


def resnet(blocks: int = 3, widths: tuple[int, ...] = (16, 32, 64)) -> Network:
    """ResNet-20 with three blocks a stage (He et al. 2015), its shortcuts as 1×1 convolutions."""
    image = Input((32, 32, 3))
    x = ReLU()(BatchNorm()(Conv2D(widths[0], 3, padding="same", bias=False)(image)))
    for stage, filters in enumerate(widths):
        for block in range(blocks):
            stride = 2 if stage and not block else 1
            y = Conv2D(filters, 3, stride=stride, padding="same", bias=False)(x)
            y = Conv2D(filters, 3, padding="same", bias=False)(ReLU()(BatchNorm()(y)))
            y = BatchNorm()(y)
            if stride == 2:
                x = BatchNorm()(Conv2D(filters, 1, stride=2, padding="same", bias=False)(x))
            x = ReLU()(Add()(y, x))
    return Network(inputs=image, output=Dense(10)(GlobalAvgPool2D()(x)), seed=None)


def test_the_parts_of_the_articles_network() -> None:
    layers = [Conv2D(16, 3), ReLU(), MaxPool2D(2), Flatten(), Dense(10)]
    parts = architecture_of(Network(layers, (8, 8, 1))).parts
    assert [part.words for part in parts] == [
        ("input",), ("Conv2D 3×3", "+ ReLU"), ("MaxPool2D 2×2",), ("Flatten",), ("Dense",),
    ]  # fmt: skip
    assert [part.shape for part in parts] == [(8, 8, 1), (6, 6, 16), (3, 3, 16), (144,), (10,)]
    assert [part.reads for part in parts] == [(), (0,), (1,), (2,), (3,)]
    words = architecture_of(
        Network([Conv2D(8, (3, 5), stride=(2, 1), dilation=2, groups=2, padding=4)], (9, 9, 4))
    )
    assert words.parts[1].words == ("Conv2D 3×5, stride 2×1, dilation 2×2, 2 groups",)


def test_what_is_repeated_is_kept_once() -> None:
    network = resnet()
    shown, whole = architecture_of(network), architecture_of(network, repeat=False)
    assert [run.times for run in shown.runs] == [3, 2, 2]
    spared = sum((run.times - 1) * (run.last - run.first + 1) for run in shown.runs)
    assert len(shown.parts) + spared == len(whole.parts) == 1 + 1 + 9 * 3 + 2 + 2
    for run in shown.runs:
        kinds = [shown.parts[place].kind for place in range(run.first, run.last + 1)]
        assert kinds == [Conv2D, Conv2D, Add]
        # What enters the run enters its sum, too; what follows reads the run's end.
        assert shown.parts[run.last].reads == (run.last - 1, run.first - 1)
        assert run.last in shown.parts[run.last + 1].reads
    # A run of two parts, and single parts.
    pairs = [Conv2D(4, 3, padding="same"), Conv2D(8, 1)] * 3 + [Conv2D(8, 1)] * 2
    layers = [Conv2D(8, 1), *(type(layer)(**layer.config()) for layer in pairs)]
    runs = architecture_of(Network(layers, (6, 7, 8))).runs
    assert [(run.first, run.last, run.times) for run in runs] == [(2, 3, 3), (4, 4, 2)]


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "densenet121", "inception_v3"])
def test_every_way_of_the_graph_is_there(name: str) -> None:
    network: Any = getattr(striate.architectures, name)(seed=None)
    parts = architecture_of(network, repeat=False).parts
    by_name = {part.name: place for place, part in enumerate(parts)}
    place_of = {-1: 0}
    for index, vertex in enumerate(network.nodes):
        # A layer without a part of its own has a single reader before it, in the part it is in.
        before = [place_of[source] for source in vertex.inputs]
        place_of[index] = place = by_name.get(vertex.name, before[0])
        if vertex.name in by_name:
            assert list(parts[place].reads) == before
        else:
            assert len(before) == 1
            assert f"+ {type(vertex.layer).__name__}" in parts[place].words
    assert sum(len(part.words) for part in parts) == len(network.nodes) + 1
    brute = [
        end
        for end in range(len(parts))
        if all(source >= end for part in parts[end + 1 :] for source in part.reads)
    ]
    assert cut_places(parts) == brute


def gated() -> Network:
    """Branches that are scaled, and laid side by side."""
    image = Input((9, 7, 4))
    gate = Sigmoid()(Dense(4)(GlobalAvgPool2D()(image)))
    scaled = Multiply()(image, gate)
    return Network(inputs=image, output=Concat()(scaled, Conv2D(3, 3, padding=1)(image), image))


@pytest.mark.parametrize(
    "network",
    [
        pytest.param(striate.architectures.lenet5, id="lenet5"),
        pytest.param(resnet, id="resnet20"),
        pytest.param(gated, id="gated"),
        pytest.param(lambda: Network([Dense(3)], (5,)), id="vectors"),
    ],
)
def test_the_picture_can_be_read(network: Callable[[], Network]) -> None:
    shown = architecture_of(network())
    figure = draw_architecture(network())
    (axes,) = figure.axes
    renderer = FigureCanvasAgg(figure).get_renderer()
    texts = [text for text in axes.texts if text.get_text()]
    boxes = [text.get_window_extent(renderer) for text in texts]
    said = [text.get_text() for text in texts]
    for part in shown.parts:
        assert "×".join(map(str, part.shape)) in said
        assert set(part.words) <= set(said)
    for index, box in enumerate(boxes):
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.x1
        assert box.y0 >= 0
        for other, text in zip(boxes[:index], texts, strict=False):
            assert not box.overlaps(other), (said[index], text)
    arcs = [patch for patch in axes.patches if isinstance(patch, FancyArrowPatch)]
    skips = [
        (source, place)
        for place, part in enumerate(shown.parts)
        for source in part.reads
        if source != place - 1
    ]
    assert len(arcs) == len(skips)
    frames = [patch for patch in axes.patches if isinstance(patch, FancyBboxPatch)]
    assert len(frames) == len(shown.runs)
    assert [text for text in said if text.endswith(" times")] == [
        f"{run.times} times" for run in shown.runs
    ]


def test_rows_end_where_nothing_crosses(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a narrow picture, too, arcs begin in their row or at its left end; none has a name."""
    monkeypatch.setattr(architecture_drawing, "WIDEST", 5.0)
    said = [text.get_text() for text in draw_architecture(resnet()).axes[0].texts]
    assert not [text for text in said if text.startswith(("to ", "from "))]
    # Where no row can be so long, both ends of the arc are named.
    layers, x = Input((4, 4, 2)), None
    for _ in range(30):
        x = Conv2D(2, 3, padding=1)(layers if x is None else x)
    far = Network(inputs=layers, output=Add(name="sum")(x, layers))
    said = [text.get_text() for text in draw_architecture(far).axes[0].texts]
    assert "to sum" in said
    assert "from input" in said


def test_too_many_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(architecture_drawing, "MOST_PARTS", 3)
    with pytest.raises(ValueError, match=r"architecture: .*9 parts"):
        draw_architecture(striate.architectures.lenet5())
