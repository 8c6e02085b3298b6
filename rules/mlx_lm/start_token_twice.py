from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Value
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Rule, Severity, agrees, differs

from .._shared import with_keyword
from ._generation import is_tokenizer
from ._tiny import tiny


class StartTokenTwice(Rule):
    """A text from a chat template is encoded with a second start token

    ## What it does
    Finds `tokenizer.encode(tokenizer.apply_chat_template(messages, tokenize=False))`, directly or through a name.

    ## PyTorch and MLX
    A chat template writes the start token into the text, and `encode` puts one before it again. `generate` looks for it
    in a text; where the ids are made by hand, as for `batch_generate`, they begin with two. Let the template give the
    ids, or encode with `add_special_tokens=False`.

    ## Example
    ```python
    from mlx_lm import load

    model, tokenizer = load("mlx-community/Llama-3.2-1B-Instruct-4bit")
    text = tokenizer.apply_chat_template([{"role": "user", "content": "What is MLX?"}], tokenize=False)
    ids = tokenizer.encode(text)
    ```

    ## Use instead
    ```python
    from mlx_lm import load

    model, tokenizer = load("mlx-community/Llama-3.2-1B-Instruct-4bit")
    ids = tokenizer.apply_chat_template([{"role": "user", "content": "What is MLX?"}])
    ```

    ## Fix safety
    Unsafe: some templates write no start token.

    ## References
    - [Chat templates](https://huggingface.co/docs/transformers/chat_templating)
    """

    code = "MLX713"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.ALWAYS
    calls = frozenset({"encode"})
    message = "`{text}` has a start token from the chat template, and `encode` adds another"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if len(node.args) != 1 or node.args[0].star or not is_tokenizer(context.receiver(node)):
            return
        text = node.args[0]
        if not _is_templated(context.value(text.value), context):
            return
        edit = with_keyword(node, "add_special_tokens=False", context)
        fix = NodeFix("Add no special tokens", [edit], Applicability.UNSAFE)
        context.report(self, node, text=context.brief(text.value), fix=fix)

    @staticmethod
    def repro() -> Evidence:
        _, tokenizer = tiny()
        messages = [{"role": "user", "content": "the cat"}]
        text = tokenizer.apply_chat_template(messages, tokenize=False)
        expected = list(tokenizer.apply_chat_template(messages))
        hazard = differs(tokenizer.encode(text), expected, what="encode")
        return Evidence(hazard, agrees(tokenizer.encode(text, add_special_tokens=False), expected))


def _is_templated(value: Value, context: Context) -> bool:
    node = value.node
    return isinstance(node, cst.Call) and (context.callee(node) or "").endswith(".apply_chat_template")
