"""Kernels in all their forms, and the page that shows them."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest

from striate.common.errors import StriateValueError
from striate.freestanding.targets.named_targets import NAMED_TARGETS
from striate.inspect.kernel_views import FORMS, kernel_views
from striate.layers import Conv2D, Dense, Flatten, MaxPool2D, ReLU
from striate.nest.target import assemble
from striate.network import Network
from striate.reports.compiler_page import MOST_LINES, compiler_page_path, write_compiler_page


def network() -> Network:
    return Network(
        [Conv2D(6, (3, 2), padding=(1, 0), uncovered="drop"), ReLU(), MaxPool2D(2), Flatten(),
         Dense(3)],
        (8, 7, 2), seed=1,
    )  # fmt: skip


TARGETS = {
    "here": None,
    **{name: NAMED_TARGETS[name].target for name in ("cortex-m4", "raspberry-pi", "riscv64")},
}


@pytest.mark.parametrize("name", list(TARGETS))
def test_every_form_of_every_kernel(name: str) -> None:
    target = TARGETS[name]
    views = kernel_views(network(), target=target, batch_size=1, training=False)
    assert {"conv2d_1 forward", "dense_1 forward"} <= {view.label for view in views}
    for view in views:
        texts = {form: view.text(form) for form in FORMS}
        label = view.label.replace(" ", "_")
        assert texts["nest"].count("for ") == len(view.nest.axes)
        assert f"define internal void @{label}(" in texts["ir"]
        lines = texts["assembly"].splitlines()
        assert lines[0] == f"{label}:" and 0 < view.instructions < len(lines)
        assert not any(re.match(r"\s*\.(cfi|size|type|p2align)", line) for line in lines)
        assert f"static void {label}(" in texts["c"]
        assert view.bytes > 0
    sums = [view for view in views if view.label == "conv2d_1 forward" and view.multiply_adds]
    assert sum(view.multiply_adds for view in sums) == 8 * 6 * 6 * 12
    convolution = sums[0]
    assert convolution.expected is not None and 0 < convolution.expected <= 1
    returns = {"here": "ret", "cortex-m4": "pc}|bx", "raspberry-pi": "ret", "riscv64": "ret"}[name]
    assert re.search(returns, convolution.text("assembly"))
    if target is not None:  # and what is shown is what a linker gets
        assert assemble(convolution.text("ir").replace("internal ", ""), target, alone=True)


def test_kernels_of_a_layer_and_of_training() -> None:
    views = kernel_views(network(), layer="conv2d_1", batch_size=4, threads=1)
    assert {view.label for view in views} == {"conv2d_1 forward", "conv2d_1 backward"}
    (loss,) = kernel_views(network(), layer="loss", batch_size=4, threads=1)[:1]
    assert loss.label == "loss"
    with pytest.raises(StriateValueError, match="layer 'conv2d_2'; did you mean 'conv2d_1'"):
        kernel_views(network(), layer="conv2d_2", batch_size=4)


def test_what_is_measured() -> None:
    views = kernel_views(network(), batch_size=8, training=False, threads=1, measure=True)
    shares = [view.measured for view in views if view.multiply_adds]
    assert all(view.seconds is not None and view.seconds >= 0 for view in views)
    assert shares and all(share is None or 0 < share <= 1.5 for share in shares)


def test_the_page(tmp_path: Path) -> None:
    made = network()
    views = kernel_views(made, batch_size=4, training=False, threads=1, measure=True)
    path = compiler_page_path(tmp_path / "page.html")
    write_compiler_page(views, path, name="<i>net & co</i>", processor="<b>some</b>")
    page = path.read_text("utf-8")
    assert "<i>" not in page and "<b>" not in page
    assert "default-src 'none'" in page and "http" not in page.split("<style>")[1]
    panes = re.findall(r"<pre[^>]*>(.*?)</pre>", page, re.DOTALL)
    assert len(panes) == 5 * len(views)
    for view, of_view in zip(
        views, (panes[i : i + 5] for i in range(0, len(panes), 5)), strict=True
    ):
        for form, pane in zip(FORMS, of_view, strict=True):
            lines = view.text(form).splitlines()
            assert unescape(pane).splitlines() == lines[:MOST_LINES]
    write_compiler_page(views, compiler_page_path(path), name="again", processor="some")
    (tmp_path / "other.html").write_text("mine")
    with pytest.raises(ValueError, match=r"other\.html: exists and is not a report"):
        compiler_page_path(tmp_path / "other.html")


def test_what_is_shown_of_other_processors_differs() -> None:
    """A Cortex-M4 multiplies with vfma, a Raspberry Pi with vectors, RISC-V with fmadd."""
    words = {"cortex-m4": r"vfma\.f32\ts", "raspberry-pi": r"fmla\tv\d+\.4s", "riscv64": "fmadd.s"}
    for name, word in words.items():
        views = kernel_views(network(), layer="conv2d_1", target=TARGETS[name], batch_size=1)
        products = [view for view in views if view.multiply_adds]
        assert all(re.search(word, view.text("assembly")) for view in products), name
