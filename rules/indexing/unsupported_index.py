from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import dtypes
from mlxlint.model.foreign import NDARRAY, TENSOR
from mlxlint.model.values import Array, Const, Foreign, Scalar, Sequence, Value, members, scalar_type
from mlxlint.rule import (
    Applicability,
    Evidence,
    Fixable,
    Insert,
    Kind,
    NodeFix,
    Replace,
    Rule,
    Severity,
    agrees,
    raises,
)

BOOL = "a Python bool"


class UnsupportedIndex(Rule):
    """An index of a type that MLX does not take

    ## What it does
    Finds MLX arrays indexed with a floating-point number or array, a NumPy integer array, a PyTorch tensor, a
    `range` or an empty list, or read with a Python bool, and slices whose bounds are arrays or floating-point numbers.

    ## PyTorch and MLX
    PyTorch takes NumPy arrays, `range` and 0-d tensors as slice bounds. MLX takes integers, slices, `None`, `...`,
    lists of integers and integer MLX arrays; anything else raises `ValueError`.

    ## Example
    ```python
    import mlx.core as mx

    frames = mx.zeros((30, 4))
    picked = frames[mx.linspace(0, 29, 5)]
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    frames = mx.zeros((30, 4))
    picked = frames[mx.linspace(0, 29, 5).astype(mx.int32)]
    ```

    ## Fix safety
    Unsafe: floating-point indices are truncated, as PyTorch's `.long()` does.

    ## References
    - [Indexing arrays](https://ml-explore.github.io/mlx/build/html/usage/indexing.html)
    """

    code = "MLX105"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    message = "`{array}` is indexed with {what} (`{index}`), which MLX does not take"
    targets = frozenset({cst.Subscript})

    def visit_Subscript(self, node: cst.Subscript, context: Context) -> None:
        self._check(node, False, context)

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        for target in node.targets:
            if isinstance(target.target, cst.Subscript):
                self._check(target.target, True, context)

    def _check(self, node: cst.Subscript, written: bool, context: Context) -> None:
        if context.array(node.value) is None:
            return
        for index, what in _unsupported(node, context):
            if what == BOOL and written:
                return
            context.report(
                self, index, because=[node.value, index], what=what,
                array=context.brief(node.value), index=context.brief(index),
                fix=_fix(index, what, context),
            )  # fmt: skip
            return

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        x = mx.array([3, 4, 5])
        at = mx.array([0.0, 2.0])
        return Evidence(raises(lambda: x[at], ValueError), agrees(x[at.astype(mx.int32)], [3, 5]))


def _unsupported(node: cst.Subscript, context: Context) -> Iterator[tuple[cst.BaseExpression, str]]:
    for element in node.slice:
        part = element.slice
        if isinstance(part, cst.Index):
            found = {_index(member, part.value) for member in members(context.value(part.value))}
            what = found.pop() if len(found) == 1 else None
            if what is not None:
                yield part.value, what
        elif isinstance(part, cst.Slice):
            for bound in (part.lower, part.upper, part.step):
                what = _bound(context.value(bound), bound) if bound is not None else None
                if bound is not None and what is not None:
                    yield bound, what


def _index(value: Value, node: cst.BaseExpression) -> str | None:
    if isinstance(value, Array):
        return "an array of floating point" if value.dtype in dtypes.FLOATS else None
    if isinstance(value, Foreign):
        if value.type == TENSOR:
            return "a PyTorch tensor"
        whole = value.type == NDARRAY and value.dtype not in ("bool", "bool_") and value.shape != ()
        return "a NumPy array" if whole and (value.dtype is not None or (value.op or "").startswith("numpy.")) else None
    if isinstance(value, Sequence):
        if value.kind == "iterator" and isinstance(value.element, Scalar):
            return "a range"
        return "an empty list" if isinstance(node, cst.List) and not node.elements else None
    if isinstance(value, (Const, Scalar)) and scalar_type(value) == "bool":
        return BOOL
    return _number(node)


def _bound(value: Value, node: cst.BaseExpression) -> str | None:
    return "a slice bounded by an array" if isinstance(value, Array) else _number(node)


def _number(node: cst.BaseExpression) -> str | None:
    """A number with a fraction, as it is written: a literal, or a division."""
    if isinstance(node, cst.UnaryOperation):
        return _number(node.expression)
    divides = isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.Divide)
    return "a floating-point number" if divides or isinstance(node, cst.Float) else None


def _fix(index: cst.BaseExpression, what: str, context: Context) -> NodeFix | None:
    mx = context.alias("mlx.core")
    if mx is None or not isinstance(index, (cst.Name, cst.Attribute, cst.Call, cst.Subscript)):
        return None
    if what == "an array of floating point":
        return NodeFix("Convert to int32", [Insert(index, f".astype({mx}.int32)", after=True)], Applicability.UNSAFE)
    if what == "a NumPy array":
        return NodeFix(
            "Convert to an MLX array", [Replace(index, f"{mx}.array({context.text(index)})")], Applicability.UNSAFE
        )
    if what == "a PyTorch tensor":
        text = f"{mx}.array({context.text(index)}.numpy())"
        return NodeFix("Convert to an MLX array", [Replace(index, text)], Applicability.UNSAFE)
    if what == "a slice bounded by an array":
        return NodeFix("Take the number out", [Insert(index, ".item()", after=True)], Applicability.UNSAFE)
    return None
