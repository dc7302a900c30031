"""``striate explain`` and ``striate tune``."""

from __future__ import annotations

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
