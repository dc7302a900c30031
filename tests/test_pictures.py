"""Reading and writing picture files: what goes in comes out."""

import io
import os
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from striate.common.arrays import Array
from striate.data import DataError
from striate.pictures import Picture, check_output, grace_hopper, read_picture, tiff, write_picture
from striate.pictures.picture import alike
from striate.pictures.tiff import tiff_file

SHAPES = [(13, 19), (13, 19, 2), (13, 19, 3), (13, 19, 4)]


def pixels(shape: tuple[int, ...], dtype: str = "uint8", seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    if dtype == "float32":
        return rng.normal(size=shape).astype(np.float32)
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def only(path: Path) -> Array:
    (frame,) = read_picture(path).frames
    return frame


def profile(space: str = "sRGB") -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(space)).tobytes()  # type: ignore[arg-type]


# What is written is read back the same, by Pillow and OpenCV too.


@pytest.mark.parametrize(
    ("ending", "dtype", "shape"),
    [
        (ending, dtype, shape)
        for ending, dtype in (
            (".png", "uint8"),
            (".png", "uint16"),
            (".tif", "uint8"),
            (".tiff", "uint16"),
            (".TIF", "float32"),
        )
        for shape in SHAPES
        if dtype != "float32" or len(shape) == 2  # Pillow reads no real-valued colours
    ],
)
def test_round_trip(tmp_path: Path, shape: tuple[int, ...], ending: str, dtype: str) -> None:
    image = pixels(shape, dtype)
    path = tmp_path / f"x{ending}"
    assert write_picture(path, Picture((image,))) == []
    back = only(path)
    assert back.dtype == image.dtype
    if ending == ".tiff" and len(shape) == 3 and shape[2] == 2:
        image = image[..., [0, 0, 0, 1]]  # Pillow cannot read it otherwise
    np.testing.assert_array_equal(back, image)
    assert sorted(os.listdir(tmp_path)) == [path.name]


@pytest.mark.parametrize(
    ("ending", "dtype"),
    [
        (".png", "uint8"),
        (".png", "uint16"),  # PNG has no real numbers
        (".tif", "uint8"),
        (".tif", "uint16"),
        (".tif", "float32"),
    ],
)
@pytest.mark.parametrize("shape", [(70, 300), (70, 300, 3), (700, 800, 4), (1, 1, 3)])
def test_opencv_reads_the_same(
    tmp_path: Path, ending: str, dtype: str, shape: tuple[int, ...]
) -> None:
    cv2 = pytest.importorskip("cv2")
    image = pixels(shape, dtype)
    path = tmp_path / f"x{ending}"
    write_picture(path, Picture((image,)))
    theirs = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if theirs.ndim == 3:
        theirs = theirs[..., [2, 1, 0, 3][: theirs.shape[2]]]
    assert theirs.dtype == image.dtype
    if image.shape[2:] == (4,) and ending == ".tif" and dtype == "uint8":
        # OpenCV multiplies colours with alpha here, and only here.
        image = np.where(image[..., 3:] == 255, image, 0)
        theirs = np.where(theirs[..., 3:] == 255, theirs, 0)
    np.testing.assert_array_equal(theirs, image)


