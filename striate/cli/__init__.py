"""The command `striate`, with a module for each of its commands.

Results go to standard output; progress, notes and errors go to standard error. Exit codes: 0 for
success, 2 for bad input (with one sentence that says what was wrong) and for results that cannot
be written, 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP, 141 where nobody reads the
results any more, 1 for a mistake inside striate (with its trace).

Beside the commands: `app` (the group of commands, and exit codes), `options` (types and options
that several commands have), `output` (what is printed), `bar` (progress over files), `clock`,
`output_paths` (where filtered photos are written), `model_output` (where a model is written),
`trained_model` (how it is saved, tested and told), and the reading of arguments: `classifier` (a
model file), `networkfile` (a network written down in TOML or JSON), `labelled` and
`image_arguments` (images for a network).
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

from striate.cli.clock import STARTED

# As in `typing`, which is imported when Ctrl-C is seen to.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

__all__ = ["STARTED", "main"]


def main() -> None:
    """Run the command line and exit with its code."""
    # Until the commands are read there is nothing to be lost; then they see to signals themselves.
    before: dict[int, Any] = {}
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        usual = (signal.SIG_DFL, signal.default_int_handler)
        if number is not None and signal.getsignal(number) in usual:
            before[number] = signal.signal(number, _leave)
    _open_missing_streams()
    from striate.cli.app import run

    for number, handler in before.items():
        signal.signal(number, handler)
    code = run()
    if signal.SIGINT in before:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is all done
    sys.exit(code)


def _leave(number: int, frame: Any) -> NoReturn:
    with suppress(OSError):
        what = b"interrupted" if number == signal.SIGINT else b"ended by a signal"
        os.write(2, b"striate: " + what + b"\n")
    os._exit(128 + number)


def _open_missing_streams() -> None:
    """See that no file that is opened later takes the place of a stream that is closed."""
    with suppress(OSError):
        while (handle := os.open(os.devnull, os.O_RDWR)) <= 2:
            os.set_inheritable(handle, True)
        os.close(handle)
