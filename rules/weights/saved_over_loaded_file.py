from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.model.values import LIKELY, constant
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, differs, raises

from ._paths import suffix

_SAVERS = frozenset({"mlx.core.savez", "mlx.core.savez_compressed"})
_ZEROS = "0.31.2"  # the last release that writes zeros over a `.safetensors` file
_EVALUATING = frozenset({"mlx.core.eval", "mlx.core.array.item", "mlx.core.array.tolist", "mlx.core.synchronize"})


class SavedOverLoadedFile(Rule):
    """A file is saved over while the arrays loaded from it are not read yet

    ## What it does
    Finds `mx.savez`, and `save_weights` to an `.npz` file, with the path that `mx.load` or `load_weights` was given
    earlier in the same function, with no `mx.eval` between; and `.safetensors` files, where the project is to run on
    MLX 0.31.2 or older, which writes zeros there.

    ## PyTorch and MLX
    `torch.load` and `np.load(…)["name"]` read the file. `mx.load` is lazy: the arrays are read when they are first
    needed. `mx.savez` opens the file anew while it reads them, which raises or writes other numbers. Evaluate the
    arrays before, or save to another file.

    ## Example
    ```python
    import mlx.core as mx

    weights = mx.load("model.npz")
    mx.savez("model.npz", **{k: v * 2 for k, v in weights.items()})
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    mx.savez("model.npz", weight=mx.ones((4,)))
    weights = mx.load("model.npz")
    mx.eval(weights)
    mx.savez("model.npz", **{k: v * 2 for k, v in weights.items()})
    ```

    ## References
    - [load](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.load.html)
    """

    code = "MLX912"
    kind = Kind.CRASH
    severity = Severity.ERROR
    calls = frozenset({"save_weights", "save_safetensors", *(name.rpartition(".")[2] for name in _SAVERS)})
    message = "`{path}` was loaded lazily above and is overwritten before its arrays were evaluated"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node) or ""
        path = node.args[0].value if node.args and not node.args[0].star else None
        if callee not in _SAVERS:
            is_saver = callee == "mlx.core.save_safetensors" or _is_module_method(callee, "save_weights")
            kinds = (".npz", ".safetensors") if context.target_mlx.reaches(_ZEROS) else (".npz",)
            if not is_saver or suffix(path, context) not in kinds:
                return
        if not isinstance(
            path, (cst.SimpleString, cst.ConcatenatedString, cst.Name, cst.Attribute, cst.FormattedString)
        ):
            return
        text, loaded = _path(path, context), False
        for call in _calls_before(node, context):
            name = context.callee(call) or ""
            if name == "mlx.core.load" or _is_module_method(name, "load_weights"):
                loaded = loaded or (bool(call.args) and _path(call.args[0].value, context) == text)
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
                path = os.path.join(folder, "w.npz")
                mx.savez(path, w=mx.arange(200000.0))
                weight = mx.load(path)["w"]
                if evaluate:
                    mx.eval(weight)
                mx.savez(path, w=weight * 2)
                result = mx.load(path)["w"]
                mx.eval(result)
            return result

        failed = raises(lambda: doubled(False))
        hazard = failed if failed.holds else differs(doubled(False)[-1], 399998.0)
        return Evidence(hazard, agrees(doubled(True)[-1], 399998.0))


def _is_module_method(callee: str, name: str) -> bool:
    return callee.startswith("mlx.nn.") and callee.endswith("." + name)


def _calls_before(node: cst.Call, context: Context) -> list[cst.Call]:
    """The calls before a call in its function, or at the top level of the file."""
    function = context.enclosing_function(node)
    root: cst.CSTNode = context.tree if function is None else function.node.body
    calls = [
        found for found in tree.walk(root, (cst.FunctionDef, cst.Lambda, cst.ClassDef)) if isinstance(found, cst.Call)
    ]
    return calls[: calls.index(node)] if node in calls else []


def _path(node: cst.BaseExpression, context: Context) -> str:
    """The path that an expression is, or how it is written."""
    return constant(context.value(node), str) or context.text(node)
