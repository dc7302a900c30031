"""Networks as modules of PyTorch, and back."""

from __future__ import annotations

import copy
import io
import warnings
from typing import Any

import numpy as np
import pytest

from striate import (
    Add,
    AvgPool2D,
    BatchNorm,
    Concat,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    GroupedDense,
    Input,
    LeakyReLU,
    LocallyConnected2D,
    MaxPool2D,
    Network,
    Preprocessing,
    ReLU,
    Scale,
    Sigmoid,
    SumPool2D,
    Tanh,
)
from striate.layers import LAYERS, Layer, Multiply
from tests.small_networks import CASES, IMAGE, case_id, randomise, read_by

torch = pytest.importorskip("torch")


def tensor(images: np.ndarray) -> Any:
    """As PyTorch has images: channels first."""
    order = (0, 3, 1, 2) if images.ndim == 4 else (0, 1)
    return torch.from_numpy(np.ascontiguousarray(images.transpose(order)))


def array(outputs: Any) -> np.ndarray:
    """The opposite of `tensor`."""
    numbers = outputs.detach().numpy()
    return numbers.transpose(0, 2, 3, 1) if numbers.ndim == 4 else numbers


def images_for(network: Network, count: int = 5, seed: int = 1) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.standard_normal((count, *network.input_shape)).astype(np.float32)


def agree(network: Network, tolerance: float = 1e-5) -> Any:
    """The module, if its outputs are the network's."""
    module = network.to_torch()
    assert not module.training
    images = images_for(network)
    wanted = network.predict_logits(images, engine="numpy")
    found = array(module(tensor(images)))
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance * np.abs(wanted).max())
    return module


def mixed(channels: int = 6) -> Network:
    """Each kind of padding, groups, branches, and vectors in both orders."""
    x = image = Input((11, 13, channels))
    x = Conv2D(16, (3, 2), stride=(1, 2), padding=(1, 0, 2, 1), groups=2, uncovered="drop")(x)
    x = ReLU()(BatchNorm(momentum=0.8, eps=1e-3)(x))
    pools: list[Layer] = [
        AvgPool2D(3, stride=1, padding=1),
        MaxPool2D(3, stride=1, padding=(0, 2, 1, 1)),
        AvgPool2D(3, stride=1, padding=(2, 0, 1, 1), count_padding=True),
        AvgPool2D(3, stride=1, padding=(2, 0, 0, 2)),
        SumPool2D(3, stride=1, padding=(2, 0, 1, 1)),
        MaxPool2D(2, stride=1, dilation=2, padding=(1, 1)),
    ]
    x = Add()(*(pool(x) for pool in pools))
    x = LocallyConnected2D(8, (3, 2), stride=2, padding=(1, 0, 1, 1), groups=2, uncovered="drop")(x)
    v = BatchNorm()(Flatten()(x))
    short = [Dense(7)(v), GroupedDense(12, 3)(v), GlobalAvgPool2D()(x), v]
    y = Scale(0.5)(LeakyReLU(0.2)(Concat()(*short)))
    y = Add()(Sigmoid()(y), Tanh()(y))
    return randomise(Network(inputs=image, output=Dense(9, bias=False)(y)))


def test_outputs_are_the_same() -> None:
    network = mixed()
    network.preprocessing = Preprocessing(
        mean=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6), std=(1, 2, 3, 4, 5, 6)
    )
    module = agree(network)
    assert type(module.normalise).__name__ == "Normalise"
    raw = images_for(network)
    plain = network.to_torch(preprocessing=False)
    ready = network.preprocessing.apply(raw)
    assert torch.equal(plain(tensor(ready)), module(tensor(raw)))


@pytest.mark.parametrize("output", ["flattened", "image", "both"])
def test_outputs_that_are_images_or_were(output: str) -> None:
    x = image = Input((4, 5, 3))
    x = Conv2D(6, 3, padding=1)(x)
    if output == "flattened":
        x = Flatten()(x)
    elif output == "both":
        x = Concat()(Flatten()(x), Flatten()(image))
    agree(randomise(Network(inputs=image, output=x)))


def test_a_vector_is_an_input_too() -> None:
    network = randomise(Network([Dense(5), ReLU(), Dense(3)], (7,)))
    network.preprocessing = Preprocessing(mean=tuple(range(7)), std=(2.0,) * 7)
    agree(network)


