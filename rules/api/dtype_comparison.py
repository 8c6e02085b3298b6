from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import dtypes
from mlxlint.model.values import Array, Foreign, Name, Sequence, Value, constant, members
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, shown

MLX = frozenset(f"mlx.core.{name}" for name in (*dtypes.DTYPES, "bool"))


class DtypeComparison(Rule):
    """Comparing a dtype with something it never equals

    ## What it does
    Finds `x.dtype is mx.float32`, and dtypes of one library compared with those of another or with strings.

    ## PyTorch and MLX
    PyTorch's dtypes are singletons, so `is` works. MLX makes a new object each time: `is` is always false. Dtypes
    of different libraries, and strings, are never equal.

    ## Example
    ```python
    import mlx.core as mx

    x = mx.ones((2,))
    if x.dtype is mx.float32:
        x = x.astype(mx.float16)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    x = mx.ones((2,))
    if x.dtype == mx.float32:
        x = x.astype(mx.float16)
    ```

    ## Fix safety
    Unsafe: a condition that was always false begins to hold.

    ## References
    - [Data types](https://ml-explore.github.io/mlx/build/html/python/data_types.html)
    """

    code = "MLX469"
    kind = Kind.SILENT
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    message = "`{comparison}` is always {outcome}: {why}"

    def visit_Comparison(self, node: cst.Comparison, context: Context) -> None:
        if len(node.comparisons) != 1:
            return
        part = node.comparisons[0]
        operator = part.operator
        left, right = _library(node.left, context), _library(part.comparator, context)
        negated = isinstance(operator, (cst.IsNot, cst.NotEqual, cst.NotIn))
        why, fix = None, None
        if isinstance(operator, (cst.Is, cst.IsNot)) and left == right == "mlx":
            why = "MLX makes a new dtype object each time"
            fix = NodeFix("Compare by value", [Replace(operator, " != " if negated else " == ")], Applicability.UNSAFE)
        elif left is not None and right is not None and left != right and "mlx" in (left, right):
            why = f"{_called(left)} never equals {_called(right)}"
        if why is not None:
            outcome = "true" if negated else "false"
            context.report(self, node, comparison=context.brief(node), outcome=outcome, why=why, fix=fix)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        x = mx.ones((2,))
        hazard = shown(x.dtype is not mx.float32 and x.dtype != "float32", "x.dtype is mx.float32: False")
        return Evidence(hazard, shown(x.dtype == mx.float32, "x.dtype == mx.float32: True"))


def _called(library: str) -> str:
    return {"mlx": "an MLX dtype", "torch": "a PyTorch dtype", "numpy": "a NumPy dtype"}.get(library, "a string")


def _library(node: cst.BaseExpression, context: Context) -> str | None:
    """Whose dtype an expression is: "mlx", "torch", "numpy", "str"; None when it is no dtype, or not known."""
    if isinstance(node, cst.Attribute) and node.attr.value == "dtype":
        owners = {_owner(member) for member in members(context.value(node.value))}
        return owners.pop() if len(owners) == 1 else None
    value = context.value(node)
    if isinstance(value, Sequence):
        found = {_named(item) for item in value.items or ()}
        return found.pop() if len(found) == 1 else None
    return _named(value)


def _owner(value: Value) -> str | None:
    """Whose array a value is; None for NumPy's, whose dtypes equal more than their own."""
    if isinstance(value, Array):
        return "mlx"
    return "torch" if isinstance(value, Foreign) and value.type == "torch.Tensor" else None


def _named(value: object) -> str | None:
    if isinstance(value, Name) and value.receiver is None:
        if value.name in MLX:
            return "mlx"
        root, _, short = value.name.partition(".")
        return (
            root
            if root in ("torch", "numpy") and short.rstrip("_") in (*dtypes.DTYPES, "bool", "half", "float", "long")
            else None
        )
    text = constant(value, str) if value is not None and hasattr(value, "key") else None  # type: ignore[arg-type]
    return "str" if isinstance(text, str) and text in dtypes.DTYPES else None
