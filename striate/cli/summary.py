"""`striate summary`: shows a network layer by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from striate.cli import networkfile, options
from striate.cli.output import json_line, note, one_line
from striate.common.text import sizes
from striate.model import files
from striate.network import load

if TYPE_CHECKING:
    from striate.network import Network


@click.command(short_help="Show a network layer by layer.")
@click.argument("file", metavar="MODEL|FILE")
@click.option("--out", "-o", metavar="FILE", help="Draw the architecture, too: .png, .svg, .pdf.")
@options.network_file_options
@options.output_options
def summary(
    file: str,
    out: str | None,
    input_shape: tuple[int, int, int] | None,
    classes: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Print each layer's output shape, parameters, multiply-adds, activation memory and receptive
    field, of the network in a model file or in a network file (TOML or JSON), or of one of the
    published architectures: striate summary resnet50.
    """
    if out is not None:
        from striate.inspect.drawings import check_picture

        check_picture(out)
    network, extra = read_network(file, input_shape, classes, seed=None)
    shown = network.summary()
    if out is not None:
        from striate.inspect.architecture_drawing import draw_architecture
        from striate.inspect.drawings import write_picture

        write_picture(out, draw_architecture(network))
        note(f"Drawn in {out}", quiet=quiet)
    if as_json:
        json_line({"file": file, **shown.to_dict(), **extra})
        return
    click.echo(str(shown))
    if network.classes:
        click.echo(f"Classes: {', '.join(map(one_line, network.classes))}")


def read_network(
    file: str,
    input_shape: tuple[int, int, int] | None,
    classes: int | None,
    *,
    seed: int | None = 0,
) -> tuple[Network, dict[str, Any]]:
    """Load the network in a model or network file, with the classes and notes of a model file.

    With a `seed` of None the parameters of a network file, which has none, stay zero.
    """
    if networkfile.is_named(file):
        written = networkfile.read(file)
        if written.architecture is None:
            classes = classes or 10
        return written.build(input_shape, classes, seed=seed), {}
    if near := networkfile.near_architecture(file):
        raise click.ClickException(f"{file}: there is no such file{near}")
    network = load(file)
    if input_shape is not None and input_shape != network.input_shape:
        raise click.ClickException(
            f"{file}: is made for images {sizes(network.input_shape)}, not {sizes(input_shape)}"
        )
    return network, {"classes": network.classes, "training": files.information(file)}
