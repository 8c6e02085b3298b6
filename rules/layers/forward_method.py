from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.model.code import ClassCode, FunctionCode
from mlxlint.model.values import Function
from mlxlint.rule import (
    Applicability,
    Confidence,
    Evidence,
    Fixable,
    Kind,
    NodeFix,
    Replace,
    Rule,
    Severity,
    raises,
    shown,
)


class ForwardMethod(Rule):
    """A module's computation stands in `forward`, which MLX never calls

    ## What it does
    Finds subclasses of `nn.Module` (or of a layer of `mlx.nn`) that define `forward` and neither define nor inherit
    from the project a `__call__`.

    ## PyTorch and MLX
    PyTorch's `Module.__call__` runs hooks and then `forward`. MLX has no such dispatch: an instance is called like any
    Python object, through its `__call__`. A subclass of `nn.Module` without one raises `TypeError: object is not
    callable`; a subclass of a layer silently runs the layer's own `__call__` instead of `forward`.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn


    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(2, 2)

        def forward(self, x):
            return self.fc(x)


    y = Net()(mx.ones((1, 2)))
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn


    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(2, 2)

        def __call__(self, x):
            return self.fc(x)


    y = Net()(mx.ones((1, 2)))
    ```

    ## Fix safety
    The fix renames the method and the calls `super().forward` inside it. It is unsafe because code elsewhere may call
    `forward` by name.

    ## References
    - [Quick start with neural networks](https://ml-explore.github.io/mlx/build/html/python/nn.html)
    """

    code = "MLX301"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.ALWAYS
    message = "MLX calls `__call__`: an instance of `{name}` is not callable, and its `forward` is never run by itself"
    overridden = "MLX calls `__call__`: `{name}` inherits that of `{base}`, and its `forward` is never run"

    def visit_ClassDef(self, node: cst.ClassDef, context: Context) -> None:
        code = context.class_of(node)
        if code is None or not isinstance(code.body.get("forward"), Function) or not code.is_mlx_module:
            return
        _, outside = code.ancestry()
        if (
            "?" in outside
            or "__call__" in code.body
            or code.method("__call__") is not None
            or _called_below(code, context)
        ):
            return
        forward = code.method("forward")
        if forward is None or not isinstance(forward.node, cst.FunctionDef) or _is_no_layer(forward.node):
            return
        base = next((n for n in outside if n.startswith("mlx.nn.") and n != "mlx.nn.Module"), None)
        called_by_name = any(_explicit_calls(forward, context)) or _is_called_elsewhere(forward, context)
        context.report(
            self, forward.node.name, template=self.overridden if base else None, fix=_renamed(forward.node),
            confidence=Confidence.POSSIBLE if called_by_name else None,
            name=code.name, base=(base or "").replace("mlx.nn.", "nn."), repro={"subclass_of_layer": base is not None},
        )  # fmt: skip

    @staticmethod
    def repro(subclass_of_layer: bool = False) -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        base = nn.ReLU if subclass_of_layer else nn.Module
        forward = type("Forward", (base,), {"forward": lambda self, x: x * 2})
        call = type("Call", (base,), {"__call__": lambda self, x: x * 2})
        x = mx.array([3.0])
        if subclass_of_layer:
            hazard = shown(forward()(x).item() == 3.0, "the layer's own __call__ ran instead of forward")
        else:
            hazard = raises(lambda: forward()(x), TypeError, text="not callable")
        return Evidence(hazard, shown(call()(x).item() == 6.0, "__call__ runs"))


def _is_no_layer(method: cst.FunctionDef) -> bool:
    """Whether annotations say that a method never returns, or begins with text: it is called by its name, if at all."""
    returned = None if method.returns is None else tree.dotted(method.returns.annotation)
    first = method.params.params[1].annotation if len(method.params.params) > 1 else None
    if (returned or "").rpartition(".")[2] in ("NoReturn", "Never"):
        return True
    return first is not None and tree.dotted(first.annotation) == "str"


def _called_below(code: ClassCode, context: Context) -> bool:
    """Whether a subclass in the same file brings the ``__call__``."""
    return any(code in c.ancestry()[0] and "__call__" in c.body for c in context.module.classes.values())


def _is_called_elsewhere(forward: FunctionCode, context: Context) -> bool:
    """Whether calls have shown what the method is given, of which none is one of its object or stands in this file."""
    is_shown = forward.shown is not None and forward.shown.number > 0 and not forward.shown.by_object
    here = (value for value in context.module.calls.values() if isinstance(value, Function))
    return is_shown and all(value.code is not forward for value in here)


def _explicit_calls(forward: FunctionCode, context: Context) -> Iterator[cst.Call]:
    """Calls of the method by its name, those through ``super()`` apart."""
    for call, value in context.module.calls.items():
        if isinstance(value, Function) and value.code is forward and isinstance(call.func, cst.Attribute):
            receiver = call.func.value
            if not (isinstance(receiver, cst.Call) and tree.dotted(receiver.func) == "super"):
                yield call


def _renamed(method: cst.FunctionDef) -> NodeFix | None:
    names = [method.name]
    for node in tree.walk(method.body):
        if isinstance(node, cst.Attribute) and node.attr.value == "forward" and isinstance(node.value, cst.Call):
            if tree.dotted(node.value.func) == "super":
                names.append(node.attr)
    return NodeFix("Rename to `__call__`", [Replace(name, "__call__") for name in names], Applicability.UNSAFE)
