from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import walk
from mlxlint.rule import Confidence, Evidence, Kind, Severity, raises, shown

from ._captured import Course
from ._compile import Compiled, CompiledRule

_LEAVING = frozenset({"exit", "_exit", "abort"})
_RELOADING = frozenset({"load_weights", "load", "update"})


class CompiledFailureSwallowed(CompiledRule):
    """A failure of a compiled step is caught, and its model is used further

    ## What it does
    Finds `try` statements around calls of a function compiled with `outputs`, whose handler neither raises, returns
    nor loads weights.

    ## PyTorch and MLX
    A step of PyTorch that fails leaves the model as it was. While MLX traces a compiled function its placeholders
    stand in the captured state: an exception in the first call for a shape leaves them there, and the model can no
    longer be read. Check the input before the call.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    model = nn.Linear(2, 1)
    step = mx.compile(lambda x: model(x).sum(), inputs=model.state, outputs=model.state)
    for batch in [mx.ones((4, 2)), mx.ones((4, 3))]:
        try:
            loss = step(batch)
        except ValueError:
            print("skipped")
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    model = nn.Linear(2, 1)
    step = mx.compile(lambda x: model(x).sum(), inputs=model.state, outputs=model.state)
    for batch in [mx.ones((4, 2)), mx.ones((4, 3))]:
        if batch.shape[-1] == 2:
            loss = step(batch)
    ```

    ## References
    - [Compiling training graphs](https://ml-explore.github.io/mlx/build/html/usage/compile.html#compiling-training-graphs)
    """

    code = "MLX532"
    kind = Kind.CRASH
    severity = Severity.WARNING
    message = "when `{function}` fails here its model is left with placeholders, and cannot be used further"

    def check(self, compiled: Compiled, context: Context) -> None:
        if compiled.code.module is not context.module or not compiled.options.keys() & {"inputs", "outputs"}:
            return
        for call in Course(compiled, context).calls:
            guard = context.enclosing(call, cst.Try)
            if guard is None or not any(part is call for part in walk(guard.body)):
                continue
            if any(not _gives_up(handler) for handler in guard.handlers):
                context.report(self, call, function=compiled.code.name, confidence=Confidence.LIKELY)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        def weight(checked: bool) -> mx.array:
            model = nn.Linear(2, 1)
            step = mx.compile(lambda x: model(x).sum(), inputs=model.state, outputs=model.state)
            for batch in (mx.ones((4, 2)), mx.ones((4, 3))):
                if checked and batch.shape[-1] != 2:
                    continue
                try:
                    mx.eval(step(batch))
                except ValueError:
                    continue
            return model.weight + 0

        hazard = raises(lambda: weight(False), RuntimeError)
        shape = weight(True).shape
        return Evidence(hazard, shown(shape == (1, 2), f"checked before, the weight can be read: {shape}"))


def _gives_up(handler: cst.ExceptHandler) -> bool:
    """Whether a handler ends the work, or puts other weights into the model."""
    for node in walk(handler.body):
        if isinstance(node, (cst.Raise, cst.Return, cst.Break)):
            return True
        if isinstance(node, cst.Call):
            name = node.func.attr.value if isinstance(node.func, cst.Attribute) else getattr(node.func, "value", None)
            if name in _LEAVING | _RELOADING:
                return True
    return False
