"""Networks as WebAssembly: native bits in Node and in a browser, and what calls them there."""

from __future__ import annotations

import ctypes
import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from striate.common.errors import StriateError
from striate.freestanding.program.frozen_program import FrozenProgram
from striate.freestanding.program.llvm_module import write_module
from striate.freestanding.wasm import wasm_export
from striate.layers import (
    AvgPool2D,
    Concat,
    Conv2D,
    Dense,
    Flatten,
    GlobalAvgPool2D,
    Input,
    MaxPool2D,
    ReLU,
    Tanh,
)
from striate.model.answers import Answers
from striate.model.preprocessing import Preprocessing
from striate.nest.target import Loaded, assemble, host
from striate.network import Network
from tests.freestanding.node_engine import node_command

SCRIPT = Path(__file__).with_name("run_in_node.mjs")


def digits() -> Network:
    made = Network(
        [Conv2D(16, 3, padding="same"), ReLU(), MaxPool2D(2), Conv2D(32, 3, padding="same"),
         ReLU(), MaxPool2D(2), Flatten(), Dense(10)],
        (8, 8, 1), seed=1,
    )  # fmt: skip
    made.answers = Answers(temperature=1.7)
    return made


def uneven() -> Network:
    """Uneven sizes, paddings, strides, groups and dilation; a preprocessing; tails of vectors."""
    made = Network(
        [Conv2D(6, (3, 2), padding=(2, 1), uncovered="drop"), ReLU(),
         Conv2D(9, 3, stride=2, groups=3, padding=1, uncovered="drop"), Tanh(),
         Conv2D(7, 2, dilation=(1, 2), padding=1), ReLU(),
         MaxPool2D(3, stride=2, padding=1, uncovered="drop"), Flatten(), Dense(17), ReLU(),
         Dense(5)],
        (9, 14, 3), seed=2,
    )  # fmt: skip
    made.preprocessing = Preprocessing((0.1, 0.2, 0.3), (0.5, 2.0, 1.5))
    made.classes = ["a", 'quote " and \\', "Äpfel?", "</script>", "`${1}`"]
    return made


def of_labels() -> Network:
    """Branches that meet, an average of all; several labels an image."""
    x = Input((10, 7, 5))
    a = ReLU()(Conv2D(8, 5, padding="same")(x))
    joined = Concat()(Conv2D(8, 1)(x), AvgPool2D(3, stride=1, padding=1)(a))
    made = Network(inputs=x, output=Dense(3)(GlobalAvgPool2D()(joined)), seed=3)
    made.answers = Answers("labels", temperature=0.6)
    return made


def of_numbers() -> Network:
    made = Network([Conv2D(4, 3), Tanh(), Flatten(), Dense(2)], (6, 5, 2), seed=4)
    made.answers = Answers("numbers")
    return made


NETWORKS: list[Callable[[], Network]] = [digits, uneven, of_labels, of_numbers]


def images_for(network: Network, count: int) -> np.ndarray:
    random = np.random.default_rng(count)
    return random.normal(size=(count, *network.input_shape)).astype(np.float32)


def natively(network: Network, images: np.ndarray, batch: int, *, once: bool) -> np.ndarray:
    """What this processor finds with multiply-adds that are rounded once, or twice: as many images
    at once, the last ones filled up with zeros.
    """
    target = host(portable=True)
    if once and not target.fused:
        pytest.skip("this processor rounds multiply-adds twice")
    target = replace(target, fused=once)
    program = FrozenProgram(network, target, batch)
    code = Loaded(assemble(write_module(program, "native").text, target), "native_run_on")
    run = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)(code.address)
    sizes = (program.output_bytes, len(program.constants), program.arena_bytes)
    rooms = [np.zeros(size + 64, np.uint8) for size in sizes]
    parts = [room[-room.ctypes.data % 64 :][:size] for room, size in zip(rooms, sizes, strict=True)]
    parts[1][...] = np.frombuffer(program.constants, np.uint8)
    found = []
    for first in range(0, len(images), batch):
        some = np.zeros((batch, *network.input_shape), np.float32)
        given = images[first : first + batch]
        some[: len(given)] = given
        run(some.ctypes.data, *(part.ctypes.data for part in parts))
        found.append(parts[0].view(np.float32).reshape(batch, -1)[: len(given)].copy())
    return np.concatenate(found)


@pytest.fixture(scope="module")
def node() -> list[str]:
    if not node_command():
        pytest.skip("Node is not installed: on Debian, apt-get install nodejs")
    return node_command()


def ran(
    node: list[str], *command: Any, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*node, *command], cwd=cwd, capture_output=True, text=True, check=False)


