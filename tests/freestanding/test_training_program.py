"""Networks that go on learning as code of their own: run here, bit for bit as the engine learns."""

from __future__ import annotations

import copy
import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from striate.common.errors import StriateError
from striate.engines.llvm import CompiledEngine
from striate.freestanding.training_code.learning import Learning, learning_of
from striate.freestanding.training_code.memory_code import at
from striate.freestanding.training_code.step_numbers import write_numbers
from striate.freestanding.training_code.training_module import TrainingModule
from striate.freestanding.training_code.training_program import TrainingProgram
from striate.layers import Conv2D, Dense, Flatten, Input, ReLU
from striate.nest.ir import Function
from striate.nest.target import Loaded, assemble, host
from striate.network import Network
from striate.optim.losses import FunctionLoss, MeanSquaredError, SigmoidCrossEntropy
from striate.optim.losses import SoftmaxCrossEntropy as SoftmaxLoss
from striate.optim.optimizers import SGD, AdamW, Optimizer
from striate.plan.update.update_rules import NUMBERS, rule_of
from striate.training.prepare import prepare
from tests.freestanding.learning_networks import (
    GuardedMemory,
    data_for,
    others,
    plain,
    residual,
    uneven,
)

KINDS = {"ptr": ctypes.c_void_p, "i32": ctypes.c_int32, "double": ctypes.c_double,
         "float": ctypes.c_float, "void": None}  # fmt: skip


class Learner:
    """Exported code in this process, with memory of its own."""

    def __init__(self, learning: Learning, batch: int, vector_bytes: int) -> None:
        target = host(portable=True).narrowed(vector_bytes, 16)
        self.program = TrainingProgram(learning, target, batch)
        self.made = TrainingModule(self.program, "tested")
        code = assemble(self.made.module.text, target)
        self._functions: dict[str, Callable[..., Any]] = {}
        self._loaded = []
        for signature in self.made.signatures:
            loaded = Loaded(code, f"tested_{signature.name}_on")
            made = ctypes.CFUNCTYPE(
                KINDS[signature.result], *(KINDS[kind] for kind, _ in signature.parameters)
            )
            self._functions[signature.name] = made(loaded.address)
            self._loaded.append(loaded)
        self._constants = GuardedMemory(len(self.made.constants), 0)
        self._constants.bytes[...] = np.frombuffer(self.made.constants, np.uint8)
        self._state = GuardedMemory(self.program.state_bytes, 0xFF)
        self._calls = 0
        self._call("begin", self._state.address, self._constants.address)

    def train(
        self, images: np.ndarray, targets: np.ndarray, keys: np.ndarray, rate: float
    ) -> float:
        whole = self.program.learning.loss
        kind = np.int32 if isinstance(whole, SoftmaxLoss) else np.float32
        arrays = [np.ascontiguousarray(images, np.float32), np.ascontiguousarray(targets, kind)]
        arrays += [np.ascontiguousarray(keys)] * self.made.takes_keys
        addresses = [array.ctypes.data for array in arrays]
        with_memory = (self._state.address, self._constants.address)
        return self._call("train", *addresses, len(images), rate, *with_memory, self._arena())

    def run(self, images: np.ndarray) -> np.ndarray:
        given = np.ascontiguousarray(images, np.float32)
        outputs = np.full((len(images), *self.program.learning.whole.output_shape), 7, np.float32)
        with_memory = (self._state.address, self._constants.address)
        self._call("run", given.ctypes.data, outputs.ctypes.data, *with_memory, self._arena())
        return outputs

    def _arena(self) -> int:
        # NaN, and 12.08: nothing may be left from before.
        self.arena = GuardedMemory(self.made.arena_bytes, (0xFF, 0x41)[self._calls % 2])
        self._calls += 1
        return self.arena.address

    def _call(self, name: str, *arguments: float) -> float:
        found = self._functions[name](*arguments)
        assert self._constants.bytes.tobytes() == self.made.constants
        self._constants.check()
        self._state.check()
        if name != "begin":
            self.arena.check()
        return found

    @property
    def weights(self) -> np.ndarray:
        return self._floats(0, self.program.statistics)

    @property
    def statistics(self) -> np.ndarray:
        return self._floats(self.program.statistics, self.program.optimizer_state)

    @property
    def optimizer_state(self) -> np.ndarray:
        return self._floats(self.program.optimizer_state, self.program.steps)

    @property
    def steps(self) -> int:
        return int(self._state.bytes[self.program.steps :].view(np.int32)[0])

    def _floats(self, begin: int, end: int) -> np.ndarray:
        return self._state.bytes[begin:end].view(np.float32)


