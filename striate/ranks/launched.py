"""How this process was started: as one of many ranks, or by itself.

What starts ranks tells each its number in the environment: `mpiexec` of MPICH and its kin by PMI,
that of Open MPI by names of its own, `srun` by Slurm's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from striate.common.errors import StriateValueError

# The names of the number of ranks and of a rank's own number, and what sets them.
_NAMES = (
    ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "mpiexec of Open MPI"),
    ("MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_RANK", "mpiexec of MVAPICH"),
    ("PMI_SIZE", "PMI_RANK", "mpiexec"),
    ("SLURM_NTASKS", "SLURM_PROCID", "Slurm"),
)


class Launch(NamedTuple):
    """What a process knows of how it was started, before it has talked to others.

    Attributes:
        size: how many ranks there are to be.
        rank: the number of this one.
        by: who says so.
    """

    size: int
    rank: int
    by: str


def launched(environment: Mapping[str, str]) -> Launch | None:
    """How this process was started, by its environment; None by itself."""
    for size, rank, by in _NAMES:
        if environment.get(size, "").isdecimal():
            own = environment.get(rank, "")
            found = Launch(int(environment[size]), int(own) if own.isdecimal() else 0, by)
            # Slurm numbers single tasks, too.
            if found.size > 1 or by != "Slurm":
                return found
    return None


def check_world(size: int, library: str, launch: Launch | None) -> None:
    """Check that all ranks that were started have found each other.

    Args:
        size: how many MPI knows.
        library: the name of the MPI library.
        launch: how this process was started.

    Raises:
        ValueError: MPI knows of this process only, but it is not the only one.
    """
    if launch is None or size > 1 or launch.size == size:
        return
    if launch.by == "Slurm":
        raise StriateValueError(
            f"Slurm has {launch.size} tasks for this job, but each is alone: start them with "
            f"srun --mpi=pmi2 or --mpi=pmix (srun --mpi=list shows which there are), or with "
            "mpiexec; or train in one process with --processes 1"
        )
    raise StriateValueError(
        f"{launch.by} has started {launch.size} ranks, but each is alone: it is not that of the "
        f"library which mpi4py has loaded ({library}); start them with the mpiexec of that one, or "
        "set MPI4PY_LIBMPI to the library of the other"
    )
