from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted, walk
from mlxlint.model.values import Dict, Sequence
from mlxlint.rule import Evidence, Kind, Severity, agrees, differs

from ._captured import targets_of
from ._compile import Compiled, CompiledRule

_CHANGING = frozenset({"append", "extend", "insert", "update", "pop", "clear"})


class CompiledArgumentChanged(CompiledRule):
    """A compiled function changes an argument, and the caller never sees it

    ## What it does
    Finds writes to an item of an argument, and `append`, `update` and the like on one, in a compiled function that
    uses the argument no more afterwards and does not return it.

    ## PyTorch and MLX
    Under `torch.compile` a change of an argument reaches the caller. `mx.compile` calls the function with
    placeholders in copies of the containers: what is written there is lost with them. Return what has changed.

    ## Example
    ```python
    import mlx.core as mx


    @mx.compile
    def store(cache, key):
        cache[0] = key
        return key.sum()


    cache = [mx.zeros((2,))]
    total = store(cache, mx.ones((2,)))
    ```

    ## Use instead
    ```python
    import mlx.core as mx


    @mx.compile
    def store(cache, key):
        cache[0] = key
        return cache, key.sum()


    cache, total = store([mx.zeros((2,))], mx.ones((2,)))
    ```

    ## References
    - [Compilation: pure functions](https://ml-explore.github.io/mlx/build/html/usage/compile.html#pure-functions)
    """

    code = "MLX522"
    kind = Kind.SILENT
    severity = Severity.WARNING
    message = "`{argument}` is changed in the compiled `{function}` and not returned: the caller's stays as it was"

    def check(self, compiled: Compiled, context: Context) -> None:
        code = compiled.code
        if code.module is not context.module or not isinstance(code.node, cst.FunctionDef):
            return
        parameters = {parameter.name.value for parameter in code.parameters}
        nodes = list(walk(code.node.body, (cst.FunctionDef, cst.ClassDef, cst.Lambda)))
        for node in nodes:
            name = _changed(node, context)
            if name in parameters and not _used_after(name, node, nodes, context):
                context.report(self, node, argument=name, function=code.name)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        def store(cache: list[mx.array], key: mx.array) -> tuple[list[mx.array], mx.array]:
            cache[0] = key
            return cache, key.sum()

        cache = [mx.zeros((2,))]
        returned, _ = mx.compile(store)(cache, mx.ones((2,)))
        return Evidence(differs(cache[0], [1.0, 1.0]), agrees(returned[0], [1.0, 1.0]))


def _changed(node: cst.CSTNode, context: Context) -> str | None:
    """The name whose object a statement writes to."""
    for target in targets_of(node):
        if isinstance(target, cst.Subscript) and isinstance(target.value, cst.Name):
            return target.value.value
    if isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute) and node.func.attr.value in _CHANGING:
        holder = node.func.value
        if isinstance(holder, cst.Name) and isinstance(context.value(holder), (Sequence, Dict)):
            return holder.value
    return None


def _used_after(name: str, change: cst.CSTNode, nodes: list[cst.CSTNode], context: Context) -> bool:
    """Whether a name is read after a change, or in the loop around it."""
    own = set(walk(change))
    loop = context.enclosing(change, cst.For, cst.While)
    rest = nodes[nodes.index(change) :] if loop is None else list(walk(loop)) + nodes[nodes.index(change) :]
    return any(isinstance(node, cst.Name) and dotted(node) == name and node not in own for node in rest)
