from __future__ import annotations

import re
from typing import Literal

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import constant
from mlxlint.rule import (
    Applicability,
    Confidence,
    Evidence,
    Fixable,
    Kind,
    NodeFix,
    Replace,
    Rule,
    Severity,
    agrees,
    differs,
)

from .._operations import operand
from ._flow import operation, origin

_ROPE = frozenset({"mlx.core.fast.rope", "mlx.nn.RoPE"})
_INVERSE = re.compile(r"(^|_)(inv|inverse)_?freqs?$|(^|_)inv_?frequenc", re.IGNORECASE)
_FACTOR = re.compile(r"(^|_)factor$", re.IGNORECASE)
_PLACE = {"mlx.core.fast.rope": None, "mlx.nn.RoPE": 3}


class RopeInverseValues(Rule):
    """A rotary embedding is given frequencies or a factor by which MLX does the opposite

    ## What it does
    Finds `freqs` of `mx.fast.rope` that are reciprocals, or are called `inv_freq`, and a `scale` of `mx.fast.rope` or
    `nn.RoPE` that is a factor of linear scaling.

    ## PyTorch and MLX
    `transformers` multiplies positions by `inv_freq`, and divides them by the factor of a linear scaling. MLX divides
    positions by `freqs`, and multiplies them by `scale`: given the same values it rotates by other angles.

    ## Example
    ```python
    import mlx.core as mx

    x = mx.ones((1, 1, 4, 8))
    inv_freq = 1.0 / (10000.0 ** (mx.arange(0, 8, 2) / 8))
    y = mx.fast.rope(x, 8, traditional=False, base=None, scale=1.0, offset=0, freqs=inv_freq)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    x = mx.ones((1, 1, 4, 8))
    freqs = 10000.0 ** (mx.arange(0, 8, 2) / 8)
    y = mx.fast.rope(x, 8, traditional=False, base=None, scale=1.0, offset=0, freqs=freqs)
    ```

    ## Fix safety
    Unsafe: the names may mislead.

    ## References
    - [rope](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.fast.rope.html)
    """

    code = "MLX811"
    kind = Kind.SILENT
    severity = Severity.ERROR
    fixable = Fixable.ALWAYS
    calls = frozenset({"rope", "RoPE"})
    message = "{problem}"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node)
        if callee not in _ROPE:
            return
        freqs = context.argument(node, None, "freqs")
        if freqs is not None and _is_inverse(freqs, context):
            problem = f"MLX divides positions by `freqs`, and `{context.brief(freqs)}` is to be multiplied with"
            self._report(freqs, problem, "freqs", context)
        scale = context.argument(node, _PLACE[callee], "scale")
        if scale is not None and _is_factor(scale, context):
            problem = f"MLX multiplies positions by `scale`, and `{context.brief(scale)}` is to divide them"
            self._report(scale, problem, "scale", context)

    def _report(self, place: cst.BaseExpression, problem: str, value: str, context: Context) -> None:
        fix = NodeFix("Take the reciprocal", [Replace(place, f"1 / {operand(place, context)}")], Applicability.UNSAFE)
        context.report(self, place, problem=problem, fix=fix, confidence=Confidence.LIKELY, repro={"value": value})

    @staticmethod
    def repro(value: Literal["freqs", "scale"] = "freqs") -> Evidence:
        import mlx.core as mx

        x = mx.random.normal((1, 1, 4, 8), key=mx.random.key(0))
        steps = mx.arange(4.0)[:, None]
        inverse = 1.0 / (10000.0 ** (mx.arange(0, 8, 2) / 8))
        factor = 4.0
        angles = steps * inverse / (factor if value == "scale" else 1.0)
        cos, sin, a, b = mx.cos(angles), mx.sin(angles), x[..., :4], x[..., 4:]
        expected = mx.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)

        def rotated(**options: object) -> mx.array:
            given = {"base": 10000.0, "scale": 1.0, **options}
            return mx.fast.rope(x, 8, traditional=False, offset=0, **given)

        if value == "scale":
            return Evidence(
                differs(rotated(scale=factor), expected, 1e-2), agrees(rotated(scale=1 / factor), expected, 1e-3)
            )
        wrong, right = rotated(base=None, freqs=inverse), rotated(base=None, freqs=1 / inverse)
        return Evidence(differs(wrong, expected, 1e-2), agrees(right, expected, 1e-3))


def _is_inverse(node: cst.BaseExpression, context: Context) -> bool:
    """Whether frequencies are a reciprocal, a negative power, or called so where nothing else tells."""
    made = origin(node, context)
    if isinstance(made, cst.BinaryOperation):
        if isinstance(made.operator, cst.Divide):
            inner = origin(made.right, context)
            named = _INVERSE.search(_name(made.right, context) or "") is not None
            return (
                constant(context.value(made.left), (int, float)) == 1 and not named and not _is_inverse(inner, context)
            )
        if isinstance(made.operator, cst.Power):
            return _is_negative(made.right)
        return False
    if isinstance(made, cst.Call) and operation(made, context):
        return operation(made, context) == "reciprocal"
    return _INVERSE.search(_name(node, context) or "") is not None


def _is_negative(node: cst.BaseExpression) -> bool:
    """Whether an exponent is written with a minus in front."""
    while isinstance(node, cst.BinaryOperation) and isinstance(node.operator, (cst.Multiply, cst.Divide)):
        node = node.left
    return isinstance(node, cst.UnaryOperation) and isinstance(node.operator, cst.Minus)


def _is_factor(node: cst.BaseExpression, context: Context) -> bool:
    return _FACTOR.search(_name(node, context) or "") is not None


def _name(node: cst.BaseExpression, context: Context) -> str | None:
    """What an expression is called: `factor` for `factor`, `args.factor` and `scaling["factor"]`."""
    if isinstance(node, cst.Name):
        return node.value
    if isinstance(node, cst.Attribute):
        return node.attr.value
    if isinstance(node, cst.Subscript) and isinstance(node.slice[0].slice, cst.Index):
        key: str | None = constant(context.value(node.slice[0].slice.value), str)
        return key
    return None
