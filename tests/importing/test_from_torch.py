"""Networks from modules of PyTorch: the same outputs, weights, training, and refusals."""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import striate
from striate import Network

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional

KEEPDIMS = pytest.mark.skipif(
    "keepdims" not in inspect.signature(striate.GlobalAvgPool2D).parameters,
    reason="global pooling has no keepdims yet",
)


def randomised(module: Any, seed: int = 0) -> Any:
    """With random running statistics, and weights that no module begins with."""
    torch.manual_seed(seed)
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.running_mean is not None:
            part.running_mean.normal_(0, 0.3)
            part.running_var.uniform_(0.5, 2)
            if part.affine:
                nn.init.uniform_(part.weight, 0.5, 1.5)
                nn.init.normal_(part.bias, 0, 0.3)
        elif isinstance(part, (nn.LayerNorm, nn.PReLU)):
            nn.init.normal_(part.weight, 0.5, 0.5)
    return module


def rows(images: Any) -> np.ndarray:
    """Images, signals or vectors as striate has them."""
    order = {4: (0, 2, 3, 1), 3: (0, 2, 1), 2: (0, 1)}[images.dim()]
    array = images.permute(*order).contiguous().numpy()
    return array[:, None] if images.dim() == 3 else array


def agree(module: Any, shape: tuple[int, ...], scale: float = 1.0) -> Network:
    """The network, if its outputs are the module's in float64."""
    randomised(module)
    network = striate.from_torch(module, (1, *shape))
    images = scale * torch.randn(4, *shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        wanted = copy.deepcopy(module).double().eval()(images.double())
    wanted = rows(wanted)
    found = network.predict_logits(rows(images), engine="numpy").reshape(wanted.shape)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())
    return network


class Called(nn.Module):
    """A module that is a function of the images, with some parts."""

    def __init__(self, function: Callable[..., Any], **parts: Any) -> None:
        super().__init__()
        self.function = function
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, images: Any) -> Any:
        return self.function(self, images)


# One operator at a time.

ACTIVATIONS = [
    nn.ReLU(), nn.ReLU(inplace=True), nn.ReLU6(), nn.LeakyReLU(0.2), nn.Sigmoid(), nn.Tanh(),
    nn.Hardsigmoid(), nn.Hardswish(), nn.SiLU(), nn.SiLU(inplace=True), nn.Mish(), nn.ELU(0.7),
    nn.GELU(), nn.GELU("tanh"), nn.PReLU(), nn.PReLU(6), nn.Hardtanh(-0.5, 0.7), nn.CELU(),
    nn.SELU(), nn.Dropout(0.4), nn.Identity(), nn.ChannelShuffle(3),
    nn.LocalResponseNorm(5, 0.3, 0.7, 1.5),
]  # fmt: skip


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
def test_activations(activation: Any) -> None:
    agree(nn.Sequential(nn.Conv2d(3, 6, 3), activation, nn.Conv2d(6, 2, 1)), (3, 6, 7))


CONVOLUTIONS = [
    nn.Conv2d(6, 9, 3),
    nn.Conv2d(6, 8, (2, 3), stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2, bias=False),
    nn.Conv2d(6, 12, 3, groups=6, padding="same", dilation=2),
    nn.Conv2d(6, 7, (2, 4), padding="same"),
    nn.Conv2d(6, 7, 5, padding="valid", stride=3),
]


@pytest.mark.parametrize("convolution", CONVOLUTIONS, ids=repr)
def test_convolutions(convolution: Any) -> None:
    network = agree(nn.Sequential(convolution), (6, 11, 14))
    filters = convolution.weight.detach().numpy().transpose(2, 3, 1, 0)
    np.testing.assert_array_equal(network.parameters["0/filters"], filters)


