from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Array, Sequence
from mlxlint.rule import Evidence, Kind, Rule, Severity, raises, shown

_IMPORTED = "mlx.core.imported_function"


class ImportedFunctionResult(Rule):
    """The result of an imported function is used as an array, and is a tuple

    ## What it does
    Finds attributes and arithmetic of what a function from `mx.import_function` returns.

    ## PyTorch and MLX
    A program of `torch.export` returns what the function returned. A function that `mx.import_function` reads always
    returns a tuple, also of a single array.

    ## Example
    ```python
    import mlx.core as mx

    forward = mx.import_function("model.mlxfn")
    y = forward(mx.ones((1, 2)))
    print(y.shape)
    ```

    ## Use instead
    ```python
    import mlx.core as mx


    def forward(x, path="model.mlxfn"):
        (y,) = mx.import_function(path)(x)
        return y
    ```

    ## References
    - [Exporting functions](https://ml-explore.github.io/mlx/build/html/usage/export.html)
    """

    code = "MLX530"
    kind = Kind.CRASH
    severity = Severity.ERROR
    message = "`{result}` is a tuple: take the array out of it"
    attributes = frozenset({"Sequence.*"})

    def visit_Attribute(self, node: cst.Attribute, context: Context) -> None:
        if not hasattr(tuple, node.attr.value):
            self._check(node.value, context)

    def visit_BinaryOperation(self, node: cst.BinaryOperation, context: Context) -> None:
        for side in (node.left, node.right):
            self._check(side, context)

    def _check(self, node: cst.BaseExpression, context: Context) -> None:
        value = context.value(node)
        if not isinstance(value, Sequence) or value.kind != "tuple":
            return
        element = value.joined()
        if isinstance(element, Array) and element.op == _IMPORTED:
            context.report(self, node, because=[node], result=context.brief(node))

    @staticmethod
    def repro() -> Evidence:
        import os
        import tempfile

        import mlx.core as mx

        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "double.mlxfn")
            mx.export_function(path, lambda x: x * 2, mx.ones((2,)))
            result = mx.import_function(path)(mx.ones((2,)))
        hazard = raises(lambda: result.shape, AttributeError)
        return Evidence(hazard, shown(result[0].tolist() == [2.0, 2.0], f"its first element is {result[0].tolist()}"))
