"""Checkpoints: what was stopped and resumed ends in the bits of what never was."""

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from striate.common.errors import StriateValueError
from striate.data.augment import Augment
from striate.layers import BatchNorm, Conv2D, Dense, Dropout, Flatten, ReLU
from striate.network import Network
from striate.optim.optimizers import SGD, AdamW
from striate.training import checkpoint as module
from striate.training.checkpoint import Checkpoint, CheckpointError, notes_in, read, write
from striate.training.history import History
from striate.training.loop import fit
from striate.training.stopping import EarlyStopping
from tests.training.conftest import bars

STEPS = 7  # of an epoch: 100 images in batches of 16, the last one of 4


class Stop(Exception):
    """Ends a training as kill -9 would: nothing is written afterwards."""


def network(seed: int = 0) -> Network:
    layers = [Conv2D(4, 3, padding=1), BatchNorm(), ReLU(), Flatten(), Dropout(0.2), Dense(3)]
    return Network(layers, input_shape=(6, 6, 1), seed=seed)


def train(net: Network, **options: Any) -> History:
    images, labels = bars(100)
    given: dict[str, Any] = {
        "epochs": 4,
        "batch_size": 16,
        "engine": "numpy",
        "progress": False,
        "augment": Augment(shift=1),
        "seed": 5,
    }
    return fit(net, images, labels, **(given | options))


def figures(history: History) -> list[dict[str, Any]]:
    """All of a history but the times."""
    times = ("seconds", "images_per_second")
    return [{k: v for k, v in row.to_dict().items() if k not in times} for row in history]


def same(a: Network, b: Network) -> bool:
    pairs = ((a.flat, b.flat), (a.state_flat, b.state_flat))
    return all(x.tobytes() == y.tobytes() for x, y in pairs)


def stop_at(step: int, how: str) -> Any:
    """A `progress` that ends training after so many steps."""
    done = []

    def watch(progress: Any) -> None:
        done.append(progress)
        if len(done) == step:
            if how == "kill":
                raise Stop
            os.kill(os.getpid(), getattr(signal, how))

    return watch


SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "sgd": {"optimizer": "sgd", "schedule": "cosine", "augment": None},
    "validation": {"validation_fraction": 0.2},
    "early stopping": {
        "validation_fraction": 0.2,
        "early_stopping": EarlyStopping(2),
        "epochs": 9,
        "learning_rate": 0.05,
    },
    "weights": {"class_weight": {0: 2.0, 1: 1.0, 2: 0.5}, "sample_weight": np.arange(100) / 50},
    "own function": {"augment": lambda images, rng: images[:, ::-1] + rng.integers(9)},
    "alternate": {"augment": Augment(flip="alternate", brightness=0.1)},
}

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")


@posix
@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("step", [1, 3, 5, 6, 7, 8, 14, 19])  # 5 or 7 of an epoch
def test_stopped_anywhere_and_resumed(tmp_path: Path, engine: str, name: str, step: int) -> None:
    options = {**SETTINGS[name], "engine": engine}
    whole = network()
    undisturbed = train(whole, **options)
    path = tmp_path / "c"
    first = network()
    stopped = train(first, **options, checkpoint=path, progress=stop_at(step, "SIGTERM"))
    assert stopped.interrupted and stopped.stopped_by == "SIGTERM"
    assert path.exists()
    second = network()
    resumed = train(second, **options, checkpoint=path, resume=True, threads=2)
    assert same(second, whole)
    assert figures(resumed) == figures(undisturbed)
    assert (resumed.best_epoch, resumed.stopped_early, resumed.stopped_by) == (
        undisturbed.best_epoch,
        undisturbed.stopped_early,
        undisturbed.stopped_by,
    )
    assert not resumed.interrupted
    assert os.listdir(tmp_path) == []  # it is finished


