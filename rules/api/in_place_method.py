from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, agrees, raises
from mlxlint.rules.api import _names
from mlxlint.rules.api._guards import is_guarded


class InPlaceMethod(Rule):
    """An in-place method with a trailing underscore

    ## What it does
    Finds PyTorch's in-place methods on MLX arrays: `add_`, `mul_`, `copy_`, `zero_`, `fill_`, `masked_fill_`,
    `scatter_add_`, `normal_`, ...

    ## PyTorch and MLX
    In PyTorch these change the tensor and return it. MLX arrays have no such methods: `AttributeError`. Assign the
    result of the plain operation, or assign to a part of the array (`x[:n] = y`).

    ## Example
    ```python
    import mlx.core as mx

    total = mx.zeros((3,))
    total.add_(mx.ones((3,)), alpha=2)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    total = mx.zeros((3,))
    total = total + 2 * mx.ones((3,))
    ```

    ## Fix safety
    Unsafe: other names of the same array do not see the new value.

    ## References
    - [In-place updates](https://ml-explore.github.io/mlx/build/html/usage/indexing.html#in-place-updates)
    """

    code = "MLX404"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.ALWAYS
    message = "MLX arrays have no in-place `{name}`: {instead}"

    def visit_Attribute(self, node: cst.Attribute, context: Context) -> None:
        name = node.attr.value
        if not name.endswith("_") or name.startswith("_"):
            return
        array = context.array(node.value)
        entry = _names.in_place(name) if array is not None else None
        call = context.parent(node)
        if entry is None or is_guarded(node, name, context):
            return
        fix = self._fix(entry, node, call, context) if isinstance(call, cst.Call) else None
        instead = (
            f"use `{fix.edits[0].text}`"
            if fix is not None and isinstance(fix.edits[0], Replace)
            else "assign the result instead"
        )
        context.report(
            self, node.attr, because=[node.value], name=name, instead=instead, fix=fix, repro={"name": name},
        )  # fmt: skip

    def _fix(self, entry: _names.Entry, node: cst.Attribute, call: cst.Call, context: Context) -> NodeFix | None:
        receiver = node.value
        dropped = context.is_dropped(call)
        for form in entry.forms if isinstance(receiver, cst.Subscript) and dropped else ():
            pieces = _names.arguments_of(form, call, receiver, context)
            if form.assigned is not None and pieces is not None:
                text = _names.fill(form.assigned, pieces, call, context)
                if text is not None:
                    return _unsafe(call, f"{context.text(receiver)} = {text}")
        rewrite = _names.rewrite(entry, node, receiver, context)
        if rewrite is None:
            return None
        if not dropped:
            return _unsafe(call, rewrite.text)
        if not isinstance(receiver, (cst.Name, cst.Attribute, cst.Subscript)):
            return None
        return _unsafe(call, f"{context.text(receiver)} = {rewrite.text}")

    @staticmethod
    def repro(name: str = "add_") -> Evidence:
        import mlx.core as mx

        hazard = raises(lambda: getattr(mx.array([1.0]), name), AttributeError)
        x = mx.zeros((3,))
        x[:2] = mx.ones((2,))
        return Evidence(hazard, agrees(x, [1.0, 1.0, 0.0]))


def _unsafe(call: cst.Call, text: str) -> NodeFix:
    return NodeFix(f"Replace by `{' '.join(text.split())}`", [Replace(call, text)], Applicability.UNSAFE)
