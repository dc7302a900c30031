"""Ranks that load the same images share the work, and end with what one of them alone has."""

from __future__ import annotations

import shutil
import tarfile
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from striate import Network
from striate.common.digests import digest_of
from striate.common.rows_on_demand import on_demand
from striate.data import DataError, holding, load, survey_cache
from striate.data.dataset import Dataset
from striate.data.image_digests import digests, one_colour
from striate.data.image_rows import ImageReader
from striate.data.worker_pool import Crew
from striate.layers import Conv2D, Dense, Flatten, ReLU
from striate.ranks.agree import DisagreementError
from striate.ranks.alone import ALONE
from striate.ranks.exchange import Exchange, RankError
from tests.ranks.rank_threads import on_ranks, with_ranks

COUNT = 46


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two classes of noise of unequal sizes; the first images are gray, one has one colour."""
    rng = np.random.default_rng(3)
    for index in range(COUNT):
        height, width = 9 + index % 3, 11 + index % 2
        pixels = rng.integers(0, 256, (height, width, 3), np.uint8)
        if index < 30 and index % 2 == 0:
            pixels[...] = pixels[..., :1]
        if index == 7:
            pixels[...] = pixels[0, 0]
        folder = tmp_path / "photos" / "ab"[index % 2]
        folder.mkdir(parents=True, exist_ok=True)
        gray = bool((pixels == pixels[..., :1]).all())
        picture = Image.fromarray(pixels)
        (picture.convert("L") if gray else picture).save(folder / f"{index:03}.png")
    return tmp_path / "photos"


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Counter[tuple[str, str]]:
    """How often each rank has decoded each image."""
    real, found = Crew.decode, Counter[tuple[str, str]]()

    def watched(self: Crew, paths: Any, target: Any) -> Any:
        found.update((threading.current_thread().name, Path(str(path)).name) for path in paths)
        return real(self, paths, target)

    monkeypatch.setattr(Crew, "decode", watched)
    return found


def facts(dataset: Dataset) -> Any:
    """What there is of a data set, pixels included."""
    parts = [
        (digests(part.images), one_colour(part.images), part.labels, np.asarray(part.images))
        for part in dataset.parts.values()
    ]
    told = [note for note in dataset.notes if "cache" not in note]
    arrays = [array for part in parts for array in part]
    return digest_of(*arrays), told, dataset.resize, dataset.colour, dataset.bad_files


def loaded(source: Path, exchange: Exchange, **options: Any) -> Dataset:
    return load(source, memory=0, exchange=exchange, **options)


@pytest.mark.parametrize(
    ("options", "shards"),
    [({}, False), ({"size": (8, 9), "skip_bad": True}, False), ({"colour": "gray"}, True)],
)
def test_each_image_is_looked_at_by_one(
    photos: Path, own_cache: Path, decoded: Counter[tuple[str, str]], options: Any, shards: bool
) -> None:
    if "skip_bad" in options:
        (photos / "b" / "031.png").write_bytes((photos / "b" / "031.png").read_bytes()[:70])
    source = photos
    if shards:
        source = photos.with_suffix(".tar")
        with tarfile.open(source, "w") as tar:
            tar.add(photos, ".")
    expected = facts(loaded(source, ALONE, **options))
    shutil.rmtree(own_cache)
    alone = Counter(name for _, name in decoded.elements())
    decoded.clear()
    found = on_ranks(3, lambda exchange: loaded(source, exchange, **options))
    assert Counter(name for _, name in decoded.elements()) == alone
    assert len({rank for rank, _ in decoded}) == 3
    assert all(on_demand(one.train_images) for one in found)
    decoded.clear()
    # What one rank has decoded, the others find on disk.
    assert [facts(one) for one in found] == [expected] * 3
    again = on_ranks(2, lambda exchange: facts(loaded(source, exchange, **options)))
    assert again == [expected] * 2
    assert {name for _, name in decoded} <= {"031.png"}


def test_each_image_is_read_by_one_in_an_epoch(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same weights for any number of ranks; the statistics need each image once, too."""
    real, read = ImageReader.read, dict[int, Counter[int]]()

    def watched(self: ImageReader, numbers: Any) -> Any:
        read.setdefault(id(self), Counter()).update(numbers.tolist())
        return real(self, numbers)

    def trained(exchange: Exchange, epochs: int = 3) -> tuple[str, int]:
        images = loaded(photos, exchange, size=(7, 9), test_fraction=0.0)
        layers = [Conv2D(5, 3), ReLU(), Flatten(), Dense(2)]
        made = Network(layers, images.train_images.shape[1:], seed=2)
        made.fit(
            images.train_images, images.train_labels, exchange=exchange, epochs=epochs, groups=5,
            batch_size=12, threads=1, progress=False, engine="numpy",
            augment={"shift": 1, "mixup": 0.2},
        )  # fmt: skip
        standard = made.preprocessing
        return digest_of(made.flat, list(standard.mean), list(standard.std)), id(images)

    monkeypatch.setattr("striate.training.statistics.CHUNK", 4)
    expected = trained(ALONE)[0]
    monkeypatch.setattr(ImageReader, "read", watched)
    for size in (2, 3):
        read.clear()
        assert {digest for digest, _ in on_ranks(size, trained)} == {expected}
        assert len(read) == size
        times = sum(read.values(), Counter[int]())
        # 3 epochs and the statistics; the first chunk's mean is taken before, by one rank.
        assert sorted(times.values()) == [4] * (COUNT - 4) + [5] * 4


