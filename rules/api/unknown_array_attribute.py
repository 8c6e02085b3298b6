from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import api
from mlxlint.model.language_models import is_model
from mlxlint.model.values import CERTAIN, Value
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, raises, shown
from mlxlint.rules.api import _names
from mlxlint.rules.api._guards import is_guarded
from mlxlint.rules.training._gradients import is_module

# what MLX-LM's key-value caches have: where `cache` is annotated as an array, the annotation is what is wrong
_OF_CACHES = frozenset({"is_trimmable", "make_mask", "meta_state", "offset", "state", "trim", "update_and_fetch"})


class UnknownArrayAttribute(Rule):
    """A method or attribute that MLX's arrays do not have

    ## What it does
    Finds attributes read from what is surely an MLX array, and that arrays do not have.

    ## PyTorch and MLX
    Arrays have some fifty methods; the other operations are functions of `mlx.core`. Anything else raises
    `AttributeError`.

    ## Example
    ```python
    import mlx.core as mx

    x = mx.array([1.0, 2.0])
    y = x.floor_to(0.5)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    x = mx.array([1.0, 2.0])
    y = mx.floor(x / 0.5) * 0.5
    ```

    ## Fix safety
    `.logits` of what a model returns is left out. It is unsafe: which of its outputs is meant is not known.

    ## References
    - [mlx.core.array](https://ml-explore.github.io/mlx/build/html/python/array.html)
    """

    code = "MLX403"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    yields_to = ("autograd-on-array",)
    message = "MLX arrays have no `{name}`{instead}"
    attributes = frozenset({"Array.*"})

    def visit_Attribute(self, node: cst.Attribute, context: Context) -> None:
        array = context.array(node.value)
        name = node.attr.value
        if array is None or array.confidence < CERTAIN or name.startswith("__") or name in _OF_CACHES:
            return
        absence = context.target_mlx.lacking(f"mlx.core.array.{name}")
        if absence is None:
            return
        if name in _names.section("tensor") or _names.in_place(name) or is_guarded(node, name, context):
            return
        function = api.lookup(f"mlx.core.{name}", context.target_mlx.newest)
        instead = f": it is the function `mx.{name}`" if function is not None and function.kind == "function" else ""
        context.report(
            self, node.attr, because=[node.value], severity=None if absence.throughout else Severity.WARNING, name=name,
            instead=absence.clause(api.lookup(f"mlx.core.array.{name}")) + instead, repro={"name": name},
            fix=_fix(node, context),
        )  # fmt: skip

    @staticmethod
    def repro(name: str = "floor_to") -> Evidence:
        import mlx.core as mx

        hazard = raises(lambda: getattr(mx.array([1.0]), name), AttributeError)
        return Evidence(hazard, shown(hasattr(mx.array, "reshape"), "arrays have the methods of the API data"))


def _fix(node: cst.Attribute, context: Context) -> NodeFix | None:
    """A model of MLX-LM's, or of one's own, returns the logits themselves."""
    made = getattr(context.array(node.value), "node", None)
    if node.attr.value != "logits" or not isinstance(made, cst.Call) or not _is_model(context.called(made)):
        return None
    return NodeFix("Leave it out", [Replace(node, context.text(node.value))], Applicability.UNSAFE)


def _is_model(value: Value) -> bool:
    return is_module(value) or is_model(value)
