"""The command ``striate``: train, evaluate, predict, summary.

Results go to standard output; progress, notes and errors go to standard error. Exit codes: 0 for
success, 2 for bad input (with one sentence that says what was wrong), 130 after Ctrl-C.
"""

from striate.cli.clock import STARTED

__all__ = ["STARTED", "main"]


def main() -> None:
    """Run the command line and exit with its code."""
    from striate.cli.app import run

    raise SystemExit(run())
