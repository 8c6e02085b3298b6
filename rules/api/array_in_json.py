from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import children
from mlxlint.model.values import CERTAIN
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, agrees, raises
from mlxlint.rules._operations import operand

DUMPS = frozenset({"json.dump", "json.dumps"})
_DISPLAYS = (cst.Dict, cst.DictElement, cst.List, cst.Tuple, cst.Element)


class ArrayInJson(Rule):
    """An array written as JSON

    ## What it does
    Finds `json.dump` and `json.dumps` of a dict or list that surely holds an MLX array, where no `default` is given
    that could convert it.

    ## PyTorch and MLX
    What is a number or a bool of Python in PyTorch (`torch.allclose(a, b)`, `loss.item()`) is often an array in MLX,
    and `json` does not know arrays: `TypeError: Object of type array is not JSON serializable`.

    ## Example
    ```python
    import json

    import mlx.core as mx

    a, b = mx.ones((2,)), mx.ones((2,))
    report = json.dumps({"passed": mx.allclose(a, b)})
    ```

    ## Use instead
    ```python
    import json

    import mlx.core as mx

    a, b = mx.ones((2,)), mx.ones((2,))
    report = json.dumps({"passed": mx.allclose(a, b).item()})
    ```

    ## Fix safety
    Unsafe: `tolist()` evaluates the array there.

    ## References
    - [mlx.core.array.tolist](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.array.tolist.html)
    """

    code = "MLX423"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.ALWAYS
    message = "`{array}` is an array, which `json` cannot write"
    calls = frozenset({"dump", "dumps"})

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if context.callee(node) not in DUMPS or not node.args or node.args[0].star:
            return
        if any(arg.star or (arg.keyword and arg.keyword.value in ("default", "cls")) for arg in node.args):
            return
        for value in _values(node.args[0].value):
            array = context.array(value)
            if array is not None and array.confidence == CERTAIN:
                edits = [Replace(value, f"{operand(value, context)}.tolist()")]
                fix = NodeFix("Take the values out", edits, Applicability.UNSAFE)
                context.report(self, value, because=[value], array=context.brief(value), fix=fix)

    @staticmethod
    def repro() -> Evidence:
        import json

        import mlx.core as mx

        x = mx.array([1, 2])
        hazard = raises(lambda: mx.array(len(json.dumps({"x": x}))), TypeError)
        return Evidence(hazard, agrees(json.loads(json.dumps({"x": x.tolist()}))["x"], [1, 2]))


def _values(node: cst.CSTNode) -> Iterator[cst.BaseExpression]:
    """The values written into a nest of dicts, lists and tuples; the expression itself when it is none."""
    if isinstance(node, cst.DictElement):
        yield from _values(node.value)
    elif isinstance(node, _DISPLAYS):
        for child in children(node):
            yield from _values(child)
    elif isinstance(node, cst.BaseExpression):
        yield node
