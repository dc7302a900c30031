"""The lab's own functions, called in Node, to be compared with what Python computes."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import striate

WEB = Path(striate.__file__).parent / "lab" / "web"
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node")


def called(module: str, name: str, calls: Sequence[Sequence[Any]]) -> list[Any]:
    """What a function of one of the lab's modules returns for each list of arguments.

    Args:
        module: its path in striate/lab/web, such as "maths/window_size.js".
        name: of the exported function.
        calls: the arguments of each call, JSON-able.

    Raises:
        AssertionError: one of them throws.
    """
    given = [{"module": str(WEB / module), "name": name, "arguments": list(one)} for one in calls]
    ran = subprocess.run(
        ["node", str(Path(__file__).with_name("run_functions.mjs"))],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    results = json.loads(ran.stdout)
    assert [one["error"] for one in results if "error" in one] == []
    return [one["value"] for one in results]
