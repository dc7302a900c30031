"""LARS and LAMB against their formulas in float64, tensor by tensor, and against PyTorch."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from striate import BatchNorm, Conv2D, Dense, Flatten, Network, ReLU
from striate.engines import make_engine
from striate.optim.layerwise import LAMB, LARS, LayerwiseOptimizer
from striate.optim.losses import SoftmaxCrossEntropy
from striate.plan.update.update_rules import is_known

RATES = (0.9, 0.3, 1.7, 0.05)


def small() -> Network:
    """Tensors of many sizes, none but one a multiple of a cache line; one begins with zeros."""
    network = Network(
        [Conv2D(5, (3, 2)), BatchNorm(), ReLU(), Flatten(), Dense(13), ReLU(), Dense(7)], (6, 5, 3)
    )
    network.parameters["dense_2/weights"][...] = 0.0
    return network


def large() -> Network:
    """Tensors of several tasks, and so many numbers that threads share them."""
    return Network([Conv2D(3, 3), Flatten(), Dense(803), Dense(5)], (12, 9, 2))


def gradients_of(network: Network, steps: int, seed: int = 0) -> np.ndarray:
    """Random gradients, of other lengths in each layer; zeros between the parameters."""
    random = np.random.default_rng(seed)
    found = np.zeros((steps, network.flat.size), np.float32)
    for slot in network.slots:
        part = found[:, slot.start : slot.stop]
        part[...] = random.normal(scale=10.0 ** random.uniform(-3, 1), size=part.shape)
    return found


def lars_in_float64(
    p: np.ndarray, g: np.ndarray, state: dict[str, Any], rate: float, decay: float, adapted: bool
    , *, momentum: float = 0.9, trust_coefficient: float = 0.02, eps: float = 1e-8,
) -> np.ndarray:  # fmt: skip
    """One tensor after a step, by the article: the sums written out number by number."""
    ratio = 1.0
    if adapted:
        length = math.sqrt(math.fsum(x * x for x in p.tolist()))
        slope = math.sqrt(math.fsum(x * x for x in g.tolist()))
        if length > 0 and slope > 0:
            ratio = trust_coefficient * length / (slope + decay * length + eps)
    state["v"] = momentum * state.get("v", 0.0) + rate * ratio * (g + decay * p)
    return p - state["v"]


def lamb_in_float64(
    p: np.ndarray, g: np.ndarray, state: dict[str, Any], rate: float, decay: float, adapted: bool
    , *, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-6,
) -> np.ndarray:  # fmt: skip
    """One tensor after a step, by the article."""
    state["t"] = state.get("t", 0) + 1
    state["m"] = beta1 * state.get("m", 0.0) + (1 - beta1) * g
    state["s"] = beta2 * state.get("s", 0.0) + (1 - beta2) * g * g
    mean = state["m"] / (1 - beta1 ** state["t"])
    step = mean / (np.sqrt(state["s"] / (1 - beta2 ** state["t"])) + eps) + decay * p
    ratio = 1.0
    if adapted:
        length = math.sqrt(math.fsum(x * x for x in p.tolist()))
        own = math.sqrt(math.fsum(x * x for x in step.tolist()))
        if length > 0 and own > 0:
            ratio = length / own
    return p - rate * ratio * step


Step = Callable[..., np.ndarray]
CASES: list[tuple[LayerwiseOptimizer, Step, dict[str, float]]] = [
    (LARS(), lars_in_float64, {}),
    (
        LARS(momentum=0.5, weight_decay=0.3, trust_coefficient=0.001, eps=0.1),
        lars_in_float64,
        {"momentum": 0.5, "trust_coefficient": 0.001, "eps": 0.1},
    ),
    (LARS(weight_decay=0.3, trust_coefficient=0.05, eps=0, adapt_all=True), lars_in_float64,
     {"trust_coefficient": 0.05, "eps": 0.0}),
    (LAMB(), lamb_in_float64, {}),
    (LAMB(beta1=0.7, beta2=0.9, eps=0.05, weight_decay=0.4), lamb_in_float64,
     {"beta1": 0.7, "beta2": 0.9, "eps": 0.05}),
    (LAMB(beta1=0.0, weight_decay=0.0, adapt_all=True), lamb_in_float64, {"beta1": 0.0}),
]  # fmt: skip


def expected(
    network: Network, optimizer: LayerwiseOptimizer, step: Step, options: dict[str, float],
    gradients: np.ndarray, rates: tuple[float, ...] = RATES,
) -> np.ndarray:  # fmt: skip
    """All parameters after the steps, in float64."""
    found = network.flat.astype(np.float64)
    for slot in network.slots:
        name = network.nodes[slot.node].name
        if name in network.frozen:
            continue
        factor = network.rates.get(name, 1.0)
        decay = optimizer.weight_decay * slot.parameter.decay
        adapted = optimizer.adapt_all or slot.parameter.decay
        here, state = slice(slot.start, slot.stop), dict[str, Any]()
        for gradient, rate in zip(gradients[:, here].astype(float), rates, strict=True):
            found[here] = step(
                found[here], gradient, state, rate * factor, decay, adapted, **options
            )
    return found


def marched(
    network: Network, optimizer: LayerwiseOptimizer, gradients: np.ndarray, engine: str,
    threads: int = 1, rates: tuple[float, ...] = RATES,
) -> np.ndarray:  # fmt: skip
    """All parameters after steps with given gradients."""
    made = make_engine(network, engine, batch_size=2, loss=SoftmaxCrossEntropy(), threads=threads)
    for gradient, rate in zip(gradients, rates, strict=True):
        made.gradient[...] = gradient
        made.update(optimizer, rate)
    made.close()
    return network.flat.copy()


def close(found: np.ndarray, wanted: np.ndarray) -> None:
    np.testing.assert_allclose(found, wanted, rtol=3e-5, atol=3e-6 * np.abs(wanted).max())


@pytest.mark.parametrize(("optimizer", "step", "options"), CASES)
def test_steps_are_those_of_the_articles(
    optimizer: LayerwiseOptimizer, step: Step, options: dict[str, float], engine: str
) -> None:
    network, used = small(), copy.deepcopy(optimizer)
    gradients = gradients_of(network, len(RATES))
    dead = next(slot for slot in network.slots if slot.parameter.name == "filters")
    gradients[1, dead.start : dead.stop] = 0.0  # a step without a gradient
    wanted = expected(network, used, step, options, gradients)
    assert is_known(used)
    close(marched(network, used, gradients, engine), wanted)
    assert used.steps == len(RATES)


@pytest.mark.parametrize(("optimizer", "step", "options"), [CASES[1], CASES[4]])
def test_frozen_layers_and_rates_of_layers(
    optimizer: LayerwiseOptimizer, step: Step, options: dict[str, float], engine: str
) -> None:
    network, used = small(), copy.deepcopy(optimizer)
    network.freeze("conv2d_1")
    network.set_rate(0.25, "dense_1")
    gradients = gradients_of(network, len(RATES), seed=1)
    before = network.parameters["conv2d_1/filters"].copy()
    wanted = expected(network, used, step, options, gradients)
    close(marched(network, used, gradients, engine), wanted)
    np.testing.assert_array_equal(network.parameters["conv2d_1/filters"], before)


@pytest.mark.parametrize("make", [LARS, LAMB])
@pytest.mark.parametrize("layers", [[], ["batch_norm_1"]])
def test_nothing_to_measure(make: type[LayerwiseOptimizer], layers: list[str], engine: str) -> None:
    """Nothing learns, or what has no trust ratio only."""
    network = small()
    network.freeze()
    network.unfreeze(*layers) if layers else None
    gradients, before = gradients_of(network, len(RATES)), network.flat.copy()
    found = marched(network, make(), gradients, engine)
    for slot in network.slots:
        here = slice(slot.start, slot.stop)
        moved = not np.array_equal(found[here], before[here])
        assert moved == (network.nodes[slot.node].name in layers)


@pytest.mark.parametrize(("optimizer", "step", "options"), [CASES[1], CASES[4]])
def test_large_tensors_have_the_same_bits_for_any_number_of_threads(
    optimizer: LayerwiseOptimizer, step: Step, options: dict[str, float]
) -> None:
    pytest.importorskip("llvmlite")
    start = large()
    gradients = gradients_of(start, 2, seed=2)
    wanted = expected(start, optimizer, step, options, gradients, RATES[:2])
    bits = []
    for threads in (1, 2, 3, 5):
        network, used = copy.deepcopy(start), copy.deepcopy(optimizer)
        found = marched(network, used, gradients, "llvm", threads, RATES[:2])
        close(found, wanted)
        bits.append((found.tobytes(), *(part.tobytes() for part in used.state)))
    assert len(set(bits)) == 1


@pytest.mark.parametrize("optimizer", ["lars", "lamb"])
def test_training_gives_the_same_bits_for_any_number_of_threads(
    problem: Any, make_network: Any, optimizer: str
) -> None:
    found = []
    for threads in (1, 2, 3):
        network = make_network(batch_norm=True, dropout=0.2)
        images, labels = problem(90)
        network.fit(
            images, labels, epochs=2, batch_size=40, groups=3, optimizer=optimizer,
            threads=threads, progress=False,
        )  # fmt: skip
        found.append((network.flat.tobytes(), network.state_flat.tobytes()))
    assert len(set(found)) == 1


@pytest.mark.parametrize("optimizer", ["lars", "lamb"])
def test_no_number_lies_between_the_parameters(
    problem: Any, make_network: Any, engine: str, optimizer: str
) -> None:
    """The norms are over whole cache lines, so what fills the last one up must be 0."""
    images, labels = problem(30)
    network = make_network(batch_norm=True)
    network.fit(
        images, labels, epochs=2, batch_size=10, groups=2, optimizer=optimizer, engine=engine,
        progress=False,
    )  # fmt: skip
    between = np.ones(network.flat.size, bool)
    for slot in network.slots:
        between[slot.start : slot.stop] = False
    assert between.any()
    assert not network.flat[between].any()


@pytest.mark.parametrize("optimizer", ["lars", "lamb"])
def test_training_goes_on_from_a_checkpoint(
    problem: Any, make_network: Any, tmp_path: Path, optimizer: str
) -> None:
    images, labels = problem(60)
    options = {
        "epochs": 4, "batch_size": 30, "optimizer": optimizer, "groups": 2,
        "progress": False,
    }  # fmt: skip
    whole, stopped = make_network(), make_network()
    whole.fit(images, labels, **options)
    file = tmp_path / "checkpoint"

    def interrupt(epoch: Any) -> None:
        if epoch.epoch == 2:
            raise KeyboardInterrupt

    first = copy.deepcopy(stopped)
    with pytest.raises(KeyboardInterrupt):
        from striate.training.checkpoint import Checkpoint

        first.fit(
            images, labels, **options, checkpoint=Checkpoint(file, every=1), on_epoch=interrupt
        )
    history = stopped.fit(images, labels, **options, checkpoint=file, resume=True)
    assert len(history) == 4
    np.testing.assert_array_equal(stopped.flat, whole.flat)


@pytest.mark.parametrize("kind", ["lars", "lamb"])
def test_training_is_that_of_pytorch(kind: str, engine: str) -> None:
    """The same network, images and rates; the rule as PyTorch would have it, with autograd."""
    torch = pytest.importorskip("torch")
    network = Network([Conv2D(4, (3, 2)), ReLU(), Flatten(), Dense(3)], (5, 6, 2), seed=3)
    random = np.random.default_rng(5)
    images = random.normal(size=(24, 5, 6, 2)).astype(np.float32)
    labels = random.integers(0, 3, 24)
    theirs = {
        name: torch.tensor(value, requires_grad=True) for name, value in network.parameters.items()
    }
    ours: LayerwiseOptimizer = LARS(weight_decay=0.01, trust_coefficient=0.1)
    if kind == "lamb":
        ours = LAMB(weight_decay=0.1)
    made = make_engine(network, engine, batch_size=24, loss=SoftmaxCrossEntropy())
    targets, weights = np.eye(3, dtype=np.float32)[labels], np.full(24, 1 / 24, np.float32)
    memory: dict[str, list[Any]] = {name: [0.0, 0.0] for name in theirs}
    for step, rate in enumerate((0.1, 0.2, 0.05, 0.1, 0.1), start=1):
        loss, _ = made.step(images, targets, weights, np.arange(24, dtype=np.uint32))
        made.update(ours, rate)
        x = torch.tensor(images).permute(0, 3, 1, 2)
        x = torch.nn.functional.conv2d(
            x, theirs["conv2d_1/filters"].permute(3, 2, 0, 1), theirs["conv2d_1/bias"]
        ).relu()
        x = x.permute(0, 2, 3, 1).flatten(1) @ theirs["dense_1/weights"] + theirs["dense_1/bias"]
        value = torch.nn.functional.cross_entropy(x, torch.tensor(labels))
        assert loss == pytest.approx(value.item(), rel=1e-4)
        for tensor in theirs.values():
            tensor.grad = None
        value.backward()
        with torch.no_grad():
            for name, p in theirs.items():
                adapted = not name.endswith("bias")
                decay = ours.weight_decay if adapted else 0.0
                first, second = memory[name]
                if kind == "lars":
                    trust = torch.tensor(1.0)
                    if adapted:
                        trust = 0.1 * p.norm() / (p.grad.norm() + decay * p.norm() + 1e-8)
                    first = 0.9 * first + rate * trust * (p.grad + decay * p)
                    p -= first
                else:
                    first = 0.9 * first + 0.1 * p.grad
                    second = 0.999 * second + 0.001 * p.grad.square()
                    update = first / (1 - 0.9**step)
                    update = update / ((second / (1 - 0.999**step)).sqrt() + 1e-6) + decay * p
                    trust = p.norm() / update.norm() if adapted else torch.tensor(1.0)
                    p -= rate * trust * update
                memory[name] = [first, second]
    for name, value in network.parameters.items():
        np.testing.assert_allclose(value, theirs[name].detach(), rtol=1e-3, atol=2e-4)


def test_all_of_a_flat_buffer_is_one_tensor() -> None:
    flat, gradient = np.array([3.0, 4.0], np.float32), np.array([0.0, 2.0], np.float32)
    LARS(momentum=0.0, trust_coefficient=0.1, eps=0.0).apply(
        flat, gradient, np.ones(2, np.float32), 1.0
    )
    # |p| = 5 and |g| = 2: a step of 0.1 · 5 along the gradient.
    np.testing.assert_allclose(flat, [3.0, 3.5])


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (LARS, {"momentum": 1.0}, "lars: momentum must be at least 0 and below 1, not 1.0"),
        (LARS, {"weight_decay": -1.0}, "lars: weight_decay must be finite and at least 0"),
        (LARS, {"trust_coefficient": 0.0}, "lars: trust_coefficient must be above 0, or no step"),
        (LARS, {"trust_coefficient": math.inf}, "lars: trust_coefficient must be finite"),
        (LARS, {"eps": -1e-8}, "lars: eps must be finite and at least 0"),
        (LAMB, {"beta1": 1.0}, "lamb: beta1 must be at least 0 and below 1"),
        (LAMB, {"beta2": -0.1}, "lamb: beta2"),
        (LAMB, {"eps": 0.0}, "lamb: eps must be above 0, or a zero gradient divides by zero"),
        (LAMB, {"weight_decay": math.nan}, "lamb: weight_decay"),
    ],
)
def test_bad_hyperparameters_are_told(
    make: type[LayerwiseOptimizer], options: dict[str, float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("make", [LARS, LAMB])
def test_what_is_no_truth_value_is_told(make: type[LayerwiseOptimizer]) -> None:
    with pytest.raises(TypeError, match=f"{make.kind}: adapt_all must be True or False, not 'no'"):
        make(adapt_all="no")  # type: ignore[call-arg]
