from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Const, Partial, Sequence, Value, constant
from mlxlint.rule import Applicability, Evidence, Fixable, Insert, Kind, NodeFix, Rule, Severity, agrees, differs

INTEGERS = frozenset({"int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool_"})
TRANSFORMS = frozenset({"mlx.core.grad", "mlx.core.value_and_grad"})
_WHOLE = (cst.Name, cst.Attribute, cst.Call, cst.Subscript)


class IntegerGradient(Rule):
    """A gradient with respect to an array of integers

    ## What it does
    Finds functions made by `mx.grad` and `mx.value_and_grad` that are called with an integer or bool array where they
    differentiate.

    ## PyTorch and MLX
    PyTorch refuses `requires_grad` on integer tensors. MLX computes the gradient and casts it to the array's dtype:
    0.5 becomes 0.

    ## Example
    ```python
    import mlx.core as mx

    w = mx.array([1, 2])
    gradient = mx.grad(lambda w: (w * 0.5).sum())(w)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    w = mx.array([1.0, 2.0])
    gradient = mx.grad(lambda w: (w * 0.5).sum())(w)
    ```

    ## Fix safety
    Unsafe: the function gets another dtype than it was written with.

    ## References
    - [mlx.core.grad](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.grad.html)
    """

    code = "MLX479"
    kind = Kind.SILENT
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    message = "`{argument}` is {dtype}, and so is its gradient: everything behind the point is cut off"
    calls = frozenset({"grad", "value_and_grad"})

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        called = context.called(node)
        if not isinstance(called, Partial) or called.transform not in TRANSFORMS or context.arguments(node).starred:
            return
        for place in _places(called):
            argument = context.argument(node, place)
            array = context.array(argument)
            if argument is not None and array is not None and array.dtype in INTEGERS:
                mx = context.alias("mlx.core")
                fix = None
                if mx is not None and isinstance(argument, _WHOLE):
                    edits = [Insert(argument, f".astype({mx}.float32)", after=True)]
                    fix = NodeFix("Make it floating point", edits, Applicability.UNSAFE)
                context.report(
                    self, argument, because=[argument], argument=context.brief(argument), dtype=array.dtype, fix=fix
                )

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        gradient = mx.grad(lambda w: (w * 0.5).sum())
        return Evidence(
            differs(gradient(mx.array([1, 2])), [0.5, 0.5]), agrees(gradient(mx.array([1.0, 2.0])), [0.5, 0.5])
        )


def _places(called: Partial) -> list[int]:
    """The positions of the arguments for which a function is differentiated."""
    if "argnames" in called.keywords:
        return []
    numbers: Value = called.keywords.get("argnums", called.args[0] if called.args else Const(0))
    items = numbers.items or () if isinstance(numbers, Sequence) else (numbers,)
    found = [constant(item, int) for item in items]
    return [place for place in found if isinstance(place, int) and place >= 0]
