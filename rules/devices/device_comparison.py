from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Instance, Sequence, constant
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, shown

from ._devices import device_called

_EQUALITIES = (cst.Equal, cst.NotEqual, cst.In, cst.NotIn, cst.Is, cst.IsNot)


class DeviceComparison(Rule):
    """A device of MLX is compared with a string

    ## What it does
    Finds `mx.default_device() == "gpu"`, `device.type == "cpu"`, `str(mx.default_device()) == "gpu"` and
    `mx.default_device() in ("gpu", "cpu")`.

    ## PyTorch and MLX
    `device.type == "cuda"` is usual in PyTorch. MLX's devices and device types never equal a string, and their text is
    `Device(gpu, 0)`: the comparison is always false. Compare with `mx.gpu`.

    ## Example
    ```python
    import mlx.core as mx

    on_gpu = mx.default_device() == "gpu"
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    on_gpu = mx.default_device() == mx.gpu
    ```

    ## Fix safety
    Unsafe: a condition that was always false begins to hold.

    ## References
    - [Devices and streams](https://ml-explore.github.io/mlx/build/html/python/devices_and_streams.html)
    """

    code = "MLX602"
    kind = Kind.SILENT
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    message = "`{device}` never equals a string: `{comparison}` is always {outcome}"

    def visit_Comparison(self, node: cst.Comparison, context: Context) -> None:
        if len(node.comparisons) != 1 or not isinstance(node.comparisons[0].operator, _EQUALITIES):
            return
        left, right, operator = node.left, node.comparisons[0].comparator, node.comparisons[0].operator
        for device, text in ((left, right), (right, left)):
            if not _names_devices(text, context):
                continue
            plain = _is_device(device, context)
            if plain or (_is_text(device, context) and isinstance(operator, (cst.Equal, cst.NotEqual))):
                outcome = "true" if isinstance(operator, (cst.NotEqual, cst.NotIn, cst.IsNot)) else "false"
                context.report(
                    self, node, device=context.brief(device), comparison=context.brief(node), outcome=outcome,
                    fix=_fix(text, context) if plain and isinstance(operator, (cst.Equal, cst.NotEqual)) else None,
                )  # fmt: skip
                return

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        device = mx.default_device()
        named = device in ("cpu", "gpu")
        hazard = shown(not named, f"mx.default_device() in ('cpu', 'gpu'): {named}")
        holds = device in (mx.cpu, mx.gpu)
        return Evidence(hazard, shown(holds, f"mx.default_device() in (mx.cpu, mx.gpu): {holds}"))


def _is_device(node: cst.BaseExpression, context: Context) -> bool:
    """Whether an expression is a device of MLX, or the type of one."""
    if isinstance(node, cst.Attribute) and node.attr.value == "type":
        return _is_device(node.value, context)
    value = context.value(node)
    if isinstance(value, Instance):
        return value.type == "mlx.core.Device"
    call = value.node if isinstance(node, cst.Name) else node
    return isinstance(call, cst.Call) and context.callee(call) in ("mlx.core.default_device", "mlx.core.Device")


def _is_text(node: cst.BaseExpression, context: Context) -> bool:
    made = isinstance(node, cst.Call) and context.callee(node) in ("builtins.str", "builtins.repr") and node.args
    return bool(made) and isinstance(node, cst.Call) and _is_device(node.args[0].value, context)


def _names_devices(node: cst.BaseExpression, context: Context) -> bool:
    value = context.value(node)
    if isinstance(value, Sequence) and value.items:
        return all(device_called(constant(item, str)) is not None for item in value.items)
    return device_called(constant(value, str)) is not None


def _fix(text: cst.BaseExpression, context: Context) -> NodeFix | None:
    core, device = context.alias("mlx.core"), device_called(constant(context.value(text), str))
    if core is None or device is None or not isinstance(text, cst.SimpleString):
        return None
    return NodeFix(f"Compare with `{core}.{device}`", [Replace(text, f"{core}.{device}")], Applicability.UNSAFE)
