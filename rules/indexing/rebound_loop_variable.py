from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import walk
from mlxlint.model.values import UNKNOWN
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity, agrees, differs

TREES = frozenset({"mlx.utils.tree_flatten", "mlx.core.array.items"})


class ReboundLoopVariable(Rule):
    """Binding a loop variable to a new array

    ## What it does
    Finds loops over arrays in which a loop variable is assigned an expression of itself (`e = decay * e + p`) and
    not used any more.

    ## PyTorch and MLX
    What stands for `e.mul_(decay).add_(p)` binds the name `e` to a new array. The list, dict or module that the
    loop walks over keeps the old one.

    ## Example
    ```python
    import mlx.core as mx

    averages = [mx.zeros((2,)), mx.zeros((2,))]
    for average in averages:
        average = 0.9 * average + 0.1
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    averages = [mx.zeros((2,)), mx.zeros((2,))]
    averages = [0.9 * average + 0.1 for average in averages]
    ```

    ## References
    - [mlx.utils.tree_map](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.utils.tree_map.html)
    """

    code = "MLX111"
    kind = Kind.SILENT
    severity = Severity.WARNING
    message = "`{name}` is bound to a new array that is never used: what the loop walks over stays as it was"

    def visit_For(self, node: cst.For, context: Context) -> None:
        if not isinstance(node.body, (cst.IndentedBlock, cst.SimpleStatementSuite)):
            return
        names = {n.value for n in walk(node.target) if isinstance(n, cst.Name)}
        assignments = [n for n in context.nodes(node.body, cst.Assign) if _bound_name(n) in names]
        for assign in assignments:
            name = assign.targets[0].target
            if (
                isinstance(name, cst.Name)
                and _mentions(assign.value, name.value)
                and _is_array(assign, name.value, node, context)
            ):
                if not _used_after(assign, name.value, node, context):
                    context.report(self, assign, confidence=Confidence.LIKELY, name=name.value)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        averages = [mx.zeros((2,))]
        for average in averages:
            average = average + 1.0
        renewed = [average + 1.0 for average in averages]
        return Evidence(differs(averages[0], [1.0, 1.0]), agrees(renewed[0], [1.0, 1.0]))


def _bound_name(assign: cst.Assign) -> str | None:
    """The name that an assignment binds, when it binds one."""
    target = assign.targets[0].target
    return target.value if isinstance(target, cst.Name) else None


def _mentions(node: cst.CSTNode, name: str) -> bool:
    return any(isinstance(n, cst.Name) and n.value == name for n in walk(node))


def _is_array(assign: cst.Assign, name: str, loop: cst.For, context: Context) -> bool:
    """Whether the loop variable is an MLX array, or comes out of a tree of them."""
    uses = [n for n in walk(assign.value) if isinstance(n, cst.Name) and n.value == name]
    if any(context.array(use) is not None for use in uses):
        return True
    if any(context.value(use) is not UNKNOWN for use in uses):
        return False
    return _walks_tree(loop.iter, context)


def _walks_tree(node: cst.BaseExpression | None, context: Context) -> bool:
    calls = [n for n in walk(node) if isinstance(n, cst.Call)] if node is not None else []
    if isinstance(node, cst.Name):
        function = context.enclosing(node, cst.FunctionDef, within_function=False)
        scope = function if function is not None else context.tree
        bound = [n.value for n in walk(scope) if isinstance(n, cst.Assign) and _bound_name(n) == node.value]
        calls = [n for value in bound for n in walk(value) if isinstance(n, cst.Call)]
    return any(context.callee(call) in TREES for call in calls)


def _used_after(assign: cst.Assign, name: str, loop: cst.For, context: Context) -> bool:
    """Whether the name is read below its assignment in the loop, above it in an inner loop, or behind the loop."""
    scope = context.enclosing(loop, cst.FunctionDef, within_function=False) or context.tree
    order = list(walk(scope))
    start = next(i for i, n in enumerate(order) if n is assign) + sum(1 for _ in walk(assign))
    inner = context.enclosing(assign, cst.For, cst.While)
    rest = order[start:] + (list(walk(inner)) if inner is not loop and inner is not None else [])
    own = {id(n) for n in walk(assign)}
    return any(isinstance(n, cst.Name) and n.value == name and id(n) not in own and _is_read(n, context) for n in rest)


def _is_read(node: cst.Name, context: Context) -> bool:
    parent = context.parent(node)
    while isinstance(parent, (cst.Element, cst.Tuple, cst.List)):
        node, parent = parent, context.parent(parent)  # type: ignore[assignment]
    if (isinstance(parent, cst.Attribute) and parent.attr is node) or (
        isinstance(parent, cst.Arg) and parent.keyword is node
    ):
        return False
    return (
        not isinstance(parent, (cst.AssignTarget, cst.For, cst.CompFor)) or getattr(parent, "target", None) is not node
    )
