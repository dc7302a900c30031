"""What `repr` and notebooks show: one line, tables, curves; never all values of an array."""

import ast
import re
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import striate
from striate.common.short_repr import MOST, short_repr, shown
from striate.common.tables import html_table
from striate.layers import Conv2D, Dense, Flatten, MaxPool2D, ReLU
from striate.network import Network
from striate.optim.losses import MeanSquaredError, SoftmaxCrossEntropy
from striate.training.evaluation import Evaluation
from striate.training.history import Epoch, History


@pytest.fixture(scope="module")
def digits() -> striate.Dataset:
    return striate.load_data("digits")


@pytest.fixture(scope="module")
def network(digits: striate.Dataset) -> Network:
    layers = [Conv2D(8, 3, padding="same"), ReLU(), MaxPool2D(2), Flatten(), Dense(10)]
    made = Network(layers, (8, 8, 1))
    made.classes = digits.classes
    return made


@pytest.fixture(scope="module")
def objects(digits: striate.Dataset, network: Network) -> dict[str, Any]:
    images, inspect = digits.test_images, striate.inspect
    large = digits.test_images[digits.test_labels == 2].repeat(4, 1).repeat(4, 2) * np.uint8(16)
    history = network.fit(
        images, digits.test_labels, validation_fraction=0.2, epochs=2, progress=False
    )
    return {
        "history": history,
        "epoch": history[0],
        "network": network,
        "dataset": digits,
        "summary": network.summary(),
        "evaluation": network.evaluate(images, digits.test_labels),
        "explanation": network.explain(),
        "compiled": network.compile(),
        "reach": inspect.reach(network),
        "layer's reach": inspect.reach(network).layers[0],
        "ledger": inspect.ledger(network),
        "connectivity": inspect.connectivity(network),
        "field": inspect.effective_field(network, images[:4]),
        "fields": inspect.effective_fields(network, images[:4]),
        "shifts": inspect.shifts(network, images[:4], most=2),
        "stroke": inspect.altered_stroke(large[:20]),
        "steps": striate.steps(np.arange(500.0), np.ones(9)),
        "step": striate.steps(np.arange(500.0), np.ones(9))[3],
        "derivation": striate.derive(),
        "gradients": striate.gradients(7, 2, channels=3),
        "sizes": striate.size(13, 3, stride=2),
        "choice": striate.explain_method(np.ones((500, 500)), np.ones((3, 3)), "same"),
        "node": Conv2D(3, 3)(striate.Input((8, 8, 1))),
        "loss": SoftmaxCrossEntropy(0.1),
        "numbers": MeanSquaredError(),
    }


def test_every_representation_is_one_short_line(objects: dict[str, Any]) -> None:
    for name, value in objects.items():
        text = repr(value)
        assert len(text) <= MOST and "\n" not in text, f"{name}: {text}"
        assert " object at 0x" not in text, f"{name}: {text}"
        assert type(value).__name__ in text or text.startswith("<"), f"{name}: {text}"


def test_representations_say_what_matters(objects: dict[str, Any]) -> None:
    said = {name: repr(value) for name, value in objects.items()}
    assert said["dataset"] == (
        "Dataset('digits', 1,438 training images and 359 test images of 8×8×1 uint8, 10 classes)"
    )
    assert said["network"] == "Network(5 layers, (8, 8, 1) → (10,), 1,370 parameters)"
    assert said["summary"].startswith("Summary(5 layers, 8×8×1 → 10, 1,370 parameters, 5,888 mul")
    assert re.fullmatch(
        r"History\(2 epochs, loss [\d.]+, accuracy [\d.]+%, val_loss [\d.]+, "
        r"val_accuracy [\d.]+%\)",
        said["history"],
    )
    assert re.match(
        r"Evaluation\(accuracy [\d.]+%, loss [\d.]+, 359 images, 10 ", said["evaluation"]
    )
    assert said["node"].endswith("→ 6×6×3>")
    assert said["loss"] == "SoftmaxCrossEntropy(label_smoothing=0.1)"
    assert said["numbers"] == "MeanSquaredError()"


def test_long_texts_are_those_of_str(objects: dict[str, Any]) -> None:
    assert len(str(objects["history"]).splitlines()) == 4
    assert "val loss" in str(objects["history"]).splitlines()[0]
    assert len(str(objects["summary"]).splitlines()) > 7
    assert len(str(objects["explanation"])) > 1000
    assert str(History()) == "no epochs"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.zeros((3, 4), np.float32), "<float32 3×4>"),
        (np.array(3.5), "<float64 number>"),
        (np.float32(0.5), "0.5"),
        (1 / 3, "0.333333"),
        ((1, 2), "(1, 2)"),
        ((1,), "(1,)"),
        ([1.0, None], "[1, None]"),
        (list(range(10_000)), "<10,000 items>"),
        ({"a": 1}, "{'a': 1}"),
        (dict.fromkeys(range(9)), "<9 items>"),
        ("x" * 1000, repr("x" * 39 + "…")),
        (object(), "<object>"),
    ],
)
def test_values_in_a_few_characters(value: Any, text: str) -> None:
    assert shown(value) == text


