from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Partial
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Rule, Severity, raises, shown
from mlxlint.rules._shared import returned, with_keyword

from ._losses import REDUCTIONS, first, loss_name, unreduced

_GRADIENTS = frozenset({"mlx.nn.value_and_grad", "mlx.core.value_and_grad", "mlx.core.grad"})


class LossNotReduced(Rule):
    """A loss without `reduction` is differentiated

    ## What it does
    Finds losses of `nn.losses` whose `reduction` is left at `"none"` and which a function given to `value_and_grad` or
    `grad` returns, or on which `.item()` is called.

    ## PyTorch and MLX
    PyTorch's losses average by default. Most of MLX's (`cross_entropy`, `nll_loss`, `kl_div_loss`, `huber_loss`, …)
    return one value per sample, and a gradient needs a scalar: `value_and_grad` raises. `mse_loss`, `l1_loss`,
    `smooth_l1_loss`, `binary_cross_entropy` and `gaussian_nll_loss` average as in PyTorch.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    model = nn.Linear(4, 3)


    def loss_fn(x, y):
        return nn.losses.cross_entropy(model(x), y)


    loss, grads = nn.value_and_grad(model, loss_fn)(mx.ones((2, 4)), mx.array([0, 1]))
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    model = nn.Linear(4, 3)


    def loss_fn(x, y):
        return nn.losses.cross_entropy(model(x), y, reduction="mean")


    loss, grads = nn.value_and_grad(model, loss_fn)(mx.ones((2, 4)), mx.array([0, 1]))
    ```

    ## Fix safety
    The fix adds `reduction="mean"`, PyTorch's default. It is unsafe because `"sum"` may be meant.

    ## References
    - [Loss functions](https://ml-explore.github.io/mlx/build/html/python/nn/losses.html)
    """

    code = "MLX321"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    calls = frozenset({"value_and_grad", "grad", "item"})
    message = '`nn.losses.{loss}` returns one value per sample (`reduction="none"`), and {why}'
    functions = frozenset({"@"})

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        called = context.value(node)
        if isinstance(called, Partial) and called.transform in _GRADIENTS:
            code = context.function(called)
            for expression in returned(code) if code is not None and code.module is context.module else ():
                for loss in unreduced(first(expression), context):
                    self._report(loss, "a gradient needs a scalar", context)
        elif isinstance(node.func, cst.Attribute) and node.func.attr.value == "item" and not node.args:
            for loss in unreduced(node.func.value, context):
                self._report(loss, "`.item()` needs a scalar", context)

    def visit_FunctionDef(self, node: cst.FunctionDef, context: Context) -> None:
        if any(isinstance(d.decorator, (cst.Name, cst.Attribute, cst.Call)) for d in node.decorators):
            code = context.module.functions.get(node)
            if code is not None and any(_is_gradient(d.decorator, context) for d in node.decorators):
                for expression in returned(code):
                    for loss in unreduced(first(expression), context):
                        self._report(loss, "a gradient needs a scalar", context)

    def _report(self, loss: cst.Call, why: str, context: Context) -> None:
        if any(report.rule is self and report.node is loss for report in context.reports):
            return  # several gradients are taken of one function
        name = loss_name(loss, context) or ""
        fix = None
        if loss.args and context.argument(loss, REDUCTIONS[name][0], "reduction") is None:
            title = 'Add `reduction="mean"`'
            fix = NodeFix(title, [with_keyword(loss, 'reduction="mean"', context)], Applicability.UNSAFE)
        context.report(
            self,
            loss,
            fix=fix,
            loss=name,
            why=why,
            repro={"loss": name} if name in ("cross_entropy", "nll_loss") else {},
        )

    @staticmethod
    def repro(loss: str = "cross_entropy") -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        logits, targets = mx.array([[1.0, 2.0], [0.0, 1.0]]), mx.array([0, 1])
        function = getattr(nn.losses, loss)
        hazard = raises(lambda: mx.grad(lambda x: function(x, targets))(logits), ValueError)
        gradient = mx.grad(lambda x: function(x, targets, reduction="mean"))(logits)
        return Evidence(hazard, shown(gradient.shape == (2, 2), 'reduction="mean": runs'))


def _is_gradient(node: cst.BaseExpression, context: Context) -> bool:
    target = node.func if isinstance(node, cst.Call) else node
    value = context.value(node)
    return context.qualified(target) in _GRADIENTS or (isinstance(value, Partial) and value.transform in _GRADIENTS)
