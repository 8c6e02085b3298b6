from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import api
from mlxlint.model.values import CERTAIN
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, agrees, shown
from mlxlint.rules.api._differentiated import differentiated

FUNCTIONS = frozenset(
    """abs arccos arccosh arcsin arcsinh arctan arctan2 arctanh ceil cos cosh degrees exp expm1 floor log log10 log1p
    log2 logaddexp maximum minimum multiply negative power radians reciprocal remainder rint sign sin sinh sqrt square
    subtract tan tanh where clip add divide concatenate stack""".split()
)
ALIKE = {"rint": "round"}  # others have the same name in mlx.core


class NumpyFunctionOfArray(Rule):
    """A function of NumPy computes with an MLX array

    ## What it does
    Finds `np.exp(x)`, `np.maximum(x, 0)`, `np.concatenate([x, y])`, ... where `x` is an MLX array, and the function is
    one that `mlx.core` has too.

    ## PyTorch and MLX
    NumPy reads the array's elements and returns an array of its own: the graph is evaluated at that place, the work
    is done on the CPU, and no gradient flows back. `np.exp` of a PyTorch tensor does so as well, but refuses one that
    requires a gradient.

    ## Example
    ```python
    import mlx.core as mx
    import numpy as np

    x = mx.array([1.0, 4.0])
    y = np.sqrt(x)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    x = mx.array([1.0, 4.0])
    y = mx.sqrt(x)
    ```

    ## Fix safety
    Unsafe: the result becomes an MLX array, on which code further down may call what only NumPy has.

    ## References
    - [Conversion to NumPy and other frameworks](https://ml-explore.github.io/mlx/build/html/usage/numpy.html)
    """

    code = "MLX425"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.SOMETIMES
    message = "`{function}` takes `{array}` out of MLX and returns a NumPy array{consequence}"
    calls = FUNCTIONS
    yields_to = ("numpy-reads-bfloat16",)

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node)
        if callee is None or callee.rpartition(".")[0] != "numpy" or callee[6:] not in FUNCTIONS or not node.args:
            return
        if callee == "numpy.where" and len(node.args) == 1:
            return  # the positions, which MLX cannot give
        given = [arg.value for arg in node.args if not arg.star and arg.keyword is None]
        if callee[6:] in ("concatenate", "stack") and given and isinstance(given[0], (cst.List, cst.Tuple)):
            given = [element.value for element in given[0].elements]
        arrays = [value for value in given if (a := context.array(value)) is not None and a.confidence == CERTAIN]
        if not arrays:
            return
        cut = any(node in set(flow.nodes()) for flow in differentiated(context))
        context.report(
            self, node, because=arrays[:1], severity=Severity.ERROR if cut else None,
            function=context.brief(node.func), array=context.brief(arrays[0]),
            consequence=": no gradient flows through it" if cut else "", fix=_fix(node, callee[6:], context),
            repro={"name": callee[6:]} if len(given) == 1 else {},
        )  # fmt: skip

    @staticmethod
    def repro(name: str = "sqrt") -> Evidence:
        import mlx.core as mx
        import numpy as np

        x = mx.array([0.25, 0.5])
        function = getattr(np, name if name in FUNCTIONS and name not in ("where", "clip", "stack") else "sqrt")
        try:
            result = function(x)
        except (TypeError, ValueError):
            result = np.sqrt(x)
        hazard = shown(isinstance(result, np.ndarray), f"np.{name} returns {type(result).__name__}")
        return Evidence(hazard, agrees(mx.sqrt(x), np.sqrt(np.array([0.25, 0.5])).tolist()))


def _fix(node: cst.Call, name: str, context: Context) -> NodeFix | None:
    core = context.alias("mlx.core")
    name = ALIKE.get(name, name)
    known = api.lookup(f"mlx.core.{name}") is not None and not any(arg.keyword or arg.star for arg in node.args)
    if core is None or not known:
        return None
    return NodeFix(f"Use `mx.{name}`", [Replace(node.func, f"{core}.{name}")], Applicability.UNSAFE)