@pytest.mark.parametrize("ending", [".png", ".tif"])
@pytest.mark.parametrize("channels", [3, 4])
def test_16_bit_colour_of_others(tmp_path: Path, ending: str, channels: int) -> None:
    cv2 = pytest.importorskip("cv2")
    image = np.cumsum(pixels((31, 47, channels), "uint16") // 50, axis=1).astype(np.uint16)
    path = str(tmp_path / f"x{ending}")
    ways = [[]] if ending == ".png" else [[cv2.IMWRITE_TIFF_COMPRESSION, n] for n in (1, 5, 8)]
    for way in ways:
        assert cv2.imwrite(path, image[..., [2, 1, 0, 3][:channels]], way)
        np.testing.assert_array_equal(only(Path(path)), image)


@pytest.mark.parametrize("order", ["<", ">"])
def test_16_bit_tiff_of_both_byte_orders(tmp_path: Path, order: str) -> None:
    image = pixels((5, 4, 3), "uint16")
    raw = image.astype(f"{order}u2").tobytes()
    fields = [
        (256, 4, 1, 4), (257, 4, 1, 5), (258, 3, 3, 8), (259, 3, 1, 1), (262, 3, 1, 2),
        (273, 4, 1, 14), (277, 3, 1, 3), (278, 4, 1, 5), (279, 4, 1, len(raw)),
    ]  # fmt: skip
    magic = b"II" if order == "<" else b"MM"
    body = struct.pack(f"{order}HI", 42, 14 + len(raw)) + struct.pack(f"{order}3H", 16, 16, 16)
    body += raw + struct.pack(f"{order}H", len(fields))
    for tag, kind, count, value in fields:
        last = struct.pack(f"{order}I", value)
        if kind == 3 and count == 1:
            last = struct.pack(f"{order}HH", value, 0)
        body += struct.pack(f"{order}HHI", tag, kind, count) + last
    (tmp_path / "x.tif").write_bytes(magic + body + b"\0\0\0\0")
    np.testing.assert_array_equal(only(tmp_path / "x.tif"), image)


def test_a_16_bit_png_that_is_interlaced(tmp_path: Path) -> None:
    image = pixels((9, 11, 3), "uint16")
    data = b""
    for y, x, dy, dx in [
        (0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
        (1, 0, 2, 1),
    ]:  # fmt: skip
        for row in image[y::dy, x::dx]:
            data += b"\0" + row.astype(">u2").tobytes()

    def chunk(kind: bytes, body: bytes) -> bytes:
        crc = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc)

    head = struct.pack(">IIBBBBB", 11, 9, 16, 2, 0, 0, 1)
    (tmp_path / "x.png").write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(data))
        + chunk(b"IEND", b"")
    )
    np.testing.assert_array_equal(only(tmp_path / "x.png"), image)


@pytest.mark.parametrize("colour", [(7,), (7, 300, 65535)])
def test_a_transparent_colour_of_16_bits(tmp_path: Path, colour: tuple[int, ...]) -> None:
    shape = (6, 5) if len(colour) == 1 else (6, 5, 3)
    image = pixels(shape, "uint16")
    image[2, 3] = colour if len(colour) == 3 else colour[0]
    path = tmp_path / "x.png"
    write_picture(path, Picture((image,)))
    data = path.read_bytes()
    body = b"tRNS" + np.array(colour, ">u2").tobytes()
    whole = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    path.write_bytes(data[:33] + whole + data[33:])
    back = only(path)
    assert back.dtype == np.uint16
    np.testing.assert_array_equal(back[..., :-1].reshape(shape), image)
    clear = np.full((6, 5), 65535)
    clear[2, 3] = 0
    np.testing.assert_array_equal(back[..., -1], clear)


# What Pillow calls modes.


@pytest.mark.parametrize(
    ("mode", "shape", "dtype"),
    [
        ("1", (8, 9), "uint8"),
        ("L", (8, 9), "uint8"),
        ("LA", (8, 9, 2), "uint8"),
        ("P", (8, 9, 3), "uint8"),
        ("RGB", (8, 9, 3), "uint8"),
        ("RGBA", (8, 9, 4), "uint8"),
        ("I;16", (8, 9), "uint16"),
    ],
)
def test_modes_of_png(tmp_path: Path, mode: str, shape: tuple[int, ...], dtype: str) -> None:
    image = Image.fromarray(pixels((8, 9, 4))).convert("RGBA" if mode in ("LA", "RGBA") else "RGB")
    image = Image.fromarray(pixels((8, 9), "uint16")) if mode == "I;16" else image.convert(mode)
    image.save(tmp_path / "x.png")
    got = only(tmp_path / "x.png")
    assert got.shape == shape
    assert got.dtype == dtype
    same = image.convert({"1": "L", "P": "RGB"}.get(mode, mode))
    np.testing.assert_array_equal(got, np.asarray(same))


def test_palettes_with_a_transparent_colour(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 1], [2, 1]], np.uint8))
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    for ending in ("png", "gif"):
        image.save(tmp_path / f"x.{ending}", transparency=1)
        got = only(tmp_path / f"x.{ending}")
        assert got[..., 3].tolist() == [[255, 0], [255, 0]]
        assert got[0, 0].tolist() == [10, 20, 30, 255]
        assert got[1, 0].tolist() == [70, 80, 90, 255]


