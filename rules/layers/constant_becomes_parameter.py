from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import CERTAIN, LIKELY, UNKNOWN, Array, Const, Scalar
from mlxlint.rule import Evidence, Fixable, Kind, Rule, Severity, shown

from ._constants import (
    arrays_in,
    hidden,
    is_formula,
    is_frozen,
    is_index_name,
    is_table_name,
    is_weight_name,
    made_by,
    severity_of_parameter,
)
from ._modules import Store, stored_on_self


class ConstantBecomesParameter(Rule):
    """A fixed table is stored in a public attribute, and is thereby trained

    ## What it does
    Finds `self.name = …` in a module's `__init__` where the value is an array that follows a formula (a causal mask, a
    sinusoid or noise schedule table, a scale computed from other numbers), or a list or dict of such arrays, and no
    `freeze` names it. It is a warning in a file that trains, loads or saves parameters, and a note elsewhere.

    ## PyTorch and MLX
    PyTorch tells parameters (`nn.Parameter`), buffers (`register_buffer`) and plain attributes apart. In MLX every
    array in a public attribute is a parameter, in lists and dicts too: the optimizer changes it, weight decay shrinks
    it, `load_weights` asks for it and `save_weights` writes it. Nothing raises. A leading underscore keeps an array out
    of `parameters()`; `freeze(keys=[…])` keeps it saved but untrained.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn


    class Attention(nn.Module):
        def __init__(self, size):
            super().__init__()
            self.causal = mx.tril(mx.ones((size, size)))
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn


    class Attention(nn.Module):
        def __init__(self, size):
            super().__init__()
            self._causal = mx.tril(mx.ones((size, size)))
    ```

    ## Fix safety
    The fix puts an underscore before the name, wherever the class uses it. It is unsafe: the array may be meant to
    be saved or trained, and other files may use its name. There is none where this file uses it outside the class.

    ## References
    - [Parameters of a module](https://ml-explore.github.io/mlx/build/html/python/nn.html#parameters)
    """

    code = "MLX304"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.SOMETIMES
    message = "`{attribute}` is a fixed array in a public attribute: MLX trains, saves and loads it as a parameter"
    targets = frozenset({cst.Attribute})

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        self._check(node, context)

    def visit_AnnAssign(self, node: cst.AnnAssign, context: Context) -> None:
        self._check(node, context)

    def _check(self, node: Store, context: Context) -> None:
        for name, owner in stored_on_self(node, context):
            if name.startswith("_") or node.value is None:
                continue
            array = arrays_in(context.value(node.value))
            if array is None or array.dtype in _INTEGERS or is_index_name(name) or is_frozen(name, owner):
                continue
            surety = _surety(name, node.value, array, context)
            if surety is not None:
                context.report(
                    self, node, because=[node.value], confidence=surety, severity=severity_of_parameter(context),
                    attribute=f"self.{name}", fix=hidden(name, owner, context),
                )  # fmt: skip

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        public, hidden = nn.Module(), nn.Module()
        public.mask = mx.tril(mx.ones((2, 2)))
        hidden._mask = mx.tril(mx.ones((2, 2)))
        return Evidence(
            shown("mask" in public.trainable_parameters(), "the table is in trainable_parameters()"),
            shown(hidden.trainable_parameters() == {}, "an underscore keeps it out"),
        )


_INTEGERS = frozenset("bool_ int8 int16 int32 int64 uint8 uint16 uint32 uint64".split())


def _surety(name: str, node: cst.BaseExpression, array: Array, context: Context) -> int | None:
    """How surely an array is a constant; None when it may well be a weight."""
    names = made_by(node, context)
    if is_formula(names):
        if is_weight_name(name):  # a formula is also how some weights start
            return LIKELY if name.startswith("pos") else None
        return CERTAIN
    if is_weight_name(name):
        return None
    plain = {n for n in names if n.startswith("mlx.core.")} <= {"mlx.core.array"}
    if is_table_name(name) and "mlx.core.array" in names and plain and array.rank != 0:
        return LIKELY
    return LIKELY if _is_computed_scalar(node, context) else None


def _is_computed_scalar(node: cst.BaseExpression, context: Context) -> bool:
    """``mx.array(alpha / rank)``: a number that other settings determine."""
    if not (isinstance(node, cst.Call) and context.callee(node) == "mlx.core.array" and node.args):
        return False
    data = node.args[0].value
    if not (isinstance(data, cst.BinaryOperation) and isinstance(data.operator, (cst.Divide, cst.Power))):
        return False
    return any(_is_setting(side, context) for side in (data.left, data.right))


def _is_setting(node: cst.BaseExpression, context: Context) -> bool:
    value = context.value(node)
    named = isinstance(node, (cst.Name, cst.Attribute)) and isinstance(value, Const)  # an argument's default
    return value is UNKNOWN or isinstance(value, Scalar) or named
