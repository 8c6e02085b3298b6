from __future__ import annotations

import re

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted
from mlxlint.model.values import LIKELY
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, agrees, shown
from mlxlint.rules._operations import is_same, produced_by

PROBABILITIES = ("softmax", "sigmoid", "exp")
KEPT_BY = (
    "__getitem__",
    "where",
    "take_along_axis",
    "take",
    "sort",
    "astype",
    "reshape",
    "squeeze",
    "expand_dims",
    "flatten",
    "maximum",
    "multiply",
)
NAMED = re.compile(r"(^|_)(prob|probs|probability|probabilities)$")


class CategoricalOfProbabilities(Rule):
    """Sampling from probabilities with `mx.random.categorical`

    ## What it does
    Finds `mx.random.categorical` given probabilities: the result of `softmax`, `sigmoid` or `exp`, weights divided
    by their sum, or an array called so.

    ## PyTorch and MLX
    `torch.multinomial` takes probabilities, `mx.random.categorical` logits. Given probabilities it samples from
    `softmax(probabilities)`, which is almost uniform, and tokens of probability zero are drawn as well.

    ## Example
    ```python
    import mlx.core as mx

    probs = mx.softmax(mx.random.normal((4, 100)), axis=-1)
    tokens = mx.random.categorical(probs)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    logits = mx.random.normal((4, 100))
    tokens = mx.random.categorical(logits)
    ```

    ## Fix safety
    Unsafe: `mx.log` is put around the argument, which is right if it holds probabilities.

    ## References
    - [mlx.core.random.categorical](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.random.categorical.html)
    """

    code = "MLX458"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.ALWAYS
    message = "`mx.random.categorical` takes logits, and `{given}` holds probabilities"
    calls = frozenset({"categorical"})

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if context.callee(node) != "mlx.core.random.categorical":
            return
        given = context.argument(node, 0, "logits")
        if given is None:
            return
        made = _made_probable(given, context)
        named = _is_named_so(given, context)
        if made is None and not named:
            return
        mx = context.alias("mlx.core")
        fix = (
            NodeFix("Take the logarithm", [Replace(given, f"{mx}.log({context.text(given)})")], Applicability.UNSAFE)
            if mx
            else None
        )
        because = [(f"`{context.brief(made)}` gives probabilities", made)] if made is not None else []
        context.report(
            self, given, because=because, confidence=LIKELY if made is None else 2, given=context.brief(given), fix=fix
        )

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        p = mx.array([1.0, 0.0, 0.0, 0.0])
        drawn = mx.random.categorical(p, num_samples=200, key=mx.random.key(0))
        hazard = shown(
            (drawn != 0).any().item(), f"drawn of probability zero: {(drawn != 0).sum().item()} of 200, PyTorch: 0"
        )
        return Evidence(
            hazard, agrees(mx.random.categorical(mx.log(p), num_samples=200, key=mx.random.key(0)).sum(), 0)
        )


def _made_probable(node: cst.BaseExpression | None, context: Context, depth: int = 6) -> cst.BaseExpression | None:
    """The expression that made probabilities, followed back from ``node`` through what keeps them so."""
    array = context.array(node)
    made = None if array is None else array.node
    if array is None or made is None or depth == 0:
        return None
    if isinstance(made, cst.Call) and (
        produced_by(array, *PROBABILITIES) or (array.op or "").endswith(("nn.softmax", "nn.Softmax.__call__"))
    ):
        return None if produced_by(array, "exp") and not _of_logarithms(made) else made
    if isinstance(made, cst.BinaryOperation):
        if isinstance(made.operator, cst.Divide) and _is_sum_of(made.right, made.left, context):
            return made
        if isinstance(made.operator, (cst.Multiply, cst.Divide)) and context.array(made.right) is not None:
            return _made_probable(made.left, context, depth - 1)
        return None
    if not produced_by(array, *KEPT_BY):
        return None
    return next(
        (f for f in (_made_probable(i, context, depth - 1) for i in _inputs(made, context)) if f is not None), None
    )


def _inputs(node: cst.CSTNode, context: Context) -> list[cst.BaseExpression]:
    """What an index, a method or a function takes its values from."""
    if isinstance(node, cst.Subscript):
        return [node.value]
    if not isinstance(node, cst.Call):
        return []
    if isinstance(node.func, cst.Attribute) and _is_method(node, context):
        return [node.func.value]
    return [arg.value for arg in node.args if arg.keyword is None][:3]


def _of_logarithms(call: cst.Call) -> bool:
    """Whether ``exp`` is taken of something called log-probabilities."""
    text = dotted(call.args[0].value) if call.args else None
    return text is not None and "log" in text.lower()


def _is_method(node: cst.CSTNode | None, context: Context) -> bool:
    return (
        isinstance(node, cst.Call)
        and isinstance(node.func, cst.Attribute)
        and context.array(node.func.value) is not None
    )


def _is_sum_of(divisor: cst.BaseExpression, dividend: cst.BaseExpression, context: Context) -> bool:
    array = context.array(divisor)
    if array is None or not isinstance(array.node, cst.Call) or not produced_by(array, "sum"):
        return False
    summed = (
        array.node.func.value
        if _is_method(array.node, context) and isinstance(array.node.func, cst.Attribute)
        else None
    )
    summed = summed or (array.node.args[0].value if array.node.args else None)
    return summed is not None and is_same(summed, dividend, context)


def _is_named_so(node: cst.BaseExpression, context: Context) -> bool:
    name = (dotted(node) or "").rpartition(".")[2].lower()
    array = context.array(node)
    known = array is not None and produced_by(array, "log", "log_softmax")
    return bool(NAMED.search(name)) and "log" not in name and not known
