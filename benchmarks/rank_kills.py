"""Kill the ranks of a training at random moments: does it end with the same model all the same?

    python benchmarks/rank_kills.py [KILLS] [--others N] [--signals N] [--seed N] [--folder FOLDER]

Trainings of a few seconds, by 1 to 4 ranks that mpiexec of MPICH has started, are disturbed one to
three times, and go on with --resume and another number of ranks each time, until one is left in
peace. They must end with the very model file that one process makes which nobody disturbs; and
weights, statistics and the optimiser's state must be those that it has after the same step, to the
bit, in each checkpoint that is seen on the way, the one of the last step too.

There are KILLS (50) kills of a random rank by SIGKILL: as it starts, as it compiles, between steps,
while a checkpoint is being written (more than a fifth), and while the model is saved and tested.
That a checkpoint is being written is seen from outside, by the file beside it. Then N others each:
a machine that is lost (its ranks, rank 0 among them, and what has started them there), mpiexec, its
proxy, the command that has started mpiexec (--processes). Then N times SIGTERM each, to one rank,
to mpiexec, to all, as Slurm sends it: how many steps are there after it?

Each disturbed training must end soon, with no process left, nothing half-written, and no trace of
Python's. Linux only. The exit code is 1 if anything went wrong.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import hashlib
import io
import itertools
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from rank_processes import HangError, Ranks, striate

from striate.ranks.mpiexec import on_this_machine

# The first dense layer has 41,472 weights: so many are exchanged during the backward pass, in some
# steps at least, which training takes so to find out whether that is faster.
NETWORK = """
[[layers]]
layer = "Conv2D"
filters = 24
size = 3
[[layers]]
layer = "BatchNorm"
[[layers]]
layer = "ReLU"
[[layers]]
layer = "Flatten"
[[layers]]
layer = "Dense"
units = 48
[[layers]]
layer = "ReLU"
[[layers]]
layer = "Dropout"
rate = 0.2
[[layers]]
layer = "Dense"
units = "classes"
"""
TRAIN = ("train", "digits", "--network")
# Of 1294 images: 18 batches of 70 and one of 34, in five groups each.
COMMON = "--seed 3 --groups 5 --batch-size 70 --validation 0.1 --no-check --quiet"
TRAININGS = {
    "adamw": "--epochs 6 --shift 1 --mixup 0.3",
    "sgd": "--epochs 6 --optimizer sgd --shift 1 --cutout 2 --class-weight 3=2 --patience 3",
    "lamb": "--epochs 6 --optimizer lamb --rotate 10 --warmup-epochs 1",
}
EVERY = 3
"""Steps from one checkpoint to the next."""
MODEL, CHECKPOINT = "model.safetensors", "model.safetensors.checkpoint"
RANKS = (1, 2, 2, 3, 3, 4, 4)
MOMENTS = ("checkpoint", "steps", "start", "checkpoint", "steps", "saving", "compiling", "steps")
SIGNALS = ("one rank", "mpiexec", "all ranks", "all, and what started them")
SOON = 20.0
"""Seconds in which a training has to end that was disturbed."""
AT_ONCE = 1.0
"""Seconds after which no rank goes on whose proxy has been killed."""
MOST_STEPS = 3
"""After a signal: one that was done and is being written down, one under way, and one for ranks
that had told each other already whether a signal had come to them."""


class State(NamedTuple):
    """What a checkpoint says: after which step, and a digest of all that was trained."""

    step: int
    digest: str


def state_of(arrays: dict, values: dict) -> State:
    """The state in a checkpoint: weights, statistics, and the optimiser's numbers."""
    digest = hashlib.sha256(repr(values["optimizer"]).encode())
    for name in sorted(arrays):
        if name.startswith(("now/", "optimizer/")):
            digest.update(name.encode() + arrays[name].tobytes())
    return State(values["step"], digest.hexdigest())


class Reference:
    """What one process makes that nobody disturbs.

    Attributes:
        model: the digest of the model file.
        states: the digest of what was trained, after each step.
    """

    def __init__(self, options: Sequence[str], folder: Path) -> None:
        from striate.cli import app
        from striate.training import checkpoint

        self.states: dict[int, str] = {}
        write = checkpoint.write

        def noted(path: Path, facts: dict, state: checkpoint.TrainingState) -> None:
            self.states.update([state_of(state.arrays, state.values)])
            write(path, facts, state)

        out = folder / MODEL
        checkpoint.write = noted
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                code = app.run([*options, "--threads", "1", "--checkpoint-steps", "1",
                                "--out", str(out)])  # fmt: skip
        finally:
            checkpoint.write = write
        if code:
            raise SystemExit(f"the undisturbed training ended with {code}")
        self.model = hashlib.sha256(out.read_bytes()).hexdigest()
        self.steps = max(self.states)


