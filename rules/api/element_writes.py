from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import scalar_type
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, shown


class ElementWrites(Rule):
    """An array filled one element after another

    ## What it does
    Finds `x[i] = number` in a loop `for i in range(...)`, where `x` is an MLX array.

    ## PyTorch and MLX
    PyTorch writes into the memory. In MLX each write is an operation that makes a new array from the old one: the
    graph grows with every pass, and filling `n` elements takes `n` scatters.

    ## Example
    ```python
    import mlx.core as mx

    squares = mx.zeros((100,))
    for i in range(100):
        squares[i] = float(i * i)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    squares = mx.array([float(i * i) for i in range(100)])
    ```

    ## References
    - [Indexing arrays](https://ml-explore.github.io/mlx/build/html/usage/indexing.html)
    """

    code = "MLX436"
    kind = Kind.COST
    severity = Severity.INFO
    message = "`{array}` is made anew for each element that is written: collect the numbers in a list first"
    targets = frozenset({cst.Subscript})

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        target = node.targets[0].target
        if not isinstance(target, cst.Subscript) or context.array(target.value) is None:
            return
        written = context.array(node.value)
        is_number = scalar_type(context.value(node.value)) in ("int", "float", "bool")
        if not is_number and (written is None or written.rank != 0):
            return
        names = [e.slice.value for e in target.slice if isinstance(e.slice, cst.Index)]
        counters = {name.value for name in names if isinstance(name, cst.Name)}
        if len(names) != len(target.slice) or not counters:
            return
        loop = context.enclosing(node, cst.For)
        if loop is not None and isinstance(loop.target, cst.Name) and loop.target.value in counters:
            counted = isinstance(loop.iter, cst.Call) and context.callee(loop.iter) == "builtins.range"
            if counted and _makes_all(loop, target.value, context):
                context.report(self, node, because=[target.value], array=context.brief(target.value))

    @staticmethod
    def repro(size: int = 1000) -> Evidence:
        import time

        import mlx.core as mx

        n = min(max(size, 200), 2000)
        start = time.perf_counter()
        x = mx.zeros((n,))
        for i in range(n):
            x[i] = float(i)
        mx.eval(x)
        slow = time.perf_counter() - start
        start = time.perf_counter()
        y = mx.array([float(i) for i in range(n)])
        mx.eval(y)
        fast = time.perf_counter() - start
        hazard = shown(slow > 5 * fast, f"element writes: {slow * 1e3:.2f} ms, one mx.array: {fast * 1e3:.3f} ms")
        return Evidence(hazard, agrees(x, y))


def _makes_all(loop: cst.For, array: cst.BaseExpression, context: Context) -> bool:
    """Whether the array is not read in the loop: it is filled, not worked on."""
    text = context.text(array)
    stores = {id(n.target) for n in context.walk(loop.body) if isinstance(n, cst.AssignTarget)}
    reads = (n for n in context.walk(loop.body) if isinstance(n, cst.Subscript) and id(n) not in stores)
    return not any(context.text(n.value) == text for n in reads)
