"""How many small faults do the tests notice?

    pip install cosmic-ray pytest-cov
    python benchmarks/mutation.py [--count 600] [--seed 0] [--jobs 2] [--only striate/data,…]
                                  [--contexts FOLDER] [--survivors FILE]

A mutant is the package with one small fault, made by cosmic-ray: another operator or number, a
condition turned round, a loop that is left out. Of all that can be made in `striate.training`,
`striate.data` and `striate.model` a random sample is tried, at most one of a kind at each place.
Left out are those that change nothing: operators in annotations, and `is` for `==`.

Each runs in a process of its own, in a copy of the working tree, by the tests that run the line in
question, the fastest first, as many as take some 25 seconds. Which these are is measured first, by
a run of the tests under coverage.py (some minutes); `--contexts` keeps that for the next time. A
mutant is killed if a test fails or does not come to an end; those that survive are written out as
diffs.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import difflib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("striate/training", "striate/data", "striate/model")
# Tests that read the source, and of what does not use these packages.
LEFT_OUT = (
    *("architecture.py", "same_bits.py", "benchmarks.py", "docs.py", "readme.py", "reference.py"),
    *("nest", "plan", "ops", "signal", "kernels", "compat", "conversions", "derivation"),
    *("chainrule", "recordings"),
)
BUDGET, ALLOWED = 25.0, 90.0  # seconds of tests that are chosen, and that they may take
BAR = 0.80


@dataclass(frozen=True)
class Mutant:
    """One small fault.

    Attributes:
        module: the file, relative to the tree.
        operator: cosmic-ray's name of what is changed.
        occurrence: which of the places where that can be done.
        row, column: of the place.
    """

    module: str
    operator: str
    occurrence: int
    row: int
    column: int


# --- mutants --------------------------------------------------------------------------------------


def mutants(path: Path, choose: random.Random) -> Iterator[Mutant]:
    """One of each kind at each place of a file."""
    import cosmic_ray.plugins
    from cosmic_ray.ast import ast_nodes, get_ast_from_path

    tree, module = get_ast_from_path(path), path.relative_to(ROOT).as_posix()
    annotated = annotations(path.read_text())
    places: dict[tuple[str, int, int], list[tuple[str, int]]] = defaultdict(list)
    for name in cosmic_ray.plugins.operator_names():
        make = cosmic_ray.plugins.get_operator(name)
        if make.arguments() or (name.endswith(("_Is", "_IsNot")) and "Eq_" in name):
            continue
        kind = name.split("/")[-1].split("_")[0]  # those of a kind replace the same by various
        found = (start for node in ast_nodes(tree) for start, _ in make().mutation_positions(node))
        for occurrence, (row, column) in enumerate(found):
            if not any(first <= (row, column) <= last for first, last in annotated):
                places[kind, row, column].append((name, occurrence))
    for (_, row, column), choices in sorted(places.items()):
        name, occurrence = choose.choice(choices)
        yield Mutant(module, name, occurrence, row, column)


def code_of(mutant: Mutant) -> str | None:
    """The file with the fault; None where it cannot be made or changes nothing."""
    import cosmic_ray.plugins
    from cosmic_ray.mutating import mutate_code

    source = (ROOT / mutant.module).read_text()
    operator = cosmic_ray.plugins.get_operator(mutant.operator)()
    try:
        code = mutate_code(source, operator, mutant.occurrence)
        compile(code or source, mutant.module, "exec")
    except (AttributeError, SyntaxError):  # of cosmic-ray where an exception's name has a dot
        return None
    return None if code == source else code


def annotations(source: str) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """From where to where annotations stand: they are never evaluated."""
    found = []
    for node in ast.walk(ast.parse(source)):
        for name in ("annotation", "returns"):
            part = getattr(node, name, None)
            if isinstance(part, ast.expr):
                last = (part.end_lineno or 0, part.end_col_offset or 0)
                found.append(((part.lineno, part.col_offset), last))
    return found


# --- which tests run a line -----------------------------------------------------------------------


class Contexts:
    """Which tests run each line, and how long they take."""

    def __init__(self, folder: Path) -> None:
        self._lines: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
        self._seconds: dict[str, float] = {}
        for case in ElementTree.parse(folder / "times.xml").iter("testcase"):
            if case.find("failure") is not None or case.find("error") is not None:
                continue  # it would fail of any mutant
            name = f"{case.get('file')}::{case.get('name')}"
            self._seconds[name] = float(case.get("time") or 0)
        from coverage import CoverageData

        data = CoverageData(str(folder / "coverage"))
        data.read()
        for path in data.measured_files():
            module = path[path.index("striate/") :]
            for line, names in data.contexts_by_lineno(path).items():
                tests = {name.split("|")[0] for name in names if name}
                self._lines[module][line] |= tests & self._seconds.keys()

    def tests(self, mutant: Mutant) -> list[str]:
        """The fastest tests that run a mutant's line, or else its function, or its module."""
        lines = self._lines[mutant.module]
        found = lines[mutant.row] or self._function(mutant) or set().union(*lines.values())
        chosen, seconds = [], 0.0
        for test in sorted(found, key=lambda test: (self._seconds[test], test)):
            seconds += self._seconds[test] + 0.005
            if chosen and seconds > BUDGET:
                break
            chosen.append(test)
        return chosen

    def _function(self, mutant: Mutant) -> set[str]:
        lines, found = self._lines[mutant.module], set()
        for node in ast.walk(ast.parse((ROOT / mutant.module).read_text())):
            if isinstance(node, ast.FunctionDef) and node.lineno <= mutant.row <= node.end_lineno:
                inside = range(node.body[0].lineno, node.end_lineno + 1)
                found = set().union(*(lines[line] for line in inside if line in lines))
        return found


