"""``striate filter``."""

import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from striate import kernels
from striate.common.arrays import Array
from striate.pictures import Picture, grace_hopper, read_picture, write_picture
from striate.pictures.comparison import draw_comparison, label, readable
from striate.signal.filter_image import filter_image, resolve_chain

Run = Callable[..., Any]
Refused = Callable[..., str]


def pixels(*shape: int, dtype: Any = np.uint8, seed: int = 0) -> Array:
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype)


def only(path: str | Path) -> Array:
    (frame,) = read_picture(path).frames
    return frame


@pytest.fixture
def photo(in_tmp: Path) -> Path:
    """A small photo, in the current folder."""
    Image.fromarray(pixels(20, 30, 3)).save("photo.png")
    return Path("photo.png")


def test_a_photo_beside_itself(striate: Run, photo: Path) -> None:
    outcome = striate("filter", photo, "--kernel", "laplace")
    assert outcome.code == 0
    assert outcome.out == "photo-laplace.png: 20×30×3\n"
    assert outcome.err == ""
    weights = -np.ones((3, 3))
    weights[1, 1] = 8
    image = pixels(20, 30, 3).astype(float)
    exact = ndimage.convolve(image, weights[..., None], mode="reflect")
    np.testing.assert_array_equal(only("photo-laplace.png"), np.clip(exact, 0, 255))
    assert sorted(os.listdir()) == ["photo-laplace.png", "photo.png"]


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["-k", "mean5"], "photo-mean5.png"),
        (["-k", "mean", "--size", 5], "photo-mean5.png"),
        (["-k", "gaussian", "-k", "Sobel-Magnitude"], "photo-gaussian-sobel-magnitude.png"),
        (["-k", "0 -1 0; -1 5 -1; 0 -1 0"], "photo-kernel.png"),
        (["-k", "1/2"], "photo-kernel.png"),
        (["-k", "folder/soft.csv"], "photo-soft.png"),
        (["-k", "mean3", "--compare"], "photo-mean3-compare.png"),
    ],
)
def test_names(striate: Run, photo: Path, arguments: list[Any], name: str) -> None:
    Path("folder").mkdir()
    Path("folder/soft.csv").write_text("1,1\n1,1\n")
    outcome = striate("filter", photo, *arguments)
    assert outcome.out == f"{name}: 20×30×3\n"
    assert sorted(os.listdir()) == sorted(["folder", "photo.png", name])


def test_options(striate: Run, photo: Path) -> None:
    image = only(photo)
    plain = ("--out", "out.png", "-k")

    def result(*arguments: object) -> Array:
        assert striate("filter", photo, *plain, *arguments).code == 0
        return only("out.png")

    for border in ("fill", "nearest", "reflect", "mirror", "wrap"):
        expected = filter_image(image, "mean5", border=border, fill_value=200)
        got = result("mean5", "--border", border, "--fill-value", 200)
        np.testing.assert_array_equal(got, expected)
    expected = filter_image(image, ["gaussian", "sobel-x"], size=5, offset=128, gray=True)
    got = result("gaussian", "-k", "sobel-x", "-s", 5, "--offset", 128, "--gray")
    np.testing.assert_array_equal(got, expected)
    got = result("-1 0 1", "--offset", -1.5)
    np.testing.assert_array_equal(got, filter_image(image, [[-1, 0, 1]], offset=-1.5))


def test_grace_hopper_without_a_photo(striate: Run, in_tmp: Path) -> None:
    assert striate("filter", "-k", "mean3").out == "grace-hopper-mean3.png: 600×512×3\n"
    expected = filter_image(grace_hopper().frames[0], "mean3")
    np.testing.assert_array_equal(only("grace-hopper-mean3.png"), expected)
    assert striate("filter", "-k", "mean3", "-o", "new.jpg").code == 0
    with Image.open("new.jpg") as image:
        assert image.format == "JPEG"
    assert striate("filter", "-k", "mean3", "-o", "new/").code == 0
    assert os.listdir("new") == ["grace-hopper-mean3.png"]


