"""``striate convolve``."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.ndimage
import scipy.signal
from PIL import Image
from scipy.io import wavfile

from striate import recordings
from striate.cli.convolve_pictures import first_place
from striate.recordings import Recording
from striate.signal.convolution import convolve, correlate

Run = Callable[..., Any]
Refused = Callable[..., str]

ARTICLE = "10,9,10,9,10,1,10,9,10,8"
SQUARE = "1 2 3; 4 5 6; 7 8 9"


def numbers(out: str) -> list[float]:
    return [float(word) for word in out.split()]


def test_the_article(striate: Run, in_tmp: Path) -> None:
    outcome = striate("convolve", "--signal", ARTICLE, "--kernel", "mean3", "--plot", "out.png")
    assert outcome.code == 0
    assert outcome.out == (
        "3.33333  6.33333  9.66667  9.33333  9.66667  6.66667  7  6.66667  9.66667  9\n"
    )
    assert outcome.err.splitlines() == [
        "typed numbers (10 samples) convolved with mean3 (3 taps, flipped), mode same, "
        "origin corner, border fill with 0",
        "Written to out.png",
    ]
    with Image.open("out.png") as picture:
        assert picture.size[0] > 1000
    assert [path.name for path in in_tmp.iterdir()] == ["out.png"]


def test_the_article_is_the_default(striate: Run) -> None:
    outcome = striate("convolve", "--quiet")
    assert outcome.err == ""
    assert outcome.out == striate("convolve", "-s", ARTICLE, "-k", "1/3 1/3 1/3").out


def test_json(striate: Run) -> None:
    outcome = striate("convolve", "--json", "--at", 2)
    result = outcome.json
    np.testing.assert_allclose(
        result["values"], np.convolve(recordings.demo("article").values, [1 / 3] * 3)[:10]
    )
    assert result["shape"] == [10]
    (step,) = result["steps"]
    assert step["at"] == [2]
    assert [(term["f"], term["g"]) for term in step["terms"]] == [
        ([0], [2]), ([1], [1]), ([2], [0])
    ]  # fmt: skip
    assert step["value"] == pytest.approx(29 / 3)


def test_steps_show_the_flip(striate: Run) -> None:
    out = striate("convolve", "-s", "1 2 3", "-k", "4 5", "--steps").out
    assert out.splitlines()[0] == "y(n) = Σ f(i)·g(n - i)    a convolution: g is flipped"
    assert "y(1) = f(0)·g(1) + f(1)·g(0) = 1·5 + 2·4 = 13" in out
    out = striate("convolve", "-s", "1 2 3", "-k", "4 5", "--steps", "--correlate").out
    assert "y(1) = f(1)·g(0) + f(2)·g(1) = 2·4 + 3·5 = 23" in out


@pytest.mark.parametrize(
    ("origin", "place", "value"),
    [("corner", (1, 1), 26), ("center", (2, 2), 165), ("1,0", (2, 1), 84)],
)
def test_one_sum_of_two_dimensions(
    striate: Run, origin: str, place: tuple[int, int], value: int
) -> None:
    arguments = ("convolve", "-s", SQUARE, "-k", SQUARE, "--origin", origin)
    out = striate(*arguments, "--at", "1,1", "--quiet").out
    f = np.arange(1, 10).reshape(3, 3)
    assert scipy.signal.convolve2d(f, f)[place] == value
    assert out.splitlines()[-1].strip() == f"= {value}"
    rows = [numbers(line) for line in striate(*arguments, "--quiet").out.splitlines()]
    assert rows[1][1] == value


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("correlated", [False, True])
def test_modes_against_scipy(striate: Run, mode: str, correlated: bool) -> None:
    f, g = [3, -1, 4, 1, -5, 9, 2], [2, 7, 1]
    arguments = ["-s", " ".join(map(str, f)), "-k", "2 7 1", "--mode", mode, "--origin", "center"]
    out = striate("convolve", *arguments, *["--correlate"] * correlated, "--quiet").out
    run = scipy.signal.correlate if correlated else scipy.signal.convolve
    assert numbers(out) == run(f, g, mode).tolist()


def test_borders_strides_and_dilation(striate: Run) -> None:
    f = np.array([3, -1, 4, 1, -5, 9, 2])
    for border in ("nearest", "reflect", "mirror", "wrap"):
        out = striate(
            "convolve", "-s", "3 -1 4 1 -5 9 2", "-k", "2 7 1", "--border", border,
            "--origin", "centre", "-q",
        ).out  # fmt: skip
        assert numbers(out) == scipy.ndimage.convolve(f, [2, 7, 1], mode=border).tolist()
    out = striate(
        "convolve", "-s", "3 -1 4 1 -5 9 2", "-k", "2 7 1", "--fill-value", 5, "--stride", 2,
        "--dilation", 2, "-q",
    ).out  # fmt: skip
    padded = np.concatenate([[5] * 4, f])
    expected = [2 * padded[n + 4] + 7 * padded[n + 2] + padded[n] for n in range(0, 7, 2)]
    assert numbers(out) == expected


def test_borders_of_each_axis(striate: Run) -> None:
    out = striate(
        "convolve", "-s", SQUARE, "-k", "1 1; 1 1", "--border", "wrap,fill", "-q", "--stride", "1,2"
    ).out
    f = np.arange(1, 10).reshape(3, 3)
    wrapped = np.pad(np.pad(f, ((1, 0), (0, 0)), "wrap"), ((0, 0), (1, 0)))
    expected = scipy.signal.convolve2d(wrapped, np.ones((2, 2)), "valid")[:, ::2]
    assert [numbers(line) for line in out.splitlines()] == expected.tolist()


def test_long_signals_are_shortened(striate: Run) -> None:
    out = striate("convolve", "-s", "noisy-sine", "-k", "mean9", "-q").out
    smooth = np.convolve(recordings.demo("noisy-sine").values, np.full(9, 1 / 9))[:300]
    before, after = out.split("… 292 more …")
    np.testing.assert_allclose(numbers(before), smooth[:4], rtol=1e-5)
    np.testing.assert_allclose(numbers(after), smooth[-4:], rtol=1e-5)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("coding", ["8-bit", "16-bit", "24-bit", "32-bit", "float32", "float64"])
def test_sounds_keep_rate_and_coding(
    striate: Run, in_tmp: Path, coding: str, channels: int
) -> None:
    rng = np.random.default_rng(0)
    top = 1.0 if coding.startswith("float") else 2.0 ** (int(coding.split("-")[0]) - 1)
    samples = rng.uniform(-top / 4, top / 4, (50, channels)[: 1 + (channels > 1)])
    recordings.write("in.wav", Recording(samples, "in", 11025, coding))
    before = recordings.read("in.wav").values.astype(float)
    outcome = striate("convolve", "-s", "in.wav", "-k", "0.5 0.25 -2", "-o", "out.wav")
    assert outcome.code == 0
    after = recordings.read("out.wav")
    assert (after.rate, after.coding, after.channels) == (11025, coding, channels)
    expected = scipy.signal.lfilter([0.5, 0.25, -2], 1, before, axis=0)  # an FIR filter is causal
    if coding.startswith("float"):
        np.testing.assert_allclose(after.values, expected, rtol=1e-5, atol=1e-6)
    else:
        np.testing.assert_array_equal(after.values, np.rint(expected))
    lines = outcome.out.splitlines()
    assert len(lines) == channels
    if channels == 2:
        assert lines[0].startswith("left ")
        assert lines[1].startswith("right ")


def test_clipping_is_told(striate: Run, in_tmp: Path) -> None:
    wavfile.write("in.wav", 8000, np.array([30000, -30000, 100], np.int16))
    outcome = striate("convolve", "-s", "in.wav", "-k", "2", "-o", "out.wav")
    assert "2 samples clipped to the range of out.wav" in outcome.err
    rate, values = wavfile.read("out.wav")
    assert (rate, values.tolist()) == (8000, [32767, -32768, 200])


def test_a_stride_slows_the_rate_down(striate: Run, in_tmp: Path) -> None:
    striate("convolve", "-s", "recording", "--stride", 2, "-o", "out.wav")
    rate, values = wavfile.read("out.wav")
    assert (rate, len(values), values.dtype) == (8000, 16000, np.int16)


def test_the_recording_becomes_quieter(striate: Run, in_tmp: Path) -> None:
    """The article's noise removal: the notes stay, the hiss between them goes."""
    outcome = striate(
        "convolve", "-s", "recording", "-k", "mean9", "--origin", "center", "-o", "clean.wav",
        "--plot", "clean.png",
    )  # fmt: skip
    assert outcome.code == 0
    assert "recording (32,000 samples, 2 s) convolved with mean9" in outcome.err
    _, after = wavfile.read("clean.wav")
    before = recordings.demo("recording").values
    power = [np.abs(np.fft.rfft(x)) ** 2 for x in (before, after)]
    hertz = np.fft.rfftfreq(len(before), 1 / 16000)
    high, low = hertz > 2000, hertz < 400
    assert power[1][high].sum() < 0.05 * power[0][high].sum()
    assert power[1][low].sum() > 0.9 * power[0][low].sum()


