"""Start ranks of which one differs from the others: do they say which, and in what, and end?

    python benchmarks/rank_disagreements.py [CASES] [--folder FOLDER]

Three ranks are started by mpiexec of MPICH, in each case with something that one of them, or two,
have otherwise: processor, versions, tuned schedules, options, images, or no start at all. All must
end with the exit code 2, within 30 seconds (of a machine that has nothing else to do), with one
line that names the rank and what differs, without a trace of Python's, and with no process and no
file left. Other processors and versions are pretended, inside the rank. CASES are words that the
names of cases have. The exit code is 1 if anything went wrong. Linux only.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from kills import draw_images
from rank_processes import HangError, Ranks, striate

from striate.ranks.mpiexec import on_this_machine

WITHIN = 30.0
"""Seconds in which all are to have ended."""
NETWORK = """
[[layers]]
layer = "Flatten"
[[layers]]
layer = "Dense"
units = "classes"
"""
TRAIN = "train images --network network.toml --groups 6 --batch-size 60 --epochs 2 --no-check"
SCRIPT = """
import numpy as np
import striate
from striate.layers import Dense, Flatten
exchange = striate.ranks.mpi()
network = striate.Network([Flatten(), Dense(3)], input_shape=(4, 4, 1))
odd = exchange.rank == 1
{here}
images, labels = np.random.default_rng(0).random((90, 4, 4)), np.arange(90) % 3
network.fit(images, labels, groups=3, epochs=2, exchange=exchange, progress=False)
"""


class Case(NamedTuple):
    """Three command lines.

    Attributes:
        name: what is other.
        said: a pattern of the line, which has the rank's number.
        ranks: the command of each rank.
        is_script: whether Python tells of an error, on each rank, and ends with 1.
    """

    name: str
    said: str
    ranks: Sequence[Sequence[str]]
    is_script: bool = False


def odd(name: str, said: str, command: Sequence[str], *, at: int = 2) -> Case:
    """A case in which one rank has another command."""
    ranks = [striate(*TRAIN.split())] * 3
    ranks[at] = command
    return Case(name, said, ranks)


def options(name: str, said: str, more: str, *, at: int = 2) -> Case:
    """A case in which one rank has other options, of which the last ones count."""
    return odd(name, said, striate(*TRAIN.split(), *more.split()), at=at)


def pretended(way: str, said: str, more: str = "") -> Case:
    """A case in which one rank pretends something, see `pretences`, and all have more options."""
    given = [*TRAIN.split(), *more.split()]
    alike = [striate(*given)] * 2
    return Case(way, said, [*alike, [sys.executable, __file__, "--pretend", way, *given]])


def other_images(name: str, said: str) -> Case:
    """A case in which one rank has a folder of the same name elsewhere; see `other_folders`."""
    source = f"elsewhere/{name.replace(' ', '-')}/images"
    command = [striate(*TRAIN.split())] * 2
    return Case(name, said, [*command, striate(*TRAIN.replace("images", source, 1).split())])


def script(name: str, said: str, here: str) -> Case:
    """A case of ranks in Python, of which one has lines of its own."""
    return Case(name, said, [[sys.executable, "-c", SCRIPT.format(here=here)]] * 3, True)


def cases() -> list[Case]:
    """All of them."""
    differs = "the ranks cannot train together: rank 2 has "
    gone = "rank 2 has ended before all 3 ranks were connected"
    plain = [sys.executable, "-c"]
    both = [striate(*TRAIN.split(), *seed) for seed in (["--seed", "1"], [], ["--seed", "2"])]
    return [
        pretended("other processor features", f"{differs}not the processor features .*avx2"),
        pretended("another kind of processor", f"{differs}architecture aarch64"),
        pretended("no fused multiply-adds", "rank 2 has fused multiply-adds False", "--portable"),
        pretended("another version of striate", f"{differs}striate 9.9"),
        pretended("another version of llvmlite", f"{differs}llvmlite 9.9"),
        pretended("another version of NumPy", f"{differs}NumPy 9.9"),
        pretended("another version of Python", f"{differs}Python 3.99"),
        pretended("other tuned schedules", f"{differs}other tuned schedules than the others"),
        options("another seed", "rank 2 has seed 4, the others 0", "--seed 4"),
        options("rank 0 has another seed", "rank 0 has seed 4, the others 0", "--seed 4", at=0),
        Case("three seeds", "rank 0 has seed 1, rank 1 has 0, rank 2 has 2", both),
        options("another rate", "rank 2 has learning rate 0.01", "--lr 0.01"),
        options("other epochs", "rank 2 has epochs 3, the others 2", "--epochs 3"),
        options("another batch", "rank 2 has batch size 30, the others 60", "--batch-size 30"),
        options("other groups", "rank 2 has groups 3, the others 6", "--groups 3"),
        options("another optimiser", "rank 2 has optimizer SGD", "--optimizer sgd"),
        options("another augmentation", "rank 2 has .*augmentation", "--shift 1"),
        options("other class weights", "rank 2 has other labels", "--class-weight left=3"),
        options("another validation", "rank 2 has .*validation images", "--validation 0.2"),
        options("another engine", "rank 2 has engine numpy, the others llvm", "--engine numpy"),
        options("portable", f"{differs}portable True, the others False", "--portable"),
        options("another size of image", "rank 2 has size 6×6, the others none", "--size 6x6"),
        options("another network", "rank 2 has other network", "--network other.toml"),
        other_images("one byte of an image", "rank 2 has other images than the others"),
        other_images("a label", "rank 2 has other image files"),
        other_images("a missing file", "rank 2 has number of image files 119, the others 120"),
        other_images("another class", "rank 2 has classes middle, right, top"),
        other_images("another name of a class", "rank 2 has classes lefs, middle, right"),
        odd("other data", "rank 2 has ", striate(*TRAIN.replace("images", "digits", 1).split())),
        odd("a missing folder", "rank 2: .*nowhere: no such file or folder",
            striate(*TRAIN.replace("images", "nowhere", 1).split())),
        odd("a missing network file", "rank 2: .*none.toml",
            striate(*TRAIN.replace("network.toml", "none.toml", 1).split())),
        odd("a damaged image", "rank 2 has other image files",
            striate(*TRAIN.replace("images", "elsewhere/damaged/images", 1).split())),
        pretended("a missing extra", "rank 2: .* needs the package mpi4py"),
        options("a wrong option", "rank 2: Invalid value for '--lr'", "--lr much"),
        odd("a program that is not there", gone, ["./missing"]),
        odd("a program that fails", gone, ["false"]),
        odd("a program that ends well", gone, ["true"]),
        Case("rank 0 is another program", "rank 0 has ended before all 3",
             [["true"], *[striate(*TRAIN.split())] * 2]),
        odd("another command", gone, striate("size", "--help")),
        odd("a program that waits", r"rank 2 runs another program \(sleep 100\)", ["sleep", "100"]),
        odd("another program with MPI", "rank 2 runs another program",
            [*plain, "from mpi4py import MPI; import time; time.sleep(100)"]),
        script("a script that fails", "rank 1: ValueError: mine",
               "if odd: raise ValueError('mine')"),
        script("a script that ends", "rank 1: has ended", "if odd: raise SystemExit"),
        script("a script with other weights", "rank 1 has other initial weights",
               "network.flat[3] += odd"),
    ]  # fmt: skip


# --- one rank that pretends something -----------------------------------------------------------


def pretences() -> dict[str, Callable[[], contextlib.AbstractContextManager[object]]]:
    """What a rank can pretend, as contexts."""
    import llvmlite
    import llvmlite.binding as llvm
    import numpy as np

    from striate.nest import target, tuned
    from striate.nest.compiler import machine
    from striate.nest.schedule import Schedule

    def without_vectors() -> contextlib.AbstractContextManager[object]:
        features = dict(llvm.get_host_cpu_features())
        features |= dict.fromkeys(("avx2", "avx512f"), False)
        found = target.describe(llvm.get_process_triple(), llvm.get_host_cpu_name(), features)
        return target.as_host(found)

    def of_arm() -> contextlib.AbstractContextManager[object]:
        return target.as_host(replace(target.host(), triple="aarch64-unknown-linux-gnu"))

    def with_schedule() -> contextlib.AbstractContextManager[object]:
        given = {"a nest": Schedule("v", 8, (), ())}
        return tuned.instead(given, machine(target.host()))

    return {
        "other processor features": without_vectors,
        "another kind of processor": of_arm,
        "no fused multiply-adds": lambda: target.as_host(replace(target.host(), fused=False)),
        "another version of striate": lambda: _both_versions("9.9"),
        "another version of llvmlite": lambda: mock.patch.object(llvmlite, "__version__", "9.9"),
        "another version of NumPy": lambda: mock.patch.object(np, "__version__", "9.9.9"),
        "another version of Python": lambda: mock.patch(
            "platform.python_version_tuple", lambda: ("3", "99", "1")
        ),
        "other tuned schedules": with_schedule,
        "a missing extra": lambda: mock.patch.dict(sys.modules, {"mpi4py": None}),
    }


def _both_versions(version: str) -> contextlib.AbstractContextManager[object]:
    from striate.common import version as module
    from striate.training import machine_facts

    stack = contextlib.ExitStack()
    stack.enter_context(mock.patch.object(module, "__version__", version))
    stack.enter_context(mock.patch.object(machine_facts, "__version__", version))
    return stack


def pretend(way: str, arguments: Sequence[str]) -> int:
    """Be a rank that pretends something; the exit code."""
    from striate.cli import app

    with pretences()[way]():
        return app.run(arguments)


# --- the study ----------------------------------------------------------------------------------


def prepare(folder: Path) -> None:
    """Write what the commands read."""
    (folder / "network.toml").write_text(NETWORK)
    other = NETWORK.replace("[[layers]]", '[[layers]]\nlayer = "ReLU"\n[[layers]]', 1)
    (folder / "other.toml").write_text(other)
    draw_images(folder / "images")
    for name, change in other_folders().items():
        place = folder / "elsewhere" / name / "images"
        shutil.copytree(folder / "images", place)
        change(place)


def other_folders() -> dict[str, Callable[[Path], object]]:
    """What is changed in the folders of images that one rank has, by their names."""
    return {
        "one-byte-of-an-image": lambda place: _change_a_byte(place / "left" / "7.png"),
        "a-label": lambda place: (place / "left" / "7.png").rename(place / "right" / "77.png"),
        "a-missing-file": lambda place: (place / "middle" / "9.png").unlink(),
        "another-class": lambda place: (place / "left").rename(place / "top"),
        "another-name-of-a-class": lambda place: (place / "left").rename(place / "lefs"),
        "damaged": lambda place: (place / "left" / "7.png").write_bytes(b"\x89PNG\r\n\x1a\n"),
    }


def _change_a_byte(file: Path) -> None:
    import numpy as np
    from PIL import Image

    pixels = np.array(Image.open(file))
    pixels[3, 2, 1] ^= 1
    Image.fromarray(pixels).save(file)


def check(case: Case, folder: Path, environment: dict[str, str]) -> tuple[float, str, list[str]]:
    """Start the ranks of a case: the seconds until they have ended, what they said, and what is
    wrong with that.
    """
    parts = [part for command in case.ranks for part in (":", "-n", "1", *command)]
    before, begin = sorted(folder.rglob("*")), time.monotonic()
    ranks = Ranks([*on_this_machine("this study"), *parts[1:]], folder, environment)
    try:
        code = ranks.wait(patience=2 * WITHIN)
    except HangError as error:
        return 2 * WITHIN, "", [str(error)]
    seconds, wrong = time.monotonic() - begin, []
    if code != (1 if case.is_script else 2):
        wrong.append(f"the exit code is {code}")
    said = [line for line in ranks.told.splitlines() if re.search(case.said, line)]
    if not said or (len(ranks.told.split("striate: ")) != 2 and not case.is_script):
        wrong.append(f"said was: {ranks.told[-600:]}")
    if "Traceback" in ranks.told and not case.is_script:
        wrong.append("there is a trace of Python's")
    if seconds > WITHIN:
        wrong.append(f"it took {seconds:.0f} s")
    wrong += [f"{name} is left" for name in ranks.left()]
    if sorted(folder.rglob("*")) != before:
        wrong.append("files were written")
    return seconds, "".join(said[:1]), wrong


def main() -> int:
    """Run the cases and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--folder", help="where to work; by default a temporary folder")
    given = parser.parse_args()
    failed, slowest = 0, 0.0
    chosen = [case for case in cases() if all(word in case.name for word in given.cases)]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(given.folder or temporary).resolve() / "ranks"
        folder.mkdir(parents=True)
        prepare(folder)
        environment = {"STRIATE_CACHE": str(folder.parent / "cache")}
        for case in chosen:
            seconds, said, wrong = check(case, folder, environment)
            print(f"{case.name:28} {seconds:5.1f} s  {said.removeprefix('striate: ')}", flush=True)
            for one in wrong:
                print(f"    WRONG: {one}", flush=True)
            failed, slowest = failed + bool(wrong), max(slowest, seconds)
    print(f"{len(chosen)} cases, {failed} went wrong; the slowest took {slowest:.1f} s")
    return bool(failed)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--pretend"]:
        sys.exit(pretend(sys.argv[2], sys.argv[3:]))
    sys.exit(main())
