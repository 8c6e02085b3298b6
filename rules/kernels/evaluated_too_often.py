from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import walk
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity, shown

from .._statements import block
from ._measure import seconds

_EVAL = "mlx.core.eval"
_SCOPES = (cst.FunctionDef, cst.ClassDef, cst.Lambda)


class EvaluatedTooOften(Rule):
    """Arrays are evaluated one by one, or in the middle of a forward pass

    ## What it does
    Finds `mx.eval` in the `__call__` of a layer, and `mx.eval` right after another `mx.eval` in a function or a loop.
    It is advice.

    ## PyTorch and MLX
    PyTorch computes at once, so that nothing is gained by waiting. Each `mx.eval` of MLX costs a fixed time, and work
    that could run side by side runs one after the other. One evaluation per step, of all that the step makes, is
    enough: `mx.eval` takes any number of arrays and trees.

    ## Example
    ```python
    import mlx.core as mx


    def both(x):
        y, z = x + 1, x * 2
        mx.eval(y)
        mx.eval(z)
        return y, z
    ```

    ## Use instead
    ```python
    import mlx.core as mx


    def both(x):
        y, z = x + 1, x * 2
        mx.eval(y, z)
        return y, z
    ```

    ## References
    - [Lazy evaluation: when to evaluate](https://ml-explore.github.io/mlx/build/html/usage/lazy_evaluation.html#when-to-evaluate)
    """

    code = "MLX854"
    kind = Kind.COST
    severity = Severity.INFO
    calls = frozenset({"eval"})
    message = "{problem}: each `mx.eval` costs a fixed time, and one for all is enough"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if context.callee(node) != _EVAL or not context.is_dropped(node):
            return
        code = context.enclosing_function(node)
        is_forward = (
            code is not None and code.name == "__call__" and code.owner is not None and code.owner.is_mlx_module
        )
        if is_forward and not _is_conditional(node, context):
            context.report(
                self, node, problem="a forward pass is evaluated in the middle", confidence=Confidence.LIKELY
            )
        elif not _communicates(node, context) and any(_is_evaluation(s, context) for s in _before(node, context)):
            context.report(self, node, problem="evaluated right after another evaluation")

    @staticmethod
    def repro(arrays: int = 200) -> Evidence:
        import mlx.core as mx

        inputs = [mx.ones((4,)) for _ in range(arrays)]

        def one_by_one(*inputs: mx.array) -> list[mx.array]:
            found = [x + 1 for x in inputs]
            for x in found:
                mx.eval(x)
            return found

        def together(*inputs: mx.array) -> list[mx.array]:
            return [x + 1 for x in inputs]

        apart, once = seconds(one_by_one, *inputs), seconds(together, *inputs)
        return Evidence(
            shown(apart > 1.3 * once, f"{arrays} arrays one by one: {apart * 1e3:.2f} ms on {mx.default_device()}"),
            shown(once < apart, f"in one call: {once * 1e3:.2f} ms"),
        )


def _before(node: cst.Call, context: Context) -> list[cst.CSTNode]:
    """The statement right above the one that holds a call."""
    statements, place = block(node, context)
    if context.enclosing_function(node) is None and context.enclosing(node, cst.For, cst.While) is None:
        return []  # it runs once
    return statements[max(place - 1, 0) : place]


def _is_evaluation(statement: cst.CSTNode, context: Context) -> bool:
    call = statement.value if isinstance(statement, cst.Expr) else None
    return isinstance(call, cst.Call) and context.callee(call) == _EVAL and not _communicates(call, context)


def _communicates(call: cst.Call, context: Context) -> bool:
    """Whether what is evaluated waits for other processes, or might, so that the order matters."""
    for inner in walk(call):
        if isinstance(inner, cst.Call) and inner is not call:
            callee = context.callee(inner) or ""
            own = isinstance(inner.func, cst.Name) and not callee.startswith("mlx.")
            if own or callee.startswith("mlx.core.distributed."):
                return True
    return False


def _is_conditional(node: cst.CSTNode, context: Context) -> bool:
    """Whether a call is made in some passes only, for a piece of the input, or with a stream, clock or read around."""
    return any(True for _ in _conditions(node, context))


def _conditions(node: cst.CSTNode, context: Context) -> Iterator[cst.CSTNode]:
    for ancestor in context.ancestors(node):
        if isinstance(ancestor, _SCOPES):
            names = {n.value for n in walk(ancestor) if isinstance(n, cst.Name)}
            if names & {"time", "perf_counter", "get_peak_memory", "get_active_memory", "tolist", "item"}:
                yield ancestor
            return
        if isinstance(ancestor, (cst.If, cst.With, cst.Try)) or _takes_pieces(ancestor):
            yield ancestor


def _takes_pieces(node: cst.CSTNode) -> bool:
    """Whether a loop goes over an array piece by piece, to hold one piece's activations at a time."""
    over = node.iter if isinstance(node, cst.For) else None
    return isinstance(over, cst.Call) and getattr(over.func, "value", None) == "range" and len(over.args) == 3
