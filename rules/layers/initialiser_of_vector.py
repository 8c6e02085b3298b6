from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Evidence, Kind, Rule, Severity, raises, shown

from .initialiser_dropped import PREFIX

FANS = frozenset(f"{PREFIX}{name}()" for name in ("glorot_normal", "glorot_uniform", "he_normal", "he_uniform"))


class InitialiserOfVector(Rule):
    """An initialiser that needs a matrix is given a vector

    ## What it does
    Finds what `nn.init.glorot_uniform`, `glorot_normal`, `he_uniform` or `he_normal` return called with an array of one
    axis or none: a bias.

    ## PyTorch and MLX
    These initialisers scale by the number of inputs and outputs, which a vector does not have. MLX raises `ValueError`,
    as PyTorch does; layers of other frameworks have biases initialised like weights. A bias begins at zero, or uniform.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    bias = nn.init.glorot_uniform()(mx.zeros((8,)))
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    bias = nn.init.uniform(-0.1, 0.1)(mx.zeros((8,)))
    ```

    ## References
    - [Initializers](https://ml-explore.github.io/mlx/build/html/python/nn/init.html)
    """

    code = "MLX338"
    kind = Kind.CRASH
    severity = Severity.ERROR
    message = "`{array}` has {axes}, and `nn.init.{initialiser}` needs at least two"
    calls = frozenset({"mlx.*"})

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node) or ""
        array = context.array(node.args[0].value) if callee in FANS and node.args else None
        if array is not None and array.rank in (0, 1):
            given, name = node.args[0].value, callee[len(PREFIX) : -2]
            axes = "one axis" if array.rank else "no axes"
            context.report(
                self, node, because=[given], array=context.brief(given), axes=axes, initialiser=name,
                repro={"name": name},
            )  # fmt: skip

    @staticmethod
    def repro(name: str = "glorot_uniform") -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        initialiser = getattr(nn.init, name)()
        hazard = raises(lambda: initialiser(mx.zeros((8,))), ValueError)
        return Evidence(hazard, shown(initialiser(mx.zeros((8, 4))).shape == (8, 4), "a matrix is filled"))
