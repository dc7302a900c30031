"""What several processes cost: the exchange of gradients, and steps beside PyTorch's DDP.

    python benchmarks/ranks.py exchange [--gbit 1] [--numbers 11173962]
    python benchmarks/ranks.py steps [--batch 256] [--rounds 15]
    python benchmarks/ranks.py overlap [--gbit 1] [--batch 256] [--rounds 15]
    python benchmarks/ranks.py table [--gbit 1]

`exchange` takes two network namespaces for two machines, joined by a line of so many Gbit/s (Linux,
as root), and times the sum over two ranks of as many numbers as ResNet-18 for CIFAR-10 has weights,
in float32 and bfloat16, in turn with MPI_Allreduce of the same numbers and with a plain TCP stream
of their bytes, and beside the time that these take on the line. `steps` times training steps of two
processes with a thread each on one machine, with striate.ranks and with PyTorch's
DistributedDataParallel on gloo: the same networks and batch, the better of PyTorch's two layouts;
the medians of three starts of each, in turn; before, it compares losses and gradients. `overlap`
times steps of ResNet-18 on the two machines, with an exchange after the backward pass, meanwhile,
and none, in turn, and tells which way training chose by itself; the results have the same bits.
`table` prints what an exchange takes and what is left of the speed of N machines, by formula, and
what two machines were measured to take.
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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import networks
import numpy as np
from rank_machines import ADDRESSES, WHO, two_machines

from striate.ranks.mpiexec import program

if TYPE_CHECKING:
    from striate.engines.llvm import CompiledEngine
    from striate.ranks import Exchange
    from striate.training.grouped_step import GroupedStep

NETWORKS: dict[str, Callable[[], networks.Network]] = {
    "LeNet-5": networks.lenet5,
    "Keras' MNIST convnet": networks.keras_convnet,
    "ResNet-20": networks.resnet20,
}
TABLE = {"ResNet-20": networks.resnet20, "ResNet-18": networks.resnet18}
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

    from striate.common.bfloat16_rounding import from_bfloat16, to_bfloat16
    from striate.ranks import mpi
    from striate.ranks.shared_sum import SharedSum
    from striate.ranks.sum_tree import VectorPart

    exchange, world = mpi(), MPI.COMM_WORLD
    own = np.random.default_rng(exchange.rank).random(options.numbers, np.float32)
    found, total = np.empty_like(own), np.empty_like(own)

    def summing(is_rounded: bool) -> Callable[[], None]:
        shared = SharedSum(exchange, [VectorPart(options.numbers, is_rounded)])

        def run() -> None:
            shared.add(exchange.rank, own)
            exchange.meet()
            shared.total(exchange.size, [found])

        return run

    def allreduce() -> None:
        world.Barrier()
        world.Allreduce(own, total)

    runs = {"striate": summing(False), "bfloat16": summing(True), "MPI_Allreduce": allreduce}
    allreduce()
    runs["striate"]()
    assert np.array_equal(found, total), "two summands have one sum"
    parts = [from_bfloat16(to_bfloat16(part)) for part in world.allgather(own[:1000])]
    runs["bfloat16"]()
    assert np.array_equal(found[:1000], from_bfloat16(to_bfloat16(sum(parts)))), "rounded sums"
    with _stream(world, options.address, own) as stream:
        times = medians(runs | {"TCP stream": stream}, options.rounds)
    if exchange.is_first:
        print(json.dumps(times))


@contextmanager
def _stream(world: Any, address: str, numbers: np.ndarray) -> Iterator[Callable[[], None]]:
    """A plain TCP connection, over which rank 0 sends the bytes of some numbers to rank 1."""
    if world.rank == 0:
        with socket.create_server((address, 0)) as server:
            world.bcast(server.getsockname()[1])
            connection, _ = server.accept()
    else:
        connection = socket.create_connection((address, world.bcast(None)))
    room = memoryview(bytearray(1 << 20))

    def run() -> None:
        world.Barrier()
        if world.rank == 0:
            connection.sendall(memoryview(numbers).cast("B"))
            connection.recv(1)  # all is there
            return
        left = numbers.nbytes
        while left:
            left -= connection.recv_into(room)
        connection.sendall(b".")

    with connection:
        yield run


def _step_of_two(
    network: networks.Network, batch: int, exchange: Exchange
) -> tuple[Any, CompiledEngine, GroupedStep]:
    """A batch of which each of two ranks has a group, an engine of one thread, and its step."""
    from striate.engines.llvm import CompiledEngine
    from striate.optim.losses import SoftmaxCrossEntropy
    from striate.training.grouped_step import GroupedStep

    whole = _batch(network, batch, exchange)  # makes the network ready for it
    engine = CompiledEngine(network, batch_size=batch // 2, loss=SoftmaxCrossEntropy(), threads=1)
    return whole, engine, GroupedStep(engine, network, exchange)


def striate_rank(options: argparse.Namespace) -> None:
    """One of striate's two ranks of `steps`."""
    from striate.optim.optimizers import AdamW
    from striate.ranks import mpi

    exchange, network, optimizer = mpi(), NETWORKS[options.network](), AdamW()
    whole, engine, step = _step_of_two(network, options.batch, exchange)

    def run() -> None:
        step(whole)
        engine.update(optimizer, RATE)

    loss = step(whole).loss
    slots = [engine.gradient[slot.start : slot.stop] for slot in network.slots]
    check = [loss, *sorted(float(np.linalg.norm(slot)) for slot in slots)]
    found = medians({"striate": run}, options.rounds)
    if exchange.is_first:
        print(json.dumps({**found, "check": check}))


