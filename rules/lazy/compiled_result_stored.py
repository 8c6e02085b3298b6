from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted, walk
from mlxlint.rule import Evidence, Kind, Severity, raises, shown

from ..training._step import FILLING
from ._captured import free_paths, targets_of
from ._compile import Compiled, CompiledRule

_SCOPES = (cst.FunctionDef, cst.ClassDef, cst.Lambda)


class CompiledResultStored(CompiledRule):
    """An array is stored outside of the compiled function that computes it

    ## What it does
    Finds arrays that a compiled function appends to a list, writes to a dict or an attribute, or assigns to a
    `global` or `nonlocal` name from outside, where `outputs` does not name it.

    ## PyTorch and MLX
    `torch.compile` carries such side effects out in each call. MLX runs the Python code of a compiled function once,
    with placeholders: what is stored is a placeholder, and looking at it raises `RuntimeError`. Return the array, or
    name the container in `outputs`.

    ## Example
    ```python
    import mlx.core as mx

    history = []


    @mx.compile
    def doubled(x: mx.array):
        y = x * 2
        history.append(y)
        return y + 1
    ```

    ## Use instead
    ```python
    import mlx.core as mx


    @mx.compile
    def doubled(x: mx.array):
        y = x * 2
        return y + 1, y
    ```

    ## References
    - [Compilation: pure functions](https://ml-explore.github.io/mlx/build/html/usage/compile.html#pure-functions)
    """

    code = "MLX523"
    kind = Kind.CRASH
    severity = Severity.ERROR
    message = "what is stored in `{path}` is a placeholder of the compiled `{function}`: reading it raises"

    def check(self, compiled: Compiled, context: Context) -> None:
        code = compiled.code
        if code.module is not context.module or not isinstance(code.node, cst.FunctionDef):
            return
        outside = free_paths(code) | _declared(code.node)
        outputs = compiled.options.get("outputs")
        named = set() if outputs is None else {dotted(node) for node in walk(outputs)}
        if outputs is not None and not isinstance(outputs, (cst.Name, cst.List, cst.Tuple, cst.Attribute)):
            return
        for node, path, stored in _stores(code.node.body):
            is_outside = path.partition(".")[0] in outside
            if is_outside and context.array(stored) is not None and not _is_named(path, named, outputs, context):
                context.report(self, node, because=[stored], path=path, function=code.name)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        def run(capture: bool) -> mx.array:
            history: list[mx.array] = []

            def doubled(x: mx.array) -> mx.array:
                y = x * 2
                history.append(y)
                return y + 1

            compiled = mx.compile(doubled, outputs=history) if capture else mx.compile(doubled)
            mx.eval(compiled(mx.ones((2,))))
            return history[0] + 0

        hazard = raises(lambda: run(False), RuntimeError)
        stored = run(True).tolist()
        return Evidence(hazard, shown(stored == [2.0, 2.0], f"named in outputs: {stored}"))


def _stores(body: cst.CSTNode) -> Iterator[tuple[cst.CSTNode, str, cst.BaseExpression]]:
    """Statements and calls that keep a value in an object or under a name: which, where, and what."""
    for node in walk(body, _SCOPES):
        if isinstance(node, (cst.Assign, cst.AugAssign)):
            for target in targets_of(node):
                holder = target.value if isinstance(target, cst.Subscript) else target
                path = dotted(holder)
                if path is not None:
                    yield node, path, node.value
        elif isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute) and node.args:
            path = dotted(node.func.value)
            if node.func.attr.value in FILLING and path is not None:
                yield node, path, node.args[-1].value


def _declared(function: cst.FunctionDef) -> set[str]:
    """The names that a function says are not its own."""
    said = (node for node in walk(function.body, _SCOPES) if isinstance(node, (cst.Global, cst.Nonlocal)))
    return {item.name.value for node in said for item in node.names}


def _is_named(path: str, named: set[str | None], outputs: cst.BaseExpression | None, context: Context) -> bool:
    """Whether `outputs` names a container, or holds something that may be it."""
    if outputs is None:
        return False
    states = any(name is not None and name.rpartition(".")[2] == "state" for name in named)
    under_a_name = isinstance(outputs, cst.Name)
    return path in named or path.partition(".")[0] in named or states or under_a_name
