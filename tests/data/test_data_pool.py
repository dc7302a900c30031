"""Decoding on threads and on worker processes."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from striate.data import worker_pool
from striate.data.decode import BAD, DONE, Chunk, WantedImages, decode_chunk
from striate.data.images import decode_images

TARGET = WantedImages(5, 7, 3)


@pytest.fixture
def paths(tmp_path: Path) -> list[str]:
    rng = np.random.default_rng(0)
    found = []
    for index in range(60):
        path = tmp_path / f"ima\N{LATIN SMALL LETTER G WITH BREVE}e\n {index}.png"
        Image.fromarray(rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)).save(path)
        found.append(str(path))
    Path(found[17]).write_bytes(b"not an image")
    return found


def never(*_: Any, **__: Any) -> Any:
    raise RuntimeError("this is not to be called")


def collect(paths: list[str], **options: Any) -> tuple[np.ndarray, list[int], list[str]]:
    images = np.zeros((len(paths), 5, 7, 3), np.uint8)
    states: list[int] = []
    errors: list[str] = []

    def take(start: int, chunk: Chunk) -> None:
        assert start == len(states)
        good = chunk.states == DONE
        images[start : start + len(good)][good] = chunk.images[good]
        states.extend(chunk.states.tolist())
        errors.extend(sentence for _, sentence in chunk.errors)

    worker_pool.decode_all(paths, TARGET, take, **options)
    return images, states, errors


def test_all_ways_give_the_same(paths: list[str]) -> None:
    plain = collect(paths)
    assert plain[1].count(DONE) == 59
    assert plain[1][17] == BAD
    for options in ({"workers": 3}, {"workers": 2, "processes": True}):
        images, states, errors = collect(paths, **options)
        assert np.array_equal(images, plain[0])
        assert (states, errors) == plain[1:]


@pytest.mark.parametrize(
    ("count", "workers", "sizes"),
    [
        (60, 1, [7] * 8 + [4]),
        (60, 3, [2] * 30),
        (5, 2, [1] * 5),
        (2400, 1, [256] * 9 + [96]),
        (0, 2, []),
    ],
)
def test_files_are_decoded_in_chunks_a_few_ahead(
    count: int, workers: int, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []
    taken: list[int] = []

    def decoded(files: Any, target: WantedImages) -> Any:
        begun.append(len(files))
        return list(files)

    def take(start: int, chunk: Any) -> None:
        assert start == sum(taken)
        assert chunk == names[start : start + len(chunk)]
        taken.append(len(chunk))
        # No more than twice as many as there are workers wait to be taken, however slow that is.
        assert len(begun) <= len(taken) + 2 * workers

    monkeypatch.setattr(worker_pool, "decode_chunk", decoded)
    names = [f"{index}.png" for index in range(count)]
    worker_pool.decode_all(names, TARGET, take, workers=workers)
    assert taken == sizes


def test_processes_do_the_work(paths: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_pool, "decode_chunk", never)
    _, states, _ = collect(paths, workers=2, processes=True)
    assert states.count(DONE) == 59


def test_no_process_is_left(paths: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []
    real = subprocess.Popen

    def watched(*arguments: Any, **options: Any) -> Any:
        started.append(real(*arguments, **options))
        return started[-1]

    monkeypatch.setattr(worker_pool.subprocess, "Popen", watched)
    collect(paths, workers=2, processes=True)
    assert 1 <= len(started) <= 2
    assert [process.returncode for process in started] == [0] * len(started)

    def stop(start: int, chunk: Chunk) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        worker_pool.decode_all(paths, TARGET, stop, workers=2, processes=True)
    assert all(process.returncode is not None for process in started)
    assert not any(thread.name.startswith("striate-decode") for thread in threading.enumerate())


@pytest.mark.parametrize("program", ["/nowhere/python", "", "false", "frozen"])
def test_without_working_processes_it_is_done_here(
    paths: list[str], program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if program == "false":  # a program that starts, ignores its input and ends
        monkeypatch.setattr(worker_pool, "_START", "raise SystemExit(1)")
    elif program == "frozen":  # this program is no interpreter: it would start itself again
        monkeypatch.setattr(sys, "frozen", True, raising=False)
        monkeypatch.setattr(worker_pool.subprocess, "Popen", never)
    else:
        monkeypatch.setattr(sys, "executable", program)
    _, states, _ = collect(paths, workers=2, processes=True)
    assert states.count(DONE) == 59


def test_a_process_that_dies_in_the_middle_of_an_answer(
    paths: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = "import sys; sys.stdin.buffer.readline(); "
    broken += "sys.stdout.write('{\"shape\": [1, 5, 7, 3]}\\n' + 'x' * 20)"
    monkeypatch.setattr(worker_pool, "_START", broken)
    images, states, _ = collect(paths, workers=2, processes=True)
    assert states.count(DONE) == 59
    assert np.array_equal(images, collect(paths)[0])


@pytest.mark.parametrize(
    ("hangs", "expected"),
    [(False, ["close", "close", "wait 5"]), (True, ["close", "close", "wait 5", "kill", "wait"])],
)
def test_a_process_that_hangs_is_killed(hangs: bool, expected: list[str]) -> None:
    done: list[str] = []

    def close() -> None:
        done.append("close")
        raise OSError(32, "Broken pipe")

    def wait(timeout: int | None = None) -> None:
        done.append("wait" if timeout is None else f"wait {timeout}")
        if hangs and timeout is not None:
            raise subprocess.TimeoutExpired("python", timeout)

    pipe = SimpleNamespace(close=close)
    process: Any = SimpleNamespace(
        stdin=pipe, stdout=pipe, wait=wait, kill=lambda: done.append("kill")
    )
    worker_pool._Helpers._stop(process)
    assert done == expected


def test_answers_survive_the_pipe() -> None:
    chunk = Chunk(
        images=np.random.default_rng(0).integers(0, 256, (3, 2, 5, 1), dtype=np.uint8),
        sizes=np.array([[2, 5], [7, 8], [0, 0]], np.int32),
        states=np.array([0, 1, 3], np.uint8),
        peaks=np.array([-1, 1023, -1], np.int32),
        remarks=np.array([0, 4, 1], np.uint8),
        coloured=True,
        errors=[(2, "größer\nals \udcff")],
    )
    stream = io.BytesIO()
    worker_pool._write_chunk(stream, chunk)
    stream.seek(0)
    got = worker_pool._read_chunk(stream)
    for name in ("images", "sizes", "states", "peaks", "remarks"):
        assert np.array_equal(getattr(got, name), getattr(chunk, name))
        assert getattr(got, name).dtype == getattr(chunk, name).dtype
    assert (got.coloured, got.errors) == (chunk.coloured, chunk.errors)
    with pytest.raises(EOFError, match="ended early"):
        worker_pool._read_chunk(io.BytesIO(stream.getvalue()[:-1]))


def test_worker_answers_until_the_end(paths: list[str]) -> None:
    import json
    from dataclasses import asdict

    request = json.dumps({"paths": paths[:2], "target": asdict(TARGET)}).encode() + b"\n"
    answers = io.BytesIO()
    worker_pool.serve(io.BytesIO(request * 2), answers)
    answers.seek(0)
    expected = decode_chunk(paths[:2], TARGET).images
    for _ in range(2):
        assert np.array_equal(worker_pool._read_chunk(answers).images, expected)
    assert not answers.read()


@pytest.mark.skipif(not hasattr(os, "fsencode") or os.name == "nt", reason="file names of POSIX")
def test_names_that_are_not_text(tmp_path: Path) -> None:
    name = os.fsdecode(bytes(tmp_path) + b"/caf\xe9.png")
    try:
        Image.new("RGB", (7, 5)).save(name, format="png")
    except OSError:
        pytest.skip("this file system takes only UTF-8 names")
    _, states, _ = collect([name] * 3, workers=1, processes=True)
    assert states == [DONE] * 3


def test_odd_images_give_no_warning(tmp_path: Path) -> None:
    image = Image.fromarray(np.arange(35, dtype=np.uint8).reshape(5, 7) % 4)
    image.putpalette(bytes(range(12)))
    image.save(tmp_path / "a.png", transparency=bytes([0, 9, 99, 255]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        decode_images([str(tmp_path / "a.png")], max_pixels=40, crew=(2, False))


def test_the_users_script_is_not_run_again(tmp_path: Path) -> None:
    Image.new("RGB", (7, 5), (9, 8, 7)).save(tmp_path / "a.png")
    script = tmp_path / "script.py"
    script.write_text(
        "print('once')\n"
        "from striate.data.images import decode_images\n"
        f"images = decode_images([{str(tmp_path / 'a.png')!r}] * 9, crew=(2, True)).images\n"
        "print(images.shape, images[8, 4, 6].tolist())\n"
    )
    result = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert result.stderr == ""
    assert result.stdout.splitlines() == ["once", "(9, 5, 7, 3) [9, 8, 7]"]
