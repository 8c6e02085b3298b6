from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.model.values import Array, Function, Instance, Value
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, shown

from .._operations import operand
from ._gradients import is_module

_HALF = ("mlx.core.float16", "mlx.core.bfloat16")


class HalfModelWidened(Rule):
    """A model in half precision is given `float32`, and computes in `float32`

    ## What it does
    Finds models that are set to `float16` or `bfloat16` by `set_dtype` or `apply`, and are called further down, in the
    same function, with an array that is known to be `float32`.

    ## PyTorch and MLX
    PyTorch raises: both operands must have the same dtype. MLX multiplies in the wider one, and hands `float32` on to
    the next layer: the whole forward pass takes the time and the memory of `float32`. Cast the input, or make it in
    half precision.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    model = nn.Linear(4, 4)
    model.set_dtype(mx.float16)
    y = model(mx.random.normal((2, 4)))
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    model = nn.Linear(4, 4)
    model.set_dtype(mx.float16)
    y = model(mx.random.normal((2, 4), dtype=mx.float16))
    ```

    ## Fix safety
    The input is cast. It is unsafe: the results are those of half precision then.

    ## References
    - [Module.set_dtype](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.Module.set_dtype.html)
    """

    code = "MLX235"
    kind = Kind.COST
    severity = Severity.WARNING
    fixable = Fixable.ALWAYS
    calls = frozenset({"set_dtype", "apply"})
    message = "`{input}` is float32 and `{model}` is {dtype}: the whole model computes in float32"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        given = _dtype(node, context)
        dtype = context.qualified(given)
        if given is None or dtype not in _HALF:
            return
        model = tree.dotted(node.func.value) if isinstance(node.func, cst.Attribute) else None
        if model is None or not is_module(context.receiver(node)) or _casts(context.receiver(node)):
            return
        for call, x in _calls_after(node, model, context):
            array = context.array(x)
            if isinstance(array, Array) and array.dtype == "float32" and not array.parameter:
                fix = Replace(x, f"{operand(x, context)}.astype({context.text(given)})")
                context.report(
                    self, call, because=[x, ("its dtype is set here", node)], input=context.brief(x), model=model,
                    dtype=dtype.removeprefix("mlx.core."), fix=NodeFix("Cast the input", [fix], Applicability.UNSAFE),
                )  # fmt: skip

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        model, x = nn.Linear(2, 2), mx.ones((1, 2))
        model.set_dtype(mx.float16)
        wide, half = model(x).dtype, model(x.astype(mx.float16)).dtype
        return Evidence(shown(wide == mx.float32, f"the result is {wide}"), shown(half == mx.float16, f"cast: {half}"))


def _casts(model: Value) -> bool:
    """Whether a model of the project casts in its forward pass, which may be its input."""
    forward = model.code.method("__call__") if isinstance(model, Instance) and model.code is not None else None
    parts = () if forward is None else tree.walk(forward.node.body)
    return any(isinstance(part, cst.Attribute) and part.attr.value == "astype" for part in parts)


def _dtype(node: cst.Call, context: Context) -> cst.BaseExpression | None:
    """The dtype that ``set_dtype(dtype)`` or ``apply(lambda p: p.astype(dtype))`` gives to all parameters."""
    if not isinstance(node.func, cst.Attribute) or len(node.args) != 1:
        return None
    given = node.args[0].value
    if node.func.attr.value == "set_dtype":
        return given
    cast = given.body if isinstance(given, cst.Lambda) else None
    is_cast = isinstance(cast, cst.Call) and isinstance(cast.func, cst.Attribute) and cast.func.attr.value == "astype"
    return context.argument(cast, 0, "dtype") if is_cast and isinstance(cast, cst.Call) else None


def _calls_after(node: cst.Call, model: str, context: Context) -> Iterator[tuple[cst.Call, cst.BaseExpression]]:
    """The calls of a model with one array after a call on it, up to the next change of its dtype or of the name."""
    function = context.enclosing_function(node)
    seen = False
    for part in context.walk(context.tree if function is None else function.node.body):
        path = tree.dotted(part.func) if isinstance(part, cst.Call) else None
        if part is node:
            seen = True
        elif seen and (path == f"{model}.set_dtype" or _binds(part, model)):
            return
        elif (
            seen
            and isinstance(part, cst.Call)
            and part.args
            and not part.args[0].star
            and _is_run(part, model, context)
        ):
            yield part, part.args[0].value


def _is_run(call: cst.Call, model: str, context: Context) -> bool:
    """Whether a call is one of the model or of a method that its class adds, as ``model.encode(x)``."""
    path = tree.dotted(call.func) or ""
    return path == model or (path.rpartition(".")[0] == model and isinstance(context.called(call), Function))


def _binds(node: cst.CSTNode, path: str) -> bool:
    return isinstance(node, cst.AssignTarget) and tree.dotted(node.target) == path
