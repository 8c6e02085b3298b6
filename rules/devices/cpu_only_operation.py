from __future__ import annotations

from typing import Literal

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Rule, Severity, Skipped, raises, shown

from .._shared import with_keyword

_NAMES = frozenset(
    """
    inv tri_inv pinv cholesky cholesky_inv qr svd eig eigh eigvals eigvalsh lu lu_factor solve solve_triangular
    """.split()
)
_SETTING = frozenset({"mlx.core.set_default_device", "mlx.core.set_default_stream", "mlx.core.stream"})


class CpuOnlyOperation(Rule):
    """A decomposition that runs on the CPU alone is left to the default device

    ## What it does
    Finds `mx.linalg.inv`, `svd`, `qr`, `eigh`, `cholesky`, `solve` and the like without a `stream`, in files that set
    no device or stream.

    ## PyTorch and MLX
    PyTorch falls back or has a version for each device. In MLX these run on the CPU: with a GPU as the default
    device, as on every Mac, they raise `ValueError`, "not yet supported on the GPU". `stream=mx.cpu` runs the one
    operation there; memory is shared, nothing is copied.

    ## Example
    ```python
    import mlx.core as mx

    inverse = mx.linalg.inv(mx.eye(3) * 2)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    inverse = mx.linalg.inv(mx.eye(3) * 2, stream=mx.cpu)
    ```

    ## Fix safety
    Safe: on the CPU nothing changes, and on a GPU it raised.

    ## References
    - [Linear algebra](https://ml-explore.github.io/mlx/build/html/python/linalg.html)
    """

    code = "MLX610"
    kind = Kind.CRASH
    severity = Severity.WARNING
    fixable = Fixable.ALWAYS
    calls = _NAMES
    message = "`mx.linalg.{name}` runs on the CPU only, and raises where a GPU is the default: pass `stream=mx.cpu`"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node) or ""
        name = callee.removeprefix("mlx.core.linalg.")
        arguments = context.arguments(node)
        if name not in _NAMES or arguments.starred or "stream" in arguments.keywords or not node.args:
            return
        mx = context.alias("mlx.core")
        if mx is None or context.shared(_sets_device, context.tree):
            return
        fix = NodeFix("Run it on the CPU", [with_keyword(node, f"stream={mx}.cpu", context)], Applicability.SAFE)
        context.report(self, node, name=name, fix=fix, repro={"name": name} if name in _SHOWN else {})

    @staticmethod
    def repro(name: Literal["inv", "cholesky", "qr", "svd", "eigh", "pinv", "lu"] = "inv") -> Evidence:
        import mlx.core as mx

        function, a = getattr(mx.linalg, name), mx.eye(3) * 2
        if mx.default_device() == mx.Device(mx.cpu):
            raise Skipped("needs a GPU as the default device")
        hazard = raises(lambda: function(a), ValueError, text="GPU")
        mx.eval(function(a, stream=mx.cpu))
        return Evidence(hazard, shown(True, "with stream=mx.cpu it runs"))


_SHOWN = ("inv", "cholesky", "qr", "svd", "eigh", "pinv", "lu")


def _sets_device(tree: cst.CSTNode, context: Context) -> bool:
    """Whether a file chooses a device or a stream anywhere, and so may run all of it on the CPU."""
    return any(context.callee(call) in _SETTING for call in context.module.calls)
