from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import CERTAIN, LIKELY, Const, Scalar, Sequence, Value, constant
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, agrees, differs
from mlxlint.rules._operations import operation

PAD = frozenset({"pad"})


class PaddedEveryAxis(Rule):
    """One pair of widths for `mx.pad`

    ## What it does
    Finds `mx.pad` given one number, one pair of numbers or a flat list of numbers for an array of several axes.

    ## PyTorch and MLX
    `F.pad(x, (1, 2))` pads the last axis, and a longer flat list goes on with the axis before. `mx.pad` takes a
    pair for each axis, from the first on; a single pair pads every axis, and a flat list of more numbers raises.

    ## Example
    ```python
    import mlx.core as mx

    padded = mx.pad(mx.ones((2, 3)), (1, 2))
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    padded = mx.pad(mx.ones((2, 3)), [(0, 0), (1, 2)])
    ```

    ## Fix safety
    Unsafe: pads the last axis alone, as PyTorch does.

    ## References
    - [mlx.core.pad](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.pad.html)
    """

    code = "MLX463"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.SOMETIMES
    message = "`{widths}` {effect}; `F.pad` pads the last axis first"
    calls = PAD

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        found = operation(node, context, PAD)
        given = None if found is None or found.starred else found.argument(0, "pad_width")
        if found is None or given is None:
            return
        array, count = context.array(found.subject), _numbers(context.value(given))
        if count is None or count == 0:
            return
        text = context.brief(given)
        if count > 2:
            effect = "is no list of pairs: `mx.pad` takes a (before, after) pair for each axis"
            context.report(
                self, given, severity=Severity.ERROR, confidence=CERTAIN, widths=text, effect=effect, repro={}
            )
            return
        if array is None or array.rank is None or array.rank < 2:
            return
        pair = context.text(given) if count == 2 else None
        whole = f"[(0, 0)] * {array.rank - 1} + [{pair}]" if array.rank > 2 else f"[(0, 0), {pair}]"
        fix = NodeFix("Pad the last axis", [Replace(given, whole)], Applicability.UNSAFE)
        literal = isinstance(given, cst.Tuple) and context.is_parenthesised(given)
        context.report(
            self, given, because=[found.subject], confidence=LIKELY, widths=text,
            severity=None if count == 2 else Severity.INFO,
            effect=f"pads all {array.rank} axes", fix=fix if literal else None,
        )  # fmt: skip

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        x = mx.ones((1, 2))
        expected = [[0, 1, 1, 0]]
        return Evidence(differs(mx.pad(x, (1, 1)), expected), agrees(mx.pad(x, [(0, 0), (1, 1)]), expected))


def _numbers(value: Value) -> int | None:
    """How many numbers a width is made of; None when it holds pairs, or is not known."""
    items = value.items if isinstance(value, Sequence) else (value,)
    if items is None or not all(isinstance(item, (Const, Scalar)) for item in items):
        return None
    return 0 if all(constant(item, int) == 0 for item in items) else len(items)
