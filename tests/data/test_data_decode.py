"""One image file of every kind becomes the right pixels; bad files are named."""

from __future__ import annotations

import os
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps, PngImagePlugin

from striate.data import DataError, decode
from striate.data.decode import BAD, COLOURED, DONE, OTHER_SIZE, WantedImages, decode_chunk
from striate.data.image_files import KINDS, lacking
from striate.pictures.sixteen import png_chunks

RNG = np.random.default_rng(5)
GRAY = RNG.integers(0, 256, (5, 7), dtype=np.uint8)
RGB = RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)
LIMIT = 10_000_000


def read(path: Path, **options: Any) -> decode.Chunk:
    target = WantedImages(
        **{"height": 5, "width": 7, "channels": 3, "max_pixels": LIMIT, **options}
    )
    return decode_chunk([str(path)], target)


def pixels(path: Path, **options: Any) -> np.ndarray:
    chunk = read(path, **options)
    assert chunk.states[0] == DONE, chunk.errors
    return chunk.images[0]


def save(image: Image.Image, path: Path, **options: Any) -> Path:
    image.save(path, **options)
    return path


@pytest.mark.parametrize("ending", ["png", "bmp", "tif", "webp"])
def test_exact_formats(tmp_path: Path, ending: str) -> None:
    options = {"lossless": True} if ending == "webp" else {}
    path = save(Image.fromarray(RGB), tmp_path / f"a.{ending}", **options)
    chunk = read(path)
    assert np.array_equal(chunk.images[0], RGB)
    assert chunk.coloured
    assert chunk.sizes.tolist() == [[5, 7]]


def test_jpeg(tmp_path: Path) -> None:
    smooth = np.add.outer(np.arange(5), np.arange(7) * 3)[..., None] * [4, 8, 2] + 20
    path = save(Image.fromarray(smooth.astype(np.uint8)), tmp_path / "a.jpg", quality=100)
    assert np.abs(pixels(path).astype(int) - smooth).max() < 12


@pytest.mark.parametrize("ending", ["png", "bmp", "tif", "gif", "webp"])
def test_gray(tmp_path: Path, ending: str) -> None:
    options = {"lossless": True} if ending == "webp" else {}
    chunk = read(save(Image.fromarray(GRAY), tmp_path / f"a.{ending}", **options))
    assert np.array_equal(chunk.images[0], np.repeat(GRAY[..., None], 3, axis=2))
    assert not chunk.coloured
    one = pixels(tmp_path / f"a.{ending}", channels=1)
    assert np.array_equal(one[..., 0], GRAY)


def test_rgb_with_equal_channels_counts_as_gray(tmp_path: Path) -> None:
    path = save(Image.fromarray(np.repeat(GRAY[..., None], 3, axis=2)), tmp_path / "a.png")
    assert not read(path).coloured
    assert np.array_equal(pixels(path, channels=1)[..., 0], GRAY)


@pytest.mark.parametrize("channel", range(3))
def test_one_pixel_of_colour_counts(tmp_path: Path, channel: int) -> None:
    almost = np.repeat(GRAY[..., None], 3, axis=2)
    almost[4, 6, channel] ^= 1
    path = save(Image.fromarray(almost), tmp_path / "a.png")
    assert read(path).coloured
    assert read(path, channels=1).states[0] == COLOURED


def test_colour_to_gray_by_the_usual_weights(tmp_path: Path) -> None:
    path = save(Image.fromarray(RGB), tmp_path / "a.png")
    expected = RGB @ np.array([0.299, 0.587, 0.114])
    got = pixels(path, channels=1, convert=True)[..., 0]
    assert np.abs(got - expected).max() <= 1


def test_gif_of_several_frames_gives_the_first(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((5, 7), value, np.uint8)) for value in (50, 90, 200)]
    path = tmp_path / "a.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    assert (pixels(path) == 50).all()


def test_tiff_of_several_pages_gives_the_first(tmp_path: Path) -> None:
    path = tmp_path / "a.tiff"
    Image.fromarray(RGB).save(path, save_all=True, append_images=[Image.fromarray(255 - RGB)])
    assert np.array_equal(pixels(path), RGB)