class Watch:
    """Looks at the folder of a training, from outside."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._seen = folder, 0
        self.states: list[State] = []
        self.problems: list[str] = []

    def look(self) -> State | None:
        """Read the checkpoint if it is another one than before; the last state that was read."""
        from striate.training.checkpoint import CheckpointError, read

        path = self._folder / CHECKPOINT
        try:
            now = path.stat().st_mtime_ns
            if now != self._seen:
                _, state = read(path)
                self.states.append(state_of(state.arrays, state.values))
                self._seen = now
        except FileNotFoundError:
            pass
        except CheckpointError as error:
            if path.exists():  # else it was removed meanwhile
                self.problems.append(str(error))
        return self.states[-1] if self.states else None

    def partial(self) -> list[str]:
        """The files that are not finished."""
        return [entry.name for entry in os.scandir(self._folder) if entry.name.endswith(".partial")]


class Disturbance(NamedTuple):
    """What happens to a training: what to, when, and by which signal."""

    whom: str
    moment: str
    number: int = signal.SIGKILL


class Study:
    """The rounds, in a folder of their own.

    Attributes:
        problems: what went wrong, in words.
        table: how often what happened, by whom and when.
        after: how many steps there were after SIGTERM, by whom it went to.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.random = folder, random.Random(seed)
        self.problems: list[str] = []
        self.table: dict[str, collections.Counter[str]] = collections.defaultdict(
            collections.Counter
        )
        self.after: dict[str, collections.Counter[int]] = collections.defaultdict(
            collections.Counter
        )
        self.ends: collections.Counter[str] = collections.Counter()
        self.slowest = 0.0
        self.rounds = self.shown = 0
        self.cache = folder / "cache"
        os.environ["STRIATE_CACHE"] = str(self.cache)
        (folder / "network.toml").write_text(NETWORK)
        self.options = {
            name: [*TRAIN, str(folder / "network.toml"), *COMMON.split(), *more.split()]
            for name, more in TRAININGS.items()
        }
        self.references = {}
        for name, options in self.options.items():
            place = self._place()
            self.references[name] = Reference(options, place)

    def _place(self) -> Path:
        place = self.folder / "training"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        return place

    def round(self, planned: Iterator[Disturbance]) -> int:
        """Disturb a training with what is planned, once or several times; how often it was hit."""
        self.rounds += 1
        name = self.random.choice([*TRAININGS])
        place, ranks, hits = self._place(), 0, 0
        for disturbance in planned:
            ranks = self.random.choice([one for one in RANKS if one != ranks])
            what = f"round {self.rounds}, {name}, {ranks} ranks, {disturbance}"
            hit, is_done = self._disturb(name, place, ranks, disturbance, what)
            hits += hit
            if is_done or self.random.random() < 0.4:
                break
        ranks = self.random.choice([one for one in RANKS if one != ranks])
        self._finish(name, place, ranks, f"{what}, then {ranks} ranks")
        return hits

    def _start(
        self, name: str, place: Path, ranks: int, whom: str, every: int, cold: bool
    ) -> Ranks:
        """Start a training, in one of the ways that go with who is to be disturbed."""
        options = [*self.options[name], "--out", MODEL, "--resume", "--checkpoint-steps", every]
        cache = self.folder / "cold"
        shutil.rmtree(cache, ignore_errors=True)
        environment = {"STRIATE_CACHE": str(cache if cold else self.cache)}
        if whom == "the command" or (whom == "a rank" and self.random.random() < 0.3):
            command = striate(*options, "--processes", ranks)
            return Ranks(command, place, environment, alone=ranks == 1)
        if ranks == 1 and whom in ("a rank", "one rank", "nobody"):
            return Ranks(striate(*options), place, environment, alone=True)
        # Of several machines each has a proxy of its own.
        machines = (
            ["-hosts", "here,there"] if whom == "a machine" or self.random.random() < 0.3 else []
        )
        start = [*on_this_machine("this study"), *machines, "-n", str(ranks)]
        return Ranks([*start, *striate(*options)], place, environment)

    def _disturb(
        self, name: str, place: Path, ranks: int, given: Disturbance, what: str
    ) -> tuple[bool, bool]:
        """Start a training and disturb it; whether that was in time, and whether it was done."""
        is_kill, had_model = given.number == signal.SIGKILL, (place / MODEL).exists()
        ways = self._start(
            name, place, ranks, given.whom, EVERY if is_kill else 1, given.moment == "compiling"
        )
        watch = Watch(place)
        try:
            victims = self._await(ways, given, watch, self.references[name].steps)
            if ways.has_ended or not victims:
                code = ways.wait()
                self._judge(what, name, place, watch, ways, code == 0, f"ended with {code} before")
                self.table[f"{given.whom}, {given.moment}"]["too late"] += 1
                return False, code == 0
            was_writing, killed = bool(watch.partial()), time.time()
            ways.send(given.number, *victims)
            is_writing, at = bool(watch.partial()), watch.look()
            begin = time.monotonic()
            code = ways.wait(watch.look, SOON)
            watch.look()
            self.slowest = max(self.slowest, time.monotonic() - begin)
        except HangError as error:
            self.problems.append(f"{what}: {error}")
            return False, False
        moment = given.moment
        if moment == "checkpoint" and not (was_writing and (is_writing or watch.partial())):
            moment = "steps"  # it was written by then
        good = self._is_expected(ways, given, code, place)
        self._judge(what, name, place, watch, ways, good, f"ended with {code}")
        is_done = (place / MODEL).exists() and not (place / CHECKPOINT).exists()
        if code and is_done and not had_model and moment != "saving":
            later = (place / MODEL).stat().st_mtime - killed
            # A rank that is by itself may be through before it sees that it should end.
            if later > AT_ONCE:
                self.problems.append(f"{what}: went on to its end, {later:.1f} s later")
        self.table[f"{given.whom}, {moment}"][f"of {ranks}: code {code}"] += 1
        if not is_kill and moment in ("steps", "checkpoint") and at and code == 143:
            more = watch.states[-1].step - at.step
            self.after[given.whom][more] += 1
            if more > MOST_STEPS:
                self.problems.append(f"{what}: {more} steps went on after the signal")
        return code != 0, code == 0

    def _await(self, ways: Ranks, given: Disturbance, watch: Watch, steps: int) -> list[int]:
        """Wait for the moment; the processes that are to be disturbed, none if it is too late."""
        if given.moment in ("start", "compiling"):
            self._until(ways, lambda: len(ways.ranks()))
            if given.moment == "compiling":
                cold = self.folder / "cold"
                self._until(ways, lambda: any(cold.rglob("*.o")) or any(cold.rglob("*.so")))
            time.sleep(self.random.random() * (1.5 if given.moment == "start" else 0.8))
            return self._victims(ways, given.whom)
        self._until(ways, watch.look)
        victims = self._victims(ways, given.whom)
        begun = watch.states[-1].step if watch.states else 0
        if given.moment == "saving":
            self._until(ways, lambda: watch.look().step >= steps - steps % EVERY)
            if self.random.random() < 0.5:
                self._until(ways, watch.partial)
            else:
                time.sleep(self.random.random() * 0.5)
            return victims
        aim = self.random.randint(begun, max(begun, steps - 2 * EVERY))
        self._until(ways, lambda: watch.look().step >= aim)
        if given.moment == "checkpoint":
            self._until(ways, watch.partial)
        else:
            time.sleep(self.random.random() * 0.03)
        return victims

    @staticmethod
    def _until(ways: Ranks, is_so: Callable[[], object]) -> None:
        """Wait until something is so, or the training has ended."""
        until = time.monotonic() + SOON * 4
        while not ways.has_ended and not is_so():
            if time.monotonic() > until:
                ways.end()
                raise HangError(f"has not come so far: {ways.told[-400:]}")
            time.sleep(2e-4)

    def _victims(self, ways: Ranks, whom: str) -> list[int]:
        ranks = ways.ranks()
        if not ranks:
            return []
        any_rank = self.random.choice([*ranks.values()])
        if whom in ("a rank", "one rank"):
            return [any_rank]
        if whom == "all ranks":
            return [*ranks.values()]
        if whom == "all, and what started them":
            return [*ways.processes()]
        if whom == "mpiexec" or whom == "the command":
            return [ways.process.pid]
        proxies = ways.proxies()
        if whom == "a proxy":
            return [self.random.choice(proxies)]
        first = parent(ranks[0]) if 0 in ranks else proxies[0]
        return [first, *(rank for rank in ranks.values() if parent(rank) == first)]

    def _is_expected(self, ways: Ranks, given: Disturbance, code: int, place: Path) -> bool:
        """Whether an exit code is one that tells the truth."""
        if given.number == signal.SIGKILL:
            # Where it was done already, nothing was lost.
            is_done = code == 0 and not (place / CHECKPOINT).exists()
            return code != 0 or is_done
        if given.moment in ("steps", "checkpoint"):
            return code in (143, 0)
        return True

    def _judge(
        self, what: str, name: str, place: Path, watch: Watch, ways: Ranks, good: bool, end: str
    ) -> None:
        """See that nothing is left, torn or other than it is to be."""
        from striate.model.container import Container

        found = [*watch.problems]
        if not good:
            found.append(f"{end}: {ways.told[-400:]}")
        found += [f"{process} is left" for process in ways.left()]
        if "Traceback" in ways.told:
            found.append(ways.told[-800:])
        states = self.references[name].states
        found += [f"is another training after step {state.step}"
                  for state in watch.states if states.get(state.step) != state.digest]  # fmt: skip
        try:
            if (place / MODEL).exists():
                Container(place / MODEL).tensors()
        except Exception as error:
            found.append(str(error))
        self.problems += [f"{what}: {one}" for one in found]

    def _finish(self, name: str, place: Path, ranks: int, what: str) -> None:
        """Let a training go on to its end, and see that it is that of one process."""
        ways, watch, reference = (
            self._start(name, place, ranks, "nobody", EVERY, False),
            Watch(place),
            self.references[name],
        )
        try:
            code = ways.wait(watch.look)
        except HangError as error:
            self.problems.append(f"{what}: {error}")
            return
        self._judge(what, name, place, watch, ways, code == 0, f"ended with {code}")
        if code:
            return
        if hashlib.sha256((place / MODEL).read_bytes()).hexdigest() != reference.model:
            self.problems.append(f"{what}: ended with another model")
        last = reference.steps - reference.steps % EVERY
        if watch.states and watch.states[-1].step < last:
            self.problems.append(f"{what}: its last checkpoint, of step {last}, was not seen")
        self.ends["the last state seen" if watch.states else "no state seen"] += 1
        if names := sorted(path.name for path in place.iterdir() if path.name != MODEL):
            self.problems.append(f"{what}: left {names}")