class Engine:
    """The same steps by the engine; on what the front sees, if some layers are frozen."""

    def __init__(self, learning: Learning, batch: int) -> None:
        self.network = copy.deepcopy(learning.network)
        self.front = learning.front
        self.loss, self.optimizer = learning.loss, copy.deepcopy(learning.optimizer)
        self.engine = CompiledEngine(
            self.network, batch_size=batch, loss=self.loss, threads=1, exact=True, portable=True
        )

    def seen(self, images: np.ndarray) -> np.ndarray:
        if self.front is None:
            return images
        run = self.front.compile(batch_size=1, exact=True, portable=True, threads=1)
        return np.concatenate([run(image[None]) for image in images])

    def train(
        self, images: np.ndarray, targets: np.ndarray, keys: np.ndarray, rate: float
    ) -> float:
        outputs = self.network.output_shape[0]
        if not isinstance(self.loss, MeanSquaredError):
            targets = self.loss.targets(targets, outputs)
        weights = np.full(len(images), 1 / len(images), np.float32)
        loss, _ = self.engine.step(self.seen(images), targets, weights, keys)
        self.engine.update(self.optimizer, rate)
        return loss

    def run(self, images: np.ndarray) -> np.ndarray:
        engine = CompiledEngine(self.network, batch_size=1, threads=1, exact=True, portable=True)
        return np.concatenate([engine.forward(image[None]) for image in self.seen(images)])


def same(learner: Learner, engine: Engine) -> None:
    np.testing.assert_array_equal(learner.weights, engine.network.flat)
    np.testing.assert_array_equal(learner.statistics, engine.network.state_flat)
    np.testing.assert_array_equal(learner.optimizer_state, np.concatenate(engine.optimizer.state))
    assert learner.steps == engine.optimizer.steps


@pytest.mark.parametrize("make", [plain, residual, uneven])
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_it_learns_the_bits_that_fit_learns(make: Callable[[], Network], optimizer: str) -> None:
    """With all of fit's batches, the last of which has fewer images; by vectors of two lengths."""
    network = make()
    images, labels = data_for(network, 61)
    batch, epochs, rate = 23, 2, 0.02
    fitted = copy.deepcopy(network)
    fitted.fit(
        images, labels, epochs=epochs, batch_size=batch, optimizer=optimizer, learning_rate=rate,
        schedule="constant", exact=True, portable=True, threads=1, progress=False, seed=4,
    )  # fmt: skip
    rule = {"sgd": SGD, "adamw": AdamW}[optimizer]()
    learning = learning_of(network, optimizer=rule)
    assert learning.front is None
    wanted = (16, 32) if optimizer == "adamw" else (16,)
    sizes = [size for size in wanted if size <= host().vector_bytes]
    learners = [Learner(learning, batch, size) for size in sizes]
    data = prepare(network, images, labels, loss=None, class_weight=None, sample_weight=None,
                   validation_data=None, validation_fraction=0.0, seed=4)  # fmt: skip
    with data.training.batches(epochs=epochs, batch_size=batch, seed=4) as batches:
        for one in batches:
            for learner in learners:
                learner.train(
                    one.groups[0].images, one.targets.argmax(axis=1), one.groups[0].keys, rate
                )
    for learner in learners:
        np.testing.assert_array_equal(learner.weights, fitted.flat)
        np.testing.assert_array_equal(learner.statistics, fitted.state_flat)
    assert not np.array_equal(network.flat, fitted.flat)  # it is not changed by being exported
    expected = CompiledEngine(fitted, batch_size=1, threads=1, exact=True, portable=True)
    found = learners[0].run(images[:batch])
    each = [expected.forward(image[None]) for image in images[:batch]]
    np.testing.assert_array_equal(found, np.concatenate(each))


LOSSES = {
    "smooth classes": SoftmaxLoss(0.1),
    "labels": SigmoidCrossEntropy(0.2, [1.0, 2.0, 0.5]),
    "numbers": MeanSquaredError(),
}


