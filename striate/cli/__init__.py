"""The command `striate`, with a module for each of its commands.

Results go to standard output; progress, notes and errors go to standard error. Exit codes: 0 for
success, 2 for bad input (with one sentence that says what was wrong), 130 after Ctrl-C, 1 for a
mistake inside striate (with its trace).

Beside the commands: `app` (the group of commands, and exit codes), `options` (types and options
that several commands have), `output` (what is printed), `bar` (progress over files), `clock`,
`output_paths` (where filtered photos are written), and the reading of arguments: `classifier` (a
model file), `networkfile` (a network written down in TOML or JSON), `labelled` and
`image_arguments` (images for a network).
"""

from striate.cli.clock import STARTED

__all__ = ["STARTED", "main"]


def main() -> None:
    """Run the command line and exit with its code."""
    from striate.cli.app import run

    raise SystemExit(run())
