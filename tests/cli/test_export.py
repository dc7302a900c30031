"""``striate export``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from striate.network import load

onnxruntime = pytest.importorskip("onnxruntime")

Run = Callable[..., Any]
Refused = Callable[..., str]


def test_a_classifier_as_an_onnx_file(striate: Run, model: Path, in_tmp: Path) -> None:
    outcome = striate("export", model, "--to", "onnx", "--json")
    assert outcome.code == 0
    result = outcome.json
    assert result["file"] == "digits.onnx"
    assert result["bytes"] == Path("digits.onnx").stat().st_size
    assert result["input"] == {
        "name": "images", "shape": ["batch", 1, 8, 8], "type": "float32", "layout": "nchw",
    }  # fmt: skip
    assert result["output"] == {"name": "outputs", "shape": ["batch", 10]}
    assert result["classes"] == [str(digit) for digit in range(10)]
    session = onnxruntime.InferenceSession("digits.onnx")
    given = np.random.default_rng(0).integers(0, 17, (4, 8, 8, 1)).astype(np.float32)
    (outputs,) = session.run(None, {"images": np.moveaxis(given, -1, 1)})
    expected = load(model).predict_logits(given, engine="numpy")
    assert np.abs(outputs - expected).max() <= 1e-5 * np.abs(expected).max()


def test_the_result_for_people_and_the_options(striate: Run, model: Path, in_tmp: Path) -> None:
    options = ("--layout", "nhwc", "--pixels", "uint8", "--probabilities", "--opset", 13)
    outcome = striate("export", model, "--to", "onnx", "-o", "Phone.ONNX", *options)
    assert outcome.code == 0
    first, second = outcome.out.splitlines()
    assert first == "Input images: n×8×8×1, uint8; output probabilities: n×10"
    assert second.startswith("Wrote Phone.ONNX (") and second.endswith(" KiB)")
    session = onnxruntime.InferenceSession("Phone.ONNX")
    given = np.random.default_rng(0).integers(0, 17, (4, 8, 8, 1)).astype(np.uint8)
    (outputs,) = session.run(None, {"images": given})
    np.testing.assert_allclose(outputs.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(outputs, load(model).predict_proba(given), rtol=1e-4, atol=1e-6)


def test_what_is_refused(striate: Run, refused: Refused, model: Path, in_tmp: Path) -> None:
    Path("folder.onnx").mkdir()
    assert "'--to'" in refused("export", model)
    assert "'onyx' is not" in refused("export", model, "--to", "onyx")
    to = ("--to", "onnx", "-o")
    assert refused("export", model, *to, "x.png") == "--out x.png: give a name that ends in .onnx"
    assert "is a folder" in refused("export", model, *to, "folder.onnx")
    assert "does not exist" in refused("export", model, *to, "none/x.onnx")
    assert "10 is not in the range 11<=x<=22" in refused(
        "export", model, *to, "x.onnx", "--opset", 10
    )
    assert "none.safetensors" in refused("export", "none.safetensors", *to, "x.onnx")
    assert [path.name for path in in_tmp.iterdir()] == ["folder.onnx"]


def test_an_object_file_for_a_microcontroller(striate: Run, model: Path, in_tmp: Path) -> None:
    outcome = striate("export", model, "--to", "object", "--target", "cortex-m4", "--json")
    assert outcome.code == 0
    result = outcome.json
    assert result["folder"] == "digits-cortex-m4" and result["same_bits"] in (True, False)
    assert sorted(path.name for path in Path("digits-cortex-m4").iterdir()) == sorted(
        result["files"]
    )
    again = striate("export", model, "--to", "object", "--target", "riscv64", "-o", "there")
    assert again.code == 0
    assert (
        again.out.splitlines()[-1].startswith("Wrote digits.o, digits.h")
        and Path("there/digits.h").exists()
    )


def test_what_is_refused_of_objects(refused: Refused, model: Path, in_tmp: Path) -> None:
    to = ("--to", "object")
    assert "needs --target: cortex-m4" in refused("export", model, *to)
    assert "no target 'riscv'" in refused("export", model, *to, "--target", "riscv")
    Path("there").mkdir()
    command = ("export", model, *to, "--target", "cortex-m4", "-o", "there")
    assert "there exists" in refused(*command)
    assert "--opset is for --to onnx" in refused(*command, "--opset", 13)
    assert "--batch is for --to object and wasm" in refused(
        "export", model, "--to", "onnx", "--batch", 2
    )


def test_a_page(striate: Run, refused: Refused, model: Path, in_tmp: Path) -> None:
    outcome = striate("export", model, "--to", "page")
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert lines[-2] == 'says "unknown": never: train with --reject for that'
    assert lines[-1].startswith("Wrote digits.html (")
    assert "<title>digits</title>" in Path("digits.html").read_text("utf-8")
    again = striate("export", model, "--to", "page", "-o", "digits.html", "--json")
    assert again.code == 0 and again.json["file"] == "digits.html"
    assert again.json["rejects"] is False
    to = ("export", model, "--to", "page")
    assert "--target is for --to object" in refused(*to, "--target", "cortex-m4")
    assert "--batch is for" in refused(*to, "--batch", 2)
    assert "give a name that ends in .html" in refused(*to, "-o", "page")
    assert "there is no folder" in refused(*to, "-o", "none/page.html")
    assert [path.name for path in in_tmp.iterdir()] == ["digits.html"]


def test_webassembly_for_browsers(
    striate: Run, refused: Refused, model: Path, in_tmp: Path
) -> None:
    outcome = striate("export", model, "--to", "wasm", "--batch", 2, "--json")
    assert outcome.code == 0
    result = outcome.json
    assert (result["folder"], result["target"]) == ("digits-wasm", "wasm32")
    assert sorted(path.name for path in Path("digits-wasm").iterdir()) == sorted(result["files"])
    assert {"digits.wasm", "digits_plain.wasm", "digits.js", "digits.d.ts"} < {*result["files"]}
    command = ("export", model, "--to", "wasm", "-o", "there")
    assert "--target is for --to object; leave it out" in refused(*command, "--target", "riscv64")
    assert "--opset is for --to onnx; leave it out" in refused(*command, "--opset", 13)
    assert "digits-wasm exists" in refused("export", model, "--to", "wasm")
    assert not Path("there").exists()
