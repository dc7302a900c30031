"""Plans where the pictures that a command makes from photos are written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from striate.data.dataset import DataError
from striate.data.paths import find_images
from striate.pictures.writing import WRITTEN, check_output


@dataclass(frozen=True)
class InputAndOutput:
    """The source of one picture (None: the sample) and the file to write."""

    source: Path | None
    target: Path


def plan(
    photos: Sequence[str],
    out: str | None,
    suffix: str,
    *,
    sample: str,
    compare: Sequence[str] = (),
) -> list[InputAndOutput]:
    """Return the files to read and to write; all names are checked before any work is done.

    Without `out`, a result is written beside its photo, with `suffix` before the ending of its
    name; those of a folder are written to a folder named in the same way. With `out`, one result
    is written to that file or into that folder; several photos need a folder, and keep their
    names.

    Args:
        photos: files, folders and patterns; empty for the sample.
        out: the file or folder that the user named, or None.
        suffix: such as "-laplace".
        sample: the name of the sample, without an ending.
        compare: the endings that comparisons may have, the default one first; empty if filtered
            photos are written.

    Raises:
        DataError: a photo is not there or would be overwritten, two results would have the same
            name, or one cannot be written there.
    """
    jobs, foldered = _jobs(photos, out, suffix, sample)
    if compare:
        mark = "-compare" if out is None else ""
        jobs = [
            job
            if out is not None and not foldered
            else InputAndOutput(
                job.source, job.target.with_name(f"{job.target.stem}{mark}{compare[0]}")
            )
            for job in jobs
        ]
    if not foldered:
        for job in jobs:
            check_output(job.target, compare or WRITTEN)
    _check_apart(jobs)
    return jobs


def _jobs(
    photos: Sequence[str], out: str | None, suffix: str, sample: str
) -> tuple[list[InputAndOutput], bool]:
    """Return the jobs, and whether all targets are in a folder that is created if needed."""
    folder = None if out is None or not _is_folder(out) else Path(out)
    if not photos:
        name = f"{sample}{suffix}.png"
        if out is None:
            return [InputAndOutput(None, Path(name))], False
        return [InputAndOutput(None, folder / name if folder else Path(out))], folder is not None
    several = len(photos) > 1 or os.path.isdir(photos[0]) or not os.path.exists(photos[0])
    if out is not None and several and folder is None:
        if Path(out).suffix.lower() in WRITTEN or os.path.exists(out):
            raise DataError(f"{out}: several photos need a folder, and this is a file")
        folder = Path(out)
    jobs: dict[Path, InputAndOutput] = {}
    made = folder is not None
    for given in photos:
        found = find_images([given])
        if os.path.isdir(given):
            top = Path(given)
            # Results of an earlier run may be in this folder.
            inner = folder.resolve() if folder else None
            found = [path for path in found if not _is_below(path, inner)]
            into = folder or _renamed_folder(top, suffix)
            targets = [into / _writable(path.relative_to(top)) for path in found]
            made = True
        elif folder is not None:
            targets = [folder / _writable(Path(path.name)) for path in found]
        elif out is not None:
            targets = [Path(out)]
        else:
            targets = [_beside(_writable(path), suffix) for path in found]
        for path, target in zip(found, targets, strict=True):
            jobs.setdefault(path, InputAndOutput(path, target))
    if not jobs:
        raise DataError(f"{photos[0]}: the folder holds no images but those of {out}")
    return list(jobs.values()), made


def _is_folder(out: str) -> bool:
    return os.path.isdir(out) or out.endswith(("/", os.sep))


def _is_below(path: Path, folder: Path | None) -> bool:
    return folder is not None and path.resolve().is_relative_to(folder)


def _renamed_folder(folder: Path, suffix: str) -> Path:
    if folder.name in ("", ".."):  # such as "."
        folder = folder.resolve()
    return folder.with_name(folder.name + suffix) if folder.name else Path(suffix.lstrip("-"))


def _writable(path: Path) -> Path:
    """Return the path, with ".png" added if its ending names no kind of image that is written."""
    return path if path.suffix.lower() in WRITTEN else path.with_name(path.name + ".png")


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(f"{path.stem}{suffix}{path.suffix}")


def _check_apart(jobs: Sequence[InputAndOutput]) -> None:
    """Refuse results that would replace a photo or each other."""
    sources = {_identity(job.source): job.source for job in jobs if job.source is not None}
    targets: dict[str, InputAndOutput] = {}
    for job in jobs:
        if os.path.exists(job.target) and (photo := sources.get(_identity(job.target))):
            raise DataError(f"{photo}: would be overwritten; name another file with --out")
        before = targets.setdefault(os.path.realpath(job.target), job)
        if before is not job:
            raise DataError(
                f"{before.source} and {job.source} would both be written to {job.target}; "
                "filter them one after the other"
            )


def _identity(path: Path) -> tuple[int, int]:
    """Return what identifies a file under all of its names."""
    status = os.stat(path)
    return status.st_dev, status.st_ino
