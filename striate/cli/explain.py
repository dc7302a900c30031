"""`striate explain`: shows how the compiled engine computes a network."""

from __future__ import annotations

import click

from striate.cli import options
from striate.cli.output import json_line
from striate.cli.summary import read_network


@click.command(short_help="Show how a network is computed, and how fast.")
@click.argument("file", metavar="MODEL|FILE")
@options.plan_options
@click.option("--portable", is_flag=True, help="Sums in the order that all processors share.")
@click.option("--measure", is_flag=True, help="Run it too, and tell how fast each kernel is.")
@options.output_options
def explain(
    file: str,
    batch_size: int,
    training: bool,
    exact: bool,
    bfloat16: bool,
    portable: bool,
    threads: int | None,
    input_shape: tuple[int, int, int] | None,
    classes: int | None,
    measure: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Print what the compiler decided for the network in a model file or in a network file (TOML
    or JSON), and why: what fills the vectors, the algorithm of each layer, every kernel in order
    with its loops, and memory.
    """
    network, _ = read_network(file, input_shape, classes)
    explained = network.explain(
        batch_size=batch_size,
        training=training,
        threads=threads,
        exact=exact,
        bfloat16=bfloat16,
        portable=portable,
        measure=measure,
    )
    if as_json:
        json_line({"file": file, **explained.to_dict()})
    else:
        click.echo(str(explained))
