"""`striate train` by several processes: as one of many ranks, or as the one that starts them."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress

import click

from striate.cli import options
from striate.cli.output import error_line
from striate.common.errors import StriateError, StriateValueError
from striate.common.optional import require
from striate.common.stop_signals import InterruptHandler, Stopped
from striate.ranks.alone import ALONE
from striate.ranks.exchange import Exchange
from striate.ranks.gathering import end_all
from striate.ranks.launched import Launch, launched
from striate.ranks.mpiexec import OWN_CODES, STARTER, MpiexecRun, on_this_machine

_REFUSED = 2
_FIRST_SPEAKS = 1.0
"""Seconds for which others wait with what they have to say: the first one's end is theirs too."""


class RankCommand(options.ResumableCommand):
    """A command that ranks carry out together: the first one says what is wrong with arguments."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        with _unconnected(launched(os.environ)):
            return super().parse_args(ctx, args)


def has_to_start(processes: int | None) -> bool:
    """Whether this process is to start others, instead of being one of them."""
    return processes is not None and processes > 1 and launched(os.environ) is None


@contextmanager
def as_rank(processes: int | None) -> Iterator[Exchange]:
    """A context in which this process is one of the ranks that were started, or the only one.

    All ranks leave it together. The first one alone is heard; what others raise, it says.

    Args:
        processes: how many there are to be, if the user says it.

    Raises:
        ClickException: there are not as many.
    """
    launch = launched(os.environ)
    if launch is None or (launch.by == "Slurm" and processes == 1):
        yield ALONE
        return
    from striate.ranks import mpi

    if launch.rank == 0 and os.environ.get(STARTER):
        threading.Thread(target=_end_with_starter, daemon=True).start()
    with _unconnected(launch):
        exchange = mpi()
    try:
        with _heard(exchange.is_first), _telling(exchange):
            _check_number(launch, processes)
            yield exchange
        exchange.meet()  # the first one may still save and test; nobody meets it after that
    except (click.ClickException, StriateError, OSError):
        if exchange.is_first:
            raise
        raise click.exceptions.Exit(_REFUSED) from None
    except Stopped as stopped:
        if exchange.is_first:
            raise
        raise click.exceptions.Exit(128 + stopped.number) from None


def _end_with_starter() -> None:
    """Stop this rank, and with it all, when the command that has started them is no more: then
    standard input, which mpiexec hands on to the first rank, ends.
    """
    with suppress(OSError):
        while os.read(0, 1):
            pass
    os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def _unconnected(launch: Launch | None) -> Iterator[None]:
    """A context in which ranks do not know each other yet: what fails on one, it says itself, and
    ends all. What fails on all the first one says, before the others do.
    """
    try:
        yield
    except click.exceptions.Exit:
        raise
    except BaseException as error:
        if launch is None:
            raise
        known = isinstance(error, click.ClickException | StriateError | OSError)
        if launch.rank > 0:
            time.sleep(_FIRST_SPEAKS)
        atexit.register(end_all)  # once it is said
        if launch.rank == 0 or not known:
            raise
        said = error.format_message() if isinstance(error, click.ClickException) else str(error)
        raise click.ClickException(f"rank {launch.rank}: {said}") from None


def _check_number(launch: Launch, processes: int | None) -> None:
    if processes is not None and processes != launch.size:
        raise click.ClickException(
            f"--processes {processes}: {launch.by} has started {launch.size}; leave --processes "
            "out, it is for a command that starts them itself"
        )


@contextmanager
def _heard(is_first: bool) -> Iterator[None]:
    """A context in which a rank that is not the first one prints nothing."""
    if is_first:
        yield
        return
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        yield


@contextmanager
def _telling(exchange: Exchange) -> Iterator[None]:
    """A context whose errors the other ranks get to know, in the words of the command line."""
    try:
        yield
    except click.ClickException as error:
        exchange.fail(StriateValueError(error.format_message()))
        raise
    except BaseException as error:
        exchange.fail(error)
        raise


def start_ranks(processes: int, arguments: Sequence[str]) -> int:
    """Start processes that carry out a command together, and return its exit code.

    Args:
        processes: how many.
        arguments: those of the command line, without the program.
    """
    require("mpi4py", "mpi", f"--processes {processes}")
    command = [*on_this_machine("--processes"), "-n", str(processes)]
    command += [sys.executable, "-m", "striate", *arguments]
    # The first rank's standard input is open while this process lives, see `_end_with_starter`.
    with InterruptHandler() as stop, MpiexecRun(command) as run:
        code = run.wait(stop)
    if code not in OWN_CODES:
        error_line(
            f"one of the {processes} processes was ended from outside, and with it all; the same "
            "command with --resume goes on from the last checkpoint, with any number of them"
        )
        return _REFUSED
    return code