POOLS = [
    nn.MaxPool2d(2),
    nn.MaxPool2d(3, 2, padding=1),
    nn.MaxPool2d((2, 3), (1, 2), dilation=2, padding=(0, 1)),
    nn.AvgPool2d(3, 2),
    nn.AvgPool2d(3, 2, padding=1),
    nn.AvgPool2d((3, 2), 2, padding=1, count_include_pad=False),
    nn.AvgPool2d(2, divisor_override=3),
    nn.AdaptiveAvgPool2d((4, 2)),
    nn.AdaptiveMaxPool2d((2, 7)),
    nn.AdaptiveAvgPool2d((None, 7)),
]


@pytest.mark.parametrize("pool", POOLS, ids=repr)
def test_pooling(pool: Any) -> None:
    agree(nn.Sequential(nn.Conv2d(3, 5, 1), pool), (3, 8, 14))


@KEEPDIMS
@pytest.mark.parametrize(
    "pool",
    [
        nn.MaxPool2d(3, 2, ceil_mode=True),
        nn.AvgPool2d(3, 2, padding=1, ceil_mode=True),
        nn.AvgPool2d(3, 2, padding=1, ceil_mode=True, count_include_pad=False),
        nn.AvgPool2d(640, ceil_mode=True),
        nn.AdaptiveAvgPool2d(1),
        nn.AdaptiveMaxPool2d((1, 1)),
        Called(lambda self, x: x.mean([2, 3], keepdim=True)),
        Called(lambda self, x: x.mean((-1, -2))),
        Called(lambda self, x: x.amax((2, 3))),
    ],
    ids=str,
)
def test_pooling_that_hangs_over_or_takes_all(pool: Any) -> None:
    agree(nn.Sequential(nn.Conv2d(3, 5, 1), pool), (3, 9, 14))


ARITHMETIC: dict[str, Callable[..., Any]] = {
    "residual": lambda self, x: x + torch.relu(self.conv(x)),
    "in_place_sum": lambda self, x: self.conv(x).add_(x),
    "weighted_sum": lambda self, x: torch.add(x, self.conv(x), alpha=0.3),
    "difference": lambda self, x: x - self.conv(x),
    "number_first": lambda self, x: 2 - self.conv(x) * 3,
    "product": lambda self, x: x * torch.sigmoid(self.conv(x)),
    "square": lambda self, x: (lambda y: y * y)(self.conv(x)),
    "quotient": lambda self, x: self.conv(x) / 7,
    "clamped": lambda self, x: self.conv(x).clamp(min=-0.2) + x.clamp(-1, 0.5),
    "negated": lambda self, x: -self.conv(x),
    "hard_swish": lambda self, x: (lambda y: y * F.relu6(y + 3) / 6)(self.conv(x)),
    "joined": lambda self, x: torch.cat([x, self.conv(x), x], 1),
    "split": lambda self, x: torch.cat(torch.split(self.conv(x), [1, 3, 2], 1)[::2], 1),
    "chunked": lambda self, x: (lambda a, b: a * b)(*self.conv(x).chunk(2, 1)),
    "sliced": lambda self, x: self.conv(x)[:, 1::2, 2:, :-1],
    "narrowed": lambda self, x: self.conv(x).narrow(1, 2, 3),
    "strided": lambda self, x: self.conv(x)[:, :, ::2, 1::2],
    "shuffled": lambda self, x: (
        self.conv(x).view(-1, 2, 3, 6, 8).transpose(1, 2).reshape(-1, 6, 6, 8)
    ),
    "channels_last": lambda self, x: self.line(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2),
    "normalised": lambda self, x: self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2),
    "per_channel": lambda self, x: self.gamma * self.conv(x) + self.buffer,
    "padded": lambda self, x: self.conv(F.pad(x, (1, 0, 2, 3))),
    "padded_maximum": lambda self, x: F.max_pool2d(F.pad(x, (0, 1, 1, 0), value=-torch.inf), 3, 1),
    "functional": lambda self, x: F.conv2d(x, self.conv.weight * 2, self.conv.bias),
    "matrix": lambda self, x: x.permute(0, 2, 3, 1).matmul(self.matrix).permute(0, 3, 1, 2),
    "half_and_back": lambda self, x: self.conv(x).to(torch.float64).to(x.dtype),
}


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=KEEPDIMS if n in ("sliced", "strided") else ()) for n in ARITHMETIC],
)
@pytest.mark.filterwarnings("ignore:from_torch. the weights of conv are computed")
def test_arithmetic_and_axes(name: str) -> None:
    parts = {"conv": nn.Conv2d(6, 6, 1), "line": nn.Linear(6, 6), "norm": nn.LayerNorm(6)}
    module = Called(ARITHMETIC[name], **parts)
    module.matrix = nn.Parameter(torch.randn(6, 5))
    module.gamma = nn.Parameter(torch.randn(6, 1, 1))
    module.register_buffer("buffer", torch.randn(1, 6, 1, 1))
    agree(module, (6, 6, 8))