def test_tables_keep_their_names(striate: Run, in_tmp: Path) -> None:
    Path("in.csv").write_text("time,x\n0,1\n1,2\n2,6\n")
    outcome = striate("convolve", "-s", "in.csv", "-k", "1 1", "-o", "out.csv", "-q")
    assert outcome.out == "time  0  1  3\nx     1  3  8\n"
    assert Path("out.csv").read_text() == "time,x\n0.0,1.0\n1.0,3.0\n3.0,8.0\n"
    outcome = striate("convolve", "-s", "in.csv", "-k", "1 1", "--column", "x", "-o", "x.csv", "-q")
    assert outcome.out == "1  3  8\n"
    assert Path("x.csv").read_text() == "x\n1.0\n3.0\n8.0\n"
    # With a kernel of two dimensions the table is a matrix.
    outcome = striate("convolve", "-s", "in.csv", "-k", "1 0; 0 1", "-q")
    assert [numbers(line) for line in outcome.out.splitlines()] == [[0, 1], [1, 2], [2, 7]]


def test_arrays_and_named_kernels_of_two_dimensions(striate: Run, in_tmp: Path) -> None:
    image = np.random.default_rng(0).normal(size=(30, 40)).astype(np.float32)
    np.save("in.npy", image)
    outcome = striate(
        "convolve", "-s", "in.npy", "-k", "mean3", "--origin", "center", "--border", "reflect",
        "-o", "out.npy", "--plot", "out.png",
    )  # fmt: skip
    assert outcome.code == 0
    assert "… 18 more rows …" in outcome.out
    after = np.load("out.npy")
    assert after.dtype == np.float32
    np.testing.assert_allclose(after, scipy.ndimage.uniform_filter(image, 3), atol=1e-5)
    striate("convolve", "-s", "in.npy", "-k", "sobel", "--mode", "valid", "-o", "edges.npy")
    x, y = (scipy.ndimage.sobel(image, axis)[1:-1, 1:-1] for axis in (0, 1))
    np.testing.assert_allclose(np.load("edges.npy"), np.hypot(x, y), atol=1e-5)


