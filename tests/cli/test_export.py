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


def test_code_is_verified(striate: Run, model: Path, in_tmp: Path) -> None:
    command = ("export", model, "--to", "object", "--target", "cortex-m4", "--verify", "digits")
    outcome = striate(*command, "--verify-images", 7, "--json", "-o", "a")
    assert outcome.code == 0
    verified = outcome.json["verification"]
    assert verified["images"] == 7 and verified["holds"] is True
    assert verified["accuracy"] == verified["network_accuracy"] > 0.5
    assert outcome.json["instructions"][0]["instructions"] > 1000
    told = striate(*command, "--verify-images", 2, "--max-ram", "64KB", "--max-flash", "1MB")
    assert told.code == 0
    assert "Verified: same bits on 2 images" in told.out or "rounded" in told.out
    assert "instructions of a run: " in told.out and "stack: " in told.out
    assert "Verifying on 2 images (part test)" in told.err
    assert Path("digits-cortex-m4").is_dir()
    triple = striate(*command[:4], "--target", "thumbv7em-none-eabihf:cortex-m7")
    assert triple.code == 0 and Path("digits-thumbv7em-none-eabihf-cortex-m7").is_dir()


def test_code_that_is_wrong_ends_with_1(
    striate: Run, model: Path, in_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from striate.freestanding.running.emulation import EmulatedCode

    right = EmulatedCode.__call__
    monkeypatch.setattr(EmulatedCode, "__call__", lambda self, images: right(self, images) + 0.1)
    outcome = striate(
        *("export", model, "--to", "object", "--target", "cortex-m4"),
        *("--verify", "digits", "--verify-images", 2),
    )
    assert outcome.code == 1 and "which should not be" in outcome.out


def test_what_is_refused_of_objects(refused: Refused, model: Path, in_tmp: Path) -> None:
    to = ("--to", "object")
    assert "needs --target: cortex-m4" in refused("export", model, *to)
    assert "no target 'riscv'; did you mean" in refused("export", model, *to, "--target", "riscv")
    other = refused("export", model, *to, "--target", "thumbv7em-none-eabihf:cortex-m44")
    assert "did you mean 'cortex-m4'" in other
    chip = ("export", model, *to, "--target", "cortex-m4", "-o", "x")
    assert "are needed at once" in refused(*chip, "--max-ram", "1KB")
    assert "most weights are those of" in refused(*chip, "--max-flash", "1KB")
    assert "is not a size" in refused(*chip, "--max-flash", "much")
    assert "of --verify SOURCE" in refused(*chip, "--verify-images", 3)
    assert "nowhere" in refused(*chip, "--verify", "nowhere")
    assert "0 is not in the range" in refused(*chip, "--batch", 0)
    assert "--max-ram is for --to object" in refused(
        "export", model, "--to", "onnx", "--max-ram", "1KB"
    )
    assert not Path("x").exists()
    Path("there").mkdir()
    command = ("export", model, *to, "--target", "cortex-m4", "-o", "there")
    assert "there exists" in refused(*command)
    assert "--opset is for --to onnx" in refused(*command, "--opset", 13)
    assert "--batch is for --to object, c and wasm" in refused(
        "export", model, "--to", "onnx", "--batch", 2
    )


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
    assert "--target is for --to object and c; leave it out" in refused(
        *command, "--target", "riscv64"
    )
    assert "--opset is for --to onnx; leave it out" in refused(*command, "--opset", 13)
    assert "digits-wasm exists" in refused("export", model, "--to", "wasm")
    assert not Path("there").exists()


def test_an_object_file_that_learns(
    striate: Run, refused: Refused, model: Path, in_tmp: Path
) -> None:
    command = ("export", model, "--to", "object", "--target", "cortex-m4")
    learns = ("--train", "--frozen-until", "dense_1", "--optimizer", "sgd", "--batch", 4)
    outcome = striate(*command, *learns, "--weight-decay", 0.01)
    assert outcome.code == 0
    assert any(line.startswith("state, which learns: ") for line in outcome.out.splitlines())
    readme = Path("digits-cortex-m4/README.md").read_text()
    assert "What learns: dense_1; by SGD(momentum=0.9, nesterov=True, weight_decay=0.01)" in readme
    plain = striate(*command, "-o", "plain", "--json").json
    taught = striate(*command, *learns, "-o", "taught", "--json").json
    assert plain["state_bytes"] == 0 < taught["state_bytes"]
    for option in (("--frozen-until", "dense_1"), ("--optimizer", "sgd"), ("--weight-decay", 0)):
        assert f"{option[0]} is for code that learns: add --train" in refused(*command, *option)
    assert "no layer 'dens' to be frozen until; did you mean 'dense_1'" in refused(
        *command, "--train", "--frozen-until", "dens", "-o", "none"
    )
    assert "--frozen-until is for --to object" in refused(
        "export", model, "--to", "onnx", "--frozen-until", "dense_1"
    )
    assert not Path("none").exists()
    assert "--batch is for --to object" in refused("export", model, "--to", "onnx", "--batch", 2)


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


def test_a_file_of_c(striate: Run, refused: Refused, model: Path, in_tmp: Path) -> None:
    outcome = striate("export", model, "--to", "c", "--json")
    assert outcome.code == 0
    result = outcome.json
    assert (result["folder"], result["target"], result["code_bytes"]) == (
        "digits-c",
        "any processor",
        None,
    )
    assert sorted(path.name for path in Path("digits-c").iterdir()) == sorted(result["files"])
    again = striate("export", model, "--to", "c", "--target", "cortex-m4", "--batch", 2)
    assert again.code == 0 and "code:" not in again.out
    assert again.out.splitlines()[-1].startswith("Wrote digits.c, digits.h")
    assert Path("digits-cortex-m4/digits.c").exists()
    assert "digits-c exists" in refused("export", model, "--to", "c")
    command = ("export", model, "--to", "c", "-o", "there")
    assert "no target 'cortex'" in refused(*command, "--target", "cortex")
    assert "--opset is for --to onnx" in refused(*command, "--opset", 13)
    assert not Path("there").exists()
