"""Exported WebAssembly, run by Node."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np

from striate.common.arrays import Array
from striate.common.errors import StriateValueError
from striate.freestanding.exported import Exported
from striate.freestanding.running.native_code import NativeCodeError

_SCRIPT = "run_in_node.mjs"


class InNode:
    """Exported WebAssembly, by the module of JavaScript that was exported with it.

    Attributes:
        how: in which Node.
        rounds_once: whether it rounds multiply-adds once; None before the first run.

    Raises:
        ValueError: there is no Node.
    """

    def __init__(self, exported: Exported) -> None:
        node = shutil.which("node")
        if node is None:
            raise StriateValueError(
                "verify: WebAssembly is run by Node, which is not here (https://nodejs.org); "
                "install it, or run example.mjs where it is: it compares outputs of a few images"
            )
        self._node, self._exported = node, exported
        self.rounds_once: bool | None = None
        version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
        self.how = f"in Node {version.stdout.strip().removeprefix('v')}"

    def __call__(self, images: Array) -> Array:
        """The outputs of many runs, float32 (runs, numbers), for the images of each (runs, …).

        Raises:
            NativeCodeError: Node says that something went wrong.
        """
        script = files("striate.freestanding.running") / _SCRIPT
        with tempfile.TemporaryDirectory(prefix="striate-") as name, as_file(script) as path:
            folder = Path(name)
            for file, content in self._exported.files.items():
                (folder / file).write_bytes(content)
            (folder / "images.bin").write_bytes(np.ascontiguousarray(images, np.float32).tobytes())
            ended = subprocess.run(
                [self._node, path, folder, self._exported.name],
                capture_output=True,
                text=True,
                check=False,
            )
            if ended.returncode:
                said = [line for line in ended.stderr.splitlines() if "Error" in line]
                raise NativeCodeError(f"Node could not run the code: {(said or ['no message'])[0]}")
            self.rounds_once = json.loads(ended.stdout)["roundsOnce"]
            found: Array = np.fromfile(folder / "outputs.bin", np.float32)
            return found.reshape(len(images), -1)