def test_a_complex_signal(striate: Run, in_tmp: Path) -> None:
    np.save("in.npy", np.array([1 + 1j, 2, 3j]))
    outcome = striate("convolve", "-s", "in.npy", "-k", "1 2", "-q")
    assert outcome.out == "(1+1j)  (4+2j)  (4+3j)\n"


def test_both_operations(striate: Run) -> None:
    """Article 002, figure 2."""
    ramp = ("convolve", "-s", "1 2 3 4 5", "-k", "1 0 -1", "--mode", "valid", "--both")
    outcome = striate(*ramp)
    assert outcome.out == (
        "convolution, g flipped:\n2  2  2\n\ncorrelation, g as it is:\n-2  -2  -2\n"
    )
    assert "convolved with" in outcome.err.splitlines()[0]
    assert "correlated with" in outcome.err.splitlines()[1]
    result = striate(*ramp, "--json", "--at", 1).json
    assert (result["convolution"]["values"], result["correlation"]["values"]) == (
        [2, 2, 2], [-2, -2, -2]
    )  # fmt: skip
    assert [result[name]["steps"][0]["value"] for name in result] == [2, -2]
    out = striate("convolve", "-s", "3 1 2; 0 5 4; 7 6 8", "-k", "1 2; 3 4", "--mode", "valid",
                  "--both", "--at", "0,0", "-q").out  # fmt: skip
    assert out.index("= 20\n") < out.index("a correlation: g is not flipped") < out.index("= 25\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--plot-f", "out.png"),
        ("--at", "5", "--plot", "out.svg"),
        ("--both", "--plot", "out.png"),
        ("--both", "--at", "5", "--plot", "out.png"),
        ("-s", SQUARE, "-k", SQUARE, "--at", "1,1", "--origin", "center", "--plot", "out.pdf"),
        ("-s", SQUARE, "-k", SQUARE, "--correlate", "--at", "0,0", "--plot", "out.png"),
        ("-s", SQUARE, "-k", SQUARE, "--both", "--plot", "out.png"),
        ("-s", SQUARE, "-k", "sobel", "--plot", "out.png"),
        ("-s", SQUARE, "--kernel", "1 2", "--plot-f", "out.png"),
        ("--slide", "out.png"),
        ("-s", "3 1 2", "--slide", "out.gif"),
        ("-s", SQUARE, "-k", "1 2; 3 4", "--mode", "valid", "--slide", "out.png"),
    ],
)
def test_pictures(striate: Run, in_tmp: Path, arguments: tuple[str, ...]) -> None:
    outcome = striate("convolve", *arguments)
    assert outcome.code == 0
    name = arguments[-1]
    assert outcome.err.endswith(f"Written to {name}\n")
    assert [path.name for path in in_tmp.iterdir()] == [name]
    if Path(name).suffix in (".png", ".gif"):
        with Image.open(name) as picture:
            assert np.asarray(picture.convert("L")).std() > 5


