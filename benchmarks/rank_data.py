"""Ranks that share a folder of images larger than memory: who reads what, and how much each holds.

    python benchmarks/rank_data.py FOLDER [--gigabytes 20] [--ranks 4] [--machines 1] [--tar] [-- …]

FOLDER is made, or used again if it is there: synthetic JPEG files of unequal sizes, of which so
many gigabytes are left when they are decoded to SIDE × SIDE. `striate train` then trains a small
network on them by so many ranks, which count what they read and decode, to the image. Told are, of
each rank, the peak of its memory (its private pages and its part of those that it shares, PSS, and
for comparison all resident pages), what it has looked at before training, and what it reads in each
epoch; then how many images are read twice in an epoch, or by nobody; and the same training once
more, which finds on disk what the first one has decoded. What follows -- are further options of
`striate train`.

With several machines, which are this one under several names, each has a cache of its own.
The last exit code is 1 if a rank holds 1 GB, or an image is not read just once in each epoch.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import threading
import time
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from large_folder import tree

from striate.ranks.mpiexec import program

MOST = 1e9
"""Bytes of memory that a rank may have."""
KINDS = 400
"""Textures; all other images are these, decoded a little darker or brighter in some frequency."""
MEMBERS = 200  # of a shard
NETWORK = """
[[layers]]
layer = "Conv2D"
filters = 8
size = 8
stride = 8
bias = false
[[layers]]
layer = "BatchNorm"
[[layers]]
layer = "ReLU"
[[layers]]
layer = "GlobalAvgPool2D"
[[layers]]
layer = "Dense"
units = "classes"
"""


# --- the images ---------------------------------------------------------------------------------


def make(folder: Path, count: int, side: int, *, tar: bool) -> None:
    """Write so many images in four classes, as files or in shards."""
    kinds = [_jpeg(number, side) for number in range(min(KINDS, count))]
    made = (
        (f"{number % 4}/{number:06}.jpg", _variant(kinds[number % KINDS], number // KINDS))
        for number in range(count)
    )
    beside = folder.with_suffix(".part")
    if tar:
        beside.mkdir(parents=True)
        for first in range(0, count, MEMBERS):
            with tarfile.open(beside / f"train-{first // MEMBERS:04}.tar", "w") as shard:
                for name, content in islice(made, MEMBERS):
                    member = tarfile.TarInfo(name)
                    member.size = len(content)
                    shard.addfile(member, io.BytesIO(content))
    else:
        for name in "0123":
            (beside / name).mkdir(parents=True)
        for name, content in made:
            (beside / name).write_bytes(content)
    beside.rename(folder)


def _variant(jpeg: bytes, number: int) -> bytes:
    """The same JPEG file with another table of quantisation, so that no pixels are the same."""
    start = jpeg.index(b"\xff\xdb") + 5  # behind the marker, two bytes of length and the table's
    place, more = start + 1 + number % 20, number // 20
    return jpeg[:place] + bytes([jpeg[place] + more + (number > 0)]) + jpeg[place + 1 :]


def _jpeg(number: int, side: int) -> bytes:
    """A soft texture, a little larger than it will be, as a JPEG file."""
    from PIL import Image

    rng = np.random.default_rng(number)
    height, width = (side + int(more) for more in rng.integers(0, side // 4, 2))
    coarse = rng.integers(0, 200, (12, 16, 3), np.uint8)
    coarse[:, :, number % 3] += 50
    image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    fine = rng.integers(-8, 9, (height, width, 1))
    noisy = np.clip(np.asarray(image) + fine, 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noisy).save(buffer, "JPEG", quality=75)
    return buffer.getvalue()


# --- what a rank counts ---------------------------------------------------------------------------


class Counts:
    """What this process reads and decodes, by image.

    Attributes:
        looked_at: images decoded by their names, before training.
        decoded: those decoded because a batch needed them.
        read: of each epoch, and of what is no epoch (-1), the numbers of the images.
    """

    def __init__(self) -> None:
        self.looked_at: Counter[str] = Counter()
        self.decoded: Counter[str] = Counter()
        self.read: dict[int, Counter[int]] = {}
        self._now = threading.local()
        self._lock = threading.Lock()

    def watch(self) -> None:
        """Count from now on."""
        from striate.data.image_rows import ImageReader
        from striate.data.worker_pool import Crew
        from striate.training.loading import Loader

        load, read, decode = Loader.__call__, ImageReader.read, Crew.decode
        now, lock = self._now, self._lock

        def watched_load(loader: Any, epoch: int, *rest: Any) -> Any:
            now.epoch = epoch
            try:
                return load(loader, epoch, *rest)
            finally:
                now.epoch = -1

        def watched_read(reader: Any, numbers: Any) -> Any:
            now.reads = True
            with lock:
                self.read.setdefault(getattr(now, "epoch", -1), Counter()).update(numbers.tolist())
            try:
                return read(reader, numbers)
            finally:
                now.reads = False

        def watched_decode(crew: Any, paths: Any, target: Any) -> Any:
            kept = self.decoded if getattr(now, "reads", False) else self.looked_at
            with lock:
                kept.update(map(str, paths))
            return decode(crew, paths, target)

        Loader.__call__, ImageReader.read = watched_load, watched_read  # type: ignore[method-assign]
        Crew.decode = watched_decode  # type: ignore[method-assign]

    def write(self, path: Path) -> None:
        read = {str(epoch): list(counts.elements()) for epoch, counts in self.read.items()}
        own = {"looked_at": list(self.looked_at.elements()), "read": read,
               "decoded": list(self.decoded.elements())}  # fmt: skip
        path.write_text(json.dumps(own))


def one_rank(log: Path, machines: int, arguments: list[str]) -> int:
    """`striate train` as one of the ranks."""
    rank, size = (int(os.environ[name]) for name in ("PMI_RANK", "PMI_SIZE"))
    (log / f"{rank}.process").write_text(str(os.getpid()))
    if machines > 1:
        from striate.ranks import rank_places

        machine, own = rank * machines // size, rank_places.own_place()
        os.environ["STRIATE_CACHE"] += f"-{machine}"
        rank_places.own_place = lambda: own._replace(machine=str(machine))
    counts = Counts()
    counts.watch()
    from striate.cli.app import run

    code = run(arguments)
    counts.write(log / f"{rank}.json")
    return code


# --- what is watched from outside -----------------------------------------------------------------


def memory_of(root: int) -> tuple[float, float]:
    """Bytes of a process and its children: PSS, and all that is resident."""
    total = [0.0, 0.0]
    for process in tree(root):
        try:
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            for place, name in enumerate(("Pss:", "Rss:")):
                if line.startswith(name):
                    total[place] += 1024 * int(line.split()[1])
    return total[0], total[1]


def trained(given: argparse.Namespace, folder: Path, beside: Path) -> bool:
    """Train once, and tell of it; whether it is as it must be."""
    log = beside / "log"
    shutil.rmtree(log, ignore_errors=True)
    log.mkdir(parents=True)
    network = beside / "network.toml"
    network.write_text(NETWORK)
    # fmt: off
    command = [
        program("mpiexec", "this study"), "-n", str(given.ranks),
        sys.executable, __file__, str(folder),
        "--log", str(log), "--machines", str(given.machines), "--",
        "train", str(folder), "--network", str(network), "--size", f"{given.side}x{given.side}",
        "--epochs", str(given.epochs), "--groups", str(given.groups),
        "--batch-size", str(given.batch), "--no-check", "--calibrate", "0", "--json",
        "--image-cache", str(round(1.5e9 * given.gigabytes)), "--checkpoint-every", "0",
        "--memory", given.memory,
        "--out", str(beside / "model.safetensors"), *given.options,
    ]
    # fmt: on
    own = {**os.environ, "STRIATE_CACHE": str(beside / "cache")}
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=own)
    peaks = np.zeros((given.ranks, 2))
    while process.poll() is None:
        for rank in range(given.ranks):
            file = log / f"{rank}.process"
            if file.exists() and (text := file.read_text()):
                peaks[rank] = np.maximum(peaks[rank], memory_of(int(text)))
        time.sleep(0.1)
    assert process.stdout is not None
    printed = process.stdout.read()
    if process.returncode:
        raise SystemExit(f"striate train ended with {process.returncode}")
    said = json.loads(printed.splitlines()[-1])
    counts = [json.loads((log / f"{rank}.json").read_text()) for rank in range(given.ranks)]
    wall = time.perf_counter() - begin
    print(
        f"\n{said['train_images']:,} training images, {said['images_per_second']:,.0f} images/s in "
        f"training, {wall:,.0f} s in all; model {_hash(beside / 'model.safetensors')}"
    )
    return told(counts, peaks, given.epochs, said["train_images"])


def told(counts: list[Any], peaks: np.ndarray, epochs: int, images: int) -> bool:
    print(f"{'rank':>4} {'peak MB':>8} {'resident':>9} {'looked at':>10} {'decoded':>8}", end="")
    print("".join(f"{f'epoch {epoch + 1}':>10}" for epoch in range(epochs)), f"{'else':>8}")
    for rank, (own, peak) in enumerate(zip(counts, peaks / 1e6, strict=True)):
        read = [len(own["read"].get(str(epoch), [])) for epoch in (*range(epochs), -1)]
        print(f"{rank:4} {peak[0]:8,.0f} {peak[1]:9,.0f} {len(own['looked_at']):10,}", end=" ")
        print(f"{len(own['decoded']):8,}", "".join(f"{one:10,}" for one in read[:-1]), end="")
        print(f"{read[-1]:9,}")
    good = bool((peaks[:, 0] < MOST).all())
    for epoch in range(epochs):
        times = Counter(row for own in counts for row in own["read"].get(str(epoch), []))
        twice = sum(count > 1 for count in times.values())
        print(f"epoch {epoch + 1}: {twice:,} images read twice, {images - len(times):,} by nobody")
        good = good and not twice and len(times) == images
    for what, name in (("looked_at", "before training"), ("decoded", "when they were needed")):
        times = Counter(path for own in counts for path in own[what])
        twice = sum(count > 1 for count in times.values())
        print(f"decoded {name}: {times.total():,} images, {twice:,} of them more than once")
    return good


def _hash(path: Path) -> str:
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--gigabytes", type=float, default=20.0, help="of decoded pixels")
    parser.add_argument("--side", type=int, default=448)
    parser.add_argument("--ranks", type=int, default=4)
    parser.add_argument("--machines", type=int, default=1)
    parser.add_argument("--groups", type=int, default=8)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--times", type=int, default=2, help="so often is it trained")
    parser.add_argument("--memory", default="256MB", help="of images, of each rank")
    parser.add_argument("--tar", action="store_true", help="shards instead of files")
    parser.add_argument("--log", type=Path, help=argparse.SUPPRESS)
    end = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    given = parser.parse_args(sys.argv[1:end])
    given.options = sys.argv[end + 1 :]
    if given.log is not None:
        return one_rank(given.log, given.machines, given.options)
    folder = given.folder / ("shards" if given.tar else "files")
    if not folder.exists():
        count = round(given.gigabytes * 1e9 / (3 * given.side**2))
        make(folder, count, given.side, tar=given.tar)
    passed = [trained(given, folder, given.folder) for _ in range(given.times)]
    return int(not all(passed))


if __name__ == "__main__":
    sys.exit(main())
