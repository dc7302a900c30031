"""Reads and writes signals in files of the kind that the ending of their name tells."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np

from striate.common.array_files import read_npy
from striate.common.atomic import write_atomically
from striate.recordings.number_tables import encode_table, read_table
from striate.recordings.recording import Recording, RecordingError, check_finite
from striate.recordings.wav import encode_wav, read_wav

SUFFIXES = (".wav", ".csv", ".tsv", ".txt", ".npy")
DEFAULT_RATE = 44_100
"""Samples a second of a WAV file for a signal that has no rate of its own."""


def read(path: str | os.PathLike[str]) -> Recording:
    """Return the signal in a file: .wav, .csv, .tsv, .txt or .npy.

    Nothing is unpickled. The shapes are told at `Recording` and at the kinds of files:
    `striate.recordings.wav`, `striate.recordings.number_tables`.

    Raises:
        RecordingError: there is no such file, its name has another ending, it is damaged, empty,
            or holds something else than finite numbers.
    """
    file = Path(path)
    kind = _suffix(file)
    if kind == ".wav":
        return read_wav(file)
    return _read_npy(file) if kind == ".npy" else read_table(file)


def write(path: str | os.PathLike[str], recording: Recording) -> int:
    """Write a signal to a file of the kind that its name says; return how many samples were
    clipped, which happens in WAV files of integers only.

    The file appears in one step or not at all.

    Raises:
        RecordingError: the name has another ending, or the kind cannot hold such values.
        OSError: the file cannot be written.
    """
    content, clipped = encode(path, recording)
    write_atomically(Path(path), [content])
    return clipped


def encode(path: str | os.PathLike[str], recording: Recording) -> tuple[bytes, int]:
    """Return what `write` would write, and how many samples it clips.

    A WAV file has the recording's rate and coding, else 44,100 samples a second of float32.
    """
    kind = _suffix(Path(path))
    values = recording.values
    if kind == ".wav":
        if recording.grid:
            raise RecordingError(
                f"{path}: a WAV file holds signals in columns, not an array of shape "
                f"{values.shape}; write .npy or .csv"
            )
        coding = recording.coding or "float32"
        return encode_wav(values, recording.rate or DEFAULT_RATE, coding)
    if kind == ".npy":
        file = io.BytesIO()
        np.lib.format.write_array(file, np.ascontiguousarray(values), allow_pickle=False)
        return file.getvalue(), 0
    delimiter = {".csv": ",", ".tsv": "\t", ".txt": " "}[kind]
    # In a file parted by spaces, names with spaces could not be told apart.
    return encode_table(values, () if kind == ".txt" else recording.columns, delimiter), 0


def check_name(path: str | os.PathLike[str]) -> None:
    """Refuse a file name whose ending is of no known kind.

    Raises:
        RecordingError: it is.
    """
    _suffix(Path(path))


def _suffix(path: Path) -> str:
    """The ending of a file name, in small letters, if it is of a known kind."""
    suffix = path.suffix.lower()
    if suffix == ".wave":
        return ".wav"
    if suffix not in SUFFIXES:
        raise RecordingError(
            f"{path}: signals are read from and written to {', '.join(SUFFIXES[:-1])} and "
            f"{SUFFIXES[-1]} files"
        )
    return suffix


def _read_npy(path: Path) -> Recording:
    values = read_npy(path, "file", error=RecordingError)
    if values.dtype.kind not in "buifc":
        raise RecordingError(f"{path}: holds {values.dtype}, not numbers")
    if values.size == 0 or values.ndim == 0:
        raise RecordingError(f"{path}: holds no signal, its shape is {values.shape}")
    check_finite(values, str(path))
    native = values.astype(values.dtype.newbyteorder("="), copy=False)
    return Recording(native, path.name, grid=values.ndim > 1)
