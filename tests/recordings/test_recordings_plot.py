"""Pictures of signals. That they are good to look at was looked at; here is what can be counted."""

import io
import re
from typing import Any

import numpy as np
import pytest
from PIL import Image

from striate import recordings
from striate.recordings import Recording, RecordingError
from striate.recordings.plot import Curve, check_picture, envelope, plot, plot_grids

F = recordings.demo("article")
Y = np.convolve(F.values, [1 / 3] * 3)[:10]


def pixels(content: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)


def reds(image: Any) -> int:
    """How many pixels are about red."""
    return int(((image[..., 0] > 200) & (image[..., 1] < 60) & (image[..., 2] < 60)).sum())


def grays(image: Any) -> int:
    return int((np.abs(image - 128).max(axis=-1) < 3).sum())


def drawn(before: Recording, after: Any, **how: Any) -> Any:
    return pixels(plot(before, [Curve(after, "y", **how)], "png"))


def test_the_plot_of_the_article() -> None:
    image = drawn(F, Y)
    assert image.shape[1] > 1000
    assert reds(image) > 3000
    assert grays(image) > 3000
    # Each dot is where its number is: the lowest gray one at f(5) = 1, the lowest red at y(0).
    rows, columns = np.nonzero((np.abs(image - 128).max(axis=-1) < 3)[:520, 60:1000])
    lowest = columns[rows == rows.max()].mean() + 60
    left = 72  # of sample 0
    right = 1320  # of sample 9
    assert (lowest - left) / (right - left) == pytest.approx(5 / 9, abs=0.01)


@pytest.mark.parametrize("kind", ["png", "svg", "pdf", "jpg", "webp"])
def test_kinds_of_pictures(kind: str) -> None:
    assert check_picture(f"a.b.{kind.upper()}") == kind
    content = plot(F, [Curve(Y, "y")], kind)
    heads = {
        "png": b"\x89PNG",
        "svg": b"<?xml",
        "pdf": b"%PDF",
        "jpg": b"\xff\xd8",
        "webp": b"RIFF",
    }
    assert content.startswith(heads[kind])


def test_other_kinds() -> None:
    for name in ("x", "x.doc", "png"):
        with pytest.raises(RecordingError, match=r"can be written as \.png, \.svg"):
            check_picture(name)


def test_the_envelope_holds_every_sample() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=100_003)
    values[77_777] = 50
    at, low, high = envelope(np.arange(100_003), values, 1500)
    assert len(at) == len(low) == len(high) == 1500
    runs = np.searchsorted(at, np.arange(100_003), side="right") - 1
    assert (values >= low[runs]).all()
    assert (values <= high[runs]).all()
    assert high.max() == 50
    # Neighbours touch, so that the band has no gaps.
    assert (high[:-1] >= low[1:]).all()
    assert (low[:-1] <= high[1:]).all()
    at, low, high = envelope(np.arange(3), np.array([1.0, 5.0, 2.0]))
    assert (at.tolist(), low.tolist(), high.tolist()) == ([0, 1, 2], [1, 2, 2], [5, 5, 2])


def test_a_million_samples() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(1_000_000, 2))
    recording = Recording(values, "x", rate=44100, coding="float32")
    content = plot(recording, [Curve(values * 0.3, "y")], "svg")
    assert len(content) < 1_000_000  # the band, and not the samples
    image = drawn(recording, values * 0.3)
    assert reds(image) > 50_000
    assert grays(image) > 50_000


def test_many_channels_strides_and_short_results() -> None:
    values = np.random.default_rng(0).normal(size=(5000, 6))
    image = drawn(Recording(values, "x"), values[::100], step=100)
    assert image.shape[0] > image.shape[1] * 0.9  # four of them and the detail
    assert reds(drawn(F, Y[:1], first=-3)) > 20


def test_constant_and_single_samples() -> None:
    one = Recording(np.array([5.0]), "x")
    assert reds(drawn(one, np.array([5.0]))) > 20
    flat = Recording(np.zeros(10_000), "x", rate=8000)
    assert reds(drawn(flat, np.zeros(10_000))) > 20


def test_a_signal_by_itself_and_two_results() -> None:
    alone = pixels(plot(F, (), "png"))
    assert grays(alone) > 3000
    assert reds(alone) == 0
    blue = Curve(-Y, "other", colour="blue")
    image = pixels(plot(F, [Curve(Y, "y"), blue], "png"))
    assert reds(image) > 3000
    assert ((image[..., 2] > 200) & (image[..., 0] < 60)).sum() > 3000


def test_ticks_are_whole_samples() -> None:
    """Each of few samples has one, and of many none lies between two."""
    for count in (3, 10, 24, 60, 300):
        text = plot(Recording(np.arange(count), "x"), (), "svg").decode()
        ticks = re.findall(r"<g id=\"xtick_\d+\">.*?<!-- (.*?) -->", text, re.DOTALL)
        assert all(re.fullmatch(r"−?\d+", tick) for tick in ticks), ticks
        if count <= 24:
            assert set(map(str, range(count))) <= set(ticks)


def test_grids() -> None:
    square = np.arange(9).reshape(3, 3)
    noise = np.random.default_rng(0).normal(size=(40, 60))
    one = pixels(plot_grids([("f", noise)], "png"))
    three = pixels(plot_grids([("f", noise), ("g", square), ("y", noise)], "png"))
    assert three.std() > 30
    assert three.shape[1] > 2.9 * one.shape[1]
    with pytest.raises(RecordingError, match="complex"):
        plot_grids([("f", square * 1j)], "png")
    with pytest.raises(RecordingError, match="complex"):
        plot(Recording(F.values * 1j, "x"), [Curve(Y, "y")], "png")
