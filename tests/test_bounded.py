"""Nothing grows for ever: kernels, plans and what belongs to them, within stated limits."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import numpy as np
import pytest

from striate import Conv2D, Dense, Flatten, Network, ReLU, convolve, filter_image
from striate.common.recent import Recent
from striate.nest import compiler, target
from striate.nest.algebra import Constant, Nest, Store, Tensor, strides_of
from striate.nest.compiler import compile_nest, counts
from striate.plan.inputs import rounded_batch
from striate.signal import compiled_sweep, sweep

MAPS = Path("/proc/self/maps")


def mappings() -> int:
    return len(MAPS.read_text().splitlines())


# --- what is kept ------------------------------------------------------------------------------


def test_the_things_used_last_are_kept() -> None:
    gone: list[str] = []
    recent: Recent[str] = Recent(3, dropped=gone.append)
    for name in "abc":
        assert recent.keep(name, name) == name
    assert recent.get("a") == "a"
    recent.keep("d", "d")
    assert (recent.values(), gone) == (["c", "a", "d"], ["b"])
    assert recent.get("b") is None
    recent.keep("c", "C")  # replaced
    assert (recent.values(), len(recent)) == (["a", "d", "C"], 3)
    recent.clear()
    assert (len(recent), gone) == (0, ["b", "a", "d", "C"])


def test_things_are_kept_up_to_some_bytes() -> None:
    recent: Recent[bytes] = Recent(100, 10, len)
    for size in (4, 4, 4):
        recent.keep(len(recent), bytes(size))
    assert list(map(len, recent.values())) == [4, 4]
    recent.keep("large", bytes(50))  # alone, what is used just now
    assert list(map(len, recent.values())) == [50]
    recent.keep("small", bytes(1))
    assert list(map(len, recent.values())) == [1]


# --- kernels -----------------------------------------------------------------------------------


def constant(value: float) -> Nest:
    return Nest((("i", 8),), (Store(Tensor("out", strides_of({"i": 1})), Constant(value)),))


@pytest.mark.skipif(not MAPS.exists(), reason="the system does not list mappings")
def test_kernels_that_nobody_uses_are_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "_loaded", Recent(5))
    out, before = np.empty(8, np.float32), mappings()
    held = compile_nest(constant(-1.0))
    held(out)
    for value in range(60):
        compile_nest(constant(float(value)))(out)
        assert (out == value).all()
    gc.collect()
    assert mappings() - before <= 40
    held(out)  # one that is used outlives its turn
    assert (out == -1).all()
    compile_nest(constant(0.0))(out)  # one that was forgotten is found again
    assert (out == 0).all()


def test_a_link_that_fails_says_so_and_spoils_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def add_object_img(self, code: bytes) -> Broken:
            return self

        def export_symbol(self, symbol: str) -> None: ...

        def link(self, *arguments: object) -> None:
            raise RuntimeError("Cannot allocate memory")

    kernel = compile_nest(constant(77.0))
    with monkeypatch.context() as patch:
        patch.setattr(target._llvm(), "JITLibraryBuilder", Broken)
        with pytest.raises(target.MachineCodeError, match=r'memory.*engine="numpy"') as caught:
            _ = kernel.address
        assert len(str(caught.value)) < 500
    out = np.empty(8, np.float32)
    kernel(out)
    assert (out == 77).all()


# --- filters -----------------------------------------------------------------------------------


def crops(count: int, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(24, 260, (count, 2))
    return [rng.integers(0, 256, (*size, 3)).astype(np.uint8) for size in sizes]


@pytest.mark.parametrize("name", ["laplace", "gaussian", "mean5", "sobel-magnitude"])
def test_a_new_image_size_costs_no_compilation(name: str) -> None:
    for image in crops(30, 0):
        filter_image(image, name)
    before = counts["compiled"] + counts["found"]
    for image in crops(60, 1):
        filter_image(image, name)
    assert counts["compiled"] + counts["found"] - before <= 6


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("method", ["direct", "separable", "box", "column-fft"])
def test_nor_does_a_new_size_of_array(dtype: str, method: str) -> None:
    kernel = np.outer(np.arange(1, 8), np.arange(1, 8)) if method != "box" else np.ones((7, 7))
    rng = np.random.default_rng(0)

    def run(count: int) -> None:
        for rows, columns in rng.integers(150, 700, (count, 2)):
            f = rng.standard_normal((rows, columns)).astype(dtype)
            convolve(f, kernel.astype(dtype), mode="same", border="reflect", method=method)

    run(25)
    before = counts["compiled"] + counts["found"]
    run(30)
    # Of the transforms of columns there are four lengths, of six kernels each.
    assert counts["compiled"] + counts["found"] - before <= (24 if method == "column-fft" else 8)


@pytest.mark.parametrize("taps", [3, 40])
def test_nor_does_a_new_length_of_signal(taps: int) -> None:
    rng = np.random.default_rng(0)
    kernel = rng.standard_normal(taps)

    def run(count: int) -> None:
        for length in rng.integers(10_000, 400_000, count):
            f = rng.standard_normal(int(length))
            result = convolve(f, kernel, mode="same", method="direct")
            at = int(length) // 2
            window = f[at - (taps - 1 - (taps - 1) // 2) : at + (taps - 1) // 2 + 1]
            assert result[at] == pytest.approx(window @ kernel[::-1], rel=1e-9)

    run(25)
    before = counts["compiled"] + counts["found"]
    run(30)
    assert counts["compiled"] + counts["found"] - before <= 8


def test_decisions_and_sweeps_are_kept_within_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "_PREPARED", Recent(10))
    monkeypatch.setattr(compiled_sweep, "_PLANS", Recent(5))
    for image in crops(30, 2):
        filter_image(image, "mean5")
    assert len(sweep._PREPARED) <= 10
    assert len(compiled_sweep._PLANS) <= 5


def test_no_array_of_the_callers_is_kept() -> None:
    f, kernel = np.random.default_rng(0).random((200, 300)), np.full((9, 9), 1 / 81)
    result = convolve(f, kernel, mode="same", method="box")
    arrays = [weakref.ref(f), weakref.ref(kernel), weakref.ref(result)]
    del f, kernel, result
    gc.collect()
    assert [array() is None for array in arrays] == [True] * 3


@pytest.mark.parametrize("method", ["direct", "separable", "box", "column-fft"])
def test_a_kernel_that_is_changed_in_place_is_another(method: str) -> None:
    f = np.random.default_rng(0).random((300, 400))
    kernel = np.ones((7, 7))
    first = convolve(f, kernel, mode="same", method=method)
    kernel *= 3
    convolve(f, kernel, mode="same", method=method)
    np.testing.assert_array_equal(convolve(f, np.ones((7, 7)), mode="same", method=method), first)


# --- networks ----------------------------------------------------------------------------------


def small() -> Network:
    layers = [Conv2D(6, 3), ReLU(), Flatten(), Dense(4)]
    return Network(layers, input_shape=(9, 8, 2), seed=0)


def test_batch_sizes_are_rounded_up_to_few() -> None:
    sizes = [rounded_batch(size) for size in range(1, 5000)]
    assert all(size <= rounded <= max(1.5 * size, 1) for size, rounded in enumerate(sizes, 1))
    assert all(rounded <= 1.13 * size for size, rounded in enumerate(sizes, 1) if size > 64)
    assert len(set(sizes)) < 70
    assert [rounded_batch(n) for n in (1, 2, 3, 4, 5, 7, 16, 17, 32, 64, 65, 100, 256, 1000)] == [
        *(1, 2, 3, 4, 6, 8, 16, 24, 32, 64, 72, 104, 256, 1024)
    ]


def test_a_network_keeps_few_engines() -> None:
    network = small()
    images = np.random.default_rng(0).random((50, 9, 8, 2)).astype(np.float32)
    whole = network.predict_logits(images)
    for size in range(1, 50):
        np.testing.assert_allclose(
            network.predict_logits(images, batch_size=size), whole, rtol=1e-4, atol=1e-6
        )
    assert len(network._engines) <= 4


def test_compiled_networks_of_any_batch_size_share_their_kernels() -> None:
    network = small()
    images = np.random.default_rng(0).random((40, 9, 8, 2)).astype(np.float32)
    whole = network.predict_logits(images)
    for size in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 40, 48):
        network.compile(batch_size=size)
    before = counts["compiled"]
    for size in range(1, 41):
        compiled = network.compile(batch_size=size)
        for count in {1, size // 2 or 1, size}:
            np.testing.assert_allclose(
                compiled(images[:count]), whole[:count], rtol=1e-4, atol=1e-6
            )
        with pytest.raises(ValueError, match=f"1 to {size} images, got {size + 1}"):
            compiled(np.zeros((size + 1, 9, 8, 2), np.float32))
    assert counts["compiled"] == before


@pytest.mark.parametrize("shape", [(90, 700), (1, 90_000)])
@pytest.mark.parametrize("method", ["direct", "separable"])
def test_code_for_one_image_size_gives_the_same_bits(shape: tuple[int, int], method: str) -> None:
    """What is asked for again and again gets code of its own."""
    if method == "separable" and shape[0] == 1:
        pytest.skip("a kernel of one row has one dimension only")
    rng = np.random.default_rng(0)
    f, kernel = rng.standard_normal(shape), np.outer(range(1, min(shape[0], 5) + 1), range(1, 8))
    out = np.empty(shape)
    results = set()
    for _ in range(compiled_sweep._OFTEN + 3):
        convolve(f, kernel.astype(float), "same", border="reflect", method=method, out=out)
        results.add(out.tobytes())
    assert len(results) == 1
    assert compiled_sweep._PLANS.values()[-1]._of_one_pitch
