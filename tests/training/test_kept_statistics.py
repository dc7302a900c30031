"""Batch normalisation that is trained on its running statistics: scale and shift learn, these do
not change.
"""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from striate.engines import make_engine
from striate.engines.numpy import NumPyEngine
from striate.layers import (
    Add,
    BatchNorm,
    Conv2D,
    Dense,
    Flatten,
    GlobalAvgPool2D,
    Input,
    MaxPool2D,
    ReLU,
)
from striate.model.container import Container
from striate.model.files import ModelFileError
from striate.network import Network, load
from striate.optim.losses import SoftmaxCrossEntropy
from striate.optim.optimizers import SGD
from tests.small_networks import randomise

ENGINES = ("llvm", "numpy")
NORMS = ("batch_norm_1", "batch_norm_2", "batch_norm_3")


def network(channels: int = 7, seed: int = 0) -> Network:
    """Batch normalisation behind a convolution, in a sum, and of vectors."""
    image = Input((11, 8, 3))
    x = ReLU()(BatchNorm()(Conv2D(channels, 3, padding="same")(image)))
    y = BatchNorm(momentum=0.7, eps=1e-3)(Conv2D(channels, (3, 2), padding=(1, 1, 0, 1))(x))
    x = MaxPool2D(2, uncovered="drop")(ReLU()(Add()(x, y)))
    made = Network(inputs=image, output=Dense(4)(BatchNorm()(Dense(9)(Flatten()(x)))))
    return randomise(made, seed)


def batch(count: int, seed: int = 1) -> tuple[Any, Any]:
    random = np.random.default_rng(seed)
    return random.standard_normal((count, 11, 8, 3), np.float32), random.integers(0, 4, count)


def step(made: Network, runner: Any, images: Any, labels: Any) -> Any:
    count = len(images)
    targets = np.eye(4, dtype=np.float32)[labels]
    keys = np.zeros(count, np.uint32)
    return runner.step(images, targets, np.full(count, 1 / count, np.float32), keys)


@pytest.mark.parametrize("kept", [(), *((name,) for name in NORMS), NORMS[:2]])
@pytest.mark.parametrize("channels", [7, 16, 33])
@pytest.mark.parametrize("count", [6, 21])
def test_the_engines_agree(kept: Any, channels: int, count: int) -> None:
    """For a part of a batch too, whose missing images must not count."""
    images, labels = batch(count)
    found = []
    for engine in ENGINES:
        made = network(channels)
        made.keep_statistics(*kept)  # of none named, of all
        state = {name: value.copy() for name, value in made.state.items()}
        runner = make_engine(made, engine, batch_size=21, loss=SoftmaxCrossEntropy())
        loss, outputs = step(made, runner, images, labels)
        found.append((loss, outputs, runner.gradient.copy(), made.state_flat.copy()))
        for name, value in made.state.items():
            same = name.split("/")[0] in (kept or NORMS)
            assert np.array_equal(value, state[name]) == same, name
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-4)
    for compiled, plain in zip(found[0][1:], found[1][1:], strict=True):
        np.testing.assert_allclose(compiled, plain, atol=2e-5 * np.abs(plain).max())


def test_without_the_batch_the_outputs_are_those_of_prediction() -> None:
    made = network()
    made.keep_statistics()
    images, labels = batch(13)
    for engine in ENGINES:
        runner = make_engine(made, engine, batch_size=13, loss=SoftmaxCrossEntropy())
        _, outputs = step(made, runner, images, labels)
        expected = made.predict_logits(images, engine=engine)
        np.testing.assert_allclose(outputs, expected, atol=1e-5 * np.abs(expected).max())


