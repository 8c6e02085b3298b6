from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Literal

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import dtypes
from mlxlint.model.arguments import ArgumentNodes
from mlxlint.model.values import Array, Const, Value, constant
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, agrees, raises

_NAME = re.compile(r"mlx\.core\.conv(_transpose)?([123])d$")
NAMES = frozenset(f"conv{turned}{n}d" for turned in ("", "_transpose") for n in "123")
Case = Literal["bias", "batch", "weight", "turned", "integers", "channels"]


class ConvolutionOperands(Rule):
    """Operands that MLX's convolution functions do not take

    ## What it does
    Finds `mx.conv1d`, `mx.conv2d`, `mx.conv3d` and their transposed forms given a bias as third argument, an input
    without a batch axis, integers, an input whose last axis is known to differ from the weight's, or a weight whose
    shape is that of PyTorch's: a square kernel in the last two axes, or behind an axis of size 1 for each group.

    ## PyTorch and MLX
    `F.conv2d(x, w, b)` takes (N, C, H, W) or (C, H, W), weights (O, I, H, W) and a bias. `mx.conv2d` takes batches of
    (N, H, W, C), weights (O, H, W, I) and no bias: its third argument is the stride. The convolution is of
    floating-point numbers only.

    ## Example
    ```python
    import mlx.core as mx

    x, w, b = mx.ones((1, 8, 8, 3)), mx.ones((4, 3, 3, 3)), mx.zeros((4,))
    y = mx.conv2d(x, w, b)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    x, w, b = mx.ones((1, 8, 8, 3)), mx.ones((4, 3, 3, 3)), mx.zeros((4,))
    y = mx.conv2d(x, w) + b
    ```

    ## Fix safety
    A bias is added to the result, which is safe. Images of integers are converted to the weight's dtype, which is
    unsafe: a scaling may be missing as well. The other cases have no fix.

    ## References
    - [mlx.core.conv2d](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.conv2d.html)
    """

    code = "MLX429"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    message = "{problem}"
    calls = NAMES

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        found = _NAME.match(context.callee(node) or "")
        given = ArgumentNodes(node)
        image, weight = given.get(0, "input"), given.get(1, "weight")
        if found is None or given.starred or image is None or weight is None:
            return
        x, w = context.array(image.value), context.array(weight.value)
        space = int(found.group(2))
        stride = given.get(2, "stride")
        if stride is not None and stride.keyword is None and _is_bias(context.value(stride.value)):
            problem = f"the third argument of `mx.{found.group()[9:]}` is the stride, and there is none for a bias"
            fix = _with_bias(node, given, context)
            context.report(self, stride.value, because=[stride.value], problem=problem, repro={"case": "bias"}, fix=fix)
            return
        wrong = (_wrong(x, w, space, given, context) if x is not None else None) or _turned(w, given, context)
        if wrong is None:
            return
        case, problem = wrong
        culprit = weight.value if case in ("weight", "turned") else image.value
        context.report(
            self, culprit, because=[culprit, *([weight.value] if case == "channels" else [])], problem=problem,
            repro={"case": case}, fix=_as_floats(image.value, weight.value, context) if case == "integers" else None,
        )  # fmt: skip

    @staticmethod
    def repro(case: Case = "bias") -> Evidence:
        import mlx.core as mx

        x, w, b = mx.ones((1, 4, 4, 3)), mx.ones((2, 3, 3, 3)), mx.ones((2,))
        wrong: Mapping[str, Callable[[], mx.array]] = {
            "bias": lambda: mx.conv2d(x, w, b),
            "batch": lambda: mx.conv2d(x[0], w),
            "weight": lambda: mx.conv2d(x, w[0]),
            "turned": lambda: mx.conv2d(x, mx.ones((2, 3, 4, 4))),
            "integers": lambda: mx.conv2d(x.astype(mx.int32), w.astype(mx.int32)),
            "channels": lambda: mx.conv2d(x.transpose(0, 3, 1, 2), w),
        }
        return Evidence(raises(wrong[case], TypeError, ValueError), agrees((mx.conv2d(x, w) + b)[0, 0, 0], [28, 28]))


def _is_bias(value: Value) -> bool:
    return (isinstance(value, Array) and value.rank != 0) or (isinstance(value, Const) and value.value is None)


def _wrong(x: Array, w: Array | None, space: int, given: ArgumentNodes, context: Context) -> tuple[Case, str] | None:
    """What is wrong with an input beside its weight."""
    if x.rank is not None and x.rank != space + 2:
        advice = ": the batch axis is missing" if x.rank == space + 1 else ""
        return "batch", f"the input has {x.rank} axes, and the convolution takes {space + 2}{advice}"
    if w is not None and w.rank is not None and w.rank != space + 2:
        return "weight", f"the weight has {w.rank} axes, and the convolution takes {space + 2}"
    if x.dtype in (*dtypes.INTEGERS, "bool_") and x.dtype is not None:
        return "integers", f"the input is of {x.dtype}, and MLX convolves floating-point numbers only"
    if x.layout == "channels_first":
        return "channels", "the input was brought to channels-first order, and the convolution takes channels last"
    grouped = given.get(5, "groups") is not None or "groups" in given.keywords
    if w is None or not x.shape or not w.shape or grouped or len(given.positional) > 5:
        return None
    channels, expected = x.shape[-1], w.shape[-1]
    if isinstance(channels, int) and isinstance(expected, int) and channels != expected:
        return "channels", f"the input has {channels} channels in its last axis, and the weight {expected} in its own"
    return None


def _turned(w: Array | None, given: ArgumentNodes, context: Context) -> tuple[Case, str] | None:
    """Whether a weight has PyTorch's order: its kernel last, square, or behind an axis of size 1 for each group."""
    shape = () if w is None else w.shape or ()
    if any(not isinstance(size, int) for size in shape):
        return None
    groups = given.get(5, "groups")
    if len(shape) == 4 and groups is None:
        is_turned = shape[2] == shape[3] != 1 and shape[1] not in (1, shape[2])
    else:
        each = None if groups is None else constant(context.value(groups.value), int)
        is_turned = len(shape) in (3, 4) and each == shape[0] != 1 and shape[1] == 1 and set(shape[2:]).isdisjoint({1})
    problem = f"the weight's shape {shape} is (out, in, space), and the convolution takes (out, space, in)"
    return ("turned", problem) if is_turned else None


def _with_bias(node: cst.Call, given: ArgumentNodes, context: Context) -> NodeFix:
    """Leave the bias out, and add it to the result."""
    kept = [context.text(arg).rstrip(", ") for arg in node.args if arg is not given.positional[2]]
    call = f"{context.text(node.func)}({', '.join(kept)})"
    bias = given.positional[2].value
    if isinstance(context.value(bias), Const):
        return NodeFix("Leave the bias out", [Replace(node, call)])
    text = f"{call} + {context.text(bias)}"
    whole = isinstance(context.parent(node), (cst.Assign, cst.Return, cst.AnnAssign, cst.Arg))
    return NodeFix("Add the bias to the result", [Replace(node, text if whole else f"({text})")])


def _as_floats(image: cst.BaseExpression, weight: cst.BaseExpression, context: Context) -> NodeFix | None:
    w = context.array(weight)
    if w is None or w.dtype in dtypes.INTEGERS or not isinstance(image, (cst.Name, cst.Attribute)):
        return None
    if not isinstance(weight, (cst.Name, cst.Attribute)):
        return None
    text = f"{context.text(image)}.astype({context.text(weight)}.dtype)"
    return NodeFix("Convert to the weight's dtype", [Replace(image, text)], Applicability.UNSAFE)