def parent(number: int) -> int:
    """The process that has started another one."""
    return int(Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[1])


def kills(study: Study, count: int) -> None:
    """Kill random ranks so often, more than a fifth of the times while a checkpoint is written."""
    moments = (Disturbance("a rank", moment) for moment in itertools.cycle(MOMENTS))
    done = 0
    while done < count:
        done += study.round(moments)
        tell(f"{done} of {count} ranks are killed", study)
    written = sum(study.table["a rank, checkpoint"].values())
    if written * 5 < count:
        study.problems.append(
            f"only {written} of {count} kills came while a checkpoint was written"
        )


def each(study: Study, disturbances: Sequence[Disturbance], times: int) -> None:
    """Disturb trainings in each of some ways, so often."""
    for disturbance in disturbances * times:
        study.round(iter([disturbance]))
        tell(f"{disturbance.whom}, {disturbance.moment}", study)


def tell(sentence: str, study: Study) -> None:
    """Show how far it is."""
    print(f"{sentence}; {len(study.problems)} problems", file=sys.stderr)
    print(*study.problems[study.shown :], sep="\n", end="", file=sys.stderr, flush=True)
    study.shown = len(study.problems)


OTHERS = [
    Disturbance(whom, moment)
    for whom in ("a machine", "mpiexec", "a proxy", "the command")
    for moment in ("steps", "start")
]
STOPS = [
    Disturbance(whom, moment, signal.SIGTERM)
    for whom in SIGNALS
    for moment in ("steps", "checkpoint", "compiling", "start", "saving", "steps")
]


