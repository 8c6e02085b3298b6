from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Name, as_array
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Rule, Severity, Span, raises, shown


class CheckpointGivenInput(Rule):
    """`nn.utils.checkpoint` is given the input of the module

    ## What it does
    Finds `nn.utils.checkpoint(module, x)` with an array as the second argument.

    ## PyTorch and MLX
    `torch.utils.checkpoint.checkpoint(module, x)` runs the module. MLX's takes a module and a function, and returns
    a function: the input is taken for the function, and the result is no array.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    layer = nn.Linear(2, 2)
    y = nn.utils.checkpoint(layer, mx.ones((4, 2)))
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    layer = nn.Linear(2, 2)
    y = nn.utils.checkpoint(layer)(mx.ones((4, 2)))
    ```

    ## Fix safety
    The fix calls the function that is returned. It is safe: nothing else can be done with it.

    ## References
    - [nn.utils.checkpoint](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.utils.checkpoint.html)
    """

    code = "MLX229"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.ALWAYS
    calls = frozenset({"checkpoint"})
    message = "`nn.utils.checkpoint` returns a function, which is to be called with `{given}`"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        called = context.called(node)
        positional = context.arguments(node).positional
        if not isinstance(called, Name) or called.name != "mlx.nn.utils.checkpoint" or len(positional) < 2:
            return
        given = positional[1].value
        if as_array(context.value(given)) is None:
            return
        fix = NodeFix(
            "Call the function that it returns",
            [Span(positional[0], positional[1], f"{context.text(positional[0].value)})(", before=True)],
            Applicability.SAFE,
        )
        context.report(self, node, because=[given], given=context.brief(given), fix=fix)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        layer, x = nn.Linear(2, 1), mx.ones((1, 2))
        hazard = raises(lambda: nn.utils.checkpoint(layer, x).shape, AttributeError)
        y = nn.utils.checkpoint(layer)(x)
        return Evidence(hazard, shown(y.shape == (1, 1), f"called, it gives shape {y.shape}"))