def test_pictures_show_what_was_asked_for(striate: Run, in_tmp: Path) -> None:
    """With --at another picture than without, and f alone another than f with y."""
    for name, arguments in {
        "plain": ("--plot",), "at": ("--at", "5", "--plot"), "later": ("--at", "6", "--plot"),
        "f": ("--plot-f",),
    }.items():  # fmt: skip
        striate("convolve", *arguments, f"{name}.svg")
    seen = {path.stem: path.read_text() for path in in_tmp.iterdir()}
    assert "<!-- y = f * mean3 -->" in seen["plain"]
    assert "<!-- g, flipped and put at 5: g(5 - i) -->" in seen["at"]
    assert "<!-- g, flipped and put at 6: g(6 - i) -->" in seen["later"]
    assert "<!-- y" not in seen["f"]


@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("correlated", [False, True])
@pytest.mark.parametrize("origin", ["corner", "center", 0, 1, 3])
def test_the_plot_has_each_result_at_the_sample_below_the_origin(
    origin: Any, correlated: bool, mode: str, dilation: int
) -> None:
    """With 1 at the origin and 0 elsewhere each result is the sample at which it is drawn."""
    f, g = np.arange(10.0, 30.0), np.zeros(4)
    names = {"corner": 0, "center": 2 if correlated else 1}
    g[names.get(origin, origin)] = 1
    how = {"mode": mode, "origin": origin, "dilation": dilation}
    y = (correlate if correlated else convolve)(f, g, **how)
    first = first_place(len(f), len(g), {**how, "correlate": correlated})
    for n, value in enumerate(y):
        place = first + n
        assert value == (f[place] if 0 <= place < len(f) else 0)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("-s", ""), "the signal is empty"),
        (("-s", "10,x,3"), "'x' is not a number"),
        (("-s", "10,nan,3"), "'nan' is not a number"),
        (("-s", "gone.wav"), "gone.wav: there is no such file"),
        (("-s", "noisy-sin"), 'did you mean "noisy-sine"'),
        (("-s", "1 2 3", "-k", "1 2 3 4", "--mode", "valid"), "kernel must fit into f"),
        (("-k", "meen3"), "unknown kernel 'meen3'; did you mean 'mean'"),
        (("-k", "sobel-x"), "is for images"),
        (("-k", ""), "the kernel is empty"),
        (("-k", "1 2", "--size", "3"), "size 3 is given"),
        (("--border", "mirorr"), 'did you mean "mirror"'),
        (("--mode", "sam"), 'did you mean "same"'),
        (("--origin", "cornr"), 'did you mean "corner"'),
        (("--origin", "7"), "0 to 2, got 7"),
        (("--origin", "1.5"), "'1.5' is not a whole number"),
        (("--stride", "0"), "stride must be at least 1"),
        (("--dilation", "x"), "'x' is not a whole number"),
        (("--fill-value", "nan"), "'nan' is not a number"),
        (("--at", "10"), "there is no output 10; the last one is 9"),
        (("--at", "1,1"), "at must have 1 number"),
        (("-s", "recording", "--steps"), "too many to read"),
        (("-s", SQUARE, "-k", "sobel", "--steps"), "--steps shows one of them"),
        (("--column", "2"), "no column '2'"),
        (("--plot", "out.doc"), "can be written as .png"),
        (("--plot", "none/out.png"), "there is no folder none"),
        (("--plot-f", "out.gif"), "can be written as .png"),
        (("--slide", "out.doc"), "can be written as .gif, .png"),
        (("--slide", "a.png", "--plot", "./a.png"), "named twice, by --plot and by --slide"),
        (("--slide", "a.gif", "-s", "recording"), "at most 400 samples, and here are 32,000"),
        (("--slide", "a.gif", "-s", SQUARE, "-k", "sobel"), "--slide shows one of them"),
        (("--both",), "--out takes one result, and --both makes two"),
        (("--both", "--correlate"), "leave out --correlate"),
        (("--plot", "a.png", "-s", SQUARE, "-k", "gaussian31", "--at", "1,1"), "spans 31×31"),
        (("-o", "out.mp3"), "are read from and written to .wav"),
        (("-o", "none/out.csv"), "there is no folder none"),
        (("-o", "folder.csv"), "folder.csv: is a folder"),
        (("-s", SQUARE, "-k", "1", "-o", "out.wav"), "write .npy or .csv"),
    ],
)
def test_errors(refused: Refused, in_tmp: Path, arguments: tuple[str, ...], match: str) -> None:
    Path("folder.csv").mkdir()
    extra = () if "-o" in arguments else ("-o", "out.csv")
    assert match in refused("convolve", *arguments, *extra)
    assert [path.name for path in in_tmp.rglob("*")] == ["folder.csv"]


