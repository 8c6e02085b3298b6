from __future__ import annotations

from typing import Literal

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import UNKNOWN, Dict, Instance, Sequence, members
from mlxlint.rule import (
    Applicability,
    Evidence,
    Fixable,
    Kind,
    NodeFix,
    Replace,
    Rule,
    Severity,
    Skipped,
    raises,
    shown,
)

from ._paths import assigned

_PATHS = frozenset({"pathlib.Path", "pathlib.PosixPath", "pathlib.PurePath"})
_DERIVING = frozenset({"with_suffix", "with_name", "joinpath", "resolve", "absolute", "expanduser"})
_LAZY = frozenset({"builtins.map", "builtins.zip", "builtins.filter"})
_NO_DICT = "0.27.1"


class LoadWeightsArgument(Rule):
    """`load_weights` or `save_weights` is given a `Path` or a generator

    ## What it does
    Finds `load_weights` and `save_weights` of an MLX module with a `pathlib.Path`, and `load_weights` with a generator,
    `map` or `zip`; with a dict, too, where the project is to run on MLX 0.27.1 or older.

    ## PyTorch and MLX
    `torch.load` takes paths of any kind. A module's `load_weights` takes the name of a file as a string, or a list of
    pairs: a `Path` is taken for a list, and a generator has no length.

    ## Example
    ```python
    from pathlib import Path

    import mlx.nn as nn

    model = nn.Linear(2, 2)
    model.load_weights(Path("weights") / "model.safetensors")
    ```

    ## Use instead
    ```python
    from pathlib import Path

    import mlx.nn as nn

    model = nn.Linear(2, 2)
    model.load_weights(str(Path("weights") / "model.safetensors"))
    ```

    ## Fix safety
    The fix puts `str(…)` around a path and `list(…)` around a generator, and is safe.

    ## References
    - [Module.load_weights](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.Module.load_weights.html)
    """

    code = "MLX909"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.ALWAYS
    calls = frozenset({"load_weights", "save_weights"})
    message = "`{function}` takes a string{pairs}, and `{given}` is {what}"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node) or ""
        function = callee.rpartition(".")[2]
        given = context.argument(node, 0, "file_or_weights", "file") if callee.startswith("mlx.nn.") else None
        if given is None:
            return
        if _is_path(given, context):
            wrapper, what = "str", "a `Path`"
        elif function == "load_weights" and _is_lazy(given, context):
            wrapper, what = "list", "no list"
        elif function == "load_weights" and context.target_mlx.reaches(_NO_DICT) and _is_dict(given, context):
            wrapper, what = "list", f"a dict, which no release up to {_NO_DICT} takes"
        else:
            return
        text = context.text(given) + (".items()" if what.startswith("a dict") else "")
        bare = text[1:-1] if isinstance(given, cst.GeneratorExp) and text.startswith("(") else text
        fix = NodeFix(f"Wrap it in `{wrapper}`", [Replace(given, f"{wrapper}({bare})")], Applicability.SAFE)
        context.report(
            self, node, because=[given], fix=fix, function=function, given=context.brief(given), what=what,
            pairs=" or a list of pairs" if function == "load_weights" else "",
            repro={"kind": "a dict" if what.startswith("a dict") else what},
        )  # fmt: skip

    @staticmethod
    def repro(kind: Literal["a `Path`", "no list", "a dict"] = "a `Path`") -> Evidence:
        import tempfile
        from pathlib import Path

        if kind == "a dict":
            raise Skipped(f"seen on releases up to {_NO_DICT}")

        import mlx.core as mx
        import mlx.nn as nn

        layer = nn.Linear(2, 2, bias=False)
        if kind == "no list":
            pairs = [("weight", mx.zeros((2, 2)))]
            hazard = raises(lambda: layer.load_weights(pair for pair in pairs), TypeError)
            layer.load_weights(pairs)
            return Evidence(hazard, shown(not mx.any(layer.weight).item(), "a list is loaded"))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a.safetensors"
            layer.save_weights(str(path))
            hazard = raises(lambda: layer.load_weights(path), TypeError)
            layer.load_weights(str(path))
            mx.eval(layer.parameters())
        return Evidence(hazard, shown(layer.weight.shape == (2, 2), "a string is loaded"))


def _is_path(node: cst.BaseExpression | None, context: Context) -> bool:
    """Whether an expression is surely a ``Path``: made by one, joined to one by ``/``, or derived from one."""
    value = context.value(node)
    if value is not UNKNOWN:
        return all(isinstance(member, Instance) and member.type in _PATHS for member in members(value))
    if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.Divide):
        return _is_path(node.left, context)
    if isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute) and node.func.attr.value in _DERIVING:
        return _is_path(node.func.value, context)
    return isinstance(node, cst.Name) and _is_path(assigned(node, context), context)


def _is_dict(node: cst.BaseExpression, context: Context) -> bool:
    return isinstance(context.value(node), Dict)


def _is_lazy(node: cst.BaseExpression, context: Context) -> bool:
    if isinstance(node, cst.Call):
        return context.callee(node) in _LAZY
    value = context.value(node)
    return isinstance(node, cst.GeneratorExp) or (isinstance(value, Sequence) and value.kind == "generator")