def test_transparency_is_laid_over_white(tmp_path: Path) -> None:
    rgba = np.dstack([RGB, RNG.integers(0, 256, (5, 7), dtype=np.uint8)])
    rgba[0, :, 3], rgba[1, :, 3] = 0, 255
    got = pixels(save(Image.fromarray(rgba), tmp_path / "a.png"))
    share = rgba[..., 3:] / 255.0
    expected = RGB * share + 255 * (1 - share)
    assert np.abs(got - expected).max() <= 1.01
    assert (got[0] == 255).all()
    assert np.array_equal(got[1], RGB[1])


def test_gray_with_transparency(tmp_path: Path) -> None:
    both = np.dstack([GRAY, np.where(np.arange(7) < 3, 0, 255)[None].repeat(5, 0)])
    path = save(Image.fromarray(both.astype(np.uint8)), tmp_path / "a.png")
    got = pixels(path, channels=1)[..., 0]
    assert (got[:, :3] == 255).all()
    assert np.array_equal(got[:, 3:], GRAY[:, 3:])


@pytest.mark.parametrize("transparent", [None, 2, bytes([255, 255, 0, 255])])
def test_palette(tmp_path: Path, transparent: int | bytes | None) -> None:
    colours = np.array([[255, 0, 0], [0, 200, 0], [10, 20, 250], [9, 9, 9]], np.uint8)
    index = RNG.integers(0, 4, (5, 7)).astype(np.uint8)
    image = Image.fromarray(index)
    image.putpalette(colours.tobytes())
    options = {} if transparent is None else {"transparency": transparent}
    expected = colours[index]
    if transparent is not None:
        expected[index == 2] = 255
    assert np.array_equal(pixels(save(image, tmp_path / "a.png", **options)), expected)
    if not isinstance(transparent, bytes):
        assert np.array_equal(pixels(save(image, tmp_path / "a.gif", **options)), expected)


def test_rgb_with_one_transparent_colour(tmp_path: Path) -> None:
    image = RGB.copy()
    image[2, 3] = (1, 2, 3)
    path = save(Image.fromarray(image), tmp_path / "a.png", transparency=(1, 2, 3))
    expected = image.copy()
    expected[2, 3] = 255
    assert np.array_equal(pixels(path), expected)


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_sixteen_bits_are_scaled_to_the_nearest(tmp_path: Path, ending: str) -> None:
    wide = np.linspace(0, 65535, 35).round().astype(np.uint16).reshape(5, 7)
    path = save(Image.fromarray(wide), tmp_path / f"a.{ending}")
    expected = np.floor(wide / 257.0 + 0.5)
    assert np.array_equal(pixels(path, channels=1)[..., 0], expected)
    assert expected[4, 6] == 255


def test_big_endian_sixteen_bits(tmp_path: Path) -> None:
    wide = np.linspace(0, 65535, 35).round().astype(">u2").reshape(5, 7)
    image = Image.frombytes("I;16B", (7, 5), wide.tobytes())
    path = save(image, tmp_path / "a.tif")
    assert np.array_equal(pixels(path, channels=1)[..., 0], np.floor(wide / 257.0 + 0.5))


def test_thirty_two_bits_with_sixteen_bit_values(tmp_path: Path) -> None:
    wide = np.linspace(0, 65535, 35).round().astype(np.int32).reshape(5, 7)
    path = save(Image.fromarray(wide), tmp_path / "a.tif")
    assert np.array_equal(pixels(path, channels=1)[..., 0], np.floor(wide / 257.0 + 0.5))
    for value in (-1, 65536):
        wide[2, 3] = value
        least, most = wide.min(), wide.max()
        assert sentence(save(Image.fromarray(wide), tmp_path / "b.tif")) == (
            f"{tmp_path / 'b.tif'}: its values go from {least} to {most}, and whole gray values "
            "must be of 0...65535; shift or scale those of all images alike, and save them with 8 "
            "or 16 bits; or skip bad images (--skip-bad, skip_bad=True)"
        )


def test_real_values(tmp_path: Path) -> None:
    real = np.linspace(0, 1, 35, dtype=np.float32).reshape(5, 7)
    path = save(Image.fromarray(real), tmp_path / "a.tif")
    assert np.array_equal(pixels(path, channels=1)[..., 0], np.rint(real.astype(np.float64) * 255))
    for bad, told in (
        (real - np.float32(0.01), "its values go from -0.01 to 0.99, and real gray values must be"),
        (real + np.float32(0.01), "its values go from 0.01 to 1.01, and real gray values must be"),
        (np.where(real > 0.5, np.nan, real), "it has values that are not numbers; give those"),
    ):
        path = save(Image.fromarray(bad.astype(np.float32)), tmp_path / "b.tif")
        assert sentence(path).startswith(f"{path}: {told}")