def test_a_sum_of_vectors_in_different_orders() -> None:
    image = Input((3, 4, 2))
    x = Flatten()(image)
    network = Network(inputs=image, output=Dense(4)(Add()(x, Dense(24)(x))))
    agree(randomise(network))


def test_every_layer_has_a_writer() -> None:
    from striate.exporting.torch_network import WRITERS

    assert set(LAYERS) <= set(WRITERS)


def test_a_layer_of_ones_own_is_refused() -> None:
    class Twice(Scale):
        kind = "twice"

    network = Network([Twice(2.0), Dense(3)], (4,))
    with pytest.raises(ValueError, match=r"to_torch: twice_1 \(Twice\) cannot be written"):
        network.to_torch()


def test_names_of_the_state_dict() -> None:
    network = Network(
        [Conv2D(4, 3), BatchNorm(name="block.0.norm"), Flatten(), Dense(2, name="train")], (5, 5, 3)
    )
    assert set(network.to_torch().state_dict()) == {
        "conv2d_1.weight",
        "conv2d_1.bias",
        "block.0.norm.weight",
        "block.0.norm.bias",
        "block.0.norm.running_mean",
        "block.0.norm.running_var",
        "block.0.norm.num_batches_tracked",
        "train_.weight",
        "train_.bias",
    }


def test_weights_keep_every_bit_there_and_back() -> None:
    network = mixed()
    module = network.to_torch()
    for name, parameter in module.named_parameters():
        assert parameter.is_contiguous() and parameter.requires_grad, name
    other = mixed()
    other.flat[:], other.state_flat[:] = 7.0, 7.0
    other.load_torch(module)
    for name in network.parameters:
        np.testing.assert_array_equal(network.parameters[name], other.parameters[name])
    for name in network.state:
        np.testing.assert_array_equal(network.state[name], other.state[name])
    with torch.no_grad():
        module.conv2d_1.weight.zero_()
    assert network.parameters["conv2d_1/filters"].any()  # they are copies


def test_a_module_is_saved_copied_exported_and_scripted() -> None:
    network = mixed()
    module, images = network.to_torch(), tensor(images_for(network))
    wanted = module(images)
    buffer = io.BytesIO()
    torch.save(module, buffer)
    buffer.seek(0)
    loaded = torch.load(buffer, weights_only=False)
    assert list(loaded.state_dict()) == list(module.state_dict())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's own, about TorchScript
        scripted = torch.jit.script(module)
        exported = torch.export.export(module, (images,)).module()
    for other in (loaded, copy.deepcopy(module), scripted, exported):
        torch.testing.assert_close(other(images), wanted)


def test_state_dicts_of_wrapped_modules_are_taken() -> None:
    network = randomise(Network([Conv2D(4, 3, name="module.a"), Flatten(), Dense(2)], (5, 5, 3)))
    state = network.to_torch().state_dict()
    for wrapped in ({f"module._orig_mod.{k}": v.double() for k, v in state.items()}, state):
        other = Network.from_config(network.get_config(), seed=None)
        other.load_torch(wrapped)
        np.testing.assert_array_equal(other.flat, network.flat)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("dense_1.bias"), r'lacks "dense_1.bias"'),
        (
            lambda s: s.update(strange=torch.ones(1)),
            r'has "strange", which no layer is named after',
        ),
        (
            lambda s: s.update({"dense_1.bias": torch.ones(3)}),
            r'"dense_1.bias" is 3, and the layer',
        ),
        (lambda s: s.update({"dense_1.bias": 3}), r"must be a tensor, got int"),
        (
            lambda s: s.update({"dense_1.bias": torch.ones(2).long()}),
            r"of torch.int64; weights are",
        ),
    ],
)
def test_other_state_dicts_are_refused(change: Any, message: str) -> None:
    network = randomise(Network([Conv2D(4, 3), Flatten(), Dense(2)], (5, 5, 3)))
    kept = network.flat.copy()
    state = {key: value + 1 for key, value in network.to_torch().state_dict().items()}
    change(state)
    with pytest.raises((ValueError, TypeError), match=message):
        network.load_torch(state)
    np.testing.assert_array_equal(network.flat, kept)
    with pytest.raises(TypeError, match="give the module that to_torch made"):
        network.load_torch("model.pt")  # type: ignore[arg-type]


# Training.


def steps(network: Network, images: np.ndarray, labels: np.ndarray, rate: float) -> list[float]:
    """Three steps of plain SGD with striate's gradients; the losses."""
    losses = []
    for step in range(3):
        loss, gradients = network.gradients(images, labels, seed=step)
        losses.append(loss)
        for name, gradient in gradients.items():
            network.parameters[name][...] -= np.float32(rate) * gradient
    return losses