@pytest.mark.parametrize("name", list(LOSSES))
@pytest.mark.parametrize("batch", [1, 5])
def test_losses_and_small_batches(name: str, batch: int) -> None:
    made = Network([Conv2D(5, 3, padding="same"), ReLU(), Flatten(), Dense(3)], (3, 4, 2), seed=1)
    made.freeze("conv2d_1")
    learning = learning_of(
        made, loss=LOSSES[name], optimizer=SGD(0.8, nesterov=False, weight_decay=0.1)
    )
    learner, engine = Learner(learning, batch, 16), Engine(learning, batch)
    random = np.random.default_rng(2)
    for count in (batch, max(batch - 2, 1)):
        images = random.normal(size=(count, 3, 4, 2)).astype(np.float32)
        targets = random.integers(0, 2, (count, 3)).astype(np.float32)
        if name == "smooth classes":
            targets = random.integers(0, 3, count)
        keys = np.zeros(count, np.uint32)
        loss = learner.train(images, targets, keys, 0.1)
        assert loss == np.float32(engine.train(images, targets, keys, 0.1))
        same(learner, engine)
    kept = made.parameters["conv2d_1/filters"]
    np.testing.assert_array_equal(learner.weights[: kept.size], kept.ravel())


def test_layers_of_other_kinds() -> None:
    network, batch = others(), 3
    learning = learning_of(network, optimizer="sgd")
    learner, engine = Learner(learning, batch, 16), Engine(learning, batch)
    for seed, count in ((1, batch), (2, batch - 1)):
        images, labels = data_for(network, count + seed)
        given = images[:count], labels[:count], np.zeros(count, np.uint32)
        assert learner.train(*given, 0.02) == np.float32(engine.train(*given, 0.02))
        same(learner, engine)


@pytest.mark.parametrize("first", ["dense_1", "conv2d_2", "relu_2"])
def test_layers_before_one_are_frozen(first: str) -> None:
    network = plain()
    learning = learning_of(network, frozen_until=first, optimizer="sgd")
    assert learning.front is not None
    learned = {name.split("/")[0] for name in learning.network.parameters}
    assert learned == ({"conv2d_2", "dense_1"} if first == "conv2d_2" else {"dense_1"})
    learner, engine = Learner(learning, 6, 16), Engine(learning, 6)
    images, labels = data_for(network, 12)
    for begin, end in ((0, 6), (6, 10)):
        batch = images[begin:end], labels[begin:end], np.zeros(end - begin, np.uint32)
        assert learner.train(*batch, 0.05) == np.float32(engine.train(*batch, 0.05))
        same(learner, engine)
    np.testing.assert_array_equal(learner.run(images[:6]), engine.run(images[:6]))
    whole = TrainingProgram(learning_of(network), host(portable=True), 6)
    assert learner.program.state_bytes < whole.state_bytes


def test_a_sum_across_the_cut_is_frozen_inside() -> None:
    """Where one layer is no place to cut, what is before it is frozen and runs all the same."""
    network = residual()
    learning = learning_of(network, frozen_until="conv2d_2", optimizer="sgd")
    assert learning.front is not None and learning.front.nodes[-1].name == "relu_1"
    learning = learning_of(network, frozen_until="batch_norm_2")
    assert "conv2d_2" in learning.network.frozen and "batch_norm_2" not in learning.network.frozen
    learner, engine = Learner(learning, 4, 16), Engine(learning, 4)
    images, labels = data_for(network, 4)
    batch = images, labels, np.zeros(4, np.uint32)
    assert learner.train(*batch, 0.05) == np.float32(engine.train(*batch, 0.05))
    same(learner, engine)


def test_nothing_is_learned_from_what_is_no_number() -> None:
    network = plain()
    learner = Learner(learning_of(network), 3, 16)
    images, labels = data_for(network, 3)
    keys = np.zeros(3, np.uint32)
    for wrong in (np.nan, np.inf):
        broken = images.copy()
        broken[1, 2, 3, 0] = wrong
        assert not np.isfinite(learner.train(broken, labels, keys, 0.1))
        np.testing.assert_array_equal(learner.weights, network.flat)
        assert learner.steps == 0
    assert np.isfinite(learner.train(images, labels, keys, 0.1))
    assert learner.steps == 1 and not np.array_equal(learner.weights, network.flat)


