"""What reading image files has in common: turning them upright, and what is said of bad ones."""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import IO

import numpy as np
import pytest
from PIL import Image, ImageOps, PngImagePlugin, features

from striate.common.errors import StriateValueError
from striate.data import image_files
from striate.data.deep import with_transparency
from striate.data.image_files import (
    FORMATS,
    KINDS,
    ORIENTATION,
    TooManyPixels,
    UnreadableImage,
    fault,
    is_damage,
    is_gray_mode,
    is_too_large,
    lacking,
    open_image,
    orientation,
    to_bytes,
    upright_image,
    upright_pixels,
)

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)


@pytest.mark.parametrize("number", range(1, 9))
def test_both_ways_of_turning_are_pillows_own(number: int) -> None:
    image = Image.fromarray(PIXELS)
    image.getexif()[ORIENTATION] = number
    assert orientation(image) == number
    expected = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(upright_pixels(PIXELS, number), expected)
    np.testing.assert_array_equal(np.asarray(upright_image(image, number)), expected)
    gray = upright_pixels(PIXELS[..., 1].astype(np.uint16), number)
    np.testing.assert_array_equal(gray, expected[..., 1])
    assert gray.flags.c_contiguous


@pytest.mark.parametrize("number", [0, 9, -1])
def test_unknown_orientations_are_upright(number: int) -> None:
    image = Image.fromarray(PIXELS)
    assert upright_image(image, number) is image
    np.testing.assert_array_equal(upright_pixels(PIXELS, number), PIXELS)


def test_sixteen_bits_become_eight_by_the_nearest() -> None:
    values = np.arange(65536, dtype=np.uint16)
    assert to_bytes(values).tolist() == np.floor(values / 257 + 0.5).astype(int).tolist()
    assert to_bytes(PIXELS) is PIXELS


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (TooManyPixels("the image has 9 pixels"), "the image has 9 pixels"),
        (Image.DecompressionBombError("bomb"), "the image has more than 1,000 pixels"),
        (UnreadableImage("a.png: there is no such image file"), "there is no such image file"),
        (StriateValueError("its values are odd"), "its values are odd"),
        (
            ValueError("Too much memory, 9>MAX_TEXT_MEMORY"),
            "its texts or its colour profile are longer than the 1 MiB that is read",
        ),
        (MemoryError(), "the image does not fit into memory"),
        (OSError("broken\n data."), "the image is truncated or damaged (broken data)"),
        (KeyError(), "the image is truncated or damaged (KeyError)"),
    ],
)
def test_faults_are_clauses(error: Exception, expected: str) -> None:
    assert fault("a.png", error, 1000) == f"a.png: {expected}"
    assert is_too_large(error) == ("pixels" in expected)


def test_every_ending_tells_a_kind() -> None:
    usual = {"PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM"}
    assert set(KINDS.values()) == set(FORMATS) == {*usual, "JPEG2000", "AVIF", "HEIF"}
    assert not any(map(lacking, usual))
    assert all(ending == ending.lower() and ending.startswith(".") for ending in KINDS)


def test_gray_modes() -> None:
    assert all(map(is_gray_mode, ("1", "L", "LA", "La", "I", "I;16", "I;16B", "F")))
    assert not any(map(is_gray_mode, ("P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV")))


def container(major: bytes, *others: bytes) -> bytes:
    """The beginning of an HEIF or AVIF file, and no image."""
    body = b"ftyp" + major + bytes(4) + b"".join(others)
    return struct.pack(">I", 4 + len(body)) + body + bytes(40)


def told_of(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(UnreadableImage) as caught, open_image(str(path)):
        pass
    return str(caught.value)


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"hevc", b"mif1", b"msf1"])
def test_heic_without_its_package_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, brand: bytes
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # importing it fails
    for others in ((), (b"mif1", b"heic")):
        assert told_of(tmp_path / "a.heic", container(brand, *others)) == (
            "HEIC is read with the package pillow-heif, which is not installed: "
            "pip install pillow-heif"
        )


def test_what_only_looks_like_heic(tmp_path: Path) -> None:
    known = f"not an image of a known kind ({', '.join(FORMATS)})"
    path = tmp_path / "a.heic"
    assert told_of(path, container(b"isom", b"heic")) == known
    assert told_of(path, container(b"heic").replace(b"ftyp", b"free")) == known