def numbers(text: str, kind: type) -> np.ndarray:
    return np.frombuffer(bytes.fromhex(text), kind)


@pytest.mark.parametrize("make", NETWORKS)
@pytest.mark.parametrize("batch", [1, 3])
def test_the_bits_of_native_code(
    make: Callable[[], Network], batch: int, node: list[str], tmp_path: Path
) -> None:
    network, images = make(), images_for(make(), 5)
    found = network.export(tmp_path / "eyes", to="wasm", batch_size=batch)
    (tmp_path / "images").write_bytes(images.tobytes())
    done = ran(node, SCRIPT, tmp_path / "eyes", "eyes", tmp_path / "images")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["inputShape"] == list(network.input_shape) and result["batch"] == batch
    assert result["outputShape"] == list(network.output_shape)
    assert result["classes"] == network.classes
    logits = network.predict_logits(images)
    kinds = [kind for kind in ("fused", "simd", "plain") if kind in result]
    assert kinds[-2:] == ["simd", "plain"]
    for kind in kinds:
        one = result[kind]
        assert one["roundsOnce"] == (kind == "fused")
        expected = natively(network, images, batch, once=kind == "fused")
        assert one["imports"] == []
        assert one["exports"] == ["memory memory", "function eyes_run_on"]
        outputs = numbers(one["outputs"], np.float32).reshape(5, -1)
        np.testing.assert_array_equal(outputs, expected)
        assert one["again"] == one["outputs"]
        assert np.abs(outputs - logits).max() <= 1e-5 * np.abs(logits).max()
        assert (outputs.argmax(axis=1) == logits.argmax(axis=1)).all()
        used = found.figures.arena_bytes + found.figures.constant_bytes
        assert 1 << 20 < one["bytes"] <= (1 << 20) + used + (3 << 16)
        if network.answers.kind == "numbers":
            assert "probabilities" not in one
        else:
            probabilities = numbers(one["probabilities"], np.float64).reshape(5, -1)
            np.testing.assert_allclose(probabilities, network.predict_proba(images), rtol=1e-4)


