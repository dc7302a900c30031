"""RegNet: Radosavovic, Kosaraju, Girshick, He, Dollár, "Designing network design spaces"
(arXiv:2003.13678). X has plain bottlenecks with groups, Y squeeze-and-excitation in them.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from striate.architectures.building_blocks import (
    IMAGE,
    NormalisedConvolution,
    divisible,
    make_network,
)
from striate.architectures.inverted_residuals import squeeze_and_excite
from striate.layers import Add, Dense, GlobalAvgPool2D, Node, ReLU
from striate.network import Network
from striate.ops.shapes import Shape

_convolve = NormalisedConvolution()
_STEM = 32


@dataclass(frozen=True)
class RegNetRule:
    """The rule that gives the stages of a RegNet (section 3.3 of the paper).

    Block j of `depth` has the width u = initial + slope·j, which is rounded to the nearest
    initial·step^s of a whole s and then to a multiple of 8; blocks of one width are a stage.

    Attributes:
        depth, initial, slope, step: d, w₀, w_a and w_m of the paper.
        group: channels of a group.
        squeezes: whether there is squeeze-and-excitation, to a quarter of the block's input.
    """

    depth: int
    initial: int
    slope: float
    step: float
    group: int
    squeezes: bool = False

    def stages(self) -> tuple[tuple[int, int, int], ...]:
        """(width, blocks, channels of a group) of each stage."""
        widths = []
        for block in range(self.depth):
            wanted = self.initial + self.slope * block
            power = round(math.log(wanted / self.initial) / math.log(self.step))
            widths.append(8 * round(self.initial * self.step**power / 8))
        found = []
        for width, blocks in Counter(widths).items():
            # A stage is as wide as whole groups are, at least one.
            group = min(self.group, width)
            found.append((divisible(width, group), blocks, group))
        return tuple(found)


# Appendix B and C: tables of the models that were found.
_RULES = {
    "regnet_x_400mf": RegNetRule(22, 24, 24.48, 2.54, 16),
    "regnet_x_800mf": RegNetRule(16, 56, 35.73, 2.28, 16),
    "regnet_x_1_6gf": RegNetRule(18, 80, 34.01, 2.25, 24),
    "regnet_x_3_2gf": RegNetRule(25, 88, 26.31, 2.25, 48),
    "regnet_x_8gf": RegNetRule(23, 80, 49.56, 2.88, 120),
    "regnet_x_16gf": RegNetRule(22, 216, 55.59, 2.1, 128),
    "regnet_x_32gf": RegNetRule(23, 320, 69.86, 2.0, 168),
    "regnet_y_400mf": RegNetRule(16, 48, 27.89, 2.09, 8, squeezes=True),
    "regnet_y_800mf": RegNetRule(14, 56, 38.84, 2.4, 16, squeezes=True),
    "regnet_y_1_6gf": RegNetRule(27, 48, 20.71, 2.65, 24, squeezes=True),
    "regnet_y_3_2gf": RegNetRule(21, 80, 42.63, 2.66, 24, squeezes=True),
    "regnet_y_8gf": RegNetRule(17, 192, 76.82, 2.19, 56, squeezes=True),
    "regnet_y_16gf": RegNetRule(18, 200, 106.23, 2.48, 112, squeezes=True),
    "regnet_y_32gf": RegNetRule(20, 232, 115.89, 2.53, 232, squeezes=True),
}


def regnet_x_400mf(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """RegNetX-400MF (arXiv:2003.13678), with 5,495,976 parameters.

    Args:
        classes: the number of outputs.
        image: (height, width, channels).
        seed: of the initial parameters; None leaves them zero.
    """
    return _regnet("regnet_x_400mf", classes, image, seed)


def regnet_x_800mf(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """RegNetX-800MF (arXiv:2003.13678), with 7,259,656 parameters.

    Args:
        classes, image, seed: as for `regnet_x_400mf`.
    """
    return _regnet("regnet_x_800mf", classes, image, seed)


def regnet_x_1_6gf(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """RegNetX-1.6GF (arXiv:2003.13678), with 9,190,136 parameters.

    Args:
        classes, image, seed: as for `regnet_x_400mf`.
    """
    return _regnet("regnet_x_1_6gf", classes, image, seed)


def regnet_x_3_2gf(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """RegNetX-3.2GF (arXiv:2003.13678), with 15,296,552 parameters.

    Args:
        classes, image, seed: as for `regnet_x_400mf`.
    """
    return _regnet("regnet_x_3_2gf", classes, image, seed)


def regnet_x_8gf(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """RegNetX-8GF (arXiv:2003.13678), with 39,572,648 parameters.

    Args:
        classes, image, seed: as for `regnet_x_400mf`.
    """
    return _regnet("regnet_x_8gf", classes, image, seed)


def regnet_x_16gf(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """RegNetX-16GF (arXiv:2003.13678), with 54,278,536 parameters.

    Args:
        classes, image, seed: as for `regnet_x_400mf`.
    """
    return _regnet("regnet_x_16gf", classes, image, seed)


def regnet_x_32gf(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """RegNetX-32GF (arXiv:2003.13678), with 107,811,560 parameters.

    Args:
        classes, image, seed: as for `regnet_x_400mf`.
    """
    return _regnet("regnet_x_32gf", classes, image, seed)


def regnet_y_400mf(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """RegNetY-400MF (arXiv:2003.13678), with 4,344,144 parameters.

    Args:
        classes, image, seed: as for `regnet_x_400mf`.
    """
    return _regnet("regnet_y_400mf", classes, image, seed)


def regnet_y_800mf(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """RegNetY-800MF (arXiv:2003.13678), with 6,432,512 parameters.

    Args:
        classes, image, seed: as for `regnet_x_400mf`.
    """
    return _regnet("regnet_y_800mf", classes, image, seed)


def regnet_y_1_6gf(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """RegNetY-1.6GF (arXiv:2003.13678), with 11,202,430 parameters.

    Args:
        classes, image, seed: as for `regnet_x_400mf`.
    """
    return _regnet("regnet_y_1_6gf", classes, image, seed)


def regnet_y_3_2gf(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """RegNetY-3.2GF (arXiv:2003.13678), with 19,436,338 parameters.

    Args:
        classes, image, seed: as for `regnet_x_400mf`.
    """
    return _regnet("regnet_y_3_2gf", classes, image, seed)


def regnet_y_8gf(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """RegNetY-8GF (arXiv:2003.13678), with 39,381,472 parameters.

    Args:
        classes, image, seed: as for `regnet_x_400mf`.
    """
    return _regnet("regnet_y_8gf", classes, image, seed)


def regnet_y_16gf(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """RegNetY-16GF (arXiv:2003.13678), with 83,590,140 parameters.

    Args:
        classes, image, seed: as for `regnet_x_400mf`.
    """
    return _regnet("regnet_y_16gf", classes, image, seed)


def regnet_y_32gf(classes: int = 1000, image: Shape = IMAGE, seed: int | None = 0) -> Network:
    """RegNetY-32GF (arXiv:2003.13678), with 145,046,770 parameters.

    Args:
        classes, image, seed: as for `regnet_x_400mf`.
    """
    return _regnet("regnet_y_32gf", classes, image, seed)


def _regnet(who: str, classes: int, image: Shape, seed: int | None) -> Network:
    rule = _RULES[who]

    def graph(x: Node, classes: int) -> Node:
        x = _convolve(x, _STEM, 3, "stem", stride=2)
        for stage, (width, blocks, group) in enumerate(rule.stages(), 1):
            for number in range(1, blocks + 1):
                stride = 2 if number == 1 else 1
                x = _block(x, width, stride, group, rule.squeezes, f"stage{stage}_block{number}")
        return Dense(classes, name="classes")(GlobalAvgPool2D(name="pool")(x))

    return make_network(who, graph, classes, image, seed)


def _block(x: Node, width: int, stride: int, group: int, squeezes: bool, name: str) -> Node:
    """A bottleneck that is none: as many channels inside as around it, in groups."""
    short = x
    if stride > 1 or x.shape[2] != width:
        short = _convolve(x, width, 1, f"{name}_shortcut", stride=stride, active=False)
    y = _convolve(x, width, 1, f"{name}_first")
    y = _convolve(y, width, 3, f"{name}_middle", stride=stride, groups=width // group)
    if squeezes:
        y = squeeze_and_excite(y, round(0.25 * x.shape[2]), name)
    y = _convolve(y, width, 1, f"{name}_last", active=False)
    return ReLU(name=f"{name}_relu")(Add(name=f"{name}_add")(short, y))