@pytest.mark.skipif(bool(lacking("AVIF")), reason="Pillow is without AVIF")
@pytest.mark.parametrize("brand", [b"avif", b"mif1"])
def test_avif_in_the_container_that_heic_has_too(tmp_path: Path, brand: bytes) -> None:
    path = tmp_path / "a.avif"
    Image.fromarray(np.full((16, 16, 3), 90, np.uint8)).save(path)
    content = path.read_bytes()
    path.write_bytes(content[:8] + brand + content[12:])
    with open_image(str(path)) as image:
        assert (image.format, image.size) == ("AVIF", (16, 16))
        assert np.abs(np.asarray(image).astype(int) - 90).max() < 4


def test_heic_is_read_by_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(file: IO[bytes], path: str) -> Image.Image:
        assert file.read()[8:12] == b"mif1"  # from its beginning
        return Image.fromarray(PIXELS)

    monkeypatch.setitem(sys.modules, "pillow_heif", SimpleNamespace(HeifImageFile=read))
    path = tmp_path / "a.heic"
    path.write_bytes(container(b"mif1", b"heic"))
    with open_image(str(path)) as image:
        assert np.array_equal(image, PIXELS)


def test_what_is_to_be_done_for_a_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_files, "find_spec", lambda name: None)
    assert lacking("HEIF") == "pip install pillow-heif"
    monkeypatch.setattr(image_files, "find_spec", lambda name: object())
    assert lacking("HEIF") == ""
    for kind in ("AVIF", "WEBP", "JPEG2000"):
        for there in (True, False):
            monkeypatch.setattr(features, "check", lambda name, there=there: there)
            known = there and (kind != "AVIF" or "avif" in features.modules)
            assert lacking(kind) == ("" if known else "pip install --upgrade pillow")


def test_a_kind_that_pillow_was_built_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    monkeypatch.setitem(Image.OPEN, "PNG", (None, lambda prefix: "no library\n here."))
    told = "^PNG cannot be read here: no library here$"
    with pytest.raises(UnreadableImage, match=told), open_image(str(tmp_path / "a.png")):
        pass


def test_a_kind_that_pillow_does_not_know_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "PIL.AvifImagePlugin", None)  # importing it fails
    assert told_of(tmp_path / "a.avif", container(b"avif")).startswith("not an image of a known")


@pytest.mark.parametrize(
    ("shape", "transparent", "channels"),
    [
        ((2, 3), 7, 2),
        ((2, 3), None, None),
        ((2, 3), (7, 7, 7), None),
        ((2, 3, 3), (7, 7, 7), 4),
        ((2, 3, 3), (7, 7), None),
        ((2, 3, 3), 7, None),
        ((2, 3, 3), None, None),
    ],
)
def test_alpha_of_one_transparent_colour(
    shape: tuple[int, ...], transparent: object, channels: int | None
) -> None:
    pixels = np.full(shape, 9, np.uint16)
    pixels[1, 2] = 7
    pixels[0, 1] = 7 if len(shape) == 2 else (7, 7, 8)
    made = with_transparency(pixels, transparent)
    if channels is None:
        assert made is pixels
    else:
        assert (made.shape, made.dtype) == ((2, 3, channels), np.uint16)
        assert np.array_equal(made[..., :-1], pixels.reshape(2, 3, -1))
        clear = [[False, len(shape) == 2, False], [False, False, True]]
        assert np.array_equal(made[..., -1], np.where(clear, 0, 65535))


def test_only_the_texts_and_the_profile_of_a_png_are_passed_over(tmp_path: Path) -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("packed", "words " * 9, zip=True)
    texts.add_text("plain", "more words")
    texts.add_itxt("other", "wörds")
    path = str(tmp_path / "a.png")
    image = Image.fromarray(PIXELS)
    image.save(path, pnginfo=texts, icc_profile=b"profile", dpi=(300, 300), transparency=(1, 2, 3))
    with open_image(path) as opened:
        whole = dict(opened.info)
    with open_image(path, without_text=True) as opened:
        assert np.array_equal(opened, PIXELS)
        kept = opened.info
    assert set(whole) == {"packed", "plain", "other", "icc_profile", "dpi", "transparency"}
    assert set(kept) == {"dpi", "transparency"}


@pytest.mark.parametrize(
    ("error", "damage"),
    [
        (OSError("broken"), True),
        (UnreadableImage("the PNG image is truncated or damaged (broken)"), True),
        (UnreadableImage("not an image of a known kind"), False),
        (StriateValueError("its values are odd"), False),
        (TooManyPixels("the image has 9 pixels"), False),
        (MemoryError(), False),
    ],
)
def test_what_another_copy_would_mend(error: Exception, damage: bool) -> None:
    assert is_damage(error) == damage
