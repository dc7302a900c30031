"""WAV files: PCM of 8, 16, 24, 32 and 64 bits and floats, any number of channels."""

from __future__ import annotations

import io
import struct
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from striate.common.arrays import Array
from striate.common.input_files import read_bytes
from striate.common.text import reason
from striate.recordings.recording import Recording, RecordingError, check_finite

CODINGS: dict[str, np.dtype[Any]] = {
    "8-bit": np.dtype(np.int8),
    "16-bit": np.dtype(np.int16),
    "24-bit": np.dtype(np.int32),
    "32-bit": np.dtype(np.int32),
    "64-bit": np.dtype(np.int64),
    "float32": np.dtype(np.float32),
    "float64": np.dtype(np.float64),
}
"""The codings and the dtype that holds their samples."""

# A program that writes to a pipe cannot know how long the sound will be and gives such a size.
_UNKNOWN_SIZE = 0x7FFFFF00


def read_wav(path: Path) -> Recording:
    """Return the sound in a WAV file.

    Raises:
        RecordingError: it cannot be opened, is no WAV file, truncated, empty, or compressed (µ-law,
            ADPCM, MP3).
    """
    from scipy.io import wavfile

    sound = read_bytes(path, "file", error=RecordingError)
    wav_format = _read_format(sound, path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of chunks that hold a title or the like
            rate, values = wavfile.read(io.BytesIO(sound))
    except Exception as error:  # damaged files make the reader raise errors of many kinds
        raise RecordingError(
            f"{path}: the WAV file is damaged or of an unknown kind ({reason(error)})"
        ) from error
    if values.size == 0:
        raise RecordingError(f"{path}: the WAV file holds no samples")
    values, coding = _signed(values.astype(values.dtype.newbyteorder("="), copy=False), wav_format)
    check_finite(values, str(path))
    return Recording(values, path.name, rate=int(rate), coding=coding)


def encode_wav(values: Array, rate: int, coding: str) -> tuple[bytes, int]:
    """Return a WAV file, and how many samples were clipped to the range of its coding.

    Args:
        values: (samples,) or (samples, channels); for integer codings they are rounded to the
            nearest whole number, half to even.
        rate: samples a second, 1…4,294,967,295.
        coding: a key of CODINGS.

    Raises:
        RecordingError: the values are not real and finite, or the rate is out of range.
    """
    from scipy.io import wavfile

    if values.dtype.kind not in "buif" or values.ndim not in (1, 2) or values.size == 0:
        raise RecordingError(
            "a WAV file takes real samples (samples,) or (samples, channels), "
            f"got {values.dtype} {values.shape}"
        )
    if not 1 <= rate <= 0xFFFFFFFF:
        raise RecordingError(f"the rate of a WAV file must be 1 to 4,294,967,295, got {rate}")
    if values.ndim == 2 and values.shape[1] > 0xFFFF:
        raise RecordingError(f"a WAV file has at most 65,535 channels, not {values.shape[1]:,}")
    dtype = CODINGS[coding]
    if dtype.kind == "f":
        samples, clipped = np.ascontiguousarray(values, dtype), 0
    else:
        samples, clipped = _rounded(values, coding)
    file = io.BytesIO()
    if coding == "24-bit":
        _write_24(file, samples, rate)
    else:
        wavfile.write(file, rate, samples)
    return _padded(file.getvalue()), clipped


def _rounded(values: Array, coding: str) -> tuple[Array, int]:
    """The samples as the file holds them; 8-bit ones are unsigned there."""
    check_finite(values, "the result")
    bits = int(coding.removesuffix("-bit"))
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    whole = np.rint(values) if values.dtype.kind == "f" else values
    outside = (whole < low) | (whole > high)
    # 2**63 - 1 is no float64, so a float array must not be clipped at it.
    top = np.nextafter(2.0**63, 0) if bits == 64 and whole.dtype.kind == "f" else high
    if outside.any():
        whole = np.clip(whole, low, top)
    if bits == 8:
        return (whole.astype(np.int16) + 128).astype(np.uint8), int(outside.sum())
    return whole.astype(CODINGS[coding]), int(outside.sum())


def _write_24(file: io.BytesIO, samples: Array, rate: int) -> None:
    """Write int32 samples of 24 bits, which SciPy does not write."""
    import wave

    with wave.open(file, "wb") as out:
        out.setnchannels(samples.shape[1] if samples.ndim == 2 else 1)
        out.setsampwidth(3)
        out.setframerate(rate)
        wide = np.ascontiguousarray(samples, "<i4").view(np.uint8).reshape(-1, 4)
        out.writeframes(wide[:, :3].tobytes())


def _padded(sound: bytes) -> bytes:
    """The file with the byte that the format asks for behind chunks of odd length."""
    if len(sound) % 2 == 0 or sound[:4] != b"RIFF":
        return sound
    return sound[:4] + struct.pack("<I", len(sound) + 1 - 8) + sound[8:] + b"\0"


class _WavFormat(NamedTuple):
    """What the format chunk says that SciPy does not return."""

    bytes_per_sample: int


def _read_format(sound: bytes, path: Path) -> _WavFormat:
    """Read the headers; refuse what is no WAV file or shorter than it says."""
    if len(sound) < 12 or sound[:4] not in (b"RIFF", b"RIFX", b"RF64") or sound[8:12] != b"WAVE":
        raise RecordingError(f"{path}: not a WAV file")
    order = ">" if sound[:4] == b"RIFX" else "<"
    width = 0
    at = 12
    while at + 8 <= len(sound):
        name, (size,) = sound[at : at + 4], struct.unpack_from(f"{order}I", sound, at + 4)
        if name == b"fmt " and len(sound) >= at + 24:
            channels, block = struct.unpack_from(f"{order}2xH8xH", sound, at + 8)
            width = block // channels if channels else 0
        elif name == b"data":
            held = len(sound) - at - 8
            if held < size < _UNKNOWN_SIZE:
                raise RecordingError(
                    f"{path}: the WAV file is truncated: it should hold {size:,} bytes of sound, "
                    f"but has {held:,}"
                )
            break
        at += 8 + size + size % 2
    return _WavFormat(width)


def _signed(values: Array, wav_format: _WavFormat) -> tuple[Array, str]:
    """The samples in the range of the file's coding, and its name."""
    if values.dtype.kind == "f":
        return values, str(values.dtype)
    if values.dtype == np.uint8:
        return (values.astype(np.int16) - 128).astype(np.int8), "8-bit"
    if wav_format.bytes_per_sample == 3:  # SciPy puts them into the upper bytes of int32
        return values >> 8, "24-bit"
    return values, f"{8 * values.dtype.itemsize}-bit"
