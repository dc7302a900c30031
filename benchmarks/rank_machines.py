"""Machines for ranks, where there is but one: two network namespaces, joined by a line (Linux, as
root).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from striate.ranks.mpiexec import program

WHO = "this study"
"""What needs `mpiexec`, for messages."""
ADDRESSES = ("10.77.0.1", "10.77.0.2")


def why_no_machines() -> str | None:
    """Why there cannot be two of them here; None if there can."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "network namespaces need Linux, and root"
    if shutil.which("ip") is None:
        return "there is no program ip (Debian: apt install iproute2)"
    tried = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True)
    return None if tried.returncode == 0 else tried.stderr.strip()


@contextmanager
def two_machines(gbit: float | None = None) -> Iterator[tuple[list[str], dict[str, str]]]:
    """How to start ranks in two network namespaces, in turn, and their environment.

    Args:
        gbit: what the line between them carries, in Gbit/s; None for as much as it can.
    """
    names, addresses = [f"striate-{os.getpid()}-{end}" for end in "ab"], ADDRESSES

    def run(*command: str) -> None:
        subprocess.run(command, check=True)

    with tempfile.TemporaryDirectory() as folder:
        launcher = Path(folder, "launcher")
        # Hydra calls it with the name of a host, which is the address of one here, and a command.
        cases = " ".join(f"{ip}) space={name};;" for name, ip in zip(names, addresses, strict=True))
        launcher.write_text(
            '#!/bin/sh\nwhile [ "${1#-}" != "$1" ]; do shift; done  # options of ssh\n'
            f'case "$1" in {cases} esac\nshift\nexec ip netns exec "$space" sh -c "$*"\n'
        )
        launcher.chmod(0o755)
        try:
            for name in names:
                run("ip", "netns", "add", name)
            run("ip", "link", "add", "sa", "netns", names[0], "type", "veth",
                "peer", "name", "sa", "netns", names[1])  # fmt: skip
            for name, address in zip(names, addresses, strict=True):
                inside = ("ip", "netns", "exec", name)
                run(*inside, "ip", "address", "add", f"{address}/24", "dev", "sa")
                run(*inside, "ip", "link", "set", "sa", "up")
                run(*inside, "ip", "link", "set", "lo", "up")
                if gbit is not None:
                    run(*inside, "tc", "qdisc", "add", "dev", "sa", "root", "tbf", "rate",
                        f"{gbit}gbit", "burst", "256kb", "latency", "50ms")  # fmt: skip
            for name in names:
                _wait_for_line(name)
            yield (
                ["ip", "netns", "exec", names[0], program("mpiexec", WHO),
                 "-launcher", "ssh", "-launcher-exec", str(launcher),
                 "-hosts", ",".join(addresses), "-iface", "sa", "-ppn", "1"],
                {"UCX_TLS": "tcp", "UCX_NET_DEVICES": "sa", "FI_PROVIDER": "tcp"},
            )  # fmt: skip
        finally:
            for name in names:
                subprocess.run(["ip", "netns", "delete", name], check=False)


def _wait_for_line(space: str) -> None:
    """Return when the line of a namespace is up, which takes a moment."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        state = subprocess.run(
            ["ip", "-n", space, "link", "show", "sa"], capture_output=True, text=True, check=True
        )
        if "state UP" in state.stdout:
            return
        time.sleep(0.05)
    raise SystemExit(f"the line of the namespace {space} does not come up")
