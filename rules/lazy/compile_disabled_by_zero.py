from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import constant
from mlxlint.rule import Evidence, Kind, Rule, Severity, shown

from .._shared import python_like_this

_VARIABLE = "MLX_DISABLE_COMPILE"
_OFF = frozenset({"0", "false", "False", "off", "no", ""})


class CompileDisabledByZero(Rule):
    """`MLX_DISABLE_COMPILE` is set to "0", which disables compilation

    ## What it does
    Finds `os.environ["MLX_DISABLE_COMPILE"]` set to "0", "false" or an empty string, and the same by `setdefault` and
    `os.putenv`.

    ## PyTorch and MLX
    `TORCH_COMPILE_DISABLE=0` of PyTorch leaves compilation on. MLX asks whether its variable is set, not to what:
    with any value `mx.compile` compiles nothing. Take it out of the environment instead.

    ## Example
    ```python
    import os

    os.environ["MLX_DISABLE_COMPILE"] = "0"

    import mlx.core as mx
    ```

    ## Use instead
    ```python
    import os

    os.environ.pop("MLX_DISABLE_COMPILE", None)

    import mlx.core as mx
    ```

    ## References
    - [disable_compile](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.disable_compile.html)
    """

    code = "MLX531"
    kind = Kind.COST
    severity = Severity.WARNING
    calls = frozenset({"setdefault", "putenv", ".setdefault"})
    targets = frozenset({cst.Subscript})
    message = 'any value of `MLX_DISABLE_COMPILE` disables compilation, also "{value}"'

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        target = node.targets[0].target
        index = target.slice[0].slice if isinstance(target, cst.Subscript) else None
        if isinstance(index, cst.Index):
            self._check(node, index.value, node.value, context)

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if len(node.args) == 2 and not any(arg.star for arg in node.args):
            self._check(node, node.args[0].value, node.args[1].value, context)

    def _check(self, place: cst.CSTNode, name: cst.BaseExpression, value: cst.BaseExpression, context: Context) -> None:
        if constant(context.value(name), str) == _VARIABLE:
            stated = constant(context.value(value), str)
            if stated in _OFF:
                context.report(self, place, value=stated)

    @staticmethod
    def repro(value: str = "0") -> Evidence:
        import os
        import subprocess

        script = (
            "import mlx.core as mx\nruns = []\ndef f(x):\n    runs.append(1)\n    return x + 1\n"
            "g = mx.compile(f)\nfor _ in range(3):\n    mx.eval(g(mx.ones((2,))))\nprint(len(runs))"
        )

        def runs(environment: dict[str, str]) -> int:
            plain = {name: held for name, held in os.environ.items() if name != "MLX_DISABLE_COMPILE"}
            done = subprocess.run(
                python_like_this(script), env={**plain, **environment}, capture_output=True, text=True, check=True
            )
            return int(done.stdout)

        disabled, compiled = runs({"MLX_DISABLE_COMPILE": value}), runs({})
        return Evidence(
            shown(disabled == 3, f'with "{value}" the Python code runs {disabled} times in 3 calls'),
            shown(compiled == 1, f"without it {compiled} time"),
        )
