"""Locally connected layers: NumPy against textbook loops, PyTorch's unfold and convolution."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.ops import conv, local

CLOSE = {"rtol": 1e-10, "atol": 1e-12}


@dataclass(frozen=True)
class Case:
    """A layer that is deliberately lopsided: no two sides or directions are alike."""

    n: int = 2
    height: int = 6
    width: int = 5
    channels: int = 3
    kernels: int = 4
    size: tuple[int, int] = (3, 2)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    @property
    def window(self):
        return (self.pads, self.stride, self.dilation, self.groups)

    @property
    def image(self):
        return (self.height, self.width)

    @property
    def positions(self):
        return conv.output_size(self.image, self.size, self.stride, self.dilation, self.pads)

    def arrays(self):
        random = np.random.default_rng([self.height, self.width, self.channels, self.kernels])
        x = random.standard_normal((self.n, *self.image, self.channels))
        depth = self.channels // self.groups
        weights = random.standard_normal((*self.positions, *self.size, depth, self.kernels))
        gradient = random.standard_normal((self.n, *self.positions, self.kernels))
        return x, weights, gradient


CASES = [
    Case(),
    Case(n=1, size=(1, 1), channels=5),
    Case(n=3, height=4, width=9, size=(4, 9)),  # one position: a dense layer
    Case(pads=(1, 2, 0, 3)),
    Case(pads=(4, 0, 3, 5), size=(2, 2)),  # windows in the padding alone
    Case(stride=(2, 3), height=8, width=9),
    Case(stride=(3, 2), height=8, width=8, pads=(0, 1, 2, 0)),  # rows and columns left unread
    Case(stride=(4, 3), size=(2, 1), height=9, width=8),  # gaps between the windows
    Case(dilation=(2, 3), height=7, width=6),
    Case(dilation=(3, 1), stride=(2, 1), pads=(2, 1, 1, 0), height=8),
    Case(groups=3, channels=6, kernels=9),
    Case(groups=4, channels=4, kernels=4, pads=(1, 1, 1, 1)),  # a channel each
    Case(groups=2, channels=2, kernels=6, dilation=(1, 2), stride=(2, 1), pads=(1, 0, 0, 2)),
    *(
        Case(n=1, height=3, width=4, size=(2, 2), channels=channels, kernels=kernels)
        for channels, kernels in pairwise([1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 1])
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_numpy_agrees_with_loops(case):
    x, weights, gradient = case.arrays()
    np.testing.assert_allclose(
        local.local2d(x, weights, *case.window),
        local.local2d_loops(x, weights, *case.window),
        **CLOSE,
    )
    np.testing.assert_allclose(
        local.local2d_weight_gradient(x, gradient, case.size, *case.window),
        local.local2d_weight_gradient_loops(x, gradient, case.size, *case.window),
        **CLOSE,
    )
    np.testing.assert_allclose(
        local.local2d_input_gradient(gradient, weights, case.image, *case.window),
        local.local2d_input_gradient_loops(gradient, weights, case.image, *case.window),
        **CLOSE,
    )


@st.composite
def cases(draw):
    """Any layer with at least one output, whole or with a rest left unread."""
    size = (draw(st.integers(1, 4)), draw(st.integers(1, 4)))
    stride = (draw(st.integers(1, 4)), draw(st.integers(1, 4)))
    dilation = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    pads = tuple(draw(st.integers(0, 4)) for _ in range(4))
    groups = draw(st.integers(1, 3))
    image = []
    for axis in (0, 1):
        reach = dilation[axis] * (size[axis] - 1) + 1
        padding = pads[2 * axis] + pads[2 * axis + 1]
        image.append(max(1, reach - padding) + draw(st.integers(0, 6)))
    return Case(
        n=draw(st.integers(1, 3)),
        height=image[0],
        width=image[1],
        channels=groups * draw(st.integers(1, 5)),
        kernels=groups * draw(st.integers(1, 5)),
        size=size,
        pads=pads,
        stride=stride,
        dilation=dilation,
        groups=groups,
    )


@given(cases())
@settings(max_examples=60)
def test_numpy_agrees_with_torch(case):
    """PyTorch has no such layer: its patches (unfold), multiplied position by position."""
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    x, weights, gradient = case.arrays()
    tx = torch.tensor(x.transpose(0, 3, 1, 2).copy(), requires_grad=True)
    tw = torch.tensor(weights, requires_grad=True)
    top, bottom, left, right = case.pads
    patches = torch.nn.functional.unfold(
        torch.nn.functional.pad(tx, (left, right, top, bottom)),
        case.size,
        dilation=case.dilation,
        stride=case.stride,
    )
    rows, columns = case.positions
    depth, share = case.channels // case.groups, case.kernels // case.groups
    patches = patches.reshape(case.n, case.groups, depth, *case.size, rows, columns)
    grouped = tw.reshape(rows, columns, *case.size, depth, case.groups, share)
    output = torch.einsum("ngcrsyx,yxrscgk->nyxgk", patches, grouped).flatten(3)
    output.backward(torch.tensor(gradient))
    close = {"rtol": 1e-9, "atol": 1e-11}
    np.testing.assert_allclose(
        local.local2d(x, weights, *case.window), output.detach().numpy(), **close
    )
    np.testing.assert_allclose(
        local.local2d_weight_gradient(x, gradient, case.size, *case.window),
        tw.grad.numpy(),
        **close,
    )
    np.testing.assert_allclose(
        local.local2d_input_gradient(gradient, weights, case.image, *case.window),
        tx.grad.numpy().transpose(0, 2, 3, 1),
        **close,
    )


@pytest.mark.parametrize("case", CASES[:13], ids=str)
def test_with_the_same_filters_everywhere_it_is_a_convolution(case):
    x, weights, gradient = case.arrays()
    filters = weights[0, 0]
    everywhere = np.broadcast_to(filters, weights.shape)
    np.testing.assert_allclose(
        local.local2d(x, everywhere, *case.window),
        conv.conv2d(x, filters, *case.window),
        **CLOSE,
    )
    # Sharing adds the gradients of all positions.
    np.testing.assert_allclose(
        local.local2d_weight_gradient(x, gradient, case.size, *case.window).sum((0, 1)),
        conv.conv2d_filter_gradient(x, gradient, case.size, *case.window),
        **CLOSE,
    )
