from __future__ import annotations

from collections.abc import Callable

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted
from mlxlint.model.values import constant
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity, shown

from ._flow import operation, option, origin

_LENGTHS = (1, 2, -2, -3)  # the axes along which texts grow
_JOINING = frozenset({"concatenate", "concat"})


class CacheByConcatenation(Rule):
    """A cache grows by concatenation, and is copied as a whole each time

    ## What it does
    Finds attributes that a method sets to themselves with an array joined to them:
    `self.keys = mx.concatenate([self.keys, keys], axis=2)`. Growing by a block of zeros is left alone. It is advice.

    ## PyTorch and MLX
    `torch.cat` copies too, and PyTorch code often has static caches for it. In MLX an array that is made longer than
    needed and written to in place takes a token without a copy, as the `KVCache` of MLX-LM does: make it longer by a
    block, and write `cache[..., offset : offset + n, :] = new`.

    ## Example
    ```python
    import mlx.core as mx


    class Cache:
        def __init__(self, keys: mx.array):
            self.keys = keys

        def update(self, new: mx.array):
            self.keys = mx.concatenate([self.keys, new], axis=2)
            return self.keys
    ```

    ## Use instead
    ```python
    import mlx.core as mx


    class Cache:
        def __init__(self, shape: tuple[int, ...]):
            self.keys, self.offset = mx.zeros(shape), 0

        def update(self, new: mx.array):
            end = self.offset + new.shape[2]
            self.keys[:, :, self.offset : end] = new
            self.offset = end
            return self.keys[:, :, :end]
    ```

    ## References
    - [MLX-LM, cache.py](https://github.com/ml-explore/mlx-lm/blob/main/mlx_lm/models/cache.py)
    """

    code = "MLX857"
    kind = Kind.COST
    severity = Severity.INFO
    targets = frozenset({cst.Attribute})
    message = "`{cache}` is copied as a whole each time it grows: write to a longer array in place"

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        joined = node.value
        if not isinstance(joined, cst.Call) or operation(joined, context) not in _JOINING or not joined.args:
            return
        path = dotted(node.targets[0].target)
        listed = joined.args[0].value
        parts = [element.value for element in listed.elements] if isinstance(listed, (cst.List, cst.Tuple)) else []
        if path is None or "." not in path or len(parts) != 2 or dotted(parts[0]) != path:
            return
        axis = constant(context.value(option(joined, 0, "axis", context)), int)
        if axis not in _LENGTHS:
            return
        if operation(origin(parts[1], context), context) not in ("zeros", "zeros_like", "full"):
            context.report(self, joined, cache=path, confidence=Confidence.LIKELY)

    @staticmethod
    def repro(tokens: int = 64) -> Evidence:
        import time

        import mlx.core as mx

        length = 2048
        token = mx.ones((1, 4, 1, 64))
        mx.eval(token)

        def joined() -> None:
            keys = mx.zeros((1, 4, length, 64))
            for _ in range(tokens):
                keys = mx.concatenate([keys, token], axis=2)
                mx.eval(keys)

        def written() -> None:
            keys = mx.zeros((1, 4, length + tokens, 64))
            for position in range(length, length + tokens):
                keys[:, :, position : position + 1] = token
                mx.eval(keys)

        def cost(grow: Callable[[], None]) -> tuple[float, float]:
            """Peak memory, in caches of the final length, and milliseconds."""
            start, before = time.perf_counter(), mx.get_active_memory()
            mx.reset_peak_memory()
            grow()
            taken = (mx.get_peak_memory() - before) / (token.nbytes * (length + tokens))
            return taken, (time.perf_counter() - start) * 1e3

        (more, slow), (less, fast) = cost(joined), cost(written)
        return Evidence(
            shown(more > 1.5, f"{more:.1f} times the cache's memory, {slow:.0f} ms on {mx.default_device()}"),
            shown(less < 1.5, f"written in place: {less:.1f} times, {fast:.0f} ms"),
        )
