"""Kill striate at random moments, and see that nothing is lost, torn or left over.

    python benchmarks/kills.py [KILLS] [--seed N] [--folder FOLDER]

Each round starts one of the jobs below, ends it at a random moment by SIGKILL, SIGTERM, SIGHUP or
SIGINT, and looks at every file: models, checkpoints, pages, kernels and what was measured must be
whole. Then the job runs again (trainings with --resume, and some of them are killed again first):
it must end with the very bytes of a run that nobody disturbed, and neither an unfinished file nor a
checkpoint may be left in its folder or in the cache. KILLS is 200 by default; the same seed gives
the same jobs, signals and shares of the time that a job takes.

The last line is JSON. The exit code is 1 if anything went wrong.
"""

from __future__ import annotations

import argparse
import collections
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SIGNALS = ("SIGKILL", "SIGTERM", "SIGHUP", "SIGINT")
NETWORK = """
[[layers]]
layer = "Conv2D"
filters = 16
size = 3
[[layers]]
layer = "BatchNorm"
[[layers]]
layer = "ReLU"
[[layers]]
layer = "Flatten"
[[layers]]
layer = "Dropout"
rate = 0.2
[[layers]]
layer = "Dense"
units = "classes"
"""
SAVING = """
import sys
from striate.layers import Dense, Flatten
from striate.network import Network
network = Network([Flatten(), Dense(1000)], input_shape=(40, 40, 1), seed=0)
for _ in range(20):
    network.save("model.safetensors")
"""
# Python itself ends so on a signal that comes before any program of its begins.
STARTING = {"SIGTERM": -15, "SIGHUP": -1, "SIGINT": -2}
TRACES = ("Traceback", "Exception ignored", "Error processing", "Fatal Python error")


@dataclass(frozen=True)
class Job:
    """Something to kill.

    Attributes:
        command: after "python".
        again: after "python", for the run that follows a kill; None for the same.
        cold: whether its cache is empty at the start, so that it is also killed while it caches.
        results: which files count, by the pattern of their names.
    """

    command: tuple[str, ...]
    again: tuple[str, ...] | None = None
    cold: bool = False
    results: str = "*"


def _training(source: str, *more: str, cold: bool = False) -> Job:
    command = ("-m", "striate", "train", source, "--network", "../network.toml")
    command += ("--out", "model.safetensors", "--seed", "3", *more)
    return Job(command, (*command, "--resume"), cold)


JOBS = {
    "digits": _training("digits", "--epochs", "40", "--checkpoint-every", "2"),
    "digits, by time": _training("digits", "--epochs", "60"),
    "digits, early stopping": _training(
        "digits", "--epochs", "40", "--patience", "20", "--checkpoint-every", "1", "--crop", "1"
    ),
    "folder": _training(
        "../images", "--epochs", "150", "--checkpoint-every", "10", "--augment", "--shift", "1"
    ),
    "folder, empty cache": _training(
        "../images", "--epochs", "30", "--checkpoint-every", "5", cold=True
    ),
    "saving": Job(("-c", SAVING)),
    "report": Job(
        (
            "-m",
            "striate",
            "report",
            "../model.safetensors",
            "digits",
            "--out",
            "page.html",
            "--kernels",
            "kernels",
            "--images",
            "4",
            "--megabytes",
            "4",
        ),
    ),
    "tune": Job(
        ("-m", "striate", "tune", "../network.toml", "--input-shape", "8x8x1", "--seconds", "1"),
        cold=True,
        results="",
    ),
}


