from __future__ import annotations

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
    def repro(tokens: int = 400) -> Evidence:
        import time

        import mlx.core as mx

        token = mx.ones((1, 4, 1, 64))
        mx.eval(token)

        def joined() -> float:
            keys, start = mx.zeros((1, 4, 0, 64)), time.perf_counter()
            for _ in range(tokens):
                keys = mx.concatenate([keys, token], axis=2)
                mx.eval(keys)
            return time.perf_counter() - start

        def written() -> float:
            keys, start = mx.zeros((1, 4, tokens, 64)), time.perf_counter()
            for position in range(tokens):
                keys[:, :, position : position + 1] = token
                mx.eval(keys)
            return time.perf_counter() - start

        slow, fast = (min(run() for _ in range(3)) for run in (joined, written))
        return Evidence(
            shown(slow > 1.2 * fast, f"{tokens} tokens by concatenation: {slow * 1e3:.1f} ms on {mx.default_device()}"),
            shown(fast < slow, f"written in place: {fast * 1e3:.1f} ms"),
        )
