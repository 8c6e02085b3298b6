from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.language_models import TOKENS
from mlxlint.model.values import Array, constant
from mlxlint.rule import Evidence, Kind, Rule, Severity, raises, shown

from ._tiny import tiny


class ProcessorTokensRank(Rule):
    """A logits processor takes its tokens for a batch

    ## What it does
    Finds `tokens.shape[1]`, `tokens[:, i]`, `batch, length = tokens.shape` and the like in a function that is given to
    MLX-LM as a logits processor.

    ## PyTorch and MLX
    The processors of transformers get `input_ids` of shape (batch, length). MLX-LM calls a processor with the tokens as
    an array of one axis, and logits of shape (1, vocabulary).

    ## Example
    ```python
    import mlx.core as mx
    from mlx_lm import generate, load

    model, tokenizer = load("mlx-community/Qwen3-0.6B-4bit")


    def no_early_end(tokens, logits):
        if tokens.shape[1] < 16:
            logits[:, tokenizer.eos_token_id] = -mx.inf
        return logits


    text = generate(model, tokenizer, "What is MLX?", logits_processors=[no_early_end])
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    from mlx_lm import generate, load

    model, tokenizer = load("mlx-community/Qwen3-0.6B-4bit")


    def no_early_end(tokens, logits):
        if tokens.shape[0] < 16:
            logits[:, tokenizer.eos_token_id] = -mx.inf
        return logits


    text = generate(model, tokenizer, "What is MLX?", logits_processors=[no_early_end])
    ```

    ## References
    - [MLX-LM, sample_utils.py](https://github.com/ml-explore/mlx-lm/blob/main/mlx_lm/sample_utils.py)
    """

    code = "MLX711"
    kind = Kind.CRASH
    severity = Severity.ERROR
    message = "a logits processor gets its tokens as an array of one axis: `{use}` asks for another"
    targets = frozenset({cst.Tuple, cst.List})

    def visit_Subscript(self, node: cst.Subscript, context: Context) -> None:
        if _is_tokens(node.value, context) and sum(map(_takes_axis, node.slice)) > 1:
            context.report(self, node, because=[node.value], use=context.brief(node))
        elif isinstance(node.value, cst.Attribute) and node.value.attr.value == "shape":
            index = node.slice[0].slice
            axis = constant(context.value(index.value), int) if isinstance(index, cst.Index) else None
            if axis not in (None, 0, -1) and _is_tokens(node.value.value, context):
                context.report(self, node, because=[node.value.value], use=context.brief(node))

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        target, value = node.targets[0].target, node.value
        if isinstance(target, cst.Tuple) and isinstance(value, cst.Attribute) and value.attr.value == "shape":
            plain = not any(isinstance(element, cst.StarredElement) for element in target.elements)
            if plain and len(target.elements) > 1 and _is_tokens(value.value, context):
                context.report(self, node, because=[value.value], use=context.brief(node))

    @staticmethod
    def repro() -> Evidence:
        from mlx_lm import generate

        model, tokenizer = tiny()
        ranks = []

        def batched(tokens: object, logits: object) -> object:
            return logits if tokens.shape[1] else None  # type: ignore[attr-defined]

        def plain(tokens: object, logits: object) -> object:
            ranks.append(tokens.ndim)  # type: ignore[attr-defined]
            return logits

        hazard = raises(lambda: generate(model, tokenizer, "the cat", max_tokens=2, logits_processors=[batched]))
        generate(model, tokenizer, "the cat", max_tokens=2, logits_processors=[plain])
        return Evidence(hazard, shown(set(ranks) == {1}, f"axes of the tokens: {sorted(set(ranks))}"))


def _is_tokens(node: cst.BaseExpression, context: Context) -> bool:
    value = context.value(node)
    return isinstance(value, Array) and value.op == TOKENS


def _takes_axis(element: cst.SubscriptElement) -> bool:
    """Whether a part of an index uses up an axis: neither `None` nor `...`."""
    index = element.slice.value if isinstance(element.slice, cst.Index) else None
    return not (isinstance(index, cst.Ellipsis) or (isinstance(index, cst.Name) and index.value == "None"))
