from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted
from mlxlint.model.values import Array, Foreign, Sequence, Value, members, string
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, raises, shown

from ._generation import BATCHED, is_integer, prompt_of
from ._tiny import tiny

_TEXT, _TEXTS, _ARRAY, _ARRAYS, _IDS = "one text", "texts", "an array", "arrays", "the ids of one prompt"


class BatchPromptNotIds(Rule):
    """`batch_generate` is given texts or arrays

    ## What it does
    Finds `mlx_lm.batch_generate` with prompts that are strings (literals, f-strings, what
    `apply_chat_template(tokenize=False)` returns, ...), arrays, or the token ids of a single prompt.

    ## PyTorch and MLX
    Pipelines of transformers take a list of texts, and `mlx_lm.generate` takes a text as well. `batch_generate` takes a
    list with one list of token ids for each prompt, and raises on anything else.

    ## Example
    ```python
    from mlx_lm import batch_generate, load

    model, tokenizer = load("mlx-community/Qwen3-0.6B-4bit")
    answers = batch_generate(model, tokenizer, ["What is MLX?", "What is Metal?"])
    ```

    ## Use instead
    ```python
    from mlx_lm import batch_generate, load

    model, tokenizer = load("mlx-community/Qwen3-0.6B-4bit")
    prompts = [tokenizer.encode(text) for text in ("What is MLX?", "What is Metal?")]
    answers = batch_generate(model, tokenizer, prompts)
    ```

    ## Fix safety
    Unsafe: it encodes the texts as they are, without a second start token where a chat template put one.

    ## References
    - [MLX-LM, batch generation](https://github.com/ml-explore/mlx-lm/blob/main/mlx_lm/examples/batch_generate_response.py)
    """

    code = "MLX700"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    calls = frozenset({"batch_generate"})
    message = "`batch_generate` takes lists of token ids, and `{prompts}` is {given}"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        prompts = prompt_of(node, BATCHED, context) if context.callee(node) == BATCHED else None
        given = _mistaken(context.value(prompts)) if prompts is not None else None
        if prompts is not None and given is not None:
            context.report(
                self, prompts, because=[prompts], prompts=context.brief(prompts), given=given,
                fix=_fix(node, prompts, context) if given == _TEXTS else None, repro={"given": given},
            )  # fmt: skip

    @staticmethod
    def repro(given: str = _TEXTS) -> Evidence:
        import mlx.core as mx
        from mlx_lm import batch_generate

        model, tokenizer = tiny()
        prompts = {
            _TEXT: "the cat", _TEXTS: ["the cat", "a dog"], _ARRAY: mx.array([[3, 4]]), _ARRAYS: [mx.array([3, 4])],
        }.get(given, [3, 4])  # fmt: skip
        hazard = raises(lambda: batch_generate(model, tokenizer, prompts, max_tokens=2).texts)
        texts = batch_generate(model, tokenizer, [[3, 4], [6]], max_tokens=2).texts
        return Evidence(hazard, shown(len(texts) == 2, f"{len(texts)} texts for two lists of ids"))


def _mistaken(value: Value) -> str | None:
    """What the prompts are, if they surely are no list of lists of token ids."""
    if isinstance(value, (Array, Foreign)):
        return _ARRAY
    if string(value):
        return _TEXT
    if not isinstance(value, Sequence) or value.items == ():
        return None
    element = value.joined()
    if string(element):
        return _TEXTS
    if is_integer(element):
        return _IDS
    return _ARRAYS if all(isinstance(member, (Array, Foreign)) for member in members(element)) else None


def _fix(call: cst.Call, prompts: cst.BaseExpression, context: Context) -> NodeFix | None:
    tokenizer = context.argument(call, 1, "tokenizer")
    if tokenizer is None or dotted(tokenizer) is None or "#" in context.text(prompts):
        return None
    plain = isinstance(prompts, (cst.Name, cst.Attribute, cst.List, cst.Call, cst.Subscript, cst.ListComp))
    options = ", add_special_tokens=False" if "apply_chat_template" in context.module.text else ""
    text = context.text(prompts) if plain else f"({context.text(prompts)})"
    encoded = f"[{context.text(tokenizer)}.encode(prompt{options}) for prompt in {text}]"
    return NodeFix("Encode the texts", [Replace(prompts, encoded)], Applicability.UNSAFE)
