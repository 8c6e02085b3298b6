from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, agrees, shown
from mlxlint.rules._operations import operand

SAVERS = frozenset({"mlx.core.save", "mlx.core.savez", "mlx.core.savez_compressed"})


class UnreadableNpy(Rule):
    """A bfloat16 array saved in NumPy's format

    ## What it does
    Finds `mx.save` and `mx.savez` of arrays that are known to be `bfloat16`.

    ## PyTorch and MLX
    NumPy's formats have no `bfloat16`. MLX writes it all the same and reads it back, but `np.load` gives raw bytes of
    dtype `V2` without a word, and so `torch.from_numpy` fails on them. `.safetensors` has the type.

    ## Example
    ```python
    import mlx.core as mx

    x = mx.ones((2, 2), dtype=mx.bfloat16)
    mx.save("x.npy", x)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    x = mx.ones((2, 2), dtype=mx.bfloat16)
    mx.save("x.npy", x.astype(mx.float32))
    ```

    ## Fix safety
    Unsafe: the file is twice as large, and MLX reads `float32` from it.

    ## References
    - [mlx.core.save](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.save.html)
    """

    code = "MLX432"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.ALWAYS
    message = "`{array}` is bfloat16, of which NumPy reads raw bytes"
    calls = frozenset(name.rpartition(".")[2] for name in SAVERS)

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if context.callee(node) not in SAVERS:
            return
        for arg in node.args[1:]:
            array = context.array(arg.value)
            if array is None or array.dtype != "bfloat16" or arg.star:
                continue
            fix = _as_float32(arg.value, context)
            context.report(self, arg.value, because=[arg.value], array=context.brief(arg.value), fix=fix)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import numpy as np

        x = mx.ones((2,), dtype=mx.bfloat16)
        mx.save("half.npy", x)
        mx.save("whole.npy", x.astype(mx.float32))
        read = np.load("half.npy").dtype
        return Evidence(
            shown(read.kind == "V", f"np.load gives dtype {read}"), agrees(np.load("whole.npy").tolist(), [1, 1])
        )


def _as_float32(node: cst.BaseExpression, context: Context) -> NodeFix | None:
    core = context.importing("mlx.core", "mx")
    if core is None:
        return None
    mx, imports = core
    text = f"{operand(node, context)}.astype({mx}.float32)"
    return NodeFix("Save as float32", [*imports, Replace(node, text)], Applicability.UNSAFE)