@posix
@pytest.mark.parametrize("seed", range(4))
def test_stopped_again_and_again(tmp_path: Path, engine: str, seed: int) -> None:
    options = {**SETTINGS["early stopping"], "engine": engine}
    whole = network()
    undisturbed = train(whole, **options)
    rng, stops = np.random.default_rng(seed), 0
    while True:
        how = str(rng.choice(["kill", "SIGINT", "SIGTERM", "SIGHUP"]))
        given = Checkpoint(tmp_path / "c", every=int(rng.integers(1, 3)))
        net = network()
        try:
            history = train(
                net, **options, checkpoint=given, resume=True,
                progress=stop_at(int(rng.integers(1, 20)), how),
            )  # fmt: skip
        except Stop:
            stops += 1
            continue
        if not history.interrupted:
            break
        stops += 1
    assert stops
    assert same(net, whole)
    assert figures(history) == figures(undisturbed)


def test_killed_between_checkpoints_by_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of an epoch too."""
    monkeypatch.setattr(module, "SECONDS", 0.0)
    monkeypatch.setattr(module, "_SHARE", 0.0)
    whole = network()
    undisturbed = train(whole)
    with pytest.raises(Stop):
        train(network(), checkpoint=tmp_path / "c", progress=stop_at(STEPS + 3, "kill"))
    _, state = read(tmp_path / "c")
    assert state.values["step"] == STEPS + 2
    net = network()
    assert figures(train(net, checkpoint=tmp_path / "c", resume=True)) == figures(undisturbed)
    assert same(net, whole)


def test_after_so_many_epochs(tmp_path: Path) -> None:
    found = []

    def watch(progress: Any) -> None:
        path = tmp_path / "c"
        found.append(read(path)[1].values["step"] if path.exists() else 0)

    train(network(), checkpoint=Checkpoint(tmp_path / "c", every=2), progress=watch)
    assert found == [0] * 2 * STEPS + [2 * STEPS] * 2 * STEPS
    train(network(), checkpoint=Checkpoint(tmp_path / "c", every=3, keep=True))
    assert read(tmp_path / "c")[1].values["step"] == 3 * STEPS


def test_every_two_minutes_but_for_a_fiftieth_of_the_time_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Clock:
        now = 1000.0
        written_in = 0.0

        def monotonic(self) -> float:
            return self.now

    clock = Clock()
    monkeypatch.setattr(module, "time", clock)

    def slowly(*_: object) -> None:
        clock.now += clock.written_in

    monkeypatch.setattr(module, "write", slowly)
    made = module.Checkpointer(Checkpoint(tmp_path / "c"), False, dict)
    # A write of three seconds is followed by 150 without one.
    for clock.written_in, wait in ((2.0, 120.0), (3.0, 120.0), (0.0, 150.0)):
        clock.now += wait - 0.5
        assert not made.is_due(1) and not made.is_due(1, 7)
        clock.now += 0.5
        assert made.is_due(1) and made.is_due(1, 7)
        made.write(module.TrainingState())
    every = module.Checkpointer(Checkpoint(tmp_path / "c", every=3), False, dict)
    clock.now += 1e6
    assert [epoch for epoch in range(1, 8) if every.is_due(4, epoch)] == [3, 6]
    assert not every.is_due(3)
    steps = module.Checkpointer(Checkpoint(tmp_path / "c", steps=4), False, dict)
    assert [step for step in range(1, 10) if steps.is_due(step, step)] == [4, 8]
    with pytest.raises(StriateValueError, match=r"every=2 epochs or steps=3, not both"):
        Checkpoint(tmp_path / "c", every=2, steps=3)


def test_a_short_training_writes_none(tmp_path: Path) -> None:
    seen: set[str] = set()
    train(
        network(), checkpoint=tmp_path / "c", on_epoch=lambda row: seen.update(os.listdir(tmp_path))
    )
    assert seen == set()


def test_what_was_finished_is_finished(tmp_path: Path) -> None:
    """A process killed between the end of training and the saving of the model."""
    given = Checkpoint(tmp_path / "c", every=1, keep=True)
    whole, net, rows = network(), network(), []
    options = SETTINGS["early stopping"]
    undisturbed = train(whole, **options, checkpoint=given)
    resumed = train(net, **options, checkpoint=given, resume=True, on_epoch=rows.append)
    assert rows == []
    assert same(net, whole) and figures(resumed) == figures(undisturbed)
    assert resumed.stopped_early == undisturbed.stopped_early


@posix
def test_the_network_that_was_stopped_may_go_on(tmp_path: Path) -> None:
    """As in a notebook, where it is still there; with early stopping it has the best weights."""
    for name in ("plain", "early stopping"):
        options = SETTINGS[name]
        whole, net = network(), network()
        train(whole, **options)
        watch = stop_at(3 * STEPS + 2, "SIGINT")
        train(net, **options, checkpoint=tmp_path / "c", progress=watch)
        train(net, **options, checkpoint=tmp_path / "c", resume=True)
        assert same(net, whole)


def test_divergence_after_a_resume_restores_the_same_weights(tmp_path: Path) -> None:
    """Those of the end of the last epoch, which the checkpoint in the middle of one must have."""

    from striate.optim.schedules import RateSchedule

    class Exploding(RateSchedule):
        name = "exploding"

        def rate(self, step: int, total_steps: int, base: float) -> float:
            return base * (1e-3 if step < 2 * STEPS + 4 else 1e30)

    options: dict[str, Any] = {"schedule": Exploding(), "optimizer": "sgd"}
    whole, net = network(), network()
    with pytest.raises(FloatingPointError):
        train(whole, **options)
    train(network(), **options, checkpoint=tmp_path / "c", progress=stop_at(16, "SIGINT"))
    with pytest.raises(FloatingPointError):
        train(net, **options, checkpoint=tmp_path / "c", resume=True)
    assert same(net, whole)


# What a checkpoint is refused for


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    """A checkpoint in the second epoch."""
    train(network(), checkpoint=tmp_path / "c", progress=stop_at(STEPS + 3, "SIGINT"))
    return tmp_path / "c"


OTHERS: dict[str, tuple[dict[str, Any], str]] = {
    "epochs": ({"epochs": 5}, "epochs 4 there, 5 here"),
    "batch size": ({"batch_size": 32}, "batch size 16 there, 32 here"),
    "sums": ({"reduce_dtype": "bfloat16"}, "reduce dtype None there, bfloat16 here"),
    "seed": ({"seed": 6}, "seed 5 there, 6 here"),
    "optimizer": ({"optimizer": "sgd"}, "optimizer AdamW(.*there, SGD("),
    "rate": ({"learning_rate": 0.01}, "learning rate 0.002 there, 0.01 here"),
    "schedule": ({"schedule": "cosine"}, "schedule OneCycle(.* there, Cosine("),
    "augment": ({"augment": Augment(shift=2)}, "augmentation Augment(.* there"),
    "loss": ({"class_weight": "balanced"}, "other labels"),
    "validation": ({"validation_fraction": 0.2}, "other validation images"),
    "early stopping": (
        {"validation_fraction": 0.2, "early_stopping": 3},
        "early stopping none there, EarlyStopping(patience=3",
    ),
}


@posix
@pytest.mark.parametrize("name", OTHERS)
def test_other_settings_are_refused_with_what_differs(stopped: Path, name: str) -> None:
    options, match = OTHERS[name]
    content, net = stopped.read_bytes(), network()
    with pytest.raises(CheckpointError) as caught:
        train(net, **options, checkpoint=stopped, resume=True)
    message = str(caught.value)
    assert all(part in message for part in match.split(".*")), message
    assert message.startswith(f"{stopped}: is the checkpoint of another training: ")
    assert "--resume any" in message and len(message) <= 500
    assert stopped.read_bytes() == content
    assert (net.flat == network().flat).all()
    # And on demand it goes on, with what is given now.
    history = train(net, **options, checkpoint=stopped, resume="any")
    assert len(history) == options.get("epochs", 4)
    assert np.isfinite(net.flat).all()
    assert not stopped.exists()


@posix
@pytest.mark.parametrize(
    ("options", "first", "count"),
    [
        # The second epoch has had three of its seven steps;
        ({"seed": 6}, (2, 4), 7 * 4 - 10),
        # where batches are others, it begins anew.
        ({"batch_size": 32}, (2, 1), 4 * 3),
        ({"batch_size": 8}, (2, 1), 13 * 3),
        ({"epochs": 1}, None, 0),
    ],
)
def test_another_training_goes_on_where_it_can(
    stopped: Path, options: dict[str, Any], first: Any, count: int
) -> None:
    seen: list[Any] = []
    train(network(), **options, checkpoint=stopped, resume="any", progress=seen.append)
    assert len(seen) == count
    assert not seen or (seen[0].epoch, seen[0].step) == first


@posix
@pytest.mark.parametrize(
    ("step", "epochs", "kept"), [(10, 1, 1), (17, 1, 2), (17, 2, 2), (7, 1, 1)]
)
def test_fewer_epochs_than_were_begun_end_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], step: int, epochs: int, kept: int
) -> None:
    """The part of an epoch that has been is no row of the history."""
    train(network(), checkpoint=tmp_path / "c", progress=stop_at(step, "SIGINT"))
    options: dict[str, Any] = {"epochs": epochs, "resume": "any", "progress": True}
    history = train(network(), checkpoint=tmp_path / "c", **options)
    told = capsys.readouterr().err.splitlines()
    assert told[0].endswith(f"after {epochs} epoch{'s' * (epochs > 1)}")
    assert len(told) == (2 if step == 7 else 1), "only of a whole epoch there is a line"
    assert history.column("epoch") == [*range(1, kept + 1)]
    assert [row.images for row in history] == [100] * kept
    assert not history.interrupted


@posix
def test_other_images_are_refused(stopped: Path) -> None:
    images, labels = bars(100)
    for changed, match in (
        ((np.where(np.arange(100)[:, None, None, None] == 7, 0, images), labels), "other images"),
        ((images.astype(np.float32), labels), "other images"),
        ((images, np.roll(labels, 1)), "other labels"),
        ((images[:90], labels[:90]), "number of images 100 there, 90 here"),
    ):
        with pytest.raises(CheckpointError, match=match):
            fit(
                network(), *changed, epochs=4, batch_size=16, engine="numpy", progress=False,
                augment=Augment(shift=1), seed=5, checkpoint=stopped, resume=True,
            )  # fmt: skip


@posix
def test_another_start_version_or_engine(stopped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CheckpointError, match="other initial weights"):
        train(network(1), checkpoint=stopped, resume=True)
    pytest.importorskip("llvmlite")
    with pytest.raises(CheckpointError, match=r"engine numpy .* there, llvm .* here"):
        train(network(), checkpoint=stopped, resume=True, engine="llvm")
    monkeypatch.setattr("striate.common.version.__version__", "99.1")
    with pytest.raises(CheckpointError, match=r"striate .* there, 99\.1 here"):
        train(network(), checkpoint=stopped, resume=True)


@posix
def test_other_vectors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("llvmlite")
    from striate.engines import llvm
    from striate.nest.target import host

    path = tmp_path / "c"
    train(network(), engine="llvm", checkpoint=path, progress=stop_at(3, "SIGINT"))
    narrow = replace(host(), vector_bytes=16, registers=16, features="")
    monkeypatch.setattr(llvm, "host", lambda **options: narrow)
    with pytest.raises(CheckpointError, match=r"engine llvm .* bits .* there, llvm .* 128 bits"):
        train(network(), engine="llvm", checkpoint=path, resume=True)


@posix
@pytest.mark.parametrize("resume", [True, "any"])
def test_another_network_is_always_refused(stopped: Path, resume: Any) -> None:
    other = Network([Flatten(), Dense(3)], input_shape=(6, 6, 1))
    with pytest.raises(CheckpointError, match="network"):
        train(other, checkpoint=stopped, resume=resume)


@posix
@pytest.mark.parametrize("version", ["0", "2", "10"])
def test_another_version_of_the_format(
    stopped: Path, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts, state = read(stopped)
    monkeypatch.setattr(module, "FORMAT_VERSION", version)
    write(stopped, facts, state)
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match="another version of striate; resume with that one"):
        train(network(), checkpoint=stopped, resume=True)


@posix
def test_every_changed_byte_is_noticed(stopped: Path) -> None:
    content = bytearray(stopped.read_bytes())
    rng = np.random.default_rng(0)
    places = {*range(0, 60, 7), *rng.integers(0, len(content), 60).tolist(), len(content) - 1}
    for place in sorted(places):
        changed = bytearray(content)
        changed[place] ^= 1 << int(rng.integers(8))
        stopped.write_bytes(changed)
        net = network()
        with pytest.raises(StriateValueError, match="checkpoint") as caught:
            train(net, checkpoint=stopped, resume=True)
        assert len(str(caught.value)) <= 500
        assert stopped.read_bytes() == bytes(changed)
    for length in (1, 20, 200, len(content) // 2, len(content) - 1):
        stopped.write_bytes(content[:length])
        with pytest.raises(StriateValueError, match="checkpoint"):
            train(network(), checkpoint=stopped, resume=True)


def test_what_is_no_checkpoint_is_neither_read_nor_replaced(tmp_path: Path) -> None:
    network().save(tmp_path / "model")
    (tmp_path / "notes").write_text("mine")
    for name in ("model", "notes"):
        content = (tmp_path / name).read_bytes()
        for resume in (False, True):
            with pytest.raises(CheckpointError, match="exists and is not a checkpoint"):
                train(network(), checkpoint=tmp_path / name, resume=resume)
        assert (tmp_path / name).read_bytes() == content
    with pytest.raises(CheckpointError, match="is not a regular file"):
        train(network(), checkpoint=tmp_path)
    with pytest.raises(CheckpointError, match="there is no folder"):
        train(network(), checkpoint=tmp_path / "no" / "c")


def test_wrong_arguments(tmp_path: Path) -> None:
    for options, match in (
        ({"resume": True}, "resume needs a checkpoint"),
        ({"resume": "all", "checkpoint": tmp_path / "c"}, 'True, False or "any"'),
        ({"checkpoint": 3}, "path of a file or a Checkpoint"),
    ):
        with pytest.raises((ValueError, TypeError), match=match):
            train(network(), **options)
    with pytest.raises(ValueError, match="every must be at least 1"):
        Checkpoint("c", every=0)


def test_there_need_not_be_one(tmp_path: Path) -> None:
    whole, net = network(), network()
    train(whole)
    train(net, checkpoint=tmp_path / "c", resume=True)
    assert same(net, whole)


# Notes


@posix
def test_notes(stopped: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(network(), checkpoint=stopped, resume=True, progress=True)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"resumed from {stopped} after 1 epoch and 3 steps"
    assert [line.split("  ")[0] for line in lines[1:]] == ["epoch 2/4", "epoch 3/4", "epoch 4/4"]
    train(network(), checkpoint=Checkpoint(stopped, every=2, keep=True), epochs=2)
    train(network(), checkpoint=stopped, resume=True, epochs=2, progress=True)
    assert capsys.readouterr().err == f"resumed from {stopped} after 2 epochs\n"


@posix
def test_a_checkpoint_is_not_replaced_without_a_word(
    stopped: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(network(), checkpoint=stopped, progress=True)
    assert "is there from an earlier training, which can be resumed" in capsys.readouterr().err


@pytest.mark.parametrize("progress", [True, False])
def test_a_checkpoint_that_cannot_be_written_ends_no_training(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    progress: bool,
) -> None:
    whole, net = network(), network()
    train(whole)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "write", full)
    given = Checkpoint(tmp_path / "c", every=1)
    if progress:
        train(net, checkpoint=given, progress=True)
        assert "cannot be written (No space left on device)" in capsys.readouterr().err
    else:  # warnings are errors in these tests
        train(net, checkpoint=given)
    assert same(net, whole)


def test_two_trainings_do_not_share_a_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one is told before it begins; when the first has ended, nothing is left of it."""
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))
    path, seen = tmp_path / "c", []

    def meanwhile(progress: Any) -> None:
        if not seen:
            with pytest.raises(CheckpointError, match=r"c: another training .* under way"):
                train(network(), checkpoint=tmp_path / "." / "c")
            train(network(), checkpoint=tmp_path / "d", epochs=1)
            seen.append(progress)

    train(network(), checkpoint=path, progress=meanwhile)
    train(network(), checkpoint=path, epochs=1)
    assert seen and list(module.cache_dir("trainings").iterdir()) == []


