"""One rank: a process that trains by itself."""

from __future__ import annotations

from collections.abc import Sequence

from striate.common.arrays import Array, Floats
from striate.common.errors import StriateTypeError
from striate.ranks.exchange import Exchange


class Alone(Exchange):
    """Has nobody to talk to, and does nothing."""

    rank, size = 0, 1

    def allgather(self, message: bytes) -> list[bytes]:
        return [message]

    def alltoallv(
        self, sent: Floats, sizes: Sequence[int], received: Floats, received_sizes: Sequence[int]
    ) -> None:
        received[...] = sent

    def allgatherv(self, whole: Floats, sizes: Sequence[int]) -> None:
        pass

    def broadcast(self, array: Array) -> None:
        pass

    def abort(self) -> None:
        pass


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
