"""Does one training end with the same bits, however many ranks there are, and whatever starts them?

    python benchmarks/rank_hashes.py [--data FOLDER] [--openmpi PREFIX] [--quick] [--only WORD]

Each case below is a training by a recipe of striate, on some images and for few steps, with one
more thing that has to be shared: validation, early stopping, weights of classes, an augmentation of
the user's own, partial batches. Its SHA-256 is over the weights, the running statistics, all that
the optimiser has kept, and the figures of all epochs. Each way to start ranks trains all cases: one
process, with 1 and 2 threads; 2, 3, 4 and 8 ranks with 1 and 2 threads each, by MPICH's mpiexec and
by Open MPI's; ranks in two network namespaces, joined by TCP. Then there is what a clock decides,
by the command line: --minutes. All hashes of a case must be the same: the exit code is 1 otherwise.

FOLDER has `mnist`, the folder of MNIST's IDX files, and `cifar10-jpeg.tar`, class folders in a tar;
PREFIX is where Open MPI is (bin/mpiexec, lib/libmpi.so), such as a virtual environment of its own
with the package openmpi. What needs something that is not there is named as skipped. --quick takes
a few of the ways only; --only, those with a word in their name. A way that takes longer than
--patience is taken to hang. All take some ten minutes on two processors.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rank_machines import WHO, two_machines, why_no_machines

from striate.ranks.mpiexec import program

if TYPE_CHECKING:
    from striate.ranks.exchange import Exchange

QUICK = (
    "one process, 1 thread",
    "MPICH, 2 ranks × 1",
    "MPICH, 3 ranks × 1",
    "Open MPI, 2 ranks × 1",
)


# --- what is trained -----------------------------------------------------------------------------


def noisy(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An augmentation of the user's own."""
    return np.clip(images + rng.integers(-9, 10, images.shape), 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Case:
    """A training.

    Attributes:
        name: what is special about it.
        source: which images, and so which recipe: the name of a file of them.
        images: how many are trained on.
        epochs: how often, at most.
        options: of `fit`, in place of those of the recipe.
        searches: whether the learning rate is searched first.
    """

    name: str
    source: str
    images: int
    epochs: int = 2
    options: Mapping[str, Any] = field(default_factory=dict)
    searches: bool = False


CASES = (
    Case("digits: 4 groups", "digits", 300, options={"groups": 4}),
    # Of 64, and a last one of 8 images, with fewer groups than there are ranks.
    Case("digits: a partial last batch", "digits", 264, options={"groups": 8}),
    Case("digits: groups that do not divide evenly", "digits", 301, options={"groups": 5}),
    Case("digits: more ranks than groups", "digits", 300, options={"groups": 2}),
    Case("digits: one group", "digits", 300, epochs=1, options={"groups": 1}),
    Case(
        "digits: validation and early stopping", "digits", 330, 9,
        {"groups": 4, "validation_fraction": 0.2, "early_stopping": 1, "learning_rate": 0.02},
    ),
    Case("digits: weights of classes", "digits", 300,
         options={"groups": 4, "class_weight": {3: 2.0, 5: 0.5, 7: 0.0}}),
    Case("digits: balanced, with mixup", "digits", 300,
         options={"groups": 4, "class_weight": "balanced", "augment": {"shift": 1, "mixup": 0.3}}),
    Case("digits: an augmentation of the user", "digits", 300,
         options={"groups": 4, "augment": noisy}),
    Case("digits: portable", "digits", 300, options={"groups": 4, "portable": True}),
    Case("digits: a learning rate that is searched", "digits", 300, options={"groups": 4},
         searches=True),
    Case("MNIST: validation", "mnist", 500, 1, {"groups": 8, "validation_fraction": 0.2}),
    Case("MNIST: portable, groups that do not divide evenly", "mnist", 330, 1,
         {"groups": 6, "portable": True}),
    Case("CIFAR-10: the recipe", "cifar", 300, 1, {"groups": 8}),
    # Of 12 steps: large arrays are exchanged during the backward pass in four of them, or more.
    Case("CIFAR-10: exchanged meanwhile", "cifar", 384, 1, {"groups": 8, "batch_size": 32}),
    Case("CIFAR-10: validation, weights of classes", "cifar", 400, 1,
         {"groups": 4, "batch_size": 128, "validation_fraction": 0.2, "class_weight": "balanced"}),
)  # fmt: skip


def trained(case: Case, folder: Path, exchange: Exchange, threads: int) -> dict[str, Any]:
    """The SHA-256 of what a training ends with, and how many epochs it took."""
    from striate.network import Network
    from striate.training import recipes

    with np.load(folder / f"{case.source}.npz") as file:
        images, labels, all_of_them = file["X"][: case.images], file["y"], int(file["count"])
    recipe = recipes.choose(images.shape[1:], 10, all_of_them)
    network, settings = recipe.build(Network), recipe.training
    optimizer = settings.make_optimizer()
    common = {"seed": 5, "threads": threads, "exchange": exchange}
    arguments = settings.arguments() | {"optimizer": optimizer, "weight_decay": None}
    arguments |= {**case.options, **common}
    if case.searches:
        names = ("batch_size", "groups", "optimizer", "loss", "augment", *common)
        curve = network.find_learning_rate(
            images, labels[: case.images], steps=30, **{name: arguments[name] for name in names}
        )
        arguments["learning_rate"] = curve.suggestion
    history = network.fit(
        images, labels[: case.images], **arguments | {"epochs": case.epochs, "progress": False}
    )
    digest = hashlib.sha256()
    kept = optimizer.arrays()
    for array in (network.flat, network.state_flat, *(kept[name] for name in sorted(kept))):
        digest.update(np.ascontiguousarray(array).tobytes())
    figures = [(row.loss, row.accuracy, row.val_loss, row.val_accuracy) for row in history]
    told = [sorted(kept), optimizer.steps, figures, history.stopped_by, history.best_epoch]
    digest.update(json.dumps([*told, arguments["learning_rate"]]).encode())
    return {"hash": digest.hexdigest(), "epochs": len(history.rows)}


def rank(options: argparse.Namespace) -> None:
    """One of the ranks of a way: trains all cases; the first one prints a line for each."""
    from striate.ranks import mpi
    from striate.ranks.alone import ALONE

    exchange = ALONE if options.alone else mpi()
    if exchange.size != options.ranks:
        raise SystemExit(f"{exchange.size} ranks have found each other, not {options.ranks}")
    for case in _cases_in(options.folder):
        found = trained(case, options.folder, exchange, options.threads)
        if exchange.is_first:
            print(json.dumps({"case": case.name, **found}), flush=True)


def _cases_in(folder: Path) -> list[Case]:
    return [case for case in CASES if (folder / f"{case.source}.npz").exists()]


def write_images(folder: Path, data: Path | None) -> list[str]:
    """Put the images that the cases need into files; return what was skipped, and why."""
    from striate import data as striate_data

    skipped = []
    sources = {"digits": "digits", "mnist": "mnist", "cifar": "cifar10-jpeg.tar"}
    for name, source in sources.items():
        found: Any = source if name == "digits" else data and data / source
        if found is None or not (name == "digits" or found.exists()):
            where = "give --data FOLDER" if data is None else f"{data} has no {source}"
            skipped.append(f"the cases of {name}: {where}")
            continue
        dataset = striate_data.load(found)
        most = max(case.images for case in CASES if case.source == name)
        # From all over: a folder's images are in the order of their classes.
        rows = np.random.default_rng(0).permutation(len(dataset.train_images))[:most]
        images = np.stack([np.asarray(dataset.train_images[row]) for row in rows.tolist()])
        count = len(dataset.train_images)
        np.savez(folder / name, X=images, y=dataset.train_labels[rows], count=count)
    return skipped


# --- how ranks are started -----------------------------------------------------------------------


@dataclass(frozen=True)
class Way:
    """A way to start ranks.

    Attributes:
        name: in words.
        start: the command before that of a rank.
        ranks, threads: how many ranks, and threads of each.
        environment: of the ranks.
    """

    name: str
    start: Sequence[str]
    ranks: int
    threads: int
    environment: Mapping[str, str] = field(default_factory=dict)

    def command(self, folder: Path) -> list[str]:
        """The whole command."""
        own = ["--rank", "--folder", str(folder), "--ranks", str(self.ranks)]
        alone = [] if self.start else ["--alone"]
        threads = ["--threads", str(self.threads)]
        return [*self.start, sys.executable, __file__, *own, *threads, *alone]


def ways(stack: ExitStack, openmpi: Path | None) -> Iterator[Way | str]:
    """All ways to start ranks; in place of those that there are not here, what is missing."""
    for threads in (1, 2):
        yield Way(f"one process, {threads} thread{'s' * (threads > 1)}", [], 1, threads)
    if importlib.util.find_spec("mpi4py") is None:
        yield "all ways with ranks: pip install 'striate[mpi]'"
        return
    yield from _each("MPICH", lambda ranks: [program("mpiexec", WHO), "-n", str(ranks)], {})
    if openmpi is None:
        yield "Open MPI: give --openmpi PREFIX"
    elif not (openmpi / "bin" / "mpiexec").exists():
        yield f"Open MPI: {openmpi} has no bin/mpiexec"
    else:
        # The threads of a rank may use more than one processor.
        given = [str(openmpi / "bin" / "mpiexec"), "--oversubscribe", "--bind-to", "none"]
        given += ["--allow-run-as-root"] * (os.geteuid() == 0)
        # Beside the library there are links to it, which in a wheel are short files.
        library = max((openmpi / "lib").glob("libmpi.so*"), key=lambda path: path.stat().st_size)
        libraries = {"MPI4PY_LIBMPI": str(library)}
        yield from _each("Open MPI", lambda ranks: [*given, "-n", str(ranks)], libraries)
    missing = why_no_machines()
    if missing is not None:
        yield f"TCP between two network namespaces: {missing}"
        return
    start, environment = stack.enter_context(two_machines())
    for ranks in (2, 4):
        name = f"TCP between two namespaces, {ranks} ranks × 1"
        yield Way(name, [*start, "-n", str(ranks)], ranks, 1, environment)


def _each(
    name: str, start: Callable[[int], list[str]], environment: Mapping[str, str]
) -> Iterator[Way]:
    for ranks in (1, 2, 3, 4, 8):
        for threads in (1, 2):
            of_each = f"{name}, {ranks} rank{'s' * (ranks > 1)} × {threads}"
            yield Way(of_each, start(ranks), ranks, threads, environment)


def run(way: Way, folder: Path, patience: float) -> dict[str, dict[str, Any]] | str:
    """What a way has found of each case, or what went wrong."""
    found: dict[str, dict[str, Any]] = {}
    process = subprocess.Popen(
        way.command(folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", **way.environment}, start_new_session=True,
    )  # fmt: skip
    try:
        out, err = process.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        err += f"\nhas not ended in {patience:.0f} s"
    for line in out.splitlines():
        if line.startswith('{"case"'):
            told = json.loads(line)
            found[told.pop("case")] = told
    if process.returncode or len(found) < len(_cases_in(folder)):
        last = [line for line in err.strip().splitlines() if line.strip()][-3:]
        return f"code {process.returncode} after {len(found)} cases: " + " | ".join(last)
    return found


# --- what a clock decides ------------------------------------------------------------------------


def minutes_are_those_of_the_first(folder: Path) -> str | None:
    """Whether ranks that choose by the time end with the model of one process that is given what
    they have chosen; what went wrong, if anything did.
    """
    from striate.model import files

    common = [sys.executable, "-m", "striate", "train", "digits", "--no-check", "--quiet",
              "--groups", "4", "--out"]  # fmt: skip
    timed, given = folder / "timed.safetensors", folder / "given.safetensors"
    subprocess.run([*common, timed, "--minutes", "0.2", "--processes", "3"], check=True,
                   stdout=subprocess.DEVNULL)  # fmt: skip
    plan = files.information(timed)["plan"]
    chosen = ["--network-width", str(plan["network_width"]), "--epochs", str(plan["epochs"])]
    subprocess.run([*common, given, *chosen], check=True, stdout=subprocess.DEVNULL)
    hashes = [_model_hash(path) for path in (timed, given)]
    told = f"3 ranks chose width {plan['network_width']:g} and {plan['epochs']} epochs"
    print(f"--minutes: {told}: {hashes[0][:16]}; one process, given these: {hashes[1][:16]}")
    return None if hashes[0] == hashes[1] else "--minutes: another model"


def _model_hash(path: Path) -> str:
    from striate.network import load

    network = load(path)
    return hashlib.sha256(network.flat.tobytes() + network.state_flat.tobytes()).hexdigest()


# --- all of it -----------------------------------------------------------------------------------


def study(options: argparse.Namespace) -> int:
    """Run all, and tell; the exit code."""
    begin, wrong, count = time.monotonic(), 0, 0
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        folder = Path(temporary)
        skipped = write_images(folder, options.data)
        expected: dict[str, dict[str, Any]] = {}
        for way in ways(stack, options.openmpi):
            if isinstance(way, str):
                skipped.append(way)
                continue
            if expected and not _is_wanted(way.name, options):
                continue
            since = time.monotonic()
            found = run(way, folder, options.patience)
            seconds = time.monotonic() - since
            if isinstance(found, str):
                print(f"{way.name:40} FAILED, {found}", flush=True)
                wrong += 1
                if not expected:
                    return 1  # there is nothing to compare others with
                continue
            if not expected:
                expected = found
                for name, told in found.items():
                    print(f"  {told['hash'][:16]}  {name} ({told['epochs']} epochs)")
            others = [name for name, told in found.items() if told != expected[name]]
            count, wrong = count + len(found), wrong + len(others)
            told = "OTHERS: " + "; ".join(others) if others else "the same"
            print(f"{way.name:40} {len(found)} hashes, {told} ({seconds:.0f} s)", flush=True)
        if importlib.util.find_spec("mpi4py") is not None and not options.only:
            problem = minutes_are_those_of_the_first(folder)
            wrong += problem is not None
    for one in skipped:
        print(f"skipped: {one}")
    whole = hashlib.sha256(json.dumps(expected, sort_keys=True).encode()).hexdigest()
    minutes = (time.monotonic() - begin) / 60
    told = f"{count} hashes of {len(expected)} cases, {wrong} wrong, in {minutes:.1f} minutes"
    print(f"{told}; of all together {whole[:16]}")
    return int(wrong > 0)


def _is_wanted(name: str, options: argparse.Namespace) -> bool:
    if options.only:
        return options.only in name
    return not options.quick or name in QUICK or name.startswith("TCP")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, metavar="FOLDER")
    parser.add_argument("--openmpi", type=Path, metavar="PREFIX")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", metavar="WORD")
    parser.add_argument("--patience", type=float, default=400.0, metavar="SECONDS")
    for name in ("--rank", "--alone"):
        parser.add_argument(name, action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    for name in ("--ranks", "--threads"):
        parser.add_argument(name, type=int, default=1, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.rank:
        rank(options)
        return 0
    return study(options)


if __name__ == "__main__":
    sys.exit(main())
