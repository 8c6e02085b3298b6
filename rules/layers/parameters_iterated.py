from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.model.values import CERTAIN, LIKELY, Instance, Tree
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, raises, shown

from ._freezing import freezing
from ._modules import iterations

NAMES = "iterating it gives attribute names"
OF_ARRAYS = frozenset({"size", "shape", "nbytes", "itemsize", "dtype", "ndim", "sum", "square", "item", "astype"})
NESTED = frozenset(f"mlx.nn.{name}" for name in ("Module", "Sequential", "MultiHeadAttention", "Transformer"))


class ParametersIterated(Rule):
    """`model.parameters()` or `children()` is iterated, which gives names

    ## What it does
    Finds loops, comprehensions and `list(…)` over `parameters()`, `trainable_parameters()`, `children()` or
    `leaf_modules()` of an MLX module, and those over the `values()` or `items()` of its parameters that take these for
    arrays.

    ## PyTorch and MLX
    PyTorch's `parameters()` is an iterator over tensors. MLX's is a nested dict: iterating it gives the names of the
    module's attributes as strings, so that `p.size` and `p.requires_grad` raise, and a count counts attributes.
    `mlx.utils.tree_flatten` lists the arrays with their full names. `children()` is a dict of modules by attribute:
    `nn.Sequential(*model.children().values())`.

    ## Example
    ```python
    import mlx.nn as nn

    model = nn.Linear(2, 2)
    count = sum(p.size for p in model.parameters())
    ```

    ## Use instead
    ```python
    import mlx.nn as nn
    from mlx.utils import tree_flatten

    model = nn.Linear(2, 2)
    count = sum(p.size for _, p in tree_flatten(model.parameters()))
    ```

    ## Fix safety
    The fix flattens the tree: the loop then sees every array of all submodules. A loop that only sets `requires_grad`
    becomes `freeze()` or `unfreeze()`. It is unsafe because the body may rely on what it sees now.

    ## References
    - [Parameters of a module](https://ml-explore.github.io/mlx/build/html/python/nn.html#parameters)
    - [tree_flatten](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.utils.tree_flatten.html)
    """

    code = "MLX313"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    calls = frozenset({"list", "tuple", "enumerate", "len"})
    message = "`{tree}` is a nested dict: {what}"

    def visit_For(self, node: cst.For, context: Context) -> None:
        self._iterated(node, context)

    def visit_ListComp(self, node: cst.ListComp, context: Context) -> None:
        self._iterated(node, context)

    def visit_GeneratorExp(self, node: cst.GeneratorExp, context: Context) -> None:
        self._iterated(node, context)

    def visit_SetComp(self, node: cst.SetComp, context: Context) -> None:
        self._iterated(node, context)

    def visit_DictComp(self, node: cst.DictComp, context: Context) -> None:
        self._iterated(node, context)

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if (
            isinstance(node.func, cst.Name)
            and node.func.value in ("list", "tuple", "enumerate", "len")
            and len(node.args) == 1
        ):
            given = node.args[0].value
            if context.callee(node) != f"builtins.{node.func.value}" or not _is_fresh(given, context):
                return
            if not _is_called_names(node, context):
                context.report(self, given, because=[given], tree=context.brief(given), what=NAMES)

    def _iterated(self, node: cst.For | cst.BaseComp, context: Context) -> None:
        for target, iterated in iterations(node):
            self._check(target, iterated, node if isinstance(node, cst.For) else None, context)
            self._check_values(target, iterated, node, context)
            self._check_side_by_side(iterated, context)

    def _check_side_by_side(self, iterated: cst.BaseExpression, context: Context) -> None:
        """Report ``zip(average.parameters(), model.parameters())``, as a moving average is written in PyTorch."""
        if not isinstance(iterated, cst.Call) or context.callee(iterated) != "builtins.zip":
            return
        fresh = next((arg.value for arg in iterated.args if not arg.star and _is_fresh(arg.value, context)), None)
        if fresh is not None:
            context.report(self, fresh, because=[fresh], tree=context.brief(fresh), what=NAMES)

    def _check(
        self, target: cst.BaseExpression, iterated: cst.BaseExpression, loop: cst.For | None, context: Context
    ) -> None:
        if not _is_fresh(iterated, context):
            return
        named = isinstance(target, cst.Name) and target.value in ("k", "key", "name", "n")
        context.report(
            self,
            iterated,
            because=[iterated],
            confidence=LIKELY if named else CERTAIN,
            fix=(freezing(loop, context) if loop is not None else None) or _flattened(target, iterated, context),
            severity=Severity.WARNING if named else None,
            tree=context.brief(iterated),
            what=NAMES,
        )

    def _check_values(
        self, target: cst.BaseExpression, iterated: cst.BaseExpression, node: cst.For | cst.BaseComp, context: Context
    ) -> None:
        """Report ``parameters().values()`` where something that arrays have is read of what it gives."""
        if not isinstance(iterated, cst.Call) or not isinstance(iterated.func, cst.Attribute):
            return
        method, parameters = iterated.func.attr.value, iterated.func.value
        value = target.elements[1].value if isinstance(target, cst.Tuple) and len(target.elements) == 2 else target
        if method not in ("values", "items") or (method == "items") is (value is target):
            return
        if not isinstance(value, cst.Name) or not _is_fresh(parameters, context) or _is_children(parameters, context):
            return
        read = next((use for use in context.nodes(node, cst.Attribute) if _is_of_array(use, value.value)), None)
        told = any(tree.dotted(call.func) == "isinstance" for call in context.nodes(node, cst.Call))
        if read is not None and not told and not _is_layer(parameters, context):
            what = f"its `{method}()` are those of submodules, and have no `{read.attr.value}`"
            context.report(
                self, iterated, because=[("it is taken for an array here", read)], confidence=LIKELY,
                severity=Severity.WARNING, tree=context.brief(parameters), what=what, repro={"values": True},
            )  # fmt: skip

    @staticmethod
    def repro(values: bool = False) -> Evidence:
        import mlx.nn as nn
        from mlx.utils import tree_flatten

        model = nn.Sequential(nn.Linear(3, 2))
        nested = model.parameters()
        count = sum(p.size for _, p in tree_flatten(nested))
        return Evidence(
            raises(lambda: sum(p.size for p in (nested.values() if values else nested)), AttributeError),
            shown(count == 8, f"{count} numbers"),
        )


