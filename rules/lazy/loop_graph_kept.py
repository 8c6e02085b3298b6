from __future__ import annotations

import re
from collections.abc import Sequence

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.model.values import as_array
from mlxlint.rule import Applicability, Evidence, Fixable, InsertStatement, Kind, NodeFix, Rule, Severity, shown

from ..training._step import Body, is_forward, is_short, loop_body, loop_names
from ._graph import graph_size

_MANY = re.compile(r"shape|size|step|iter|epoch|token|len")  # in names of numbers that may be large


class LoopGraphKept(Rule):
    """A loop around a model carries arrays along and never evaluates them

    ## What it does
    Finds loops that call one model again and again, feed an array from pass to pass or add to one, and evaluate
    nothing: decoding, sampling, sliding windows, sums of losses over a data set. Loops in a layer's forward pass,
    loops over a model's layers, loops that count to a number of the model's own (`config.num_codebooks`), and results
    collected of things that are there already are told apart. It is a note: the caller may have few passes.

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

    ## Fix safety
    The fix evaluates what is carried, in each pass. It is unsafe: a loop of few passes may be meant to be evaluated as
    a whole, and a compiled function cannot evaluate.

    ## References
    - [Lazy evaluation](https://ml-explore.github.io/mlx/build/html/usage/lazy_evaluation.html)
    """

    code = "MLX501"
    kind = Kind.COST
    severity = Severity.INFO
    fixable = Fixable.ALWAYS
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
        if not carried or is_short(loop, context) or _is_of_fixed_length(loop) or body.yields:
            return
        names = loop_names(loop)
        kept = [
            (statement, path, source)
            for statement, path, source in carried
            if context.enclosing(statement, cst.For, cst.While) is loop
            and not _gathers(statement, loop)
            and as_array(context.value(source)) is not None
            and body.depends_on_module(source, names)
        ]
        if kept and not (is_forward(loop, context) or body.updates or body.evaluates()):
            statement, path, source = kept[0]
            fix = _fix(loop, [each for each, _, _ in kept], [each for _, each, _ in kept], context)
            context.report(self, loop, because=[source, ("it is carried along here", statement)], path=path, fix=fix)

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


def _is_of_fixed_length(loop: cst.For | cst.While) -> bool:
    """Whether a loop counts to an attribute such as `config.num_codebooks`, a number of the model's parts."""
    if not isinstance(loop, cst.For) or not isinstance(loop.iter, cst.Call) or tree.dotted(loop.iter.func) != "range":
        return False
    attributes = [part.attr.value for part in tree.walk(loop.iter) if isinstance(part, cst.Attribute)]
    return bool(attributes) and not any(map(_MANY.search, attributes))


def _gathers(statement: cst.CSTNode, loop: cst.For | cst.While) -> bool:
    """Whether a loop over things that are there already appends a result for each, which does not enter the next."""
    over = loop.iter if isinstance(loop, cst.For) else None
    is_given = over is not None and not (isinstance(over, cst.Call) and tree.dotted(over.func) == "range")
    return is_given and isinstance(statement, cst.Call)


def _fix(
    loop: cst.For | cst.While, statements: Sequence[cst.CSTNode], kept: Sequence[str], context: Context
) -> NodeFix | None:
    """Evaluate what is kept, in the loop's own block after the last statement that carries something along."""
    mx = context.alias("mlx.core")
    holding = {above for statement in statements for above in (statement, *context.ancestors(statement))}
    lines = [line for line in loop.body.body if line in holding]
    if mx is None or not lines:
        return None
    text = f"{mx}.eval({', '.join(dict.fromkeys(kept))})"
    return NodeFix("Evaluate it in each pass", [InsertStatement(lines[-1], text)], Applicability.UNSAFE)
