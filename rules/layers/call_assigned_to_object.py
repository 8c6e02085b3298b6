from __future__ import annotations

import re

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import LIKELY, UNKNOWN, Class, Instance, Name
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, differs

_CLASS = re.compile(r"_*[A-Z]|.*(type|cls|[ck]lass)_?$")


class CallAssignedToObject(Rule):
    """`__call__` is assigned to an object, whose class is asked for it

    ## What it does
    Finds `layer.__call__ = function` where `layer` is an object, not a class.

    ## PyTorch and MLX
    In PyTorch `module.forward = function` replaces what a module does: its `__call__` looks `forward` up in the object.
    MLX's modules define `__call__` itself, and Python looks that up in the class alone: the assignment has no effect,
    and `layer(x)` computes what it did before. Replace the layer by a module that wraps it, or assign to the class.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    layer = nn.ReLU()
    layer.__call__ = lambda x: mx.maximum(x, 0.1)
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn


    class Above(nn.Module):
        def __call__(self, x):
            return mx.maximum(x, 0.1)


    layer = Above()
    ```

    ## References
    - [Module](https://ml-explore.github.io/mlx/build/html/python/nn/module.html)
    """

    code = "MLX339"
    kind = Kind.SILENT
    severity = Severity.ERROR
    message = "`{target}` is not what `{object}(…)` calls: Python looks in its class alone"
    targets = frozenset({cst.Attribute})

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        for target in node.targets:
            place = target.target
            if isinstance(place, cst.Attribute) and place.attr.value == "__call__" and _is_object(place.value, context):
                known = isinstance(context.value(place.value), Instance)
                context.report(
                    self, node, because=[place.value], confidence=None if known else LIKELY,
                    severity=None if known else Severity.WARNING, target=context.brief(place),
                    object=context.brief(place.value),
                )  # fmt: skip

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        class Above(nn.Module):  # type: ignore[misc]
            def __call__(self, x: mx.array) -> mx.array:
                return mx.maximum(x, 0.1)

        layer, x = nn.ReLU(), mx.zeros((1,))
        layer.__call__ = lambda x: mx.maximum(x, 0.1)
        return Evidence(differs(layer(x), [0.1]), agrees(Above()(x), [0.1]))


def _is_object(node: cst.BaseExpression, context: Context) -> bool:
    """Whether something is no class, as far as its value or its name tell."""
    value = context.value(node)
    if isinstance(value, (Class, Name)) or isinstance(node, cst.Call):
        return False
    name = node.attr.value if isinstance(node, cst.Attribute) else node.value if isinstance(node, cst.Name) else ""
    return isinstance(value, Instance) or (value is UNKNOWN and bool(name) and not _CLASS.match(name))
