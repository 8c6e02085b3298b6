from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Partial, Scalar, scalar_type
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, shown

from ..training._step import Body, loop_body, loop_names, paths
from ._compile import COMPILE


class CompiledNumberArgument(Rule):
    """A compiled function is called with a Python number that changes

    ## What it does
    Finds calls of compiled functions with an `int` or `float` that is another one in each pass of the loop around,
    or in each call of the method around.

    ## PyTorch and MLX
    `torch.compile` makes a changing number a variable. In MLX a Python number is a constant of the trace: the
    function is traced and compiled again for each new value. A number in an array is an input like any other.

    ## Example
    ```python
    import mlx.core as mx

    scale = mx.compile(lambda x, factor: x * factor)
    x = mx.ones((4,))
    for step in range(10):
        x = scale(x, 1 / (step + 1))
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    scale = mx.compile(lambda x, factor: x * factor)
    x = mx.ones((4,))
    for step in range(10):
        x = scale(x, mx.array(1 / (step + 1)))
    ```

    ## Fix safety
    The fix puts the number into an array. It is unsafe: an array of float32 can change the result's dtype, and
    Python conditions on the number no longer work.

    ## References
    - [Compilation](https://ml-explore.github.io/mlx/build/html/usage/compile.html)
    """

    code = "MLX511"
    kind = Kind.COST
    severity = Severity.WARNING
    fixable = Fixable.ALWAYS
    message = "`{argument}` is a Python number that changes: the compiled function is traced again for each value"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if not node.args:
            return
        called = context.called(node)
        if not isinstance(called, Partial) or called.transform != COMPILE:
            return
        numbers = [arg for arg in node.args if not arg.star and _is_number(arg, context)]
        changing = _changing(node, context) if numbers else set()
        for arg in numbers:
            if paths(arg.value) & changing:
                context.report(
                    self, arg.value, because=[arg.value], argument=context.brief(arg.value), fix=_fix(arg, context)
                )

    @staticmethod
    def repro(calls: int = 5) -> Evidence:
        import mlx.core as mx

        traces = []

        def scale(x: mx.array, factor: float) -> mx.array:
            traces.append(1)
            return x * factor

        compiled = mx.compile(scale)
        for i in range(calls):
            mx.eval(compiled(mx.ones((2,)), 1 / (i + 1)))
        numbers = len(traces)
        for i in range(calls):
            mx.eval(compiled(mx.ones((2,)), mx.array(1 / (i + 1))))
        return Evidence(
            shown(numbers == calls, f"{numbers} traces for {calls} numbers"),
            shown(len(traces) - numbers == 1, f"{len(traces) - numbers} for arrays"),
        )


def _is_number(arg: cst.Arg, context: Context) -> bool:
    value = context.value(arg.value)
    return (isinstance(value, Scalar) and scalar_type(value) in ("int", "float") and value.dim is None) or _is_counter(
        value, arg
    )


def _is_counter(value: object, arg: cst.Arg) -> bool:
    """An ``int`` bound to a name, which carries a size of its own."""
    return isinstance(value, Scalar) and value.type == "int" and isinstance(arg.value, cst.Name)


def _changing(node: cst.Call, context: Context) -> set[str]:
    """The paths that have another value in each pass of the loop around, or count up in the method around."""
    loop: cst.For | cst.While | None = context.enclosing(node, cst.For, cst.While)  # type: ignore[assignment]
    if loop is not None:
        body, start = context.shared(Body, loop_body(loop)), loop_names(loop)
    else:
        code = context.enclosing_function(node)
        if code is None or not isinstance(code.node, cst.FunctionDef):
            return set()
        body, start = context.shared(Body, code.node.body), set()
    start |= {
        path
        for part in body.nodes
        if isinstance(part, cst.AugAssign)
        for path in paths(part.target)
        if loop is not None or "." in path
    }
    changing = set(start)
    for _ in range(len(body.dependencies)):
        more = {path for path, sources in body.dependencies.items() if sources & changing} - changing
        if not more:
            break
        changing |= more
    return changing


def _fix(arg: cst.Arg, context: Context) -> NodeFix | None:
    mx = context.alias("mlx.core")
    if mx is None:
        return None
    return NodeFix(
        "Put the number into an array",
        [Replace(arg.value, f"{mx}.array({context.text(arg.value)})")],
        Applicability.UNSAFE,
    )
