"""`striate launch` on hosts, Dask and Ray, with workers killed; and searches over their workers.

    python benchmarks/rank_launchers.py [hosts|dask|ray|search-dask|search-ray]… [--rounds 3]

The first three train a small network, once by a single process, once by two ranks on workers of
this machine, and then so often with a rank and with a worker killed at a random moment: each model
must have the bytes of the first one. `search-…` compares the scores of a grid search of
ConvNetClassifier over joblib's backend with those of one alone, and counts the threads that its
workers compute with. Linux; Dask and Ray where they are installed (pip install 'striate[dask]
striate[ray]').
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

NETWORK = """
[[layers]]
layer = "Conv2D"
filters = 8
size = 3

[[layers]]
layer = "BatchNorm"

[[layers]]
layer = "ReLU"

[[layers]]
layer = "Flatten"

[[layers]]
layer = "Dense"
units = "classes"
"""
OPTIONS = (
    "train digits --no-check --seed 3 --network network.toml --groups 5 --batch-size 70 "
    "--validation 0.1 --shift 1 --checkpoint-steps 5"
)
TRAIN = OPTIONS.split()
MARK = "STRIATE_STUDY_OF_LAUNCHERS"
PATIENCE = 300.0


class Workers:
    """Two workers: how `striate launch` reaches them, and how one is killed."""

    def __init__(self, options: list[str], kill: Callable[[], None]) -> None:
        self.options, self.kill = options, kill


@contextmanager
def hosts(folder: Path) -> Iterator[Workers]:
    """Two names of this machine; what stands for a worker is its proxy of mpiexec."""
    file = folder / "hosts"
    file.write_text("localhost\n127.0.0.1\n")

    def kill() -> None:
        os.kill(random.choice(found(folder, "hydra_pmi_proxy")), signal.SIGKILL)

    yield Workers(["--hosts", str(file)], kill)


@contextmanager
def dask(folder: Path) -> Iterator[Workers]:
    """Two processes of a local cluster, each of which comes back when it is killed."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            dashboard_address=None,
            local_directory=str(folder / "dask"),
        ) as cluster,
        Client(cluster) as client,
    ):  # fmt: skip

        def kill() -> None:
            os.kill(random.choice(list(client.run(os.getpid).values())), signal.SIGKILL)

        yield Workers(["--dask", cluster.scheduler_address], kill)


@contextmanager
def ray(folder: Path) -> Iterator[Workers]:
    """A head without processors and two nodes, of which one is removed and another one added."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]

    def kill() -> None:
        cluster.remove_node(nodes.pop(random.randrange(2)), allow_graceful=False)
        nodes.append(cluster.add_node(num_cpus=1))

    try:
        yield Workers(["--ray", cluster.address], kill)
    finally:
        cluster.shutdown()


def found(folder: Path, program: str) -> list[int]:
    """The processes of a program that were started, directly or not, by a training in a folder."""
    numbers = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            marked = f"{MARK}={folder}".encode() in (entry / "environ").read_bytes().split(b"\0")
            if marked and program.encode() in (entry / "cmdline").read_bytes():
                numbers.append(int(entry.name))
        except OSError:
            continue
    return numbers


def kill_rank(folder: Path) -> None:
    ranks = []
    for number in found(folder, "striate"):
        with suppress(OSError):
            environment = Path(f"/proc/{number}/environ").read_bytes().split(b"\0")
            if any(one.startswith(b"PMI_RANK=") for one in environment):
                ranks.append(number)
    os.kill(random.choice(ranks), signal.SIGKILL)


def launched(
    folder: Path, name: str, options: list[str], epochs: int, kill: Callable[[], None] | None
) -> str:
    """Train, with something killed on the way; return the digest of the model and what was told."""
    out = folder / f"{name}.safetensors"
    checkpoint = Path(f"{out}.checkpoint")
    command = [sys.executable, "-m", "striate", *options, *TRAIN, "--epochs", str(epochs)]
    begin = time.monotonic()
    process = subprocess.Popen(
        [*command, "--out", str(out)],
        cwd=folder, env={**os.environ, MARK: str(folder)}, text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        if kill is not None:
            while not checkpoint.exists() and process.poll() is None:
                time.sleep(0.01)
            time.sleep(random.random())
            if process.poll() is None:
                kill()
        _, err = process.communicate(timeout=PATIENCE)
    except BaseException:
        process.terminate()
        process.wait()
        raise
    if process.returncode != 0:
        raise SystemExit(f"{name}: exit code {process.returncode}: {err}")
    left = found(folder, "striate") + found(folder, "hydra")
    print(
        f"{name}: {time.monotonic() - begin:.1f} s; restarts: {err.count('Ranks were lost')}"
        f"{f'; still there: {left}' if left else ''}",
        flush=True,
    )
    return hashlib.sha256(out.read_bytes()).hexdigest()


def launcher(make: Any, rounds: int, epochs: int) -> int:
    """How many models are not that of a single process."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "network.toml").write_text(NETWORK)
        whole = launched(folder, "one-process", [], epochs, None)
        wrong = 0
        with make(folder) as workers:
            options = ["launch", *workers.options, "--"]
            kinds: list[tuple[str, Callable[[], None] | None]] = [("undisturbed", None)]
            for number in range(rounds):
                kinds.append((f"rank-killed-{number}", lambda: kill_rank(folder)))
                kinds.append((f"worker-killed-{number}", workers.kill))
            for kind, kill in kinds:
                wrong += launched(folder, f"{make.__name__}-{kind}", options, epochs, kill) != whole
    print(f"{make.__name__}: {len(kinds) - wrong} of {len(kinds)} models have the same bytes")
    return wrong


