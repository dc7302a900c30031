"""Tries striate on changed files and options, and lists what went wrong.

    python benchmarks/fuzz.py 50000            so many cases, shared by all kinds of input
    python benchmarks/fuzz.py 5000 --only npz --first 100000
    python benchmarks/fuzz.py --case npz 1234  writes that case to this folder

A case is known by its kind and number, whatever the machine. It is wrong if it raises anything but
the errors that striate documents, takes more than 5 seconds or 1 GiB, or if its message has more
than 500 characters. Cases and kinds are in tests/fuzz, of which the tests run the first ones.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "tests" / "fuzz"
sys.path.insert(0, str(FOLDER))

from cases import content_of  # noqa: E402
from targets import TARGETS  # noqa: E402

CHUNK = 500
"""Cases in a process: few enough that what one leaves behind cannot hide among others."""


def main() -> int:
    """Run the cases; 1 if any was wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("count", type=int, nargs="?", default=50_000, help="cases")
    parser.add_argument("--only", choices=TARGETS, action="append", help="this kind of input")
    parser.add_argument("--first", type=int, default=0, help="the number of the first case")
    parser.add_argument("--case", nargs=2, metavar=("KIND", "NUMBER"), help="write one case")
    chosen = parser.parse_args()
    if chosen.case:
        content, suffix = content_of(chosen.case[0], int(chosen.case[1]))
        path = Path(f"{chosen.case[0]}-{chosen.case[1]}{suffix}")
        path.write_bytes(content)
        print(path)
        return 0
    kinds = chosen.only or list(TARGETS)
    each = -(-chosen.count // len(kinds))
    faults: list[dict[str, Any]] = []
    for kind in kinds:
        start = time.monotonic()
        found = list(run(kind, chosen.first, each))
        for fault in found:
            print(json.dumps(fault), flush=True)
        faults += found
        print(
            f"{kind}: {each:,} cases in {time.monotonic() - start:.0f} s, {len(found)} wrong",
            file=sys.stderr,
        )
    print(dict(Counter(f"{fault['target']}: {fault['kind']}" for fault in faults)), file=sys.stderr)
    return bool(faults)


def run(kind: str, first: int, count: int) -> Iterator[dict[str, Any]]:
    """The faults of the cases of one kind, run in processes of their own."""
    end = first + count
    with tempfile.TemporaryDirectory() as folder:
        while first < end:
            many = min(CHUNK, end - first)
            last, faults = chunk(kind, first, many, folder)
            yield from faults
            first = first + many if last is None else last + 1


def chunk(kind: str, first: int, count: int, folder: str) -> tuple[int | None, list[Any]]:
    """Run some cases in a process: None or the case that killed it, and the faults."""
    command = [sys.executable, str(FOLDER / "cases.py"), kind, str(first), str(count), folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    faults: list[dict[str, Any]] = []
    last = first
    for line in done.stdout.splitlines():
        if line == "done":
            return None, faults
        if line.startswith("{"):
            faults.append(json.loads(line))
        else:
            last = int(line)
    detail = f"exit code {done.returncode}: {done.stderr[-1000:]}"
    return last, [*faults, {"target": kind, "number": last, "kind": "killed", "detail": detail}]


if __name__ == "__main__":
    raise SystemExit(main())
