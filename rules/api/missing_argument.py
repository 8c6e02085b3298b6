from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import explain
from mlxlint.model.tree import dotted
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Rule, Severity, agrees, raises
from mlxlint.rules._shared import with_keyword
from mlxlint.rules.api._guards import is_guarded
from mlxlint.rules.api._signatures import entry_of, lacking

_DEFAULTS = {  # of PyTorch, where `{}` is the first argument
    ("mlx.core.fast.scaled_dot_product_attention", "scale"): "{}.shape[-1] ** -0.5",
}


class MissingArgument(Rule):
    """A call without an argument that MLX needs

    ## What it does
    Finds calls of MLX's functions, array methods and classes that leave out a parameter without a default: the `size`
    of `mx.unique`, the dimensions of `nn.LayerNorm`, ...

    ## PyTorch and MLX
    PyTorch infers some of these, such as the number of unique values; a lazy graph must know all sizes beforehand. A
    missing argument raises `TypeError`.

    ## Example
    ```python
    import mlx.core as mx

    groups = mx.array([0, 0, 2, 1])
    count = mx.unique(groups).shape[0]
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import numpy as np

    groups = mx.array([0, 0, 2, 1])
    count = np.unique(np.array(groups)).shape[0]
    ```

    ## Fix safety
    `mx.fast.scaled_dot_product_attention` is given the `scale` that PyTorch has by default. It is unsafe: the queries
    may be scaled already.

    ## References
    - [Operations](https://ml-explore.github.io/mlx/build/html/python/ops.html)
    """

    code = "MLX419"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    message = "`{callee}` needs `{parameter}`"
    yields_to = (
        "condition-without-choices",
        "randint-bound",
        "torch-keyword",
        "unknown-keyword",
        "optimizer-given-parameters",
    )
    calls = frozenset({"mlx.*", "mlx_lm.*"})

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        entry = entry_of(node, context)
        if entry is None or any(arg.star for arg in node.args):
            return
        missing = [lacking(signature, node) for signature in entry.signatures]
        if not all(missing) or is_guarded(node, "", context):
            return
        parameter = min(missing, key=len)[0]
        context.report(
            self, node, callee=explain.short(entry.name), parameter=parameter, repro={"name": entry.name},
            fix=_fix(node, (entry.name, parameter), context),
        )  # fmt: skip

    @staticmethod
    def repro(name: str = "mlx.core.unique") -> Evidence:
        import importlib

        import mlx.core as mx

        module, _, function = name.rpartition(".")
        owner = mx.array if module == "mlx.core.array" else importlib.import_module(module)
        called = getattr(owner, function)
        first = [mx.array([0, 0, 2, 1])] if name == "mlx.core.unique" or owner is mx.array else []
        return Evidence(raises(lambda: called(*first), TypeError), agrees(len({0, 2, 1}), 3))


def _fix(node: cst.Call, missing: tuple[str, str], context: Context) -> NodeFix | None:
    first = dotted(node.args[0].value) if node.args and node.args[0].keyword is None else None
    if missing not in _DEFAULTS or first is None:
        return None
    text = f"{missing[1]}={_DEFAULTS[missing].format(first)}"
    return NodeFix(f"Add `{text}`", [with_keyword(node, text, context)], Applicability.UNSAFE)
