from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.model.values import Tree, Value, members
from mlxlint.rule import Applicability, Evidence, Fixable, InsertStatement, Kind, NodeFix, Rule, Severity, shown

from ..training._step import EVAL, Body, is_forward, is_short, loop_body, paths
from ._graph import graph_size


class AccumulatorNeverEvaluated(Rule):
    """A tree of arrays is carried from step to step and never evaluated

    ## What it does
    Finds trees of arrays that are computed from their own last value, in a loop or by a method that is called in
    each step, and that nothing evaluates: summed gradients of micro-batches, moving averages of the weights.

    ## PyTorch and MLX
    PyTorch adds in place. In MLX the sum is a graph. The sum of the gradients of micro-batches holds the
    activations of all of them, so that accumulation saves no memory. A moving average lies on nobody's way:
    evaluating the model does not evaluate it, and its graph holds the weights of every step.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn
    from mlx.utils import tree_map

    model = nn.Linear(2, 1)
    loss_and_grad = nn.value_and_grad(model, lambda model, x: model(x).sum())
    total = None
    for batch in [mx.ones((4, 2))] * 8:
        loss, gradients = loss_and_grad(model, batch)
        total = gradients if total is None else tree_map(mx.add, total, gradients)
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn
    from mlx.utils import tree_map

    model = nn.Linear(2, 1)
    loss_and_grad = nn.value_and_grad(model, lambda model, x: model(x).sum())
    total = None
    for batch in [mx.ones((4, 2))] * 8:
        loss, gradients = loss_and_grad(model, batch)
        total = gradients if total is None else tree_map(mx.add, total, gradients)
        mx.eval(total)
    ```

    ## Fix safety
    The fix evaluates the tree in each step. It changes no result and is safe.

    ## References
    - [Lazy evaluation](https://ml-explore.github.io/mlx/build/html/usage/lazy_evaluation.html)
    """

    code = "MLX503"
    kind = Kind.COST
    severity = Severity.WARNING
    fixable = Fixable.ALWAYS
    message = "`{path}` is computed from its own last value and never evaluated{where}: its graph grows with each step"

    def visit_For(self, node: cst.For, context: Context) -> None:
        self._check_loop(node, context)

    def visit_While(self, node: cst.While, context: Context) -> None:
        self._check_loop(node, context)

    def visit_FunctionDef(self, node: cst.FunctionDef, context: Context) -> None:
        code = context.module.functions.get(node)
        if code is None or code.owner is None or code.name.startswith("__") or code.owner.is_mlx_module:
            return
        body = context.shared(Body, node.body)
        if not _binds_tree(body):
            return
        if not any(path.startswith("self.") and body.feeds_itself(path) for path in body.dependencies):
            return
        for statement, path, source in body.carried(directly=True):
            name = path.rpartition(".")[2]
            if not path.startswith("self.") or path.count(".") > 1 or not _is_average(source, body):
                continue
            if (
                path in body.evaluated
                or _evaluated_somewhere(name, context)
                or context.enclosing(statement, cst.For, cst.While)
            ):
                continue
            used = context.module.text.count(f"{code.owner.name}(") > 0
            context.report(
                self,
                statement,
                because=[source],
                path=path,
                where=" here",
                severity=Severity.WARNING if used else Severity.INFO,
                fix=_evaluated(statement, path, context),
            )
            return

    def _check_loop(self, loop: cst.For | cst.While, context: Context) -> None:
        body = context.shared(Body, loop_body(loop))
        if not _binds_tree(body):
            return
        carried = [
            (s, p, v) for s, p, v in body.carried(directly=True) if isinstance(s, cst.Assign) and _is_sum(v, context)
        ]
        if not carried or is_short(loop, context) or is_forward(loop, context) or body.yields:
            return
        if body.updates and not body.evaluates():
            return  # nothing at all is evaluated, which is another finding
        for statement, path, source in carried:
            if path not in body.evaluated and context.enclosing(statement, cst.For, cst.While) is loop:
                context.report(
                    self,
                    statement,
                    because=[source],
                    path=path,
                    where=" in this loop",
                    fix=_evaluated(statement, path, context),
                )

    @staticmethod
    def repro(steps: int = 20) -> Evidence:
        import mlx.core as mx
        from mlx.utils import tree_map

        def edges(evaluate: bool) -> int:
            weight, average = mx.ones((4,)), {"w": mx.ones((4,))}
            for _ in range(steps):
                weight = weight * 0.9
                mx.eval(weight)
                average = tree_map(lambda a, w: 0.9 * a + 0.1 * w, average, {"w": weight})
                if evaluate:
                    mx.eval(average)
            return graph_size(average["w"])

        kept, evaluated = edges(False), edges(True)
        return Evidence(
            shown(kept > steps, f"after {steps} steps: a graph of {kept} edges"),
            shown(evaluated < 3, f"{evaluated} edges"),
        )


def _binds_tree(body: Body) -> bool:
    """Whether there is anything to look at: the cheapest question, asked of every loop."""
    return any(_is_tree(body.context.value(node.value)) for node in body.of(cst.Assign))


def _is_tree(value: Value) -> bool:
    return any(isinstance(member, Tree) and member.kind in ("gradients", "parameters") for member in members(value))


def _is_sum(source: cst.BaseExpression, context: Context) -> bool:
    """Whether a tree is computed leaf by leaf, rather than put together from parts."""
    return _is_tree(context.value(source)) and not any(
        isinstance(node, cst.Call)
        and (context.callee(node) or "") in ("mlx.utils.tree_merge", "mlx.utils.tree_unflatten")
        for node in tree.walk(source)
    )


def _is_average(source: cst.BaseExpression, body: Body) -> bool:
    """Whether a new value mixes a tree with a model's parameters."""
    value = body.context.value(source)
    return any(isinstance(member, Tree) and member.kind != "state" for member in members(value)) and any(
        isinstance(node, cst.Call)
        and isinstance(node.func, cst.Attribute)
        and node.func.attr.value in ("parameters", "trainable_parameters")
        for node in tree.walk(source)
    )


def _evaluated_somewhere(name: str, context: Context) -> bool:
    """Whether some call in the file evaluates an attribute of that name."""
    return any(
        any(path.endswith("." + name) for path in paths(call))
        for call, called in context.module.calls.items()
        if getattr(called, "name", None) in EVAL
    )


def _evaluated(statement: cst.CSTNode, path: str, context: Context) -> NodeFix | None:
    mx = context.alias("mlx.core")
    if mx is None or not isinstance(statement, cst.Assign):
        return None
    return NodeFix("Evaluate it here", [InsertStatement(statement, f"{mx}.eval({path})")], Applicability.SAFE)