def test_whatever_is_in_it_a_representation_is_short() -> None:
    @short_repr
    @dataclass
    class Much:
        text: str = "a\nb" * 1000
        one: Any = None
        names: tuple[str, ...] = ("x" * 99,) * 4
        more: tuple[str, ...] = ("y" * 99,) * 4

    text = repr(Much(one=np.zeros(10**7, np.uint8)))
    assert len(text) <= MOST and "\n" not in text
    assert text.startswith("Much(text='a\\nb") and "<uint8 10000000>" in text
    assert text.endswith("…)")


# In notebooks.


class Outline(HTMLParser):
    """Cells, tags, and whether all that is opened is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        pass

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


def test_a_summary_in_a_notebook(network: Network) -> None:
    rows = Outline(network.summary()._repr_html_()).rows
    assert rows[0][:4] == ["layer", "type", "output", "parameters"]
    assert rows[2][:4] == ["conv2d_1", "Conv2D", "8×8×8", "80"]
    assert rows[-1][3] == "1,370"
    assert network._repr_html_() == network.summary()._repr_html_()


def test_a_note_of_a_summary_in_a_notebook() -> None:
    network = Network([Conv2D(1, 3, stride=2, uncovered="drop"), Flatten(), Dense(2)], (8, 8, 1))
    html = network.summary()._repr_html_()
    assert "<p>conv2d_1 leaves 1 row and 1 column of its input unread" in html
    assert "uncovered=&quot;drop&quot;" in html


def test_a_history_in_a_notebook(objects: dict[str, Any]) -> None:
    html = objects["history"]._repr_html_()
    rows = Outline(html).rows
    assert rows[0] == [
        "epoch", "loss", "accuracy", "val loss", "val accuracy", "learning rate", "images/s"
    ]  # fmt: skip
    assert [row[0] for row in rows[1:]] == ["1", "2"]
    assert html.count("<svg") == 2
    assert "currentColor" in html  # so that it can be read in the dark
    Outline(History()._repr_html_())


def test_a_long_history_in_a_notebook() -> None:
    rows = [Epoch(n, 1 / n, 0.5, None, None, 0.1, 10, 1.0, 10.0) for n in range(1, 5001)]
    shown = Outline(History(rows)._repr_html_()).rows
    assert [row[0] for row in shown[1:]] == [
        *map(str, range(1, 11)), "…", *map(str, range(4991, 5001))
    ]  # fmt: skip


def test_an_evaluation_in_a_notebook() -> None:
    outputs, labels = np.eye(3), np.array([0, 1, 1])
    made = Evaluation.from_outputs(outputs, labels, ["<b>cat</b>", "dog", "cow"])
    html = made._repr_html_()
    rows = Outline(html).rows
    assert [row[0] for row in rows[1:]] == ["<b>cat</b>", "dog", "cow"]
    assert "<b>" not in html
    assert "accuracy 66.67%" in html
    many = Evaluation.from_outputs(np.eye(1000), np.arange(1000))
    assert len(Outline(many._repr_html_()).rows) == 102


def test_tables_as_html() -> None:
    rows = [("a", "b"), ("1", "2"), ("3", "4"), ("5", "6")]
    html = html_table(rows, left=1, most=2)
    assert Outline(html).rows == [["a", "b"], ["1", "2"], ["…", "…"], ["5", "6"]]
    assert '<td style="text-align: left">1</td><td style="text-align: right">2</td>' in html


# Curves.


def test_the_curves_of_a_history(objects: dict[str, Any]) -> None:
    history = objects["history"]
    figure = history.plot()
    panels = {axes.get_ylabel(): axes for axes in figure.axes}
    assert list(panels) == ["loss", "accuracy", "learning rate"]
    loss = {line.get_label(): line.get_ydata() for line in panels["loss"].lines}
    np.testing.assert_array_equal(loss["training"], history.column("loss"))
    np.testing.assert_array_equal(loss["validation"], history.column("val_loss"))
    assert len(panels["learning rate"].lines) == 1


def test_curves_of_regression_and_of_nothing() -> None:
    rows = [Epoch(1, 2.0, None, None, None, 0.1, 10, 1.0, 10.0)]
    assert [axes.get_ylabel() for axes in History(rows).plot().axes] == ["loss", "learning rate"]
    assert History().plot().axes[0].lines[:] == []


# Rooms whose objects users get to see; the others have numbers by the thousand inside, too, but
# nobody prints them.
ROOMS = ("data", "training", "inspect", "teaching", "recordings", "pictures", "reports",
         "estimators", "model")  # fmt: skip
MANY = re.compile(r"Array|Images|Labels|Floats|Weights|Targets|bytes")


def test_no_dataclass_shows_all_its_numbers() -> None:
    """Whatever holds arrays says what they are, not what is in them."""
    long = []
    for room in ROOMS:
        for path in sorted((Path(striate.__file__).parent / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if not isinstance(node, ast.ClassDef):
                    continue
                decorators = [ast.unparse(one) for one in node.decorator_list]
                if not any(one.startswith("dataclass") for one in decorators):
                    continue
                fields = [ast.unparse(part.annotation) for part in node.body
                          if isinstance(part, ast.AnnAssign)]  # fmt: skip
                own = any(isinstance(part, ast.FunctionDef) and part.name == "__repr__"
                          for part in node.body)  # fmt: skip
                held = any(MANY.search(field) for field in fields)
                if held and "short_repr" not in decorators and not own:
                    long.append(f"{path.name}: {node.name}")
    assert long == []
