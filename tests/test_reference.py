"""The site: all public names are in the reference, and all pages in its navigation."""

import importlib
import importlib.util
import inspect
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import striate

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs" / "reference"
PAGES = sorted(REFERENCE.glob("*.md"))
SITE = (ROOT / "mkdocs.yml").read_text("utf-8")
ENTRY = re.compile(r"^::: ([\w.]+)\n((?:    .*\n|\n(?=    ))*)", re.MULTILINE)


def found(name: str) -> Any:
    """The object of a dotted name."""
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            value: Any = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            value = getattr(value, part)
        return value
    raise AssertionError(name)


def entries() -> list[tuple[str, str]]:
    return [entry for page in PAGES for entry in ENTRY.findall(page.read_text("utf-8") + "\n")]


def shown() -> list[Any]:
    """All objects that the reference shows, with those of a module that is shown whole."""
    objects = []
    for name, options in entries():
        value = found(name)
        objects.append(value)
        if inspect.ismodule(value) and "members: false" not in options:
            chosen = re.search(r"members: \[(.*)\]", options)
            names = chosen[1].split(", ") if chosen else value.__all__
            objects += [getattr(value, member) for member in names]
    return objects


def test_every_public_name_is_in_the_reference() -> None:
    there = [id(value) for value in shown()]
    missing = [
        name for name in sorted(striate._EXPORTS)
        if not inspect.ismodule(getattr(striate, name))
        and name != "__version__"
        and id(getattr(striate, name)) not in there
    ]  # fmt: skip
    assert missing == []
    rooms = [
        striate.architectures,
        striate.functional,
        striate.kernels,
        striate.inspect,
        striate.conversions,
    ]
    for module in rooms:
        assert id(module) in there, module


def test_nothing_is_there_twice() -> None:
    there = [id(value) for value in shown() if not inspect.ismodule(value)]
    twice = [value for value in shown() if there.count(id(value)) > 1]
    assert twice == []


def test_all_that_it_shows_is_documented() -> None:
    assert [value for value in shown() if not inspect.getdoc(value)] == []


def test_what_it_says_to_import_can_be_imported() -> None:
    lines = re.findall(r"`(from striate[\w.]* import [\w, ]+)`", "".join(map(_text, PAGES)))
    assert len(lines) >= 4
    for line in lines:
        exec(line, {})


def test_what_it_says_to_be_in_a_module_is_there() -> None:
    said = {
        "networks.md": (striate, ["Network", "Input", "load", "Preprocessing", "ModelFileError"]),
        "data.md": (striate, ["load_data", "Dataset", "DataError", "Augment"]),
        "estimators.md": (striate, ["ConvNetClassifier", "ConvNetRegressor"]),
        "teaching.md": (striate, ["derive", "gradients", "size"]),
    }
    for page, (module, names) in said.items():
        text = _text(REFERENCE / page)
        for name in names:
            assert hasattr(module, name)
            assert name in text
    assert all(hasattr(striate.data, name) for name in ("load_images", "find_images"))


def _text(page: Path) -> str:
    return page.read_text("utf-8")


def test_every_page_is_in_the_navigation() -> None:
    named = re.findall(r"^ .*?([\w/-]+\.md)$", SITE, re.MULTILINE)
    pages = [page.relative_to(ROOT / "docs") for page in (ROOT / "docs").rglob("*.md")]
    assert sorted(named) == sorted(map(str, pages))


@pytest.fixture(scope="module")
def extension() -> ModuleType:
    pytest.importorskip("griffe", reason="pip install -e '.[docs]'")
    spec = importlib.util.spec_from_file_location("plain", REFERENCE / "plain_docstrings.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_defaults_and_names_are_shown_plainly(extension: ModuleType) -> None:
    assert extension.default_of("TrainingSettings.epochs") == 10
    text = "Of it.\n\n    rows, columns: of it, and more, all: of them\n    one: of it"
    joined = extension.joined(text)
    assert joined.replace("\N{NO-BREAK SPACE}", " ") == text
    assert "rows,\N{NO-BREAK SPACE}columns: of it, and more, all: of them\n    one: of it" in joined
