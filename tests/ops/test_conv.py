"""Convolution and its gradients: NumPy against textbook loops, PyTorch and the articles."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.ops import conv


@dataclass(frozen=True)
class Case:
    """A convolution that is deliberately lopsided: no two sides or directions are alike."""

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

    def arrays(self, dtype=np.float64):
        random = np.random.default_rng([self.height, self.width, self.channels, self.kernels])
        x = random.standard_normal((self.n, self.height, self.width, self.channels))
        filters = random.standard_normal((*self.size, self.channels // self.groups, self.kernels))
        output = conv.conv2d(x, filters, *self.window)
        gradient = random.standard_normal(output.shape)
        return x.astype(dtype), filters.astype(dtype), gradient.astype(dtype)


CASES = [
    Case(),
    Case(n=1, size=(1, 1), channels=5),
    Case(n=3, height=4, width=9, size=(4, 9)),
    Case(pads=(1, 2, 0, 3)),
    Case(pads=(4, 0, 3, 5), size=(2, 2)),  # windows in the padding alone
    Case(stride=(2, 3), height=8, width=9),
    Case(stride=(3, 2), height=8, width=8, pads=(0, 1, 2, 0)),  # rows and columns left unread
    Case(stride=(4, 3), size=(2, 1), height=9, width=8),  # gaps between the windows
    Case(dilation=(2, 3), height=7, width=6),
    Case(dilation=(3, 1), stride=(2, 1), pads=(2, 1, 1, 0), height=8),
    Case(groups=3, channels=6, kernels=9),
    Case(groups=4, channels=4, kernels=4, pads=(1, 1, 1, 1)),  # depthwise
    Case(groups=2, channels=2, kernels=6, dilation=(1, 2), stride=(2, 1), pads=(1, 0, 0, 2)),
    *(
        Case(n=1, height=3, width=4, size=(2, 2), channels=channels, kernels=kernels)
        for channels, kernels in pairwise([1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 1])
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_numpy_agrees_with_loops(case):
    x, filters, gradient = case.arrays()
    image = (case.height, case.width)
    np.testing.assert_allclose(
        conv.conv2d(x, filters, *case.window),
        conv.conv2d_loops(x, filters, *case.window),
        rtol=1e-10,
        atol=1e-12,
    )
    np.testing.assert_allclose(
        conv.conv2d_filter_gradient(x, gradient, case.size, *case.window),
        conv.conv2d_filter_gradient_loops(x, gradient, case.size, *case.window),
        rtol=1e-10,
        atol=1e-12,
    )
    np.testing.assert_allclose(
        conv.conv2d_input_gradient(gradient, filters, image, *case.window),
        conv.conv2d_input_gradient_loops(gradient, filters, image, *case.window),
        rtol=1e-10,
        atol=1e-12,
    )


@st.composite
def cases(draw):
    """Any convolution with at least one output, whole or with a rest left unread."""
    size = (draw(st.integers(1, 5)), draw(st.integers(1, 5)))
    stride = (draw(st.integers(1, 4)), draw(st.integers(1, 4)))
    dilation = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    pads = tuple(draw(st.integers(0, 4)) for _ in range(4))
    groups = draw(st.integers(1, 3))
    image = []
    for axis in (0, 1):
        reach = dilation[axis] * (size[axis] - 1) + 1
        padding = pads[2 * axis] + pads[2 * axis + 1]
        image.append(max(1, reach - padding) + draw(st.integers(0, 7)))
    return Case(
        n=draw(st.integers(1, 3)),
        height=image[0],
        width=image[1],
        channels=groups * draw(st.integers(1, 9)),
        kernels=groups * draw(st.integers(1, 9)),
        size=size,
        pads=pads,
        stride=stride,
        dilation=dilation,
        groups=groups,
    )


@given(cases())
@settings(max_examples=150)
def test_numpy_agrees_with_torch(case):
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    x, filters, gradient = case.arrays()
    tx = torch.tensor(x.transpose(0, 3, 1, 2).copy(), requires_grad=True)
    tf = torch.tensor(filters.transpose(3, 2, 0, 1).copy(), requires_grad=True)
    top, bottom, left, right = case.pads
    output = torch.nn.functional.conv2d(
        torch.nn.functional.pad(tx, (left, right, top, bottom)),
        tf,
        stride=case.stride,
        dilation=case.dilation,
        groups=case.groups,
    )
    output.backward(torch.tensor(gradient.transpose(0, 3, 1, 2)))
    close = {"rtol": 1e-9, "atol": 1e-11}
    np.testing.assert_allclose(
        conv.conv2d(x, filters, *case.window),
        output.detach().numpy().transpose(0, 2, 3, 1),
        **close,
    )
    np.testing.assert_allclose(
        conv.conv2d_filter_gradient(x, gradient, case.size, *case.window),
        tf.grad.numpy().transpose(2, 3, 1, 0),
        **close,
    )
    np.testing.assert_allclose(
        conv.conv2d_input_gradient(gradient, filters, (case.height, case.width), *case.window),
        tx.grad.numpy().transpose(0, 2, 3, 1),
        **close,
    )


@given(cases())
@settings(max_examples=50)
def test_the_gradients_are_adjoints(case):
    """⟨g, conv(x, f)⟩ = ⟨∂/∂x, x⟩ = ⟨∂/∂f, f⟩, since convolution is linear in both."""
    x, filters, gradient = case.arrays()
    value = (gradient * conv.conv2d(x, filters, *case.window)).sum()
    image = (case.height, case.width)
    by_x = (conv.conv2d_input_gradient(gradient, filters, image, *case.window) * x).sum()
    by_f = (conv.conv2d_filter_gradient(x, gradient, case.size, *case.window) * filters).sum()
    np.testing.assert_allclose([by_x, by_f], [value, value], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
def test_the_dtype_is_kept(dtype):
    case = Case(pads=(1, 0, 0, 1))
    x, filters, gradient = case.arrays(dtype)
    assert conv.conv2d(x, filters, *case.window).dtype == dtype
    assert conv.conv2d_filter_gradient(x, gradient, case.size, *case.window).dtype == dtype
    assert conv.conv2d_input_gradient(gradient, filters, (6, 5), *case.window).dtype == dtype


def test_no_images_give_no_outputs():
    x, filters = np.zeros((0, 4, 5, 6)), np.ones((2, 3, 3, 4))
    gradient = np.zeros((0, 3, 3, 4))
    assert conv.conv2d(x, filters, groups=2).shape == (0, 3, 3, 4)
    assert conv.conv2d_input_gradient(gradient, filters, (4, 5), groups=2).shape == x.shape
    assert not conv.conv2d_filter_gradient(x, gradient, (2, 3), groups=2).any()


def test_the_article_on_gradients():
    """*Convolutional Neural Network*: a 3×3 image, a 2×2 filter, all terms written out."""
    X = np.arange(1.0, 10).reshape(3, 3) ** 1.5
    F = np.array([[2.0, -1.0], [0.5, 3.0]])
    G = np.array([[1.0, -2.0], [4.0, 0.25]])  # ∂L/∂O
    x, f, g = X[None, :, :, None], F[:, :, None, None], G[None, :, :, None]
    O = [
        [
            X[i, j] * F[0, 0]
            + X[i, j + 1] * F[0, 1]
            + X[i + 1, j] * F[1, 0]
            + X[i + 1, j + 1] * F[1, 1]
            for j in (0, 1)
        ]
        for i in (0, 1)
    ]
    dF = [
        [
            G[0, 0] * X[r, s]
            + G[0, 1] * X[r, s + 1]
            + G[1, 0] * X[r + 1, s]
            + G[1, 1] * X[r + 1, s + 1]
            for s in (0, 1)
        ]
        for r in (0, 1)
    ]
    dX = [
        [G[0, 0] * F[0, 0], G[0, 0] * F[0, 1] + G[0, 1] * F[0, 0], G[0, 1] * F[0, 1]],
        [
            G[0, 0] * F[1, 0] + G[1, 0] * F[0, 0],
            G[0, 0] * F[1, 1] + G[0, 1] * F[1, 0] + G[1, 0] * F[0, 1] + G[1, 1] * F[0, 0],
            G[0, 1] * F[1, 1] + G[1, 1] * F[0, 1],
        ],
        [G[1, 0] * F[1, 0], G[1, 0] * F[1, 1] + G[1, 1] * F[1, 0], G[1, 1] * F[1, 1]],
    ]
    for forward in (conv.conv2d, conv.conv2d_loops):
        np.testing.assert_allclose(forward(x, f)[0, :, :, 0], O)
    for to_filter in (conv.conv2d_filter_gradient, conv.conv2d_filter_gradient_loops):
        np.testing.assert_allclose(to_filter(x, g, (2, 2))[:, :, 0, 0], dF)
    for to_input in (conv.conv2d_input_gradient, conv.conv2d_input_gradient_loops):
        np.testing.assert_allclose(to_input(g, f, (3, 3))[0, :, :, 0], dX)
