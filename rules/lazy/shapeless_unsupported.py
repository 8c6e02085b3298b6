from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Name
from mlxlint.rule import Evidence, Kind, Severity, raises, shown

from ._compile import Compiled, CompiledRule

_CORE = frozenset({"split", "pad", "roll", "topk", "median", "eye", "identity", "as_strided", "fast.rope"})
_METHODS = frozenset({"split"})
_LAYERS = frozenset({"mlx.nn.RoPE.__call__", "mlx.nn.glu", "mlx.nn.GLU.__call__"})
_DRAWING = frozenset(
    {"uniform", "normal", "bernoulli", "categorical", "randint", "gumbel", "truncated_normal", "laplace", "permutation"}
)


class ShapelessUnsupported(CompiledRule):
    """An operation that cannot be compiled with `shapeless=True`

    ## What it does
    Finds slices and indices of several axes, `split`, `pad`, `roll`, `topk`, `median`, `eye`, Fourier transforms,
    rotary embeddings and random numbers in functions compiled with `shapeless=True`.

    ## PyTorch and MLX
    `torch.compile(dynamic=True)` computes every shape from symbols. With `shapeless=True` MLX asks each operation for
    the shape of its result, and some cannot tell: the first call raises `ValueError`, "cannot infer output shapes".
    Leave the option out, or keep such operations outside of the function.

    ## Example
    ```python
    from functools import partial

    import mlx.core as mx


    @partial(mx.compile, shapeless=True)
    def differences(x: mx.array):
        return x[1:] - x[:-1]
    ```

    ## Use instead
    ```python
    import mlx.core as mx


    @mx.compile
    def differences(x: mx.array):
        return x[1:] - x[:-1]
    ```

    ## References
    - [Shapeless compilation](https://ml-explore.github.io/mlx/build/html/usage/compile.html#shapeless-compilation)
    """

    code = "MLX525"
    kind = Kind.CRASH
    severity = Severity.ERROR
    message = "`{what}` cannot be compiled with `shapeless=True`: MLX cannot infer its shape"

    def check(self, compiled: Compiled, context: Context) -> None:
        if compiled.code.module is not context.module or not compiled.is_shapeless(context):
            return
        for node, operation in _without_shapes(compiled.code.node, context):
            context.report(self, node, what=context.brief(node), repro={"operation": operation})

    @staticmethod
    def repro(
        operation: Literal["slice", "split", "pad", "roll", "topk", "fft", "random", "eye"] = "slice",
    ) -> Evidence:
        import mlx.core as mx

        functions = {
            "slice": lambda x: x[1:],
            "split": lambda x: mx.split(x, 2)[0],
            "pad": lambda x: mx.pad(x, 1),
            "roll": lambda x: mx.roll(x, 1),
            "topk": lambda x: mx.topk(x, 1),
            "fft": lambda x: mx.fft.fft(x),
            "random": lambda x: x + mx.random.normal((4,)),
            "eye": lambda x: x @ mx.eye(4),
        }
        function, x = functions[operation], mx.ones((4,))
        hazard = raises(lambda: mx.compile(function, shapeless=True)(x), ValueError, text="cannot infer output shapes")
        shape = mx.compile(function)(x).shape
        return Evidence(hazard, shown(len(shape) == 1, f"without shapeless: an array of shape {shape}"))


def _without_shapes(function: cst.FunctionDef | cst.Lambda, context: Context) -> Iterator[tuple[cst.CSTNode, str]]:
    """The operations of a function whose shapes cannot be inferred, with what shows it in the reproduction."""
    for node in context.walk(function.body):
        if isinstance(node, cst.Subscript):
            if context.array(node.value) is not None and _slices(node, context):
                yield node, "slice"
        elif isinstance(node, cst.Call):
            name = _operation(node, context)
            if name is not None:
                yield node, name


def _slices(node: cst.Subscript, context: Context) -> bool:
    """Whether an index takes a part of an axis: with bounds, or by a number beside other indices."""
    parts = [element.slice for element in node.slice]
    bounded = any(
        isinstance(part, cst.Slice) and any(bound is not None for bound in (part.lower, part.upper, part.step))
        for part in parts
    )
    numbers = [part for part in parts if isinstance(part, cst.Index) and _is_number(part.value)]
    return bounded or (len(parts) > 1 and bool(numbers))


def _is_number(node: cst.BaseExpression) -> bool:
    return isinstance(node, cst.Integer) or (
        isinstance(node, cst.UnaryOperation) and isinstance(node.expression, cst.Integer)
    )


def _operation(call: cst.Call, context: Context) -> str | None:
    called = context.called(call)
    callee = context.callee(call) or ""
    if callee in _LAYERS:
        return "slice"
    name = callee.removeprefix("mlx.core.")
    if isinstance(called, Name) and name.startswith("random.") and name[7:] in _DRAWING:
        return "random"
    if name.startswith("fft.") and not name.endswith(("fftfreq", "fftshift")):
        return "fft"
    if name in _CORE or (name.startswith("array.") and name[6:] in _METHODS):
        short = name.removeprefix("array.")
        return short if short in ("split", "pad", "roll", "topk", "eye") else "slice"
    return None
