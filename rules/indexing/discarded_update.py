from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted
from mlxlint.rule import Applicability, Evidence, Fixable, Insert, Kind, NodeFix, Rule, Severity, agrees, differs

UPDATES = frozenset({"mlx.core.put_along_axis", "mlx.core.random.permutation", "mlx.core.clip", "mlx.core.array.clip"})
AT = "mlx.core.array.at."
CALLS = frozenset("put_along_axis permutation clip add subtract multiply divide maximum minimum".split())


class DiscardedUpdate(Rule):
    """Throwing the result of an update away

    ## What it does
    Finds `x.at[i].add(v)`, `mx.put_along_axis(...)`, `mx.random.permutation(x)` and `mx.clip(x, ...)` as statements
    of their own.

    ## PyTorch and MLX
    What stands for `index_add_`, `scatter_`, `clamp_` and `random.shuffle` returns a new array in MLX and leaves
    the old one as it was.

    ## Example
    ```python
    import mlx.core as mx

    counts = mx.zeros((3,))
    counts.at[mx.array([0, 2, 2])].add(1)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    counts = mx.zeros((3,))
    counts = counts.at[mx.array([0, 2, 2])].add(1)
    ```

    ## Fix safety
    Unsafe: the statement begins to have an effect.

    ## References
    - [mlx.core.array.at](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.array.at.html)
    """

    code = "MLX107"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.SOMETIMES
    message = "`{call}` returns a new array, which is thrown away"
    calls = CALLS

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node) or ""
        if not (callee in UPDATES or callee.startswith(AT)) or not context.is_dropped(node):
            return
        target: cst.BaseExpression | None = node.args[0].value if node.args else None
        if isinstance(node.func, cst.Attribute) and callee.startswith("mlx.core.array."):
            target = node.func.value
            if callee.startswith(AT) and isinstance(target, cst.Subscript) and isinstance(target.value, cst.Attribute):
                target = target.value.value
        if callee.endswith("permutation") and context.array(target) is None:
            return
        name = dotted(target)
        fix = (
            NodeFix("Keep the result", [Insert(node, f"{name} = ")], Applicability.UNSAFE)
            if name and not context.is_parenthesised(node)
            else None
        )
        context.report(self, node, call=context.brief(node), fix=fix)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        x = mx.zeros((2,))
        x.at[mx.array([1])].add(1.0)
        return Evidence(differs(x, [0.0, 1.0]), agrees(x.at[mx.array([1])].add(1.0), [0.0, 1.0]))
