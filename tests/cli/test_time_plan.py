"""``striate train --minutes``: the plan, what is kept of it, and that training follows it."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from striate.cli import time_plan, train
from striate.common.errors import StriateMemoryError
from striate.model import files
from striate.model.work import multiply_adds_of_nodes
from striate.network import load
from striate.ranks.exchange import Exchange
from striate.training import reporters, step_timing
from striate.training.step_timing import StepTiming
from tests.ranks.rank_threads import on_ranks

Run = Callable[..., Any]
Refused = Callable[..., str]

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")


@pytest.fixture
def photos(in_tmp: Path) -> Path:
    """Sixteen photographs of 120×160 and 120×161 pixels, of two classes."""
    rng = np.random.default_rng(0)
    for index in range(16):
        folder = in_tmp / "photos" / ["cat", "dog"][index % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 200, (120, 160 + index % 3, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.jpg")
    return in_tmp / "photos"


@pytest.fixture
def speed(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], list[tuple[int, ...]]]:
    """Set how many seconds a multiply-add takes, and let the command have begun just now; return
    the list of what is timed from then on.
    """

    def set_speed(seconds: float) -> list[tuple[int, ...]]:
        timed: list[tuple[int, ...]] = []

        def time_steps(network: Any, images: Any, *arguments: Any, **options: Any) -> StepTiming:
            timed.append(images.shape)
            return StepTiming(seconds * sum(multiply_adds_of_nodes(network)), 0.0)

        monkeypatch.setattr(step_timing, "time_steps", time_steps)
        monkeypatch.setattr(time_plan, "STARTED", time.perf_counter())
        return timed

    return set_speed


QUICK = ("--engine", "numpy", "--no-check", "--seed", 3)
# Multiply-adds of the recipe for 48×64 pixels, forward, in an epoch of 12 images.
SMALL_EPOCH = 12 * 12.4e6


def test_size_and_epochs_follow_the_time(striate: Run, photos: Path, speed: Any) -> None:
    # Of the recipe's 80 epochs 48 would do for 64 pixels, in 20 minutes; there is a third of that.
    timed = speed(1200 / 48 / SMALL_EPOCH)
    outcome = striate("train", "photos", *QUICK, "--minutes", 7.5, "--json", "-o", "m")
    assert outcome.code == 0
    (plan,) = [line for line in outcome.err.splitlines() if line.startswith("Plan for 7.5 ")]
    assert "epochs of 48 × 64 pixels with a network 0.5 times as wide, about 7" in plan
    assert plan.endswith("would do for a network of the usual width")
    # On random images of the sizes that are tried, then on the real ones.
    assert {shape[1:] for shape in timed} == {(48, 64, 3)}
    assert timed[-1][0] == 12
    found = outcome.json["plan"]
    assert found == {
        "minutes": 7.5, "longest_side": 64, "network_width": 0.5, "epochs": outcome.json["epochs"],
    }  # fmt: skip
    assert 40 <= found["epochs"] <= 65
    assert files.information("m")["plan"] == found
    assert load("m").input_shape == (48, 64, 3)
    assert f"Training: {found['epochs']} epochs" in outcome.err


def test_more_time_brings_larger_images(striate: Run, photos: Path, speed: Any) -> None:
    sides = []
    for minutes in (30, 60, 150):
        timed = speed(1000 / SMALL_EPOCH)
        outcome = striate(
            "train", "photos", *QUICK, "--minutes", minutes, "--epochs", 1, "--json", "--flip"
        )
        assert outcome.code == 0
        height, width = load("photos.safetensors").input_shape[:2]
        sides.append(width)
        assert outcome.json["plan"]["network_width"] == 1
        assert outcome.json["epochs"] == 1
        # What is trained is the last that is timed.
        assert timed[-1] == (12, height, width, 3)
    assert sides == [64, 96, 160]  # larger than they are they never become


def test_the_same_model_as_with_these_settings(striate: Run, photos: Path, speed: Any) -> None:
    speed(20 / SMALL_EPOCH)
    common = ("train", "photos", *QUICK, "-o", "m")
    plan = striate(*common, "--minutes", 0.001, "--json").json["plan"]
    assert (plan["longest_side"], plan["network_width"], plan["epochs"]) == (64, 0.25, 3)
    timed = load("m")
    outcome = striate(*common, "--size", "48x64", "--network-width", 0.25, "--epochs", 3)
    assert outcome.code == 0
    assert "plan" not in files.information("m")
    assert np.array_equal(load("m").flat, timed.flat)


@pytest.mark.parametrize(("source", "seconds"), [("photos", 1.0), ("small.npz", 0.4)])
def test_many_processes_follow_the_plan_of_the_first(
    striate: Run, photos: Path, monkeypatch: pytest.MonkeyPatch, source: str, seconds: float
) -> None:
    """All measure together, but by the clock of the first one alone."""
    rng = np.random.default_rng(0)
    np.savez("small.npz", X=rng.integers(0, 256, (40, 5, 6), np.uint8), y=np.arange(40) % 2)
    measured: dict[int, list[Any]] = {0: [], 1: []}

    def time_steps(network: Any, images: Any, *_: Any, exchange: Exchange, **__: Any) -> StepTiming:
        exchange.meet()
        measured[exchange.rank].append((images.shape, network.parameter_count))
        return StepTiming(seconds / 100**exchange.rank, 0.0)

    monkeypatch.setattr(step_timing, "time_steps", time_steps)
    monkeypatch.setattr(time_plan, "STARTED", time.perf_counter())
    given = ["train", source, *map(str, QUICK), "--groups", "2", "-o", "m"]

    def ranks(exchange: Exchange) -> int:
        context = train.train.make_context("train", [*given[1:], "--minutes", "1.3"])
        return train._train(exchange, {k: v for k, v in context.params.items() if k != "processes"})

    assert on_ranks(2, ranks) == [0, 0]
    plan, model = files.information("m")["plan"], load("m")
    assert measured[0] == measured[1] and len(measured[0]) > 1
    assert 3 < plan["epochs"] < 20
    size = ["--size", "48x64"] if source == "photos" else []
    found = ["--network-width", plan["network_width"], "--epochs", plan["epochs"]]
    assert striate(*given, *size, *found).code == 0
    assert np.array_equal(load("m").flat, model.flat)


def test_given_size_network_and_epochs_are_kept(
    striate: Run, photos: Path, network_file: Path, speed: Any
) -> None:
    timed = speed(1e-9)
    outcome = striate(
        "train", "photos", *QUICK, "--minutes", 1, "--size", "9x12", "--network", network_file,
        "--epochs", 2, "--json",
    )  # fmt: skip
    assert "Plan for 1 minute: 2 epochs of 9 × 12 pixels, about " in outcome.err
    assert outcome.json["epochs"] == 2
    assert timed == [(12, 9, 12, 3)]
    # A network of the user's own is neither narrowed nor widened.
    speed(1e-12)
    outcome = striate(
        "train", "photos", *QUICK, "--minutes", 1, "--network", network_file, "--epochs", 1,
        "--json",
    )  # fmt: skip
    assert outcome.json["plan"]["network_width"] == 1
    assert load("photos.safetensors").input_shape == (120, 160, 3)


def test_too_short_a_time(striate: Run, photos: Path, speed: Any) -> None:
    speed(100 / SMALL_EPOCH)
    outcome = striate("train", "photos", *QUICK, "--minutes", 0.001, "--json")
    assert outcome.code == 0
    assert (
        "0 seconds is too short a time: the least that makes sense is 3 epochs of " in outcome.err
    )
    assert outcome.json["epochs"] == 3
    assert outcome.json["plan"]["network_width"] == 0.25


def test_images_that_would_not_fit_into_memory(striate: Run, photos: Path, speed: Any) -> None:
    speed(1e-18)
    common = ("train", "photos", *QUICK, "--minutes", 1, "--epochs", 1, "--json")
    outcome = striate(*common, "--memory", 16 * 72 * 96 * 3)
    assert outcome.json["plan"]["longest_side"] == 96
    outcome = striate(*common, "--memory", 0)
    assert outcome.json["plan"]["longest_side"] == 64
    assert "more than the 0 B that may hold them" in outcome.err


def test_a_network_that_would_not_fit_into_memory(
    striate: Run, photos: Path, speed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    speed(1e-18)
    plain = step_timing.time_steps

    def refuse(network: Any, images: Any, *arguments: Any, **options: Any) -> Any:
        if images.shape[2] > 64:
            raise StriateMemoryError("a step needs 9 GiB of memory")
        return plain(network, images, *arguments, **options)

    monkeypatch.setattr(step_timing, "time_steps", refuse)
    outcome = striate("train", "photos", *QUICK, "--minutes", 1, "--epochs", 1, "--json")
    assert outcome.json["plan"]["longest_side"] == 64


@posix
def test_resume_keeps_the_plan(
    striate: Run, photos: Path, speed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    common = ("train", "photos", *QUICK, "--minutes", 0.5)
    speed(30 / 4 / SMALL_EPOCH)

    def stop(row: Any, epochs: int) -> str:
        os.kill(os.getpid(), signal.SIGTERM)
        return "one epoch"

    with monkeypatch.context() as patch:
        patch.setattr(reporters, "describe", stop)
        assert striate(*common).code == 143
    assert Path("photos.safetensors.checkpoint").exists()
    stopped = files.information("photos.safetensors")
    assert (stopped["epochs"], stopped["interrupted"]) == (1, True)
    # The machine is a hundred times as fast now, and another budget is asked for.
    timed = speed(30 / 400 / SMALL_EPOCH)
    outcome = striate("train", "photos", *QUICK, "--minutes", 2, "--resume", "--json")
    assert outcome.code == 0
    assert timed == []
    assert "Going on with the plan of the checkpoint: " in outcome.err
    assert "resumed from photos.safetensors.checkpoint after 1 epoch" in outcome.err
    resumed = files.information("photos.safetensors")
    assert resumed["plan"] == stopped["plan"] == outcome.json["plan"]
    assert resumed["epochs"] == stopped["plan"]["epochs"] > 1
    # The very model of a training that was not stopped.
    whole = Path("photos.safetensors").read_bytes()
    speed(30 / 4 / SMALL_EPOCH)
    assert striate(*common, "--epochs", resumed["epochs"]).code == 0
    again = load("photos.safetensors")
    Path("photos.safetensors").write_bytes(whole)
    assert np.array_equal(load("photos.safetensors").flat, again.flat)


def test_small_images_get_another_network(striate: Run, in_tmp: Path, speed: Any) -> None:
    speed(1e-18)
    rng = np.random.default_rng(0)
    np.savez("small.npz", X=rng.integers(0, 256, (40, 5, 6), np.uint8), y=np.arange(40) % 2)
    common = ("train", "small.npz", "--engine", "numpy", "--minutes", 1, "--epochs", 1, "--json")
    outcome = striate(*common)
    assert outcome.json["plan"] == {
        "minutes": 1.0, "longest_side": None, "network_width": 4, "epochs": 1,
    }  # fmt: skip
    assert "Conv2D 128 3×3" in outcome.err
    outcome = striate(*common, "--network-width", 0.5)
    assert outcome.json["plan"]["network_width"] == 0.5
    assert "Conv2D 16 3×3" in outcome.err


def test_a_network_of_the_user_has_a_width(
    refused: Refused, in_tmp: Path, network_file: Path
) -> None:
    assert "leave --network-width out" in refused(
        "train", "digits", "--network", network_file, "--network-width", 2
    )


def test_labels_and_numbers(striate: Run, in_tmp: Path, speed: Any) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (60, 8, 8), np.uint8)
    np.savez("labels.npz", X=pixels, y=rng.integers(0, 2, (60, 3)))
    np.savez("numbers.npz", X=pixels, y=rng.normal(size=60))
    for source in (("labels.npz",), ("numbers.npz", "--task", "numbers")):
        speed(1e-7)
        outcome = striate(
            "train", *source, "--engine", "numpy", "--minutes", 0.1, "--epochs", 1, "--json"
        )
        assert outcome.code == 0
        assert outcome.json["plan"]["epochs"] == 1


def test_real_time_is_about_kept(striate: Run, in_tmp: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(time_plan, "STARTED", time.perf_counter())
    begin = time.perf_counter()
    outcome = striate("train", "digits", "--engine", "numpy", "--minutes", 0.02, "--json")
    assert outcome.code == 0
    assert time.perf_counter() - begin < 30
    assert outcome.json["plan"]["epochs"] == outcome.json["epochs"] >= 3


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "x", "10000"])
def test_times_that_make_no_sense(refused: Refused, in_tmp: Path, value: str) -> None:
    assert "--minutes" in refused("train", "digits", "--minutes", value)


def test_a_backbone_has_its_own_time(refused: Refused, in_tmp: Path, model: Path) -> None:
    assert "--minutes is for training from scratch" in refused(
        "train", "digits", "--from", model, "--minutes", 1
    )
