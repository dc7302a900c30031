"""Runs the fuzzer's cases in this process, and weighs each: its error, its seconds, its memory."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from targets import TARGETS, check_message

MOST_SECONDS = 5.0
MOST_BYTES = 2**30
_GIVEN_UP = 20  # seconds


class Hang(BaseException):
    """A case that does not end."""


@dataclass(frozen=True)
class Fault:
    """What was wrong with a case.

    Attributes:
        target, number: of the case.
        kind: "error", "message", "slow" or "memory".
        detail: the trace, the message, the seconds or the bytes.
    """

    target: str
    number: int
    kind: str
    detail: str


def content_of(target: str, number: int) -> tuple[bytes, str]:
    """The content of a case, and the ending of its file's name."""
    chance = random.Random(f"{target} {number}")
    kind = TARGETS[target]
    return kind.make(chance), chance.choice(kind.suffixes)


def run_case(target: str, number: int, folder: Path) -> Iterator[Fault]:
    """Run a case in `folder`, and yield its faults."""
    from striate.common.errors import StriateError

    content, suffix = content_of(target, number)
    path = folder / f"case{suffix}"
    path.write_bytes(content)
    before = _start_of_memory()
    start = time.monotonic()
    try:
        with _alarm():
            TARGETS[target].use(path)
    except StriateError as error:
        try:
            check_message(str(error))
        except AssertionError as wrong:
            yield Fault(target, number, "message", str(wrong))
    except Hang:
        yield Fault(target, number, "slow", "given up: " + traceback.format_exc()[-1500:])
    except Exception:
        yield Fault(target, number, "error", traceback.format_exc()[-3000:])
    seconds = time.monotonic() - start
    if MOST_SECONDS < seconds < _GIVEN_UP:
        yield Fault(target, number, "slow", f"{seconds:.1f} s")
    grown = _peak_of_memory() - before
    if grown > MOST_BYTES:
        yield Fault(target, number, "memory", f"{grown:,} bytes")


@contextmanager
def _alarm() -> Iterator[None]:
    def ring(*_: Any) -> None:
        raise Hang

    old = signal.signal(signal.SIGALRM, ring)
    signal.alarm(_GIVEN_UP)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, old)


def _start_of_memory() -> int:
    """The bytes that the process has now; its peak is counted from here on, where Linux can."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _peak_of_memory()


def _peak_of_memory() -> int:
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def main() -> None:
    """Run the cases that the arguments name: a target, the first number and how many.

    Prints the number of each case before it, so that the parent knows what killed it, and faults as
    lines of JSON.
    """
    target, first, count, folder = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    _limit_memory()
    warnings.simplefilter("ignore")
    results = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    for number in range(first, first + count):
        print(number, file=results)
        for fault in run_case(target, number, Path(folder)):
            print(json.dumps(asdict(fault)), file=results)
    print("done", file=results)


def _limit_memory() -> None:
    """Leave 2 GiB of addresses, by which budgets are weighed as on a small machine."""
    import resource

    import numpy
    import PIL.Image
    import scipy.io.wavfile  # noqa: F401

    import striate.cli.app
    import striate.data

    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 2**31, used + 2**31))
    assert numpy and PIL and striate


if __name__ == "__main__":
    main()
