"""Rates of layers: what the learning rate is multiplied by, as groups of PyTorch have it."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from striate.layers import BatchNorm, Conv2D, Dense, Flatten, MaxPool2D, ReLU
from striate.model.files import ModelFileError
from striate.network import Network, load
from striate.optim.optimizers import SGD, AdamW

RANDOM = np.random.default_rng(1)
IMAGES = RANDOM.random((24, 9, 8, 3), dtype=np.float32)
LABELS = RANDOM.integers(0, 4, 24)
ENGINES = ("llvm", "numpy")
RATES = {"conv2d_1": 0.1, "batch_norm_1": 0.1, "conv2d_2": 0.5, "dense_1": 3.0}
# One batch an epoch, and a rate that stays.
HOW: dict[str, Any] = {
    "epochs": 3, "batch_size": 24, "schedule": "constant", "learning_rate": 0.02, "progress": False
}  # fmt: skip


def network() -> Network:
    layers = [
        Conv2D(7, 3, bias=False), BatchNorm(), ReLU(), Conv2D(6, 2), ReLU(),
        MaxPool2D(2, uncovered="drop"),
        Flatten(), Dense(9), ReLU(), Dense(4),
    ]  # fmt: skip
    made = Network(layers, (9, 8, 3))
    for name, factor in RATES.items():
        made.set_rate(factor, name)
    return made


def optimizers() -> list[Any]:
    return [SGD(weight_decay=0.1), SGD(nesterov=False), AdamW(weight_decay=0.5)]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("number", range(3))
def test_layers_move_as_groups_of_parameters_in_pytorch(engine: str, number: int) -> None:
    torch = pytest.importorskip("torch")
    made = network()
    module = made.to_torch(preprocessing=False)
    optimizer = optimizers()[number]
    made.fit(IMAGES, LABELS, optimizer=optimizer, engine=engine, **HOW)
    mean, std = (np.array(v, np.float32) for v in (made.preprocessing.mean, made.preprocessing.std))
    groups = []
    for name, parameter in module.named_parameters():
        layer, kind = name.rsplit(".", 1)
        decays = kind == "weight" and not layer.startswith("batch_norm")
        groups.append(
            {
                "params": [parameter],
                "lr": 0.02 * RATES.get(layer, 1.0),
                "weight_decay": optimizer.weight_decay if decays else 0.0,
            }
        )
    assert len({group["lr"] for group in groups}) == 4
    if isinstance(optimizer, SGD):
        own = torch.optim.SGD(groups, momentum=0.9, nesterov=optimizer.nesterov)
    else:
        own = torch.optim.AdamW(groups)
    module.train()
    images = torch.from_numpy(((IMAGES - mean) / std).transpose(0, 3, 1, 2).copy())
    for _ in range(3):
        own.zero_grad()
        torch.nn.functional.cross_entropy(module(images), torch.from_numpy(LABELS)).backward()
        own.step()
    again = network()
    again.load_torch(module.state_dict())
    for name, value in made.parameters.items():
        np.testing.assert_allclose(value, again.parameters[name], atol=3e-4, err_msg=name)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_the_engines_agree(optimizer: str) -> None:
    found = []
    for engine in ENGINES:
        made = network()
        made.freeze("conv2d_2")
        made.fit(IMAGES, LABELS, optimizer=optimizer, engine=engine, **HOW)
        found.append(made.flat)
    np.testing.assert_allclose(*found, atol=2e-4)


def test_rates_of_one_change_no_bit_and_threads_none() -> None:
    plain, one = network(), network()
    for made in (plain, one):
        made.set_rate(1.0)
    assert not plain.rates
    one.set_rate(1.0, "dense_2")
    found = [made.flat for made in (plain, one) if made.fit(IMAGES, LABELS, **HOW)]
    np.testing.assert_array_equal(*found)
    shared = []
    for threads in (1, 2):
        made = network()
        made.fit(IMAGES, LABELS, threads=threads, **HOW)
        shared.append(made.flat)
    np.testing.assert_array_equal(*shared)
    assert not np.array_equal(shared[0], found[0])


def test_files_copies_and_branches_keep_them(tmp_path: Path) -> None:
    made = network()
    path = tmp_path / "model.safetensors"
    made.save(path)
    for other in (load(path), copy.deepcopy(made), pickle.loads(pickle.dumps(made)),
                  made.branch(), made.without_heads()):  # fmt: skip
        assert dict(other.rates) == RATES
    text = path.read_bytes()
    for old, new in ((b'"conv2d_1\\":0.1', b'"conv2d_9\\":0.1'), (b":3.0}", b":-.0}"),
                     (b":0.5,", b":[1],")):  # fmt: skip
        assert text.count(old) == 1
        (tmp_path / "bad.safetensors").write_bytes(text.replace(old, new))
        with pytest.raises(ModelFileError, match="rates"):
            load(tmp_path / "bad.safetensors")


def test_another_rate_is_another_training(tmp_path: Path) -> None:
    made = network()
    keep: dict[str, Any] = {**HOW, "checkpoint": tmp_path / "c"}
    from striate.training.checkpoint import Checkpoint

    keep["checkpoint"] = Checkpoint(tmp_path / "c", every=1, keep=True)
    made.fit(IMAGES, LABELS, **keep)
    other = network()
    other.set_rate(0.2, "conv2d_1")
    with pytest.raises(ValueError, match="other rates of layers"):
        other.fit(IMAGES, LABELS, resume=True, **keep)


@pytest.mark.parametrize("factor", [0, -1, float("nan"), float("inf"), "fast", True])
def test_what_is_no_rate_is_said(factor: Any) -> None:
    with pytest.raises((ValueError, TypeError), match="factor"):
        network().set_rate(factor, "dense_1")
    with pytest.raises(ValueError, match="no layer 'dense_7'"):
        network().set_rate(0.5, "dense_7")
