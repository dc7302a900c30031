"""Auxiliary heads: trained on the same targets with a weight each, and left out of predictions."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from striate.engines import make_engine
from striate.engines.llvm import CompiledEngine
from striate.engines.numpy import NumPyEngine
from striate.layers import (
    Add,
    AvgPool2D,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    Input,
    MaxPool2D,
    ReLU,
)
from striate.model.container import Container
from striate.model.model import Model
from striate.network import Network, load
from striate.optim.losses import MeanSquaredError, SoftmaxCrossEntropy, softmax
from striate.optim.optimizers import SGD

ENGINES = ("llvm", "numpy")


def network(channels: int = 9, seed: int = 0) -> Network:
    """Two heads, one on the main path; the other has layers of its own, made after the output."""
    image = Input((12, 9, 3))
    x = ReLU(name="relu")(Conv2D(channels, 3, name="conv1")(image))
    early = Dense(5, name="early")(Flatten()(MaxPool2D(2, uncovered="drop", name="pool")(x)))
    y = ReLU()(BatchNorm(name="norm")(Conv2D(channels, 3, name="conv2")(x)))
    output = Dense(5, name="last")(GlobalAvgPool2D()(y))
    side = ReLU()(Conv2D(7, 1, name="side")(AvgPool2D(2, uncovered="drop")(y)))
    late = Dense(5, name="late")(Dropout(0.3)(Flatten()(side)))
    made = Network(
        inputs=image, output=output, heads={"early": (early, 0.3), "late": (late, 2)}, seed=seed
    )
    for value in made.parameters.values():
        if value.ndim == 1:
            value[...] += np.linspace(-0.2, 0.3, value.size)
    return made


def batch(count: int = 17, seed: int = 1, shape: Any = (12, 9, 3)) -> tuple[Any, Any]:
    random = np.random.default_rng(seed)
    return random.standard_normal((count, *shape), np.float32), random.integers(0, 5, count)


def step(runner: Any, images: Any, labels: Any) -> Any:
    count = len(images)
    weights = np.linspace(0.5, 1.5, count, dtype=np.float32)
    return runner.step(
        images, np.eye(5, dtype=np.float32)[labels], weights / weights.sum(),
        np.arange(count, dtype=np.uint32),
    )  # fmt: skip


def alone(made: Network, head: str | None) -> Network:
    """A network that ends with a head, and has the same numbers, written by way of its config."""
    config = made.get_config()
    heads = config.pop("heads")
    last = config["output"] if head is None else heads[head]["node"]
    wanted = {last}
    for i in range(last, -1, -1):
        if i in wanted:
            wanted.update(config["nodes"][i]["inputs"])
    kept = sorted(wanted - {-1})
    config["nodes"] = [config["nodes"][i] for i in kept]
    for node in config["nodes"]:
        node["inputs"] = [kept.index(i) if i >= 0 else -1 for i in node["inputs"]]
    config["output"] = kept.index(last)
    own = Network.from_config(config)
    for name, value in {**own.parameters, **own.state}.items():
        value[...] = {**made.parameters, **made.state}[name]
    return own


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "mean_squared_error", "own"])
def test_loss_and_gradient_are_the_weighted_sums(engine: str, loss: str) -> None:
    """Of those of networks that have one output each."""

    def own(outputs: Any, targets: Any) -> Any:
        shares = softmax(outputs)
        return -(targets * np.log(shares)).sum(axis=1), shares - targets

    images, labels = batch()
    criterion: Any = own if loss == "own" else loss
    made = network()
    for node in made.nodes:
        if isinstance(node.layer, Dropout):
            node.layer.rate = 0.0  # it would drop other values: it is another node there
    options: dict[str, Any] = {"loss": criterion, "engine": engine}
    answers = labels if loss != "mean_squared_error" else np.eye(5, dtype=np.float32)[labels]
    whole: dict[str, Any] = {}
    total = 0.0
    for head, weight in ((None, 1.0), ("early", 0.3), ("late", 2.0)):
        value, found = alone(made, head).gradients(images, answers, **options)
        total += weight * value
        for name, gradient in found.items():
            whole[name] = whole.get(name, 0) + weight * gradient.astype(np.float64)
    value, found = made.gradients(images, answers, **options)
    assert value == pytest.approx(total, rel=1e-5)
    assert found.keys() == whole.keys() == made.parameters.keys()
    for name, gradient in found.items():
        atol = 1e-5 * max(np.abs(whole[name]).max(), 0.5)  # some are zero but for rounding
        np.testing.assert_allclose(gradient, whole[name], atol=atol, err_msg=name)


@pytest.mark.parametrize("channels", [7, 16, 33])
@pytest.mark.parametrize("count", [6, 40])
def test_the_engines_agree(channels: int, count: int) -> None:
    images, labels = batch(count)
    found = []
    for engine in ENGINES:
        made = network(channels)
        runner = make_engine(made, engine, batch_size=40, loss=SoftmaxCrossEntropy())
        loss, outputs = step(runner, images, labels)
        found.append((loss, outputs, runner.gradient.copy(), made.state_flat.copy()))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-5)
    for compiled, plain in zip(found[0][1:], found[1][1:], strict=True):
        np.testing.assert_allclose(compiled, plain, atol=2e-5 * np.abs(plain).max())


def test_gradients_by_finite_differences() -> None:
    made = network(5)
    images, labels = batch(4)
    runner = NumPyEngine(made, batch_size=4, loss=SoftmaxCrossEntropy(), dtype=np.float64)
    made.flat[:] = made.flat.astype(np.float16)  # so that small steps are exact
    step(runner, images, labels)
    gradient = runner.gradient.copy()
    for slot in made.slots:
        for index in np.linspace(slot.start, slot.stop - 1, 4).astype(int):
            kept, each = made.flat[index], []
            for sign in (1, -1):
                made.flat[index] = kept + sign * 2.0**-19
                each.append(step(runner, images, labels)[0])
            made.flat[index] = kept
            slope = (each[0] - each[1]) * 2.0**18
            assert gradient[index] == pytest.approx(slope, rel=1e-5, abs=1e-6), slot


@pytest.mark.parametrize("engine", ENGINES)
def test_three_steps_as_pytorch_makes_them(engine: str) -> None:
    """A head behind a pooling layer, with layers of its own, weighted by 0.3 as in GoogLeNet."""
    torch = pytest.importorskip("torch")
    nn = torch.nn
    image = Input((12, 9, 3))
    x = ReLU()(Conv2D(16, 3, padding=1, name="stem")(image))
    side = ReLU()(Conv2D(8, 1, name="squeeze")(AvgPool2D(3, stride=2, uncovered="drop")(x)))
    aux = Dense(4, name="aux")(GlobalAvgPool2D()(side))
    x = ReLU()(BatchNorm(name="norm")(Conv2D(17, 3, stride=2, uncovered="drop", name="body")(x)))
    made = Network(
        inputs=image, output=Dense(4, name="last")(GlobalAvgPool2D()(x)), heads={"aux": (aux, 0.3)}
    )
    random = np.random.default_rng(4)
    for value in made.parameters.values():
        value[...] = random.uniform(-0.4, 0.6, value.shape)
    axes = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}
    short_names = {
        "bias": "bias", "shift": "bias", "mean": "running_mean", "variance": "running_var",
    }  # fmt: skip

    def peer(dtype: Any) -> Any:
        own = nn.ModuleDict(
            {
                "stem": nn.Conv2d(3, 16, 3, padding=1), "squeeze": nn.Conv2d(16, 8, 1),
                "aux": nn.Linear(8, 4), "body": nn.Conv2d(16, 17, 3, stride=2),
                "norm": nn.BatchNorm2d(17), "last": nn.Linear(17, 4),
            }
        ).to(dtype)  # fmt: skip
        for name, value in made.parameters.items():
            layer, short = name.split("/")
            number = torch.tensor(value, dtype=dtype).permute(axes[value.ndim]).contiguous()
            getattr(own[layer], short_names.get(short, "weight")).data = number
        return own

    def losses(own: Any, images: Any, labels: Any) -> Any:
        functional = nn.functional
        x = functional.relu(own["stem"](images))
        side = functional.relu(own["squeeze"](functional.avg_pool2d(x, 3, 2)))
        x = functional.relu(own["norm"](own["body"](x)))
        main = functional.cross_entropy(own["last"](x.mean((2, 3))), labels)
        return main + 0.3 * functional.cross_entropy(own["aux"](side.mean((2, 3))), labels)

    peers = [peer(torch.float64), peer(torch.float32)]
    optimizers = [torch.optim.SGD(own.parameters(), lr=0.1, momentum=0.9) for own in peers]
    runner = make_engine(made, engine, batch_size=12, loss=SoftmaxCrossEntropy())
    optimizer = SGD(momentum=0.9, nesterov=False, weight_decay=0.0)
    optimizer.prepare(made.flat.size)
    for number in range(3):
        images, labels = batch(12, number)
        labels %= 4
        loss, _ = runner.step(
            images, np.eye(4, dtype=np.float32)[labels], np.full(12, 1 / 12, np.float32),
            np.zeros(12, np.uint32),
        )  # fmt: skip
        runner.update(optimizer, 0.1)
        for own, update in zip(peers, optimizers, strict=True):
            update.zero_grad()
            inputs = torch.tensor(images, dtype=own["last"].weight.dtype).permute(0, 3, 1, 2)
            value = losses(own, inputs, torch.tensor(labels))
            value.backward()
            update.step()
        assert loss == pytest.approx(value.item(), rel=1e-5)
    for name, value in {**made.parameters, **made.state}.items():
        layer, short = name.split("/")
        exact, single = (
            np.asarray(getattr(own[layer], short_names.get(short, "weight")).detach(), float)
            for own in peers
        )
        ours = value.transpose(axes[value.ndim])
        allowed = 3 * np.abs(single - exact).max() + 1e-6 * np.abs(exact).max()
        np.testing.assert_allclose(ours, exact, rtol=0, atol=allowed, err_msg=name)


def test_predictions_compute_what_is_asked_for() -> None:
    made = network(16)
    images, labels = batch()
    for head in (None, "early", "late"):
        expected = alone(made, head).predict_logits(images, engine="numpy")
        for found in (
            made.predict_logits(images, head=head),
            made.predict_logits(images, head=head, engine="numpy"),
            made.compile(batch_size=17, head=head)(images),
        ):
            np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())
        classes = made.predict(images, head=head)
        np.testing.assert_array_equal(classes, expected.argmax(axis=1))
        accuracy = float((expected.argmax(axis=1) == labels).mean())
        assert made.evaluate(images, labels, head=head).accuracy == pytest.approx(accuracy)
    computed = {
        head: {node.name for node in made.branch(head).nodes} for head in (None, "early", "late")
    }
    assert {"early", "pool", "side", "late"} & computed[None] == set()
    assert {"conv2", "norm", "last", "side"} & computed["early"] == set()
    assert "last" not in computed["late"]
    labels_of = {kernel.label.split()[0] for kernel in made.explain(training=False).kernels}
    assert not labels_of & {"early", "side", "late", "pool"}
    engine = CompiledEngine(made, batch_size=17)
    engine.forward(images)
    (runner,) = engine._runners.values()
    labels_of = {step.label.split()[0] for stage in runner.plan.stages for step in stage.steps}
    assert "last" in labels_of
    assert not labels_of & {"early", "side", "late", "pool"}
    labels_of = {kernel.label.split()[0] for kernel in made.explain().kernels}
    assert labels_of >= {"early", "side", "late", "last"}


def test_a_head_that_is_not_computed_may_hold_anything() -> None:
    made = network()
    images, _ = batch()
    expected = made.predict_logits(images)
    for name in ("early/weights", "side/filters", "late/bias"):
        made.parameters[name][...] = np.nan
    for engine in ENGINES:
        found = made.predict_logits(images, engine=engine)
        np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())
    np.testing.assert_array_equal(made.compile(batch_size=17)(images).shape, expected.shape)


@pytest.mark.parametrize("engine", ENGINES)
def test_changed_weights_change_the_next_predictions_of_a_head(engine: str) -> None:
    made = network()
    images, _ = batch()
    before = made.predict_logits(images, head="late", engine=engine)
    made.parameters["late/bias"][...] += 1
    after = made.predict_logits(images, head="late", engine=engine)
    np.testing.assert_allclose(after, before + 1, atol=1e-5)


def test_fit_tells_the_sum_of_the_losses_and_the_accuracy_of_the_output() -> None:
    images, labels = batch(40)
    found = []
    for engine, threads in (("llvm", 1), ("llvm", 2), ("numpy", 1)):
        made = network()
        start = made.gradients(images, labels, engine=engine, seed=0)[0]
        history = made.fit(
            images, labels, epochs=4, batch_size=16, engine=engine, threads=threads,
            optimizer=SGD(), learning_rate=0.01, validation_fraction=0.25, progress=False,
        )  # fmt: skip
        first, last = history[0], history[-1]
        assert first.loss > 0.7 * start > 2.0  # about ln 5 times 3.3
        assert first.val_loss is not None
        assert first.val_loss < 3.0  # of the output alone
        assert last.loss < first.loss
        outputs = made.predict_logits(images)
        assert 0 <= last.accuracy <= 1
        assert outputs.shape == (40, 5)
        found.append(made.flat.copy())
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_allclose(found[0], found[2], atol=5e-4)


def test_frozen_heads_and_a_frozen_body() -> None:
    images, labels = batch()
    made = network()
    made.freeze("conv1", "conv2", "norm", "last")
    for engine in ENGINES:
        _, found = made.gradients(images, labels, engine=engine)
        assert set(found) == {
            f"{name}/{short}" for name, short in (
                ("early", "weights"), ("early", "bias"), ("side", "filters"), ("side", "bias"),
                ("late", "weights"), ("late", "bias"),
            )
        }  # fmt: skip
    made.unfreeze()
    made.freeze("early", "side", "late")
    compiled, plain = (made.gradients(images, labels, engine=engine)[1] for engine in ENGINES)
    for name, gradient in plain.items():
        np.testing.assert_allclose(compiled[name], gradient, atol=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("where", ["activation", "view", "images", "twice", "pooled"])
def test_heads_in_odd_places(engine: str, where: str) -> None:
    """On values that the plan would fuse, drop or share otherwise."""
    image = Input((5, 4, 3))
    x = Conv2D(3, 1, name="conv")(image)
    flat = Flatten()(x)  # a view for the dense layer, an output, and no view for the sum
    early = ReLU()(flat) if where == "activation" else flat
    early = Dropout(0.0)(early) if where == "view" else early
    heads = {"aux": (early, 0.5)}
    if where == "twice":
        heads["again"] = (early, 0.25)
    if where == "images":
        heads["same"] = (Flatten()(ReLU()(x)), 1.5)
    if where == "pooled":  # whose last column no window of the other reader reaches
        wide = Conv2D(3, 1, name="wide")(image)
        read = MaxPool2D((5, 3), uncovered="drop")(wide)
        heads["whole"] = (Flatten()(wide), 1.5)
        early = Add()(early, Dense(60, name="more")(Flatten()(read)))
    output = Add()(Dense(60, name="last")(early), early)
    made = Network(inputs=image, output=output, heads=heads)
    assert made.nodes[-1].name.startswith("add_")
    images = np.random.default_rng(0).standard_normal((9, 5, 4, 3), np.float32)
    targets = np.random.default_rng(1).standard_normal((9, 60), np.float32)
    runner = make_engine(made, engine, batch_size=9, loss=MeanSquaredError())
    share = np.full(9, 1 / 9, np.float32)
    loss, outputs = runner.step(images, targets, share, np.zeros(9, np.uint32))
    exact = NumPyEngine(made, batch_size=9, loss=MeanSquaredError(), dtype=np.float64)
    wanted, _ = exact.step(images, targets, share, np.zeros(9, np.uint32))
    total = np.square(made.predict_logits(images) - targets).mean()
    for name, head in made.heads.items():
        own = made.predict_logits(images, head=name, engine=engine)
        total += head.weight * np.square(own - targets).mean()
    assert loss == pytest.approx(total, rel=1e-5)
    assert loss == pytest.approx(wanted, rel=1e-5)
    np.testing.assert_allclose(outputs, made.predict_logits(images), atol=1e-5)
    np.testing.assert_allclose(runner.gradient, exact.gradient, rtol=1e-6, atol=2e-6)


def test_without_heads_the_rest_is_the_same() -> None:
    made = network()
    made.classes = list("abcde")
    made.freeze("early", "conv1")
    made.keep_statistics()
    plain = made.without_heads()
    assert type(plain) is Network
    assert not plain.heads
    assert plain.classes == made.classes
    assert plain.frozen == {"conv1"}
    assert plain.kept_statistics == {"norm"}
    images, _ = batch()
    np.testing.assert_array_equal(plain.predict_logits(images), made.predict_logits(images))
    assert set(plain.parameters) == {
        "conv1/filters", "conv1/bias", "conv2/filters", "conv2/bias", "norm/scale", "norm/shift",
        "last/weights", "last/bias",
    }  # fmt: skip
    plain.flat[:] = 0
    assert made.parameters["conv1/filters"].any()
    again = plain.without_heads()
    assert again.get_config() == plain.get_config()


def test_weights_that_heads_and_output_share() -> None:
    """The first place is in a head: without it, the next one gives the name."""
    image = Input((6, 5, 3))
    conv, norm = Conv2D(3, 3, padding="same", name="conv"), BatchNorm(name="norm")
    aux = Dense(4)(Flatten()(norm(conv(image))))
    output = Dense(4, name="last")(Flatten()(norm(conv(ReLU()(image)))))
    made = Network(inputs=image, output=output, heads={"aux": (aux, 0.5)})
    made.freeze("conv")
    images, labels = batch(9, shape=(6, 5, 3))
    found = [made.gradients(images, labels % 4, engine=engine)[1] for engine in ENGINES]
    for name, gradient in found[1].items():
        np.testing.assert_allclose(found[0][name], gradient, atol=1e-5)
    plain = made.without_heads()
    assert {name.split("/")[0] for name in plain.parameters} == {"conv@2", "norm@2", "last"}
    assert plain.frozen == {"conv@2"}
    expected = made.predict_logits(images, engine="numpy")
    for logits in (made.predict_logits(images), plain.predict_logits(images)):
        np.testing.assert_allclose(logits, expected, atol=1e-5)


def test_files_configs_and_copies_keep_them(tmp_path: Path) -> None:
    made = network()
    path = tmp_path / "model.safetensors"
    made.save(path)
    assert Container(path).metadata["format_version"] == "2"
    description = json.loads(json.dumps(made.get_config()))
    assert {name: head["weight"] for name, head in description["heads"].items()} == {
        "early": 0.3, "late": 2.0,
    }  # fmt: skip
    images, _ = batch()
    for other in (
        load(path),
        copy.deepcopy(made),
        copy.copy(made),
        pickle.loads(pickle.dumps(made)),
        copy.deepcopy(made.branch("late")),
    ):
        if other.heads:
            assert other.get_config() == made.get_config()
            for head in (None, "early", "late"):
                np.testing.assert_array_equal(
                    other.predict_logits(images, head=head),
                    made.predict_logits(images, head=head),
                )
        else:
            assert type(other) is Model
            assert other.get_config() == made.branch("late").get_config()
    made.without_heads().save(path)
    assert Container(path).metadata["format_version"] == "1"
    assert "early is the auxiliary head early, trained with 0.3 times its loss" in str(
        made.summary()
    )
    assert "Predictions leave out 9 layers" in str(made.summary())


def test_resuming_with_other_heads_is_refused(tmp_path: Path) -> None:
    from striate.training.checkpoint import Checkpoint, CheckpointError

    images, labels = batch(20)
    keep = Checkpoint(tmp_path / "checkpoint", every=1, keep=True)
    options: dict[str, Any] = {"epochs": 1, "batch_size": 10, "progress": False}
    network().fit(images, labels, checkpoint=keep, **options)
    config = network().get_config()
    config["heads"]["early"]["weight"] = 0.4
    other = Network.from_config(config)
    with pytest.raises(CheckpointError, match="other network"):
        other.fit(images, labels, checkpoint=keep, resume=True, **options)


def test_resuming_with_other_layers_frozen_or_kept_is_refused(tmp_path: Path) -> None:
    from striate.training.checkpoint import Checkpoint, CheckpointError

    images, labels = batch(20)
    keep = Checkpoint(tmp_path / "checkpoint", every=1, keep=True)
    options: dict[str, Any] = {"epochs": 1, "batch_size": 10, "progress": False}
    made = network()
    made.freeze("early")
    made.fit(images, labels, checkpoint=keep, **options)
    other = network()
    other.keep_statistics("norm")
    with pytest.raises(CheckpointError, match="frozen layers early there, None here"):
        other.fit(images, labels, checkpoint=keep, resume=True, **options)
    made = network()
    made.freeze("early")
    made.fit(images, labels, checkpoint=keep, resume=True, **options)


def graph() -> tuple[Any, Any, Any]:
    image = Input((6, 5, 3))
    x = Flatten()(image)
    return image, x, Dense(4, name="last")(x)


@pytest.mark.parametrize(
    ("heads", "error", "message"),
    [
        (lambda x, output: [x], TypeError, "heads must be a mapping such as"),
        (lambda x, output: {"aux": x}, TypeError, 'head "aux" must be a pair of a node and'),
        (lambda x, output: {"aux": (x, 1, 2)}, TypeError, "must be a pair"),
        (lambda x, output: {"aux": (3, 1)}, TypeError, "must be a pair"),
        (lambda x, output: {3: (x, 1)}, TypeError, "name must be text, got 3"),
        (lambda x, output: {"a/b": (x, 1)}, ValueError, 'must not be empty or contain "/"'),
        (lambda x, output: {"aux": (Dense(4)(x), "1")}, TypeError, "weight must be a number"),
        (lambda x, output: {"aux": (Dense(4)(x), 0)}, ValueError, "must be above 0 and finite"),
        (lambda x, output: {"aux": (Dense(4)(x), -1)}, ValueError, "must be above 0 and finite"),
        (lambda x, output: {"aux": (Dense(4)(x), np.nan)}, ValueError, "must be finite"),
        (lambda x, output: {"aux": (Dense(5)(x), 1)}, ValueError,
         r"targets of the output \(4,\), but its own shape is \(5,\)"),
        (lambda x, output: {"aux": (output, 1)}, ValueError, "must not be the output or read it"),
        (lambda x, output: {"aux": (Dense(4)(output), 1)}, ValueError, "must not be the output"),
        (lambda x, output: {"aux": (Dense(4)(Input((2,))), 1)}, ValueError, "has 2 inputs"),
        (lambda x, output: {str(i): (Dense(4)(x), 1) for i in range(101)}, ValueError,
         "101 heads"),
    ],
)  # fmt: skip
def test_heads_that_cannot_be_are_refused(heads: Any, error: Any, message: str) -> None:
    image, x, output = graph()
    with pytest.raises(error, match=message) as caught:
        Network(inputs=image, output=output, heads=heads(x, output))
    assert len(str(caught.value)) <= 500
    assert "\n" not in str(caught.value)


def test_other_mistakes_are_refused() -> None:
    with pytest.raises(TypeError, match="heads need a graph"):
        Network([Dense(4)], (3,), heads={})
    made = network()
    with pytest.raises(ValueError, match="no head 'aux'; the heads are early, late"):
        made.predict_logits(batch()[0], head="aux")
    with pytest.raises(ValueError, match="no head 'aux'; it has no heads"):
        made.without_heads().compile(head="aux")
    heads = made.get_config()["heads"]
    for change, message in (
        ({"aux": 3}, "head 'aux' must be a mapping"),
        ({"aux": {"node": 99, "weight": 1}}, "is node 99, but there are"),
        ({"aux": {"node": -1, "weight": 1}}, "node must be"),
        ({**heads, "late": {**heads["late"], "weight": None}}, "weight must be a number"),
        ({**heads, "more": {"node": 0, "weight": 1}}, "trained on the targets of the output"),
        ([], "heads must be a mapping"),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            Network.from_config({**made.get_config(), "heads": change})
    config = made.get_config()
    del config["heads"]["late"]
    with pytest.raises(ValueError, match=r"no path leads from .* to the output"):
        Network.from_config(config)