def test_cmyk_loses_its_profile(tmp_path: Path) -> None:
    image = Image.fromarray(pixels((8, 8, 3))).convert("CMYK")
    fake = bytearray(profile())
    fake[16:20] = b"CMYK"
    image.save(tmp_path / "x.jpg", icc_profile=bytes(fake))
    read = read_picture(tmp_path / "x.jpg")
    assert read.frames[0].shape == (8, 8, 3)
    assert read.icc is None and read.jpeg is None


def test_whole_numbers_of_32_bits(tmp_path: Path) -> None:
    values = np.array([[0, 65535], [7, 300]], np.int32)
    Image.fromarray(values).save(tmp_path / "x.tif")
    np.testing.assert_array_equal(only(tmp_path / "x.tif"), values)
    assert only(tmp_path / "x.tif").dtype == np.uint16
    Image.fromarray(values * 2).save(tmp_path / "x.tif")
    with pytest.raises(DataError, match="go from 0 to 131070; gray values of this kind must be"):
        read_picture(tmp_path / "x.tif")


# Rotation, and what cameras note.


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["png", "tif", "jpg", "webp"])
def test_photos_come_upright(tmp_path: Path, ending: str, orientation: int) -> None:
    image = Image.fromarray(pixels((16, 24, 3)))
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "a camera"
    image.save(tmp_path / f"x.{ending}", exif=exif)
    with Image.open(tmp_path / f"x.{ending}") as saved:
        upright = np.asarray(ImageOps.exif_transpose(saved))
    read = read_picture(tmp_path / f"x.{ending}")
    np.testing.assert_array_equal(read.frames[0], upright)
    assert read.frames[0].shape[:2] == ((24, 16) if orientation > 4 else (16, 24))
    write_picture(tmp_path / f"y.{ending}", read)
    with Image.open(tmp_path / f"y.{ending}") as written:
        assert written.getexif().get(0x0112, 1) == 1
        if ending != "tif":
            assert written.getexif()[0x010F] == "a camera"


@pytest.mark.parametrize("orientation", [3, 6])
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_16_bit_photos_come_upright(tmp_path: Path, ending: str, orientation: int) -> None:
    image = pixels((6, 9, 3), "uint16")
    path = tmp_path / f"x.{ending}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    write_picture(path, Picture((image,), exif=exif.tobytes()))
    if ending == "tif":  # put in by hand, in place of a tag that says what is so without it
        data = path.read_bytes()
        at = data.index(struct.pack("<HHII", 284, 3, 1, 1))
        entry = struct.pack("<HHII", 274, 3, 1, orientation)
        path.write_bytes(data[:at] + entry + data[at + 12 :])
    np.testing.assert_array_equal(only(path), np.rot90(image, {3: 2, 6: -1}[orientation]))


def test_damaged_notes_of_a_camera(tmp_path: Path) -> None:
    Image.fromarray(pixels((8, 8, 3))).save(tmp_path / "x.jpg", exif=b"Exif\0\0MM\0*\xff\xff")
    assert only(tmp_path / "x.jpg").shape == (8, 8, 3)


