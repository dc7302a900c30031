"""What a file or an argument claims is weighed against the memory that there is."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from striate.common import budget
from striate.common.errors import StriateMemoryError, StriateValueError


def test_more_than_the_machine_has_is_refused_in_one_sentence() -> None:
    with pytest.raises(StriateMemoryError, match=r"^the layer needs 1024\.0 GiB of .*; make it"):
        budget.need(2**40, "the layer", "make it smaller")
    budget.need(budget.WEIGHED + 1, "the layer", "make it smaller")


def test_numbers_without_end_have_no_digits() -> None:
    with pytest.raises(StriateMemoryError, match="more than an exbibyte") as caught:
        budget.need(10**5000, "the layer", "make it smaller")
    assert isinstance(caught.value, MemoryError) and len(str(caught.value)) < 200


def test_counts() -> None:
    budget.at_most(10, 10, "layers", "net.json", "leave some out")
    with pytest.raises(StriateValueError, match=r"^net.json: 11 layers are more than the 10 that"):
        budget.at_most(11, 10, "layers", "net.json", "leave some out")


@pytest.mark.parametrize("path", ["", "job/step"])
def test_limits_of_control_groups(tmp_path: Path, path: str) -> None:
    """Version 2: its own limit and that of the groups above; pages of files can be dropped."""
    membership, own = tmp_path / "cgroup", tmp_path / "fs" / path
    own.mkdir(parents=True)
    membership.write_text(f"0::/{path}\n")
    assert list(budget.control_group_room(membership, tmp_path / "fs")) == []
    (own / "memory.max").write_text("1000\n")
    (own / "memory.current").write_text("700\n")
    (own / "memory.stat").write_text("anon 1\ninactive_file 300\nactive_file 5\n")
    assert list(budget.control_group_room(membership, tmp_path / "fs")) == [600]
    (own / "memory.max").write_text("max\n")
    assert list(budget.control_group_room(membership, tmp_path / "fs")) == []


def test_limits_of_groups_above(tmp_path: Path) -> None:
    membership, own = tmp_path / "cgroup", tmp_path / "job" / "step"
    own.mkdir(parents=True)
    membership.write_text("0::/job/step\n")
    (tmp_path / "job" / "memory.max").write_text("50\n")
    (tmp_path / "job" / "memory.current").write_text("20\n")
    assert list(budget.control_group_room(membership, tmp_path)) == [30]


def test_control_groups_of_version_1(tmp_path: Path) -> None:
    """Of a container, whose group on the host is not to be seen in it."""
    membership, group = tmp_path / "cgroup", tmp_path / "memory"
    group.mkdir()
    membership.write_text("5:devices:/x\n4:cpu,memory:/docker/0123\n0::/\n")
    (group / "memory.limit_in_bytes").write_text("9000\n")
    (group / "memory.usage_in_bytes").write_text("4000\n")
    (group / "memory.stat").write_text("inactive_file 1\ntotal_inactive_file 1500\n")
    assert list(budget.control_group_room(membership, tmp_path)) == [6500]
    (group / "memory.limit_in_bytes").write_text(f"{2**63 - 4096}\n")
    assert list(budget.control_group_room(membership, tmp_path)) == []


def test_without_control_groups(tmp_path: Path) -> None:
    assert list(budget.control_group_room(tmp_path / "none", tmp_path)) == []


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux")
def test_a_limit_of_the_address_space_counts() -> None:
    code = (
        "import resource, pathlib\n"
        "from striate.common.budget import available_memory\n"
        "used = int(pathlib.Path('/proc/self/statm').read_text().split()[0])\n"
        "limit = used * resource.getpagesize() + 2**29\n"
        "resource.setrlimit(resource.RLIMIT_AS, (limit, limit))\n"
        "print(available_memory())"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 2**28 < int(run.stdout) <= 2**29


def test_what_is_free_is_no_more_than_the_machine_has() -> None:
    import os

    total = os.sysconf("SC_PHYS_PAGES") * resource.getpagesize()
    assert 0 < budget.available_memory() <= total


def test_long_messages_keep_their_beginning_and_end() -> None:
    error = StriateValueError("who: " + "x" * 12_000_000 + "; the fix")
    assert len(str(error)) == 500
    assert str(error).startswith("who: xx") and str(error).endswith("xx; the fix")
    assert "…" in str(error)
    assert str(StriateValueError("y" * 500)) == "y" * 500
