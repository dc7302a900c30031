"""What several processes cost: the exchange of gradients, and steps beside PyTorch's DDP.

    python benchmarks/ranks.py exchange [--gbit 1] [--numbers 11173962]
    python benchmarks/ranks.py steps [--batch 256] [--rounds 15]

`exchange` takes two network namespaces for two machines, joined by a line of so many Gbit/s (Linux,
as root), and times the sum over two ranks of as many numbers as ResNet-18 for CIFAR-10 has weights,
in turn with MPI_Allreduce of the same numbers, and beside the time that their bytes take on that
line. `steps` times training steps of two processes with a thread each on one machine, with
striate.ranks and with PyTorch's DistributedDataParallel on gloo: the same networks and batch, the
better of PyTorch's two layouts; the medians of three starts of each, in turn.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import networks
import numpy as np
from rank_machines import mpiexec, two_machines

NETWORKS: dict[str, Callable[[], networks.Network]] = {
    "LeNet-5": networks.lenet5,
    "Keras' MNIST convnet": networks.keras_convnet,
    "ResNet-20": networks.resnet20,
}
RATE = 1e-6


def medians(runs: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Seconds of each, all in turn, the first time left out."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds + 1):
        for name, run in runs.items():
            begin = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - begin)
    return {name: statistics.median(kept[1:]) for name, kept in times.items()}


# --- what ranks do ------------------------------------------------------------------------------


def exchange_rank(options: argparse.Namespace) -> None:
    """One of the two ranks of `exchange`."""
    from mpi4py import MPI

    from striate.ranks import mpi
    from striate.ranks.shared_sum import SharedSum

    exchange, world = mpi(), MPI.COMM_WORLD
    own = np.random.default_rng(exchange.rank).random(options.numbers, np.float32)
    total, shared = np.empty_like(own), SharedSum(exchange, options.numbers)

    def striate_sum() -> Any:
        shared.add(exchange.rank, own)
        exchange.meet()
        return shared.total(exchange.size)

    def allreduce() -> None:
        world.Barrier()
        world.Allreduce(own, total)

    allreduce()
    assert np.array_equal(striate_sum(), total), "two summands have one sum"
    found = medians({"striate": striate_sum, "allreduce": allreduce}, options.rounds)
    if exchange.is_first:
        print(json.dumps(found))


def striate_rank(options: argparse.Namespace) -> None:
    """One of striate's two ranks of `steps`."""
    from striate.engines.llvm import CompiledEngine
    from striate.optim.losses import SoftmaxCrossEntropy
    from striate.optim.optimizers import AdamW
    from striate.ranks import mpi
    from striate.training.grouped_step import GroupedStep
    from striate.training.prepare import prepare

    exchange, network = mpi(), NETWORKS[options.network]()
    images, labels = _noise(network, options.batch)
    data = prepare(
        network, images, labels, loss=None, class_weight=None, sample_weight=None,
        validation_data=None, validation_fraction=0.0, seed=0,
    )  # fmt: skip
    engine = CompiledEngine(
        network, batch_size=options.batch // 2, loss=SoftmaxCrossEntropy(), threads=1
    )
    step, optimizer = GroupedStep(engine, network, exchange), AdamW()
    given = {"epochs": 1, "batch_size": options.batch, "seed": 0, "groups": 2}
    with data.training.batches(**given, reads_in_place=True, exchange=exchange) as source:
        (whole,) = source

    def run() -> None:
        step(whole)
        engine.update(optimizer, RATE)

    run()
    found = medians({"striate": run}, options.rounds)
    if exchange.is_first:
        print(json.dumps(found))


