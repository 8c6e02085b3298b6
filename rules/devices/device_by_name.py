from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import explain
from mlxlint.model.values import Instance, Value, constant
from mlxlint.rule import Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, raises, shown

from ._devices import device_called

_TAKES = frozenset(
    {f"mlx.core.{name}" for name in "set_default_device Device stream default_stream new_stream synchronize".split()}
    | {"mlx.core.is_available", "mlx.core.device_info", "mlx.core.StreamContext"}
)


class DeviceByName(Rule):
    """A device or stream of MLX is given by a string

    ## What it does
    Finds `mx.set_default_device("gpu")`, `mx.Device("cpu")`, `mx.stream("gpu")`, `stream="cpu"` in any function of MLX,
    and `torch.device` objects in their place.

    ## PyTorch and MLX
    PyTorch has strings such as `"cuda:0"` and `torch.device`. MLX's devices are the values `mx.cpu` and `mx.gpu` (CUDA
    and Metal alike), and a string raises `TypeError: incompatible function arguments`.

    ## Example
    ```python
    import mlx.core as mx

    mx.set_default_device("cpu")
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    mx.set_default_device(mx.cpu)
    ```

    ## Fix safety
    Safe: `"cuda"`, `"mps"` and `"gpu"` are `mx.gpu`.

    ## References
    - [Devices and streams](https://ml-explore.github.io/mlx/build/html/python/devices_and_streams.html)
    """

    code = "MLX601"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    message = "`{function}` takes `mx.cpu`, `mx.gpu` or a stream, and `{given}` is {kind_}"
    calls = frozenset({"mlx.*"})

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if not node.args:
            return
        callee = context.callee(node)
        if callee is None or not callee.startswith("mlx."):
            return
        for n, arg in enumerate(node.args):
            keyword = arg.keyword.value if arg.keyword is not None else None
            if keyword == "stream" or (callee in _TAKES and n == 0 and not arg.star):
                self._check(callee, arg.value, context)

    def _check(self, callee: str, node: cst.BaseExpression, context: Context) -> None:
        value = context.value(node)
        device = device_called(constant(value, str))
        if device is None and not _is_torch(value):
            return
        core = context.alias("mlx.core")
        text = isinstance(node, (cst.SimpleString, cst.ConcatenatedString))
        fix = None
        if core is not None and device is not None and text:
            fix = NodeFix(f"Use `{core}.{device}`", [Replace(node, f"{core}.{device}")])
        context.report(
            self, node, because=[node], function=explain.short(callee), given=context.brief(node),
            kind_="a string" if device else "PyTorch's", fix=fix,
        )  # fmt: skip

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        hazard = raises(lambda: mx.add(1, 2, stream="cpu"), TypeError)
        return Evidence(hazard, shown(mx.add(1, 2, stream=mx.cpu).item() == 3, "stream=mx.cpu: 3"))


def _is_torch(value: Value) -> bool:
    return isinstance(value, Instance) and value.type in ("torch.device", "torch.cuda.Stream")