def test_json(striate: Run, photo: Path) -> None:
    outcome = striate("filter", photo, "-k", "mean3", "-k", "1 2 1", "-o", "x.png", "--json")
    assert outcome.out == json.dumps(outcome.json) + "\n"
    assert outcome.json == {
        "kernels": ["mean3", "1 2 1"],
        "border": "reflect",
        "photos": [{"photo": "photo.png", "written": "x.png", "shape": [20, 30, 3]}],
        "skipped": [],
    }


def test_the_list(striate: Run) -> None:
    lines = striate("filter", "--list").out.splitlines()
    names = [line.split()[0] for line in lines if line][:-1]
    assert tuple(names) == kernels.names(2)
    assert tuple(striate("filter", "--list", "--json").json["kernels"]) == kernels.names(2)


# Kinds of photos.


def test_16_bits_and_alpha_are_kept(striate: Run, in_tmp: Path) -> None:
    image = pixels(9, 8, 4, dtype=np.uint16)
    for ending in ("png", "tif"):
        write_picture(f"x.{ending}", Picture((image,)))
        assert striate("filter", f"x.{ending}", "-k", "sharpen").code == 0
        got = only(f"x-sharpen.{ending}")
        assert got.dtype == np.uint16
        np.testing.assert_array_equal(got, filter_image(image, "sharpen"))
        np.testing.assert_array_equal(got[..., 3], image[..., 3])


def test_a_photo_on_its_side(striate: Run, in_tmp: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels(10, 14)).save("x.png", exif=exif)
    assert striate("filter", "x.png", "-k", "sobel-x", "-o", "y.png").out == "y.png: 14×10\n"
    upright = np.rot90(pixels(10, 14), -1)
    np.testing.assert_array_equal(only("y.png"), filter_image(upright, "sobel-x"))


def test_a_palette(striate: Run, in_tmp: Path) -> None:
    image = Image.fromarray(pixels(10, 14) % 8)
    image.putpalette(pixels(8, 3).tobytes())
    image.save("x.png")
    assert striate("filter", "x.png", "-k", "mean3", "-o", "y.png").out == "y.png: 10×14×3\n"
    expected = filter_image(np.asarray(image.convert("RGB")), "mean3")
    np.testing.assert_array_equal(only("y.png"), expected)


def test_an_animation(striate: Run, in_tmp: Path) -> None:
    frames = tuple(pixels(10, 14, seed=n) // 40 * 40 for n in range(3))
    write_picture("x.gif", Picture(frames, (40.0, 50.0, 600.0), 0))
    assert striate("filter", "x.gif", "-k", "identity").out.startswith("x-identity.gif: 10×14")
    read = read_picture("x-identity.gif")
    assert (read.durations, read.loop) == ((40.0, 50.0, 600.0), 0)
    for got, frame in zip(read.frames, frames, strict=True):
        np.testing.assert_array_equal(got if got.ndim == 2 else got[..., 0], frame)
    outcome = striate("filter", "x.gif", "-k", "laplace", "--compare")
    assert outcome.err == "x.gif: the comparison shows the first of 3 frames\n"


def test_what_the_file_cannot_hold_is_told(striate: Run, in_tmp: Path) -> None:
    write_picture("x.png", Picture((pixels(9, 8, 4, dtype=np.uint16),)))
    outcome = striate("filter", "x.png", "-k", "mean3", "-o", "y.jpg")
    assert outcome.code == 0
    assert outcome.err.splitlines() == [
        "y.jpg: 16-bit values became 8-bit, as .jpg holds no more",
        "y.jpg: alpha was laid over white, as .jpg has none",
    ]
    assert striate("filter", "x.png", "-k", "mean3", "-o", "y.jpg", "-q").err == ""


# Folders and several photos.


@pytest.fixture
def album(in_tmp: Path) -> Path:
    """A folder with three photos, one of them deeper down."""
    Path("album/more").mkdir(parents=True)
    for index, name in enumerate(("a.png", "b.jpg", "more/a.png")):
        Image.fromarray(pixels(9, 8 + index, 3)).save(f"album/{name}")
    Path("album/notes.txt").write_text("no photo")
    return Path("album")


def below(folder: str) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in Path(folder).rglob("*") if p.is_file())


