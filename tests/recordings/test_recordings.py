"""Signals as a person writes them, their channels, and those that come along."""

from pathlib import Path

import numpy as np
import pytest

from striate import recordings
from striate.recordings import Recording, RecordingError
from striate.recordings.demo import clean_notes, clean_sine


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("10,9,10", [10, 9, 10]),
        (" -1 .5  1e3 ", [-1, 0.5, 1000]),
        ("1/3, -2/4", [1 / 3, -0.5]),
        ("7", [7]),
        ("1 2 3; 4 5 6", [[1, 2, 3], [4, 5, 6]]),
        ("1 2\n3 4", [[1, 2], [3, 4]]),
    ],
)
def test_typed_numbers(text: str, values: object) -> None:
    recording = recordings.find(text)
    np.testing.assert_array_equal(recording.values, values)
    assert recording.values.dtype == np.float64
    assert recording.grid == (np.ndim(values) == 2)  # type: ignore[arg-type]
    assert recording.rate is None


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "the signal is empty"),
        (" ; ", "the signal"),
        ("10,x,3", "the signal: 'x' is not a number"),
        ("10,nan,3", "'nan' is not a number"),
        ("1e999", "too large"),
        ("1,2;3", "row 2 has 1"),
        ("1/0", "divides by zero"),
        ("noisy-sin", 'did you mean "noisy-sine"'),
        ("zzz", "neither numbers such as 10,9,10, nor a file, nor one of article, noisy-sine, rec"),
        ("gone.csv", "gone.csv: there is no such file"),
    ],
)
def test_what_is_no_signal(text: str, match: str) -> None:
    with pytest.raises(RecordingError, match=match) as caught:
        recordings.find(text)
    assert "\n" not in str(caught.value)


def test_files_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a b.csv").write_text("1\n2\n")
    assert recordings.find("a b.csv").values.tolist() == [1, 2]
    Path("notes").write_text("1\n2\n")
    with pytest.raises(RecordingError, match="notes: signals are read from"):
        recordings.find("notes")


def test_channels() -> None:
    table = Recording(np.arange(6).reshape(2, 3), "t", columns=("time", "2", "x"))
    assert table.channels == 3
    assert table.channel("x").values.tolist() == [2, 5]
    assert table.channel("x").columns == ("x",)
    assert table.channel("1").values.tolist() == [0, 3]
    # A name goes before a number.
    assert table.channel("2").values.tolist() == [1, 4]
    with pytest.raises(RecordingError, match="no column '4'; there are time, 2, x"):
        table.channel("4")
    for which in ("0", "-1", "²", ""):
        with pytest.raises(RecordingError, match="no column"):
            table.channel(which)
    stereo = Recording(np.ones((5, 2)), "s", rate=8000, coding="16-bit")
    assert stereo.channel_names() == ["left", "right"]
    assert stereo.channel("right").rate == 8000
    mono = Recording(np.ones(5), "m")
    assert mono.channel_names() == ["1"]
    assert mono.channel("1").values.shape == (5,)
    with pytest.raises(RecordingError, match="no column"):
        Recording(np.ones((2, 2)), "g", grid=True).channel("2")


def test_demonstrations_are_the_same_each_time() -> None:
    for name in recordings.DEMOS:
        first, second = recordings.demo(name), recordings.find(name)
        np.testing.assert_array_equal(first.values, second.values)
    assert recordings.demo("article").values.tolist() == [10, 9, 10, 9, 10, 1, 10, 9, 10, 8]
    sound = recordings.demo("recording")
    assert (sound.rate, sound.coding, sound.values.dtype) == (16000, "16-bit", np.int16)
    with pytest.raises(RecordingError, match="there are article"):
        recordings.demo("nothing")


def snr(noisy: np.ndarray, clean: np.ndarray) -> float:
    return float(10 * np.log10(np.sum(clean**2) / np.sum((noisy - clean) ** 2)))


def test_a_mean_takes_the_noise_away() -> None:
    """What the article claims: smoothing brings the signal nearer to what lies below the noise."""
    sine, sound = recordings.demo("noisy-sine").values, recordings.demo("recording").values / 32767
    for noisy, clean in ((sine, clean_sine()), (sound, clean_notes())):
        smooth = np.convolve(noisy, np.full(9, 1 / 9), "same")
        assert snr(smooth, clean) > snr(noisy, clean) + 5
