from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import as_array
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, differs

MAPS = frozenset({"mlx.utils.tree_map", "mlx.utils.tree_map_with_path"})
PURE = frozenset({"mlx.utils.tree_unflatten", "mlx.utils.tree_merge"})


class ResultTreeDropped(Rule):
    """A new tree of arrays is made and thrown away

    ## What it does
    Finds `optimizer.apply_gradients(...)`, `tree_map(...)` and `tree_unflatten(...)` as statements, their results
    unused. A `tree_map` whose function returns no array is left alone: it is there for its side effects.

    ## PyTorch and MLX
    PyTorch's optimizers and `apply` functions change parameters in place. In MLX these functions return a new tree
    and leave the old one as it was: the model does not change.

    ## Example
    ```python
    import mlx.core as mx
    from mlx.utils import tree_map

    weights = {"w": mx.array([1.0, 2.0])}
    tree_map(lambda w: w * 0.5, weights)
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    from mlx.utils import tree_map

    weights = {"w": mx.array([1.0, 2.0])}
    weights = tree_map(lambda w: w * 0.5, weights)
    ```

    ## References
    - [tree_map](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.utils.tree_map.html)
    - [apply_gradients](https://ml-explore.github.io/mlx/build/html/python/optimizers/_autosummary/mlx.optimizers.Optimizer.apply_gradients.html)
    """

    code = "MLX209"
    kind = Kind.SILENT
    severity = Severity.ERROR
    calls = frozenset({"apply_gradients", "tree_map", "tree_map_with_path", "tree_unflatten", "tree_merge"})
    message = "`{function}` returns {what} and changes nothing: its result is dropped"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if not context.is_dropped(node):
            return
        callee = context.callee(node) or ""
        what = _what(callee, node, context)
        if what is not None:
            context.report(self, node, function=callee.rpartition(".")[2], what=what)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        from mlx.utils import tree_map

        weights = {"w": mx.array([1.0, 2.0])}
        halved = tree_map(lambda w: w * 0.5, weights)
        return Evidence(differs(weights["w"], [0.5, 1.0]), agrees(halved["w"], [0.5, 1.0]))


def _what(callee: str, node: cst.Call, context: Context) -> str | None:
    if callee.startswith("mlx.optimizers.") and callee.endswith(".apply_gradients"):
        return "the new parameters"
    if callee in PURE:
        return "a new tree"
    if callee in MAPS and _returns_array(context.argument(node, 0, "fn"), context):
        return "a new tree"
    return None


def _returns_array(function: cst.BaseExpression | None, context: Context) -> bool:
    """Whether a function given to ``tree_map`` is a lambda of an array, or one of MLX's own functions."""
    if isinstance(function, cst.Lambda):
        return as_array(context.value(function.body)) is not None and not any(
            _may_act(node, context) for node in context.walk(function.body)
        )
    name = context.qualified(function)
    return name is not None and name.startswith("mlx.core.") and name not in ("mlx.core.eval", "mlx.core.async_eval")


def _may_act(node: cst.CSTNode, context: Context) -> bool:
    """Whether an expression calls something other than MLX's own functions, which may be called for its effect."""
    return isinstance(node, cst.Call) and not (context.callee(node) or "").startswith("mlx.")