def test_gradients_by_finite_differences() -> None:
    made = network(5)
    made.keep_statistics("batch_norm_1", "batch_norm_3")
    images, labels = batch(4)
    runner = NumPyEngine(made, batch_size=4, loss=SoftmaxCrossEntropy(), dtype=np.float64)
    state = made.state_flat.copy()
    made.flat[:] = made.flat.astype(np.float16)  # so that small steps are exact

    def loss() -> float:
        made.state_flat[:] = state
        return float(step(made, runner, images, labels)[0])

    loss()
    gradient = runner.gradient.copy()
    for slot in made.slots:
        for index in np.linspace(slot.start, slot.stop - 1, 4).astype(int):
            kept, each = made.flat[index], []
            for sign in (1, -1):
                made.flat[index] = kept + sign * 2.0**-19
                each.append(loss())
            made.flat[index] = kept
            slope = (each[0] - each[1]) * 2.0**18
            assert gradient[index] == pytest.approx(slope, rel=1e-5, abs=1e-6), slot


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("eval_mode", [("norm1",), ("norm1", "norm2")])
def test_three_steps_as_pytorch_makes_them_in_eval(engine: str, eval_mode: Any) -> None:
    torch = pytest.importorskip("torch")
    nn = torch.nn
    made = Network(
        [
            Conv2D(9, 3, padding="same", name="conv1"), BatchNorm(name="norm1"), ReLU(),
            Conv2D(17, 3, stride=2, padding=1, uncovered="drop", name="conv2"),
            BatchNorm(name="norm2"), ReLU(), GlobalAvgPool2D(), Dense(4, name="last"),
        ],
        (11, 8, 3),
    )  # fmt: skip
    random = np.random.default_rng(4)
    for name, value in {**made.parameters, **made.state}.items():
        low = 0.5 if name.endswith(("variance", "scale")) else -0.5
        value[...] = random.uniform(low, low + 1.0, value.shape)
    made.keep_statistics(*eval_mode)
    keys = {
        "bias": "bias", "shift": "bias", "mean": "running_mean", "variance": "running_var",
    }  # fmt: skip
    axes = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}

    def peer(dtype: Any) -> Any:
        own = nn.Sequential()
        for name, layer in (
            ("conv1", nn.Conv2d(3, 9, 3, padding=1)), ("norm1", nn.BatchNorm2d(9)),
            ("relu1", nn.ReLU()), ("conv2", nn.Conv2d(9, 17, 3, stride=2, padding=1)),
            ("norm2", nn.BatchNorm2d(17)), ("relu2", nn.ReLU()),
            ("pool", nn.AdaptiveAvgPool2d(1)), ("flat", nn.Flatten()), ("last", nn.Linear(17, 4)),
        ):  # fmt: skip
            own.add_module(name, layer)
        own = own.to(dtype)
        for name, value in {**made.parameters, **made.state}.items():
            layer, short = name.split("/")
            number = torch.tensor(value, dtype=dtype).permute(axes[value.ndim]).contiguous()
            getattr(getattr(own, layer), keys.get(short, "weight")).data = number
        own.train()
        for name in eval_mode:
            getattr(own, name).eval()
        return own

    peers = [peer(torch.float64), peer(torch.float32)]
    optimizers = [torch.optim.SGD(own.parameters(), lr=0.1, momentum=0.9) for own in peers]
    runner = make_engine(made, engine, batch_size=12, loss=SoftmaxCrossEntropy())
    optimizer = SGD(momentum=0.9, nesterov=False, weight_decay=0.0)
    optimizer.prepare(made.flat.size)
    for number in range(3):
        images, labels = batch(12, number)
        loss, _ = step(made, runner, images, labels)
        runner.update(optimizer, 0.1)
        for own, update in zip(peers, optimizers, strict=True):
            update.zero_grad()
            dtype = own.last.weight.dtype
            outputs = own(torch.tensor(images, dtype=dtype).permute(0, 3, 1, 2))
            value = nn.functional.cross_entropy(outputs, torch.tensor(labels))
            value.backward()
            update.step()
        assert loss == pytest.approx(value.item(), rel=1e-5)
    for name, value in {**made.parameters, **made.state}.items():
        layer, short = name.split("/")
        exact, single = (
            np.asarray(getattr(getattr(own, layer), keys.get(short, "weight")).detach(), float)
            for own in peers
        )
        ours = value.transpose(axes[value.ndim])
        allowed = 3 * np.abs(single - exact).max() + 1e-6 * np.abs(exact).max()
        np.testing.assert_allclose(ours, exact, rtol=0, atol=allowed, err_msg=name)


