"""`striate tune`: measures which kernels are fastest for a network on this machine."""

from __future__ import annotations

import click

from striate.cli import options
from striate.cli.output import json_line, note
from striate.cli.summary import read_network


@click.command(short_help="Make a network faster on this machine, by measuring.")
@click.argument("file", metavar="MODEL|FILE")
@options.plan_options
@click.option(
    "--seconds",
    type=options.number(0, above=True),
    default=60.0,
    show_default=True,
    metavar="S",
    help="About how long to measure.",
)
@options.output_options
def tune(
    file: str,
    batch_size: int,
    training: bool,
    exact: bool,
    bfloat16: bool,
    threads: int | None,
    input_shape: tuple[int, int, int] | None,
    classes: int | None,
    seconds: float,
    as_json: bool,
    quiet: bool,
) -> None:
    """Measure candidates for each kernel of the network in a model file or in a network file (TOML
    or JSON), and keep those that are faster in the cache, where every later run finds them.  The
    file is not changed.  Nothing else should run meanwhile.
    """
    network, _ = read_network(file, input_shape, classes)
    result = network.tune(
        batch_size=batch_size,
        training=training,
        threads=threads,
        exact=exact,
        bfloat16=bfloat16,
        seconds=seconds,
        progress=lambda words: note(f"measuring: {words}", quiet=quiet),
    )
    if as_json:
        json_line({"file": file, **result.to_dict()})
    else:
        click.echo(str(result))