def test_errors_of_files(refused: Refused, in_tmp: Path) -> None:
    wavfile.write("two.wav", 8000, np.ones((100, 2), np.int16))
    for option in (("--steps",), ("--slide", "x.gif")):
        assert "choose it by --column (left, right)" in refused(
            "convolve", "-s", "two.wav", *option
        )
    assert "one row of numbers" in refused("convolve", "-s", "two.wav", "-k", "1 2; 3 4")
    Path("cut.wav").write_bytes(Path("two.wav").read_bytes()[:-50])
    assert "truncated" in refused("convolve", "-s", "cut.wav", "-o", "out.wav")
    np.save("cube.npy", np.ones((2, 2, 2)))
    assert "one or two dimensions" in refused("convolve", "-s", "cube.npy")
    np.save("complex.npy", np.array([1j]))
    for option in (("--json",), ("--plot", "x.png"), ("-o", "x.wav"), ("--plot-f", "x.png"),
                   ("--slide", "x.gif")):  # fmt: skip
        refused("convolve", "-s", "complex.npy", *option)
    Path("gap.csv").write_text("a\n1\n\n2\nx\n")
    assert "line 5" in refused("convolve", "-s", "gap.csv")
    assert sorted(path.suffix for path in in_tmp.iterdir()) == [
        ".csv", ".npy", ".npy", ".wav", ".wav"
    ]  # fmt: skip


def test_one_name_for_two_files(refused: Refused, in_tmp: Path) -> None:
    Path("out.png").symlink_to("out.csv")
    assert "named twice" in refused("convolve", "-o", "out.csv", "--plot", "out.png")


def test_an_earlier_file_stays_where_writing_fails(
    refused: Refused, in_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("out.csv").write_text("mine")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    assert refused("convolve", "-o", "out.csv") == (
        "out.csv: cannot be written (No space left on device)"
    )
    assert Path("out.csv").read_text() == "mine"
    assert [path.name for path in in_tmp.iterdir()] == ["out.csv"]


def test_the_help_shows_the_borders(striate: Run) -> None:
    out = striate("convolve", "--help").out
    words = re.sub(r"\s+", " ", out)
    assert "mirror b|abcd|c" in words
    assert "_NAMES" not in out
    assert "CONVERT" not in out


def test_nothing_heavy_is_loaded_without_need() -> None:
    code = (
        "import sys\nfrom striate.cli.app import run\nrun(['convolve', '--steps', '-q'])\n"
        "print(sorted({'llvmlite', 'sklearn', 'PIL', 'matplotlib', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == []
