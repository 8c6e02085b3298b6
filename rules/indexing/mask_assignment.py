from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Array, Const, Value, members
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, differs, raises
from mlxlint.rules.indexing.boolean_mask_read import is_mask


class MaskAssignment(Rule):
    """Assigning through a boolean mask what a mask does not take

    ## What it does
    Finds `x[mask] = v` where `v` is an array as long as the mask, or of a single element, where the mask is one
    index of several, and `.at[mask]`.

    ## PyTorch and MLX
    Assigning a number through a mask works in MLX. Given an array, PyTorch demands as many values as the mask
    selects; MLX takes them from the start of a longer array and drops the rest, and raises for an array of one
    element. A mask as one index of several, and `.at[mask]`, raise in MLX.

    ## Example
    ```python
    import mlx.core as mx

    x = mx.array([1.0, 2.0, 3.0, 4.0])
    doubled = x * 2
    x[x > 2] = doubled
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    x = mx.array([1.0, 2.0, 3.0, 4.0])
    doubled = x * 2
    x = mx.where(x > 2, doubled, x)
    ```

    ## References
    - [mlx.core.where](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.where.html)
    """

    code = "MLX108"
    kind = Kind.SILENT
    severity = Severity.WARNING
    message = "`{target}`: {problem}"
    targets = frozenset({cst.Subscript})

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        for target in node.targets:
            if isinstance(target.target, cst.Subscript):
                self._check(target.target, node.value, context)

    def visit_Subscript(self, node: cst.Subscript, context: Context) -> None:
        if (
            isinstance(node.value, cst.Attribute)
            and node.value.attr.value == "at"
            and context.array(node.value.value) is not None
        ):
            mask = _mask(node, context)
            if mask is not None:
                self._report(node, mask, "`.at` takes no boolean mask, and raises", Severity.ERROR, context, "at")

    def _check(self, target: cst.Subscript, value: cst.BaseExpression, context: Context) -> None:
        array, mask = context.array(target.value), _mask(target, context)
        if array is None or mask is None:
            return
        if len(target.slice) > 1:
            if not all(
                _is_whole(element.slice, context) for element in target.slice if _index(element.slice) is not mask
            ):
                self._report(target, mask, "a mask as one index of several raises", Severity.ERROR, context, "tuple")
            return
        source, selected = context.array(value), context.array(mask)
        if source is None or source.shape is None or selected is None:
            return
        if source.shape == (1,):
            self._report(
                target,
                mask,
                "an array of one element is not broadcast here, and raises",
                Severity.ERROR,
                context,
                "one",
            )
        elif source.rank and source.shape in (selected.shape, array.shape) and None not in source.shape:
            problem = f"values are taken from the start of `{context.brief(value)}`, not from where the mask is true"
            self._report(target, mask, problem, Severity.WARNING, context, "longer")

    def _report(
        self,
        node: cst.Subscript,
        mask: cst.BaseExpression,
        problem: str,
        severity: Severity,
        context: Context,
        case: str,
    ) -> None:
        context.report(
            self,
            node,
            because=[mask],
            severity=severity,
            target=context.brief(node),
            problem=problem,
            repro={"case": case},
        )

    @staticmethod
    def repro(case: str = "longer") -> Evidence:
        import mlx.core as mx

        x, new = mx.array([1.0, 2.0, 3.0, 4.0]), mx.array([10.0, 20.0, 30.0, 40.0])
        mask = x > 2
        remedy = agrees(mx.where(mask, new, x), [1.0, 2.0, 30.0, 40.0])
        rows = mx.zeros((4, 2))

        def assign() -> mx.array:
            if case == "at":
                return x.at[mask].add(1.0)
            if case == "tuple":
                rows[mask, 0] = 1.0
                return rows
            x[mask] = new if case == "longer" else mx.array([7.0])
            return x

        return Evidence(differs(assign(), [1.0, 2.0, 30.0, 40.0]) if case == "longer" else raises(assign), remedy)


def _index(part: cst.BaseSlice) -> cst.BaseExpression | None:
    return part.value if isinstance(part, cst.Index) else None


def _mask(node: cst.Subscript, context: Context) -> cst.BaseExpression | None:
    """The index that is a boolean mask."""
    indices = [i for i in (_index(element.slice) for element in node.slice) if i is not None]
    return next((i for i in indices if _is_array_mask(context.value(i))), None)


def _is_array_mask(value: Value) -> bool:
    return is_mask(value) and all(isinstance(m, Array) and m.rank != 0 for m in members(value))


def _is_whole(part: cst.BaseSlice, context: Context) -> bool:
    """``...`` beside a mask changes nothing."""
    index = _index(part)
    value = context.value(index)
    return index is not None and isinstance(value, Const) and value.value is ...
