from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import api
from mlxlint.model.values import Instance, Name
from mlxlint.rule import Evidence, Kind, Rule, Severity, raises, shown

_OBJECTS = frozenset({"mlx.core.Stream", "mlx.core.Device", "mlx.core.distributed.Group"})
_INSTEAD = {
    "synchronize": ": it is `mx.synchronize(stream)`",
    "wait_stream": ": MLX orders operations by what they depend on",
    "wait_event": ": MLX orders operations by what they depend on",
    "index": ": devices are told apart by `type`",
}


class UnknownObjectMember(Rule):
    """A member that MLX's streams, devices and process groups do not have

    ## What it does
    Finds members of what `mx.new_stream`, `mx.default_stream`, `mx.default_device` and `mx.distributed.init` return
    that MLX does not have: `stream.synchronize()`, `stream.wait_stream(...)`, `device.index`, ...

    ## PyTorch and MLX
    A CUDA stream of PyTorch has `synchronize`, `wait_stream` and events. A stream of MLX has its device, and nothing
    else: what depends on another operation waits for it, and `mx.synchronize(stream)` waits for a stream.

    ## Example
    ```python
    import mlx.core as mx

    stream = mx.new_stream(mx.cpu)
    stream.synchronize()
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    stream = mx.new_stream(mx.cpu)
    mx.synchronize(stream)
    ```

    ## References
    - [Devices and streams](https://ml-explore.github.io/mlx/build/html/python/devices_and_streams.html)
    """

    code = "MLX612"
    kind = Kind.CRASH
    severity = Severity.ERROR
    message = "`{object}` has no `{member}`{instead}"
    attributes = frozenset({"Instance.*"})

    def visit_Attribute(self, node: cst.Attribute, context: Context) -> None:
        value = context.value(node)
        receiver = value.receiver if isinstance(value, Name) else None
        if not isinstance(receiver, Instance) or receiver.type not in _OBJECTS:
            return
        member = node.attr.value
        known = api.members(receiver.type, context.target_mlx.newest)
        if member in known or hasattr(object, member) or not known:
            return
        kind = receiver.type.rpartition(".")[2]
        context.report(
            self, node, because=[node.value], object=kind, member=member, instead=_INSTEAD.get(member, ""),
            repro={"member": member} if kind == "Stream" else {},
        )  # fmt: skip

    @staticmethod
    def repro(member: str = "synchronize") -> Evidence:
        import mlx.core as mx

        stream = mx.new_stream(mx.cpu)
        hazard = raises(lambda: getattr(stream, member), AttributeError)
        mx.synchronize(stream)
        return Evidence(hazard, shown(True, "mx.synchronize(stream) waits for it"))
