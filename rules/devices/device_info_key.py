from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import walk
from mlxlint.model.values import Name, Value, constant
from mlxlint.rule import Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, raises, shown

from ..kernels._flow import last_bound

_INFO = frozenset({"mlx.core.device_info", "mlx.core.metal.device_info"})
_EVERYWHERE = frozenset({"device_name", "architecture"})


class DeviceInfoKey(Rule):
    """A key of `mx.device_info()` is taken for granted

    ## What it does
    Finds `mx.device_info()["memory_size"]` and other keys that not every device has, where nothing asks for Metal or
    whether the key is there.

    ## PyTorch and MLX
    `torch.cuda.get_device_properties` has one set of attributes. What `mx.device_info()` knows depends on the device:
    Metal tells `memory_size` and `max_recommended_working_set_size`, CUDA `total_memory`, the CPU neither, which
    raises `KeyError`.

    ## Example
    ```python
    import mlx.core as mx

    limit = mx.device_info()["max_recommended_working_set_size"]
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    limit = mx.device_info().get("max_recommended_working_set_size")
    ```

    ## Fix safety
    Safe: where the key is there the result is the same; else it is `None`.

    ## References
    - [device_info](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.device_info.html)
    """

    code = "MLX611"
    kind = Kind.CRASH
    severity = Severity.INFO
    fixable = Fixable.ALWAYS
    message = "not every device tells its `{key}`: without Metal this raises `KeyError`"

    def visit_Subscript(self, node: cst.Subscript, context: Context) -> None:
        index = node.slice[0].slice
        if not isinstance(index, cst.Index) or not isinstance(node.value, (cst.Call, cst.Name)):
            return
        if not context.shared(_asks_for_devices, context.tree):
            return
        made = last_bound(node.value, context) if isinstance(node.value, cst.Name) else node.value
        if not isinstance(made, cst.Call) or context.callee(made) not in _INFO:
            return
        key = constant(context.value(index.value), str)
        if key is None or key in _EVERYWHERE or _is_guarded(node, key, context):
            return
        text = f"{context.text(node.value)}.get({context.text(index.value)})"
        context.report(self, node, key=key, fix=NodeFix("Ask for it", [Replace(node, text)]), repro={"key": key})

    @staticmethod
    def repro(key: str = "max_recommended_working_set_size") -> Evidence:
        import mlx.core as mx

        info = mx.device_info(mx.Device(mx.cpu))
        return Evidence(
            raises(lambda: info[key], KeyError), shown(info.get(key) is None, f"the CPU tells {sorted(info)}")
        )


def _asks_for_devices(module: cst.CSTNode, context: Context) -> bool:
    return any(context.callee(call) in _INFO for call in context.module.calls)


def _is_guarded(node: cst.CSTNode, key: str, context: Context) -> bool:
    """Whether a place is reached on some devices only, or its errors are handled."""
    for ancestor in context.ancestors(node):
        if isinstance(ancestor, cst.Try):
            return True
        if isinstance(ancestor, (cst.If, cst.IfExp)):
            words = {part.value for part in walk(ancestor.test) if isinstance(part, cst.Name)}
            attributes = {part.attr.value for part in walk(ancestor.test) if isinstance(part, cst.Attribute)}
            has_key = any(isinstance(part, cst.In) for part in walk(ancestor.test))
            if has_key or any("metal" in word.lower() or word == "is_available" for word in words | attributes):
                return True
    code = context.enclosing_function(node)
    scope = context.tree if code is None else code.node.body
    return any(_asks(call, called, key) for call, called, _ in context.calls(scope))


def _asks(call: cst.Call, called: Value, key: str) -> bool:
    """Whether a call asks for Metal, or for a key that may be missing."""
    if isinstance(called, Name) and called.name.endswith("metal.is_available"):
        return True
    gets = isinstance(call.func, cst.Attribute) and call.func.attr.value == "get" and bool(call.args)
    wanted = call.args[0].value if gets else None
    return isinstance(wanted, (cst.SimpleString, cst.ConcatenatedString)) and wanted.evaluated_value == key
