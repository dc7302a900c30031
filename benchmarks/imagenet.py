"""Networks for images of 224×224 against their peers: inference, training steps and their memory.

    python benchmarks/imagenet.py [--threads 2] [--rounds 7] [--no-compile] [--match TEXT]

This is a section of the suite, and takes the same options. The networks are those of
`striate.architectures`; in PyTorch they are what `to_torch` makes of them: modules of `torch.nn`
and nothing else. Inference is also timed for the network read back from its ONNX file, which must
be as fast as the one that was built.
"""

from __future__ import annotations

import gc
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import inference
import numpy as np
import torch
import training
from child import ask
from contest import Cases, Setting, contest, difference
from networks import IMAGENET, labels_for, with_statistics, work
from report import OURS, Row

import striate
from striate import architectures
from striate.network import Network

NAMES = (
    "resnet18",
    "resnet50",
    "mobilenet_v2",
    "efficientnet_lite0",
    "squeezenet1_1",
    "densenet121",
)
INFERENCE_BATCHES = (1, 16)
TRAINING_BATCH = 16
KINDS = ("", " channels_last")
INFERENCE_BAR, TRAINING_BAR, MEMORY_BAR = 1.0, 1.5, 2.0
# The updates of float32 lie that far from each other where rounding turns a ReLU over.
TOLERANCE = 5e-2


def cases(setting: Setting) -> Cases:
    """Each network: inference at each batch size, as imported, a training step, its memory."""
    for name in NAMES:
        for batch in INFERENCE_BATCHES:
            yield f"inference {name}, {batch}", partial(inference_rows, name, batch, setting)
    for name in NAMES:
        yield f"imported {name}", partial(_imported, name, setting)
    for name in NAMES:
        yield f"training {name}", partial(training_rows, name, setting)
    for name in NAMES:
        yield f"memory {name}", partial(_memory, name, setting)


def images_for(count: int) -> np.ndarray:
    """Random images, (count, 224, 224, 3)."""
    return np.random.default_rng(0).standard_normal((count, *IMAGENET), np.float32)


def without_dropout(name: str) -> Network:
    """The architecture, deterministic in training, so that steps can be compared."""
    network = architectures.build(name)
    for vertex in network.nodes:
        if vertex.layer.kind == "dropout":
            vertex.layer.rate = 0.0
    return network


def inference_rows(name: str, batch: int, setting: Setting) -> list[Row]:
    """One image, or several at a time, against all peers."""
    network = with_statistics(architectures.build(name))
    row = Row("imagenet", f"inference, batch {batch}", name, bar=INFERENCE_BAR)
    model = network.to_torch()
    return [inference.against_peers(row, network, model, images_for(batch), setting)]


def _imported(name: str, setting: Setting) -> list[Row]:
    """The network as it was built, against the same read from its ONNX file."""
    network, images = with_statistics(architectures.build(name)), images_for(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.onnx"
        network.to_onnx(path)
        read = striate.from_onnx(path)
    runs: dict[str, Callable[[], Any]] = {
        who: partial(one.compile(batch_size=1, threads=setting.threads), images)
        for who, one in ((OURS, read), ("as built", network))
    }
    expected, found = (np.array(run()) for run in reversed(runs.values()))
    row = Row(
        "imagenet",
        "imported, batch 1",
        name,
        difference=difference("as imported", found, expected, 1e-5),
    )
    return [contest(row, runs, setting, flops=2.0 * work(network))]


def training_rows(name: str, setting: Setting) -> list[Row]:
    """A training step against PyTorch's."""
    network = without_dropout(name)
    images, labels = images_for(TRAINING_BATCH), labels_for(TRAINING_BATCH)
    peers = training.in_pytorch_ways(network.to_torch, network, images, labels, setting)
    row = Row("imagenet", f"training, batch {TRAINING_BATCH}", name, bar=TRAINING_BAR)
    return [training.against_peers(row, network, peers, images, labels, TOLERANCE, setting)]


def _memory(name: str, setting: Setting) -> list[Row]:
    """Peaks of processes that make some training steps: all of it, and beyond the imports."""
    found = {OURS: ask("train_striate", name, TRAINING_BATCH, threads=setting.threads)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "module.pt"
        torch.save(without_dropout(name).to_torch(), path)
        gc.collect()
        for kind in KINDS:
            task = ("train_module", path, TRAINING_BATCH, kind)
            found[f"PyTorch{kind}"] = ask(*task, threads=setting.threads)
    whole = {who: values["peak"] for who, values in found.items()}
    beyond = {who: values["peak"] - values["imports"] for who, values in found.items()}
    groups = {"whole process": whole, "beyond what is resident after the imports": beyond}
    title = f"memory of training, batch {TRAINING_BATCH}"
    return [
        Row("imagenet", f"{title}, {group}", name, unit="MB", values=values, bar=MEMORY_BAR)
        for group, values in groups.items()
    ]


if __name__ == "__main__":
    import suite

    sys.exit(suite.main(["--only", "imagenet", *sys.argv[1:]]))