@pytest.mark.skipif("ZeroPad2D" not in striate.layers.LAYERS, reason="there is no ZeroPad2D yet")
@pytest.mark.parametrize("borders", [(1, 2, 0, 3), (-1, 1, 2, -2)])
def test_borders(borders: tuple[int, ...]) -> None:
    agree(Called(lambda self, x: torch.tanh(F.pad(x, borders)) * 2), (3, 6, 8))
    agree(nn.Sequential(nn.ZeroPad2d((1, 2, 0, 3)), nn.MaxPool2d(3, 1)), (3, 6, 8))


@pytest.mark.skipif(
    "ConvTranspose2D" not in striate.layers.LAYERS, reason="there is no ConvTranspose2D yet"
)
@pytest.mark.parametrize(
    "layer",
    [
        nn.ConvTranspose2d(4, 6, 3),
        nn.ConvTranspose2d(4, 6, (2, 3), (3, 2), (1, 0), (1, 1), groups=2, dilation=(2, 1)),
    ],
    ids=str,
)
def test_transposed_convolutions(layer: Any) -> None:
    agree(nn.Sequential(layer), (4, 5, 6))


def test_signals() -> None:
    convs = nn.Conv1d(3, 8, 5, padding=2), nn.BatchNorm1d(8), nn.ReLU(), nn.MaxPool1d(2)
    network = agree(nn.Sequential(*convs, nn.Conv1d(8, 4, 3, groups=2)), (3, 20))
    assert network.input_shape == (1, 20, 3)


# Whole modules.


def mlp() -> Any:
    return nn.Sequential(
        nn.Linear(9, 16),
        nn.BatchNorm1d(16),
        nn.ReLU(inplace=True),
        nn.Dropout(0.1),
        nn.Linear(16, 4),
    )


def lenet() -> Any:
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.Sigmoid(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5),
        nn.Sigmoid(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(16 * 2 * 5, 20),
        nn.Sigmoid(), nn.Linear(20, 10),
    )  # fmt: skip