def test_one_bit(tmp_path: Path) -> None:
    bits = GRAY > 127
    path = save(Image.fromarray(bits), tmp_path / "a.png")
    assert np.array_equal(pixels(path, channels=1)[..., 0], bits * 255)


def test_cmyk(tmp_path: Path) -> None:
    plain = Image.fromarray(np.full((5, 7, 3), (200, 30, 90), np.uint8))
    for name in ("a.jpg", "a.tif"):
        options = {"quality": 100} if name == "a.jpg" else {}
        path = save(plain.convert("CMYK"), tmp_path / name, **options)
        assert np.abs(pixels(path).astype(int) - (200, 30, 90)).max() < 6


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif"])
def test_orientation(tmp_path: Path, ending: str, orientation: int) -> None:
    # What a viewer should show, and how a camera that notes the orientation has stored it: the
    # comments say which sides of the scene the first stored row and column are (EXIF 2.32).
    seen = np.zeros((16, 32, 3), np.uint8)
    seen[:8, :16], seen[:8, 16:], seen[8:, :16] = (250, 0, 0), (0, 250, 0), (0, 0, 250)
    turned = seen.transpose(1, 0, 2)
    stored = {
        1: seen,  # top, left
        2: seen[:, ::-1],  # top, right
        3: seen[::-1, ::-1],  # bottom, right
        4: seen[::-1],  # bottom, left
        5: turned,  # left, top
        6: turned[::-1],  # right, top
        7: turned[::-1, ::-1],  # right, bottom
        8: turned[:, ::-1],  # left, bottom
    }[orientation]
    exif = Image.Exif()
    exif[274] = orientation
    options: dict[str, Any] = {"jpg": {"quality": 100, "subsampling": 0}}.get(ending, {})
    options |= {"lossless": True} if ending == "webp" else {}
    image = Image.fromarray(np.ascontiguousarray(stored))
    path = save(image, tmp_path / f"a.{ending}", exif=exif, **options)
    chunk = read(path, height=16, width=32, exact=True)
    assert chunk.states[0] == DONE
    assert chunk.sizes.tolist() == [[16, 32]]
    assert np.abs(chunk.images[0].astype(int) - seen).max() < 12
    assert decode.measure(str(path), LIMIT) == (16, 32, False)
    with Image.open(path) as opened:
        oracle = np.asarray(ImageOps.exif_transpose(opened).convert("RGB"))
    assert np.array_equal(chunk.images[0], oracle)


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0no TIFF header",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        # an orientation that is text
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\x04\0\0\0abc\0\0\0\0\0",
    ],
)
def test_damaged_exif_is_no_error(tmp_path: Path, exif: bytes) -> None:
    path = save(Image.fromarray(RGB), tmp_path / "a.png", exif=exif)
    assert np.array_equal(pixels(path), RGB)


def test_exact_leaves_other_sizes(tmp_path: Path) -> None:
    path = save(Image.fromarray(RGB), tmp_path / "a.png")
    chunk = read(path, height=7, width=5, exact=True)
    assert chunk.states[0] == OTHER_SIZE
    assert chunk.sizes.tolist() == [[5, 7]]


def test_crop_keeps_the_aspect_and_the_centre(tmp_path: Path) -> None:
    wide = np.zeros((20, 60, 3), np.uint8)
    wide[:, 20:40] = 200
    path = save(Image.fromarray(wide), tmp_path / "a.png")
    assert (pixels(path, height=10, width=10)[:, 1:-1] == 200).all()
    stretched = pixels(path, height=10, width=30, mode="stretch")
    assert (stretched[:, :9] == 0).all()
    assert (stretched[:, 11:19] == 200).all()
    squeezed = pixels(path, height=30, width=30, mode="stretch")
    assert (squeezed[:, 11:19] == 200).all()
    assert (squeezed[:, :9] == 0).all()


def test_resizing_averages_when_it_makes_smaller(tmp_path: Path) -> None:
    board = np.indices((64, 64)).sum(axis=0) % 2 * 255
    path = save(Image.fromarray(board.astype(np.uint8)), tmp_path / "a.png")
    small = pixels(path, height=4, width=4, channels=1)
    assert np.abs(small.astype(int) - 127).max() <= 2


