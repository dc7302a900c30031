"""Plans for described machines: those that this one can run are run, the others are emitted."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from striate.engines import make_engine
from striate.engines.llvm import CompiledEngine
from striate.layers import (
    Add,
    AvgPool2D,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Input,
    LocallyConnected2D,
    MaxPool2D,
    ReLU,
)
from striate.model.model import Model
from striate.nest import compiler
from striate.nest.target import Target, describe, host
from striate.nest.worker import worker_source
from striate.optim.losses import SoftmaxCrossEntropy
from striate.plan.lowering.lanes import estimate
from striate.plan.plan import Plan
from striate.plan.settings import Settings

X86 = "x86_64-unknown-linux-gnu"
FEATURES = {
    "SSE": (X86, "nehalem", {"sse4.2": True}),
    "AVX2": (X86, "haswell", {"avx2": True, "fma": True}),
    "AVX-512": (X86, "skylake-avx512", {"avx512f": True, "avx512vl": True, "fma": True}),
    "AVX-512 BF16": (
        X86, "sapphirerapids", {"avx512f": True, "avx512vl": True, "avx512bf16": True},
    ),
    "NEON": ("aarch64-unknown-linux-gnu", "cortex-a76", {"neon": True}),
}  # fmt: skip
TARGETS = {name: describe(*parts) for name, parts in FEATURES.items()}
# What the sum of products must look like there.
PRODUCTS = {
    "SSE": "mulps", "AVX2": "vfmadd", "AVX-512": "vfmadd", "AVX-512 BF16": "vdpbf16ps",
    "NEON": "fmla",
}  # fmt: skip
VECTORS = {"SSE": "%xmm", "AVX2": "%ymm", "AVX-512": "%zmm", "AVX-512 BF16": "%zmm", "NEON": ".4s"}


def network() -> Model:
    image = Input((11, 13, 3))
    x = ReLU()(BatchNorm()(Conv2D(16, 3, padding="same")(image)))
    x = Add()(Conv2D(16, 3, padding="same")(x), x)
    x = MaxPool2D(2, uncovered="drop")(ReLU()(x))
    x = AvgPool2D(2, stride=1)(Conv2D(12, 3, padding=1, stride=2, groups=4, uncovered="drop")(x))
    x = ReLU()(LocallyConnected2D(9, 1)(x))
    return Model(inputs=image, output=Dense(7)(Dropout(0.25)(Flatten()(x))))


def settings(target: Target, lanes: int, training: bool = True, bfloat16: bool = False) -> Settings:
    loss = "softmax_cross_entropy" if training else None
    return Settings(
        24, lanes, "f32", target, training, loss, frozen=not training, bfloat16=bfloat16
    )


@functools.cache
def assembly(target: Target) -> object:
    import llvmlite.binding as llvm

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    triple = llvm.Target.from_triple(target.triple)
    return triple.create_target_machine(cpu=target.cpu, features=target.features, opt=1)


def assembled(target: Target, source: str) -> str:
    """The code that LLVM makes of IR for a machine, as text."""
    import llvmlite.binding as llvm

    module = llvm.parse_assembly(source)
    module.verify()
    text: str = assembly(target).emit_assembly(module)  # type: ignore[attr-defined]
    return text


def test_described_machines() -> None:
    widths = {name: (t.vector_bytes, t.registers, t.fused) for name, t in TARGETS.items()}
    assert widths == {
        "SSE": (16, 16, False),
        "AVX2": (32, 16, True),
        "AVX-512": (64, 32, True),
        "AVX-512 BF16": (64, 32, True),
        "NEON": (16, 32, True),
    }
    assert [name for name, target in TARGETS.items() if target.bfloat16] == ["AVX-512 BF16"]
    assert [name for name, target in TARGETS.items() if not target.is_x86] == ["NEON"]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("images_in_lanes", [True, False])
@pytest.mark.parametrize("name", TARGETS)
def test_a_plan_for_another_machine_is_emitted(
    name: str, images_in_lanes: bool, training: bool
) -> None:
    """Every nest is IR that LLVM accepts and turns into that machine's own vector instructions;
    nothing is compiled, kept or run."""
    target, model = TARGETS[name], network()
    lanes = target.lanes(4) if images_in_lanes else 1
    made_for = settings(target, lanes, training, bfloat16=target.bfloat16)
    before = compiler.counts.total()
    plan = Plan(model, made_for, 2, model.flat, model.state_flat)
    sources = plan.sources()
    assert compiler.counts.total() == before
    labels = {label.split()[0] for label, _ in sources}
    assert {"conv2d_1", "conv2d_2", "conv2d_3", "dense_1", "max_pool2d_1"} <= labels
    texts = [assembled(target, source) for _, source in dict(sources).items()]
    products = [text for text in texts if PRODUCTS[name] in text and VECTORS[name] in text]
    assert products
    wider = {"SSE": "%ymm", "AVX2": "%zmm"}.get(name, "")
    assert not wider or not any(wider in text for text in texts)
    worker = assembled(target, worker_source("worker", target))
    assert ("pause" in worker) == target.is_x86


@pytest.mark.parametrize("name", TARGETS)
def test_the_target_decides_what_fills_the_lanes(name: str) -> None:
    """Wide vectors leave few channels idle lanes; short ones do not."""
    target, model = TARGETS[name], Model([Conv2D(4, 3), Flatten(), Dense(4)], (9, 9, 4))
    found = estimate(model, settings(target, 1))
    assert found.vector == target.lanes(4)
    assert (found.lanes > 1) == (found.vector > 4 and found.images < found.channels)


@pytest.mark.parametrize("vector_bytes", [16, 32, 64])
def test_narrower_machines_compute_the_same(vector_bytes: int) -> None:
    """A training step made for shorter vectors runs here, and agrees with NumPy."""
    if host().vector_bytes < vector_bytes:
        pytest.skip(f"this processor has no vectors of {vector_bytes} bytes")
    target = host().narrowed(vector_bytes, 32 if vector_bytes == 64 else 16)
    loss, rng = SoftmaxCrossEntropy(), np.random.default_rng(vector_bytes)
    images = rng.standard_normal((24, 11, 13, 3)).astype(np.float32)
    targets = loss.targets(rng.integers(0, 7, 24), 7)
    weights = np.full(24, 1 / 24, np.float32)
    keys = rng.integers(0, 1 << 32, 24, dtype=np.uint32)
    found = CompiledEngine(network(), batch_size=24, loss=loss, threads=2, target=target)
    value, outputs = found.step(images, targets, weights, keys)
    expected = make_engine(network(), "numpy", batch_size=24, loss=loss)
    wanted, numbers = expected.step(images, targets, weights, keys)
    assert value == pytest.approx(wanted, rel=1e-5)
    np.testing.assert_allclose(outputs, numbers, atol=2e-4)
    scale = np.abs(expected.gradient).max()
    np.testing.assert_allclose(found.gradient, expected.gradient, atol=2e-4 * scale)
    (runner,) = found._runners.values()
    kernels = [call.kernel for job in runner.plan.program.jobs for call in job.calls]
    lanes = {k.schedule.lanes for k in kernels if k.schedule}
    assert runner.settings.vector == vector_bytes // 4
    assert all(count <= vector_bytes // 4 for count in lanes)


def test_caches_decide_how_many_blocks_a_task_takes() -> None:
    model = network()

    def grains(core_cache: int) -> list[int]:
        target = TARGETS["AVX2"]
        small = Target(*(getattr(target, f) for f in ("triple", "cpu", "features")), 32, 16, True,
                       core_cache)  # fmt: skip
        made_for = Settings(256, 1, "f32", small, False, None)
        plan = Plan(model, made_for, 1, model.flat, model.state_flat)
        return [stage.grain for stage in plan.stages if stage.by_block]

    assert max(grains(8 << 20)) > max(grains(16 << 10)) >= 1
