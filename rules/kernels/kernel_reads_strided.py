from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import constant
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, agrees, differs

from ._custom import elementwise

_MAKERS = frozenset({"mlx.core.fast.metal_kernel", "mlx.core.fast.cuda_kernel"})


class KernelReadsStrided(Rule):
    """A custom kernel gets arrays as they lie in memory, and reads them as if they lay in order

    ## What it does
    Finds `ensure_row_contiguous=False` for kernels whose source uses neither strides nor `elem_to_loc`.

    ## PyTorch and MLX
    PyTorch code calls `contiguous()` before a kernel. MLX copies inputs that are not contiguous before it runs a
    kernel, unless it is told not to. Then a transposed or sliced array arrives with its strides, as `x_strides`,
    `x_shape` and `x_ndim`: a kernel that counts through it reads other elements.

    ## Example
    ```python
    import mlx.core as mx

    kernel = mx.fast.metal_kernel(
        name="doubled",
        input_names=["x"],
        output_names=["y"],
        source="uint i = thread_position_in_grid.x; y[i] = x[i] * 2;",
        ensure_row_contiguous=False,
    )
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    kernel = mx.fast.metal_kernel(
        name="doubled",
        input_names=["x"],
        output_names=["y"],
        source="uint i = thread_position_in_grid.x; y[i] = x[i] * 2;",
    )
    ```

    ## Fix safety
    Unsafe: where every input is known to be contiguous, the option saves a check.

    ## References
    - [Custom Metal kernels: using shape and strides](https://ml-explore.github.io/mlx/build/html/dev/custom_metal_kernels.html#using-shape-strides)
    """

    code = "MLX809"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.ALWAYS
    calls = frozenset({"metal_kernel", "cuda_kernel"})
    message = "the kernel's source knows no strides: without contiguous inputs it reads other elements"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        option = context.argument(node, 5, "ensure_row_contiguous") if context.callee(node) in _MAKERS else None
        if option is None or constant(context.value(option), bool) is not False:
            return
        source = constant(context.value(context.argument(node, 3, "source")), str)
        if source is not None and "stride" not in source and "elem_to_loc" not in source:
            fix = NodeFix("Let MLX make them contiguous", [Replace(option, "True")], Applicability.UNSAFE)
            context.report(self, option, fix=fix)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        x = mx.arange(6.0).reshape(2, 3).T
        strided = elementwise("y[i] = x[i];", ensure_row_contiguous=False)(x)
        ordered = elementwise("y[i] = x[i];")(x)
        return Evidence(differs(strided, x), agrees(ordered, x))
