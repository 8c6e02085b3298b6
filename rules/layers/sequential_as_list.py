from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Instance, constant
from mlxlint.rule import Applicability, Evidence, Fixable, Insert, Kind, NodeFix, Rule, Severity, raises, shown

from ._modules import iterations


class SequentialAsList(Rule):
    """`nn.Sequential` is indexed, iterated or measured like a list

    ## What it does
    Finds `net[i]`, `for layer in net` and `len(net)` where `net` is an `nn.Sequential`.

    ## PyTorch and MLX
    PyTorch's `Sequential` behaves like a list of its layers. MLX's is a module, and thus a dict with the one key
    `"layers"`: indexing raises `KeyError`, iterating gives the string `"layers"`, and the length is 1. The layers are
    in `net.layers`.

    ## Example
    ```python
    import mlx.nn as nn

    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    first = net[0]
    ```

    ## Use instead
    ```python
    import mlx.nn as nn

    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    first = net.layers[0]
    ```

    ## Fix safety
    Appending `.layers` is safe: without it the code raises, or sees one string.

    ## References
    - [Sequential](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.Sequential.html)
    """

    code = "MLX311"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.ALWAYS
    calls = frozenset({"len", "list", "enumerate", "reversed", "tuple"})
    message = '`{net}` is a dict with the key "layers", not a list of layers: {what}'

    def visit_Subscript(self, node: cst.Subscript, context: Context) -> None:
        value = context.value(node.value)
        if _is_sequential(value) and not _is_key(node, context):
            self._report(node.value, "indexing raises `KeyError`", context)

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
        if isinstance(node.func, cst.Name) and node.func.value in _READERS and len(node.args) == 1:
            given = node.args[0].value
            if (
                not node.args[0].star
                and _is_sequential(context.value(given))
                and context.callee(node) == f"builtins.{node.func.value}"
            ):
                self._report(given, "it has length 1", context)

    def _iterated(self, node: cst.For | cst.BaseComp, context: Context) -> None:
        for _, iterated in iterations(node):
            if _is_sequential(context.value(iterated)):
                self._report(iterated, "iterating gives that string", context)

    def _report(self, node: cst.BaseExpression, what: str, context: Context) -> None:
        fix = NodeFix("Take `.layers`", [Insert(node, ".layers", after=True)], Applicability.SAFE)
        context.report(self, node, because=[node], fix=fix, net=context.brief(node), what=what)

    @staticmethod
    def repro() -> Evidence:
        import mlx.nn as nn

        net = nn.Sequential(nn.ReLU(), nn.Tanh(), nn.SiLU())
        return Evidence(
            raises(lambda: net[0], KeyError), shown(len(net) == 1 and len(net.layers) == 3, "len(net.layers) is 3")
        )


_READERS = frozenset({"len", "list", "enumerate", "reversed", "tuple"})


def _is_sequential(value: object) -> bool:
    return isinstance(value, Instance) and value.type == "mlx.nn.Sequential" and value.code is None


def _is_key(node: cst.Subscript, context: Context) -> bool:
    index = node.slice[0].slice
    return isinstance(index, cst.Index) and constant(context.value(index.value), str) is not None
