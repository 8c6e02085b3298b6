from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Partial
from mlxlint.rule import Evidence, Kind, Rule, Severity, raises, shown

from ..training._gradients import is_module
from ..training._optimizers import as_optimizer
from ._compile import COMPILE


class ModuleGivenToCompiled(Rule):
    """A compiled function is called with a model

    ## What it does
    Finds calls of compiled functions that are given a module or an optimizer.

    ## PyTorch and MLX
    The arguments of a compiled function are arrays, constants, and lists, tuples and dicts of these. A module is a
    dict, and arrives in the function as a plain one, which cannot be called. Other objects are refused.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    model = nn.Linear(2, 1)
    forward = mx.compile(lambda model, x: model(x))
    y = forward(model, mx.ones((4, 2)))
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    model = nn.Linear(2, 1)
    forward = mx.compile(lambda x: model(x), inputs=model.state)
    y = forward(mx.ones((4, 2)))
    ```

    ## References
    - [Compilation](https://ml-explore.github.io/mlx/build/html/usage/compile.html)
    """

    code = "MLX514"
    kind = Kind.CRASH
    severity = Severity.ERROR
    message = "a compiled function takes trees of arrays, `{given}` is {what}"
    calls = frozenset({"compile"})

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if not node.args:
            return
        called = context.called(node)
        if not isinstance(called, Partial) or called.transform != COMPILE:
            return
        for arg in node.args:
            value = context.value(arg.value)
            what = "a module" if is_module(value) else "an optimizer" if as_optimizer(value) is not None else None
            if what is not None and not arg.star:
                context.report(self, arg.value, because=[arg.value], given=context.brief(arg.value), what=what)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        model, x = nn.Linear(2, 1), mx.ones((1, 2))
        hazard = raises(lambda: mx.compile(lambda model, x: model(x))(model, x), TypeError)
        y = mx.compile(lambda x: model(x), inputs=model.state)(x)
        return Evidence(hazard, shown(y.shape == (1, 1), f"captured as state: {y.shape}"))
