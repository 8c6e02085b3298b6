from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.model.values import LIKELY
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, shown

_SAVERS = frozenset({"mlx.core.save_safetensors", "mlx.core.savez", "mlx.core.save_gguf", "mlx.core.save"})
_EVALUATING = frozenset({"mlx.core.eval", "mlx.core.array.item", "mlx.core.array.tolist", "mlx.core.synchronize"})


class SavedOverLoadedFile(Rule):
    """Weights are saved to the file they were loaded from, before they were read

    ## What it does
    Finds a save to the path that `mx.load` or `load_weights` was given earlier in the same function, with no `mx.eval`
    between.

    ## PyTorch and MLX
    `torch.load` reads the file. `mx.load` is lazy: the arrays are read when they are first needed. Saving truncates the
    file first, and what is then read from it is lost. Evaluate the arrays before, or save to another file.

    ## Example
    ```python
    import mlx.core as mx

    weights = mx.load("model.safetensors")
    weights = {k: v * 2 for k, v in weights.items()}
    mx.save_safetensors("model.safetensors", weights)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    weights = mx.load("model.safetensors")
    weights = {k: v * 2 for k, v in weights.items()}
    mx.eval(weights)
    mx.save_safetensors("model.safetensors", weights)
    ```

    ## References
    - [load](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.load.html)
    """

    code = "MLX912"
    kind = Kind.SILENT
    severity = Severity.ERROR
    calls = frozenset({"save_weights", *(name.rpartition(".")[2] for name in _SAVERS)})
    message = "`{path}` was loaded lazily above and is overwritten before its arrays were evaluated"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node) or ""
        if callee not in _SAVERS and not _is_module_method(callee, "save_weights"):
            return
        path = node.args[0].value if node.args and not node.args[0].star else None
        if not isinstance(path, (cst.SimpleString, cst.Name, cst.Attribute, cst.FormattedString)):
            return
        text, loaded = context.text(path), False
        for call in _calls_before(node, context):
            name = context.callee(call) or ""
            if name == "mlx.core.load" or _is_module_method(name, "load_weights"):
                loaded = loaded or (bool(call.args) and context.text(call.args[0].value) == text)
            elif name in _EVALUATING or name in _SAVERS or _is_module_method(name, "save_weights"):
                loaded = False
        if loaded:
            context.report(self, node, confidence=LIKELY, path=context.brief(path))

    @staticmethod
    def repro() -> Evidence:
        import os
        import tempfile

        import mlx.core as mx

        def doubled(evaluate: bool) -> mx.array:
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "w.safetensors")
                mx.save_safetensors(path, {"w": mx.arange(4096.0)})
                weights = {name: array * 2 for name, array in mx.load(path).items()}
                if evaluate:
                    mx.eval(weights)
                mx.save_safetensors(path, weights)
                result = mx.load(path)["w"]
                mx.eval(result)
            return result

        try:
            kept = bool(mx.array_equal(doubled(False), mx.arange(4096.0) * 2).item())
            text = "the file holds other numbers"
        except RuntimeError as error:
            kept, text = False, f"RuntimeError: {error}"[:120]
        return Evidence(shown(not kept, text), agrees(doubled(True), mx.arange(4096.0) * 2))


def _is_module_method(callee: str, name: str) -> bool:
    return callee.startswith("mlx.nn.") and callee.endswith("." + name)


def _calls_before(node: cst.Call, context: Context) -> list[cst.Call]:
    """The calls before a call in its function, or at the top level of the file."""
    function = context.enclosing_function(node)
    root: cst.CSTNode = context.tree if function is None else function.node.body
    calls = [found for found in tree.walk(root, (cst.FunctionDef, cst.Lambda, cst.ClassDef)) if isinstance(found, cst.Call)]
    return calls[: calls.index(node)] if node in calls else []