class Block(nn.Module):
    """A residual block, whose ReLU works in place and is used twice."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels // stride, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels, momentum=0.2, eps=1e-3)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.down = nn.Conv2d(channels // stride, channels, 1, stride) if stride > 1 else None

    def forward(self, x: Any) -> Any:
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out += x if self.down is None else self.down(x)
        return self.relu(out)


def residual() -> Any:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        Block(8, 1),
        Block(16, 2),
        nn.Flatten(),
        nn.Linear(16 * 4 * 5, 5),
    )


def test_whole_modules() -> None:
    assert agree(mlp(), (9,)).parameter_count == 16 * 9 + 16 + 32 + 16 * 4 + 4
    agree(lenet(), (1, 16, 28))
    module = residual()
    network = agree(module, (3, 8, 10))
    norm = next(node.layer for node in network.nodes if node.name == "1.bn1")
    assert (norm.momentum, norm.eps) == (0.8, 1e-3)
    state = network.to_torch().state_dict()
    for name, tensor in module.state_dict().items():
        assert torch.equal(state[name], tensor), name  # the very names, and every bit


def test_there_and_back_keeps_every_bit() -> None:
    first = striate.from_torch(randomised(residual()), (1, 3, 8, 10))
    second = striate.from_torch(first.to_torch(), (1, 3, 8, 10))
    assert second.get_config() == first.get_config()
    for name in first.parameters:
        np.testing.assert_array_equal(first.parameters[name], second.parameters[name])
    for name in first.state:
        np.testing.assert_array_equal(first.state[name], second.state[name])


def steps(network: Network, images: np.ndarray, labels: np.ndarray) -> None:
    for step in range(3):
        _, gradients = network.gradients(images, labels, seed=step, exact=True)
        for name, gradient in gradients.items():
            network.parameters[name][...] -= np.float32(0.05) * gradient


def classified(module: Any, images: Any, labels: Any) -> Any:
    return F.cross_entropy(module(images), labels)


def torch_steps(
    module: Any, images: Any, labels: Any, loss: Callable[..., Any] = classified
) -> dict[str, Any]:
    optimizer = torch.optim.SGD([p for p in module.parameters() if p.requires_grad], 0.05)
    for _ in range(3):
        optimizer.zero_grad()
        loss(module, images, labels).backward()
        optimizer.step()
    state: dict[str, Any] = module.state_dict()
    return state


def distance(one: dict[str, Any], other: dict[str, Any]) -> float:
    return max(
        float((one[k].double() - t).abs().max() / (t.abs().max() + 1e-12))
        for k, t in other.items()
        if t.is_floating_point()
    )


@pytest.mark.parametrize("kept", ["nothing", "statistics", "frozen"])
def test_three_training_steps_are_the_same(kept: str) -> None:
    """As close as PyTorch's float32 comes to its float64, times three."""
    module = randomised(residual()).train()
    if kept == "statistics":
        module[1].bn2.eval()
    elif kept == "frozen":
        module[1].eval().requires_grad_(False)
    images = torch.randn(8, 3, 8, 10)
    labels = torch.arange(8) % 5
    network = striate.from_torch(module, images)
    still = {"statistics": {"1.bn2"}, "frozen": {"1.bn1", "1.bn2"}}
    assert network.kept_statistics == still.get(kept, set())
    assert network.frozen == (
        {"1.conv1", "1.bn1", "1.conv2", "1.bn2"} if kept == "frozen" else set()
    )
    before = {key: tensor.clone() for key, tensor in module.state_dict().items()}
    double = torch_steps(copy.deepcopy(module).double(), images.double(), labels)
    single = torch_steps(module, images, labels)
    steps(network, rows(images), labels.numpy())
    own = network.to_torch().state_dict()
    assert distance(own, double) <= 3 * distance(single, double)
    assert torch.equal(own["1.bn2.running_mean"], before["1.bn2.running_mean"]) == (
        kept != "nothing"
    )
    assert torch.equal(own["1.conv1.weight"], before["1.conv1.weight"]) == (kept == "frozen")


def test_the_module_is_left_as_it_was() -> None:
    module = residual().train()
    module[1].bn1.eval()
    before = copy.deepcopy(module.state_dict())
    striate.from_torch(module, (1, 3, 8, 10))
    assert module.training and module[2].bn1.training and not module[1].bn1.training
    assert all(torch.equal(before[key], tensor) for key, tensor in module.state_dict().items())


def test_a_layer_that_is_used_twice_is_shared() -> None:
    module = Called(
        lambda self, x: self.bn(self.conv(torch.tanh(self.bn(self.conv(x))))),
        conv=nn.Conv2d(4, 4, 3, padding=1),
        bn=nn.BatchNorm2d(4),
    )
    network = agree(module, (4, 5, 6))
    assert network.parameter_count == sum(p.numel() for p in module.parameters())
    tied = nn.Sequential(nn.Linear(5, 5), nn.Tanh(), nn.Linear(5, 5))
    tied[2].weight = tied[0].weight
    with pytest.raises(
        ValueError, match=r"linear in 2 \(its weights 2.weight are those of another"
    ):
        striate.from_torch(tied, (1, 5))


def test_half_and_double_precision() -> None:
    for dtype in (torch.float64, torch.bfloat16, torch.float16):
        module = lenet().to(dtype)
        network = striate.from_torch(module, (1, 1, 16, 28))
        weights = module[0].weight.detach().float().numpy().transpose(2, 3, 1, 0)
        np.testing.assert_array_equal(network.parameters["0/filters"], weights)


