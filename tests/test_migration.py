"""The table of docs/migration.md: each name and argument of striate's column exists."""

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

import striate
from striate.training.history import History

PAGE = (Path(__file__).parents[1] / "docs" / "migration.md").read_text("utf-8")
OBJECTS = {"network": striate.Network, "history": History, "model": striate.ConvNetClassifier}
# What instances have, and their classes do not.
ATTRIBUTES = {"network.parameters", "network.classes"}
# The reader's own.
OWN = {"function", "images", "labels", "photo", "x", "y", "X", "f", "g", "filters"}


def rows() -> list[list[str]]:
    lines = [line for line in PAGE.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def codes(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def looked_up(node: ast.expr) -> Any:
    """What an expression names; AttributeError if there is no such thing."""
    if isinstance(node, ast.Name):
        return OBJECTS.get(node.id) or getattr(striate, node.id)
    assert isinstance(node, ast.Attribute)
    if ast.unparse(node) in ATTRIBUTES:
        return None
    return getattr(looked_up(node.value), node.attr)


def check(code: str) -> None:
    """All names, and the arguments of all calls, of an expression."""
    for node in ast.walk(ast.parse(code, mode="eval")):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Call):  # a layer that is applied to nodes
                continue
            called = looked_up(node.func)
            own = isinstance(node.func, ast.Attribute) and (
                ast.unparse(node.func).split(".")[0] in OBJECTS
            )
            places = [None] * (len(node.args) + own)
            inspect.signature(called).bind(*places, **{k.arg: None for k in node.keywords if k.arg})
        elif isinstance(node, ast.Attribute) or (
            isinstance(node, ast.Name) and node.id not in OWN | {"print"}
        ):
            looked_up(node)


def test_the_table_is_whole() -> None:
    assert len(rows()) > 40
    assert {len(row) for row in rows()} == {5}
    assert all(row[0] and codes(row[1]) for row in rows())
    # Something of each library.
    for column in (2, 3, 4):
        assert sum(bool(row[column]) for row in rows()) > 10


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_striates_words_exist(row: list[str]) -> None:
    for code in codes(row[1]):
        if code != "fit":
            check(code)


@pytest.mark.parametrize(
    "code",
    [
        "Conv3D(8, 3)",
        "Conv2D(8, 3, strides=2)",
        "network.train(images)",
        "network.fit(images, labels, epoch=3)",
        "history.history",
        "compat.ndimage.no_filter(photo)",
        "Network([Conv4D(8)], input_shape=(3,))",
        "Dense()",
    ],
)
def test_wrong_words_are_found(code: str) -> None:
    with pytest.raises((AttributeError, TypeError)):
        check(code)


def test_names_below_the_table_exist() -> None:
    below = PAGE.split("What is not the same:")[1]
    for code in codes(below):
        if re.match(r"network\.\w+", code):
            check(code)


def test_common_words_of_the_public_face_are_in_it() -> None:
    named = {word for row in rows() for code in codes(row[1]) for word in re.findall(r"\w+", code)}
    layers = set(striate.layers.LAYERS) - {"SumPool2D", "GroupedDense", "Scale"}
    assert layers <= named
    assert {"fit", "evaluate", "predict", "predict_proba", "save", "load", "Augment"} <= named