def test_one_that_was_killed_stands_in_nobodys_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "c"
    with module.claimed(path):
        (lock,) = module.cache_dir("trainings").iterdir()
    lock.touch()  # as kill -9 leaves it
    train(network(), checkpoint=path, epochs=1)
    assert not lock.exists()


def test_a_cache_that_cannot_be_written_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "file" / "cache"))
    train(network(), checkpoint=tmp_path / "c", epochs=1)


def test_stopping_from_a_callback(tmp_path: Path) -> None:
    net = network()
    history = train(net, on_epoch=lambda row: row.epoch == 2)
    assert len(history) == 2 and history.stopped_early
    assert history.stopped_by == "on_epoch" and not history.interrupted
    # NumPy's truth is one too; others than truths are not.
    assert len(train(network(), on_epoch=lambda row: np.bool_(row.epoch == 3))) == 3
    assert len(train(network(), on_epoch=lambda row: "yes")) == 4
    last = train(network(), on_epoch=lambda row: row.epoch == 4)
    assert not last.stopped_early and last.stopped_by is None


@pytest.mark.parametrize("optimizer", [SGD(), AdamW()])
def test_the_state_of_an_optimizer_that_was_given(tmp_path: Path, optimizer: Any) -> None:
    whole, net = network(), network()
    kept = type(optimizer)()
    train(whole, optimizer=kept)
    path = tmp_path / "c"
    watch = stop_at(9, "SIGINT")
    train(network(), optimizer=type(optimizer)(), checkpoint=path, progress=watch)
    resumed = type(optimizer)()
    train(net, optimizer=resumed, checkpoint=path, resume=True)
    assert resumed.steps == kept.steps == 4 * STEPS
    for a, b in zip(resumed.state, kept.state, strict=True):
        np.testing.assert_array_equal(a, b)