def main() -> int:
    """Run the rounds and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kills", nargs="?", type=int, default=50)
    parser.add_argument("--others", type=int, default=2, metavar="N")
    parser.add_argument("--signals", type=int, default=2, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", help="where to work; by default a temporary folder")
    given = parser.parse_args()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(given.folder or temporary).resolve()
        folder.mkdir(exist_ok=True)
        study = Study(folder, given.seed)
        kills(study, given.kills)
        each(study, OTHERS, given.others)
        each(study, STOPS, given.signals)
    for who, codes in sorted(study.table.items()):
        told = ", ".join(f"{number}× {code}" for code, number in sorted(codes.items()))
        print(f"{who:40} {sum(codes.values()):3}   {told}")
    for whom, counts in study.after.items():
        told = ", ".join(f"{more}: {number}×" for more, number in sorted(counts.items()))
        print(f"Steps after SIGTERM to {whom}: {told}")
    print(
        f"{study.rounds} trainings, each ended with the model of one process that nobody disturbs"
        if not study.problems
        else f"{study.rounds} trainings, {len(study.problems)} problems"
    )
    print(f"{dict(study.ends)}; the slowest end took {study.slowest:.1f} s; "
          f"{time.monotonic() - begin:.0f} s in all")  # fmt: skip
    print(*study.problems, sep="\n")
    return bool(study.problems)


if __name__ == "__main__":
    sys.exit(main())
