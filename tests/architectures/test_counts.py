"""Parameters and multiply-adds of the gallery are those that were published."""

from __future__ import annotations

import inspect

import pytest

from striate import architectures
from striate.layers import BatchNorm, Conv2D, Dense
from striate.network import Network

# Parameters, and multiply-adds of convolutions and dense layers for one image of the paper's size.
# torchvision 0.28 publishes them with its weights (`meta["num_params"]`, and `meta["_ops"]` in
# billions, to three decimals); the last digits of the multiply-adds were counted in its modules.
TORCHVISION = {
    "alexnet": (61_100_840, 714_188_480),
    "vgg11": (132_863_336, 7_609_090_048),
    "vgg11_bn": (132_868_840, 7_609_090_048),
    "vgg13": (133_047_848, 11_308_466_176),
    "vgg13_bn": (133_053_736, 11_308_466_176),
    "vgg16": (138_357_544, 15_470_264_320),
    "vgg16_bn": (138_365_992, 15_470_264_320),
    "vgg19": (143_667_240, 19_632_062_464),
    "vgg19_bn": (143_678_248, 19_632_062_464),
    # Published with the auxiliary classifier, 27,161,264; this is `aux_logits=False`.
    "inception_v3": (23_834_568, 5_713_216_096),
    "resnet18": (11_689_512, 1_814_073_344),
    "resnet34": (21_797_672, 3_663_761_408),
    "resnet50": (25_557_032, 4_089_184_256),
    "resnet101": (44_549_160, 7_801_405_440),
    "resnet152": (60_192_808, 11_513_626_624),
    "densenet121": (7_978_856, 2_834_161_664),
    "densenet161": (28_681_000, 7_727_907_072),
    "densenet169": (14_149_480, 3_359_843_328),
    "densenet201": (20_013_928, 4_291_365_888),
}
OTHERS = {
    # 28·28·6·25 + 10·10·16·150 + 400·120 + 120·84 + 84·10, and as many weights and biases.
    "lenet5": (61_706, 416_520),
}
COUNTS = TORCHVISION | OTHERS

# The papers' own figures, as they round them: millions of parameters, millions of multiply-adds;
# None where the paper counts otherwise.
PAPERS = {
    "vgg11": (133, None),  # table 2
    "vgg13": (133, None),
    "vgg16": (138, None),
    "vgg19": (144, None),
    "resnet18": (None, 1_800),  # table 1; that of ResNet-50 has its stride in the 1×1 convolution
    "resnet34": (None, 3_600),
    "inception_v3": (None, 5_700),  # "under 25 million" parameters, section 6
}


def multiply_adds(network: Network) -> int:
    return sum(
        node.layer.multiply_adds(*network.input_shapes(index))
        for index, node in enumerate(network.nodes)
        if isinstance(node.layer, (Conv2D, Dense))
    )


def test_every_architecture_has_its_figures() -> None:
    assert set(COUNTS) == set(architectures.NAMES)


@pytest.mark.parametrize("name", architectures.NAMES)
def test_published_figures(name: str) -> None:
    network = architectures.build(name, seed=None)
    assert (network.parameter_count, multiply_adds(network)) == COUNTS[name]


@pytest.mark.parametrize("name", PAPERS)
def test_figures_of_papers(name: str) -> None:
    parameters, millions = PAPERS[name]
    found = COUNTS[name]
    if parameters is not None:
        assert f"{found[0] / 1e6:.{_decimals(parameters)}f}" == str(parameters)
    if millions is not None:
        # Two digits: 3.66 billion are "3.6" in a table that cuts and "3.7" in one that rounds.
        assert found[1] / 1e6 == pytest.approx(millions, rel=0.02)


def _decimals(value: float) -> int:
    return len(str(value).partition(".")[2])


@pytest.mark.parametrize("name", architectures.NAMES)
def test_docstrings_have_the_number_of_parameters_and_a_paper(name: str) -> None:
    function = getattr(architectures, name)
    text = " ".join((inspect.getdoc(function) or "").split())
    assert f"{COUNTS[name][0]:,} parameters" in text
    module = " ".join((inspect.getmodule(function).__doc__ or "").split())  # type: ignore[union-attr]
    assert "arXiv:" in module or "1998" in module


def test_resnet50_layer_by_layer() -> None:
    """Table 1 of the paper: the sizes of the stages, and how many layers have weights."""
    network = architectures.resnet50(seed=None)
    sizes = {node.name: node.shape for node in network.nodes}
    assert sizes["stem_conv"] == (112, 112, 64)
    assert sizes["stem_pool"] == (56, 56, 64)
    for stage, (side, channels) in enumerate(((56, 256), (28, 512), (14, 1024), (7, 2048)), 1):
        assert sizes[f"stage{stage}_block1_relu"] == (side, side, channels)
    weighted = [
        node for node in network.nodes
        if isinstance(node.layer, (Conv2D, Dense)) and "shortcut" not in node.name
    ]  # fmt: skip
    assert len(weighted) == 50
    assert sum(isinstance(node.layer, BatchNorm) for node in network.nodes) == 53
