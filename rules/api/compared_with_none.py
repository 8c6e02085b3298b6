from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Array, Const, members
from mlxlint.rule import Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, raises, shown


class ComparedWithNone(Rule):
    """An array is compared with None by `==`

    ## What it does
    Finds `x == None` and `x != None` where `x` may be an MLX array.

    ## PyTorch and MLX
    PyTorch's tensors answer `False`. MLX's `==` takes arrays and numbers only: `TypeError: __eq__(): incompatible
    function arguments`.

    ## Example
    ```python
    import mlx.core as mx


    def attend(scores: mx.array, mask: mx.array):
        return scores if mask == None else scores + mask
    ```

    ## Use instead
    ```python
    import mlx.core as mx


    def attend(scores: mx.array, mask: mx.array):
        return scores if mask is None else scores + mask
    ```

    ## Fix safety
    Safe: `is` asks the same, and never fails.

    ## References
    - [mlx.core.array](https://ml-explore.github.io/mlx/build/html/python/array.html)
    """

    code = "MLX490"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.ALWAYS
    message = "`{comparison}` raises when `{array}` is an MLX array: ask with `{operator}`"

    def visit_Comparison(self, node: cst.Comparison, context: Context) -> None:
        part = node.comparisons[0]
        if len(node.comparisons) != 1 or not isinstance(part.operator, (cst.Equal, cst.NotEqual)):
            return
        for side, other in ((node.left, part.comparator), (part.comparator, node.left)):
            if _is_none(other, context) and any(isinstance(m, Array) for m in members(context.value(side))):
                operator = "is" if isinstance(part.operator, cst.Equal) else "is not"
                fix = NodeFix(f"Ask with `{operator}`", [Replace(part.operator, f" {operator} ")])
                context.report(
                    self, node, because=[side], comparison=context.brief(node), array=context.brief(side),
                    operator=operator, fix=fix,
                )  # fmt: skip
                return

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        x, nothing = mx.ones((2,)), None
        return Evidence(raises(lambda: x == nothing, TypeError), shown((x is nothing) is False, "x is None: False"))


def _is_none(node: cst.BaseExpression, context: Context) -> bool:
    value = context.value(node)
    return isinstance(value, Const) and value.value is None
