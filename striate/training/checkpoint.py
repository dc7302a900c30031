"""Checkpoints: all that a training needs to go on, in a file, as if it had never stopped.

A checkpoint is one safetensors file, written in one step. Its tensors are the weights, the running
statistics, the buffers of the optimiser, and copies of the weights of the best epoch and of the end
of the last one; its metadata, all of it text, are

    format            "striate checkpoint"
    format_version    "1"
    facts             JSON, what the bits of the training depend on: see `fingerprint`
    state             JSON, the position, the figures so far, early stopping's and the optimiser's
    seal              a digest of all the rest

Nothing is pickled, and a file that its seal does not fit is refused.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from striate.common.arguments import whole_number
from striate.common.arrays import Floats
from striate.common.atomic import write_atomically
from striate.common.cachedir import cache_dir, make_private_folder
from striate.common.digests import digest_of
from striate.common.errors import StriateTypeError, StriateValueError
from striate.common.filelock import lock_if_free
from striate.common.short_repr import short_repr
from striate.common.text import reason
from striate.model.container import Container, ModelFileError, chunks
from striate.training.fingerprint import NETWORK, START, Facts, differences, told

FORMAT, FORMAT_VERSION = "striate checkpoint", "1"

SECONDS = 120.0
"""From one checkpoint to the next, where no number of epochs is given."""
# But at most one part in so many of the time goes into writing them.
_SHARE = 50.0

Resume = bool | str


class CheckpointError(StriateValueError):
    """A checkpoint that cannot be used; the message names the file and says why."""


@dataclass(frozen=True)
class Checkpoint:
    """Where and how often `fit` writes down all that it needs to go on later.

    It is also written when a signal stops the training, and removed when the training is finished.

    Attributes:
        path: the file; its folder must exist.
        every: after so many epochs each, at least 1; None for every two minutes, wherever in an
            epoch that is.
        steps: or after so many steps each, at least 1.
        keep: whether the file stays when the training is finished.
        notes: JSON-able values that are kept in it, for `notes_in`.
    """

    path: str | os.PathLike[str]
    every: int | None = None
    keep: bool = False
    notes: Mapping[str, Any] = field(default_factory=dict)
    steps: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.path, str | os.PathLike):
            raise StriateTypeError(
                f"checkpoint must be the path of a file or a Checkpoint, not {self.path!r}"
            )
        if self.every is not None:
            object.__setattr__(self, "every", whole_number(self.every, "every", "Checkpoint"))
        if self.steps is not None:
            object.__setattr__(self, "steps", whole_number(self.steps, "steps", "Checkpoint"))
            if self.every is not None:
                raise StriateValueError(
                    f"Checkpoint: every={self.every} epochs or steps={self.steps}, not both"
                )


@short_repr
@dataclass
class TrainingState:
    """What a checkpoint holds besides the facts.

    Attributes:
        arrays: float32 by name.
        values: JSON-able, by name.
    """

    arrays: dict[str, Floats] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)


class Checkpointer:
    """Reads and writes the checkpoints of one call of `fit`.

    Args:
        given: where and how often.
        resume: whether to go on from a checkpoint that is there; "any": even if it is of another
            training.
        facts: what the training depends on; asked for once, when it is first needed.

    Raises:
        ValueError: there is a file in its place which is no checkpoint, or no such folder.
    """

    def __init__(self, given: Checkpoint, resume: Resume, facts: Callable[[], Facts]) -> None:
        self._given, self._resume, self._make_facts = given, resume, facts
        self.path = Path(given.path)
        self._facts: Facts | None = None
        self._seconds = SECONDS
        self._next = time.monotonic() + SECONDS
        self.exists = check_place(self.path)

    @property
    def facts(self) -> Facts:
        """What the training depends on."""
        if self._facts is None:
            self._facts = self._make_facts()
        return self._facts

    def read(self) -> tuple[TrainingState, bool] | None:
        """The state to go on from, and whether it is of the very same training; None to begin.

        Raises:
            CheckpointError: the file is damaged, or of another training.
        """
        if not self._resume or not self.exists:
            return None
        there, state = read(self.path)
        # A network that was just trained up to there may be handed in again.
        if self.facts[START] in (_digest(state, "now"), _digest(state, "best")):
            self.facts[START] = there.get(START)
        found = differences(there, self.facts)
        if found and self._resume != "any":
            raise CheckpointError(
                f"{self.path}: is the checkpoint of another training: {told(found)}; give it what "
                'it was made with, or go on all the same with resume="any" (--resume any)'
            )
        if there.get(NETWORK) != self.facts[NETWORK]:
            raise CheckpointError(
                f"{self.path}: is the checkpoint of another network, from which this one cannot "
                "go on; give the same network, or remove the checkpoint"
            )
        return state, not found

    def is_due(self, step: int, epoch: int | None = None) -> bool:
        """Whether to write one now: after a step, and after an epoch if it was the last of one;
        both counted from 1.
        """
        if self._given.steps is not None:
            return step % self._given.steps == 0
        if self._given.every is not None:
            return epoch is not None and epoch % self._given.every == 0
        return time.monotonic() >= self._next

    def write(self, state: TrainingState) -> None:
        """Write the checkpoint.

        Raises:
            OSError: it cannot be written; an earlier one is as it was.
        """
        begin = time.monotonic()
        try:
            if self._given.notes:
                state.values["notes"] = dict(self._given.notes)
            write(self.path, self.facts, state)
            self.exists = True
        finally:
            end = time.monotonic()
            self._next = end + max(SECONDS, _SHARE * (end - begin))

    def finish(self) -> None:
        """Remove the checkpoint, with which nothing more can be done, unless it is to be kept."""
        if not self._given.keep:
            remove(self.path)


def as_checkpoint(given: str | os.PathLike[str] | Checkpoint) -> Checkpoint:
    """A Checkpoint from what `fit` takes as one."""
    return given if isinstance(given, Checkpoint) else Checkpoint(given)


def check_resume(resume: Resume) -> Resume:
    """True, False or "any"; TypeError or ValueError for anything else."""
    if isinstance(resume, bool | np.bool_):
        return bool(resume)
    if resume != "any":
        raise StriateValueError(f'resume must be True, False or "any", not {resume!r}')
    return resume


def check_place(path: Path) -> bool:
    """Whether there is a checkpoint at a path, where one can be written.

    Raises:
        CheckpointError: there is something else, or no such folder.
    """
    if not path.resolve().parent.is_dir():
        raise CheckpointError(f"{path}: there is no folder {path.resolve().parent}")
    if not path.exists():
        return False
    if not path.is_file():
        raise CheckpointError(f"{path}: is not a regular file, so no checkpoint can be written")
    if path.stat().st_size and not is_checkpoint(path):
        raise CheckpointError(
            f"{path}: exists and is not a checkpoint; choose another name, or remove it first"
        )
    return path.stat().st_size > 0


@contextmanager
def claimed(path: Path) -> Iterator[None]:
    """Let no other training of this user write the checkpoint at a path meanwhile.

    Where the user's cache, in which the lock is, cannot be written, nothing is claimed.

    Raises:
        CheckpointError: another training writes it.
    """
    with ExitStack() as stack:
        free = True
        with suppress(OSError):
            folder = cache_dir("trainings")
            make_private_folder(folder)
            lock = f"{digest_of(str(path.resolve()))}.lock"
            free = stack.enter_context(lock_if_free(folder / lock))
        if not free:
            raise CheckpointError(
                f"{path}: another training that is under way writes this checkpoint; wait for it, "
                "or give this one another name"
            )
        yield


def is_checkpoint(path: str | os.PathLike[str]) -> bool:
    """Whether a file begins as checkpoints do, whole or damaged."""
    try:
        with open(path, "rb") as file:
            return FORMAT.encode() in file.read(100)
    except OSError:
        return False


def remove(path: str | os.PathLike[str]) -> None:
    """Remove a checkpoint, if there is one."""
    if is_checkpoint(path):
        with suppress(OSError):
            os.unlink(path)


def write(path: Path, facts: Mapping[str, Any], state: TrainingState) -> None:
    """Write a checkpoint in one step; OSError if it cannot be written."""
    metadata = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "facts": json.dumps(facts),
        "state": json.dumps(state.values),
    }
    metadata["seal"] = _seal(metadata, state.arrays)
    arrays = {name: state.arrays[name] for name in sorted(state.arrays)}
    write_atomically(path, chunks(arrays, metadata))


def read(path: Path) -> tuple[Facts, TrainingState]:
    """The facts and the state in a checkpoint.

    Raises:
        CheckpointError: there is no such file, it is damaged, or it is not a checkpoint.
    """
    try:
        container = Container(path)
        metadata, tensors = container.metadata, container.tensors()
    except ModelFileError as error:
        if not path.exists():
            raise CheckpointError(f"{path}: there is no such checkpoint") from None
        raise _damaged(path) from error
    if metadata.get("format") != FORMAT:
        raise CheckpointError(f"{path}: is not a checkpoint of a training")
    if metadata.get("format_version") != FORMAT_VERSION:
        raise CheckpointError(
            f"{path}: is a checkpoint of another version of striate; resume with that one, or "
            "remove it to begin anew"
        )
    if metadata.get("seal") != _seal(metadata, tensors):
        raise _damaged(path)
    try:
        facts, values = json.loads(metadata["facts"]), json.loads(metadata["state"])
    except (KeyError, ValueError, RecursionError) as error:
        raise _damaged(path) from error
    return facts, TrainingState(tensors, values)


def notes_in(path: Path) -> dict[str, Any]:
    """The notes in a checkpoint, see `Checkpoint`; {} if there are none that can be read."""
    if not is_checkpoint(path):
        return {}
    try:
        notes = read(path)[1].values.get("notes")
    except CheckpointError:
        return {}  # whoever resumes it says so
    return notes if isinstance(notes, dict) else {}


def _digest(state: TrainingState, name: str) -> str | None:
    arrays = [state.arrays.get(f"{name}/{what}") for what in ("weights", "statistics")]
    return None if arrays[0] is None else digest_of(*arrays)


def _seal(metadata: Mapping[str, str], tensors: Mapping[str, Floats]) -> str:
    named = [item for name in sorted(tensors) for item in (name, tensors[name])]
    rest = [metadata.get(name) for name in ("format", "format_version", "facts", "state")]
    return digest_of(*rest, *named)


def _damaged(path: Path) -> CheckpointError:
    return CheckpointError(f"{path}: is a damaged checkpoint; remove it to begin anew")


def failure(path: Path, error: OSError) -> str:
    """The note that a checkpoint could not be written, which ends no training."""
    return f"the checkpoint {path} cannot be written ({reason(error)}): training goes on without it"
