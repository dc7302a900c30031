"""One rank: a process that trains by itself."""

from __future__ import annotations

from collections.abc import Sequence

from striate.common.arrays import Array
from striate.common.errors import StriateTypeError
from striate.ranks.exchange import Exchange, Transfer


class Alone(Exchange):
    """Has nobody to talk to, and does nothing."""

    rank, size = 0, 1

    def allgather(self, message: bytes) -> list[bytes]:
        return [message]

    def send(self, array: Array, rank: int, line: int = 0) -> Transfer:
        raise _nobody(rank)

    def receive(self, array: Array, rank: int, line: int = 0) -> Transfer:
        raise _nobody(rank)

    def are_done(self, transfers: Sequence[Transfer]) -> bool:
        return True

    def wait(self, transfers: Sequence[Transfer]) -> None:
        pass

    def broadcast(self, array: Array) -> None:
        pass

    def abort(self) -> None:
        pass


def _nobody(rank: int) -> LookupError:
    return LookupError(f"there is no rank {rank}: this one is alone")


ALONE = Alone()


def checked_exchange(exchange: Exchange | None) -> Exchange:
    """What a caller has given, or the only rank."""
    if exchange is None:
        return ALONE
    if not isinstance(exchange, Exchange):
        raise StriateTypeError(
            f"exchange must be an Exchange, such as striate.ranks.mpi(), not {exchange!r}"
        )
    return exchange
