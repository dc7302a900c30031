from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from striate.data import load
from striate.lab.room_data.training_room import (
    BATCH_SIZE,
    PEAK,
    RATE,
    described,
    learning_data,
    small_network,
)
from striate.layers import Conv2D, Dense, Flatten, MaxPool2D, ReLU
from striate.network import Network
from striate.optim.optimizers import AdamW
from striate.optim.schedules import OneCycle
from striate.training.batches import batch_sizes
from striate.training.random_streams import Stream, generator, image_keys
from tests.lab.node_functions import WEB, called, needs_node

pytestmark = needs_node


def test_the_order_of_images_is_numpys() -> None:
    rng = np.random.default_rng(1)
    cases = [
        (int(seed), int(epoch), int(images))
        for seed, epoch, images in zip(
            [0, 1, 2**32 - 1, 2**32, 2**40 + 3, *rng.integers(0, 2**31, 40)],
            [0, 5, *rng.integers(0, 99, 43)],
            [1, 2, 3, 1438, 5000, *rng.integers(1, 400, 40)],
            strict=True,
        )
    ]
    found = called("maths/training/batches.js", "orderOf", cases)
    for (seed, epoch, images), order in zip(cases, found, strict=True):
        expected = generator(seed, Stream.ORDER, epoch).permutation(np.arange(images))
        assert order == expected.tolist()


def test_keys_batches_and_rates_are_those_of_fit() -> None:
    rows = [0, 1, 7, 1000, 59_999]
    cases = [(seed, epoch, rows) for seed in (0, 3, 2**33 + 1) for epoch in (0, 9)]
    for (seed, epoch, _), keys in zip(
        cases, called("maths/training/batches.js", "imageKeys", cases), strict=True
    ):
        assert keys == image_keys(seed, Stream.DROPOUT, epoch, np.array(rows)).tolist()
    sizes = [(n, b) for n in (1, 2, 3, 64, 65, 129, 1437) for b in (1, 2, 3, 64)]
    assert called("maths/training/batches.js", "batchSizes", sizes) == [
        batch_sizes(*one) for one in sizes
    ]
    recipe = {"rate": 0.3, "peak": 0.25, "start": 25.0, "final": 1e4}
    steps = [(step, total, recipe) for total in (1, 2, 7, 100) for step in range(total)]
    rate = OneCycle(peak=0.25)
    np.testing.assert_allclose(
        called("maths/training/batches.js", "oneCycle", steps),
        [rate(step, total, 0.3) for step, total, _ in steps],
        rtol=1e-13,
    )


