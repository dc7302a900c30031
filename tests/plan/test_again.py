"""Values that are computed again: the same bits, and less memory."""

from __future__ import annotations

import numpy as np
import pytest

from striate.engines.llvm import CompiledEngine
from striate.layers import Add, BatchNorm, Conv2D, Dense, GlobalAvgPool2D, Input, ReLU
from striate.nest.target import host
from striate.network import Network, Node
from striate.optim.losses import SoftmaxCrossEntropy
from striate.plan.lowering import recomputation, shard_gradients
from striate.plan.measure.explain import explain
from striate.plan.memory import halo
from striate.plan.runner import Runner

LANES = [1, host().lanes(4)]


def network(blocks: int = 3) -> Network:
    """Sums of sums, and convolutions that only batch normalisation reads."""

    def normalised(x: Node) -> Node:
        return BatchNorm()(Conv2D(7, 3, padding=1, bias=False)(x))

    image = Input((6, 5, 3))
    x = ReLU()(normalised(image))
    for _ in range(blocks):
        x = ReLU()(Add()(x, normalised(ReLU()(normalised(x)))))
    return Network(inputs=image, output=Dense(4)(GlobalAvgPool2D()(Conv2D(5, 1)(x))))


def runner(lanes: int | None = None, blocks: int = 3) -> Runner:
    return Runner(
        network(blocks),
        batch_size=40,
        threads=2,
        training=True,
        loss="softmax_cross_entropy",
        lanes=lanes,
    )


def all_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recomputation, "_LARGE", 0)
    for limit in ("_CHEAP", "_CHEAP_EARLY", "_SHARE"):
        monkeypatch.setattr(recomputation, limit, 1000)
    monkeypatch.setattr(halo, "_LARGE", 0)
    monkeypatch.setattr(shard_gradients, "_LARGE", 0)


def labels(made: Runner) -> set[str]:
    recorder = made.plan.recording
    return {step.label for stage in recorder.stages for step in stage.all_steps}


@pytest.mark.parametrize("lanes", LANES)
def test_the_bits_are_the_same(lanes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    batch = (
        rng.standard_normal((33, 6, 5, 3)).astype("f"),
        np.eye(4, dtype="f")[rng.integers(0, 4, 33)],
        np.full(33, 1 / 33, "f"),
        np.zeros(33, np.uint32),
    )
    found = []
    for large in (False, True):
        if large:
            all_is_large(monkeypatch)
        made = runner(lanes)
        outputs = [made.run(*batch).tobytes() for _ in range(2)]
        found.append((*outputs, made.plan.gradient.tobytes()))
        assert ("conv2d_3 again" in labels(made)) == large
    assert found[0] == found[1]


@pytest.mark.parametrize("lanes", LANES)
def test_a_convolution_is_repeated_once(lanes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its output holds nothing between the last forward and the first backward step."""
    all_is_large(monkeypatch)
    made = runner(lanes, blocks=4)
    recorder = made.plan.recording
    uses = sorted(
        (u for u in made.plan.memory.uses() if u.buffer.name == "value 0"),
        key=lambda use: use.start,
    )
    assert len(uses) == 2 and uses[0].stop < uses[1].start
    steps = [step.label for stage in recorder.stages for step in stage.all_steps]
    assert uses[0].stop < steps.index("loss") < uses[1].start
    stages = [s for s in recorder.stages if any(t.label == "conv2d_1 again" for t in s.steps)]
    assert len(stages) == 1


def test_each_sum_of_a_chain_is_repeated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def repeated() -> list[int]:
        stages = runner(1, blocks=6).plan.recording.stages
        done = [{step.label for step in stage.all_steps} for stage in stages]
        return [sum(f"add_{i} again" in labels for labels in done) for i in range(1, 7)]

    assert repeated() == [0] * 6
    all_is_large(monkeypatch)
    # The last one is read where it is made, and by the layer after it, which is repeated itself.
    assert repeated() == [1] * 6


def test_what_others_read_too_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last convolution is read by the pooling, with nothing to normalise."""
    all_is_large(monkeypatch)
    assert "conv2d_8 again" not in labels(runner(1))


def test_memory_is_less_and_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    before = explain(runner(1).plan)
    all_is_large(monkeypatch)
    after = explain(runner(1).plan)
    assert after.bytes < before.bytes
    passes = {layer.name: layer.passes for layer in after.layers}
    assert passes["conv2d_1"][:2] == ("forward", "again")
    assert "again: computed once more" in str(after)


def test_only_where_it_is_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few products for each output, of these and in all, and many outputs."""

    def repeated() -> set[str]:
        again_ = (label.split() for label in labels(runner(1)) if label.endswith("again"))
        return {name for name, _ in again_ if name.startswith("conv2d")}

    all_is_large(monkeypatch)
    # Two of 3 × 3 × 7 products in each block, the second of which the sum reads; the first of
    # 3 × 3 × 3 is read by a sum too, and the last one by no normalisation.
    every = {f"conv2d_{i}" for i in range(1, 8)}
    assert repeated() == every
    monkeypatch.setattr(recomputation, "_CHEAP", 62)
    assert repeated() == every - {"conv2d_2", "conv2d_4", "conv2d_6"}
    monkeypatch.setattr(recomputation, "_CHEAP", 63)
    monkeypatch.setattr(recomputation, "_CHEAP_EARLY", 27)
    assert repeated() == every - {"conv2d_3", "conv2d_5", "conv2d_7"}
    # Of all products those of the first are 27, of the others 63, in three passes.
    whole = 3 * (7 * 27 + 6 * 7 * 63 + 5 * 7)
    monkeypatch.setattr(recomputation, "_SHARE", (7 * 27 + 7 * 63) / whole + 1e-9)
    assert repeated() == {"conv2d_1", "conv2d_2"}
    monkeypatch.setattr(recomputation, "_SHARE", (7 * 27 + 7 * 63) / whole - 1e-9)
    assert repeated() == {"conv2d_1"}
    monkeypatch.setattr(recomputation, "_LARGE", 40 * 4 * 256 + 1)
    assert repeated() == set()


def test_inference_keeps_nothing_anyway(monkeypatch: pytest.MonkeyPatch) -> None:
    all_is_large(monkeypatch)
    made = Runner(network(), batch_size=40, threads=2, lanes=1)
    assert not any(label.startswith("conv2d") and "again" in label for label in labels(made))


def test_training_goes_on_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of changing size: blocks of nothing are computed again as well."""
    losses = []
    for large in (False, True):
        if large:
            all_is_large(monkeypatch)
        net, loss = network(), SoftmaxCrossEntropy()
        engine = CompiledEngine(net, batch_size=40, loss=loss, threads=2)
        rng = np.random.default_rng(1)
        for n in (40, 3, 17, 40):
            images = rng.standard_normal((n, 6, 5, 3)).astype("f")
            targets = loss.targets(rng.integers(0, 4, n), 4)
            value, _ = engine.step(images, targets, np.full(n, 1 / n, "f"), np.zeros(n, np.uint32))
            losses.append((large, value, engine.gradient.tobytes()))
    half = len(losses) // 2
    assert [row[1:] for row in losses[:half]] == [row[1:] for row in losses[half:]]
