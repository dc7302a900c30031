"""Copies of images are found, whatever was done to them; images that are merely alike are not."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.cbook import get_sample_data
from PIL import Image, ImageOps

from striate import data
from striate.checking import near_duplicates
from striate.checking.checked_images import CheckedImages
from striate.checking.duplicates import check_duplicates, identical_groups, joined
from striate.checking.fine_comparison import FineComparison
from striate.checking.flat_images import flat_rows
from striate.checking.image_hashes import image_hashes, mirrored
from striate.checking.near_duplicates import near_pairs, nearest_by_chance
from striate.data.dataset import Dataset
from tests.checking.made_sets import as_dataset, images_and_labels

SIDE = 32
Change = Callable[[Image.Image], Image.Image]


def encoded(picture: Image.Image, **how: int) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "jpeg", **how)
    return Image.open(io.BytesIO(file.getvalue())).convert(picture.mode)


CHANGES: dict[str, Change] = {
    "identical": lambda picture: picture,
    "compressed": lambda picture: encoded(picture, quality=40),
    "smaller": lambda picture: picture.resize((20, 20), Image.Resampling.BILINEAR),
    "larger": lambda picture: picture.resize((50, 50), Image.Resampling.BICUBIC),
    "mirrored": ImageOps.mirror,
    "mirrored and compressed": lambda picture: encoded(ImageOps.mirror(picture), quality=60),
}


@pytest.fixture(scope="module")
def photos() -> np.ndarray:
    """Pieces of photographs, (n, SIDE, SIDE, 3), that have nothing in common."""
    with get_sample_data("grace_hopper.jpg") as file:
        photo = Image.open(file).convert("RGB")
    rng = np.random.default_rng(0)
    pieces = []
    for y in range(0, photo.height - 64, 64):
        for x in range(0, photo.width - 64, 64):
            side = int(rng.integers(40, 64))
            piece = photo.crop((x, y, x + side, y + side))
            pixels = np.asarray(piece.resize((SIDE, SIDE), Image.Resampling.BOX))
            if pixels.mean(axis=2).std() > 12:  # not of the wall alone
                pieces.append(pixels)
    return np.stack(pieces)


def two_parts(train: np.ndarray, test: np.ndarray) -> Dataset:
    labels = np.zeros(len(train) + len(test), np.int64)
    labels[::2] = 1
    return as_dataset(np.concatenate([train, test]), labels, len(test))


def changed(image: np.ndarray, change: Change) -> np.ndarray:
    picture = change(Image.fromarray(image)).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return np.asarray(picture)


def found_groups(dataset: Dataset) -> list[list[int]]:
    checked = CheckedImages.of(dataset)
    outcome, groups = check_duplicates(checked, image_hashes(checked), flat_rows(checked))
    assert sorted(sorted(finding.images) for finding in outcome.findings) == groups
    return groups


def test_photographs_have_no_duplicates(photos: np.ndarray) -> None:
    assert found_groups(two_parts(photos[::2], photos[1::2])) == []


@pytest.mark.parametrize("name", CHANGES)
def test_copies_of_photographs(photos: np.ndarray, name: str) -> None:
    copies = np.stack([changed(image, CHANGES[name]) for image in photos[:12]])
    count = len(photos)
    dataset = two_parts(photos, copies)
    checked = CheckedImages.of(dataset)
    outcome, groups = check_duplicates(checked, image_hashes(checked), flat_rows(checked))
    assert groups == [[row, count + row] for row in range(12)]
    assert {finding.kind for finding in outcome.findings} == {"leak"}
    relation = {"identical": "identical"}.get(name, "mirrored" if "mirrored" in name else "near")
    assert {finding.relation for finding in outcome.findings} == {(relation,)}


@pytest.mark.parametrize("colour", [False, True])
def test_drawn_clothes_have_no_duplicates(colour: bool) -> None:
    images, labels = images_and_labels(160, seed=3, colour=colour)
    assert found_groups(as_dataset(images, labels, 200)) == []


@pytest.mark.parametrize("noise", [8, 40])
def test_one_picture_with_noise_is_no_duplicate_of_itself(noise: int) -> None:
    """Sets whose images differ by noise alone: all are as near to each other as any two."""
    rng = np.random.default_rng(0)
    template = images_and_labels(1)[0].astype(float)
    images = np.repeat(template, 60, axis=0) + rng.normal(0, noise, (300, 28, 28, 1))
    labels = np.repeat(np.arange(5), 60)
    assert found_groups(as_dataset(images.clip(0, 255).astype(np.uint8), labels)) == []


def test_handwriting_has_near_neighbours_by_chance(
    photos: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Digits are nearer to each other than photographs, and more so the more there are."""
    checked = CheckedImages.of(data.load("digits"))
    hashes, rows = image_hashes(checked), np.arange(len(checked))
    assert len(near_pairs(hashes, rows).first) == 0
    finer = FineComparison(hashes)
    few, many = (nearest_by_chance(finer, rows, count) for count in (60, 1797))
    assert near_duplicates.NEARER[0] == many < few < near_duplicates.NEARER[1]
    monkeypatch.setattr(near_duplicates, "NEARER", (0.5, 0.5))
    assert len(near_pairs(hashes, rows).first) == 1
    of_photos = FineComparison(image_hashes(CheckedImages.of(two_parts(photos, photos[:2]))))
    monkeypatch.undo()
    assert nearest_by_chance(of_photos, np.arange(len(photos)), len(photos)) == 0.5


