from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import api, explain
from mlxlint.model.values import LIKELY, constant, scalar_type
from mlxlint.rule import (
    Applicability,
    Evidence,
    Fixable,
    Kind,
    NodeEdit,
    NodeFix,
    Replace,
    Rule,
    Severity,
    Span,
    agrees,
    raises,
)
from mlxlint.rules._operations import operand, operation
from mlxlint.rules.api._guards import is_guarded
from mlxlint.rules.api._names import in_place_of
from mlxlint.rules.api._signatures import accepts, entry_of, lacking, unaccepted_keywords
from mlxlint.rules.layers._losses import leaving_out

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
    """What the table says of a keyword: a new name, a dict, or None."""
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
        entry = entry_of(node, context, LIKELY)
        for arg in unaccepted_keywords(node, entry) if entry is not None else ():
            assert entry is not None
            assert arg.keyword is not None
            found = advice(entry.name, arg.keyword.value)
            if found is None or is_guarded(node, arg.keyword.value, context):
                continue
            context.report(
                self, arg, callee=explain.short(entry.name), keyword=arg.keyword.value, instead=_instead(found),
                confidence=context.called(node).confidence,
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
    return str(found.get("say", "leave it out"))


def _fix(node: cst.Call, arg: cst.Arg, entry: api.Entry, found: Any, context: Context) -> NodeFix | None:
    if isinstance(found, str) and found:
        return _renamed(node, arg, found, entry)
    if isinstance(found, str):
        positional = all(a.keyword is None and not a.star for a in node.args[: node.args.index(arg)])
        return NodeFix("Give it by position", [Replace(arg, context.text(arg.value))]) if positional else None
    known = constant(context.value(arg.value), (bool, int, float, str))
    drop, text = found.get("drop", ()), found.get(str(known).lower())
    if drop is True:
        return _dropped(node, arg, Applicability.UNSAFE, context)
    if known is not None and known in drop:
        return _dropped(node, arg, Applicability.SAFE, context)
    if isinstance(known, bool) and text is not None:
        free = context.argument(node, None, text.partition("=")[0]) is None
        return NodeFix(f"Write `{text}`", [Replace(arg, text)]) if free else None
    if "ignores" in found:
        return leaving_out(node, context.text(arg.value), arg, context)
    if "along" in found:
        axis = context.argument(node, None, "axis", "dim")
        return _renamed(node, arg, found["along"], entry) if scalar_type(context.value(axis)) == "int" else None
    if "negate" in found and known is True:
        return _negated(node, arg, found["negate"] == "both", context)
    return None


def _renamed(node: cst.Call, arg: cst.Arg, name: str, entry: api.Entry) -> NodeFix | None:
    """Safe where the call then has all that it needs."""
    assert arg.keyword is not None
    given = {a.keyword.value for a in node.args if a.keyword is not None}
    if name in given or not any(accepts(signature, name) for signature in entry.signatures):
        return None
    complete = any({*lacking(signature, node)} <= {name} for signature in entry.signatures)
    safety = Applicability.SAFE if complete else Applicability.UNSAFE
    return NodeFix(f"Rename to `{name}`", [Replace(arg.keyword, name)], safety)


def _dropped(node: cst.Call, arg: cst.Arg, safety: Applicability, context: Context) -> NodeFix | None:
    if "#" in context.text(node):
        return None
    at = node.args.index(arg)
    edit: NodeEdit
    if at > 0:
        before = node.args[at - 1]
        edit = Span(before, arg, context.text(before).rstrip().removesuffix(",").rstrip())
    elif len(node.args) > 1:
        edit = Span(arg, node.args[1], "", before=True)
    else:
        edit = Replace(node, f"{context.text(node.func)}()")
    return NodeFix("Leave it out", [edit], safety)


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
