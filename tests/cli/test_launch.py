"""`striate launch`: what it refuses, and a start, a loss and a restart."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from striate.ranks.launching import on_worker, restarts
from tests.cli.conftest import Run

TRAIN = ["--", "train", "digits", "--out", "m.safetensors"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (TRAIN, "give one of --hosts, --ray and --dask"),
        (["--ray", "--dask", "tcp://a:1", *TRAIN], "give one of --hosts, --ray and --dask"),
        (["--hosts", "h", "--ranks", "0", *TRAIN], "Invalid value for '--ranks'"),
        (["--hosts", "h"], 'only train can be launched, as what follows "--"'),
        (["--hosts", "h", "--", "verify", "m"], "only train can be launched"),
        (["--ray", "train", *TRAIN[2:]], "only train can be launched"),
        (["--hosts", "h", *TRAIN[:-2]], "give train --out MODEL, in a folder that all workers see"),
        (["--hosts", "h", *TRAIN, "--processes", "2"], "--ranks says how many"),
        (["--hosts", "h", *TRAIN, "--checkpoint-every", "0"], "leaves nothing to go on from"),
        (["--hosts", "h", *TRAIN, "--epochs", "many"], "Invalid value for '--epochs'"),
        (["--hosts", "h", *TRAIN[:-1], "no/m"], "does not exist"),
        (["--hosts", "h", "train", *TRAIN[2:]], "--hosts h: cannot be read (No such file"),
    ],
)
def test_what_is_refused(
    arguments: list[str], said: str, refused: Callable[..., str], in_tmp: Path
) -> None:
    assert said in refused("launch", *arguments)
    assert not list(in_tmp.iterdir())


@pytest.mark.parametrize(("option", "extra"), [("--ray", "ray"), ("--dask", "dask")])
def test_without_what_reaches_the_workers(
    option: str, extra: str, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    find = sys.modules["striate.common.optional"].find_spec  # type: ignore[attr-defined]
    absent = ("ray", "distributed")
    monkeypatch.setattr(
        "striate.common.optional.find_spec", lambda name: None if name in absent else find(name)
    )
    said = refused("launch", f"{option}=tcp://127.0.0.1:1", *TRAIN)
    assert f"striate launch {option} needs the package " in said
    assert f"pip install 'striate[{extra}]'" in said


@pytest.mark.skipif(
    on_worker.installed_program("mpiexec") is None or sys.platform == "win32",
    reason="pip install 'striate[mpi]'",
)
def test_a_rank_is_lost_on_the_way(
    striate: Run, in_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a script of the shell for the ranks: what they train is tested elsewhere."""
    rank = in_tmp / "rank"
    rank.write_text(
        "#!/bin/sh\nshift 2\n"
        'if [ -e m.safetensors.checkpoint ]; then echo "$*"; exit 143; fi\n'
        ": > m.safetensors.checkpoint; kill -9 $$\n"
    )
    rank.chmod(0o755)
    monkeypatch.setenv(on_worker.PYTHON, str(rank))
    monkeypatch.setattr(restarts, "_PAUSE", 0.0)
    (in_tmp / "hosts").write_text("localhost\n")
    outcome = striate("launch", "--hosts", "hosts", "--restarts", 1, *TRAIN, "--groups", 4)
    assert outcome.code == 143
    assert outcome.out == "train digits --out m.safetensors --groups 4 --resume\n"
    assert outcome.err.splitlines() == [
        "1 rank on localhost",
        "Ranks were lost (a rank was ended from outside); restart 1 of 1",
        "1 rank on localhost",
    ]
