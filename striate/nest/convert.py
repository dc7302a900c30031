"""Vectors of one element type from another, as C converts numbers."""

from __future__ import annotations

from striate.nest.ir import BYTES, Function, Value, vector


def convert(code: Function, value: Value, source: str, target: str, count: int) -> Value:
    """`value`, a vector of `count` elements of type `source`, as type `target`.

    A floating number becomes an integer by leaving out its fraction; what the integer type cannot
    hold wraps, as long as 64 bits can hold it.  Integers wrap.  No conversion, no instruction.
    """
    if source == "bf16" != target:
        wide = _cast(code, "zext", value, source, "i32", count)
        bits = code.emit(f"shl {vector('i32', count)} {wide}, {code.integers([16] * count)}")
        whole = _cast(code, "bitcast", bits, "i32", "f32", count)
        return convert(code, whole, "f32", target, count)
    if vector(source, count) == vector(target, count):
        return value  # the same bits, read with or without a sign
    if source.startswith("f") and target.startswith("f"):
        return _cast(code, "fpext" if target == "f64" else "fptrunc", value, source, target, count)
    if target.startswith("f"):
        if BYTES[source] < 4:  # processors convert signed words, so a detour is free of branches
            value = _cast(code, _widened(source), value, source, "i32", count)
            source = "i32"
        operation = "sitofp" if source.startswith("i") else "uitofp"
        return _cast(code, operation, value, source, target, count)
    if source.startswith("f"):
        # A float's clipped values fit into a word; of a double more may be asked.
        whole = "i32" if source == "f32" and BYTES[target] < 4 else "i64"
        value = _cast(code, "fptosi", value, source, whole, count)
        return convert(code, value, whole, target, count)
    operation = "trunc" if BYTES[source] > BYTES[target] else _widened(source)
    return _cast(code, operation, value, source, target, count)


def _widened(source: str) -> str:
    return "sext" if source.startswith("i") else "zext"


def _cast(
    code: Function, operation: str, value: Value, source: str, target: str, count: int
) -> Value:
    return code.emit(f"{operation} {vector(source, count)} {value} to {vector(target, count)}")