def test_images_of_one_colour_are_no_duplicates(photos: np.ndarray) -> None:
    flat = np.full((6, SIDE, SIDE, 3), 200, np.uint8)
    flat[3:] = 90
    assert found_groups(two_parts(np.concatenate([photos, flat]), flat)) == []


def test_more_than_two_and_several_classes(photos: np.ndarray) -> None:
    copies = np.stack(
        [photos[4], changed(photos[4], CHANGES["compressed"]), photos[9, :, ::-1], photos[9]]
    )
    dataset = two_parts(photos, copies)
    checked = CheckedImages.of(dataset)
    outcome, groups = check_duplicates(checked, image_hashes(checked), flat_rows(checked))
    count = len(photos)
    assert groups == [[4, count, count + 1], [9, count + 2, count + 3]]
    relations = {finding.images: finding.relation for finding in outcome.findings}
    assert relations[tuple(groups[0])] == ("identical", "near")
    assert relations[tuple(groups[1])] == ("mirrored", "identical")
    assert "2 pictures are in several parts" in outcome.sentence
    assert "in the classes" in outcome.findings[0].sentence


def test_equal_digests_are_not_equal_images(
    photos: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "striate.checking.duplicates.digests", lambda images: np.zeros(len(images), np.uint32)
    )
    checked = CheckedImages.of(two_parts(photos[:5], photos[[2, 3, 2]]))
    assert identical_groups(checked, np.empty(0, np.intp)) == [[2, 5, 7], [3, 6]]


def test_groups_are_joined() -> None:
    assert joined([[5, 2], [9, 8], [2, 1], [7, 5, 3], [8, 9]]) == [[1, 2, 3, 5, 7], [8, 9]]
    assert joined([]) == []


def test_hashes_are_cosine_transforms(photos: np.ndarray) -> None:
    """Against SciPy's, whose orthonormal numbers are larger by the root of the pixels."""
    from scipy.fft import dctn

    checked = CheckedImages.of(two_parts(photos[:3], photos[3:5]))
    hashes = image_hashes(checked)
    gray = photos[:5] @ np.array([0.299, 0.587, 0.114])
    oracle = dctn(gray, axes=(1, 2), norm="ortho")[:, :16, :16] / SIDE
    np.testing.assert_allclose(hashes.gray, oracle, atol=1e-3)
    red = dctn(photos[:5, ..., 0].astype(float), axes=(1, 2), norm="ortho")[:, :4, :4] / SIDE
    np.testing.assert_allclose(hashes.colour[:, 0], red - oracle[:, :4, :4], atol=1e-3)
    turned = CheckedImages.of(two_parts(photos[:3, :, ::-1], photos[3:5, :, ::-1]))
    np.testing.assert_allclose(image_hashes(turned).gray, mirrored(hashes.gray), atol=1e-3)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (2, 3), (8, 8)])
def test_small_images(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (40, *shape, 1), dtype=np.uint8)
    checked = CheckedImages.of(two_parts(images[:30], images[30:]))
    pairs = near_pairs(image_hashes(checked), np.arange(40))
    assert pairs.complete and len(pairs.first) == len(pairs.second) < 200
