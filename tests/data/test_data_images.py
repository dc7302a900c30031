"""The size and the colour chosen for many images, and new images treated like the old ones."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from striate.data import DataError, find_images, load_images, worker_pool
from striate.data.image_sizes import choose_size, default_sides, resized, resized_arrays
from striate.data.images import decode_images, refit
from striate.model.preprocessing import Preprocessing
from striate.pictures.sixteen import png_chunks

RNG = np.random.default_rng(0)
SIDES = (64, 128)
"""Of the images of most tests: at most, and where half of them have one size."""


def write(folder: Path, *shapes: tuple[int, ...], ending: str = "png") -> list[str]:
    """Random images of these shapes; (h, w) is gray, (h, w, 3) coloured."""
    paths = []
    for shape in shapes:
        path = folder / f"{len(list(folder.iterdir()))}.{ending}"
        Image.fromarray(RNG.integers(0, 256, shape, dtype=np.uint8)).save(path)
        paths.append(str(path))
    return paths


def stored(path: str) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def sizes(*pairs: tuple[int, int]) -> np.ndarray:
    return np.array(pairs, np.int32).reshape(-1, 2)


@pytest.mark.parametrize(
    ("given_sizes", "expected", "words"),
    [
        ([(7, 9)] * 3, (7, 9), []),
        ([(128, 20)] * 3, (128, 20), []),
        ([(7, 9), (7, 9), (8, 8), (99, 5)], (7, 9), ["2 images of 4", "the most common size"]),
        ([(129, 258)] * 2, (32, 64), ["2 images of 2", "the most common size, 129 × 258, made"]),
        ([(480, 640)] * 2, (48, 64), ["made smaller"]),
        ([(480, 640)] * 2 + [(640, 480)], (48, 64), ["3 images of 3"]),
        ([(20, 31), (22, 30), (40, 33)], (24, 32), ["median size, rounded to multiples of 8"]),
        ([(2, 3), (3, 2), (3, 3)], (8, 8), ["median size, rounded"]),
        ([(300, 400), (310, 410), (900, 90)], (48, 64), ["the median size, 310 × 400, made"]),
        ([(20, 4000), (21, 4001), (22, 4002)], (8, 1528), ["made smaller"]),
        ([(8, 400)] * 3, (8, 400), []),
        ([(1000, 1)] * 2, (1000, 1), []),
        ([(100, 400)] * 2, (16, 64), ["nothing is cut off"]),
        ([(16, 800)] * 2, (8, 400), ["nothing is cut off"]),
        ([(4, 30_000)] * 2, (8, 64), ["1 % of each image", "2 images lost more than half"]),
        # At both sides of each limit.
        ([(129, 20)] * 2, (64, 8), ["the most common size, 129 × 20, made smaller;"]),
        ([(7, 9)] * 2 + [(20, 31), (22, 30), (40, 33)], (16, 32), ["the median size, rounded"]),
        ([(9, 9), (7, 12), (9, 9), (7, 12)], (7, 12), ["2 images of 4 resized to 7 × 12 pixels"]),
        ([(64, 40), (64, 41), (64, 42)], (64, 40), ["the median size, rounded to multiples of 8"]),
        ([(65, 40), (65, 41), (65, 42)], (64, 40), ["the median size, 65 × 41, made smaller;"]),
        ([(16, 4096)] * 2, (8, 2048), ["the most common size, 16 × 4096, made smaller;"]),
        ([(16, 4112)] * 2, (8, 64), ["the most common size, 16 × 4112, made smaller;"]),
        # Narrow images: rounded to multiples of 8, but not made wider where the other side is long.
        ([(4, 63), (4, 64), (4, 65)], (8, 64), ["the median size, rounded"]),
        ([(4, 64), (4, 65), (4, 66)], (4, 64), ["the median size, rounded"]),
        ([(5, 200), (5, 201), (5, 202)], (8, 200), ["the median size, rounded"]),
        ([(1, 300), (1, 301), (1, 302)], (1, 304), ["the median size, rounded"]),
        (
            [(10, 20)] * 3 + [(20, 20), (10, 80)],
            (10, 20),
            ["the centre is cut out, 75 % of an image on average and 25 % at least: 1 image lost"],
        ),
    ],
)
def test_choice_of_the_size(
    given_sizes: Sequence[tuple[int, int]], expected: tuple[int, int], words: list[str]
) -> None:
    height, width, note = choose_size(sizes(*given_sizes), "crop", SIDES)
    assert (height, width) == expected
    assert bool(note) == bool(words)
    for word in words:
        assert word in note
    if words:
        assert "--size" in note
        assert "the centre is cut out" in note or "nothing is cut off" in note
        kept = "nothing is cut off" in note
        for mode, changed in (("pad", "black is added"), ("stretch", "the aspect is not kept")):
            told = choose_size(sizes(*given_sizes), mode, SIDES)[2]
            assert (changed in told) != kept
            assert ("nothing is " in told) == kept


@pytest.mark.parametrize(
    ("widths", "words"),
    [
        ([996], "nothing is cut off"),
        ([994], "the centre is cut out, 99 % of each image"),
        ([900, 904], "the centre is cut out, 90 % of each image"),
        ([900, 906], "the centre is cut out, 90 % of an image on average and 90 % at least"),
        ([500], "the centre is cut out, 50 % of each image"),
        ([499], "the centre is cut out, 50 % of each image: 1 image lost more than half"),
        ([100], "the centre is cut out, 10 % of each image: 1 image lost more than half"),
        ([99], "the centre is cut out, 10 % of each image: 1 image lost more than half"),
        ([96], "the centre is cut out, 10 % of each image: 1 image lost more than half"),
        ([94], "the centre is cut out, 9 % of each image: 1 image lost more than half"),
        ([4], "the centre is cut out, 0.4 % of each image: 1 image lost more than half"),
        ([400, 2500], "the centre is cut out, 40 % of each image: 2 images lost more than half"),
    ],
)
def test_how_much_is_cut_off(widths: list[int], words: str) -> None:
    pairs = [(1000, width) for width in widths]
    said = resized(sizes(*pairs), 20, 20, "crop", "as asked for")
    count = f"{len(pairs)} image{'s' * (len(pairs) > 1)}"
    assert said == (
        f"{count} of {len(pairs)} resized to 20 × 20 pixels (as asked for; {words}); "
        "choose with size (--size) and mode (--fit)"
    )


@pytest.mark.parametrize(
    ("widths", "padded", "stretched"),
    [
        ([996], "nothing is added", "nothing is stretched"),
        (
            [500, 2000],
            "black is added where the aspect differs, 50 % of each image",
            "the aspect is not kept, each image is stretched 2.00 times",
        ),
        (
            [1000, 250, 1000, 1000],
            "black is added where the aspect differs, 19 % of an image on average and 75 % at most",
            "the aspect is not kept, an image is stretched 1.75 times on average and 4.00 times "
            "at most",
        ),
        (
            [99],
            "black is added where the aspect differs, 90 % of each image",
            "the aspect is not kept, each image is stretched 10 times",
        ),
    ],
)
def test_how_much_is_added_and_stretched(widths: list[int], padded: str, stretched: str) -> None:
    pairs = [(1000, width) for width in widths]
    for mode, words in (("pad", padded), ("stretch", stretched)):
        assert resized(sizes(*pairs), 20, 20, mode, "why").startswith(
            f"{len(pairs)} image{'s' * (len(pairs) > 1)} of {len(pairs)} resized to 20 × 20 "
            f"pixels (why; {words}); choose"
        )


def test_how_much_is_cut_off_from_a_larger_size() -> None:
    pair = sizes((256, 512))
    for mode, words in (
        ("crop", "the centre is cut out, 38 % of each image: 1 image lost more than half"),
        (
            "pad",
            "cut out of 256 × 256, for which black is added where the aspect differs, 50 % of each "
            "image",
        ),
    ):
        assert f"(why; {words})" in resized(pair, 224, 224, mode, "why", (256, 256))


def test_arrays_tell_how_they_are_resized() -> None:
    (told,) = resized_arrays(7, (8, 16), (4, 4), "crop")
    assert told.startswith("7 images of 7 resized to 4 × 4 pixels (as asked for; the centre is cut")
    assert "50 % of each image" in told
    for count, size in ((7, None), (0, (4, 4)), (7, (8, 16))):
        assert resized_arrays(count, (8, 16), size, "crop") == []


@pytest.mark.parametrize(
    ("count", "expected"),
    [(1, (128, 128)), (10_000, (128, 128)), (10_001, (96, 128)), (20_001, (64, 128))],
)
def test_many_images_become_smaller(count: int, expected: tuple[int, int]) -> None:
    assert default_sides(count) == expected


@pytest.mark.parametrize("side", [16, 96, 128, 200, 512])
def test_the_longest_side(side: int) -> None:
    for given_sizes in ([(300, 400)] * 9, [(300, 400), (310, 410), (900, 90)]):
        height, width, _ = choose_size(sizes(*given_sizes), "crop", (side, max(side, 128)))
        assert width == min(side, 400)
        assert abs(height - 0.75 * width) <= 12
    # The second of the sides is for images of one size.
    assert choose_size(sizes((100, 100)), "crop", (side, max(side, 128)))[:2] == (100, 100)


def test_no_images_have_a_size_of_one_pixel() -> None:
    assert choose_size(sizes(), "crop", SIDES) == (1, 1, "")


@given(st.lists(st.tuples(st.integers(1, 5000), st.integers(1, 5000)), min_size=1, max_size=9))
def test_any_sizes_give_a_small_size_in_any_order(pairs: list[tuple[int, int]]) -> None:
    height, width, _ = choose_size(sizes(*pairs), "crop", SIDES)
    assert 1 <= min(height, width) <= max(height, width) <= 128**2 + 8
    assert height * width <= 128**2 * 1.5
    assert choose_size(sizes(*reversed(pairs)), "crop", SIDES)[:2] == (height, width)


def test_one_size_is_read_as_it_is(tmp_path: Path) -> None:
    paths = write(tmp_path, *[(5, 7, 3)] * 9)
    decoded = decode_images(paths)
    assert np.array_equal(decoded.images, np.stack([stored(path) for path in paths]))
    assert decoded.resize == {"height": 5, "width": 7, "mode": "crop"}
    assert decoded.colour == "rgb"
    assert decoded.notes == []
    assert decoded.kept.tolist() == list(range(9))


@pytest.mark.parametrize("first", [(9, 4, 3), (300, 300, 3)])
def test_mixed_sizes(tmp_path: Path, first: tuple[int, ...]) -> None:
    # The first image, whose size is tried first, is not of the chosen size.
    paths = write(tmp_path, first, (5, 7, 3), (5, 7, 3), (11, 12), (5, 7, 3))
    decoded = decode_images(paths)
    assert decoded.images.shape == (5, 5, 7, 3)
    for index in (1, 2, 4):
        assert np.array_equal(decoded.images[index], stored(paths[index]))
    # Random noise made smaller is more even, and is not left undefined.
    assert 60 < decoded.images[0].mean() < 190
    assert "2 images of 5 resized to 5 × 7" in decoded.notes[0]


def test_a_given_size_and_mode(tmp_path: Path) -> None:
    paths = write(tmp_path, (20, 40, 3), (40, 20, 3))
    decoded = decode_images(paths, size=(10, 12), mode="stretch")
    assert decoded.images.shape == (2, 10, 12, 3)
    assert decoded.resize == {"height": 10, "width": 12, "mode": "stretch"}
    assert "as asked for; the aspect is not kept" in decoded.notes[0]
    cropped = decode_images(paths, size=(10, 12), mode="crop")
    assert not np.array_equal(decoded.images, cropped.images)
    assert "the centre is cut out, 51 % of an image on average and 42 %" in cropped.notes[0]


@pytest.mark.parametrize("bits", [0, 1, 7, *range(8, 17)])
@pytest.mark.parametrize("channels", [1, 3])
def test_few_bits_of_sixteen_are_made_bright(tmp_path: Path, bits: int, channels: int) -> None:
    wide = RNG.integers(0, 2**bits, (3, 9, 7, channels)).astype(np.uint16)
    wide[0, 0, 0] = 2**bits - 1
    paths = []
    for index, image in enumerate(wide):
        paths.append(str(tmp_path / f"{index}.png"))
        pixels = image if channels == 3 else image[..., 0]
        Path(paths[-1]).write_bytes(b"".join(png_chunks(pixels)))
    plain = write(tmp_path, (9, 7, channels)[: 2 + channels // 2])
    decoded = decode_images(paths + plain)
    white = 2 ** max(bits, 8) - 1 if bits <= 14 else 65535
    if channels == 1 or white != 65535:
        assert np.abs(decoded.images[:3] - np.rint(wide * (255 / white))).max() == 0
    else:  # Pillow's own way with colour: the lower byte is cut off
        assert np.array_equal(decoded.images[:3], wide >> 8)
    assert np.array_equal(decoded.images[3], stored(plain[0])[..., :channels])
    assert decoded.resize.get("white", 65535) == white
    peak = 2**bits - 1 if channels == 1 else white  # of colour the upper bytes are looked at
    told = f"3 images of 16 bits use only values up to {peak}: {white} is taken for white"
    assert (told in decoded.notes) == (bits <= 14)
    # New images for such a network are read in the same way, whatever they hold.
    rules = Preprocessing(resize=decoded.resize, colour=decoded.colour)
    notes: list[str] = []
    assert np.array_equal(load_images(paths[1], rules, on_note=notes.append), decoded.images[1:2])
    assert notes == []
    if bits <= 14:
        bright = np.full((9, 7, channels)[: 2 + channels // 2], 65535, np.uint16)
        Path(paths[0]).write_bytes(b"".join(png_chunks(bright)))
        assert (load_images(paths[:1], rules, on_note=notes.append) == 255).all()
        assert notes == [f"1 image of 16 bits brighter than the model's white, {white}"]


def test_one_bright_image_says_what_white_is(tmp_path: Path) -> None:
    paths = [str(tmp_path / f"{index}.png") for index in range(3)]
    for path, value in zip(paths, (900, 1000, 60_000), strict=True):
        Image.fromarray(np.full((5, 7), value, np.uint16)).save(path)
    decoded = decode_images(paths)
    assert decoded.images[:, 0, 0, 0].tolist() == [4, 4, 233]
    assert "white" not in decoded.resize
    assert decode_images(paths, white=4095).images[:, 0, 0, 0].tolist() == [56, 62, 255]
    alone = decode_images(paths[:1])
    assert alone.notes == ["1 image of 16 bits uses only values up to 900: 1023 is taken for white"]


@pytest.mark.parametrize(("white", "value"), [(1, 255), (65535, 4)])
def test_whites_that_a_model_may_have(tmp_path: Path, white: int, value: int) -> None:
    Image.fromarray(np.full((5, 7), 1000, np.uint16)).save(tmp_path / "a.png")
    rules = Preprocessing(resize={"height": 5, "width": 7, "white": white})
    assert (load_images(tmp_path / "a.png", rules) == value).all()


@pytest.mark.parametrize("white", [0, 65536, "255", None])
def test_a_white_that_makes_no_sense(tmp_path: Path, white: object) -> None:
    rules = Preprocessing(resize={"height": 5, "width": 7, "white": white})
    with pytest.raises(DataError, match="by unknown rules: white is"):
        load_images(write(tmp_path, (5, 7)), rules)


def test_what_was_decided_of_the_images_is_told(tmp_path: Path) -> None:
    shown = RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    icon = np.full((5, 7, 4), 255, np.uint8)
    icon[:, :3, 3] = 0
    paths = [str(tmp_path / name) for name in ("hidden.png", "icon.png", "icon2.png")]
    Image.fromarray(np.dstack([shown, np.zeros((5, 7), np.uint8)])).save(paths[0])
    Image.fromarray(icon).save(paths[1])
    Image.fromarray(icon).save(paths[2])
    assert decode_images(paths).notes == [
        "1 image transparent everywhere: shown as if without transparency",
        "2 images white on a transparent ground: laid over black, not white",
    ]


def test_what_new_images_lose_is_told(tmp_path: Path) -> None:
    rules = Preprocessing(resize={"height": 8, "width": 8, "mode": "crop"})
    notes: list[str] = []
    load_images(write(tmp_path, (8, 8), (8, 12)), rules, on_note=notes.append)
    assert notes == []
    load_images(write(tmp_path, (8, 80)), rules, on_note=notes.append)
    (note,) = notes
    assert note.endswith(
        "(as asked for; the centre is cut out, 10 % of each image: 1 image lost more than half)"
    )


def test_more_images_than_memory_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("striate.common.budget.available_memory", lambda: 100 * 2**20)
    paths = write(tmp_path, (5, 7)) * 20
    assert len(decode_images(paths[:2], size=(4000, 4000)).images) == 2
    with pytest.raises(DataError, match=r"to hold 20 images of 4000 × 4000 pixels needs .* size"):
        decode_images(paths, size=(4000, 4000))


def test_the_memory_of_all_images_is_weighed_before_they_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weighed: list[tuple[int, str, str]] = []
    monkeypatch.setattr(
        "striate.data.image_storage.need", lambda *what, error: weighed.append(what)
    )
    decode_images(write(tmp_path, (5, 8), (5, 8), (5, 8, 3)))
    fix = "choose a smaller size (--size) or fewer images"
    # Gray at first; and a quarter more, as some are there twice while they are split.
    assert weighed == [
        (150, "to hold 3 images of 5 × 8 pixels", fix),
        (450, "to hold 3 images of 5 × 8 pixels", fix),
    ]


COLOUR_CASES = {
    "gray": ([(5, 7)] * 4, 1),
    "coloured": ([(5, 7, 3)] * 4, 3),
    "coloured last": ([(5, 7)] * 3 + [(5, 7, 3)], 3),
    "coloured first": ([(5, 7, 3)] + [(5, 7)] * 3, 3),
    "coloured of another size": ([(5, 7)] * 3 + [(9, 7, 3)], 3),
    "mixed sizes, gray": ([(5, 7), (5, 8), (6, 9)], 1),
    "mixed sizes, coloured last": ([(5, 7), (5, 8), (6, 9, 3)], 3),
}


@pytest.mark.parametrize("case", COLOUR_CASES)
@pytest.mark.parametrize("size", [None, (5, 7)])
def test_colour_is_decided_by_all_images(
    tmp_path: Path, case: str, size: tuple[int, int] | None
) -> None:
    shapes, channels = COLOUR_CASES[case]
    paths = write(tmp_path, *shapes)
    decoded = decode_images(paths, size=size)
    assert decoded.images.shape[3] == channels
    assert decoded.colour == ("gray" if channels == 1 else "rgb")
    for path, shape, image in zip(paths, shapes, decoded.images, strict=True):
        if image.shape[:2] == shape[:2]:
            assert np.array_equal(image, stored(path)[..., :channels])
        assert image.std() > 20
    assert decoded.images.flags.c_contiguous


def test_rgb_files_without_colour_become_gray(tmp_path: Path) -> None:
    for index in range(3):
        gray = RNG.integers(0, 256, (5, 7, 1), dtype=np.uint8)
        Image.fromarray(np.repeat(gray, 3, axis=2)).save(tmp_path / f"{index}.png")
    paths = [str(path) for path in find_images([tmp_path])]
    assert decode_images(paths).images.shape == (3, 5, 7, 1)
    assert decode_images(paths, colour="rgb").images.shape == (3, 5, 7, 3)


def test_colour_can_be_set(tmp_path: Path) -> None:
    paths = write(tmp_path, (5, 7), (5, 7, 3))
    gray = decode_images(paths, colour="gray")
    assert (gray.images.shape, gray.colour) == ((2, 5, 7, 1), "gray")
    weights = np.array([0.299, 0.587, 0.114])
    assert np.abs(gray.images[1, ..., 0] - stored(paths[1]) @ weights).max() <= 1
    rgb = decode_images(write(tmp_path, (5, 7)), colour="rgb")
    assert (rgb.images.shape, rgb.colour) == ((1, 5, 7, 3), "rgb")


def test_bad_images_are_errors_or_left_out(tmp_path: Path) -> None:
    paths = write(tmp_path, *[(5, 7, 3)] * 6)
    for index in (4, 2):
        Path(paths[index]).write_bytes(b"no image")
    with pytest.raises(DataError, match=r"2\.png: not an image"):
        decode_images(paths)
    decoded = decode_images(paths, skip_bad=True)
    assert decoded.kept.tolist() == [0, 1, 3, 5]
    assert [index for index, _ in decoded.bad] == [2, 4]
    assert np.array_equal(decoded.images, np.stack([stored(paths[i]) for i in (0, 1, 3, 5)]))


def test_the_first_bad_image_is_told(tmp_path: Path) -> None:
    paths = write(tmp_path, *[(5, 7, 3)] * 20)
    for path in paths[4:6]:  # which are decoded together
        Path(path).write_bytes(b"no image")
    with pytest.raises(DataError, match=r"4\.png: not an image"):
        decode_images(paths, crew=(1, False))


def test_bad_images_are_in_order_whenever_they_are_found(tmp_path: Path) -> None:
    # The former is found when it is resized, the latter when sizes are measured.
    paths = write(tmp_path, (5, 7), (50, 70), (5, 7), (5, 7))
    Path(paths[1]).write_bytes(Path(paths[1]).read_bytes()[:-200])
    Path(paths[3]).write_bytes(b"no image")
    assert [index for index, _ in decode_images(paths, skip_bad=True).bad] == [1, 3]


def test_a_bad_first_image_is_skipped(tmp_path: Path) -> None:
    paths = write(tmp_path, *[(5, 7)] * 3)
    Path(paths[0]).write_bytes(Path(paths[0]).read_bytes()[:50])
    decoded = decode_images(paths, skip_bad=True)
    assert decoded.images.shape == (2, 5, 7, 1)


def test_all_bad(tmp_path: Path) -> None:
    for index in range(2):
        (tmp_path / f"{index}.png").write_bytes(b"")
    paths = [str(path) for path in find_images([tmp_path])]
    assert decode_images(paths, skip_bad=True).images.shape == (0, 1, 1, 1)
    with pytest.raises(DataError, match=r"0\.png"):
        decode_images(paths)


def test_progress(tmp_path: Path) -> None:
    seen: list[tuple[int, int, str]] = []
    decode_images(
        write(tmp_path, *[(5, 7, 3)] * 40, *[(9, 9, 3)] * 10),
        progress=lambda done, total, text: seen.append((done, total, text)),
        crew=(2, False),
    )
    reading = [(done, total) for done, total, text in seen if text == "reading images"]
    resizing = [(done, total) for done, total, text in seen if text == "resizing images"]
    for rows, total in ((reading, 50), (resizing, 10)):
        assert rows == sorted(rows)
        assert rows[-1] == (total, total)
        assert len(rows) > 3
    assert len(reading) + len(resizing) == len(seen)


def test_too_many_pixels_for_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = write(tmp_path, (5, 7))

    def no_memory(*_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr("striate.data.images.np.empty", no_memory)
    with pytest.raises(MemoryError):  # the very first array, of no pixels
        decode_images(paths)
    monkeypatch.undo()
    real = np.empty
    monkeypatch.setattr(
        "striate.data.images.np.empty",
        lambda shape, kind: real(shape, kind) if 0 in shape else no_memory(),
    )
    with pytest.raises(DataError, match="1 image of 5 × 7 pixels do not fit into memory"):
        decode_images(paths)


# New images for a trained network


def test_load_images_treats_new_images_the_same(tmp_path: Path) -> None:
    paths = write(tmp_path, (30, 20, 3), (20, 30, 3), (40, 40), ending="jpg")
    trained = decode_images(paths)
    again = load_images(paths, Preprocessing(resize=trained.resize, colour=trained.colour))
    assert again.dtype == np.uint8
    assert np.array_equal(again, trained.images)
    alone = load_images(paths[1], Preprocessing(resize=trained.resize, colour=trained.colour))
    assert np.array_equal(alone, trained.images[1:2])
    one = load_images(paths[1:2], Preprocessing(resize=trained.resize, colour=trained.colour))
    assert np.array_equal(one[0], trained.images[1])


@pytest.mark.parametrize(("colour", "channels"), [("gray", 1), ("rgb", 3)])
def test_load_images_has_the_colour_of_the_network(
    tmp_path: Path, colour: str, channels: int
) -> None:
    resize = {"height": 4, "width": 6, "mode": "crop"}
    paths = write(tmp_path, (5, 7), (5, 7, 3))
    for some in (paths, paths[:1], paths[1:]):
        images = load_images(some, Preprocessing(resize=resize, colour=colour))
        assert images.shape == (len(some), 4, 6, channels)


def test_load_images_for_a_network_whose_white_is_not_255(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 51, 255]], np.uint8)).save(tmp_path / "a.png")
    resize = {"height": 1, "width": 3, "mode": "crop", "maximum": 16}
    images = load_images([tmp_path / "a.png"], Preprocessing(resize=resize, colour="gray"))
    assert images.dtype == np.float32
    assert np.allclose(images[0, 0, :, 0], [0, 3.2, 16])


def test_load_images_without_a_size(tmp_path: Path) -> None:
    paths = write(tmp_path, (150, 200), (150, 200))
    assert load_images(paths, Preprocessing()).shape == (2, 150, 200, 1)
    other = write(tmp_path, (5, 8))
    with pytest.raises(DataError) as caught:
        load_images(paths + other, Preprocessing())
    assert str(caught.value) == (
        f"{other[0]}: the image has 5 × 8 pixels, but {paths[0]} has 150 × 200; the model names no "
        "size, so they must be equal"
    )


def test_load_images_names_bad_files(tmp_path: Path) -> None:
    resize = {"height": 5, "width": 7, "mode": "crop"}
    paths = write(tmp_path, *[(5, 7, 3)] * 3)
    Path(paths[1]).write_bytes(b"no image")
    for preprocessing in (Preprocessing(resize=resize), Preprocessing()):
        with pytest.raises(DataError, match=r"1\.png: not an image"):
            load_images(paths, preprocessing)
        first = load_images(paths[1:], preprocessing, on_bad=lambda *_: None)
        assert np.array_equal(first, stored(paths[2])[None])
        bad: list[tuple[int, str]] = []
        note = bad.append
        images = load_images(paths, preprocessing, on_bad=lambda *what, note=note: note(what))
        assert np.array_equal(images, np.stack([stored(paths[0]), stored(paths[2])]))
        ((index, sentence),) = bad
        assert index == 1
        assert sentence.startswith(paths[1])
    bad = []
    for rules, size in ((Preprocessing(resize=resize), (5, 7)), (Preprocessing(), (1, 1))):
        none = load_images(paths[1:2], rules, on_bad=lambda *what: bad.append(what))
        assert none.shape[:3] == (0, *size)
    assert len(bad) == 2


def test_load_images_of_nothing_or_by_unknown_rules(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there are no images"):
        load_images([], Preprocessing())
    resize = {"height": 5, "width": 7, "mode": "letterbox"}
    with pytest.raises(DataError, match="unknown rules: 'letterbox'"):
        load_images(write(tmp_path, (5, 7)), Preprocessing(resize=resize))


# Arrays


def test_refit() -> None:
    images = RNG.integers(0, 256, (3, 5, 7, 1), dtype=np.uint8)
    assert refit(images, None, None, "crop") is images
    assert refit(images, (5, 7), "gray", "crop") is images
    rgb = refit(images, None, "rgb", "crop")
    assert np.array_equal(rgb, np.repeat(images, 3, axis=3))
    assert np.array_equal(refit(rgb, None, "gray", "crop"), images)
    mixed = RNG.integers(0, 256, (3, 5, 7, 3), dtype=np.uint8)
    expected = mixed @ np.array([0.299, 0.587, 0.114])
    assert np.abs(refit(mixed, None, "gray", "crop")[..., 0] - expected).max() <= 0.51
    larger = refit(rgb, (10, 14), None, "crop")
    assert (larger.shape, larger.dtype) == ((3, 10, 14, 3), np.uint8)
    real = refit(rgb.astype(np.float32) / 255, (10, 14), None, "crop")
    assert real.dtype == np.float32
    assert np.abs(real * 255 - larger).max() < 1.5
    gray = refit(mixed.astype(np.float32), None, "gray", "crop")
    assert np.abs(gray[..., 0] - expected).max() < 1e-3  # and not rounded
    for channel in range(3):
        plane = np.ascontiguousarray(mixed[..., channel : channel + 1])
        small = refit(plane, (4, 3), None, "stretch")
        assert np.array_equal(refit(mixed, (4, 3), None, "stretch")[..., channel], small[..., 0])
    for colour in ("gray", "rgb"):
        with pytest.raises(DataError, match=rf"^images with 2 channels cannot become {colour}: on"):
            refit(np.zeros((1, 4, 4, 2), np.uint8), None, colour, "crop")


def test_the_crew_depends_on_number_and_size_of_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_pool, "available_processors", lambda: 6)
    (tmp_path / "tiny").write_bytes(b"0" * 100)
    (tmp_path / "medium").write_bytes(b"0" * 20_000)
    (tmp_path / "large").write_bytes(b"0" * 200_000)

    def crew(name: str, count: int) -> tuple[int, bool]:
        return worker_pool.crew([str(tmp_path / name)] * count)

    assert crew("tiny", 50) == (1, False)
    assert crew("medium", 50) == crew("large", 50) == (6, False)
    assert crew("tiny", 60_000) == crew("medium", 60_000) == (6, True)
    assert crew("large", 60_000) == (6, False)
    assert crew("missing", 50) == (1, False)
    # Their number and mean sizes at both sides of each limit.
    assert [crew("medium", count) for count in (3999, 4000)] == [(6, False), (6, True)]
    for size, few, many in (
        (8192, (1, False), (6, True)),
        (8193, (6, False), (6, True)),
        (32_768, (6, False), (6, True)),
        (32_769, (6, False), (6, False)),
    ):
        (tmp_path / "file").write_bytes(b"0" * size)
        assert (crew("file", 50), crew("file", 4000)) == (few, many)
    (tmp_path / "file").write_bytes(b"0" * 2 * 8193)
    mixed = [str(tmp_path / name) for name in ("file", "missing")] * 50
    assert worker_pool.crew(mixed) == (6, False)
    assert worker_pool.crew([]) == (1, False)
    # Pictures that are opened stay here.
    assert worker_pool.crew([*mixed * 50, Image.new("L", (1, 1))]) == (6, False)
    monkeypatch.setattr(worker_pool, "available_processors", lambda: 2)
    assert crew("medium", 4000) == (2, True)
    monkeypatch.setattr(worker_pool, "available_processors", lambda: 1)
    assert crew("tiny", 60_000) == (1, False)


def test_a_callback_may_wait_for_another_thread_that_loads(tmp_path: Path) -> None:
    paths = write(tmp_path, *[(5, 7, 3)] * 8)
    done: list[int] = []

    def other() -> None:
        done.append(len(decode_images(paths).images))
        done.append(len(load_images(paths, Preprocessing())))

    def progress(*_: Any) -> None:
        if not done:
            thread = threading.Thread(target=other, daemon=True)
            thread.start()
            thread.join(timeout=30)
            assert not thread.is_alive(), "the other thread waits for this one"

    decode_images(paths, progress=progress)
    assert done == [8, 8]