# --- searches ------------------------------------------------------------------------------------


def threads_of(model: Any, images: Any, labels: Any) -> float:
    """A "score": how many threads a model computes with, where it is scored."""
    from striate.common.threads import default_threads

    return float(default_threads())


@contextmanager
def dask_backend() -> Iterator[None]:
    import joblib
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster),
        joblib.parallel_config("dask"),
    ):
        yield


@contextmanager
def ray_backend() -> Iterator[None]:
    import joblib
    import ray as library
    from ray.util.joblib import register_ray

    library.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    register_ray()
    try:
        with joblib.parallel_config("ray", n_jobs=2):
            yield
    finally:
        library.shutdown()


def search(backend: Any) -> int:
    """Whether a grid search over a backend finds something else than one alone."""
    import numpy as np
    from sklearn.model_selection import GridSearchCV

    import striate

    data = striate.load_data("digits")
    images, labels = data.train_images[:600], data.train_labels[:600]

    def fitted(jobs: int | None) -> Any:
        layers = [striate.Conv2D(8, 3), striate.BatchNorm(), striate.ReLU(), striate.Flatten()]
        model = striate.ConvNetClassifier(layers, epochs=4, random_state=0)
        scoring = {"accuracy": "accuracy", "threads": threads_of}
        grid = {"learning_rate": [0.001, 0.01], "batch_size": [32, 64]}
        begin = time.monotonic()
        found = GridSearchCV(model, grid, scoring=scoring, refit="accuracy", cv=3, n_jobs=jobs)
        found.fit(images, labels)
        print(f"  {time.monotonic() - begin:.1f} s", found.cv_results_["mean_test_threads"])
        return found

    alone = fitted(None)
    with backend():
        spread = fitted(2)
    scores = [one.cv_results_["mean_test_accuracy"] for one in (alone, spread)]
    weights = [one.best_estimator_.network_.flat for one in (alone, spread)]
    threads = spread.cv_results_["mean_test_threads"].max()
    same = np.array_equal(*scores) and np.array_equal(*weights)
    allowed = max(1, (os.cpu_count() or 1) // 2)
    print(
        f"{backend.__name__}: {'the same' if same else 'OTHER'} scores and weights as alone; "
        f"{threads:.0f} threads in each of 2 workers, of {os.cpu_count()} processors"
    )
    return int(not same or threads > allowed)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    studies = {
        "hosts": hosts, "dask": dask, "ray": ray,
        "search-dask": dask_backend, "search-ray": ray_backend,
    }  # fmt: skip
    parser.add_argument("study", nargs="*", choices=["all", *studies], default="all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=40)
    options = parser.parse_args()
    wrong = 0
    for name in studies if "all" in options.study else options.study:
        if name.startswith("search"):
            wrong += search(studies[name])
        else:
            wrong += launcher(studies[name], options.rounds, options.epochs)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
