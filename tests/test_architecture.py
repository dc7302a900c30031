"""The structure of the package: which room stands above which, read from every import in it."""

from __future__ import annotations

import ast
import importlib.util
from collections import defaultdict
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]


def load_floors() -> ModuleType:
    """docs/floors.py, which has the floors and draws them."""
    spec = importlib.util.spec_from_file_location("floors", ROOT / "docs" / "floors.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


floors = load_floors()
PACKAGE, MODULES, TEXTS = floors.PACKAGE, floors.modules(), floors.texts()
BOTH = pytest.mark.parametrize(
    ("table", "under"), [(floors.FLOORS, "striate"), (floors.PLAN, "striate.plan")]
)


@BOTH
def test_every_room_has_a_floor(table: tuple[tuple[str, ...], ...], under: str) -> None:
    rooms = {floors.room_of(module, under) for module in MODULES} - {None}
    assert rooms == {room for floor in table for room in floor}


@BOTH
def test_nothing_imports_upwards(table: tuple[tuple[str, ...], ...], under: str) -> None:
    assert floors.upward(table, under, TEXTS) == []


@pytest.mark.parametrize(
    "text",
    [
        "from striate.network import Network",
        "def late():\n    from striate.engines import make_engine",
        "if TYPE_CHECKING:\n    import striate.training.loop",
        "from striate import inspect",
        "import striate",
    ],
)
def test_an_import_turned_round_is_found(text: str) -> None:
    """Eager, lazy, for type checkers only, and of the package's own face."""
    texts = {**TEXTS, "striate.model.graph": text}
    assert len(floors.upward(floors.FLOORS, "striate", texts)) == 1


def test_an_import_turned_round_inside_a_plan_is_found() -> None:
    texts = {**TEXTS, "striate.plan.memory.halo": "from striate.plan.runner import Runner"}
    assert floors.upward(floors.FLOORS, "striate", texts) == []
    assert len(floors.upward(floors.PLAN, "striate.plan", texts)) == 1


@pytest.mark.parametrize("text", ["from . import graph", "import striate.nowhere"])
def test_imports_that_cannot_be_followed_are_errors(text: str) -> None:
    with pytest.raises(ValueError, match=r"write the whole name|there is no module"):
        floors.upward(floors.FLOORS, "striate", {**TEXTS, "striate.model.graph": text})


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert floors.circle_in(floors.graph(TEXTS)) == []


def test_a_circle_is_found() -> None:
    assert floors.circle_in({"a": ["b"], "b": ["c"], "c": ["b"]}) == ["b", "c", "b"]
    assert floors.circle_in({"a": ["b", "c"], "b": ["c"], "c": []}) == []


def test_the_figure_has_every_room() -> None:
    """And is well-formed; `python docs/floors.py` draws it anew when rooms come and go."""
    from xml.etree import ElementTree

    kept = floors.FIGURE.read_text(encoding="utf-8")
    names = {text.text for text in ElementTree.fromstring(kept).iter() if text.tag.endswith("text")}
    rooms = {room for floor in floors.FLOORS for room in floor if not room.startswith("__")}
    assert {floors.NAMES.get(room, room) for room in rooms} <= names


def test_few_files_at_the_top() -> None:
    assert len([path for path in PACKAGE.iterdir() if path.is_file()]) <= 8


def test_no_class_has_two_meanings() -> None:
    places = defaultdict(list)
    for module, text in TEXTS.items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef):
                places[node.name.lstrip("_")].append(module)
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


# File names that several rooms have because they are about the same thing: the mathematics, the
# layer, the lowering, the command of one operation.
SAME_THING = {
    "activations", "affine", "as_text", "batchnorm", "borders", "channels", "classifier",
    "conv2d", "conv_transpose", "dense", "evaluate", "explain", "files", "gradients", "grouped",
    "layernorm", "local", "loss", "lrn", "merge", "multiply", "pooling", "summary", "tune",
    "winograd",
}  # fmt: skip


def test_no_file_name_has_two_meanings() -> None:
    places = defaultdict(list)
    for module, path in MODULES.items():
        if path.name != "__init__.py":
            places[path.stem.lstrip("_")].append(module)
    several = {name: found for name, found in places.items() if len(found) > 1}
    assert {name: found for name, found in several.items() if name not in SAME_THING} == {}


def test_no_file_is_too_long_to_be_read() -> None:
    long = {module: text.count("\n") for module, text in TEXTS.items() if text.count("\n") > 470}
    assert long == {}


def test_every_module_says_what_it_is() -> None:
    silent = [m for m, text in TEXTS.items() if not ast.get_docstring(ast.parse(text))]
    assert silent == []


def test_names_of_modules_in_docstrings_exist() -> None:
    """`striate.plan.lowering` in a docstring is a module, or a name in one."""
    import re

    lost = []
    for module, text in TEXTS.items():
        for name in re.findall(r"`(striate(?:\.\w+)+)`", text):
            parts = name.split(".")
            known = [".".join(parts[:n]) for n in range(len(parts), 0, -1)]
            longest = next(n for n in known if n in MODULES)
            rest = parts[len(longest.split(".")) :]
            body = TEXTS[longest]
            if rest and not re.search(rf"\b{re.escape(rest[0])}\b", body):
                lost.append((module, name))
    assert lost == []