def test_large_jpeg_is_the_same_as_decoding_it_whole(tmp_path: Path) -> None:
    y, x = np.mgrid[0:600, 0:800] / 800.0
    photo = np.stack([x, y, (x + y) / 2], axis=2) * 250
    photo[100:300, 200:500] = (250, 20, 20)
    path = save(Image.fromarray(photo.astype(np.uint8)), tmp_path / "a.jpg", quality=95)
    lossless = save(Image.open(path), tmp_path / "a.png")
    quick, whole = (pixels(p, height=30, width=40) for p in (path, lossless))
    assert np.abs(quick.astype(int) - whole).max() < 14
    assert np.abs(quick.astype(int) - whole).mean() < 1


def test_jpeg_is_decoded_with_enough_pixels(tmp_path: Path) -> None:
    # Half of the pixels would do for the size, but not for the detail.
    noise = RNG.integers(0, 256, (60, 80), dtype=np.uint8)
    path = save(Image.fromarray(noise), tmp_path / "a.jpg", quality=95)
    lossless = save(Image.open(path), tmp_path / "a.png")
    assert np.array_equal(*(pixels(p, height=30, width=40) for p in (path, lossless)))


def test_rotated_jpeg_is_decoded_with_enough_pixels(tmp_path: Path) -> None:
    # Stored 400 high and 1600 wide, seen 1600 high and 400 wide; 20 × 80 are cut out of it.
    photo = np.zeros((400, 1600), np.uint8)
    photo[np.arange(400) % 12 < 6] = 250
    exif = Image.Exif()
    exif[274] = 6
    path = save(Image.fromarray(photo), tmp_path / "a.jpg", exif=exif, quality=95)
    lossless = save(Image.open(path), tmp_path / "a.png", exif=exif)
    quick, whole = (pixels(p, height=20, width=80).astype(int) for p in (path, lossless))
    assert whole.std() > 30
    assert np.abs(quick - whole).mean() < 8


def test_rotated_large_jpeg(tmp_path: Path) -> None:
    photo = np.zeros((800, 200, 3), np.uint8)
    photo[:400] = (250, 20, 20)
    exif = Image.Exif()
    exif[274] = 6
    path = save(Image.fromarray(photo), tmp_path / "a.jpg", exif=exif)
    got = pixels(path, height=20, width=80)
    assert got[:, 44:, 0].min() > 200  # the stored top is the right side
    assert got[:, :36, 0].max() < 50
    # At a quarter it has enough pixels: no more of them are decoded.
    assert np.array_equal(pixels(path, height=20, width=80, max_pixels=50 * 200), got)


def test_pad_keeps_the_whole_image(tmp_path: Path) -> None:
    wide = save(Image.fromarray(np.full((10, 40, 3), 200, np.uint8)), tmp_path / "a.png")
    got = pixels(wide, height=20, width=20, mode="pad")
    assert (got[7:12] == 200).all()
    assert (got[:7] == 0).all()
    assert (got[12:] == 0).all()
    tall = save(Image.fromarray(np.full((60, 3), 90, np.uint8)), tmp_path / "b.jpg")
    got = pixels(tall, height=20, width=20, mode="pad", channels=1)[..., 0]
    assert (np.abs(got[:, 9] - 90.0) < 3).all()
    assert got[:, [*range(9), *range(10, 20)]].max() == 0


@pytest.mark.parametrize("ending", ["png", "tif", "webp", "bmp"])
@pytest.mark.parametrize("gray", [False, True])
def test_alpha_of_0_everywhere_hides_nothing(tmp_path: Path, ending: str, gray: bool) -> None:
    colours = np.repeat(GRAY[..., None], 3, axis=2) if gray else RGB
    layers = np.dstack([colours, np.zeros((5, 7), np.uint8)])
    if gray and ending in ("png", "tif"):
        layers = layers[..., 2:]
    options = {"lossless": True, "exact": True} if ending == "webp" else {}
    chunk = read(save(Image.fromarray(layers), tmp_path / f"a.{ending}", **options))
    assert np.array_equal(chunk.images[0], colours)
    # Pillow itself does so for BMP.
    assert chunk.remarks[0] == (0 if ending == "bmp" else decode.ALPHA_IGNORED)