def test_a_folder(striate: Run, album: Path) -> None:
    outcome = striate("filter", "album", "-k", "mean3", "-o", "new/deep")
    assert outcome.out.splitlines() == [
        "new/deep/a.png: 9×8×3",
        "new/deep/b.jpg: 9×9×3",
        "new/deep/more/a.png: 9×10×3",
    ]
    assert below("new/deep") == ["a.png", "b.jpg", "more/a.png"]
    expected = filter_image(only("album/more/a.png"), "mean3")
    np.testing.assert_array_equal(only("new/deep/more/a.png"), expected)
    assert striate("filter", "album/", "-k", "mean3").code == 0
    assert below("album-mean3") == below("new/deep")


def test_the_current_folder(striate: Run, album: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(album)
    assert striate("filter", ".", "-k", "mean3").code == 0
    assert below("../album-mean3") == ["a.png", "b.jpg", "more/a.png"]


def test_results_below_the_folder_are_no_photos(striate: Run, album: Path) -> None:
    for _ in range(2):
        assert striate("filter", "album", "-k", "mean3", "-o", "album/out").code == 0
        assert below("album/out") == ["a.png", "b.jpg", "more/a.png"]


def test_several_photos_and_patterns(striate: Run, refused: Refused, album: Path) -> None:
    assert striate("filter", "album/a.png", "album/b.jpg", "-k", "mean3").code == 0
    assert Path("album/a-mean3.png").exists() and Path("album/b-mean3.jpg").exists()
    assert striate("filter", "album/?.png", "-k", "mean3", "-o", "one").code == 0
    assert below("one") == ["a.png"]
    Path("there").mkdir()
    assert striate("filter", "album/b.jpg", "-k", "mean3", "-o", "there").code == 0
    assert below("there") == ["b.jpg"]
    message = refused("filter", "album/a.png", "album/more/a.png", "-k", "mean3", "-o", "both")
    assert message == (
        "album/a.png and album/more/a.png would both be written to both/a.png; filter them one "
        "after the other"
    )
    message = refused("filter", "album", "-k", "mean3", "-o", "x.png")
    assert message == "x.png: several photos need a folder, and this is a file"


def test_comparisons_of_a_folder(striate: Run, album: Path) -> None:
    assert striate("filter", "album", "-k", "mean3", "--compare", "-o", "new").code == 0
    assert below("new") == ["a.png", "b.png", "more/a.png"]


def test_a_name_without_an_ending(striate: Run, photo: Path) -> None:
    shutil.copy(photo, "scan")
    assert striate("filter", "scan", "-k", "mean3").out == "scan-mean3.png: 20×30×3\n"


def test_bad_photos(striate: Run, refused: Refused, album: Path) -> None:
    Path("album/b.jpg").write_bytes(b"no photo")
    outcome = striate("filter", "album", "-k", "mean3", "-o", "new", "--skip-bad", "--json")
    assert outcome.code == 0
    assert [entry["photo"] for entry in outcome.json["photos"]] == [
        "album/a.png",
        "album/more/a.png",
    ]
    assert outcome.err == (
        "skipped album/b.jpg: not an image of a known kind (PNG, JPEG, BMP, GIF, TIFF, "
        "WEBP, PPM, JPEG2000, AVIF, HEIF)\n"
    )
    assert below("new") == ["a.png", "more/a.png"]
    message = refused("filter", "album/b.jpg", "-k", "mean3", "--skip-bad", "-q")
    assert message == "none of the photos can be read"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_bar_on_a_terminal(
    album: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from striate.cli.bar import FileBar

    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    with FileBar(3, "filtering") as bar:
        for name in "abc":
            bar.print(f"{name}.png")
            bar.advance()
    captured = capfd.readouterr()
    assert captured.out == "a.png\nb.png\nc.png\n"
    assert "filtering" in captured.err


# Comparisons.


@pytest.mark.parametrize("ending", ["png", "jpg", "pdf", "svg"])
def test_a_comparison(striate: Run, photo: Path, ending: str) -> None:
    out = f"x.{ending}"
    assert striate("filter", photo, "-k", "laplace", "--compare", "-o", out).code == 0
    start = {"png": b"\x89PNG", "jpg": b"\xff\xd8", "pdf": b"%PDF", "svg": b"<?xml"}[ending]
    assert Path(out).read_bytes().startswith(start)
    if ending in ("png", "jpg"):
        height, width = only(out).shape[:2]
        assert width > 2 * height


def texts(names: list[str], image: Array | None = None) -> list[str]:
    """All that stands in a comparison."""
    chain = resolve_chain(names)
    before = pixels(20, 30, 3) if image is None else image
    figure = draw_comparison(before, chain, before, title="photo.png", footer="border: wrap")
    found = [text.get_text() for axes in figure.axes for text in axes.texts]
    return found + [text.get_text() for text in figure.texts]


def test_a_comparison_shows_the_numbers() -> None:
    found = texts(["laplace"])
    assert found.count("−1") == 8 and found.count("8") == 1
    assert {"photo.png", "laplace", "3 × 3", "result", "∗", "=", "border: wrap"} <= set(found)
    found = texts(["mean3", "sobel-magnitude"])
    assert found.count("1") == 9 + 4 and found.count("∗") == 2
    assert {"3 × 3,  times 1/9", "3 × 3,  √(a² + b²)"} <= set(found)
    assert texts(["kirsch"]).count("−3") == 8 * 5
    assert "3 × 3,  maximum of 8" in texts(["kirsch"])
    # Numbers too small to be read are not written: colours show them.
    assert len(texts(["gaussian25"])) < 10
    assert "25 × 25" in texts(["gaussian25"])
    assert "27 × 27,  maximum of 8" in texts(["gabor-bank"])


@pytest.mark.parametrize(
    "image",
    [
        pixels(9, 8),
        pixels(9, 8, 1),
        pixels(9, 8, 2),
        pixels(9, 8, 4),
        pixels(9, 8, 3, dtype=np.uint16),
        np.array([[np.nan, 2], [-1, 0.5]], np.float32),
        pixels(1, 500),
        pixels(500, 1),
    ],
    ids=lambda image: f"{image.dtype}{image.shape}",
)
def test_comparisons_of_all_kinds_of_images(image: Array) -> None:
    figure = draw_comparison(image, resolve_chain(["mean3"]), image)
    shown = [axes.images[0].get_array() for axes in (figure.axes[0], figure.axes[-1])]
    assert all(array is not None and array.min() >= 0 and array.max() <= 1 for array in shown)


@pytest.mark.parametrize(
    ("array", "expected", "scale"),
    [
        ([[1, -2], [0, 4]], [["1", "−2"], ["0", "4"]], ""),
        ([[2, 4]], [["2", "4"]], ""),
        ([[1 / 9, -2 / 9]], [["1", "−2"]], "1/9"),
        ([[0.5, 1.5]], [["1", "3"]], "1/2"),
        ([[2 / 9, -1 / 3]], [["2", "−3"]], "1/9"),
        ([[-3, 5]], [["−3", "5"]], ""),
        ([[12345.6, 1]], [["12346", "1"]], ""),
        ([[0, 0]], [["0", "0"]], ""),
        ([[0.1234, -0.0567]], [["123", "−57"]], "0.001 (rounded)"),
        ([[0.0123, -0.0000567]], [["123", "−1"]], "0.0001 (rounded)"),
        ([[-0.00001, 3.14159]], [["0", "3.14"]], ""),
        ([[np.pi, 2 * np.pi]], [["1", "2"]], "3.142"),
    ],
)
def test_readable_numbers(array: list[list[float]], expected: Any, scale: str) -> None:
    assert readable(np.array(array, float)) == (expected, scale)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("laplace", "laplace"),
        ("Mean5", "mean5"),
        ("sobel x", "sobel-x"),
        ("0 1; 2 3", "kernel"),
        ("1.5", "kernel"),
        ("0.5 1.5", "kernel"),
        ("some/where/my_own-kernel.npy", "my_own-kernel"),
        ("array", "kernel"),
    ],
)
def test_labels(name: str, expected: str) -> None:
    assert label(kernels.Kernel(name, (np.ones((1, 1)),))) == expected


