from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.language_models import is_prompt_cache
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeEdit, NodeFix, Replace, Rule, Severity, shown

from ._tiny import tiny

_COPIES = frozenset({"builtins.list", "builtins.tuple", "copy.copy"})
_KEEPING = (cst.Assign, cst.AnnAssign, cst.Arg, cst.Return, cst.DictElement, cst.NamedExpr)


class ShallowCacheCopy(Rule):
    """A copy of a prompt cache shares the keys and values of the original

    ## What it does
    Finds `list(cache)`, `cache[:]`, `cache.copy()`, `[*cache]` and `copy.copy(cache)` of a prompt cache where the
    copy is kept or handed on.

    ## PyTorch and MLX
    The `past_key_values` of early `transformers` were tuples of tensors that nobody changed. A prompt cache of MLX-LM
    is a list of objects that generation changes: a copy of the list holds the same objects, and what is generated
    with one stands in the other. Use `copy.deepcopy`.

    ## Example
    ```python
    from mlx_lm import load
    from mlx_lm.models.cache import make_prompt_cache

    model, tokenizer = load("mlx-community/Qwen3-0.6B-4bit")
    base = make_prompt_cache(model)
    branch = list(base)
    ```

    ## Use instead
    ```python
    import copy

    from mlx_lm import load
    from mlx_lm.models.cache import make_prompt_cache

    model, tokenizer = load("mlx-community/Qwen3-0.6B-4bit")
    base = make_prompt_cache(model)
    branch = copy.deepcopy(base)
    ```

    ## Fix safety
    Unsafe: two names for one cache may be meant.

    ## References
    - [MLX-LM, cache.py](https://github.com/ml-explore/mlx-lm/blob/main/mlx_lm/models/cache.py)
    """

    code = "MLX720"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.ALWAYS
    calls = frozenset({"list", "tuple", "copy", ".copy"})
    message = "`{copy}` holds the same caches as `{cache}`: what is generated with one is in both"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if context.callee(node) in _COPIES and len(node.args) == 1 and not node.args[0].star:
            self._check(node, node.args[0].value, context)
        elif isinstance(node.func, cst.Attribute) and node.func.attr.value == "copy" and not node.args:
            self._check(node, node.func.value, context)

    def visit_Subscript(self, node: cst.Subscript, context: Context) -> None:
        index = node.slice[0].slice
        if isinstance(index, cst.Slice) and index.lower is None and index.upper is None and index.step is None:
            self._check(node, node.value, context)

    def visit_List(self, node: cst.List, context: Context) -> None:
        if len(node.elements) == 1 and isinstance(node.elements[0], cst.StarredElement):
            self._check(node, node.elements[0].value, context)

    def _check(self, node: cst.BaseExpression, cache: cst.BaseExpression, context: Context) -> None:
        if not is_prompt_cache(context.value(cache)) or not isinstance(context.parent(node), _KEEPING):
            return
        fix, deepcopy = None, context.importing("copy.deepcopy")
        if deepcopy is not None:
            name, imports = deepcopy
            edits: list[NodeEdit] = [Replace(node, f"{name}({context.text(cache)})"), *imports]
            fix = NodeFix("Copy what is in it", edits, Applicability.UNSAFE)
        context.report(self, node, because=[cache], copy=context.brief(node), cache=context.brief(cache), fix=fix)

    @staticmethod
    def repro(tokens: int = 3) -> Evidence:
        import copy

        import mlx.core as mx
        from mlx_lm.models.cache import make_prompt_cache

        model, _ = tiny()

        def in_base(duplicate: object) -> int:
            base = make_prompt_cache(model)
            mx.eval(model(mx.array([[3, 4]]), cache=base))
            branch = duplicate(base)  # type: ignore[operator]
            mx.eval(model(mx.array([[5] * tokens]), cache=branch))
            return int(base[0].offset)

        shared, apart = in_base(list), in_base(copy.deepcopy)
        return Evidence(
            shown(shared == 2 + tokens, f"2 tokens, then {tokens} in list(cache): {shared} in the original"),
            shown(apart == 2, f"with copy.deepcopy: {apart}"),
        )