@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize("brightness", [255, 240])
def test_white_on_a_transparent_ground_is_laid_over_black(
    tmp_path: Path, gray: bool, brightness: int
) -> None:
    alpha = RNG.choice(np.array([0, 120, 255], np.uint8), (5, 7))
    alpha[0, :2] = 0, 255
    layers = [np.full((5, 7), brightness, np.uint8)] * (1 if gray else 3)
    path = save(Image.fromarray(np.dstack([*layers, alpha])), tmp_path / "a.png")
    chunk = read(path, channels=1)
    assert np.abs(chunk.images[0, ..., 0] - brightness * (alpha / 255)).max() <= 1
    assert chunk.remarks[0] == decode.OVER_BLACK


@pytest.mark.parametrize(
    ("colour", "alpha", "remark"),
    [
        ((224, 224, 224), 0, decode.OVER_BLACK),
        ((223, 224, 224), 0, 0),
        ((224, 223, 224), 0, 0),
        ((224, 224, 223), 0, 0),
        ((255, 255, 255), 222, decode.OVER_BLACK),
        ((255, 255, 255), 223, 0),
    ],
)
def test_what_is_seen_on_white_is_laid_over_white(
    tmp_path: Path, colour: tuple[int, int, int], alpha: int, remark: int
) -> None:
    layers = np.full((5, 7, 4), (*colour, 255), np.uint8)
    layers[1, 2, 3] = alpha
    chunk = read(save(Image.fromarray(layers), tmp_path / "a.png"))
    assert chunk.remarks[0] == remark
    share = alpha / 255
    ground = 0 if remark else 255
    expected = np.array(colour) * share + ground * (1 - share)
    assert np.abs(chunk.images[0, 1, 2] - expected).max() <= 1
    assert (chunk.images[0, 0] == colour).all()


def test_an_alpha_of_1_hides_all_but_that(tmp_path: Path) -> None:
    layers = np.dstack([RGB, np.zeros((5, 7), np.uint8)])
    layers[4, 6, 3] = 1
    chunk = read(save(Image.fromarray(layers), tmp_path / "a.png"))
    assert chunk.remarks[0] == decode.OVER_BLACK
    assert chunk.images.max() <= 1


def test_white_is_white_where_little_is_transparent(tmp_path: Path) -> None:
    layers = np.full((5, 7, 4), 255, np.uint8)
    assert (pixels(save(Image.fromarray(layers), tmp_path / "a.png")) == 255).all()
    layers[..., 3] = 230
    chunk = read(save(Image.fromarray(layers), tmp_path / "b.png"))
    assert (chunk.images == 255).all()
    assert chunk.remarks[0] == 0


@pytest.mark.parametrize("bits", [8, 10, 12])
def test_a_white_below_65535(tmp_path: Path, bits: int) -> None:
    white = 2**bits - 1
    wide = np.linspace(0, white + 5, 35).round().astype(np.uint16).reshape(5, 7)
    expected = np.rint(np.minimum(wide, white) * (255 / white))
    chunk = read(save(Image.fromarray(wide), tmp_path / "a.png"), channels=1, white=white)
    assert np.array_equal(chunk.images[0, ..., 0], expected)
    assert chunk.remarks[0] == decode.CLIPPED
    assert chunk.peaks[0] == white + 5
    layers = np.dstack([wide, wide[::-1], wide, np.full((5, 7), 65535, np.uint16)])
    for count in (3, 4):
        path = tmp_path / f"{count}.png"
        path.write_bytes(b"".join(png_chunks(layers[..., :count])))
        colours = np.dstack([expected, expected[::-1], expected])
        assert np.array_equal(pixels(path, white=white), colours)
    path.write_bytes(b"".join(png_chunks(layers[..., 2:])))
    assert np.array_equal(pixels(path, white=white, channels=1)[..., 0], expected)


def test_only_files_of_sixteen_bits_have_a_peak(tmp_path: Path) -> None:
    assert read(save(Image.fromarray(GRAY), tmp_path / "a.png")).peaks[0] == -1
    path = tmp_path / "b.png"
    path.write_bytes(b"".join(png_chunks(np.full((5, 7, 3), 700, np.uint16))))
    assert read(path).peaks[0] == 767  # the upper byte, and at most 255 in the lower one
    for channel in range(3):
        colours = np.full((5, 7, 3), 300, np.uint16)
        colours[2, 3, channel] = 5000
        path.write_bytes(b"".join(png_chunks(colours)))
        assert read(path).peaks[0] == 5000 // 256 * 256 + 255