def test_the_user_settings_of_matplotlib_stay(striate: Run, photo: Path) -> None:
    import matplotlib

    with matplotlib.rc_context({"font.size": 31.0, "savefig.bbox": "tight"}):
        assert striate("filter", photo, "-k", "mean3", "--compare", "-o", "a.png").code == 0
        assert matplotlib.rcParams["font.size"] == 31.0
    assert striate("filter", photo, "-k", "mean3", "--compare", "-o", "b.png").code == 0
    np.testing.assert_array_equal(only("a.png"), only("b.png"))


# Errors: one sentence, exit code 2, nothing written.


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ([], "give a kernel, such as --kernel laplace; --list shows those with a name"),
        (["-k", "laplcae"], "'laplace'"),
        (["-k", "1 2; 3"], "row 2 has 1"),
        (["-k", ""], "the kernel is empty"),
        (["-k", "1e30"], "too large"),
        (["-k", "none.txt"], "none.txt"),
        (["-k", "mean", "-s", 0], "0 is not in the range"),
        (["-k", "mean3", "-s", 5], "size 3"),
        (["-k", "0 1 0", "-s", 5], "size 5"),
        (["-k", "mean3", "--border", "miror"], 'did you mean "mirror"'),
        (["-k", "mean3", "--fill-value", "nan"], "not a number"),
        (["-k", "mean3", "-o", "x.pgn"], "x.pgn: the ending must .*; did you mean .png"),
        (["-k", "mean3", "-o", "x"], "x: the ending must name a kind of image"),
        (["-k", "mean3", "-o", "x.pdf"], "x.pdf: the ending must name a kind of image"),
        (["-k", "mean3", "-o", "x.bmp", "--compare"], "one of .png .* .pdf .svg"),
        (["-k", "mean3", "-o", "none/x.png"], "there is no folder none"),
        (["-k", "mean3", "-o", "photo.png"], "photo.png: would be overwritten; name another"),
        (["-k", "mean3", "-o", "./../here/photo.png"], "would be overwritten"),
        (["-k", "mean3", "-o", "link.png"], "would be overwritten"),
        (["-k", "mean3", "-o", "."], "would be overwritten"),
        (["-k", "mean3", "other.png"], "other.png: no such file or folder"),
        (["-k", "mean3", "*.bmp"], r"\*.bmp: no image matches this pattern"),
    ],
)
def test_errors(
    refused: Refused, photo: Path, monkeypatch: pytest.MonkeyPatch, arguments: Any, match: str
) -> None:
    Path("here").mkdir()
    shutil.move(photo, "here")
    monkeypatch.chdir("here")
    os.link(photo, "link.png")
    before = photo.read_bytes()
    message = refused("filter", photo, *arguments)
    assert re.search(match, message), message
    assert sorted(os.listdir()) == ["link.png", "photo.png"]
    assert photo.read_bytes() == before


def test_photos_that_cannot_be_read(refused: Refused, in_tmp: Path) -> None:
    Path("x.png").write_bytes(b"no image")
    assert refused("filter", "x.png", "-k", "mean3").startswith("x.png: not an image of a known")
    Image.new("1", (20000, 20000)).save("x.png")
    message = refused("filter", "x.png", "-k", "mean3", "-o", "new/")
    assert message == (
        "x.png: the image has more than 100,000,000 pixels; make it smaller"
    ) or message.startswith("x.png: the image has 20,000 × 20,000 pixels, more than 100,000,000;")
    write_picture("y.gif", Picture((pixels(5, 5), pixels(5, 5, seed=1)), (9.0, 9.0)))
    message = refused("filter", "y.gif", "-k", "mean3", "-o", "y.jpg")
    assert message == (
        "y.jpg: .jpg holds one image, but this is an animation of 2; write it to .gif, .png, "
        ".webp or .tif"
    )
    assert sorted(os.listdir()) == ["x.png", "y.gif"]
