"""`striate inspect`: shows receptive fields, unread pixels, connections and equivariance."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from striate.cli import image_arguments as images_of
from striate.cli import networkfile, options
from striate.cli.output import json_line, note
from striate.cli.summary import read_network
from striate.common.text import counted, sizes

if TYPE_CHECKING:
    from striate.data import Dataset
    from striate.inspect import Effective, NetworkReach
    from striate.network import Network


def unit_place(value: Any) -> tuple[int, ...]:
    """Read the place of a unit: "3,4", "3,4,0" or, of a vector, "7"."""
    if isinstance(value, tuple):
        return value
    if not re.fullmatch("[0-9]{1,9}(,[0-9]{1,9}){0,2}", str(value)):
        raise click.BadParameter(f"{value!r} is not ROW,COLUMN[,CHANNEL] or FEATURE")
    return tuple(map(int, str(value).split(",")))


@click.command(short_help="Show what each unit of a network sees, misses and answers to.")
@click.argument("file", metavar="MODEL|FILE")
@click.argument("source", metavar="[SOURCE]", required=False)
@click.option("--layer", metavar="NAME", help="One layer only.")
@click.option(
    "--unit",
    type=unit_place,
    metavar="R,C[,K]",
    help="With --layer: one unit's field, and the pixels that it reads.",
)
@click.option(
    "--images",
    "most",
    type=click.IntRange(min=1),
    default=32,
    show_default=True,
    metavar="N",
    help="How many images of SOURCE to measure on.",
)
@click.option(
    "--shift",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    metavar="N",
    help="Shift images by up to N pixels.",
)
@click.option(
    "--out",
    "-o",
    metavar="FILE",
    help="Draw, as .png, .svg or .pdf: with SOURCE the effective fields, else what --unit sees, "
    "layer by layer.",
)
@options.network_file_options
@options.engine_option("Whose kernels measure shifts.  ")
@options.output_options
def inspect(
    file: str, source: str | None, layer: str | None, unit: tuple[int, ...] | None, most: int,
    shift: int, out: str | None, input_shape: tuple[int, int, int] | None, classes: int | None,
    engine: str | None, as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Tell what each unit of a network sees: its receptive field, through branches and with what
    lies in the padding; rows and columns of the image that no output reads, with the paddings and
    strides that would cure it, tried out; connections against a dense layer's.

    With a SOURCE of images (as for `striate train`) it measures effective receptive fields, from
    gradients, and what each layer makes of shifted images.

    Start with:  striate inspect digits.safetensors digits
    """
    from striate import inspect as inspection

    if unit is not None and layer is None:
        raise click.UsageError("--unit needs --layer")
    if out is not None and source is None and unit is None:
        raise click.UsageError(
            "--out draws what is measured on images, or what one unit sees; give a SOURCE, or "
            "--layer and --unit"
        )
    if out is not None:
        from striate.inspect.drawings import check_picture

        check_picture(out)
    network, dataset = _network(file, source, input_shape, classes, quiet)
    seen = inspection.reach(network)
    found: dict[str, Any] = {"file": file}
    parts: list[str] = []
    if unit is not None and layer is not None:
        found["unit"], text = _unit(seen, layer, unit)
        parts.append(text)
        if out is not None and source is None:
            from striate.inspect.drawings import write_picture
            from striate.inspect.field_drawing import draw_field

            write_picture(out, draw_field(seen, layer, unit))
            note(f"Drawn in {out}", quiet=quiet)
    else:
        if layer is not None:
            seen[layer]  # raises if there is none
        missing, joined = inspection.ledger(network), inspection.connectivity(network)
        found |= {
            "reach": seen.to_dict(),
            "ledger": missing.to_dict(),
            "connections": joined.to_dict()["layers"],
        }
        parts += [str(seen), str(missing), str(joined)]
    if source is not None and dataset is not None:
        batch = images_of.choose(dataset, network, most, source, file)
        note(f"Measuring on {counted(len(batch), 'image')}", quiet=quiet)
        effective = inspection.effective_fields(network, batch, layer, unit)
        found["effective_fields"] = [each.to_dict() for each in effective.fields]
        parts.append(str(effective))
        if unit is None:
            sides = (min(network.input_shape[:2]) - 1) // 2
            if sides:
                moved = inspection.shifts(
                    network, batch, most=min(shift, sides),
                    engine=engine or options.default_engine(),
                )  # fmt: skip
                found["shifts"] = moved.to_dict()
                parts.append(str(moved))
        if out is not None:
            _draw(out, effective)
            note(f"Drawn in {out}", quiet=quiet)
    elif unit is None:
        note("With a SOURCE of images, effective fields and shifts are measured too.", quiet=quiet)
    if as_json:
        json_line(found)
    else:
        click.echo("\n\n".join(parts))


def _network(
    file: str,
    source: str | None,
    input_shape: tuple[int, int, int] | None,
    classes: int | None,
    quiet: bool,
) -> tuple[Network, Dataset | None]:
    """Load the network and the images; a network file without a shape takes that of the images."""
    dataset = None
    if source is not None and networkfile.is_named(file):
        written = networkfile.read(file)
        if written.input_shape is None and not written.is_config and input_shape is None:
            dataset = images_of.load(source, None, quiet)
            return written.build(
                dataset.train_images.shape[1:], classes or len(dataset.classes)
            ), dataset
    network, _ = read_network(file, input_shape, classes)
    if len(network.input_shape) != 3:
        raise click.ClickException(
            f"{file}: its network reads {sizes(network.input_shape)} numbers and no images; "
            "what it sees has no rows and columns"
        )
    if source is not None:
        dataset = images_of.load(source, network, quiet)
    return network, dataset


def _unit(seen: NetworkReach, layer: str, unit: tuple[int, ...]) -> tuple[dict[str, Any], str]:
    """One unit's field and pixels, as data and as text."""
    reached = seen[layer]
    field, read = reached.field(*unit), reached.read(*unit)
    pixels = np.asarray(seen.pixels(layer, *unit).any(-1))
    found = {
        "layer": layer,
        "unit": list(unit),
        "field": {"rows": list(field.rows), "columns": list(field.columns)},
        "reads": None if read is None else {"rows": list(read.rows), "columns": list(read.columns)},
        "pixels": pixels.astype(int).tolist(),
    }
    place = ", ".join(map(str, unit))
    lines = [
        f"{layer}, unit ({place}): field {sizes(field.size)}, {field}",
        f"reads {counted(int(pixels.sum()), 'pixel')} of the image"
        + ("" if read is None else f", {read}"),
    ]
    if pixels.shape[1] <= 100:
        lines += ["", *("".join("█" if one else "·" for one in row) for row in pixels)]
    return found, "\n".join(lines)


def _draw(out: str, effective: Effective) -> None:
    from striate.inspect.drawings import draw_fields, write_picture

    write_picture(out, draw_fields(effective))
