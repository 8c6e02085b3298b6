"""Python's own operators on Python's own values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlxlint.model.values import UNKNOWN, Const, Scalar, Sequence, Value, constant, join, scalar_type


def binary(operator: str, left: Value, right: Value) -> Value:
    a, b = scalar_type(left), scalar_type(right)
    if operator == "%" and a == "str":
        return Scalar("str")
    if isinstance(left, Sequence) and isinstance(right, Sequence) and operator == "+" and left.kind == right.kind:
        if left.items is not None and right.items is not None:
            return Sequence(left.kind, (*left.items, *right.items))
        return Sequence(left.kind, None, join(left.joined(), right.joined()))
    if isinstance(left, Sequence) and operator == "*":
        count = constant(right, int)
        if left.items is not None and isinstance(count, int) and 0 <= count * len(left.items) <= 64:
            return Sequence(left.kind, left.items * count)
        return Sequence(left.kind, None, left.joined())
    if a is None or b is None:
        return UNKNOWN
    if isinstance(left, Const) and isinstance(right, Const):
        folded = _fold(operator, left.value, right.value)
        if folded is not None:
            return Const(folded)
    if a == b == "str":
        return Scalar("str") if operator == "+" else UNKNOWN
    if "str" in (a, b) or "bytes" in (a, b):
        return Scalar("str") if operator == "*" else UNKNOWN
    if operator == "/":
        return Scalar("float")
    return Scalar("float" if "float" in (a, b) else "int")


def _fold(operator: str, a: Any, b: Any) -> Any:
    """Constant arithmetic, where it is cheap and cannot grow without bound."""
    try:
        if isinstance(a, str) or isinstance(b, str):
            return (
                a + b
                if operator == "+" and isinstance(a, str) and isinstance(b, str) and len(a) + len(b) < 500
                else None
            )
        if isinstance(a, int) and isinstance(b, int) and (abs(a) > 2**64 or abs(b) > 2**64):
            return None
        if operator == "**":
            return a**b if abs(b) <= 64 and abs(a) <= 2**16 else None
        if operator == "<<":
            return a << b if 0 <= b <= 64 else None
        table: dict[str, Callable[[], Any]] = {
            "+": lambda: a + b,
            "-": lambda: a - b,
            "*": lambda: a * b,
            "/": lambda: a / b,
            "//": lambda: a // b,
            "%": lambda: a % b,
        }
        return table[operator]() if operator in table else None
    except (ArithmeticError, TypeError, ValueError):
        return None