def overlap_rank(options: argparse.Namespace) -> None:
    """One of the two ranks of `overlap`."""
    from striate.common.digests import digest_of
    from striate.ranks import mpi

    exchange, network = mpi(), networks.resnet18()
    whole, engine, step = _step_of_two(network, options.batch, exchange)
    before = network.state_flat.copy()
    step(whole)
    expected = digest_of(engine.gradient, network.state_flat)
    trial = step.overlap
    assert trial is not None
    while trial.choice is None:
        step(whole)
    chosen = trial.choice

    def way(overlaps: bool) -> Callable[[], None]:
        def run() -> None:
            trial.choice = overlaps
            step(whole)

        return run

    ways = {"after": way(False), "meanwhile": way(True)}
    for run in ways.values():
        network.state_flat[...] = before
        run()
        assert digest_of(engine.gradient, network.state_flat) == expected
    (group,) = whole.groups

    def alone() -> None:
        exchange.meet()
        engine.step(group.images, group.targets, group.weights, group.keys)

    found = medians({**ways, "none": alone}, options.rounds)
    if exchange.is_first:
        print(json.dumps({**found, "chosen": float(chosen)}))


def torch_rank(options: argparse.Namespace) -> None:
    """One of PyTorch's two ranks of `steps`."""
    import torch
    from torch import distributed, nn

    from striate.model.preprocessing import Preprocessing

    torch.set_num_threads(1)
    distributed.init_process_group("gloo")
    network = NETWORKS[options.network]()
    group = _batch(network, options.batch).groups[distributed.get_rank()]
    network.preprocessing = Preprocessing()  # which the images have had
    x = torch.from_numpy(group.images.transpose(0, 3, 1, 2).copy())
    y = torch.from_numpy(group.targets.argmax(axis=1))

    check: list[float] = []

    def step(layout: torch.memory_format) -> Callable[[], None]:
        module = network.to_torch().train().to(memory_format=layout)
        model = nn.parallel.DistributedDataParallel(module)
        optimizer = torch.optim.AdamW(model.parameters(), RATE)
        given, loss = x.contiguous(memory_format=layout), nn.CrossEntropyLoss()

        def backward() -> torch.Tensor:
            optimizer.zero_grad()
            found = loss(model(given), y)
            found.backward()
            return found.detach()

        def run() -> None:
            backward()
            optimizer.step()

        whole = backward() / 2
        distributed.all_reduce(whole)
        check[:] = [float(whole), *sorted(float(p.grad.norm()) for p in model.parameters())]
        return run

    kinds = {"default": torch.contiguous_format, "channels_last": torch.channels_last}
    found = medians({name: step(kind) for name, kind in kinds.items()}, options.rounds)
    if distributed.get_rank() == 0:
        print(json.dumps({"PyTorch": min(found.values()), "check": check}))
    distributed.destroy_process_group()


def _batch(network: networks.Network, size: int, exchange: Exchange | None = None) -> Any:
    """A batch of noise in two groups, of a rank or whole, for a network that is ready for it."""
    from striate.ranks.alone import ALONE
    from striate.training.prepare import prepare

    random = np.random.default_rng(0)
    images = random.normal(size=(size, *network.input_shape))
    # Already what striate would make of them, so that both see the same.
    images -= images.mean(axis=(0, 1, 2))
    images = (images / images.std(axis=(0, 1, 2))).astype(np.float32)
    labels = random.integers(0, network.output_shape[0], size)
    data = prepare(
        network, images, labels, loss=None, class_weight=None, sample_weight=None,
        validation_data=None, validation_fraction=0.0, seed=0,
    )  # fmt: skip
    with data.training.batches(
        epochs=1, batch_size=size, seed=0, groups=2, reads_in_place=exchange is not None,
        exchange=exchange or ALONE,
    ) as source:  # fmt: skip
        (whole,) = source
    return whole


# --- how they are started ------------------------------------------------------------------------


PATIENCE = 600
"""Seconds that a command may take."""


def told(command: list[str], **options: Any) -> dict[str, Any]:
    """What the first rank of a command prints."""
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=True, timeout=PATIENCE, **options
    )
    return json.loads(done.stdout.strip().splitlines()[-1])


def overlap(options: argparse.Namespace) -> int:
    own = [sys.executable, __file__, "overlap", "--rank", "--batch", str(options.batch),
           "--rounds", str(options.rounds)]  # fmt: skip
    with two_machines(options.gbit) as (start, more):
        found = told([*start, "-n", "2", *own], env={**os.environ, **more})
    kept = found["chosen"]
    shown = ", ".join(
        f"{name} {1e3 * found[name]:.0f} ms" for name in ("after", "meanwhile", "none")
    )
    print(
        f"ResNet-18, batch {options.batch} over {options.gbit:g} Gbit/s, two ranks of a thread, "
        f"exchange: {shown}; training overlaps: {'yes' if kept else 'no'}; {_load()}"
    )
    return int(kept != (found["meanwhile"] < found["after"]))


