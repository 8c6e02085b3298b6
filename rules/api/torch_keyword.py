from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import api, explain
from mlxlint.model.values import constant
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, Span, agrees, raises
from mlxlint.rules._operations import operand, operation
from mlxlint.rules.api._guards import is_guarded
from mlxlint.rules.api._names import in_place_of
from mlxlint.rules.api._signatures import accepts, entry_of, unaccepted_keywords

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TABLE = Path(__file__).with_name("keywords.toml")


@cache
def table() -> Mapping[str, Mapping[str, Any]]:
    """Callable (``*``: any) -> PyTorch's keyword -> what to do with it."""
    content: Mapping[str, Mapping[str, Any]] = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    return content


def advice(callee: str, keyword: str) -> Any:
    """What the table says of a keyword: a new name, a dict with ``say`` or ``drop``, or None."""
    own = table().get(callee, {})
    return own[keyword] if keyword in own else table()["*"].get(keyword)


class TorchKeyword(Rule):
    """A keyword of PyTorch that MLX calls differently or does not have

    ## What it does
    Finds `dim=`, `keepdim=`, `descending=`, `input=`, `device=`, `steps=`, `diagonal=`, `batch_first=`, `lr=` and their
    like in calls of MLX's functions, array methods and constructors that take no such keyword.

    ## PyTorch and MLX
    MLX follows NumPy: `axis`, `keepdims`, `shape`, `k`. The arrays an operation works on are taken by position only,
    and nothing takes a device. An unknown keyword raises `TypeError`.

    ## Example
    ```python
    import mlx.core as mx

    x = mx.zeros((2, 3))
    total = mx.sum(x, dim=1, keepdim=True)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    x = mx.zeros((2, 3))
    total = mx.sum(x, axis=1, keepdims=True)
    ```

    ## Fix safety
    Safe: a keyword is renamed, or made a positional argument. Unsafe where an argument is left out, or the array
    negated to be sorted in the other order, which changes the place of equal values.

    ## References
    - [Operations](https://ml-explore.github.io/mlx/build/html/python/ops.html)
    """

    code = "MLX407"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    message = "`{callee}` takes no `{keyword}`: {instead}"
    yields_to = ("unsupported-layer-option", "optimizer-given-parameters")
    calls = frozenset({"mlx.*", "mlx_lm.*"})

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if not any(arg.keyword is not None for arg in node.args):
            return
        entry = entry_of(node, context)
        for arg in unaccepted_keywords(node, entry) if entry is not None else ():
            assert entry is not None
            assert arg.keyword is not None
            found = advice(entry.name, arg.keyword.value)
            if found is None or is_guarded(node, arg.keyword.value, context):
                continue
            context.report(
                self, arg, callee=explain.short(entry.name), keyword=arg.keyword.value, instead=_instead(found),
                fix=_fix(node, arg, entry, found, context), repro=_parameters(entry, arg.keyword.value),
            )  # fmt: skip

    @staticmethod
    def repro(name: str = "mlx.core.sum", keyword: str = "dim") -> Evidence:
        import importlib

        import mlx.core as mx

        module, _, function = name.rpartition(".")
        x = mx.array([[1.0, 2.0], [3.0, 4.0]])
        owner = mx.array if module == "mlx.core.array" else importlib.import_module(module)
        called = getattr(owner, function)
        hazard = raises(lambda: called(*([x] if owner is mx.array else []), **{keyword: 1}), TypeError)
        return Evidence(hazard, agrees(mx.sum(x, axis=1, keepdims=True), [[3.0], [7.0]]))


def _parameters(entry: api.Entry, keyword: str) -> dict[str, str]:
    return {"name": entry.name, "keyword": keyword}


def _instead(found: Any) -> str:
    if isinstance(found, str):
        return f"MLX calls it `{found}`" if found else "it is positional only"
    return "leave it out" if found.get("drop") else str(found["say"])


def _fix(node: cst.Call, arg: cst.Arg, entry: api.Entry, found: Any, context: Context) -> NodeFix | None:
    assert arg.keyword is not None
    given = {a.keyword.value for a in node.args if a.keyword is not None}
    at = list(node.args).index(arg)
    if isinstance(found, str) and found:
        free = found not in given and any(accepts(signature, found) for signature in entry.signatures)
        return NodeFix(f"Rename to `{found}`", [Replace(arg.keyword, found)]) if free else None
    if isinstance(found, str):
        positional = all(a.keyword is None and not a.star for a in node.args[:at])
        return NodeFix("Give it by position", [Replace(arg, context.text(arg.value))]) if positional else None
    if "negate" in found and constant(context.value(arg.value), bool) is True:
        return _negated(node, arg, found["negate"] == "both", context)
    if found.get("drop") and at > 0 and "#" not in context.text(node):
        before = node.args[at - 1]
        edit = Span(before, arg, context.text(before).rstrip().removesuffix(",").rstrip())
        return NodeFix("Leave it out", [edit], Applicability.UNSAFE)
    return None


def _negated(node: cst.Call, arg: cst.Arg, result: bool, context: Context) -> NodeFix | None:
    """Sort the negated array, without the keyword that asks for the other order."""
    found = operation(node, context, frozenset({"sort", "argsort"}))
    if found is None or found.starred or "#" in context.text(node):
        return None
    left = [context.text(given).rstrip().rstrip(",") for given in node.args if given is not arg]
    negative = f"-{operand(found.subject, context)}"
    if found.is_method:
        text = f"({negative}).{found.name}({', '.join(left)})"
    else:
        text = f"{context.text(node.func)}({', '.join([negative, *left[1:]])})"
    replaced = in_place_of(node, f"-{text}" if result else text, context)
    if replaced is None:
        return None
    return NodeFix("Sort the negated array", [Replace(node, replaced)], Applicability.UNSAFE)