@pytest.mark.parametrize("first", [None, "dense_1"])
def test_labels_and_counts_beyond_the_memory_leave_it_alone(first: str | None) -> None:
    """The guards around it would tell."""
    network = plain()
    learner = Learner(learning_of(network, frozen_until=first), 3, 16)
    images, _ = data_for(network, 4)
    for label in (-1, 10, 1 << 30, -(1 << 31)):
        learner.train(images[:3], np.full(3, label), np.zeros(3, np.uint32), 0.0)
    names = [name for _, name in learner.made.signatures[1].parameters]
    assert names[2] == "count"
    labels, losses = np.zeros(4, np.int32), {}
    for count in (-5, 0, 1, 3, 4):
        losses[count] = learner._call(
            "train", images.ctypes.data, labels.ctypes.data, count, 0.0,
            learner._state.address, learner._constants.address, learner._arena(),
        )  # fmt: skip
    assert losses[-5] == losses[0] == losses[1] != losses[3] == losses[4]


@pytest.mark.parametrize(
    "optimizer", [AdamW(), AdamW(0.0, 0.5, 1e-5, 0.0), AdamW(0.95, 0.99999), SGD(0.5)]
)
def test_the_numbers_of_steps_are_those_of_python(optimizer: Optimizer) -> None:
    factors = [1.0, 0.3]
    code = Function()
    write_numbers(code, optimizer, factors, "%rate", "%step", at(code, "%table", 0))
    lines = "\n".join(
        [
            *sorted(code.declarations),
            "define void @numbers(double %rate, i32 %step, ptr %table) {",
            "entry:",
            *code.lines,
            "  ret void\n}\n",
        ]
    )
    loaded = Loaded(assemble(lines, host()), "numbers")
    run = ctypes.CFUNCTYPE(None, ctypes.c_double, ctypes.c_int32, ctypes.c_void_p)(loaded.address)
    for step in [*range(1, 60), 1000, 123_456, 2_000_000_000]:
        rate = 0.1 / step
        table = np.zeros((2, NUMBERS), np.float32)
        run(rate, step, table.ctypes.data)
        optimizer.steps = step - 1
        wanted = rule_of(optimizer).numbers
        for row, factor in zip(table, factors, strict=True):
            numbers = np.array(wanted(rate * factor), np.float32)
            np.testing.assert_array_equal(row[: len(numbers)], numbers)
    optimizer.steps = 0


def test_what_cannot_learn_is_refused() -> None:
    made = plain()
    with pytest.raises(StriateError, match="no layer 'conv2d_3' to be frozen until; did you mean"):
        learning_of(made, frozen_until="conv2d_3")
    with pytest.raises(StriateError, match="that Python computes cannot be carried; give soft"):
        learning_of(made, loss=FunctionLoss(lambda outputs, targets: (0.0, outputs)))
    with pytest.raises(StriateError, match="unknown loss 'softmax'"):
        learning_of(made, loss="softmax")
    with pytest.raises(StriateError, match="unknown optimizer 'adam'"):
        learning_of(made, optimizer="adam")
    with pytest.raises(StriateError, match="lars is for large batches and cannot be carried"):
        learning_of(made, optimizer="lars")

    class Own(SGD):
        """Another rule, perhaps."""

    with pytest.raises(StriateError, match="with a rule of its own cannot be carried; give SGD"):
        learning_of(made, optimizer=Own())
    with pytest.raises(StriateError, match="no layer from 'flatten_1' on learns: 1 layer with"):
        made.freeze("dense_1")
        learning_of(made, frozen_until="flatten_1")
    made.freeze()
    with pytest.raises(StriateError, match="no layer learns: 3 layers with weights are frozen"):
        learning_of(made)
    with pytest.raises(StriateError, match="no layer learns: none has weights"):
        learning_of(Network([Flatten()], (2, 3, 1)))
    with pytest.raises(StriateError, match="ends in 6×6×3, but training needs a vector"):
        learning_of(Network([Conv2D(3, 3)], (8, 8, 1)))
    x = Input((6, 6, 1))
    y = Flatten()(Conv2D(2, 3)(x))
    with_head = Network(inputs=x, output=Dense(2)(Dense(3)(y)), heads={"aid": (Dense(2)(y), 0.3)})
    with pytest.raises(StriateError, match=r"auxiliary heads \(aid\) cannot be carried"):
        learning_of(with_head)
