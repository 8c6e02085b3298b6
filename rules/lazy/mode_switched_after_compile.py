from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted
from mlxlint.rule import Confidence, Evidence, Kind, Severity, shown

from ..training._gradients import TRANSFORMS, is_module
from ._captured import Course, free_paths
from ._compile import Compiled, CompiledRule, called_in

_MODES = {"train": "train", "eval": "eval"}
_FREEZING = {"freeze": "frozen", "unfreeze": "unfrozen"}


class ModeSwitchedAfterCompile(CompiledRule):
    """A model's mode is switched between calls of a function that was compiled with it

    ## What it does
    Finds compiled functions that are called while a model they use is in training mode and again after `eval()`, and
    compiled training steps that are called before and after `freeze()` or `unfreeze()`.

    ## PyTorch and MLX
    `torch.compile` guards the mode. In MLX mode and frozen parameters are Python state, read when the function is
    traced: dropout stays on after `model.eval()`, also with `inputs=model.state`, and frozen weights go on training.
    Compile one function for each mode, or pass the mode as an argument.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm(2))
    forward = mx.compile(lambda x: model(x), inputs=model.state, outputs=model.state)
    x = mx.random.normal((4, 2))
    model.train()
    trained = forward(x)
    model.eval()
    evaluated = forward(x)
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm(2))
    forward = mx.compile(lambda x: model(x), inputs=model.state, outputs=model.state)
    x = mx.random.normal((4, 2))
    model.train()
    trained = forward(x)
    model.eval()
    evaluated = model(x)
    ```

    ## References
    - [Compilation: pure functions](https://ml-explore.github.io/mlx/build/html/usage/compile.html#pure-functions)
    """

    code = "MLX521"
    kind = Kind.SILENT
    severity = Severity.WARNING
    message = "the compiled `{function}` was traced with the model in another mode: `{switch}` does not reach it"

    def check(self, compiled: Compiled, context: Context) -> None:
        if compiled.code.module is not context.module:
            return
        read = free_paths(compiled.code)
        course = Course(compiled, context)
        models = {path: node for node in course.nodes if (path := _switched(node, read, context)) is not None}
        if not course.calls or not models:
            return
        trains = any(getattr(called, "transform", None) in TRANSFORMS for _, called in called_in(compiled, context))
        for model in models:
            for modes in (_MODES, _FREEZING) if trains else (_MODES,):
                switch = _effective_switch(course, model, modes)
                if switch is not None:
                    context.report(
                        self,
                        switch,
                        because=[("it is compiled here", compiled.node)],
                        confidence=Confidence.LIKELY,
                        function=compiled.code.name,
                        switch=context.brief(switch),
                    )

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        mx.random.seed(0)
        model, x = nn.Dropout(0.5), mx.ones((64,))
        states = [model.state, mx.random.state]
        forward = mx.compile(lambda x: model(x), inputs=states, outputs=states)
        mx.eval(forward(x))
        model.eval()
        compiled, plain = (forward(x) == 0).sum().item(), (model(x) == 0).sum().item()
        return Evidence(
            shown(compiled > 0, f"after eval() the compiled dropout still drops {compiled} of 64"),
            shown(plain == 0, f"the model itself {plain}"),
        )


def _switched(node: cst.CSTNode, read: set[str], context: Context) -> str | None:
    """The model, read by the compiled function, whose mode a call switches."""
    if not isinstance(node, cst.Call) or not isinstance(node.func, cst.Attribute):
        return None
    if node.func.attr.value not in _MODES and node.func.attr.value not in _FREEZING:
        return None
    path = dotted(node.func.value) or ""
    used = path in read or any(name.startswith(path + ".") or path.startswith(name + ".") for name in read)
    return path if path and used and is_module(context.value(node.func.value)) else None


def _effective_switch(course: Course, model: str, modes: dict[str, str]) -> cst.Call | None:
    """The first switch after which the function is called in another mode than before; loops are gone through twice."""
    first: str | None = None
    now, switch = ("train" if modes is _MODES else "unfrozen"), None
    for node in _unrolled(course):
        if node in course.calls:
            first = first or now
            if now != first:
                return switch
        elif dotted(node.func.value) == model if isinstance(node.func, cst.Attribute) else False:
            assert isinstance(node.func, cst.Attribute)
            name = node.func.attr.value
            if name in modes:
                off = name == "train" and node.args and getattr(node.args[0].value, "value", None) == "False"
                now, switch = "eval" if off else modes[name], node
    return None


def _unrolled(course: Course) -> list[cst.Call]:
    """The calls of a scope in order; those of its outermost loops twice."""
    found: list[cst.Call] = []
    loop: cst.CSTNode | None = None
    inside: list[cst.Call] = []
    members: set[cst.CSTNode] = set()
    for node in course.nodes:
        if loop is not None and node not in members:
            found, inside, loop = found + inside + inside, [], None
        if loop is None and isinstance(node, (cst.For, cst.While)):
            loop, members = node, set(course.context.walk(node))
        if isinstance(node, cst.Call):
            (found if loop is None else inside).append(node)
    return found + inside + inside
