"""``--bfloat16``, on processors that have it and on others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from striate.nest import target
from striate.nest.target import host
from striate.network import load

Run = Callable[..., Any]
NETWORK = """
[[layers]]
layer = "Conv2D"
filters = 16
size = 3

[[layers]]
layer = "Conv2D"
filters = 16
size = 1

[[layers]]
layer = "Flatten"

[[layers]]
layer = "Dense"
units = "classes"
"""
here = pytest.mark.skipif(not host().bfloat16, reason="this processor has no bfloat16 products")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "network.toml"
    path.write_text(NETWORK)
    return path


@here
def test_train(striate: Run, file: Path, tmp_path: Path) -> None:
    found = {}
    for name, options in (("plain", ()), ("pairs", ("--bfloat16",))):
        model = tmp_path / f"{name}.safetensors"
        outcome = striate(
            "train", "digits", "--network", file, "--out", model, "--epochs", 1, *options
        )
        assert outcome.code == 0
        found[name] = load(model).flat
    assert 1e-5 < np.abs(found["plain"] - found["pairs"]).max() < 0.1


@here
def test_explain(striate: Run, file: Path) -> None:
    shape = ("--input-shape", "12x12x1", "--exact")
    told = striate("explain", file, *shape, "--bfloat16", "--json").json
    assert told["bfloat16"] is True
    algorithms = [layer["algorithm"] for layer in told["layers"]]
    assert algorithms[:2] == ["direct", "direct, products in bfloat16"]
    assert striate("explain", file, *shape, "--json").json["bfloat16"] is False


@pytest.mark.parametrize("command", ["train", "explain", "tune"])
def test_a_processor_without_it(
    refused: Callable[..., str],
    file: Path,
    command: str,
    tmp_path: Path,
) -> None:
    features = host().features.replace("+avx512bf16", "-avx512bf16")
    older = replace(host(), cpu="older", features=features)
    options: tuple[object, ...] = (file, "--input-shape", "12x12x1")
    if command == "train":
        options = ("digits", "--network", file, "--out", tmp_path / "model.safetensors")
    words = "bfloat16=True needs a processor with AVX-512 BF16; this one (older) has"
    with target.as_host(older):
        assert refused(command, *options, "--bfloat16").startswith(words)
