"""Turns what a person names as a source of images into a `Dataset`."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from striate.common.text import choices, did_you_mean, reason
from striate.data.bundled import BUNDLED, load_bundled
from striate.data.dataset import (
    COLOURS,
    LARGEST_SIDE,
    MAX_PIXELS,
    MODES,
    DataError,
    Dataset,
    LoadOptions,
    OnProgress,
    checked_size,
)
from striate.data.label_options import TASKS, LabelOptions
from striate.data.label_tables import is_text_table
from striate.data.paths import is_remote
from striate.ranks.alone import ALONE
from striate.ranks.exchange import Exchange, fails_together

if TYPE_CHECKING:
    from striate.data.found_images import FoundImages


@fails_together
def load(
    source: str | os.PathLike[str],
    *,
    size: int | Sequence[int] | None = None,
    longest_side: int | Callable[[FoundImages], int | None] | None = None,
    colour: str | None = None,
    skip_bad: bool = False,
    test_fraction: float = 0.2,
    seed: int = 0,
    progress: OnProgress | None = None,
    cache: bool = True,
    mode: str = "crop",
    cut_from: Sequence[int] | None = None,
    classes: Sequence[str] | None = None,
    max_pixels: int = MAX_PIXELS,
    white: int | None = None,
    nested: bool = False,
    validation: bool = True,
    only: str | None = None,
    memory: int | None = None,
    image_cache: int | None = None,
    labels: str | os.PathLike[str] | None = None,
    path_column: str | None = None,
    label_columns: Sequence[str] = (),
    split_column: str | None = None,
    separator: str | None = None,
    task: str | None = None,
    usual_columns: Mapping[str, Any] | None = None,
    exchange: Exchange | None = None,
) -> Dataset:
    """Load images and labels.

    Args:
        source: "digits" (the 8×8 digits of scikit-learn) or "shapes" (coloured shapes of 32×32
            pixels, drawn from a seed); a folder of class folders, with or without train/, test/ and
            valid/ (or names like these) above them; a tar of such a folder, or shards as WebDataset
            writes them: a folder of them, one of them, or "train-{000..009}.tar"; Parquet files
            with a column of images; a folder with the four IDX files of MNIST and its kin; an .npz
            file with X and y; a folder of images, if there is a table of their `labels`, or that
            table, in the folder. A folder that is called digits is named by "./digits". Or the
            address of any of these, such as "s3://bucket/photos", which is copied to the user's
            cache first (`striate.data.remote_source`).
        size: side, or (height, width), of the images; chosen from the data by default.
        longest_side: of image files whose size is chosen, how many pixels their long side has at
            most, by default 128 (96 of more than 10,000 images, 64 of more than 20,000, but a size
            that half of them have is kept up to 128); or a function that is called with the files
            before they are decoded, and returns that, or None for the default.
        colour: "gray" or "rgb"; by default gray if all images are.
        skip_bad: go on without image files that cannot be read; a note names them.
        test_fraction: the share of each class that becomes the test part where the source has
            none; with 0 or 1 everything becomes training or test part.
        seed: of that split.
        progress: called with (done, total, text) while image files are decoded.
        cache: keep decoded image files in the user's cache for the next run.
        mode: how image files of other sizes are brought to one: "crop" (scaled to cover, the
            centre cut out), "pad" (scaled to fit in, the rest is black) or "stretch" (the aspect
            is not kept).
        cut_from: a larger (height, width) to which image files are brought by the mode first; then
            the centre of this `size` is cut out.
        classes: the class names of a trained model, to evaluate it: labels become indices into
            them, and the source may have some of them only.
        max_pixels: image files with more pixels to decode are errors, before they are decoded. A
            JPEG that is made smaller is decoded at up to an eighth of its height and width.
        white: the value of white in image files of 16 bits. By default 65535, or where all of them
            use 14 bits or fewer, the largest number of so many bits.
        nested: whether a class folder may hold nothing but several folders; by default that is
            refused, as these may be the classes.
        validation: whether to load the folder for validation beside train/ and test/, too.
        only: "train" or "test", to load this part only of a folder that has both.
        memory: how many bytes of decoded images are held in memory at most; more are decoded when
            they are asked for (`striate.common.rows_on_demand.RowsOnDemand`). By default what fits
            comfortably into the memory that is free.
        image_cache: how many bytes of those that are not held may be kept on disk, 4 GiB by
            default.
        labels: a table of labels, CSV or Parquet: a row for each image with its file's name and its
            class, its labels or its numbers, or a column for each label. See `docs/labels.md`.
        path_column, label_columns, split_column: the names of its columns, where it is not plain
            which is which: with the images' files; with the class, labels or numbers; with "train",
            "test" or "validation".
        separator: what parts several labels in a cell, where it is not plain.
        task: "classes", of which each image has one; "labels", of which it may have any number; or
            "numbers"; where it is not plain.
        usual_columns: columns by the names of the arguments above, such as `Dataset.label_columns`
            of another table; they are taken where nothing else is asked for and they are there.
        exchange: connects this process with others that load the same images to train on them
            together, such as `striate.ranks.mpi()`. They share the memory of a machine, and the
            work: of images that are not held each looks at a part.

    Raises:
        RankError: another process of the `exchange` has failed.
        DataError: what is named does not exist, is of no known kind, or holds data that cannot be
            used. The message is one sentence that names the file.
    """
    if is_remote(source):
        from striate.data.remote_source import fetched

        source = fetched(os.fspath(source), progress)
    if colour not in (None, *COLOURS):
        raise DataError(f'colour must be "gray", "rgb" or None, not {colour!r}')
    if mode not in MODES:
        raise DataError(f'mode must be "crop", "pad" or "stretch", not {mode!r}')
    sides, whole = checked_size(size), checked_size(cut_from)
    if whole is not None and (sides is None or sides[0] > whole[0] or sides[1] > whole[1]):
        raise DataError(f"cut_from must be a larger size than size, {size!r}, not {cut_from!r}")
    whole_side = isinstance(longest_side, int) and not isinstance(longest_side, bool)
    if not (
        longest_side is None
        or callable(longest_side)
        or (whole_side and 1 <= longest_side <= LARGEST_SIDE)
    ):
        raise DataError(
            f"longest_side must be 1 to {LARGEST_SIDE} pixels, or a function, not {longest_side!r}"
        )
    if not 0 <= test_fraction <= 1:
        raise DataError(f"test_fraction must be of 0...1, not {test_fraction!r}")
    if max_pixels < 1:
        raise DataError(f"max_pixels must be positive, not {max_pixels!r}")
    if white is not None and not 1 <= white <= 65535:
        raise DataError(f"white must be of 1...65535, not {white!r}")
    if only not in (None, "train", "test"):
        raise DataError(f'only must be "train", "test" or None, not {only!r}')
    for name, count in (("memory", memory), ("image_cache", image_cache)):
        if count is not None and (isinstance(count, bool) or count != int(count) or count < 0):
            raise DataError(f"{name} must be a number of bytes, 0 or more, not {count!r}")
    options = LoadOptions(
        size=sides,
        colour=colour,
        mode=mode,
        cut_from=whole,
        skip_bad=skip_bad,
        test_fraction=float(test_fraction),
        seed=seed,
        progress=progress,
        cache=cache,
        classes=None if classes is None else tuple(classes),
        max_pixels=max_pixels,
        white=white,
        nested=nested,
        validation=validation,
        only=only,
        memory=None if memory is None else int(memory),
        image_cache=None if image_cache is None else int(image_cache),
        task=task,
        sides=(longest_side, longest_side) if isinstance(longest_side, int) else None,
        choose_side=longest_side if callable(longest_side) else None,
        exchange=ALONE if exchange is None else exchange,
    )
    given = _label_options(
        source,
        labels,
        LabelOptions(
            "",
            path_column,
            (label_columns,) if isinstance(label_columns, str) else tuple(label_columns),
            split_column,
            task,
            separator,
            options.classes,
            dict(usual_columns or {}),
        ),
    )
    path = Path(source)
    if given is None and task in ("labels", "numbers") and path.suffix.lower() != ".npz":
        raise DataError(
            f"{source}: its images have classes; name a table that has their {task}, with --labels "
            "FILE (labels)"
        )
    if source in BUNDLED and given is None:
        return load_bundled(os.fspath(source), options)
    if given is not None and given.table == os.fspath(source):
        path = path.parent
    try:
        path.stat()
    except (OSError, ValueError) as error:
        if getattr(error, "errno", None) not in (errno.ENOENT, errno.ENOTDIR):
            raise DataError(f"{path}: cannot be read ({reason(error)})") from error
    if given is not None and path.is_dir():
        from striate.data.labelled_files import load_labelled

        return load_labelled(path, given, options)
    found = inside_files(os.fspath(source), options) if given is None else None
    if found is not None:
        return found
    if path.is_dir():
        from striate.data.folders import load_folder
        from striate.data.idx import has_idx, load_idx

        return load_idx(path, options) if has_idx(path) else load_folder(path, options)
    if os.path.exists(path):
        return _load_file(path, options)
    raise DataError(_unknown(path))


def inside_files(source: str, options: LoadOptions) -> Dataset | None:
    """Load images that lie inside tar or Parquet files; None if the source names none."""
    from striate.data.shard_names import shards

    if tars := shards(source, (".tar",)):
        from striate.data.tar_source import load_tars

        return load_tars(source, tars, options)
    if tables := shards(source, (".parquet",)):
        from striate.data.parquet_source import load_parquet

        return load_parquet(source, tables, options)
    return None


def _label_options(
    source: str | os.PathLike[str], table: str | os.PathLike[str] | None, given: LabelOptions
) -> LabelOptions | None:
    """Return how a table of labels is to be read, with its file; None where there is none."""
    if given.task not in (None, *TASKS):
        raise DataError(f"task must be {choices([*map(repr, TASKS)])}, not {given.task!r}")
    if table is None and is_text_table(source) and os.path.isfile(source):
        table = source
    if table is None:
        for name in ("path_column", "label_columns", "split_column", "separator"):
            if getattr(given, name):
                raise DataError(
                    f"{name} is of a table of labels: name the table, too (--labels, labels)"
                )
        return None
    if table != source and os.path.exists(source) and not os.path.isdir(source):
        raise DataError(
            f"{source}: is not a folder of images, which a table of labels (--labels) is for"
        )
    return replace(given, table=os.fspath(table))


def _load_file(path: Path, options: LoadOptions) -> Dataset:
    from striate.data.image_files import KINDS
    from striate.data.npz import load_npz

    if path.suffix.lower() == ".npz":
        return load_npz(path, options)
    if path.suffix.lower() in KINDS:
        raise DataError(
            f"{path}: a single image; give the folder that holds a folder of images for each class"
        )
    if path.suffix.lower() in (".zip", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar"):
        plain = " (of a tar, gunzip is enough)" if ".t" in path.name.lower() else ""
        raise DataError(f"{path}: a packed file; unpack it{plain} and give the folder")
    raise DataError(
        f'{path}: not a source of images; give "digits", "shapes", a folder of class folders, tar '
        "or Parquet files with images, a folder with the IDX files, or an .npz file"
    )


def _unknown(path: Path) -> str:
    """Return the sentence for a source that is not there, with what may be meant."""
    try:
        beside = [str(path.parent / entry) for entry in os.listdir(path.parent)]
    except OSError:
        beside = []
    choices = {choice.lower(): choice for choice in [*BUNDLED, *sorted(beside)]}
    given = str(path).lower()
    hint = did_you_mean(given, choices, write=lambda near: repr(choices[near]), cutoff=0.75) or (
        '; give "digits", "shapes", a folder of class folders, a folder with the IDX files, or an '
        ".npz file"
    )
    return f"{path}: no such file or folder{hint}"
