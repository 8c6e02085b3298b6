from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import explain
from mlxlint.model.arguments import ArgumentNodes
from mlxlint.model.values import constant
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, agrees, raises
from mlxlint.rules.api._guards import is_guarded
from mlxlint.rules.api._signatures import entry_of, most_positional

_MEANINGLESS = {  # what PyTorch's layers take and MLX's do anyway, or have no use for
    "mlx.nn.Softmax": (-1,), "mlx.nn.LogSoftmax": (-1,), "mlx.nn.ReLU": (True, False), "mlx.nn.ReLU6": (True, False),
    "mlx.nn.SiLU": (True, False), "mlx.nn.Hardswish": (True, False), "mlx.nn.Mish": (True, False),
}  # fmt: skip


class SurplusArgument(Rule):
    """More positional arguments than a callable of MLX takes

    ## What it does
    Finds calls of MLX's functions, array methods and classes with more positional arguments than any of their
    signatures has places for.

    ## PyTorch and MLX
    Where PyTorch takes several numbers or tensors one after another, MLX takes one tuple or list. Surplus positional
    arguments raise `TypeError`.

    ## Example
    ```python
    import mlx.core as mx

    a = mx.ones((2, 2))
    product = mx.matmul(a, a, a)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    a = mx.ones((2, 2))
    product = a @ a @ a
    ```

    ## Fix safety
    The last axis of `nn.Softmax` and `inplace` of activations are left out. It is unsafe: code may rely on `inplace`.

    ## References
    - [Operations](https://ml-explore.github.io/mlx/build/html/python/ops.html)
    """

    code = "MLX409"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    message = "`{callee}` takes at most {most} positional arguments, not {given}"
    yields_to = ("shape-as-arguments", "transpose-of-two-axes", "view-as-reshape", "randint-bound")
    calls = frozenset({"mlx.*", "mlx_lm.*"})

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        given = len(ArgumentNodes(node).positional)
        entry = entry_of(node, context) if given else None
        most = most_positional(entry) if entry is not None else None
        if entry is None or most is None or given <= most or is_guarded(node, "", context):
            return
        context.report(
            self, node, callee=explain.short(entry.name), most=most, given=given, fix=_fix(node, entry.name, context),
            repro={"name": entry.name, "given": min(given, 40)},
        )  # fmt: skip

    @staticmethod
    def repro(name: str = "mlx.core.matmul", given: int = 3) -> Evidence:
        import importlib

        import mlx.core as mx

        module, _, function = name.rpartition(".")
        x = mx.ones((2, 2))
        owner = mx.array if module == "mlx.core.array" else importlib.import_module(module)
        called = getattr(x if owner is mx.array else owner, function)
        hazard = raises(lambda: called(*[x] * given), TypeError)
        return Evidence(hazard, agrees(x @ x @ x, [[4.0, 4.0], [4.0, 4.0]]))


def _fix(node: cst.Call, name: str, context: Context) -> NodeFix | None:
    number = constant(context.value(node.args[0].value), (bool, int)) if len(node.args) == 1 else None
    if number is None or number not in _MEANINGLESS.get(name, ()):
        return None
    return NodeFix("Leave it out", [Replace(node, f"{context.text(node.func)}()")], Applicability.UNSAFE)
