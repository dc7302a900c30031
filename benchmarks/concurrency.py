"""Forks and threads: does any child hang, is any number wrong?

    python benchmarks/concurrency.py [--children 100] [--seconds 60] [--threads 8]

Every lock that striate has while networks, filters and the compiler are in use, one after the
other: another thread holds it, and so many children are forked, each of which predicts, filters,
compiles, fits, decodes images, or saves and loads. Then children of a process whose other threads
do one of these things all the time. A child that has not ended correctly after a minute is a
failure. At last so many threads do all of it at once, each in an order of its own; every result is
compared with what was computed alone.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import striate
from striate.common import fork
from striate.nest.thread_pool import thread_pool

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from forked_children import compile_something, held, in_child

RNG = np.random.default_rng(0)
IMAGES = RNG.random((20, 9, 8, 2)).astype(np.float32)
PICTURE = RNG.integers(0, 256, (90, 80, 3)).astype(np.uint8)
Work = Callable[[], object]
_numbers = count(1)


def network() -> striate.Network:
    layers = [striate.Conv2D(6, 3), striate.ReLU(), striate.Flatten(), striate.Dense(4)]
    return striate.Network(layers, input_shape=(9, 8, 2), seed=0)


class Works:
    """What threads and children do, each time with a check of the result."""

    def __init__(self, folder: Path) -> None:
        self.net = network()
        self.frozen = self.net.compile(batch_size=20)
        self.logits = self.net.predict_logits(IMAGES, threads=2)
        self.filtered = striate.filter_image(PICTURE, "mean5")
        self.trained = self.trained_loss()
        self.folder = folder
        for name in ("a", "b"):
            (folder / "photos" / name).mkdir(parents=True)
            for number in range(12):
                pixels = RNG.integers(0, 256, (50 + number, 60, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(folder / "photos" / name / f"{number}.png")

    def predict(self) -> None:
        np.testing.assert_array_equal(self.net.predict_logits(IMAGES, threads=2), self.logits)
        np.testing.assert_allclose(self.frozen(IMAGES), self.logits, rtol=1e-4, atol=1e-6)

    def filter(self) -> None:
        np.testing.assert_array_equal(striate.filter_image(PICTURE, "mean5"), self.filtered)
        striate.convolve(np.ones((50 + next(_numbers) % 90, 300), np.float32), np.eye(5))

    def compile(self) -> None:
        compile_something()

    def trained_loss(self) -> float:
        history = network().fit(IMAGES, np.arange(20) % 4, epochs=1, progress=None, threads=2)
        return float(history[-1].loss)

    def fit(self) -> None:
        assert self.trained_loss() == self.trained

    def decode(self) -> None:
        data = striate.load_data(self.folder / "photos", size=(16, 12), cache=False)
        assert len(data.train_images) + len(data.test_images) == 24

    def save(self) -> None:
        path = self.folder / f"{os.getpid()}-{threading.get_ident()}.safetensors"
        self.net.save(path)
        again = striate.load(path)
        np.testing.assert_array_equal(again.predict_logits(IMAGES), self.logits)
        path.unlink()


@contextmanager
def held_by_turns(lock: Any) -> Iterator[None]:
    """Another thread takes a lock again and again: a fork waits for it."""
    stop = threading.Event()

    def hold() -> None:
        while not stop.is_set():
            with lock:
                time.sleep(0.003)
            time.sleep(0.0005)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def locks() -> dict[str, tuple[Any, Any]]:
    """Every lock there is by its name, with how it is held while children are forked."""
    found = {}
    for number, ((_, name), owner) in enumerate(fork._owned.copy().items()):
        thing = owner()
        if thing is not None:
            kind = getattr(thing, "__name__", type(thing).__name__)
            found[f"{kind}.{name} ({number})"] = (getattr(thing, name), held)
    found["the thread pool's"] = (thread_pool()._lock, held)
    for number, lock in enumerate(fork._finished):
        found[f"waited for ({number})"] = (lock, held_by_turns)
    return found


def at_once(kinds: dict[str, Work], threads: int, seconds: float) -> int:
    """Threads that do things by turns for some seconds; how many found something wrong."""
    end, counts, wrong = time.monotonic() + seconds, dict.fromkeys(kinds, 0), []

    def repeat(seed: int) -> None:
        order = np.random.default_rng(seed)
        try:
            while time.monotonic() < end:
                name = str(order.choice(list(kinds)))
                kinds[name]()
                counts[name] += 1
        except Exception as error:
            wrong.append(f"{type(error).__name__}: {error}")

    running = [threading.Thread(target=repeat, args=(seed,)) for seed in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    told = ", ".join(f"{name} {count}" for name, count in counts.items())
    print(f"{threads} threads for {seconds:.0f} s: {told}", *wrong, flush=True)
    return len(wrong)


@contextmanager
def busy(work: Work) -> Iterator[list[str]]:
    """Two other threads do something all the time; what went wrong there is listed."""
    stop, wrong = threading.Event(), []

    def repeat() -> None:
        try:
            while not stop.is_set():
                work()
        except Exception as error:
            wrong.append(f"{type(error).__name__}: {error}")

    threads = [threading.Thread(target=repeat) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield wrong
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--children", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--threads", type=int, default=8)
    options = parser.parse_args()
    bad = 0
    with tempfile.TemporaryDirectory(prefix="striate-concurrency-") as folder:
        works = Works(Path(folder))
        kinds: dict[str, Work] = {
            name: getattr(works, name)
            for name in ("predict", "filter", "compile", "fit", "decode", "save")
        }
        for work in kinds.values():
            work()

        def children(what: str, wrong: list[str]) -> int:
            begin, turns, ends = time.monotonic(), list(kinds.values()), []
            for number in range(options.children):
                ends.append(in_child(turns[number % len(turns)]))
            told = ", ".join(f"{ends.count(end)} {end}" for end in sorted(set(ends)))
            seconds = time.monotonic() - begin
            print(f"{what:44} {told} in {seconds:.1f} s", *wrong, flush=True)
            return len(ends) - ends.count("done") + len(wrong)

        for name, (lock, how) in locks().items():
            with how(lock):
                bad += children(f"held: {name}", [])
        for name, work in kinds.items():
            with busy(work) as wrong:
                bad += children(f"busy: {name}", wrong)
        bad += at_once(kinds, options.threads, options.seconds)
    print("all were right, no child hung" if not bad else f"{bad} went wrong")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
