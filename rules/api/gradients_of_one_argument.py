from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Array, Name, Partial, Unknown, Value
from mlxlint.rule import (
    Applicability,
    Confidence,
    Evidence,
    Fixable,
    Kind,
    NodeEdit,
    NodeFix,
    Rule,
    Severity,
    raises,
    shown,
)
from mlxlint.rules._shared import with_keyword

_OF_ONE = {"mlx.core.grad": 0, "mlx.core.value_and_grad": 1}  # where the gradient stands in the result


class GradientsOfOneArgument(Rule):
    """The gradient of one argument is unpacked as if it were those of all

    ## What it does
    Finds results of `mx.grad` and `mx.value_and_grad` without `argnums` that are unpacked into as many names as the
    function has arguments.

    ## PyTorch and MLX
    `torch.autograd.grad(loss, (w, b))` and `loss.backward()` give a gradient for each tensor. MLX differentiates for
    the first argument unless `argnums` says more. Unpacking its gradient walks over the rows: it raises `ValueError`,
    or, where there are just as many rows, gives these.

    ## Example
    ```python
    import mlx.core as mx


    def loss(w, b):
        return (w * 2 + b).sum()


    dw, db = mx.grad(loss)(mx.ones((3,)), mx.zeros((3,)))
    ```

    ## Use instead
    ```python
    import mlx.core as mx


    def loss(w, b):
        return (w * 2 + b).sum()


    dw, db = mx.grad(loss, argnums=(0, 1))(mx.ones((3,)), mx.zeros((3,)))
    ```

    ## Fix safety
    Unsafe: the function is then differentiated for all its arguments.

    ## References
    - [grad](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.grad.html)
    """

    code = "MLX497"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    targets = frozenset({cst.Tuple, cst.List})
    message = (
        "`{function}` gives the gradient of `{argument}` alone, and this unpacks {count}: say which with `argnums`"
    )

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        call = node.value
        if not isinstance(call, cst.Call) or len(call.args) < 2 or any(a.star or a.keyword for a in call.args):
            return
        transformed = context.called(call)
        if not isinstance(transformed, Partial) or transformed.transform not in _OF_ONE:
            return
        if transformed.args or transformed.keywords:
            return
        count = _unpacked(node.targets[0].target, _OF_ONE[transformed.transform])
        first = call.args[0].value
        if count != len(call.args) or not _may_be_array(context.value(first)):
            return
        context.report(
            self, node.targets[0], function=transformed.transform.replace("mlx.core.", "mx."), count=count,
            argument=context.brief(first), confidence=Confidence.LIKELY, fix=_fix(call, count, context),
        )  # fmt: skip

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        def loss(w: mx.array, b: mx.array) -> mx.array:
            return (w * 2 + b).sum()

        def unpacked(argnums: object) -> list[mx.array]:
            dw, db = mx.grad(loss, argnums=argnums)(mx.ones((3,)), mx.zeros((3,)))
            return [dw, db]

        shapes = [gradient.shape for gradient in unpacked((0, 1))]
        return Evidence(raises(lambda: unpacked(0), ValueError), shown(shapes == [(3,), (3,)], f"argnums: {shapes}"))


def _unpacked(target: cst.BaseExpression, place: int) -> int:
    """Into how many names a gradient is unpacked that stands by itself, or second beside a value."""
    if place and isinstance(target, (cst.Tuple, cst.List)) and len(target.elements) == 2:
        target = target.elements[1].value
    elif place:
        return 0
    if not isinstance(target, (cst.Tuple, cst.List)):
        return 0
    elements = target.elements
    return 0 if any(isinstance(element, cst.StarredElement) for element in elements) else len(elements)


def _may_be_array(value: Value) -> bool:
    return isinstance(value, (Array, Unknown))


def _fix(call: cst.Call, count: int, context: Context) -> NodeFix | None:
    """Name the arguments where the gradient is taken and called at once."""
    made = call.func
    if not isinstance(made, cst.Call) or not isinstance(context.called(made), Name) or len(made.args) != 1:
        return None
    edit: NodeEdit = with_keyword(made, f"argnums={tuple(range(count))}", context)
    return NodeFix("Differentiate for all", [edit], Applicability.UNSAFE)