@pytest.mark.parametrize("channels", [2, 4])
def test_transparency_of_sixteen_bits_below_a_white(tmp_path: Path, channels: int) -> None:
    layers = RNG.integers(0, 1024, (5, 7, channels)).astype(np.uint16)
    layers[..., -1] = np.linspace(0, 65535, 35).reshape(5, 7)
    path = tmp_path / "a.png"
    path.write_bytes(b"".join(png_chunks(layers)))
    share = layers[..., -1:] / 65535
    expected = layers[..., :-1] * (255 / 1023) * share + 255 * (1 - share)
    assert np.abs(pixels(path, white=1023) - expected).max() <= 2


def test_one_transparent_colour_of_sixteen_bits_below_a_white(tmp_path: Path) -> None:
    colours = RNG.integers(0, 1024, (5, 7, 3)).astype(np.uint16)
    colours[2, 3], colours[2, 4], colours[3, 3] = (1, 2, 3), (1, 2, 4), (0, 2, 3)
    body = b"tRNS" + struct.pack(">HHH", 1, 2, 3)
    chunk = struct.pack(">I", 6) + body + struct.pack(">I", zlib.crc32(body))
    whole = b"".join(png_chunks(colours))
    place = whole.index(b"IDAT") - 4
    path = tmp_path / "a.png"
    path.write_bytes(whole[:place] + chunk + whole[place:])
    expected = np.rint(colours * (255 / 1023))
    expected[2, 3] = 255
    assert np.array_equal(pixels(path, white=1023), expected)


def test_the_white_itself_is_not_brighter_than_white(tmp_path: Path) -> None:
    path = save(Image.fromarray(np.full((5, 7), 1023, np.uint16)), tmp_path / "a.png")
    assert read(path, white=1023).remarks[0] == 0
    assert read(path, white=1022).remarks[0] == decode.CLIPPED


def test_a_large_jpeg_is_limited_by_what_is_decoded(tmp_path: Path) -> None:
    path = save(Image.fromarray(np.full((800, 1600), 90, np.uint8)), tmp_path / "a.jpg")
    assert (pixels(path, height=20, width=40, max_pixels=100 * 200) == 90).all()
    assert decode.measure(str(path), 100 * 200) == (800, 1600, True)
    assert "more than 30,000 pixels (200 × 400)" in sentence(
        path, height=100, width=200, max_pixels=30_000
    )
    assert "more than 1,279,936 pixels (800 × 1,600)" in sentence(path, max_pixels=19_999)
    with pytest.raises(DataError, match="more than 1,279,936 pixels"):
        decode.measure(str(path), 19_999)


@pytest.mark.parametrize("ending", ["pgm", "ppm", "pnm", "jp2", "avif"])
def test_further_formats(tmp_path: Path, ending: str) -> None:
    kind = KINDS[f".{ending}"]
    if lacking(kind):
        pytest.skip(f"Pillow is without {kind}")
    smooth = np.add.outer(np.arange(64), np.arange(64))[..., None] * [1, 1.5, 0.5] + 20
    image = Image.fromarray(smooth.astype(np.uint8)).convert("L" if ending == "pgm" else "RGB")
    got = pixels(save(image, tmp_path / f"a.{ending}"), height=64, width=64)
    assert np.abs(got.astype(int) - np.asarray(image.convert("RGB"))).max() < 9


def test_ten_bits_of_pgm_are_stretched_by_their_own_maximum(tmp_path: Path) -> None:
    path = tmp_path / "a.pgm"
    wide = np.linspace(0, 1023, 35).round().astype(">u2")
    path.write_bytes(b"P5 7 5 1023\n" + wide.tobytes())
    assert np.abs(pixels(path, channels=1).reshape(-1) - np.rint(wide * (255 / 1023))).max() <= 1