def torch_rank(options: argparse.Namespace) -> None:
    """One of PyTorch's two ranks of `steps`."""
    import torch
    from torch import distributed, nn

    torch.set_num_threads(1)
    distributed.init_process_group("gloo")
    network = NETWORKS[options.network]()
    images, labels = _noise(network, options.batch)
    own = slice(distributed.get_rank() * options.batch // 2, None)
    x = torch.from_numpy(images[own][: options.batch // 2].transpose(0, 3, 1, 2).copy())
    y = torch.from_numpy(labels[own][: options.batch // 2])

    def step(layout: torch.memory_format) -> Callable[[], None]:
        module = network.to_torch().train().to(memory_format=layout)
        model = nn.parallel.DistributedDataParallel(module)
        optimizer = torch.optim.AdamW(model.parameters(), RATE)
        given, loss = x.contiguous(memory_format=layout), nn.CrossEntropyLoss()

        def run() -> None:
            optimizer.zero_grad()
            loss(model(given), y).backward()
            optimizer.step()

        return run

    kinds = {"default": torch.contiguous_format, "channels_last": torch.channels_last}
    found = medians({name: step(kind) for name, kind in kinds.items()}, options.rounds)
    if distributed.get_rank() == 0:
        print(json.dumps({"PyTorch": min(found.values())}))
    distributed.destroy_process_group()


def _noise(network: networks.Network, batch: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    images = random.normal(size=(batch, *network.input_shape)).astype(np.float32)
    return images, random.integers(0, network.output_shape[0], batch)


# --- how they are started ------------------------------------------------------------------------


def told(command: list[str], **options: Any) -> dict[str, float]:
    """What the first rank of a command prints."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, **options)
    return json.loads(done.stdout.strip().splitlines()[-1])


def exchange(options: argparse.Namespace) -> int:
    own = [sys.executable, __file__, "exchange", "--rank", "--numbers", str(options.numbers),
           "--rounds", str(options.rounds)]  # fmt: skip
    with two_machines(options.gbit) as (start, more):
        found = told([*start, "-n", "2", *own], env={**os.environ, **more})
    # Each rank sends half of its numbers, and half of the sum.
    line = 4 * options.numbers * 8 / (options.gbit * 1e9)
    print(
        f"{4e-6 * options.numbers:.1f} MB over {options.gbit:g} Gbit/s, two ranks: line "
        f"{1e3 * line:.0f} ms; "
        + "; ".join(f"{name} {1e3 * s:.0f} ms ({s / line:.2f})" for name, s in found.items())
    )
    slow = found["striate"] > 1.3 * line or found["striate"] > 1.02 * found["allreduce"]
    return int(slow)


def steps(options: argparse.Namespace) -> int:
    missed = 0
    for name in NETWORKS:
        own = [__file__, "steps", "--network", name, "--batch", str(options.batch),
               "--rounds", str(options.rounds), "--rank"]  # fmt: skip
        starts = {
            "striate": [mpiexec(), "-n", "2", sys.executable, *own],
            "PyTorch": [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2",
                        "--master-port", str(_free_port()), *own, "--torch"],
        }  # fmt: skip
        kept: dict[str, list[float]] = {"striate": [], "PyTorch": []}
        for _ in range(3):
            for peer, command in starts.items():
                kept[peer].append(told(command, stderr=subprocess.DEVNULL)[peer])
        own_time, theirs = (statistics.median(kept[peer]) for peer in ("striate", "PyTorch"))
        missed += theirs < 1.5 * own_time
        print(
            f"{name:22} batch {options.batch}, 2 processes: striate {1e3 * own_time:.2f} ms, "
            f"PyTorch's DDP {1e3 * theirs:.2f} ms: {theirs / own_time:.2f} times",
            flush=True,
        )
    return int(missed > 0)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=["exchange", "steps"])
    parser.add_argument("--gbit", type=float, default=1.0)
    parser.add_argument("--numbers", type=int, default=11_173_962)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=15)
    for name in ("--rank", "--torch"):
        parser.add_argument(name, action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--network", default="LeNet-5", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.rank:
        return exchange(options) if options.part == "exchange" else steps(options)
    if options.part == "exchange":
        exchange_rank(options)
    elif options.torch:
        torch_rank(options)
    else:
        striate_rank(options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
