"""What `striate check` finds of faults that are planted: wrong labels, and copies between parts.

    python benchmarks/check.py [mnist] [cifar] [photos] [--data FOLDER] [--seeds 3] [--montage FILE]

mnist: a twentieth of the training labels become another class, drawn at random; how many are found,
and how many of those that are told are such (precision).
photos: the same for TrashNet and the sign-language digits, without and with a network that knows
photographs.
cifar: copies of training images are put among the test images: identical, compressed as JPEG
(quality 60 to 90), resized by 0.75 to 1.3 and back or left so, mirrored, and mixtures of these. How
many are found, and how many pairs are told that were not planted. Of those CIFAR-10 has real ones:
`cifar10_pairs.txt` has those that a person has looked at and found to show the same, and what is
not in it is false. --montage draws these, so that they can be looked at.

Each is one `striate check` from the command to the page; the time is that of the whole command.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageOps

SHARE = 0.05
COPIES = 1300
KNOWN = Path(__file__).with_name("cifar10_pairs.txt")
Labels = npt.NDArray[np.int64]


def check(source: Path, *options: str) -> tuple[dict[str, Any], float, float]:
    """What the command finds, and the wall-clock and processor seconds that it takes."""
    begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.run(
            [sys.executable, "-m", "striate", "check", str(source), *options, "--json", "--quiet",
             "-o", str(Path(folder) / "page.html")],
            capture_output=True, text=True, env={**os.environ},
        )  # fmt: skip
    if process.returncode:
        raise RuntimeError(process.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = json.loads(process.stdout.splitlines()[-1])
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return found, time.perf_counter() - begun, used


def flipped(labels: Labels, classes: int, seed: int) -> tuple[Labels, set[int]]:
    """Labels of which some are those of another class, and the rows of these."""
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(labels))[: round(SHARE * len(labels))]
    wrong = labels.copy()
    wrong[rows] = (wrong[rows] + rng.integers(1, classes, len(rows))) % classes
    return wrong, set(rows.tolist())


def judged(found: set[Any], planted: set[Any], seconds: float, used: float) -> dict[str, float]:
    """The figures of one run."""
    hits = len(found & planted)
    return {
        "found %": 100 * hits / len(planted),
        "precision %": 100 * hits / max(len(found), 1),
        "told": len(found),
        "seconds": seconds,
        "processor seconds": used,
    }


def report(name: str, runs: list[dict[str, float]]) -> None:
    """Print the mean of several runs, and their deviation."""
    print(name)
    for figure in runs[0]:
        values = [run[figure] for run in runs]
        spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
        print(f"  {figure:18} {statistics.mean(values):8.1f}{spread}")
    sys.stdout.flush()


def mnist(data: Path, folder: Path, seeds: int) -> None:
    """Wrong labels of MNIST."""
    from striate.data import load

    dataset = load(str(data / "mnist"))
    runs = []
    for seed in range(seeds):
        labels, planted = flipped(dataset.train_labels, 10, seed)
        source = folder / "mnist.npz"
        np.savez(source, X=dataset.train_images, y=labels)
        found, *times = check(source, "--only", "label")
        told = {finding["images"][0]["row"] for finding in found["findings"]}
        runs.append(judged(told, planted, *times))
    report(f"MNIST, {len(planted):,} of {len(labels):,} labels wrong, {seeds} seeds", runs)


def photos(data: Path, folder: Path, seeds: int) -> None:
    """Wrong labels of photographs."""
    for name in ("trashnet-256", "sign-digits"):
        with tarfile.open(data / f"{name}.tar") as archive:
            archive.extractall(folder / "photos", filter="data")
        original = folder / "photos" / name
        files = sorted(path for path in original.rglob("*") if path.is_file())
        kinds = sorted({path.parent.name for path in files})
        labels = np.array([kinds.index(path.parent.name) for path in files], np.int64)
        for backbone in ("none", "efficientnet-lite0"):
            runs = []
            for seed in range(seeds):
                wrong, rows = flipped(labels, len(kinds), seed)
                source = folder / "wrong"
                for number, path in enumerate(files):
                    target = source / kinds[wrong[number]] / f"{number}{path.suffix}"
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(path, target)
                found, *times = check(source, "--only", "label", "--from", backbone)
                told = {int(Path(f["images"][0]["path"]).stem) for f in found["findings"]}
                runs.append(judged(told, rows, *times))
                shutil.rmtree(source)
            report(f"{name}, {len(rows)} of {len(labels):,} labels wrong, --from {backbone}", runs)


def changed(file: Path, target: Path, kind: int, rng: np.random.Generator) -> Path:
    """Write a copy of an image file, and return its name."""
    if kind == 0:
        return Path(shutil.copyfile(file, target.with_suffix(file.suffix)))
    picture = Image.open(file).convert("RGB")
    side = picture.size
    if kind in (4, 5):
        picture = ImageOps.mirror(picture)
    if kind in (2, 3):
        other = tuple(max(8, round(length * rng.uniform(0.75, 1.3))) for length in side)
        picture = picture.resize(other, Image.Resampling.BICUBIC)
    if kind == 2:
        picture = picture.resize(side, Image.Resampling.BICUBIC)
    if kind in (1, 5):
        picture.save(target.with_suffix(".jpg"), quality=int(rng.integers(60, 91)))
        return target.with_suffix(".jpg")
    picture.save(target.with_suffix(".png"))
    return target.with_suffix(".png")


KINDS = ("identical", "compressed", "resized and back", "resized", "mirrored",
         "mirrored and compressed")  # fmt: skip


def cifar(data: Path, folder: Path, seeds: int, montage: Path | None) -> None:
    """Copies among the images of CIFAR-10."""
    for seed in range(seeds):
        source = folder / "cifar10"
        with tarfile.open(data / "cifar10-jpeg.tar.gz") as archive:
            archive.extractall(source, filter="data")
        rng = np.random.default_rng(seed)
        files = sorted((source / "train").rglob("*.jpg"))
        planted: dict[str, tuple[str, int]] = {}
        for number, place in enumerate(rng.permutation(len(files))[:COPIES].tolist()):
            file = files[place]
            target = source / "test" / file.parent.name / f"copy{number}"
            copy = changed(file, target, number % len(KINDS), rng)
            planted[below(copy, source)] = below(file, source), number % len(KINDS)
        found, seconds, used = check(source, "--only", "leak", "--only", "duplicate")
        groups = [[image["path"] for image in f["images"]] for f in found["findings"]]
        of = {path: number for number, group in enumerate(groups) for path in group}
        hits = [copy for copy, (file, _) in planted.items() if of.get(copy, -1) == of.get(file, -2)]
        others = list(not_planted(groups, set(planted)))
        same, painted = known_groups()
        false = [pair for pair in others if not shown_in(pair, [*same, *painted])]
        repainted = [pair for pair in others if shown_in(pair, painted)]
        print(
            f"CIFAR-10, seed {seed}: {len(hits):,} of {len(planted):,} copies found; of "
            f"{len(others):,} other pairs {len(others) - len(false) - len(repainted):,} show the "
            f"same picture, {len(repainted)} the same in other colours, {len(false)} are false; "
            f"{seconds:.1f} s, {used:.1f} s of processor time"
        )
        for kind, name in enumerate(KINDS):
            copies = [copy for copy, (_, which) in planted.items() if which == kind]
            print(f"  {name:24} {len(set(hits) & set(copies))} of {len(copies)}")
        if montage is not None:
            draw([tuple(source / name for name in pair) for pair in false], montage)
            montage.with_suffix(".txt").write_text("".join(f"{a} {b}\n" for a, b in false))
        sys.stdout.flush()
        shutil.rmtree(source)


def known_groups() -> tuple[list[set[str]], list[set[str]]]:
    """What CIFAR-10 has several times: images that show the same, and the same painted anew."""
    lines = [line.split() for line in KNOWN.read_text().splitlines() if line[:1] != "#"]
    same = [set(line) for line in lines if line[0] != "painted"]
    return same, [set(line[1:]) for line in lines if line[0] == "painted"]


def shown_in(pair: tuple[str, str], groups: list[set[str]]) -> bool:
    """Whether both images of a pair are in one of the groups."""
    return any(set(pair) <= group for group in groups)


def below(path: Path, folder: Path) -> str:
    """The name of a file below a folder."""
    return path.relative_to(folder).as_posix()


def not_planted(groups: list[list[str]], planted: set[str]) -> Iterator[tuple[str, str]]:
    """The pairs of groups without the copies: each image with the first."""
    for group in groups:
        first, *rest = [name for name in group if name not in planted] or [""]
        for other in rest:
            yield first, other


def draw(pairs: list[tuple[Path, ...]], file: Path, columns: int = 10, side: int = 80) -> None:
    """Draw pairs of images side by side, with their numbers."""
    wide, high = 2 * side + 12, side + 14
    rows = max(1, -(-len(pairs) // columns))
    sheet = Image.new("RGB", (columns * wide, rows * high), "white")
    pen = ImageDraw.Draw(sheet)
    for number, pair in enumerate(pairs):
        x, y = number % columns * wide, number // columns * high
        for place, name in enumerate(pair):
            picture = Image.open(name).convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
            sheet.paste(picture, (x + place * (side + 2), y))
        pen.text((x, y + side), str(number), fill="black")
    sheet.save(file)


def main() -> int:
    """Plant, check and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    tasks = ["mnist", "cifar"]
    parser.add_argument("tasks", nargs="*", choices=["both", *tasks, "photos"], default="both")
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--montage", type=Path, help="a file .png for the pairs that are not known")
    given = parser.parse_args()
    if "both" in given.tasks:
        given.tasks = tasks
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        if "mnist" in given.tasks:
            mnist(given.data, folder, given.seeds)
        if "cifar" in given.tasks:
            cifar(given.data, folder, given.seeds, given.montage)
        if "photos" in given.tasks:
            photos(given.data, folder, given.seeds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
