"""Few photographs: `striate train --from` against scikit-learn on the same features, PyTorch's
fine-tuning of the same network, and training from scratch.

    python benchmarks/transfer.py FOLDER … [--counts 10,20,50,all] [--seeds 5] [--ways …]
                                  [--out results.jsonl] [--table]

Each FOLDER has a folder of images per class. For each seed a fifth of every class is held out for
the test; of the rest so many images a class are trained on ("all": all of them, 80 % of the
folder). All ways get the same files:

    striate        striate train --from efficientnet-lite0, as it is
    PyTorch        all layers of that network trained on, for as many epochs: AdamW at 3e-4 (better
                   than 1e-3 and 1e-4), cosine, mirror images, label smoothing, batch normalisation
                   on its averages; channels last, in one process
    scikit-learn   LogisticRegressionCV on the network's features, as they are and standardised
    scratch        striate train, as it is

Times are those of fresh processes, from their start to the saved model; striate finds its machine
code on disk, as it is after the first start, and no features. A line of JSON for every run is added
to the file of results, so that a stopped measurement goes on; runs that are there are not repeated.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

BACKBONE = "efficientnet-lite0"
WAYS = ("striate", "scikit-learn", "PyTorch", "scratch")
HELD_OUT = 0.2
EPOCHS = 10
"""Of PyTorch; those of striate's fine-tuning are as many."""
THREADS = 2

Split = dict[str, dict[str, list[Path]]]  # part, class, files


def split(folder: Path, count: str, seed: int) -> Split:
    """Draw the test images, and those to train on."""
    rng = np.random.default_rng(seed)
    found: Split = {"train": {}, "test": {}}
    for path in sorted(p for p in folder.iterdir() if p.is_dir()):
        files = sorted(p for p in path.iterdir() if p.is_file())
        order = [files[i] for i in rng.permutation(len(files))]
        held = round(HELD_OUT * len(files))
        found["test"][path.name] = order[:held]
        found["train"][path.name] = order[held:] if count == "all" else order[held:][: int(count)]
    return found


def make_folder(parts: Split, where: Path) -> None:
    """Lay the files out as a folder with train/ and test/."""
    for part, classes in parts.items():
        for name, files in classes.items():
            (where / part / name).mkdir(parents=True)
            for file in files:
                os.symlink(file.resolve(), where / part / name / file.name)


def timed(command: list[str], saved: Path, **environment: str) -> tuple[dict[str, Any], float]:
    """Run a process; return the JSON of its last line, and the seconds until the model is there."""
    begin, seconds = time.perf_counter(), None
    counts = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(THREADS))
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command, stdout=output, stderr=errors, env={**os.environ, **counts, **environment}
        )
        while process.poll() is None:
            if seconds is None and saved.exists():
                seconds = time.perf_counter() - begin
            time.sleep(0.01)
        seconds = time.perf_counter() - begin if seconds is None else seconds
        output.seek(0), errors.seek(0)
        if process.returncode:
            raise RuntimeError(f"{command}: {errors.read().decode()[-2000:]}")
        found: dict[str, Any] = json.loads(output.read().decode().splitlines()[-1])
    return found, seconds


def by_striate(data: Path, cache: Path, seed: int, *options: str) -> dict[str, Any]:
    """`striate train`, with the machine code of an earlier run and without its features."""
    shutil.rmtree(cache / "features", ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.safetensors"
        command = [sys.executable, "-m", "striate", "train", str(data), "--out", str(model)]
        command += ["--seed", str(seed), "--threads", str(THREADS), "--json", *options]
        found, seconds = timed(command, model, STRIATE_CACHE=str(cache))
    return {
        "accuracy": found["test_accuracy"],
        "seconds": seconds,
        "tuned": found.get("tuned"),
        "epochs": found["epochs"],
    }


def by_pytorch(data: Path, cache: Path, seed: int, rate: float) -> dict[str, Any]:
    """Fine-tuning of all layers, in a process that knows nothing of striate."""
    import torch

    from striate.transfer.backbone import find_backbone

    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder) / "before.pt", Path(folder) / "after.pt"
        classes = len(os.listdir(data / "train"))
        network = find_backbone(BACKBONE).with_head(classes)
        given = network.preprocessing
        torch.save(
            {
                "module": network.to_torch(preprocessing=False),
                "mean": list(given.mean),
                "std": list(given.std),
                "size": network.input_shape[:2],
                "cut_from": given.resize["cut_from"],
            },
            before,
        )
        command = [sys.executable, str(Path(__file__).with_name("transfer_in_pytorch.py"))]
        command += [str(data), str(before), str(after)]
        command += [str(EPOCHS), str(rate), str(seed), str(THREADS)]
        found, seconds = timed(command, after)
    return {"accuracy": found["accuracy"], "seconds": seconds, "rate": rate, "epochs": EPOCHS}


