"""The group of commands, and the one place where errors become exit codes."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress

import click

from striate.cli.convolve import convolve
from striate.cli.derive import derive
from striate.cli.evaluate import evaluate
from striate.cli.explain import explain
from striate.cli.filter import filter_command
from striate.cli.gradients import gradients
from striate.cli.inspect import inspect
from striate.cli.output import error_line
from striate.cli.predict import predict
from striate.cli.report import report
from striate.cli.size import size
from striate.cli.stroke import stroke
from striate.cli.summary import summary
from striate.cli.train import train
from striate.cli.tune import tune
from striate.common.errors import StriateError
from striate.common.text import reason
from striate.common.version import __version__

OK, BUG, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


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
    train, evaluate, predict, report, summary, inspect, explain, tune, convolve, filter_command,
    size, gradients, stroke, derive,
):  # fmt: skip
    cli.add_command(command)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line `arguments` (default: the process's own) and return the exit code."""
    _print_anything()
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        # Not by cli.main, which has its own exit codes for Ctrl-C and broken pipes.
        with cli.make_context("striate", given) as context:
            code = cli.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as leaving:  # after --help and --version
        return leaving.exit_code
    except click.UsageError as error:
        where = f" (see {error.ctx.command_path} --help)" if error.ctx else ""
        return _fail(error.format_message().rstrip(".") + where)
    except click.ClickException as error:
        return _fail(error.format_message())
    except (click.Abort, KeyboardInterrupt):
        error_line("interrupted")
        return INTERRUPTED
    except BrokenPipeError:  # the reader, such as `head`, has closed the pipe
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    # What striate refuses on purpose, and what the system refuses. Their messages are written for
    # users; what a message cannot explain, STRIATE_TRACEBACK=1 shows.
    except (StriateError, OSError) as error:
        if os.environ.get("STRIATE_TRACEBACK"):
            raise
        return _fail(_said_by_the_system(error) if isinstance(error, OSError) else str(error))
    except MemoryError:
        return _fail("there is not enough memory for this; try smaller images or batches")
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


def _bug() -> int:
    """Say that the exception at hand is striate's fault, with what its authors need to know."""
    click.echo(traceback.format_exc().rstrip(), err=True)
    error_line(
        f"this is a bug in striate {__version__}, not a mistake of yours; please report it with "
        "the lines above and the command that you gave"
    )
    return BUG


def _print_anything() -> None:
    """Print names that the terminal cannot show with escapes, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
