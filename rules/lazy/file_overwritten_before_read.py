from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted, walk
from mlxlint.model.values import constant
from mlxlint.rule import (
    Applicability,
    Confidence,
    Evidence,
    Fixable,
    InsertStatement,
    Kind,
    NodeFix,
    Rule,
    Severity,
    agrees,
    differs,
)

from .._operations import bare
from ..training._step import EVAL

_LOAD = "mlx.core.load"
_SAVING = frozenset({"mlx.core.save_safetensors", "mlx.core.save_gguf", "mlx.core.save"})


class FileOverwrittenBeforeRead(Rule):
    """A file is overwritten while what was loaded from it has not been read yet

    ## What it does
    Finds `mx.load(path)` of a safetensors, gguf or npy file that is kept and used after the same function saved
    something else to the path, with nothing evaluated between.

    ## PyTorch and MLX
    `torch.load` reads the file. `mx.load` opens it, and reads each array when it is first needed: arrays kept as the
    best weights so far are those that were saved last. Evaluate them before the file is written.

    ## Example
    ```python
    import mlx.core as mx

    best = mx.load("weights.safetensors")
    mx.save_safetensors("weights.safetensors", {"w": mx.zeros((4,))})
    print(best["w"])
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    mx.save_safetensors("weights.safetensors", {"w": mx.ones((4,))})
    best = mx.load("weights.safetensors")
    mx.eval(best)
    mx.save_safetensors("weights.safetensors", {"w": mx.zeros((4,))})
    print(best["w"])
    ```

    ## Fix safety
    Safe: the arrays are read before.

    ## References
    - [load](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.load.html)
    """

    code = "MLX533"
    kind = Kind.SILENT
    severity = Severity.ERROR
    fixable = Fixable.ALWAYS
    calls = frozenset(name.rpartition(".")[2] for name in _SAVING)
    message = "`{loaded}` has not been read from `{path}` yet: it will be what is saved here"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        path = node.args[0].value if context.callee(node) in _SAVING and node.args and not node.args[0].star else None
        if path is None:
            return
        code = context.enclosing_function(node)
        nodes = list(context.walk(context.tree if code is None else code.node.body))
        here = nodes.index(node) if node in nodes else 0
        loads = [n for n in nodes[:here] if isinstance(n, cst.Assign) and _loads(n, path, context)]
        name = dotted(loads[-1].targets[0].target) if loads else None
        if name is None or name in _names(node):
            return
        between, after = nodes[nodes.index(loads[-1]) + 1 : here], nodes[here:]
        if any(isinstance(n, cst.Call) and _may_read(n, name, context) for n in between) or name not in _read(after):
            return
        mx = context.alias("mlx.core")
        fix = NodeFix("Read it before", [InsertStatement(loads[-1], f"{mx}.eval({name})")], Applicability.SAFE)
        context.report(
            self,
            node,
            because=[("it is opened here", loads[-1])],
            loaded=name,
            path=context.brief(path),
            fix=fix if mx is not None else None,
            confidence=Confidence.LIKELY,
        )

    @staticmethod
    def repro(size: int = 1000) -> Evidence:
        import os
        import tempfile

        import mlx.core as mx

        def kept(evaluate: bool) -> float:
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "w.safetensors")
                mx.save_safetensors(path, {"w": mx.ones((size,))})
                loaded = mx.load(path)
                if evaluate:
                    mx.eval(loaded)
                mx.save_safetensors(path, {"w": mx.zeros((size,))})
                return float(loaded["w"].sum().item())

        return Evidence(differs(kept(False), float(size)), agrees(kept(True), float(size)))


def _loads(node: cst.Assign, path: cst.BaseExpression, context: Context) -> bool:
    call = node.value
    while isinstance(call, (cst.Subscript, cst.Attribute)):
        call = call.value
    if not isinstance(call, cst.Call) or context.callee(call) != _LOAD or not call.args:
        return False
    given = call.args[0].value
    one, other = (constant(context.value(p), str) or bare(p, context) for p in (given, path))
    return one == other and not one.endswith(".npz")


def _names(node: cst.CSTNode) -> set[str | None]:
    return _read(list(walk(node)))


def _read(nodes: list[cst.CSTNode]) -> set[str | None]:
    return {dotted(node) for node in nodes if isinstance(node, (cst.Name, cst.Attribute))}


def _may_read(call: cst.Call, name: str, context: Context) -> bool:
    """Whether a call evaluates what was loaded, or might."""
    return name in _names(call) or context.callee(call) in EVAL
