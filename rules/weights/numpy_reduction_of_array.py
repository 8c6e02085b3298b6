from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, agrees, raises

from ._exchange import HANDED_OVER, is_array


class NumpyReductionOfArray(Rule):
    """A reduction of NumPy is given an MLX array

    ## What it does
    Finds `np.mean(x)`, `np.sum(x)`, `np.max(x)`, `np.std(x)`, `np.transpose(x)`, ... where `x` is an MLX array.

    ## PyTorch and MLX
    NumPy hands these over to the array's own method, with arguments of its own (`dtype`, `out`) that MLX's methods do
    not have: `TypeError`. Other functions of NumPy (`np.exp(x)`, `np.median(x)`) read the elements and work.

    ## Example
    ```python
    import mlx.core as mx
    import numpy as np

    losses = mx.array([0.5, 1.5])
    mean = np.mean(losses)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    losses = mx.array([0.5, 1.5])
    mean = mx.mean(losses).item()
    ```

    ## Fix safety
    The array is copied to NumPy first, which is safe: without it the call raises.

    ## References
    - [Conversion to NumPy and other frameworks](https://ml-explore.github.io/mlx/build/html/usage/numpy.html)
    """

    code = "MLX953"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    calls = HANDED_OVER
    message = "`{function}` calls the method of `{array}` with arguments that an MLX array does not take"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node)
        if callee is None or not callee.startswith("numpy.") or callee.count(".") != 1 or not node.args:
            return
        arg = node.args[0]
        if arg.star or arg.keyword is not None or not is_array(context.value(arg.value)):
            return
        numpy, array = context.alias("numpy"), context.array(arg.value)
        if array is not None and array.op == "given":
            return  # an array by what is done with it elsewhere: a function may serve both libraries
        fix = None
        if numpy is not None and array is not None and array.dtype not in (None, "bfloat16"):
            text = f"{numpy}.array({context.text(arg.value)})"
            fix = NodeFix("Copy it to NumPy first", [Replace(arg.value, text)])
        context.report(
            self, node, because=[arg.value], function=context.brief(node.func), array=context.brief(arg.value), fix=fix,
            repro={"name": callee[6:]},
        )  # fmt: skip

    @staticmethod
    def repro(name: str = "mean") -> Evidence:
        import mlx.core as mx
        import numpy as np

        x = mx.array([[1.0, 2.0], [3.0, 4.0]])
        function = getattr(np, name)
        copied = function(np.array(x))
        return Evidence(raises(lambda: function(x)), agrees(copied.tolist(), function(np.array(x.tolist())).tolist()))
