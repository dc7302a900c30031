"""Signals in files: WAV of every width, tables of numbers, NumPy arrays."""

import io
import struct
import sys
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import wavfile

from striate import recordings
from striate.recordings import Recording, RecordingError
from striate.recordings.wav import CODINGS

RANGES = {bits: (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 24, 32, 64)}


def pcm(samples: Any, bits: int, *, channels: int = 1, order: str = "little") -> bytes:
    """The bytes of samples as the format asks, one by one."""
    parts = []
    for sample in np.ravel(samples).tolist():
        if bits == 8:
            parts.append(bytes([sample + 128]))
        else:
            parts.append(sample.to_bytes(bits // 8, order, signed=True))  # type: ignore[arg-type]
    return b"".join(parts)


def wav_bytes(
    data: bytes, *, kind: int = 1, channels: int = 1, rate: int = 8000, bits: int = 16,
    size: int | None = None, order: str = "<", before: bytes = b"",
) -> bytes:  # fmt: skip
    block = channels * bits // 8
    form = struct.pack(f"{order}HHIIHH", kind, channels, rate, rate * block, block, bits)
    chunks = before + b"fmt " + struct.pack(f"{order}I", len(form)) + form
    chunks += b"data" + struct.pack(f"{order}I", len(data) if size is None else size) + data
    chunks += b"\0" * (len(data) % 2)
    name = b"RIFF" if order == "<" else b"RIFX"
    return name + struct.pack(f"{order}I", len(chunks) + 4) + b"WAVE" + chunks


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("bits", [8, 16, 24, 32, 64])
def test_integers_of_every_width_are_read_and_written(
    tmp_path: Path, bits: int, channels: int
) -> None:
    low, high = RANGES[bits]
    rng = np.random.default_rng(bits)
    samples = rng.integers(low, high, (17, channels), dtype=np.int64, endpoint=True)
    samples[0], samples[1], samples[2] = low, high, 0
    path = tmp_path / "a.wav"
    content = wav_bytes(pcm(samples, bits), channels=channels, bits=bits, rate=11025)
    path.write_bytes(content)
    recording = recordings.read(path)
    assert recording.rate == 11025
    assert recording.coding == f"{bits}-bit"
    assert recording.channels == channels
    assert recording.values.dtype == CODINGS[f"{bits}-bit"]
    expected = samples if channels > 1 else samples[:, 0]
    np.testing.assert_array_equal(recording.values, expected)
    assert recordings.write(tmp_path / "b.wav", recording) == 0
    assert (tmp_path / "b.wav").read_bytes() == content


@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_floats_are_read_and_written(tmp_path: Path, kind: str) -> None:
    samples = np.random.default_rng(0).normal(0, 2, (9, 2)).astype(kind)
    path = tmp_path / "a.wav"
    path.write_bytes(
        wav_bytes(samples.tobytes(), kind=3, channels=2, bits=8 * samples.itemsize, rate=48000)
    )
    recording = recordings.read(path)
    assert recording.coding == kind
    np.testing.assert_array_equal(recording.values, samples)
    recordings.write(tmp_path / "b.wav", recording)
    rate, again = wavfile.read(tmp_path / "b.wav")
    assert (rate, again.dtype) == (48000, kind)
    np.testing.assert_array_equal(again, samples)  # beyond ±1 too


def test_what_is_written_others_read(tmp_path: Path) -> None:
    values = np.array([[1.5, -2.5], [1e9, -1e9], [0.49, -0.51]])
    recording = Recording(values, "x", rate=22050, coding="24-bit")
    assert recordings.write(tmp_path / "a.wav", recording) == 2
    with wave.open(str(tmp_path / "a.wav"), "rb") as file:
        assert file.getparams()[:4] == (2, 3, 22050, 3)
        data = file.readframes(3)
    # To the nearest, half to even, and clipped.
    assert data == pcm([2, -2, 2**23 - 1, -(2**23), 0, -1], 24)


@pytest.mark.parametrize("bits", [8, 16, 24, 32, 64])
def test_clipping_at_both_ends(bits: int) -> None:
    low, high = RANGES[bits]
    values = np.array([-np.finfo(np.float64).max, float(low), 0.0, float(high) * 2])
    content, clipped = recordings.encode("x.wav", Recording(values, "x", 8000, f"{bits}-bit"))
    back = content[-4 * bits // 8 :]
    top = high if bits < 64 else int(np.nextafter(2.0**63, 0))
    assert back == pcm([low, low, 0, top], bits)
    assert clipped == 2


def test_a_big_endian_file_and_other_chunks(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    chunk = b"odd " + struct.pack(">I", 3) + b"abc\0"
    path.write_bytes(wav_bytes(pcm([1, -2], 16, order="big"), order=">", before=chunk))
    recording = recordings.read(path)
    np.testing.assert_array_equal(recording.values, [1, -2])
    assert recording.values.dtype.isnative
    path.write_bytes(
        wav_bytes(pcm([1, -2], 24), bits=24, before=b"LIST" + struct.pack("<I", 4) + b"INFO")
    )
    np.testing.assert_array_equal(recordings.read(path).values, [1, -2])


def test_a_stream_of_unknown_length(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes(pcm([5, 6, 7], 16), size=0xFFFFFFFF))
    np.testing.assert_array_equal(recordings.read(path).values, [5, 6, 7])


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "not a WAV file"),
        (b"RIFF\0\0\0\0AVI ", "not a WAV file"),
        (wav_bytes(b"\0" * 20)[:40], "damaged|truncated"),
        (wav_bytes(b"\0" * 20)[:-4], "truncated: it should hold 20 bytes of sound, but has 16"),
        (wav_bytes(b""), "holds no samples"),
        (wav_bytes(b"\0" * 8, kind=7, bits=8), "unknown kind .*MULAW"),
        (wav_bytes(b"\0" * 8, kind=85), "unknown kind"),
        (wav_bytes(b"\0" * 8, channels=0), "damaged"),
        (b"RIFF" + struct.pack("<I", 4) + b"WAVE", "damaged"),
        (wav_bytes(struct.pack("<2f", 1, np.nan), kind=3, bits=32), "value 1 .* is nan"),
    ],
)
def test_damaged_sounds(tmp_path: Path, content: bytes, match: str) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=match) as caught:
        recordings.read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "rate", "match"),
    [
        (np.ones((2, 2, 2)), 8000, "takes real samples"),
        (np.ones(3, complex), 8000, "takes real samples"),
        (np.array([1.0, np.inf]), 8000, "value 1 .* is inf"),
        (np.ones(3), 2**32, "rate of a WAV file"),
        (np.ones((1, 70000)), 8000, "65,535 channels"),
    ],
)
def test_no_sounds(values: Any, rate: int, match: str) -> None:
    with pytest.raises(RecordingError, match=match):
        recordings.encode("x.wav", Recording(values, "x", rate, "16-bit"))


