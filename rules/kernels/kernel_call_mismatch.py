from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Instance, Sequence, Value
from mlxlint.rule import Evidence, Kind, Rule, Severity, raises, shown

_KERNEL = "mlx.core.fast.kernel"
_NEEDED = ("inputs", "output_shapes", "output_dtypes", "grid", "threadgroup")


class KernelCallMismatch(Rule):
    """A custom kernel is called with another number of arrays than it was made for

    ## What it does
    Finds calls of what `mx.fast.metal_kernel` and `mx.fast.cuda_kernel` return with another number of `inputs`,
    `output_shapes` or `output_dtypes` than there are names, or without the name of an argument that a call needs.

    ## PyTorch and MLX
    A kernel that PyTorch loads has a signature that C++ checks. In MLX the names are given where the kernel is made,
    and the arrays, shapes and dtypes in each call: they must be as many.

    ## Example
    ```python
    import mlx.core as mx

    kernel = mx.fast.metal_kernel(
        name="doubled", input_names=["x"], output_names=["y"], source="y[thread_position_in_grid.x] = x[0] * 2;"
    )
    x = mx.ones((4,))
    (y,) = kernel(
        inputs=[x, 2.0], grid=(4, 1, 1), threadgroup=(4, 1, 1), output_shapes=[x.shape], output_dtypes=[x.dtype]
    )
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    kernel = mx.fast.metal_kernel(
        name="scaled", input_names=["x", "by"], output_names=["y"], source="y[thread_position_in_grid.x] = x[0] * by;"
    )
    x = mx.ones((4,))


    def scaled(x):
        return kernel(
            inputs=[x, 2.0], grid=(4, 1, 1), threadgroup=(4, 1, 1), output_shapes=[x.shape], output_dtypes=[x.dtype]
        )[0]
    ```

    ## References
    - [Custom Metal kernels](https://ml-explore.github.io/mlx/build/html/dev/custom_metal_kernels.html)
    """

    code = "MLX808"
    kind = Kind.CRASH
    severity = Severity.ERROR
    calls = frozenset({"__call__"})
    message = "{problem}"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        called = context.called(node)
        if not isinstance(called, Instance) or called.type != _KERNEL or context.arguments(node).starred:
            return
        counts = {"inputs": _length(_stated(called, 1, "input_names"))}
        counts["output_shapes"] = counts["output_dtypes"] = _length(_stated(called, 2, "output_names"))
        missing = [name for name in _NEEDED if context.argument(node, None, name) is None]
        if missing:
            context.report(self, node, problem=f"a kernel's call needs `{missing[0]}`, by name")
            return
        for name, count in counts.items():
            given = context.argument(node, None, name)
            length = _length(context.value(given))
            if given is not None and None not in (count, length) and count != length:
                problem = f"the kernel was made with {count} names for `{name}`, and gets {length}"
                context.report(self, given, problem=problem)
                return

    @staticmethod
    def repro(inputs: int = 2) -> Evidence:
        import mlx.core as mx

        kernel = mx.fast.metal_kernel(name="same", input_names=["x"], output_names=["y"], source="y[0] = x[0];")
        x = mx.ones((1,))

        def call(count: int) -> object:
            return kernel(
                inputs=[x] * count, grid=(1, 1, 1), threadgroup=(1, 1, 1), output_shapes=[(1,)], output_dtypes=[x.dtype]
            )

        hazard = raises(lambda: call(inputs), ValueError, text="inputs")
        other = raises(lambda: call(1), ValueError, text="inputs")
        return Evidence(hazard, shown(not other.holds, f"with one array for one name: {other.text[:80]}"))


def _stated(kernel: Instance, place: int, name: str) -> Value | None:
    return kernel.keywords.get(name) or (kernel.args[place] if place < len(kernel.args) else None)


def _length(value: Value | None) -> int | None:
    """How long a list is, where that is known."""
    return len(value.items) if isinstance(value, Sequence) and value.items is not None else None
