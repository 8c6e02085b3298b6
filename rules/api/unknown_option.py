from __future__ import annotations

import ast
import difflib
from functools import cache

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import explain
from mlxlint.model.values import constant
from mlxlint.rule import Evidence, Kind, Rule, Severity, raises, shown
from mlxlint.rules.api._signatures import argument, entry_of


class UnknownOption(Rule):
    """A word that an option of MLX does not know

    ## What it does
    Finds string arguments that are not among those that the signature of an MLX function or layer lists: the `mode` of
    `nn.Upsample`, the `reduction` of a loss, the `indexing` of `mx.meshgrid`, ...

    ## PyTorch and MLX
    The vocabularies differ: PyTorch's `"bilinear"` is `"linear"` in MLX, for any number of dimensions, and `"batchmean"` does
    not exist. An unknown word raises `ValueError`.

    ## Example
    ```python
    import mlx.nn as nn

    up = nn.Upsample(scale_factor=2, mode="bilinear")
    ```

    ## Use instead
    ```python
    import mlx.nn as nn

    up = nn.Upsample(scale_factor=2, mode="linear")
    ```

    ## References
    - [mlx.nn.Upsample](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.Upsample.html)
    """

    code = "MLX415"
    kind = Kind.CRASH
    severity = Severity.ERROR
    message = '`{callee}` knows no {parameter} "{word}", but {known}'
    yields_to = ("unsupported-layer-option",)

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if not node.args:
            return
        entry = entry_of(node, context)
        if entry is None:
            return
        for parameter in {p.name: p for s in entry.signatures for p in s.parameters}.values():
            words = listed(parameter.annotation) if parameter.annotation and "Literal[" in parameter.annotation else ()
            arg = argument(node, entry, parameter.name) if words else None
            word = constant(context.value(arg.value), str) if arg is not None and not arg.star else None
            if arg is None or not isinstance(word, str) or word in words:
                continue
            context.report(
                self, arg.value, callee=explain.short(entry.name), parameter=parameter.name, word=word,
                known=_known(word, words), repro={"name": entry.name, "parameter": parameter.name, "word": word},
            )  # fmt: skip

    @staticmethod
    def repro(name: str = "mlx.nn.Upsample", parameter: str = "mode", word: str = "bilinear") -> Evidence:
        import importlib

        import mlx.core as mx
        import mlx.nn as nn

        module, _, function = name.rpartition(".")
        called = getattr(importlib.import_module(module), function)
        first = [2] if name == "mlx.nn.Upsample" else [mx.zeros((1, 2)), mx.zeros((1, 2))]
        hazard = raises(lambda: called(*first, **{parameter: word}), ValueError)
        up = nn.Upsample(scale_factor=2, mode="linear")(mx.zeros((1, 2, 2, 1)))
        return Evidence(hazard, shown(up.shape == (1, 4, 4, 1), f"shape {up.shape}"))


@cache
def listed(annotation: str) -> tuple[str, ...]:
    """The words of ``Literal["a", "b"]``, alone or with ``None``; none for another annotation."""
    node = ast.parse(annotation, mode="eval").body
    if isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("Optional"):
        node = node.slice
    if not (isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("Literal")):
        return ()
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    return tuple(part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str))


def _known(word: str, words: tuple[str, ...]) -> str:
    close = [w for w in words if w in word] or difflib.get_close_matches(word, words, 1, 0.5)
    first = [*close, *(w for w in words if w not in close)]
    return ", ".join(f'"{w}"' for w in first)
