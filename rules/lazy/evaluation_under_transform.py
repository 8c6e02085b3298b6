from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.model.code import FunctionCode, ModuleCode
from mlxlint.model.values import UNKNOWN, Name, Value, as_array
from mlxlint.rule import Confidence, Evidence, Kind, Severity, agrees, raises

from ..training._step import EVAL, SCOPES, conditions
from ._compile import COMPILE, Compiled, CompiledRule, calls_transform

VMAP = "mlx.core.vmap"
NUMBERS = frozenset({"builtins.float", "builtins.int", "builtins.bool", "builtins.complex"})
TEXT = frozenset({"builtins.print", "builtins.str", "builtins.repr", "builtins.format"})
METHODS = frozenset({"mlx.core.array.item", "mlx.core.array.tolist"})


class EvaluationUnderTransform(CompiledRule):
    """An array is looked at inside a compiled or vectorised function

    ## What it does
    Finds `item()`, `tolist()`, `float()`, `print`, `mx.eval`, conversions to NumPy, f-strings, and `if`, `while`
    and `assert` on an array, in functions given to `mx.compile` or `mx.vmap` and in what these call.

    ## PyTorch and MLX
    `torch.compile` breaks the graph where a value is looked at. MLX calls the function once, with placeholders that
    have a shape and no value: looking at one raises `ValueError`.

    ## Example
    ```python
    import mlx.core as mx


    @mx.compile
    def normalised(x: mx.array):
        largest = mx.abs(x).max()
        if largest > 1:
            x = x / largest
        return x
    ```

    ## Use instead
    ```python
    import mlx.core as mx


    @mx.compile
    def normalised(x: mx.array):
        largest = mx.abs(x).max()
        return mx.where(largest > 1, x / largest, x)
    ```

    ## References
    - [Compilation: pure functions](https://ml-explore.github.io/mlx/build/html/usage/compile.html#pure-functions)
    """

    code = "MLX509"
    kind = Kind.CRASH
    severity = Severity.ERROR
    calls = CompiledRule.calls | {"vmap"}
    message = "`{what}` looks at the value of an array in a function given to `mx.{transform}`, where it has none"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if calls_transform(node, VMAP, context) and node.args:
            code = context.function(context.value(node.args[0].value))
            if code is not None:
                self._check(code, node, "vmap", context)
        super().visit_Call(node, context)

    def check(self, compiled: Compiled, context: Context) -> None:
        self._check(compiled.code, compiled.node, COMPILE.rpartition(".")[2], context)

    def _check(self, code: FunctionCode, place: cst.CSTNode, transform: str, context: Context) -> None:
        for node, module in _looks(code, context):
            here = module is context.module
            what = " ".join(module.concrete.text(node).split())
            context.report(
                self,
                node if here else place,
                because=[] if here else [("it is called from here", place)],
                transform=transform,
                confidence=None
                if here
                else Confidence.POSSIBLE,  # on which of its paths a helper elsewhere is run is not seen
                what=what if len(what) <= 40 else what[:39] + "…",
                repro={"transform": transform},
            )

    @staticmethod
    def repro(transform: Literal["compile", "vmap"] = "compile") -> Evidence:
        import mlx.core as mx

        x = mx.array([[0.5, 2.0]])
        wrap = getattr(mx, transform)
        hazard = raises(lambda: wrap(lambda v: v * v.max().item())(x), ValueError, text="not allowed")
        return Evidence(hazard, agrees(wrap(lambda v: v * v.max())(x), [[1.0, 4.0]]))


def _looks(code: FunctionCode, context: Context) -> Iterator[tuple[cst.CSTNode, ModuleCode]]:
    """The places in a function and in the project's functions it calls where an array's value is needed."""
    seen = {id(code): code}
    for call, called, module in context.calls(code.node.body):
        if _call_looks(call, called, module):
            yield call, module
        helper = context.function(called)
        if helper is not None:
            seen.setdefault(id(helper), helper)
    for helper in seen.values():
        for node in tree.walk(helper.node.body, SCOPES):
            if isinstance(node, (cst.If, cst.While, cst.IfExp, cst.Assert)):
                yield from ((part, helper.module) for part in conditions(node.test) if _is_array(part, helper.module))
            elif isinstance(node, cst.FormattedStringExpression) and _is_array(node.expression, helper.module):
                yield node.expression, helper.module


def _is_array(node: cst.CSTNode, module: ModuleCode) -> bool:
    return as_array(module.values.get(node, UNKNOWN), optional=False) is not None


def _call_looks(call: cst.Call, called: Value, module: ModuleCode) -> bool:
    if not isinstance(called, Name):
        return False
    name = called.name
    if name in METHODS or name in EVAL:
        return True
    converts = (
        name in NUMBERS
        or name in TEXT
        or (name.startswith("numpy.") and name.rpartition(".")[2] in ("array", "asarray"))
    )
    return converts and any(_is_array(arg.value, module) for arg in call.args)