def torch_steps(module: Any, images: np.ndarray, labels: np.ndarray, rate: float) -> list[float]:
    """The same with PyTorch, in the precision of the module."""
    module.train()
    learned = [p for p in module.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(learned, rate)
    dtype = next(module.parameters()).dtype
    losses = []
    for _ in range(3):
        optimizer.zero_grad()
        logits = module(tensor(images).to(dtype))
        loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(labels))
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def differences(one: dict[str, Any], other: dict[str, Any]) -> dict[str, float]:
    """The largest relative to the tensor's largest number, by name."""
    return {
        key: float((one[key].double() - other[key].double()).abs().max())
        / (float(other[key].double().abs().max()) + 1e-12)
        for key in one
        if one[key].is_floating_point()
    }


@pytest.mark.parametrize("frozen", [False, True])
def test_three_training_steps_are_the_same(frozen: bool) -> None:
    """As close as PyTorch's float32 comes to its float64, times three."""
    network = mixed()
    if frozen:
        network.freeze("conv2d_1", "batch_norm_1", "dense_1")
    images, labels = images_for(network, 8), np.arange(8) % 9
    single, double = network.to_torch(), network.to_torch().double()
    before = {key: value.clone() for key, value in single.state_dict().items()}
    torch_steps(single, images, labels, 0.05)
    torch_steps(double, images, labels, 0.05)
    losses = steps(network, images, labels, 0.05)
    assert losses[2] < losses[0]
    own = network.to_torch()
    reference = double.state_dict()
    far = max(differences(single.state_dict(), reference).values())
    found = differences(own.state_dict(), reference)
    assert max(found.values()) <= 3 * far, found
    for key, value in own.state_dict().items():
        still = frozen and key.startswith(("conv2d_1.", "batch_norm_1.", "dense_1."))
        if "tracked" not in key and key != "conv2d_1.bias":  # batch normalisation takes it away
            assert torch.equal(value, before[key]) == still, key
            assert torch.equal(single.state_dict()[key], before[key]) == still, key


def test_dropout_has_its_rate() -> None:
    network = Network([Dropout(0.25), Dense(2)], (1000,))
    module = network.to_torch()
    dropped = module.dropout_1.train()(torch.ones(50, 1000))
    assert set(dropped.unique().tolist()) == {0.0, float(np.float32(4 / 3))}
    assert abs(float((dropped == 0).float().mean()) - 0.25) < 0.02


# What training does otherwise in some layers.


def test_statistics_that_are_kept_stay() -> None:
    network = mixed()
    network.keep_statistics("batch_norm_1")
    images, labels = images_for(network, 8), np.arange(8) % 9
    module = agree(network)
    before = module.state_dict()["batch_norm_1.running_mean"].clone()
    other = module.state_dict()["batch_norm_2.running_mean"].clone()
    torch_steps(module, images, labels, 0.05)
    steps(network, images, labels, 0.05)
    after = module.state_dict()
    assert torch.equal(after["batch_norm_1.running_mean"], before)
    assert not torch.equal(after["batch_norm_2.running_mean"], other)
    found = differences(network.to_torch().state_dict(), after)
    assert max(found.values()) < 1e-3, found
    assert after["batch_norm_1.weight"].requires_grad is False  # a state dict's are detached
    assert module.batch_norm_1.weight.requires_grad


def shared() -> Network:
    """The same layers in two places, one of which reads a flattened image."""
    x = image = Input((4, 5, 6))
    conv, norm, dense = Conv2D(6, 3, padding=1), BatchNorm(), Dense(120)
    for _ in range(2):
        x = Tanh()(norm(conv(x)))
    v = dense(dense(Flatten()(x)))
    return randomise(Network(inputs=image, output=Dense(3)(v)))


def test_shared_weights_are_one_parameter() -> None:
    network = shared()
    module = agree(network)
    assert sum(p.numel() for p in module.parameters()) == network.parameter_count
    images, labels = images_for(network, 8), np.arange(8) % 3
    double = network.to_torch().double()
    torch_steps(module, images, labels, 0.01)
    torch_steps(double, images, labels, 0.01)
    network.load_torch(network.to_torch())
    steps(network, images, labels, 0.01)
    far = max(differences(module.state_dict(), double.state_dict()).values())
    own = differences(network.to_torch().state_dict(), double.state_dict())
    assert max(own.values()) <= 3 * far, (own, far)