def test_the_files(node: list[str], tmp_path: Path) -> None:
    network, folder = uneven(), tmp_path / "eyes"
    found = network.export(folder, to="wasm", batch_size=2)
    assert sorted(path.name for path in folder.iterdir()) == sorted(found.files)
    assert (found.kind, found.name, found.target, found.same_bits) == (
        "wasm", "eyes", "wasm32", False,
    )  # fmt: skip
    program = FrozenProgram(network, wasm_export.SIMD, 2)
    assert (folder / "eyes.weights.bin").read_bytes() == program.constants
    figures = found.figures
    assert figures.code_bytes == (folder / "eyes.wasm").stat().st_size < 20_000
    for kind in ("plain", "fused"):
        assert (folder / f"eyes_{kind}.wasm").stat().st_size < 20_000
    assert figures.arena_bytes == program.arena_bytes
    assert (figures.image_bytes, figures.output_bytes) == (2 * 4 * 378, 2 * 4 * 5)
    types, code = (folder / "eyes.d.ts").read_text(), (folder / "eyes.js").read_text()
    for exported in re.findall(r"export (?:async )?(?:const|function) (\w+)", code):
        assert re.search(rf"export declare (const|function) {exported}\b", types)
    assert "</script>" not in code
    assert json.loads((folder / "package.json").read_text())["types"] == "./eyes.d.ts"
    places = dict(re.findall(r"(\w+): (\d+),", code))
    listed = ", ".join(f"{name} {address}" for name, address in places.items())
    assert f"{listed}." in (folder / "README.md").read_text()
    # The example, and that it sees what is wrong.
    done = ran(node, "example.mjs", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.match(
        r"same bits in \d of 3 runs; farthest [0-9.e-]+, of outputs up to ", done.stdout
    )
    (folder / "eyes.weights.bin").write_bytes(bytes(len(program.constants)))
    assert ran(node, "example.mjs", cwd=folder).returncode == 1
    (folder / "eyes.weights.bin").write_bytes(program.constants)
    text = (folder / "eyes_test_vectors.js").read_text()
    head, last = text.rsplit("outputs: Float32Array.of(", 1)
    (folder / "eyes_test_vectors.js").write_text(f"{head}outputs: Float32Array.of(NaN + {last}")
    assert ran(node, "example.mjs", cwd=folder).returncode == 1


CALLS = """
import { readFileSync } from "node:fs";
import { load } from "./eyes.js";
const weights = readFileSync("eyes.weights.bin");
const [fused, simd] = ["eyes_fused.wasm", "eyes.wasm"].map((file) => readFileSync(file));
const said = [];
const failed = async (call) => {
  try { await call(); said.push("nothing"); }
  catch (error) { said.push(`${error.constructor.name}: ${error.message}`); }
};
const network = await load();
await failed(() => network.run(new Float32Array(379)));
await failed(() => network.run(new Array(378).fill(0)));
await failed(() => network.run(new DataView(new ArrayBuffer(378))));
await failed(() => load({ simd, weights: weights.subarray(4) }));
await failed(() => load({ simd }));
await failed(() => load({ weights }));
await failed(() => load("nowhere"));
const images = Float32Array.from({ length: 3 * 378 }, (_, i) => i % 200);
const outputs = network.run(images);
const same = (found) => found.length === 15 && found.every((one, i) => Object.is(one, outputs[i]));
said.push([
  same((await load(".")).run(images)),
  same((await load(new URL(".", import.meta.url))).run(images)),
  same((await load(import.meta.dirname)).run(images)),
  same((await load({ fused, simd, weights: new Uint8Array(weights).buffer })).run(images)),
  same(network.run(Uint8Array.from(images))),
  network.run(new Float32Array()).length === 0,
].join());
console.log(JSON.stringify(said));
"""


def test_what_is_loaded_and_what_is_refused(node: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "eyes"
    uneven().export(folder, to="wasm", batch_size=2)
    (folder / "calls.mjs").write_text(CALLS)
    done = ran(node, "calls.mjs", cwd=folder)
    assert done.returncode == 0, done.stderr
    *refused, worked = json.loads(done.stdout)
    for found, wanted in zip(
        refused,
        [
            "RangeError: eyes: an image has 378 numbers (9×14×3), and 379 is no multiple of that",
            "TypeError: eyes: images must be a typed array, such as a Float32Array",
            "TypeError: eyes: images must be a typed array, such as a Float32Array",
            "RangeError: eyes: weights of ",
            "TypeError: eyes: the contents given need weights, and as fused, simd or plain",
            "TypeError: eyes: the contents given need weights, and as fused, simd or plain",
            "Error: ENOENT",
        ],
        strict=True,
    ):
        assert found.startswith(wanted)
    assert worked == "true,true,true,true,true,true"


def test_in_a_browser(browser: Any, tmp_path: Path) -> None:
    network, folder = digits(), tmp_path / "eyes"
    network.export(folder, to="wasm", batch_size=2)
    images = images_for(network, 5)
    page, problems, asked = browser.new_page(), [], []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text))

    def answer(route: Any) -> None:
        path = route.request.url.removeprefix("http://striate.test/")
        asked.append(path)
        if path == "":
            route.fulfill(body="", content_type="text/html")
        elif not (folder / path).is_file():
            route.fulfill(status=404, body="")
        else:
            kind = "text/javascript" if path.endswith(".js") else "application/octet-stream"
            route.fulfill(body=(folder / path).read_bytes(), content_type=kind)

    page.route("http://striate.test/**", answer)
    page.goto("http://striate.test/")
    found = page.evaluate(
        """async (images) => {
            const { load } = await import("./eyes.js");
            const network = await load();
            const relative = await load("folder/..");
            const failed = await load("gone").catch((error) => error.message);
            const outputs = network.run(Float32Array.from(images));
            const same = relative.run(Float32Array.from(images));
            return [Array.from(outputs), Array.from(same), failed, network.roundsOnce];
        }""",
        images.ravel().tolist(),
    )
    page.close()
    outputs = np.array(found[0], np.float32).reshape(5, -1)
    np.testing.assert_array_equal(outputs, natively(network, images, 2, once=found[3]))
    assert found[1] == found[0]
    assert re.fullmatch(r"eyes: http://striate.test/gone/eyes\S+ cannot be read: 404.*", found[2])
    loaded, *others = ["eyes.wasm", "eyes_fused.wasm"][:: -1 if found[3] else 1]
    assert loaded in asked and not {*others, "eyes_plain.wasm"} & {*asked}
    assert [text for text in problems if "404" not in text] == []


def test_what_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StriateError, match="leave the target 'cortex-m4' out"):
        digits().export(tmp_path / "x", to="wasm", target="cortex-m4")
    with pytest.raises(StriateError, match="an object file needs a target: cortex-m4"):
        digits().export(tmp_path / "x", to="object")
    monkeypatch.setattr(wasm_export, "_MOST_MEMORY", 1 << 20)
    with pytest.raises(StriateError, match=r"runs of 2 images take 1\.\d+ MiB of memory, and"):
        digits().export(tmp_path / "x", to="wasm", batch_size=2)
    assert list(tmp_path.iterdir()) == []