def test_normalisation_becomes_the_preprocessing() -> None:
    mean, std = torch.tensor([0.5, 0.4, 0.3]), torch.tensor([0.2, 0.25, 0.3])
    module = Called(
        lambda self, x: self.conv((x / 255 - self.mean) / self.std), conv=nn.Conv2d(3, 4, 3)
    )
    module.register_buffer("mean", mean.view(3, 1, 1))
    module.register_buffer("std", std.view(1, 3, 1, 1))
    network = agree(module, (3, 5, 6), 100.0)
    np.testing.assert_allclose(network.preprocessing.mean, 255 * mean, rtol=1e-6)
    np.testing.assert_allclose(network.preprocessing.std, 255 * std, rtol=1e-6)
    assert [node.name for node in network.nodes] == ["conv"]
    network.preprocessing = striate.Preprocessing(mean=(1, 2, 3), std=(4, 5, 6))
    back = striate.from_torch(network.to_torch(), (1, 3, 5, 6))
    assert back.preprocessing == network.preprocessing
    # The images themselves are read too: nothing to be taken out.
    both = Called(lambda self, x: self.conv(x - 1) + self.conv(x), conv=nn.Conv2d(3, 4, 3))
    assert agree(both, (3, 5, 6)).preprocessing.is_identity


def test_several_outputs_are_chosen() -> None:
    module = Called(
        lambda self, x: (self.a(x), {"logits": self.b(x)}), a=nn.Linear(4, 3), b=nn.Linear(4, 2)
    )
    for output, name in ((0, "a"), ("0", "a"), (1, "b"), (-1, "b"), ("1.logits", "b")):
        network = striate.from_torch(module, (1, 4), output=output)
        assert [node.name for node in network.nodes] == [name]
    with pytest.raises(ValueError, match=r'returns 2 values, "0", "1.logits"; choose one with out'):
        striate.from_torch(module, (1, 4))
    for output in ("c", 2):
        with pytest.raises(ValueError, match=r"output=.* is none of the 2 values"):
            striate.from_torch(module, (1, 4), output=output)


def test_a_softmax_at_the_end_is_left_out_and_told() -> None:
    module = nn.Sequential(nn.Linear(4, 3), nn.Softmax(1))
    with pytest.warns(UserWarning, match="the softmax at its end is left out"):
        network = striate.from_torch(module, (1, 4))
    images = torch.randn(5, 4)
    found = network.predict_proba(images.numpy())
    np.testing.assert_allclose(found, module(images).detach().numpy(), atol=1e-6)


