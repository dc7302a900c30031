"""Single convolutions, each of the three passes, against oneDNN through PyTorch.

PyTorch runs as it comes and channels_last; the faster counts, for each pass by itself.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from contest import Cases, Disagreement, Run, Setting, contest, difference
from report import OURS, Row

from striate.layers import Conv2D

PASSES = ("forward", "input gradient", "filter gradient")
# The direct sums agree to 1e-5; Winograd's transforms with large tiles lose a digit.
TOLERANCE = 2e-4
BAR = 1.0


@dataclass(frozen=True)
class Shape:
    """A convolution of a batch of images."""

    batch: int
    channels: int
    filters: int
    height: int
    width: int
    size: int
    stride: int
    padding: int
    groups: int = 1

    @property
    def name(self) -> str:
        pixels = f"{self.height}" if self.height == self.width else f"{self.height}×{self.width}"
        kind = " depthwise" if self.groups > 1 else f"→{self.filters}"
        window = f"{self.size}/{self.stride}/{self.padding}"
        return f"{self.batch}, {self.channels}{kind}@{pixels} {window}"

    def layer(self) -> Conv2D:
        """The convolution alone, without bias. Where windows do not fit, a rest stays unread."""
        return Conv2D(
            self.filters,
            self.size,
            stride=self.stride,
            padding=self.padding,
            groups=self.groups,
            bias=False,
            uncovered="drop",
        )


def _square(batch: int, channels: int, filters: int, pixels: int, *window: int) -> Shape:
    return Shape(batch, channels, filters, pixels, pixels, *window)


SHAPES = (
    _square(50, 3, 64, 224, 7, 2, 3),
    _square(50, 64, 64, 56, 3, 1, 1),
    _square(50, 128, 128, 28, 3, 1, 1),
    _square(50, 256, 256, 14, 3, 1, 1),
    _square(50, 512, 512, 7, 3, 1, 1),
    _square(50, 64, 256, 56, 1, 1, 0),
    _square(50, 1024, 256, 14, 1, 1, 0),
    _square(50, 256, 512, 56, 1, 2, 0),
    _square(128, 128, 128, 56, 3, 2, 1),
    _square(16, 3, 64, 224, 3, 1, 1),
    _square(16, 256, 256, 56, 3, 1, 1),
    _square(96, 16, 32, 28, 5, 1, 2),
    _square(32, 512, 512, 14, 1, 1, 0),
    _square(32, 512, 512, 14, 3, 1, 1, 512),
    Shape(16, 1, 16, 48, 480, 3, 1, 1),
    _square(32, 16, 12, 32, 3, 1, 1),
    _square(128, 1, 6, 28, 5, 1, 2),
    _square(128, 6, 16, 14, 5, 1, 0),
    _square(128, 1, 32, 28, 3, 1, 0),
    _square(128, 32, 64, 26, 3, 1, 0),
    _square(128, 24, 64, 31, 3, 1, 1),
    _square(128, 64, 256, 15, 3, 1, 1),
    _square(128, 256, 256, 7, 3, 1, 1),
)


def cases(setting: Setting) -> Cases:
    """Each shape, with all three passes."""
    for shape in SHAPES:
        yield shape.name, partial(measure, shape, setting)


def measure(shape: Shape, setting: Setting) -> list[Row]:
    """Three rows."""
    from striate.plan.measure.convolution_passes import ConvolutionPasses

    rng = np.random.default_rng(0)
    layer, image = shape.layer(), (shape.height, shape.width, shape.channels)
    x = rng.standard_normal((shape.batch, *image), np.float32)
    filters = rng.standard_normal(layer.parameters(image)[0].shape, np.float32)
    slopes = rng.standard_normal((shape.batch, *layer.output_shape(image)), np.float32)
    alone = ConvolutionPasses(layer, image, shape.batch, threads=setting.threads)
    alone.set_input(x)
    alone.set_filters(filters)
    alone.set_gradient(slopes)
    ours = {
        "forward": (alone.forward, alone.output),
        "input gradient": (alone.input_gradient, alone.dx),
        "filter gradient": (alone.filter_gradient, alone.dfilters),
    }
    flops = 2.0 * shape.batch * layer.multiply_adds(image)
    moved = float(x.nbytes + filters.nbytes + slopes.nbytes)
    theirs = dict(_pytorch(shape, x, filters, slopes))
    rows = []
    for which in PASSES:
        run, result = ours[which]
        run()
        peers = theirs.pop(which)
        row = Row("layers", which, shape.name, bar=BAR, winograd=bool(alone.winograd[_key(which)]))
        try:
            found = max(
                difference(name, result(), _public(peer(), which), TOLERANCE)
                for name, peer in peers.items()
            )
        except Disagreement as error:  # the other passes may be right
            rows.append(replace(row, failed=str(error)))
            continue
        row = replace(row, difference=found)
        rows.append(contest(row, {OURS: run, **peers}, setting, flops=flops, moved=moved))
    gc.collect()
    return rows


def _key(which: str) -> str:
    return which.replace(" ", "_")


def _public(result: torch.Tensor, which: str) -> np.ndarray:
    """In striate's layout: (n, height, width, channels), or that of filters."""
    order = (2, 3, 1, 0) if which == "filter gradient" else (0, 2, 3, 1)
    return result.detach().permute(*order).numpy()


def _pytorch(
    shape: Shape, x: np.ndarray, filters: np.ndarray, slopes: np.ndarray
) -> Iterator[tuple[str, dict[str, Run]]]:
    """Both ways to run each pass."""
    formats = {
        "PyTorch": torch.contiguous_format,
        "PyTorch channels_last": torch.channels_last,
    }
    passes: dict[str, dict[str, Run]] = {which: {} for which in PASSES}
    for name, layout in formats.items():
        image, slope = (
            torch.from_numpy(array).permute(0, 3, 1, 2).contiguous(memory_format=layout)
            for array in (x, slopes)
        )
        weight = torch.from_numpy(filters).permute(3, 2, 0, 1).contiguous(memory_format=layout)
        window = ([shape.stride] * 2, [shape.padding] * 2, [1, 1])

        @torch.inference_mode()
        def forward(image=image, weight=weight, window=window) -> torch.Tensor:
            return torch.nn.functional.conv2d(image, weight, None, *window, shape.groups)

        @torch.inference_mode()
        def backward(
            which: int, slope=slope, image=image, weight=weight, window=window
        ) -> torch.Tensor:
            wanted = [which == 0, which == 1, False]
            return torch.ops.aten.convolution_backward(
                slope, image, weight, None, *window, False, [0, 0], shape.groups, wanted
            )[which]

        passes["forward"][name] = forward
        passes["input gradient"][name] = partial(backward, 0)
        passes["filter gradient"][name] = partial(backward, 1)
    yield from passes.items()
