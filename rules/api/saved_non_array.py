from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Const, Dict, Scalar, Sequence, Value, members, scalar_type
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, raises

OF_A_DICT = frozenset({"mlx.core.save_safetensors", "mlx.core.save_gguf"})
OF_KEYWORDS = frozenset({"mlx.core.savez", "mlx.core.savez_compressed"})


class SavedNonArray(Rule):
    """Something other than an array saved among arrays

    ## What it does
    Finds numbers, strings, lists, dicts and `None` among what `mx.save_safetensors`, `mx.save_gguf` and `mx.savez` are
    to save.

    ## PyTorch and MLX
    `torch.save` pickles anything, nested as it is. MLX's formats hold names and arrays: a step counter, a config or a
    nested dict raises `std::bad_cast`. Small text goes into `metadata`, numbers become arrays.

    ## Example
    ```python
    import mlx.core as mx

    weight = mx.zeros((2, 2))
    mx.save_safetensors("state.safetensors", {"weight": weight, "step": 3})
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    weight = mx.zeros((2, 2))
    mx.save_safetensors("state.safetensors", {"weight": weight}, metadata={"step": "3"})
    ```

    ## References
    - [save_safetensors](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.save_safetensors.html)
    """

    code = "MLX431"
    kind = Kind.CRASH
    severity = Severity.ERROR
    message = "`{name}` is {noun}, and `mx.{function}` saves arrays alone"
    calls = frozenset(name.rpartition(".")[2] for name in OF_A_DICT | OF_KEYWORDS)

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node)
        if callee is None or callee not in OF_A_DICT | OF_KEYWORDS or not node.args:
            return
        found = _of_dict(node, context) if callee in OF_A_DICT else _of_keywords(node, context)
        for place, name, value in found:
            noun = _noun(value)
            if noun is not None:
                context.report(self, place, name=name, noun=noun, function=callee[9:], repro={"function": callee[9:]})

    @staticmethod
    def repro(function: str = "save_safetensors") -> Evidence:
        import mlx.core as mx

        values = {"weight": mx.ones((2,)), "step": 3}
        arrays = {**values, "step": mx.array(3)}
        if function.startswith("savez"):
            hazard = raises(lambda: getattr(mx, function)("wrong.npz", **values))
            mx.savez("right.npz", **arrays)
            return Evidence(hazard, agrees(mx.load("right.npz")["step"], 3))
        hazard = raises(lambda: mx.save_safetensors("wrong.safetensors", values))
        mx.save_safetensors("right.safetensors", arrays)
        return Evidence(hazard, agrees(mx.load("right.safetensors")["step"], 3))


def _of_dict(node: cst.Call, context: Context) -> Iterator[tuple[cst.CSTNode, str, Value]]:
    """Where it is written, name and value of what a dict holds."""
    arrays = context.argument(node, 1, "arrays")
    if arrays is None:
        return
    if isinstance(arrays, cst.Dict):
        for element in arrays.elements:
            if isinstance(element, cst.DictElement):
                yield element.value, context.brief(element.key), context.value(element.value)
        return
    value = context.value(arrays)
    if isinstance(value, Dict):
        yield from ((arrays, name, held) for name, held in value.items.items())


def _of_keywords(node: cst.Call, context: Context) -> Iterator[tuple[cst.CSTNode, str, Value]]:
    for arg in node.args[1:]:
        value = context.value(arg.value)
        if arg.keyword is not None and arg.keyword.value != "file":
            yield arg.value, arg.keyword.value, value
        elif arg.star == "**" and isinstance(value, Dict):
            yield from ((arg.value, name, held) for name, held in value.items.items())


def _noun(value: Value) -> str | None:
    """What a value surely is that is no array."""
    nouns = {_noun_of(member) for member in members(value)}
    return nouns.pop() if len(nouns) == 1 else None


def _noun_of(value: Value) -> str | None:
    if isinstance(value, (Const, Scalar)):
        kind = scalar_type(value)
        return "None" if kind is None else {"str": "a string", "int": "an int"}.get(kind, f"a {kind}")
    if isinstance(value, Dict):
        return "a dict"
    return f"a {value.kind}" if isinstance(value, Sequence) and value.kind in ("list", "tuple") else None
