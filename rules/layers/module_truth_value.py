from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import LIKELY, UNKNOWN, Const, Instance, Value, members
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, shown

# Layers that hold no array: `bool(layer)` is False.
_FALSE = frozenset(
    "mlx.nn." + name
    for name in """ALiBi CELU Dropout Dropout2d Dropout3d ELU GELU GLU HardShrink HardTanh Hardswish
    Identity LeakyReLU LogSigmoid LogSoftmax Mish ReLU ReLU2 ReLU6 SELU SiLU Sigmoid Softmax
    Softmin Softplus Softshrink Softsign Step Tanh Upsample""".split()
)


class ModuleTruthValue(Rule):
    """The truth value of a module is asked, which is False for layers without parameters

    ## What it does
    Finds `if layer:`, `not layer`, `layer or other` and their like where the value is, or may be, an activation,
    dropout, upsampling layer or `nn.Identity`.

    ## PyTorch and MLX
    A PyTorch module is always true, so `if self.act:` means "if it is not None". An MLX module is a dict of its arrays
    and submodules, and an empty dict is false: the activation is silently skipped, or replaced by the default. Compare
    with `None`.

    ## Example
    ```python
    import mlx.nn as nn


    class Block(nn.Module):
        def __init__(self, dims, activate=True):
            super().__init__()
            self.fc = nn.Linear(dims, dims)
            self.act = nn.ReLU() if activate else None

        def __call__(self, x):
            x = self.fc(x)
            return self.act(x) if self.act else x
    ```

    ## Use instead
    ```python
    import mlx.nn as nn


    class Block(nn.Module):
        def __init__(self, dims, activate=True):
            super().__init__()
            self.fc = nn.Linear(dims, dims)
            self.act = nn.ReLU() if activate else None

        def __call__(self, x):
            x = self.fc(x)
            return self.act(x) if self.act is not None else x
    ```

    ## Fix safety
    The fix compares with `None`, which is what the test means in PyTorch; it changes what the program does, and is
    unsafe.

    ## References
    - [Module](https://ml-explore.github.io/mlx/build/html/python/nn/module.html)
    """

    code = "MLX309"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.SOMETIMES
    default = "a layer without arrays is false: `{tested}` is replaced by `{layer}()` where it is an activation too"
    message = "`{tested}` may be an `{layer}`, which holds no array and is false: compare with `None`"

    def visit_If(self, node: cst.If, context: Context) -> None:
        self._check(node.test, context)

    def visit_IfExp(self, node: cst.IfExp, context: Context) -> None:
        self._check(node.test, context)

    def visit_While(self, node: cst.While, context: Context) -> None:
        self._check(node.test, context)

    def visit_BooleanOperation(self, node: cst.BooleanOperation, context: Context) -> None:
        self._check(node.left, context, node)
        if isinstance(node.operator, cst.Or) and isinstance(node.right, cst.Call):
            self._check_default(node, context)

    def _check_default(self, node: cst.BooleanOperation, context: Context) -> None:
        """``act or nn.ReLU()``, where ``act`` is a parameter that may be any layer."""
        default, given = context.value(node.right), context.alternatives(node.left)
        is_parameter = isinstance(node.left, cst.Name) and all(_may_be_any_layer(value) for value in given)
        if is_parameter and isinstance(default, Instance) and default.code is None and default.type in _FALSE:
            fix = NodeFix(
                "Compare with `None`", [Replace(node, _if_given(node, context))], Applicability.UNSAFE,
            )  # fmt: skip
            context.report(
                self, node.left, template=self.default, confidence=LIKELY, fix=fix, tested=context.brief(node.left),
                layer=default.type.replace("mlx.nn.", "nn."),
            )  # fmt: skip

    def visit_UnaryOperation(self, node: cst.UnaryOperation, context: Context) -> None:
        if isinstance(node.operator, cst.Not):
            self._check(node.expression, context, node)

    def _check(self, tested: cst.BaseExpression, context: Context, whole: cst.BaseExpression | None = None) -> None:
        layer = _false_layer(tested, context)
        if layer is None:
            return
        fix = None
        if not (isinstance(whole, cst.BooleanOperation) and isinstance(whole.operator, cst.Or)):
            negated = isinstance(whole, cst.UnaryOperation)
            text = f"{context.text(tested)} is {'' if negated else 'not '}None"
            replaced = whole if negated and whole is not None else tested
            fix = NodeFix(
                "Compare with `None`",
                [Replace(replaced, f"({text})" if whole is not None else text)],
                Applicability.UNSAFE,
            )
        name = layer.rpartition(".")[2]
        context.report(self, tested, because=[tested], fix=fix, tested=context.brief(tested), layer=f"nn.{name}")

    @staticmethod
    def repro() -> Evidence:
        import mlx.nn as nn

        act = nn.ReLU()
        return Evidence(shown(not act, "bool(nn.ReLU()) is False"), shown(act is not None, "`is not None` is True"))


def _may_be_any_layer(value: Value) -> bool:
    """Whether nothing more is known of a value than that it is ``None`` or some module."""
    return all(
        member is UNKNOWN
        or (isinstance(member, Const) and member.value is None)
        or (isinstance(member, Instance) and member.type == "mlx.nn.Module" and member.code is None)
        for member in members(value)
    )


def _if_given(node: cst.BooleanOperation, context: Context) -> str:
    given = context.text(node.left)
    return f"({given} if {given} is not None else {context.text(node.right)})"


def _false_layer(node: cst.BaseExpression, context: Context) -> str | None:
    if not isinstance(node, (cst.Name, cst.Attribute)):
        return None
    found = members(context.value(node))
    return next((m.type for m in found if isinstance(m, Instance) and m.code is None and m.type in _FALSE), None)
