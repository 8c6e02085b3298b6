from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, raises, shown

_DEVICES = frozenset({"mlx.core.cpu", "mlx.core.gpu"})
_MADE = frozenset({"mlx.core.Device", "mlx.core.new_stream", "mlx.core.default_stream", "mlx.core.default_device"})


class DeviceAsContext(Rule):
    """A device or stream is used in a `with` statement by itself

    ## What it does
    Finds `with mx.cpu:`, `with mx.Device(mx.cpu):`, `with mx.new_stream(mx.gpu):`, and `with mx.stream(s) as name:`
    where the name is `None`.

    ## PyTorch and MLX
    A `torch.device` is a context manager. MLX has `mx.stream(...)` for it, which takes a device or a stream; these
    themselves raise `TypeError` in a `with`. What `mx.stream` binds with `as` is `None`.

    ## Example
    ```python
    import mlx.core as mx

    with mx.cpu:
        x = mx.ones((2, 3)) * 2
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    with mx.stream(mx.cpu):
        x = mx.ones((2, 3)) * 2
    ```

    ## Fix safety
    Safe: the device is put into `mx.stream`.

    ## References
    - [Using streams](https://ml-explore.github.io/mlx/build/html/usage/using_streams.html)
    """

    code = "MLX603"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    message = "`{item}` is no context manager: put it into `mx.stream`"

    def visit_With(self, node: cst.With, context: Context) -> None:
        for item in node.items:
            if _is_bare(item.item, context):
                core = context.alias("mlx.core")
                text = f"{core}.stream({context.text(item.item)})"
                fix = NodeFix("Use `mx.stream`", [Replace(item.item, text)]) if core is not None else None
                context.report(self, item.item, item=context.brief(item.item), fix=fix)
            elif item.asname is not None and _is_stream_context(item.item, context):
                context.report(
                    self, item, template="`mx.stream` gives nothing to bind: `{name}` is `None`",
                    name=context.brief(item.asname.name), severity=Severity.WARNING, repro={"bound": True},
                )  # fmt: skip

    @staticmethod
    def repro(bound: bool = False) -> Evidence:
        import mlx.core as mx

        def bare() -> None:
            with mx.cpu:
                pass

        with mx.stream(mx.cpu) as given:
            x = mx.ones((2,)) * 2
        hazard = shown(given is None, f"mx.stream(...) binds {given!r}") if bound else raises(bare, TypeError)
        return Evidence(hazard, shown(x.tolist() == [2.0, 2.0], "with mx.stream(mx.cpu): runs there"))


def _is_bare(node: cst.BaseExpression, context: Context) -> bool:
    made = context.value(node).node if isinstance(node, cst.Name) else node
    if isinstance(made, cst.Call):
        return context.callee(made) in _MADE
    return context.qualified(node) in _DEVICES


def _is_stream_context(node: cst.BaseExpression, context: Context) -> bool:
    return isinstance(node, cst.Call) and context.callee(node) in ("mlx.core.stream", "mlx.core.StreamContext")
