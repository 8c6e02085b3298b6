from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted, walk
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity, Skipped, shown

from ..training._step import EVAL

_STREAM = "mlx.core.stream"


class EvaluatedOnOtherStream(Rule):
    """A stream is chosen for the evaluation, and the operations were recorded on another

    ## What it does
    Finds `with mx.stream(...):` around nothing but evaluations of arrays that were computed before it.

    ## PyTorch and MLX
    PyTorch runs an operation on the stream that is current when it is called. So does MLX, but the call only records
    it: the stream is chosen there, not where `mx.eval` is called. The computation belongs into the block, the
    evaluation may stand anywhere.

    ## Example
    ```python
    import mlx.core as mx

    y = mx.exp(mx.ones((4,)))
    with mx.stream(mx.cpu):
        mx.eval(y)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    with mx.stream(mx.cpu):
        y = mx.exp(mx.ones((4,)))
    mx.eval(y)
    ```

    ## References
    - [Using streams](https://ml-explore.github.io/mlx/build/html/usage/using_streams.html)
    """

    code = "MLX527"
    kind = Kind.SILENT
    severity = Severity.WARNING
    message = "what is evaluated here was recorded on another stream, and runs there"

    def visit_With(self, node: cst.With, context: Context) -> None:
        calls = [item.item for item in node.items if isinstance(item.item, cst.Call)]
        if not any(context.callee(call) == _STREAM for call in calls):
            return
        inside = [part for part in walk(node.body) if isinstance(part, (cst.Call, cst.BinaryOperation, cst.Subscript))]
        if inside and all(isinstance(part, cst.Call) and _evaluates(part, context) for part in inside):
            context.report(self, node.items[0].item, confidence=Confidence.LIKELY)

    @staticmethod
    def repro() -> Evidence:
        import threading

        import mlx.core as mx

        found: dict[str, object] = {}

        def work() -> None:
            other = mx.new_stream(mx.cpu)
            for name, recorded_inside in (("outside", False), ("inside", True)):
                x = mx.ones((4,))
                mx.eval(x)
                y = None if recorded_inside else mx.exp(x)
                with mx.stream(other):
                    y = mx.exp(x) if y is None else y
                found[name] = y

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        streams = {name: _stream_of(array) for name, array in found.items()}
        if streams["outside"] is None:
            raise Skipped("this MLX does not tell the streams of arrays")
        return Evidence(
            shown(streams["outside"] != streams["inside"], f"recorded before the block: {streams['outside']}"),
            shown(streams["inside"] is not None, f"recorded in it: {streams['inside']}"),
        )


def _stream_of(array: object) -> str | None:
    """The stream an array waits for, which its evaluation in another thread names."""
    import re

    import mlx.core as mx

    try:
        mx.eval(array)
    except RuntimeError as error:
        match = re.search(r"Stream\([^)]*\)", str(error))
        return match[0] if match else None
    return None


def _evaluates(call: cst.Call, context: Context) -> bool:
    """Whether a call evaluates arrays under their names and does nothing else."""
    if context.callee(call) not in EVAL:
        return False
    return bool(call.args) and all(
        dotted(arg.value) is not None and _is_computed(arg.value, context) for arg in call.args
    )


def _is_computed(node: cst.BaseExpression, context: Context) -> bool:
    array = context.array(node)
    return array is not None and (array.op or "").startswith(("mlx.", "operator."))
