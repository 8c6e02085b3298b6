from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import dtypes, explain
from mlxlint.model.values import Name, Value, constant
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, agrees, raises
from mlxlint.rules.api._names import under_aliases
from mlxlint.rules.api._signatures import argument, entry_of

BUILTIN = {"bool": "bool_", "float": "float32", "int": "int32", "complex": "complex64"}
SHORT = {
    "bool": "bool_", "float": "float32", "half": "float16", "double": "float64", "short": "int16", "int": "int32",
    "long": "int64", "float_": "float64", "int_": "int64",
}  # fmt: skip


class ForeignDtype(Rule):
    """A dtype of Python, NumPy or PyTorch given to MLX

    ## What it does
    Finds `bool`, `float`, `int`, `"float32"`, `np.float32` or `torch.float32` where MLX takes a dtype.

    ## PyTorch and MLX
    PyTorch and NumPy take Python's types for dtypes, NumPy names of them too. MLX takes its own dtypes only; anything
    else raises `TypeError`.

    ## Example
    ```python
    import mlx.core as mx

    alive = mx.ones((4,), dtype=bool)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    alive = mx.ones((4,), dtype=mx.bool_)
    ```

    ## Fix safety
    Safe for `bool` and for dtypes with a name of their own. Unsafe for `int` and `float`: which width is meant differs
    between Python, NumPy and PyTorch.

    ## References
    - [Data types](https://ml-explore.github.io/mlx/build/html/python/data_types.html)
    """

    code = "MLX411"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.ALWAYS
    message = "`{given}` is no dtype of MLX{instead}"
    calls = frozenset({"mlx.*", "mlx_lm.*"})

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if not node.args:
            return
        entry = entry_of(node, context)
        if entry is None or not any(p.name == "dtype" for s in entry.signatures for p in s.parameters):
            return
        if entry.name.startswith("mlx_lm."):
            return  # MLX-LM names dtypes by strings
        arg = argument(node, entry, "dtype")
        if arg is None or arg.star or not (found := foreign(context.value(arg.value))):
            return
        origin, name = found
        text = under_aliases(f"mx.{name}", context) if name is not None else None
        safety = Applicability.SAFE if name == "bool_" or origin == "named" else Applicability.UNSAFE
        fix = NodeFix(f"Replace by `{text}`", [Replace(arg.value, text)], safety) if text is not None else None
        instead = f": use `mx.{name}`" if name is not None else ""
        context.report(
            self, arg.value, given=context.brief(arg.value), instead=instead, fix=fix,
            repro={"callee": explain.short(entry.name).rpartition(".")[2]},
        )  # fmt: skip

    @staticmethod
    def repro(callee: str = "ones") -> Evidence:
        import mlx.core as mx

        called = {"astype": mx.array([1]).astype, "array": lambda dtype: mx.array([1], dtype=dtype)}.get(
            callee, lambda dtype: mx.ones((2,), dtype=dtype)
        )
        return Evidence(raises(lambda: called(bool), TypeError), agrees(mx.ones((2,), dtype=mx.bool_), [True, True]))


def foreign(value: Value) -> tuple[str, str | None] | None:
    """What kind of foreign dtype a value is, and which dtype of MLX is meant by it."""
    text = constant(value, str)
    if isinstance(text, str):
        return ("named", text) if text in dtypes.DTYPES else ("text", SHORT.get(text))
    if not isinstance(value, Name):
        return None
    root, _, name = value.name.partition(".")
    if root == "builtins":
        return ("builtin", BUILTIN[name]) if name in BUILTIN else None
    if root not in ("numpy", "torch"):
        return None
    if name in dtypes.DTYPES:
        return ("named", name)
    if name in SHORT and value.receiver is None:
        return ("named" if name in ("bool", "half") else "short", SHORT[name])
    return ("attribute", None) if name.endswith(".dtype") else None
