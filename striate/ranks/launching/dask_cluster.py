"""The workers of a Dask cluster."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from striate.common.errors import StriateValueError
from striate.common.optional import require
from striate.common.text import reason
from striate.ranks.launching import on_worker
from striate.ranks.launching.cluster import Cluster, RunningProxy, Worker
from striate.ranks.launching.own_address import own_address

if TYPE_CHECKING:
    from distributed import Client, Future

_CONNECTING, _ENDING, _INTERVAL, _KNOWN_FOR = 20.0, 10.0, 0.1, 1.0
"""Seconds."""


class DaskCluster(Cluster):
    """The workers that a scheduler knows; each has one rank, with as many threads as it has.

    Args:
        address: of the scheduler, such as "tcp://host:8786", or the name of its file, "….json".

    Raises:
        ImportError: Dask is not installed.
        ValueError: there is no scheduler.
    """

    kind = "Dask"

    def __init__(self, address: str) -> None:
        require("distributed", "dask", "striate launch --dask")
        from distributed import Client

        given = {"scheduler_file": address} if address.endswith(".json") else {"address": address}
        try:
            self.client: Client = Client(**given, timeout=_CONNECTING, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            raise StriateValueError(
                f"--dask {address}: no scheduler answers there ({reason(error)})"
            ) from error
        self._known: dict[str, Any] = {}
        self._known_until = 0.0

    def workers(self) -> list[Worker]:
        return [Worker(address) for address in sorted(self.known())]

    def known(self) -> Mapping[str, Any]:
        """What the scheduler says of its workers, by their addresses."""
        if time.monotonic() > self._known_until:
            try:
                self._known = dict(self.client.scheduler_info(n_workers=-1)["workers"])
            except (OSError, TimeoutError) as error:
                raise StriateValueError(
                    f"Dask's scheduler does not answer any more ({reason(error)})"
                ) from error
            self._known_until = time.monotonic() + _KNOWN_FOR
        return self._known

    def look(self, workers: Sequence[Worker], folder: str, mark: str) -> Mapping[Worker, str]:
        names = [worker.name for worker in workers]
        # On their event loops: they may be busy with other work.
        found = self.client.run(on_worker.look, folder, mark, workers=names, on_error="return")
        said = {worker: found.get(worker.name, "does not answer") for worker in workers}
        return {
            worker: f"cannot look ({reason(one)})" if isinstance(one, Exception) else str(one)
            for worker, one in said.items()
            if one
        }

    def start(self, worker: Worker, ranks: int, command: Sequence[str]) -> RunningProxy:
        threads = self.known().get(worker.name, {}).get("nthreads", 1)
        future = self.client.submit(
            on_worker.run,
            list(command),
            threads,
            key=f"striate-{uuid.uuid4()}",
            workers=[worker.name],
            allow_other_workers=False,
            retries=0,
        )
        return _DaskProxy(self, worker, future)

    def address(self) -> str | None:
        return own_address(urlsplit(self.client.scheduler.address).hostname or "")

    def __exit__(self, *_: object) -> None:
        self.client.close()


class _DaskProxy(RunningProxy):
    """A task on one worker: should that be lost, Dask would wait for its return."""

    def __init__(self, cluster: DaskCluster, worker: Worker, future: Future) -> None:
        self._cluster, self._worker, self._future = cluster, worker, future

    def failure(self) -> str | None:
        return self._future.result() or None if self._has_returned() else self._loss()

    def end(self) -> str | None:
        until = time.monotonic() + _ENDING
        try:
            while not self._has_returned() and not self._loss() and time.monotonic() < until:
                time.sleep(_INTERVAL)
            return None if self._has_returned() else self._loss() or "does not end its ranks"
        except (StriateValueError, OSError, TimeoutError) as error:
            return f"does not answer any more ({reason(error)})"
        finally:
            self._future.cancel()

    def _has_returned(self) -> bool:
        return bool(self._future.status == "finished")

    def _loss(self) -> str | None:
        if self._future.status == "pending":
            return None if self._worker.name in self._cluster.known() else "the worker is gone"
        error = self._future.exception() if self._future.status == "error" else None
        return f"its task is lost ({self._future.status if error is None else reason(error)})"
