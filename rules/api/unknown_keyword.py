from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import api, explain
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, raises
from mlxlint.rules.api._guards import is_guarded
from mlxlint.rules.api._nearest import nearest
from mlxlint.rules.api._signatures import entry_of, first_without, unaccepted_keywords
from mlxlint.rules.api.torch_keyword import advice


class UnknownKeyword(Rule):
    """A keyword that a callable of MLX does not take

    ## What it does
    Finds keyword arguments that no signature of the MLX function, method or class called has, or that it takes by
    position only.

    ## PyTorch and MLX
    An unknown keyword raises `TypeError` in both. In MLX many parameters have a name in the signature but are
    positional only (`mx.sum(a, /, axis, ...)`), and layers have fewer options than PyTorch's.

    ## Example
    ```python
    import mlx.core as mx

    x = mx.zeros((2, 3))
    total = mx.sum(x, axes=1)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    x = mx.zeros((2, 3))
    total = mx.sum(x, axis=1)
    ```

    ## References
    - [Operations](https://ml-explore.github.io/mlx/build/html/python/ops.html)
    """

    code = "MLX408"
    kind = Kind.CRASH
    severity = Severity.ERROR
    message = "`{callee}` takes no keyword `{keyword}`{nearest}"
    yields_to = ("unsupported-layer-option", "optimizer-given-parameters")
    calls = frozenset({"mlx.*", "mlx_lm.*"})

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if not any(arg.keyword is not None for arg in node.args):
            return
        entry = entry_of(node, context)
        if entry is None:
            return
        self._check_older_releases(node, entry, context)
        for arg in unaccepted_keywords(node, entry):
            assert arg.keyword is not None
            keyword = arg.keyword.value
            if advice(entry.name, keyword) is not None or is_guarded(node, keyword, context):
                continue
            named = {p.name: p.kind for signature in entry.signatures for p in signature.parameters}
            close = nearest(keyword, (n for n, kind in named.items() if kind != "positional-only"), 0.7)
            instead = f"; did you mean `{close}`?" if close else ", it is positional only" if keyword in named else ""
            context.report(
                self, arg, callee=explain.short(entry.name), keyword=keyword, nearest=instead,
                repro={"name": entry.name, "keyword": keyword},
            )  # fmt: skip

    def _check_older_releases(self, node: cst.Call, entry: api.Entry, context: Context) -> None:
        for keyword, arg in context.arguments(node).keywords.items():
            release = first_without(keyword, entry, context)
            if release in (None, context.target(entry.name).newest) or is_guarded(node, keyword, context):
                continue
            context.report(
                self, arg, callee=explain.short(entry.name), keyword=keyword, nearest=f" in {release}",
                severity=Severity.WARNING, repro={"name": entry.name, "keyword": keyword},
            )  # fmt: skip

    @staticmethod
    def repro(name: str = "mlx.core.sum", keyword: str = "axes") -> Evidence:
        import importlib

        import mlx.core as mx

        module, _, function = name.rpartition(".")
        x = mx.array([[1.0, 2.0], [3.0, 4.0]])
        owner = mx.array if module == "mlx.core.array" else importlib.import_module(module)
        called = getattr(owner, function)
        hazard = raises(lambda: called(*([x] if owner is mx.array else []), **{keyword: 1}), TypeError)
        return Evidence(hazard, agrees(mx.sum(x, axis=1), [3.0, 7.0]))