def test_long_texts_and_profiles_of_png_are_passed_over(tmp_path: Path) -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("notes", "words " * 400_000, zip=True)
    path = save(Image.fromarray(RGB), tmp_path / "a.png", pnginfo=texts)
    assert np.array_equal(pixels(path), RGB)
    assert decode.measure(str(path), LIMIT) == (5, 7, False)
    profile = RNG.integers(0, 256, 2_000_000, dtype=np.uint8).tobytes()
    path = save(Image.fromarray(RGB), tmp_path / "b.png", icc_profile=profile)
    assert np.array_equal(pixels(path), RGB)
    # And behind the pixels, where they are only found while these are decoded.
    whole = save(Image.fromarray(RGB), tmp_path / "c.png").read_bytes()
    body = b"zTXtnotes\0\0" + zlib.compress(b"x" * 3_000_000)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    path.write_bytes(whole[:-12] + chunk + whole[-12:])
    assert np.array_equal(pixels(path), RGB)
    path.write_bytes(whole[:-40] + chunk)
    assert "truncated or damaged" in sentence(path)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (np.full((5, 7), -7, np.int16), "its values go from -7 to -7, and whole gray values must"),
        (np.full((5, 7), 70_000, np.int32), "its values go from 70000 to 70000, and whole gray"),
        (
            np.full((5, 7), 200, np.float32),
            "from 200 to 200, and real gray values must be of 0...1",
        ),
        (np.full((5, 7), np.nan, np.float32), "it has values that are not numbers"),
        (np.full((5, 7), 0.5, np.float64), "its TIFF pixels are of a kind that cannot be read"),
    ],
)
def test_the_true_cause_is_told(tmp_path: Path, values: np.ndarray, text: str) -> None:
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(tmp_path / "a.tif", values)
    told = sentence(tmp_path / "a.tif")
    assert text in told
    assert "damaged" not in told
    assert "repair" not in told


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    assert "is a pipe, not an image; write what comes from it" in sentence(tmp_path / "a.png")


# Bad files


