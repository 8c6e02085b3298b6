from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import dtypes
from mlxlint.model.values import CERTAIN, LIKELY, scalar_type
from mlxlint.rule import Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, agrees, raises
from mlxlint.rules._operations import operation

ELEMENTWISE = {"max": "maximum", "min": "minimum"}
NAMES = frozenset(ELEMENTWISE)


class ReductionOfTwoArrays(Rule):
    """`max` or `min` of two arrays

    ## What it does
    Finds `mx.max(a, b)`, `mx.min(a, 0.5)` and `a.max(b)` with an array or a float as the second argument.

    ## PyTorch and MLX
    `torch.max(a, b)` is the elementwise maximum. In MLX the second argument of `max` is the axis, so an array raises
    `TypeError`; `mx.maximum` is the elementwise one, and takes numbers too.

    ## Example
    ```python
    import mlx.core as mx

    a = mx.array([[0.0, 3.0]])
    b = mx.array([[1.0, 2.0]])
    top = mx.max(a, b)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    a = mx.array([[0.0, 3.0]])
    b = mx.array([[1.0, 2.0]])
    top = mx.maximum(a, b)
    ```

    ## Fix safety
    Safe: the code raises as it is.

    ## References
    - [mlx.core.maximum](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.maximum.html)
    """

    code = "MLX413"
    calls = NAMES
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    message = "the second argument of `mx.{name}` is an axis; elementwise it is `mx.{elementwise}`"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        found = operation(node, context, NAMES)
        other = found.argument(0) if found is not None else None
        if found is None or other is None or found.starred:
            return
        array = context.array(other)
        if array is None and scalar_type(context.value(other)) != "float":
            return
        if array is not None and array.rank in (0, None) and array.dtype in dtypes.INTEGERS:
            return  # an integer without dimensions is taken for an axis
        sure = array is None or array.dtype in dtypes.FLOATS or bool(array.rank)
        elementwise = ELEMENTWISE[found.name]
        func = node.func
        single = len(node.args) == (1 if found.is_method else 2)
        fix = None
        if single and not found.is_method and isinstance(func, cst.Attribute):
            fix = NodeFix(f"Use `{elementwise}`", [Replace(func.attr, elementwise)])
        context.report(
            self, node, because=[found.subject, *([other] if array is not None else [])],
            name=found.name, elementwise=elementwise, confidence=CERTAIN if sure else LIKELY, fix=fix,
            repro={"name": found.name},
        )  # fmt: skip

    @staticmethod
    def repro(name: str = "max") -> Evidence:
        import mlx.core as mx

        a, b = mx.array([[0.0, 3.0]]), mx.array([[1.0, 2.0]])
        remedy = agrees(mx.minimum(a, b), [[0.0, 2.0]]) if name == "min" else agrees(mx.maximum(a, b), [[1.0, 3.0]])
        return Evidence(raises(lambda: getattr(mx, name)(a, b), TypeError, ValueError), remedy)
