"""Ranks that are connected by MPI, through mpi4py."""

from __future__ import annotations

import atexit
import functools
import os
import time
from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.common.arrays import Array
from striate.common.errors import StriateImportError
from striate.ranks.exchange import Exchange, Transfer
from striate.ranks.gathering import gathering, has_starter
from striate.ranks.launched import check_world, launched
from striate.ranks.leash import end_with_parent
from striate.ranks.rank_places import settle

if TYPE_CHECKING:
    from mpi4py import MPI

_FRAME, _HEAD = 256, 8
"""The bytes of a message that is sent at once, of which the first ones say how long it is."""
_SPINNING, _PAUSE = 5e-3, 2e-4
"""Seconds: who waits asks again and again, and then after so long a sleep each. Others that work
longer, or alone, have the processor."""
_LOOKS = 8
"""How often a look at transfers is taken at once: each lets some 64 KiB go on, so that with few
looks a fast line would be idle until the next ones."""
_EXIT_CODE = 2


class MPIExchange(Exchange):
    """The ranks of an MPI world.

    Args:
        world: of mpi4py; it is duplicated, so that nobody else's messages come between.
    """

    def __init__(self, world: MPI.Intracomm) -> None:
        from mpi4py import MPI

        self._mpi, self._world = MPI, world.Dup()
        self.rank, self.size = self._world.rank, self._world.size
        self.allows_threads = MPI.Query_thread() >= MPI.THREAD_SERIALIZED
        settle(self)

    def allgather(self, message: bytes) -> list[bytes]:
        frame = np.zeros(_FRAME, np.uint8)
        frame[:_HEAD].view("<i8")[0] = len(message)
        room = _FRAME - _HEAD
        frame[_HEAD : _HEAD + len(message)] = np.frombuffer(message[:room], np.uint8)
        frames = np.empty((self.size, _FRAME), np.uint8)
        with self.moving():
            self._wait(self._world.Iallgather(frame, frames))
            lengths = [int(one[:_HEAD].view("<i8")[0]) for one in frames]
            if max(lengths) <= room:
                return [
                    one[_HEAD : _HEAD + length].tobytes()
                    for one, length in zip(frames, lengths, strict=True)
                ]
            whole = np.empty(sum(lengths), np.uint8)
            own = np.frombuffer(message, np.uint8)
            places = _starts(lengths)
            self._wait(self._world.Iallgatherv(own, [whole, lengths, places, self._mpi.BYTE]))
        return [
            whole[start : start + length].tobytes()
            for start, length in zip(places, lengths, strict=True)
        ]

    def send(self, array: Array, rank: int, line: int = 0) -> Transfer:
        return self._world.Isend([array, self._mpi.BYTE], rank, line)

    def receive(self, array: Array, rank: int, line: int = 0) -> Transfer:
        return self._world.Irecv([array, self._mpi.BYTE], rank, line)

    def are_done(self, transfers: Sequence[Transfer]) -> bool:
        return any(self._mpi.Request.Testall(transfers) for _ in range(_LOOKS))

    def wait(self, transfers: Sequence[Transfer]) -> None:
        self._mpi.Request.Waitall(transfers)

    def broadcast(self, array: Array) -> None:
        self._world.Bcast(array)

    def abort(self) -> None:
        self._world.Abort(_EXIT_CODE)

    def _wait(self, request: Any) -> None:
        until = time.perf_counter() + _SPINNING
        while not request.Test():
            if time.perf_counter() > until:
                time.sleep(_PAUSE)


@functools.cache
def connect() -> MPIExchange:
    """Connect this process with all others that were started with it, once.

    Raises:
        ImportError: there is no MPI library.
        ValueError: it does not find the others.
    """
    launch = launched(os.environ)
    if launch is not None and has_starter(launch):
        end_with_parent()
    with gathering(launch):
        try:
            from mpi4py import MPI
        except (ImportError, RuntimeError) as error:
            raise StriateImportError(
                "mpi4py finds no MPI library: pip install 'striate[mpi]' brings MPICH, or set "
                "MPI4PY_LIBMPI to the library of the mpiexec that starts the ranks"
            ) from error
        library = MPI.Get_library_version().split("\n")[0].strip("\0 ,")
        check_world(MPI.COMM_WORLD.size, library, launch)
        exchange = MPIExchange(MPI.COMM_WORLD)
    atexit.register(exchange.leave)
    return exchange


def _starts(sizes: Sequence[int]) -> list[int]:
    """Where parts of some sizes begin that follow each other."""
    return [0, *accumulate(sizes)][:-1]
