"""One training by many processes, the ranks, to the same bits whatever their number.

sum_tree        adds vectors in the order of a tree over their places
shared_sum      the same over ranks, each of which has some of the vectors
sum_beside      the same while what is added is still computed
exchange        how ranks talk to each other
alone           one rank
from_first      what one rank finds out, for all
led_work        what one rank asks all to do
joint_findings  what each finds of its own share, for all
agree           whether all have the same, and which has not
mpi_exchange    ranks that MPI connects
gathering       whether those that were started come together
rank_places     which ranks share a machine, and its processors
launched        how a process was started, by its environment
leash           what ends ranks whose proxy is gone
mpiexec         the program that starts them, and a run of it
launching       ranks on the workers of a cluster, started again when some are lost
"""

from __future__ import annotations

from striate.common.optional import require
from striate.ranks.exchange import Exchange, RankError


def mpi() -> Exchange:
    """Connect this process with the others that `mpiexec` or `srun` has started with it.

    All give ``fit(exchange=striate.ranks.mpi())`` the same network, images and settings.  A process
    that was started by itself is the only rank.

    Raises:
        ImportError: mpi4py, or an MPI library, is missing.
        ValueError: there are others, which MPI does not find.
    """
    require("mpi4py", "mpi", "striate.ranks.mpi()")
    from striate.ranks.mpi_exchange import connect

    return connect()


__all__ = ["Exchange", "RankError", "mpi"]
