from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, differs


class BooleanDifference(Rule):
    """Arithmetic that stays boolean

    ## What it does
    Finds sums and differences of two boolean arrays, such as comparisons and draws of `mx.random.bernoulli`.

    ## PyTorch and MLX
    PyTorch refuses to subtract booleans, and `torch.bernoulli` gives floats. In MLX `bool - bool` and `bool + bool`
    are boolean again: -1 and 2 become true.

    ## Example
    ```python
    import mlx.core as mx

    x = mx.array([1.0, 2.0])
    sign = (x > 1) - (x < 1)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    x = mx.array([1.0, 2.0])
    sign = (x > 1).astype(mx.int32) - (x < 1).astype(mx.int32)
    ```

    ## References
    - [Data types](https://ml-explore.github.io/mlx/build/html/python/data_types.html)
    """

    code = "MLX474"
    kind = Kind.SILENT
    severity = Severity.WARNING
    message = "`{expression}` stays boolean: both sides are"
    operators = frozenset({cst.Add, cst.Subtract})

    def visit_BinaryOperation(self, node: cst.BinaryOperation, context: Context) -> None:
        subtracts = isinstance(node.operator, cst.Subtract)
        if _is_boolean(node.left, context) and _is_boolean(node.right, context):
            sides: list[cst.CSTNode] = [node.left, node.right]
            severity: Severity | None = None if subtracts else Severity.INFO
            context.report(self, node, because=sides, severity=severity, expression=context.brief(node))

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        x = mx.array([0.0, 1.0, 2.0])
        expected = [-1, 0, 1]
        left, right = x > 1, x < 1
        return Evidence(
            differs(left - right, expected), agrees(left.astype(mx.int32) - right.astype(mx.int32), expected)
        )


def _is_boolean(node: cst.BaseExpression, context: Context) -> bool:
    array = context.array(node)
    return array is not None and array.dtype == "bool_"
