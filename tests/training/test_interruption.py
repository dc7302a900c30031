"""Ctrl-C: stops after the step, keeps what there is, and gives the handler back."""

import os
import signal
import sys
import threading

import numpy as np
import pytest

from striate.common import stop_signals
from striate.common.stop_signals import InterruptHandler
from striate.training.loop import fit
from striate.training.stopping import EarlyStopping

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="os.kill sends no Ctrl-C on Windows"
)


def ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(autouse=True)
def handler_is_given_back():
    before = signal.getsignal(signal.SIGINT)
    yield
    assert signal.getsignal(signal.SIGINT) is before
    assert not [t for t in threading.enumerate() if t.name == "striate-prefetch"]


def train(network, data, **options):
    settings = {"epochs": 5, "batch_size": 16, "engine": "numpy", "progress": False} | options
    return fit(network, *data, **settings)


def test_training_stops_after_the_step(problem, make_network, engine):
    steps = []

    def watch(progress):
        steps.append(progress)
        if len(steps) == 9:  # the third step of the second epoch
            ctrl_c()

    network = make_network()
    before = network.flat.copy()
    history = train(network, problem(), progress=watch, engine=engine, validation_fraction=0.0)
    assert len(steps) == 9
    assert history.interrupted
    assert not history.stopped_early
    assert [row.images for row in history] == [96, 48]
    assert (network.flat != before).any()
    assert np.isfinite(network.flat).all()


def test_the_weights_are_those_of_the_steps_made(problem, make_network):
    """What is kept is exactly what training up to there gives."""
    kept = []
    network = make_network()

    def watch(progress):
        if progress.step == 3:
            kept.append(network.flat.copy())
            ctrl_c()

    train(network, problem(), progress=watch)
    np.testing.assert_array_equal(network.flat, kept[0])


def test_between_epochs_too(problem, make_network):
    history = train(
        make_network(), problem(), validation_fraction=0.25, on_epoch=lambda row: ctrl_c()
    )
    assert history.interrupted
    assert len(history) == 1
    assert history[0].val_loss is not None


def test_early_stopping_still_restores_the_best(problem, make_network):
    network = make_network()
    kept = {}

    def watch(progress):
        if progress.epoch == 3:
            ctrl_c()

    history = train(
        network, problem(), validation_fraction=0.25, early_stopping=EarlyStopping(3),
        progress=watch, on_epoch=lambda row: kept.update({row.epoch: network.flat.copy()}),
    )  # fmt: skip
    assert history.interrupted
    assert len(history) == 3
    assert history[2].val_loss is None
    assert history.best_epoch in (1, 2)
    np.testing.assert_array_equal(network.flat, kept[history.best_epoch])


def test_the_second_ctrl_c_raises_at_once(problem, make_network):
    def watch(progress):
        ctrl_c()
        ctrl_c()

    with pytest.raises(KeyboardInterrupt):
        train(make_network(), problem(), progress=watch)


def test_it_says_so(problem, make_network, capsys):
    train(make_network(), problem(), progress=True, on_epoch=lambda row: ctrl_c())
    err = capsys.readouterr().err
    assert "interrupted in epoch 1: training stopped" in err
    assert "the weights are kept as they are" in err


def test_other_threads_train_without_a_handler(problem, make_network):
    handlers, results = [], []

    def work():
        results.append(
            train(
                make_network(),
                problem(),
                epochs=1,
                on_epoch=lambda row: handlers.append(signal.getsignal(signal.SIGINT)),
            )
        )

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [before]
    assert not results[0].interrupted


def test_where_ctrl_c_is_ignored_it_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with InterruptHandler() as interruption:
            ctrl_c()
            assert not interruption.requested
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("where", ["progress", "on_epoch", "augment"])
def test_errors_in_the_users_functions_leave_nothing_behind(problem, make_network, where):
    def fail(*arguments):
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        train(make_network(), problem(), **{where: fail})


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_other_signals_stop_after_the_step_too(problem, make_network, name, capsys):
    number = getattr(signal, name)
    before = signal.getsignal(number)
    steps = []

    def watch(progress):
        steps.append(progress)
        if len(steps) == 4:
            os.kill(os.getpid(), number)

    history = train(make_network(), problem(), progress=watch)
    assert len(steps) == 4
    assert history.interrupted and history.stopped_by == name
    assert signal.getsignal(number) is before
    train(
        make_network(), problem(), progress=True, on_epoch=lambda row: os.kill(os.getpid(), number)
    )
    assert f"stopped by {name} in epoch 1: training stopped" in capsys.readouterr().err


def test_a_programs_own_handler_of_sigterm_stays(problem, make_network):
    seen = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
    try:
        history = train(
            make_network(), problem(), on_epoch=lambda row: os.kill(os.getpid(), signal.SIGTERM)
        )
    finally:
        signal.signal(signal.SIGTERM, before)
    assert seen == [signal.SIGTERM] * 5
    assert not history.interrupted


def test_one_within_another_knows_and_tells(problem, make_network):
    """What came before the inner one stops it; what came in the inner one is known outside."""
    with InterruptHandler() as outer:
        os.kill(os.getpid(), signal.SIGTERM)
        with InterruptHandler() as inner:
            assert inner.requested and inner.number == signal.SIGTERM
    assert outer.number == signal.SIGTERM
    with InterruptHandler() as outer:
        with InterruptHandler() as inner:
            os.kill(os.getpid(), signal.SIGHUP)
            assert inner.requested
        assert outer.requested and outer.number == signal.SIGHUP
        with pytest.raises(KeyboardInterrupt):
            ctrl_c()


def test_a_signal_that_comes_twice_at_once_is_one_request(monkeypatch):
    """As `timeout` sends it, to a process and to its group, and mpiexec that hands it on."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        with InterruptHandler() as outer:
            with InterruptHandler() as inner:
                os.kill(os.getpid(), number)
                os.kill(os.getpid(), number)
            os.kill(os.getpid(), number)
        assert inner.number == outer.number == number
        stopped = []
        with stop_signals.stopping_at_once():
            try:
                os.kill(os.getpid(), number)
            except stop_signals.Stopped as error:
                os.kill(os.getpid(), number)
                stopped.append(error.number)
        assert stopped == [number]


def test_at_once(capfd, monkeypatch):
    from striate.common.stop_signals import Stopped, stopping_at_once

    monkeypatch.setattr(stop_signals, "_ONE_REQUEST", 0.0)
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        with pytest.raises(Stopped) as caught, stopping_at_once():
            os.kill(os.getpid(), number)
        assert caught.value.number == number
        # The second one too, though the first only asks.
        with pytest.raises(Stopped), stopping_at_once(), InterruptHandler():
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), number)
    assert before == [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