def measured(numbers: int, options: argparse.Namespace) -> dict[str, float]:
    """Seconds of the exchange of so many numbers between two machines, of each kind."""
    own = [sys.executable, __file__, "exchange", "--rank", "--numbers", str(numbers),
           "--rounds", str(options.rounds), "--address", ADDRESSES[0]]  # fmt: skip
    with two_machines(options.gbit) as (start, more):
        return told([*start, "-n", "2", *own], env={**os.environ, **more})


def seconds_on_the_line(numbers: int, gbit: float, machines: int = 2) -> float:
    """By the formula: each rank sends (N - 1) / N of its numbers, and as much of the sum."""
    return 2 * (machines - 1) / machines * 4 * numbers * 8 / (gbit * 1e9)


def exchange(options: argparse.Namespace) -> int:
    found = measured(options.numbers, options)
    line = seconds_on_the_line(options.numbers, options.gbit)
    shares = {name: s / (line / 2 if name == "bfloat16" else line) for name, s in found.items()}
    print(
        f"{4e-6 * options.numbers:.1f} MB over {options.gbit:g} Gbit/s, two ranks: line "
        f"{1e3 * line:.0f} ms, in bfloat16 {500 * line:.0f} ms; "
        + "; ".join(f"{name} {1e3 * s:.0f} ms ({shares[name]:.2f})" for name, s in found.items())
        + f"; {_load()}"
    )
    slow = shares["striate"] > 1.3 or found["striate"] > 1.02 * found["MPI_Allreduce"]
    return int(slow)


def _load() -> str:
    return f"load {os.getloadavg()[0]:.1f} of {os.cpu_count()} processors"


def table(options: argparse.Namespace) -> int:
    """Print the table of docs/machines.md, and what two machines were measured to need."""
    recorded = json.loads(Path(__file__).with_name("results.json").read_text())
    steps_of = {row["name"]: row["values"] for row in recorded["rows"] if row["unit"] == "ms"}
    print(
        "| network | batch | bytes of a gradient | at 1 Gbit/s | at 10 Gbit/s | at 100 Gbit/s |\n"
        "|---|---|---|---|---|---|"
    )
    sizes = {name: build().parameter_count for name, build in TABLE.items()}
    for name, numbers in sizes.items():
        rate = 128e3 / steps_of[f"{name}, batch 128"]["striate"]  # images a second
        for batch in (1024, 8192):
            alone = batch / rate
            left = [
                [alone / (alone + n * seconds_on_the_line(numbers, gbit, n)) for n in (2, 8, 64)]
                for gbit in (1, 10, 100)
            ]
            shown = [", ".join(f"{100 * part:.0f}" for part in parts) + " %" for parts in left]
            print(f"| {name} | {batch} | {4e-6 * numbers:.1f} MB | {' | '.join(shown)} |")
    for name, numbers in sizes.items():
        print(f"{name}: ", end="", flush=True)
        exchange(argparse.Namespace(**vars(options) | {"numbers": numbers}))
    return 0


def steps(options: argparse.Namespace) -> int:
    missed, environment = 0, {**os.environ, "OMP_NUM_THREADS": "1"}
    for name in NETWORKS:
        own = [__file__, "steps", "--network", name, "--batch", str(options.batch),
               "--rounds", str(options.rounds), "--rank"]  # fmt: skip
        starts = {
            "striate": [program("mpiexec", WHO), "-n", "2", sys.executable, *own],
            "PyTorch": [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2",
                        "--master-port", str(_free_port()), *own, "--torch"],
        }  # fmt: skip
        kept: dict[str, list[float]] = {"striate": [], "PyTorch": []}
        checks: dict[str, list[float]] = {}
        for _ in range(3):
            for peer, command in starts.items():
                found = told(command, stderr=subprocess.DEVNULL, env=environment)
                kept[peer].append(found[peer])
                checks[peer] = found["check"]
        np.testing.assert_allclose(
            checks["striate"], checks["PyTorch"], rtol=1e-2, atol=1e-4, err_msg=name
        )
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
    parser.add_argument("part", choices=["exchange", "steps", "overlap", "table"])
    parser.add_argument("--gbit", type=float, default=1.0)
    parser.add_argument("--numbers", type=int, default=11_173_962)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=15)
    for name in ("--rank", "--torch"):
        parser.add_argument(name, action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--network", default="LeNet-5", help=argparse.SUPPRESS)
    parser.add_argument("--address", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.rank:
        parts = {"exchange": exchange, "steps": steps, "overlap": overlap, "table": table}
        return parts[options.part](options)
    if options.part == "exchange":
        exchange_rank(options)
    elif options.part == "overlap":
        overlap_rank(options)
    elif options.torch:
        torch_rank(options)
    else:
        striate_rank(options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
