from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.language_models import is_model
from mlxlint.model.values import Sequence, Value
from mlxlint.rule import Evidence, Kind, Rule, Severity, raises, shown

from ._tiny import tiny


class LoadedPairAsModel(Rule):
    """The pair that `load` returns is used as if it were the model

    ## What it does
    Finds `model = load(path)` whose result is called, asked for a model's attributes, or given to `generate`.

    ## PyTorch and MLX
    `AutoModelForCausalLM.from_pretrained` returns a model. `mlx_lm.load` returns the model and the tokenizer,
    `mlx_lm.utils.load_model` the model and its configuration.

    ## Example
    ```python
    import mlx.core as mx
    from mlx_lm import load

    model = load("mlx-community/Qwen3-0.6B-4bit")
    logits = model(mx.array([[1, 2, 3]]))
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    from mlx_lm import load

    model, tokenizer = load("mlx-community/Qwen3-0.6B-4bit")
    logits = model(mx.array([[1, 2, 3]]))
    ```

    ## References
    - [MLX-LM, Python API](https://github.com/ml-explore/mlx-lm#python-api)
    """

    code = "MLX719"
    kind = Kind.CRASH
    severity = Severity.ERROR
    message = "`{pair}` is a tuple of a model and what belongs to it"
    attributes = frozenset({"Sequence.*"})

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        of_mlx_lm = (context.callee(node) or "").startswith("mlx_lm.")
        given = node.args[0].value if of_mlx_lm and node.args and not node.args[0].star else node.func
        if _is_pair(context.value(given)):
            context.report(self, given, because=[given], pair=context.brief(given))

    def visit_Attribute(self, node: cst.Attribute, context: Context) -> None:
        if not hasattr(tuple, node.attr.value) and _is_pair(context.value(node.value)):
            context.report(self, node, because=[node.value], pair=context.brief(node.value))

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        pair = tiny()
        model, _ = pair
        ids = mx.array([[3, 4]])
        hazard = raises(lambda: pair(ids), TypeError)  # type: ignore[operator]
        return Evidence(hazard, shown(model(ids).ndim == 3, "the first of the two is the model"))


def _is_pair(value: Value) -> bool:
    if type(value) is not Sequence or value.kind != "tuple" or not value.items:
        return False
    return is_model(value.items[0])
