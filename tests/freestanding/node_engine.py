"""Node, with the switch that older ones need for relaxed multiply-adds."""

from __future__ import annotations

import functools
import shutil
import subprocess

SWITCH = "--experimental-wasm-relaxed-simd"


@functools.cache
def node_command() -> list[str]:
    """How to start Node, with relaxed multiply-adds if it has them in any way; [] without Node."""
    path = shutil.which("node")
    if path is None:
        return []
    asked = subprocess.run([path, SWITCH, "-e", ""], capture_output=True, check=False)
    return [path, *[SWITCH] * (asked.returncode == 0)]
