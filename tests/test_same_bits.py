"""What is computed has the bits that were kept: see same_bits.py."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

spec = importlib.util.spec_from_file_location("same_bits", Path(__file__).parent / "same_bits.py")
assert spec is not None and spec.loader is not None
same_bits = importlib.util.module_from_spec(spec)
spec.loader.exec_module(same_bits)

# Probabilities in a report come from NumPy's exponential, whose bits depend on its version and on
# the processor: reports are compared by hand.
COMPARED = [name for name in same_bits.CASES if name != "reports"]


@pytest.mark.parametrize("width", same_bits.WIDTHS)
def test_the_bits_are_those_that_were_kept(width: int) -> None:
    """Weights after three epochs, outputs, filtered images, for vectors of so many bytes."""
    found = same_bits.of_width(width, COMPARED)
    if not found:
        pytest.skip(f"this processor cannot compute with vectors of {width} bytes")
    kept = json.loads(same_bits.KEPT.read_text(encoding="utf-8"))[str(width)]
    assert found == {name: kept[name] for name in COMPARED}


def test_other_bits_are_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kept = json.loads(same_bits.KEPT.read_text(encoding="utf-8"))
    name = "filters"
    found = {width: {name: dict(cases[name])} for width, cases in kept.items()}
    found["16"][name]["mean5"] = "0" * 32
    monkeypatch.setattr(same_bits, "of_width", lambda width, _: found[str(width)])
    monkeypatch.setattr(same_bits.sys, "argv", ["same_bits.py", name])
    assert same_bits.main() == 1
    found["16"] = {name: kept["16"][name]}
    assert same_bits.main() == 0
