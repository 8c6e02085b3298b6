from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Sequence, constant
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, differs
from mlxlint.rules._operations import operation

REDUCTIONS = frozenset({"sum", "mean", "max", "min", "prod", "var", "std", "all", "any", "logsumexp"})


class EmptyAxisReduction(Rule):
    """A reduction over an empty tuple of axes

    ## What it does
    Finds `x.sum(axis=())`, and axes computed as `tuple(range(k, x.ndim))` for an array that is known to have no more
    than `k` axes.

    ## PyTorch and MLX
    For PyTorch an empty tuple of axes means all of them. For MLX, as for NumPy, it means none: the array comes back
    as it was.

    ## Example
    ```python
    import mlx.core as mx

    x = mx.ones((2, 3))
    total = x.sum(axis=())
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    x = mx.ones((2, 3))
    total = x.sum()
    ```

    ## References
    - [mlx.core.sum](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.sum.html)
    """

    code = "MLX427"
    kind = Kind.SILENT
    severity = Severity.WARNING
    message = "`{axes}` is empty{when}: `{operation}` reduces nothing, where PyTorch reduces everything"
    calls = REDUCTIONS

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if not node.args:
            return
        found = operation(node, context, REDUCTIONS)
        axes = None if found is None or found.starred else found.argument(0, "axis")
        if found is None or axes is None or context.array(found.subject) is None:
            return
        value = context.value(axes)
        empty = isinstance(value, Sequence) and value.items == ()
        written = empty and isinstance(axes, (cst.Tuple, cst.List, cst.Name))
        rank = None if written else _empty_for(axes, found.subject, context)
        if written or rank is not None:
            when = "" if rank is None else f" for arrays of {rank} axes"
            context.report(
                self, node, because=[found.subject], axes=context.brief(axes), when=when,
                operation=context.brief(node.func), repro={"name": found.name},
            )  # fmt: skip

    @staticmethod
    def repro(name: str = "sum") -> Evidence:
        import mlx.core as mx

        x = mx.array([[1.0, 4.0], [2.0, 0.0]])
        function = getattr(mx, name)
        return Evidence(differs(function(x, axis=()), function(x)), agrees(function(x, axis=(0, 1)), function(x)))


def _empty_for(axes: cst.BaseExpression, subject: cst.BaseExpression, context: Context) -> int | None:
    """The rank of the array for which ``tuple(range(k, x.ndim))`` is empty."""
    array = context.array(subject)
    call = _called(axes, "builtins.tuple", context) or _called(axes, "builtins.list", context)
    span = _called(call, "builtins.range", context)
    if array is None or array.rank is None or not isinstance(span, cst.Call) or len(span.args) != 2:
        return None
    start, stop = (constant(context.value(arg.value), int) for arg in span.args)
    if not isinstance(start, int) or not isinstance(stop, int) or stop != array.rank or start < stop:
        return None
    return array.rank


def _called(node: cst.CSTNode | None, name: str, context: Context) -> cst.BaseExpression | None:
    """The argument of a call of a builtin; the call itself for ``range``."""
    if not isinstance(node, cst.Call) or context.callee(node) != name or not node.args:
        return None
    return node if name.endswith("range") else node.args[0].value