@pytest.mark.parametrize("ending", [".png", ".jpg", ".tif", ".webp"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_profile_and_resolution_are_kept(tmp_path: Path, ending: str, dtype: str) -> None:
    picture = Picture((pixels((8, 9, 3), dtype),), icc=profile(), dpi=(300.0, 72.0))
    write_picture(tmp_path / f"x{ending}", picture)
    read = read_picture(tmp_path / f"x{ending}")
    assert read.icc == picture.icc
    if ending != ".webp":  # has no place for it
        assert read.dpi == pytest.approx((300, 72), abs=0.02)
    with Image.open(tmp_path / f"x{ending}") as image:
        assert image.info["icc_profile"] == picture.icc


def test_a_profile_goes_with_its_colours(tmp_path: Path) -> None:
    coloured = Picture((pixels((4, 4, 3)),), icc=profile())
    assert coloured.map(lambda frame: frame).icc == coloured.icc
    assert coloured.map(lambda frame: frame[..., 0]).icc is None


def test_jpeg_is_compressed_as_its_source(tmp_path: Path) -> None:
    smooth = np.indices((64, 64)).sum(0).astype(np.uint8)
    image = Image.fromarray(np.dstack([smooth, smooth[::-1], smooth.T]))
    for quality, subsampling in [(40, 2), (97, 0)]:
        image.save(tmp_path / "x.jpg", quality=quality, subsampling=subsampling)
        read = read_picture(tmp_path / "x.jpg")
        write_picture(tmp_path / "y.jpg", read)
        again = read_picture(tmp_path / "y.jpg")
        assert read.jpeg is not None and again.jpeg is not None
        assert again.jpeg.quantization == read.jpeg.quantization
        assert again.jpeg.subsampling == subsampling
    assert read.map(lambda frame: frame[..., 0]).jpeg is None
    # From other formats it is good, and colours are as fine as brightness.
    write_picture(tmp_path / "z.jpg", Picture(read.frames))
    third = read_picture(tmp_path / "z.jpg")
    assert third.jpeg is not None and third.jpeg.subsampling == 0
    assert np.abs(third.frames[0].astype(int) - read.frames[0]).max() < 12


def test_a_preview_in_a_jpeg_is_no_frame(tmp_path: Path) -> None:
    first, second = (Image.fromarray(pixels((8, 8, 3), seed=n)) for n in (0, 1))
    first.save(tmp_path / "x.jpg", format="MPO", save_all=True, append_images=[second])
    assert len(read_picture(tmp_path / "x.jpg").frames) == 1


# Animations and pages.


def animation(count: int, channels: int, colours: int = 9) -> tuple[Array, ...]:
    rng = np.random.default_rng(5)
    table = rng.integers(0, 256, (colours, 3), np.uint8)
    frames = []
    for _ in range(count):
        frame = table[rng.integers(0, colours, (11, 14))]
        if channels == 4:
            alpha = np.where(rng.random((11, 14, 1)) < 0.3, 0, 255).astype(np.uint8)
            frame = np.concatenate([frame, alpha], axis=2)
        frames.append(frame)
    return tuple(frames)


def same_to_the_eye(a: Array, b: Array) -> bool:
    if a.shape[2] == 4:
        return bool((a[..., 3] == b[..., 3]).all() and (a == b)[a[..., 3] > 0].all())
    return bool((a == b).all())


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("loop", [None, 0, 3])
@pytest.mark.parametrize("ending", [".gif", ".png"])
def test_animations(tmp_path: Path, ending: str, loop: int | None, channels: int) -> None:
    frames = animation(4, channels)
    picture = Picture(frames, (40.0, 130.0, 20.0, 1000.0), loop)
    assert write_picture(tmp_path / f"x{ending}", picture) == []
    read = read_picture(tmp_path / f"x{ending}")
    assert read.durations == picture.durations
    assert read.loop == loop
    assert len(read.frames) == 4
    for back, frame in zip(read.frames, frames, strict=True):
        assert back.shape == frame.shape
        assert same_to_the_eye(frame, back)


def test_animated_webp(tmp_path: Path) -> None:
    picture = Picture(animation(3, 4), (40.0, 130.0, 20.0), 2)
    write_picture(tmp_path / "x.webp", picture)
    read = read_picture(tmp_path / "x.webp")
    assert (read.durations, read.loop, len(read.frames)) == (picture.durations, 2, 3)
    np.testing.assert_array_equal(read.frames[1][..., 3], picture.frames[1][..., 3])


def test_a_gif_whose_frames_are_parts(tmp_path: Path) -> None:
    # Pillow stores only what changes, with transparent holes, and puts it together again.
    base = np.zeros((20, 30), np.uint8)
    frames = []
    for step in range(5):
        base = base.copy()
        base[4 + step : 9 + step, 5 * step : 5 * step + 4] = 40 * step + 50
        frames.append(base)
    images = [Image.fromarray(frame) for frame in frames]
    images[0].save(tmp_path / "x.gif", save_all=True, append_images=images[1:], duration=70, loop=0)
    read = read_picture(tmp_path / "x.gif")
    assert read.durations == (70.0,) * 5
    for back, frame in zip(read.frames, frames, strict=True):
        layers = back[..., 0] if back.ndim == 3 else back
        np.testing.assert_array_equal(layers, frame)


def test_gif_of_many_colours_and_of_gray(tmp_path: Path) -> None:
    ramp = np.dstack(
        [np.indices((64, 64))[0] * 4, np.indices((64, 64))[1] * 4, np.full((64, 64), 9)]
    )
    write_picture(tmp_path / "x.gif", Picture((ramp.astype(np.uint8),)))
    assert np.abs(only(tmp_path / "x.gif").astype(int) - ramp).max() < 40
    gray = np.arange(256, dtype=np.uint8).reshape(16, 16)
    write_picture(tmp_path / "x.gif", Picture((gray,)))
    back = only(tmp_path / "x.gif")
    np.testing.assert_array_equal(back if back.ndim == 2 else back[..., 0], gray)
    clear = np.dstack([gray, np.where(gray < 9, 0, 255).astype(np.uint8)])
    write_picture(tmp_path / "x.gif", Picture((clear,)))
    back = only(tmp_path / "x.gif")
    np.testing.assert_array_equal(back[..., 3], clear[..., 1])
    np.testing.assert_array_equal(back[gray >= 9][:, 0], gray[gray >= 9])


def test_all_of_a_gif_may_be_transparent(tmp_path: Path) -> None:
    write_picture(tmp_path / "x.gif", Picture((np.zeros((4, 4, 4), np.uint8),)))
    assert not only(tmp_path / "x.gif")[..., 3].any()


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_pages(tmp_path: Path, dtype: str) -> None:
    pages = (pixels((5, 6, 3), dtype), pixels((9, 4), dtype), pixels((5, 6, 4), dtype))
    write_picture(tmp_path / "x.tif", Picture(pages, icc=profile()))
    read = read_picture(tmp_path / "x.tif")
    assert read.durations == ()
    assert len(read.frames) == 3
    for back, page in zip(read.frames, pages, strict=True):
        np.testing.assert_array_equal(back, page)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_tiff_of_every_type_and_shape(channels: int, dtype: str) -> None:
    """Also what Pillow cannot read: real-valued colours, 16-bit gray with alpha."""
    tifffile = pytest.importorskip("tifffile")
    pages = [pixels((*size, channels), dtype) for size in ((1, 1), (700, 900), (5, 1), (1, 4))]
    icc = profile()
    buffer = io.BytesIO(tiff_file(pages, icc=icc, dpi=(300.0, 72.25)))
    with tifffile.TiffFile(buffer) as file:
        assert len(file.pages) == 4
        for page, wanted in zip(file.pages, pages, strict=True):
            got = page.asarray()
            assert got.dtype == wanted.dtype
            np.testing.assert_array_equal(got.reshape(wanted.shape), wanted)
            tags = {tag.name: tag.value for tag in page.tags}
            assert tags["Compression"] == 8
            assert tags.get("ExtraSamples", ()) == ((2,) if channels in (2, 4) else ())
            assert tags["PhotometricInterpretation"] == (2 if channels > 2 else 1)
            assert tags["InterColorProfile"] == icc
            across, down = tags["XResolution"], tags["YResolution"]
            assert (across[0] / across[1], down[0] / down[1]) == (300.0, 72.25)
            assert tags["ResolutionUnit"] == 2
            assert not {"Software", "ImageDescription", "DateTime"} & set(tags)


def test_tiff_without_a_resolution(tmp_path: Path) -> None:
    write_picture(tmp_path / "x.tif", Picture((pixels((4, 5)),)))
    read = read_picture(tmp_path / "x.tif")
    assert (read.dpi, read.icc) == (None, None)


class Far(io.FileIO):
    """A file in which all but the first bytes stand near the end of what TIFF can hold."""

    start = 0

    def __init__(self, path: Path) -> None:
        super().__init__(path, "w+b")

    def write(self, data: Any) -> int:
        count = super().write(data)
        at = self.tell()
        if at == 8 and self.seek(0, io.SEEK_END) == 8:
            at = self.truncate(self.start)
        self.seek(at)
        return count


@pytest.mark.skipif(sys.platform == "win32", reason="needs files with holes")
@pytest.mark.parametrize("start", [2**32 - 200, 2**32, 2**32 + 7])
def test_tiff_holds_at_most_4_gib(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: int
) -> None:
    with Far(tmp_path / "far") as file:
        file.start = start
        monkeypatch.setattr(tiff.io, "BytesIO", lambda: file)
        with pytest.raises(ValueError, match="a TIFF file holds at most 4 GiB; write PNG, or"):
            tiff_file([pixels((5, 6, 3)), pixels((70, 80, 3))])


def test_tiff_that_is_too_large_however_well_it_is_compressed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def write(*_: Any, **__: Any) -> None:
        raise struct.error("'I' format requires 0 <= number <= 4294967295")

    monkeypatch.setattr("tifffile.TiffWriter.write", write)
    with pytest.raises(ValueError, match="a TIFF file holds at most 4 GiB; write PNG, or"):
        tiff_file([pixels((5, 6, 3))])


def test_tiff_says_of_other_errors_what_they_are() -> None:
    with pytest.raises(ValueError, match="extrasamples") as caught:
        tiff_file([np.zeros((4, 5, 5), np.uint8)])
    assert "4 GiB" not in str(caught.value)


def test_frames_with_the_same_channels() -> None:
    gray, clear, colour = pixels((3, 4)), pixels((3, 4, 2)), pixels((3, 4, 3))
    first, second = alike([gray, clear])
    np.testing.assert_array_equal(first[..., 0], gray)
    assert (first[..., 1] == 255).all()
    assert second is clear or (second == clear).all()
    first, second, third = alike([gray, clear, colour])
    assert first.shape == second.shape == third.shape == (3, 4, 4)
    np.testing.assert_array_equal(first[..., 2], gray)
    np.testing.assert_array_equal(second[..., 3], clear[..., 1])
    np.testing.assert_array_equal(third[..., :3], colour)


# What a format cannot hold.


def test_16_bits_become_8(tmp_path: Path) -> None:
    image = np.array([[[0, 128, 129]], [[257, 65535, 65406]]], np.uint16)
    notes = write_picture(tmp_path / "x.bmp", Picture((image,)))
    assert notes == [f"{tmp_path / 'x.bmp'}: 16-bit values became 8-bit, as .bmp holds no more"]
    np.testing.assert_array_equal(only(tmp_path / "x.bmp"), [[[0, 0, 1]], [[1, 255, 254]]])


@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_is_laid_over_white(tmp_path: Path, channels: int) -> None:
    image = np.full((1, 3, channels), 100, np.uint8)
    image[0, :, -1] = 0, 51, 255
    notes = write_picture(tmp_path / "x.bmp", Picture((image,)))
    assert notes == [f"{tmp_path / 'x.bmp'}: alpha was laid over white, as .bmp has none"]
    got = only(tmp_path / "x.bmp")
    assert (got if channels == 2 else got[..., 0]).tolist() == [[255, 224, 100]]


@pytest.mark.parametrize(
    ("name", "picture", "match"),
    [
        ("x.png", Picture((pixels((4, 4), "float32"),)), ".png cannot hold real numbers; .* .tif"),
        ("x.jpg", Picture((pixels((4, 4)),) * 3), ".jpg holds one image, .* document of 3; .*.gif"),
        ("x.bmp", Picture((pixels((4, 4)),) * 3, (9.0,) * 3), "this is an animation of 3; write"),
        ("x.gif", Picture((pixels((4, 4)), pixels((4, 5)))), "pages of different sizes"),
        ("x.webp", Picture((np.zeros((1, 20000), np.uint8),)), "cannot be written|encod"),
    ],
)
def test_what_cannot_be_written(tmp_path: Path, name: str, picture: Picture, match: str) -> None:
    (tmp_path / name).write_bytes(b"old")
    with pytest.raises(DataError, match=f"{name}: .*({match})"):
        write_picture(tmp_path / name, picture)
    assert (tmp_path / name).read_bytes() == b"old"
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("x.pgn", "must name a kind of image, one of .png .jpg .*; did you mean .png"),
        ("x", "must name a kind of image"),
        ("none/x.png", "there is no folder .*none$"),
        ("folder.png", "is a folder"),
    ],
)
def test_places_that_cannot_be_written_to(tmp_path: Path, name: str, match: str) -> None:
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(DataError, match=match):
        check_output(tmp_path / name)
    with pytest.raises(DataError, match=match):
        write_picture(tmp_path / name, Picture((pixels((4, 4)),)))


@pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full and the like")
def test_a_folder_that_may_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match=r"x.png: cannot be written \(No space left on device\)"):
        write_picture(tmp_path / "x.png", Picture((pixels((4, 4)),)))
    assert os.listdir(tmp_path) == []


# What cannot be read.


def damaged(path: Path) -> None:
    buffer = io.BytesIO()
    Image.fromarray(pixels((64, 64, 3))).save(buffer, "PNG")
    path.write_bytes(buffer.getvalue()[:3000])


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda path: None, r"x.png: there is no such image"),
        (Path.mkdir, r"x.png: is a folder, not an image"),
        (lambda path: path.write_bytes(b""), "not an image of a known kind"),
        (lambda path: path.write_text("text"), r"not an image of a known kind \(PNG, JPEG"),
        (damaged, r"the image is truncated or damaged \("),
    ],
)
def test_files_that_cannot_be_read(
    tmp_path: Path, make: Callable[[Path], object], match: str
) -> None:
    make(tmp_path / "x.png")
    with pytest.raises(DataError, match=match) as caught:
        read_picture(tmp_path / "x.png")
    assert str(caught.value).startswith(str(tmp_path / "x.png"))


def test_giants_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    head = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + head
    data = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk
    data += struct.pack(">I", zlib.crc32(chunk)) + struct.pack(">I", 0) + b"IDAT"
    (tmp_path / "x.png").write_bytes(data + struct.pack(">I", zlib.crc32(b"IDAT")))
    with pytest.raises(
        DataError,
        match=r"x\.png: the image has 60,000 × 60,000 pixels, more than 100,000,000; make it",
    ):
        read_picture(tmp_path / "x.png")
    Image.new("L", (30, 20)).save(tmp_path / "y.png")
    with pytest.raises(DataError, match="the image has 20 × 30 pixels, more than 599; make it"):
        read_picture(tmp_path / "y.png", max_pixels=599)
    assert read_picture(tmp_path / "y.png", max_pixels=600).frames[0].shape == (20, 30)
    write_picture(tmp_path / "z.gif", Picture(animation(5, 3), (50.0,) * 5))
    with pytest.raises(DataError, match="5 frames of 11 × 14 pixels have more than 640 pixels to"):
        read_picture(tmp_path / "z.gif", max_pixels=160)
    assert Image.MAX_IMAGE_PIXELS is not None and Image.MAX_IMAGE_PIXELS < 100_000_000


def test_grace_hopper() -> None:
    picture = grace_hopper()
    assert picture.frames[0].shape == (600, 512, 3)


def test_animations_without_end_are_refused_before_they_are_read(tmp_path: Path) -> None:
    """Of GIF, whose frames nothing counts but going through them, and of TIFF."""
    import time

    from PIL import Image

    frames = [Image.fromarray(np.full((2, 2, 3), n, np.uint8)) for n in (0, 255)]
    frames[0].convert("P").save(
        tmp_path / "two.gif", save_all=True, append_images=[frames[1].convert("P")]
    )
    assert len(read_picture(tmp_path / "two.gif").frames) == 2
    whole = (tmp_path / "two.gif").read_bytes()
    last = whole[whole.rindex(b"\x21\xf9\x04") : -1]
    (tmp_path / "many.gif").write_bytes(whole[:-1] + last * 100_000 + b";")
    start = time.monotonic()
    with pytest.raises(DataError, match=r"many.gif: 10,001 frames are more than the 10,000"):
        read_picture(tmp_path / "many.gif")
    assert time.monotonic() - start < 3
    (tmp_path / "some.gif").write_bytes(whole[:-1] + last * 50 + b";")
    assert len(read_picture(tmp_path / "some.gif").frames) == 52
