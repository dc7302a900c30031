"""Decodes many image files at once, on all cores.

Pillow decodes without Python's interpreter lock, so for photographs threads are enough. A small
image, though, spends nearly all its time in Python, and there two threads are slower than one;
so many small files go to worker processes: fresh interpreters that are told paths over a pipe and
answer with pixels. They are not made with `multiprocessing`, which would run the user's script
a second time where it lacks the ``if __name__ == "__main__"`` guard.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import asdict
from typing import IO, Any

import numpy as np

from striate.common.threads import available_processors
from striate.data.decode import Chunk, Source, WantedImages, decode_chunk
from striate.data.stored_images import StoredImage, from_json, size_of, to_json

# Worker processes take about 0.2 s to start: they pay for many files that are not large. The sizes
# are means in bytes, measured with JPEG: one of 8 KiB has about 128 × 128 pixels.
MANY_FILES = 4000
LARGE_FILE = 32_768
TINY_FILE = 8192
_CHUNK = 256  # files at a time, at most
_CHUNK_BYTES = 1 << 24  # of their pixels, at most: several chunks are under way

_START = "import sys, json; sys.path[:] = json.loads(sys.argv[1]); "
_START += "from striate.data.worker_pool import serve; serve()"


def crew(paths: Sequence[Source]) -> tuple[int, bool]:
    """Return how many workers decode these files fastest, and whether they are processes.

    Pictures that are already opened stay in this process.
    """
    if not all(isinstance(path, str | StoredImage) for path in paths):
        return available_processors(), False
    sample = paths[:: max(1, len(paths) // 100)]
    total = 0
    for path in sample:
        with suppress(OSError):
            total += size_of(path)  # type: ignore[arg-type]
    size = total / max(1, len(sample))
    processors = available_processors()
    if processors > 1 and len(paths) >= MANY_FILES and size <= LARGE_FILE:
        return processors, True
    return (1 if size <= TINY_FILE else processors), False


def at_most(chosen: tuple[int, bool], most: int | None) -> tuple[int, bool]:
    """Return a `crew` with no more workers than that; None for no limit."""
    workers, processes = chosen
    return (workers if most is None else min(workers, most)), processes


def decode_all(
    paths: Sequence[Source],
    target: WantedImages,
    take: Callable[[int, Chunk], None],
    *,
    workers: int = 1,
    processes: bool = False,
) -> None:
    """Decode the files and hand each chunk to `take`, in the order of `paths`.

    Args:
        paths: image files and pictures.
        target: what the images are to become.
        take: called in this thread with the index of the chunk's first file, and the chunk;
            what it raises ends the work.
        workers: how many threads or processes; see `crew`.
        processes: use worker processes. Where one cannot be started or dies, a thread of this
            process does its work.
    """
    with closing(Crew(workers, processes)) as crew:
        for start, chunk in crew.decode(paths, target):
            take(start, chunk)


class Crew:
    """Threads, or processes, that decode one list of files after the other until `close`.

    Args:
        workers: how many.
        processes: whether they are processes; see `decode_all`.
    """

    def __init__(self, workers: int = 1, processes: bool = False) -> None:
        self.workers = workers
        self._helpers = _Helpers() if processes else None
        self._executor = ThreadPoolExecutor(workers, "striate-decode")

    def decode(self, paths: Sequence[Source], target: WantedImages) -> Iterator[tuple[int, Chunk]]:
        """Yield the index of its first file and each chunk, in the order of `paths`."""
        one = max(1, target.height * target.width * target.channels)
        most = min(_CHUNK, max(1, _CHUNK_BYTES // one))
        step = min(most, max(1, len(paths) // (self.workers * 8)))
        starts = range(0, len(paths), step)
        helpers = self._helpers

        def work(start: int) -> Chunk:
            files = paths[start : start + step]
            return helpers.decode(files, target) if helpers else decode_chunk(files, target)

        # A few chunks ahead only: what is decoded but not yet taken costs memory.
        ahead = 2 * self.workers
        waiting = deque(self._executor.submit(work, start) for start in starts[:ahead])
        for place, start in enumerate(starts):
            chunk = waiting.popleft().result()
            if place + ahead < len(starts):
                waiting.append(self._executor.submit(work, starts[place + ahead]))
            yield start, chunk

    def close(self) -> None:
        """End all threads and processes."""
        self._executor.shutdown(wait=True, cancel_futures=True)
        if self._helpers:
            self._helpers.close()


class _Helpers:
    """Worker processes, one for each thread that asks."""

    def __init__(self) -> None:
        self._own = threading.local()
        self._all: list[subprocess.Popen[bytes]] = []
        self._lock = threading.Lock()

    def decode(self, paths: Sequence[Source], target: WantedImages) -> Chunk:
        """Decode in this thread's process, or here where it does not work."""
        try:
            process = self._process()
            if process.stdin is None or process.stdout is None:
                raise OSError("the worker process has no pipes")
            places = [to_json(path) for path in paths]  # type: ignore[arg-type]
            request = json.dumps({"paths": places, "target": asdict(target)})
            process.stdin.write(request.encode() + b"\n")
            process.stdin.flush()
            return _read_chunk(process.stdout)
        except (OSError, ValueError, KeyError, TypeError, EOFError):
            self._stop(getattr(self._own, "process", None))
            return decode_chunk(paths, target)

    def close(self) -> None:
        """End all worker processes."""
        for process in self._all:
            self._stop(process)

    def _process(self) -> subprocess.Popen[bytes]:
        process: subprocess.Popen[bytes] | None = getattr(self._own, "process", None)
        if process is None:
            if not sys.executable or getattr(sys, "frozen", False):
                raise OSError("no Python interpreter to start")
            process = subprocess.Popen(
                [sys.executable, "-c", _START, json.dumps(sys.path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                # NumPy need not start threads of its own there.
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            )
            with self._lock:
                self._all.append(process)
            self._own.process = process
        return process

    @staticmethod
    def _stop(process: subprocess.Popen[bytes] | None) -> None:
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        # It ends by itself at the end of its input, unless it hangs.
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def serve(
    requests: IO[bytes] | None = None,
    answers: IO[bytes] | None = None,
    decode: Callable[[Sequence[Source], WantedImages], Chunk] = decode_chunk,
) -> None:
    """Answer requests, one JSON line each, until their end: what a worker process runs."""
    if requests is None or answers is None:
        import signal

        # Ctrl-C reaches the whole process group; the parent decides what happens then.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        requests, answers = sys.stdin.buffer, sys.stdout.buffer
    for line in requests:
        request = json.loads(line)
        paths = [from_json(place) for place in request["paths"]]
        _write_chunk(answers, decode(paths, WantedImages(**request["target"])))


def _write_chunk(stream: IO[bytes], chunk: Chunk) -> None:
    """Write a line of JSON, then the pixels."""
    head: dict[str, Any] = {
        "shape": chunk.images.shape,
        "sizes": chunk.sizes.tolist(),
        "states": chunk.states.tolist(),
        "peaks": chunk.peaks.tolist(),
        "remarks": chunk.remarks.tolist(),
        "coloured": chunk.coloured,
        "errors": chunk.errors,
    }
    stream.write(json.dumps(head).encode() + b"\n")
    stream.write(chunk.images.data)
    stream.flush()


def _read_chunk(stream: IO[bytes]) -> Chunk:
    """Read what `_write_chunk` wrote; EOFError, ValueError or KeyError if it is cut off."""
    head = json.loads(stream.readline())
    images = np.empty(head["shape"], np.uint8)
    data = stream.read(images.nbytes)
    if len(data) != images.nbytes:
        raise EOFError("the worker process ended early")
    images.reshape(-1)[:] = np.frombuffer(data, np.uint8)
    return Chunk(
        images=images,
        sizes=np.array(head["sizes"], np.int32).reshape(-1, 2),
        states=np.array(head["states"], np.uint8),
        peaks=np.array(head["peaks"], np.int32),
        remarks=np.array(head["remarks"], np.uint8),
        coloured=bool(head["coloured"]),
        errors=[(int(index), str(error)) for index, error in head["errors"]],
    )