def test_signals_without_a_rate_become_floats() -> None:
    content, _ = recordings.encode("x.wav", Recording(np.array([10, 9.5]), "x"))
    rate, values = wavfile.read(io.BytesIO(content))
    assert (rate, values.dtype, values.tolist()) == (44100, np.float32, [10, 9.5])


@pytest.mark.parametrize(
    ("text", "values", "columns"),
    [
        ("1\n2.5\n-3e2\n", [1, 2.5, -300], ()),
        ("10,9,10\n", [10, 9, 10], ()),
        ("1 2  3", [1, 2, 3], ()),
        ("1 2\n3 4\n", [[1, 2], [3, 4]], ()),
        ("1,2\r\n3,4\r\n", [[1, 2], [3, 4]], ()),
        ("\ufefftime,left side\n0,5\n1,6\n", [[0, 5], [1, 6]], ("time", "left side")),
        ('"a","b,c"\n0,5\n', [[0, 5]], ("a", "b,c")),
        ("value\n1\n2\n", [1, 2], ("value",)),
        ("a;b\n1,5;2\n3;4,25\n", [[1.5, 2], [3, 4.25]], ("a", "b")),
        ("1,5\t2\n3\t4\n", [[1.5, 2], [3, 4]], ()),
        ("# a comment\n\n1,2,\n3,4,\n", [[1, 2], [3, 4]], ()),
        ('"1","2"\n"3","4"\n', [[1, 2], [3, 4]], ()),
    ],
)
@pytest.mark.parametrize("ending", [".csv", ".txt", ".tsv"])
def test_tables(
    tmp_path: Path, text: str, values: Any, columns: tuple[str, ...], ending: str
) -> None:
    path = tmp_path / f"a{ending}"
    path.write_bytes(text.encode())
    recording = recordings.read(path)
    np.testing.assert_array_equal(recording.values, values)
    assert recording.values.ndim == np.ndim(values)
    assert recording.columns == columns
    assert not recording.grid


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "holds no numbers"),
        (b"# nothing\n\n", "holds no numbers"),
        (b"a,b\n", "holds no numbers, only the row a, b"),
        (b"1,2\n3,x\n", "line 2, column 2: 'x' is not a number"),
        (b"a,b\n1,2\n\n3,\n", "line 4 has 1 numbers, but the first row has 2"),
        (b"a,b\n1,2\n,3\n", "line 3, column 1: is empty"),
        (b"1,2\n3,4,5\n", "line 2 has 3 numbers, but the first row has 2"),
        (b"a,b,c\n1,2\n", "names 3 columns, but the next has 2"),
        (b"1\nnan\n", r"value 1 \(counted from 0\) is nan"),
        (b"1,2\n3,inf\n", r"value \(1, 1\) .* is inf"),
        (b"\xff\xfe1\x00", "not a text file"),
    ],
)
def test_damaged_tables(tmp_path: Path, content: bytes, match: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=match) as caught:
        recordings.read(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("ending", [".csv", ".txt", ".tsv", ".npy"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int16])
@pytest.mark.parametrize("shape", [(7,), (5, 3)])
def test_numbers_come_back_as_they_were(
    tmp_path: Path, ending: str, dtype: Any, shape: tuple[int, ...]
) -> None:
    values = (np.random.default_rng(1).normal(size=shape) * 1000).astype(dtype)
    path = tmp_path / f"a{ending}"
    recordings.write(
        path, Recording(values, "x", columns=("a b", "c,d", "e")[: values.ndim * 2 - 1])
    )
    back = recordings.read(path)
    np.testing.assert_array_equal(back.values.astype(dtype), values)
    if ending in (".csv", ".tsv"):
        assert back.columns == ("a b", "c,d", "e")[: values.ndim * 2 - 1]


def test_arrays(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    values = np.arange(6, dtype=">i4").reshape(2, 3)
    np.save(path, values)
    recording = recordings.read(path)
    np.testing.assert_array_equal(recording.values, values)
    assert recording.values.dtype.isnative
    assert recording.grid
    np.save(path, np.ones(3, bool))
    assert not recordings.read(path).grid


class Trap:
    """Says so if it is unpickled."""

    def __reduce__(self) -> Any:
        return sys.exit, ("unpickled",)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.array([Trap()]), allow_pickle=True)
    with pytest.raises(RecordingError, match=r"not a NumPy array of numbers"):
        recordings.read(path)


def test_damaged_arrays(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.arange(1000.0))
    content = path.read_bytes()
    for wrong in (b"", b"abc", content[:100], content[:-8]):
        path.write_bytes(wrong)
        with pytest.raises(RecordingError, match=r"not a NumPy array"):
            recordings.read(path)
    # A header that promises a terabyte.
    path.write_bytes(content.replace(b"(1000,), }       ", b"(100000000000,), }"[:17]))
    with pytest.raises(RecordingError, match=r"not a NumPy array"):
        recordings.read(path)
    for values in (np.array(["a"]), np.empty(0), np.array(1.0)):
        np.save(path, values)
        with pytest.raises(RecordingError, match=r"not numbers|no signal"):
            recordings.read(path)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="there is no such file"):
        recordings.read(tmp_path / "a.wav")
    with pytest.raises(RecordingError, match=r"\.wav, \.csv, \.tsv, \.txt and \.npy"):
        recordings.read(tmp_path / "a.mp3")
    (tmp_path / "b.csv").mkdir()
    with pytest.raises(RecordingError, match="is a folder, not a file"):
        recordings.read(tmp_path / "b.csv")
    with pytest.raises(RecordingError, match="are read from and written to"):
        recordings.write(tmp_path / "a.mp3", Recording(np.ones(2), "x"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.csv"]


def test_shapes_that_a_file_cannot_hold() -> None:
    with pytest.raises(RecordingError, match=r"write \.npy instead"):
        recordings.encode("x.csv", Recording(np.ones((2, 2, 2)), "x"))
    with pytest.raises(RecordingError, match="holds signals in columns"):
        recordings.encode("x.wav", Recording(np.ones((2, 2)), "x", grid=True))
