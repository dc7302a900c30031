"""The structure of the package: which room stands above which, read from every import in it."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "striate"

# The floors, from the ground up: docs/architecture.md says what is where.  A room, which is a
# folder or a file of the package, imports from rooms on lower floors only.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("common",),
    ("nest", "ops"),
    ("kernels", "layers"),
    ("signal", "model"),
    ("compat", "recordings"),
    ("optim", "data"),
    ("plan", "pictures"),
    ("engines",),
    ("training", "functional"),
    ("inspect",),
    ("network",),
    ("estimators", "teaching"),
    ("reports",),
    ("cli",),
    ("__init__",),
    ("__main__",),
)
# The same inside a plan: its steps, and what they share.
PLAN: tuple[tuple[str, ...], ...] = (
    ("layout", "inputs"),
    ("settings", "stage"),
    ("analysis",),
    ("lowering",),
    ("memory",),
    ("build",),
    ("plan", "optimizer_step"),
    ("runner",),
    ("inference",),
    ("measure",),
    ("__init__",),
)


def modules() -> dict[str, Path]:
    """All modules of the package, by their dotted names."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = ("striate", *path.relative_to(PACKAGE).with_suffix("").parts)
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imports(name: str, text: str) -> Iterator[tuple[int, str]]:
    """(line, module) of everything in the package that a module imports: at its head, inside
    functions, and for type checkers."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}:{node.lineno}: write the whole name of the module"
            base = node.module or ""
            whole = [f"{base}.{alias.name}" for alias in node.names]
            targets = [target if target in MODULES else base for target in whole]
        else:
            continue
        for target in dict.fromkeys(targets):
            if target.split(".")[0] == "striate":
                assert target in MODULES, f"{name}:{node.lineno}: there is no {target}"
                yield node.lineno, target


def floors_of(floors: tuple[tuple[str, ...], ...]) -> dict[str, int]:
    return {room: floor for floor, rooms in enumerate(floors) for room in rooms}


def room_of(module: str, under: str) -> str | None:
    """The room below the package `under` that a module is in; None outside of it."""
    if module == under:
        return "__init__"
    if not module.startswith(under + "."):
        return None
    return module[len(under) + 1 :].split(".")[0]


def upward(floors: tuple[tuple[str, ...], ...], under: str, texts: dict[str, str]) -> list[str]:
    """All imports from a floor to the same or a higher one, as text."""
    floor = floors_of(floors)
    found = []
    for module, text in texts.items():
        room = room_of(module, under)
        if room is None:
            continue
        for line, target in imports(module, text):
            other = room_of(target, under)
            if other is not None and other != room and floor[other] >= floor[room]:
                found.append(f"{module}:{line} ({room}) imports {target} ({other})")
    return found


TEXTS = {name: path.read_text(encoding="utf-8") for name, path in MODULES.items()}


@pytest.mark.parametrize(("floors", "under"), [(FLOORS, "striate"), (PLAN, "striate.plan")])
def test_every_room_has_a_floor(floors: tuple[tuple[str, ...], ...], under: str) -> None:
    rooms = {room_of(module, under) for module in MODULES} - {None}
    assert rooms == set(floors_of(floors))


@pytest.mark.parametrize(("floors", "under"), [(FLOORS, "striate"), (PLAN, "striate.plan")])
def test_nothing_imports_upwards(floors: tuple[tuple[str, ...], ...], under: str) -> None:
    assert upward(floors, under, TEXTS) == []


def test_an_import_turned_round_is_found() -> None:
    """Eager, lazy, and for type checkers only."""
    for text in (
        "from striate.network import Network",
        "def late():\n    from striate.engines import make_engine",
        "if TYPE_CHECKING:\n    import striate.training.loop",
        "from striate import inspect",
    ):
        texts = {**TEXTS, "striate.model.graph": text}
        assert len(upward(FLOORS, "striate", texts)) == 1
    texts = {**TEXTS, "striate.plan.memory.halo": "from striate.plan.runner import Runner"}
    assert upward(FLOORS, "striate", texts) == []
    assert len(upward(PLAN, "striate.plan", texts)) == 1


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {
        name: sorted({target for _, target in imports(name, text)} - {name})
        for name, text in TEXTS.items()
    }
    assert circle_in(graph) == []


def circle_in(graph: dict[str, list[str]]) -> list[str]:
    """The modules of one circle, if there is any."""
    done: set[str] = set()
    path: list[str] = []

    def visit(name: str) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        path.append(name)
        for target in graph[name]:
            if found := visit(target):
                return found
        path.pop()
        done.add(name)
        return []

    for name in graph:
        if found := visit(name):
            return found
    return []


def test_a_circle_is_found() -> None:
    assert circle_in({"a": ["b"], "b": ["c"], "c": ["b"]}) == ["b", "c", "b"]
    assert circle_in({"a": ["b", "c"], "b": ["c"], "c": []}) == []


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
    "activations", "as_text", "batchnorm", "classifier", "conv2d", "dense", "evaluate", "explain",
    "files", "gradients", "grouped", "local", "loss", "merge", "pooling", "summary", "tune",
    "winograd",
}  # fmt: skip


def test_no_file_name_has_two_meanings() -> None:
    places = defaultdict(list)
    for module, path in MODULES.items():
        if path.name != "__init__.py":
            places[path.stem.lstrip("_")].append(module)
    several = {name: found for name, found in places.items() if len(found) > 1}
    assert {name: found for name, found in several.items() if name not in SAME_THING} == {}


def test_no_file_is_much_longer_than_it_can_be_read() -> None:
    long = {module: text.count("\n") for module, text in TEXTS.items() if text.count("\n") > 470}
    assert long == {}


def test_rooms_say_what_they_are() -> None:
    for module, path in MODULES.items():
        text = ast.get_docstring(ast.parse(TEXTS[module]))
        assert text, f"{path} says nothing of itself"
        assert re.match(r"[A-Z`\"0-9]", text) or module in text, f"{path}: {text[:40]}"
