from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.language_models import TOKENIZER
from mlxlint.model.values import constant
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, agrees, raises

from ..api._guards import is_guarded
from ._generation import is_tokenizer
from ._tiny import tiny

_IDS = "input_ids"


class CalledTokenizer(Rule):
    """MLX-LM's tokenizer is called

    ## What it does
    Finds `tokenizer(text)` where the tokenizer is the one that `mlx_lm.load` returns.

    ## PyTorch and MLX
    A tokenizer of transformers is called and gives `input_ids` and an `attention_mask`. MLX-LM wraps it in a
    `TokenizerWrapper`, which has the attributes and methods of the tokenizer and cannot be called: `TypeError`.

    ## Example
    ```python
    from mlx_lm import load

    model, tokenizer = load("mlx-community/Qwen3-0.6B-4bit")
    ids = tokenizer("What is MLX?")["input_ids"]
    ```

    ## Use instead
    ```python
    from mlx_lm import load

    model, tokenizer = load("mlx-community/Qwen3-0.6B-4bit")
    ids = tokenizer.encode("What is MLX?")
    ```

    ## Fix safety
    Unsafe: it is made where the text is a single one and only its ids are taken.

    ## References
    - [MLX-LM, Python API](https://github.com/ml-explore/mlx-lm#python-api)
    """

    code = "MLX703"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    calls = frozenset({"__call__"})
    message = "`{tokenizer}` is a `TokenizerWrapper`, which cannot be called: use `{tokenizer}.encode`"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if context.callee(node) != f"{TOKENIZER}.__call__" or not is_tokenizer(context.called(node)):
            return
        if not is_guarded(node, "encode", context):
            context.report(self, node, tokenizer=context.brief(node.func), fix=_fix(node, context))

    @staticmethod
    def repro() -> Evidence:
        _, tokenizer = tiny()
        return Evidence(raises(lambda: tokenizer("the cat"), TypeError), agrees(tokenizer.encode("the cat"), [1, 3, 4]))


def _fix(call: cst.Call, context: Context) -> NodeFix | None:
    outer = context.parent(call)
    taken = isinstance(outer, cst.Attribute) and outer.attr.value == _IDS
    if isinstance(outer, cst.Subscript) and len(outer.slice) == 1 and isinstance(outer.slice[0].slice, cst.Index):
        taken = constant(context.value(outer.slice[0].slice.value), str) == _IDS
    if not taken or outer is None or len(call.args) != 1 or call.args[0].keyword or call.args[0].star:
        return None
    text = f"{context.text(call.func)}.encode({context.text(call.args[0])})"
    return NodeFix("Use `encode`", [Replace(outer, text)], Applicability.UNSAFE)
