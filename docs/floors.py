"""The floors of the package, read from its code, and the figure of docs/architecture.md.

    python docs/floors.py              draw floors.svg anew
    python docs/floors.py --check      end with 1 and list imports that run upwards or in circles,
                                       and if the figure is not that of the code

A room is a folder or a file of the package.  It imports from rooms on lower floors only; imports at
the head of a module, inside functions and for type checkers all count.
"""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.sax.saxutils import escape

FOLDER = Path(__file__).resolve().parent
PACKAGE = FOLDER.parent / "striate"
FIGURE = FOLDER / "floors.svg"

Floors = tuple[tuple[str, ...], ...]

# From the ground up.
FLOORS: Floors = (
    ("common",),
    ("nest", "ops", "ranks"),
    ("layers", "kernels"),
    ("model", "signal"),
    ("optim", "data", "recordings", "compat"),
    ("plan", "pictures"),
    ("engines", "freestanding", "confidence"),
    ("training", "functional"),
    ("inspect", "exporting"),
    ("network",),
    ("importing",),
    ("architectures", "teaching"),
    ("transfer",),
    ("estimators",),
    ("reports",),
    ("checking", "lab"),
    ("cli",),
    ("__init__",),
    ("__main__",),
)
# The same inside striate/plan: its five steps, what they share, and what puts them together.
PLAN: Floors = (
    ("layout", "inputs"),
    ("settings", "stage"),
    ("analysis",),
    ("lowering",),
    ("memory",),
    ("build",),
    ("plan", "update", "input_tables"),
    ("batch_memory",),
    ("group_program",),
    ("runner",),
    ("inference",),
    ("measure",),
    ("__init__",),
)
WINGS = {
    "the core": ("#dfe7ee", ("common", "nest")),
    "networks": (
        "#d9ead3",
        (
            "ops", "layers", "model", "optim", "data", "plan", "engines", "freestanding",
            "training", "ranks", "functional", "exporting", "network", "importing",
            "architectures", "transfer", "estimators", "confidence",
        ),
    ),
    "filters": ("#fce5cd", ("kernels", "signal", "recordings", "compat", "pictures")),
    "teaching and looking inside": (
        "#ead1dc",
        ("inspect", "teaching", "reports", "checking", "lab"),
    ),
    "the command line": ("#fff2cc", ("cli",)),
}  # fmt: skip


# --- the code ------------------------------------------------------------------------------------


