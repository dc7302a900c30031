"""Small pieces of code that go through memory: LLVM IR of loops, places, copies."""

from __future__ import annotations

from collections.abc import Callable

from striate.nest.ir import Function, Value, literal


def loop(code: Function, count: int | Value, body: Callable[[Value], None]) -> None:
    """A loop that carries nothing, and runs at least once; none where the count is the number 0."""

    def turn(index: Value, _: list[Value]) -> list[Value]:
        body(index)
        return []

    if count != 0:
        code.loop(count, 1, [], "", turn)


def at(code: Function, pointer: Value, offset: int) -> Value:
    """So many bytes behind a pointer."""
    if not offset:
        return pointer
    return code.emit(f"getelementptr i8, ptr {pointer}, {code.index} {offset}")


def moved(code: Function, pointer: Value, index: Value, size: int) -> Value:
    """`index` times `size` bytes behind a pointer."""
    offset = code.emit(f"mul nuw nsw {code.index} {index}, {size}")
    return code.emit(f"getelementptr i8, ptr {pointer}, {code.index} {offset}")


def as_index(code: Function, value: Value) -> Value:
    """An i32 as wide as addresses."""
    return value if code.index == "i32" else code.emit(f"sext i32 {value} to i64")


def copy_words(code: Function, target: Value, source: Value, count: int) -> None:
    """Copy words of 32 bits, whatever they are."""

    def word(index: Value) -> None:
        value = code.emit(f"load i32, ptr {moved(code, source, index, 4)}")
        code.effect(f"store i32 {value}, ptr {moved(code, target, index, 4)}")

    loop(code, count, word)


def fill(code: Function, target: Value, count: int, value: float = 0.0) -> None:
    """Write one number to so many places of 32 bits."""

    def word(index: Value) -> None:
        code.effect(f"store float {literal(value, 'f32')}, ptr {moved(code, target, index, 4)}")

    loop(code, count, word)
