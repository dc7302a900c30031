"""What a worker does for ranks: look whether they could train there, and run a proxy.

    python -m striate.ranks.launching.on_worker look FOLDER MARK
    python -m striate.ranks.launching.on_worker run COMMAND…

are the two functions for who is reached by a command line. The second one ends its proxy when its
standard input ends, which is when the connection is lost.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from shutil import which

from striate.ranks.mpiexec import installed_program

PYTHON = "STRIATE_RANK_PYTHON"
"""The variable that tells ranks the Python of their worker."""
PROXY = "hydra_pmi_proxy"
_LAST = 2000
"""The last characters of what a proxy says that are kept."""


def look(folder: str, mark: str) -> str:
    """What keeps this machine from training, as the end of a sentence; "" if nothing does.

    Args:
        folder: that of the model, which all must see.
        mark: the name of a file there, by which it is known.
    """
    if find_spec("mpi4py") is None:
        return "has no mpi4py: pip install 'striate[mpi]' there"
    if installed_program(PROXY) is None and which(PROXY) is None:
        return "has no MPICH: pip install 'striate[mpi]' there"
    if not Path(folder, mark).exists():
        return f"does not see the folder of the model, {folder}: put it where all workers do"
    return ""


def run(
    command: Sequence[str], threads: int | None = None, until: Callable[[], object] | None = None
) -> str:
    """Run a proxy of `mpiexec` to its end; "", or what it says if that was no good one.

    Args:
        command: the program, of which this machine may have its own, and its arguments.
        threads: how many each rank may have, if it is not told otherwise.
        until: returns when the proxy is to be ended.
    """
    name, *arguments = command
    own = installed_program(PROXY) or (name if os.path.exists(name) else which(PROXY) or name)
    told = {PYTHON: sys.executable}
    if threads is not None:
        told["OMP_NUM_THREADS"] = str(threads)
    try:
        proxy = subprocess.Popen(
            [own, *arguments],
            env={**os.environ, **told},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
            text=True,
            errors="replace",
        )
    except OSError as error:
        return f"{own} cannot be started ({error.strerror})"
    if until is not None:
        threading.Thread(target=_end_after, args=(until, proxy), daemon=True).start()
    said = proxy.communicate()[1][-_LAST:]
    if proxy.returncode == 0:
        return ""
    last = [line for line in said.splitlines() if line.strip()][-1:]
    return f"its proxy of mpiexec has ended with {proxy.returncode}" + "".join(
        f" ({line.strip()})" for line in last
    )


def _end_after(until: Callable[[], object], proxy: subprocess.Popen[str]) -> None:
    until()
    with suppress(OSError):
        proxy.terminate()


def _end_of_input() -> None:
    while os.read(0, 1):  # not by sys.stdin, whose lock would be held when Python ends
        pass


def main(arguments: Sequence[str]) -> int:
    """One of the two, for who has only a command line."""
    what, *rest = arguments
    said = look(rest[0], rest[1]) if what == "look" else run(rest, until=_end_of_input)
    print(said)
    return 0 if not said else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
