"""Engines, which run a network's forward pass, training steps and updates.

"llvm" compiles loops for the network's shapes and this machine, "numpy" is readable NumPy.

    engine       the protocol that both fulfil
    numpy        the NumPy engine
    llvm         the compiled engine
    llvm_layer   one layer alone, compiled
    views        test-time augmentation: outputs averaged over several views of an image
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from striate.common.errors import StriateValueError
from striate.common.warn import warn_user
from striate.engines.engine import Engine

if TYPE_CHECKING:
    from striate.model.model import Model
    from striate.optim.losses import Loss

ENGINES = ("llvm", "numpy")


def make_engine(
    network: Model,
    engine: str = "llvm",
    *,
    batch_size: int,
    loss: Loss | None = None,
    threads: int | None = None,
    exact: bool = False,
    bfloat16: bool = False,
    portable: bool = False,
) -> Engine:
    """Make an engine for a network.

    Args:
        network: the network, whose parameters the engine reads and updates in place.
        engine: "llvm", or "numpy"; where llvmlite is missing or cannot be loaded, "llvm"
            falls back to "numpy" with a warning.
        batch_size: images of a batch at most.
        loss: needed for training steps.
        threads: how many threads may work; None for all cores.
        exact: compute each sum directly, without Winograd's algorithm ("numpy" always does).
        bfloat16: let convolutions multiply in bfloat16 where that is faster ("llvm" only).
        portable: add in an order that is the same on all processors ("llvm" only).

    Raises:
        ValueError: the engine is unknown, or bfloat16 or portable is not supported by it, by the
            processor, or together with the other.
    """
    if check_engine(engine) == "numpy":
        if bfloat16:
            raise StriateValueError('bfloat16=True needs engine="llvm": NumPy has no such numbers')
        if portable:
            raise StriateValueError(
                'portable=True needs engine="llvm": how NumPy adds depends on its version'
            )
        from striate.engines.numpy import NumPyEngine

        return NumPyEngine(network, batch_size=batch_size, loss=loss, threads=threads)
    from striate.engines.llvm import CompiledEngine

    return CompiledEngine(
        network,
        batch_size=batch_size,
        loss=loss,
        threads=threads,
        exact=exact,
        bfloat16=bfloat16,
        portable=portable,
    )


def check_engine(engine: str) -> str:
    """The engine to use for a name: "numpy", with a warning, for "llvm" without llvmlite.

    Raises:
        ValueError: the name is unknown.
    """
    if engine not in ENGINES:
        raise StriateValueError(f'engine must be "llvm" or "numpy", got {engine!r}')
    if engine == "llvm":
        from striate.nest.target import compiler_error

        reason = compiler_error()
        if reason is not None:
            warn_user(
                f'llvmlite {reason}: using engine="numpy", which is much slower. '
                "Install it with: pip install llvmlite",
                RuntimeWarning,
            )
            return "numpy"
    return engine


def computed_by(engine: str, *, portable: bool = False) -> dict[str, str | int | bool]:
    """What decides the last bits of what an engine computes here, besides the seed and the data.

    For `engine` "llvm": how wide the vectors of the processor are, and whether layouts were kept by
    `Network.tune`, or, if `portable`, whether multiply-adds are rounded once; and, of which nothing
    should depend, the processor and the compiler. For "numpy" its version, which decides how sums
    are grouped.
    """
    if engine == "numpy":
        import numpy as np

        return {"engine": engine, "numpy": np.__version__}
    from striate.nest import tuned
    from striate.nest.compiler import machine
    from striate.nest.target import host, llvm_version

    target = host(portable=portable)
    of_bits: dict[str, str | int | bool] = (
        {"portable": True, "fused": target.fused}
        if portable
        else {
            "vector_bytes": target.vector_bytes,
            "tuned_layouts": tuned.has_layouts(machine(target)),
        }
    )
    return {
        "engine": engine,
        **of_bits,
        "processor": target.cpu,
        "llvm": llvm_version(),
    }


__all__ = ["ENGINES", "Engine", "check_engine", "computed_by", "make_engine"]
