from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import api
from mlxlint.model.values import CERTAIN
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, raises
from mlxlint.rules._operations import operation
from mlxlint.rules.api import _names, _proof
from mlxlint.rules.api._guards import is_guarded
from mlxlint.rules.api._selections import PAIRS, indices_of, values_of

AMBIGUOUS = frozenset({"data", "indices", "values", "type", "index"})  # common on objects that are no arrays
UNCLEAR = frozenset({None, "parameter", "iteration", "default", "indexed", "transformed"})


class TensorMethod(Rule):
    """A method or attribute of PyTorch's tensors that MLX's arrays lack

    ## What it does
    Finds methods and attributes of `torch.Tensor` read from an MLX array that has none of that name: `unsqueeze`,
    `permute`, `float`, `masked_fill`, `clamp`, `to`, `cpu`, `numel`, `gather`, `nonzero`, ...

    ## PyTorch and MLX
    Most of what is a method in PyTorch is a function of `mlx.core` in MLX, often under NumPy's name. Reading an
    attribute that an array does not have raises `AttributeError`.

    ## Example
    ```python
    import mlx.core as mx

    mask = mx.array([1, 1, 0])
    weights = mask.unsqueeze(-1).float()
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    mask = mx.array([1, 1, 0])
    weights = mx.expand_dims(mask, -1).astype(mx.float32)
    ```

    ## Fix safety
    Safe where the two are known to agree and the object is surely an array. Unsafe where they agree on usual values
    only (`chunk`, when the axis divides evenly), and where it rests on a convention that the object is an array.

    ## References
    - [mlx.core.array](https://ml-explore.github.io/mlx/build/html/python/array.html)
    """

    code = "MLX402"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    message = "MLX arrays have no `{name}`: {instead}"
    attributes = frozenset({"Array.*"})

    def visit_Attribute(self, node: cst.Attribute, context: Context) -> None:
        array = context.array(node.value)
        name = node.attr.value
        if array is None or name in api.members("mlx.core.array", context.target_mlx.newest):
            return
        entry = _names.section("tensor").get(name)
        if entry is None or (array.op in UNCLEAR and name in AMBIGUOUS) or is_guarded(node, name, context):
            return
        rewrite = _names.rewrite(entry, node, node.value, context)
        context.report(
            self, node.attr, because=[node.value], name=name, instead=_names.instead(entry, rewrite, context),
            fix=rewrite.fix(array.confidence == CERTAIN) if rewrite is not None else _part(node, context),
            repro={"name": name},
        )  # fmt: skip

    @staticmethod
    def repro(name: str = "unsqueeze") -> Evidence:
        import mlx.core as mx

        hazard = raises(lambda: getattr(mx.array([1.0]), name), AttributeError)
        return Evidence(hazard, _proof.remedy("tensor", name))


def _part(node: cst.Attribute, context: Context) -> NodeFix | None:
    """``mx.max(x, axis=1).indices`` becomes ``mx.argmax(x, axis=1)``."""
    find = {"values": values_of, "indices": indices_of}.get(node.attr.value)
    found = operation(node.value, context, PAIRS) if isinstance(node.value, cst.Call) else None
    text = find(found, node.value, context) if find is not None and found is not None else None
    return NodeFix(f"Replace by `{text}`", [Replace(node, text)], Applicability.UNSAFE) if text is not None else None