def _is_of_array(node: cst.Attribute, name: str) -> bool:
    return isinstance(node.value, cst.Name) and node.value.value == name and node.attr.value in OF_ARRAYS


def _is_layer(parameters: cst.BaseExpression, context: Context) -> bool:
    """Whether these are the parameters of one of MLX's own layers that hold arrays alone."""
    owner = context.receiver(parameters) if isinstance(parameters, cst.Call) else None
    return isinstance(owner, Instance) and owner.code is None and owner.type not in NESTED


def _is_called_names(node: cst.Call, context: Context) -> bool:
    """Whether the list is bound to a name that says it holds the names."""
    parent = context.parent(node)
    target = parent.targets[0].target if isinstance(parent, cst.Assign) else None
    return isinstance(target, cst.Name) and target.value.endswith(("names", "keys"))


def _is_fresh(node: cst.BaseExpression, context: Context) -> bool:
    """Whether an expression calls ``parameters()`` itself: a tree in a variable may be someone's own structure."""
    value = context.value(node)
    if not isinstance(node, cst.Call):
        return False
    return (isinstance(value, Tree) and value.kind == "parameters") or _is_children(node, context)


def _is_children(node: cst.BaseExpression, context: Context) -> bool:
    """Whether an expression calls ``children()``, a dict by name as ``parameters()`` is."""
    callee = context.callee(node) if isinstance(node, cst.Call) else None
    return callee is not None and callee.startswith("mlx.nn.") and callee.endswith((".children", ".leaf_modules"))


def _flattened(target: cst.BaseExpression, iterated: cst.BaseExpression, context: Context) -> NodeFix | None:
    flatten = context.importing("mlx.utils.tree_flatten")
    if flatten is None or not isinstance(target, cst.Name) or _is_children(iterated, context):
        return None
    name, imports = flatten
    edits = [Replace(target, f"_, {target.value}"), Replace(iterated, f"{name}({context.text(iterated)})")]
    return NodeFix("Flatten the tree", [*imports, *edits], Applicability.UNSAFE)
