"""`striate explain`: shows how the compiled engine computes a network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from striate.cli import options
from striate.cli.output import json_line, one_line
from striate.cli.summary import read_network
from striate.common.text import counted, listed

if TYPE_CHECKING:
    from striate.nest.target import Target
    from striate.network import Network

FORMS = ("nest", "schedule", "ir", "assembly", "c")
"""Those of `striate.inspect.kernel_views`, which takes long to import."""


@click.command(short_help="Show how a network is computed, and how fast.")
@click.argument("file", metavar="MODEL|FILE")
@options.plan_options
@click.option("--portable", is_flag=True, help="Sums in the order that all processors share.")
@click.option("--measure", is_flag=True, help="Run it too, and tell how fast each kernel is.")
@click.option(
    "--show",
    type=click.Choice(FORMS),
    help="Print kernels instead: as textbook loops, as the loops that run, as LLVM's intermediate "
    "representation, as the processor's instructions, or as C.",
)
@click.option(
    "--html",
    metavar="PAGE",
    help="Write a page that has all five of each kernel side by side; with --measure how fast "
    "they are.",
)
@click.option("--layer", metavar="NAME", help="With --show or --html: kernels of this layer only.")
@click.option(
    "--target",
    metavar="PROCESSOR",
    help="With --show or --html: as striate export makes them for another processor.",
)
@options.output_options
def explain(
    file: str,
    show: str | None,
    html: str | None,
    layer: str | None,
    target: str | None,
    measure: bool,
    input_shape: tuple[int, int, int] | None,
    classes: int | None,
    as_json: bool,
    quiet: bool,
    **planned: Any,
) -> None:
    """Print what the compiler decided for the network in a model file or in a network file (TOML
    or JSON), and why: what fills the vectors, the algorithm of each layer, every kernel in order
    with its loops, and memory.

    With --show the kernels themselves are printed, in one of the forms that they take on their way
    from loops to instructions.
    """
    if (show is None) == (html is None) and (show or layer or target):
        raise click.ClickException(
            "--layer and --target say of which kernels, and --show or --html in which form: give "
            "one of these two"
        )
    if target is not None:
        _refuse_with_target(planned, measure)
    network, _ = read_network(file, input_shape, classes)
    if show is not None or html is not None:
        _show(network, file, show, html, layer, target, measure, planned, as_json=as_json)
        return
    explained = network.explain(measure=measure, **planned)
    if as_json:
        json_line({"file": file, **explained.to_dict()})
    else:
        click.echo(str(explained))


def _refuse_with_target(planned: dict[str, Any], measure: bool) -> None:
    """Refuse options of plans for this processor."""
    context = click.get_current_context()
    names = [*planned, "measure"] if measure else [*planned]
    given = [
        f"--{name.replace('_', '-')}"
        for name in names
        if name != "batch_size"
        and context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    ]
    if given:
        raise click.ClickException(
            f"--target shows inference as striate export writes it: leave "
            f"{listed(given, len(given))} out"
        )


def _show(
    network: Network,
    file: str,
    show: str | None,
    html: str | None,
    layer: str | None,
    target: str | None,
    measure: bool,
    planned: dict[str, Any],
    *,
    as_json: bool,
) -> None:
    """Print kernels, or write the page with them."""
    from striate.inspect.kernel_views import kernel_views
    from striate.reports.compiler_page import compiler_page_path, write_compiler_page

    path = None if html is None else compiler_page_path(html)
    machine, processor = _target(target)
    if machine is not None:
        planned = {"batch_size": planned["batch_size"]} if _is_given("batch_size") else {}
        planned.setdefault("batch_size", 1)
    views = kernel_views(network, layer=layer, target=machine, measure=measure, **planned)
    if path is not None:
        name = Path(file).stem + (f": {layer}" if layer else "")
        write_compiler_page(views, path, name=name, processor=processor)
        if as_json:
            json_line({"file": file, "page": str(path), "kernels": len(views)})
        else:
            click.echo(f"Wrote {counted(len(views), 'kernel')} to {one_line(str(path))}")
        return
    assert show is not None
    texts = [{"label": view.label, show: view.text(show)} for view in views]
    if as_json:
        json_line({"file": file, "kernels": texts})
        return
    comment = {"c": "//", "ir": ";"}.get(show, "#")
    click.echo("\n\n".join(f"{comment} {text['label']}\n{text[show]}" for text in texts))


def _is_given(name: str) -> bool:
    source = click.get_current_context().get_parameter_source(name)
    return source is click.core.ParameterSource.COMMANDLINE


def _target(name: str | None) -> tuple[Target | None, str]:
    """The processor, and what it is in words."""
    from striate.freestanding.targets.named_targets import named_target
    from striate.nest.target import host

    if name is None:
        return None, f"this processor ({host().cpu}, vectors of {host().vector_bytes} bytes)"
    known = named_target(name)
    return known.target, f"{known.name} ({known.what})"
