from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Evidence, Kind, Rule, Severity, shown
from mlxlint.rules._shared import is_test

from ._compile import COMPILE, calls_transform

LOOPS = (cst.For, cst.While, cst.ListComp, cst.GeneratorExp, cst.DictComp, cst.SetComp)


class CompiledInLoop(Rule):
    """A function is compiled anew in each pass or call

    ## What it does
    Finds `mx.compile(...)` in the body of a loop, and `mx.compile(f)(x)`, compiled and called at once, in a
    function other than a test.

    ## PyTorch and MLX
    `mx.compile` returns a new compiled function, which traces and compiles at its first call. Made in each pass, it
    never gets to a second one, and costs more than it saves.

    ## Example
    ```python
    import mlx.core as mx

    x = mx.ones((4,))
    for step in range(10):
        x = mx.compile(lambda v: v * 2 + 1)(x)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    x = mx.ones((4,))
    advance = mx.compile(lambda v: v * 2 + 1)
    for step in range(10):
        x = advance(x)
    ```

    ## References
    - [Compilation](https://ml-explore.github.io/mlx/build/html/usage/compile.html)
    """

    code = "MLX510"
    kind = Kind.COST
    severity = Severity.WARNING
    calls = frozenset({"compile"})
    message = "`mx.compile` makes a new compiled function {when}, and each of them traces again"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if not calls_transform(node, COMPILE, context) or not node.args:
            return
        parent = context.parent(node)
        at_once = isinstance(parent, cst.Call) and parent.func is node
        loop = context.enclosing(node, *LOOPS)
        if loop is not None and not _is_iterated(node, loop, context) and (at_once or not _is_kept(node, context)):
            context.report(self, node, when="in each pass of the loop")
        elif at_once and context.enclosing_function(node) is not None and not is_test(node, context):
            context.report(self, node, when="in each call of this function")

    @staticmethod
    def repro(passes: int = 4) -> Evidence:
        import mlx.core as mx

        traces = []

        def advance(x: mx.array) -> mx.array:
            traces.append(1)
            return x * 2

        for _ in range(passes):
            mx.eval(mx.compile(lambda x: advance(x))(mx.ones((2,))))
        anew = len(traces)
        compiled = mx.compile(advance)
        for _ in range(passes):
            mx.eval(compiled(mx.ones((2,))))
        return Evidence(
            shown(anew == passes, f"{anew} traces in {passes} passes"),
            shown(len(traces) - anew == 1, f"compiled once: {len(traces) - anew} trace"),
        )


def _is_iterated(node: cst.CSTNode, loop: cst.CSTNode, context: Context) -> bool:
    """Whether a node stands in what a loop goes over, which is computed once."""
    over = loop.iter if isinstance(loop, cst.For) else getattr(getattr(loop, "for_in", None), "iter", None)
    return over is not None and any(ancestor is over for ancestor in (node, *context.ancestors(node)))


def _is_kept(node: cst.Call, context: Context) -> bool:
    """Whether a compiled function is stored for later, one for each pass, or made under a condition."""
    if (
        context.enclosing(node, cst.If) is not None
        or context.enclosing(node, cst.ListComp, cst.DictComp, cst.GeneratorExp) is not None
    ):
        return True
    parent = context.parent(node)
    if isinstance(parent, cst.Assign):
        return not isinstance(parent.targets[0].target, cst.Name)
    return isinstance(parent, cst.Arg) or not isinstance(parent, (cst.Expr, cst.Call))
