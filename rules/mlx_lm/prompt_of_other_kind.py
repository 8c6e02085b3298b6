from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.language_models import is_model
from mlxlint.model.values import Array, Dict, Sequence, Value, as_array, members, string
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, raises, shown

from ._generation import FROM_IDS, FROM_TEXT, is_integer, prompt_of
from ._tiny import tiny


class PromptOfOtherKind(Rule):
    """A prompt is a list of texts, chat messages or a batch of ids, where one prompt is taken

    ## What it does
    Finds `generate` and `stream_generate` with a list of strings, chat messages, or ids with a batch axis,
    `generate_step` with a text or a list, and a loaded model called with ids that have no batch axis.

    ## PyTorch and MLX
    `model.generate` of transformers takes `input_ids` of shape (batch, length), its pipelines lists of texts and
    messages. MLX-LM's `generate` takes one prompt: a text, a list of ids or an array of one axis. `generate_step` takes
    an array of one axis, the model itself one of two. Others raise.

    ## Example
    ```python
    import mlx.core as mx
    from mlx_lm import generate, load

    model, tokenizer = load("mlx-community/Qwen3-0.6B-4bit")
    ids = mx.array([tokenizer.encode("What is MLX?")])
    text = generate(model, tokenizer, ids)
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    from mlx_lm import generate, load

    model, tokenizer = load("mlx-community/Qwen3-0.6B-4bit")
    ids = mx.array(tokenizer.encode("What is MLX?"))
    text = generate(model, tokenizer, ids)
    ```

    ## Fix safety
    Unsafe: a batch axis is added to what a model is called with, and a list for `generate_step` made an array.

    ## References
    - [MLX-LM, Python API](https://github.com/ml-explore/mlx-lm#python-api)
    """

    code = "MLX712"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    calls = frozenset({"generate", "stream_generate", "generate_step", "speculative_generate_step", "__call__"})
    message = "`{function}` takes {wanted}, and `{prompt}` is {given}"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node) or ""
        fix = None
        if callee in FROM_TEXT:
            wanted, prompt = "one prompt", prompt_of(node, callee, context)
            given = _several(context.value(prompt))
        elif callee in FROM_IDS:
            wanted, prompt = "an array of token ids", prompt_of(node, callee, context)
            given = _no_array(context.value(prompt))
            core = context.alias("mlx.core")
            if prompt is not None and core is not None and given == "a list":
                fix = NodeFix("Make an array of it", [Replace(prompt, f"{core}.array({context.text(prompt)})")],
                              Applicability.UNSAFE)  # fmt: skip
        elif is_model(context.called(node)):
            wanted, prompt = "ids of shape (batch, length)", context.argument(node, 0, "inputs")
            given = _flat(context.value(prompt))
            if prompt is not None and given == "an array of one axis":
                text = context.text(prompt)
                atom = isinstance(prompt, (cst.Name, cst.Call, cst.Subscript, cst.Attribute))
                whole = atom or context.is_parenthesised(prompt)
                added = f"{text if whole else f'({text})'}[None]"
                fix = NodeFix("Add a batch axis", [Replace(prompt, added)], Applicability.UNSAFE)
        else:
            return
        if prompt is not None and given is not None:
            context.report(
                self, prompt, because=[prompt], function=context.brief(node.func), wanted=wanted,
                prompt=context.brief(prompt), given=given, fix=fix,
            )  # fmt: skip

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        from mlx_lm import generate

        model, tokenizer = tiny()
        hazard = raises(lambda: generate(model, tokenizer, mx.array([[3, 4]]), max_tokens=2))
        text = generate(model, tokenizer, mx.array([3, 4]), max_tokens=2)
        return Evidence(hazard, shown(isinstance(text, str), f"one axis: {text!r}"))


def _several(value: Value) -> str | None:
    """What a prompt is, where it surely is more than one."""
    array = as_array(value, optional=False)
    if array is not None:
        return f"an array of {array.rank} axes" if array.rank is not None and array.rank > 1 else None
    if not isinstance(value, Sequence) or value.kind != "list" or value.items == ():
        return None
    element = value.joined()
    if string(element):
        return "a list of texts"
    if isinstance(element, Dict):
        return "a list of messages"
    return "a list of lists" if isinstance(element, Sequence) and element.kind == "list" else None


def _no_array(value: Value) -> str | None:
    if string(value):
        return "a text"
    return "a list" if isinstance(value, Sequence) and value.kind == "list" else None


def _flat(value: Value) -> str | None:
    if isinstance(value, Sequence) and value.kind == "list" and value.items != () and is_integer(value.joined()):
        return "a list of ids"
    found = all(isinstance(member, Array) and member.rank == 1 for member in members(value))
    return "an array of one axis" if found else None
