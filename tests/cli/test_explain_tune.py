"""``striate explain`` and ``striate tune``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from striate.nest import tuned

Run = Callable[..., Any]
Refused = Callable[..., str]


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache that nothing else uses."""
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))
    tuned.forget()
    yield tmp_path / "cache"
    tuned.forget()


def test_explain_prints_a_table(striate: Run, model: Path) -> None:
    outcome = striate("explain", model, "--batch-size", "20", "--threads", "1")
    assert outcome.code == 0
    assert outcome.err == ""
    assert "Plan for training: batches of 20, float32" in outcome.out
    assert "conv2d_1 forward" in outcome.out
    assert "conv2d_1 backward" in outcome.out
    assert "GFLOP/s" not in outcome.out
    assert "Memory: " in outcome.out


def test_explain_measures(striate: Run, model: Path) -> None:
    outcome = striate("explain", model, "--batch-size", "4", "--inference", "--measure")
    assert outcome.code == 0
    assert "Plan for inference with fixed weights: batches of 4" in outcome.out
    assert "GFLOP/s" in outcome.out
    assert "backward" not in outcome.out


def test_explain_as_json(striate: Run, model: Path) -> None:
    told = striate("explain", model, "--json", "--exact", "--threads", "2").json
    assert told["file"] == str(model)
    assert (told["batch_size"], told["exact"], told["seconds"]) == (64, True, None)
    assert {layer["name"] for layer in told["layers"]} == {"conv2d_1", "dense_1"}
    assert all(kernel["turns"] > 0 for kernel in told["kernels"])


def test_a_network_file_will_do(striate: Run, network_file: Path) -> None:
    outcome = striate("explain", network_file, "--input-shape", "9x10x1", "--classes", "3")
    assert outcome.code == 0
    assert "dense_1 (Dense)" in outcome.out


def test_tune(striate: Run, model: Path, own_cache: Path) -> None:
    before = model.read_bytes()
    outcome = striate("tune", model, "--batch-size", "32", "--seconds", "0.2")
    assert outcome.code == 0
    assert "measuring: the network as it is" in outcome.err
    assert "In the lanes: " in outcome.out
    assert "Step: " in outcome.out
    assert model.read_bytes() == before
    assert list(own_cache.rglob("tuned-*.json"))


def test_tune_as_json(striate: Run, model: Path, own_cache: Path) -> None:
    outcome = striate("tune", model, "--inference", "--seconds", "0.1", "--json", "--quiet")
    assert outcome.err == ""
    assert outcome.json["training"] is False
    assert outcome.json["whole"]["before"] > 0
    assert Path(outcome.json["path"]).is_file()


@pytest.mark.parametrize("command", ["explain", "tune"])
@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("none.safetensors",), "none.safetensors: there is no such model file"),
        (("none.toml",), "none.toml: there is no such network file"),
        ((), "Missing argument 'MODEL|FILE'"),
        (("x", "--batch-size", "0"), "'--batch-size'"),
        (("x", "--threads", "0"), "'--threads'"),
    ],
)
def test_errors(refused: Refused, command: str, arguments: tuple[str, ...], match: str) -> None:
    assert match in refused(command, *arguments)


def test_errors_of_tune(
    refused: Refused, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seconds in ("0", "-1", "nan", "soon"):
        assert "is not a number above 0" in refused("tune", model, "--seconds", seconds)
    assert "has no input_shape" in refused("tune", _shapeless(tmp_path))
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "file"))
    assert "set STRIATE_CACHE to a folder" in refused("tune", model, "--quiet")


def _shapeless(folder: Path) -> Path:
    path = folder / "shapeless.toml"
    path.write_text('[[layers]]\nlayer = "Flatten"\n[[layers]]\nlayer = "Dense"\nunits = 2\n')
    return path


def test_a_model_for_other_images(refused: Refused, model: Path) -> None:
    message = refused("explain", model, "--input-shape", "9x9x1")
    assert "is made for images 8×8×1, not 9×9×1" in message


@pytest.mark.parametrize(
    ("form", "begins"),
    [
        ("nest", "# conv2d_1 forward\nfor "),
        ("schedule", "# conv2d_1 forward\n# "),
        ("ir", "; conv2d_1 forward\n"),
        ("assembly", "# conv2d_1 forward\nconv2d_1_forward:\n"),
        ("c", "// conv2d_1 forward\nstatic void conv2d_1_forward("),
    ],
)
def test_kernels_are_shown(striate: Run, model: Path, form: str, begins: str) -> None:
    asked = ("explain", model, "--layer", "conv2d_1", "--show", form, "--inference")
    outcome = striate(*asked, "--batch-size", "2", "--threads", "1")
    assert outcome.code == 0 and outcome.err == ""
    assert outcome.out.startswith(begins)
    (kernel,) = striate(*asked, "--threads", "1", "--batch-size", "2", "--json").json["kernels"]
    assert kernel["label"] == "conv2d_1 forward" and kernel[form] in outcome.out


def test_kernels_for_another_processor(striate: Run, model: Path, tmp_path: Path) -> None:
    outcome = striate("explain", model, "--target", "cortex-m4", "--show", "assembly")
    assert "vfma.f32" in outcome.out
    page = tmp_path / "page.html"
    outcome = striate("explain", model, "--target", "cortex-m4", "--html", page)
    assert re.fullmatch(r"Wrote \d+ kernels to .*page\.html\n", outcome.out)
    assert "ARM Cortex-M4F" in page.read_text("utf-8")
    told = striate("explain", model, "--target", "riscv64", "--html", page, "--json").json
    assert told["page"] == str(page) and told["kernels"] > 3


def test_kernels_that_cannot_be_shown(refused: Refused, model: Path, tmp_path: Path) -> None:
    assert "give one of these two" in refused("explain", model, "--layer", "conv2d_1")
    assert "give one of these two" in refused("explain", model, "--target", "cortex-m4")
    both = refused("explain", model, "--show", "c", "--html", tmp_path / "page.html")
    assert "give one of these two" in both
    asked = ("explain", model, "--show", "c", "--target", "cortex-m4")
    assert "leave --exact, --measure out" in refused(*asked, "--exact", "--measure")
    assert "no target 'cortex-m5'; did you mean" in refused(*asked[:-1], "cortex-m5")
    assert "no kernel is of a layer 'dens'" in refused(*asked[:-2], "--layer", "dens")
    assert "ends in .html" in refused("explain", model, "--html", tmp_path / "page.txt")