def test_nothing_is_pickled(tmp_path: Path) -> None:
    """Any reader of safetensors sees what is in it."""
    from safetensors.numpy import load_file

    given = Checkpoint(tmp_path / "c", every=4, keep=True)
    net = network()
    train(net, checkpoint=given)
    found = load_file(tmp_path / "c")
    assert set(found) >= {"now/weights", "now/statistics", "optimizer/state_0"}
    np.testing.assert_array_equal(found["now/weights"], net.flat)
    facts, state = read(tmp_path / "c")
    write(tmp_path / "d", facts, state)
    assert (tmp_path / "d").read_bytes() == (tmp_path / "c").read_bytes()


@posix
def test_a_signal_after_the_last_step_interrupts_nothing(tmp_path: Path) -> None:
    """Training is complete then, be it by its epochs or by early stopping."""

    def at(epoch: int) -> Any:
        return lambda row: os.kill(os.getpid(), signal.SIGTERM) if row.epoch == epoch else None

    history = train(network(), checkpoint=tmp_path / "c", on_epoch=at(4))
    assert not history.interrupted and history.stopped_by is None
    options = SETTINGS["early stopping"]
    last = len(train(network(), **options))
    history = train(network(), **options, checkpoint=tmp_path / "c", on_epoch=at(last))
    assert not history.interrupted and history.stopped_by == "early stopping"
    assert os.listdir(tmp_path) == []