def test_one_machine_knows_the_images_and_another_does_not(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Machines have caches of their own: those that know them look again, with the others."""
    expected = facts(loaded(photos, ALONE))
    real = survey_cache.read

    def read(key: str, count: int) -> Any:
        return None if threading.current_thread().name == "rank 1" else real(key, count)

    monkeypatch.setattr(survey_cache, "read", read)
    assert on_ranks(3, lambda exchange: facts(loaded(photos, exchange))) == [expected] * 3


def test_what_one_rank_cannot_read_ends_all(photos: Path) -> None:
    (photos / "b" / "031.png").write_bytes(b"no image")
    errors = with_ranks(3, lambda exchange: loaded(photos, exchange))
    told = [error for error in errors if isinstance(error, RankError)]
    assert len(told) == 2 and "031.png: not an image" in str(told[0])
    assert sum(isinstance(error, DataError) for error in errors) == 1


def test_other_files_and_options_are_named(photos: Path) -> None:
    other = shutil.copytree(photos, photos.with_name("other"))
    Image.new("L", (9, 9), 7).save(other / "a" / "000.png")
    for folder, options, said in (
        (other, {}, "rank 1 has other image files than the others"),
        (photos, {"size": 8}, "rank 1 has size 8×8, the others none"),
        (photos, {"skip_bad": True}, "rank 1 has bad images skipped True, the others False"),
    ):
        errors = with_ranks(
            3,
            lambda exchange, folder=folder, options=options: loaded(
                *((folder if exchange.rank == 1 else photos), exchange),
                **(options if exchange.rank == 1 else {}),
            ),
        )
        for error in errors:
            assert type(error) is DisagreementError, error
            assert str(error).startswith("the ranks cannot load images together: ")
            assert said in str(error)


def test_ranks_share_the_memory_of_their_machine(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one process would hold, two on one machine do not; and all do the same."""
    monkeypatch.setattr(holding, "available_memory", lambda: 3 * COUNT * 8 * 8 * 3)

    def held(exchange: Exchange, neighbours: int, memory: int | None = None) -> bool:
        exchange.neighbours = neighbours
        dataset = load(photos, size=8, colour="rgb", memory=memory, exchange=exchange)
        return not on_demand(dataset.train_images)

    assert on_ranks(2, lambda exchange: held(exchange, 1)) == [True] * 2
    assert on_ranks(2, lambda exchange: held(exchange, 2)) == [False] * 2
    assert on_ranks(2, lambda exchange: held(exchange, 1, 10**6 * exchange.rank)) == [False] * 2
