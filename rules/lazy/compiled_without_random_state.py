from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Instance, Name, Value, constant
from mlxlint.rule import Applicability, Confidence, Evidence, Fixable, Insert, Kind, NodeFix, Severity, shown

from ..training._step import is_update
from ._compile import RANDOM_STATE, Compiled, CompiledRule, called_in, captures, has_random_state

DRAWING = frozenset(
    f"mlx.core.random.{name}"
    for name in (
        "bernoulli categorical gumbel laplace multivariate_normal normal permutation randint truncated_normal uniform"
    ).split()
)


class CompiledWithoutRandomState(CompiledRule):
    """A compiled function draws the same random numbers in every call

    ## What it does
    Finds compiled functions that draw random numbers or apply dropout, themselves or in what they call, and whose
    captured state leaves out `mx.random.state`. Draws with an explicit `key` are left alone, and so is dropout in
    programs that call `eval()` on a model and do not train in the compiled function.

    ## PyTorch and MLX
    MLX's generator is an array. For a compiled function it is a constant like any other array it was not given, so
    that each call draws the same numbers: dropout drops the same elements in each step.

    ## Example
    ```python
    import mlx.core as mx


    @mx.compile
    def noisy(x):
        return x + mx.random.normal(x.shape)
    ```

    ## Use instead
    ```python
    from functools import partial

    import mlx.core as mx


    @partial(mx.compile, inputs=mx.random.state, outputs=mx.random.state)
    def noisy(x):
        return x + mx.random.normal(x.shape)
    ```

    ## Fix safety
    The fix adds `mx.random.state` to the list that is captured already, and is safe: the function is given one state
    more. There is none where the list is not written in the file.

    ## References
    - [Compiling training graphs](https://ml-explore.github.io/mlx/build/html/usage/compile.html#compiling-training-graphs)
    """

    code = "MLX508"
    kind = Kind.SILENT
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    message = (
        "`{function}` is compiled and {draws}, but `mx.random.state` is not captured: each call draws the same numbers"
    )

    def check(self, compiled: Compiled, context: Context) -> None:
        if (
            "inputs" in compiled.options
            and "outputs" not in compiled.options
            and compiled.state("inputs", context) is None
        ):
            return
        held = [captures(compiled.state(name, context)) for name in ("inputs", "outputs")]
        listed = _list_of(compiled, context)
        if any(values is not None and has_random_state(values) for values in held):
            return
        if None in held and not _is_without(listed, context):
            return
        calls = list(called_in(compiled, context))
        trains = any(is_update(called) for _, called in calls)
        if trains and not compiled.options:
            return  # no state at all is captured, which is another finding
        draws = next(
            (
                text
                for call, called in calls
                if (text := _draws(call, called, trains or ".eval()" not in context.module.text, context))
            ),
            None,
        )
        if draws is not None:
            context.report(
                self, listed or compiled.node, function=compiled.code.name, draws=draws,
                confidence=Confidence.LIKELY if None in held else None,
                fix=None if listed is None else _captured(listed, context),
            )  # fmt: skip

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        def twice(**state: object) -> list[float]:
            draw = mx.compile(lambda x: x + mx.random.normal(x.shape), **state)
            return [draw(mx.zeros((1,))).item(), draw(mx.zeros((1,))).item()]

        first, second = twice()
        other = twice(inputs=mx.random.state, outputs=mx.random.state)
        return Evidence(
            shown(first == second, f"{first:.3f} twice"),
            shown(other[0] != other[1], f"{other[0]:.3f}, then {other[1]:.3f}"),
        )


def _list_of(compiled: Compiled, context: Context) -> cst.List | None:
    """The list in this file that is captured as inputs and as outputs, to which the random state belongs."""
    inputs, outputs = (compiled.options.get(name) for name in ("inputs", "outputs"))
    if not isinstance(inputs, cst.Name) or not isinstance(outputs, cst.Name) or inputs.value != outputs.value:
        return None
    for scope in (a for a in context.ancestors(compiled.node) if isinstance(a, (cst.FunctionDef, cst.Module))):
        made = [
            node.value
            for node in context.nodes(scope.body if isinstance(scope, cst.FunctionDef) else scope, cst.Assign)
            if isinstance(target := node.targets[0].target, cst.Name) and target.value == inputs.value
        ]
        if made:
            return made[0] if len(made) == 1 and isinstance(made[0], cst.List) and made[0].elements else None
    return None


def _is_without(listed: cst.List | None, context: Context) -> bool:
    """Whether a list holds states of objects alone, be they known or not."""
    return listed is not None and all(
        isinstance(element.value, cst.Attribute)
        and element.value.attr.value == "state"
        and context.qualified(element.value) != RANDOM_STATE
        for element in listed.elements
    )


def _captured(listed: cst.List, context: Context) -> NodeFix | None:
    mx = context.alias("mlx.core")
    if mx is None:
        return None
    edit = Insert(listed.elements[-1].value, f", {mx}.random.state", after=True)
    return NodeFix("Capture the random state", [edit], Applicability.SAFE)


def _draws(call: cst.Call, called: Value, training: bool, context: Context) -> str | None:
    if isinstance(called, Name) and called.name in DRAWING:
        keyed = any(arg.star or (arg.keyword is not None and arg.keyword.value == "key") for arg in call.args)
        return None if keyed else f"calls `{called.name.replace('mlx.core', 'mx')}`"
    if isinstance(called, Name) and called.name == "mlx_lm.sample_utils.make_sampler":
        given = context.argument(call, 0, "temp")
        return "samples tokens" if given is not None and constant(context.value(given), (int, float)) != 0 else None
    if training and isinstance(called, Instance):
        layers = called.args if called.type == "mlx.nn.Sequential" else (called,)
        if any(isinstance(layer, Instance) and layer.type.startswith("mlx.nn.Dropout") for layer in layers):
            return "applies dropout"
    return None
