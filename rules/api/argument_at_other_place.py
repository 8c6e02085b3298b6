from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import explain
from mlxlint.model.tree import dotted
from mlxlint.rule import (
    Applicability,
    Confidence,
    Evidence,
    Fixable,
    Insert,
    Kind,
    NodeEdit,
    NodeFix,
    Rule,
    Severity,
    differs,
    shown,
)
from mlxlint.rules.api._signatures import entry_of

SETTINGS = frozenset(  # parameters of operations that no array is called after
    """axis bits ddof dilation dtype eps group_size groups keepdims mode num_samples output_padding padding shape stride
    transpose""".split()
)


class ArgumentAtOtherPlace(Rule):
    """An argument stands at another parameter's place

    ## What it does
    Finds calls of MLX's operations with a positional argument that is called like a later or earlier parameter than
    the one whose place it takes: `mx.conv_transpose1d(x, w, stride, padding, dilation, groups)`.

    ## PyTorch and MLX
    Operations of the same name have their settings in another order, or one more: the sixth argument of MLX's
    transposed convolutions is `output_padding`, `mx.dequantize` takes `group_size` before `bits`. Numbers are taken for
    whatever stands there, often without an error.

    ## Example
    ```python
    import mlx.core as mx

    x, w = mx.ones((1, 8, 4)), mx.ones((6, 3, 4))
    stride, padding, dilation, groups = 2, 1, 1, 1
    y = mx.conv_transpose1d(x, w, stride, padding, dilation, groups)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    x, w = mx.ones((1, 8, 4)), mx.ones((6, 3, 4))
    stride, padding, dilation, groups = 2, 1, 1, 1
    y = mx.conv_transpose1d(x, w, stride, padding, dilation, groups=groups)
    ```

    ## Fix safety
    The fix gives it, and what follows, by the names they have. It is unsafe: what is computed changes.

    ## References
    - [Operations](https://ml-explore.github.io/mlx/build/html/python/ops.html)
    """

    code = "MLX499"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.SOMETIMES
    yields_to = ("argument-type", "misplaced-positional-argument")
    message = "`{argument}` stands at the place of `{parameter}` in `{callee}`"
    calls = frozenset({"mlx.*"})

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if len(node.args) < 3 or not (context.callee(node) or "").startswith("mlx.core."):
            return
        given = context.arguments(node)
        names = [(dotted(arg.value) or "").rpartition(".")[2].lstrip("_") for arg in given.positional]
        entry = None if given.starred or SETTINGS.isdisjoint(names) else entry_of(node, context)
        if entry is None or len(entry.signatures) != 1:
            return
        places = [p.name for p in entry.signatures[0].parameters if p.kind.startswith("positional")]
        known = {p.name for p in entry.signatures[0].parameters}
        for argument, name, place in zip(given.positional, names, places, strict=False):
            if name in SETTINGS and name != place and name in known and name not in given.keywords:
                fix = _fix(given.positional, names, argument, known)
                context.report(
                    self, argument.value, confidence=Confidence.LIKELY, argument=context.brief(argument.value),
                    parameter=place, callee=explain.short(entry.name), fix=fix,
                )  # fmt: skip
                return

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        x, w, groups = mx.ones((1, 8, 4)), mx.ones((6, 3, 4)), 1
        right = mx.conv_transpose1d(x, w, 2, 1, 1, groups=groups)
        wrong = mx.conv_transpose1d(x, w, 2, 1, 1, groups)
        return Evidence(differs(wrong.shape, right.shape), shown(right.shape == (1, 15, 6), f"shape {right.shape}"))


def _fix(positional: list[cst.Arg], names: list[str], first: cst.Arg, known: set[str]) -> NodeFix | None:
    """Name the argument and those that follow, where all are called what they are."""
    at = positional.index(first)
    rest = names[at:]
    if not set(rest) <= known or len(set(rest)) != len(rest):
        return None
    edits: list[NodeEdit] = [Insert(arg, f"{name}=") for arg, name in zip(positional[at:], rest, strict=True)]
    return NodeFix("Give it by name", edits, Applicability.UNSAFE)
