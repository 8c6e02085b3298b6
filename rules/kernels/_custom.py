"""Custom kernels for whatever GPU is there, for reproductions."""

from __future__ import annotations

from typing import Any

from mlxlint.rule import Skipped

_METAL = "uint i = thread_position_in_grid.x;"
_CUDA = "auto i = cooperative_groups::this_grid().thread_rank();"


def elementwise(statement: str, **options: bool) -> Any:
    """A function of one array made of a kernel that runs a statement on ``x`` and ``y`` for each element ``i``.

    Raises:
        Skipped: when there is neither Metal nor CUDA.
    """
    import mlx.core as mx

    if mx.metal.is_available():
        make, head = mx.fast.metal_kernel, _METAL
    elif mx.cuda.is_available():
        make, head = mx.fast.cuda_kernel, _CUDA
    else:
        raise Skipped("needs Metal or CUDA")
    kernel = make(name="elementwise", input_names=["x"], output_names=["y"], source=f"{head}\n{statement}", **options)

    def run(x: Any) -> Any:
        (y,) = kernel(
            inputs=[x], grid=(x.size, 1, 1), threadgroup=(1, 1, 1), output_shapes=[x.shape], output_dtypes=[x.dtype]
        )
        return y

    return run
