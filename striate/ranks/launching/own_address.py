"""By which address others find this machine."""

from __future__ import annotations

import socket
from contextlib import suppress


def own_address(other: str) -> str | None:
    """The address of this machine that another one, by its name or address, sees; None if that is
    not known.
    """
    with suppress(OSError):
        family, kind, _, _, address = socket.getaddrinfo(other, 9, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as asked:
            asked.connect(address)  # which sends nothing
            return str(asked.getsockname()[0])
    return None
