from __future__ import annotations

import ast
from functools import cache

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import api, explain
from mlxlint.model.values import constant
from mlxlint.rule import Evidence, Kind, Rule, Severity, Skipped, agrees, raises
from mlxlint.rules.api._nearest import nearest
from mlxlint.rules.api._signatures import argument, entry_of

LATER = {"mlx.core.pad": ("mode", frozenset({"reflect", "symmetric"}), "0.32.0")}  # words, and the last without them
IN_OLDER = '`{callee}` knows no {parameter} "{word}" up to MLX {last}'
ALIASES = {"Reduction": ("none", "mean", "sum")}  # of annotations in MLX


class UnknownOption(Rule):
    """A word that an option of MLX does not know

    ## What it does
    Finds string arguments that are not among those that the signature of an MLX function or layer lists: the
    `reduction` of a loss, the `mode` of `nn.Upsample`, ... Where the project is to run on older releases, so are words
    that these do not know yet: the `mode` "reflect" of `mx.pad`.

    ## PyTorch and MLX
    The vocabularies differ: a loss in MLX knows the reductions `"none"`, `"mean"` and `"sum"`, and no `"batchmean"`. An
    unknown word raises `ValueError`.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    p, q = mx.log(mx.full((4, 2), 0.5)), mx.log(mx.full((4, 2), 0.5))
    loss = nn.losses.kl_div_loss(p, q, reduction="batchmean")
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    p, q = mx.log(mx.full((4, 2), 0.5)), mx.log(mx.full((4, 2), 0.5))
    loss = nn.losses.kl_div_loss(p, q, reduction="sum") / p.shape[0]
    ```

    ## References
    - [Loss functions](https://ml-explore.github.io/mlx/build/html/python/nn/losses.html)
    """

    code = "MLX415"
    kind = Kind.CRASH
    severity = Severity.ERROR
    message = '`{callee}` knows no {parameter} "{word}", but {known}'
    yields_to = ("unsupported-layer-option",)
    calls = frozenset({"mlx.*", "mlx_lm.*"})

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if not node.args:
            return
        entry = entry_of(node, context)
        if entry is None:
            return
        if entry.name in LATER:
            self._check_later(node, entry, context)
        for parameter in {p.name: p for s in entry.signatures for p in s.parameters}.values():
            words = listed(parameter.annotation or "")
            arg = argument(node, entry, parameter.name) if words else None
            word = constant(context.value(arg.value), str) if arg is not None and not arg.star else None
            if arg is None or not isinstance(word, str) or word in words:
                continue
            context.report(
                self, arg.value, callee=explain.short(entry.name), parameter=parameter.name, word=word,
                known=_known(word, words), repro={"name": entry.name, "parameter": parameter.name, "word": word},
            )  # fmt: skip

    def _check_later(self, node: cst.Call, entry: api.Entry, context: Context) -> None:
        """A word that older releases do not know yet."""
        name, words, last = LATER[entry.name]
        arg = argument(node, entry, name)
        word = constant(context.value(arg.value), str) if arg is not None and not arg.star else None
        if arg is not None and word in words and context.target_mlx.reaches(last):
            context.report(
                self, arg.value, template=IN_OLDER, callee=explain.short(entry.name), parameter=name, word=word,
                last=last, severity=Severity.WARNING, repro={"last": last},
            )  # fmt: skip

    @staticmethod
    def repro(
        name: str = "mlx.nn.losses.kl_div_loss", parameter: str = "reduction", word: str = "batchmean", last: str = ""
    ) -> Evidence:
        if last:
            raise Skipped(f"seen on releases up to {last}")
        import importlib

        import mlx.core as mx
        import mlx.nn as nn

        x = mx.zeros((1, 2))
        module, _, function = name.rpartition(".")
        called = getattr(importlib.import_module(module), function)
        first = [2] if name == "mlx.nn.Upsample" else [x, x]
        hazard = raises(lambda: called(*first, **{parameter: word}), ValueError)
        return Evidence(hazard, agrees(nn.losses.kl_div_loss(x, x, reduction="sum"), 0.0))


@cache
def listed(annotation: str) -> tuple[str, ...]:
    """The words of ``Literal["a", "b"]``, alone or with ``None``; none for another annotation."""
    if "Literal[" not in annotation:
        return ALIASES.get(annotation, ())
    node = ast.parse(annotation, mode="eval").body
    if isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("Optional"):
        node = node.slice
    if not (isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("Literal")):
        return ()
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    return tuple(part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str))


def _known(word: str, words: tuple[str, ...]) -> str:
    close = [w for w in words if w in word] or [w for w in words if w == nearest(word, words, 0.5)]
    first = [*close, *(w for w in words if w not in close)]
    return ", ".join(f'"{w}"' for w in first)