def test_heads_come_behind_the_output() -> None:
    x = image = Input((6, 6, 3))
    x = ReLU()(Conv2D(4, 3)(x))
    aux = Dense(3)(Flatten()(x))
    main = Dense(3)(GlobalAvgPool2D()(Conv2D(5, 3)(x)))
    network = randomise(Network(inputs=image, output=main, heads={"aux": (aux, 0.3)}))
    images = images_for(network)
    alone, both = network.to_torch(), network.to_torch(heads=True)
    first, second = both(tensor(images))
    assert torch.equal(first, alone(tensor(images)))
    wanted = network.predict_logits(images, head="aux", engine="numpy")
    np.testing.assert_allclose(array(second), wanted, rtol=0, atol=1e-5)
    assert set(both.state_dict()) - set(alone.state_dict()) == {"dense_1.weight", "dense_1.bias"}
    kept = network.flat.copy()
    for module in (alone, both):
        network.flat[:] = kept
        network.parameters["conv2d_1/filters"][...] = 0.0
        network.load_torch(module)
        np.testing.assert_array_equal(network.flat, kept)


# Every layer between two convolutions, and between dense layers.

# Both frameworks drop others.
ON_IMAGES = [case for case in CASES if case[0] != "Dropout"]
ON_VECTORS = [
    case for case in ON_IMAGES if "2D" not in case[0] and case[0] not in ("LRN", "Flatten")
]


def same_gradients(network: Network) -> None:
    """The gradients of one batch are PyTorch's in float64."""
    module = agree(network).double().train()
    images = images_for(network, 6)
    labels = np.arange(6) % network.output_shape[0]
    logits = module(tensor(images).double())
    torch.nn.functional.cross_entropy(logits, torch.from_numpy(labels)).backward()
    _, gradients = network.gradients(images, labels, engine="numpy")
    shifted = Network.from_config(network.get_config(), seed=None)
    for name, gradient in gradients.items():
        shifted.parameters[name][...] = gradient
    learned = dict(module.named_parameters())
    written = shifted.to_torch()  # the gradients in PyTorch's layouts
    # Behind a bias whose mean is subtracted again there are only rounding errors.
    least = 0.01 * max(float(np.abs(gradient).max()) for gradient in gradients.values())
    for name, parameter in written.named_parameters():
        wanted = learned.pop(name).grad
        largest = max(float(wanted.abs().max()), least)
        assert float((parameter.detach().double() - wanted).abs().max()) <= 1e-4 * largest, name
    assert not learned


@pytest.mark.parametrize(("name", "arguments"), ON_IMAGES, ids=case_id)
def test_each_layer_on_images(name: str, arguments: dict[str, Any]) -> None:
    x = image = Input((*IMAGE[:2], 3))
    x = read_by(LAYERS[name](**arguments), Conv2D(IMAGE[2], 3, padding=1)(x))
    x = Conv2D(5, 1)(x) if len(x.shape) == 3 else x
    same_gradients(randomise(Network(inputs=image, output=Dense(4)(Flatten()(x)))))


@pytest.mark.parametrize(("name", "arguments"), ON_VECTORS, ids=case_id)
@pytest.mark.parametrize("flattened", [False, True])
def test_each_layer_on_vectors(name: str, arguments: dict[str, Any], flattened: bool) -> None:
    """Features in the network's order, and those of a flattened image in PyTorch's."""
    image = Input((2, 3, 3)) if flattened else Input((18,))
    x = Flatten()(image) if flattened else image
    x = read_by(LAYERS[name](**arguments), x)
    same_gradients(randomise(Network(inputs=image, output=Dense(4)(x))))


@pytest.mark.parametrize("gate", ["image", "vector", "plane", "two vectors"])
def test_products(gate: str) -> None:
    x = image = Input((4, 5, 6))
    multiply = Multiply()
    if gate == "image":
        x = multiply(x, Sigmoid()(Conv2D(6, 1)(x)))
    elif gate == "vector":
        x = multiply(Sigmoid()(Dense(6)(GlobalAvgPool2D()(x))), x)
    elif gate == "plane":
        x = multiply(x, Sigmoid()(Conv2D(1, 1)(x)))
    else:
        x = multiply(Flatten()(x), Dense(120)(Flatten()(x)))
    same_gradients(randomise(Network(inputs=image, output=Dense(3)(Flatten()(x)))))