@posix
def test_a_signal_during_the_validation_of_an_epoch(tmp_path: Path) -> None:
    whole, net = network(), network()
    options = SETTINGS["early stopping"]
    undisturbed = train(whole, **options)
    rows: list[int] = []

    def watch(row: Any) -> None:
        rows.append(row.epoch)
        if len(rows) == 2:
            os.kill(os.getpid(), signal.SIGHUP)

    stopped = train(network(), **options, checkpoint=tmp_path / "c", on_epoch=watch)
    assert stopped.stopped_by == "SIGHUP" and len(stopped) == 2
    resumed = train(net, **options, checkpoint=tmp_path / "c", resume=True, on_epoch=watch)
    assert same(net, whole) and figures(resumed) == figures(undisturbed)
    assert rows == [row.epoch for row in undisturbed]  # none twice


@posix
@pytest.mark.parametrize("name", ["ConvNetClassifier", "ConvNetRegressor"])
def test_estimators(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """They build the same network again, and take over the rest."""
    from striate import estimators
    from striate.training import reporters

    images, labels = bars(60)
    kind = getattr(estimators, name)

    def make(**options: Any) -> Any:
        layers = [Flatten(), Dense(4), ReLU(), Dense(1 if name.endswith("Regressor") else 3)]
        given = {"epochs": 6, "engine": "numpy", "random_state": 3, "early_stopping": 4}
        return kind(layers, **(given | options))

    whole = make().fit(images, labels)
    describe = reporters.describe

    def stop(row: Any, epochs: int) -> str:
        if row.epoch == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return describe(row, epochs)

    path = tmp_path / "c"
    with monkeypatch.context() as patch:
        patch.setattr(reporters, "describe", stop)
        stopped = make(verbose=True).fit(images, labels, checkpoint=path)
    assert stopped.history_.interrupted and stopped.n_iter_ == 2
    resumed = make().fit(images, labels, checkpoint=path, resume=True)
    assert resumed.network_.flat.tobytes() == whole.network_.flat.tobytes()
    assert resumed.loss_curve_ == whole.loss_curve_
    assert os.listdir(tmp_path) == []
    with pytest.raises(ValueError, match="a checkpoint needs a random_state"):
        make(random_state=None).fit(images, labels, checkpoint=path)


@posix
def test_a_message_about_many_differences_is_short(stopped: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        train(
            network(1), optimizer="sgd", learning_rate=0.1, epochs=9, seed=9, batch_size=9,
            schedule="step", augment=Augment(rotate=5, zoom=0.1, crop=2, flip=True, cutout=3),
            validation_fraction=0.5, early_stopping=7, checkpoint=stopped, resume=True,
        )  # fmt: skip
    assert "more; give it what it was made with" in str(caught.value)
    assert len(str(caught.value)) <= 500


def test_notes_are_kept_with_each_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "c"
    assert notes_in(path) == {}
    notes = {"plan": {"epochs": 4}}
    with pytest.raises(Stop):
        train(
            network(),
            checkpoint=Checkpoint(path, every=1, notes=notes),
            progress=stop_at(STEPS + 2, "kill"),
        )
    assert notes_in(path) == notes
    # They decide nothing: it is the same training with others, which then are kept.
    whole = network()
    train(whole)
    resumed = network()
    with pytest.raises(Stop):
        train(
            resumed,
            checkpoint=Checkpoint(path, every=1, notes={"other": 1}),
            resume=True,
            progress=stop_at(STEPS + 2, "kill"),
        )
    assert notes_in(path) == {"other": 1}
    train(resumed := network(), checkpoint=Checkpoint(path, every=1, keep=True), resume=True)
    assert same(resumed, whole)
    assert notes_in(path) == {}
    path.write_bytes(path.read_bytes()[:-8])
    assert notes_in(path) == {}
