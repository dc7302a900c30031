"""Children that are forked while other threads hold locks: none hangs."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np
import pytest

import striate
from striate import Conv2D, Dense, Flatten, Network, ReLU, convolve, filter_image
from striate.common import fork
from striate.common.cached_property import cached_property
from striate.nest import compiler, target
from striate.nest.thread_pool import thread_pool
from striate.signal import compiled_sweep
from tests.forked_children import compile_something, held, in_child

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
_values = count(1)


def network() -> Network:
    layers = [Conv2D(6, 3), ReLU(), Flatten(), Dense(4)]
    return Network(layers, input_shape=(9, 8, 2), seed=0)


IMAGES = np.random.default_rng(0).random((20, 9, 8, 2)).astype(np.float32)
PICTURE = np.random.default_rng(0).integers(0, 256, (90, 80, 3)).astype(np.uint8)


def test_every_lock_of_an_object_is_renewed() -> None:
    net = network()
    expected = net.predict_logits(IMAGES)
    frozen = net.compile(batch_size=20)

    def predict() -> None:
        np.testing.assert_array_equal(net.predict_logits(IMAGES), expected)

    def run_frozen() -> None:
        np.testing.assert_allclose(frozen(IMAGES), expected, rtol=1e-4, atol=1e-6)

    filtered = filter_image(PICTURE, "mean5")
    (sweep,) = compiled_sweep._PLANS.values()[-1:]

    def filter_again() -> None:
        np.testing.assert_array_equal(filter_image(PICTURE, "mean5"), filtered)
        filter_image(PICTURE[: os.getpid() % 40 + 30], "mean5")

    run_frozen()
    for lock, work in (
        (net._lock, predict),
        (frozen._lock, run_frozen),
        (sweep._lock, filter_again),
        (compiled_sweep._LOCK, filter_again),
        (compiler._LOCK, compile_something),
        (thread_pool()._lock, predict),
        (thread_pool()._lock, filter_again),
    ):
        with held(lock):
            assert in_child(work) == "done"
        work()  # and the parent goes on as before


def test_a_fork_waits_until_llvm_is_whole() -> None:
    """No lock can be renewed there: what it guards may be half done."""
    taken = threading.Event()

    def hold() -> None:
        with target._LLVM_LOCK:
            taken.set()
            time.sleep(0.3)

    thread = threading.Thread(target=hold)
    thread.start()
    taken.wait()
    assert in_child(compile_something) == "done"
    thread.join()
    compile_something()


@pytest.mark.parametrize("what", ["predict", "compile", "filter", "fit"])
def test_children_of_busy_threads(what: str) -> None:
    net, other = network(), network()
    expected = net.predict_logits(IMAGES, threads=2)
    work: dict[str, Callable[[], object]] = {
        "predict": lambda: np.testing.assert_array_equal(
            net.predict_logits(IMAGES, threads=2), expected
        ),
        "compile": compile_something,
        "filter": lambda: convolve(
            np.ones((50 + next(_values) % 90, 300), np.float32), np.eye(5), method="direct"
        ),
        "fit": lambda: other.fit(IMAGES, np.arange(20) % 4, epochs=1, progress=None),
    }
    stop = threading.Event()

    def busy() -> None:
        while not stop.is_set():
            work[what]()

    threads = [threading.Thread(target=busy) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for name in [what, "predict", "filter", "compile"] * 2:
            if name != "fit":
                assert in_child(work[name]) == "done"
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    work[what]()


def test_a_fork_waits_until_modules_are_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many are imported when something is first needed, by NumPy too."""
    (tmp_path / "imported_slowly.py").write_text("import time\ntime.sleep(0.4)\nwhole = True\n")
    monkeypatch.syspath_prepend(tmp_path)
    thread = threading.Thread(target=lambda: __import__("imported_slowly"))
    thread.start()
    time.sleep(0.1)

    def import_too() -> None:
        assert __import__("imported_slowly").whole

    assert in_child(import_too) == "done"
    thread.join()
    del sys.modules["imported_slowly"]


def test_a_thread_that_forks_with_a_lock_lets_it_go() -> None:
    net = network()
    net.predict_logits(IMAGES)

    def in_callback() -> None:
        assert in_child(lambda: net.predict_logits(IMAGES)) == "done"

    with net._lock:
        in_callback()
    net.predict_logits(IMAGES)


def test_children_have_children() -> None:
    net = network()
    net.predict_logits(IMAGES, threads=2)

    def child() -> None:
        net.predict_logits(IMAGES, threads=2)
        assert in_child(lambda: net.predict_logits(IMAGES, threads=2)) == "done"

    assert in_child(child) == "done"


def test_locks_of_objects_that_are_gone_are_forgotten() -> None:
    gc.collect()
    before = len(fork._owned)
    networks = [network() for _ in range(10)]
    assert len(fork._owned) >= before + 10
    del networks
    gc.collect()
    assert len(fork._owned) <= before


def test_locks_are_renewed_while_objects_are_forgotten() -> None:
    """The collector of garbage may run at any allocation, in the child too."""
    net, lock, usual = network(), None, gc.get_threshold()
    for later in range(0, 60, 5):
        gc.collect()
        gc.disable()
        try:
            for _ in range(30):
                circle = [network()]
                circle.append(circle)  # only the collector takes such apart
            del circle
            lock = net._lock
            gc.set_threshold(gc.get_count()[0] + later)
            gc.enable()

            def check(old: object = lock) -> None:
                assert net._lock is not old

            assert in_child(check) == "done"
        finally:
            gc.set_threshold(*usual)
            gc.enable()


def test_no_lock_is_made_otherwise() -> None:
    """Each lock and pool of the package is renewed, or says here why it need not be."""
    allowed = {
        "common/fork.py",  # makes them
        "nest/target.py",  # a fork waits for LLVM's
        "nest/thread_pool.py",  # belongs to a pool, which a child makes anew
        "data/worker_pool.py",  # lives as long as one call
    }
    root = Path(striate.__file__).parent
    found = {
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        if "threading.Lock()" in (text := path.read_text()) or "threading.RLock()" in text
    }
    assert found <= allowed
    assert sys.modules["striate.nest.compiler"]._LOCK is compiler._LOCK


def test_no_property_is_computed_behind_a_lock_of_pythons() -> None:
    root = Path(striate.__file__).parent
    using = [path.name for path in root.rglob("*.py") if "@functools.cached" in path.read_text()]
    assert using == []


def test_a_property_is_computed_once_for_each_object() -> None:
    class Thing:
        """It has a property."""

        def __init__(self, number: int) -> None:
            self.number, self.times = number, 0

        @cached_property
        def double(self) -> int:
            """Twice the number."""
            self.times += 1
            return 2 * self.number

    for number in (3, 4):
        thing = Thing(number)
        assert (thing.double, thing.double, thing.times) == (2 * number, 2 * number, 1)
    assert Thing.double.__doc__ == "Twice the number."
