"""The nodes of a Ray cluster."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from striate.common.errors import StriateValueError
from striate.common.optional import require
from striate.common.stop_signals import NAMES
from striate.common.text import reason
from striate.ranks.launching import on_worker
from striate.ranks.launching.cluster import Cluster, RunningProxy, Worker

_CONNECTING, _LOOKING, _ENDING = 10.0, 60.0, 10.0
"""Seconds."""


class RayCluster(Cluster):
    """The nodes of Ray; each has one rank if nothing else is said, and at most one per processor.

    Args:
        address: that of the cluster; "auto" for that to which this machine belongs, "local" for a
            new one on this machine.

    Raises:
        ImportError: Ray is not installed.
        ValueError: there is no such cluster.
    """

    kind = "Ray"

    def __init__(self, address: str) -> None:
        require("ray", "ray", "striate launch --ray")
        import ray

        self._ray: Any = ray
        try:
            _check_that_it_answers(address)
            with _own_signals():
                ray.init(address, log_to_driver=False, logging_level="ERROR")
        except (OSError, ValueError, RuntimeError) as error:
            raise StriateValueError(
                f"--ray {address}: there is no cluster ({reason(error)}); start one with ray start "
                '--head, or try it out with "--ray local"'
            ) from error

    def workers(self) -> list[Worker]:
        found = []
        for node in self._ray.nodes():
            processors = int(node["Resources"].get("CPU", 0))
            if node["Alive"] and processors:
                name = node["NodeManagerAddress"]
                found.append(Worker(name, most=processors, key=node["NodeID"]))
        return sorted(found)

    def look(self, workers: Sequence[Worker], folder: str, mark: str) -> Mapping[Worker, str]:
        asked = {w: self._submitted(w, 0, on_worker.look, folder, mark) for w in workers}
        if asked:
            self._ray.wait(list(asked.values()), num_returns=len(asked), timeout=_LOOKING)
        found = {
            worker: "".join(self.returned(task)) if self.has_ended(task) else "does not answer"
            for worker, task in asked.items()
        }
        return {worker: said for worker, said in found.items() if said}

    def start(self, worker: Worker, ranks: int, command: Sequence[str]) -> RunningProxy:
        threads = max(1, worker.most // ranks)
        task = self._submitted(worker, ranks * threads, on_worker.run, list(command), threads)
        return _RayProxy(self, task)

    def address(self) -> str | None:
        return str(self._ray.util.get_node_ip_address())

    def __exit__(self, *_: object) -> None:
        self._ray.shutdown()

    def has_ended(self, task: Any, seconds: float = 0.0) -> bool:
        """Whether a task has ended, after so long at most."""
        return bool(self._ray.wait([task], timeout=seconds)[0])

    def returned(self, task: Any) -> tuple[str, str]:
        """What a task that has ended has returned, and why it has not."""
        try:
            return str(self._ray.get(task)), ""
        except self._ray.exceptions.RayError as error:
            last = [line for line in str(error).splitlines() if line.strip()][-1:]
            return "", f"its task is lost ({''.join(last).strip() or type(error).__name__})"

    def cancel(self, task: Any) -> None:
        """End a task that does not end by itself."""
        self._ray.cancel(task, force=True)

    def _submitted(self, worker: Worker, processors: int, function: Any, *arguments: Any) -> Any:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        there = NodeAffinitySchedulingStrategy(worker.key, soft=False)
        given = {"num_cpus": processors, "max_retries": 0, "scheduling_strategy": there}
        return self._ray.remote(**given)(function).remote(*arguments)


class _RayProxy(RunningProxy):
    """A task on a node, which occupies the processors of its ranks."""

    def __init__(self, cluster: RayCluster, task: Any) -> None:
        self._cluster, self._task = cluster, task

    def failure(self) -> str | None:
        if not self._cluster.has_ended(self._task):
            return None
        return "".join(self._cluster.returned(self._task)) or None

    def end(self) -> str | None:
        if self._cluster.has_ended(self._task, _ENDING):
            return self._cluster.returned(self._task)[1] or None
        self._cluster.cancel(self._task)
        return "does not end its ranks"


def _check_that_it_answers(address: str) -> None:
    """Raise OSError if nobody listens at an address "host:port": Ray would ask for minutes."""
    host, _, port = address.rpartition(":")
    if port.isdecimal() and "/" not in host:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECTING).close()


@contextmanager
def _own_signals() -> Iterator[None]:
    """A context after which signals are handled as before: Ray would have them itself."""
    before = {number: signal.getsignal(number) for number in (getattr(signal, n) for n in NAMES)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
