from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Class, Instance, Name
from mlxlint.rule import Evidence, Kind, Rule, Severity, shown

from ._modules import MODE_DEPENDENT, PARAMETRIC, class_owns_parameters, constructed_class, is_method_of_module


class LayerMadeInCall(Rule):
    """A layer is constructed in the forward pass

    ## What it does
    Finds layers with parameters, and dropout, constructed in a module's `__call__` (or `forward`), or called at once in
    any of its methods but `__init__`.

    ## PyTorch and MLX
    The layer is new in each call: its weights are random and never trained, and it is always in training mode, since
    `model.eval()` reaches only what the module keeps. PyTorch code that did this with `F.dropout(x, p, self.training)`
    had the mode passed in; MLX has no such function, and `nn.Dropout(p)(x)` keeps dropping in evaluation.

    ## Example
    ```python
    import mlx.nn as nn


    class Head(nn.Module):
        def __init__(self, dims):
            super().__init__()
            self.proj = nn.Linear(dims, 2)

        def __call__(self, x):
            return self.proj(nn.Dropout(0.5)(x))
    ```

    ## Use instead
    ```python
    import mlx.nn as nn


    class Head(nn.Module):
        def __init__(self, dims):
            super().__init__()
            self.dropout = nn.Dropout(0.5)
            self.proj = nn.Linear(dims, 2)

        def __call__(self, x):
            return self.proj(self.dropout(x))
    ```

    ## References
    - [Dropout](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.Dropout.html)
    - [Module.train](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.Module.train.html)
    """

    code = "MLX307"
    kind = Kind.SILENT
    severity = Severity.WARNING
    message = "`{layer}` is made anew in every call: {what}"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        made = constructed_class(node, context)
        if made is None or not _is_forward(node, context):
            return
        keeps_mode = isinstance(made, Name) and made.name in MODE_DEPENDENT
        weighted = (isinstance(made, Name) and made.name in PARAMETRIC) or (
            isinstance(made, Class) and class_owns_parameters(made.code)
        )
        if (keeps_mode or weighted) and not _is_kept(node, context) and not _sets_mode(node, context):
            what = (
                "its weights are random and never trained"
                if weighted
                else "`eval()` does not reach it, and it is always in training mode"
            )
            context.report(self, node, layer=context.brief(node), what=what)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        inside = type("Inside", (nn.Module,), {"__call__": lambda self, x: nn.Dropout(0.9)(x)})()
        kept = nn.Sequential(nn.Dropout(0.9)).eval()
        x = mx.ones((1000,))
        return Evidence(
            shown(bool((inside.eval()(x) == 0).any().item()), "values are dropped after eval()"),
            shown(bool(mx.array_equal(kept(x), x).item()), "a kept layer passes its input after eval()"),
        )


def _is_forward(node: cst.Call, context: Context) -> bool:
    """Whether a layer is made in a module's forward pass; in other methods than that when it is called at once."""
    function, parent = context.enclosing_function(node), context.parent(node)
    if isinstance(parent, cst.Call) and parent.func is node and function is not None and function.name != "__init__":
        return is_method_of_module(node, context, function.name)
    return is_method_of_module(node, context, "__call__", "forward")


def _is_kept(node: cst.Call, context: Context) -> bool:
    """Whether the layer is stored in an attribute, to be made once."""
    assign = context.enclosing(node, cst.Assign)
    return assign is not None and any(isinstance(t.target, (cst.Attribute, cst.Subscript)) for t in assign.targets)


def _sets_mode(node: cst.Call, context: Context) -> bool:
    """Whether ``.eval()`` or ``.train(…)`` is called on it, or its use depends on ``self.training``."""
    parent = context.parent(node)
    if isinstance(parent, cst.Attribute) and parent.attr.value in ("eval", "train", "freeze"):
        return True
    tests = [a.test for a in context.ancestors(node) if isinstance(a, (cst.If, cst.IfExp))]
    return any("training" in context.text(test) for test in tests) or isinstance(context.value(node), Instance) is False
