from __future__ import annotations

from typing import Literal

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted
from mlxlint.rule import Evidence, Kind, Rule, Severity, raises, shown

from ._captured import targets_of
from ._compile import RANDOM_STATE


class RandomStateAssigned(Rule):
    """The random state is assigned to, which restores nothing

    ## What it does
    Finds assignments to `mx.random.state` and to its items.

    ## PyTorch and MLX
    `torch.set_rng_state` puts a saved state back. `mx.random.state = saved` binds a name of the module: the generator
    goes on as before. Writing to an item raises since MLX 0.32.1. Set a seed, or give the functions keys.

    ## Example
    ```python
    import mlx.core as mx

    saved = list(mx.random.state)
    x = mx.random.normal((2,))
    mx.random.state = saved
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    x = mx.random.normal((2,), key=mx.random.key(0))
    again = mx.random.normal((2,), key=mx.random.key(0))
    ```

    ## References
    - [Random](https://ml-explore.github.io/mlx/build/html/python/random.html)
    """

    code = "MLX526"
    kind = Kind.SILENT
    severity = Severity.ERROR
    targets = frozenset({cst.Attribute, cst.Subscript})
    message = "{problem}"

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        for target in targets_of(node):
            if isinstance(target, cst.Subscript):
                if context.qualified(target.value) == RANDOM_STATE:
                    problem = "an item of `mx.random.state` cannot be assigned"
                    context.report(self, node, problem=problem, repro={"write": "item"})
            elif isinstance(target, cst.Attribute) and target.attr.value == "state":
                if context.qualified(target.value) == "mlx.core.random" and dotted(target) is not None:
                    problem = "this binds a name: the generator goes on as before"
                    context.report(self, node, problem=problem)

    @staticmethod
    def repro(write: Literal["name", "item"] = "name") -> Evidence:
        import mlx.core as mx

        def write_item() -> None:
            mx.random.state[0] = mx.random.key(0)

        if write == "item":
            hazard = raises(write_item, TypeError)
        else:
            original = mx.random.state
            saved = [mx.array(part) for part in original]
            first = mx.random.normal((2,)).tolist()
            mx.random.state = saved
            second = mx.random.normal((2,)).tolist()
            mx.random.state = original
            hazard = shown(first != second, f"after the assignment {second} in place of {first}")
        key = mx.random.key(0)
        drawn = [mx.random.normal((2,), key=key).tolist() for _ in range(2)]
        return Evidence(hazard, shown(drawn[0] == drawn[1], f"with a key twice {drawn[0]}"))
