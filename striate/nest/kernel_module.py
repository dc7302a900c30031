"""A nest as a module of its own, with one function that this process calls: a kernel.

``void kernel(ptr arguments)`` takes the address of an array of buffer pointers, in the order of
`Nest.buffers`.
"""

from __future__ import annotations

from striate.nest.algebra import Nest
from striate.nest.emit import NON_TEMPORAL, emit_function
from striate.nest.ir import Number
from striate.nest.schedule import Schedule
from striate.nest.target import Target, host


def emit(
    nest: Nest,
    schedule: Schedule,
    symbol: str = "kernel",
    element: Number = "f32",
    target: Target | None = None,
) -> str:
    """A module with a nest as ``void symbol(ptr arguments)``, see above.

    The arguments are those of `emit_function`; without a target it is this processor's.
    """
    body = emit_function(nest, schedule, "body", target or host(), element)
    entry = []
    for i in range(body.count):
        entry.append(f"  %a{i} = getelementptr ptr, ptr %arguments, i64 {i}")
        entry.append(f"  %p{i} = load ptr, ptr %a{i}")
    passed = ", ".join(f"ptr %p{i}" for i in range(body.count))
    return "\n".join(
        [
            *sorted(body.declarations),
            body.text,
            f"define void @{symbol}(ptr %arguments) {{",
            *entry,
            f"  call void @body({passed})",
            "  ret void",
            "}",
            NON_TEMPORAL,
            "",
        ]
    )