# What cannot be carried.


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (
            nn.Sequential(nn.GroupNorm(2, 4), nn.ReLU(), nn.Softplus(), nn.GroupNorm(2, 4)),
            r"group_norm in 0, softplus in 2, group_norm in 3 \(striate has no such layer\)",
        ),
        (Called(lambda self, x: x.mean()), r"mean \(it is taken over all axes\)"),
        (Called(lambda self, x: x / torch.tanh(x)), "divides by a value"),
        (Called(lambda self, x: F.pad(x, (1, 1, 1, 1), mode="reflect")), "pads by reflect"),
        (Called(lambda self, x: F.pad(x, (1, 1), value=2.0)), "pads with 2"),
        (Called(lambda self, x: x.flip(2)), r"flip \(striate has no such layer\)"),
        (Called(lambda self, x: x.flatten(1)), "the output is a flattened image"),
        (nn.AdaptiveAvgPool2d((3, 6)), "5 pixels are pooled to 3 by windows of different sizes"),
        (nn.LocalResponseNorm(4), "local response normalisation over 4 channels, an even number"),
        (nn.BatchNorm2d(4, track_running_stats=False), "statistics of the batch in prediction"),
        (Called(lambda self, x: torch.ones(2, 3)), "does not depend on the images; ask for"),
        (Called(lambda self, x: x.item() if x.sum() > 0 else x), "PyTorch cannot trace Called"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_what_cannot_be_carried_is_told(module: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        striate.from_torch(module, (1, 4, 5, 6))
    assert len(str(caught.value)) <= 500


class TwoHeads(nn.Module):
    """A classifier with an auxiliary output, which it may have in training only."""

    def __init__(self, always: bool) -> None:
        super().__init__()
        self.always = always
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.SiLU())
        self.deep = nn.Sequential(nn.Conv2d(8, 9, 3, stride=2), nn.BatchNorm2d(9), nn.Tanh())
        self.aux = nn.Sequential(nn.Conv2d(8, 5, 1), nn.BatchNorm2d(5), nn.Tanh())
        self.aux_classes = nn.Linear(5, 4)
        self.classes = nn.Linear(9, 4)

    def forward(self, images: Any) -> Any:
        x = self.stem(images)
        side = self.aux_classes(self.aux(x).mean((2, 3)))
        y = self.classes(self.deep(x).mean((2, 3)))
        return {"logits": y, "aux": side} if self.training or self.always else y


def two_losses(module: Any, images: Any, labels: Any) -> Any:
    found = module(images)
    return F.cross_entropy(found["logits"], labels) + 0.4 * F.cross_entropy(found["aux"], labels)


def as_striate_has_it(state: dict[str, Any]) -> dict[str, Any]:
    """The weights of convolutions, dense layers and normalisations by striate's names."""
    short = {"running_mean": "mean", "running_var": "variance"}
    found = {}
    for name, tensor in state.items():
        layer, _, what = name.rpartition(".")
        normal = f"{layer}.running_mean" in state
        if what == "weight" and not normal:
            what = {4: "filters", 2: "weights"}[tensor.dim()]
            tensor = tensor.permute(2, 3, 1, 0) if tensor.dim() == 4 else tensor.T
        elif normal:
            what = {"weight": "scale", "bias": "shift"}.get(what, short.get(what, ""))
        if what:
            found[f"{layer}/{what}"] = tensor
    return found


@pytest.mark.parametrize("always", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_auxiliary_heads_train_as_there(always: bool, training: bool) -> None:
    """Three steps of the summed loss: as close as PyTorch's float32 is to its float64, times 3."""
    module = randomised(TwoHeads(always)).train(training)
    images, labels = torch.randn(8, 3, 7, 9), torch.arange(8) % 4
    output = "logits" if always and training else None
    network = striate.from_torch(module, images, output=output, heads={"aux": 0.4})
    modes = [part.training for part in module.modules()]
    assert set(modes) == {training}
    assert {name: head.weight for name, head in network.heads.items()} == {"aux": 0.4}
    assert network.nodes[network.heads["aux"].node].name == "aux_classes"
    with torch.no_grad():
        predicted = copy.deepcopy(module).double().eval()(images.double())
    predicted = (predicted["logits"] if always else predicted).numpy()
    found = network.predict_logits(rows(images), engine="numpy")
    np.testing.assert_allclose(found, predicted, rtol=0, atol=1e-5 * np.abs(predicted).max())
    module.train()
    double = torch_steps(copy.deepcopy(module).double(), images.double(), labels, two_losses)
    single = torch_steps(module, images, labels, two_losses)
    steps(network, rows(images), labels.numpy())
    own = {**network.parameters, **network.state}
    wanted = as_striate_has_it(double)
    assert own.keys() == wanted.keys()
    mine = {name: torch.from_numpy(values.copy()) for name, values in own.items()}
    assert distance(mine, wanted) <= 3 * distance(as_striate_has_it(single), wanted)


def test_heads_are_named_or_numbered() -> None:
    module = Called(
        lambda self, x: (self.a(x), {"early": self.b(x)}, self.c(x)),
        a=nn.Linear(4, 3), b=nn.Linear(4, 3), c=nn.Linear(4, 3),
    )  # fmt: skip
    network = striate.from_torch(module, (1, 4), heads={"1.early": 0.3, 2: 0.2})
    assert network.nodes[-1].name == "a"
    heads = {name: (network.nodes[h.node].name, h.weight) for name, h in network.heads.items()}
    assert heads == {"1.early": ("b", 0.3), "2": ("c", 0.2)}
    for name in "abc":
        wanted = getattr(module, name).weight.detach().numpy().T
        assert np.array_equal(network.parameters[f"{name}/weights"], wanted)
    network = striate.from_torch(module, (1, 4), output=2, heads={0: 1})
    assert (network.nodes[-1].name, network.nodes[network.heads["0"].node].name) == ("c", "a")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"heads": {"c": 1}}, "the head 'c' is none of the 2 values that the module returns"),
        ({"heads": {1: 1}, "output": 1}, "must not be the output or read it"),
        ({"heads": {1: 1, "1": 2}}, 'the head "1" is named twice'),
        ({"heads": {1: 1, 0: 1}}, "returns 0 values beside the heads"),
        ({"heads": {1: 0}}, "the weight of its loss must be above 0"),
        ({"heads": {True: 1}}, "heads must have names or numbers"),
        ({"heads": ["1"]}, "heads must be a mapping"),
        ({"heads": {1: 1}, "wide": 4}, "give it the same"),
    ],
)
def test_heads_that_do_not_fit(arguments: dict[str, Any], message: str) -> None:
    arguments = dict(arguments)
    wide = arguments.pop("wide", 3)
    module = Called(lambda self, x: (self.a(x), self.b(x)), a=nn.Linear(4, 3), b=nn.Linear(4, wide))
    with pytest.raises((ValueError, TypeError), match=message):
        striate.from_torch(module, (1, 4), **arguments)


