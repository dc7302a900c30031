"""`striate report`: writes an HTML page on a classifier and its predictions."""

from __future__ import annotations

from pathlib import Path

import click

from striate.cli import options
from striate.cli.classifier import load_classifier
from striate.cli.labelled import load_labelled
from striate.cli.output import json_line, note, one_line
from striate.cli.recorded_course import trained_smoothing
from striate.common.text import counted, percent
from striate.model import files


@click.command(short_help="Show on a page what a network does, and why.")
@click.argument("model", metavar="MODEL")
@click.argument("source", metavar="SOURCE")
@click.option(
    "--out",
    "-o",
    metavar="PAGE",
    help="The page, a file .html.  [default: named after MODEL, in this folder]",
)
@click.option(
    "--images",
    type=click.IntRange(min=1),
    default=12,
    show_default=True,
    metavar="N",
    help="How many images to look into.",
)
@click.option(
    "--show",
    type=click.IntRange(min=0),
    multiple=True,
    metavar="I",
    help="Look into image I of those tested, counted from 0; may be given several times.",
)
@click.option(
    "--megabytes",
    type=options.number(0, above=True),
    default=20.0,
    show_default=True,
    metavar="X",
    help="The page keeps within X MB: by fewer images, then no gradients, then fewer layers.",
)
@click.option(
    "--kernels",
    metavar="FOLDER",
    help="Also write the kernels of a convolution to files that `striate filter` reads.",
)
@click.option(
    "--layer", metavar="NAME", help="The convolution of --kernels.  [default: the first one]"
)
@options.part_option
@options.skip_bad_option
@options.max_pixels_option
@options.engine_options
@options.output_options
def report(
    model: str,
    source: str,
    out: str | None,
    images: int,
    show: tuple[int, ...],
    megabytes: float,
    kernels: str | None,
    layer: str | None,
    part: str | None,
    skip_bad: bool,
    max_pixels: int | None,
    engine: str | None,
    threads: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Test the network in the file MODEL on the images of SOURCE, which is what `striate train`
    takes, and write one HTML page that any browser opens, offline.

    It has training curves, the accuracy of each class, the confusion matrix, the most confident
    mistakes, learned filters, and for some images the values after each layer, and the gradients
    of the loss: a click shows the sum that made a number, the patch of the image that it saw, and
    what a step of gradient descent makes of a weight.
    """
    from striate.reports import report as make
    from striate.reports.kernels import kernel_files
    from striate.reports.render import check_path

    if layer is not None and kernels is None:
        raise click.UsageError("--layer says whose kernels to write: give --kernels FOLDER, too")
    page = check_path(Path(model).stem + ".html" if out is None else out)
    network = load_classifier(model)
    # It raises before any work is done.
    written = [] if kernels is None else [path for path, _ in kernel_files(network, kernels, layer)]
    tested = load_labelled(
        model, network, source, part, skip_bad=skip_bad, quiet=quiet, max_pixels=max_pixels
    )
    note(f"Testing on {counted(len(tested.images), 'image')} (--part {tested.part})", quiet=quiet)
    notes = files.information(model)
    made = make(
        network,
        tested.images,
        tested.labels,
        path=page,
        paths=tested.paths,
        name=f"{Path(model).stem} on {tested.source}",
        history=notes.get("history"),
        checked=notes.get("checked"),
        label_smoothing=trained_smoothing(notes),
        choose=images,
        show=show,
        megabytes=megabytes,
        kernels=kernels,
        layer=layer,
        engine=engine or options.default_engine(),
        threads=threads,
    )
    size = page.stat().st_size
    if as_json:
        json_line(
            {
                "report": str(page),
                "bytes": size,
                "model": model,
                "source": tested.source,
                "part": tested.part,
                "shown": [answer.index for answer in made.chosen],
                "kernels": [str(path) for path in written],
                **made.evaluation.to_dict(),
            }
        )
        return
    click.echo(f"Accuracy: {percent(made.evaluation.accuracy)} on "
               f"{counted(made.evaluation.images, 'image')}")  # fmt: skip
    if written:
        click.echo(f"Wrote {counted(len(written), 'kernel')} to {one_line(str(kernels))}")
    click.echo(f"Wrote {one_line(str(page))} ({size / 1e6:.1f} MB)")
