"""The group of commands, and the one place where errors become exit codes."""

from __future__ import annotations

import errno
import os
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TextIO, cast

import click

from striate.cli import help_texts
from striate.cli.check import check
from striate.cli.convolve import convolve
from striate.cli.derive import derive
from striate.cli.evaluate import evaluate
from striate.cli.explain import explain
from striate.cli.export import export
from striate.cli.filter import filter_command
from striate.cli.gradients import gradients
from striate.cli.import_network import import_network
from striate.cli.inspect import inspect
from striate.cli.lab import lab
from striate.cli.launch import launch
from striate.cli.output import error_line, note, one_line
from striate.cli.pool import pool
from striate.cli.predict import predict
from striate.cli.report import report
from striate.cli.size import size
from striate.cli.stroke import stroke
from striate.cli.summary import summary
from striate.cli.train import train
from striate.cli.tune import tune
from striate.cli.verify import verify
from striate.common.errors import StriateError
from striate.common.stop_signals import Stopped, stopping_at_once
from striate.common.terminal import PLAIN, SafeStream
from striate.common.text import reason
from striate.common.version import __version__

OK, BUG, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
# As the shell tells of programs that the end of a pipe's reader has killed.
NOBODY_READS = 141


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    invoke_without_command=True,
)
@click.version_option(__version__, prog_name="striate", message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """Train, test, save and use convolutional networks for images.

    Start with:  striate train digits
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


for command in (
    train, launch, check, evaluate, predict, report, summary, inspect, explain, tune, lab, convolve,
    filter_command, size, pool, gradients, stroke, derive, import_network, export, verify,
):  # fmt: skip
    cli.add_command(command)
if sys.flags.optimize > 1:
    help_texts.restore(cli)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line `arguments` (default: the process's own) and return the exit code.

    A signal to stop ends it with 128 and its number: 130, 143, 129.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    with _streams() as results:
        try:
            with stopping_at_once():
                code = _run(given)
        except Stopped as stopped:
            error_line("interrupted" if stopped.number == 2 else f"ended by {stopped}")
            code = 128 + stopped.number
        except (click.Abort, KeyboardInterrupt):
            error_line("interrupted")
            code = INTERRUPTED
        results.flush()
        if results.failure is not None and code == OK:
            code = _lost(results.failure)
    return code


def _run(given: list[str]) -> int:
    try:
        # Not by cli.main, which has its own exit codes for Ctrl-C and broken pipes.
        with _short_warnings(), cli.make_context("striate", list(given), obj=given) as context:
            code = cli.invoke(context)
    except click.exceptions.Exit as leaving:  # after --help and --version
        return leaving.exit_code
    except click.UsageError as error:
        where = f" (see {error.ctx.command_path} --help)" if error.ctx else ""
        return _fail(error.format_message().rstrip(".") + where)
    except click.ClickException as error:
        return _fail(error.format_message())
    # What striate refuses on purpose, and what the system refuses. Their messages are written for
    # users; what a message cannot explain, STRIATE_TRACEBACK=1 shows.
    except (StriateError, OSError) as error:
        if os.environ.get("STRIATE_TRACEBACK"):
            raise
        return _fail(_said_by_the_system(error) if isinstance(error, OSError) else str(error))
    except MemoryError:
        return _fail("there is not enough memory for this; try smaller images or batches")
    except click.Abort:
        raise
    except Exception:  # anything else is a mistake of striate's own
        if os.environ.get("STRIATE_TRACEBACK"):
            raise
        return _bug()
    return code if isinstance(code, int) else OK


def _said_by_the_system(error: OSError) -> str:
    """The sentence of an error of the system that nothing below has put into words."""
    names = [str(name) for name in (error.filename, error.filename2) if name is not None]
    return ": ".join([*names, reason(error)])


def _fail(message: str) -> int:
    error_line(message)
    return BAD_INPUT


def _lost(failure: Exception) -> int:
    """Say, but to those who closed the pipe themselves, that results did not arrive."""
    if isinstance(failure, OSError) and failure.errno == errno.EPIPE:
        return NOBODY_READS
    return _fail(f"the results could not be written to standard output ({reason(failure)})")


def _bug() -> int:
    """Say that the exception at hand is striate's fault, with what its authors need to know."""
    click.echo(traceback.format_exc().rstrip(), err=True)
    error_line(
        f"this is a bug in striate {__version__}, not a mistake of yours; please report it with "
        "the lines above and the command that you gave"
    )
    return BUG


@contextmanager
def _short_warnings() -> Iterator[None]:
    """Print warnings as one line each, without the place in the code."""

    def show(message: Warning | str, *_: object, **__: object) -> None:
        note(f"Note: {one_line(str(message))}")

    with warnings.catch_warnings():
        warnings.showwarning = show
        # Pillow warns of harmless oddities, such as damaged notes of a camera; errors are errors.
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


@contextmanager
def _streams() -> Iterator[SafeStream]:
    """Standard output, of which is known whether all arrived, and standard error, which ends no
    work; for the time of the block both are in place of the process's own.
    """
    own = sys.stdout, sys.stderr
    safe = SafeStream(own[0]), SafeStream(own[1])
    for stream in own:
        # Names that the terminal cannot show become escapes, instead of failures.
        with suppress(AttributeError, ValueError):
            stream.reconfigure(errors=PLAIN)  # type: ignore[union-attr]
    sys.stdout, sys.stderr = cast(TextIO, safe[0]), cast(TextIO, safe[1])
    try:
        yield safe[0]
    finally:
        sys.stdout, sys.stderr = own
        for stream, used in zip(own, safe, strict=True):
            used.flush()
            if used.failure is not None and stream is not None:
                # Python would fail to write the rest when the process ends.
                with suppress(OSError, ValueError):
                    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
