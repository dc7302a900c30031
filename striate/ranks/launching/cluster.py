"""What ranks are started on: workers, each of which can look around and run one proxy.

`mpiexec` of MPICH starts a *proxy* on each worker, which starts the ranks there, passes on what
they print, and ends them when it loses `mpiexec`. A cluster need only carry a command line to a
worker, and tell when it has ended.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from striate.common.errors import StriateValueError
from striate.common.text import counted


class Worker(NamedTuple):
    """Where ranks can be started.

    Attributes:
        name: by which people know it.
        ranks: how many to start there, if nothing is said.
        most: how many there may be.
        key: by which the cluster knows it, if not by its name.
    """

    name: str
    ranks: int = 1
    most: int = 1
    key: str = ""


class RunningProxy(ABC):
    """A proxy on a worker."""

    @abstractmethod
    def failure(self) -> str | None:
        """Why it has ended, or its worker is lost; None while it runs, and if it has ended well."""

    @abstractmethod
    def end(self) -> str | None:
        """Wait for its end, and see to it that it comes: its ranks have ended, or `mpiexec` has.
        Return why the worker is lost, if it is; how the proxy has ended does not matter any more.
        """


class Cluster(ABC):
    """Workers that are reached in one way; a context, which leaves nothing behind there.

    Attributes:
        kind: such as "Dask", for messages.
    """

    kind: str

    def __enter__(self) -> Cluster:
        return self

    @abstractmethod
    def __exit__(self, *_: object) -> None:
        """Let the cluster go."""

    @abstractmethod
    def workers(self) -> list[Worker]:
        """Those that are believed to be there now.

        Raises:
            ValueError: the cluster itself cannot be reached.
        """

    @abstractmethod
    def look(self, workers: Sequence[Worker], folder: str, mark: str) -> Mapping[Worker, str]:
        """What keeps workers from training: a sentence for each that cannot, see `on_worker.look`.
        A worker that does not answer cannot.
        """

    @abstractmethod
    def start(self, worker: Worker, ranks: int, command: Sequence[str]) -> RunningProxy:
        """Run a proxy.

        Args:
            worker: where.
            ranks: how many it will start.
            command: the program and its arguments.
        """

    @abstractmethod
    def address(self) -> str | None:
        """The address of this machine by which the workers find it; None: its name does."""


def dealt(workers: Sequence[Worker], ranks: int | None) -> dict[Worker, int]:
    """How many ranks to start on each worker; those without any are left out.

    Args:
        workers: in the order in which they are used, first as many ranks as is usual for each.
        ranks: how many in all; None: what is usual.

    Raises:
        ValueError: there is not enough room.
    """
    if ranks is None:
        return {worker: worker.ranks for worker in workers}
    found = dict.fromkeys(workers, 0)
    for worker in workers:
        found[worker] = min(worker.ranks, ranks - sum(found.values()))
    while sum(found.values()) < ranks:
        free = [worker for worker in workers if found[worker] < worker.most]
        if not free:
            raise StriateValueError(
                f"there is room for {counted(sum(found.values()), 'rank')} only on "
                f"{counted(len(workers), 'worker')}, not for {ranks}: give a lower --ranks, or "
                "more workers"
            )
        least = min(free, key=lambda worker: found[worker])
        found[least] += 1
    return {worker: count for worker, count in found.items() if count}
