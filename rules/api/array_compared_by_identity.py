from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, agrees, differs
from mlxlint.rules._operations import operand

IDENTITY = (cst.Is, cst.IsNot)
BOOLS = frozenset({"True", "False"})


class ArrayComparedByIdentity(Rule):
    """An array compared with `True` or `False` by identity

    ## What it does
    Finds `mx.allclose(a, b) is True`, `x.all() is False` and `is not` likewise, of MLX arrays.

    ## PyTorch and MLX
    `torch.allclose` and `torch.equal` return a bool of Python. Their counterparts in MLX, `mx.allclose` and
    `mx.array_equal`, return an array: it is never `True` itself, and the comparison is always false.

    ## Example
    ```python
    import mlx.core as mx

    a, b = mx.ones((2,)), mx.ones((2,))
    passed = mx.allclose(a, b) is True
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    a, b = mx.ones((2,)), mx.ones((2,))
    passed = mx.allclose(a, b).item()
    ```

    ## Fix safety
    Unsafe: code that ran on because the comparison was always false will change its way.

    ## References
    - [mlx.core.allclose](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.allclose.html)
    """

    code = "MLX422"
    kind = Kind.SILENT
    severity = Severity.ERROR
    fixable = Fixable.ALWAYS
    message = "`{array}` is an array, which is never `{constant}` itself: this is always {outcome}"

    def visit_Comparison(self, node: cst.Comparison, context: Context) -> None:
        if len(node.comparisons) != 1:
            return
        operator, other = node.comparisons[0].operator, node.comparisons[0].comparator
        if not isinstance(operator, IDENTITY) or not isinstance(other, cst.Name) or other.value not in BOOLS:
            return
        array = context.array(node.left)
        if array is None or array.op == "annotation":  # a default of `False` in place of an array is told by identity
            return
        negated = isinstance(operator, cst.IsNot)
        wanted = (other.value == "True") is not negated
        item = f"{operand(node.left, context)}.item()"
        fix = NodeFix("Take the bool out", [Replace(node, item if wanted else f"(not {item})")], Applicability.UNSAFE)
        context.report(
            self, node, because=[node.left], array=context.brief(node.left), constant=other.value,
            outcome=str(negated).lower(), fix=fix,
        )  # fmt: skip

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        a = mx.ones((2,))
        return Evidence(differs(mx.allclose(a, a) is True, True), agrees(mx.allclose(a, a).item(), True))
