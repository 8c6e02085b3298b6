from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted
from mlxlint.model.values import Array, Const, Dict, Scalar, Sequence, Value, members
from mlxlint.rule import Confidence, Evidence, Kind, Severity, agrees, differs

from ..training._gradients import is_module
from ..training._optimizers import as_optimizer
from ._captured import Course, free_paths, targets_of
from ._compile import Compiled, CompiledRule


class CaptureChangedLater(CompiledRule):
    """What a compiled function reads from around it is changed between its calls

    ## What it does
    Finds numbers, flags, arrays, dicts, models and optimizer settings that a compiled function reads without being
    given them, and that the code around assigns anew between two of its calls. What stands in `inputs` is left alone,
    unless the name itself is bound to another object.

    ## PyTorch and MLX
    `torch.compile` guards what a function reads and compiles again when it has changed. `mx.compile` looks at
    arguments and `inputs` only: anything else is a constant of the first call. Pass it as an argument, an array
    rather than a number if it often changes, or capture its container.

    ## Example
    ```python
    import mlx.core as mx

    settings = {"scale": 1.0}
    scaled = mx.compile(lambda x: x * settings["scale"])
    x = mx.ones((2,))
    first = scaled(x)
    settings["scale"] = 0.5
    second = scaled(x)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    scaled = mx.compile(lambda x, scale: x * scale)
    x = mx.ones((2,))
    first = scaled(x, mx.array(1.0))
    second = scaled(x, mx.array(0.5))
    ```

    ## References
    - [Compilation: pure functions](https://ml-explore.github.io/mlx/build/html/usage/compile.html#pure-functions)
    """

    code = "MLX520"
    kind = Kind.SILENT
    severity = Severity.WARNING
    message = "`{path}` is changed here, and the compiled `{function}` goes on with what it was in its first call"

    def check(self, compiled: Compiled, context: Context) -> None:
        if compiled.code.module is not context.module:
            return
        read = free_paths(compiled.code)
        course = Course(compiled, context)
        if not read or not course.calls:
            return
        captured = {path for option in compiled.options.values() for path in _paths(option, course, context)}
        for node in course.nodes:
            for target in targets_of(node) if not isinstance(node, (cst.For, cst.CompFor)) else ():
                path = _stale(target, getattr(node, "value", None), read, captured, context)
                if path is not None and course.is_between_calls(node):
                    context.report(
                        self,
                        node,
                        because=[("it is compiled here", compiled.node)],
                        confidence=Confidence.LIKELY,
                        path=path,
                        function=compiled.code.name,
                    )

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        settings, x = {"scale": 1.0}, mx.ones((2,))
        read = mx.compile(lambda x: x * settings["scale"])
        given = mx.compile(lambda x, scale: x * scale)
        mx.eval(read(x), given(x, mx.array(1.0)))
        settings["scale"] = 0.5
        return Evidence(differs(read(x), [0.5, 0.5]), agrees(given(x, mx.array(settings["scale"])), [0.5, 0.5]))


def _stale(
    target: cst.BaseExpression,
    new: cst.BaseExpression | None,
    read: set[str],
    captured: set[str],
    context: Context,
) -> str | None:
    """What a compiled function reads of what is written to, when it does not see the write."""
    if isinstance(target, cst.Subscript):
        path = dotted(target.value)
        holder = context.value(target.value)
        is_seen = path is None or path not in read or path in captured
        return None if is_seen or not isinstance(holder, (Dict, Sequence, Array)) else path
    path = dotted(target)
    if path is None:
        return None
    base, _, attribute = path.rpartition(".")
    if attribute == "learning_rate" and as_optimizer(context.value(getattr(target, "value", None))) is not None:
        return path if base in read and not captured & {base, base + ".state"} else None
    if attribute == "state" and path in captured and base:
        return path  # the container that was captured is not the optimizer's any more
    return path if path in read and _is_frozen(context.value(new), base) else None


def _is_frozen(value: Value, base: str) -> bool:
    """Whether a value is a constant of the trace: a number, a flag, an array, and a model under a name of its own."""
    if not base and is_module(value):
        return True
    return all(isinstance(member, (Array, Scalar, Const, Dict, Sequence)) for member in members(value))


def _paths(option: cst.BaseExpression, course: Course, context: Context) -> Iterator[str]:
    """The names and dotted names in what is captured, through a list under a name."""
    for node in context.walk(option):
        path = dotted(node) if isinstance(node, (cst.Name, cst.Attribute)) else None
        if path is not None:
            yield path
            bound = (
                n for n in course.nodes if isinstance(n, cst.Assign) and any(dotted(t) == path for t in targets_of(n))
            )
            for assignment in bound:
                yield from (p for p in map(dotted, context.walk(assignment.value)) if p is not None)