def png_header(height: int, width: int) -> bytes:
    """A PNG that claims a size and ends."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    header = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body
    return header + struct.pack(">I", zlib.crc32(body)) + struct.pack(">I", 0) + b"IDAT"


def sentence(path: Path, **options: Any) -> str:
    chunk = read(path, **options)
    assert chunk.states[0] == BAD
    assert chunk.sizes.tolist() == [[0, 0]]
    ((index, text),) = chunk.errors
    assert index == 0
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text


def saved_bytes(path: Path, ending: str) -> bytes:
    photo = RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    return save(Image.fromarray(photo), path / f"whole.{ending}").read_bytes()


@pytest.mark.parametrize("ending", ["png", "jpg", "bmp", "gif", "tif", "webp"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_truncated(tmp_path: Path, ending: str, share: float) -> None:
    data = saved_bytes(tmp_path, ending)
    path = tmp_path / f"cut.{ending}"
    path.write_bytes(data[: int(len(data) * share)])
    text = sentence(path, height=64, width=64)
    assert "truncated or damaged" in text or "not an image of a known kind" in text
    assert text.endswith("or skip bad images (--skip-bad, skip_bad=True)")
    assert ("; repair or remove it, or skip" in text) == ("truncated or damaged" in text)


@pytest.mark.parametrize("ending", ["png", "jpg", "bmp", "gif", "tif", "webp"])
def test_damaged_bytes_never_raise(tmp_path: Path, ending: str) -> None:
    data = np.frombuffer(saved_bytes(tmp_path, ending), np.uint8)
    rng = np.random.default_rng(1)
    path = tmp_path / f"odd.{ending}"
    for _ in range(60):
        odd = data.copy()
        places = rng.integers(0, min(len(odd), 400), 6)
        odd[places] = rng.integers(0, 256, 6)
        path.write_bytes(odd.tobytes())
        assert read(path, height=64, width=64).states[0] in (DONE, BAD)


@pytest.mark.parametrize("content", [b"", b"hello, I am text", b"\0" * 500])
def test_not_an_image(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    assert "not an image of a known kind (PNG, JPEG" in sentence(path)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    assert "there is no such image" in sentence(tmp_path / "none.png")
    (tmp_path / "folder.png").mkdir()
    assert "is a folder, not an image" in sentence(tmp_path / "folder.png")


@pytest.mark.parametrize(("height", "width"), [(3000, 4000), (60_000, 60_000)])
def test_giant_image_is_refused_by_its_header(tmp_path: Path, height: int, width: int) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png_header(height, width))
    assert sentence(path) == (
        f"{path}: the image has more than 10,000,000 pixels ({height:,} × {width:,}); make it "
        "smaller, raise max_pixels (--max-pixels), or skip bad images (--skip-bad, skip_bad=True)"
    )
    with pytest.raises(DataError, match="10,000,000 pixels"):
        decode.measure(str(path), LIMIT)


@pytest.mark.parametrize("mode", ["L", "RGBA", "I;16", "F"])
@pytest.mark.parametrize("size", [(0, 5), (7, 0), (0, 0)])
def test_a_picture_without_pixels_is_no_image(mode: str, size: tuple[int, int]) -> None:
    picture = Image.new(mode, size)
    told = f"the picture {picture!r}: the image has no pixels"
    for fit in ("crop", "pad", "stretch"):
        chunk = decode_chunk([picture], WantedImages(5, 7, 3, mode=fit))
        assert chunk.states.tolist() == [BAD]
        ((_, text),) = chunk.errors
        assert text == f"{told}; or skip bad images (--skip-bad, skip_bad=True)"
    with pytest.raises(DataError, match="the image has no pixels"):
        decode.measure(picture, LIMIT)


def test_the_limit_itself_is_allowed(tmp_path: Path) -> None:
    path = save(Image.fromarray(RGB), tmp_path / "a.png")
    assert np.array_equal(pixels(path, max_pixels=35), RGB)
    assert "more than 34 pixels (5 × 7)" in sentence(path, max_pixels=34)


def test_a_limit_above_pillows_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    path = save(Image.fromarray(RGB), tmp_path / "a.png")
    assert np.array_equal(pixels(path), RGB)
    assert Image.MAX_IMAGE_PIXELS == 10


def test_nothing_of_the_process_is_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    real = decode.upright_image

    def watched(*given: Any) -> Image.Image:
        seen.append((Image.MAX_IMAGE_PIXELS, list(warnings.filters)))
        return real(*given)

    monkeypatch.setattr(decode, "upright_image", watched)
    before = (Image.MAX_IMAGE_PIXELS, list(warnings.filters))
    pixels(save(Image.fromarray(RGB), tmp_path / "a.png"))
    assert seen == [before]


def test_other_formats_are_refused(tmp_path: Path) -> None:
    # Pillow would start Ghostscript for this one.
    path = tmp_path / "a.png"
    Image.fromarray(RGB).save(path, format="EPS")
    assert "not an image of a known kind" in sentence(path)


def test_a_bad_image_does_not_touch_its_neighbours(tmp_path: Path) -> None:
    good = save(Image.fromarray(RGB), tmp_path / "a.png")
    bad = tmp_path / "b.png"
    bad.write_bytes(good.read_bytes()[:60])
    chunk = decode_chunk([str(good), str(bad), str(good)], WantedImages(5, 7, 3))
    assert chunk.states.tolist() == [DONE, BAD, DONE]
    assert np.array_equal(chunk.images[0], RGB)
    assert np.array_equal(chunk.images[2], RGB)


def test_nothing_is_said_of_an_image_that_failed_at_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(*_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(decode, "fit", no_memory)
    path = save(Image.fromarray(np.full((5, 7), 2000, np.uint16)), tmp_path / "a.png")
    chunk = read(path, white=1023)
    assert sentence(path) == (
        f"{path}: the image does not fit into memory; or skip bad images "
        "(--skip-bad, skip_bad=True)"
    )
    assert (chunk.remarks[0], chunk.peaks[0], chunk.sizes.tolist()) == (0, -1, [[0, 0]])


def test_what_images_become_by_default() -> None:
    assert WantedImages(5, 7, 3) == WantedImages(
        height=5, width=7, channels=3, mode="crop", convert=False, exact=False,
        max_pixels=100_000_000, white=65535,
    )  # fmt: skip


def test_a_padded_image_lies_in_the_middle(tmp_path: Path) -> None:
    path = save(Image.fromarray(np.full((11, 40, 3), 200, np.uint8)), tmp_path / "a.png")
    got = pixels(path, height=11, width=20, mode="pad")[:, :, 0]
    rows = np.flatnonzero(got.any(axis=1))  # 20 / 40 of 11 rows are 6, rounded to even
    assert (rows[0], rows[-1]) == (2, 7)
    assert (got[2:8] == 200).all()
    got = pixels(path, height=3, width=20, mode="pad")[:, :, 0]  # 3 / 11 of 40 columns are 11
    columns = np.flatnonzero(got.any(axis=0))
    assert (columns[0], columns[-1]) == (4, 14)
