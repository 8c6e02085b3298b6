from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, agrees, raises

OF_JAX = frozenset({"apply", "get", "max", "min", "mul", "power", "set"})  # and not of `mlx.core.array.at`
ALIKE = {"max": "maximum", "min": "minimum", "mul": "multiply"}


class MissingUpdateMethod(Rule):
    """A method of JAX's `x.at[...]` that MLX's does not have

    ## What it does
    Finds `x.at[i].set(v)`, and `get`, `min`, `max`, `mul`, `power` and `apply` likewise.

    ## PyTorch and MLX
    MLX's `x.at[i]` is for updates at indices that may occur twice, PyTorch's `index_add_`: it has `add`, `subtract`,
    `multiply`, `divide`, `maximum` and `minimum`. Nothing else is there (`AttributeError`). Values are set by an
    assignment, which MLX's arrays take.

    ## Example
    ```python
    import mlx.core as mx

    scores = mx.zeros((4,))
    scores = scores.at[0].set(1.0)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    scores = mx.zeros((4,))
    scores[0] = 1.0
    ```

    ## Fix safety
    `max`, `min` and `mul` get their names in MLX, which is safe. `x = x.at[i].set(v)` becomes an assignment to
    `x[i]`, which is unsafe: other names of the array see it too.

    ## References
    - [mlx.core.array.at](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.array.at.html)
    """

    code = "MLX117"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    message = "`x.at[...]` has no `{name}` in MLX{instead}"
    calls = OF_JAX

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node)
        if callee is None or not callee.startswith("mlx.core.array.at.") or not isinstance(node.func, cst.Attribute):
            return
        name = node.func.attr.value
        place = node.func.value
        if name not in OF_JAX or not isinstance(place, cst.Subscript) or not isinstance(place.value, cst.Attribute):
            return
        array = place.value.value
        instead = f": it is `{ALIKE[name]}`" if name in ALIKE else ": assign to `x[...]`" if name == "set" else ""
        context.report(
            self, node.func.attr, because=[array], name=name, instead=instead, repro={"name": name},
            fix=_fix(node, name, place, array, context),
        )  # fmt: skip

    @staticmethod
    def repro(name: str = "set") -> Evidence:
        import mlx.core as mx

        x = mx.zeros((3,))
        hazard = raises(lambda: getattr(x.at[0], name)(1.0), AttributeError)
        y = mx.zeros((3,))
        y[0] = 1.0
        return Evidence(hazard, agrees(y, [1, 0, 0]))


def _fix(
    node: cst.Call, name: str, place: cst.Subscript, array: cst.BaseExpression, context: Context
) -> NodeFix | None:
    if name in ALIKE:
        return NodeFix(f"Call `{ALIKE[name]}`", [Replace(cst.ensure_type(node.func, cst.Attribute).attr, ALIKE[name])])
    statement = context.parent(node)
    plain = len(node.args) == 1 and not node.args[0].star
    if name != "set" or not plain or not isinstance(statement, cst.Assign) or len(statement.targets) != 1:
        return None
    text = dotted(array)
    if text is None or dotted(statement.targets[0].target) != text:
        return None
    index = ", ".join(context.text(element).rstrip(", ") for element in place.slice)
    line = f"{text}[{index}] = {context.text(node.args[0].value)}"
    return NodeFix("Assign to the place", [Replace(statement, line)], Applicability.UNSAFE)
