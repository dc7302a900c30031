"""Exported C, compiled here for this processor."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from striate.common.errors import StriateValueError
from striate.freestanding.exported import Exported
from striate.nest.target import host

_COMPILERS = ("cc", "gcc", "clang")


def compiled_c(exported: Exported) -> tuple[bytes, str]:
    """The object file that the compiler of this machine makes of exported C, and its name.

    Raises:
        ValueError: there is no compiler, or it refuses the file.
    """
    wanted = [os.environ.get("CC", ""), *_COMPILERS]
    compiler = next((found for name in wanted if name and (found := shutil.which(name))), None)
    if compiler is None:
        raise StriateValueError(
            "verify: there is no C compiler here (cc, gcc, clang or $CC); install one, or compile "
            "main.c where there is one: it compares the outputs of a few images"
        )
    own = "-march=native" if host().is_x86 else "-mcpu=native"
    with tempfile.TemporaryDirectory(prefix="striate-") as name:
        folder = Path(name)
        for file, content in exported.files.items():
            (folder / file).write_bytes(content)
        made = subprocess.run(
            [
                *(compiler, "-std=c99", "-O3", own, "-fPIC", "-fno-asynchronous-unwind-tables"),
                *("-fno-stack-protector", "-c", f"{exported.name}.c", "-o", "code.o"),
            ],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            first = (made.stderr.strip().splitlines() or ["no message"])[0]
            raise StriateValueError(f"verify: {compiler} refuses {exported.name}.c: {first}")
        return (folder / "code.o").read_bytes(), Path(compiler).name