@pytest.mark.parametrize("engine", ENGINES)
def test_fit_keeps_them_until_told_otherwise(engine: str) -> None:
    made = network()
    images, labels = batch(30)
    options: dict[str, Any] = {"epochs": 2, "batch_size": 8, "engine": engine, "progress": False}
    made.keep_statistics()
    state, flat = made.state_flat.copy(), made.flat.copy()
    made.fit(images, labels, **options)
    np.testing.assert_array_equal(made.state_flat, state)
    for slot in made.slots:
        assert not np.array_equal(made.flat[slot.start : slot.stop], flat[slot.start : slot.stop])
    made.update_statistics("batch_norm_2")
    assert made.kept_statistics == {"batch_norm_1", "batch_norm_3"}
    made.gradients(images, labels, engine=engine)
    changed = [not np.array_equal(made.state_flat[s.start : s.stop], state[s.start : s.stop])
               for s in made.state_slots]  # fmt: skip
    assert changed == [False, False, True, True, False, False]
    made.update_statistics()
    assert made.kept_statistics == frozenset()
    made.gradients(images, labels, engine=engine)
    assert not (made.state_flat[:7] == state[:7]).any()


def test_frozen_as_well_it_is_frozen_batch_normalisation() -> None:
    images, labels = batch(9)
    found = []
    for keep in (False, True):
        made = network()
        made.freeze(*NORMS)
        if keep:
            made.keep_statistics()
        found.append(made.gradients(images, labels)[1])
    assert found[0].keys() == found[1].keys()
    for name, gradient in found[0].items():
        np.testing.assert_array_equal(gradient, found[1][name])


def test_threads_change_no_bit() -> None:
    found = []
    for threads in (1, 2):
        made = network(16)
        made.keep_statistics("batch_norm_1")
        images, labels = batch(40)
        made.fit(images, labels, epochs=2, batch_size=16, threads=threads, progress=False)
        found.append(made.flat)
    np.testing.assert_array_equal(*found)


def test_files_and_copies_keep_it(tmp_path: Path) -> None:
    made = network()
    path = tmp_path / "model.safetensors"
    made.save(path)
    assert "kept_statistics" not in Container(path).metadata
    assert load(path).kept_statistics == frozenset()
    made.keep_statistics("batch_norm_3", "batch_norm_1")
    made.save(path)
    assert Container(path).metadata["format_version"] == "1"
    for other in (load(path), copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert other.kept_statistics == {"batch_norm_1", "batch_norm_3"}
        assert other.frozen == frozenset()
    for wrong in (b'"dense_1"', b'["batch_norm_1"]', b"17", b'"batch_norm_4"'):
        text = path.read_bytes()
        old = b'[\\"batch_norm_1\\",\\"batch_norm_3\\"]'
        new = b"[" + wrong.replace(b'"', b'\\"') + b"]"
        assert old in text
        bad = tmp_path / "bad.safetensors"
        bad.write_bytes(text.replace(old, new + b" " * (len(old) - len(new))))
        with pytest.raises(ModelFileError, match="keeps the statistics of are none of its own"):
            load(bad)


def test_what_cannot_be_kept_is_said() -> None:
    made = network()
    with pytest.raises(ValueError, match="no layer 'batch_norm_4'; did you mean 'batch_norm_"):
        made.keep_statistics("batch_norm_4")
    with pytest.raises(ValueError, match="no layer"):
        made.update_statistics("nothing")
    made.keep_statistics("conv2d_1")
    assert made.kept_statistics == frozenset(), "it has no running statistics"
