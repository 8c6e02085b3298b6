from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.model.values import LIKELY
from mlxlint.rule import Evidence, Kind, Rule, Severity, raises, shown

from .._operations import bare
from ..layers._layouts import axes_of

_TURNS = frozenset({"transpose", "moveaxis", "swapaxes"})


class TurnedOnEveryLoad(Rule):
    """`sanitize` turns the weights of a convolution that may have been turned already

    ## What it does
    Finds methods `sanitize` of MLX modules that keep a transposed weight under the name it had, where nothing in the
    method asks for a shape, other branches apart.

    ## PyTorch and MLX
    `sanitize` runs at every load, on PyTorch's checkpoints and on those that were converted and saved with MLX's
    layout. A transposition without a condition turns the latter a second time: loading raises, or, where the sizes
    agree, the layer computes something else.

    ## Example
    ```python
    import mlx.nn as nn


    class Vision(nn.Module):
        def sanitize(self, weights):
            sanitized = {}
            for k, v in weights.items():
                if "patch_embedding.weight" in k:
                    sanitized[k] = v.transpose(0, 2, 3, 1)
                else:
                    sanitized[k] = v
            return sanitized
    ```

    ## Use instead
    ```python
    import mlx.nn as nn


    class Vision(nn.Module):
        def sanitize(self, weights):
            sanitized = {}
            for k, v in weights.items():
                if "patch_embedding.weight" in k and v.shape[-1] != 3:
                    sanitized[k] = v.transpose(0, 2, 3, 1)
                else:
                    sanitized[k] = v
            return sanitized
    ```

    ## References
    - [Conv2d](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.Conv2d.html)
    """

    code = "MLX913"
    kind = Kind.CRASH
    severity = Severity.WARNING
    message = "`{weight}` is turned at every load, also when the checkpoint has MLX's layout already"
    functions = frozenset({"sanitize"})

    def visit_FunctionDef(self, node: cst.FunctionDef, context: Context) -> None:
        code = context.module.functions.get(node)
        if code is None or code.owner is None or not code.owner.is_mlx_module or _returns_early(node.body):
            return
        asking = [_branches(part, context) for part in tree.walk(node.body) if _asks(part)]
        for part in tree.walk(node.body):
            if isinstance(part, cst.For):
                self._check_loop(part, asking, context)
            elif isinstance(part, cst.DictComp):
                self._check_comprehension(part, asking, context)

    def _check_loop(self, loop: cst.For, asking: list[set[int]], context: Context) -> None:
        names = _pair(loop.target, context)
        if names is None:
            return
        key, weight = names
        assigned = [part for part in tree.walk(loop.body) if isinstance(part, cst.Assign)]
        if any(bare(part.targets[0].target, context) == key for part in assigned):
            return  # under another name: it is not found under that one a second time
        if any(_is_store_by_name(part.targets[0].target, key) for part in assigned):
            return  # the same, with a name of its own
        stores = [part for part in assigned if _is_store(part.targets[0].target, key, context)]
        stored = any(bare(part.value, context) == weight for part in stores)
        for node in assigned:
            target = node.targets[0].target
            again = stored and isinstance(target, cst.Name) and target.value == weight
            if not (again or node in stores) or not _is_turn_of(node.value, weight, context):
                continue
            if not _is_asked(node, asking, context):
                context.report(self, node, confidence=LIKELY, weight=context.brief(target))

    def _check_comprehension(self, node: cst.DictComp, asking: list[set[int]], context: Context) -> None:
        names = _pair(node.for_in.target, context)
        if names is None or bare(node.key, context) != names[0]:
            return
        for part in tree.walk(node.value):
            turned = isinstance(part, cst.Call) and _is_turn_of(part, names[1], context)
            if turned and not _is_asked(part, asking, context):
                context.report(self, part, confidence=LIKELY, weight=names[1])

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        conv, converted = nn.Conv2d(3, 8, 4, bias=False), mx.zeros((8, 4, 4, 3))
        hazard = raises(lambda: conv.load_weights([("weight", converted.transpose(0, 2, 3, 1))]), ValueError)
        conv.load_weights([("weight", converted)])
        return Evidence(hazard, shown(conv.weight.shape == (8, 4, 4, 3), "left as it is, it is loaded"))


def _asks(part: cst.CSTNode) -> bool:
    """Whether something asks for a shape, by itself or by a helper."""
    if isinstance(part, cst.Attribute):
        return part.attr.value == "shape"
    if not isinstance(part, cst.Call):
        return False
    name = (tree.dotted(part.func) or "").rpartition(".")[2]
    return "shape" in name or name.startswith(("is_", "_is_", "check", "_check", "any"))


def _returns_early(body: cst.CSTNode) -> bool:
    return len([part for part in tree.walk(body) if isinstance(part, cst.Return)]) > 1


def _is_asked(turn: cst.CSTNode, asking: list[set[int]], context: Context) -> bool:
    """Whether a shape is asked for before or around a turn, and not in another branch."""
    around = _branches(turn, context)
    return any(branches <= around for branches in asking)


def _branches(node: cst.CSTNode, context: Context) -> set[int]:
    """The branches of ``if`` statements that a node stands in."""
    found, child = set(), node
    for ancestor in context.ancestors(node):
        if isinstance(ancestor, cst.If) and child is not ancestor.test:
            found.add(id(child))
        child = ancestor
    return found


def _pair(target: cst.BaseAssignTargetExpression, context: Context) -> tuple[str, str] | None:
    """The names of key and weight in a loop over items."""
    if not isinstance(target, cst.Tuple) or len(target.elements) != 2:
        return None
    key, weight = (bare(element.value, context) for element in target.elements)
    return key, weight


def _is_store(target: cst.BaseExpression, key: str, context: Context) -> bool:
    return isinstance(target, cst.Subscript) and bare(target.slice[0], context) == key


def _is_store_by_name(target: cst.BaseExpression, key: str) -> bool:
    """Whether something is stored under a name other than the key."""
    index = target.slice[0].slice if isinstance(target, cst.Subscript) else None
    return isinstance(index, cst.Index) and isinstance(index.value, cst.Name) and index.value.value != key


def _is_turn_of(node: cst.BaseExpression, weight: str, context: Context) -> bool:
    """Whether an expression is the weight with its channels moved to the end or back, by method or function."""
    if not isinstance(node, cst.Call) or not isinstance(node.func, cst.Attribute) or node.func.attr.value not in _TURNS:
        return False
    function = context.callee(node) == f"mlx.core.{node.func.attr.value}"
    subject = node.args[0].value if function and node.args else node.func.value
    if bare(subject, context) != weight:
        return False
    given = node.args[1:] if function else node.args
    axes = tuple(axis for arg in given for axis in axes_of(context.value(arg.value)) or ())
    return axes in ((0, 2, 3, 1), (0, 2, 1), (0, 2, 3, 4, 1), (1, 2, 3, 0), (1, 2, 0), (1, -1), (1, 2), (2, 1))
