from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.code import ClassCode
from mlxlint.model.values import CERTAIN, LIKELY
from mlxlint.rule import Evidence, Fixable, Kind, Rule, Severity, raises, shown
from mlxlint.rules._operations import produced_by

from ._constants import (
    arrays_in,
    hidden,
    is_formula,
    is_frozen,
    is_index_name,
    is_weight_name,
    made_by,
    severity_of_parameter,
)
from ._modules import Store, stored_on_self


class IntegerParameter(Rule):
    """An array of indices or a boolean mask is stored in a public attribute, and is thereby differentiated

    ## What it does
    Finds `self.name = …` in a module's `__init__` where the value is an integer or boolean array and no `freeze` names
    it. It is a warning in a file that trains, loads or saves parameters, and a note elsewhere.

    ## PyTorch and MLX
    In PyTorch such an array is a buffer or a plain attribute. In MLX every array in a public attribute is a trainable
    parameter: indexing with it inside `nn.value_and_grad` raises, strict loading asks the checkpoint for it, and a mask
    is turned to floating point by the optimizer. A leading underscore keeps it out of `parameters()`.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn


    class Bias(nn.Module):
        def __init__(self, size):
            super().__init__()
            self.table = mx.zeros((2 * size - 1,))
            self.index = mx.arange(size)[:, None] - mx.arange(size)[None] + size - 1

        def __call__(self, scores):
            return scores + self.table[self.index]
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn


    class Bias(nn.Module):
        def __init__(self, size):
            super().__init__()
            self.table = mx.zeros((2 * size - 1,))
            self._index = mx.arange(size)[:, None] - mx.arange(size)[None] + size - 1

        def __call__(self, scores):
            return scores + self.table[self._index]
    ```

    ## Fix safety
    The attribute gets an underscore. It is unsafe: a checkpoint, or code that is not seen, may know it by its name.

    ## References
    - [Parameters of a module](https://ml-explore.github.io/mlx/build/html/python/nn.html#parameters)
    """

    code = "MLX305"
    kind = Kind.CRASH
    severity = Severity.WARNING
    fixable = Fixable.ALWAYS
    message = "`{attribute}` is {what} in a public attribute: MLX treats it as a trainable parameter"
    targets = frozenset({cst.Attribute})

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        self._check(node, context)

    def visit_AnnAssign(self, node: cst.AnnAssign, context: Context) -> None:
        self._check(node, context)

    def _check(self, node: Store, context: Context) -> None:
        for name, owner in stored_on_self(node, context):
            array = arrays_in(context.value(node.value), optional=False)
            if array is None or name.startswith("_") or is_frozen(name, owner):
                continue
            if is_weight_name(name) and not produced_by(array, "full"):
                continue
            if produced_by(array, "zeros"):
                continue  # a place for what the checkpoint holds, as quantized weights and lookup tables are
            if (
                array.dtype is None
                and is_index_name(name)
                and node.value is not None
                and is_formula(made_by(node.value, context))
            ):
                self._report(node, name, "an array of indices", LIKELY, owner, context)
            elif array.dtype == "bool_":
                self._report(node, name, "a boolean array", CERTAIN, owner, context)
            elif array.dtype is not None and array.dtype.startswith(("int", "uint")):
                self._report(node, name, "an integer array", CERTAIN, owner, context)

    def _report(self, node: Store, name: str, what: str, confidence: int, owner: ClassCode, context: Context) -> None:
        because = [node.value] if node.value is not None else []
        context.report(
            self, node, because=because, confidence=confidence, severity=severity_of_parameter(context),
            attribute=f"self.{name}", what=what, fix=hidden(name, owner, context),
        )  # fmt: skip

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        def gradient(name: str) -> object:
            module = nn.Module()
            module.table = mx.zeros((3,))
            setattr(module, name, mx.arange(3))
            return nn.value_and_grad(
                module, lambda x: (module.table[module[name] if name in module else mx.arange(3)] * x).sum()
            )(mx.ones(3))[0]

        return Evidence(
            raises(lambda: gradient("index"), ValueError), shown(gradient("_index") is not None, "hidden: runs")
        )
