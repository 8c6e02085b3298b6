from __future__ import annotations

import re

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.model.code import ClassCode
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Rule, Severity, shown

from ._constants import is_formula, made_by, severity_of_parameter
from ._modules import Store, renamed, stored_on_self

_DRAWN = ("mlx.core.random.", "mlx.nn.init.")
_FILLED = frozenset({"mlx.core.ones", "mlx.core.zeros", "mlx.core.full"})
_WEIGHT = re.compile(r"_(?:[a-z]+_)?(?:weight|bias|gain|gamma|beta|embed|embedding|token|quer(?:y|ie)|prompt)s?$")
_SCALE = re.compile(r"_logit_scale$")
_FIXED = re.compile(
    r"key|noise|seed|rng|freq|proj|basis|hash|state|fourier|random|sample|buffer|_B$|_W$", re.IGNORECASE
)


class WeightUnderUnderscore(Rule):
    """A weight is stored under a name with a leading underscore, which hides it

    ## What it does
    Finds `self._name = …` in a module's `__init__` where the value is drawn at random, or is made of ones or zeros
    under the name of a weight (`_weight`, `_bias`, `_gamma`). Names of what is drawn once and stays (`_noise`, `_key`,
    `_freqs`, `_proj`) are left out. It is a warning in a file that trains, loads or saves parameters, and a note
    elsewhere.

    ## PyTorch and MLX
    PyTorch registers every `nn.Parameter`, whatever its name. MLX leaves attributes whose name begins with an
    underscore out of `parameters()`: the weight keeps its initial value, is not loaded and not saved. Nothing raises.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn


    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self._cls = mx.random.normal((1, 1, 8))

        def __call__(self, x):
            return mx.concatenate([mx.broadcast_to(self._cls, (x.shape[0], 1, 8)), x], axis=1)
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn


    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.cls = mx.random.normal((1, 1, 8))

        def __call__(self, x):
            return mx.concatenate([mx.broadcast_to(self.cls, (x.shape[0], 1, 8)), x], axis=1)
    ```

    ## Fix safety
    The fix takes the underscore away, wherever the class uses the name. It is unsafe: the array may be hidden on
    purpose. There is none where this file uses the name outside the class.

    ## References
    - [Parameters of a module](https://ml-explore.github.io/mlx/build/html/python/nn.html#parameters)
    """

    code = "MLX386"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.SOMETIMES
    message = (
        "`{attribute}` begins with an underscore: MLX leaves it out of `parameters()`, and never trains or loads it"
    )
    targets = frozenset({cst.Attribute})

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        self._check(node, context)

    def visit_AnnAssign(self, node: cst.AnnAssign, context: Context) -> None:
        self._check(node, context)

    def _check(self, node: Store, context: Context) -> None:
        for name, owner in stored_on_self(node, context):
            if not name.startswith("_") or _FIXED.search(name) or node.value is None:
                continue
            array = context.array(node.value)
            if array is None or (array.dtype or "float").startswith(("int", "uint", "bool")):
                continue
            if _is_weight(name, made_by(node.value, context)) and not _is_renewed(name, node, context):
                context.report(
                    self, node, because=[node.value], severity=severity_of_parameter(context),
                    attribute=f"self.{name}", fix=_public(name, owner, context),
                )  # fmt: skip

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        hidden, public = nn.Module(), nn.Module()
        hidden._cls = mx.random.normal((4,))
        public.cls = mx.random.normal((4,))
        return Evidence(
            shown(hidden.trainable_parameters() == {}, "trainable_parameters() is empty"),
            shown("cls" in public.trainable_parameters(), "without the underscore it is a parameter"),
        )


def _is_weight(name: str, made: set[str]) -> bool:
    if any(called.startswith(_DRAWN) for called in made):
        return True
    if _SCALE.match(name):
        return True
    return bool(_WEIGHT.match(name)) and bool(made & _FILLED) and not is_formula(made)


def _is_renewed(name: str, node: Store, context: Context) -> bool:
    """Whether a class computes an attribute anew outside of the method that makes it, as it does with statistics."""
    around, made = context.enclosing_class(node), context.enclosing_function(node)
    if around is None or made is None:
        return False
    return any(
        tree.dotted(target.target) == f"self.{name}"
        for method in around.node.body.body
        if isinstance(method, cst.FunctionDef) and method is not made.node
        for other in context.nodes(method.body, cst.Assign)
        for target in other.targets
    )


def _public(name: str, owner: ClassCode, context: Context) -> NodeFix | None:
    edits = renamed(name, name.lstrip("_"), owner, context) if name.strip("_") else None
    return NodeFix("Make it a parameter", edits, Applicability.UNSAFE) if edits else None
