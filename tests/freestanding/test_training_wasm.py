"""Networks that go on learning as WebAssembly: Node learns what the engine learns."""

from __future__ import annotations

import copy
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from striate.common.errors import StriateError
from striate.nest.target import as_host, host
from striate.network import Network
from striate.optim.losses import MeanSquaredError
from striate.training.prepare import prepare
from tests.freestanding.learning_networks import plain, uneven
from tests.freestanding.node_engine import node_command

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node")

EXAMPLES: dict[str, tuple[Network, dict[str, Any]]] = {
    "head": (plain(), {"frozen_until": "dense_1", "optimizer": "sgd", "batch_size": 1}),
    "keys": (uneven(), {}),
    "numbers": (plain(), {"loss": MeanSquaredError()}),
}


@pytest.mark.parametrize("name", list(EXAMPLES))
def test_the_example_learns_what_it_should(name: str, tmp_path: Path) -> None:
    network, options = EXAMPLES[name]
    folder = tmp_path / "pupil"
    found = network.export(folder, to="wasm", train=True, **{"batch_size": 3, **options})
    assert sorted(path.name for path in folder.iterdir()) == sorted(found.files)
    assert found.figures.state_bytes > 0
    ran = subprocess.run(
        [*node_command(), "example.mjs"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.splitlines()[-1] == "farthest from what striate finds: 0 of the largest"
    # And the example sees what is wrong.
    vectors = folder / "pupil_test_vectors.js"
    text = vectors.read_text()
    vectors.write_text(text.replace("learningRate = 0.001", "learningRate = 0.1"))
    assert vectors.read_text() != text
    again = subprocess.run(["node", "example.mjs"], cwd=folder, capture_output=True, check=False)
    assert again.returncode == 1


EPOCH = """
import { readFileSync, writeFileSync } from "node:fs";
import { load } from "./pupil.js";

const folder = new URL("./", import.meta.url).pathname;
const read = (file) => Uint8Array.from(readFileSync(folder + file)).buffer;
const images = new Float32Array(read("images.bin")), labels = new Int32Array(read("labels.bin"));
const counts = new Int32Array(read("counts.bin")), test = new Float32Array(read("test.bin"));
for (const [kind, ending] of [["fused", "_fused"], ["simd", ""], ["plain", "_plain"]]) {
  const code = readFileSync(folder + `pupil${ending}.wasm`);
  const weights = readFileSync(folder + "pupil.weights.bin");
  if (!WebAssembly.validate(code)) continue;
  const network = await load({ [kind]: code, weights });
  if (network.roundsOnce !== (kind === "fused")) throw new Error(`${kind} rounds otherwise`);
  const losses = [];
  let first = 0;
  for (const count of counts) {
    const part = images.subarray(64 * first, 64 * (first + count));
    losses.push(network.train(part, labels.subarray(first, first + count), 0.01));
    first += count;
  }
  writeFileSync(folder + `${kind}.state`, network.state);
  writeFileSync(folder + `${kind}.losses`, Float32Array.from(losses));
  writeFileSync(folder + `${kind}.outputs`, network.run(test));
  const kept = network.state;
  network.begin();
  if (Buffer.compare(kept, network.state) === 0) throw new Error("it did not forget");
  network.state = kept;
  if (Buffer.compare(kept, network.state) !== 0) throw new Error("it did not remember");
}
const network = await load();
const image = new Float32Array(64);
for (const [images, labels] of [
  [new Float32Array(0), []],
  [new Float32Array(65 * 64), new Array(65).fill(0)],
  [image, [10]], [image, [-1]], [image, [0.5]], [image, []], [image, [1, 2]],
]) {
  let refused = false;
  try {
    network.train(images, labels, 0.1);
  } catch (error) {
    refused = error instanceof RangeError;
  }
  if (!refused) throw new Error(`${labels} was not refused`);
}
"""


def test_node_learns_the_digits(tmp_path: Path) -> None:
    """An epoch with all batches of fit: the very weights of fit where multiply-adds are rounded
    once, else within 1e-6, and to the bit those of a processor that rounds them twice, too.
    """
    digits = load_digits()
    images, labels = digits.images[..., None].astype(np.float32), digits.target
    network, batch, seed = plain(), 16, 4
    folder = tmp_path / "pupil"
    found = network.export(folder, to="wasm", train=True, batch_size=batch)
    fitted, losses = [], []
    for target in (host(), replace(host().narrowed(16, 16), fused=False)):
        own = copy.deepcopy(network)
        with as_host(target):
            history = own.fit(
                images[:1400], labels[:1400], epochs=1, batch_size=batch, optimizer="adamw",
                learning_rate=0.01, schedule="constant", exact=True, portable=True, threads=1,
                progress=False, seed=seed,
            )  # fmt: skip
        fitted.append(own)
        losses.append(history.rows[0].loss)
    data = prepare(network, images[:1400], labels[:1400], loss=None, class_weight=None,
                   sample_weight=None, validation_data=None, validation_fraction=0.0,
                   seed=seed)  # fmt: skip
    with data.training.batches(epochs=1, batch_size=batch, seed=seed) as source:
        batches = list(source)
    parts = {
        "images": np.concatenate([one.groups[0].images for one in batches]).astype(np.float32),
        "labels": np.concatenate([one.targets.argmax(axis=1) for one in batches]).astype(np.int32),
        "counts": np.array([len(one.groups[0].images) for one in batches], np.int32),
        "test": images[1400:],
    }
    for name, array in parts.items():
        (folder / f"{name}.bin").write_bytes(array.tobytes())
    (folder / "epoch.mjs").write_text(EPOCH)
    ran = subprocess.run(
        [*node_command(), "epoch.mjs"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    kinds = [kind for kind in ("fused", "simd", "plain") if (folder / f"{kind}.state").exists()]
    assert kinds[-2:] == ["simd", "plain"]
    for kind in kinds:
        state = (folder / f"{kind}.state").read_bytes()
        assert len(state) == found.figures.state_bytes
        weights = np.frombuffer(state, np.float32, network.flat.size)
        if kind != "fused" or host().fused:
            np.testing.assert_array_equal(weights, fitted[kind != "fused"].flat)
        assert np.abs(weights - fitted[0].flat).max() <= 1e-6
        mean = np.average(
            np.fromfile(folder / f"{kind}.losses", np.float32), weights=parts["counts"]
        )
        assert mean == pytest.approx(losses[0], rel=1e-6)
        outputs = np.fromfile(folder / f"{kind}.outputs", np.float32).reshape(-1, 10)
        accuracy = np.mean(outputs.argmax(axis=1) == labels[1400:])
        assert accuracy == fitted[0].evaluate(images[1400:], labels[1400:]).accuracy > 0.8


def test_a_target_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StriateError, match="every processor; leave the target 'x86-64' out"):
        plain().export(tmp_path / "x", to="wasm", target="x86-64", train=True)
    assert not [*tmp_path.iterdir()]
