"""Children that are forked, and what threads do meanwhile: for tests and studies."""

from __future__ import annotations

import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import numpy as np

from striate.nest.algebra import Constant, Nest, Store, Tensor, strides_of
from striate.nest.compiler import compile_nest

LIMIT = 60.0  # seconds that a child may take before it counts as hanging
_values = count(1)


def in_child(work: Callable[[], object]) -> str:
    """What became of a forked child that does some work: "done", "failed", "hangs"."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Python's, about forking with threads
        child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException as error:
            print(f"in a child: {type(error).__name__}: {error}", flush=True)
            os._exit(1)
        os._exit(0)
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return "done" if status == 0 else "failed"
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "hangs"


@contextmanager
def held(lock: Any) -> Iterator[None]:
    """Another thread holds a lock meanwhile."""
    taken, done = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            taken.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    taken.wait()
    try:
        yield
    finally:
        done.set()
        thread.join()


def compile_something() -> None:
    """A kernel that nobody has compiled before."""
    out = np.empty(8, np.float32)
    value = os.getpid() + next(_values) / 1024
    kernel = compile_nest(
        Nest((("i", 8),), (Store(Tensor("out", strides_of({"i": 1})), Constant(value)),))
    )
    kernel(out)
    assert (out == np.float32(value)).all()