def modules() -> dict[str, Path]:
    """All modules of the package, by their dotted names."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = ("striate", *path.relative_to(PACKAGE).with_suffix("").parts)
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def texts() -> dict[str, str]:
    """The source of all modules, by their dotted names."""
    return {name: path.read_text(encoding="utf-8") for name, path in modules().items()}


@functools.cache
def _written(text: str) -> tuple[tuple[int, int, str, tuple[str, ...]], ...]:
    """(line, dots, module, names) of each import of a source; without names, of `import module`."""
    found: list[tuple[int, int, str, tuple[str, ...]]] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, 0, alias.name, ()) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = tuple(alias.name for alias in node.names)
            found.append((node.lineno, node.level, node.module or "", names))
    return tuple(found)


def imports(name: str, text: str, known: Mapping[str, object]) -> Iterator[tuple[int, str]]:
    """(line, module) of everything in the package that a module imports.

    Raises:
        ValueError: a relative import, or one of a module that is not among the `known`.
    """
    for line, dots, base, names in _written(text):
        if dots:
            raise ValueError(f"{name}:{line}: write the whole name of the module")
        whole = [f"{base}.{one}" for one in names] or [base]
        for target in dict.fromkeys(target if target in known else base for target in whole):
            if target.split(".")[0] == "striate":
                if target not in known:
                    raise ValueError(f"{name}:{line}: there is no module {target}")
                yield line, target


def room_of(module: str, under: str) -> str | None:
    """The room below the package `under` that a module is in; None outside of it."""
    if module == under:
        return "__init__"
    if not module.startswith(under + "."):
        return None
    return module[len(under) + 1 :].split(".")[0]


def upward(floors: Floors, under: str, sources: Mapping[str, str]) -> list[str]:
    """All imports from a room to another on the same or a higher floor, as text."""
    floor = {room: number for number, rooms in enumerate(floors) for room in rooms}
    found = []
    for module, text in sources.items():
        room = room_of(module, under)
        if room is None:
            continue
        for line, target in imports(module, text, sources):
            other = room_of(target, under)
            if other is not None and other != room and floor[other] >= floor[room]:
                found.append(f"{module}:{line} ({room}) imports {target} ({other})")
    return found


def graph(sources: Mapping[str, str]) -> dict[str, list[str]]:
    """What each module imports."""
    return {
        name: sorted({target for _, target in imports(name, text, sources)} - {name})
        for name, text in sources.items()
    }


def circle_in(of: Mapping[str, list[str]]) -> list[str]:
    """The modules of one circle of imports, if there is any."""
    done: set[str] = set()
    path: list[str] = []

    def visit(name: str) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        path.append(name)
        for target in of[name]:
            if found := visit(target):
                return found
        path.pop()
        done.add(name)
        return []

    for name in of:
        if found := visit(name):
            return found
    return []


# --- the figure ----------------------------------------------------------------------------------

WIDTH, ROW, BOX, GAP, MARGIN = 1040, 78, 50, 14, 24
NAMES = {"network": "network.py"}


def draw(sources: Mapping[str, str]) -> str:
    """The floors as SVG.

    Each room is a box, the wider the more lines it has, with a curve to each room that it imports
    and that none of its other imports stands on.
    """
    rooms: dict[str, list[str]] = {}
    for module in sources:
        rooms.setdefault(room_of(module, "striate") or "", []).append(module)
    lines = {r: sum(sources[m].count("\n") for m in some) for r, some in rooms.items()}
    shown = [floor for floor in FLOORS if not floor[0].startswith("__")]
    height = 2 * MARGIN + ROW * len(shown) + 34
    boxes = _boxes(shown, lines, height - 34)
    uses = _uses(rooms, sources)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" font-family="DejaVu Sans, Verdana, sans-serif">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    for room, (x, y, wide) in boxes.items():
        for other in _direct(room, uses):
            left, top, across = boxes[other]
            begin, end = x + wide / 2, left + across / 2
            parts.append(
                f'<path d="M{begin:.0f} {y + BOX} C{begin:.0f} {y + BOX + 24}, {end:.0f} '
                f'{top - 24}, {end:.0f} {top}" fill="none" stroke="#8a8f98" stroke-width="1.2"/>'
            )
    colours = {room: colour for colour, some in WINGS.values() for room in some}
    for room, (x, y, wide) in boxes.items():
        name = escape(NAMES.get(room, room))
        parts += [
            f'<rect x="{x:.0f}" y="{y}" width="{wide:.0f}" height="{BOX}" rx="6" '
            f'fill="{colours[room]}" stroke="#555b66"/>',
            f'<text x="{x + wide / 2:.0f}" y="{y + 21}" font-size="15" text-anchor="middle" '
            f'fill="#1c1f24">{name}</text>',
            f'<text x="{x + wide / 2:.0f}" y="{y + 39}" font-size="11" text-anchor="middle" '
            f'fill="#444a54">{round(lines[room], -2) / 1000:.1f}k lines</text>',
        ]
    x = MARGIN
    for wing, (colour, _) in WINGS.items():
        y = height - MARGIN - 14
        parts += [
            f'<rect x="{x}" y="{y}" width="14" height="14" fill="{colour}" stroke="#555b66"/>',
            f'<text x="{x + 20}" y="{y + 12}" font-size="12" fill="#1c1f24">{escape(wing)}</text>',
        ]
        x += 44 + 8 * len(wing)
    return "\n".join([*parts, "</svg>", ""])


def _boxes(
    shown: list[tuple[str, ...]], lines: Mapping[str, int], height: int
) -> dict[str, tuple[float, int, float]]:
    """(x, y, width) of each room."""
    found = {}
    for number, floor in enumerate(shown):
        wide = {room: 96 + 40 * (lines[room] / 1000) ** 0.5 * 2 for room in floor}
        free = WIDTH - 2 * MARGIN - sum(wide.values())
        gap = max(free / (len(floor) + 1), GAP)
        x, y = MARGIN + gap, height - MARGIN - ROW * (number + 1) + (ROW - BOX)
        for room in floor:
            found[room] = (x, y, wide[room])
            x += wide[room] + gap
    return found


def _uses(rooms: Mapping[str, list[str]], sources: Mapping[str, str]) -> dict[str, set[str]]:
    """The rooms that each room imports from."""
    return {
        room: {
            other
            for module in some
            for _, target in imports(module, sources[module], sources)
            if (other := room_of(target, "striate") or "") != room
        }
        for room, some in rooms.items()
    }


def _direct(room: str, uses: Mapping[str, set[str]]) -> list[str]:
    """Those of a room's imports that it would not reach through another of them."""

    def reached(start: str) -> set[str]:
        found: set[str] = set()
        waiting = [*uses[start]]
        while waiting:
            other = waiting.pop()
            if other not in found:
                found.add(other)
                waiting.extend(uses[other])
        return found

    return sorted(o for o in uses[room] if not any(o in reached(p) for p in uses[room] - {o}))


def main() -> int:
    sources = texts()
    if "--check" not in sys.argv[1:]:
        FIGURE.write_text(draw(sources), encoding="utf-8")
        return 0
    wrong = [*upward(FLOORS, "striate", sources), *upward(PLAN, "striate.plan", sources)]
    if circle := circle_in(graph(sources)):
        wrong.append("a circle: " + " → ".join(circle))
    if not FIGURE.is_file() or FIGURE.read_text(encoding="utf-8") != draw(sources):
        wrong.append("floors.svg is not that of the code: run python docs/floors.py")
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
