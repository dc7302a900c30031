"""Batches in groups: the sums of the parts, their bits, and what each part sees."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from striate.common.errors import StriateError
from striate.data.augment import Augment
from striate.engines import make_engine
from striate.optim.losses import SoftmaxCrossEntropy
from striate.optim.optimizers import SGD
from striate.plan.inputs import UNCHANGED, ImageChanges, ImagesInPlace
from striate.ranks.sum_tree import largest_blocks, textbook_sum
from striate.training.batches import batch_sizes, group_sizes
from striate.training.grouped_step import GroupedStep
from striate.training.loop import fit
from striate.training.prepare import prepare
from tests.ranks.test_sum_tree import rounded_sum

_CHANGED = ImageChanges(
    factors=np.linspace(0.5, 1.5, 13, dtype=np.float32),
    margin=1,
    places=np.arange(26).reshape(2, 13) % 3,
    padding=np.float32([7]),
    mirrored=np.arange(13) % 2 > 0,
    squares=np.arange(26).reshape(2, 13) % 5,
    side=3,
    colour=np.float32([3]),
)


def train(network: Any, data: Any, **options: Any) -> Any:
    settings = {"epochs": 2, "batch_size": 32, "progress": False, "seed": 3} | options
    return fit(network, *data, **settings)


def prepared(network: Any, images: np.ndarray, labels: np.ndarray, **options: Any) -> Any:
    given = {"loss": None, "class_weight": None, "sample_weight": None, "validation_data": None}
    return prepare(network, images, labels, validation_fraction=0.0, seed=0, **given | options)


@pytest.mark.parametrize("batch_size", [1, 2, 7, 32, 33])
@pytest.mark.parametrize("images", [1, 2, 31, 66, 100])
def test_sizes(images: int, batch_size: int) -> None:
    for groups in range(1, batch_size + 1):
        largest = -(-batch_size // groups)
        for count in batch_sizes(images, batch_size):
            sizes = group_sizes(count, batch_size, groups)
            assert sum(sizes) == count and len(sizes) <= groups
            assert min(sizes) >= 1 and max(sizes) <= largest and max(sizes) - min(sizes) <= 1
            if count == batch_size and batch_size % groups == 0:
                assert sizes == [largest] * groups


@pytest.mark.parametrize("groups", [1, 2, 3, 8, 32])
def test_the_sum_of_the_groups(groups: int, problem: Any, make_network: Any, engine: str) -> None:
    """Each step is the sum of what the engine says of each group, in the tree's order."""
    network = make_network(batch_norm=True, dropout=0.3)
    weights = np.random.default_rng(1).uniform(0.5, 2, 77).astype(np.float32)
    data = prepared(network, *problem(77), sample_weight=weights)
    step_engine, own_engine = (
        make_engine(network, engine=engine, batch_size=-(-32 // groups), loss=data.loss)
        for _ in range(2)
    )
    step = GroupedStep(step_engine, network)
    options = {"epochs": 2, "batch_size": 32, "seed": 5, "groups": groups}
    options["augment"] = Augment(shift=1, flip=True)
    with data.training.batches(**options) as source:
        for batch in source:
            before = network.state_flat.copy()
            loss, outputs, *_ = step(batch)
            after = network.state_flat.copy()
            gradients, changes, losses, found = [], [], [], []
            count = len(batch.targets)
            for group in batch.groups:
                network.state_flat[...] = before
                own, some = own_engine.step(group.images, group.targets, group.weights, group.keys)
                gradients.append(own_engine.gradient.copy())
                share = np.float32(len(group.keys) / count)
                changes.append((network.state_flat - before) * share)
                losses.append(own)
                found.append(some.copy())
            np.testing.assert_array_equal(step_engine.gradient, textbook_sum(gradients))
            np.testing.assert_array_equal(outputs, np.concatenate(found))
            assert loss == sum(losses)
            assert sum(float(group.weights.sum()) for group in batch.groups) == pytest.approx(1)
            if groups == 1:
                np.testing.assert_array_equal(after, network.state_flat)
            else:
                np.testing.assert_array_equal(after, before + textbook_sum(changes))
            assert (after != before).any()
            network.state_flat[...] = after


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("places", "are_all"), [
    (range(1), True), (range(4), True), (range(7), True), (range(4), False), (range(3, 8), False),
])  # fmt: skip
def test_several_groups_in_one_program(
    problem: Any, make_network: Any, places: range, are_all: bool, threads: int
) -> None:
    """It has the bits of one step after the other, in place, from batch to batch."""
    network = make_network(batch_norm=True, dropout=0.3)
    images, labels = problem(90)
    data = prepared(network, images, labels)
    together, apart = (
        make_engine(network, engine="llvm", batch_size=13, loss=data.loss, threads=threads)
        for _ in range(2)
    )
    for size, changes in ((13, UNCHANGED), (13, UNCHANGED), (5, UNCHANGED), (9, _CHANGED)):
        random = np.random.default_rng(size)
        before = network.state_flat.copy()
        groups, gradients, expected = [], [], []
        for number in range(len(places)):
            count = size - (number == len(places) - 1)
            rows = random.permutation(90)[:count]
            some = replace(changes, **{
                name: value[..., :count]
                for name in ("factors", "places", "mirrored", "squares")
                if (value := getattr(changes, name)) is not None
            })  # fmt: skip
            weights = random.uniform(0.1, 1, count).astype(np.float32)
            keys = random.integers(0, 1 << 32, count, np.uint32)
            group = ImagesInPlace(images, rows, some), data.training.targets[rows], weights, keys
            groups.append(group)
            loss, outputs = apart.step(*group)
            expected.append((loss, outputs.copy(), network.state_flat.copy()))
            gradients.append(apart.gradient.copy())
            network.state_flat[...] = before
        results = together.step_groups(groups, places, are_all=are_all)
        assert results is not None
        np.testing.assert_array_equal(network.state_flat, before)
        for found, wanted in zip(results.groups, expected, strict=True):
            for one, other in zip(found, wanted, strict=True):
                np.testing.assert_array_equal(one, other)
        for program in together._group_programs.values():
            jobs, own = program._program.jobs, program._plan.program.jobs
            first = [job.calls[0].kernel is own[0].calls[0].kernel for job in jobs]
            assert sum(first) == len(places)
            waits = [
                job.barrier for job, begins in zip(jobs, [*first[1:], True], strict=True) if begins
            ]
            assert all(waits), "a group begins while the one before is added"
        if are_all:
            assert results.sums == []
            np.testing.assert_array_equal(together.gradient, textbook_sum(gradients))
        else:
            for total, block in zip(results.sums, largest_blocks(places), strict=True):
                np.testing.assert_array_equal(total, textbook_sum(gradients[: len(block)]))
                del gradients[: len(block)]
            assert not gradients


def test_without_batch_normalisation_groups_change_little(
    problem: Any, make_network: Any, engine: str
) -> None:
    """The gradient of a batch does not depend on how it is cut but for rounding."""
    network = make_network()
    data = prepared(network, *problem(90), class_weight="balanced")
    found = []
    for groups in (1, 5, 30):
        made = make_engine(network, engine=engine, batch_size=-(-90 // groups), loss=data.loss)
        options = {"epochs": 1, "batch_size": 90, "seed": 5, "groups": groups}
        with data.training.batches(**options) as source:
            (batch,) = source
        assert len(batch.groups) == groups
        loss, *_ = GroupedStep(made, network)(batch)
        found.append((loss, made.gradient.copy()))
    for loss, gradient in found[1:]:
        assert loss == pytest.approx(found[0][0], rel=1e-6)
        largest = np.abs(found[0][1]).max()
        np.testing.assert_allclose(gradient, found[0][1], atol=1e-6 * largest)


def watched(engine: Any) -> list[np.ndarray]:
    """The gradients of an engine's further steps."""
    step, seen = engine.step, []

    def seeing(*given: Any) -> Any:
        result = step(*given)
        seen.append(engine.gradient.copy())
        return result

    engine.step = seeing
    return seen


@pytest.mark.parametrize("groups", [1, 5])
def test_gradients_that_are_added_in_bfloat16(problem: Any, make_network: Any, groups: int) -> None:
    """Losses and running statistics are those of float32."""
    found = []
    for kind, definition in (("float32", textbook_sum), ("bfloat16", rounded_sum)):
        network = make_network(batch_norm=True)
        data = prepared(network, *problem(40))
        made = make_engine(network, engine="numpy", batch_size=-(-40 // groups), loss=data.loss)
        gradients = watched(made)
        options = {"epochs": 1, "batch_size": 40, "seed": 5, "groups": groups}
        with data.training.batches(**options) as source:
            (batch,) = source
        outcome = GroupedStep(made, network, reduce_dtype=kind)(batch)
        np.testing.assert_array_equal(made.gradient, definition(gradients))
        found.append((outcome.loss, network.state_flat.tolist()))
    assert found[0] == found[1]


def test_losses_that_are_called_take_one_group_after_the_other(
    problem: Any, make_network: Any
) -> None:
    network = make_network()
    data = prepared(network, *problem(8), loss=mean_of_squares)
    made = make_engine(network, engine="llvm", batch_size=8, loss=data.loss)
    weights, keys = np.full(8, 0.125, np.float32), np.zeros(8, np.uint32)
    group = (data.training.images, data.training.targets, weights, keys)
    assert made.step_groups([group], range(1), are_all=True) is None


def mean_of_squares(outputs: np.ndarray, targets: np.ndarray) -> tuple[float, np.ndarray]:
    """A loss that gives one number for all images."""
    apart = outputs - targets
    return float((apart**2).mean()), 2 * apart / apart.size


@pytest.mark.parametrize("count", [64, 75])
def test_losses_that_are_means(problem: Any, make_network: Any, engine: str, count: int) -> None:
    """A mean over a group is a part of the mean over the batch."""
    weights = {}
    for groups in (1, 4):
        network = make_network()
        options = {"loss": mean_of_squares, "optimizer": SGD(), "learning_rate": 0.05}
        history = train(network, problem(count), engine=engine, groups=groups, **options)
        weights[groups] = network.flat.copy(), history[-1].loss
    np.testing.assert_allclose(weights[4][0], weights[1][0], atol=2e-6)
    assert weights[4][1] == pytest.approx(weights[1][1], rel=1e-5)


@pytest.mark.parametrize("augment", [None, {"shift": 1, "mixup": 0.4}, "function"])
def test_the_same_bits_for_any_number_of_threads(
    problem: Any, make_network: Any, augment: Any
) -> None:
    def noisy(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return images + rng.integers(0, 20, images.shape).astype(np.uint8)

    found = []
    for threads in (1, 2):
        network = make_network(batch_norm=True, dropout=0.2)
        train(
            network, problem(75), threads=threads, groups=4, validation_fraction=0.2,
            augment=noisy if augment == "function" else augment,
        )  # fmt: skip
        found.append((network.flat.copy(), network.state_flat.copy()))
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_statistics_that_are_kept_stay(problem: Any, make_network: Any) -> None:
    network = make_network(batch_norm=True)
    train(network, problem(), epochs=1)
    network.keep_statistics()
    before = network.state_flat.copy()
    train(network, problem(), groups=3)
    np.testing.assert_array_equal(network.state_flat, before)


def test_it_goes_on_from_a_checkpoint(problem: Any, make_network: Any, tmp_path: Path) -> None:
    whole, stopped = (make_network(batch_norm=True, dropout=0.2) for _ in range(2))
    train(whole, problem(77), groups=4)
    file = tmp_path / "checkpoint"
    first = copy.deepcopy(stopped)
    train(first, problem(77), groups=4, checkpoint=file, on_epoch=_interrupted)
    assert file.exists()
    with pytest.raises(StriateError, match=r"another training: .*groups"):
        train(copy.deepcopy(stopped), problem(77), groups=2, checkpoint=file, resume=True)
    train(stopped, problem(77), groups=4, checkpoint=file, resume=True)
    np.testing.assert_array_equal(stopped.flat, whole.flat)
    np.testing.assert_array_equal(stopped.state_flat, whole.state_flat)


def _interrupted(row: Any) -> None:
    import signal

    signal.raise_signal(signal.SIGINT)


def test_memory_is_that_of_a_group(problem: Any, make_network: Any) -> None:
    made: list[int] = []
    network = make_network()

    class Watched(SoftmaxCrossEntropy):
        def value_and_gradient(self, outputs: Any, targets: Any, weights: Any) -> Any:
            made.append(len(outputs))
            return super().value_and_gradient(outputs, targets, weights)

    train(network, problem(96), engine="numpy", batch_size=48, groups=8, loss=Watched())
    assert made == [6] * 32


@pytest.mark.parametrize("groups", [0, 33, True, 1.5])
def test_what_is_refused(problem: Any, make_network: Any, groups: Any) -> None:
    said = "groups must be (at most batch_size.*33 groups, and 32 images|at least 1|a whole number)"
    with pytest.raises(StriateError, match=said):
        train(make_network(), problem(), groups=groups)
