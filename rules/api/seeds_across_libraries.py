from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Name, constant
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity, agrees, differs
from mlxlint.rules.api.random_key_reuse import DRAWS

SEEDS = {"torch.manual_seed": "torch.rand", "numpy.random.seed": "numpy.random."}
OWN = "mlx.core.random."


class SeedsAcrossLibraries(Rule):
    """Expecting the same numbers of two libraries with the same seed

    ## What it does
    Finds a function that gives `mx.random.seed` the seed it gives PyTorch or NumPy, and then draws from both.

    ## PyTorch and MLX
    The generators are different: the same seed gives other numbers. To compare results, draw once and convert.

    ## Example
    ```python
    import mlx.core as mx
    import numpy as np

    np.random.seed(0)
    mx.random.seed(0)
    expected = np.random.standard_normal((3,))
    got = mx.random.normal((3,))
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import numpy as np

    expected = np.random.default_rng(0).standard_normal((3,))
    got = mx.array(expected)
    ```

    ## References
    - [Random](https://ml-explore.github.io/mlx/build/html/python/random.html)
    """

    code = "MLX475"
    kind = Kind.SILENT
    severity = Severity.WARNING
    calls = DRAWS
    message = "`{draw}` gives other numbers than `{other}` does with the same seed"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if not (context.callee(node) or "").startswith(OWN) or context.argument(node, None, "key") is not None:
            return
        scope = context.enclosing(node, cst.FunctionDef, within_function=False) or context.tree
        called = [(c, v.name) for c, v, _ in context.calls(scope, through=False) if isinstance(v, Name)]
        own = [_seed(c, context) for c, name in called if name == "mlx.core.random.seed"]
        for library, prefix in SEEDS.items():
            theirs = [_seed(c, context) for c, name in called if name == library]
            drawn = next(
                (n for _, n in called if n.startswith(prefix) and n != library and "default_rng" not in n), None
            )
            if drawn is not None and set(own) & set(theirs):
                context.report(self, node, confidence=Confidence.LIKELY, draw=context.brief(node), other=drawn)
                return

    @staticmethod
    def repro(seed: int = 0) -> Evidence:
        import mlx.core as mx
        import numpy as np

        np.random.seed(seed)
        mx.random.seed(seed)
        expected = np.random.standard_normal((3,)).astype(np.float32)
        return Evidence(differs(mx.random.normal((3,)), expected), agrees(mx.array(expected), expected))


def _seed(call: cst.Call, context: Context) -> str:
    """The seed a call is given: its value where that is known, else how it is written."""
    given = context.argument(call, 0, "seed")
    known = constant(context.value(given), int)
    return str(known) if known is not None else context.text(given) if given is not None else ""
