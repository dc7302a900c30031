"""Frozen layers: training leaves them as they are, in both engines, and the plan leaves out their
gradients.
"""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from striate.engines import make_engine
from striate.layers import (
    Add,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GroupedDense,
    Input,
    LocallyConnected2D,
    MaxPool2D,
    ReLU,
)
from striate.model.files import ModelFileError
from striate.network import Network, load
from striate.optim.losses import SoftmaxCrossEntropy, softmax
from striate.optim.optimizers import SGD, AdamW

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.random((37, 12, 11, 3), dtype=np.float32)
LABELS = RANDOM.integers(0, 4, 37)
ENGINES = ("llvm", "numpy")
LAYERS = (
    "conv2d_1", "batch_norm_1", "conv2d_2", "batch_norm_2", "locally_connected2d_1",
    "grouped_dense_1", "dense_1", "dense_2",
)  # fmt: skip
FROZEN = [
    ("conv2d_1", "batch_norm_1"),
    ("conv2d_1", "batch_norm_1", "conv2d_2", "batch_norm_2", "locally_connected2d_1"),
    LAYERS[:-1],
    LAYERS[1:],
    ("conv2d_2",),
    ("batch_norm_2",),
    ("locally_connected2d_1", "grouped_dense_1"),
    ("dense_2",),
    ("conv2d_2", "dense_1"),
]


def network(wide: int = 6) -> Network:
    layers = [
        Conv2D(wide, 3), BatchNorm(), ReLU(), Conv2D(wide, 3, padding="same"), BatchNorm(), ReLU(),
        MaxPool2D(2, uncovered="drop"), LocallyConnected2D(4, 2), Flatten(),
        GroupedDense(12, 4), ReLU(), Dropout(0.2), Dense(9), ReLU(), Dense(4),
    ]  # fmt: skip
    made = Network(layers, (12, 11, 3))
    assert {slot.node for slot in made.slots} == {
        i for i, node in enumerate(made.nodes) if node.name in LAYERS
    }
    return made


def step(made: Network, engine: str, **options: Any) -> tuple[Any, Any]:
    runner = make_engine(made, engine, batch_size=40, loss=SoftmaxCrossEntropy(), **options)
    targets = np.eye(4, dtype=np.float32)[LABELS]
    keys = np.arange(37, dtype=np.uint32)
    _, outputs = runner.step(IMAGES, targets, np.full(37, 1 / 37, np.float32), keys)
    return runner.gradient.copy(), outputs


@pytest.mark.parametrize("frozen", FROZEN, ids=lambda names: f"{len(names)} from {names[0]}")
@pytest.mark.parametrize("wide", [6, 16])
def test_the_engines_agree_and_frozen_gradients_are_not_computed(frozen: Any, wide: int) -> None:
    found = []
    for engine in ENGINES:
        made = network(wide)
        made.state_flat[:] += 0.25  # running statistics that are not the batch's
        made.freeze(*frozen)
        state = {name: value.copy() for name, value in made.state.items()}
        gradient, outputs = step(made, engine)
        found.append((gradient, outputs))
        for slot in made.slots:
            if made.nodes[slot.node].name in frozen:
                assert not gradient[slot.start : slot.stop].any()
            else:
                assert gradient[slot.start : slot.stop].any()
        for name, value in made.state.items():
            same = np.array_equal(value, state[name])
            assert same == (name.split("/")[0] in frozen), name
    np.testing.assert_allclose(found[0][1], found[1][1], atol=1e-4)
    np.testing.assert_allclose(found[0][0], found[1][0], atol=2e-5)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("optimizer", [SGD(weight_decay=0.1), AdamW(weight_decay=0.5)])
def test_training_leaves_them(engine: str, optimizer: Any) -> None:
    made = network()
    optimizer = copy.deepcopy(optimizer)
    options: dict[str, Any] = {"optimizer": optimizer, "epochs": 2, "batch_size": 16}
    options |= {"engine": engine, "progress": False}
    made.fit(IMAGES, LABELS, **options)  # so that the optimiser has momentum
    made.freeze("conv2d_2", "batch_norm_1", "dense_1")
    before = {k: v.copy() for k, v in {**made.parameters, **made.state}.items()}
    made.fit(IMAGES, LABELS, **options)
    for name, value in {**made.parameters, **made.state}.items():
        frozen = name.split("/")[0] in made.frozen
        assert np.array_equal(value, before[name]) == frozen, name
    made.unfreeze("dense_1")
    made.fit(IMAGES, LABELS, **options)
    assert not np.array_equal(made.parameters["dense_1/weights"], before["dense_1/weights"])
    made.unfreeze()
    assert made.frozen == frozenset()


