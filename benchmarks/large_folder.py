"""A folder of images larger than memory: made, trained on for an epoch, and watched.

    python benchmarks/large_folder.py FOLDER [--gigabytes 20] [--side 224] [--memory 1.5]

The images are photographs of SOURCE (a folder with a folder of images per class), each many times,
moved by some pixels and with noise of its own, so that no two are alike. FOLDER is made, or used
again if it is there. Told are the peak of resident memory of the training process and its children,
how busy the processors are, and how many bytes are read from the disk.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

TEST = 500
"""Images in the test part."""


def sources(folder: Path, side: int) -> list[tuple[str, np.ndarray]]:
    """Photographs with their classes, a little larger than they will be."""
    found = []
    for path in sorted(folder.iterdir()):
        for file in sorted(path.iterdir())[:100]:
            with Image.open(file) as image:
                fitted = ImageOps.fit(image.convert("RGB"), (side + 16, side + 16))
            found.append((path.name, np.asarray(fitted)))
    # Mixed, so that any run of them has all classes.
    return [found[i] for i in np.random.default_rng(0).permutation(len(found))]


def make(folder: Path, source: Path, count: int, side: int) -> None:
    """Write so many images, as JPEG files."""
    photographs = sources(source, side)
    for name in {name for name, _ in photographs}:
        for part in ("train", "test"):
            (folder / part / name).mkdir(parents=True, exist_ok=True)

    def write(number: int) -> None:
        rng = np.random.default_rng(number)
        name, pixels = photographs[number % len(photographs)]
        top, left = rng.integers(0, 17, 2)
        part = pixels[top : top + side, left : left + side].astype(np.int16)
        noise = rng.integers(-12, 13, (side // 4, side // 4, 3)).repeat(4, 0).repeat(4, 1)
        made = Image.fromarray(np.clip(part + noise, 0, 255).astype(np.uint8))
        kind = "test" if number < TEST else "train"
        buffer = io.BytesIO()
        made.save(buffer, "JPEG", quality=85)
        (folder / kind / name / f"{number:07}.jpg").write_bytes(buffer.getvalue())

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for done, _ in enumerate(threads.map(write, range(count), chunksize=256)):
            if done % 20_000 == 0:
                print(f"{done:,} of {count:,} images made", flush=True)


def tree(root: int) -> list[int]:
    """A process and its children, and theirs."""
    found, waiting = [], [root]
    while waiting:
        process = waiting.pop()
        found.append(process)
        try:
            children = Path(f"/proc/{process}/task/{process}/children").read_text()
            waiting += map(int, children.split())
        except OSError:
            continue
    return found


def usage(processes: list[int]) -> tuple[float, float, float]:
    """Of some processes: resident megabytes, seconds of the processors, megabytes read."""
    resident = seconds = read = 0.0
    for process in processes:
        try:
            status = Path(f"/proc/{process}/status").read_text()
            times = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
            counts = Path(f"/proc/{process}/io").read_text()
        except OSError:
            continue
        lines = dict(line.split(":", 1) for line in status.splitlines())
        resident += int(lines.get("VmRSS", "0 kB").split()[0]) / 1024
        seconds += (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")
        bytes_read = dict(line.split(": ") for line in counts.splitlines())["read_bytes"]
        read += int(bytes_read) / 2**20
    return resident, seconds, read


def watched(command: list[str]) -> dict[str, Any]:
    """Run a command; return what it said and used."""
    begin, peak, seconds, read = time.perf_counter(), 0.0, 0.0, 0.0
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    while process.poll() is None:
        resident, busy, loaded = usage(tree(process.pid))
        peak, seconds, read = max(peak, resident), max(seconds, busy), max(read, loaded)
        time.sleep(0.1)
    wall = time.perf_counter() - begin
    assert process.stdout is not None
    if process.returncode:
        raise SystemExit(f"striate train ended with {process.returncode}")
    said = json.loads(process.stdout.read().splitlines()[-1])
    return {
        "wall": wall,
        "peak MB": peak,
        "processors busy": seconds / wall / len(os.sched_getaffinity(0)),
        "read MB/s": read / wall,
        **{name: said[name] for name in ("train_images", "images_per_second", "test_accuracy")},
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--gigabytes", type=float, default=20.0, help="of decoded pixels")
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--memory", default="1.5GB")
    parser.add_argument("options", nargs="*", help="further ones of striate train, after --")
    given = parser.parse_args()
    count = round(given.gigabytes * 1e9 / (3 * given.side**2))
    if not (given.folder / "train").exists():
        make(given.folder, given.source, count, given.side)
    command = [sys.executable, "-m", "striate", "train", str(given.folder), "--epochs", "1"]
    command += ["--size", f"{given.side}x{given.side}", "--memory", given.memory, "--json"]
    command += ["--out", str(given.folder.with_suffix(".safetensors")), *given.options]
    for name, value in watched(command).items():
        print(f"{name:18} {value:,.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