class Kills:
    """The rounds, in a folder of their own.

    Attributes:
        problems: what went wrong, in words.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.random = folder, random.Random(seed)
        self.problems: list[str] = []
        self.count = 0
        self.seconds: dict[str, float] = {}
        self.expected: dict[str, dict[str, str]] = {}
        self.ends: collections.Counter[str] = collections.Counter()
        (folder / "network.toml").write_text(NETWORK)
        draw_images(folder / "images")

    def prepare(self, names: Sequence[str]) -> None:
        """Run each job undisturbed, and keep how long it takes and what it gives."""
        place = self._new("digits")
        self._finish(JOBS["digits"].command, place)
        shutil.copy(place / "model.safetensors", self.folder)
        for name in names:
            place = self._new(name)
            if not JOBS[name].cold:
                self._finish(JOBS[name].command, place)  # which fills the cache
                place = self._new(name)
            begin = time.monotonic()
            self._finish(JOBS[name].command, place, JOBS[name].cold)
            self.seconds[name] = time.monotonic() - begin
            self.expected[name] = hashes(place, JOBS[name].results)

    def round(self, name: str) -> None:
        """Kill a job once or several times, and let it end."""
        job, place = JOBS[name], self._new(name)
        command = job.command
        for kill in range(self.random.choice((1, 1, 2, 3))):
            how = self.random.choice(SIGNALS)
            share = self.random.random()
            done = self._kill(command, place, job.cold and not kill, how, share, name)
            what = f"{name}, {how} after {share:.0%} ({self.count})"
            self._look(place, what)
            if done:
                break
            command = job.again or job.command
        code, told = self._run(command, place)
        if code:
            self.problems.append(f"{what}: the next run ended with {code}: {told[-300:]}")
            return
        self._look(place, what)
        if hashes(place, job.results) != self.expected[name]:
            self.problems.append(f"{what}: the next run ended with other files")
        left = [
            str(path)
            for path in (*place.rglob("*"), *self._cache(place).rglob("*"))
            if path.name.endswith((".partial", ".checkpoint"))
        ]
        if left:
            self.problems.append(f"{what}: the next run left {left}")

    def _new(self, name: str) -> Path:
        place = self.folder / name.replace(" ", "-").replace(",", "")
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        return place

    def _cache(self, place: Path) -> Path:
        # What is tuned may change the bits of what is trained later with the same cache.
        return self.folder / ("cache-of-tune" if place.name == "tune" else "cache")

    def _start(self, command: Sequence[str], place: Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *command],
            cwd=place,
            env={**os.environ, "STRIATE_CACHE": str(self._cache(place))},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _run(self, command: Sequence[str], place: Path) -> tuple[int, str]:
        process = self._start(command, place)
        told = process.communicate(timeout=300)[1]
        return process.returncode, told

    def _finish(self, command: Sequence[str], place: Path, cold: bool = False) -> None:
        if cold:
            shutil.rmtree(self._cache(place), ignore_errors=True)
        code, told = self._run([*command], place)
        if code:
            raise SystemExit(f"{command} ended with {code}:\n{told}")

    def _kill(
        self, command: Sequence[str], place: Path, cold: bool, how: str, share: float, name: str
    ) -> bool:
        """Start a job and kill it; whether it was done before that."""
        if cold:
            shutil.rmtree(self._cache(place), ignore_errors=True)
        process = self._start(command, place)
        time.sleep(share * self.seconds[name])
        self.count += 1
        number = getattr(signal, how)
        process.send_signal(number)
        told = process.communicate(timeout=300)[1]
        code = process.returncode
        self.ends[f"{how} {code}"] += 1
        usual = {0, -number} if how == "SIGKILL" else {0, 128 + number, STARTING[how]}
        # Before `main` has begun, Python ends by its own trace, or loses Ctrl-C in a callback; then
        # nothing has been told before.
        early = how == "SIGINT" and code in (0, 1) and told.startswith(TRACES)
        early = early and "KeyboardInterrupt" in told and ", in main" not in told
        traced = "Traceback" in told and code not in STARTING.values()
        if not early and (code not in usual or traced):
            self.problems.append(f"{name}, {how} after {share:.0%}: {code}: {told[-500:]}")
        return code == 0

    def _look(self, place: Path, what: str) -> None:
        """See that every file is whole."""
        for path in (*place.rglob("*"), *self._cache(place).rglob("*")):
            check = CHECKS.get(path.suffix)
            if check is not None and not path.name.endswith(".partial"):
                try:
                    check(path)
                except Exception as error:
                    self.problems.append(f"{what}: {path.name} is not whole: {error}")


def _model(path: Path) -> None:
    from striate.network import load

    load(path)


def _checkpoint(path: Path) -> None:
    from striate.training.checkpoint import read

    read(path)


def _page(path: Path) -> None:
    if not path.read_text("utf-8").rstrip().endswith("</html>"):
        raise ValueError("it has no end")


CHECKS: dict[str, Callable[[Path], object]] = {
    ".safetensors": _model,
    ".checkpoint": _checkpoint,
    ".html": _page,
    ".json": lambda path: json.loads(path.read_bytes()),
    ".txt": np.loadtxt,
}


def hashes(place: Path, pattern: str) -> dict[str, str]:
    """The digest of each file in a folder, by its name."""
    return {
        str(path.relative_to(place)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(place.rglob(pattern) if pattern else ())
        if path.is_file()
    }


def draw_images(folder: Path) -> None:
    """Write 120 small images of three classes, always the same ones."""
    from PIL import Image

    draw = np.random.default_rng(0)
    for label, name in enumerate(("left", "middle", "right")):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(40):
            pixels = draw.integers(0, 120, (12, 12, 3), dtype=np.uint8)
            pixels[:, 4 * label : 4 * label + 4] += 100
            Image.fromarray(pixels).save(folder / name / f"{number}.png")


def main() -> int:
    """Run the rounds and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kills", nargs="?", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", nargs="*", default=[*JOBS], choices=[*JOBS])
    parser.add_argument("--folder", help="where to work; by default a temporary folder")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(given.folder or temporary)
        folder.mkdir(exist_ok=True)
        kills = Kills(folder, given.seed)
        begin = time.monotonic()
        kills.prepare(given.jobs)
        rounds = 0
        while kills.count < given.kills:
            kills.round(given.jobs[rounds % len(given.jobs)])
            rounds += 1
            print(f"\r{kills.count} kills, {len(kills.problems)} problems", end="", file=sys.stderr)
    print(file=sys.stderr)
    for problem in kills.problems:
        print(problem)
    print(
        json.dumps(
            {
                "kills": kills.count,
                "rounds": rounds,
                "problems": len(kills.problems),
                "ends": dict(sorted(kills.ends.items())),
                "seconds": round(time.monotonic() - begin, 1),
            }
        )
    )
    return bool(kills.problems)


if __name__ == "__main__":
    sys.exit(main())
