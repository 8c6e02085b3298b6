from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import as_array
from mlxlint.rule import Evidence, Kind, Rule, Severity, shown

from ..training._step import Body, is_forward, is_short, loop_body, loop_names
from ._graph import graph_size


class LoopGraphKept(Rule):
    """A loop around a model carries arrays along and never evaluates them

    ## What it does
    Finds loops that call one model again and again, feed an array from pass to pass or add to one, and evaluate
    nothing: decoding, sampling, sliding windows, sums of losses over a data set. Loops in a layer's forward pass,
    loops over a model's layers and loops without an update of a model are told apart. It is a note: the caller may
    have few passes.

    ## PyTorch and MLX
    PyTorch computes in each pass. MLX records all passes into one graph, which holds every pass's activations until
    the result is looked at: memory grows with the number of passes.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    model = nn.Linear(4, 4)
    x = mx.ones((1, 4))
    for step in range(100):
        x = x + 0.1 * model(x)
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    model = nn.Linear(4, 4)
    x = mx.ones((1, 4))
    for step in range(100):
        x = x + 0.1 * model(x)
        mx.eval(x)
    ```

    ## References
    - [Lazy evaluation](https://ml-explore.github.io/mlx/build/html/usage/lazy_evaluation.html)
    """

    code = "MLX501"
    kind = Kind.COST
    severity = Severity.INFO
    message = "`{path}` is carried through this loop and nothing is evaluated in it: the graph of all passes is kept"

    def visit_For(self, node: cst.For, context: Context) -> None:
        self._check(node, context)

    def visit_While(self, node: cst.While, context: Context) -> None:
        self._check(node, context)

    def _check(self, loop: cst.For | cst.While, context: Context) -> None:
        body = context.shared(Body, loop_body(loop))
        if not body.calls_model:
            return
        carried = list(body.carried())
        if (
            not carried
            or is_short(loop, context)
            or is_forward(loop, context)
            or body.yields
            or body.updates
            or body.evaluates()
        ):
            return
        names = loop_names(loop)
        for statement, path, source in carried:
            if context.enclosing(statement, cst.For, cst.While) is not loop or as_array(context.value(source)) is None:
                continue
            if body.depends_on_module(source, names):
                context.report(self, loop, because=[source, ("it is carried along here", statement)], path=path)
                return

    @staticmethod
    def repro(passes: int = 30) -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        def edges(evaluate: bool) -> int:
            model, x = nn.Linear(4, 4), mx.ones((1, 4))
            for _ in range(passes):
                x = x + 0.1 * model(x)
                if evaluate:
                    mx.eval(x)
            return graph_size(x)

        kept, evaluated = edges(False), edges(True)
        return Evidence(
            shown(kept > passes, f"after {passes} passes: a graph of {kept} edges"),
            shown(evaluated < 3, f"{evaluated} edges"),
        )
