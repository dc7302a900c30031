"""``striate export --weights … --measure …``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from striate.freestanding.program.frozen_program import FrozenProgram
from striate.freestanding.targets.named_targets import named_target
from striate.network import load

Run = Callable[..., Any]
Refused = Callable[..., str]
TO_M4 = ("--to", "object", "--target", "cortex-m4")


@pytest.mark.parametrize("weights", ["bfloat16", "int8"])
def test_what_small_weights_cost(striate: Run, model: Path, in_tmp: Path, weights: str) -> None:
    plain = striate("export", model, *TO_M4, "-o", "plain", "--json").json
    assert (plain["weights"], plain["small_weights"], plain["measured"]) == ("float32", 0, None)
    given = ("--weights", weights, "--measure", "digits")
    found = striate("export", model, *TO_M4, *given, "-o", "small", "--json").json
    network = load(model)
    filters = [n for n in network.parameters if n.endswith(("/filters", "/weights"))]
    assert found["small_weights"] == sum(network.parameters[name].size for name in filters)
    saved = plain["constant_bytes"] - found["constant_bytes"]
    assert saved > found["small_weights"] * (2 if weights == "bfloat16" else 3) - 1024
    tested = striate("evaluate", model, "digits", "--json").json
    measured = found["measured"]
    assert (measured["source"], measured["part"]) == ("digits", "test")
    assert measured["float32"]["confusion"] == tested["confusion"]
    assert 0 < measured["farthest"] < 0.05
    before, after = (np.array(measured[kind]["confusion"]) for kind in ("float32", weights))
    assert measured["changed"] >= np.abs(before - after).sum() / 2
    # An accuracy that changes is seen: the network with rounded weights is what is measured.
    computed = FrozenProgram(network, named_target("cortex-m4").target, 1, weights).computed  # type: ignore[arg-type]
    for name in filters:
        network.parameters[name][...] = computed.parameters[name]
    network.save("rounded.safetensors")
    rounded = striate("evaluate", "rounded.safetensors", "digits", "--part", "test", "--json").json
    assert measured[weights]["accuracy"] == rounded["accuracy"]


def test_the_result_for_people(striate: Run, model: Path, in_tmp: Path) -> None:
    given = ("--weights", "int8", "--measure", "digits")
    outcome = striate("export", model, *TO_M4, *given)
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert any(line.startswith("weights stored as int8: ") for line in lines)
    assert lines[-4].startswith("Weights as float32: Test accuracy: ")
    assert lines[-3].startswith("Weights as int8: Test accuracy: ")
    assert lines[-2].startswith("Other answers for ") and "outputs move by at most" in lines[-2]
    assert lines[-1].startswith("Wrote digits.o")
    assert "Measuring on " in outcome.err
    assert "Measuring" not in striate("export", model, *TO_M4, *given, "-o", "q", "--quiet").err


def test_what_is_refused(striate: Run, refused: Refused, model: Path, in_tmp: Path) -> None:
    before = sorted(in_tmp.iterdir())
    assert "'int4' is not one of" in refused("export", model, *TO_M4, "--weights", "int4")
    measure = ("--measure", "digits")
    assert "give --weights bfloat16 or int8" in refused("export", model, *TO_M4, *measure)
    onnx = ("--to", "onnx", "-o", "x.onnx")
    assert "--weights is for --to object" in refused("export", model, *onnx, "--weights", "int8")
    assert "--measure is for --to object" in refused("export", model, *onnx, *measure)
    small = ("--weights", "int8", "--measure")
    assert "none" in refused("export", model, *TO_M4, *small, "none.csv")
    network = load(model)
    name = next(name for name in network.parameters if name.endswith("/filters"))
    network.parameters[name][0, 0, 0, 0] = 3.4e38
    network.save("bad.safetensors")
    message = refused("export", "bad.safetensors", *TO_M4, "--weights", "bfloat16")
    assert f"{name} has numbers beyond 3.39e38" in message
    Path("bad.safetensors").unlink()
    assert sorted(in_tmp.iterdir()) == before
