from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import walk
from mlxlint.model.values import Array
from mlxlint.rule import (
    Applicability,
    Evidence,
    Fixable,
    Insert,
    Kind,
    NodeEdit,
    NodeFix,
    Replace,
    Rule,
    Severity,
    agrees,
    shown,
)

CONVERTERS = frozenset({"builtins.int", "builtins.float", "builtins.bool"})
ITEM = "mlx.core.array.item"


class ElementLoop(Rule):
    """A loop over an array that takes a number from each element

    ## What it does
    Finds `for t in x:` with `int(t)`, `float(t)` or `t.item()` in its body, and the same in comprehensions, where `x`
    is an MLX array.

    ## PyTorch and MLX
    Slow in PyTorch, far slower in MLX: each element becomes an operation of the graph and an evaluation of its own,
    some twenty microseconds each on the CPU and more on the GPU. `tolist()` evaluates once and gives numbers of
    Python.

    ## Example
    ```python
    import mlx.core as mx

    tokens = mx.array([72, 101, 108, 108, 111])
    words = [chr(int(token)) for token in tokens]
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    tokens = mx.array([72, 101, 108, 108, 111])
    words = [chr(token) for token in tokens.tolist()]
    ```

    ## Fix safety
    Where the elements are used as numbers alone, the fix takes all of them at once. It is unsafe for arrays of floats
    that `int` cuts off.

    ## References
    - [mlx.core.array.tolist](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.array.tolist.html)
    """

    code = "MLX435"
    kind = Kind.COST
    severity = Severity.WARNING
    fixable = Fixable.SOMETIMES
    message = "each element of `{array}` is evaluated on its own: `tolist()` takes all of them at once"

    def visit_For(self, node: cst.For, context: Context) -> None:
        self._check(node, node.body, context)

    def visit_CompFor(self, node: cst.CompFor, context: Context) -> None:
        array = context.array(node.iter)
        if array is not None and (holder := context.parent(node)) is not None:
            self._check(node, holder, context)

    def _check(self, loop: cst.For | cst.CompFor, body: cst.CSTNode, context: Context) -> None:
        array = context.array(loop.iter)
        if array is None or not _may_hold_numbers(array) or not isinstance(loop.target, cst.Name):
            return
        if context.enclosing(loop, cst.ExceptHandler) is not None:
            return  # what is done when another way has failed
        if isinstance(loop, cst.For) and any(isinstance(n, cst.Break) for n in context.walk(loop.body)):
            return  # the first elements may do
        name = loop.target.value
        taken = [n for n in walk(body) if isinstance(n, cst.Call) and _takes(n, name, context)]
        if taken:
            fix = _at_once(loop, body, taken, name)
            context.report(self, loop.iter, because=[loop.iter], array=context.brief(loop.iter), fix=fix)

    @staticmethod
    def repro(size: int = 1000) -> Evidence:
        import time

        import mlx.core as mx

        x = mx.arange(min(max(size, 100), 2000))
        mx.eval(x)
        start = time.perf_counter()
        one_by_one = [int(v) for v in x]
        slow = time.perf_counter() - start
        start = time.perf_counter()
        at_once = x.tolist()
        fast = time.perf_counter() - start
        hazard = shown(slow > 5 * fast, f"element by element: {slow * 1e3:.2f} ms, tolist: {fast * 1e3:.3f} ms")
        return Evidence(hazard, agrees(at_once, one_by_one))


def _may_hold_numbers(array: Array) -> bool:
    """Whether iteration gives elements of no axes: of arrays of more axes `int` would raise."""
    return array.rank in (None, 1) and not (array.shape is not None and array.shape[0] in (1, 2, 3, 4))


def _takes(call: cst.Call, name: str, context: Context) -> bool:
    """Whether a call takes the number out of the loop's element."""
    if isinstance(call.func, cst.Attribute):
        return _is_name(call.func.value, name) and context.callee(call) == ITEM and not call.args
    return len(call.args) == 1 and _is_name(call.args[0].value, name) and context.callee(call) in CONVERTERS


def _is_name(node: cst.CSTNode, name: str) -> bool:
    return isinstance(node, cst.Name) and node.value == name


def _at_once(loop: cst.For | cst.CompFor, body: cst.CSTNode, taken: list[cst.Call], name: str) -> NodeFix | None:
    """Iterate over the list of numbers, where nothing else is done with an element."""
    inside = {id(n) for call in taken for n in walk(call)} | {id(loop.target)}
    others = [n for n in walk(body) if _is_name(n, name) and id(n) not in inside]
    if others or not isinstance(loop.iter, (cst.Name, cst.Attribute, cst.Call, cst.Subscript)):
        return None
    edits: list[NodeEdit] = [Insert(loop.iter, ".tolist()", after=True)]
    edits += [Replace(call, name) for call in taken if not _is_cast(call)]
    return NodeFix("Take all elements at once", edits, Applicability.UNSAFE)


def _is_cast(call: cst.Call) -> bool:
    """Whether it is Python's own conversion, which does no harm to a number."""
    return isinstance(call.func, cst.Name)
