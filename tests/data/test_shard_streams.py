"""Streams of shards: each image once, shards from beginning to end, the same for all ranks."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from striate import Network, load_data
from striate.common.digests import digest_of
from striate.common.errors import StriateValueError
from striate.data import DataError
from striate.data.shard_streams import ShardStreams
from striate.layers import Conv2D, Dense, Flatten, ReLU
from striate.ranks.alone import ALONE
from striate.ranks.exchange import Exchange
from striate.training.checkpoint import Checkpoint
from tests.ranks.rank_threads import on_ranks

SIZES = [[3, 2, 2]] * 9 + [[3, 2]]
COUNTS = [11, 9, 14, 7, 12, 15]  # of images in shards, 68 = 9 · 7 + 5


def streams(window: int, seed: int = 0) -> tuple[ShardStreams, np.ndarray]:
    """Shards whose images are numbered at random; some images are not trained on."""
    rng = np.random.default_rng(seed)
    shards = np.repeat(np.arange(6), COUNTS)
    offsets = np.concatenate([np.arange(count) * 512 for count in COUNTS])
    order = rng.permutation(80)
    more = np.zeros(12, np.int64)
    made = ShardStreams(
        np.concatenate([shards, more])[order], np.concatenate([offsets, more])[order], window
    )
    return made, np.flatnonzero(order < 68)


def of_group(order: np.ndarray, group: int) -> list[int]:
    """What a group takes in all batches of an epoch."""
    found, start = [], 0
    for batch in SIZES:
        for place, size in enumerate(batch):
            found += order[start : start + size].tolist() if place == group else []
            start += size
    return found


def test_without_mixing_shards_are_read_as_they_lie() -> None:
    made, rows = streams(0)
    order = made.order(rows, SIZES, np.random.default_rng(1))
    assert sorted(order) == rows.tolist()
    read = [row for group in range(3) for row in of_group(order, group)]
    places = [(int(made.shards[row]), int(made.offsets[row])) for row in read]
    runs = [place[0] for place in places]
    turns = [runs[0]] + [b for a, b in pairwise(runs) if a != b]
    assert sorted(turns) == list(range(6))  # each shard at once, in whichever order
    assert turns != list(range(6))
    for shard in range(6):
        assert [o for s, o in places if s == shard] == [512 * n for n in range(COUNTS[shard])]


@pytest.mark.parametrize("window", [1, 4, 1000])
def test_an_image_comes_no_later_than_the_window(window: int) -> None:
    still, rows = streams(0)
    mixed = ShardStreams(still.shards, still.offsets, window)
    for seed in range(5):
        order = still.order(rows, SIZES, np.random.default_rng(seed))
        found = mixed.order(rows, SIZES, np.random.default_rng(seed))
        assert sorted(found) == rows.tolist()
        for group in range(3):
            before, after = of_group(order, group), of_group(found, group)
            assert sorted(before) == sorted(after)
            moved = [after.index(row) - place for place, row in enumerate(before)]
            assert max(map(abs, moved)) <= window
        assert not np.array_equal(found, order)
    other = mixed.order(rows, SIZES, np.random.default_rng(9))
    assert not np.array_equal(found, other)


def test_what_does_not_fit_is_said() -> None:
    made, rows = streams(3)
    made.check(80, rows, 6)
    with pytest.raises(StriateValueError, match=r"^6 shards are too few for 8 streams.*groups=6"):
        made.check(80, rows, 8)
    with pytest.raises(StriateValueError, match="there are 81 images, but streams of 80"):
        made.check(81, rows, 2)


def write_shards(write: Callable[[str, bytes], Any], count: int = 5, each: int = 8) -> None:
    """Tar shards as WebDataset writes them."""
    rng = np.random.default_rng(7)
    for shard in range(count):
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w") as tar:
            for number in range(each):
                picture = io.BytesIO()
                pixels = rng.integers(0, 256, (7, 9, 3), np.uint8)
                Image.fromarray(pixels).save(picture, "PNG")
                for ending, data in (("png", picture.getvalue()), ("cls", b"%d" % (number % 2))):
                    member = tarfile.TarInfo(f"{shard:02}{number:03}.{ending}")
                    member.size = len(data)
                    tar.addfile(member, io.BytesIO(data))
        write(f"train-{shard:03}.tar", file.getvalue())


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a store in memory, which has shards."""
    fsspec = pytest.importorskip("fsspec")
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))
    store = fsspec.filesystem("memory")
    write_shards(lambda name, content: store.pipe_file(f"/bucket/{name}", content))
    return "memory://bucket"


def trained(exchange: Exchange, source: str, **options: Any) -> tuple[str, set[int]]:
    """A digest of the weights, and the shards of which this rank has trained on images."""
    data = load_data(source, memory=0, exchange=exchange, test_fraction=0.0)
    seen: set[int] = set()
    given = data.shard_streams(window=3)
    by_digest = dict(zip(map(digest_of, data.train_images), given.shards.tolist(), strict=True))

    def watch(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        seen.update(by_digest[digest_of(image)] for image in images)
        return images

    made = Network([Conv2D(4, 3), ReLU(), Flatten(), Dense(2)], (7, 9, 3), seed=1)
    settings = {
        "epochs": 1, "groups": 4, "batch_size": 12, "augment": watch, "streams": given,
        "progress": False, "engine": "numpy", "threads": 1, "exchange": exchange,
    }  # fmt: skip
    made.fit(data.train_images, data.train_labels, **(settings | options))
    return digest_of(made.flat), seen


def test_any_number_of_ranks_divides_the_streams(source: str, tmp_path: Path) -> None:
    expected, _ = trained(ALONE, source, epochs=2)
    assert expected != trained(ALONE, source, epochs=2, streams=None)[0]
    for size in (2, 3):
        found = on_ranks(size, lambda exchange: trained(exchange, source, epochs=2))
        assert {digest for digest, _ in found} == {expected}
    # 4 streams of 10 images: each of 4 ranks has parts of two or three shards of 5.
    once = on_ranks(4, lambda exchange: trained(exchange, source))
    assert all(2 <= len(shards) <= 3 for _, shards in once)

    kept = Checkpoint(tmp_path / "kept", steps=1, keep=True)
    done: list[Any] = []

    def stop(progress: Any) -> None:
        done.append(progress)
        if len(done) == 6:  # of four in an epoch
            raise InterruptedError

    with pytest.raises(InterruptedError):
        trained(ALONE, source, epochs=2, checkpoint=kept, progress=stop)
    more = {"epochs": 2, "checkpoint": kept, "resume": True}
    resumed = on_ranks(2, lambda exchange: trained(exchange, source, **more))
    assert {digest for digest, _ in resumed} == {expected}
    with pytest.raises(StriateValueError, match="window of the streams"):
        trained(ALONE, source, **(more | {"streams": None}))
    with pytest.raises(StriateValueError, match="5 shards are too few for 6 streams"):
        trained(ALONE, source, groups=6)


def test_images_that_are_not_in_shards(source: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="digits: its images do not lie in tar shards"):
        load_data("digits").shard_streams()
    with pytest.raises(DataError, match="window must be a number of images, 0 or more, not -1"):
        load_data(source).shard_streams(-1)