def trained_in_node(tmp_path: Path, seed: int, epochs: int, steps: int | None = None) -> Any:
    """What a training has come to, or the first steps of one."""
    file = tmp_path / "data.json"
    file.write_text(json.dumps(learning_data()))
    ran = subprocess.run(
        [
            "node",
            str(Path(__file__).with_name("training_course.mjs")),
            str(WEB),
            str(file),
            str(seed),
            str(epochs),
            *([] if steps is None else [str(steps)]),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_training_in_the_page_is_that_of_fit(tmp_path: Path) -> None:
    found = trained_in_node(tmp_path, seed=3, epochs=1)
    data = load("digits")
    network = small_network(data.train_images.shape[1:], 10)
    losses: list[float] = []
    network.fit(
        data.train_images,
        data.train_labels,
        epochs=1,
        batch_size=BATCH_SIZE,
        optimizer="adamw",
        learning_rate=RATE,
        warmup=PEAK,
        seed=3,
        exact=True,
        portable=True,
        progress=lambda now: losses.append(now.loss),
    )
    steps = np.array(found["losses"])
    sizes = batch_sizes(len(data.train_labels), BATCH_SIZE)
    running = np.cumsum(steps * sizes) / np.cumsum(sizes)
    np.testing.assert_allclose(running[-1], losses[-1], rtol=1e-4)
    np.testing.assert_allclose(found["weights"], network.flat, atol=2e-3)
    right = network.predict_logits(data.test_images).argmax(1) == data.test_labels
    assert abs(found["epochs"][-1]["accuracy"] - right.mean()) <= 1 / len(right)


def random_network(rng: np.random.Generator) -> Network:
    """Layers of the article with uneven sides, strides, dilation and padding."""
    network = Network(
        [
            Conv2D(3, (3, 2), stride=(2, 1), padding=(1, 2, 0, 1), uncovered="drop"),
            ReLU(),
            MaxPool2D((2, 3), stride=(1, 2), uncovered="drop"),
            Conv2D(4, (2, 2), dilation=(1, 2), uncovered="drop"),
            ReLU(),
            Flatten(),
            Dense(5),
        ],
        input_shape=(9, 11, 2),
    )
    network.flat[...] = rng.normal(0, 0.4, network.flat.size)
    return network


def test_values_and_gradients_are_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    rng = np.random.default_rng(5)
    network = random_network(rng)
    shape = described(network)
    pixels = rng.normal(0, 1, (9, 11, 2))
    found = called(
        "maths/network/readable_network.js",
        "passOf",
        [[shape, network.flat.tolist(), pixels.ravel().tolist(), label] for label in (0, 3)],
    )
    tensors = {
        f"{index}.{name}": torch.tensor(array.astype(np.float64), requires_grad=True)
        for index in (0, 3, 6)
        for name, array in network.parameters_of(index).items()
    }

    def value(name: str) -> Any:
        return tensors[name]

    for label, one in zip((0, 3), found, strict=True):
        for tensor in tensors.values():
            tensor.grad = None
        x = torch.tensor(pixels.transpose(2, 0, 1)[None], requires_grad=True)
        steps = [functional.pad(x, (0, 1, 1, 2))]
        steps.append(
            functional.conv2d(
                steps[0], value("0.filters").permute(3, 2, 0, 1), value("0.bias"), (2, 1)
            )
        )
        steps.append(functional.max_pool2d(steps[1].relu(), (2, 3), (1, 2)))
        steps.append(
            functional.conv2d(
                steps[2], value("3.filters").permute(3, 2, 0, 1), value("3.bias"), dilation=(1, 2)
            )
        )
        flat = steps[3].relu().permute(0, 2, 3, 1).flatten(1)
        logits = flat @ value("6.weights") + value("6.bias")
        steps[3].retain_grad()
        loss = functional.cross_entropy(logits, torch.tensor([label]))
        loss.backward()

        def rows(tensor: Any) -> Any:
            return tensor.detach().numpy()[0].transpose(1, 2, 0).ravel()

        assert one["loss"] == pytest.approx(loss.item(), rel=1e-12)
        np.testing.assert_allclose(one["values"][1], rows(steps[1]), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(one["values"][4], rows(steps[3]), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(one["gradients"][0], rows(x.grad), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(one["gradients"][4], rows(steps[3].grad), rtol=1e-9, atol=1e-12)
        gradient = np.array(one["weights"])
        for layer, index in zip(shape["layers"], range(7), strict=True):
            for name, place in layer["weights"].items():
                expected = tensors[f"{index}.{name}"].grad.numpy().ravel()
                own = gradient[place["start"] : place["start"] + expected.size]
                np.testing.assert_allclose(own, expected, rtol=1e-9, atol=1e-12)


def test_a_weight_moves_as_adamw_moves_it() -> None:
    rng = np.random.default_rng(2)
    rule = AdamW(weight_decay=0.1)
    weights = rng.normal(0, 1, 6).astype(np.float32)
    decays = np.array([1, 0, 1, 0, 1, 1], np.float32)
    mean = square = np.zeros(6)
    for step in range(1, 4):
        gradient = rng.normal(0, 0.1, 6).astype(np.float32)
        cases = [
            (
                {
                    "weight": float(weights[i]),
                    "gradient": float(gradient[i]),
                    "mean": float(mean[i]),
                    "square": float(square[i]),
                    "step": step,
                    "rate": 0.01,
                    "decays": bool(decays[i]),
                },
                rule.hyperparameters(),
            )
            for i in range(6)
        ]
        found = called("maths/network/update_rules.js", "adamw", cases)
        rule.apply(weights, gradient, decays, 0.01)
        np.testing.assert_allclose([one["weight"] for one in found], weights, rtol=1e-5)
        mean = np.array([one["mean"] for one in found])
        square = np.array([one["square"] for one in found])
