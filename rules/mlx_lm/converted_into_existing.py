from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import constant
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity, raises, shown

from .._operations import bare

_MAKING = frozenset({"makedirs", "mkdir"})
_TEMPORARY = frozenset({"tempfile.mkdtemp", "tempfile.TemporaryDirectory"})
_REMOVING = frozenset({"rmtree", "rmdir", "removedirs", "remove", "unlink", "rename", "move"})


class ConvertedIntoExisting(Rule):
    """A model is converted into a folder that was made for it

    ## What it does
    Finds `convert` with the path of a folder that the same function made before, with `os.makedirs`, `Path.mkdir` or
    `tempfile`.

    ## PyTorch and MLX
    `save_pretrained` of `transformers` writes into a folder that is there. `mlx_lm.convert` refuses one and raises
    `ValueError`: it makes the folder itself.

    ## Example
    ```python
    import os

    from mlx_lm import convert

    os.makedirs("converted", exist_ok=True)
    convert("Qwen/Qwen3-0.6B", "converted", quantize=True)
    ```

    ## Use instead
    ```python
    import shutil

    from mlx_lm import convert

    shutil.rmtree("converted", ignore_errors=True)
    convert("Qwen/Qwen3-0.6B", "converted", quantize=True)
    ```

    ## References
    - [MLX-LM, convert.py](https://github.com/ml-explore/mlx-lm/blob/main/mlx_lm/convert.py)
    """

    code = "MLX726"
    kind = Kind.CRASH
    severity = Severity.ERROR
    calls = frozenset({"convert"})
    message = "`{path}` exists by now, and `convert` refuses a folder that exists"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        path = context.argument(node, 1, "mlx_path") if context.callee(node) == "mlx_lm.convert" else None
        if path is None:
            return
        written, made = _written(path, context), None
        code = context.enclosing_function(node)
        for call in context.walk(context.tree if code is None else code.node.body):
            if call is node:
                break
            if not isinstance(call, cst.Call):
                continue
            if _removes(call):
                made = None
            elif _makes(call, written, context):
                made = call
        if made is not None:
            because = [("it is made here", made)]
            context.report(self, path, because=because, confidence=Confidence.LIKELY, path=context.brief(path))

    @staticmethod
    def repro() -> Evidence:
        import tempfile
        from pathlib import Path

        from mlx_lm import convert

        with tempfile.TemporaryDirectory() as folder:
            there, missing = Path(folder), Path(folder) / "none"
            hazard = raises(lambda: convert(str(missing), str(there)), ValueError, text="already exists")
            other = raises(lambda: convert(str(missing), str(there / "new")), text="already exists")
        return Evidence(hazard, shown(not other.holds, "a path that is not there yet is not refused"))


def _written(path: cst.BaseExpression, context: Context) -> str:
    """A path as text: the string that it is, or the expression; `str(path)` is `path`."""
    if isinstance(path, cst.Call) and len(path.args) == 1 and context.callee(path) in ("builtins.str", "pathlib.Path"):
        return _written(path.args[0].value, context)
    return constant(context.value(path), str) or bare(path, context)


def _makes(call: cst.Call, written: str, context: Context) -> bool:
    if context.callee(call) in _TEMPORARY:
        parent = context.parent(call)
        targets = parent.targets if isinstance(parent, cst.Assign) else ()
        bound = parent.asname.name if isinstance(parent, cst.WithItem) and parent.asname is not None else None
        return any(bare(t, context) == written for t in (*(t.target for t in targets), bound) if t is not None)
    name = call.func.attr.value if isinstance(call.func, cst.Attribute) else getattr(call.func, "value", None)
    if name not in _MAKING:
        return False
    given = [call.args[0].value] if call.args and not call.args[0].keyword else []
    receiver = [call.func.value] if isinstance(call.func, cst.Attribute) else []
    return any(_written(node, context) == written for node in (*given, *receiver))


def _removes(call: cst.Call) -> bool:
    return isinstance(call.func, cst.Attribute) and call.func.attr.value in _REMOVING