def by_scikit_learn(data: Path, cache: Path, seed: int) -> dict[str, Any]:
    """Logistic regression whose penalty is chosen by cross-validation."""
    import warnings

    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    import striate
    from striate.transfer.backbone import find_backbone
    from striate.transfer.kept_features import FeatureExtractor

    backbone = find_backbone(BACKBONE)
    size = backbone.network.input_shape[:2]
    dataset = striate.load_data(data, size=size, colour="rgb")
    extractor = FeatureExtractor(backbone, threads=THREADS)
    train, test = extractor(dataset.train_images), extractor(dataset.test_images)
    found: dict[str, Any] = {}
    for name, first in (("as they are", ()), ("standardised", (StandardScaler(),))):
        begin = time.perf_counter()
        model = make_pipeline(
            *first, LogisticRegressionCV(cv=5, max_iter=300, use_legacy_attributes=False)
        )
        with warnings.catch_warnings(), threadpool_limits(1, "blas"):
            warnings.simplefilter("ignore")  # that more iterations were wanted
            model.fit(train, dataset.train_labels)
        found[name] = float(model.score(test, dataset.test_labels))
        found[f"seconds, {name}"] = time.perf_counter() - begin
    return {"accuracy": max(found["as they are"], found["standardised"]), **found}


Way = Callable[[Path, Path, int], dict[str, Any]]


def ways(rate: float) -> dict[str, Way]:
    """How each way is measured."""
    return {
        "striate": lambda data, cache, seed: by_striate(data, cache, seed, "--from", BACKBONE),
        "scikit-learn": by_scikit_learn,
        "PyTorch": partial(by_pytorch, rate=rate),
        "scratch": by_striate,
    }


def measured(
    folder: Path,
    count: str,
    seed: int,
    chosen: list[str],
    cache: Path,
    rate: float,
    known: set[Any],
) -> Iterator[dict[str, Any]]:
    """What each way makes of one draw of the images."""
    missing = [way for way in chosen if (folder.name, count, seed, way) not in known]
    if not missing:
        return
    with tempfile.TemporaryDirectory() as where:
        data = Path(where) / folder.name
        make_folder(split(folder, count, seed), data)
        for way in missing:
            found = ways(rate)[way](data, cache, seed)
            yield {"data": folder.name, "count": count, "seed": seed, "way": way, **found}


def table(rows: list[dict[str, Any]]) -> str:
    """Mean and standard deviation of the accuracy, and the median of the seconds, by way."""
    groups: dict[tuple[str, str], dict[str, list[dict[str, Any]]]] = {}
    for row in rows:
        group = groups.setdefault((row["data"], row["count"]), {})
        group.setdefault(row["way"], []).append(row)
    lines = ["| photographs | images a class | " + " | ".join(WAYS) + " |"]
    lines.append("|---" * (2 + len(WAYS)) + "|")
    for (data, count), group in groups.items():
        cells = []
        for way in WAYS:
            runs = group.get(way, [])
            if not runs:
                cells.append("")
                continue
            right = [100 * run["accuracy"] for run in runs]
            spread = f" ± {statistics.stdev(right):.1f}" if len(right) > 1 else ""
            seconds = [run["seconds"] for run in runs if "seconds" in run]
            took = f", {statistics.median(seconds):.0f} s" if seconds else ""
            cells.append(f"{statistics.mean(right):.1f}{spread} %{took}")
        lines.append(f"| {data} | {count} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--counts", default="10,20,50,all")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--rate", type=float, default=3e-4, help="the highest one of PyTorch")
    parser.add_argument("--out", type=Path, default=Path("transfer.jsonl"))
    parser.add_argument("--cache", type=Path, help="where striate keeps machine code between calls")
    parser.add_argument("--table", action="store_true", help="only print what is known")
    options = parser.parse_args()
    known = []
    if options.out.exists():
        known = [json.loads(line) for line in options.out.read_text().splitlines()]
    if not options.table:
        seen = {(row["data"], row["count"], row["seed"], row["way"]) for row in known}
        with tempfile.TemporaryDirectory() as fresh, open(options.out, "a") as file:
            for count in options.counts.split(","):
                for seed in range(options.seeds):
                    for folder in options.folders:
                        for row in measured(
                            folder,
                            count,
                            seed,
                            options.ways.split(","),
                            options.cache or Path(fresh),
                            options.rate,
                            seen,
                        ):
                            print(row, flush=True)
                            file.write(json.dumps(row) + "\n")
                            file.flush()
                            known.append(row)
    print(table(known))
    return 0


if __name__ == "__main__":
    sys.exit(main())