def test_operators_in_the_way_of_a_head_are_told() -> None:
    module = Called(
        lambda self, x: (self.a(x), self.b(x).cumsum(1)), a=nn.Linear(4, 3), b=nn.Linear(4, 3)
    )
    assert not striate.from_torch(module, (1, 4), output=0).heads
    with pytest.raises(ValueError, match="no layers stand for cumsum"):
        striate.from_torch(module, (1, 4), heads={1: 0.5})


def test_only_what_leads_to_the_output_counts() -> None:
    module = Called(lambda self, x: (self.a(x), x.flip(1)), a=nn.Linear(4, 3))
    assert len(striate.from_torch(module, (1, 4), output=0).nodes) == 1


def test_changes_in_place_reach_views_and_no_copies() -> None:
    def changed(self: Any, x: Any) -> Any:
        y = self.conv(x)
        kept, view = y.clone(), y.flatten(2)
        y.relu_()
        return torch.cat([kept.flatten(2), view, y.flatten(2)], 1).view(-1, 12, 5, 6)

    agree(Called(changed, conv=nn.Conv2d(3, 4, 1)), (3, 5, 6))

    def part(self: Any, x: Any) -> Any:
        y = self.conv(x)
        y[:, :2].relu_()
        return y * 2

    with pytest.raises(ValueError, match="changes a part of a value in place"):
        striate.from_torch(Called(part, conv=nn.Conv2d(3, 4, 1)), (1, 3, 5, 6))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("model.pt", (1, 4)), "module must be a torch.nn.Module, got 'model.pt'"),
        ((nn.Linear(4, 2), 4), "example must be a tensor, an array or a shape"),
        ((nn.Linear(4, 2), (1, 4.5)), "example"),
        ((nn.Linear(4, 2), (1, 2, 3, 4, 5)), r"example must have the axes \(n, channels"),
        ((nn.Linear(4, 2), (1, 5)), r"PyTorch cannot trace Linear with images of \(2, 5\)"),
    ],
)
def test_other_arguments_are_refused(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        striate.from_torch(*arguments)
    with pytest.raises(TypeError, match="output must be the name or number"):
        striate.from_torch(nn.Linear(4, 2), (1, 4), output=True)


def test_what_trains_otherwise_is_told() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, affine=False), nn.Dropout2d(0.3))
    with pytest.warns(UserWarning, match="learns no scale and shift there") as caught:
        striate.from_torch(module, (1, 3, 5, 5))
    assert "dropout of whole channels" in str(caught[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        striate.from_torch(module[:1], (1, 3, 5, 5))