def test_threads_change_no_bit_and_plain_gradient_descent_is_the_same() -> None:
    found = []
    for threads in (1, 2):
        made = network()
        made.freeze(*LAYERS[2:5])
        made.fit(IMAGES, LABELS, epochs=2, batch_size=16, threads=threads, progress=False)
        found.append(made.flat)
    np.testing.assert_array_equal(*found)


def jobs(made: Network) -> int:
    told = made.explain(batch_size=40)
    return len(told.kernels)


def test_the_plan_ends_its_backward_pass_where_nothing_learns() -> None:
    whole, ahead, middle = network(), network(), network()
    ahead.freeze(*LAYERS[:5])
    middle.freeze("conv2d_2")
    labels = [[kernel.label for kernel in n.explain(batch_size=40).kernels]
              for n in (whole, ahead, middle)]  # fmt: skip
    assert any("conv2d_1 backward" in label for label in labels[0])
    assert not any(f"{name} backward" in label for label in labels[1] for name in LAYERS[:5])
    assert any("grouped_dense_1 backward" in label for label in labels[1])
    counts = [sum("conv2d_2 backward" in label for label in some) for some in labels]
    assert 0 < counts[2] < counts[0]


@pytest.mark.parametrize("engine", ENGINES)
def test_branches(engine: str) -> None:
    image = Input((6, 5, 2))
    left = Conv2D(4, 3, padding="same", name="left")(image)
    right = BatchNorm(name="norm")(Conv2D(4, 1, name="right")(image))
    output = Dense(4)(Flatten()(Add()(left, right)))
    made = Network(inputs=image, output=output)
    made.freeze("right", "norm")
    before = made.flat.copy()
    _, gradients = made.gradients(IMAGES[:, :6, :5, :2], LABELS, engine=engine)
    assert set(gradients) == {"left/filters", "left/bias", "dense_1/weights", "dense_1/bias"}
    assert gradients["left/filters"].any()
    np.testing.assert_array_equal(made.flat, before)
    made.unfreeze()
    assert "right/filters" in made.gradients(IMAGES[:, :6, :5, :2], LABELS, engine=engine)[1]


def test_a_loss_of_ones_own() -> None:
    def own(outputs: Any, targets: Any) -> Any:
        shares = softmax(outputs)
        return -(targets * np.log(shares)).sum(axis=1), shares - targets

    made = network()
    made.freeze(*LAYERS[:4])
    known, mine = (made.gradients(IMAGES, LABELS, loss=loss)[1] for loss in (None, own))
    for name, gradient in known.items():
        np.testing.assert_allclose(mine[name], gradient, atol=1e-5)


def test_files_and_copies_keep_it(tmp_path: Path) -> None:
    made = network()
    made.save(tmp_path / "free.safetensors")
    made.freeze("conv2d_1", "dense_2")
    made.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    assert again.frozen == {"conv2d_1", "dense_2"}
    assert load(tmp_path / "free.safetensors").frozen == frozenset()
    assert b'"frozen"' not in (tmp_path / "free.safetensors").read_bytes()
    for other in (copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert other.frozen == made.frozen
    text = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "bad.safetensors").write_bytes(
        text.replace(b'conv2d_1\\",\\"dense_2', b'conv2d_9\\",\\"dense_2')
    )
    with pytest.raises(ModelFileError, match="calls frozen"):
        load(tmp_path / "bad.safetensors")


def test_what_cannot_be_frozen_is_said() -> None:
    made = network()
    with pytest.raises(ValueError, match="no layer 'conv2d_3'; did you mean 'conv2d_"):
        made.freeze("conv2d_3")
    made.freeze("re_lu_1" if "re_lu_1" in [n.name for n in made.nodes] else "relu_1")
    assert made.frozen == frozenset(), "it has no parameters"
    made.freeze()
    assert made.frozen == set(LAYERS)
    with pytest.raises(ValueError, match="nothing to train"):
        made.fit(IMAGES, LABELS, progress=False)
