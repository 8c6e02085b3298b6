from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import CERTAIN, UNKNOWN, Tree
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, agrees, raises

_ARITHMETIC = frozenset(
    {cst.Add, cst.Subtract, cst.Multiply, cst.Divide, cst.FloorDivide, cst.Power, cst.MatrixMultiply}
)
_IN_PLACE = (cst.AddAssign, cst.SubtractAssign, cst.MultiplyAssign, cst.DivideAssign, cst.FloorDivideAssign)
_OF_ARRAYS = frozenset(
    """
    abs add clip divide isfinite isinf isnan max mean min multiply norm ones_like sqrt square stop_gradient subtract sum
    zeros_like
    """.split()
)


class TreeArithmetic(Rule):
    """Arithmetic is done with a whole tree of gradients or parameters

    ## What it does
    Finds `gradients / n`, `total += gradients`, `mx.sqrt(gradients)` and `gradients.sum()` where the gradients or
    parameters of a module are meant, all of them at once.

    ## PyTorch and MLX
    In PyTorch one goes through the parameters and finds a gradient on each. MLX gives them as a dict of dicts and
    lists, shaped like the module, and Python's dicts take no arithmetic. `tree_map` applies a function to each array
    of one tree or of several.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    model = nn.Linear(2, 1)
    loss, gradients = nn.value_and_grad(model, lambda x: model(x).sum())(mx.ones((1, 2)))
    halved = gradients / 2
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn
    from mlx.utils import tree_map

    model = nn.Linear(2, 1)
    loss, gradients = nn.value_and_grad(model, lambda x: model(x).sum())(mx.ones((1, 2)))
    halved = tree_map(lambda array: array / 2, gradients)
    ```

    ## Fix safety
    The fix puts `tree_map` around an operation with names and numbers. It is unsafe where one of two operands is not
    known.

    ## References
    - [mlx.utils.tree_map](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.utils.tree_map.html)
    """

    code = "MLX223"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    operators = _ARITHMETIC
    calls = _OF_ARRAYS
    message = "`{tree}` is a dict of all {kind}: `{operation}` is done array by array, with `tree_map`"

    def visit_BinaryOperation(self, node: cst.BinaryOperation, context: Context) -> None:
        for operand in (node.left, node.right):
            if (tree := _tree(operand, context)) is not None:
                self._report(node, operand, tree, _mapped(node, context), context)
                return

    def visit_AugAssign(self, node: cst.AugAssign, context: Context) -> None:
        if isinstance(node.operator, _IN_PLACE) and (tree := _tree(node.value, context)) is not None:
            self._report(node, node.value, tree, None, context)

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node) or ""
        if callee.startswith("mlx.core.") and node.args and not node.args[0].star:
            given: cst.BaseExpression | None = node.args[0].value
        else:
            given = node.func.value if isinstance(node.func, cst.Attribute) else None
        if given is not None and (tree := _tree(given, context)) is not None:
            self._report(node, given, tree, None, context)

    def _report(
        self, node: cst.CSTNode, operand: cst.CSTNode, tree: Tree, fix: NodeFix | None, context: Context
    ) -> None:
        text, operation = context.brief(operand), context.brief(node)
        context.report(self, node, because=[operand], fix=fix, tree=text, kind=tree.kind, operation=operation)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn
        from mlx.utils import tree_map

        model = nn.Linear(2, 1)
        _, gradients = nn.value_and_grad(model, lambda x: model(x).sum())(mx.ones((1, 2)))
        halved = tree_map(lambda array: array / 2, gradients)
        return Evidence(raises(lambda: gradients / 2, TypeError), agrees(halved["weight"], [[0.5, 0.5]]))


def _tree(node: cst.BaseExpression, context: Context) -> Tree | None:
    """The gradients or parameters of a module that an expression surely stands for."""
    value = context.value(node)
    if isinstance(value, Tree) and value.kind in ("gradients", "parameters") and value.confidence == CERTAIN:
        return value
    return None


def _mapped(node: cst.BinaryOperation, context: Context) -> NodeFix | None:
    """The operation on each array, where its operands are names or numbers."""
    function = context.importing("mlx.utils.tree_map")
    operands = [each for each in (node.left, node.right) if isinstance(each, (cst.Name, cst.Integer, cst.Float))]
    if function is None or len(operands) < 2:
        return None
    tree_map, imports = function
    texts = [each.value for each in operands]
    operator = f" {context.text(node.operator).strip()} "
    meant = [_is_meant_as_tree(each, node, context) for each in operands]
    fresh = iter(("array", "other"))
    leaves = [next(fresh) if is_tree else text for is_tree, text in zip(meant, texts)]
    if {"array", "other"} & set(texts):
        return None
    parameters = ", ".join(leaf for leaf, is_tree in zip(leaves, meant) if is_tree)
    trees = ", ".join(text for text, is_tree in zip(texts, meant) if is_tree)
    mapped = f"{tree_map}(lambda {parameters}: {operator.join(leaves)}, {trees})"
    sure = all(context.value(each) is not UNKNOWN for each in operands)
    safety = Applicability.SAFE if sure else Applicability.UNSAFE
    return NodeFix("Use `tree_map`", [*imports, Replace(node, mapped)], safety)


def _is_meant_as_tree(operand: cst.BaseExpression, node: cst.BinaryOperation, context: Context) -> bool:
    """What is not known is a tree where it is added to one, and a number where one is scaled by it."""
    added = context.value(operand) is UNKNOWN and isinstance(node.operator, (cst.Add, cst.Subtract))
    return added or _tree(operand, context) is not None
