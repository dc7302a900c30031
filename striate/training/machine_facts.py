"""What the bits of a training depend on besides the training: the processor and the software."""

from __future__ import annotations

import platform
from typing import Any

import numpy as np

from striate.common.version import __version__


def facts_of_machine(engine: str, *, portable: bool) -> dict[str, Any]:
    """What must be the same on all machines that train one network together, in plain values.

    Args:
        engine: "llvm" or "numpy".
        portable: whether sums are added in an order that is the same on all processors.
    """
    software: dict[str, Any] = {
        "engine": engine,
        "portable": portable,
        "striate": __version__,
        "Python": ".".join(platform.python_version_tuple()[:2]),
        "NumPy": np.__version__,
    }
    if engine == "numpy":
        simd: Any = np.show_config(mode="dicts")
        return {**software, "processor features": list(simd["SIMD Extensions"].get("found", []))}
    from striate.nest import tuned
    from striate.nest.compiler import machine
    from striate.nest.target import host, llvm_version

    target = host(portable=portable)
    processor: dict[str, Any] = {
        "architecture": target.triple.split("-")[0],
        "processor features": sorted(
            name[1:] for name in target.features.split(",") if name.startswith("+")
        ),
    }
    return {
        **software,
        "llvmlite": llvm_version(),
        "tuned schedules": tuned.digest(machine(target)),
        "fused multiply-adds": target.fused,
        **({} if portable else processor),
    }
