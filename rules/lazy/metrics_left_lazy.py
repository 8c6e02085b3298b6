from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted
from mlxlint.model.values import UNKNOWN
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity, shown

from ..training._step import EVAL, READING, Body, holds_arrays, is_short, loop_body, paths
from ._graph import graph_size


class MetricsLeftLazy(Rule):
    """Metrics are added up in a dict that the evaluation of each step leaves out

    ## What it does
    Finds training loops that evaluate some of what they add up (`mx.eval(state, losses)`) and not the sums in a dict
    (`sums[name] += value`) of what the same call returned. It is a warning where the values are surely arrays.

    ## PyTorch and MLX
    A sum of PyTorch's is a number at once. In MLX a sum that no step evaluates is a graph, which holds what each of its
    values was computed from: memory grows with each step until the sums are read. Evaluate them along with the rest.

    ## Example
    ```python
    import mlx.core as mx

    total, sums = mx.array(0.0), {"accuracy": 0, "margin": 0}


    def step(x):
        return x.sum(), {"accuracy": (x > 0).mean(), "margin": x.max()}


    for x in [mx.ones((4, 2))] * 8:
        loss, metrics = step(x)
        total += loss
        for name, value in metrics.items():
            sums[name] += value
        mx.eval(total)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    total, sums = mx.array(0.0), {"accuracy": 0, "margin": 0}


    def step(x):
        return x.sum(), {"accuracy": (x > 0).mean(), "margin": x.max()}


    for x in [mx.ones((4, 2))] * 8:
        loss, metrics = step(x)
        total += loss
        for name, value in metrics.items():
            sums[name] += value
        mx.eval(total, sums)
    ```

    ## References
    - [Lazy evaluation](https://ml-explore.github.io/mlx/build/html/usage/lazy_evaluation.html)
    """

    code = "MLX536"
    kind = Kind.COST
    severity = Severity.WARNING
    message = "the sums in `{sums}` are left out of this evaluation: they hold on to the graphs of all steps"

    def visit_For(self, node: cst.For, context: Context) -> None:
        self._check(node, context)

    def visit_While(self, node: cst.While, context: Context) -> None:
        self._check(node, context)

    def _check(self, loop: cst.For | cst.While, context: Context) -> None:
        body = context.shared(Body, loop_body(loop))
        sums = list(_sums(body))
        if not sums or is_short(loop, context):
            return
        calls = [call for call in _in_each_pass(loop) if getattr(context.called(call), "name", None) in EVAL]
        evaluated = set().union(*(paths(arg.value) for call in calls for arg in call.args))
        reached = evaluated | set().union(*(body.dependencies.get(path, set()) for path in evaluated))
        for added, path in sums:
            known = holds_arrays(context.value(added.value))
            if calls and path not in reached and (known or _is_returned_along(added, evaluated, body)):
                severity = Severity.WARNING if known else Severity.INFO
                context.report(self, calls[-1], because=[(f"`{path}` is added to here", added)], severity=severity,
                               confidence=Confidence.LIKELY, sums=path)  # fmt: skip
                return

    @staticmethod
    def repro(steps: int = 10) -> Evidence:
        import mlx.core as mx

        def edges(with_sums: bool) -> int:
            total, sums = mx.array(0.0), {"margin": mx.array(0.0)}
            for _ in range(steps):
                x = mx.ones((4,)) * 2
                total += x.sum()
                sums["margin"] += x.max()
                mx.eval(total, *(sums.values() if with_sums else ()))
            return graph_size(sums["margin"])

        kept, evaluated = edges(False), edges(True)
        return Evidence(
            shown(kept > steps, f"after {steps} steps the sum hangs on a graph of {kept} edges"),
            shown(evaluated < 3, f"evaluated along with the rest: {evaluated}"),
        )


def _sums(body: Body) -> Iterator[tuple[cst.AugAssign, str]]:
    """Additions to an item of something bound before the loop, of what is no number yet."""
    for node in body.of(cst.AugAssign):
        if isinstance(node.operator, cst.AddAssign) and isinstance(node.target, cst.Subscript):
            path = dotted(node.target.value)
            read = any(isinstance(part, cst.Call) and _reads(part) for part in body.context.walk(node.value))
            if path is not None and not read:
                yield node, path


def _reads(call: cst.Call) -> bool:
    name = call.func.attr.value if isinstance(call.func, cst.Attribute) else getattr(call.func, "value", "")
    return name in READING or name in ("float", "int", "len", "round")


def _in_each_pass(loop: cst.For | cst.While) -> Iterator[cst.Call]:
    """The calls that are statements of the loop's body itself."""
    suite = isinstance(loop.body, cst.SimpleStatementSuite)
    lines = [loop.body] if suite else [line for line in loop.body.body if isinstance(line, cst.SimpleStatementLine)]
    for line in lines:
        for statement in line.body:
            if isinstance(statement, cst.Expr) and isinstance(statement.value, cst.Call):
                yield statement.value


def _is_returned_along(added: cst.AugAssign, evaluated: set[str], body: Body) -> bool:
    """Whether the value comes from the items of what one call returned together with something that is evaluated."""
    context = body.context
    inner = context.enclosing(added, cst.For)
    if inner is None or context.value(added.value) is not UNKNOWN:
        return False
    over = inner.iter
    if not (isinstance(over, cst.Call) and isinstance(over.func, cst.Attribute) and over.func.attr.value == "items"):
        return False
    metrics, fed = dotted(over.func.value), set(evaluated)
    for path in evaluated:
        fed |= body.dependencies.get(path, set())
    for node in body.of(cst.Assign):
        target = node.targets[0].target
        if isinstance(node.value, cst.Call) and isinstance(target, cst.Tuple):
            names = {dotted(element.value) for element in target.elements}
            if metrics in names and (names - {metrics}) & fed:
                return True
    return False