def measure(folder: Path, tree: Path, jobs: int) -> None:
    """Run the tests under coverage.py, into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rc").write_text("[run]\nbranch = true\n")
    packages = [f"--cov={package.replace('/', '.')}" for package in PACKAGES]
    subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", str(jobs)),
            *(*packages, "--cov-context=test", "--cov-report=", f"--cov-config={folder / 'rc'}"),
            *("-o", "junit_family=xunit1", f"--junitxml={folder / 'times.xml'}"),
            *(f"--ignore=tests/{'test_' * name.endswith('.py')}{name}" for name in LEFT_OUT),
        ],
        cwd=tree,
        env=environment(tree) | {"COVERAGE_FILE": str(folder / "coverage")},
    )


# --- one after the other --------------------------------------------------------------------------


def environment(tree: Path) -> dict[str, str]:
    own = {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    return {**os.environ, **own}


def copied(folder: Path) -> Path:
    """A copy of the working tree: what git knows."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    for name in names.stdout.decode().split("\0")[:-1]:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def outcome(mutant: Mutant, tests: list[str], tree: Path) -> str:
    """What becomes of a mutant: "killed", "endless", "survived"; or "none" if there is no such."""
    code = code_of(mutant)
    if code is None:
        return "none"
    place = tree / mutant.module
    source = place.read_text()
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    place.write_text(code)
    try:
        running = subprocess.Popen(
            command, cwd=tree, env=environment(tree), start_new_session=True, **silent
        )
        try:
            return "survived" if running.wait(ALLOWED) == 0 else "killed"
        except subprocess.TimeoutExpired:
            return "endless"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
            running.wait()
    finally:
        place.write_text(source)


def difference(mutant: Mutant) -> str:
    source, code = (ROOT / mutant.module).read_text(), code_of(mutant) or ""
    names = mutant.module, mutant.operator
    return "\n".join(
        difflib.unified_diff(source.splitlines(), code.splitlines(), *names, n=1, lineterm="")
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default=",".join(PACKAGES), metavar="FOLDER,…")
    parser.add_argument("--contexts", type=Path, help="a folder for which tests run which lines")
    parser.add_argument("--survivors", type=Path, default=Path("survivors.diff"))
    options = parser.parse_args()
    choose = random.Random(options.seed)
    files = [
        path for name in options.only.split(",") for path in sorted((ROOT / name).glob("*.py"))
    ]
    every = [mutant for path in files for mutant in mutants(path, choose)]
    sample = choose.sample(every, min(options.count, len(every)))
    print(f"{len(sample)} of {len(every)} mutants of {len(files)} modules", flush=True)
    with tempfile.TemporaryDirectory(prefix="striate-mutation-") as scratch:
        trees = [copied(Path(scratch) / str(number)) for number in range(options.jobs)]
        folder = (options.contexts or Path(scratch) / "contexts").resolve()
        if not (folder / "times.xml").exists():
            measure(folder, trees[0], options.jobs)
        contexts = Contexts(folder)
        free: Queue[Path] = Queue()
        for tree in trees:
            free.put(tree)

        def tried(mutant: Mutant) -> str:
            tree = free.get()
            try:
                return outcome(mutant, contexts.tests(mutant), tree)
            finally:
                free.put(tree)

        counts: dict[str, Counter[str]] = defaultdict(Counter)
        options.survivors.write_text("")
        with ThreadPoolExecutor(options.jobs) as pool:
            for number, (mutant, end) in enumerate(
                zip(sample, pool.map(tried, sample), strict=True)
            ):
                if end != "none":
                    counts[mutant.module.split("/")[1]][end] += 1
                if end == "survived":
                    with options.survivors.open("a") as file:
                        file.write(difference(mutant) + "\n")
                if (number + 1) % 25 == 0:
                    print(f"{number + 1}: {json.dumps(counts)}", flush=True)
    total = sum(counts.values(), Counter())
    for name, each in [*sorted(counts.items()), ("all", total)]:
        share = 1 - each["survived"] / each.total()
        print(
            f"{name:10} {each.total():5} mutants, {each['survived']:4} survived: {share:.1%} killed"
        )
    return int(1 - total["survived"] / total.total() < BAR)


if __name__ == "__main__":
    sys.exit(main())
