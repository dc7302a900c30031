"""ONNX files in onnxruntime-web, which runs in browsers; here in Node."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from striate import Concat, Dense, GlobalAvgPool2D, Input, Network, Preprocessing
from striate.layers import LAYERS, Node
from tests.small_networks import ARGUMENTS, IMAGE, randomise, read_by

pytest.importorskip("onnx")

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("run_in_onnxruntime_web.cjs")


def with_every_layer() -> Network:
    """A classifier of which each layer of striate is a branch."""
    image = Input(IMAGE)
    ends: list[Node] = []
    for name, kind in LAYERS.items():
        end = read_by(kind(**ARGUMENTS.get(name, [{}])[0]), image)
        ends.append(end if len(end.shape) == 1 else GlobalAvgPool2D()(end))
    network = randomise(Network(inputs=image, output=Dense(4)(Concat()(*ends))))
    network.preprocessing = Preprocessing((128.0,) * 6, tuple(40.0 + k for k in range(6)))
    return network


@pytest.fixture(scope="module")
def packages() -> str:
    """The folders in which Node finds onnxruntime-web."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node is not installed")
    folders = [
        os.environ.get("NODE_PATH", ""),
        str(ROOT / "build" / "node" / "node_modules"),
        str(Path(node).resolve().parents[1] / "lib" / "node_modules"),
    ]
    path = os.pathsep.join(filter(None, folders))
    asked = ["node", "-e", "require.resolve('onnxruntime-web')"]
    done = subprocess.run(asked, env={**os.environ, "NODE_PATH": path}, capture_output=True)
    if done.returncode:
        pytest.skip("no onnxruntime-web: npm install --prefix build/node onnxruntime-web")
    return path


@pytest.mark.parametrize(("layout", "pixels"), [("nchw", "float32"), ("nhwc", "uint8")])
def test_every_layer_in_the_browsers_runtime(
    packages: str, tmp_path: Path, layout: str, pixels: str
) -> None:
    network = with_every_layer()
    network.to_onnx(tmp_path / "model.onnx", layout=layout, pixels=pixels)
    images = np.random.default_rng(1).integers(0, 256, (7, *IMAGE)).astype(pixels)
    given = images if layout == "nhwc" else np.moveaxis(images, -1, 1)
    (tmp_path / "images").write_bytes(np.ascontiguousarray(given).tobytes())
    files = [str(tmp_path / name) for name in ("model.onnx", "images")]
    done = subprocess.run(
        ["node", str(SCRIPT), *files, pixels, *map(str, given.shape)],
        env={**os.environ, "NODE_PATH": packages}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    outputs = np.reshape(result["numbers"], result["shape"])
    expected = network.predict_logits(images, engine="numpy")
    assert np.abs(outputs - expected).max() <= 1e-5 * np.abs(expected).max()
    assert np.array_equal(outputs.argmax(axis=1), expected.argmax(axis=1))
