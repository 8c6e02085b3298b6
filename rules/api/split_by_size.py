from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import CERTAIN, LIKELY, Const, Scalar, Sequence, constant, scalar_type
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, agrees, differs
from mlxlint.rules._operations import Operation, operation
from mlxlint.rules.api._names import Piece, bounds

SPLIT = frozenset({"split"})


class SplitBySize(Rule):
    """`split` given the sizes of the parts that are unpacked

    ## What it does
    Finds `mx.split` and `x.split` whose parts are unpacked into another number of names than they give: a list with as
    many entries as there are names, or a number that is not the number of names.

    ## PyTorch and MLX
    `torch.split(x, n)` cuts into parts of size `n`, `torch.split(x, [a, b])` into parts of these sizes. `mx.split(x,
    n)` cuts into `n` parts, and `mx.split(x, [a, b])` at the indices `a` and `b`, which makes three.

    ## Example
    ```python
    import mlx.core as mx

    x = mx.zeros((4, 12))
    gate, value = mx.split(x, [4, 8], axis=1)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    x = mx.zeros((4, 12))
    gate, value = mx.split(x, [4], axis=1)
    ```

    ## Fix safety
    Unsafe: sizes become the indices where the parts begin, a size becomes the number of names.

    ## References
    - [mlx.core.split](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.split.html)
    """

    code = "MLX416"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.ALWAYS
    message = "`split` takes {takes}, and this makes {makes}, not {names}"
    targets = frozenset({cst.Tuple, cst.List})

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        target = node.targets[0].target
        if not isinstance(node.value, cst.Call) or not isinstance(target, (cst.Tuple, cst.List)):
            return
        names = len(target.elements)
        found = operation(node.value, context, SPLIT)
        parts = found.argument(0, "indices_or_sections") if found is not None else None
        if found is None or parts is None or any(isinstance(e, cst.StarredElement) for e in target.elements):
            return
        value = context.value(parts)
        if isinstance(value, Sequence) and value.items is not None:
            if len(value.items) == names:
                self._report_sizes(node.value, found, parts, names, context)
        elif isinstance(value, (Const, Scalar)) and scalar_type(value) == "int":
            self._report_size(node.value, found, parts, constant(value, int), names, context)
        elif isinstance(parts, (cst.Name, cst.Attribute)) and names > 1:
            self._report_size(node.value, found, parts, None, names, context)

    def _report_sizes(
        self, call: cst.Call, found: Operation, parts: cst.BaseExpression, names: int, context: Context
    ) -> None:
        text = bounds([Piece.of(parts, context)], {})
        fix = _replaced(parts, text) if text is not None and "#" not in context.text(parts) else None
        takes, makes = "the indices at which to cut", f"{names + 1} parts"
        context.report(
            self, call, because=[found.subject], takes=takes, makes=makes, names=names, fix=fix, repro={"parts": names}
        )

    def _report_size(
        self,
        call: cst.Call,
        found: Operation,
        parts: cst.BaseExpression,
        count: int | None,
        names: int,
        context: Context,
    ) -> None:
        if count == names:
            return
        context.report(
            self,
            call,
            because=[found.subject],
            takes="the number of parts",
            names=names,
            makes=f"{context.brief(parts) if count is None else count} parts",
            confidence=LIKELY if count is None else CERTAIN,
            severity=Severity.WARNING if count is None else Severity.ERROR,
            fix=_replaced(parts, str(names)),
            repro={"parts": min(names, 16)},
        )

    @staticmethod
    def repro(parts: int = 2) -> Evidence:
        import mlx.core as mx

        count = max(1, min(parts, 16))
        x = mx.zeros((2 * count,))
        hazard = differs(len(mx.split(x, [2] * count)), count, what="parts")
        return Evidence(hazard, agrees(len(mx.split(x, count)), count))


def _replaced(node: cst.BaseExpression, text: str) -> NodeFix:
    return NodeFix(f"Replace by `{text}`", [Replace(node, text)], Applicability.UNSAFE)
