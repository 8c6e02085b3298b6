from __future__ import annotations

import re

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
    "lr": ": it is `learning_rate`",
    "get_lr": ": it is the array `learning_rate`",
    "get_last_lr": ": it is the array `learning_rate`",
    "defaults": ": options are attributes, the state is `state`",
}
_OF_OPTIMIZERS = frozenset({"lr", "get_lr", "get_last_lr", "defaults"})  # others may be the project's own


class UnknownObjectMember(Rule):
    """A member that MLX's streams, devices, process groups and optimizers do not have

    ## What it does
    Finds members of what `mx.new_stream`, `mx.default_stream`, `mx.default_device` and `mx.distributed.init` return
    that MLX does not have: `stream.synchronize()`, `stream.wait_stream(...)`, `device.index`, ... Of optimizers it
    finds `lr`, `get_lr`, `get_last_lr` and `defaults` where the file does not set them.

    ## PyTorch and MLX
    A CUDA stream of PyTorch has `synchronize`, `wait_stream` and events. A stream of MLX has its device, and nothing
    else: what depends on another operation waits for it, and `mx.synchronize(stream)` waits for a stream. The rate
    of an optimizer is the array `learning_rate`, with a schedule too.

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
        member = node.attr.value
        if not isinstance(receiver, Instance) or not _is_known(receiver, member, context):
            return
        known = api.members(receiver.type, context.target_mlx.newest)
        if member in known or hasattr(object, member) or not known:
            return
        kind = receiver.type.rpartition(".")[2]
        context.report(
            self, node, because=[node.value], object=kind, member=member, instead=_INSTEAD.get(member, ""),
            repro={"member": member} if kind == "Stream" or member in _OF_OPTIMIZERS else {},
        )  # fmt: skip

    @staticmethod
    def repro(member: str = "synchronize") -> Evidence:
        import mlx.core as mx
        import mlx.optimizers as optim

        stream = mx.new_stream(mx.cpu)
        if member in _OF_OPTIMIZERS:
            optimizer = optim.SGD(0.5)
            rate = optimizer.learning_rate.item()
            return Evidence(raises(lambda: getattr(optimizer, member), AttributeError), shown(rate == 0.5, f"{rate}"))
        hazard = raises(lambda: getattr(stream, member), AttributeError)
        mx.synchronize(stream)
        return Evidence(hazard, shown(True, "mx.synchronize(stream) waits for it"))


def _is_known(receiver: Instance, member: str, context: Context) -> bool:
    """Whether all that an object has is known: nothing is set on it, as some do on optimizers."""
    if receiver.type.startswith("mlx.optimizers.") and receiver.code is None and member in _OF_OPTIMIZERS:
        return re.search(rf"\.{member}\s*=[^=]|setattr", context.module.text) is None
    return receiver.type in _OBJECTS
